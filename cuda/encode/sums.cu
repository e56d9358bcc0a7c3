// Sums over the rows of a table, in double and in an order that depends on nothing but the number of rows; and numbers
// that a fit follows from step to step without asking for them.

#define THREADS 256

// The sum over a block of THREADS; right in thread 0.
static __device__ __forceinline__ double block_sum(double value) {
    __shared__ double parts[THREADS];
    parts[threadIdx.x] = value;
    __syncthreads();
    for (int apart = THREADS / 2; apart; apart /= 2) {
        if (threadIdx.x < apart) parts[threadIdx.x] += parts[threadIdx.x + apart];
        __syncthreads();
    }
    return parts[0];
}

// partial [gridDim.y, columns] = sums over rows [rows, columns]; block (column, y) takes every gridDim.y-th piece of
// THREADS rows.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_sum_rows(const float *values, int rows, double *partial) {
    double sum = 0.0;
    for (int row = blockIdx.y * THREADS + threadIdx.x; row < rows; row += gridDim.y * THREADS)
        sum += values[(long long)row * gridDim.x + blockIdx.x];
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// result [columns] = sums over partial [rows, columns]; a block a column.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_sum_partial(const double *partial, int rows, double *result) {
    double sum = 0.0;
    for (int row = threadIdx.x; row < rows; row += THREADS) sum += partial[row * gridDim.x + blockIdx.x];
    sum = block_sum(sum);
    if (threadIdx.x == 0) result[blockIdx.x] = sum;
}

// state: [1], a mean that follows `value` [1] times `factor`: all of it at first (known [1] = 0), then a tenth of the
// difference. One thread.
extern "C" __global__ void fit_follow(const double *value, double factor, int *known, double *state) {
    const double now = value[0] * factor;
    state[0] += (known[0] ? 0.1 : 1.0) * (now - state[0]);
    known[0] = 1;
}

// weight: [1] = `most`, or less if the error of a view [1] is above `limit` times that of the whole [1]: by the square
// of how much. The error of a view is 0 before its first step. One thread.
extern "C" __global__ void fit_view_weight(const double *whole, const double *view, double limit, double most,
                                           float *weight) {
    const double part = view[0] > 0.0 ? fmin(1.0, limit * whole[0] / view[0]) : 1.0;
    weight[0] = float(most * part * part);
}
