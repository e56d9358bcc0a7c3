// bc.wgsl: encodes 4x4 texels as a block of BC1, BC4, BC5 or BC7. WGSL.
// tools/write_shaders.py writes this file from bc.glsl and bc7.glsl.
//
// All arithmetic is in whole numbers, so that every GPU and compiler makes the same blocks.
//
// The module has to have a function beside it:
//   fn gstex_bc_texel(at: i32, i: i32) -> u32
//                       texel i of the block `at`, row by row from the top left one: 8 bits each of R, G, B and A,
//                       R the lowest. `at` is what the caller gives to an encoder.
//
// The way of all encoders: a line through the colours of a block, its two ends as the format can hold them, the nearest
// value between the ends for every texel (its index), better ends for these indices by least squares, and again.

// A block of 16 bytes, or one of 8 in the first two words; little-endian.
struct GstexBlock { word: array<u32, 4>, }

// Two colours, 0 .. 255 by channel.
struct GstexEnds { lo: array<i32, 4>, hi: array<i32, 4>, }

// Ends that a format can hold, the indices of the texels between them (4 bits each, 0 at lo), and the squared error.
struct GstexFit {
    ends: GstexEnds,
    low: u32, high: u32,
    error: i32,
}

const gstex_bc_all: u32 = 0xFFFFu; // of the texels of a block
const gstex_bc_worst: i32 = 0x7FFFFFFF;
const gstex_bc_turns: i32 = 3;  // of ends and indices, from a start
const gstex_bc4_turns: i32 = 2; // of steps by one code

fn gstex_bc_channel(texel: u32, c: i32) -> i32 { return i32((texel >> u32(8 * c)) & 255u); }

// a / b, rounded to the nearest; b above 0.
fn gstex_bc_divide(a: i32, b: i32) -> i32 { return select((a + b / 2) / b, -((b / 2 - a) / b), a < 0); }

// x 2^shift, for shifts below 0 too.
fn gstex_bc_scale(x: i32, shift: i32) -> i32 { return select(x * (1 << u32(shift)), x >> u32(-shift), shift < 0); }

fn gstex_bc_no_fit() -> GstexFit {
    var fit: GstexFit;
    for (var a: i32 = 0; a < 4; a++) {
        fit.ends.lo[a] = 0;
        fit.ends.hi[a] = 0;
    }
    fit.low = 0u;
    fit.high = 0u;
    fit.error = gstex_bc_worst;
    return fit;
}

fn gstex_bc_index(fit: GstexFit, i: i32) -> i32
{ return i32((select(fit.high, fit.low, i < 8) >> u32(4 * (i & 7))) & 15u); }

fn gstex_bc_with_index(fit_in: GstexFit, i: i32, index: i32) -> GstexFit {
    var fit = fit_in;
    let bits: u32 = u32(index) << u32(4 * (i & 7));
    fit.low |= select(0u, bits, i < 8);
    fit.high |= select(bits, 0u, i < 8);
    return fit;
}

// The block with `count` more bits at its end, 1 .. 31: blocks are written from bit 0 on, and must be filled.
fn gstex_bc_put(block_in: GstexBlock, value: i32, count: i32) -> GstexBlock {
    var block = block_in;
    for (var i: i32 = 0; i < 3; i++) { block.word[i] = (block.word[i] >> u32(count)) | (block.word[i + 1] << u32(32 - count)); }
    block.word[3] = (block.word[3] >> u32(count)) | (u32(value) << u32(32 - count));
    return block;
}

// ---- A line through the colours of some texels ---------------------------------------------------------------------
// mask: a bit for each texel that counts. used: 255 in the byte of each channel that counts; others are taken as 0.

// Where the product of channels a and b stands among the ten.
fn gstex_bc_pair(a: i32, b: i32) -> i32 { return select(b * (b + 1) / 2 + a, a * (a + 1) / 2 + b, a > b); }

// The line along which the texels vary most, through their mean, as far as they reach. The direction is the largest
// eigenvector of their covariance, by power iteration.
fn gstex_bc_line(at: i32, mask: u32, used: u32) -> GstexEnds {
    var count: i32 = 0; var sum: array<i32, 4>; var covariance: array<i32, 10>; var axis: array<i32, 4>;
    for (var a: i32 = 0; a < 4; a++) { sum[a] = 0; }
    for (var k: i32 = 0; k < 10; k++) { covariance[k] = 0; }
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 0u) { continue; }
        let texel: u32 = gstex_bc_texel(at, i) & used;
        count++;
        for (var a: i32 = 0; a < 4; a++) {
            let x: i32 = gstex_bc_channel(texel, a);
            sum[a] += x;
            for (var b: i32 = 0; b <= a; b++) { covariance[gstex_bc_pair(a, b)] += x * gstex_bc_channel(texel, b); }
        }
    }
    var most: i32 = 0; // times count^2, as all of the covariance: below 2^24
    for (var a: i32 = 0; a < 4; a++) {
        for (var b: i32 = 0; b <= a; b++) {
            let k: i32 = gstex_bc_pair(a, b);
            covariance[k] = count * covariance[k] - sum[a] * sum[b];
        }
        most = max(most, covariance[gstex_bc_pair(a, a)]);
    }
    var ends: GstexEnds;
    for (var a: i32 = 0; a < 4; a++) {
        ends.lo[a] = gstex_bc_divide(sum[a], count);
        ends.hi[a] = ends.lo[a];
        axis[a] = 0;
    }
    if (most == 0) { return ends; }
    // Numbers of the covariance have 20 bits, those of the axis 8: a sum of four products has 30.
    let shift: i32 = 19 - i32(firstLeadingBit(u32(most)));
    for (var k: i32 = 0; k < 4; k++) {
        if (covariance[gstex_bc_pair(k, k)] == most) {
            for (var a: i32 = 0; a < 4; a++) { axis[a] = gstex_bc_scale(covariance[gstex_bc_pair(a, k)], shift); }
        }
    }
    for (var k: i32 = 0; k < 10; k++) { covariance[k] = gstex_bc_scale(covariance[k], shift); }
    for (var turn: i32 = 0; turn < 5; turn++) {
        var next: array<i32, 4>; var longest: i32 = 1;
        for (var a: i32 = 0; a < 4; a++) {
            next[a] = axis[a];
            if (turn > 0) {
                next[a] = 0;
                for (var b: i32 = 0; b < 4; b++) { next[a] += covariance[gstex_bc_pair(a, b)] * axis[b]; }
            }
            longest = max(longest, abs(next[a]));
        }
        let down: i32 = 7 - i32(firstLeadingBit(u32(longest)));
        for (var a: i32 = 0; a < 4; a++) { axis[a] = gstex_bc_scale(next[a], down); }
    }
    var least: i32 = gstex_bc_worst; var furthest: i32 = -gstex_bc_worst; var middle: i32 = 0; var norm: i32 = 0;
    for (var a: i32 = 0; a < 4; a++) {
        middle += axis[a] * sum[a];
        norm += axis[a] * axis[a];
    }
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 0u) { continue; }
        let texel: u32 = gstex_bc_texel(at, i) & used;
        var along: i32 = 0;
        for (var a: i32 = 0; a < 4; a++) { along += axis[a] * gstex_bc_channel(texel, a); }
        least = min(least, along);
        furthest = max(furthest, along);
    }
    for (var a: i32 = 0; a < 4; a++) {
        let lo: i32 = sum[a] + gstex_bc_divide(axis[a] * (count * least - middle), max(norm, 1));
        let hi: i32 = sum[a] + gstex_bc_divide(axis[a] * (count * furthest - middle), max(norm, 1));
        ends.lo[a] = clamp(gstex_bc_divide(lo, count), 0, 255);
        ends.hi[a] = clamp(gstex_bc_divide(hi, count), 0, 255);
    }
    return ends;
}

// The nearest of the n + 1 values from lo to hi for every texel, for the ends as they are. unit: what the shares of hi
// are rounded to: 64 in BC7, whose values are rounded to 8 bits; n in BC1, whose values and squared errors are n times
// as large and exact.
fn gstex_bc_assign(at: i32, mask: u32, used: u32, ends: GstexEnds, n: i32, unit: i32) -> GstexFit {
    var fit: GstexFit;
    fit.ends = ends;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    var norm: i32 = 0;
    for (var a: i32 = 0; a < 4; a++) { norm += (ends.hi[a] - ends.lo[a]) * (ends.hi[a] - ends.lo[a]); }
    let inverse: u32 = select((u32(n) << 27u) / u32(norm), 0u, norm == 0); // 2^27 times n / norm
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 0u) { continue; }
        let texel: u32 = gstex_bc_texel(at, i) & used;
        var along: i32 = 0;
        for (var a: i32 = 0; a < 4; a++) {
            along += (gstex_bc_channel(texel, a) - ends.lo[a]) * (ends.hi[a] - ends.lo[a]);
        }
        let index: i32 = i32((u32(clamp(along, 0, norm)) * inverse + (1u << 26u)) >> 27u);
        let share: i32 = (index * unit + n / 2) / n;
        for (var a: i32 = 0; a < 4; a++) {
            let value: i32 = (unit - share) * ends.lo[a] + share * ends.hi[a]; let x: i32 = gstex_bc_channel(texel, a);
            let off: i32 = select(unit * x - value, x - ((value + 32) >> 6u), unit == 64);
            fit.error += off * off;
        }
        fit = gstex_bc_with_index(fit, i, index);
    }
    return fit;
}

// ---- Better ends for given indices ---------------------------------------------------------------------------------
// With shares (n - index) / n of lo and index / n of hi, n^2 times the squared error of a channel is, but for a constant,
// of_lo lo^2 + 2 mixed lo hi + of_hi hi^2 - 2 n (to_lo lo + to_hi hi).

struct GstexSums { n: i32, of_lo: i32, mixed: i32, of_hi: i32, to_lo: array<i32, 4>, to_hi: array<i32, 4>, }

fn gstex_bc_sums(at: i32, mask: u32, used: u32, fit: GstexFit, n: i32) -> GstexSums {
    var count: i32 = 0; var ones: i32 = 0;
    var sums: GstexSums;
    sums.n = n;
    sums.of_hi = 0;
    for (var a: i32 = 0; a < 4; a++) {
        sums.to_lo[a] = 0;
        sums.to_hi[a] = 0;
    }
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 0u) { continue; }
        let texel: u32 = gstex_bc_texel(at, i) & used;
        let index: i32 = gstex_bc_index(fit, i);
        count++;
        ones += index;
        sums.of_hi += index * index;
        for (var a: i32 = 0; a < 4; a++) {
            sums.to_lo[a] += (n - index) * gstex_bc_channel(texel, a);
            sums.to_hi[a] += index * gstex_bc_channel(texel, a);
        }
    }
    sums.of_lo = n * (n * count - 2 * ones) + sums.of_hi;
    sums.mixed = n * ones - sums.of_hi;
    return sums;
}

// Sums by which the best ends are the given ones.
fn gstex_bc_sums_at(ends: GstexEnds) -> GstexSums {
    var sums: GstexSums;
    sums.n = 1;
    sums.of_lo = 1;
    sums.of_hi = 1;
    sums.mixed = 0;
    for (var a: i32 = 0; a < 4; a++) {
        sums.to_lo[a] = ends.lo[a];
        sums.to_hi[a] = ends.hi[a];
    }
    return sums;
}

// The ends of least error, rounded to 8 bits; `ends` where all indices are the same.
fn gstex_bc_solved(sums: GstexSums, ends_in: GstexEnds) -> GstexEnds {
    var ends = ends_in;
    let determinant: i32 = sums.of_lo * sums.of_hi - sums.mixed * sums.mixed; // below 2^22
    if (determinant <= 0) { return ends; }
    let most: i32 = (255 / sums.n + 1) * determinant;
    for (var a: i32 = 0; a < 4; a++) {
        let lo: i32 = clamp(sums.of_hi * sums.to_lo[a] - sums.mixed * sums.to_hi[a], 0, most);
        let hi: i32 = clamp(sums.of_lo * sums.to_hi[a] - sums.mixed * sums.to_lo[a], 0, most);
        ends.lo[a] = min((lo * sums.n + determinant / 2) / determinant, 255);
        ends.hi[a] = min((hi * sums.n + determinant / 2) / determinant, 255);
    }
    return ends;
}

fn gstex_bc_cost(sums: GstexSums, a: i32, lo: i32, hi: i32) -> i32 {
    return sums.of_lo * lo * lo + 2 * sums.mixed * lo * hi + sums.of_hi * hi * hi
           - 2 * sums.n * (sums.to_lo[a] * lo + sums.to_hi[a] * hi);
}

// A code of 4 to 8 bits as 8. Where p is 0 or 1 it is the code's lowest bit, and `code` is the bits above it.
fn gstex_bc_expand(code_in: i32, bits: i32, p: i32) -> i32 {
    var code = code_in;
    code = select(2 * code + p, code, p < 0);
    return (code << u32(8 - bits)) | (code >> u32(2 * bits - 8));
}

// The largest such code, and the one nearest to x.
fn gstex_bc_last(bits: i32, p: i32) -> i32 { return (1 << u32(select(bits - 1, bits, p < 0))) - 1; }
fn gstex_bc_nearest(x: i32, bits: i32, p: i32) -> i32 {
    let full: i32 = x * ((1 << u32(bits)) - 1);
    return clamp(select((full - 255 * p + 255) / 510, (full + 127) / 255, p < 0), 0, gstex_bc_last(bits, p));
}

// What the ends of a format are: bits of a code (green has `greener` more); p_bits: 0: none; 1: one for both ends, which
// is the lowest bit of all their codes; 2: one for each. opaque: no p is 0. used: channels, others become 0. thorough:
// the p are searched with the codes, else before.
struct GstexHold { used: u32, bits: i32, greener: i32, p_bits: i32, opaque: bool, thorough: bool, }

// Ends and their cost. Of the codes with these p: for one try the nearest to `ends`, for 9 the best of those and of the
// next ones up and down at either end.
struct GstexHeld { ends: GstexEnds, cost: i32, }

fn gstex_bc_held_with(sums: GstexSums, ends: GstexEnds, hold: GstexHold, p_lo: i32, p_hi: i32,
                      tries: i32) -> GstexHeld {
    var held: GstexHeld;
    held.cost = 0;
    for (var a: i32 = 0; a < 4; a++) {
        held.ends.lo[a] = 0;
        held.ends.hi[a] = 0;
        if (gstex_bc_channel(hold.used, a) == 0) { continue; }
        let bits: i32 = select(hold.bits, hold.bits + hold.greener, a == 1); var cheapest: i32 = gstex_bc_worst;
        let near_lo: i32 = gstex_bc_nearest(ends.lo[a], bits, p_lo);
        let near_hi: i32 = gstex_bc_nearest(ends.hi[a], bits, p_hi);
        for (var i: i32 = 0; i < tries; i++) {
            let code_lo: i32 = clamp(near_lo + (i + 1) % 3 - 1, 0, gstex_bc_last(bits, p_lo)); // i = 0 is the nearest
            let code_hi: i32 = clamp(near_hi + (i / 3 + 1) % 3 - 1, 0, gstex_bc_last(bits, p_hi));
            let lo: i32 = gstex_bc_expand(code_lo, bits, p_lo); let hi: i32 = gstex_bc_expand(code_hi, bits, p_hi);
            let cost: i32 = gstex_bc_cost(sums, a, lo, hi);
            if (cost >= cheapest) { continue; }
            cheapest = cost;
            held.ends.lo[a] = lo;
            held.ends.hi[a] = hi;
        }
        held.cost += cheapest;
    }
    return held;
}

// Ends that a format can hold, near the given ones, with little error by the sums.
fn gstex_bc_held(sums: GstexSums, ends: GstexEnds, hold: GstexHold) -> GstexEnds {
    var best: GstexHeld;
    best.ends = ends;
    best.cost = gstex_bc_worst;
    let ways: i32 = 2 * hold.p_bits; var chosen: i32 = 0;
    // One turn more for the codes, if the p were chosen without them.
    for (var turn: i32 = select(0, ways - 1, hold.opaque); turn < ways + 1; turn++) {
        let last: bool = turn == ways;
        if (last && hold.thorough && ways > 0) { break; }
        let way: i32 = select(turn, chosen, last);
        let p_lo: i32 = select(way & 1, -1, ways == 0); let p_hi: i32 = select(p_lo, way >> 1u, hold.p_bits == 2);
        let held: GstexHeld = gstex_bc_held_with(sums, ends, hold, p_lo, p_hi, select(1, 9, hold.thorough || last));
        if (held.cost >= best.cost && !last) { continue; }
        best = held;
        chosen = way;
    }
    return best.ends;
}

fn gstex_bc_hold(used: u32, bits: i32, greener: i32, p_bits: i32) -> GstexHold {
    var hold: GstexHold;
    hold.used = used;
    hold.bits = bits;
    hold.greener = greener;
    hold.p_bits = p_bits;
    hold.opaque = false;
    hold.thorough = true;
    return hold;
}

// The best of some turns of ends and indices, from the ends `start` and their sums. hold, n, unit: of the format.
fn gstex_bc_fit(at: i32, mask: u32, hold: GstexHold, start_in: GstexEnds, sums_in: GstexSums, n: i32,
                unit: i32) -> GstexFit {
    var start = start_in;
    var sums = sums_in;
    var best: GstexFit = gstex_bc_no_fit();
    for (var turn: i32 = 0; turn < gstex_bc_turns && best.error > 0; turn++) {
        let held: GstexEnds = gstex_bc_held(sums, start, hold);
        let fit: GstexFit = gstex_bc_assign(at, mask, hold.used, held, n, unit);
        if (fit.error >= best.error) { break; }
        best = fit;
        sums = gstex_bc_sums(at, mask, hold.used, fit, n);
        start = gstex_bc_solved(sums, held);
    }
    return best;
}

// ---- BC1: two colours of 5, 6 and 5 bits, and two between them -----------------------------------------------------

fn gstex_bc1_color(r: i32, g: i32, b: i32) -> i32 { return ((r >> 3u) << 11u) | ((g >> 2u) << 5u) | (b >> 3u); }

// Sums by which the best ends have the middle of a line as their value of index 1: for blocks of almost one colour.
fn gstex_bc1_sums_between(line: GstexEnds) -> GstexSums {
    var sums: GstexSums;
    sums.n = 3;
    sums.of_lo = 4;
    sums.mixed = 2;
    sums.of_hi = 1;
    for (var a: i32 = 0; a < 4; a++) {
        sums.to_hi[a] = (line.lo[a] + line.hi[a] + 1) / 2;
        sums.to_lo[a] = 2 * sums.to_hi[a];
    }
    return sums;
}

// R, G and B of a block, in the mode of four colours; 8 bytes.
fn gstex_bc1(at: i32) -> GstexBlock {
    let hold: GstexHold = gstex_bc_hold(0xFFFFFFu, 5, 1, 0);
    var best: GstexFit = gstex_bc_no_fit();
    let line: GstexEnds = gstex_bc_line(at, gstex_bc_all, hold.used);
    // The texels reach from index 0 to 3, or only from 1 to 2, 0 to 1, 2 to 3, 0 to 2 or 1 to 3, and the ends beyond them:
    // codes are coarse, and what lies between two of them may suit the texels better.
    for (var start: i32 = 0; start < 7 && best.error > 0; start++) {
        let first: i32 = i32((0x0102010u >> u32(4 * start)) & 3u);
        let last: i32 = i32((0x3323123u >> u32(4 * start)) & 3u);
        var ends: GstexEnds = line;
        for (var a: i32 = 0; a < 3; a++) {
            let step: i32 = line.hi[a] - line.lo[a]; let steps: i32 = last - first;
            ends.lo[a] = clamp(line.lo[a] + gstex_bc_divide(-step * first, steps), 0, 255);
            ends.hi[a] = clamp(line.lo[a] + gstex_bc_divide(step * (3 - first), steps), 0, 255);
        }
        var sums: GstexSums = gstex_bc_sums_at(ends);
        if (start == 6) { sums = gstex_bc1_sums_between(line); }
        let fit: GstexFit = gstex_bc_fit(at, gstex_bc_all, hold, ends, sums, 3, 3);
        if (fit.error < best.error) { best = fit; }
    }
    let lo: i32 = gstex_bc1_color(best.ends.lo[0], best.ends.lo[1], best.ends.lo[2]);
    let hi: i32 = gstex_bc1_color(best.ends.hi[0], best.ends.hi[1], best.ends.hi[2]);
    var block: GstexBlock;
    block.word[0] = u32(max(lo, hi)) | (u32(min(lo, hi)) << 16u); // this order means four colours
    block.word[1] = 0u;
    block.word[2] = 0u;
    block.word[3] = 0u;
    for (var i: i32 = 0; i < 16; i++) {
        // From lo on; in the block 0 is the larger, 1 the smaller, 2 and 3 are between.
        var index: i32 = gstex_bc_index(best, i);
        if (lo < hi) { index = 3 - index; }
        if (lo == hi) { index = 0; }
        block.word[1] |= u32(select(select(index + 1, 1, index == 3), 0, index == 0)) << u32(2 * i);
    }
    return block;
}

// ---- BC4 and BC5: one and two channels, each with two values of 8 bits and six between them ------------------------

// A channel between two of its values, in n steps: n is 7, or 5 beside the values 0 and 255. error: n^2 times as large.
struct GstexScalarFit {
    lo: i32, hi: i32, n: i32,
    low: u32, high: u32, // indices of 4 bits, 0 at lo; 6 and 7 are 0 and 255
    error: i32,
}

fn gstex_bc4_assign(at: i32, channel: i32, lo: i32, hi: i32, n: i32) -> GstexScalarFit {
    var fit: GstexScalarFit;
    fit.lo = lo;
    fit.hi = hi;
    fit.n = n;
    fit.low = 0u;
    fit.high = 0u;
    fit.error = 0;
    let range: i32 = max(hi - lo, 1);
    for (var i: i32 = 0; i < 16; i++) {
        let x: i32 = gstex_bc_channel(gstex_bc_texel(at, i), channel); let outer: i32 = n * min(x, 255 - x);
        var index: i32 = clamp((2 * n * (x - lo) + range) / (2 * range), 0, n);
        var off: i32 = n * (x - lo) - index * (hi - lo);
        if (n == 5 && outer < abs(off)) {
            index = select(7, 6, x < 128);
            off = outer;
        }
        fit.error += off * off;
        let bits: u32 = u32(index) << u32(4 * (i & 7));
        fit.low |= select(0u, bits, i < 8);
        fit.high |= select(bits, 0u, i < 8);
    }
    return fit;
}

// The fit with its values moved to where its indices have the least squared error, rounded; the indices are not.
fn gstex_bc4_solved(at: i32, channel: i32, fit_in: GstexScalarFit) -> GstexScalarFit {
    var fit = fit_in;
    let n: i32 = fit.n;
    var count: i32 = 0;
    var ones: i32 = 0;
    var of_hi: i32 = 0;
    var to_lo: i32 = 0;
    var to_hi: i32 = 0;
    for (var i: i32 = 0; i < 16; i++) {
        let x: i32 = gstex_bc_channel(gstex_bc_texel(at, i), channel);
        let index: i32 = i32((select(fit.high, fit.low, i < 8) >> u32(4 * (i & 7))) & 15u);
        if (index > n) { continue; }
        count++;
        ones += index;
        of_hi += index * index;
        to_lo += (n - index) * x;
        to_hi += index * x;
    }
    let of_lo: i32 = n * (n * count - 2 * ones) + of_hi; let mixed: i32 = n * ones - of_hi;
    let determinant: i32 = of_lo * of_hi - mixed * mixed; let most: i32 = (255 / n + 1) * determinant;
    if (determinant <= 0) { return fit; }
    var lo: i32 = clamp(of_hi * to_lo - mixed * to_hi, 0, most);
    var hi: i32 = clamp(of_lo * to_hi - mixed * to_lo, 0, most);
    lo = min((lo * n + determinant / 2) / determinant, 255);
    hi = min((hi * n + determinant / 2) / determinant, 255);
    fit.lo = min(lo, hi);
    fit.hi = max(lo, hi);
    return fit;
}

// One channel of a block: 8 bytes.
fn gstex_bc4(at: i32, channel: i32) -> GstexBlock {
    var least: i32 = 255; var furthest: i32 = 0; var inner_least: i32 = 255; var inner_furthest: i32 = 0;
    for (var i: i32 = 0; i < 16; i++) {
        let x: i32 = gstex_bc_channel(gstex_bc_texel(at, i), channel);
        least = min(least, x);
        furthest = max(furthest, x);
        if (x > 0 && x < 255) {
            inner_least = min(inner_least, x);
            inner_furthest = max(inner_furthest, x);
        }
    }
    var fit: GstexScalarFit; var best: GstexScalarFit; var from_: GstexScalarFit;
    fit.lo = 0;
    fit.hi = 0;
    fit.n = 0;
    fit.low = 0u;
    fit.high = 0u;
    best = fit;
    for (var n: i32 = 7; n >= 5; n -= 2) {
        // Five steps pay where 0 or 255 occurs, beside other values.
        let inner: bool = inner_least <= inner_furthest && (inner_least > least || inner_furthest < furthest);
        if (n == 5 && !inner) { continue; }
        fit.error = gstex_bc_worst;
        from_ = fit;
        from_.lo = select(inner_least, least, n == 7);
        from_.hi = select(inner_furthest, furthest, n == 7);
        for (var step: i32 = 0; step < 3 + 8 * gstex_bc4_turns && fit.error > 0; step++) {
            let move_: i32 = (step - 3) & 7; var to_lo: i32 = 0; var to_hi: i32 = 0;
            if (step == 1 || step == 2) { from_ = gstex_bc4_solved(at, channel, fit); }
            if (step > 2) { // one up or down at either end
                if (move_ == 0) { from_ = fit; }
                let place: i32 = select(move_ + 1, move_, move_ < 4); // of 3x3, without the middle
                to_lo = place % 3 - 1;
                to_hi = place / 3 - 1;
            }
            let lo: i32 = clamp(from_.lo + to_lo, 0, 255); let hi: i32 = clamp(from_.hi + to_hi, 0, 255);
            if (lo > hi) { continue; }
            let moved: GstexScalarFit = gstex_bc4_assign(at, channel, lo, hi, n);
            if (moved.error < fit.error) { fit = moved; }
        }
        if (n == 7 || fit.error * 49 < best.error * 25) { best = fit; }
    }
    let seven: bool = best.n == 7 && best.lo < best.hi; // the larger value first means six values between
    var low: u32 = 0u; var high: u32 = 0u; // indices of 3 bits: texels 0 .. 7 and 8 .. 15
    for (var i: i32 = 0; i < 16; i++) {
        var index: i32 = i32((select(best.high, best.low, i < 8) >> u32(4 * (i & 7))) & 15u);
        if (best.lo == best.hi) { index = select(0, index, index > 5); }
        else if (seven) { index = select(select(8 - index, 1, index == 0), 0, index == 7); }
        else if (index < 6) { index = select(select(index + 1, 1, index == 5), 0, index == 0); }
        let bits: u32 = u32(index) << u32(3 * (i & 7));
        low |= select(0u, bits, i < 8);
        high |= select(bits, 0u, i < 8);
    }
    var block: GstexBlock;
    block.word[0] = u32(select(best.lo, best.hi, seven)) | (u32(select(best.hi, best.lo, seven)) << 8u) | (low << 16u);
    block.word[1] = (low >> 16u) | (high << 8u);
    block.word[2] = 0u;
    block.word[3] = 0u;
    return block;
}

// Modes: 6, a line in 16 values; 5 and 4, a line and a channel on its own; 1, 3 and 7, two parts with a line each.

const gstex_bc7_enough: i32 = 3; // a squared error of a block that is not worth another mode: 60 dB
// Below this error of mode 6, 47 dB, rounding decides, and all modes are tried; above, those that suit the colours.
const gstex_bc7_fine: i32 = 64;
const gstex_bc7_picks: i32 = 2; // shapes whose parts are encoded
const gstex_bc7_long: i32 = 80; // above this squared length lines need the values of mode 1 more than the ends of mode 3

// ---- Which parts and channels belong together ----------------------------------------------------------------------

// The 64 ways to divide a block in two; a bit for each texel of the second part.
const gstex_bc7_shapes: array<u32, 64> = array<u32, 64>(
    0xCCCCu, 0x8888u, 0xEEEEu, 0xECC8u, 0xC880u, 0xFEECu, 0xFEC8u, 0xEC80u,
    0xC800u, 0xFFECu, 0xFE80u, 0xE800u, 0xFFE8u, 0xFF00u, 0xFFF0u, 0xF000u,
    0xF710u, 0x008Eu, 0x7100u, 0x08CEu, 0x008Cu, 0x7310u, 0x3100u, 0x8CCEu,
    0x088Cu, 0x3110u, 0x6666u, 0x366Cu, 0x17E8u, 0x0FF0u, 0x718Eu, 0x399Cu,
    0xAAAAu, 0xF0F0u, 0x5A5Au, 0x33CCu, 0x3C3Cu, 0x55AAu, 0x9696u, 0xA55Au,
    0x73CEu, 0x13C8u, 0x324Cu, 0x3BDCu, 0x6996u, 0xC33Cu, 0x9966u, 0x0660u,
    0x0272u, 0x04E4u, 0x4E40u, 0x2720u, 0xC936u, 0x936Cu, 0x39C6u, 0x639Cu,
    0x9336u, 0x9CC6u, 0x817Eu, 0xE718u, 0xCCF0u, 0x0FCCu, 0x7744u, 0xEE22u
);
// Of each, the texel of the second part whose index has no highest bit; 4 bits each.
const gstex_bc7_anchors: array<u32, 8> = array<u32, 8>(
    0xFFFFFFFFu, 0xFFFFFFFFu, 0xF882282Fu, 0x22882282u,
    0xFF8286FFu, 0x6FF22282u, 0x22FF8626u, 0xF22FFFFFu
);

// Sums over some texels.
struct GstexMoments { count: i32, sum: array<i32, 4>, product: array<i32, 10>, }

fn gstex_bc7_moments(at: i32, mask: u32) -> GstexMoments {
    var m: GstexMoments;
    m.count = 0;
    for (var a: i32 = 0; a < 4; a++) { m.sum[a] = 0; }
    for (var k: i32 = 0; k < 10; k++) { m.product[k] = 0; }
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 0u) { continue; }
        let texel: u32 = gstex_bc_texel(at, i);
        m.count++;
        for (var a: i32 = 0; a < 4; a++) {
            let x: i32 = gstex_bc_channel(texel, a);
            m.sum[a] += x;
            for (var b: i32 = 0; b <= a; b++) { m.product[gstex_bc_pair(a, b)] += x * gstex_bc_channel(texel, b); }
        }
    }
    return m;
}

// The moments without channel a.
fn gstex_bc7_without(m_in: GstexMoments, a: i32) -> GstexMoments {
    var m = m_in;
    for (var b: i32 = 0; b < 4; b++) {
        if (b == a) { m.sum[b] = 0; }
        for (var c: i32 = 0; c <= b; c++) {
            if (b == a || c == a) { m.product[gstex_bc_pair(b, c)] = 0; }
        }
    }
    return m;
}

// Squared distances of some texels from their mean, summed: along the line that fits them best, and from that line.
struct GstexSpread { along: i32, rest: i32, }

// About these: the largest eigenvalue of the covariance, and the others.
fn gstex_bc7_spread(m: GstexMoments) -> GstexSpread {
    var covariance: array<i32, 10>;
    var axis: array<i32, 4>;
    var next: array<i32, 4>;
    var trace: i32 = 0;
    var most: i32 = 0;
    for (var a: i32 = 0; a < 4; a++) {
        for (var b: i32 = 0; b <= a; b++) {
            let k: i32 = gstex_bc_pair(a, b);
            covariance[k] = m.count * m.product[k] - m.sum[a] * m.sum[b];
        }
        trace += covariance[gstex_bc_pair(a, a)];
        most = max(most, covariance[gstex_bc_pair(a, a)]);
        axis[a] = 0;
    }
    // Numbers of the covariance have 15 bits with their trace, those of the axis 6: the sum of products below has 31.
    let shift: i32 = max(i32(firstLeadingBit(u32(max(trace, 1)))) - 14, 0);
    for (var k: i32 = 0; k < 4; k++) {
        if (covariance[gstex_bc_pair(k, k)] == most) {
            for (var a: i32 = 0; a < 4; a++) { axis[a] = covariance[gstex_bc_pair(a, k)] >> u32(shift); }
        }
    }
    for (var k: i32 = 0; k < 10; k++) { covariance[k] = covariance[k] >> u32(shift); }
    for (var turn: i32 = 0; turn < 2; turn++) {
        var longest: i32 = 1;
        for (var a: i32 = 0; a < 4; a++) { longest = max(longest, abs(axis[a])); }
        let down: i32 = 5 - i32(firstLeadingBit(u32(longest)));
        for (var a: i32 = 0; a < 4; a++) { axis[a] = gstex_bc_scale(axis[a], down); }
        for (var a: i32 = 0; a < 4; a++) {
            next[a] = 0;
            for (var b: i32 = 0; b < 4; b++) { next[a] += covariance[gstex_bc_pair(a, b)] * axis[b]; }
        }
        if (turn < 1) {
            for (var a: i32 = 0; a < 4; a++) { axis[a] = next[a]; }
        }
    }
    var norm: i32 = 0; var quotient: i32 = 0;
    for (var a: i32 = 0; a < 4; a++) {
        norm += axis[a] * axis[a];
        quotient += axis[a] * next[a];
    }
    let along: i32 = quotient / max(norm, 1); let rest: i32 = max((trace >> u32(shift)) - along, 0);
    var spread: GstexSpread;
    spread.along = (along << u32(shift)) / m.count;
    spread.rest = (rest << u32(shift)) / m.count;
    return spread;
}

// The shapes that divide a block into two lines best, the best first.
struct GstexShapes { shape: array<i32, gstex_bc7_picks>, along: array<i32, gstex_bc7_picks>, rest: array<i32, gstex_bc7_picks>, }

fn gstex_bc7_best_shapes(at: i32, all: GstexMoments) -> GstexShapes {
    var first: GstexMoments;
    var best: GstexShapes;
    for (var k: i32 = 0; k < gstex_bc7_picks; k++) {
        best.shape[k] = 0;
        best.along[k] = 0;
        best.rest[k] = gstex_bc_worst;
    }
    for (var shape: i32 = 0; shape < 64; shape++) {
        let second: GstexMoments = gstex_bc7_moments(at, gstex_bc7_shapes[shape]);
        first.count = all.count - second.count;
        for (var a: i32 = 0; a < 4; a++) { first.sum[a] = all.sum[a] - second.sum[a]; }
        for (var k: i32 = 0; k < 10; k++) { first.product[k] = all.product[k] - second.product[k]; }
        let of_first: GstexSpread = gstex_bc7_spread(first); let of_second: GstexSpread = gstex_bc7_spread(second);
        var placed: i32 = shape;
        var along: i32 = of_first.along + of_second.along;
        var rest: i32 = of_first.rest + of_second.rest;
        for (var k: i32 = 0; k < gstex_bc7_picks; k++) {
            if (rest >= best.rest[k]) { continue; }
            let other: i32 = best.shape[k]; let other_along: i32 = best.along[k]; let other_rest: i32 = best.rest[k];
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
fn gstex_bc7_turned(fit: GstexFit, mask: u32, anchor: i32, n: i32) -> GstexFit {
    if (2 * gstex_bc_index(fit, anchor) <= n) { return fit; }
    var turned: GstexFit;
    turned.error = fit.error;
    turned.low = 0u;
    turned.high = 0u;
    for (var a: i32 = 0; a < 4; a++) {
        turned.ends.lo[a] = fit.ends.hi[a];
        turned.ends.hi[a] = fit.ends.lo[a];
    }
    for (var i: i32 = 0; i < 16; i++) {
        if (((mask >> u32(i)) & 1u) == 1u) { turned = gstex_bc_with_index(turned, i, n - gstex_bc_index(fit, i)); }
    }
    return turned;
}

// Indices of `bits` bits, one less for the texels in `anchors`.
fn gstex_bc7_put_indices(block_in: GstexBlock, low: u32, high: u32, bits: i32, anchors: u32) -> GstexBlock {
    var block = block_in;
    for (var i: i32 = 0; i < 16; i++) {
        let index: i32 = i32((select(high, low, i < 8) >> u32(4 * (i & 7))) & 15u);
        block = gstex_bc_put(block, index, bits - i32((anchors >> u32(i)) & 1u));
    }
    return block;
}

// ---- Modes ---------------------------------------------------------------------------------------------------------

// A mode of BC7 for a block. A block has one or two parts: all of it (mode 6), its colours and a channel on its own
// (4, 5), or two sets of texels (1, 3, 7).
struct GstexWay {
    mode: i32,
    parts: i32, channels: i32, // channels: of the first part, in the block
    p_bits: i32, // as of GstexHold
    alone: i32,  // the channel on its own, which stands in the place of alpha, and alpha in its place; or -1
    shape: i32,  // of the sets of texels; or -1
    bits: array<i32, 2>, index_bits: array<i32, 2>, // of a code with its p, and of an index, by part
}

// k 0: mode 6; 1 .. 4: mode 5 with channel k - 1 alone; 5 and 6: mode 4 with `nearest` alone; 7 .. 9: modes 1, 3 and 7.
fn gstex_bc7_way(k: i32, nearest: i32, shape: i32) -> GstexWay {
    var way: GstexWay;
    way.mode = select(select(select(select(select(7, 3, k == 8), 1, k == 7), 4, k < 7), 5, k < 5), 6, k == 0);
    way.parts = select(2, 1, k == 0);
    way.channels = select(3, 4, k == 0 || k == 9);
    way.p_bits = select(select(0, 1, k == 7), 2, k == 0 || k > 7);
    way.alone = select(select(nearest, k - 1, k < 5), -1, k == 0 || k > 6);
    way.shape = select(-1, shape, k > 6);
    way.bits[0] = select(select(select(5, 6, k == 9), 7, k < 5 || k == 7), 8, k == 0 || k == 8);
    way.bits[1] = select(select(way.bits[0], 6, k < 7), 8, k < 5);
    way.index_bits[0] = select(select(2, 3, k == 6 || k == 7), 4, k == 0);
    way.index_bits[1] = select(2, 3, k == 5 || k == 7);
    return way;
}

fn gstex_bc7_block(way: GstexWay, first_in: GstexFit, second_in: GstexFit) -> GstexBlock {
    var first = first_in;
    var second = second_in;
    let mask: u32 = select(gstex_bc7_shapes[way.shape], 0u, way.shape < 0);
    let anchor: i32 = select(i32((gstex_bc7_anchors[way.shape >> 3u] >> u32(4 * (way.shape & 7))) & 15u), 0, way.shape < 0);
    first = gstex_bc7_turned(first, gstex_bc_all ^ mask, 0, (1 << u32(way.index_bits[0])) - 1);
    if (way.parts == 2) {
        second = gstex_bc7_turned(second, select(mask, gstex_bc_all, way.shape < 0), anchor, (1 << u32(way.index_bits[1])) - 1);
    }
    var block: GstexBlock;
    for (var i: i32 = 0; i < 4; i++) { block.word[i] = 0u; }
    block = gstex_bc_put(block, 1 << u32(way.mode), way.mode + 1);
    if (way.shape >= 0) { block = gstex_bc_put(block, way.shape, 6); }
    if (way.alone >= 0) { block = gstex_bc_put(block, (way.alone + 1) & 3, 2); }
    if (way.mode == 4) { block = gstex_bc_put(block, way.index_bits[0] - 2, 1); } // whether the colours have 3 bits

    let p: i32 = 8 - way.bits[0]; let down: i32 = select(p, p + 1, way.p_bits > 0); var lo: i32 = 0; var hi: i32 = 0; // where p stands in 8 bits
    for (var a: i32 = 0; a < 4; a++) {
        lo += second.ends.lo[a]; // of a channel on its own; the others are 0
        hi += second.ends.hi[a];
        if (a >= way.channels) { continue; }
        block = gstex_bc_put(block, select(first.ends.lo[a], first.ends.lo[3], a == way.alone) >> u32(down), 8 - down);
        block = gstex_bc_put(block, select(first.ends.hi[a], first.ends.hi[3], a == way.alone) >> u32(down), 8 - down);
        if (way.shape < 0) { continue; }
        block = gstex_bc_put(block, second.ends.lo[a] >> u32(down), 8 - down);
        block = gstex_bc_put(block, second.ends.hi[a] >> u32(down), 8 - down);
    }
    if (way.alone >= 0) {
        block = gstex_bc_put(block, lo >> u32(8 - way.bits[1]), way.bits[1]);
        block = gstex_bc_put(block, hi >> u32(8 - way.bits[1]), way.bits[1]);
    }
    if (way.p_bits > 0) { block = gstex_bc_put(block, (first.ends.lo[0] >> u32(p)) & 1, 1); }
    if (way.p_bits > 1) { block = gstex_bc_put(block, (first.ends.hi[0] >> u32(p)) & 1, 1); }
    if (way.p_bits > 0 && way.shape >= 0) { block = gstex_bc_put(block, (second.ends.lo[0] >> u32(p)) & 1, 1); }
    if (way.p_bits > 1 && way.shape >= 0) { block = gstex_bc_put(block, (second.ends.hi[0] >> u32(p)) & 1, 1); }

    if (way.shape >= 0) {
        first.low |= second.low;
        first.high |= second.high;
    }
    let swapped: bool = way.alone >= 0 && way.index_bits[0] > way.index_bits[1]; // mode 4 has the indices of 2 bits first
    for (var turn: i32 = 0; turn < select(1, 2, way.alone >= 0); turn++) {
        let colors: bool = (turn == 0) != swapped;
        block = gstex_bc7_put_indices(block, select(second.low, first.low, colors), select(second.high, first.high, colors),
                                      select(way.index_bits[1], way.index_bits[0], colors), 1u | (1u << u32(anchor)));
    }
    return block;
}

// The channel, of the first few, without which the others are nearest to a line.
fn gstex_bc7_alone(all: GstexMoments, channels: i32) -> i32 {
    var nearest: i32 = 0; var least: i32 = gstex_bc_worst;
    for (var a: i32 = 0; a < channels; a++) {
        let rest: i32 = gstex_bc7_spread(gstex_bc7_without(all, a)).rest;
        if (rest >= least) { continue; }
        least = rest;
        nearest = a;
    }
    return nearest;
}

// R, G, B and A of a block: 16 bytes. has_alpha: else all texels have an alpha of 255, and the block 254 or 255. A block
// with alpha that is 255 in all texels keeps it.
fn gstex_bc7(at: i32, has_alpha: bool) -> GstexBlock {
    var transparent: i32 = 0; // squared error of an alpha of 255
    for (var i: i32 = 0; i < 16; i++) {
        let off: i32 = 255 - gstex_bc_channel(gstex_bc_texel(at, i), 3);
        transparent += off * off;
    }
    let opaque: bool = transparent == 0; var thorough: bool = true;
    var least: i32 = gstex_bc_worst; var nearest: i32 = 0; var best: i32 = 0; var best_shape: i32 = 0;
    let all: GstexMoments = gstex_bc7_moments(at, gstex_bc_all);
    var shapes: GstexShapes;
    for (var k: i32 = 0; k < gstex_bc7_picks; k++) {
        shapes.shape[k] = 0;
        shapes.along[k] = 0;
    }
    var best_first: GstexFit = gstex_bc_no_fit(); var best_second: GstexFit = best_first;
    for (var k: i32 = 0; k < 7 + 3 * gstex_bc7_picks && least > gstex_bc7_enough; k++) {
        if (k == 1) {
            thorough = least < gstex_bc7_fine;
            nearest = gstex_bc7_alone(all, select(4, 3, opaque));
        }
        if (k == 7) { shapes = gstex_bc7_best_shapes(at, all); }
        let pick: i32 = select((k - 7) / 3, 0, k < 7);
        let number: i32 = select(7 + (k - 7) % 3, k, k < 7);
        let shape: i32 = shapes.shape[pick];
        let way: GstexWay = gstex_bc7_way(number, nearest, shape);
        // What cannot be, or does not suit the colours. Long lines need more indices, short ones finer ends.
        if (opaque && (way.alone == 3 || way.mode == 4 || way.mode == 7)) { continue; }
        if (!thorough && way.mode == 5 && way.alone != nearest) { continue; }
        if (!thorough && way.mode == select(select(1, 3, shapes.along[pick] > gstex_bc7_long), 0, k < 7)) { continue; }

        let mask: u32 = select(gstex_bc7_shapes[way.shape], gstex_bc_all, way.shape < 0);
        let colors_only: bool = way.mode == 1 || way.mode == 3 || (way.mode == 6 && !has_alpha);
        var error: i32 = select(0, transparent, colors_only && has_alpha);
        var first: GstexFit = best_first; var second: GstexFit = best_second;
        for (var part: i32 = 0; part < way.parts && error < least; part++) {
            var used: u32 = select(0xFFFFFFFFu, 0xFFFFFFu, colors_only);
            if (way.alone >= 0) { used = select(255u << u32(8 * way.alone), ~(255u << u32(8 * way.alone)), part == 0); }
            let bits: i32 = select(way.bits[1], way.bits[0], part == 0);
            let index_bits: i32 = select(way.index_bits[1], way.index_bits[0], part == 0);
            var hold: GstexHold = gstex_bc_hold(used, bits, 0, way.p_bits);
            hold.opaque = has_alpha && opaque && way.mode == 6;
            hold.thorough = thorough;
            let texels: u32 = select(mask, gstex_bc_all ^ mask, way.shape >= 0 && part == 0);
            let line: GstexEnds = gstex_bc_line(at, texels, used);
            let fit: GstexFit = gstex_bc_fit(at, texels, hold, line, gstex_bc_sums_at(line), (1 << u32(index_bits)) - 1, 64);
            error += fit.error;
            if (part == 0) { first = fit; }
            else { second = fit; }
        }
        if (error >= least) { continue; }
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

const gstex_bc_rgba8: u32 = 0u; // not encoded: words of the texels
const gstex_bc_bc1: u32 = 1u; const gstex_bc_bc4: u32 = 4u; const gstex_bc_bc5: u32 = 5u; const gstex_bc_bc7: u32 = 7u;
const gstex_bc_bc7_opaque: u32 = 8u; // BC7 without alpha

// Words of a block.
fn gstex_bc_words(format: u32) -> i32 { return select(4, 2, format == gstex_bc_bc1 || format == gstex_bc_bc4); }

// BC4 has R, BC5 R and G, BC1 R, G and B.
fn gstex_bc_block(at: i32, format: u32) -> GstexBlock {
    var block: GstexBlock;
    if (format == gstex_bc_bc1) { return gstex_bc1(at); }
    if (format == gstex_bc_bc7 || format == gstex_bc_bc7_opaque) { return gstex_bc7(at, format == gstex_bc_bc7); }
    for (var channel: i32 = 0; channel < select(1, 2, format == gstex_bc_bc5); channel++) {
        let scalars: GstexBlock = gstex_bc4(at, channel);
        block.word[2] = select(scalars.word[0], 0u, channel == 0);
        block.word[3] = select(scalars.word[1], 0u, channel == 0);
        if (channel == 0) {
            block.word[0] = scalars.word[0];
            block.word[1] = scalars.word[1];
        }
    }
    return block;
}
