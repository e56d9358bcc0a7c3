// A kernel that shows whether kernels run at all: out[i] = 3 in[i] + 1.

extern "C" __global__ void check(const int *in, int *out, int count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = 3 * in[i] + 1;
}
