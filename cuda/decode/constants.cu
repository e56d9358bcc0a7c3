// Writes the channels that are in no group: they have one value everywhere, whether at texels or at points.

#include "gstex.cuh"

// out: float [count, channels]; the constant channels are written.
extern "C" __global__ void
write_constants(const gstex_word *__restrict__ words, long long count, float *__restrict__ out) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int channels = gstex_bits(words[3], 0, 8);
    for (int c = 0; c < channels; ++c) {
        gstex_word entry = words[GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * c];
        if (gstex_bits(entry, 16, 3) == GSTEX_CONSTANT_GROUP)
            out[i * channels + c] = gstex_saturate(__uint_as_float(words[entry >> 24]));
    }
}
