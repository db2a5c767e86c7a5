// The kernels for each kind of images have a file of their own: in one, the compiler no longer inlines the products that
// both share, and all take a twentieth longer.

#include "convolution.h"

extern "C" {
void convolve_images_bfloat16(const Convolution* given) { convolve<BFloat16>(*given, false); }
void convolve_gradients_bfloat16(const Convolution* given) { convolve<BFloat16>(*given, true); }
void weigh_gradients_bfloat16(const Convolution* given) { weigh<BFloat16>(*given); }
}
