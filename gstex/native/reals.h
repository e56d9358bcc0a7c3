// formulas.h for floats, doubles and vectors of floats, in C++.

#pragma once

#include "constants.h"
#include "simd.h"

namespace gstex {
namespace GSTEX_SET {

GSTEX_INLINE float gstex_fma(float a, float b, float c) {
#if !defined(__FMA__) && !defined(__aarch64__)
    return float(_mm_cvtss_f32(_mm_cvtpd_ps(fma_half(_mm_set_sd(a), _mm_set_sd(b), _mm_set_sd(c)))));
#else
    return __builtin_fmaf(a, b, c);
#endif
}
GSTEX_INLINE F16 gstex_fma(F16 a, F16 b, F16 c) { return fma(a, b, c); }
// Not fused in double: there is no instruction for it on every CPU, and nothing needs the speed.
GSTEX_INLINE double gstex_fma(double a, double b, double c) { return a * b + c; }

GSTEX_INLINE float gstex_min(float a, float b) { return a < b ? a : b; }
GSTEX_INLINE float gstex_max(float a, float b) { return a > b ? a : b; }
GSTEX_INLINE float gstex_abs(float a) { return a < 0.0f ? -a : a; }
GSTEX_INLINE float gstex_sqrt(float a) { return __builtin_sqrtf(a); }
GSTEX_INLINE double gstex_min(double a, double b) { return a < b ? a : b; }
GSTEX_INLINE double gstex_max(double a, double b) { return a > b ? a : b; }
GSTEX_INLINE double gstex_abs(double a) { return a < 0.0 ? -a : a; }
GSTEX_INLINE double gstex_sqrt(double a) { return __builtin_sqrt(a); }
GSTEX_INLINE F16 gstex_min(F16 a, F16 b) { return min(a, b); }
GSTEX_INLINE F16 gstex_max(F16 a, F16 b) { return max(a, b); }
GSTEX_INLINE F16 gstex_abs(F16 a) { return abs(a); }
GSTEX_INLINE F16 gstex_sqrt(F16 a) { return sqrt(a); }
GSTEX_INLINE float gstex_saturate(float a) { return gstex_min(gstex_max(a, 0.0f), 1.0f); }
GSTEX_INLINE F16 gstex_saturate(F16 a) { return min(max(a, F16(0.0f)), F16(1.0f)); }
GSTEX_INLINE float gstex_inverse_sqrt(float a) { return 1.0f / gstex_sqrt(a); }
GSTEX_INLINE double gstex_inverse_sqrt(double a) { return 1.0 / gstex_sqrt(a); }

GSTEX_INLINE int32_t gstex_truncate(float a) { return int32_t(a); }
GSTEX_INLINE float gstex_to_real(int32_t a) { return float(a); }
GSTEX_INLINE float gstex_power_of_2(int32_t a) {
    const int32_t bits = a << 23;
    float r;
    memcpy(&r, &bits, 4);
    return r;
}
GSTEX_INLINE I16 gstex_truncate(F16 a) { return truncate(a); }
GSTEX_INLINE F16 gstex_to_real(I16 a) { return to_float(a); }
GSTEX_INLINE F16 gstex_power_of_2(I16 a) { return power_of_2(a); }

#define GSTEX_FORMULA template <class REAL> static inline __attribute__((always_inline))
#define WHOLE auto
#include "exp2.h"
#include "formulas.h"
#undef WHOLE
#undef GSTEX_FORMULA

} // namespace GSTEX_SET
} // namespace gstex
