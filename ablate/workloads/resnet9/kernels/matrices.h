// Products of matrices that fit into the nearest caches. The right matrix is divided into panels of two vectors.

#pragma once

#include "vectors.h"

namespace {

constexpr int PANEL = 2 * LANES;
constexpr int ROWS = LANES == 16 ? 12 : 6;  // all registers hold sums, except three

inline Size panels(Size columns) { return (columns + PANEL - 1) / PANEL; }
inline Size whole_vectors(Size values) { return (values + LANES - 1) / LANES * LANES; }

struct Matrix {
    Size rows, columns;
    const float* values;
    Size row_step, column_step;
};

// Multiplies the first HEIGHT rows of `left` by a panel, and stores the product or adds it. Only unrolled loops keep
// the sums in registers.
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
    if (is_added)  // sums of sums are more accurate than a single long sum
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

// Multiplies all rows of `left`, at most HEIGHT.
template <int HEIGHT>
void multiply_few(const Matrix& left, const float* panel, float* to, Size to_step, bool is_added) {
    if (left.rows == HEIGHT) return multiply_rows<HEIGHT>(left, panel, to, to_step, is_added);
    if constexpr (HEIGHT > 1) multiply_few<HEIGHT - 1>(left, panel, to, to_step, is_added);
}

// Multiplies `left` by a panel of `left.columns` x PANEL; rows of the result are `to_step` apart. All strips have about
// the same number of rows: a short strip has too few independent sums to hide the latency.
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
