// bc.glsl: encodes 4x4 texels as a block of BC1, BC4, BC5 or BC7. GLSL 4.30 and later; and CUDA, see cuda/transcode.
//
// All arithmetic is in whole numbers, so that every GPU and compiler makes the same blocks. The text is what GLSL and
// C++ have in common: no vectors, no out arguments. docs/shaders.md says how to use it; shaders/transcode.comp does.
//
// Define before the #include:
//   GSTEX_TEXEL(at, i)  texel i of the block `at`, row by row from the top left one: 8 bits each of R, G, B and A,
//                       R the lowest. `at` is what the caller gives to an encoder.
//   GSTEX_BC, GSTEX_BC_TABLE  what stands before a function and before a table; nothing in GLSL.
//   GSTEX_BC_TOP_BIT(x) the number of the highest bit that is set in an uint above 0; findMSB in GLSL.
//
// The way of all encoders: a line through the colours of a block, its two ends as the format can hold them, the nearest
// value between the ends for every texel (its index), better ends for these indices by least squares, and again.

#ifndef GSTEX_BC
#define GSTEX_BC
#define GSTEX_BC_TABLE
#define GSTEX_BC_TOP_BIT(x) findMSB(x)
#endif

// A block of 16 bytes, or one of 8 in the first two words; little-endian.
struct GstexBlock { uint word[4]; };

// Two colours, 0 .. 255 by channel.
struct GstexEnds { int lo[4], hi[4]; };

// Ends that a format can hold, the indices of the texels between them (4 bits each, 0 at lo), and the squared error.
struct GstexFit {
    GstexEnds ends;
    uint low, high;
    int error;
};

const uint gstex_bc_all = 0xFFFFu; // of the texels of a block
const int gstex_bc_worst = 0x7FFFFFFF;
const int gstex_bc_turns = 3;  // of ends and indices, from a start
const int gstex_bc4_turns = 2; // of steps by one code

GSTEX_BC int gstex_bc_channel(uint texel, int c) { return int(texel >> (8 * c) & 255u); }

// a / b, rounded to the nearest; b above 0.
GSTEX_BC int gstex_bc_divide(int a, int b) { return a < 0 ? -((b / 2 - a) / b) : (a + b / 2) / b; }

// x 2^shift, for shifts below 0 too.
GSTEX_BC int gstex_bc_scale(int x, int shift) { return shift < 0 ? x >> -shift : x * (1 << shift); }

GSTEX_BC GstexFit gstex_bc_no_fit() {
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

GSTEX_BC int gstex_bc_index(GstexFit fit, int i) { return int((i < 8 ? fit.low : fit.high) >> (4 * (i & 7)) & 15u); }

GSTEX_BC GstexFit gstex_bc_with_index(GstexFit fit, int i, int index) {
    uint bits = uint(index) << (4 * (i & 7));
    fit.low |= i < 8 ? bits : 0u;
    fit.high |= i < 8 ? 0u : bits;
    return fit;
}

// The block with `count` more bits at its end, 1 .. 31: blocks are written from bit 0 on, and must be filled.
GSTEX_BC GstexBlock gstex_bc_put(GstexBlock block, int value, int count) {
    for (int i = 0; i < 3; ++i) block.word[i] = block.word[i] >> count | block.word[i + 1] << (32 - count);
    block.word[3] = block.word[3] >> count | uint(value) << (32 - count);
    return block;
}

// ---- A line through the colours of some texels ---------------------------------------------------------------------
// mask: a bit for each texel that counts. used: 255 in the byte of each channel that counts; others are taken as 0.

// Where the product of channels a and b stands among the ten.
GSTEX_BC int gstex_bc_pair(int a, int b) { return a > b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a; }

// The line along which the texels vary most, through their mean, as far as they reach. The direction is the largest
// eigenvector of their covariance, by power iteration.
GSTEX_BC GstexEnds gstex_bc_line(int at, uint mask, uint used) {
    int count = 0, sum[4], covariance[10], axis[4];
    for (int a = 0; a < 4; ++a) sum[a] = 0;
    for (int k = 0; k < 10; ++k) covariance[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i) & used;
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
        most = max(most, covariance[gstex_bc_pair(a, a)]);
    }
    GstexEnds ends;
    for (int a = 0; a < 4; ++a) {
        ends.lo[a] = gstex_bc_divide(sum[a], count);
        ends.hi[a] = ends.lo[a];
        axis[a] = 0;
    }
    if (most == 0) return ends;
    // Numbers of the covariance have 20 bits, those of the axis 8: a sum of four products has 30.
    int shift = 19 - GSTEX_BC_TOP_BIT(uint(most));
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
            longest = max(longest, abs(next[a]));
        }
        int down = 7 - GSTEX_BC_TOP_BIT(uint(longest));
        for (int a = 0; a < 4; ++a) axis[a] = gstex_bc_scale(next[a], down);
    }
    int least = gstex_bc_worst, furthest = -gstex_bc_worst, middle = 0, norm = 0;
    for (int a = 0; a < 4; ++a) {
        middle += axis[a] * sum[a];
        norm += axis[a] * axis[a];
    }
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i) & used;
        int along = 0;
        for (int a = 0; a < 4; ++a) along += axis[a] * gstex_bc_channel(texel, a);
        least = min(least, along);
        furthest = max(furthest, along);
    }
    for (int a = 0; a < 4; ++a) {
        int lo = sum[a] + gstex_bc_divide(axis[a] * (count * least - middle), max(norm, 1));
        int hi = sum[a] + gstex_bc_divide(axis[a] * (count * furthest - middle), max(norm, 1));
        ends.lo[a] = clamp(gstex_bc_divide(lo, count), 0, 255);
        ends.hi[a] = clamp(gstex_bc_divide(hi, count), 0, 255);
    }
    return ends;
}

// The nearest of the n + 1 values from lo to hi for every texel, for the ends as they are. unit: what the shares of hi
// are rounded to: 64 in BC7, whose values are rounded to 8 bits; n in BC1, whose values and squared errors are n times
// as large and exact.
GSTEX_BC GstexFit gstex_bc_assign(int at, uint mask, uint used, GstexEnds ends, int n, int unit) {
    GstexFit fit;
    fit.ends = ends;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    int norm = 0;
    for (int a = 0; a < 4; ++a) norm += (ends.hi[a] - ends.lo[a]) * (ends.hi[a] - ends.lo[a]);
    uint inverse = norm == 0 ? 0u : (uint(n) << 27) / uint(norm); // 2^27 times n / norm
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i) & used;
        int along = 0;
        for (int a = 0; a < 4; ++a)
            along += (gstex_bc_channel(texel, a) - ends.lo[a]) * (ends.hi[a] - ends.lo[a]);
        int index = int((uint(clamp(along, 0, norm)) * inverse + (1u << 26)) >> 27);
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

struct GstexSums { int n, of_lo, mixed, of_hi, to_lo[4], to_hi[4]; };

GSTEX_BC GstexSums gstex_bc_sums(int at, uint mask, uint used, GstexFit fit, int n) {
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
        uint texel = GSTEX_TEXEL(at, i) & used;
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
GSTEX_BC GstexSums gstex_bc_sums_at(GstexEnds ends) {
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
GSTEX_BC GstexEnds gstex_bc_solved(GstexSums sums, GstexEnds ends) {
    int determinant = sums.of_lo * sums.of_hi - sums.mixed * sums.mixed; // below 2^22
    if (determinant <= 0) return ends;
    int most = (255 / sums.n + 1) * determinant;
    for (int a = 0; a < 4; ++a) {
        int lo = clamp(sums.of_hi * sums.to_lo[a] - sums.mixed * sums.to_hi[a], 0, most);
        int hi = clamp(sums.of_lo * sums.to_hi[a] - sums.mixed * sums.to_lo[a], 0, most);
        ends.lo[a] = min((lo * sums.n + determinant / 2) / determinant, 255);
        ends.hi[a] = min((hi * sums.n + determinant / 2) / determinant, 255);
    }
    return ends;
}

GSTEX_BC int gstex_bc_cost(GstexSums sums, int a, int lo, int hi) {
    return sums.of_lo * lo * lo + 2 * sums.mixed * lo * hi + sums.of_hi * hi * hi
           - 2 * sums.n * (sums.to_lo[a] * lo + sums.to_hi[a] * hi);
}

// A code of 4 to 8 bits as 8. Where p is 0 or 1 it is the code's lowest bit, and `code` is the bits above it.
GSTEX_BC int gstex_bc_expand(int code, int bits, int p) {
    code = p < 0 ? code : 2 * code + p;
    return code << (8 - bits) | code >> (2 * bits - 8);
}

// The largest such code, and the one nearest to x.
GSTEX_BC int gstex_bc_last(int bits, int p) { return (1 << (p < 0 ? bits : bits - 1)) - 1; }
GSTEX_BC int gstex_bc_nearest(int x, int bits, int p) {
    int full = x * ((1 << bits) - 1);
    return clamp(p < 0 ? (full + 127) / 255 : (full - 255 * p + 255) / 510, 0, gstex_bc_last(bits, p));
}

// What the ends of a format are: bits of a code (green has `greener` more); p_bits: 0: none; 1: one for both ends, which
// is the lowest bit of all their codes; 2: one for each. opaque: no p is 0. used: channels, others become 0. thorough:
// the p are searched with the codes, else before.
struct GstexHold { uint used; int bits, greener, p_bits; bool opaque, thorough; };

// Ends and their cost. Of the codes with these p: for one try the nearest to `ends`, for 9 the best of those and of the
// next ones up and down at either end.
struct GstexHeld { GstexEnds ends; int cost; };

GSTEX_BC GstexHeld gstex_bc_held_with(GstexSums sums, GstexEnds ends, GstexHold hold, int p_lo, int p_hi, int tries) {
    GstexHeld held;
    held.cost = 0;
    for (int a = 0; a < 4; ++a) {
        held.ends.lo[a] = 0;
        held.ends.hi[a] = 0;
        if (gstex_bc_channel(hold.used, a) == 0) continue;
        int bits = a == 1 ? hold.bits + hold.greener : hold.bits, cheapest = gstex_bc_worst;
        int near_lo = gstex_bc_nearest(ends.lo[a], bits, p_lo), near_hi = gstex_bc_nearest(ends.hi[a], bits, p_hi);
        for (int i = 0; i < tries; ++i) {
            int code_lo = clamp(near_lo + (i + 1) % 3 - 1, 0, gstex_bc_last(bits, p_lo)); // i = 0 is the nearest
            int code_hi = clamp(near_hi + (i / 3 + 1) % 3 - 1, 0, gstex_bc_last(bits, p_hi));
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
GSTEX_BC GstexEnds gstex_bc_held(GstexSums sums, GstexEnds ends, GstexHold hold) {
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

GSTEX_BC GstexHold gstex_bc_hold(uint used, int bits, int greener, int p_bits) {
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
GSTEX_BC GstexFit gstex_bc_fit(int at, uint mask, GstexHold hold, GstexEnds start, GstexSums sums, int n, int unit) {
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

GSTEX_BC int gstex_bc1_color(int r, int g, int b) { return r >> 3 << 11 | g >> 2 << 5 | b >> 3; }

// Sums by which the best ends have the middle of a line as their value of index 1: for blocks of almost one colour.
GSTEX_BC GstexSums gstex_bc1_sums_between(GstexEnds line) {
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
GSTEX_BC GstexBlock gstex_bc1(int at) {
    GstexHold hold = gstex_bc_hold(0xFFFFFFu, 5, 1, 0);
    GstexFit best = gstex_bc_no_fit();
    GstexEnds line = gstex_bc_line(at, gstex_bc_all, hold.used);
    // The texels reach from index 0 to 3, or only from 1 to 2, 0 to 1, 2 to 3, 0 to 2 or 1 to 3, and the ends beyond them:
    // codes are coarse, and what lies between two of them may suit the texels better.
    for (int start = 0; start < 7 && best.error > 0; ++start) {
        int first = int(0x0102010u >> (4 * start) & 3u), last = int(0x3323123u >> (4 * start) & 3u);
        GstexEnds ends = line;
        for (int a = 0; a < 3; ++a) {
            int step = line.hi[a] - line.lo[a], steps = last - first;
            ends.lo[a] = clamp(line.lo[a] + gstex_bc_divide(-step * first, steps), 0, 255);
            ends.hi[a] = clamp(line.lo[a] + gstex_bc_divide(step * (3 - first), steps), 0, 255);
        }
        GstexSums sums = gstex_bc_sums_at(ends);
        if (start == 6) sums = gstex_bc1_sums_between(line);
        GstexFit fit = gstex_bc_fit(at, gstex_bc_all, hold, ends, sums, 3, 3);
        if (fit.error < best.error) best = fit;
    }
    int lo = gstex_bc1_color(best.ends.lo[0], best.ends.lo[1], best.ends.lo[2]);
    int hi = gstex_bc1_color(best.ends.hi[0], best.ends.hi[1], best.ends.hi[2]);
    GstexBlock block;
    block.word[0] = uint(max(lo, hi)) | uint(min(lo, hi)) << 16; // this order means four colours
    block.word[1] = 0u;
    block.word[2] = 0u;
    block.word[3] = 0u;
    for (int i = 0; i < 16; ++i) {
        // From lo on; in the block 0 is the larger, 1 the smaller, 2 and 3 are between.
        int index = gstex_bc_index(best, i);
        if (lo < hi) index = 3 - index;
        if (lo == hi) index = 0;
        block.word[1] |= uint(index == 0 ? 0 : index == 3 ? 1 : index + 1) << (2 * i);
    }
    return block;
}

// ---- BC4 and BC5: one and two channels, each with two values of 8 bits and six between them ------------------------

// A channel between two of its values, in n steps: n is 7, or 5 beside the values 0 and 255. error: n^2 times as large.
struct GstexScalarFit {
    int lo, hi, n;
    uint low, high; // indices of 4 bits, 0 at lo; 6 and 7 are 0 and 255
    int error;
};

GSTEX_BC GstexScalarFit gstex_bc4_assign(int at, int channel, int lo, int hi, int n) {
    GstexScalarFit fit;
    fit.lo = lo;
    fit.hi = hi;
    fit.n = n;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    int range = max(hi - lo, 1);
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(GSTEX_TEXEL(at, i), channel), outer = n * min(x, 255 - x);
        int index = clamp((2 * n * (x - lo) + range) / (2 * range), 0, n);
        int off = n * (x - lo) - index * (hi - lo);
        if (n == 5 && outer < abs(off)) {
            index = x < 128 ? 6 : 7;
            off = outer;
        }
        fit.error += off * off;
        uint bits = uint(index) << (4 * (i & 7));
        fit.low |= i < 8 ? bits : 0u;
        fit.high |= i < 8 ? 0u : bits;
    }
    return fit;
}

// The fit with its values moved to where its indices have the least squared error, rounded; the indices are not.
GSTEX_BC GstexScalarFit gstex_bc4_solved(int at, int channel, GstexScalarFit fit) {
    int n = fit.n, count = 0, ones = 0, of_hi = 0, to_lo = 0, to_hi = 0;
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(GSTEX_TEXEL(at, i), channel);
        int index = int((i < 8 ? fit.low : fit.high) >> (4 * (i & 7)) & 15u);
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
    int lo = clamp(of_hi * to_lo - mixed * to_hi, 0, most), hi = clamp(of_lo * to_hi - mixed * to_lo, 0, most);
    lo = min((lo * n + determinant / 2) / determinant, 255);
    hi = min((hi * n + determinant / 2) / determinant, 255);
    fit.lo = min(lo, hi);
    fit.hi = max(lo, hi);
    return fit;
}

// One channel of a block: 8 bytes.
GSTEX_BC GstexBlock gstex_bc4(int at, int channel) {
    int least = 255, furthest = 0, inner_least = 255, inner_furthest = 0;
    for (int i = 0; i < 16; ++i) {
        int x = gstex_bc_channel(GSTEX_TEXEL(at, i), channel);
        least = min(least, x);
        furthest = max(furthest, x);
        if (x > 0 && x < 255) {
            inner_least = min(inner_least, x);
            inner_furthest = max(inner_furthest, x);
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
            int lo = clamp(from.lo + to_lo, 0, 255), hi = clamp(from.hi + to_hi, 0, 255);
            if (lo > hi) continue;
            GstexScalarFit moved = gstex_bc4_assign(at, channel, lo, hi, n);
            if (moved.error < fit.error) fit = moved;
        }
        if (n == 7 || fit.error * 49 < best.error * 25) best = fit;
    }
    bool seven = best.n == 7 && best.lo < best.hi; // the larger value first means six values between
    uint low = 0u, high = 0u; // indices of 3 bits: texels 0 .. 7 and 8 .. 15
    for (int i = 0; i < 16; ++i) {
        int index = int((i < 8 ? best.low : best.high) >> (4 * (i & 7)) & 15u);
        if (best.lo == best.hi) index = index > 5 ? index : 0;
        else if (seven) index = index == 7 ? 0 : index == 0 ? 1 : 8 - index;
        else if (index < 6) index = index == 0 ? 0 : index == 5 ? 1 : index + 1;
        uint bits = uint(index) << (3 * (i & 7));
        low |= i < 8 ? bits : 0u;
        high |= i < 8 ? 0u : bits;
    }
    GstexBlock block;
    block.word[0] = uint(seven ? best.hi : best.lo) | uint(seven ? best.lo : best.hi) << 8 | low << 16;
    block.word[1] = low >> 16 | high << 8;
    block.word[2] = 0u;
    block.word[3] = 0u;
    return block;
}
