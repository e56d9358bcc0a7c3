// Which Gaussians share a tile, and batches of Gaussians of which no two do.

#define FULL 0xFFFFFFFFu
#define WARPS 4

// keys: for every entry from `first` on, Gaussian by Gaussian, and every entry of its tile, the Gaussian times `count`
// plus the other. by_gaussian: [E]. tile_of: [E], the tile of an entry. start: [T + 1]. gaussian: [E]. offset: [E + 1],
// where the keys of the entries begin. A warp an entry.
extern "C" __global__ void fit_list_pairs(const long long *by_gaussian, const int *tile_of, const int *start,
                                          const int *gaussian, const long long *offset, int first, int entries,
                                          int count, long long *keys) {
    const int i = blockIdx.x * WARPS + threadIdx.x / 32;
    if (i >= entries) return;
    const long long entry = by_gaussian[first + i], mine = gaussian[entry];
    const int tile = tile_of[entry];
    long long *to = keys + offset[first + i] - offset[first];
    for (int e = start[tile] + int(threadIdx.x & 31); e < start[tile + 1]; e += 32)
        to[e - start[tile]] = mine * count + gaussian[e];
}

// A number in an order that has nothing to do with where Gaussians stand; no two have the same.
static __device__ __forceinline__ unsigned long long rank_of(int g) {
    unsigned x = unsigned(g) * 2654435761u;
    x = (x ^ x >> 15) * 2246822519u;
    return (unsigned long long)(x ^ x >> 13) << 32 | unsigned(g);
}

// A round of greedy colouring: a Gaussian whose neighbours of higher rank all have a colour takes the lowest that none of
// them has. Threads may see colours of this round or not; that decides in which round a colour is taken, not which.
//
// row: [N + 1], column: neighbours in CSR form. colour: [N], -1 for none yet. A warp a Gaussian.
extern "C" __global__ void fit_colour(const int *row, const int *column, int count, int *colour) {
    __shared__ unsigned used_of[WARPS][32];
    const int g = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (g >= count || colour[g] >= 0) return;
    unsigned *used = used_of[threadIdx.x / 32];
    const unsigned long long rank = rank_of(g);
    for (int base = 0;; base += 1024) {
        used[lane] = 0; // of colours base + 32 lane and up
        __syncwarp();
        for (int from = row[g]; from < row[g + 1]; from += 32) {
            const int other = from + lane < row[g + 1] ? column[from + lane] : g;
            const bool above = rank_of(other) > rank;
            const int at = (above ? ((volatile const int *)colour)[other] : base) - base;
            if (__any_sync(FULL, above && at + base < 0)) return; // in a later round
            if (above && at >= 0 && at < 1024) atomicOr(used + at / 32, 1u << (at & 31));
        }
        __syncwarp();
        const unsigned free = __ballot_sync(FULL, used[lane] != FULL);
        if (!free) {
            __syncwarp();
            continue; // all of 1024
        }
        const int word = __ffs(int(free)) - 1;
        if (lane == 0) colour[g] = base + 32 * word + __ffs(int(~used[word])) - 1;
        return;
    }
}
