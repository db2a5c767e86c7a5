// Vectors of float or bfloat16 values, as long as the processor's registers.

#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using Size = int64_t;

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Integers __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

struct BFloat16 {
    uint16_t bits;  // the upper half of a float
};
struct Pair {
    uint32_t bits;  // two factors of a sum of products in bfloat16; the first one in the lower half
};
struct First : Pair {};   // stored to as the first factor, with zero as the second one
struct Second : Pair {};  // stored to as the second factor; keeps the first one

inline Bits widen(Halves values) {
#if defined(__AVX512F__)
    return (Bits)_mm512_cvtepu16_epi32((__m256i)values);
#elif defined(__AVX2__)
    return (Bits)_mm256_cvtepu16_epi32((__m128i)values);
#else
    return __builtin_convertvector(values, Bits);
#endif
}

inline Halves narrow(Bits values) {  // all values are below 2^16
#if defined(__AVX512F__)
    return (Halves)_mm512_cvtepi32_epi16((__m512i)values);
#elif defined(__AVX2__)
    const __m256i packed = _mm256_packus_epi32((__m256i)values, (__m256i)values);
    return (Halves)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
#else
    return __builtin_convertvector(values, Halves);
#endif
}

// Loads or stores the first `count` lanes. If `count` is the constant LANES, as in all calls except the last one of a
// pixel, the compiler generates a single move. AVX-512 has masked moves for the others, where few channels are common.
template <class Vector, class Value>
inline Vector fetch(const Value* from, int count) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    if (count != LANES) {
        const __mmask16 lanes = (__mmask16)((1u << count) - 1);
        if constexpr (sizeof(Value) == 4) return (Vector)_mm512_maskz_loadu_epi32(lanes, from);
        else return (Vector)_mm256_maskz_loadu_epi16(lanes, from);
    }
#endif
    Vector values = {};
    std::memcpy(&values, from, count == LANES ? sizeof(Vector) : count * sizeof(Value));
    return values;
}

template <class Vector, class Value>
inline void put(Value* to, Vector values, int count) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    if (count != LANES) {
        const __mmask16 lanes = (__mmask16)((1u << count) - 1);
        if constexpr (sizeof(Value) == 4) _mm512_mask_storeu_epi32(to, lanes, (__m512i)values);
        else _mm256_mask_storeu_epi16(to, lanes, (__m256i)values);
        return;
    }
#endif
    std::memcpy(to, &values, count == LANES ? sizeof(Vector) : count * sizeof(Value));
}

inline Floats load(const float* from, int count) { return fetch<Floats>(from, count); }
inline Floats load(const BFloat16* from, int count) { return (Floats)(widen(fetch<Halves>(from, count)) << 16); }

inline void store(float* to, Floats values, int count) { put(to, values, count); }
inline Bits rounded(Floats values) {  // to nearest in the upper half, ties to even, as PyTorch does
    const Bits bits = (Bits)values;
    return bits + 0x7fff + ((bits >> 16) & 1);
}
inline void store(BFloat16* to, Floats values, int count) { put(to, narrow(rounded(values) >> 16), count); }
inline void store(First* to, Floats values, int count) { put(&to->bits, rounded(values) >> 16, count); }
inline void store(Second* to, Floats values, int count) {
    put(&to->bits, fetch<Bits>(&to->bits, count) | (rounded(values) & 0xffff0000), count);
}

inline Floats spread(float value) { return value - Floats{}; }  // to all lanes; subtracting zero changes no bit

inline Floats add_products(Floats sum, float value, Floats values) { return sum + spread(value) * values; }
inline Floats load_factors(const float* from) { return load(from, LANES); }
#if defined(__AVX512BF16__)
inline Floats add_products(Floats sum, Pair value, Bits values) {
    return (Floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)value.bits), (__m512bh)values);
}
inline Bits load_factors(const Pair* from) { return fetch<Bits>(&from->bits, LANES); }
#endif

inline Floats positive(Floats values) { return values < 0.0f ? Floats{} : values; }  // keeps NaN, like PyTorch's ReLU

}  // namespace
