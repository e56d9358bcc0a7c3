// Better entries, codes and bytes of palettes for fixed shapes. Twin: gstex/native/ops/refine_features.cpp.
//
// E(f + d) = E(f) + sum over i of gradient_i d_i + sum over i, j of A_ij d_i d_j, channel by channel. Whoever changes
// works out its gradient anew from how far its neighbours have moved since `base`, so nothing is added up by several
// threads and the result is the same every time.
//
// N Gaussians, C = CHANNELS, P palettes, G planes of importance. row: [N + 1], column:
// [pairs], the neighbours of every Gaussian in CSR form, sorted, itself among them. value: [G, pairs], A of a
// plane. plane: [C], which one a channel has, and weight: [C], what it counts there. gradient: [N, C], dE / d feature at
// `base` by the weight of the channel. base, whole: [N, C], features in steps. step: [C].

#include "encode/points.cuh"

// Normalised weights of the entries of tiles first_tile .. last_tile - 1, weight [entries, 64]. A warp a tile.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_share_weights(FIT_SAMPLES_PARAMETERS, const float *total, int first_tile, int last_tile, float *weight) {
    const FitSamples samples = FIT_SAMPLES;
    const int lane = threadIdx.x & 31, number = first_tile + blockIdx.x * FIT_WARPS + int(threadIdx.x >> 5);
    if (number >= last_tile) return;
    const FitScene scene = fit_view_of(samples, number);
    const FitTile tile = fit_sample_tile(samples, number);
    const float *sums = total + (long long)number * FIT_POINTS;
    const float top = 1.0f / sums[lane], bottom = 1.0f / sums[lane + 32];
    for (int e = tile.first; e < tile.last; ++e) {
        const FitGaussian g = fit_gaussian(scene, tile, e);
        float *to = weight + (long long)(e - start[first_tile]) * FIT_POINTS;
        to[lane] = fit_weight(g, lane & 7, lane >> 3) * top;
        to[lane + 32] = fit_weight(g, lane & 7, (lane >> 3) + 4) * bottom;
    }
}

// Adds what the tiles of fit_share_weights give to A and to the gradient. A warp a Gaussian.
//
// by_start: [N + 1], by_gaussian: [E], the entries of a Gaussian, tile by tile. tile_of: [E]. target, out: [T, C, 64].
// importance: [T, planes, 64].
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_add_products(const int *start, const int *gaussian, const signed char *image, const int *by_start,
                 const long long *by_gaussian, const int *tile_of, const float *weight, int first_entry,
                 int last_entry, const float *target, const float *importance, int planes, const int *plane,
                 const float *out, const int *row, const int *column, long long pairs, int count, double *value,
                 double *gradient) {
    __shared__ float memory[FIT_WARPS][FIT_CHANNELS][FIT_POINTS]; // weights times importance, of a plane
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = blockIdx.x * FIT_WARPS + warp;
    if (g >= count) return;
    float(*mine)[FIT_POINTS] = memory[warp];
    int at = by_start[g]; // of the first entry in these tiles
    for (int last = by_start[g + 1]; at < last;) {
        const int middle = at + (last - at) / 2;
        if (by_gaussian[middle] < first_entry)
            at = middle + 1;
        else
            last = middle;
    }
    double slope[FIT_CHANNELS] = {};
    for (; at < by_start[g + 1] && by_gaussian[at] < last_entry; ++at) {
        const int entry = int(by_gaussian[at]), tile = tile_of[entry], first = start[tile], last = start[tile + 1];
        const float *own = weight + (long long)(entry - first_entry) * FIT_POINTS;
        const long long points = (long long)tile * FIT_CHANNELS * FIT_POINTS;
        const float *counts = importance + (long long)tile * planes * FIT_POINTS;
        __syncwarp(); // the tile before has been read
        for (int k = lane; k < FIT_POINTS; k += 32) {
#pragma unroll
            for (int c = 0; c < FIT_CHANNELS; ++c) {
                const long long i = points + c * FIT_POINTS + k;
                slope[c] += double(2.0f * counts[plane[c] * FIT_POINTS + k] * (out[i] - target[i]) * own[k]);
            }
            for (int n = 0; n < planes; ++n) mine[n][k] = own[k] * counts[n * FIT_POINTS + k];
        }
        __syncwarp();
        for (int from = first; from < last; from += 32) {
            const int other = from + lane;
            float sum[FIT_CHANNELS] = {};
            long long slot = 0;
            bool again = false;
            if (other < last) {
                slot = fit_lower_bound(column, row[g], row[g + 1], gaussian[other]);
                again = image[2 * other] != 0 || image[2 * other + 1] != 0;
                const float4 *theirs = (const float4 *)(weight + (long long)(other - first_entry) * FIT_POINTS);
                for (int q = 0; q < FIT_POINTS / 4; ++q) {
                    const float4 four = theirs[q];
#pragma unroll
                    for (int n = 0; n < FIT_CHANNELS; ++n) {
                        if (n >= planes) continue;
                        const float *with = mine[n] + 4 * q;
                        sum[n] += four.x * with[0] + four.y * with[1] + four.z * with[2] + four.w * with[3];
                    }
                }
            }
            // Two images of one Gaussian in a tile have the same place: one lane after the other.
            const bool in_turn = __any_sync(FIT_FULL, again);
            for (int turn = 0; turn < (in_turn ? 32 : 1); ++turn) {
                if (other < last && (!in_turn || lane == turn)) {
#pragma unroll
                    for (int n = 0; n < FIT_CHANNELS; ++n)
                        if (n < planes) value[n * pairs + slot] += double(sum[n]);
                }
                __syncwarp();
            }
        }
    }
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        const double sum = fit_warp_sum_double(slope[c]);
        if (lane == 0) gradient[g * FIT_CHANNELS + c] += sum;
    }
}

// What the neighbours' moves since `base` add to the gradient of a Gaussian by its steps; in all lanes of a warp.
static __device__ __forceinline__ void moved_gradient(int g, int lane, const int *row, const int *column,
                                                      const double *value, long long pairs, const int *plane,
                                                      const int *base, const int *whole,
                                                      double (&sums)[FIT_CHANNELS]) {
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) sums[c] = 0.0;
    for (int i = row[g] + lane; i < row[g + 1]; i += 32) {
        const long long other = (long long)column[i] * FIT_CHANNELS;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) {
            const int moved = whole[other + c] - base[other + c];
            if (moved) sums[c] += value[plane[c] * pairs + i] * double(moved);
        }
    }
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) sums[c] = 2.0 * fit_warp_sum_double(sums[c]);
}

// The gradient at `whole`; then `base` is to become `whole`. A warp a Gaussian.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_follow_gradient(const int *row, const int *column, const double *value, long long pairs, const int *plane,
                    const double *step, const int *base, const int *whole, int count, double *gradient) {
    const int g = blockIdx.x * FIT_WARPS + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (g >= count) return;
    double sums[FIT_CHANNELS];
    moved_gradient(g, lane, row, column, value, pairs, plane, base, whole, sums);
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c)
        if (lane == 0) gradient[g * FIT_CHANNELS + c] += sums[c] * step[c];
}

// Palettes and codes: bytes [entries of all palettes, C], first [P + 1], last [C], the largest codes.
struct Stored {
    const unsigned char *bytes;
    const int *first, *last;
    int palettes;
};

// Changes the entries and what is left of `rest` for codes: each palette in turn, given the others, to what is nearest
// by `scale` times squared distance. The lanes of a warp share the entries of a palette.
static __device__ __forceinline__ void choose(const Stored &stored, int lane, const float (&scale)[FIT_CHANNELS],
                                              float (&rest)[FIT_CHANNELS], int (&chosen)[GSTEX_MAX_PALETTES]) {
    float most[FIT_CHANNELS];
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        most[c] = float(stored.last[c]);
        for (int p = 0; p < stored.palettes; ++p)
            rest[c] -= float(stored.bytes[(stored.first[p] + chosen[p]) * FIT_CHANNELS + c]);
    }
    for (int round = 0; round < 4; ++round) {
        bool changed = false;
        for (int p = 0; p < stored.palettes; ++p) {
            const int begin = stored.first[p], old = begin + chosen[p];
#pragma unroll
            for (int c = 0; c < FIT_CHANNELS; ++c) rest[c] += float(stored.bytes[old * FIT_CHANNELS + c]);
            float best = 3.0e38f;
            int at = old;
            for (int k = begin + lane; k < stored.first[p + 1]; k += 32) {
                float distance = 0.0f;
#pragma unroll
                for (int c = 0; c < FIT_CHANNELS; ++c) {
                    float e = rest[c] - float(stored.bytes[k * FIT_CHANNELS + c]);
                    if (most[c] > 0.0f) e -= fminf(fmaxf(rintf(e), 0.0f), most[c]);
                    distance += scale[c] * e * e;
                }
                if (distance < best) best = distance, at = k;
            }
            for (int apart = 16; apart; apart /= 2) {
                const float other = __shfl_xor_sync(FIT_FULL, best, apart);
                const int other_at = __shfl_xor_sync(FIT_FULL, at, apart);
                if (other < best || (other == best && other_at < at)) best = other, at = other_at;
            }
            chosen[p] = at - begin;
            changed |= at != old;
#pragma unroll
            for (int c = 0; c < FIT_CHANNELS; ++c) rest[c] -= float(stored.bytes[at * FIT_CHANNELS + c]);
        }
        if (!changed) return;
    }
}

// The Gaussians of a batch, no two of them neighbours, take what is best for each given all others.
//
// batch: [members]. entries: [N, P], codes: [N, C]. moved: [1], channels that changed. A warp a member.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_sweep_features(const int *batch, int members, const int *row, const int *column, const double *value,
                   long long pairs, const int *plane, const double *step, const float *weight, const double *gradient,
                   const int *base, const unsigned char *bytes, const int *first, const int *last, int palettes, unsigned *entries,
                   unsigned *codes, int *whole, int *moved) {
    const int member = blockIdx.x * FIT_WARPS + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (member >= members) return;
    const int g = batch[member];
    const Stored stored{bytes, first, last, palettes};
    double sums[FIT_CHANNELS];
    moved_gradient(g, lane, row, column, value, pairs, plane, base, whole, sums);
    const int own = fit_lower_bound(column, row[g], row[g + 1], g);
    if (own == row[g + 1]) return; // it is seen nowhere
    double wanted[FIT_CHANNELS], scale[FIT_CHANNELS];
    float rest[FIT_CHANNELS], scale_here[FIT_CHANNELS];
    int chosen[GSTEX_MAX_PALETTES] = {};
    for (int p = 0; p < palettes; ++p) chosen[p] = int(entries[g * palettes + p]);
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        const double curvature = value[plane[c] * pairs + own], unit = step[c];
        wanted[c] = double(whole[g * FIT_CHANNELS + c]);
        scale[c] = 0.0;
        if (curvature > 1e-9 && unit > 0.0) {
            wanted[c] -= (gradient[g * FIT_CHANNELS + c] / unit + sums[c]) / (2.0 * curvature);
            scale[c] = double(weight[c]) * curvature * unit * unit;
        }
        rest[c] = float(wanted[c]);
        scale_here[c] = float(scale[c]);
    }
    choose(stored, lane, scale_here, rest, chosen);
    double gain = 0.0;
    int changed = 0, code[FIT_CHANNELS], now[FIT_CHANNELS];
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        const int old = whole[g * FIT_CHANNELS + c];
        code[c] = int(fminf(fmaxf(rintf(rest[c]), 0.0f), float(last[c])));
        now[c] = code[c];
        for (int p = 0; p < palettes; ++p) now[c] += bytes[(first[p] + chosen[p]) * FIT_CHANNELS + c];
        const double before = wanted[c] - double(old), after = wanted[c] - double(now[c]);
        gain += scale[c] * (before * before - after * after);
        changed += now[c] != old;
    }
    __syncwarp(); // all lanes have read what lane 0 writes
    if (gain <= 0.0 || lane) return;
    for (int p = 0; p < palettes; ++p) entries[g * palettes + p] = unsigned(chosen[p]);
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        codes[g * FIT_CHANNELS + c] = unsigned(code[c]);
        whole[g * FIT_CHANNELS + c] = now[c];
    }
    atomicAdd(moved, changed);
}

// A summed by the entries of a palette: sums [G, size, size], in units of 1 / unit. Whole numbers, so that their sum
// does not depend on the order. entry: [N]. A warp a Gaussian.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_sum_by_entry(const int *row, const int *column, const double *value, long long pairs, int planes,
                 const int *entry, int size, const double *unit, int count, unsigned long long *sums) {
    const int g = blockIdx.x * FIT_WARPS + threadIdx.x / 32;
    if (g >= count) return;
    for (int i = row[g] + int(threadIdx.x & 31); i < row[g + 1]; i += 32) {
        const long long at = (long long)entry[g] * size + entry[column[i]];
        for (int n = 0; n < planes; ++n)
            atomicAdd(sums + (long long)n * size * size + at,
                      (unsigned long long)(value[n * pairs + i] * unit[0] + 0.5));
    }
}

#define SLOPE_THREADS 128

// slopes: [size, C], dE / d feature summed over the Gaussians of an entry. order: [N], by entry; start: [size + 1].
// A block of SLOPE_THREADS an entry.
extern "C" __global__ void __launch_bounds__(SLOPE_THREADS)
fit_entry_slopes(const double *gradient, const long long *order, const int *start, double *slopes) {
    __shared__ double parts[SLOPE_THREADS];
    for (int c = 0; c < FIT_CHANNELS; ++c) {
        double sum = 0.0;
        for (int i = start[blockIdx.x] + threadIdx.x; i < start[blockIdx.x + 1]; i += SLOPE_THREADS)
            sum += gradient[order[i] * FIT_CHANNELS + c];
        __syncthreads(); // `parts` of the channel before has been read
        parts[threadIdx.x] = sum;
        __syncthreads();
        for (int apart = SLOPE_THREADS / 2; apart; apart /= 2) {
            if (threadIdx.x < apart) parts[threadIdx.x] += parts[threadIdx.x + apart];
            __syncthreads();
        }
        if (threadIdx.x == 0) slopes[blockIdx.x * FIT_CHANNELS + c] = parts[0];
    }
}

// Every byte of a palette in turn takes its best value, given all others. bytes: [size, C]. sums, unit: of
// fit_sum_by_entry. A block a channel; dynamic shared memory: double [size].
extern "C" __global__ void fit_move_bytes(const unsigned long long *sums, const double *unit, const double *slopes,
                                          const int *plane, const double *step, int size, unsigned char *bytes) {
    extern __shared__ double slope[];
    const int c = blockIdx.x;
    if (step[c] == 0.0) return;
    const unsigned long long *of_plane = sums + (long long)plane[c] * size * size;
    for (int k = threadIdx.x; k < size; k += blockDim.x) slope[k] = slopes[k * FIT_CHANNELS + c];
    for (int k = 0; k < size; ++k) {
        __syncthreads(); // the slope of k is up to date
        const double curvature = double(of_plane[(long long)k * size + k]) / unit[0];
        const int old = bytes[k * FIT_CHANNELS + c];
        double best = double(old);
        if (curvature > 1e-9) best += rint(-slope[k] / (2.0 * curvature * step[c]));
        const int now = int(fmin(fmax(best, 0.0), 255.0));
        __syncthreads(); // all have read slope[k] and the byte
        if (now == old) continue;
        const double moved = 2.0 * double(now - old) * step[c] / unit[0];
        for (int l = threadIdx.x; l < size; l += blockDim.x)
            slope[l] += moved * double(of_plane[(long long)k * size + l]);
        if (threadIdx.x == 0) bytes[k * FIT_CHANNELS + c] = (unsigned char)now;
    }
}
