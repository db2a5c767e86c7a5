// Products of matrices that fit into the nearest caches. The right matrix is divided into panels of two vectors.

#pragma once

#include "vectors.h"

namespace {

constexpr int PANEL = 2 * LANES;
constexpr int ROWS = LANES == 16 ? 12 : 6;  // all registers hold sums, except three

inline Size panels(Size columns) { return (columns + PANEL - 1) / PANEL; }
inline Size whole_vectors(Size values) { return (values + LANES - 1) / LANES * LANES; }

template <class Factor>
struct Matrix {
    Size rows, columns;
    const Factor* values;
    Size row_step, column_step;
};

// Multiplies the first HEIGHT rows of `left` by the first vectors of a panel, and stores the product or adds it. Only
// unrolled loops keep the sums in registers.
template <int HEIGHT, int VECTORS, class Factor>
void multiply_rows(const Matrix<Factor>& left, const Factor* panel, float* to, Size to_step, bool is_added) {
    Floats sums[HEIGHT][VECTORS];
#pragma GCC unroll 12
    for (int i = 0; i < HEIGHT; i++)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) sums[i][v] = Floats{};
    const Factor* values = left.values;
    for (Size column = 0; column < left.columns; column++) {
        decltype(load_factors(panel)) right[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) right[v] = load_factors(panel + v * LANES);
#pragma GCC unroll 12
        for (int i = 0; i < HEIGHT; i++) {
            const Factor value = values[i * left.row_step];
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++) sums[i][v] = add_products(sums[i][v], value, right[v]);
        }
        values += left.column_step;
        panel += PANEL;
    }
#pragma GCC unroll 12
    for (int i = 0; i < HEIGHT; i++)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) {
            float* place = to + i * to_step + v * LANES;
            if (is_added) sums[i][v] += load(place, LANES);  // sums of sums are more accurate than a single long sum
            store(place, sums[i][v], LANES);
        }
}

// Multiplies all rows of `left`, at most HEIGHT.
template <int HEIGHT, int VECTORS, class Factor>
void multiply_few(const Matrix<Factor>& left, const Factor* panel, float* to, Size to_step, bool is_added) {
    if (left.rows == HEIGHT) return multiply_rows<HEIGHT, VECTORS>(left, panel, to, to_step, is_added);
    if constexpr (HEIGHT > 1) multiply_few<HEIGHT - 1, VECTORS>(left, panel, to, to_step, is_added);
}

// Multiplies `left` by the first `width` columns of a panel of `left.columns` rows; rows of the result are `to_step`
// apart. All strips have about the same number of rows: a short strip has too few independent sums to hide the latency.
template <class Factor>
void multiply(Matrix<Factor> left, const Factor* panel, Size width, float* to, Size to_step, bool is_added) {
    const Size rows = left.rows, strips = (rows + ROWS - 1) / ROWS;
    for (Size strip = 0; strip < strips; strip++) {
        left.rows = rows * (strip + 1) / strips - rows * strip / strips;
        if (width > LANES) multiply_few<ROWS, 2>(left, panel, to, to_step, is_added);
        else multiply_few<ROWS, 1>(left, panel, to, to_step, is_added);
        left.values += left.rows * left.row_step;
        to += left.rows * to_step;
    }
}

}  // namespace
