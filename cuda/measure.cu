// What a GPU can do at most, to hold the times of other kernels against: tools/gpu_check.py.

#define CHAINS 8 // independent sums of a thread: more than the cycles that one operation takes

// A copy of 16 bytes a thread and turn.
extern "C" __global__ void copy(const float4 *in, float4 *out, long long count) {
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) out[i] = in[i];
}

// CHAINS times `turns` fused multiplications and additions a thread, x = x scale + shift. out: float [threads].
extern "C" __global__ void multiply_add(float scale, float shift, int turns, float *out) {
    float x[CHAINS];
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
#pragma unroll
    for (int k = 0; k < CHAINS; ++k) x[k] = float(thread % 7 + k);
#pragma unroll 4
    for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
        for (int k = 0; k < CHAINS; ++k) x[k] = fmaf(x[k], scale, shift);
    }
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < CHAINS; ++k) sum += x[k];
    out[thread] = sum;
}
