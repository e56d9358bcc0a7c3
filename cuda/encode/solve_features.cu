// A round of conjugate gradients for features of fixed shapes: the product with the matrix of the normal equations.
// Twin: gstex/native/conjugate_gradient.cpp.

#include "encode/points.cuh"

// product [N, C] = A times direction [N, C], channel by channel. row, column, value, plane: see
// encode/refine_features.cu. A warp a Gaussian.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_multiply(const int *row, const int *column, const double *value, long long pairs, const int *plane,
             const double *direction, int count, double *product) {
    const int g = blockIdx.x * FIT_WARPS + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (g >= count) return;
    double sums[FIT_CHANNELS] = {};
    for (int i = row[g] + lane; i < row[g + 1]; i += 32) {
        const double *other = direction + (long long)column[i] * FIT_CHANNELS;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) sums[c] += value[plane[c] * pairs + i] * other[c];
    }
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        const double sum = fit_warp_sum_double(sums[c]);
        if (lane == 0) product[(long long)g * FIT_CHANNELS + c] = sum;
    }
}
