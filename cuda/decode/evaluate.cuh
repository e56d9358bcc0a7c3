// One evaluation of a mip, for a thread of its own: what a shader does, function by function (shaders/gstex.glsl).
//
// TOP_K 0: for groups with K = 0, without a list of the heaviest.

#include "decode/format.cuh"

#ifndef TOP_K
#define TOP_K 1
#endif

// ---- Which Gaussians a texel sees ----------------------------------------------------------------------------------

// The Gaussians of three cells in a row as one run, so that a warp goes through one loop and not three, whether they
// are neighbours in the file or apart at a wrap. Candidate t lies in cell (t >= end_0) + (t >= end_1) of the three, and
// is record t + skip of that cell.
struct Row { int end_0, end_1, end_2, skip_0, skip_1, skip_2; };

__device__ __forceinline__ int2 cell_or_none(const gstex_word *words, const GstexHeader &h, const GstexLevel &level,
                                             int column, int row) {
    if (h.repeat) {
        column = gstex_wrapped(column, level.cells_x);
        row = gstex_wrapped(row, level.cells_y);
    }
    if (column != gstex_clamped(column, level.cells_x) || row != gstex_clamped(row, level.cells_y))
        return make_int2(0, 0);
    return gstex_cell(words, level, row * level.cells_x + column);
}

__device__ __forceinline__ Row cells_in_a_row(const gstex_word *words, const GstexHeader &h, const GstexLevel &level,
                                              int column, int row) {
    int2 left = cell_or_none(words, h, level, column - 1, row), middle = cell_or_none(words, h, level, column, row);
    int2 right = cell_or_none(words, h, level, column + 1, row);
    Row runs;
    runs.end_0 = max(left.y, 0);
    runs.end_1 = runs.end_0 + max(middle.y, 0);
    runs.end_2 = runs.end_1 + max(right.y, 0);
    runs.skip_0 = left.x;
    runs.skip_1 = middle.x - runs.end_0;
    runs.skip_2 = right.x - runs.end_1;
    return runs;
}

// ---- One evaluation ------------------------------------------------------------------------------------------------

struct Values { float of[MEMBERS]; }; // of the members of the group, in their order

struct Sums { float weight, codes[MEMBERS]; };

__device__ __forceinline__ void add(const gstex_word *words, const GstexGroup &g, const GstexStream &s, float weight,
                                    Sums &sums) {
    GstexCodes codes = gstex_codes(words, g, s);
    sums.weight += weight;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) sums.codes[k] = fmaf(weight, float(codes.of[k]), sums.codes[k]);
}

#if TOP_K
// The heaviest candidates so far, in falling order, and the bit where their palette entries begin.
struct Heaviest {
    float weight[GSTEX_MAX_TOP_K];
    unsigned long long at[GSTEX_MAX_TOP_K];
    int count;
};

// Puts a candidate in its place; of equal ones the first in the file comes first.
__device__ __forceinline__ void keep(float weight, unsigned long long at, int top_k, Heaviest &kept) {
    int place = kept.count;
    for (; place > 0; --place) {
        float other = kept.weight[place - 1];
        unsigned long long other_at = kept.at[place - 1];
        if (other > weight || (other == weight && other_at < at)) break;
        if (place < top_k) {
            kept.weight[place] = other;
            kept.at[place] = other_at;
        }
    }
    if (place < top_k) {
        kept.weight[place] = weight;
        kept.at[place] = at;
    }
    kept.count = min(kept.count + 1, top_k);
}
#endif

__device__ __forceinline__ Values raw_texel(const gstex_word *words, const GstexMip &mip, int column, int row) {
    const gstex_word *texel = words + mip.background + ((size_t)row * mip.width + column) * ((MEMBERS + 3) / 4);
    Values values;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) values.of[k] = float(gstex_bits(texel[k / 4], 8 * (k % 4), 8)) * (1.0f / 255.0f);
    return values;
}

// The value at a place inside a texel, 0 .. 1 across and down; (0.5, 0.5) is its centre.
__device__ __forceinline__ Values evaluate(const gstex_word *words, const GstexHeader &h, const GstexGroup &g,
                                           const GstexMip &mip, int column, int row, float inside_x,
                                           float inside_y) {
    if (mip.raw) return raw_texel(words, mip, column, row);
    Sums sums;
    sums.weight = GSTEX_BACKGROUND_WEIGHT;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) sums.codes[k] = 0.0f;
    int budget = g.candidates_max;
#if TOP_K
    Heaviest kept;
    kept.count = 0;
#endif
#pragma unroll 1
    for (int l = 0; l < mip.level_count; ++l) {
        GstexLevel level = gstex_level(words, mip, l);
        // (texel + inside) cells / size as cell and fraction. Integers, as float32 is too coarse for many cells.
        int scaled_x = column * level.cells_x, scaled_y = row * level.cells_y;
        int whole_x = scaled_x / mip.width, whole_y = scaled_y / mip.height;
        float rest_x = float(scaled_x - whole_x * mip.width) + inside_x * float(level.cells_x);
        float rest_y = float(scaled_y - whole_y * mip.height) + inside_y * float(level.cells_y);
        rest_x = __fdividef(rest_x, float(mip.width));
        rest_y = __fdividef(rest_y, float(mip.height));
        int cell_x = min(whole_x + int(rest_x), level.cells_x - 1);
        int cell_y = min(whole_y + int(rest_y), level.cells_y - 1);
        float fraction_x = rest_x - float(cell_x - whole_x), fraction_y = rest_y - float(cell_y - whole_y);
        float fade_0 = gstex_fade(fraction_x + 0.5f), fade_1 = gstex_fade(fraction_x - 0.5f);
        float fade_2 = gstex_fade(fraction_x - 1.5f);

#pragma unroll 1
        for (int j = -1; j <= 1; ++j) {
            Row runs = cells_in_a_row(words, h, level, cell_x, cell_y + j);
            int count = min(runs.end_2, budget);
            budget -= count;
            float from_row = fraction_y - float(j), fade_y = gstex_fade(from_row - 0.5f);
#pragma unroll 1
            for (int t = 0; t < count; ++t) {
                bool past_0 = t >= runs.end_0, past_1 = t >= runs.end_1;
                int record = t + (past_1 ? runs.skip_2 : past_0 ? runs.skip_1 : runs.skip_0);
                float from_column = fraction_x - (past_1 ? 1.0f : past_0 ? 0.0f : -1.0f);
                float fade = fade_y * (past_1 ? fade_2 : past_0 ? fade_1 : fade_0);
                unsigned long long bit = gstex_record_bit(level, record);
                GstexStream s = gstex_open(words, bit);
                GstexShape shape = gstex_shape(g, level, mip.filter, s);
                float dx = (from_column - shape.x) * level.cell_width, dy = (from_row - shape.y) * level.cell_height;
                float u = shape.along_x * dx + shape.along_y * dy, v = shape.across_x * dx + shape.across_y * dy;
                float weight = fade * gstex_weight(shape.peak, u, v);
#if TOP_K
                if (g.top_k > 0) {
                    keep(weight, bit + level.x_bits + level.y_bits + level.rotation_bits + 2 * level.scale_bits
                                     + level.amplitude_bits, g.top_k, kept);
                    continue;
                }
#endif
                if (weight > GSTEX_NEGLIGIBLE_WEIGHT * sums.weight) add(words, g, s, weight, sums);
            }
        }
    }
#if TOP_K
    for (int k = 0; k < kept.count; ++k) add(words, g, gstex_open(words, kept.at[k]), kept.weight[k], sums);
#endif
    Values values;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) values.of[k] = gstex_value(words, g, mip, k, sums.codes[k], sums.weight);
    return values;
}

// Writes the members' channels of one texel, among those that other groups write.
__device__ __forceinline__ void write(const GstexGroup &g, const Values &values, float *texel) {
    gstex_word rest = g.members;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k, rest &= rest - 1) texel[__ffs(int(rest)) - 1] = values.of[k];
}
