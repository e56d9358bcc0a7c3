// Reads a GPU section: docs/format.md, in the order of shaders/gstex.glsl.
//
// The host has proved that the words are sound (gstex.format.validate), so nothing is checked here. `words` is the
// first word of the material. A kernel decodes one group of channels. MEMBERS, how many these are, is known when it is
// compiled: what is summed for them stays in registers. Divisions are __fdividef, which is within 2 units of the last
// place and a fifth of the work.

#include "gstex.cuh"

#ifndef MEMBERS
#define MEMBERS 8
#endif

// ---- What is the same for all Gaussians of a texel: headers, mip and level -----------------------------------------

struct GstexHeader {
    int width, height;   // of mip 0, texels
    int channels, mips;
    int tail;            // the first mip of the tail
    int first_mip;       // 0, or the tail where that alone is at hand
    bool repeat;
};

struct GstexGroup {
    gstex_word members;           // a bit for every channel that is in it
    int top_k;                    // how many Gaussians are blended; 0: all in reach
    int candidates_max;
    float amplitude_lo, amplitude_step;
    int mips;                     // word of the offset of the block of mip 0; those of the other mips follow
    int ranges;                   // word of channel_lo[0]; channel_step[0], channel_lo[1] .. follow
    unsigned long long own_bits;  // of every member, 4 bits each
    int palettes;                 // word of the first entry
    gstex_word palette_bits;      // 4 bits each
};

struct GstexMip {
    int width, height;             // texels
    float own_width, own_height;   // the same in the texels that its Gaussians are measured in
    float filter;                  // variance added to that of its Gaussians
    bool raw;                      // holds texels, not Gaussians
    int bend;                      // word of the first member's bend; 0: there is none
    int background, level_count;   // word of the background, or of the first texel
};

struct GstexLevel {
    int cells_x, cells_y;
    float cell_width, cell_height; // texels
    bool regular;                  // one Gaussian in every cell, and no index
    int index, records, stride;    // word, word, bits of a record
    int x_bits, y_bits, rotation_bits, scale_bits, amplitude_bits;
    float x_step, y_step;          // cells
    float rotation_step;           // tangent of the half angle
    float scale_lo, scale_step;    // log2 of 1/texel
};

__device__ __forceinline__ float gstex_float(const gstex_word *words, int i) { return __uint_as_float(words[i]); }

__device__ __forceinline__ float gstex_power_of_2(int exponent) { return __int_as_float((exponent + 127) << 23); }

__device__ __forceinline__ GstexHeader gstex_header(const gstex_word *words) {
    GstexHeader h;
    h.width = gstex_bits(words[2], 0, 16);
    h.height = gstex_bits(words[2], 16, 16);
    h.channels = gstex_bits(words[3], 0, 8);
    h.mips = gstex_bits(words[3], 8, 8);
    h.repeat = gstex_bits(words[3], 24, 1);
    h.tail = gstex_bits(words[3], 19, 4);
    h.first_mip = gstex_bits(words[3], 26, 4);
    return h;
}

// The first word of the entry of a channel.
__device__ __forceinline__ int gstex_channel(int channel) {
    return GSTEX_HEADER_FIXED_WORDS + GSTEX_CHANNEL_ENTRY_WORDS * channel;
}

__device__ __forceinline__ GstexGroup gstex_group(const gstex_word *words, const GstexHeader &h, int number) {
    GstexGroup g;
    int header = int(words[int(words[1] >> 16) - gstex_bits(words[3], 16, 3) + number]);
    g.members = words[header] & 0xFFFFu;
    g.top_k = min(gstex_bits(words[header], 16, 8), GSTEX_MAX_TOP_K);
    g.amplitude_lo = gstex_float(words, header + 1);
    g.amplitude_step = gstex_float(words, header + 2);
    g.candidates_max = int(min(words[header + 3], gstex_word(GSTEX_MAX_CANDIDATES)));
    g.palettes = int(words[header + 4]);
    g.palette_bits = words[header + 5] & 0xFFFFu;
    g.mips = header + GSTEX_GROUP_FIXED_WORDS;
    g.ranges = g.mips + 2 * h.mips - h.tail;
    // Where the tail alone is at hand, its own offsets count: they stand behind those of all mips, from mip `tail` on.
    if (h.first_mip > 0) g.mips += h.mips - h.tail;
    int widths = g.ranges + 2 * MEMBERS;
    g.own_bits = words[widths];
    if (MEMBERS > 8) g.own_bits |= (unsigned long long)words[widths + 1] << 32;
    return g;
}

// Mips that are not there are replaced by the first that is.
__device__ __forceinline__ GstexMip gstex_mip(const gstex_word *words, const GstexHeader &h, const GstexGroup &g,
                                              int number) {
    GstexMip mip;
    number = max(number, h.first_mip);
    int block = int(words[g.mips + number]);
    gstex_word kind = words[block];
    mip.width = max(h.width >> number, 1);
    mip.height = max(h.height >> number, 1);
    mip.own_width = float(mip.width);
    mip.own_height = float(mip.height);
    mip.filter = 0.0f;
    mip.raw = kind & GSTEX_RAW_BIT;
    mip.bend = 0;
    if (kind & GSTEX_SHARED_BIT) { // the Gaussians of mip 0 are drawn smaller, so they are blurred first
        float sigma = gstex_float(words, block + 1);
        mip.filter = sigma * sigma;
        mip.own_width = float(h.width);
        mip.own_height = float(h.height);
        mip.bend = block + 2;
        block = int(words[g.mips]);
        kind = words[block];
    }
    mip.background = block + 2;
    mip.level_count = min(gstex_bits(kind, 0, 8), GSTEX_MAX_LEVELS);
    return mip;
}

__device__ __forceinline__ GstexLevel gstex_level(const gstex_word *words, const GstexMip &mip, int number) {
    const gstex_word *entry = words + mip.background + MEMBERS + GSTEX_LEVEL_ENTRY_WORDS * number;
    GstexLevel level;
    level.cells_x = gstex_bits(entry[0], 0, 16);
    level.cells_y = gstex_bits(entry[0], 16, 16);
    level.index = int(entry[1]);
    level.records = int(entry[2]);
    level.stride = gstex_bits(entry[4], 0, 9);
    level.x_bits = gstex_bits(entry[4], 9, 4);
    level.y_bits = gstex_bits(entry[4], 13, 4);
    level.rotation_bits = gstex_bits(entry[4], 17, 4);
    level.scale_bits = gstex_bits(entry[4], 21, 4);
    level.amplitude_bits = gstex_bits(entry[4], 25, 4);
    level.regular = gstex_bits(entry[4], 29, 1);
    level.x_step = gstex_power_of_2(-level.x_bits);
    level.y_step = gstex_power_of_2(-level.y_bits);
    level.rotation_step = GSTEX_TAN_22_5 * gstex_power_of_2(1 - level.rotation_bits);
    level.scale_lo = __uint_as_float(entry[5]);
    level.scale_step = __uint_as_float(entry[6]);
    level.cell_width = __fdividef(mip.own_width, float(level.cells_x));
    level.cell_height = __fdividef(mip.own_height, float(level.cells_y));
    return level;
}

// ---- Which Gaussians a texel sees: the cell index ------------------------------------------------------------------

// (first, count): the Gaussians of a cell, as numbers of records of the level.
__device__ __forceinline__ int2 gstex_cell(const gstex_word *words, const GstexLevel &level, int cell) {
    if (level.regular) return make_int2(cell, 1);
    const gstex_word *index = words + level.index, *group = index + 3 * (cell >> 4);
    int inside = cell & 15;
    gstex_word base = group[0], low = group[1], high = group[2];
    int begin = gstex_bits(base, 0, 31);
    if (base >> 31) { // crowded: counts above 15. The sums up to each cell are written out, two a word.
        const gstex_word *sums = index + low;
        int next = inside + 1;
        int before = gstex_bits(sums[inside >> 1], 16 * (inside & 1), 16);
        int up_to = next < 16 ? gstex_bits(sums[next >> 1], 16 * (next & 1), 16) : gstex_bits(group[3], 0, 31) - begin;
        return make_int2(begin + before, up_to - before);
    }
    // The counts of the cells before this one are added up in four bytes at once, and these by a multiplication.
    const gstex_word nibbles = 0x0F0F0F0Fu;
    gstex_word own = inside < 8 ? low : high, others = inside < 8 ? 0u : low;
    int shift = 4 * (inside & 7);
    gstex_word before = own & ((1u << shift) - 1u);
    gstex_word sums = (before & nibbles) + (before >> 4 & nibbles) + (others & nibbles) + (others >> 4 & nibbles);
    return make_int2(begin + int(sums * 0x01010101u >> 24), gstex_bits(own, shift, 4));
}

// ---- What a Gaussian weighs and holds: its record ------------------------------------------------------------------

// A reader of bit fields. window: the next `left` bits, lowest first. next: the word after them.
struct GstexStream {
    unsigned long long window;
    int left;
    const gstex_word *next;
};

// From a bit of the words on. The two words that are loaded hold the geometry of a record at least; after the last
// record the guard word may be loaded in vain.
__device__ __forceinline__ GstexStream gstex_open(const gstex_word *words, unsigned long long bit) {
    const gstex_word *at = words + (bit >> 5);
    int skipped = int(bit & 31);
    GstexStream s;
    s.window = (at[0] | (unsigned long long)at[1] << 32) >> skipped;
    s.left = 64 - skipped;
    s.next = at + 2;
    return s;
}

__device__ __forceinline__ int gstex_take(GstexStream &s, int count) { // 0 .. 15 of the bits left
    int field = gstex_bits(gstex_word(s.window), 0, count);
    s.window >>= count;
    s.left -= count;
    return field;
}

__device__ __forceinline__ int gstex_take_more(GstexStream &s, int count) { // 0 .. 15 bits
    if (s.left < count) {
        s.window |= (unsigned long long)*s.next++ << s.left;
        s.left += 32;
    }
    return gstex_take(s, count);
}

__device__ __forceinline__ unsigned long long gstex_record_bit(const GstexLevel &level, int record) {
    return 32ull * (unsigned)level.records + (unsigned long long)(unsigned)record * (unsigned)level.stride;
}

// The weight of a Gaussian without its fade is 2^(peak - U^2 - V^2) with
// U = along_x dx + along_y dy, V = across_x dx + across_y dy.
struct GstexShape {
    float x, y; // of the centre inside its cell, in cells
    float along_x, along_y, across_x, across_y, peak;
};

// The geometry of a record; the stream is left at the first palette's entry.
__device__ __forceinline__ GstexShape gstex_shape(const GstexGroup &g, const GstexLevel &level, float filter,
                                                  GstexStream &s) {
    GstexShape shape;
    shape.x = gstex_position(float(gstex_take(s, level.x_bits)), level.x_step);
    shape.y = gstex_position(float(gstex_take(s, level.y_bits)), level.y_step);
    float half = float(1 << level.rotation_bits >> 1); // 0 without bits
    float turn = gstex_half_angle(float(gstex_take(s, level.rotation_bits)), half, level.rotation_step);
    float norm = __fdividef(1.0f, 1.0f + turn * turn);
    float cosine = gstex_cosine(turn, norm), sine = gstex_sine(turn, norm);
    float a = gstex_exp2(gstex_value(level.scale_lo, level.scale_step, float(gstex_take(s, level.scale_bits))));
    float b = gstex_exp2(gstex_value(level.scale_lo, level.scale_step, float(gstex_take(s, level.scale_bits))));
    if (filter > 0.0f) {
        a = gstex_widened(a, filter);
        b = gstex_widened(b, filter);
    }
    a *= GSTEX_UNIT;
    b *= GSTEX_UNIT;
    shape.along_x = a * cosine;
    shape.along_y = a * sine;
    shape.across_x = -b * sine;
    shape.across_y = b * cosine;
    shape.peak =
        GSTEX_LOG2E * gstex_value(g.amplitude_lo, g.amplitude_step, float(gstex_take(s, level.amplitude_bits)));
    return shape;
}

// For every member, the integer that its range is applied to: its own code and what the palettes add.
struct GstexCodes { int of[MEMBERS]; };

__device__ __forceinline__ GstexCodes gstex_codes(const gstex_word *words, const GstexGroup &g, GstexStream s) {
    // Bytes of the entries are added up in pairs of 16 bits: four palettes can not overflow them.
    gstex_word even[(MEMBERS + 3) / 4], odd[(MEMBERS + 3) / 4];
#pragma unroll
    for (int w = 0; w < (MEMBERS + 3) / 4; ++w) even[w] = odd[w] = 0u;
    const gstex_word *palette = words + g.palettes;
    for (int p = 0; p < GSTEX_MAX_PALETTES; ++p) {
        int bits = gstex_bits(g.palette_bits, 4 * p, 4);
        if (bits == 0) break;
        const gstex_word *entry = palette + (MEMBERS + 3) / 4 * gstex_take_more(s, bits);
        palette += (MEMBERS + 3) / 4 << bits;
#pragma unroll
        for (int w = 0; w < (MEMBERS + 3) / 4; ++w) {
            gstex_word bytes = entry[w];
            even[w] += bytes & 0x00FF00FFu;
            odd[w] += bytes >> 8 & 0x00FF00FFu;
        }
    }
    GstexCodes codes;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) {
        int bits = int(g.own_bits >> 4 * k & 15);
        gstex_word pair = k & 1 ? odd[k / 4] : even[k / 4];
        codes.of[k] = gstex_bits(pair, 16 * (k / 2 & 1), 16) + gstex_take_more(s, bits);
    }
    return codes;
}

// A signed number of 10 bits of a bend, from bit `first` on.
__device__ __forceinline__ float gstex_bend_part(gstex_word word, int first) {
    return float(int(word << (22 - first)) >> 22) * GSTEX_BEND_UNIT;
}

// The value of the k-th member: sum of weights times codes, and sum of weights, both with the background's share in the
// second alone.
__device__ __forceinline__ float gstex_value(const gstex_word *words, const GstexGroup &g, const GstexMip &mip, int k,
                                             float codes, float weight) {
    float lo = gstex_float(words, g.ranges + 2 * k), step = gstex_float(words, g.ranges + 2 * k + 1);
    float apart = gstex_float(words, mip.background + k) - lo;
    float value = gstex_saturate(lo + __fdividef(step * codes + GSTEX_BACKGROUND_WEIGHT * apart, weight));
    if (mip.bend == 0) return value;
    gstex_word bend = words[mip.bend + k];
    return gstex_bend(value, gstex_bend_part(bend, 0), gstex_bend_part(bend, 10), gstex_bend_part(bend, 20));
}
