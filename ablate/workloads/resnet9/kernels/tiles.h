// Tiles of 4 x 4 pixels of channels-last images, and the transforms of minimal filtering F(4 x 4, 3 x 3): to the values
// of polynomials at six points, by rows and by columns, and back. With the points 0, +-ROOT / 2, +-ROOT and infinity,
// rounding errors are half of those with the usual 0, +-1, +-2 and infinity.

#pragma once

#include "vectors.h"

namespace {

constexpr int TILE = 4, TAPS = 3, SIDE = TILE + TAPS - 1, POINTS = SIDE * SIDE;
constexpr float ROOT = 1.41421356f;  // of 2
constexpr float POWERS[SIDE][TAPS] = {{1, 0, 0}, {1, ROOT / 2, 0.5f}, {1, -ROOT / 2, 0.5f},
                                      {1, ROOT, 2}, {1, -ROOT, 2}, {0, 0, 1}};
constexpr float FACTORS[SIDE] = {1, -2 / 3.0f, -2 / 3.0f, 1 / 6.0f, 1 / 6.0f, 1};

// --------------------------------------------------------------------------------------- one-dimensional transforms

inline void transform_pixels(const Floats* from, Floats* to, int step) {  // 6 contiguous values to 6
    const Floats even = from[4] - 2.0f * from[2], odd = ROOT / 2 * (from[3] - 2.0f * from[1]);
    const Floats even2 = from[4] - 0.5f * from[2], odd2 = ROOT * (from[3] - 0.5f * from[1]);
    to[0] = from[0] - 2.5f * from[2] + from[4];
    to[step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = even2 + odd2;
    to[4 * step] = even2 - odd2;
    to[5 * step] = from[1] - 2.5f * from[3] + from[5];
}

inline void transform_gradients(const Floats* from, Floats* to, int step) {  // 4 contiguous values to 6
    const Floats even = from[0] + 0.5f * from[2], odd = ROOT / 2 * (from[1] + 0.5f * from[3]);
    const Floats even2 = from[0] + 2.0f * from[2], odd2 = ROOT * (from[1] + 2.0f * from[3]);
    to[0] = from[0];
    to[step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = even2 + odd2;
    to[4 * step] = even2 - odd2;
    to[5 * step] = from[3];
}

inline void transform_products(const Floats* from, Floats* to, int step) {  // 6 contiguous values to 4
    const Floats even = from[1] + from[2], odd = ROOT / 2 * (from[1] - from[2]);
    const Floats even2 = from[3] + from[4], odd2 = ROOT * (from[3] - from[4]);
    to[0] = from[0] + even + even2;
    to[step] = odd + odd2;
    to[2 * step] = 0.5f * even + 2.0f * even2;
    to[3 * step] = 0.5f * odd + 2.0f * odd2 + from[5];
}

// -------------------------------------------------------------------------------------------------- tiles of images

struct Images {
    Size height, width, channels;

    Size tiles_across() const { return width / TILE; }
    Size tiles_per_image() const { return height / TILE * tiles_across(); }
    Size row(Size tile) const { return tile % tiles_per_image() / tiles_across() * TILE; }
    Size column(Size tile) const { return tile % tiles_across() * TILE; }
    Size corner(Size tile) const {
        return ((tile / tiles_per_image() * height + row(tile)) * width + column(tile)) * channels;
    }
    Size at(Size row, Size column) const { return (row * width + column) * channels; }  // offset from a corner
};

// Visits LANES channels at a time. With the constant LANES, the compiler turns loads and stores into single moves.
template <class Visit>
inline __attribute__((always_inline)) void each_group(Size channels, const Visit& visit) {
    Size c = 0;
    for (; c + LANES <= channels; c += LANES) visit(c, LANES);
    if (c < channels) visit(c, int(channels - c));
}

// Prefetches what the tile below will read or write. Hardware prefetches the next lines, not the next row of tiles.
inline void prefetch_read(const void* place) { __builtin_prefetch(place); }
inline void prefetch_write(const void* place) { __builtin_prefetch(place, 1); }

// Transforms a tile of images with its border, 6 x 6 pixels, to `to[point * step + channel]`. Outside are `zeros`.
template <class Value, class Factor>
void pixels_to_points(const Value* from, const Value* zeros, const Images& images, Size tile, Factor* to, Size step) {
    const Size row = images.row(tile) - 1, column = images.column(tile) - 1;
    const Value* corner = from + images.corner(tile) - images.at(1, 1);
    const Value* places[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++) {
        const bool is_inside = row + i >= 0 && row + i < images.height;
        for (int j = 0; j < SIDE; j++) places[i][j] = is_inside ? corner + images.at(i, j) : zeros;
        if (column < 0) places[i][0] = zeros;
        if (column + SIDE > images.width) places[i][SIDE - 1] = zeros;
    }
    each_group(images.channels, [&](Size channel, int count) __attribute__((always_inline)) {
        Floats half[POINTS];
        for (int j = 0; j < SIDE; j++) {
            Floats pixels[SIDE];
            for (int i = 0; i < SIDE; i++) {
                pixels[i] = load(places[i][j] + channel, count);
                if (i >= TAPS - 1 && j >= TAPS - 1) prefetch_read(corner + images.at(i + TILE, j) + channel);
            }
            transform_pixels(pixels, half + j, SIDE);
        }
        for (int i = 0; i < SIDE; i++) {
            Floats result[SIDE];
            transform_pixels(half + i * SIDE, result, 1);
            for (int j = 0; j < SIDE; j++) store(to + (i * SIDE + j) * step + channel, result[j], LANES);
        }
    });
}

// Transforms a tile of gradients, 4 x 4 pixels, to `to[point * step + panel * panel_step + lane]`.
template <class Value, class Factor>
void gradients_to_points(const Value* from, const Images& images, Size tile, Factor* to, Size step, Size panel_step) {
    const Value* corner = from + images.corner(tile);
    each_group(images.channels, [&](Size channel, int count) __attribute__((always_inline)) {
        Floats half[SIDE * TILE];
        for (int j = 0; j < TILE; j++) {
            Floats pixels[TILE];
            for (int i = 0; i < TILE; i++) {
                pixels[i] = load(corner + images.at(i, j) + channel, count);
                prefetch_read(corner + images.at(i + TILE, j) + channel);
            }
            transform_gradients(pixels, half + j, TILE);
        }
        Factor* place = to + channel / PANEL * panel_step + channel % PANEL;
        for (int i = 0; i < SIDE; i++) {
            Floats result[SIDE];
            transform_gradients(half + i * TILE, result, 1);
            for (int j = 0; j < SIDE; j++) store(place + (i * SIDE + j) * step, result[j], LANES);
        }
    });
}

// Transforms products at `from[point * step + channel]` to a tile of the output, 4 x 4 pixels.
template <class Value>
void points_to_pixels(const float* from, Size step, const float* bias, const Images& images, Size tile, Value* to) {
    Value* corner = to + images.corner(tile);
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
                prefetch_write(corner + images.at(i + TILE, j) + channel);
            }
        }
    });
}

}  // namespace
