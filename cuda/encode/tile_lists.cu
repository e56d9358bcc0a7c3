// Which Gaussians the tiles have to evaluate: gstex/native/ops/tile_lists.cpp in three passes.
//
// Count what is visible in every tile, by cells alone; list it; mark what matters there. And where the runs of a sorted
// array begin, which index cells and Gaussians.

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

// counts: [T]. A thread a tile.
extern "C" __global__ void fit_count_visible(int tiles, int across, int width, int height, int repeat,
                                             const int *levels, int level_count, const int *cell_start,
                                             long long *counts) {
    const int tile = blockIdx.x * blockDim.x + threadIdx.x;
    if (tile >= tiles) return;
    long long total = 0;
    for_visible(tile, across, width, height, repeat, levels, level_count, cell_start, Count{total});
    counts[tile] = total;
}

struct List {
    const int *order;
    int lane;
    long long &at;
    int *gaussian;
    signed char *image;
    __device__ __forceinline__ void operator()(int first, int last, int image_x, int image_y) const {
        for (int i = first + lane; i < last; i += 32) {
            const long long entry = at + i - first;
            gaussian[entry] = order[i];
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
                 const int *cell_start, const int *order, const long long *visible_start, int *gaussian,
                 signed char *image) {
    const int tile = blockIdx.x * WARPS + threadIdx.x / 32;
    if (tile >= tiles) return;
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
fit_mark_entries(int tiles, int across, int width, int height, const long long *visible_start, const int *gaussian,
                 const signed char *image, const float *derived, const float *where, float margin,
                 unsigned char *state, int *kept) {
    __shared__ Staged memory[WARPS][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, tile = blockIdx.x * WARPS + warp;
    if (tile >= tiles) return;
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
