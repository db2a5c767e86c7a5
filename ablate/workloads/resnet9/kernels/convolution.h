// 3 x 3 convolution (stride 1, padding 1) of channels-last images by minimal filtering F(4 x 4, 3 x 3): 36 products per
// tile of 4 x 4 pixels and pair of channels instead of 144 (Winograd, 1980; Lavin and Gray, 2016). Tiles, weights and
// gradients are transformed, multiplied point by point, and transformed back. Height and width are multiples of a tile.
// Intermediate values are float.
//
// Results do not depend on the number of threads: tiles are always divided into the same blocks and parts, and each sum
// is computed by one thread.

#pragma once

#include <algorithm>
#include <memory>

#include "arguments.h"
#include "matrices.h"
#include "tiles.h"

namespace {

// ---------------------------------------------------------------------------------------------------------- weights

// Transforms weights to `to[point][panel][channel in][lane]`, with panels of output channels padded by zeros.
// Transposed weights propagate gradients: input and output channels are swapped, and the taps are reversed.
void weights_to_points(const Convolution& conv, bool is_transposed, float* to) {
    const Size in = is_transposed ? conv.out : conv.in, out = is_transposed ? conv.in : conv.out, all = panels(out);
    const Size step_in = is_transposed ? TAPS * TAPS * out : 1, step_out = is_transposed ? 1 : TAPS * TAPS * in;
    const Size step_tap = is_transposed ? -out : in;
    const float* first = conv.weights + (is_transposed ? (TAPS * TAPS - 1) * out : 0);
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size panel = 0; panel < all; panel++)
        for (Size c = 0; c < in; c++)
            for (Size lanes = panel * PANEL; lanes < (panel + 1) * PANEL; lanes += LANES) {
                Floats taps[TAPS][TAPS] = {}, half[SIDE][TAPS];
                for (int i = 0; i < TAPS; i++)
                    for (int j = 0; j < TAPS; j++)
                        for (Size lane = 0; lane < std::min<Size>(LANES, out - lanes); lane++)
                            taps[i][j][lane] =
                                first[c * step_in + (lanes + lane) * step_out + (i * TAPS + j) * step_tap];
                for (int p = 0; p < SIDE; p++)
                    for (int j = 0; j < TAPS; j++) {
                        const float* power = POWERS[p];
                        const Floats sum = power[0] * taps[0][j] + power[1] * taps[1][j] + power[2] * taps[2][j];
                        half[p][j] = FACTORS[p] * sum;
                    }
                for (int p = 0; p < POINTS; p++) {
                    const float* power = POWERS[p % SIDE];
                    const Floats* row = half[p / SIDE];
                    const Floats sum = power[0] * row[0] + power[1] * row[1] + power[2] * row[2];
                    store(to + (p * all * in + panel * in + c) * PANEL + lanes % PANEL, FACTORS[p % SIDE] * sum, LANES);
                }
            }
}

// Transforms sums at `from[part][point][panel][channel in][lane]` to the gradient of the weights.
void points_to_weights(const float* from, Size parts, const Convolution& conv) {
    const Size step = panels(conv.out) * conv.in * PANEL;
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size lanes = 0; lanes < conv.out; lanes += LANES)
        for (Size c = 0; c < conv.in; c++) {
            Floats half[TAPS][SIDE] = {};
            for (int p = 0; p < POINTS; p++) {
                Floats sum = {};
                const float* place = from + p * step + (lanes / PANEL * conv.in + c) * PANEL + lanes % PANEL;
                for (Size part = 0; part < parts; part++) sum += load(place + part * POINTS * step, LANES);
                for (int i = 0; i < TAPS; i++) half[i][p % SIDE] += POWERS[p / SIDE][i] * FACTORS[p / SIDE] * sum;
            }
            for (int i = 0; i < TAPS; i++)
                for (int j = 0; j < TAPS; j++) {
                    Floats taps = {};
                    for (int p = 0; p < SIDE; p++) taps += POWERS[p][j] * FACTORS[p] * half[i][p];
                    float* to = conv.weight_gradient + (lanes * TAPS * TAPS + i * TAPS + j) * conv.in + c;
                    for (Size lane = 0; lane < std::min<Size>(LANES, conv.out - lanes); lane++)
                        to[lane * TAPS * TAPS * conv.in] = taps[lane];
                }
        }
}

// ------------------------------------------------------------------------------------------------------ the products

// Number of tiles processed at once: few fit into the nearest caches, many read large weights less often.
Size tiles_per_block(const Convolution& conv, Size least) {
    return std::clamp<Size>((conv.in + conv.out) / 4, least, 128);
}

// Distance between points in memory: with a power of two, all points of a tile would map to the same cache lines.
Size padded(Size values) { return values + 16; }

std::unique_ptr<float[]> allocate(Size values) { return std::unique_ptr<float[]>(new float[values]); }

template <class Value>
std::unique_ptr<Value[]> allocate_zeros(Size values) { return std::unique_ptr<Value[]>(new Value[values]()); }

// Convolves images, or, if transposed, gradients of the output, which gives the gradients of the images.
template <class Value>
void convolve(const Convolution& conv, bool is_transposed) {
    const Images from{conv.height, conv.width, is_transposed ? conv.out : conv.in};
    const Images to{conv.height, conv.width, is_transposed ? conv.in : conv.out};
    const Value* images = (const Value*)(is_transposed ? conv.output : conv.images);
    const float* bias = is_transposed ? nullptr : conv.bias;
    Value* result = (Value*)(is_transposed ? conv.image_gradient : conv.output);
    const Size tiles = conv.count * from.tiles_per_image(), block = tiles_per_block(conv, 16);
    const Size all = panels(to.channels), wide = whole_vectors(from.channels);
    const Size step = padded(block * wide), result_step = padded(block * all * PANEL);
    const Size chunk = std::max<Size>(1, tiles / block / 64);  // a few blocks: busy cores get fewer of them
    const auto weights = allocate(POINTS * all * from.channels * PANEL);
    weights_to_points(conv, is_transposed, weights.get());
#pragma omp parallel num_threads(conv.threads)
    {
        const auto left = allocate(POINTS * step), products = allocate(POINTS * result_step);
        const auto zeros = allocate_zeros<Value>(wide);
#pragma omp for schedule(dynamic, chunk)
        for (Size first = 0; first < tiles; first += block) {
            const Size here = std::min(block, tiles - first);
            for (Size t = 0; t < here; t++)
                pixels_to_points(images, zeros.get(), from, first + t, left.get() + t * wide, step);
            for (Size i = 0; i < POINTS * all; i++)
                multiply({here, from.channels, left.get() + i / all * step, wide, 1},
                         weights.get() + i * from.channels * PANEL,
                         products.get() + i / all * result_step + i % all * PANEL, all * PANEL, false);
            for (Size t = 0; t < here; t++)
                points_to_pixels(products.get() + t * all * PANEL, result_step, bias, to, first + t, result);
        }
    }
}

// Sums the products of image tiles and gradient tiles [first, last), in blocks of equal size: each block reads and
// writes all sums.
template <class Value>
void sum_weight_gradients(const Convolution& conv, Size first, Size last, float* sums, int threads) {
    const Images images{conv.height, conv.width, conv.in}, gradients{conv.height, conv.width, conv.out};
    const Size most = tiles_per_block(conv, 32), blocks = (last - first + most - 1) / most;
    const Size block = (last - first + blocks - 1) / blocks, all = panels(conv.out);
    const Size wide = whole_vectors(conv.in), step = padded(block * wide), other_step = padded(block * all * PANEL);
    const auto left = allocate(POINTS * step), right = allocate(POINTS * other_step);
    const auto zeros = allocate_zeros<Value>(wide);
    const Value *pixels = (const Value*)conv.images, *gradient = (const Value*)conv.output;
#pragma omp parallel num_threads(threads)
    for (Size begin = first; begin < last; begin += block) {
        const Size here = std::min(block, last - begin);
#pragma omp for schedule(static)
        for (Size t = 0; t < here; t++) {
            pixels_to_points(pixels, zeros.get(), images, begin + t, left.get() + t * wide, step);
            gradients_to_points(gradient, gradients, begin + t, right.get() + t * PANEL, other_step, block * PANEL);
        }
#pragma omp for schedule(static)
        for (Size i = 0; i < POINTS * all; i++)
            multiply({conv.in, here, left.get() + i / all * step, 1, wide},
                     right.get() + i / all * other_step + i % all * block * PANEL,
                     sums + i * conv.in * PANEL, PANEL, begin > first);
    }
}

// Number of parts into which tiles are divided, each summed by one thread to avoid sharing caches. If the weights are
// large, so are their sums: then there is one part, and all threads work on it.
Size parts(Size tiles, Size size) {
    Size count = 1;
    while (count < 8 && 2 * count * size <= (1 << 21) && 2 * count * 128 <= tiles) count *= 2;
    return count;
}

// Computes the gradient of the weights.
template <class Value>
void compute_weight_gradient(const Convolution& conv) {
    const Size tiles = conv.count * Images{conv.height, conv.width, conv.in}.tiles_per_image();
    const Size size = POINTS * conv.in * panels(conv.out) * PANEL, count = parts(tiles, size);
    const auto sums = allocate(count * size);
    const int threads = (int)conv.threads;
#pragma omp parallel for num_threads(count > 1 ? threads : 1) schedule(dynamic)
    for (Size part = 0; part < count; part++)
        sum_weight_gradients<Value>(conv, tiles * part / count, tiles * (part + 1) / count, sums.get() + part * size,
                           count > 1 ? 1 : threads);
    points_to_weights(sums.get(), count, conv);
}

}  // namespace
