// Decodes a group at a whole mip of Gaussians: the fast way to fetch all its texels, where all candidates are blended
// (K = 0).
//
// A warp owns a tile of 8x16 texels, four per lane. Its lanes look up the cells that any texel of the tile can see, in
// all levels, then decode a Gaussian each, drop it if it weighs nothing anywhere in the tile, and put the others into
// shared memory. Then all lanes evaluate all of these at their texels: a Gaussian is decoded once per tile, not once per
// texel, and what is read of it from shared memory serves four texels. Warps need nothing of each other.
//
// A tile looks at more cells than each of its texels. The fade, which is 0 outside the 3x3 cells around a Gaussian's
// own, gives every texel exactly those that are its own.
//
// The host takes another way (decode/fetch.cu) where a mip has more cells than texels, holds texels, or K > 0.

#include "decode/format.cuh"

#define TILE_WIDTH GSTEX_TILE
#define LANE_ROWS (32 / TILE_WIDTH) // what the lanes of a warp cover at once
#define ROWS 4                      // how often they do: texels of a lane
#define TILE_HEIGHT (LANE_ROWS * ROWS)
#define WARPS 4 // of a block
// Blocks that should run on a multiprocessor at once: as many as there are registers for.
#define BLOCKS (MEMBERS > 8 ? 3 : 4)
#define WHOLE_WARP 0xFFFFFFFFu

#define CODE_VECTORS ((MEMBERS + 3) / 4)
#define STAGED_VECTORS (2 + CODE_VECTORS)

// The cells of a level that a tile can see, row by row; columns and rows may lie outside the texture.
struct Block {
    int before; // such cells in the levels before
    int first_x, first_y, across;
    float middle_x, middle_y; // of the tile, in cells from the low border of first_x, first_y
};

// Of one warp.
struct Staged {
    union {
        // (along_x, along_y, U at the middle of the tile, peak), (across_x, across_y, V there, slot of the cell), then
        // codes: everything about a Gaussian lies together and is read by all lanes at once.
        float4 gaussian[32][STAGED_VECTORS];
        float values[32 * MEMBERS]; // of 32 texels, on their way out
    };
    // Slots of 32 cells at a time: the middle of the tile from the cell's low border and the size of a texel, in cells;
    // the level; the first record, and the number of Gaussians in the slots before.
    float4 place[32];
    int level[32], first[32], before[32];
    Block blocks[GSTEX_MAX_LEVELS];
    int channel[MEMBERS]; // of every member
};

// What a lane knows of its texels: all in one column, LANE_ROWS rows apart. Places are in texels of the mip from the
// middle of the tile.
struct Texels {
    float x, y[ROWS];
    float weight[ROWS], codes[ROWS][MEMBERS];
};

__device__ __forceinline__ float warp_min(float x) {
#pragma unroll
    for (int other = 16; other; other >>= 1) x = fminf(x, __shfl_xor_sync(WHOLE_WARP, x, other));
    return x;
}

__device__ __forceinline__ int warp_sum_before(int lane, int count) { // over the lanes before this one
    int sum = count;
#pragma unroll
    for (int by = 1; by < 32; by <<= 1) {
        int other = __shfl_up_sync(WHOLE_WARP, sum, by);
        if (lane >= by) sum += other;
    }
    return sum - count;
}

// Adds the staged Gaussians to the sums of all texels.
__device__ __forceinline__ void add_staged(const Staged &staged, int count, Texels &t) {
    int slot = -1;
    float fade[ROWS];
#pragma unroll 1
    for (int n = 0; n < count; ++n) {
        float4 along = staged.gaussian[n][0], across = staged.gaussian[n][1];
        if (__float_as_int(across.w) != slot) { // the same for all lanes
            slot = __float_as_int(across.w);
            float4 place = staged.place[slot];
            float fade_x = gstex_fade(fmaf(t.x, place.z, place.x - 0.5f));
#pragma unroll
            for (int j = 0; j < ROWS; ++j) fade[j] = fade_x * gstex_fade(fmaf(t.y[j], place.w, place.y - 0.5f));
        }
        float u = fmaf(along.x, t.x, along.z), v = fmaf(across.x, t.x, across.z), weight[ROWS];
#pragma unroll
        for (int j = 0; j < ROWS; ++j) {
            float u_j = fmaf(along.y, t.y[j], u), v_j = fmaf(across.y, t.y[j], v);
            weight[j] = fade[j] * gstex_weight(along.w, u_j, v_j);
            t.weight[j] += weight[j];
        }
#pragma unroll
        for (int q = 0; q < CODE_VECTORS; ++q) {
            float4 four = staged.gaussian[n][2 + q];
            const float code[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (int k = 4 * q; k < 4 * q + 4 && k < MEMBERS; ++k)
#pragma unroll
                for (int j = 0; j < ROWS; ++j) t.codes[j][k] = fmaf(weight[j], code[k - 4 * q], t.codes[j][k]);
        }
    }
}

// Fills in blocks, a level a lane, and returns how many cells they have together.
// left, top, right, bottom: the first and the last texel of the tile.
__device__ __forceinline__ int find_blocks(const gstex_word *words, const GstexMip &mip, int left, int top, int right,
                                           int bottom, int lane, Staged &staged) {
    int cells = 0;
    if (lane < mip.level_count) {
        gstex_word size = words[mip.background + MEMBERS + GSTEX_LEVEL_ENTRY_WORDS * lane];
        int cells_x = gstex_bits(size, 0, 16), cells_y = gstex_bits(size, 16, 16);
        // Cells in integers, as for a fetch. The middle of the tile, between two texels, has whole numbers too.
        int whole_x = 2 * mip.width, whole_y = 2 * mip.height;
        Block &block = staged.blocks[lane];
        block.first_x = (2 * left + 1) * cells_x / whole_x - 1;
        block.first_y = (2 * top + 1) * cells_y / whole_y - 1;
        block.across = (2 * right + 1) * cells_x / whole_x + 2 - block.first_x;
        cells = block.across * ((2 * bottom + 1) * cells_y / whole_y + 2 - block.first_y);
        int middle_x = (2 * left + TILE_WIDTH) * cells_x - block.first_x * whole_x;
        int middle_y = (2 * top + TILE_HEIGHT) * cells_y - block.first_y * whole_y;
        block.middle_x = __fdividef(float(middle_x), float(whole_x));
        block.middle_y = __fdividef(float(middle_y), float(whole_y));
    }
    int before = warp_sum_before(lane, cells);
    if (lane < mip.level_count) staged.blocks[lane].before = before;
    __syncwarp();
    return __shfl_sync(WHOLE_WARP, before + cells, 31);
}

// A cell a lane, from number `begin` of all blocks on: fills in the slots and returns how many Gaussians they hold.
__device__ __forceinline__ int find_cells(const gstex_word *words, const GstexHeader &h, const GstexGroup &g,
                                          const GstexMip &mip, int begin, int cells, int lane, Staged &staged) {
    int2 run = make_int2(0, 0);
    int number = begin + lane;
    if (number < cells) {
        int l = 0;
        for (int next = 1; next < mip.level_count; ++next)
            if (staged.blocks[next].before <= number) l = next;
        Block block = staged.blocks[l];
        int inside = number - block.before, row = inside / block.across, column = inside - row * block.across;
        float middle_x = block.middle_x - float(column), middle_y = block.middle_y - float(row);
        GstexLevel level = gstex_level(words, mip, l);
        row += block.first_y;
        column += block.first_x;
        if (h.repeat) {
            row = gstex_wrapped(row, level.cells_y);
            column = gstex_wrapped(column, level.cells_x);
        }
        if (row == gstex_clamped(row, level.cells_y) && column == gstex_clamped(column, level.cells_x))
            run = gstex_cell(words, level, row * level.cells_x + column);
        run.y = min(max(run.y, 0), g.candidates_max);
        staged.level[lane] = l;
        staged.place[lane] = make_float4(middle_x, middle_y, __fdividef(float(level.cells_x), float(mip.width)),
                                         __fdividef(float(level.cells_y), float(mip.height)));
    }
    int before = warp_sum_before(lane, run.y);
    staged.first[lane] = run.x;
    staged.before[lane] = before;
    __syncwarp();
    return __shfl_sync(WHOLE_WARP, before + run.y, 31);
}

// A Gaussian a lane, from number `done` of all slots on: decodes them and stages those that weigh more than 2^threshold
// somewhere in the tile. Returns how many that are.
// texel_width, texel_height: of the mip, in texels that the Gaussians are measured in.
__device__ __forceinline__ int stage(const gstex_word *words, const GstexGroup &g, const GstexMip &mip, int done,
                                     int total, float threshold, float texel_width, float texel_height, int lane,
                                     Staged &staged) {
    int number = done + lane, slot = 0;
    bool keeps = number < total;
    GstexShape shape = {};
    GstexStream stream = {};
    float u = 0.0f, v = 0.0f;
    if (keeps) {
#pragma unroll
        for (int step = 16; step; step >>= 1) // to the last slot that begins at or before `number`
            if (staged.before[slot + step] <= number) slot += step;
        GstexLevel level = gstex_level(words, mip, staged.level[slot]);
        int record = staged.first[slot] + number - staged.before[slot];
        stream = gstex_open(words, gstex_record_bit(level, record));
        shape = gstex_shape(g, level, mip.filter, stream);
        float4 place = staged.place[slot];
        float x = (place.x - shape.x) * level.cell_width, y = (place.y - shape.y) * level.cell_height;
        u = shape.along_x * x + shape.along_y * y;
        v = shape.across_x * x + shape.across_y * y;
        shape.along_x *= texel_width;
        shape.across_x *= texel_width;
        shape.along_y *= texel_height;
        shape.across_y *= texel_height;
        // At its nearest in the tile, or nearer.
        const float reach_x = 0.5f * float(TILE_WIDTH - 1), reach_y = 0.5f * float(TILE_HEIGHT - 1);
        float reach_u = fabsf(shape.along_x) * reach_x + fabsf(shape.along_y) * reach_y;
        float reach_v = fabsf(shape.across_x) * reach_x + fabsf(shape.across_y) * reach_y;
        float near_u = fmaxf(fabsf(u) - reach_u, 0.0f), near_v = fmaxf(fabsf(v) - reach_v, 0.0f);
        keeps = shape.peak - near_u * near_u - near_v * near_v > threshold;
    }
    gstex_word kept = __ballot_sync(WHOLE_WARP, keeps);
    if (keeps) {
        float4 *place = staged.gaussian[__popc(kept & ((1u << lane) - 1u))];
        place[0] = make_float4(shape.along_x, shape.along_y, u, shape.peak);
        place[1] = make_float4(shape.across_x, shape.across_y, v, __int_as_float(slot));
        GstexCodes codes = gstex_codes(words, g, stream);
        float *of = reinterpret_cast<float *>(place + 2);
#pragma unroll
        for (int k = 0; k < MEMBERS; ++k) of[k] = float(codes.of[k]);
    }
    __syncwarp();
    return __popc(kept);
}

// Writes the members' channels of all texels. As many texels as there are lanes go through shared memory at a time, so
// that neighbours in memory are written together.
__device__ __forceinline__ void write(const gstex_word *words, const GstexHeader &h, const GstexGroup &g,
                                      const GstexMip &mip, const Texels &t, int left, int top, int right, int bottom,
                                      int lane, Staged &staged, float *out) {
    float *values = staged.values;
    if (lane < MEMBERS) {
        gstex_word rest = g.members;
        for (int k = 0; k < lane; ++k) rest &= rest - 1;
        staged.channel[lane] = __ffs(int(rest)) - 1;
    }
    int inside = (right - left + 1) * MEMBERS;
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
        __syncwarp();
#pragma unroll
        for (int k = 0; k < MEMBERS; ++k)
            values[lane * MEMBERS + k] = gstex_value(words, g, mip, k, t.codes[j][k], t.weight[j]);
        __syncwarp();
        for (int row = 0; row < LANE_ROWS && top + LANE_ROWS * j + row <= bottom; ++row) {
            float *to = out + ((size_t)(top + LANE_ROWS * j + row) * mip.width + left) * h.channels;
            const float *from = values + row * TILE_WIDTH * MEMBERS;
            for (int i = lane; i < inside; i += 32)
                to[i / MEMBERS * h.channels + staged.channel[i % MEMBERS]] = from[i];
        }
    }
}

// out: float [height, width, channels] of the mip; the members' channels are written.
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
decode_mip(const gstex_word *__restrict__ words, int group, int number, float *__restrict__ out) {
    __shared__ Staged staged_of_warps[WARPS];
    GstexHeader h = gstex_header(words);
    GstexGroup g = gstex_group(words, h, group);
    GstexMip mip = gstex_mip(words, h, g, number);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int tiles_across = (mip.width + TILE_WIDTH - 1) / TILE_WIDTH;
    int tiles_down = (mip.height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    int tile = blockIdx.x * WARPS + warp;
    if (tile >= tiles_across * tiles_down) return; // the whole warp
    Staged &staged = staged_of_warps[warp];

    int left = tile % tiles_across * TILE_WIDTH, top = tile / tiles_across * TILE_HEIGHT;
    int right = min(left + TILE_WIDTH, mip.width) - 1, bottom = min(top + TILE_HEIGHT, mip.height) - 1;
    // Texels beyond the border do as the last one, so that they do not keep what no other texel needs.
    Texels t;
    int column = lane % TILE_WIDTH, row = lane / TILE_WIDTH;
    t.x = float(min(left + column, right) - left) - 0.5f * float(TILE_WIDTH - 1);
#pragma unroll
    for (int j = 0; j < ROWS; ++j) {
        t.y[j] = float(min(top + row + LANE_ROWS * j, bottom) - top) - 0.5f * float(TILE_HEIGHT - 1);
        t.weight[j] = GSTEX_BACKGROUND_WEIGHT;
#pragma unroll
        for (int k = 0; k < MEMBERS; ++k) t.codes[j][k] = 0.0f;
    }
    float texel_width = __fdividef(mip.own_width, float(mip.width));
    float texel_height = __fdividef(mip.own_height, float(mip.height));

    int cells = find_blocks(words, mip, left, top, right, bottom, lane, staged);
    for (int begin = 0; begin < cells; begin += 32) {
        int total = find_cells(words, h, g, mip, begin, cells, lane, staged);
        for (int done = 0; done < total; done += 32) {
            // What is below this is too little for all texels; their sums can only grow.
            float least = t.weight[0];
#pragma unroll
            for (int j = 1; j < ROWS; ++j) least = fminf(least, t.weight[j]);
            float threshold = __log2f(GSTEX_NEGLIGIBLE_WEIGHT * warp_min(least));
            int count = stage(words, g, mip, done, total, threshold, texel_width, texel_height, lane, staged);
            add_staged(staged, count, t);
            __syncwarp(); // nobody reads any more what is written next
        }
    }
    write(words, h, g, mip, t, left, top, right, bottom, lane, staged, out);
}
