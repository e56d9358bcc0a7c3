// bc7.glsl: encodes 4x4 texels of R, G, B and A as a block of BC7. Include bc.glsl first.
//
// Modes: 6, a line in 16 values; 5 and 4, a line and a channel on its own; 1, 3 and 7, two parts with a line each.

const int gstex_bc7_enough = 3; // a squared error of a block that is not worth another mode: 60 dB
// Below this error of mode 6, 47 dB, rounding decides, and all modes are tried; above, those that suit the colours.
const int gstex_bc7_fine = 64;
const int gstex_bc7_picks = 2; // shapes whose parts are encoded
const int gstex_bc7_long = 80; // above this squared length lines need the values of mode 1 more than the ends of mode 3

// ---- Which parts and channels belong together ----------------------------------------------------------------------

// The 64 ways to divide a block in two; a bit for each texel of the second part.
GSTEX_BC_TABLE const uint gstex_bc7_shapes[64] = {
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
GSTEX_BC_TABLE const uint gstex_bc7_anchors[8] = {
    0xFFFFFFFFu, 0xFFFFFFFFu, 0xF882282Fu, 0x22882282u,
    0xFF8286FFu, 0x6FF22282u, 0x22FF8626u, 0xF22FFFFFu
};

// Sums over some texels.
struct GstexMoments { int count, sum[4], product[10]; };

GSTEX_BC GstexMoments gstex_bc7_moments(int at, uint mask) {
    GstexMoments m;
    m.count = 0;
    for (int a = 0; a < 4; ++a) m.sum[a] = 0;
    for (int k = 0; k < 10; ++k) m.product[k] = 0;
    for (int i = 0; i < 16; ++i) {
        if ((mask >> i & 1u) == 0u) continue;
        uint texel = GSTEX_TEXEL(at, i);
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
GSTEX_BC GstexMoments gstex_bc7_without(GstexMoments m, int a) {
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
GSTEX_BC GstexSpread gstex_bc7_spread(GstexMoments m) {
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
    int shift = max(GSTEX_BC_TOP_BIT(uint(max(trace, 1))) - 14, 0);
    for (int k = 0; k < 4; ++k)
        if (covariance[gstex_bc_pair(k, k)] == most)
            for (int a = 0; a < 4; ++a) axis[a] = covariance[gstex_bc_pair(a, k)] >> shift;
    for (int k = 0; k < 10; ++k) covariance[k] = covariance[k] >> shift;
    for (int turn = 0; turn < 2; ++turn) {
        int longest = 1;
        for (int a = 0; a < 4; ++a) longest = max(longest, abs(axis[a]));
        int down = 5 - GSTEX_BC_TOP_BIT(uint(longest));
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
    int along = quotient / max(norm, 1), rest = max((trace >> shift) - along, 0);
    GstexSpread spread;
    spread.along = (along << shift) / m.count;
    spread.rest = (rest << shift) / m.count;
    return spread;
}

// The shapes that divide a block into two lines best, the best first.
struct GstexShapes { int shape[gstex_bc7_picks], along[gstex_bc7_picks], rest[gstex_bc7_picks]; };

GSTEX_BC GstexShapes gstex_bc7_best_shapes(int at, GstexMoments all) {
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
GSTEX_BC GstexFit gstex_bc7_turned(GstexFit fit, uint mask, int anchor, int n) {
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
GSTEX_BC GstexBlock gstex_bc7_put_indices(GstexBlock block, uint low, uint high, int bits, uint anchors) {
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
    int p_bits;          // as of GstexHold
    int alone;           // the channel on its own, which stands in the place of alpha, and alpha in its place; or -1
    int shape;           // of the sets of texels; or -1
    int bits[2], index_bits[2]; // of a code with its p, and of an index, by part
};

// k 0: mode 6; 1 .. 4: mode 5 with channel k - 1 alone; 5 and 6: mode 4 with `nearest` alone; 7 .. 9: modes 1, 3 and 7.
GSTEX_BC GstexWay gstex_bc7_way(int k, int nearest, int shape) {
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

GSTEX_BC GstexBlock gstex_bc7_block(GstexWay way, GstexFit first, GstexFit second) {
    uint mask = way.shape < 0 ? 0u : gstex_bc7_shapes[way.shape];
    int anchor = way.shape < 0 ? 0 : int(gstex_bc7_anchors[way.shape >> 3] >> (4 * (way.shape & 7)) & 15u);
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
GSTEX_BC int gstex_bc7_alone(GstexMoments all, int channels) {
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
GSTEX_BC GstexBlock gstex_bc7(int at, bool has_alpha) {
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

const uint gstex_bc_rgba8 = 0u; // not encoded: words of the texels
const uint gstex_bc_bc1 = 1u, gstex_bc_bc4 = 4u, gstex_bc_bc5 = 5u, gstex_bc_bc7 = 7u;
const uint gstex_bc_bc7_opaque = 8u; // BC7 without alpha

// Words of a block.
GSTEX_BC int gstex_bc_words(uint format) { return format == gstex_bc_bc1 || format == gstex_bc_bc4 ? 2 : 4; }

// BC4 has R, BC5 R and G, BC1 R, G and B.
GSTEX_BC GstexBlock gstex_bc_block(int at, uint format) {
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
