// Which Gaussians the tiles have to evaluate: gstex/native/ops/tile_lists.cpp in three passes.
//
// Count what is visible in every tile, by cells alone; list it; mark what matters there. What matters is then put together,
// and sorted by Gaussian.
//
// Arrays of entries have room for a number that is known before: `visible_room`, `room`. What would not go into them is
// not written, and the host, which reads how many there are, gives more room and asks again. So buffers stay where they
// are from one list to the next.

#include "gstex.cuh"

#define POINTS (GSTEX_TILE * GSTEX_TILE)
#define WARPS 4
#define FULL 0xFFFFFFFFu
// Of a Gaussian that is not there.
#define NOTHING (-1e9f)

// A level of a pyramid in `levels` [L, 4]: columns, rows, number of its first cell, 0.
struct Grid {
    int columns, rows, first;
};

static __device__ __forceinline__ Grid grid_of(const int *levels, int level) {
    return Grid{levels[4 * level], levels[4 * level + 1], levels[4 * level + 2]};
}

struct Range {
    int low, high;
};

// First and last cell, unwrapped, whose Gaussians are visible in the texels from `texel` on. Points are jittered by up
// to half a texel, so that a tile reaches half a texel beyond its centres: to the edges of its texels.
static __device__ __forceinline__ Range cell_range(int texel, int extent, int cells, bool repeat) {
    const int end = min(texel + GSTEX_TILE, extent);
    Range range;
    range.low = int((long long)texel * cells / extent) - 1;
    range.high = int(((long long)end * cells + extent - 1) / extent);
    if (!repeat) {
        range.low = max(range.low, 0);
        range.high = min(range.high, cells - 1);
    }
    return range;
}

// How often i lies below 0 or above size: the shift in whole textures of an unwrapped cell.
static __device__ __forceinline__ int turns(int i, int size) { return (i >= 0 ? i : i - size + 1) / size; }

// Calls visit(first, last, image_x, image_y) for every run of Gaussians, in the order of their cells, that is visible
// in a tile. cell_start: [cells of all levels + 1].
template <class Visit>
static __device__ __forceinline__ void for_visible(int tile, int across, int width, int height, bool repeat,
                                                   const int *levels, int level_count, const int *cell_start,
                                                   Visit visit) {
    for (int level = 0; level < level_count; ++level) {
        const Grid grid = grid_of(levels, level);
        const Range x = cell_range(tile % across * GSTEX_TILE, width, grid.columns, repeat);
        const Range y = cell_range(tile / across * GSTEX_TILE, height, grid.rows, repeat);
        for (int row = y.low; row <= y.high; ++row) {
            const int image_y = turns(row, grid.rows), start = grid.first + (row - image_y * grid.rows) * grid.columns;
            for (int column = x.low; column <= x.high;) {
                // Cells up to the edge of the texture stand side by side.
                const int image_x = turns(column, grid.columns), shift = image_x * grid.columns;
                const int end = min(x.high, shift + grid.columns - 1);
                visit(cell_start[start + column - shift], cell_start[start + end - shift + 1], image_x, image_y);
                column = end + 1;
            }
        }
    }
}

struct Count {
    long long &total;
    __device__ __forceinline__ void operator()(int first, int last, int, int) const { total += last - first; }
};

// cell: [N], the number of every Gaussian's cell. where: [N, 4], see encode/tile.cuh, of a view whose cells have the sizes
// [L, 2]. placement: [N, 3], level and cell. A thread a Gaussian.
extern "C" __global__ void fit_find_cells(const int *placement, const int *levels, const float *sizes, int count,
                                          int *cell, float *where) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    const int level = placement[3 * g], x = placement[3 * g + 1], y = placement[3 * g + 2];
    const Grid grid = grid_of(levels, level);
    cell[g] = grid.first + y * grid.columns + x;
    ((float4 *)where)[g] = make_float4(float(x) + 0.5f, float(y) + 0.5f, sizes[2 * level], sizes[2 * level + 1]);
}

// counts: [T]. A thread a tile.
extern "C" __global__ void fit_count_visible(int tiles, int across, int width, int height, int repeat,
                                             const int *levels, int level_count, const int *cell_start, int *counts) {
    const int tile = blockIdx.x * blockDim.x + threadIdx.x;
    if (tile >= tiles) return;
    long long total = 0;
    for_visible(tile, across, width, height, repeat, levels, level_count, cell_start, Count{total});
    counts[tile] = int(min(total, 0x7FFFFFFFll));
}

#define STARTS_THREADS 1024

// Where every part begins: start [count + 1], in 64 bits and in 32, from counts [count]. total: [1], of all. One block.
extern "C" __global__ void __launch_bounds__(STARTS_THREADS)
fit_starts(const int *counts, int count, long long *start, int *narrow, long long *total) {
    __shared__ long long sums[STARTS_THREADS];
    const int t = threadIdx.x;
    // Every thread has a stretch of its own.
    const int each = (count + STARTS_THREADS - 1) / STARTS_THREADS;
    const int first = min(t * each, count), last = min(first + each, count);
    long long sum = 0;
    for (int i = first; i < last; ++i) sum += counts[i];
    sums[t] = sum;
    __syncthreads();
    for (int apart = 1; apart < STARTS_THREADS; apart *= 2) {
        const long long before = t >= apart ? sums[t - apart] : 0;
        __syncthreads();
        sums[t] += before;
        __syncthreads();
    }
    long long at = sums[t] - sum;
    for (int i = first; i < last; ++i) {
        start[i] = at, narrow[i] = int(at);
        at += counts[i];
    }
    if (t == STARTS_THREADS - 1) start[count] = at, narrow[count] = int(at), total[0] = at;
}

struct List {
    const long long *order;
    int lane;
    long long &at;
    int *gaussian;
    signed char *image;
    __device__ __forceinline__ void operator()(int first, int last, int image_x, int image_y) const {
        for (int i = first + lane; i < last; i += 32) {
            const long long entry = at + i - first;
            gaussian[entry] = int(order[i]);
            image[2 * entry] = (signed char)image_x;
            image[2 * entry + 1] = (signed char)image_y;
        }
        at += last - first;
    }
};

// gaussian [E], image [E, 2]: what is visible, tile by tile. order: [N], the Gaussians in the order of their cells.
// visible_start: [T + 1]. A warp a tile.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
fit_list_visible(int tiles, int across, int width, int height, int repeat, const int *levels, int level_count,
                 const int *cell_start, const long long *order, const long long *visible_start, int visible_room,
                 int *gaussian, signed char *image) {
    const int tile = blockIdx.x * WARPS + threadIdx.x / 32;
    if (tile >= tiles || visible_start[tiles] > visible_room) return;
    long long at = visible_start[tile];
    const List list{order, int(threadIdx.x & 31), at, gaussian, image};
    for_visible(tile, across, width, height, repeat, levels, level_count, cell_start, list);
}

// An entry in shared memory: a Gaussian in the frame of the tile, and two bytes of bits: where it does not fade at all,
// by column and by row.
struct Staged {
    float x, y, ac, as, bs, bc, amplitude;
    int whole;
};

// The Gaussian and its state: 0 if it has faded everywhere in the tile, 1 if it does not fade there, 2 if it does.
static __device__ __forceinline__ int stage(int g, int image_x, int image_y, int tile_x, int tile_y, int width,
                                            int height, const float *derived, const float *where, Staged &staged) {
    const float4 low = ((const float4 *)derived)[2 * g], high = ((const float4 *)derived)[2 * g + 1];
    const float4 cell = ((const float4 *)where)[g];
    const int tile_at[2] = {tile_x, tile_y}, image[2] = {image_x, image_y}, extent[2] = {width, height};
    const float middle[2] = {cell.x, cell.y}, size[2] = {cell.z, cell.w};
    float least = 1.0f, most[2];
    int whole = 0;
    for (int axis = 0; axis < 2; ++axis) {
        // The fade, widened by the half texel of jitter.
        const float slack = 0.5f / size[axis], cells = rintf(float(extent[axis]) / size[axis]);
        const float seen = middle[axis] + float(image[axis]) * cells;
        most[axis] = -1.0f;
        for (int k = 0; k < GSTEX_TILE; ++k) {
            const float place = float(tile_at[axis] + k) + 0.5f;
            const float distance = fabsf(place / size[axis] - seen);
            const float high_fade = GSTEX_FADE_SLOPE * (1.5f - distance + slack);
            least = fminf(least, GSTEX_FADE_SLOPE * (1.5f - distance - slack));
            most[axis] = fmaxf(most[axis], high_fade);
            if (high_fade > 1.0f) whole |= 1 << (axis * GSTEX_TILE + k);
        }
    }
    staged.x = low.x + float(image_x * width) - float(tile_x) - 0.5f;
    staged.y = low.y + float(image_y * height) - float(tile_y) - 0.5f;
    staged.ac = low.z, staged.as = low.w, staged.bs = high.x, staged.bc = high.y, staged.amplitude = high.z;
    staged.whole = whole;
    return most[0] <= 0.0f || most[1] <= 0.0f ? 0 : least >= 1.0f ? 1 : 2;
}

static __device__ __forceinline__ float score_of(const Staged &g, int column, int row) {
    const float dx = float(column) - g.x, dy = float(row) - g.y;
    const float u = g.ac * dx + g.as * dy, v = g.bc * dy - g.bs * dx;
    return gstex_score(g.amplitude, u, v);
}

// state: [E], 0 for a visible entry that does not matter, 1 for one that does, 2 if it fades somewhere in the tile.
// kept: [T], how many matter. margin: distance in log2 of the largest weight at a point from which on one does not.
// derived, where: see encode/tile.cuh. A warp a tile.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
fit_mark_entries(int tiles, int across, int width, int height, const long long *visible_start, int visible_room,
                 const int *gaussian, const signed char *image, const float *derived, const float *where, float margin,
                 unsigned char *state, int *kept) {
    __shared__ Staged memory[WARPS][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, tile = blockIdx.x * WARPS + warp;
    if (tile >= tiles) return;
    if (visible_start[tiles] > visible_room) {
        if (lane == 0) kept[tile] = 0;
        return;
    }
    const int tile_x = tile % across * GSTEX_TILE, tile_y = tile / across * GSTEX_TILE;
    const int column = lane & 7, row = lane >> 3;
    const int whole_top = 1 << column | 1 << (GSTEX_TILE + row);
    const int whole_bottom = 1 << column | 1 << (GSTEX_TILE + row + 4);
    Staged *staged = memory[warp];
    float best_top = NOTHING, best_bottom = NOTHING;
    int total = 0;
    // First what is best at every point, then who comes near it anywhere.
    for (int pass = 0; pass < 2; ++pass) {
        for (long long from = visible_start[tile]; from < visible_start[tile + 1]; from += 32) {
            const long long entry = from + lane;
            const int count = int(min(visible_start[tile + 1] - from, 32ll));
            int mine = 0;
            __syncwarp();
            if (lane < count)
                mine = stage(gaussian[entry], image[2 * entry], image[2 * entry + 1], tile_x, tile_y, width, height,
                             derived, where, staged[lane]);
            __syncwarp();
            const unsigned there = __ballot_sync(FULL, mine != 0);
            unsigned matter = 0;
            for (int i = 0; i < count; ++i) {
                if (!(there >> i & 1)) continue;
                const Staged &g = staged[i];
                const float top = score_of(g, column, row), bottom = score_of(g, column, row + 4);
                if (pass) {
                    const bool near = top >= best_top - margin || bottom >= best_bottom - margin;
                    if (__any_sync(FULL, near)) matter |= 1u << i;
                } else {
                    if ((g.whole & whole_top) == whole_top) best_top = fmaxf(best_top, top);
                    if ((g.whole & whole_bottom) == whole_bottom) best_bottom = fmaxf(best_bottom, bottom);
                }
            }
            if (pass) {
                if (lane < count) state[entry] = (unsigned char)(matter >> lane & 1 ? mine : 0);
                total += __popc(matter);
            }
        }
    }
    if (lane == 0) kept[tile] = total;
}

// What matters, put together: gaussian [room], image [room, 2], faded [room], and key [room]: first_key plus the Gaussian,
// or plus `count` where there is no entry. start: [T + 1]. is_long: see fit_find_rows, of which the first is set to 0. A
// warp a tile; all of them fill what is left.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
fit_keep_entries(int tiles, const long long *visible_start, const int *visible_gaussian,
                 const signed char *visible_image, const unsigned char *state, const long long *start, int room,
                 int first_key, int count, int *gaussian, signed char *image, unsigned char *faded, int *key, int *is_long) {
    const int lane = threadIdx.x & 31, tile = blockIdx.x * WARPS + threadIdx.x / 32;
    const int thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread == 0) is_long[0] = 0;
    const bool fits = start[tiles] <= room;
    for (long long i = (fits ? start[tiles] : 0) + thread; i < room; i += gridDim.x * blockDim.x)
        key[i] = first_key + count;
    if (tile >= tiles || !fits) return;
    long long at = start[tile];
    if (at == start[tile + 1]) return; // and where what is visible does not fit
    for (long long from = visible_start[tile]; from < visible_start[tile + 1]; from += 32) {
        const long long entry = from + lane;
        const int mine = entry < visible_start[tile + 1] ? state[entry] : 0;
        const unsigned matter = __ballot_sync(FULL, mine != 0);
        if (mine) {
            const long long to = at + __popc(matter & ((1u << lane) - 1u));
            gaussian[to] = visible_gaussian[entry];
            image[2 * to] = visible_image[2 * entry], image[2 * to + 1] = visible_image[2 * entry + 1];
            faded[to] = mine == 2;
            key[to] = first_key + visible_gaussian[entry];
        }
        at += __popc(matter);
    }
}

// The entries of every Gaussian, from `order`, which sorts the keys of fit_keep_entries, each plus `first`.
//
// total: [1], entries. by_gaussian, slot: [room], either the inverse of the other. row: [N + 1], where the entries of a
// Gaussian begin. is_long: [1 + N], the first 0 at first; how many Gaussians have more than `most` entries, and which, in any
// order. A thread an entry, and a Gaussian.
extern "C" __global__ void fit_find_rows(const long long *order, long long first, const long long *total, int room,
                                         const int *gaussian, int count, int most, long long *by_gaussian, int *slot,
                                         int *row, int *is_long) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (total[0] > room) return;
    const int entries = int(total[0]);
    if (i < entries) {
        const long long entry = order[i] - first;
        by_gaussian[i] = entry;
        slot[entry] = i;
    }
    if (i > count) return;
    int begin[2];
    for (int k = 0; k < 2; ++k) {
        int low = 0, high = entries;
        while (low < high) {
            const int middle = (low + high) / 2;
            if (gaussian[order[middle] - first] < i + k)
                low = middle + 1;
            else
                high = middle;
        }
        begin[k] = low;
    }
    row[i] = begin[0];
    if (i < count && begin[1] - begin[0] > most) is_long[1 + atomicAdd(is_long, 1)] = i;
}

// How many Gaussians every level has: counts [L], zero at first. placement: [N, 3]. A thread a Gaussian.
extern "C" __global__ void fit_count_levels(const int *placement, int count, int *counts) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g < count) atomicAdd(counts + placement[3 * g], 1);
}

// As fit_bounds, for keys [count] that `order` sorts.
extern "C" __global__ void fit_sorted_bounds(const int *key_of, const long long *order, int count, int keys,
                                             int *start) {
    const int key = blockIdx.x * blockDim.x + threadIdx.x;
    if (key > keys) return;
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (key_of[order[middle]] < key)
            low = middle + 1;
        else
            high = middle;
    }
    start[key] = low;
}

// start: [keys + 1], for every key the first place in `ordered` [count] with that key or a larger one. A thread a key.
extern "C" __global__ void fit_bounds(const int *ordered, int count, int keys, int *start) {
    const int key = blockIdx.x * blockDim.x + threadIdx.x;
    if (key > keys) return;
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (ordered[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    start[key] = low;
}
