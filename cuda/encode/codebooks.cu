// Features and what stands for them: entries of palettes and codes (docs/format.md, "Palettes" and "Record").
//
// N Gaussians, V = CHANNELS channels that vary, P palettes. A feature in steps is (feature - lo) / step: a record gives
// it as the sum of a byte of every palette and a code. bytes: [entries of all palettes, V]. first: [P + 1], where the
// entries of a palette begin. last: [V], the largest code of a channel, 0 if it has none.

#include "gstex.cuh"

#ifndef CHANNELS
#define CHANNELS 4
#endif

#define THREADS 128
// Entries that a block has in shared memory at a time.
#define STAGED 128
#define QUADS ((CHANNELS + 3) / 4)

// The nearest of a palette's entries for every Gaussian of a block; the lower one of two that are equally near.
// rest: what the entry and the codes are to stand for. All threads of a block come here.
static __device__ __forceinline__ int nearest(const unsigned char *bytes, int first, int last_entry,
                                              const float (&rest)[CHANNELS], const float (&weight)[CHANNELS],
                                              const float (&last)[CHANNELS], bool codes, float4 (*staged)[QUADS]) {
    float best = 3.0e38f;
    int found = 0;
    for (int from = first; from < last_entry; from += STAGED) {
        const int count = min(STAGED, last_entry - from);
        __syncthreads();
        for (int i = threadIdx.x; i < count * QUADS; i += THREADS) {
            const unsigned char *entry = bytes + (from + i / QUADS) * CHANNELS;
            float four[4];
            for (int j = 0; j < 4; ++j) {
                const int c = 4 * (i % QUADS) + j;
                four[j] = c < CHANNELS ? float(entry[c]) : 0.0f;
            }
            staged[i / QUADS][i % QUADS] = make_float4(four[0], four[1], four[2], four[3]);
        }
        __syncthreads();
        for (int i = 0; i < count; ++i) {
            float error = 0.0f;
#pragma unroll
            for (int q = 0; q < QUADS; ++q) {
                const float4 value = staged[i][q];
                const float four[4] = {value.x, value.y, value.z, value.w};
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    if (4 * q + j >= CHANNELS) continue;
                    const int c = 4 * q + j < CHANNELS ? 4 * q + j : 0;
                    float left = rest[c] - four[j];
                    if (codes) left -= fminf(fmaxf(rintf(left), 0.0f), last[c]);
                    error += weight[c] * left * left;
                }
            }
            if (error < best) {
                best = error;
                found = from + i - first;
            }
        }
    }
    return found;
}

// entries: [N, P], in place: every palette in turn takes the entry that is best given the others, at most `rounds`
// times or until nothing changes.
//
// wanted: [N, V], in steps. weights: [V], what the square of an error of one step counts.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_choose_entries(const float *wanted, const float *weights, const int *last, const unsigned char *bytes,
                   const int *first, int palettes, int rounds, int count, unsigned *entries) {
    __shared__ float4 staged[STAGED][QUADS];
    const int g = blockIdx.x * THREADS + threadIdx.x, mine = min(g, count - 1);
    float rest[CHANNELS], weight[CHANNELS], most[CHANNELS];
    int chosen[GSTEX_MAX_PALETTES] = {};
    bool codes = false;
    for (int p = 0; p < palettes; ++p) chosen[p] = int(entries[mine * palettes + p]);
    __syncthreads(); // the last Gaussian is read by several threads
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) {
        rest[c] = wanted[mine * CHANNELS + c];
        weight[c] = weights[c];
        most[c] = float(last[c]);
        codes |= last[c] > 0;
        for (int p = 0; p < palettes; ++p) rest[c] -= float(bytes[(first[p] + chosen[p]) * CHANNELS + c]);
    }
    for (int round = 0; round < rounds; ++round) {
        bool changed = false;
        for (int p = 0; p < palettes; ++p) {
            const int old = chosen[p];
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) rest[c] += float(bytes[(first[p] + old) * CHANNELS + c]);
            chosen[p] = nearest(bytes, first[p], first[p + 1], rest, weight, most, codes, staged);
            changed |= chosen[p] != old;
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) rest[c] -= float(bytes[(first[p] + chosen[p]) * CHANNELS + c]);
        }
        if (!__syncthreads_or(changed)) break;
    }
    if (g >= count) return;
    for (int p = 0; p < palettes; ++p) entries[g * palettes + p] = unsigned(chosen[p]);
}

// The nearest codes [N, V] beside the entries [N, P], and the features [N, V] that both stand for; a thread a Gaussian.
//
// lo, step: [V], of the channels.
extern "C" __global__ void fit_round_features(const float *features, const unsigned *entries, const float *lo,
                                              const float *step, const int *last, const unsigned char *bytes,
                                              const int *first, int palettes, int count, unsigned *codes,
                                              float *rounded) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) {
        int sum = 0;
        for (int p = 0; p < palettes; ++p) sum += bytes[(first[p] + int(entries[g * palettes + p])) * CHANNELS + c];
        const float unit = step[c] == 0.0f ? 1.0f : step[c];
        const float wanted = rintf((features[g * CHANNELS + c] - lo[c]) / unit - float(sum));
        const int code = int(fminf(fmaxf(wanted, 0.0f), float(last[c])));
        codes[g * CHANNELS + c] = unsigned(code);
        rounded[g * CHANNELS + c] = __fadd_rn(lo[c], __fmul_rn(float(code + sum), step[c]));
    }
}

// What is stored, as numbers of steps [N, V] and as features [N, V]: codes [N, V] with the sum of the entries [N, P]; a
// thread a Gaussian.
extern "C" __global__ void fit_stored(const unsigned *codes, const unsigned *entries, const float *lo,
                                      const float *step, const unsigned char *bytes, const int *first, int palettes,
                                      int count, int *whole, float *values) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) {
        int sum = int(codes[g * CHANNELS + c]);
        for (int p = 0; p < palettes; ++p) sum += bytes[(first[p] + int(entries[g * palettes + p])) * CHANNELS + c];
        whole[g * CHANNELS + c] = sum;
        values[g * CHANNELS + c] = __fadd_rn(lo[c], __fmul_rn(float(sum), step[c]));
    }
}
