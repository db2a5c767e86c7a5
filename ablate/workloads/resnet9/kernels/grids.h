// Groups of bfloat16 images in a grid of positions, with a zero after each row and a row of zeros after each image. Taps
// of a convolution are at the same distance from all positions. Results at the zeros themselves are discarded.

#pragma once

#include <algorithm>

#include "arguments.h"

namespace {

constexpr Size TAPS = 3;

inline Size ceiling(Size values, Size divisor) { return (values + divisor - 1) / divisor; }

struct Grid {
    Size images, height, width;

    Size pitch() const { return width + 1; }
    Size image() const { return (height + 1) * pitch(); }
    Size positions() const { return images * image(); }
    Size lead() const { return pitch() + 1; }  // zeros before the first pixel
    Size tap(Size row, Size column) const { return row * pitch() + column; }
};

// Returns a grid of about `positions`.
inline Grid grid_of(const Convolution& conv, Size positions) {
    const Size image = (conv.height + 1) * (conv.width + 1);
    return {std::clamp<Size>(positions / image, 1, conv.count), conv.height, conv.width};
}

// Copies an image to `to`, the position of its first pixel in a grid.
inline void copy_image(const BFloat16* from, const Grid& grid, Size channels, BFloat16* to) {
    const Size row = grid.width * channels;
    for (Size y = 0; y < grid.height; y++, from += row, to += grid.pitch() * channels)
        std::memcpy(to, from, row * sizeof(BFloat16));
}

}  // namespace
