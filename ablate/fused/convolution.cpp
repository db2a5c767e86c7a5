// Convolutions of 3 x 3 (stride 1, padding 1) of float images whose channels lie last in memory, by minimal filtering
// F(4 x 4, 3 x 3): 36 products a tile of 4 x 4 pixels and pair of channels instead of 144 (Winograd, 1980; Lavin and
// Gray, 2016). Tiles, weights and gradients are transformed, multiplied point by point, and transformed back.
//
// The polynomials are evaluated at the points 0, 1, -1, 2, -2 and infinity. A result does not depend on the number of
// threads: tiles are cut into the same blocks for any, and one thread sums whatever is summed.

#include <algorithm>
#include <memory>

#include "matrices.h"

// A convolution and its gradients; `convolution.py` has the same fields. Images are count x height x width x channels,
// height and width whole tiles; weights are out x 3 x 3 x in.
struct Convolution {
    Size count, height, width, in, out, threads;
    const float* images;
    const float* weights;
    const float* bias;  // or null
    float* output;      // the gradient with respect to it on the way back
    float* image_gradient;
    float* weight_gradient;
};

namespace {

constexpr int TILE = 4, TAPS = 3, SIDE = TILE + TAPS - 1, POINTS = SIDE * SIDE;
constexpr float POWERS[SIDE][TAPS] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 1}};
constexpr float FACTORS[SIDE] = {1 / 4.0f, -1 / 6.0f, -1 / 6.0f, 1 / 24.0f, 1 / 24.0f, 1};

// --------------------------------------------------------------------------------------- one-dimensional transforms

inline void transform_pixels(const Floats* from, Floats* to, int step) {  // 6, next to each other, to 6
    const Floats even = from[4] - 4.0f * from[2], odd = from[3] - 4.0f * from[1];
    const Floats even2 = from[4] - from[2], odd2 = 2.0f * (from[3] - from[1]);
    to[0] = 4.0f * from[0] - 5.0f * from[2] + from[4];
    to[step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = even2 + odd2;
    to[4 * step] = even2 - odd2;
    to[5 * step] = 4.0f * from[1] - 5.0f * from[3] + from[5];
}

inline void transform_gradients(const Floats* from, Floats* to, int step) {  // 4, next to each other, to 6
    const Floats even = from[0] + from[2], odd = from[1] + from[3];
    const Floats even2 = from[0] + 4.0f * from[2], odd2 = 2.0f * from[1] + 8.0f * from[3];
    to[0] = from[0];
    to[step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = even2 + odd2;
    to[4 * step] = even2 - odd2;
    to[5 * step] = from[3];
}

inline void transform_products(const Floats* from, Floats* to, int step) {  // 6, next to each other, to 4
    const Floats even = from[1] + from[2], odd = from[1] - from[2], even2 = from[3] + from[4], odd2 = from[3] - from[4];
    to[0] = from[0] + even + even2;
    to[step] = odd + 2.0f * odd2;
    to[2 * step] = even + 4.0f * even2;
    to[3 * step] = odd + 8.0f * odd2 + from[5];
}

// -------------------------------------------------------------------------------------------------- tiles of images

struct Images {
    Size height, width, channels;

    Size tiles_across() const { return width / TILE; }
    Size tiles_an_image() const { return height / TILE * tiles_across(); }
    Size row(Size tile) const { return tile % tiles_an_image() / tiles_across() * TILE; }
    Size column(Size tile) const { return tile % tiles_across() * TILE; }
    Size corner(Size tile) const {
        return ((tile / tiles_an_image() * height + row(tile)) * width + column(tile)) * channels;
    }
    bool has(Size row, Size column) const { return row >= 0 && row < height && column >= 0 && column < width; }
    Size at(Size row, Size column) const { return (row * width + column) * channels; }  // from a corner
};

// Visits LANES channels at a time; the call with a constant lets the compiler make single moves of loads and stores.
template <class Visit>
inline __attribute__((always_inline)) void each_group(Size channels, const Visit& visit) {
    Size c = 0;
    for (; c + LANES <= channels; c += LANES) visit(c, LANES);
    if (c < channels) visit(c, int(channels - c));
}

// Asks memory for what the tile below is going to read, or write: processors foresee next lines, not next rows of tiles.
inline void ask_for(const float* place) { __builtin_prefetch(place); }
inline void ask_for_own(const float* place) { __builtin_prefetch(place, 1); }

// What lies around a tile of images, 6 x 6 pixels, to `to[point * step + channel]`; beyond the edges it is `zeros`.
void pixels_to_points(const float* from, const float* zeros, const Images& images, Size tile, float* to, Size step) {
    const Size row = images.row(tile) - 1, column = images.column(tile) - 1;
    const float* corner = from + images.corner(tile) - images.at(1, 1);
    const float* places[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            const bool is_inside = images.has(row + i, column + j);
            places[i][j] = is_inside ? corner + images.at(i, j) : zeros;
        }
    each_group(images.channels, [&](Size channel, int count) __attribute__((always_inline)) {
        Floats half[POINTS];
        for (int j = 0; j < SIDE; j++) {
            Floats pixels[SIDE];
            for (int i = 0; i < SIDE; i++) {
                pixels[i] = load(places[i][j] + channel, count);
                if (i >= TAPS - 1 && j >= TAPS - 1) ask_for(corner + images.at(i + TILE, j) + channel);
            }
            transform_pixels(pixels, half + j, SIDE);
        }
        for (int i = 0; i < SIDE; i++) {
            Floats made[SIDE];
            transform_pixels(half + i * SIDE, made, 1);
            for (int j = 0; j < SIDE; j++) store(to + (i * SIDE + j) * step + channel, made[j], LANES);
        }
    });
}

// A tile of gradients, 4 x 4 pixels, to `to[point * step + panel * panel_step + lane]`.
void gradients_to_points(const float* from, const Images& images, Size tile, float* to, Size step, Size panel_step) {
    const float* corner = from + images.corner(tile);
    each_group(images.channels, [&](Size channel, int count) __attribute__((always_inline)) {
        Floats half[SIDE * TILE];
        for (int j = 0; j < TILE; j++) {
            Floats pixels[TILE];
            for (int i = 0; i < TILE; i++) {
                pixels[i] = load(corner + images.at(i, j) + channel, count);
                ask_for(corner + images.at(i + TILE, j) + channel);
            }
            transform_gradients(pixels, half + j, TILE);
        }
        float* place = to + channel / PANEL * panel_step + channel % PANEL;
        for (int i = 0; i < SIDE; i++) {
            Floats made[SIDE];
            transform_gradients(half + i * TILE, made, 1);
            for (int j = 0; j < SIDE; j++) store(place + (i * SIDE + j) * step, made[j], LANES);
        }
    });
}

// Products at `from[point * step + channel]` to a tile of the output, 4 x 4 pixels.
void points_to_pixels(const float* from, Size step, const float* bias, const Images& images, Size tile, float* to) {
    float* corner = to + images.corner(tile);
    each_group(images.channels, [&](Size channel, int count) __attribute__((always_inline)) {
        Floats half[TILE * SIDE];
        const Floats plus = bias ? load(bias + channel, count) : Floats{};
        for (int j = 0; j < SIDE; j++) {
            Floats products[SIDE];
            for (int i = 0; i < SIDE; i++) products[i] = load(from + (i * SIDE + j) * step + channel, LANES);
            transform_products(products, half + j, SIDE);
        }
        for (int i = 0; i < TILE; i++) {
            Floats pixels[TILE];
            transform_products(half + i * SIDE, pixels, 1);
            for (int j = 0; j < TILE; j++) {
                store(corner + images.at(i, j) + channel, pixels[j] + plus, count);
                ask_for_own(corner + images.at(i + TILE, j) + channel);
            }
        }
    });
}

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

// Sums at `from[part][point][channel in][padded channel out]` to the gradient of the weights.
void points_to_weights(const float* from, Size parts, const Convolution& given) {
    const Size padded = panels(given.out) * PANEL, step = given.in * padded;
#pragma omp parallel for num_threads(given.threads) schedule(static)
    for (Size lanes = 0; lanes < given.out; lanes += LANES)
        for (Size c = 0; c < given.in; c++) {
            Floats half[TAPS][SIDE] = {};
            for (int p = 0; p < POINTS; p++) {
                Floats sum = {};
                for (Size part = 0; part < parts; part++)
                    sum += load(from + (part * POINTS + p) * step + c * padded + lanes, LANES);
                for (int i = 0; i < TAPS; i++) half[i][p % SIDE] += POWERS[p / SIDE][i] * FACTORS[p / SIDE] * sum;
            }
            for (int i = 0; i < TAPS; i++)
                for (int j = 0; j < TAPS; j++) {
                    Floats taps = {};
                    for (int p = 0; p < SIDE; p++) taps += POWERS[p][j] * FACTORS[p] * half[i][p];
                    for (Size lane = 0; lane < std::min<Size>(LANES, given.out - lanes); lane++)
                        given.weight_gradient[((lanes + lane) * TAPS * TAPS + i * TAPS + j) * given.in + c] = taps[lane];
                }
        }
}

// ------------------------------------------------------------------------------------------------------ the products

// How many tiles are worked on at once: few keep small images in the nearest caches, many read large weights less often.
Size tiles_a_block(const Convolution& given, Size least) {
    return std::clamp<Size>((given.in + given.out) / 4, least, 128);
}

// Values for each point, this much apart: a power of two would put all points of a tile into the same lines of a cache.
Size apart(Size values) { return values + 16; }

std::unique_ptr<float[]> room(Size values) { return std::unique_ptr<float[]>(new float[values]); }
std::unique_ptr<float[]> blank(Size values) { return std::unique_ptr<float[]>(new float[values]()); }

// The convolution of images, or, turned, of gradients, which gives those of the images.
void convolve(const Convolution& given, bool is_turned) {
    const Images from{given.height, given.width, is_turned ? given.out : given.in};
    const Images to{given.height, given.width, is_turned ? given.in : given.out};
    const float* images = is_turned ? given.output : given.images;
    float* made = is_turned ? given.image_gradient : given.output;
    const Size tiles = given.count * from.tiles_an_image(), block = tiles_a_block(given, 16), all = panels(to.channels);
    const Size wide = whole_vectors(from.channels), step = apart(block * wide), made_step = apart(block * all * PANEL);
    const auto weights = room(POINTS * all * from.channels * PANEL);
    weights_to_points(given, is_turned, weights.get());
#pragma omp parallel num_threads(given.threads)
    {
        const auto left = room(POINTS * step), zeros = blank(wide), products = room(POINTS * made_step);
#pragma omp for schedule(static)
        for (Size first = 0; first < tiles; first += block) {
            const Size here = std::min(block, tiles - first);
            for (Size t = 0; t < here; t++)
                pixels_to_points(images, zeros.get(), from, first + t, left.get() + t * wide, step);
            for (Size i = 0; i < POINTS * all; i++)
                multiply({here, from.channels, left.get() + i / all * step, wide, 1}, weights.get() + i * from.channels * PANEL,
                         products.get() + i / all * made_step + i % all * PANEL, all * PANEL, false);
            for (Size t = 0; t < here; t++)
                points_to_pixels(products.get() + t * all * PANEL, made_step, is_turned ? nullptr : given.bias, to, first + t, made);
        }
    }
}

// Tiles [first, last) of images times those of gradients, summed.
void weigh_tiles(const Convolution& given, Size first, Size last, float* sums, int threads) {
    const Images images{given.height, given.width, given.in}, gradients{given.height, given.width, given.out};
    const Size block = tiles_a_block(given, 64), all = panels(given.out), size = given.in * all * PANEL;
    const Size wide = whole_vectors(given.in), step = apart(block * wide), other_step = apart(block * all * PANEL);
    const auto zeros = blank(wide), left = room(POINTS * step), right = room(POINTS * other_step);
#pragma omp parallel num_threads(threads)
    for (Size begin = first; begin < last; begin += block) {
        const Size here = std::min(block, last - begin);
#pragma omp for schedule(static)
        for (Size t = 0; t < here; t++) {
            pixels_to_points(given.images, zeros.get(), images, begin + t, left.get() + t * wide, step);
            gradients_to_points(given.output, gradients, begin + t, right.get() + t * PANEL, other_step, block * PANEL);
        }
#pragma omp for schedule(static)
        for (Size i = 0; i < POINTS * all; i++)
            multiply({given.in, here, left.get() + i / all * step, 1, wide},
                     right.get() + i / all * other_step + i % all * block * PANEL,
                     sums + i / all * size + i % all * PANEL, all * PANEL, begin > first);
    }
}

// Into how many parts tiles are cut that threads sum apart from each other: as many as their sums find room for in a
// cache. Where weights are large that is one, and all threads work on the same tiles.
Size parts(Size tiles, Size size) {
    Size count = 1;
    while (count < 8 && 2 * count * size <= (1 << 21) && 2 * count * 128 <= tiles) count *= 2;
    return count;
}

// The gradient of the weights.
void weigh(const Convolution& given) {
    const Size tiles = given.count * Images{given.height, given.width, given.in}.tiles_an_image();
    const Size size = POINTS * given.in * panels(given.out) * PANEL, count = parts(tiles, size);
    const auto sums = room(count * size);
    const int together = count > 1 ? 1 : (int)given.threads;
#pragma omp parallel for num_threads(given.threads / together) schedule(static)
    for (Size part = 0; part < count; part++)
        weigh_tiles(given, tiles * part / count, tiles * (part + 1) / count, sums.get() + part * size, together);
    points_to_weights(sums.get(), count, given);
}

}  // namespace

extern "C" {
void convolve_images(const Convolution* given) { convolve(*given, false); }
void convolve_gradients(const Convolution* given) { convolve(*given, true); }
void weigh_gradients(const Convolution* given) { weigh(*given); }
}
