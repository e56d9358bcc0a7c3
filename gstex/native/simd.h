// Vectors of 16 floats, in as many machine vectors as they take: 1 with AVX-512, 2 with AVX2, 4 with SSE or NEON.
//
// All arithmetic is that of IEEE 754, lane by lane, with products and sums fused where `fma` says so and nowhere else;
// `sum` adds lanes in a fixed order. So every instruction set gives the same bits. Compiled once for each of them
// (CMakeLists.txt), hence the namespace. Nothing here may be an inline function of the standard library: the linker
// keeps one copy of those, perhaps one that this CPU cannot run.

#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define GSTEX_INLINE static inline __attribute__((always_inline))

namespace gstex {
namespace GSTEX_SET {

// Stands before a loop of a few turns, so that its arrays stay in registers.
#define GSTEX_UNROLL _Pragma("GCC unroll 8")

constexpr int LANES = 16;

#if defined(__AVX512F__)
#define GSTEX_PARTS 1
#elif defined(__AVX2__) && defined(__FMA__)
#define GSTEX_PARTS 2
#else
#define GSTEX_PARTS 4
#endif

typedef float VectorF __attribute__((vector_size(64 / GSTEX_PARTS)));
typedef int32_t VectorI __attribute__((vector_size(64 / GSTEX_PARTS)));
// A vector in memory, at any address of a float.
typedef float StoredF __attribute__((vector_size(64 / GSTEX_PARTS), aligned(4), may_alias));

// These are members and not an array, so that compilers keep them in registers.
template <class VECTOR> struct Parts {
    VECTOR p0;
#if GSTEX_PARTS > 1
    VECTOR p1;
#endif
#if GSTEX_PARTS > 2
    VECTOR p2, p3;
#endif
};

struct F16 : Parts<VectorF> {
    F16() = default;
    inline __attribute__((always_inline)) explicit F16(float x);
};

struct I16 : Parts<VectorI> {}; // whole numbers, or masks: -1 where true and 0 where false

// Applies f to every part.
template <class RESULT, class F, class... A> GSTEX_INLINE RESULT map(F f, A... a) {
    RESULT r;
    r.p0 = f(a.p0...);
#if GSTEX_PARTS > 1
    r.p1 = f(a.p1...);
#endif
#if GSTEX_PARTS > 2
    r.p2 = f(a.p2...);
    r.p3 = f(a.p3...);
#endif
    return r;
}

// ---- One machine vector --------------------------------------------------------------------------------------------

GSTEX_INLINE VectorF select_part(VectorI mask, VectorF a, VectorF b) {
#if defined(__AVX512F__)
    return (VectorF)_mm512_ternarylogic_epi32((__m512i)mask, (__m512i)a, (__m512i)b, 0xCA);
#elif defined(__AVX2__) && defined(__FMA__)
    return (VectorF)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#elif defined(__aarch64__)
    return (VectorF)vbslq_f32((uint32x4_t)mask, (float32x4_t)a, (float32x4_t)b);
#else
    return (VectorF)_mm_blendv_ps((__m128)b, (__m128)a, (__m128)mask);
#endif
}

#if !defined(__FMA__) && !defined(__aarch64__)
// a b + c of four floats, rounded once, on a CPU without an instruction for it. In double the product is exact, and the
// sum is rounded to odd. The second rounding, to float, then gives the result of a single rounding (Boldo and Melquiond
// 2008).
GSTEX_INLINE __m128d fma_half(__m128d a, __m128d b, __m128d c) {
    const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c);
    const __m128d away = _mm_sub_pd(sum, product);
    const __m128d lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, away)), _mm_sub_pd(c, away));
    const __m128i one = _mm_set1_epi64x(1), bits = _mm_castpd_si128(sum);
    const __m128i is_even = _mm_cmpeq_epi64(_mm_and_si128(bits, one), _mm_setzero_si128());
    // If something is lost and the last bit is even, goes to the neighbour on the side of the lost part, whose last bit
    // is odd.
    const __m128d some = _mm_cmplt_pd(_mm_setzero_pd(), _mm_andnot_pd(_mm_set1_pd(-0.0), lost));
    const __m128d inexact = _mm_and_pd(some, _mm_castsi128_pd(is_even));
    const __m128i opposite = _mm_srai_epi32(_mm_shuffle_epi32(_mm_xor_si128(bits, _mm_castpd_si128(lost)), 0xF5), 31);
    const __m128i step = _mm_or_si128(opposite, one); // -1 towards zero, 1 away from it
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, _mm_castpd_si128(inexact))));
}

// This is not inlined: kernels would become so long that compilers take minutes.
__attribute__((noinline)) static VectorF fused(VectorF a, VectorF b, VectorF c) {
    const __m128 low =
        _mm_cvtpd_ps(fma_half(_mm_cvtps_pd((__m128)a), _mm_cvtps_pd((__m128)b), _mm_cvtps_pd((__m128)c)));
    const __m128 high = _mm_cvtpd_ps(fma_half(_mm_cvtps_pd(_mm_movehl_ps((__m128)a, (__m128)a)),
                                              _mm_cvtps_pd(_mm_movehl_ps((__m128)b, (__m128)b)),
                                              _mm_cvtps_pd(_mm_movehl_ps((__m128)c, (__m128)c))));
    return (VectorF)_mm_movelh_ps(low, high);
}
#endif

GSTEX_INLINE VectorF fma_part(VectorF a, VectorF b, VectorF c) {
#if defined(__AVX512F__)
    return (VectorF)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
    return (VectorF)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (VectorF)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return fused(a, b, c);
#endif
}

GSTEX_INLINE VectorF sqrt_part(VectorF a) {
#if defined(__AVX512F__)
    return (VectorF)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__) && defined(__FMA__)
    return (VectorF)_mm256_sqrt_ps((__m256)a);
#elif defined(__aarch64__)
    return (VectorF)vsqrtq_f32((float32x4_t)a);
#else
    return (VectorF)_mm_sqrt_ps((__m128)a);
#endif
}

// ---- 16 lanes ------------------------------------------------------------------------------------------------------

#define GSTEX_LAMBDA1 [](VectorF a) __attribute__((always_inline))
#define GSTEX_LAMBDA2 [](VectorF a, VectorF b) __attribute__((always_inline))
#define GSTEX_LAMBDA2I [](VectorI a, VectorI b) __attribute__((always_inline))

inline F16::F16(float x) {
    *this = map<F16>([x](VectorF) __attribute__((always_inline)) { return x - (VectorF){}; }, F16{});
}

GSTEX_INLINE F16 load(const float *from) {
    F16 r;
    r.p0 = *reinterpret_cast<const StoredF *>(from);
#if GSTEX_PARTS > 1
    r.p1 = *reinterpret_cast<const StoredF *>(from + 16 / GSTEX_PARTS);
#endif
#if GSTEX_PARTS > 2
    r.p2 = *reinterpret_cast<const StoredF *>(from + 8);
    r.p3 = *reinterpret_cast<const StoredF *>(from + 12);
#endif
    return r;
}

GSTEX_INLINE void store(float *to, F16 a) {
    *reinterpret_cast<StoredF *>(to) = a.p0;
#if GSTEX_PARTS > 1
    *reinterpret_cast<StoredF *>(to + 16 / GSTEX_PARTS) = a.p1;
#endif
#if GSTEX_PARTS > 2
    *reinterpret_cast<StoredF *>(to + 8) = a.p2;
    *reinterpret_cast<StoredF *>(to + 12) = a.p3;
#endif
}

// A vector of two rows of 8 floats each.
GSTEX_INLINE F16 load_rows(const float *first, const float *second) {
    F16 r;
#if GSTEX_PARTS == 1
    r.p0 = (VectorF)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(first)), _mm256_loadu_ps(second), 1);
#elif GSTEX_PARTS == 2
    r.p0 = *reinterpret_cast<const StoredF *>(first);
    r.p1 = *reinterpret_cast<const StoredF *>(second);
#else
    r.p0 = *reinterpret_cast<const StoredF *>(first);
    r.p1 = *reinterpret_cast<const StoredF *>(first + 4);
    r.p2 = *reinterpret_cast<const StoredF *>(second);
    r.p3 = *reinterpret_cast<const StoredF *>(second + 4);
#endif
    return r;
}

// The second row of a and the first of b, of 8 lanes each.
GSTEX_INLINE F16 rows_between(F16 a, F16 b) {
    F16 r;
#if GSTEX_PARTS == 1
    r.p0 = (VectorF)_mm512_shuffle_f32x4((__m512)a.p0, (__m512)b.p0, 0x4E);
#elif GSTEX_PARTS == 2
    r.p0 = a.p1, r.p1 = b.p0;
#else
    r.p0 = a.p2, r.p1 = a.p3, r.p2 = b.p0, r.p3 = b.p1;
#endif
    return r;
}

// a in lanes 0 .. 7, b in lanes 8 .. 15.
GSTEX_INLINE F16 splat_rows(float a, float b) {
    F16 r;
#if GSTEX_PARTS == 1
    r.p0 = (VectorF)_mm512_insertf32x8(_mm512_set1_ps(a), _mm256_set1_ps(b), 1);
#elif GSTEX_PARTS == 2
    r.p0 = a - (VectorF){};
    r.p1 = b - (VectorF){};
#else
    r.p0 = r.p1 = a - (VectorF){};
    r.p2 = r.p3 = b - (VectorF){};
#endif
    return r;
}

GSTEX_INLINE F16 operator+(F16 a, F16 b) {
    return map<F16>(GSTEX_LAMBDA2 { return a + b; }, a, b);
}
GSTEX_INLINE F16 operator-(F16 a, F16 b) {
    return map<F16>(GSTEX_LAMBDA2 { return a - b; }, a, b);
}
GSTEX_INLINE F16 operator*(F16 a, F16 b) {
    return map<F16>(GSTEX_LAMBDA2 { return a * b; }, a, b);
}
GSTEX_INLINE F16 operator/(F16 a, F16 b) {
    return map<F16>(GSTEX_LAMBDA2 { return a / b; }, a, b);
}
GSTEX_INLINE F16 operator-(F16 a) {
    return map<F16>(GSTEX_LAMBDA1 { return -a; }, a);
}
GSTEX_INLINE F16 &operator+=(F16 &a, F16 b) { return a = a + b; }

GSTEX_INLINE I16 operator<(F16 a, F16 b) {
    return map<I16>(GSTEX_LAMBDA2 { return (VectorI)(a < b); }, a, b);
}
GSTEX_INLINE I16 operator>(F16 a, F16 b) {
    return map<I16>(GSTEX_LAMBDA2 { return (VectorI)(a > b); }, a, b);
}
GSTEX_INLINE I16 operator>=(F16 a, F16 b) {
    return map<I16>(GSTEX_LAMBDA2 { return (VectorI)(a >= b); }, a, b);
}
GSTEX_INLINE I16 operator&(I16 a, I16 b) {
    return map<I16>(GSTEX_LAMBDA2I { return a & b; }, a, b);
}
GSTEX_INLINE I16 operator|(I16 a, I16 b) {
    return map<I16>(GSTEX_LAMBDA2I { return a | b; }, a, b);
}

// a b + c, rounded once.
GSTEX_INLINE F16 fma(F16 a, F16 b, F16 c) { return map<F16>(fma_part, a, b, c); }

GSTEX_INLINE F16 select(I16 mask, F16 a, F16 b) { return map<F16>(select_part, mask, a, b); }

// b where one of them is NaN.
GSTEX_INLINE F16 min(F16 a, F16 b) { return select(a < b, a, b); }
GSTEX_INLINE F16 max(F16 a, F16 b) { return select(a > b, a, b); }

GSTEX_INLINE F16 abs(F16 a) {
    return map<F16>(GSTEX_LAMBDA1 { return (VectorF)((VectorI)a & 0x7FFFFFFF); }, a);
}

GSTEX_INLINE F16 sqrt(F16 a) { return map<F16>(sqrt_part, a); }

// Rounds towards zero, for numbers that fit into an int32.
GSTEX_INLINE I16 truncate(F16 a) {
    return map<I16>(GSTEX_LAMBDA1 { return __builtin_convertvector(a, VectorI); }, a);
}

GSTEX_INLINE F16 to_float(I16 a) {
    return map<F16>([](VectorI a) __attribute__((always_inline)) { return __builtin_convertvector(a, VectorF); }, a);
}

// 2^(a - 127), by its bits.
GSTEX_INLINE F16 power_of_2(I16 a) {
    return map<F16>([](VectorI a) __attribute__((always_inline)) { return (VectorF)(a << 23); }, a);
}

GSTEX_INLINE bool any(I16 mask) {
    VectorI all = mask.p0;
#if GSTEX_PARTS > 1
    all |= mask.p1;
#endif
#if GSTEX_PARTS > 2
    all |= mask.p2 | mask.p3;
#endif
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)all, (__m512i)all) != 0;
#elif defined(__AVX2__) && defined(__FMA__)
    return !_mm256_testz_si256((__m256i)all, (__m256i)all);
#elif defined(__aarch64__)
    return vmaxvq_u32((uint32x4_t)all) != 0;
#else
    return !_mm_testz_si128((__m128i)all, (__m128i)all);
#endif
}

#if defined(__x86_64__) || defined(_M_X64)
// Lanes 8 apart, then 4 apart, of one vector.
GSTEX_INLINE __m128 sum_to_four(F16 a) {
#if defined(__AVX512F__)
    const __m256 eight =
        _mm256_add_ps(_mm512_extractf32x8_ps((__m512)a.p0, 0), _mm512_extractf32x8_ps((__m512)a.p0, 1));
    return _mm_add_ps(_mm256_extractf128_ps(eight, 0), _mm256_extractf128_ps(eight, 1));
#elif defined(__AVX2__) && defined(__FMA__)
    const __m256 eight = _mm256_add_ps((__m256)a.p0, (__m256)a.p1);
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
#else
    return _mm_add_ps(_mm_add_ps((__m128)a.p0, (__m128)a.p2), _mm_add_ps((__m128)a.p1, (__m128)a.p3));
#endif
}
#endif

// The sums of all lanes of four vectors: lanes 8 apart first, then 4, 2 and 1 apart.
GSTEX_INLINE void sum4(F16 a, F16 b, F16 c, F16 d, float *to) {
#if defined(__x86_64__) || defined(_M_X64)
    const __m128 a4 = sum_to_four(a), b4 = sum_to_four(b), c4 = sum_to_four(c), d4 = sum_to_four(d);
    // Lanes 2 apart of two vectors at a time.
    const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a4, b4), _mm_unpackhi_ps(a4, b4));
    const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c4, d4), _mm_unpackhi_ps(c4, d4));
    _mm_storeu_ps(to, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
#else
    const F16 all[4] = {a, b, c, d};
    for (int i = 0; i < 4; ++i) {
        float four[4];
        const VectorF sums = (all[i].p0 + all[i].p2) + (all[i].p1 + all[i].p3);
        memcpy(four, &sums, 16);
        to[i] = (four[0] + four[2]) + (four[1] + four[3]);
    }
#endif
}

// The sum of all lanes in the same order.
GSTEX_INLINE float sum(F16 a) {
    float to[4];
    sum4(a, a, a, a, to);
    return to[0];
}

// The largest lane.
GSTEX_INLINE float largest(F16 a) {
    float v[LANES];
    store(v, a);
    float most = v[0];
    for (int i = 1; i < LANES; ++i) most = v[i] > most ? v[i] : most;
    return most;
}

} // namespace GSTEX_SET
} // namespace gstex
