// One file per data type: in a common file, the compiler does not inline the shared matrix products, and the kernels
// take 5 % longer.

#include "convolution.h"

extern "C" {
void convolution_forward_bfloat16(const Convolution* conv) { convolve<BFloat16, float>(*conv, false); }
void convolution_image_gradient_bfloat16(const Convolution* conv) { convolve<BFloat16, float>(*conv, true); }
void convolution_weight_gradient_bfloat16(const Convolution* conv) { compute_weight_gradient<BFloat16, float>(*conv); }
}
