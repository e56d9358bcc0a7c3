// Pictures at the points of a step, for what wants them outside of the kernels of the blend.

#include "encode/tile.cuh"

// tiled: [T, channels, 64], the picture [H, W, channels] at the jittered texel centres, as gstex/native/ops/picture.cpp reads it.
// several: jitter is [4, 2], of the tiles of even row and column, of odd column, of odd row, and of both.
// only_inside: points of texels outside the picture get 0, otherwise what wrapping or clamping gives. A thread a point.
extern "C" __global__ void fit_to_tiles(const float *picture, int channels, const float *jitter, int several, int tiles,
                                        int across, int width, int height, int repeat, int only_inside, float *tiled) {
    const int tile = blockIdx.x * (blockDim.x / FIT_POINTS) + threadIdx.x / FIT_POINTS, k = threadIdx.x % FIT_POINTS;
    if (tile >= tiles) return;
    const int column = tile % across * GSTEX_TILE + k % GSTEX_TILE, row = tile / across * GSTEX_TILE + k / GSTEX_TILE;
    const bool inside = column < width && row < height;
    if (several) jitter += 2 * (tile % across % 2) + 4 * (tile / across % 2);
    const FitCorners corners = fit_corners(column, row, jitter, width, height, repeat);
    for (int c = 0; c < channels; ++c)
        tiled[((long long)tile * channels + c) * FIT_POINTS + k] =
            inside || !only_inside ? fit_sample_one(picture, corners, c, channels) : 0.0f;
}

// result: [H, W, channels], the picture [H, W, channels] at the jittered texel centres. A thread a texel.
extern "C" __global__ void fit_resample(const float *picture, int channels, const float *jitter, int width, int height,
                                        int repeat, float *result) {
    const long long texel = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (texel >= (long long)width * height) return;
    const FitCorners corners = fit_corners(int(texel % width), int(texel / width), jitter, width, height, repeat);
    for (int c = 0; c < channels; ++c) result[texel * channels + c] = fit_sample_one(picture, corners, c, channels);
}

// jitter: [2], numbers that the host has. One thread.
extern "C" __global__ void fit_set_jitter(float x, float y, float *jitter) {
    jitter[0] = x;
    jitter[1] = y;
}

// errors: [H, C], the sum over a row of texels of importance (picture - image)^2, both [H, W, C]. planes: [H, W,
// plane_count]. plane: [C]. A block of FIT_THREADS a row.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_row_errors(const float *picture, const float *image, const float *planes, int plane_count, const int *plane, int width,
               float *errors) {
    __shared__ double parts[FIT_THREADS];
    const long long first = (long long)blockIdx.x * width;
    for (int c = 0; c < CHANNELS; ++c) {
        double sum = 0.0;
        for (int x = threadIdx.x; x < width; x += FIT_THREADS) {
            const long long texel = first + x;
            const double apart = (double)picture[texel * CHANNELS + c] - (double)image[texel * CHANNELS + c];
            sum += planes[texel * plane_count + plane[c]] * (apart * apart);
        }
        parts[threadIdx.x] = sum;
        __syncthreads();
        for (int from = FIT_THREADS / 2; from; from /= 2) {
            if (threadIdx.x < from) parts[threadIdx.x] += parts[threadIdx.x + from];
            __syncthreads();
        }
        if (threadIdx.x == 0) errors[blockIdx.x * CHANNELS + c] = (float)parts[0];
        __syncthreads();
    }
}
