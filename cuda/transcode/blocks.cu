// Writes a map of decoded texels as blocks of BC1, BC4, BC5 or BC7, or as RGBA8: what shaders/transcode.comp does after
// it has decoded.

#define THREADS 64

#include "transcode/bc.cuh"

// Where R, G, B and A of a map come from, as in shaders/transcode.comp: a channel, 16 + a channel for 255 - its code, or
// 256 + a code.
__device__ __forceinline__ uint code(const float *texel, int source) {
    if (source >= 256) return uint(source & 255);
    uint found = uint(__fadd_rn(__fmul_rn(texel[source & 15], 255.0f), 0.5f));
    return source < 16 ? found : 255u - found;
}

__device__ __forceinline__ uint rgba(const float *texel, int r, int g, int b, int a) {
    return code(texel, r) | code(texel, g) << 8 | code(texel, b) << 16 | code(texel, a) << 24;
}

// A thread a block. values: float [height, width, channels] in 0 .. 1; beyond it the last row and column are repeated.
// format: see the end of bc7.glsl. blocks: uint [rows, columns, 2 or 4].
extern "C" __global__ void __launch_bounds__(THREADS)
encode_blocks(const float *__restrict__ values, int width, int height, int channels, int format, int r, int g, int b,
              int a, uint *__restrict__ blocks) {
    int columns = (width + 3) / 4, rows = (height + 3) / 4, number = blockIdx.x * THREADS + threadIdx.x;
    if (number >= columns * rows) return;
    int at = threadIdx.x;
    for (int i = 0; i < 16; ++i) {
        int x = min(4 * (number % columns) + (i & 3), width - 1), y = min(4 * (number / columns) + (i >> 2), height - 1);
        GSTEX_TEXEL(at, i) = rgba(values + ((size_t)y * width + x) * channels, r, g, b, a);
    }
    GstexBlock block = gstex_bc_block(at, uint(format));
    int words = gstex_bc_words(uint(format));
    for (int i = 0; i < 4; ++i)
        if (i < words) blocks[(size_t)number * words + i] = block.word[i];
}

// A thread a texel. texels: uint [count], R in the lowest 8 bits.
extern "C" __global__ void __launch_bounds__(THREADS)
pack_texels(const float *__restrict__ values, long long count, int channels, int r, int g, int b, int a,
            uint *__restrict__ texels) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i < count) texels[i] = rgba(values + i * channels, r, g, b, a);
}
