// Before and after the tiles of a step: what tiles need of a Gaussian, and the sums over the rows that tiles wrote.
//
// All sums are made in an order that depends on nothing but the number of rows, so that equal steps are equal bytes.

#include "encode/tile.cuh"

// Lanes that a row of sums takes, a power of two.
#define ROW_LANES (FIT_SUMS <= 8 ? 8 : FIT_SUMS <= 16 ? 16 : 32)
#define LONG_THREADS 256

// A mip that is drawn with the Gaussians of mip 0 sees them scaled, with their variances enlarged by a filter.
//
// scale_x, scale_y: texels of the mip by texels of mip 0, 1 for mip 0 itself. filter: sigma in texels of mip 0.
static __device__ __forceinline__ float variance_of(float log_sigma) { return expf(2.0f * log_sigma); }

// geometry: [N, 6], x, y, rotation, log sigma u, log sigma v, amplitude (natural log). derived: [N, 8], see FitScene.
// A thread a Gaussian.
extern "C" __global__ void fit_derive(const float *geometry, float scale_x, float scale_y, float filter, int count,
                                      float *derived) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    const float *from = geometry + 6 * g;
    const float scale = 0.5f * (scale_x + scale_y), c = cosf(from[2]), s = sinf(from[2]);
    const float a = GSTEX_UNIT * gstex_seen(variance_of(from[3]), scale, filter * filter);
    const float b = GSTEX_UNIT * gstex_seen(variance_of(from[4]), scale, filter * filter);
    float4 *to = (float4 *)derived + 2 * g;
    to[0] = make_float4(from[0] * scale_x, from[1] * scale_y, a * c, a * s);
    to[1] = make_float4(b * s, b * c, from[5] * GSTEX_LOG2E, 0.0f);
}

// From the sums of a Gaussian to its gradients (formulas.h); lane i holds sum i. All lanes of a warp come here.
static __device__ __forceinline__ void finish(int g, int lane, float sum, const float *geometry, const float *derived,
                                              float scale_x, float scale_y, float filter, float weight, bool add,
                                              float *v_geometry, float *v_features) {
    float moment[6];
#pragma unroll
    for (int i = 0; i < 6; ++i) moment[i] = __shfl_sync(FIT_FULL, sum, i);
    if (lane < 6) {
        const float *row = derived + 8 * g;
        const float variance_u = variance_of(geometry[6 * g + 3]), variance_v = variance_of(geometry[6 * g + 4]);
        const float widened = filter * filter;
        const float ratio = sqrtf((variance_u + widened) / (variance_v + widened)); // b / a
        const float gradient =
            lane == 0   ? scale_x * gstex_v_x(row[2], row[4], moment[1], moment[2])
            : lane == 1 ? scale_y * gstex_v_y(row[3], row[5], moment[1], moment[2])
            : lane == 2 ? gstex_v_rotation(ratio, moment[5])
            : lane == 3 ? gstex_v_log_sigma(gstex_seen_slope(variance_u, widened), moment[3])
            : lane == 4 ? gstex_v_log_sigma(gstex_seen_slope(variance_v, widened), moment[4])
                        : moment[0];
        float *to = v_geometry + 6 * g + lane;
        *to = add ? *to + weight * gradient : weight * gradient;
    } else if (lane < FIT_SUMS) {
        float *to = v_features + g * FIT_CHANNELS + lane - 6;
        *to = add ? *to + weight * sum : weight * sum;
    }
}

// The sum over rows `first` .. `last` - 1, each `step`-th row of ROW_LANES lanes; lane i gets column i mod ROW_LANES.
static __device__ __forceinline__ float sum_rows(const float *entry_sums, int first, int last, int step, int lane) {
    const int column = lane & (ROW_LANES - 1);
    float sum = 0.0f;
    if (column < FIT_SUMS) {
#pragma unroll 4
        for (int row = first + lane / ROW_LANES; row < last; row += step)
            sum += entry_sums[(long long)row * FIT_ROW + column];
    }
#pragma unroll
    for (int apart = ROW_LANES; apart < 32; apart *= 2) sum += __shfl_xor_sync(FIT_FULL, sum, apart);
    return sum;
}

// Gradients of all Gaussians with at most `most` rows; a warp a Gaussian.
//
// by_gaussian_start: [N + 1]. entry_sums: [E, FIT_ROW], Gaussian by Gaussian. weight: [1], a factor of the result,
// which is added to v_geometry [N, 6] and v_features [N, C] if `add`, or takes their place.
extern "C" __global__ void fit_gather(const int *by_gaussian_start, const float *entry_sums, const float *geometry,
                                      const float *derived, float scale_x, float scale_y, float filter,
                                      const float *weight, int add, int most, int count, float *v_geometry,
                                      float *v_features) {
    const int g = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x & 31;
    if (g >= count) return;
    const int first = by_gaussian_start[g], last = by_gaussian_start[g + 1];
    if (last - first > most) return; // for fit_gather_long
    const float sum = sum_rows(entry_sums, first, last, 32 / ROW_LANES, lane);
    finish(g, lane, sum, geometry, derived, scale_x, scale_y, filter, weight[0], add, v_geometry, v_features);
}

// Gradients of the Gaussians with many rows; blocks of LONG_THREADS, each a Gaussian after another.
//
// is_long: [1 + N], how many there are, and which.
extern "C" __global__ void __launch_bounds__(LONG_THREADS)
fit_gather_long(const int *is_long, const int *by_gaussian_start, const float *entry_sums, const float *geometry,
                const float *derived, float scale_x, float scale_y, float filter, const float *weight, int add,
                float *v_geometry, float *v_features) {
    __shared__ float parts[LONG_THREADS / 32][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, together = 32 / ROW_LANES;
    for (int i = blockIdx.x; i < is_long[0]; i += gridDim.x) {
        const int g = is_long[1 + i], first = by_gaussian_start[g], last = by_gaussian_start[g + 1];
        parts[warp][lane] =
            sum_rows(entry_sums, first + warp * together, last, LONG_THREADS / 32 * together, lane);
        __syncthreads();
        if (!warp) {
            float sum = 0.0f;
            for (int k = 0; k < LONG_THREADS / 32; ++k) sum += parts[k][lane];
            finish(g, lane, sum, geometry, derived, scale_x, scale_y, filter, weight[0], add, v_geometry, v_features);
        }
        __syncthreads(); // before parts are written again
    }
}

// sums [N, 2] in double = sums over the rows [E, 2] of each Gaussian; a warp a Gaussian.
extern "C" __global__ void fit_sum_pairs(const int *by_gaussian_start, const float *entry_sums, int count,
                                         double *sums) {
    const int g = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x & 31;
    if (g >= count) return;
    double first = 0.0, second = 0.0;
    for (int row = by_gaussian_start[g] + lane; row < by_gaussian_start[g + 1]; row += 32) {
        const float2 pair = ((const float2 *)entry_sums)[row];
        first += pair.x;
        second += pair.y;
    }
#pragma unroll
    for (int apart = 16; apart; apart /= 2) {
        first += __shfl_xor_sync(FIT_FULL, first, apart);
        second += __shfl_xor_sync(FIT_FULL, second, apart);
    }
    if (lane == 0) sums[2 * g] = first, sums[2 * g + 1] = second;
}
