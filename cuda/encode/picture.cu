// Pictures at the points of a step, for what wants them outside of the kernels of the blend.

#include "encode/tile.cuh"

// tiled: [T, C, 64], the picture [H, W, C] at the jittered texel centres, as gstex/native/ops/picture.cpp reads it.
// only_inside: points of texels outside the picture get 0, otherwise what wrapping or clamping gives. A thread a point.
extern "C" __global__ void fit_to_tiles(const float *picture, const float *jitter, int tiles, int across, int width,
                                        int height, int repeat, int only_inside, float *tiled) {
    const int tile = blockIdx.x * (blockDim.x / FIT_POINTS) + threadIdx.x / FIT_POINTS, k = threadIdx.x % FIT_POINTS;
    if (tile >= tiles) return;
    const int column = tile % across * GSTEX_TILE + k % GSTEX_TILE, row = tile / across * GSTEX_TILE + k / GSTEX_TILE;
    const bool inside = column < width && row < height;
    float value[FIT_CHANNELS];
    fit_sample(picture, fit_corners(column, row, jitter, width, height, repeat), value);
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c)
        tiled[((long long)tile * FIT_CHANNELS + c) * FIT_POINTS + k] = inside || !only_inside ? value[c] : 0.0f;
}

// result: [H, W, C], the picture [H, W, C] at the jittered texel centres. A thread a texel.
extern "C" __global__ void fit_resample(const float *picture, const float *jitter, int width, int height, int repeat,
                                        float *result) {
    const long long texel = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (texel >= (long long)width * height) return;
    float value[FIT_CHANNELS];
    fit_sample(picture, fit_corners(int(texel % width), int(texel / width), jitter, width, height, repeat), value);
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) result[texel * FIT_CHANNELS + c] = value[c];
}

// jitter: [2], numbers that the host has. One thread.
extern "C" __global__ void fit_set_jitter(float x, float y, float *jitter) {
    jitter[0] = x;
    jitter[1] = y;
}
