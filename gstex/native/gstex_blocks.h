// gstex_blocks.h: turns .gstex materials into blocks of BC1, BC4, BC5 and BC7 on the CPU, in C99 and C++. It stands beside
// gstex.h, and is one file for the same reason: engines take it along as one. docs/integration.md shows it at work.
//
// In one source file, after gstex.h:
//
//     #define GSTEX_IMPLEMENTATION
//     #include "gstex.h"
//     #include "gstex_blocks.h"
//
// Wherever it is used:
//
//     gstex_map maps[GSTEX_MAX_CHANNELS]; gstex_map_use uses[GSTEX_MAX_CHANNELS];
//     int count = gstex_plan_maps(&material, GSTEX_PACK_BC7, 0, maps, uses);      // albedo BC7, normal BC5, height BC4 ..
//     size_t words = gstex_place_maps(maps, count, width, height);                // room for all blocks of a mip
//     gstex_encode_maps(&material, mip, 0, 0, width, height, maps, count, blocks);
//
// The encoders are those of shaders/bc.glsl and bc7.glsl, in whole numbers: the same texels give the same blocks as on a
// GPU. A gstex_map is a GstexMap of shaders/transcode.comp, so that a plan serves both.
//
// MIT licence, as the rest of gstex.

#ifndef GSTEX_BLOCKS_H
#define GSTEX_BLOCKS_H

#include "gstex.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a map is stored; the numbers are those at the end of shaders/bc7.glsl.
typedef enum gstex_block_format {
    GSTEX_RGBA8 = 0,      // texels, one word each, R in the lowest 8 bits
    GSTEX_BC1 = 1,        // R, G and B; blocks of 2 words
    GSTEX_BC4 = 4,        // R; 2 words
    GSTEX_BC5 = 5,        // R and G; 4 words
    GSTEX_BC7 = 7,        // 4 words
    GSTEX_BC7_OPAQUE = 8  // BC7 whose alpha is 1 everywhere
} gstex_block_format;

// A component that is the same in all texels: code 0 .. 255.
#define GSTEX_CODE(code) (256u + (code))

// A map to be written.
typedef struct gstex_map {
    uint32_t format;    // gstex_block_format
    uint32_t first;     // word of the buffer where it begins
    uint32_t source[4]; // of R, G, B and A: a channel, GSTEX_INVERTED(channel) (255 less its code), or GSTEX_CODE(code)
} gstex_map;

// What a map is for.
typedef struct gstex_map_use {
    int32_t role;      // gstex_role: GSTEX_ALBEDO of a picture in its place too, GSTEX_AO of the packed map
    int32_t component; // gstex_component of a map of one channel, else GSTEX_ONLY
    int32_t packed;    // 1: ao, roughness and metallic
    int32_t srgb;      // 1: sRGB codes, to be read as an sRGB format
} gstex_map_use;

typedef enum gstex_pack {
    GSTEX_PACK_NONE, // ao, roughness and metallic are a BC4 each
    GSTEX_PACK_BC7,  // one map, if there are two of them; what is missing is ao 1, roughness 1/2 or 1 - gloss, metallic 0
    GSTEX_PACK_BC1
} gstex_pack;

// The maps of a material, each in the format that engines use for it, as `gstex.blocks.plan_maps` of Python: albedo with the
// opacity in BC7, normals in BC5, other colours in BC7, all else in BC4. `first` is 0. normal_y_down: 1 for Y of normals that
// points down (DirectX), whatever the file has. Returns how many there are.
GSTEX_API int gstex_plan_maps(const gstex_material *material, gstex_pack pack, int normal_y_down,
                              gstex_map maps[GSTEX_MAX_CHANNELS], gstex_map_use uses[GSTEX_MAX_CHANNELS]);

// Words of a block, or of a texel of RGBA8. 0: there is no such format.
GSTEX_API uint32_t gstex_block_words(uint32_t format);

// Sets `first` of maps that stand one after the other in a buffer, for a rectangle of this size in texels. Returns the words
// of all of them.
GSTEX_API size_t gstex_place_maps(gstex_map *maps, int count, int32_t width, int32_t height);

// Decodes a rectangle of a mip once and writes all maps of it: blocks row by row, ceil(width / 4) in a row. x, y are multiples
// of 4; width and height too, where the rectangle does not reach to the border of the mip, whose last row and column are
// repeated in blocks that reach beyond it. words: of the buffer, from its first one.
// Returns 1, or 0 if the rectangle does not lie so, or a map has no such format or channel; then nothing is written.
GSTEX_API int gstex_encode_maps(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                                const gstex_map *maps, int count, uint32_t *words);

// A block of 16 texels, row by row, R in the lowest 8 bits of each. Writes gstex_block_words(format) words; of GSTEX_RGBA8,
// which has no blocks, none.
GSTEX_API void gstex_encode_block(uint32_t format, const uint32_t texels[16], uint32_t *words);

#ifdef __cplusplus
}
#endif

#endif // GSTEX_BLOCKS_H

#if defined(GSTEX_IMPLEMENTATION) && !defined(GSTEX_BLOCKS_IMPLEMENTED)
#define GSTEX_BLOCKS_IMPLEMENTED

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// ==== The encoders ==================================================================================================

static int gstex__bc_min(int a, int b) { return a < b ? a : b; }
static int gstex__bc_max(int a, int b) { return a > b ? a : b; }
static int gstex__bc_abs(int a) { return a < 0 ? -a : a; }
static int gstex__bc_clamp(int x, int least, int most) { return gstex__bc_min(gstex__bc_max(x, least), most); }

// The number of the highest bit that is set; bits: above 0.
static int gstex__bc_top_bit(uint32_t bits) {
    int top = 0;
    for (int step = 16; step > 0; step /= 2)
        if (bits >> (top + step)) top += step;
    return top;
}

// ---- encoders: written by tools/write_headers.py ----
// A block of 16 bytes, or one of 8 in the first two words; little-endian.
typedef struct GstexBlock { uint32_t word[4]; } GstexBlock;

// Two colours, 0 .. 255 by channel.
typedef struct GstexEnds { int lo[4], hi[4]; } GstexEnds;

// Ends that a format can hold, the indices of the texels between them (4 bits each, 0 at lo), and the squared error.
typedef struct GstexFit {
    GstexEnds ends;
    uint32_t low, high;
    int error;
} GstexFit;

static const uint32_t gstex_bc_all = 0xFFFFu; // of the texels of a block
enum { gstex_bc_worst = 0x7FFFFFFF };
enum { gstex_bc_turns = 3 };  // of ends and indices, from a start
enum { gstex_bc4_turns = 2 }; // of steps by one code

static int gstex_bc_channel(uint32_t texel, int c) { return (int)(texel >> (8 * c) & 255u); }

// a / b, rounded to the nearest; b above 0.
static int gstex_bc_divide(int a, int b) { return a < 0 ? -((b / 2 - a) / b) : (a + b / 2) / b; }

// x 2^shift, for shifts below 0 too.
static int gstex_bc_scale(int x, int shift) { return shift < 0 ? x >> -shift : x * (1 << shift); }

static GstexFit gstex_bc_no_fit(void) {
    GstexFit fit;
    for (int a = 0; a < 4; ++a) {
        fit.ends.lo[a] = 0;
        fit.ends.hi[a] = 0;
    }
    fit.low = 0u;
    fit.high = 0u;
    fit.error = gstex_bc_worst;
    return fit;
}

static int gstex_bc_index(GstexFit fit, int i) { return (int)((i < 8 ? fit.low : fit.high) >> (4 * (i & 7)) & 15u); }

static GstexFit gstex_bc_with_index(GstexFit fit, int i, int index) {
    uint32_t bits = (uint32_t)(index) << (4 * (i & 7));
    fit.low |= i < 8 ? bits : 0u;
    fit.high |= i < 8 ? 0u : bits;
    return fit;
}

// The block with `count` more bits at its end, 1 .. 31: blocks are written from bit 0 on, and must be filled.
static GstexBlock gstex_bc_put(GstexBlock block, int value, int count) {
    for (int i = 0; i < 3; ++i) block.word[i] = block.word[i] >> count | block.word[i + 1] << (32 - count);
    block.word[3] = block.word[3] >> count | (uint32_t)(value) << (32 - count);
    return block;
}

// ---- A line through the colours of some texels ---------------------------------------------------------------------
// mask: a bit for each texel that counts. used: 255 in the byte of each channel that counts; others are taken as 0.

// Where the product of channels a and b stands among the ten.
static int gstex_bc_pair(int a, int b) { return a > b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a; }

// The line along which the texels vary most, through their mean, as far as they reach. The direction is the largest
// eigenvector of their covariance, by power iteration.
static GstexEnds gstex_bc_line(const uint32_t *at, uint32_t mask, uint32_t used) {
    int count = 0, sum[4], covariance[10], axis[4];
    for (int a = 0; a < 4; ++a) sum[a] = 0;
    for (int k = 0; k < 10; ++k) covariance[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint32_t texel = at[i] & used;
        ++count;
        for (int a = 0; a < 4; ++a) {
            int x = gstex_bc_channel(texel, a);
            sum[a] += x;
            for (int b = 0; b <= a; ++b) covariance[gstex_bc_pair(a, b)] += x * gstex_bc_channel(texel, b);
        }
    }
    int most = 0; // times count^2, as all of the covariance: below 2^24
    for (int a = 0; a < 4; ++a) {
        for (int b = 0; b <= a; ++b) {
            int k = gstex_bc_pair(a, b);
            covariance[k] = count * covariance[k] - sum[a] * sum[b];
        }
        most = gstex__bc_max(most, covariance[gstex_bc_pair(a, a)]);
    }
    GstexEnds ends;
    for (int a = 0; a < 4; ++a) {
        ends.lo[a] = gstex_bc_divide(sum[a], count);
        ends.hi[a] = ends.lo[a];
        axis[a] = 0;
    }
    if (most == 0) return ends;
    // Numbers of the covariance have 20 bits, those of the axis 8: a sum of four products has 30.
    int shift = 19 - gstex__bc_top_bit((uint32_t)(most));
    for (int k = 0; k < 4; ++k)
        if (covariance[gstex_bc_pair(k, k)] == most)
            for (int a = 0; a < 4; ++a) axis[a] = gstex_bc_scale(covariance[gstex_bc_pair(a, k)], shift);
    for (int k = 0; k < 10; ++k) covariance[k] = gstex_bc_scale(covariance[k], shift);
    for (int turn = 0; turn < 5; ++turn) {
        int next[4], longest = 1;
        for (int a = 0; a < 4; ++a) {
            next[a] = axis[a];
            if (turn > 0) {
                next[a] = 0;
                for (int b = 0; b < 4; ++b) next[a] += covariance[gstex_bc_pair(a, b)] * axis[b];
            }
            longest = gstex__bc_max(longest, gstex__bc_abs(next[a]));
        }
        int down = 7 - gstex__bc_top_bit((uint32_t)(longest));
        for (int a = 0; a < 4; ++a) axis[a] = gstex_bc_scale(next[a], down);
    }
    int least = gstex_bc_worst, furthest = -gstex_bc_worst, middle = 0, norm = 0;
    for (int a = 0; a < 4; ++a) {
        middle += axis[a] * sum[a];
        norm += axis[a] * axis[a];
    }
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint32_t texel = at[i] & used;
        int along = 0;
        for (int a = 0; a < 4; ++a) along += axis[a] * gstex_bc_channel(texel, a);
        least = gstex__bc_min(least, along);
        furthest = gstex__bc_max(furthest, along);
    }
    for (int a = 0; a < 4; ++a) {
        int lo = sum[a] + gstex_bc_divide(axis[a] * (count * least - middle), gstex__bc_max(norm, 1));
        int hi = sum[a] + gstex_bc_divide(axis[a] * (count * furthest - middle), gstex__bc_max(norm, 1));
        ends.lo[a] = gstex__bc_clamp(gstex_bc_divide(lo, count), 0, 255);
        ends.hi[a] = gstex__bc_clamp(gstex_bc_divide(hi, count), 0, 255);
    }
    return ends;
}

// The nearest of the n + 1 values from lo to hi for every texel, for the ends as they are. unit: what the shares of hi
// are rounded to: 64 in BC7, whose values are rounded to 8 bits; n in BC1, whose values and squared errors are n times
// as large and exact.
static GstexFit gstex_bc_assign(const uint32_t *at, uint32_t mask, uint32_t used, GstexEnds ends, int n, int unit) {
    GstexFit fit;
    fit.ends = ends;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    int norm = 0;
    for (int a = 0; a < 4; ++a) norm += (ends.hi[a] - ends.lo[a]) * (ends.hi[a] - ends.lo[a]);
    uint32_t inverse = norm == 0 ? 0u : ((uint32_t)(n) << 27) / (uint32_t)(norm); // 2^27 times n / norm
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint32_t texel = at[i] & used;
        int along = 0;
        for (int a = 0; a < 4; ++a)
            along += (gstex_bc_channel(texel, a) - ends.lo[a]) * (ends.hi[a] - ends.lo[a]);
        int index = (int)(((uint32_t)(gstex__bc_clamp(along, 0, norm)) * inverse + (1u << 26)) >> 27);
        int share = (index * unit + n / 2) / n;
        for (int a = 0; a < 4; ++a) {
            int value = (unit - share) * ends.lo[a] + share * ends.hi[a], x = gstex_bc_channel(texel, a);
            int off = unit == 64 ? x - ((value + 32) >> 6) : unit * x - value;
            fit.error += off * off;
        }
        fit = gstex_bc_with_index(fit, i, index);
    }
    return fit;
}

// ---- Better ends for given indices ---------------------------------------------------------------------------------
// With shares (n - index) / n of lo and index / n of hi, n^2 times the squared error of a channel is, but for a constant,
// of_lo lo^2 + 2 mixed lo hi + of_hi hi^2 - 2 n (to_lo lo + to_hi hi).

typedef struct GstexSums { int n, of_lo, mixed, of_hi, to_lo[4], to_hi[4]; } GstexSums;

static GstexSums gstex_bc_sums(const uint32_t *at, uint32_t mask, uint32_t used, GstexFit fit, int n) {
    int count = 0, ones = 0;
    GstexSums sums;
    sums.n = n;
    sums.of_hi = 0;
    for (int a = 0; a < 4; ++a) {
        sums.to_lo[a] = 0;
        sums.to_hi[a] = 0;
    }
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint32_t texel = at[i] & used;
        int index = gstex_bc_index(fit, i);
        ++count;
        ones += index;
        sums.of_hi += index * index;
        for (int a = 0; a < 4; ++a) {
            sums.to_lo[a] += (n - index) * gstex_bc_channel(texel, a);
            sums.to_hi[a] += index * gstex_bc_channel(texel, a);
        }
    }
    sums.of_lo = n * (n * count - 2 * ones) + sums.of_hi;
    sums.mixed = n * ones - sums.of_hi;
    return sums;
}

// Sums by which the best ends are the given ones.
static GstexSums gstex_bc_sums_at(GstexEnds ends) {
    GstexSums sums;
    sums.n = 1;
    sums.of_lo = 1;
    sums.of_hi = 1;
    sums.mixed = 0;
    for (int a = 0; a < 4; ++a) {
        sums.to_lo[a] = ends.lo[a];
        sums.to_hi[a] = ends.hi[a];
    }
    return sums;
}

// The ends of least error, rounded to 8 bits; `ends` where all indices are the same.
static GstexEnds gstex_bc_solved(GstexSums sums, GstexEnds ends) {
    int determinant = sums.of_lo * sums.of_hi - sums.mixed * sums.mixed; // below 2^22
    if (determinant <= 0) return ends;
    int most = (255 / sums.n + 1) * determinant;
    for (int a = 0; a < 4; ++a) {
        int lo = gstex__bc_clamp(sums.of_hi * sums.to_lo[a] - sums.mixed * sums.to_hi[a], 0, most);
        int hi = gstex__bc_clamp(sums.of_lo * sums.to_hi[a] - sums.mixed * sums.to_lo[a], 0, most);
        ends.lo[a] = gstex__bc_min((lo * sums.n + determinant / 2) / determinant, 255);
        ends.hi[a] = gstex__bc_min((hi * sums.n + determinant / 2) / determinant, 255);
    }
    return ends;
}

static int gstex_bc_cost(GstexSums sums, int a, int lo, int hi) {
    return sums.of_lo * lo * lo + 2 * sums.mixed * lo * hi + sums.of_hi * hi * hi
           - 2 * sums.n * (sums.to_lo[a] * lo + sums.to_hi[a] * hi);
}

// A code of 4 to 8 bits as 8. Where p is 0 or 1 it is the code's lowest bit, and `code` is the bits above it.
static int gstex_bc_expand(int code, int bits, int p) {
    code = p < 0 ? code : 2 * code + p;
    return code << (8 - bits) | code >> (2 * bits - 8);
}

// The largest such code, and the one nearest to x.
static int gstex_bc_last(int bits, int p) { return (1 << (p < 0 ? bits : bits - 1)) - 1; }
static int gstex_bc_nearest(int x, int bits, int p) {
    int full = x * ((1 << bits) - 1);
    return gstex__bc_clamp(p < 0 ? (full + 127) / 255 : (full - 255 * p + 255) / 510, 0, gstex_bc_last(bits, p));
}

// What the ends of a format are: bits of a code (green has `greener` more); p_bits: 0: none; 1: one for both ends, which
// is the lowest bit of all their codes; 2: one for each. opaque: no p is 0. used: channels, others become 0. thorough:
// the p are searched with the codes, else before.
typedef struct GstexHold { uint32_t used; int bits, greener, p_bits; bool opaque, thorough; } GstexHold;

// Ends and their cost. Of the codes with these p: for one try the nearest to `ends`, for 9 the best of those and of the
// next ones up and down at either end.
typedef struct GstexHeld { GstexEnds ends; int cost; } GstexHeld;

static GstexHeld gstex_bc_held_with(GstexSums sums, GstexEnds ends, GstexHold hold, int p_lo, int p_hi, int tries) {
    GstexHeld held;
    held.cost = 0;
    for (int a = 0; a < 4; ++a) {
        held.ends.lo[a] = 0;
        held.ends.hi[a] = 0;
        if (gstex_bc_channel(hold.used, a) == 0) continue;
        int bits = a == 1 ? hold.bits + hold.greener : hold.bits, cheapest = gstex_bc_worst;
        int near_lo = gstex_bc_nearest(ends.lo[a], bits, p_lo), near_hi = gstex_bc_nearest(ends.hi[a], bits, p_hi);
        for (int i = 0; i < tries; ++i) {
            int code_lo = gstex__bc_clamp(near_lo + (i + 1) % 3 - 1, 0, gstex_bc_last(bits, p_lo)); // i = 0 is the nearest
            int code_hi = gstex__bc_clamp(near_hi + (i / 3 + 1) % 3 - 1, 0, gstex_bc_last(bits, p_hi));
            int lo = gstex_bc_expand(code_lo, bits, p_lo), hi = gstex_bc_expand(code_hi, bits, p_hi);
            int cost = gstex_bc_cost(sums, a, lo, hi);
            if (cost >= cheapest) continue;
            cheapest = cost;
            held.ends.lo[a] = lo;
            held.ends.hi[a] = hi;
        }
        held.cost += cheapest;
    }
    return held;
}

// Ends that a format can hold, near the given ones, with little error by the sums.
static GstexEnds gstex_bc_held(GstexSums sums, GstexEnds ends, GstexHold hold) {
    GstexHeld best;
    best.ends = ends;
    best.cost = gstex_bc_worst;
    int ways = 2 * hold.p_bits, chosen = 0;
    // One turn more for the codes, if the p were chosen without them.
    for (int turn = hold.opaque ? ways - 1 : 0; turn < ways + 1; ++turn) {
        bool last = turn == ways;
        if (last && hold.thorough && ways > 0) break;
        int way = last ? chosen : turn;
        int p_lo = ways == 0 ? -1 : way & 1, p_hi = hold.p_bits == 2 ? way >> 1 : p_lo;
        GstexHeld held = gstex_bc_held_with(sums, ends, hold, p_lo, p_hi, hold.thorough || last ? 9 : 1);
        if (held.cost >= best.cost && !last) continue;
        best = held;
        chosen = way;
    }
    return best.ends;
}

static GstexHold gstex_bc_hold(uint32_t used, int bits, int greener, int p_bits) {
    GstexHold hold;
    hold.used = used;
    hold.bits = bits;
    hold.greener = greener;
    hold.p_bits = p_bits;
    hold.opaque = false;
    hold.thorough = true;
    return hold;
}

// The best of some turns of ends and indices, from the ends `start` and their sums. hold, n, unit: of the format.
static GstexFit gstex_bc_fit(const uint32_t *at, uint32_t mask, GstexHold hold, GstexEnds start, GstexSums sums, int n, int unit) {
    GstexFit best = gstex_bc_no_fit();
    for (int turn = 0; turn < gstex_bc_turns && best.error > 0; ++turn) {
        GstexEnds held = gstex_bc_held(sums, start, hold);
        GstexFit fit = gstex_bc_assign(at, mask, hold.used, held, n, unit);
        if (fit.error >= best.error) break;
        best = fit;
        sums = gstex_bc_sums(at, mask, hold.used, fit, n);
        start = gstex_bc_solved(sums, held);
    }
    return best;
}

// ---- BC1: two colours of 5, 6 and 5 bits, and two between them -----------------------------------------------------

static int gstex_bc1_color(int r, int g, int b) { return r >> 3 << 11 | g >> 2 << 5 | b >> 3; }

// Sums by which the best ends have the middle of a line as their value of index 1: for blocks of almost one colour.
static GstexSums gstex_bc1_sums_between(GstexEnds line) {
    GstexSums sums;
    sums.n = 3;
    sums.of_lo = 4;
    sums.mixed = 2;
    sums.of_hi = 1;
    for (int a = 0; a < 4; ++a) {
        sums.to_hi[a] = (line.lo[a] + line.hi[a] + 1) / 2;
        sums.to_lo[a] = 2 * sums.to_hi[a];
    }
    return sums;
}

// R, G and B of a block, in the mode of four colours; 8 bytes.
static GstexBlock gstex_bc1(const uint32_t *at) {
    GstexHold hold = gstex_bc_hold(0xFFFFFFu, 5, 1, 0);
    GstexFit best = gstex_bc_no_fit();
    GstexEnds line = gstex_bc_line(at, gstex_bc_all, hold.used);
    // The texels reach from index 0 to 3, or only from 1 to 2, 0 to 1, 2 to 3, 0 to 2 or 1 to 3, and the ends beyond them:
    // codes are coarse, and what lies between two of them may suit the texels better.
    for (int start = 0; start < 7 && best.error > 0; ++start) {
        int first = (int)(0x0102010u >> (4 * start) & 3u), last = (int)(0x3323123u >> (4 * start) & 3u);
        GstexEnds ends = line;
        for (int a = 0; a < 3; ++a) {
            int step = line.hi[a] - line.lo[a], steps = last - first;
            ends.lo[a] = gstex__bc_clamp(line.lo[a] + gstex_bc_divide(-step * first, steps), 0, 255);
            ends.hi[a] = gstex__bc_clamp(line.lo[a] + gstex_bc_divide(step * (3 - first), steps), 0, 255);
        }
        GstexSums sums = gstex_bc_sums_at(ends);
        if (start == 6) sums = gstex_bc1_sums_between(line);
        GstexFit fit = gstex_bc_fit(at, gstex_bc_all, hold, ends, sums, 3, 3);
        if (fit.error < best.error) best = fit;
    }
    int lo = gstex_bc1_color(best.ends.lo[0], best.ends.lo[1], best.ends.lo[2]);
    int hi = gstex_bc1_color(best.ends.hi[0], best.ends.hi[1], best.ends.hi[2]);
    GstexBlock block;
    block.word[0] = (uint32_t)(gstex__bc_max(lo, hi)) | (uint32_t)(gstex__bc_min(lo, hi)) << 16; // this order means four colours
    block.word[1] = 0u;
    block.word[2] = 0u;
    block.word[3] = 0u;
    for (int i = 0; i < 16; ++i) {
        // From lo on; in the block 0 is the larger, 1 the smaller, 2 and 3 are between.
        int index = gstex_bc_index(best, i);
        if (lo < hi) index = 3 - index;
        if (lo == hi) index = 0;
        block.word[1] |= (uint32_t)(index == 0 ? 0 : index == 3 ? 1 : index + 1) << (2 * i);
    }
    return block;
}

// ---- BC4 and BC5: one and two channels, each with two values of 8 bits and six between them ------------------------

// A channel between two of its values, in n steps: n is 7, or 5 beside the values 0 and 255. error: n^2 times as large.
typedef struct GstexScalarFit {
    int lo, hi, n;
    uint32_t low, high; // indices of 4 bits, 0 at lo; 6 and 7 are 0 and 255
    int error;
} GstexScalarFit;

static GstexScalarFit gstex_bc4_assign(const uint32_t *at, int channel, int lo, int hi, int n) {
    GstexScalarFit fit;
    fit.lo = lo;
    fit.hi = hi;
    fit.n = n;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    int range = gstex__bc_max(hi - lo, 1);
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(at[i], channel), outer = n * gstex__bc_min(x, 255 - x);
        int index = gstex__bc_clamp((2 * n * (x - lo) + range) / (2 * range), 0, n);
        int off = n * (x - lo) - index * (hi - lo);
        if (n == 5 && outer < gstex__bc_abs(off)) {
            index = x < 128 ? 6 : 7;
            off = outer;
        }
        fit.error += off * off;
        uint32_t bits = (uint32_t)(index) << (4 * (i & 7));
        fit.low |= i < 8 ? bits : 0u;
        fit.high |= i < 8 ? 0u : bits;
    }
    return fit;
}

// The fit with its values moved to where its indices have the least squared error, rounded; the indices are not.
static GstexScalarFit gstex_bc4_solved(const uint32_t *at, int channel, GstexScalarFit fit) {
    int n = fit.n, count = 0, ones = 0, of_hi = 0, to_lo = 0, to_hi = 0;
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(at[i], channel);
        int index = (int)((i < 8 ? fit.low : fit.high) >> (4 * (i & 7)) & 15u);
        if (index > n) continue;
        ++count;
        ones += index;
        of_hi += index * index;
        to_lo += (n - index) * x;
        to_hi += index * x;
    }
    int of_lo = n * (n * count - 2 * ones) + of_hi, mixed = n * ones - of_hi;
    int determinant = of_lo * of_hi - mixed * mixed, most = (255 / n + 1) * determinant;
    if (determinant <= 0) return fit;
    int lo = gstex__bc_clamp(of_hi * to_lo - mixed * to_hi, 0, most), hi = gstex__bc_clamp(of_lo * to_hi - mixed * to_lo, 0, most);
    lo = gstex__bc_min((lo * n + determinant / 2) / determinant, 255);
    hi = gstex__bc_min((hi * n + determinant / 2) / determinant, 255);
    fit.lo = gstex__bc_min(lo, hi);
    fit.hi = gstex__bc_max(lo, hi);
    return fit;
}

// One channel of a block: 8 bytes.
static GstexBlock gstex_bc4(const uint32_t *at, int channel) {
    int least = 255, furthest = 0, inner_least = 255, inner_furthest = 0;
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(at[i], channel);
        least = gstex__bc_min(least, x);
        furthest = gstex__bc_max(furthest, x);
        if (x > 0 && x < 255) {
            inner_least = gstex__bc_min(inner_least, x);
            inner_furthest = gstex__bc_max(inner_furthest, x);
        }
    }
    GstexScalarFit fit, best, from;
    fit.lo = 0;
    fit.hi = 0;
    fit.n = 0;
    fit.low = 0u;
    fit.high = 0u;
    best = fit;
    for (int n = 7; n >= 5; n -= 2) {
        // Five steps pay where 0 or 255 occurs, beside other values.
        bool inner = inner_least <= inner_furthest && (inner_least > least || inner_furthest < furthest);
        if (n == 5 && !inner) continue;
        fit.error = gstex_bc_worst;
        from = fit;
        from.lo = n == 7 ? least : inner_least;
        from.hi = n == 7 ? furthest : inner_furthest;
        for (int step = 0; step < 3 + 8 * gstex_bc4_turns && fit.error > 0; ++step) {
            int move = (step - 3) & 7, to_lo = 0, to_hi = 0;
            if (step == 1 || step == 2) from = gstex_bc4_solved(at, channel, fit);
            if (step > 2) { // one up or down at either end
                if (move == 0) from = fit;
                int place = move < 4 ? move : move + 1; // of 3x3, without the middle
                to_lo = place % 3 - 1;
                to_hi = place / 3 - 1;
            }
            int lo = gstex__bc_clamp(from.lo + to_lo, 0, 255), hi = gstex__bc_clamp(from.hi + to_hi, 0, 255);
            if (lo > hi) continue;
            GstexScalarFit moved = gstex_bc4_assign(at, channel, lo, hi, n);
            if (moved.error < fit.error) fit = moved;
        }
        if (n == 7 || fit.error * 49 < best.error * 25) best = fit;
    }
    bool seven = best.n == 7 && best.lo < best.hi; // the larger value first means six values between
    uint32_t low = 0u, high = 0u; // indices of 3 bits: texels 0 .. 7 and 8 .. 15
    for (int i = 0; i < 16; ++i) {
        int index = (int)((i < 8 ? best.low : best.high) >> (4 * (i & 7)) & 15u);
        if (best.lo == best.hi) index = index > 5 ? index : 0;
        else if (seven) index = index == 7 ? 0 : index == 0 ? 1 : 8 - index;
        else if (index < 6) index = index == 0 ? 0 : index == 5 ? 1 : index + 1;
        uint32_t bits = (uint32_t)(index) << (3 * (i & 7));
        low |= i < 8 ? bits : 0u;
        high |= i < 8 ? 0u : bits;
    }
    GstexBlock block;
    block.word[0] = (uint32_t)(seven ? best.hi : best.lo) | (uint32_t)(seven ? best.lo : best.hi) << 8 | low << 16;
    block.word[1] = low >> 16 | high << 8;
    block.word[2] = 0u;
    block.word[3] = 0u;
    return block;
}

enum { gstex_bc7_enough = 3 }; // a squared error of a block that is not worth another mode: 60 dB
// Below this error of mode 6, 47 dB, rounding decides, and all modes are tried; above, those that suit the colours.
enum { gstex_bc7_fine = 64 };
enum { gstex_bc7_picks = 2 }; // shapes whose parts are encoded
enum { gstex_bc7_long = 80 }; // above this squared length lines need the values of mode 1 more than the ends of mode 3

// ---- Which parts and channels belong together ----------------------------------------------------------------------

// The 64 ways to divide a block in two; a bit for each texel of the second part.
static const uint32_t gstex_bc7_shapes[64] = {
    0xCCCCu, 0x8888u, 0xEEEEu, 0xECC8u, 0xC880u, 0xFEECu, 0xFEC8u, 0xEC80u,
    0xC800u, 0xFFECu, 0xFE80u, 0xE800u, 0xFFE8u, 0xFF00u, 0xFFF0u, 0xF000u,
    0xF710u, 0x008Eu, 0x7100u, 0x08CEu, 0x008Cu, 0x7310u, 0x3100u, 0x8CCEu,
    0x088Cu, 0x3110u, 0x6666u, 0x366Cu, 0x17E8u, 0x0FF0u, 0x718Eu, 0x399Cu,
    0xAAAAu, 0xF0F0u, 0x5A5Au, 0x33CCu, 0x3C3Cu, 0x55AAu, 0x9696u, 0xA55Au,
    0x73CEu, 0x13C8u, 0x324Cu, 0x3BDCu, 0x6996u, 0xC33Cu, 0x9966u, 0x0660u,
    0x0272u, 0x04E4u, 0x4E40u, 0x2720u, 0xC936u, 0x936Cu, 0x39C6u, 0x639Cu,
    0x9336u, 0x9CC6u, 0x817Eu, 0xE718u, 0xCCF0u, 0x0FCCu, 0x7744u, 0xEE22u
};
// Of each, the texel of the second part whose index has no highest bit; 4 bits each.
static const uint32_t gstex_bc7_anchors[8] = {
    0xFFFFFFFFu, 0xFFFFFFFFu, 0xF882282Fu, 0x22882282u,
    0xFF8286FFu, 0x6FF22282u, 0x22FF8626u, 0xF22FFFFFu
};

// Sums over some texels.
typedef struct GstexMoments { int count, sum[4], product[10]; } GstexMoments;

static GstexMoments gstex_bc7_moments(const uint32_t *at, uint32_t mask) {
    GstexMoments m;
    m.count = 0;
    for (int a = 0; a < 4; ++a) m.sum[a] = 0;
    for (int k = 0; k < 10; ++k) m.product[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint32_t texel = at[i];
        ++m.count;
        for (int a = 0; a < 4; ++a) {
            int x = gstex_bc_channel(texel, a);
            m.sum[a] += x;
            for (int b = 0; b <= a; ++b) m.product[gstex_bc_pair(a, b)] += x * gstex_bc_channel(texel, b);
        }
    }
    return m;
}

// The moments without channel a.
static GstexMoments gstex_bc7_without(GstexMoments m, int a) {
    for (int b = 0; b < 4; ++b) {
        if (b == a) m.sum[b] = 0;
        for (int c = 0; c <= b; ++c)
            if (b == a || c == a) m.product[gstex_bc_pair(b, c)] = 0;
    }
    return m;
}

// Squared distances of some texels from their mean, summed: along the line that fits them best, and from that line.
typedef struct GstexSpread { int along, rest; } GstexSpread;

// About these: the largest eigenvalue of the covariance, and the others.
static GstexSpread gstex_bc7_spread(GstexMoments m) {
    int covariance[10], axis[4], next[4], trace = 0, most = 0;
    for (int a = 0; a < 4; ++a) {
        for (int b = 0; b <= a; ++b) {
            int k = gstex_bc_pair(a, b);
            covariance[k] = m.count * m.product[k] - m.sum[a] * m.sum[b];
        }
        trace += covariance[gstex_bc_pair(a, a)];
        most = gstex__bc_max(most, covariance[gstex_bc_pair(a, a)]);
        axis[a] = 0;
    }
    // Numbers of the covariance have 15 bits with their trace, those of the axis 6: the sum of products below has 31.
    int shift = gstex__bc_max(gstex__bc_top_bit((uint32_t)(gstex__bc_max(trace, 1))) - 14, 0);
    for (int k = 0; k < 4; ++k)
        if (covariance[gstex_bc_pair(k, k)] == most)
            for (int a = 0; a < 4; ++a) axis[a] = covariance[gstex_bc_pair(a, k)] >> shift;
    for (int k = 0; k < 10; ++k) covariance[k] = covariance[k] >> shift;
    for (int turn = 0; turn < 2; ++turn) {
        int longest = 1;
        for (int a = 0; a < 4; ++a) longest = gstex__bc_max(longest, gstex__bc_abs(axis[a]));
        int down = 5 - gstex__bc_top_bit((uint32_t)(longest));
        for (int a = 0; a < 4; ++a) axis[a] = gstex_bc_scale(axis[a], down);
        for (int a = 0; a < 4; ++a) {
            next[a] = 0;
            for (int b = 0; b < 4; ++b) next[a] += covariance[gstex_bc_pair(a, b)] * axis[b];
        }
        if (turn < 1)
            for (int a = 0; a < 4; ++a) axis[a] = next[a];
    }
    int norm = 0, quotient = 0;
    for (int a = 0; a < 4; ++a) {
        norm += axis[a] * axis[a];
        quotient += axis[a] * next[a];
    }
    int along = quotient / gstex__bc_max(norm, 1), rest = gstex__bc_max((trace >> shift) - along, 0);
    GstexSpread spread;
    spread.along = (along << shift) / m.count;
    spread.rest = (rest << shift) / m.count;
    return spread;
}

// The shapes that divide a block into two lines best, the best first.
typedef struct GstexShapes { int shape[gstex_bc7_picks], along[gstex_bc7_picks], rest[gstex_bc7_picks]; } GstexShapes;

static GstexShapes gstex_bc7_best_shapes(const uint32_t *at, GstexMoments all) {
    GstexMoments first;
    GstexShapes best;
    for (int k = 0; k < gstex_bc7_picks; ++k) {
        best.shape[k] = 0;
        best.along[k] = 0;
        best.rest[k] = gstex_bc_worst;
    }
    for (int shape = 0; shape < 64; ++shape) {
        GstexMoments second = gstex_bc7_moments(at, gstex_bc7_shapes[shape]);
        first.count = all.count - second.count;
        for (int a = 0; a < 4; ++a) first.sum[a] = all.sum[a] - second.sum[a];
        for (int k = 0; k < 10; ++k) first.product[k] = all.product[k] - second.product[k];
        GstexSpread of_first = gstex_bc7_spread(first), of_second = gstex_bc7_spread(second);
        int placed = shape, along = of_first.along + of_second.along, rest = of_first.rest + of_second.rest;
        for (int k = 0; k < gstex_bc7_picks; ++k) {
            if (rest >= best.rest[k]) continue;
            int other = best.shape[k], other_along = best.along[k], other_rest = best.rest[k];
            best.shape[k] = placed;
            best.along[k] = along;
            best.rest[k] = rest;
            placed = other;
            along = other_along;
            rest = other_rest;
        }
    }
    return best;
}

// An index of texel `anchor` has no highest bit: where that is set the ends change places.
static GstexFit gstex_bc7_turned(GstexFit fit, uint32_t mask, int anchor, int n) {
    if (2 * gstex_bc_index(fit, anchor) <= n) return fit;
    GstexFit turned;
    turned.error = fit.error;
    turned.low = 0u;
    turned.high = 0u;
    for (int a = 0; a < 4; ++a) {
        turned.ends.lo[a] = fit.ends.hi[a];
        turned.ends.hi[a] = fit.ends.lo[a];
    }
    for (int i = 0; i < 16; ++i)
        if ((mask >> i & 1u) == 1u) turned = gstex_bc_with_index(turned, i, n - gstex_bc_index(fit, i));
    return turned;
}

// Indices of `bits` bits, one less for the texels in `anchors`.
static GstexBlock gstex_bc7_put_indices(GstexBlock block, uint32_t low, uint32_t high, int bits, uint32_t anchors) {
    for (int i = 0; i < 16; ++i) {
        int index = (int)((i < 8 ? low : high) >> (4 * (i & 7)) & 15u);
        block = gstex_bc_put(block, index, bits - (int)(anchors >> i & 1u));
    }
    return block;
}

// ---- Modes ---------------------------------------------------------------------------------------------------------

// A mode of BC7 for a block. A block has one or two parts: all of it (mode 6), its colours and a channel on its own
// (4, 5), or two sets of texels (1, 3, 7).
typedef struct GstexWay {
    int mode;
    int parts, channels; // channels: of the first part, in the block
    int p_bits;          // as of GstexHold
    int alone;           // the channel on its own, which stands in the place of alpha, and alpha in its place; or -1
    int shape;           // of the sets of texels; or -1
    int bits[2], index_bits[2]; // of a code with its p, and of an index, by part
} GstexWay;

// k 0: mode 6; 1 .. 4: mode 5 with channel k - 1 alone; 5 and 6: mode 4 with `nearest` alone; 7 .. 9: modes 1, 3 and 7.
static GstexWay gstex_bc7_way(int k, int nearest, int shape) {
    GstexWay way;
    way.mode = k == 0 ? 6 : k < 5 ? 5 : k < 7 ? 4 : k == 7 ? 1 : k == 8 ? 3 : 7;
    way.parts = k == 0 ? 1 : 2;
    way.channels = k == 0 || k == 9 ? 4 : 3;
    way.p_bits = k == 0 || k > 7 ? 2 : k == 7 ? 1 : 0;
    way.alone = k == 0 || k > 6 ? -1 : k < 5 ? k - 1 : nearest;
    way.shape = k > 6 ? shape : -1;
    way.bits[0] = k == 0 || k == 8 ? 8 : k < 5 || k == 7 ? 7 : k == 9 ? 6 : 5;
    way.bits[1] = k < 5 ? 8 : k < 7 ? 6 : way.bits[0];
    way.index_bits[0] = k == 0 ? 4 : k == 6 || k == 7 ? 3 : 2;
    way.index_bits[1] = k == 5 || k == 7 ? 3 : 2;
    return way;
}

static GstexBlock gstex_bc7_block(GstexWay way, GstexFit first, GstexFit second) {
    uint32_t mask = way.shape < 0 ? 0u : gstex_bc7_shapes[way.shape];
    int anchor = way.shape < 0 ? 0 : (int)(gstex_bc7_anchors[way.shape >> 3] >> (4 * (way.shape & 7)) & 15u);
    first = gstex_bc7_turned(first, gstex_bc_all ^ mask, 0, (1 << way.index_bits[0]) - 1);
    if (way.parts == 2)
        second = gstex_bc7_turned(second, way.shape < 0 ? gstex_bc_all : mask, anchor, (1 << way.index_bits[1]) - 1);
    GstexBlock block;
    for (int i = 0; i < 4; ++i) block.word[i] = 0u;
    block = gstex_bc_put(block, 1 << way.mode, way.mode + 1);
    if (way.shape >= 0) block = gstex_bc_put(block, way.shape, 6);
    if (way.alone >= 0) block = gstex_bc_put(block, (way.alone + 1) & 3, 2);
    if (way.mode == 4) block = gstex_bc_put(block, way.index_bits[0] - 2, 1); // whether the colours have 3 bits

    int p = 8 - way.bits[0], down = way.p_bits > 0 ? p + 1 : p, lo = 0, hi = 0; // where p stands in 8 bits
    for (int a = 0; a < 4; ++a) {
        lo += second.ends.lo[a]; // of a channel on its own; the others are 0
        hi += second.ends.hi[a];
        if (a >= way.channels) continue;
        block = gstex_bc_put(block, (a == way.alone ? first.ends.lo[3] : first.ends.lo[a]) >> down, 8 - down);
        block = gstex_bc_put(block, (a == way.alone ? first.ends.hi[3] : first.ends.hi[a]) >> down, 8 - down);
        if (way.shape < 0) continue;
        block = gstex_bc_put(block, second.ends.lo[a] >> down, 8 - down);
        block = gstex_bc_put(block, second.ends.hi[a] >> down, 8 - down);
    }
    if (way.alone >= 0) {
        block = gstex_bc_put(block, lo >> (8 - way.bits[1]), way.bits[1]);
        block = gstex_bc_put(block, hi >> (8 - way.bits[1]), way.bits[1]);
    }
    if (way.p_bits > 0) block = gstex_bc_put(block, first.ends.lo[0] >> p & 1, 1);
    if (way.p_bits > 1) block = gstex_bc_put(block, first.ends.hi[0] >> p & 1, 1);
    if (way.p_bits > 0 && way.shape >= 0) block = gstex_bc_put(block, second.ends.lo[0] >> p & 1, 1);
    if (way.p_bits > 1 && way.shape >= 0) block = gstex_bc_put(block, second.ends.hi[0] >> p & 1, 1);

    if (way.shape >= 0) {
        first.low |= second.low;
        first.high |= second.high;
    }
    bool swapped = way.alone >= 0 && way.index_bits[0] > way.index_bits[1]; // mode 4 has the indices of 2 bits first
    for (int turn = 0; turn < (way.alone >= 0 ? 2 : 1); ++turn) {
        bool colors = (turn == 0) != swapped;
        block = gstex_bc7_put_indices(block, colors ? first.low : second.low, colors ? first.high : second.high,
                                      colors ? way.index_bits[0] : way.index_bits[1], 1u | 1u << anchor);
    }
    return block;
}

// The channel, of the first few, without which the others are nearest to a line.
static int gstex_bc7_alone(GstexMoments all, int channels) {
    int nearest = 0, least = gstex_bc_worst;
    for (int a = 0; a < channels; ++a) {
        int rest = gstex_bc7_spread(gstex_bc7_without(all, a)).rest;
        if (rest >= least) continue;
        least = rest;
        nearest = a;
    }
    return nearest;
}

// R, G, B and A of a block: 16 bytes. has_alpha: else all texels have an alpha of 255, and the block 254 or 255. A block
// with alpha that is 255 in all texels keeps it.
static GstexBlock gstex_bc7(const uint32_t *at, bool has_alpha) {
    int transparent = 0; // squared error of an alpha of 255
    for (int i = 0; i < 16; ++i) {
        int off = 255 - gstex_bc_channel(at[i], 3);
        transparent += off * off;
    }
    bool opaque = transparent == 0, thorough = true;
    int least = gstex_bc_worst, nearest = 0, best = 0, best_shape = 0;
    GstexMoments all = gstex_bc7_moments(at, gstex_bc_all);
    GstexShapes shapes;
    for (int k = 0; k < gstex_bc7_picks; ++k) {
        shapes.shape[k] = 0;
        shapes.along[k] = 0;
    }
    GstexFit best_first = gstex_bc_no_fit(), best_second = best_first;
    for (int k = 0; k < 7 + 3 * gstex_bc7_picks && least > gstex_bc7_enough; ++k) {
        if (k == 1) {
            thorough = least < gstex_bc7_fine;
            nearest = gstex_bc7_alone(all, opaque ? 3 : 4);
        }
        if (k == 7) shapes = gstex_bc7_best_shapes(at, all);
        int pick = k < 7 ? 0 : (k - 7) / 3, number = k < 7 ? k : 7 + (k - 7) % 3, shape = shapes.shape[pick];
        GstexWay way = gstex_bc7_way(number, nearest, shape);
        // What cannot be, or does not suit the colours. Long lines need more indices, short ones finer ends.
        if (opaque && (way.alone == 3 || way.mode == 4 || way.mode == 7)) continue;
        if (!thorough && way.mode == 5 && way.alone != nearest) continue;
        if (!thorough && way.mode == (k < 7 ? 0 : shapes.along[pick] > gstex_bc7_long ? 3 : 1)) continue;

        uint32_t mask = way.shape < 0 ? gstex_bc_all : gstex_bc7_shapes[way.shape];
        bool colors_only = way.mode == 1 || way.mode == 3 || (way.mode == 6 && !has_alpha);
        int error = colors_only && has_alpha ? transparent : 0;
        GstexFit first = best_first, second = best_second;
        for (int part = 0; part < way.parts && error < least; ++part) {
            uint32_t used = colors_only ? 0xFFFFFFu : 0xFFFFFFFFu;
            if (way.alone >= 0) used = part == 0 ? ~(255u << (8 * way.alone)) : 255u << (8 * way.alone);
            int bits = part == 0 ? way.bits[0] : way.bits[1];
            int index_bits = part == 0 ? way.index_bits[0] : way.index_bits[1];
            GstexHold hold = gstex_bc_hold(used, bits, 0, way.p_bits);
            hold.opaque = has_alpha && opaque && way.mode == 6;
            hold.thorough = thorough;
            uint32_t texels = way.shape >= 0 && part == 0 ? gstex_bc_all ^ mask : mask;
            GstexEnds line = gstex_bc_line(at, texels, used);
            GstexFit fit = gstex_bc_fit(at, texels, hold, line, gstex_bc_sums_at(line), (1 << index_bits) - 1, 64);
            error += fit.error;
            if (part == 0) first = fit;
            else second = fit;
        }
        if (error >= least) continue;
        least = error;
        best = number;
        best_shape = shape;
        best_first = first;
        best_second = second;
    }
    if (best == 0 && !has_alpha) {
        best_first.ends.lo[3] = 255;
        best_first.ends.hi[3] = 255;
    }
    return gstex_bc7_block(gstex_bc7_way(best, nearest, best_shape), best_first, best_second);
}

// ---- Any format ----------------------------------------------------------------------------------------------------

static const uint32_t gstex_bc_rgba8 = 0u; // not encoded: words of the texels
static const uint32_t gstex_bc_bc1 = 1u, gstex_bc_bc4 = 4u, gstex_bc_bc5 = 5u, gstex_bc_bc7 = 7u;
static const uint32_t gstex_bc_bc7_opaque = 8u; // BC7 without alpha

// Words of a block.
static int gstex_bc_words(uint32_t format) { return format == gstex_bc_bc1 || format == gstex_bc_bc4 ? 2 : 4; }

// BC4 has R, BC5 R and G, BC1 R, G and B.
static GstexBlock gstex_bc_block(const uint32_t *at, uint32_t format) {
    GstexBlock block;
    if (format == gstex_bc_bc1) return gstex_bc1(at);
    if (format == gstex_bc_bc7 || format == gstex_bc_bc7_opaque) return gstex_bc7(at, format == gstex_bc_bc7);
    for (int channel = 0; channel < (format == gstex_bc_bc5 ? 2 : 1); ++channel) {
        GstexBlock scalars = gstex_bc4(at, channel);
        block.word[2] = channel == 0 ? 0u : scalars.word[0];
        block.word[3] = channel == 0 ? 0u : scalars.word[1];
        if (channel == 0) {
            block.word[0] = scalars.word[0];
            block.word[1] = scalars.word[1];
        }
    }
    return block;
}
// ---- end of encoders ----

// ==== Maps ==========================================================================================================

// The channels of a material that no map has yet.
typedef struct gstex__left {
    const gstex_material *material;
    uint32_t channels;
} gstex__left;

// The first channel of a role and a component that is left, or any component of the role for GSTEX__ANY; -1: there is none.
enum { GSTEX__ANY = -1 };
static int32_t gstex__find_left(const gstex__left *left, int32_t role, int32_t component) {
    int32_t c;
    for (c = 0; c < left->material->channel_count; ++c) {
        const gstex_channel *channel = &left->material->channels[c];
        if ((left->channels >> c & 1u) == 0 || channel->role != role) continue;
        if (component == GSTEX__ANY || channel->component == component) return c;
    }
    return -1;
}

static int32_t gstex__take_channel(gstex__left *left, int32_t role, int32_t component) {
    const int32_t c = gstex__find_left(left, role, component);
    if (c >= 0) left->channels &= ~(1u << c);
    return c;
}

// Whether a whole colour of a role is left: one grey channel, or red, green and blue, which are then taken.
static int gstex__take_color(gstex__left *left, int32_t role, uint32_t source[4]) {
    int i;
    const int32_t grey = gstex__take_channel(left, role, GSTEX_ONLY);
    if (grey >= 0) {
        for (i = 0; i < 3; ++i) source[i] = (uint32_t)grey;
        return 1;
    }
    for (i = 0; i < 3; ++i)
        if (gstex__find_left(left, role, GSTEX_RED + i) < 0) return 0;
    for (i = 0; i < 3; ++i) source[i] = (uint32_t)gstex__take_channel(left, role, GSTEX_RED + i);
    return 1;
}

// A map of black, to be filled in.
static void gstex__new_map(gstex_map *map, gstex_map_use *use, gstex_block_format format, int32_t role) {
    int i;
    map->format = (uint32_t)format;
    map->first = 0;
    for (i = 0; i < 4; ++i) map->source[i] = GSTEX_CODE(i == 3 ? 255u : 0u);
    use->role = role;
    use->component = GSTEX_ONLY;
    use->packed = use->srgb = 0;
}

// Ao, roughness and metallic in one map, if two of them are left.
static int gstex__plan_packed(gstex__left *left, gstex_pack pack, gstex_map *map, gstex_map_use *use) {
    int32_t ao = gstex__find_left(left, GSTEX_AO, GSTEX__ANY), metallic = gstex__find_left(left, GSTEX_METALLIC, GSTEX__ANY);
    int32_t roughness = gstex__find_left(left, GSTEX_ROUGHNESS, GSTEX__ANY), gloss = gstex__find_left(left, GSTEX_GLOSS, GSTEX__ANY);
    if (pack == GSTEX_PACK_NONE || (ao >= 0) + (metallic >= 0) + (roughness >= 0 || gloss >= 0) < 2) return 0;
    gstex__new_map(map, use, pack == GSTEX_PACK_BC1 ? GSTEX_BC1 : GSTEX_BC7_OPAQUE, GSTEX_AO);
    use->packed = 1;
    ao = gstex__take_channel(left, GSTEX_AO, GSTEX__ANY);
    metallic = gstex__take_channel(left, GSTEX_METALLIC, GSTEX__ANY);
    roughness = gstex__take_channel(left, GSTEX_ROUGHNESS, GSTEX__ANY);
    gloss = roughness < 0 ? gstex__take_channel(left, GSTEX_GLOSS, GSTEX__ANY) : -1;
    map->source[0] = ao < 0 ? GSTEX_CODE(255u) : (uint32_t)ao;
    map->source[1] = roughness >= 0 ? (uint32_t)roughness : gloss >= 0 ? (uint32_t)GSTEX_INVERTED(gloss) : GSTEX_CODE(128u);
    map->source[2] = metallic < 0 ? GSTEX_CODE(0u) : (uint32_t)metallic;
    return 1;
}

GSTEX_API int gstex_plan_maps(const gstex_material *material, gstex_pack pack, int normal_y_down,
                              gstex_map maps[GSTEX_MAX_CHANNELS], gstex_map_use uses[GSTEX_MAX_CHANNELS]) {
    gstex__left left;
    uint32_t source[4];
    int count = 0;
    int32_t c;
    left.material = material;
    left.channels = (1u << material->channel_count) - 1u;
    if (gstex__take_color(&left, GSTEX_ALBEDO, source) || gstex__take_color(&left, GSTEX_COLOR, source)) {
        int32_t opacity = gstex__take_channel(&left, GSTEX_OPACITY, GSTEX__ANY);
        if (opacity >= 0 && material->channels[opacity].group < 0) opacity = -1; // a constant one hides nothing
        gstex__new_map(&maps[count], &uses[count], opacity < 0 ? GSTEX_BC7_OPAQUE : GSTEX_BC7, GSTEX_ALBEDO);
        for (c = 0; c < 3; ++c) maps[count].source[c] = source[c];
        if (opacity >= 0) maps[count].source[3] = (uint32_t)opacity;
        uses[count++].srgb = material->channels[source[0]].srgb;
    }
    if (gstex__find_left(&left, GSTEX_NORMAL, GSTEX_X) >= 0 && gstex__find_left(&left, GSTEX_NORMAL, GSTEX_Y) >= 0) {
        const int32_t x = gstex__take_channel(&left, GSTEX_NORMAL, GSTEX_X), y = gstex__take_channel(&left, GSTEX_NORMAL, GSTEX_Y);
        gstex__new_map(&maps[count], &uses[count], GSTEX_BC5, GSTEX_NORMAL);
        maps[count].source[0] = (uint32_t)x;
        maps[count++].source[1] = (uint32_t)(material->channels[y].flipped == (normal_y_down != 0) ? y : GSTEX_INVERTED(y));
    }
    count += gstex__plan_packed(&left, pack, &maps[count], &uses[count]);
    for (c = 0; c < material->channel_count; ++c) { // the roles that are left, in the order of their first channels
        const int32_t role = material->channels[c].role;
        int32_t alone;
        if ((left.channels >> c & 1u) == 0) continue;
        if (gstex__find_left(&left, role, GSTEX_BLUE) >= 0 && gstex__take_color(&left, role, source)) {
            gstex__new_map(&maps[count], &uses[count], GSTEX_BC7_OPAQUE, role);
            uses[count].srgb = material->channels[source[0]].srgb;
            for (alone = 0; alone < 3; ++alone) maps[count].source[alone] = source[alone];
            ++count;
        }
        while ((alone = gstex__take_channel(&left, role, GSTEX__ANY)) >= 0) {
            gstex__new_map(&maps[count], &uses[count], GSTEX_BC4, role);
            uses[count].component = material->channels[alone].component;
            uses[count].srgb = material->channels[alone].srgb;
            maps[count++].source[0] = (uint32_t)alone;
        }
    }
    return count;
}

GSTEX_API uint32_t gstex_block_words(uint32_t format) {
    switch (format) {
    case GSTEX_RGBA8: return 1;
    case GSTEX_BC1: case GSTEX_BC4: case GSTEX_BC5: case GSTEX_BC7: case GSTEX_BC7_OPAQUE:
        return (uint32_t)gstex_bc_words(format);
    default: return 0;
    }
}

GSTEX_API size_t gstex_place_maps(gstex_map *maps, int count, int32_t width, int32_t height) {
    size_t words = 0;
    int m;
    for (m = 0; m < count; ++m) {
        const int32_t side = maps[m].format == GSTEX_RGBA8 ? 1 : 4;
        maps[m].first = (uint32_t)words;
        words += gstex_block_words(maps[m].format) * (size_t)((width + side - 1) / side) * (size_t)((height + side - 1) / side);
    }
    return words;
}

GSTEX_API void gstex_encode_block(uint32_t format, const uint32_t texels[16], uint32_t *words) {
    const uint32_t count = gstex_block_words(format);
    GstexBlock block;
    uint32_t i;
    if (count < 2) return;
    block = gstex_bc_block(texels, format);
    for (i = 0; i < count; ++i) words[i] = block.word[i];
}

// 0 .. 255, of the values of a texel: `code` of shaders/transcode.comp.
static uint32_t gstex__code(const float *values, uint32_t source) {
    uint32_t found;
    if (source >= GSTEX_CODE(0u)) return source & 255u;
    found = (uint32_t)(values[source % GSTEX_MAX_CHANNELS] * 255.0f + 0.5f);
    return source < GSTEX_MAX_CHANNELS ? found : 255u - found;
}

static uint32_t gstex__rgba(const float *values, const uint32_t source[4]) {
    return gstex__code(values, source[0]) | gstex__code(values, source[1]) << 8 | gstex__code(values, source[2]) << 16 |
           gstex__code(values, source[3]) << 24;
}

// Writes the blocks of a map that a tile holds. x, y: the tile's first texel in the rectangle; columns, rows: of its texels.
static void gstex__encode_tile(const gstex_map *map, const float *values, int32_t channels, int32_t x, int32_t y,
                               int32_t columns, int32_t rows, int32_t width, uint32_t *words) {
    uint32_t *to = words + map->first;
    int32_t left, top, i;
    if (map->format == GSTEX_RGBA8) {
        for (top = 0; top < rows; ++top)
            for (left = 0; left < columns; ++left)
                to[(size_t)(y + top) * (size_t)width + (size_t)(x + left)] =
                    gstex__rgba(values + (size_t)(top * columns + left) * (size_t)channels, map->source);
        return;
    }
    for (top = 0; top < rows; top += 4)
        for (left = 0; left < columns; left += 4) {
            const size_t block = (size_t)((y + top) / 4) * (size_t)((width + 3) / 4) + (size_t)((x + left) / 4);
            uint32_t texels[16];
            for (i = 0; i < 16; ++i) {
                const int32_t column = left + i % 4 < columns ? left + i % 4 : columns - 1;
                const int32_t row = top + i / 4 < rows ? top + i / 4 : rows - 1;
                texels[i] = gstex__rgba(values + (size_t)(row * columns + column) * (size_t)channels, map->source);
            }
            gstex_encode_block(map->format, texels, to + gstex_block_words(map->format) * block);
        }
}

// The channels that a map needs, a bit each; *sound becomes 0 if the map cannot be written.
static uint32_t gstex__map_channels(const gstex_map *map, int32_t channel_count, int *sound) {
    uint32_t channels = 0;
    int i;
    if (gstex_block_words(map->format) == 0) *sound = 0;
    for (i = 0; i < 4; ++i) {
        const uint32_t source = map->source[i];
        if (source >= GSTEX_CODE(0u) && source <= GSTEX_CODE(255u)) continue;
        if (source < 2 * GSTEX_MAX_CHANNELS && (int32_t)(source % GSTEX_MAX_CHANNELS) < channel_count)
            channels |= 1u << source % GSTEX_MAX_CHANNELS;
        else
            *sound = 0;
    }
    return channels;
}

GSTEX_API int gstex_encode_maps(const gstex_material *material, int mip, int32_t x, int32_t y, int32_t width, int32_t height,
                                const gstex_map *maps, int count, uint32_t *words) {
    float values[GSTEX__TILE * GSTEX_MAX_CHANNELS];
    uint32_t channels = 0;
    int32_t across, down, left, top;
    int m, sound = 1;
    mip = gstex__inside_mips(material, mip);
    across = gstex__mip_size(material->width, mip);
    down = gstex__mip_size(material->height, mip);
    if (x < 0 || y < 0 || width < 1 || height < 1 || x > across - width || y > down - height || x % 4 || y % 4) return 0;
    if ((width % 4 && x + width < across) || (height % 4 && y + height < down)) return 0;
    for (m = 0; m < count; ++m) channels |= gstex__map_channels(&maps[m], material->channel_count, &sound);
    if (!sound) return 0;
    for (top = 0; top < height; top += GSTEX__SIDE)
        for (left = 0; left < width; left += GSTEX__SIDE) {
            const int32_t columns = width - left < GSTEX__SIDE ? width - left : GSTEX__SIDE;
            const int32_t rows = height - top < GSTEX__SIDE ? height - top : GSTEX__SIDE;
            gstex__decode_inside(material, channels, mip, x + left, y + top, columns, rows, values,
                                 (size_t)(columns * material->channel_count));
            for (m = 0; m < count; ++m)
                gstex__encode_tile(&maps[m], values, material->channel_count, left, top, columns, rows, width, words);
        }
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif // GSTEX_IMPLEMENTATION
