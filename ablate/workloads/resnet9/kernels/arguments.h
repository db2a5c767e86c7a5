// The arguments of the convolution kernels.

#pragma once

#include "vectors.h"

// A convolution and its gradients, with the same fields as in `convolution.py`. Images are count x height x width x
// channels of float or BFloat16. Weights are out x 3 x 3 x in. All other values are float.
struct Convolution {
    Size count, height, width, in, out, threads;
    const void* images;
    const float* weights;
    const float* bias;  // or null
    void* output;       // its gradient in the backward pass
    void* image_gradient;
    float* weight_gradient;
};
