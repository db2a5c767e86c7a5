// 3 x 3 convolution (stride 1, padding 1) of channels-last images by minimal filtering F(4 x 4, 3 x 3): 36 products per
// tile of 4 x 4 pixels and pair of channels instead of 144 (Winograd, 1980; Lavin and Gray, 2016). Tiles, weights and
// gradients are transformed, multiplied point by point, and transformed back. Height and width are multiples of a tile.
// Intermediate values are float, except that the factors of products are rounded to bfloat16 where they are pairs.
//
// Results do not depend on the number of threads: tiles are always divided into the same blocks and parts, and each sum
// is computed by one thread.

#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "arguments.h"
#include "matrices.h"
#include "tiles.h"

namespace {

// ---------------------------------------------------------------------------------------------------------- factors

// The factors of sums of products are floats, or pairs of bfloat16 values for two terms of the sum.
template <class Factor>
constexpr Size TERMS = 1;
template <>
constexpr Size TERMS<Pair> = 2;
template <class Factor>
using Term = std::conditional_t<TERMS<Factor> == 1, float, BFloat16>;
template <class Factor>
constexpr Size factors(Size terms) { return (terms + TERMS<Factor> - 1) / TERMS<Factor>; }

// Distance between points in memory: with a power of two, all points of a tile would map to the same cache lines.
inline Size padded(Size values) { return values + 16; }

// Calls `visit` with the place of a term in its factor. The first term of a factor is always stored before the second.
template <class Factor, class Visit>
inline __attribute__((always_inline)) void at_term(Factor* to, Size term, const Visit& visit) {
    if constexpr (TERMS<Factor> == 1) visit(to);
    else if (term % 2 == 0) visit((First*)to);
    else visit((Second*)to);
}

// ---------------------------------------------------------------------------------------------------------- weights

// Weights of up to LANES channels in and out, `[tap][channel in][channel out]`. Strided access in blocks: the lines of a
// whole layer are a multiple of a page apart and would replace each other in the cache.
struct Block {
    alignas(4 * LANES) float weights[TAPS * TAPS][LANES][LANES] = {};

    Floats tap(Size tap, Size in) const { return load(weights[tap][in], LANES); }
    void put(Size tap, Size in, Floats values) { store(weights[tap][in], values, LANES); }
};

// Copies weights to a block, or, if transposed, those with input and output channels swapped and the taps reversed.
inline void read_block(const Convolution& conv, bool is_transposed, Size first_in, Size first_out, Block& to) {
    Size first[2] = {first_in, first_out};
    if (is_transposed) std::swap(first[0], first[1]);
    const Size ins = std::min<Size>(LANES, conv.in - first[0]), outs = std::min<Size>(LANES, conv.out - first[1]);
    for (Size out = 0; out < outs; out++)
        for (Size tap = 0; tap < TAPS * TAPS; tap++) {
            const float* from = conv.weights + ((first[1] + out) * TAPS * TAPS + tap) * conv.in + first[0];
            if (is_transposed) std::copy(from, from + ins, to.weights[TAPS * TAPS - 1 - tap][out]);
            else for (Size in = 0; in < ins; in++) to.weights[tap][in][out] = from[in];
        }
}

inline void write_block(const Block& from, const Convolution& conv, Size first_in, Size first_out) {
    for (Size out = 0; out < std::min<Size>(LANES, conv.out - first_out); out++)
        for (Size tap = 0; tap < TAPS * TAPS; tap++) {
            float* to = conv.weight_gradient + ((first_out + out) * TAPS * TAPS + tap) * conv.in + first_in;
            for (Size in = 0; in < std::min<Size>(LANES, conv.in - first_in); in++) to[in] = from.weights[tap][in][out];
        }
}

// Transforms weights to `to[point * step][panel][factor of channels in][lane]`, with panels of output channels padded by
// zeros. Transposed weights propagate gradients.
template <class Factor>
void weights_to_points(const Convolution& conv, bool is_transposed, Factor* to, Size step) {
    const Size in = is_transposed ? conv.out : conv.in, out = is_transposed ? conv.in : conv.out;
    const Size rows = factors<Factor>(in);
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size lanes = 0; lanes < panels(out) * PANEL; lanes += LANES)
        for (Size first = 0; first < in; first += LANES) {
            Block block;
            if (lanes < out) read_block(conv, is_transposed, first, lanes, block);
            for (Size c = first; c < std::min<Size>(in, first + LANES); c++) {
                Floats half[SIDE][TAPS];
                for (int p = 0; p < SIDE; p++)
                    for (int j = 0; j < TAPS; j++) {
                        Floats sum = {};
                        for (int i = 0; i < TAPS; i++) sum += POWERS[p][i] * block.tap(i * TAPS + j, c - first);
                        half[p][j] = FACTORS[p] * sum;
                    }
                Factor* place = to + (lanes / PANEL * rows + c / TERMS<Factor>) * PANEL + lanes % PANEL;
                for (int p = 0; p < POINTS; p++) {
                    Floats sum = {};
                    for (int j = 0; j < TAPS; j++) sum += POWERS[p % SIDE][j] * half[p / SIDE][j];
                    at_term(place + p * step, c, [&](auto* term) { store(term, FACTORS[p % SIDE] * sum, LANES); });
                }
            }
        }
}

// Transforms sums at `from[part][point * step][panel][channel in][lane]` to the gradient of the weights.
void points_to_weights(const float* from, Size parts, Size step, const Convolution& conv) {
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size lanes = 0; lanes < conv.out; lanes += LANES)
        for (Size first = 0; first < conv.in; first += LANES) {
            Block block;
            for (Size c = first; c < std::min<Size>(conv.in, first + LANES); c++) {
                Floats half[TAPS][SIDE] = {};
                for (int p = 0; p < POINTS; p++) {
                    Floats sum = {};
                    const float* place = from + p * step + (lanes / PANEL * conv.in + c) * PANEL + lanes % PANEL;
                    for (Size part = 0; part < parts; part++) sum += load(place + part * POINTS * step, LANES);
                    for (int i = 0; i < TAPS; i++) half[i][p % SIDE] += POWERS[p / SIDE][i] * FACTORS[p / SIDE] * sum;
                }
                for (int tap = 0; tap < TAPS * TAPS; tap++) {
                    Floats sum = {};
                    for (int p = 0; p < SIDE; p++) sum += POWERS[p][tap % TAPS] * FACTORS[p] * half[tap / TAPS][p];
                    block.put(tap, c - first, sum);
                }
            }
            write_block(block, conv, first, lanes);
        }
}

// ------------------------------------------------------------------------------------------------------ the products

// Number of tiles processed at once: few fit into the nearest caches, many read large weights less often.
Size tiles_per_block(const Convolution& conv) { return std::clamp<Size>((conv.in + conv.out) / 4, 16, 128); }
Size tiles_per_sum(const Convolution& conv) {  // each block reads and writes all sums
    return conv.in * conv.out < 1 << 17 ? std::clamp<Size>((conv.in + conv.out) / 4, 32, 128) : 512;
}

template <class Value>
std::unique_ptr<Value[]> allocate(Size values) { return std::unique_ptr<Value[]>(new Value[values]); }
template <class Value>
std::unique_ptr<Value[]> allocate_zeros(Size values) { return std::unique_ptr<Value[]>(new Value[values]()); }

// Convolves images, or, if transposed, gradients of the output, which gives the gradients of the images.
template <class Value, class Factor>
void convolve(const Convolution& conv, bool is_transposed) {
    const Images from{conv.height, conv.width, is_transposed ? conv.out : conv.in};
    const Images to{conv.height, conv.width, is_transposed ? conv.in : conv.out};
    const Value* images = (const Value*)(is_transposed ? conv.output : conv.images);
    const float* bias = is_transposed ? nullptr : conv.bias;
    Value* result = (Value*)(is_transposed ? conv.image_gradient : conv.output);
    const Size tiles = conv.count * from.tiles_per_image(), block = tiles_per_block(conv);
    const Size all = panels(to.channels), columns = factors<Factor>(from.channels);
    const Size wide = whole_vectors(from.channels), row = wide / TERMS<Factor>;
    const Size step = padded(block * row), result_step = padded(block * all * PANEL);
    const Size chunk = std::max<Size>(1, tiles / block / 64);  // a few blocks: busy cores get fewer of them
    const Size weight_step = padded(all * columns * PANEL);
    const auto weights = allocate<Factor>(POINTS * weight_step);
    weights_to_points(conv, is_transposed, weights.get(), weight_step);
#pragma omp parallel num_threads(conv.threads)
    {
        const auto left = allocate<Factor>(POINTS * step);
        const auto products = allocate<float>(POINTS * result_step);
        const auto zeros = allocate_zeros<Value>(wide);
#pragma omp for schedule(dynamic, chunk)
        for (Size first = 0; first < tiles; first += block) {
            const Size here = std::min(block, tiles - first);
            for (Size t = 0; t < here; t++)
                pixels_to_points(images, zeros.get(), from, first + t, (Term<Factor>*)(left.get() + t * row),
                                 step * TERMS<Factor>);
            for (Size i = 0; i < POINTS * all; i++)
                multiply<Factor>({here, columns, left.get() + i / all * step, row, 1},
                         weights.get() + i / all * weight_step + i % all * columns * PANEL, to.channels - i % all * PANEL,
                         products.get() + i / all * result_step + i % all * PANEL, all * PANEL, false);
            for (Size t = 0; t < here; t++)
                points_to_pixels(products.get() + t * all * PANEL, result_step, bias, to, first + t, result);
        }
    }
}

// Sums the products of image tiles and gradient tiles [first, last), in blocks of equal size: each block reads and
// writes all sums.
template <class Value, class Factor>
void sum_weight_gradients(const Convolution& conv, Size first, Size last, float* sums, int threads) {
    const Images images{conv.height, conv.width, conv.in}, gradients{conv.height, conv.width, conv.out};
    const Size most = tiles_per_sum(conv), blocks = (last - first + most - 1) / most;
    const Size block = (last - first + blocks - 1) / blocks, all = panels(conv.out);
    const Size wide = whole_vectors(conv.in), rows = factors<Factor>(block);
    const Size step = padded(rows * wide), other_step = padded(rows * all * PANEL);
    const Size sum_step = padded(all * conv.in * PANEL);
    const auto left = allocate<Factor>(POINTS * step), right = allocate<Factor>(POINTS * other_step);
    const auto zeros = allocate_zeros<Value>(wide);
    const Value *pixels = (const Value*)conv.images, *gradient = (const Value*)conv.output;
#pragma omp parallel num_threads(threads)
    for (Size begin = first; begin < last; begin += block) {
        const Size here = std::min(block, last - begin), columns = factors<Factor>(here);
#pragma omp for schedule(static)
        for (Size i = 0; i < columns; i++)
            for (Size t = i * TERMS<Factor>; t < std::min(here, (i + 1) * TERMS<Factor>); t++) {
                at_term(left.get() + i * wide, t, [&](auto* to) {
                    pixels_to_points(pixels, zeros.get(), images, begin + t, to, step);
                });
                at_term(right.get() + i * PANEL, t, [&](auto* to) {
                    gradients_to_points(gradient, gradients, begin + t, to, other_step, rows * PANEL);
                });
            }
#pragma omp for schedule(static)
        for (Size i = 0; i < POINTS * all; i++)
            multiply<Factor>({conv.in, columns, left.get() + i / all * step, 1, wide},
                     right.get() + i / all * other_step + i % all * rows * PANEL, conv.out - i % all * PANEL,
                     sums + i / all * sum_step + i % all * conv.in * PANEL, PANEL, begin > first);
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
template <class Value, class Factor>
void compute_weight_gradient(const Convolution& conv) {
    const Size tiles = conv.count * Images{conv.height, conv.width, conv.in}.tiles_per_image();
    const Size step = padded(conv.in * panels(conv.out) * PANEL), size = POINTS * step, count = parts(tiles, size);
    const auto sums = allocate<float>(count * size);
    const int threads = (int)conv.threads;
#pragma omp parallel for num_threads(count > 1 ? threads : 1) schedule(dynamic)
    for (Size part = 0; part < count; part++)
        sum_weight_gradients<Value, Factor>(conv, tiles * part / count, tiles * (part + 1) / count, sums.get() + part * size,
                           count > 1 ? 1 : threads);
    points_to_weights(sums.get(), count, step, conv);
}

}  // namespace
