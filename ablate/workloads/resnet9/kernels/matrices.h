// Products of matrices that stay in the nearest caches: the right one cut into panels of two vectors' columns.

#pragma once

#include "vectors.h"

namespace {

constexpr int PANEL = 2 * LANES;
constexpr int ROWS = LANES == 16 ? 12 : 6;  // as many sums as there are registers for, less three

inline Size panels(Size columns) { return (columns + PANEL - 1) / PANEL; }
inline Size whole_vectors(Size values) { return (values + LANES - 1) / LANES * LANES; }

struct Matrix {
    Size rows, columns;
    const float* values;
    Size row_step, column_step;
};

// The first HEIGHT rows of `left` times a panel; replaces what is there, or is added to it. Loops that the compiler does
// not unroll keep the sums in memory instead of registers.
template <int HEIGHT>
void multiply_rows(const Matrix& left, const float* panel, float* to, Size to_step, bool is_added) {
    Floats ones[HEIGHT], others[HEIGHT];
#pragma GCC unroll 12
    for (int i = 0; i < HEIGHT; i++) ones[i] = others[i] = Floats{};
    const float* values = left.values;
    for (Size column = 0; column < left.columns; column++) {
        const Floats one = load(panel, LANES), other = load(panel + LANES, LANES);
#pragma GCC unroll 12
        for (int i = 0; i < HEIGHT; i++) {
            const Floats value = spread(values[i * left.row_step]);
            ones[i] += value * one;
            others[i] += value * other;
        }
        values += left.column_step;
        panel += PANEL;
    }
    if (is_added)  // sums of sums lose fewer digits than a single long sum
#pragma GCC unroll 12
        for (int i = 0; i < HEIGHT; i++) {
            ones[i] += load(to + i * to_step, LANES);
            others[i] += load(to + i * to_step + LANES, LANES);
        }
#pragma GCC unroll 12
    for (int i = 0; i < HEIGHT; i++) {
        store(to + i * to_step, ones[i], LANES);
        store(to + i * to_step + LANES, others[i], LANES);
    }
}

// All rows of `left`, no more than HEIGHT.
template <int HEIGHT>
void multiply_few(const Matrix& left, const float* panel, float* to, Size to_step, bool is_added) {
    if (left.rows == HEIGHT) return multiply_rows<HEIGHT>(left, panel, to, to_step, is_added);
    if constexpr (HEIGHT > 1) multiply_few<HEIGHT - 1>(left, panel, to, to_step, is_added);
}

// `left` times a panel of `left.columns` x PANEL to as many rows of PANEL, `to_step` apart; in strips of about as many
// rows each, since a short one keeps the processor waiting for its sums.
inline void multiply(Matrix left, const float* panel, float* to, Size to_step, bool is_added) {
    const Size rows = left.rows, strips = (rows + ROWS - 1) / ROWS;
    for (Size strip = 0; strip < strips; strip++) {
        left.rows = rows * (strip + 1) / strips - rows * strip / strips;
        multiply_few<ROWS>(left, panel, to, to_step, is_added);
        left.values += left.rows * left.row_step;
        to += left.rows * to_step;
    }
}

}  // namespace
