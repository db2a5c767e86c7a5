// 3 x 3 convolution (stride 1, padding 1) of channels-last bfloat16 images by AMX, and the gradients of the images.
// Weights are rounded to bfloat16, and products are summed in float, as PyTorch does it.
//
// In a grid (grids.h), the three pixels of a row that a convolution needs are 3 * channels contiguous values: rows of
// the left factors. Results do not depend on the number of threads: each sum is computed by one thread.

#include "amx.h"

#ifdef HAS_AMX

#include <vector>

#include "grids.h"

namespace {

// ------------------------------------------------------------------------------------------------------------ weights

// Returns the number of packed values.
Size weight_values(Size in, Size out) { return ceiling(out, EDGE) * TAPS * ceiling(TAPS * in, DEPTH) * TILE_VALUES; }

// Rounds weights to right factors: `to[panel][row of taps][part]`. The depth of a row of taps is 3 * in, in parts.
void pack_weights(const Convolution& conv, BFloat16* to) {
    const Size row = TAPS * conv.in, parts = ceiling(row, DEPTH), all = ceiling(conv.out, EDGE) * TAPS * parts;
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size tile = 0; tile < all; tile++) {
        const Size first = tile / (TAPS * parts) * EDGE, tap_row = tile / parts % TAPS, begin = tile % parts * DEPTH;
        __m512i rows[EDGE];
        for (Size i = 0; i < EDGE; i++) {
            if (first + i >= conv.out) {
                rows[i] = _mm512_setzero_si512();
                continue;
            }
            const float* from = conv.weights + ((first + i) * TAPS + tap_row) * row + begin;
            const __m512 low = _mm512_maskz_loadu_ps(lanes16(row - begin), from);
            const __m512 high = _mm512_maskz_loadu_ps(lanes16(row - begin - 16), from + 16);
            rows[i] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        }
        transpose(rows);
        for (Size i = 0; i < EDGE; i++) _mm512_store_si512(to + tile * TILE_VALUES + i * DEPTH, rows[i]);
    }
}

// The same with input and output channels swapped and taps reversed, to propagate gradients.
void pack_transposed_weights(const Convolution& conv, BFloat16* to) {
    const Size row = TAPS * conv.out, parts = ceiling(row, DEPTH), all = ceiling(conv.in, EDGE) * TAPS * parts;
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size tile = 0; tile < all; tile++) {
        const Size first = tile / (TAPS * parts) * EDGE, tap_row = tile / parts % TAPS, begin = tile % parts * DEPTH;
        const auto load = [&](Size depth) {
            const Size tap = TAPS * TAPS - 1 - (tap_row * TAPS + depth / conv.out), channel = depth % conv.out;
            const __mmask16 lanes = depth < row ? lanes16(conv.in - first) : 0;
            return rounded(_mm512_maskz_loadu_ps(lanes, conv.weights + (channel * TAPS * TAPS + tap) * conv.in + first));
        };
        for (Size i = 0; i < EDGE; i++)
            _mm512_store_si512(to + tile * TILE_VALUES + i * DEPTH,
                               interleaved(load(begin + 2 * i), load(begin + 2 * i + 1)));
    }
}

// -------------------------------------------------------------------------------------------------------- convolution

// Rounds the sums of a pixel and stores those of up to 32 channels.
inline void put_pixel(const float* low, const float* high, const float* bias, Size channels, BFloat16* to) {
    const __mmask16 first = lanes16(channels), second = lanes16(channels - EDGE);
    __m512 one = _mm512_load_ps(low), other = _mm512_load_ps(high);
    if (bias) {
        one = _mm512_add_ps(one, _mm512_maskz_loadu_ps(first, bias));
        other = _mm512_add_ps(other, _mm512_maskz_loadu_ps(second, bias + EDGE));
    }
    _mm512_mask_storeu_epi16(to, (__mmask32)first | (__mmask32)second << 16, (__m512i)_mm512_cvtne2ps_pbh(other, one));
}

inline void put_half_pixel(const float* values, const float* bias, Size channels, BFloat16* to) {
    const __mmask16 lanes = lanes16(channels);
    __m512 sums = _mm512_load_ps(values);
    if (bias) sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(lanes, bias));
    _mm256_mask_storeu_epi16(to, lanes, rounded(sums));
}

// Returns the pixel of each position within the images of a group, or -1.
std::vector<Size> pixels_of(const Grid& grid, Size positions) {
    std::vector<Size> pixels(positions, -1);
    Size pixel = 0;
    for (Size image = 0; image < grid.images; image++)
        for (Size y = 0; y < grid.height; y++)
            for (Size x = 0; x < grid.width; x++) pixels[image * grid.image() + grid.tap(y, x)] = pixel++;
    return pixels;
}

// A convolution of images of `in` channels by packed weights.
struct Pass {
    Size in, out;
    Grid grid;
    const BFloat16* weights;
    const float* bias;
    std::vector<Size> pixels, offsets;
    Depth depth;

    Pass(const Convolution& conv, bool is_transposed, const Grid& grid, Size positions, const BFloat16* weights)
        : in(is_transposed ? conv.out : conv.in), out(is_transposed ? conv.in : conv.out), grid(grid), weights(weights),
          bias(is_transposed ? nullptr : conv.bias), pixels(pixels_of(grid, positions)) {
        for (Size row = 0; row < TAPS; row++)
            for (Size begin = 0; begin < TAPS * in; begin += DEPTH) offsets.push_back(grid.tap(row, 0) * in + begin);
        depth = {in * (Size)sizeof(BFloat16), offsets.data(), (Size)offsets.size()};
    }
    Pass(const Pass&) = delete;

    // Convolves `positions` of a grid, 32 x 32 channels or 64 x 16 at a time.
    void convolve(const BFloat16* padded, Size positions, BFloat16* to) const {
        const Size panel_values = depth.parts * TILE_VALUES;
        const BFloat16* right = weights;
        Size channel = 0;
        for (; channel + EDGE < out; channel += 2 * EDGE, right += 2 * panel_values) {
            const BFloat16* both[2] = {right, right + panel_values};
            each_block(padded, positions, 2 * EDGE, [&](const BFloat16* const* left, Products products) {
                multiply_two_by_two(left, both, depth, products);
            }, [&](Size row, Size pixel, const Products products) {
                put_pixel(products[row / EDGE * 2][row % EDGE], products[row / EDGE * 2 + 1][row % EDGE],
                          bias ? bias + channel : nullptr, out - channel, to + pixel * out + channel);
            });
        }
        if (channel < out)
            each_block(padded, positions, 4 * EDGE, [&](const BFloat16* const* left, Products products) {
                multiply_four_by_one(left, right, depth, products);
            }, [&](Size row, Size pixel, const Products products) {
                put_half_pixel(products[row / EDGE][row % EDGE], bias ? bias + channel : nullptr, out - channel,
                               to + pixel * out + channel);
            });
    }

    // Calls `multiply` for each block of rows, and `put` for each of its rows that is a pixel.
    template <class Multiply, class Put>
    void each_block(const BFloat16* padded, Size positions, Size rows, const Multiply& multiply, const Put& put) const {
        alignas(64) Products products;
        for (Size first = 0; first < positions; first += rows) {
            const BFloat16* left[4];
            for (Size i = 0; i < 4; i++) left[i] = padded + (first + i * EDGE) * in;
            multiply(left, products);
            for (Size i = 0; i < std::min(rows, positions - first); i++)
                if (const Size pixel = pixels[first + i]; pixel >= 0) put(i, pixel, products);
        }
    }
};

// Convolves images, or, if transposed, gradients of the output, which gives the gradients of the images.
void convolve(const Convolution& conv, bool is_transposed) {
    const Grid grid = grid_of(conv, std::clamp<Size>(conv.in * conv.out / 64, 256, 1024));
    const Size most = ceiling(grid.positions(), 4 * EDGE) * 4 * EDGE, groups = ceiling(conv.count, grid.images);
    const Buffer<BFloat16> weights(std::max(weight_values(conv.in, conv.out), weight_values(conv.out, conv.in)));
    is_transposed ? pack_transposed_weights(conv, weights.get()) : pack_weights(conv, weights.get());
    const Pass pass(conv, is_transposed, grid, most, weights.get());
    const Size in = pass.in * conv.height * conv.width, out = pass.out * conv.height * conv.width;  // values per image
    const BFloat16* images = (const BFloat16*)(is_transposed ? conv.output : conv.images);
    BFloat16* result = (BFloat16*)(is_transposed ? conv.image_gradient : conv.output);
#pragma omp parallel num_threads(conv.threads)
    {
        const Tiles tiles;
        const Buffer<BFloat16> padded((most + grid.tap(TAPS, TAPS)) * pass.in + DEPTH);
        BFloat16* first_pixel = padded.get() + grid.lead() * pass.in;
#pragma omp for schedule(dynamic)
        for (Size group = 0; group < groups; group++) {
            const Size first = group * grid.images, here = std::min(grid.images, conv.count - first);
            for (Size i = 0; i < here; i++)
                copy_image(images + (first + i) * in, grid, pass.in, first_pixel + i * grid.image() * pass.in);
            pass.convolve(padded.get(), here * grid.image(), result + first * out);
        }
    }
}

}  // namespace

extern "C" {
int amx_is_available() { return may_use_tiles(); }
void convolution_forward_amx(const Convolution* conv) { convolve(*conv, false); }
void convolution_image_gradient_amx(const Convolution* conv) { convolve(*conv, true); }
}

#else

extern "C" {
int amx_is_available() { return 0; }
}

#endif
