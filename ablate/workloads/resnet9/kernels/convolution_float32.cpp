// The kernels for each kind of images have a file of their own: in one, the compiler no longer inlines the products that
// both share, and all take a twentieth longer.

#include "convolution.h"

extern "C" {
void convolve_images_float32(const Convolution* given) { convolve<float>(*given, false); }
void convolve_gradients_float32(const Convolution* given) { convolve<float>(*given, true); }
void weigh_gradients_float32(const Convolution* given) { weigh<float>(*given); }
}
