// The perceptual loss and its gradient: gstex/encode/loss.py, where the formulas stand. Twin:
// gstex/native/ops/perceptual_loss.cpp.
//
// Two kernels with a block of TILE x TILE texels of one channel: means under the window, SSIM and its derivatives by
// them; then the transpose of the means. Pictures are [H, W, C]. Grid: tiles across, tiles down, channels.

#include "gstex.cuh"

#define TILE 16
#define RADIUS 5
#define TAPS (2 * RADIUS + 1)
#define WIDE (TILE + 2 * RADIUS)

// A channel of a picture. x, y: the first texel of the block.
struct Plane {
    int width, height, channels, channel, x, y;
    __device__ __forceinline__ long long at(int column, int row) const {
        return ((long long)row * width + column) * channels + channel;
    }
};

// Means under the window of COUNT planes whose values in a block and its border stand in `wide`: along rows into
// `rows`, then down for the texel of this thread. All threads of a block come here.
template <int COUNT>
static __device__ __forceinline__ void windowed(const float (*wide)[WIDE][WIDE], float (*rows)[WIDE][TILE],
                                                const float *taps, float (&result)[COUNT]) {
    const int thread = threadIdx.y * TILE + threadIdx.x;
    for (int i = thread; i < WIDE * TILE; i += TILE * TILE) {
        const int row = i / TILE, column = i % TILE;
#pragma unroll
        for (int p = 0; p < COUNT; ++p) {
            float sum = 0.0f;
#pragma unroll
            for (int k = 0; k < TAPS; ++k) sum += taps[k] * wide[p][row][column + k];
            rows[p][row][column] = sum;
        }
    }
    __syncthreads();
#pragma unroll
    for (int p = 0; p < COUNT; ++p) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < TAPS; ++k) sum += taps[k] * rows[p][threadIdx.y + k][threadIdx.x];
        result[p] = sum;
    }
}

// slopes: three pictures [3, H, W, C], the derivatives of SSIM by the means of x, x x and x y, each times importance /
// mean importance: what the transpose of the means takes. losses: [blocks, 2], of a block's texels and channel: the
// loss and the sum of importance times squared error.
// taps: [TAPS]. share: of the SSIM term. c1, c2: of Wang et al. 2004.
extern "C" __global__ void __launch_bounds__(TILE * TILE)
fit_ssim(const float *picture, const float *target, const float *importance, const float *taps, int width, int height,
         int channels, float share, float c1, float c2, float *slopes, float *losses) {
    __shared__ float wide[6][WIDE][WIDE];
    __shared__ float rows[6][WIDE][TILE];
    __shared__ float window[TAPS];
    __shared__ float2 parts[TILE * TILE];
    const Plane plane = {width, height, channels, int(blockIdx.z), int(blockIdx.x) * TILE, int(blockIdx.y) * TILE};
    const int thread = threadIdx.y * TILE + threadIdx.x;
    if (thread < TAPS) window[thread] = taps[thread];
    for (int i = thread; i < WIDE * WIDE; i += TILE * TILE) {
        const int column = plane.x + i % WIDE - RADIUS, row = plane.y + i / WIDE - RADIUS;
        float x = 0.0f, y = 0.0f, w = 0.0f;
        if (column >= 0 && column < width && row >= 0 && row < height) {
            const long long at = plane.at(column, row);
            x = picture[at], y = target[at], w = importance[at];
        }
        const float terms[6] = {w, w * x, w * y, w * (x * x), w * (y * y), w * (x * y)};
#pragma unroll
        for (int p = 0; p < 6; ++p) wide[p][i / WIDE][i % WIDE] = terms[p];
    }
    __syncthreads();
    float mean[6];
    float2 loss = make_float2(0.0f, 0.0f);
    windowed<6>(wide, rows, window, mean);
    const int column = plane.x + threadIdx.x, row = plane.y + threadIdx.y;
    if (column < width && row < height) {
        const long long at = plane.at(column, row), next = (long long)width * height * channels;
        const float x = picture[at], y = target[at], w = importance[at];
        // Without any importance under the window the texel itself has none either.
        const float inverse = mean[0] > 0.0f ? 1.0f / fmaxf(mean[0], 1.17549435e-38f) : 0.0f;
#pragma unroll
        for (int p = 1; p < 6; ++p) mean[p] *= inverse;
        const float mean_x = mean[1], mean_y = mean[2];
        const float variance_x = mean[3] - mean_x * mean_x, variance_y = mean[4] - mean_y * mean_y;
        const float covariance = mean[5] - mean_x * mean_y;
        // Two quotients, each exactly 1 for identical pictures: so what is the same has to be computed the same.
        const float product = mean_x * mean_y;
        const float squares = __fadd_rn(__fmul_rn(mean_x, mean_x), __fmul_rn(mean_y, mean_y));
        const float variances = __fadd_rn(variance_x, variance_y);
        const float luminance = gstex_similarity(2.0f * product, squares, c1);
        const float structure = gstex_similarity(2.0f * covariance, variances, c2);
        const float by_xy = gstex_ssim_by_xy(luminance, variances + c2);
        const float by_xx = gstex_ssim_by_xx(luminance, structure, variances + c2);
        const float by_x = gstex_ssim_by_x(mean_x, mean_y, luminance, structure, squares + c1, by_xy, by_xx);
        const float factor = w * inverse;
        slopes[at] = by_x * factor;
        slopes[next + at] = by_xx * factor;
        slopes[2 * next + at] = by_xy * factor;
        loss.x = gstex_perceptual(w, fabsf(x - y), luminance * structure, share);
        loss.y = w * (x - y) * (x - y);
    }
    parts[thread] = loss;
    __syncthreads();
    for (int apart = TILE * TILE / 2; apart; apart /= 2) {
        if (thread < apart) {
            parts[thread].x += parts[thread + apart].x;
            parts[thread].y += parts[thread + apart].y;
        }
        __syncthreads();
    }
    if (thread == 0)
        ((float2 *)losses)[((long long)blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = parts[0];
}

// v_picture: [H, W, C], the gradient of the loss by the picture. slopes: of fit_ssim.
extern "C" __global__ void __launch_bounds__(TILE * TILE)
fit_ssim_gradient(const float *picture, const float *target, const float *importance, const float *slopes,
                  const float *taps, int width, int height, int channels, float share, float *v_picture) {
    __shared__ float wide[3][WIDE][WIDE];
    __shared__ float rows[3][WIDE][TILE];
    __shared__ float window[TAPS];
    const Plane plane = {width, height, channels, int(blockIdx.z), int(blockIdx.x) * TILE, int(blockIdx.y) * TILE};
    const int thread = threadIdx.y * TILE + threadIdx.x;
    const long long next = (long long)width * height * channels;
    if (thread < TAPS) window[thread] = taps[thread];
    for (int i = thread; i < WIDE * WIDE; i += TILE * TILE) {
        const int column = plane.x + i % WIDE - RADIUS, row = plane.y + i / WIDE - RADIUS;
        const bool inside = column >= 0 && column < width && row >= 0 && row < height;
        for (int p = 0; p < 3; ++p)
            wide[p][i / WIDE][i % WIDE] = inside ? slopes[p * next + plane.at(column, row)] : 0.0f;
    }
    __syncthreads();
    float spread[3];
    windowed<3>(wide, rows, window, spread);
    const int column = plane.x + threadIdx.x, row = plane.y + threadIdx.y;
    if (column >= width || row >= height) return;
    const long long at = plane.at(column, row);
    const float x = picture[at], y = target[at], w = importance[at], difference = x - y;
    const float sign = difference > 0.0f ? 1.0f : difference < 0.0f ? -1.0f : 0.0f;
    const float similar = spread[0] + 2.0f * x * spread[1] + y * spread[2];
    v_picture[at] = gstex_v_perceptual(w, sign, similar, share);
}
