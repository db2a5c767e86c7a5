// The gradient of a 3 x 3 convolution (padding 1) with respect to its weights, in single precision, of images whose
// channels lie last in memory. PyTorch's takes 1.3 to 1.7 times as long on processors with AVX2 and no AVX-512, and
// gains little from a second thread.
//
// For each of the nine taps it is a product of matrices, input channels x pixels x output channels, of pixels that the
// tap moves against each other. A tile of it stays in registers while the pixels of a chunk pass; a chunk of images
// or rows stays in the cache while all tiles pass. A thread makes whole tiles: results do not depend on their number.

#include <algorithm>

#include "vectors.h"

namespace {

constexpr int TALL = 6, WIDE = 2 * LANES;  // input and output channels of a tile: twelve vectors, of sixteen registers
constexpr Size CHUNK_BYTES = 200000;

struct Run {  // pixels that a tap brings together: the same rows and columns of several images
    Size images, rows, columns;
    Size inputs, outputs;                // channels, the step from pixel to pixel
    Size input_image, gradient_image;    // steps from image to image
    Size input_row, gradient_row;        // and from row to row
};

// into[input channel][output channel] += the sum over pixels of input * gradient, for COUNT x WIDE channels.
template <int COUNT>
inline void add_tile(const Run& run, const float* input, const float* gradient, float* into) {
    Floats left[COUNT] = {}, right[COUNT] = {};
    for (Size image = 0; image < run.images; image++)
        for (Size row = 0; row < run.rows; row++) {
            const float* value = input + image * run.input_image + row * run.input_row;
            const float* passed = gradient + image * run.gradient_image + row * run.gradient_row;
            for (Size column = 0; column < run.columns; column++, value += run.inputs, passed += run.outputs) {
                const Floats first = load(passed, LANES), second = load(passed + LANES, LANES);
#pragma GCC unroll 8
                for (int i = 0; i < COUNT; i++) {
                    left[i] += value[i] * first;
                    right[i] += value[i] * second;
                }
            }
        }
    for (int i = 0; i < COUNT; i++, into += run.outputs) {
        store(into, load(into, LANES) + left[i], LANES);
        store(into + LANES, load(into + LANES, LANES) + right[i], LANES);
    }
}

}  // namespace

extern "C" {

// Whether it is faster than PyTorch's here.
int weight_gradient_pays() {
#if defined(__AVX2__) && !defined(__AVX512F__)
    return 1;
#else
    return 0;
#endif
}

int weight_gradient_channels() { return WIDE; }  // what the number of output channels must be a multiple of

// input: count x height x width x inputs, gradient: the same x outputs, into: 3 x 3 x inputs x outputs, zero before.
void weight_gradient(const float* input, const float* gradient, float* into, Size count, Size height, Size width,
                     Size inputs, Size outputs, Size threads) {
    const Size image_bytes = height * width * (inputs + outputs) * (Size)sizeof(float);
    const Size images = std::max<Size>(1, CHUNK_BYTES / image_bytes);
    const Size rows = image_bytes <= CHUNK_BYTES ? height : std::max<Size>(1, height * CHUNK_BYTES / image_bytes);
    const Size tiles = 9 * (outputs / WIDE);
#pragma omp parallel num_threads((int)threads)
    for (Size image = 0; image < count; image += images)
        for (Size row = 0; row < height; row += rows) {
#pragma omp for schedule(static) nowait
            for (Size tile = 0; tile < tiles; tile++) {
                const Size down = tile % 9 / 3 - 1, across = tile % 3 - 1, output = tile / 9 * WIDE;
                // The pixels of the gradient in this chunk whose input, moved by the tap, lies in the image.
                const Size top = std::max(row, -down), bottom = std::min(std::min(row + rows, height), height - down);
                const Size begin = std::max<Size>(0, -across), end = width - std::max<Size>(0, across);
                if (top >= bottom) continue;
                const Run run = {std::min(images, count - image), bottom - top, end - begin, inputs, outputs,
                                 height * width * inputs, height * width * outputs, width * inputs, width * outputs};
                const Size pixel = (image * height + top) * width + begin;
                const float* from = input + (pixel + down * width + across) * inputs;
                const float* passed = gradient + pixel * outputs + output;
                float* to = into + tile % 9 * inputs * outputs + output;
                Size channel = 0;
                for (; channel + TALL <= inputs; channel += TALL)
                    add_tile<TALL>(run, from + channel, passed, to + channel * outputs);
                for (; channel < inputs; channel++) add_tile<1>(run, from + channel, passed, to + channel * outputs);
            }
        }
}

}  // extern "C"
