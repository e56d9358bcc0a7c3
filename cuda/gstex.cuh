// What all kernels share: bit fields and the curves of a Gaussian.
//
// GSTEX_ names in capitals are numbers of gstex/constants.py, which gstex/cuda/source.py writes before the text.
// Plain C++14 without includes: NVRTC compiles it for a GPU, and the tests with a C++ compiler.

typedef unsigned int gstex_word;

// Bits `first` .. `first + count - 1` of a word; count at most 31.
__device__ __forceinline__ int gstex_bits(gstex_word word, int first, int count) {
    return int(word >> first & ((1u << count) - 1u));
}

// 2^x. On a GPU one instruction, within 2 units of the last place; results below 2^-126 are 0.
__device__ __forceinline__ float gstex_exp2(float x) {
#ifdef __CUDA_ARCH__
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
#else
    return exp2f(x);
#endif
}

// x^y for x above 0, as 2^(y log2 x): within 1e-6 of the result for what colours need.
__device__ __forceinline__ float gstex_power(float x, float y) { return gstex_exp2(y * __log2f(x)); }

// ---- The formulas that all decoders and fits share -----------------------------------------------------------------

__device__ __forceinline__ float gstex_fma(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ float gstex_min(float a, float b) { return fminf(a, b); }
__device__ __forceinline__ float gstex_abs(float a) { return fabsf(a); }
__device__ __forceinline__ float gstex_saturate(float a) { return __saturatef(a); }
__device__ __forceinline__ float gstex_inverse_sqrt(float a) { return rsqrtf(a); }
// Where the CPU computes in double, its sums are not fused either, so that codes are equal.
__device__ __forceinline__ double gstex_fma(double a, double b, double c) { return __dadd_rn(__dmul_rn(a, b), c); }
__device__ __forceinline__ double gstex_inverse_sqrt(double a) { return 1.0 / sqrt(a); }

#define GSTEX_FORMULA template <class REAL> static __device__ __forceinline__
#include "formulas.h"
#undef GSTEX_FORMULA

// A cell, column or row up to one period outside 0 .. size - 1, brought back.
__device__ __forceinline__ int gstex_wrapped(int i, int size) { return i < 0 ? i + size : i >= size ? i - size : i; }

__device__ __forceinline__ int gstex_clamped(int i, int size) { return min(max(i, 0), size - 1); }
