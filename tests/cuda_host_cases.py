"""Kernels with mistakes, for the tests of cuda_host: what each does wrong must be found."""

import sys

import numpy as np
from cuda_host import HostDevice

SOURCE = """
extern "C" __global__ void sum(const float *in, float *out, int count) {
    extern __shared__ float all[];
    __shared__ float of_warp[8];
    float value = blockIdx.x * 256 + threadIdx.x < count ? in[blockIdx.x * 256 + threadIdx.x] : 0.0f;
    all[threadIdx.x] = value;
    for (int other = 16; other; other >>= 1) value += __shfl_xor_sync(0xFFFFFFFFu, value, other);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    if (threadIdx.x > 0) return;
    float whole = 0.0f, again = 0.0f;
    for (int i = 0; i < 8; ++i) whole += of_warp[i];
    for (int i = 0; i < 256; ++i) again += all[i];
    out[2 * blockIdx.x] = whole;
    out[2 * blockIdx.x + 1] = again;
}
// Reads what the next thread writes without waiting for it.
extern "C" __global__ void no_barrier(int *out) {
    __shared__ int shown[64];
    shown[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = shown[(threadIdx.x + 1) % 64];
}
extern "C" __global__ void ended_lane(int *out) {
    if (threadIdx.x > 0) __syncwarp();
}
extern "C" __global__ void two_barriers(int *out) {
    if (threadIdx.x < 48) __syncthreads();
    else __syncwarp();
}
extern "C" __global__ void not_in_mask(int *out) { __syncwarp(0xFFFEu); }
extern "C" __global__ void beyond(int *out, int where) { out[where] = 1; }
extern "C" __global__ void beyond_shared(int *out, int where) {
    extern __shared__ int own[];
    own[where] = 1;
    out[0] = own[where];
}
extern "C" __global__ void overflow(int *out, int by) { out[0] = 0x7FFFFFFF + by; }
extern "C" __global__ void shift(int *out, int by) { out[0] = 1 << by; }
extern "C" __global__ void lanes(unsigned *out) {
    int lane = threadIdx.x & 31;
    unsigned half = lane < 16 ? 0xFFFFu : 0xFFFF0000u;
    if (lane < 16) __syncwarp(half); // one half of a warp may do more than the other
    out[6 * threadIdx.x] = __ballot_sync(half, lane % 3 == 0);
    out[6 * threadIdx.x + 1] = __shfl_down_sync(0xFFFFFFFFu, unsigned(lane), 5);
    out[6 * threadIdx.x + 2] = __shfl_up_sync(0xFFFFFFFFu, unsigned(lane), 5);
    out[6 * threadIdx.x + 3] = __shfl_sync(0xFFFFFFFFu, unsigned(lane), 3, 8);
    out[6 * threadIdx.x + 4] = __shfl_xor_sync(0xFFFFFFFFu, unsigned(lane), 9);
    out[6 * threadIdx.x + 5] = __syncthreads_count(lane == 7);
}
"""


def sums(device: HostDevice) -> tuple[np.ndarray, np.ndarray]:
    """The sums of blocks of 256 numbers: (expected [B, 2], found [B, 2])."""
    numbers = np.random.default_rng(3).integers(0, 100, 600).astype(np.float32)
    found = np.zeros((3, 2), np.float32)
    kernel = device.kernel_of_text(SOURCE, "sum")
    kernel((3,), (256,), numbers, found, np.int32(600), shared=1024)
    expected = np.concatenate([numbers, np.zeros(168, np.float32)]).reshape(3, 256).sum(axis=1)
    return np.stack([expected, expected], axis=1), found


def sound() -> None:
    """Runs what is right."""
    expected, found = sums(HostDevice())
    assert (expected == found).all()


def wrong(name: str) -> None:
    """Runs one mistake that only a sanitizer sees."""
    out = np.zeros(16, np.int32)
    argument = {"beyond": 16, "beyond_shared": 4, "overflow": 1, "shift": 32}[name]
    HostDevice().kernel_of_text(SOURCE, name)((1,), (1,), out, np.int32(argument), shared=16)
    print("not found", file=sys.stderr)
