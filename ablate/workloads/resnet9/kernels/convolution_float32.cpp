// One file per data type: in a common file, the compiler does not inline the shared matrix products, and the kernels
// take 5 % longer.

#include "convolution.h"

extern "C" {
void convolution_forward_float32(const Convolution* conv) { convolve<float, float>(*conv, false); }
void convolution_image_gradient_float32(const Convolution* conv) { convolve<float, float>(*conv, true); }
void convolution_weight_gradient_float32(const Convolution* conv) { compute_weight_gradient<float, float>(*conv); }
}
