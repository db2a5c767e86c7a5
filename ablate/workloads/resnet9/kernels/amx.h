// Products of bfloat16 matrices by the tile registers of AMX: sums of 16 x 16 floats, of products that are 32 deep.

#pragma once

#include "vectors.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && \
    defined(__AVX512VL__) && defined(__linux__)
#define HAS_AMX

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace {

constexpr Size EDGE = 16, DEPTH = 32, TILE_VALUES = EDGE * DEPTH;

// Asks the kernel for the tile registers, once per process: it saves them for processes that use them.
inline bool may_use_tiles() {
    constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

// Assembly, since the compiler's intrinsics do not state that they read and write memory.
#define LOAD_TILE(tile, from, step) \
    asm volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((Size)(step)) : "memory")
#define STORE_TILE(tile, to, step) \
    asm volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((Size)(step)) : "memory")
#define ADD_PRODUCT(sum, left, right) asm volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sum ::)
#define CLEAR_TILE(tile) asm volatile("tilezero %%tmm" #tile ::)

// The tile registers of this thread, all of 16 rows of 64 bytes. Their former shapes are restored at the end.
class Tiles {
    struct alignas(64) Shapes {
        uint8_t palette, first_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } before;

public:
    Tiles() {
        Shapes shapes = {};
        shapes.palette = 1;
        for (int i = 0; i < 8; i++) shapes.row_bytes[i] = 64, shapes.rows[i] = 16;
        asm volatile("sttilecfg %0" : "=m"(before)::"memory");
        asm volatile("ldtilecfg %0" ::"m"(shapes) : "memory");
    }
    ~Tiles() { asm volatile("ldtilecfg %0" ::"m"(before) : "memory"); }
    Tiles(const Tiles&) = delete;
};

// Values at a multiple of 64 bytes, all zero.
template <class Value>
class Buffer {
    struct Free {
        void operator()(Value* values) const { std::free(values); }
    };
    std::unique_ptr<Value[], Free> values;

public:
    explicit Buffer(Size count) {
        const size_t bytes = (count * sizeof(Value) + 63) / 64 * 64;
        values.reset((Value*)std::aligned_alloc(64, bytes));
        if (!values) throw std::bad_alloc();
        std::memset((void*)values.get(), 0, bytes);
    }
    Value* get() const { return values.get(); }
};

// Left factors: 16 rows of 32 contiguous values, `row_bytes` apart. Part i of the depth begins at offsets[i]. Right
// factors: parts of the depth one after the other, each 16 pairs x 16 columns x 2 values.
struct Depth {
    Size row_bytes;
    const Size* offsets;
    Size parts;
};
using Products = float[4][EDGE][EDGE];

// Multiplies each of two left factors by each of two right factors.
inline void multiply_two_by_two(
    const BFloat16* const* left, const BFloat16* const* right, const Depth& depth, Products products) {
    const BFloat16 *one = left[0], *other = left[1], *first = right[0], *second = right[1];
    CLEAR_TILE(0);
    CLEAR_TILE(1);
    CLEAR_TILE(2);
    CLEAR_TILE(3);
    for (Size i = 0; i < depth.parts; i++) {
        LOAD_TILE(4, one + depth.offsets[i], depth.row_bytes);
        LOAD_TILE(6, first + i * TILE_VALUES, 64);
        ADD_PRODUCT(0, 4, 6);
        LOAD_TILE(7, second + i * TILE_VALUES, 64);
        ADD_PRODUCT(1, 4, 7);
        LOAD_TILE(5, other + depth.offsets[i], depth.row_bytes);
        ADD_PRODUCT(2, 5, 6);
        ADD_PRODUCT(3, 5, 7);
    }
    STORE_TILE(0, products[0], 64);
    STORE_TILE(1, products[1], 64);
    STORE_TILE(2, products[2], 64);
    STORE_TILE(3, products[3], 64);
}

// Multiplies each of four left factors by a right factor.
inline void multiply_four_by_one(
    const BFloat16* const* left, const BFloat16* right, const Depth& depth, Products products) {
    const BFloat16 *one = left[0], *two = left[1], *three = left[2], *four = left[3];
    CLEAR_TILE(0);
    CLEAR_TILE(1);
    CLEAR_TILE(2);
    CLEAR_TILE(3);
    for (Size i = 0; i < depth.parts; i++) {
        const Size offset = depth.offsets[i];
        LOAD_TILE(7, right + i * TILE_VALUES, 64);
        LOAD_TILE(4, one + offset, depth.row_bytes);
        ADD_PRODUCT(0, 4, 7);
        LOAD_TILE(5, two + offset, depth.row_bytes);
        ADD_PRODUCT(1, 5, 7);
        LOAD_TILE(6, three + offset, depth.row_bytes);
        ADD_PRODUCT(2, 6, 7);
        LOAD_TILE(4, four + offset, depth.row_bytes);
        ADD_PRODUCT(3, 4, 7);
    }
    STORE_TILE(0, products[0], 64);
    STORE_TILE(1, products[1], 64);
    STORE_TILE(2, products[2], 64);
    STORE_TILE(3, products[3], 64);
}

// Multiplies a left factor by each of four right factors.
inline void multiply_one_by_four(
    const BFloat16* left, const BFloat16* const* right, const Depth& depth, Products products) {
    const BFloat16 *one = right[0], *two = right[1], *three = right[2], *four = right[3];
    CLEAR_TILE(0);
    CLEAR_TILE(1);
    CLEAR_TILE(2);
    CLEAR_TILE(3);
    for (Size i = 0; i < depth.parts; i++) {
        const Size offset = i * TILE_VALUES;
        LOAD_TILE(7, left + depth.offsets[i], depth.row_bytes);
        LOAD_TILE(4, one + offset, 64);
        ADD_PRODUCT(0, 7, 4);
        LOAD_TILE(5, two + offset, 64);
        ADD_PRODUCT(1, 7, 5);
        LOAD_TILE(6, three + offset, 64);
        ADD_PRODUCT(2, 7, 6);
        LOAD_TILE(4, four + offset, 64);
        ADD_PRODUCT(3, 7, 4);
    }
    STORE_TILE(0, products[0], 64);
    STORE_TILE(1, products[1], 64);
    STORE_TILE(2, products[2], 64);
    STORE_TILE(3, products[3], 64);
}

// ------------------------------------------------------------------------------------- vectors of bfloat16 and floats

// Returns a mask of the first lanes, for `count` values from some position on: none if it is negative.
inline __mmask16 lanes16(Size count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

inline __m256i load16(const BFloat16* from, __mmask16 lanes) { return _mm256_maskz_loadu_epi16(lanes, from); }

inline __m256i rounded(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }

// Returns pairs of a value of each vector, in order.
inline __m512i interleaved(__m256i one, __m256i other) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(one), _mm512_slli_epi32(_mm512_cvtepu16_epi32(other), 16));
}

// Transposes 16 x 16 values of 32 bits.
inline void transpose(__m512i* rows) {
    __m512i half[16];
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {  // 4 x 4 blocks, each in a quarter of a vector
        const __m512i low = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        const __m512i high = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
        const __m512i low2 = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
        const __m512i high2 = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);
        half[i] = _mm512_unpacklo_epi64(low, low2);
        half[i + 1] = _mm512_unpackhi_epi64(low, low2);
        half[i + 2] = _mm512_unpacklo_epi64(high, high2);
        half[i + 3] = _mm512_unpackhi_epi64(high, high2);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {  // column 4 * q + i is quarter q of vectors i, i + 4, i + 8 and i + 12
        const __m512i even = _mm512_shuffle_i32x4(half[i], half[i + 4], 0x88);    // quarters 0 and 2
        const __m512i odd = _mm512_shuffle_i32x4(half[i], half[i + 4], 0xdd);     // quarters 1 and 3
        const __m512i even2 = _mm512_shuffle_i32x4(half[i + 8], half[i + 12], 0x88);
        const __m512i odd2 = _mm512_shuffle_i32x4(half[i + 8], half[i + 12], 0xdd);
        rows[i] = _mm512_shuffle_i32x4(even, even2, 0x88);
        rows[4 + i] = _mm512_shuffle_i32x4(odd, odd2, 0x88);
        rows[8 + i] = _mm512_shuffle_i32x4(even, even2, 0xdd);
        rows[12 + i] = _mm512_shuffle_i32x4(odd, odd2, 0xdd);
    }
}

}  // namespace

#endif
