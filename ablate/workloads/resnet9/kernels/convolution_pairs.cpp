// Products of pairs of bfloat16 values (`vdpbf16ps`, AVX-512): twice as many as of floats in the same time.

#include "convolution.h"

#if defined(__AVX512BF16__)

extern "C" {
int pairs_are_available() { return 1; }
void convolution_forward_pairs(const Convolution* conv) { convolve<BFloat16, Pair>(*conv, false); }
void convolution_image_gradient_pairs(const Convolution* conv) { convolve<BFloat16, Pair>(*conv, true); }
void convolution_weight_gradient_pairs(const Convolution* conv) { compute_weight_gradient<BFloat16, Pair>(*conv); }
}

#else

extern "C" {
int pairs_are_available() { return 0; }
}

#endif
