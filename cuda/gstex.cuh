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

// e^x, by 2^x.
__device__ __forceinline__ float gstex_exp(float x) { return gstex_exp2(GSTEX_LOG2E * x); }

// Per axis, how much of a Gaussian's weight is left: 1 around its own cell, and 0 at the edge of the 3x3 cells and
// beyond. distance: of the position from the low border of the Gaussian's cell, in cells.
__device__ __forceinline__ float gstex_fade(float distance) {
    float f = __saturatef(3.0f - fabsf(fmaf(2.0f, distance, -1.0f))); // 2 instructions: fabsf and saturation are free
    return f * f * fmaf(-2.0f, f, 3.0f);
}

// (cosine, sine) of an angle whose half has the tangent h.
__device__ __forceinline__ float2 gstex_rotation(float h) {
    float norm = __fdividef(1.0f, 1.0f + h * h);
    return make_float2((1.0f - h * h) * norm, 2.0f * h * norm);
}

// A cell, column or row up to one period outside 0 .. size - 1, brought back.
__device__ __forceinline__ int gstex_wrapped(int i, int size) { return i < 0 ? i + size : i >= size ? i - size : i; }

__device__ __forceinline__ int gstex_clamped(int i, int size) { return min(max(i, 0), size - 1); }
