// bc.hlsl: encodes 4x4 texels as a block of BC1, BC4, BC5 or BC7. HLSL, from shader model 5.0 on.
// tools/write_shaders.py writes this file from bc.glsl and bc7.glsl.
//
// All arithmetic is in whole numbers, so that every GPU and compiler makes the same blocks.
//
// Define before the #include:
//   GSTEX_TEXEL(at, i)  texel i of the block `at`, row by row from the top left one: 8 bits each of R, G, B and A,
//                       R the lowest. `at` is what the caller gives to an encoder.
//
// The way of all encoders: a line through the colours of a block, its two ends as the format can hold them, the nearest
// value between the ends for every texel (its index), better ends for these indices by least squares, and again.

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

static const uint gstex_bc_all = 0xFFFFu; // of the texels of a block
static const int gstex_bc_worst = 0x7FFFFFFF;
static const int gstex_bc_turns = 3;  // of ends and indices, from a start
static const int gstex_bc4_turns = 2; // of steps by one code

int gstex_bc_channel(uint texel, int c) { return int(texel >> (8 * c) & 255u); }

// a / b, rounded to the nearest; b above 0.
int gstex_bc_divide(int a, int b) { return a < 0 ? -((b / 2 - a) / b) : (a + b / 2) / b; }

// x 2^shift, for shifts below 0 too.
int gstex_bc_scale(int x, int shift) { return shift < 0 ? x >> -shift : x * (int(1) << shift); }

GstexFit gstex_bc_no_fit() {
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

int gstex_bc_index(GstexFit fit, int i) { return int((i < 8 ? fit.low : fit.high) >> (4 * (i & 7)) & 15u); }

GstexFit gstex_bc_with_index(GstexFit fit, int i, int index) {
    uint bits = uint(index) << (4 * (i & 7));
    fit.low |= i < 8 ? bits : 0u;
    fit.high |= i < 8 ? 0u : bits;
    return fit;
}

// The block with `count` more bits at its end, 1 .. 31: blocks are written from bit 0 on, and must be filled.
GstexBlock gstex_bc_put(GstexBlock block, int value, int count) {
    for (int i = 0; i < 3; ++i) block.word[i] = block.word[i] >> count | block.word[i + 1] << (32 - count);
    block.word[3] = block.word[3] >> count | uint(value) << (32 - count);
    return block;
}

// ---- A line through the colours of some texels ---------------------------------------------------------------------
// mask: a bit for each texel that counts. used: 255 in the byte of each channel that counts; others are taken as 0.

// Where the product of channels a and b stands among the ten.
int gstex_bc_pair(int a, int b) { return a > b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a; }

// The line along which the texels vary most, through their mean, as far as they reach. The direction is the largest
// eigenvector of their covariance, by power iteration.
GstexEnds gstex_bc_line(int at, uint mask, uint used) {
    int count = 0, sum[4], covariance[10], axis[4];
    for (int a = 0; a < 4; ++a) sum[a] = 0;
    for (int k = 0; k < 10; ++k) covariance[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i) & used;
        ++count;
        for (int a2 = 0; a2 < 4; ++a2) {
            int x = gstex_bc_channel(texel, a2);
            sum[a2] += x;
            for (int b = 0; b <= a2; ++b) covariance[gstex_bc_pair(a2, b)] += x * gstex_bc_channel(texel, b);
        }
    }
    int most = 0; // times count^2, as all of the covariance: below 2^24
    for (int a2 = 0; a2 < 4; ++a2) {
        for (int b = 0; b <= a2; ++b) {
            int k = gstex_bc_pair(a2, b);
            covariance[k] = count * covariance[k] - sum[a2] * sum[b];
        }
        most = max(most, covariance[gstex_bc_pair(a2, a2)]);
    }
    GstexEnds ends;
    for (int a3 = 0; a3 < 4; ++a3) {
        ends.lo[a3] = gstex_bc_divide(sum[a3], count);
        ends.hi[a3] = ends.lo[a3];
        axis[a3] = 0;
    }
    if (most == 0) return ends;
    // Numbers of the covariance have 20 bits, those of the axis 8: a sum of four products has 30.
    int shift = 19 - int(firstbithigh(uint(most)));
    for (int k2 = 0; k2 < 4; ++k2)
        if (covariance[gstex_bc_pair(k2, k2)] == most)
            for (int a4 = 0; a4 < 4; ++a4) axis[a4] = gstex_bc_scale(covariance[gstex_bc_pair(a4, k2)], shift);
    for (int k3 = 0; k3 < 10; ++k3) covariance[k3] = gstex_bc_scale(covariance[k3], shift);
    for (int turn = 0; turn < 5; ++turn) {
        int next[4], longest = 1;
        for (int a5 = 0; a5 < 4; ++a5) {
            next[a5] = axis[a5];
            if (turn > 0) {
                next[a5] = 0;
                for (int b = 0; b < 4; ++b) next[a5] += covariance[gstex_bc_pair(a5, b)] * axis[b];
            }
            longest = max(longest, abs(next[a5]));
        }
        int down = 7 - int(firstbithigh(uint(longest)));
        for (int a6 = 0; a6 < 4; ++a6) axis[a6] = gstex_bc_scale(next[a6], down);
    }
    int least = gstex_bc_worst, furthest = -gstex_bc_worst, middle = 0, norm = 0;
    for (int a5 = 0; a5 < 4; ++a5) {
        middle += axis[a5] * sum[a5];
        norm += axis[a5] * axis[a5];
    }
    for (int i2 = 0; i2 < 16; ++i2) {
        if ((mask >> i2 & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i2) & used;
        int along = 0;
        for (int a6 = 0; a6 < 4; ++a6) along += axis[a6] * gstex_bc_channel(texel, a6);
        least = min(least, along);
        furthest = max(furthest, along);
    }
    for (int a6 = 0; a6 < 4; ++a6) {
        int lo = sum[a6] + gstex_bc_divide(axis[a6] * (count * least - middle), max(norm, 1));
        int hi = sum[a6] + gstex_bc_divide(axis[a6] * (count * furthest - middle), max(norm, 1));
        ends.lo[a6] = clamp(gstex_bc_divide(lo, count), 0, 255);
        ends.hi[a6] = clamp(gstex_bc_divide(hi, count), 0, 255);
    }
    return ends;
}

// The nearest of the n + 1 values from lo to hi for every texel, for the ends as they are. unit: what the shares of hi
// are rounded to: 64 in BC7, whose values are rounded to 8 bits; n in BC1, whose values and squared errors are n times
// as large and exact.
GstexFit gstex_bc_assign(int at, uint mask, uint used, GstexEnds ends, int n, int unit) {
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
        for (int a2 = 0; a2 < 4; ++a2)
            along += (gstex_bc_channel(texel, a2) - ends.lo[a2]) * (ends.hi[a2] - ends.lo[a2]);
        int index = int((uint(clamp(along, 0, norm)) * inverse + (1u << 26)) >> 27);
        int share = (index * unit + n / 2) / n;
        for (int a3 = 0; a3 < 4; ++a3) {
            int value = (unit - share) * ends.lo[a3] + share * ends.hi[a3], x = gstex_bc_channel(texel, a3);
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

GstexSums gstex_bc_sums(int at, uint mask, uint used, GstexFit fit, int n) {
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
        for (int a2 = 0; a2 < 4; ++a2) {
            sums.to_lo[a2] += (n - index) * gstex_bc_channel(texel, a2);
            sums.to_hi[a2] += index * gstex_bc_channel(texel, a2);
        }
    }
    sums.of_lo = n * (n * count - 2 * ones) + sums.of_hi;
    sums.mixed = n * ones - sums.of_hi;
    return sums;
}

// Sums by which the best ends are the given ones.
GstexSums gstex_bc_sums_at(GstexEnds ends) {
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
GstexEnds gstex_bc_solved(GstexSums sums, GstexEnds ends) {
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

int gstex_bc_cost(GstexSums sums, int a, int lo, int hi) {
    return sums.of_lo * lo * lo + 2 * sums.mixed * lo * hi + sums.of_hi * hi * hi
           - 2 * sums.n * (sums.to_lo[a] * lo + sums.to_hi[a] * hi);
}

// A code of 4 to 8 bits as 8. Where p is 0 or 1 it is the code's lowest bit, and `code` is the bits above it.
int gstex_bc_expand(int code, int bits, int p) {
    code = p < 0 ? code : 2 * code + p;
    return code << (8 - bits) | code >> (2 * bits - 8);
}

// The largest such code, and the one nearest to x.
int gstex_bc_last(int bits, int p) { return (int(1) << (p < 0 ? bits : bits - 1)) - 1; }
int gstex_bc_nearest(int x, int bits, int p) {
    int full = x * ((int(1) << bits) - 1);
    return clamp(p < 0 ? (full + 127) / 255 : (full - 255 * p + 255) / 510, 0, gstex_bc_last(bits, p));
}

// What the ends of a format are: bits of a code (green has `greener` more); p_bits: 0: none; 1: one for both ends, which
// is the lowest bit of all their codes; 2: one for each. opaque: no p is 0. used: channels, others become 0. thorough:
// the p are searched with the codes, else before.
struct GstexHold { uint used; int bits, greener, p_bits; bool opaque, thorough; };

// Ends and their cost. Of the codes with these p: for one try the nearest to `ends`, for 9 the best of those and of the
// next ones up and down at either end.
struct GstexHeld { GstexEnds ends; int cost; };

GstexHeld gstex_bc_held_with(GstexSums sums, GstexEnds ends, GstexHold hold, int p_lo, int p_hi, int tries) {
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
GstexEnds gstex_bc_held(GstexSums sums, GstexEnds ends, GstexHold hold) {
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

GstexHold gstex_bc_hold(uint used, int bits, int greener, int p_bits) {
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
GstexFit gstex_bc_fit(int at, uint mask, GstexHold hold, GstexEnds start, GstexSums sums, int n, int unit) {
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

int gstex_bc1_color(int r, int g, int b) { return r >> 3 << 11 | g >> 2 << 5 | b >> 3; }

// Sums by which the best ends have the middle of a line as their value of index 1: for blocks of almost one colour.
GstexSums gstex_bc1_sums_between(GstexEnds line_) {
    GstexSums sums;
    sums.n = 3;
    sums.of_lo = 4;
    sums.mixed = 2;
    sums.of_hi = 1;
    for (int a = 0; a < 4; ++a) {
        sums.to_hi[a] = (line_.lo[a] + line_.hi[a] + 1) / 2;
        sums.to_lo[a] = 2 * sums.to_hi[a];
    }
    return sums;
}

// R, G and B of a block, in the mode of four colours; 8 bytes.
GstexBlock gstex_bc1(int at) {
    GstexHold hold = gstex_bc_hold(0xFFFFFFu, 5, 1, 0);
    GstexFit best = gstex_bc_no_fit();
    GstexEnds line_ = gstex_bc_line(at, gstex_bc_all, hold.used);
    // The texels reach from index 0 to 3, or only from 1 to 2, 0 to 1, 2 to 3, 0 to 2 or 1 to 3, and the ends beyond them:
    // codes are coarse, and what lies between two of them may suit the texels better.
    for (int start = 0; start < 7 && best.error > 0; ++start) {
        int first = int(0x0102010u >> (4 * start) & 3u), last = int(0x3323123u >> (4 * start) & 3u);
        GstexEnds ends = line_;
        for (int a = 0; a < 3; ++a) {
            int step = line_.hi[a] - line_.lo[a], steps = last - first;
            ends.lo[a] = clamp(line_.lo[a] + gstex_bc_divide(-step * first, steps), 0, 255);
            ends.hi[a] = clamp(line_.lo[a] + gstex_bc_divide(step * (3 - first), steps), 0, 255);
        }
        GstexSums sums = gstex_bc_sums_at(ends);
        if (start == 6) sums = gstex_bc1_sums_between(line_);
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

GstexScalarFit gstex_bc4_assign(int at, int channel, int lo, int hi, int n) {
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
GstexScalarFit gstex_bc4_solved(int at, int channel, GstexScalarFit fit) {
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
GstexBlock gstex_bc4(int at, int channel) {
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
    for (int i2 = 0; i2 < 16; ++i2) {
        int index = int((i2 < 8 ? best.low : best.high) >> (4 * (i2 & 7)) & 15u);
        if (best.lo == best.hi) index = index > 5 ? index : 0;
        else if (seven) index = index == 7 ? 0 : index == 0 ? 1 : 8 - index;
        else if (index < 6) index = index == 0 ? 0 : index == 5 ? 1 : index + 1;
        uint bits = uint(index) << (3 * (i2 & 7));
        low |= i2 < 8 ? bits : 0u;
        high |= i2 < 8 ? 0u : bits;
    }
    GstexBlock block;
    block.word[0] = uint(seven ? best.hi : best.lo) | uint(seven ? best.lo : best.hi) << 8 | low << 16;
    block.word[1] = low >> 16 | high << 8;
    block.word[2] = 0u;
    block.word[3] = 0u;
    return block;
}

// Modes: 6, a line in 16 values; 5 and 4, a line and a channel on its own; 1, 3 and 7, two parts with a line each.

static const int gstex_bc7_enough = 3; // a squared error of a block that is not worth another mode: 60 dB
// Below this error of mode 6, 47 dB, rounding decides, and all modes are tried; above, those that suit the colours.
static const int gstex_bc7_fine = 64;
static const int gstex_bc7_picks = 2; // shapes whose parts are encoded
static const int gstex_bc7_long = 80; // above this squared length lines need the values of mode 1 more than the ends of mode 3

// ---- Which parts and channels belong together ----------------------------------------------------------------------

// The 64 ways to divide a block in two; a bit for each texel of the second part.
static const uint gstex_bc7_shapes[64] = {
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
static const uint gstex_bc7_anchors[8] = {
    0xFFFFFFFFu, 0xFFFFFFFFu, 0xF882282Fu, 0x22882282u,
    0xFF8286FFu, 0x6FF22282u, 0x22FF8626u, 0xF22FFFFFu
};

// Sums over some texels.
struct GstexMoments { int count, sum[4], product[10]; };

GstexMoments gstex_bc7_moments(int at, uint mask) {
    GstexMoments m;
    m.count = 0;
    for (int a = 0; a < 4; ++a) m.sum[a] = 0;
    for (int k = 0; k < 10; ++k) m.product[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i);
        ++m.count;
        for (int a2 = 0; a2 < 4; ++a2) {
            int x = gstex_bc_channel(texel, a2);
            m.sum[a2] += x;
            for (int b = 0; b <= a2; ++b) m.product[gstex_bc_pair(a2, b)] += x * gstex_bc_channel(texel, b);
        }
    }
    return m;
}

// The moments without channel a.
GstexMoments gstex_bc7_without(GstexMoments m, int a) {
    for (int b = 0; b < 4; ++b) {
        if (b == a) m.sum[b] = 0;
        for (int c = 0; c <= b; ++c)
            if (b == a || c == a) m.product[gstex_bc_pair(b, c)] = 0;
    }
    return m;
}

// Squared distances of some texels from their mean, summed: along the line that fits them best, and from that line.
struct GstexSpread { int along, rest; };

// About these: the largest eigenvalue of the covariance, and the others.
GstexSpread gstex_bc7_spread(GstexMoments m) {
    int covariance[10], axis[4], next[4], trace = 0, most = 0;
    for (int a = 0; a < 4; ++a) {
        for (int b = 0; b <= a; ++b) {
            int k = gstex_bc_pair(a, b);
            covariance[k] = m.count * m.product[k] - m.sum[a] * m.sum[b];
        }
        trace += covariance[gstex_bc_pair(a, a)];
        most = max(most, covariance[gstex_bc_pair(a, a)]);
        axis[a] = 0;
    }
    // Numbers of the covariance have 15 bits with their trace, those of the axis 6: the sum of products below has 31.
    int shift = max(int(firstbithigh(uint(max(trace, 1)))) - 14, 0);
    for (int k = 0; k < 4; ++k)
        if (covariance[gstex_bc_pair(k, k)] == most)
            for (int a2 = 0; a2 < 4; ++a2) axis[a2] = covariance[gstex_bc_pair(a2, k)] >> shift;
    for (int k2 = 0; k2 < 10; ++k2) covariance[k2] = covariance[k2] >> shift;
    for (int turn = 0; turn < 2; ++turn) {
        int longest = 1;
        for (int a3 = 0; a3 < 4; ++a3) longest = max(longest, abs(axis[a3]));
        int down = 5 - int(firstbithigh(uint(longest)));
        for (int a4 = 0; a4 < 4; ++a4) axis[a4] = gstex_bc_scale(axis[a4], down);
        for (int a5 = 0; a5 < 4; ++a5) {
            next[a5] = 0;
            for (int b = 0; b < 4; ++b) next[a5] += covariance[gstex_bc_pair(a5, b)] * axis[b];
        }
        if (turn < 1)
            for (int a6 = 0; a6 < 4; ++a6) axis[a6] = next[a6];
    }
    int norm = 0, quotient = 0;
    for (int a3 = 0; a3 < 4; ++a3) {
        norm += axis[a3] * axis[a3];
        quotient += axis[a3] * next[a3];
    }
    int along = quotient / max(norm, 1), rest = max((trace >> shift) - along, 0);
    GstexSpread spread;
    spread.along = (along << shift) / m.count;
    spread.rest = (rest << shift) / m.count;
    return spread;
}

// The shapes that divide a block into two lines best, the best first.
struct GstexShapes { int shape[gstex_bc7_picks], along[gstex_bc7_picks], rest[gstex_bc7_picks]; };

GstexShapes gstex_bc7_best_shapes(int at, GstexMoments all) {
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
        for (int k2 = 0; k2 < 10; ++k2) first.product[k2] = all.product[k2] - second.product[k2];
        GstexSpread of_first = gstex_bc7_spread(first), of_second = gstex_bc7_spread(second);
        int placed = shape, along = of_first.along + of_second.along, rest = of_first.rest + of_second.rest;
        for (int k3 = 0; k3 < gstex_bc7_picks; ++k3) {
            if (rest >= best.rest[k3]) continue;
            int other = best.shape[k3], other_along = best.along[k3], other_rest = best.rest[k3];
            best.shape[k3] = placed;
            best.along[k3] = along;
            best.rest[k3] = rest;
            placed = other;
            along = other_along;
            rest = other_rest;
        }
    }
    return best;
}

// An index of texel `anchor` has no highest bit: where that is set the ends change places.
GstexFit gstex_bc7_turned(GstexFit fit, uint mask, int anchor, int n) {
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
GstexBlock gstex_bc7_put_indices(GstexBlock block, uint low, uint high, int bits, uint anchors) {
    for (int i = 0; i < 16; ++i) {
        int index = int((i < 8 ? low : high) >> (4 * (i & 7)) & 15u);
        block = gstex_bc_put(block, index, bits - int(anchors >> i & 1u));
    }
    return block;
}

// ---- Modes ---------------------------------------------------------------------------------------------------------

// A mode of BC7 for a block. A block has one or two parts: all of it (mode 6), its colours and a channel on its own
// (4, 5), or two sets of texels (1, 3, 7).
struct GstexWay {
    int mode;
    int parts, channels; // channels: of the first part, in the block
    int p_bits; // as of GstexHold
    int alone;  // the channel on its own, which stands in the place of alpha, and alpha in its place; or -1
    int shape;  // of the sets of texels; or -1
    int bits[2], index_bits[2]; // of a code with its p, and of an index, by part
};

// k 0: mode 6; 1 .. 4: mode 5 with channel k - 1 alone; 5 and 6: mode 4 with `nearest` alone; 7 .. 9: modes 1, 3 and 7.
GstexWay gstex_bc7_way(int k, int nearest, int shape) {
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

GstexBlock gstex_bc7_block(GstexWay way, GstexFit first, GstexFit second) {
    uint mask = way.shape < 0 ? 0u : gstex_bc7_shapes[way.shape];
    int anchor = way.shape < 0 ? 0 : int(gstex_bc7_anchors[way.shape >> 3] >> (4 * (way.shape & 7)) & 15u);
    first = gstex_bc7_turned(first, gstex_bc_all ^ mask, 0, (int(1) << way.index_bits[0]) - 1);
    if (way.parts == 2)
        second = gstex_bc7_turned(second, way.shape < 0 ? gstex_bc_all : mask, anchor, (int(1) << way.index_bits[1]) - 1);
    GstexBlock block;
    for (int i = 0; i < 4; ++i) block.word[i] = 0u;
    block = gstex_bc_put(block, int(1) << way.mode, way.mode + 1);
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
int gstex_bc7_alone(GstexMoments all, int channels) {
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
GstexBlock gstex_bc7(int at, bool has_alpha) {
    int transparent = 0; // squared error of an alpha of 255
    for (int i = 0; i < 16; ++i) {
        int off = 255 - gstex_bc_channel(GSTEX_TEXEL(at, i), 3);
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
    for (int k2 = 0; k2 < 7 + 3 * gstex_bc7_picks && least > gstex_bc7_enough; ++k2) {
        if (k2 == 1) {
            thorough = least < gstex_bc7_fine;
            nearest = gstex_bc7_alone(all, opaque ? 3 : 4);
        }
        if (k2 == 7) shapes = gstex_bc7_best_shapes(at, all);
        int pick = k2 < 7 ? 0 : (k2 - 7) / 3, number = k2 < 7 ? k2 : 7 + (k2 - 7) % 3, shape = shapes.shape[pick];
        GstexWay way = gstex_bc7_way(number, nearest, shape);
        // What cannot be, or does not suit the colours. Long lines need more indices, short ones finer ends.
        if (opaque && (way.alone == 3 || way.mode == 4 || way.mode == 7)) continue;
        if (!thorough && way.mode == 5 && way.alone != nearest) continue;
        if (!thorough && way.mode == (k2 < 7 ? 0 : shapes.along[pick] > gstex_bc7_long ? 3 : 1)) continue;

        uint mask = way.shape < 0 ? gstex_bc_all : gstex_bc7_shapes[way.shape];
        bool colors_only = way.mode == 1 || way.mode == 3 || (way.mode == 6 && !has_alpha);
        int error = colors_only && has_alpha ? transparent : 0;
        GstexFit first = best_first, second = best_second;
        for (int part = 0; part < way.parts && error < least; ++part) {
            uint used = colors_only ? 0xFFFFFFu : 0xFFFFFFFFu;
            if (way.alone >= 0) used = part == 0 ? ~(255u << (8 * way.alone)) : 255u << (8 * way.alone);
            int bits = part == 0 ? way.bits[0] : way.bits[1];
            int index_bits = part == 0 ? way.index_bits[0] : way.index_bits[1];
            GstexHold hold = gstex_bc_hold(used, bits, 0, way.p_bits);
            hold.opaque = has_alpha && opaque && way.mode == 6;
            hold.thorough = thorough;
            uint texels = way.shape >= 0 && part == 0 ? gstex_bc_all ^ mask : mask;
            GstexEnds line_ = gstex_bc_line(at, texels, used);
            GstexFit fit = gstex_bc_fit(at, texels, hold, line_, gstex_bc_sums_at(line_), (int(1) << index_bits) - 1, 64);
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

static const uint gstex_bc_rgba8 = 0u; // not encoded: words of the texels
static const uint gstex_bc_bc1 = 1u, gstex_bc_bc4 = 4u, gstex_bc_bc5 = 5u, gstex_bc_bc7 = 7u;
static const uint gstex_bc_bc7_opaque = 8u; // BC7 without alpha

// Words of a block.
int gstex_bc_words(uint format) { return format == gstex_bc_bc1 || format == gstex_bc_bc4 ? 2 : 4; }

// BC4 has R, BC5 R and G, BC1 R, G and B.
GstexBlock gstex_bc_block(int at, uint format) {
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
