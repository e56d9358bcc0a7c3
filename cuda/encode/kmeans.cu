// Rounds of k-means with weights, for palettes: twin of gstex/native/ops/kmeans.cpp. N values of C = CHANNELS numbers.

#ifndef CHANNELS
#define CHANNELS 4
#endif

#define THREADS 128
// Entries that a block has in shared memory at a time.
#define STAGED 128
#define QUADS ((CHANNELS + 3) / 4)

// entry: [N], the nearest of the palette [entries, C] to every value [N, C]; the lower of two that are equally near.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_assign(const float *values, const float *palette, int entries, int count, int *entry) {
    __shared__ float4 staged[STAGED][QUADS];
    const int i = blockIdx.x * THREADS + threadIdx.x, mine = min(i, count - 1);
    float value[CHANNELS], best = 3.0e38f;
    int found = 0;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) value[c] = values[mine * CHANNELS + c];
    for (int from = 0; from < entries; from += STAGED) {
        const int here = min(STAGED, entries - from);
        __syncthreads();
        for (int k = threadIdx.x; k < here * QUADS; k += THREADS) {
            float four[4];
            for (int j = 0; j < 4; ++j) {
                const int c = 4 * (k % QUADS) + j;
                four[j] = c < CHANNELS ? palette[(from + k / QUADS) * CHANNELS + c] : 0.0f;
            }
            staged[k / QUADS][k % QUADS] = make_float4(four[0], four[1], four[2], four[3]);
        }
        __syncthreads();
        for (int k = 0; k < here; ++k) {
            float distance = 0.0f;
#pragma unroll
            for (int q = 0; q < QUADS; ++q) {
                const float4 entry_value = staged[k][q];
                const float four[4] = {entry_value.x, entry_value.y, entry_value.z, entry_value.w};
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    if (4 * q + j >= CHANNELS) continue;
                    const float apart = value[4 * q + j < CHANNELS ? 4 * q + j : 0] - four[j];
                    distance += apart * apart;
                }
            }
            if (distance < best) {
                best = distance;
                found = from + k;
            }
        }
    }
    if (i < count) entry[i] = found;
}

// palette: [entries, C], every entry the weighted mean of its values, in double and in a fixed order; entries of no
// value stay, and are `unused` [entries]. order: [N], the values by their entry; start: [entries + 1], where an entry's begin in it. weight: [N].
// A block of THREADS an entry.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_means(const float *values, const double *weight, const long long *order, const int *start, float *palette,
          int *unused) {
    __shared__ double parts[THREADS];
    const int entry = blockIdx.x, first = start[entry], last = start[entry + 1];
    if (threadIdx.x == 0) unused[entry] = first == last;
    if (first == last) return;
    double total = 0.0;
    for (int c = -1; c < CHANNELS; ++c) { // the weights themselves, then every channel
        double sum = 0.0;
        for (int i = first + threadIdx.x; i < last; i += THREADS) {
            const long long which = order[i];
            sum += c < 0 ? weight[which] : weight[which] * double(values[which * CHANNELS + (c < 0 ? 0 : c)]);
        }
        __syncthreads(); // `parts` of the channel before has been read
        parts[threadIdx.x] = sum;
        __syncthreads();
        for (int apart = THREADS / 2; apart; apart /= 2) {
            if (threadIdx.x < apart) parts[threadIdx.x] += parts[threadIdx.x + apart];
            __syncthreads();
        }
        if (c < 0)
            total = parts[0];
        else if (threadIdx.x == 0)
            palette[entry * CHANNELS + c] = float(parts[0] / total);
    }
}
