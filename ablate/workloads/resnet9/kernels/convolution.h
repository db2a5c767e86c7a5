// Convolutions of 3 x 3 (stride 1, padding 1) of images whose channels lie last in memory, by minimal filtering
// F(4 x 4, 3 x 3): 36 products a tile of 4 x 4 pixels and pair of channels instead of 144 (Winograd, 1980; Lavin and
// Gray, 2016). Tiles, weights and gradients are transformed, multiplied point by point, and transformed back.
//
// A result does not depend on the number of threads: tiles are cut into the same blocks and parts for any, and each sum
// is one thread's.

#pragma once

#include <algorithm>
#include <memory>

#include "matrices.h"
#include "tiles.h"

// A convolution and its gradients; `convolution.py` has the same fields. Images are count x height x width x channels,
// height and width whole tiles, of float or BFloat16; weights are out x 3 x 3 x in. All but images is float, also what
// happens between them.
struct Convolution {
    Size count, height, width, in, out, threads;
    const void* images;
    const float* weights;
    const float* bias;  // or null
    void* output;       // the gradient with respect to it on the way back
    void* image_gradient;
    float* weight_gradient;
};

namespace {

// ---------------------------------------------------------------------------------------------------------- weights

// Weights to `to[point][panel][channel in][lane]`, a panel of channels out; zeros where there are no more of those.
// Turned, they are what leads gradients back: in and out change places, and the taps are in the opposite order.
void weights_to_points(const Convolution& given, bool is_turned, float* to) {
    const Size in = is_turned ? given.out : given.in, out = is_turned ? given.in : given.out, all = panels(out);
    const Size step_in = is_turned ? TAPS * TAPS * out : 1, step_out = is_turned ? 1 : TAPS * TAPS * in;
    const Size step_tap = is_turned ? -out : in;
    const float* first = given.weights + (is_turned ? (TAPS * TAPS - 1) * out : 0);
#pragma omp parallel for num_threads(given.threads) schedule(static)
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

// Sums at `from[part][point][panel][channel in][lane]` to the gradient of the weights.
void points_to_weights(const float* from, Size parts, const Convolution& given) {
    const Size step = panels(given.out) * given.in * PANEL;
#pragma omp parallel for num_threads(given.threads) schedule(static)
    for (Size lanes = 0; lanes < given.out; lanes += LANES)
        for (Size c = 0; c < given.in; c++) {
            Floats half[TAPS][SIDE] = {};
            for (int p = 0; p < POINTS; p++) {
                Floats sum = {};
                const float* place = from + p * step + (lanes / PANEL * given.in + c) * PANEL + lanes % PANEL;
                for (Size part = 0; part < parts; part++) sum += load(place + part * POINTS * step, LANES);
                for (int i = 0; i < TAPS; i++) half[i][p % SIDE] += POWERS[p / SIDE][i] * FACTORS[p / SIDE] * sum;
            }
            for (int i = 0; i < TAPS; i++)
                for (int j = 0; j < TAPS; j++) {
                    Floats taps = {};
                    for (int p = 0; p < SIDE; p++) taps += POWERS[p][j] * FACTORS[p] * half[i][p];
                    float* to = given.weight_gradient + (lanes * TAPS * TAPS + i * TAPS + j) * given.in + c;
                    for (Size lane = 0; lane < std::min<Size>(LANES, given.out - lanes); lane++)
                        to[lane * TAPS * TAPS * given.in] = taps[lane];
                }
        }
}

// ----------------------------------------------------------------------------------------------------- the products

// How many tiles are worked on at once: few stay in the nearest caches, many read large weights less often.
Size tiles_a_block(const Convolution& given, Size least) {
    return std::clamp<Size>((given.in + given.out) / 4, least, 128);
}

// Values for each point, this much apart: a power of two would put all points of a tile into the same lines of a cache.
Size apart(Size values) { return values + 16; }

std::unique_ptr<float[]> room(Size values) { return std::unique_ptr<float[]>(new float[values]); }

template <class Value>
std::unique_ptr<Value[]> blank(Size values) { return std::unique_ptr<Value[]>(new Value[values]()); }

// The convolution of images, or, turned, of gradients, which gives those of the images.
template <class Value>
void convolve(const Convolution& given, bool is_turned) {
    const Images from{given.height, given.width, is_turned ? given.out : given.in};
    const Images to{given.height, given.width, is_turned ? given.in : given.out};
    const Value* images = (const Value*)(is_turned ? given.output : given.images);
    const float* bias = is_turned ? nullptr : given.bias;
    Value* made = (Value*)(is_turned ? given.image_gradient : given.output);
    const Size tiles = given.count * from.tiles_an_image(), block = tiles_a_block(given, 16), all = panels(to.channels);
    const Size wide = whole_vectors(from.channels), step = apart(block * wide), made_step = apart(block * all * PANEL);
    const Size chunk = std::max<Size>(1, tiles / block / 64);  // a few blocks: a core that others use too gets fewer
    const auto weights = room(POINTS * all * from.channels * PANEL);
    weights_to_points(given, is_turned, weights.get());
#pragma omp parallel num_threads(given.threads)
    {
        const auto left = room(POINTS * step), products = room(POINTS * made_step);
        const auto zeros = blank<Value>(wide);
#pragma omp for schedule(dynamic, chunk)
        for (Size first = 0; first < tiles; first += block) {
            const Size here = std::min(block, tiles - first);
            for (Size t = 0; t < here; t++)
                pixels_to_points(images, zeros.get(), from, first + t, left.get() + t * wide, step);
            for (Size i = 0; i < POINTS * all; i++)
                multiply({here, from.channels, left.get() + i / all * step, wide, 1},
                         weights.get() + i * from.channels * PANEL,
                         products.get() + i / all * made_step + i % all * PANEL, all * PANEL, false);
            for (Size t = 0; t < here; t++)
                points_to_pixels(products.get() + t * all * PANEL, made_step, bias, to, first + t, made);
        }
    }
}

// Tiles [first, last) of images times those of gradients, summed; in blocks of about as many, since each reads and
// writes all sums.
template <class Value>
void weigh_tiles(const Convolution& given, Size first, Size last, float* sums, int threads) {
    const Images images{given.height, given.width, given.in}, gradients{given.height, given.width, given.out};
    const Size most = tiles_a_block(given, 32), blocks = (last - first + most - 1) / most;
    const Size block = (last - first + blocks - 1) / blocks, all = panels(given.out);
    const Size wide = whole_vectors(given.in), step = apart(block * wide), other_step = apart(block * all * PANEL);
    const auto left = room(POINTS * step), right = room(POINTS * other_step);
    const auto zeros = blank<Value>(wide);
    const Value *pixels = (const Value*)given.images, *gradient = (const Value*)given.output;
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
            multiply({given.in, here, left.get() + i / all * step, 1, wide},
                     right.get() + i / all * other_step + i % all * block * PANEL,
                     sums + i * given.in * PANEL, PANEL, begin > first);
    }
}

// Into how many parts tiles are cut, each of which one thread sums: what two threads share has to travel between their
// caches. Where weights are large so are their sums; then there is one part, and all threads work on it.
Size parts(Size tiles, Size size) {
    Size count = 1;
    while (count < 8 && 2 * count * size <= (1 << 21) && 2 * count * 128 <= tiles) count *= 2;
    return count;
}

// The gradient of the weights.
template <class Value>
void weigh(const Convolution& given) {
    const Size tiles = given.count * Images{given.height, given.width, given.in}.tiles_an_image();
    const Size size = POINTS * given.in * panels(given.out) * PANEL, count = parts(tiles, size);
    const auto sums = room(count * size);
    const int threads = (int)given.threads;
#pragma omp parallel for num_threads(count > 1 ? threads : 1) schedule(dynamic)
    for (Size part = 0; part < count; part++)
        weigh_tiles<Value>(given, tiles * part / count, tiles * (part + 1) / count, sums.get() + part * size,
                           count > 1 ? 1 : threads);
    points_to_weights(sums.get(), count, given);
}

}  // namespace
