// gstex.glsl: reads textures made of 2D Gaussians, at any texel or point, in any stage of a shader.
//
// The same text is GLSL 4.30 (words in a storage buffer) and GLSL ES 3.00 (words in an R32UI texture). The format is
// specified in docs/format.md; docs/shaders.md says how to use this file. The functions to call stand at its end.
//
// A mip is a few levels, each a grid of cells, from fine to coarse. A Gaussian lies in one cell of one level, a large
// one in a coarse level. A texel looks at the 3x3 cells around it in every level and blends the features f of the
// Gaussians it finds there by their weights w at the texel: value = sum(w f) / sum(w).
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in groups of 4, 1 .. 4 (default). Channels of the file beyond them are left out.
//   GSTEX_LOAD(i)  word i of the buffer that holds all materials. Every load goes through it.
//   GSTEX_BINDING  of the storage buffer, default 0.    GSTEX_WIDTH  of the texture in texels, default 2048.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#if !defined(GSTEX_LOAD) && defined(GL_ES)
#ifndef GSTEX_WIDTH
#define GSTEX_WIDTH 2048
#endif
precision highp float;
precision highp int;
uniform highp usampler2D gstex_words;
#define GSTEX_LOAD(i) texelFetch(gstex_words, ivec2((i) % GSTEX_WIDTH, (i) / GSTEX_WIDTH), 0).x
#elif !defined(GSTEX_LOAD)
#ifndef GSTEX_BINDING
#define GSTEX_BINDING 0
#endif
layout(std430, binding = GSTEX_BINDING) readonly buffer GstexWords { uint gstex_words[]; };
#define GSTEX_LOAD(i) gstex_words[i]
#endif

// Channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map; 0 if the file has no such channel.
struct GstexValue { vec4 v[GSTEX_VEC4S]; };

// ---- What is the same for all Gaussians of a texel: header, mip and level ------------------------------------------

struct GstexHeader {
    int base;              // the material's first word; positions in the file are relative to it
    ivec2 size;            // of mip 0, texels
    int channels, mips;
    int top_k;             // how many Gaussians are blended; 0: all in reach
    int candidates_max;
    bool repeat, bilinear; // bilinear: fitted for four fetches, not for evaluation at the point
    float amplitude_lo, amplitude_step;
    uint srgb;             // a bit a channel
    int ranges;            // word of channel_lo[0]; channel_step[0], channel_lo[1] .. follow
    uvec2 feature_bits;    // of every channel, 4 bits each
};

struct GstexMip {
    ivec2 size;            // texels
    vec2 extent;           // the same in the texels that its Gaussians are measured in
    float filter_variance; // added to that of its Gaussians
    bool raw;              // holds texels, not Gaussians
    int background, levels;
};

struct GstexLevel {
    ivec2 cells;
    vec2 cell_size, position_step; // texels
    int index, records, stride;    // word, word, bytes of a record
    int x_bits, y_bits, rotation_bits, scale_bits, amplitude_bits;
    float variance_lo, variance_step; // log2 of texels^2
};

int gstex_bits(uint word, int first, int count) { return int(word >> first & (1u << count) - 1u); }
float gstex_float(int i) { return uintBitsToFloat(GSTEX_LOAD(i)); }

GstexHeader gstex_header(uint base) {
    GstexHeader h;
    h.base = int(base);
    uint size = GSTEX_LOAD(h.base + 2), kind = GSTEX_LOAD(h.base + 3);
    h.size = ivec2(gstex_bits(size, 0, 16), gstex_bits(size, 16, 16));
    h.channels = gstex_bits(kind, 0, 8);
    h.mips = gstex_bits(kind, 8, 8);
    h.top_k = min(gstex_bits(kind, 16, 8), 32);
    h.repeat = gstex_bits(kind, 24, 1) == 1;
    h.bilinear = gstex_bits(kind, 25, 1) == 1;
    h.amplitude_lo = gstex_float(h.base + 5);
    h.amplitude_step = gstex_float(h.base + 6);
    h.candidates_max = int(min(GSTEX_LOAD(h.base + 7), 4096u)); // the format's limit: no buffer makes a loop run on
    h.srgb = GSTEX_LOAD(h.base + 9);
    h.ranges = h.base + 10 + h.mips;
    int widths = h.ranges + 2 * h.channels;
    h.feature_bits = uvec2(GSTEX_LOAD(widths), h.channels > 8 ? GSTEX_LOAD(widths + 1) : 0u);
    return h;
}

// Bits of a channel's code; 0: the channel is constant, or there is none.
int gstex_feature_bits(GstexHeader h, int c) { return gstex_bits(h.feature_bits[c >> 3], 4 * (c & 7), 4); }

GstexMip gstex_mip(GstexHeader h, int number) {
    int block = h.base + int(GSTEX_LOAD(h.base + 10 + number));
    uint kind = GSTEX_LOAD(block);
    ivec2 size = max(h.size >> number, 1);
    GstexMip mip = GstexMip(size, vec2(size), 0.0, gstex_bits(kind, 8, 1) == 1, block + 2, gstex_bits(kind, 0, 8));
    if (gstex_bits(kind, 9, 1) == 1) { // shared: the Gaussians of mip 0 are drawn smaller, so they are blurred first
        float sigma = gstex_float(block + 1);
        block = h.base + int(GSTEX_LOAD(h.base + 10));
        mip = GstexMip(size, vec2(h.size), sigma * sigma, false, block + 2, gstex_bits(GSTEX_LOAD(block), 0, 8));
    }
    mip.levels = min(mip.levels, 16);
    return mip;
}

GstexLevel gstex_level(GstexHeader h, GstexMip mip, int number) {
    int entry = mip.background + h.channels + 7 * number;
    uint cells = GSTEX_LOAD(entry), widths = GSTEX_LOAD(entry + 4);
    GstexLevel level;
    level.cells = ivec2(gstex_bits(cells, 0, 16), gstex_bits(cells, 16, 16));
    level.index = h.base + int(GSTEX_LOAD(entry + 1));
    level.records = h.base + int(GSTEX_LOAD(entry + 2));
    level.stride = gstex_bits(widths, 0, 9) / 8;
    level.x_bits = gstex_bits(widths, 9, 4);
    level.y_bits = gstex_bits(widths, 13, 4);
    level.rotation_bits = gstex_bits(widths, 17, 4);
    level.scale_bits = gstex_bits(widths, 21, 4);
    level.amplitude_bits = gstex_bits(widths, 25, 4);
    level.variance_lo = -2.0 * gstex_float(entry + 5); // the file holds log2(1 / sigma)
    level.variance_step = -2.0 * gstex_float(entry + 6);
    level.cell_size = mip.extent / vec2(level.cells);
    level.position_step = level.cell_size / vec2(1 << level.x_bits, 1 << level.y_bits);
    return level;
}

// ---- Which Gaussians a texel sees: the cell index ------------------------------------------------------------------

// Cells or texels up to one period beyond a border, brought back.
ivec2 gstex_wrap(ivec2 p, ivec2 size) {
    return p + size * (ivec2(lessThan(p, ivec2(0))) - ivec2(greaterThanEqual(p, size)));
}

// 16 cells of the index. begin: number of Gaussians before them. low, high: 8 counts of 4 bits each.
struct GstexGroup { int number; uint begin, low, high; };

// (first, count): the Gaussians of a cell. The group is kept for the next cell, which mostly lies in it too.
ivec2 gstex_cell(int index, int cell, inout GstexGroup group) {
    int at = index + 3 * (cell >> 4), inside = cell & 15;
    if (group.number != cell >> 4)
        group = GstexGroup(cell >> 4, GSTEX_LOAD(at), GSTEX_LOAD(at + 1), GSTEX_LOAD(at + 2));
    int begin = gstex_bits(group.begin, 0, 31);
    if (group.begin >> 31 == 1u) { // crowded: counts above 15. The sums up to each cell are written out, two a word.
        int sums = index + int(group.low), next = inside + 1;
        int before = gstex_bits(GSTEX_LOAD(sums + (inside >> 1)), 16 * (inside & 1), 16);
        int up_to = next < 16 ? gstex_bits(GSTEX_LOAD(sums + (next >> 1)), 16 * (next & 1), 16)
                              : gstex_bits(GSTEX_LOAD(at + 3), 0, 31) - begin;
        return ivec2(begin + before, up_to - before);
    }
    // The counts of the cells before this one are added up in four bytes at once, and these by a multiplication.
    const uint nibbles = 0x0F0F0F0Fu;
    uint own = inside < 8 ? group.low : group.high, others = inside < 8 ? 0u : group.low;
    int shift = 4 * (inside & 7);
    uint before = own & (1u << shift) - 1u;
    uint sums = (before & nibbles) + (before >> 4 & nibbles) + (others & nibbles) + (others >> 4 & nibbles);
    return ivec2(begin + int(sums * 0x01010101u >> 24), gstex_bits(own, shift, 4));
}

// The Gaussians of three cells in a row as one run, so that a warp goes through one loop and not three, whether they
// are neighbours in the file or apart at a wrap. Candidate t lies in cell (t >= end.x) + (t >= end.y) of the three,
// and is record t + skip[cell] of the level.
struct GstexRow { ivec3 end, skip; };

GstexRow gstex_row(GstexHeader h, GstexLevel level, ivec2 middle) {
    GstexRow row = GstexRow(ivec3(0), ivec3(0));
    GstexGroup group = GstexGroup(-1, 0u, 0u, 0u);
    int end = 0;
    for (int i = 0; i < 3; ++i) {
        ivec2 cell = middle + ivec2(i - 1, 0);
        if (h.repeat) cell = gstex_wrap(cell, level.cells);
        if (cell == clamp(cell, ivec2(0), level.cells - 1)) { // else there is no such cell
            ivec2 run = gstex_cell(level.index, cell.y * level.cells.x + cell.x, group);
            row.skip[i] = run.x - end;
            end += max(run.y, 0);
        }
        row.end[i] = end;
    }
    return row;
}

// By column (or row) of the 3x3 cells: 1 near their middle and 0 at their edge, so that what gets out of reach leaves
// without a step.
vec3 gstex_fade(float fraction) { return smoothstep(0.0, 1.0, 3.0 - abs(2.0 * (fraction - vec3(-1, 0, 1)) - 1.0)); }

// ---- What a Gaussian weighs and adds: its record -------------------------------------------------------------------

// A reader of bit fields. window: the next `left` bits, lowest first. next: the word after them.
struct GstexStream { uvec2 window; int left, next; };

GstexStream gstex_open(int word, int bit) { // bit: 0 .. 31
    uint low = GSTEX_LOAD(word), high = GSTEX_LOAD(word + 1);
    uint carried = (high << 1) << (31 - bit); // high << (32 - bit), which is undefined for bit 0
    return GstexStream(uvec2(low >> bit | carried, high >> bit), 64 - bit, word + 2);
}

float gstex_take(inout GstexStream s, int count) { // 0 .. 15 of the bits left
    int field = gstex_bits(s.window.x, 0, count);
    s.window = uvec2(s.window.x >> count | (s.window.y << 1) << (31 - count), s.window.y >> count);
    s.left -= count;
    return float(field);
}

// exp(amplitude - r^2 / 2), r being the distance from the centre in standard deviations. from_cell: texels from the
// corner of the Gaussian's cell. The two words of gstex_open are all it needs; s is left at the features.
float gstex_weight(GstexHeader h, GstexLevel level, float filter_variance, vec2 from_cell, inout GstexStream s) {
    vec2 position, log_variance;
    position.x = gstex_take(s, level.x_bits) + 0.5;
    position.y = gstex_take(s, level.y_bits) + 0.5;
    vec2 d = from_cell - position * level.position_step;
    // t is the tangent of half the angle, within tan(pi / 8) of 0: cosine and sine are rational in it.
    float t = 0.41421356 * (gstex_take(s, level.rotation_bits) * exp2(1.0 - float(level.rotation_bits)) - 1.0);
    vec2 axis = vec2(1.0 - t * t, 2.0 * t) / (1.0 + t * t);
    vec2 along = vec2(axis.x * d.x + axis.y * d.y, axis.x * d.y - axis.y * d.x);
    log_variance.x = level.variance_lo + level.variance_step * gstex_take(s, level.scale_bits);
    log_variance.y = level.variance_lo + level.variance_step * gstex_take(s, level.scale_bits);
    vec2 r2 = along * along / (exp2(log_variance) + filter_variance);
    float amplitude = h.amplitude_lo + h.amplitude_step * gstex_take(s, level.amplitude_bits);
    return exp2(1.44269504 * (amplitude - 0.5 * (r2.x + r2.y)));
}

// Features are linear in their codes: only codes are summed, and their ranges applied to the sum.
struct GstexSum { float weight; vec4 codes[GSTEX_VEC4S]; };

void gstex_add(GstexHeader h, GstexStream s, float weight, inout GstexSum sum) {
    sum.weight += weight;
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) {
        int count = gstex_feature_bits(h, c);
        if (s.left < count) { // so few are left that another word fits behind them
            uint word = GSTEX_LOAD(s.next);
            s.window = uvec2(s.window.x | word << s.left, (word >> 1) >> (31 - s.left));
            s.left += 32;
            s.next += 1;
        }
        sum.codes[c >> 2][c & 3] += weight * gstex_take(s, count);
    }
}

// For files with a K: the heaviest candidates so far, in falling order, and where their features are (bits from the
// base). Globals, because compilers would copy arrays that are arguments.
float gstex_kept_weight[32];
uint gstex_kept_at[32];

// Puts a candidate in its place among `count`; of equal ones the first in the file comes first. Returns the new count.
int gstex_keep(float weight, uint at, int count, int top_k) {
    int place = count;
    for (; place > 0; --place) {
        float other = gstex_kept_weight[place - 1];
        uint other_at = gstex_kept_at[place - 1];
        if (other > weight || (other == weight && other_at < at)) break;
        if (place < top_k) { gstex_kept_weight[place] = other; gstex_kept_at[place] = other_at; }
    }
    if (place < top_k) { gstex_kept_weight[place] = weight; gstex_kept_at[place] = at; }
    return min(count + 1, top_k);
}

// ---- One evaluation ------------------------------------------------------------------------------------------------

// The value at `inside` (0 .. 1) of a texel; (0.5, 0.5) is its centre.
GstexValue gstex_evaluate(GstexHeader h, GstexMip mip, ivec2 texel, vec2 inside) {
    const float background_weight = 2.0611536e-9; // exp(-20)
    GstexSum sum;
    sum.weight = background_weight;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.codes[i] = vec4(0);
    int kept = 0, budget = h.candidates_max;

    if (mip.raw) { // texels are records of whole words, with 8 bits for each channel that varies
        uvec2 bits = h.feature_bits;
        h.feature_bits = 8u * ((bits | bits >> 1 | bits >> 2 | bits >> 3) & 0x11111111u);
        int bits_of_texel = 0;
        for (int c = 0; c < 16; ++c) bits_of_texel += gstex_feature_bits(h, c);
        int number = texel.y * mip.size.x + texel.x;
        gstex_add(h, gstex_open(mip.background + number * ((bits_of_texel + 31) / 32), 0), 1.0, sum);
    }
    for (int l = 0; l < mip.levels; ++l) {
        GstexLevel level = gstex_level(h, mip, l);
        // (texel + inside) cells / size as cell and fraction. Integers, as float32 is too coarse for many cells.
        ivec2 scaled = texel * level.cells, whole = scaled / mip.size;
        vec2 rest = (vec2(scaled - whole * mip.size) + inside * vec2(level.cells)) / vec2(mip.size);
        ivec2 cell = min(whole + ivec2(rest), level.cells - 1);
        vec2 fraction = rest - vec2(cell - whole);
        vec3 fade_x = gstex_fade(fraction.x), fade_y = gstex_fade(fraction.y);

        for (int j = 0; j < 3; ++j) {
            GstexRow row = gstex_row(h, level, cell + ivec2(0, j - 1));
            int count = min(row.end.z, budget);
            budget -= count;
            for (int t = 0; t < count; ++t) {
                int i = int(t >= row.end.x) + int(t >= row.end.y);
                int start = (t + row.skip[i]) * level.stride; // in bytes
                GstexStream s = gstex_open(level.records + start / 4, 8 * (start & 3));
                vec2 from_cell = (fraction - vec2(i - 1, j - 1)) * level.cell_size;
                float weight = gstex_weight(h, level, mip.filter_variance, from_cell, s) * fade_x[i] * fade_y[j];
                if (h.top_k > 0)
                    kept = gstex_keep(weight, uint(32 * (s.next - h.base) - s.left), kept, h.top_k);
                else if (weight > 5.96e-8 * sum.weight) // 2^-24: 4096 lighter ones shift a value by 1/4096
                    gstex_add(h, s, weight, sum);
            }
        }
    }
    for (int k = 0; k < kept; ++k) {
        uint at = gstex_kept_at[k];
        gstex_add(h, gstex_open(h.base + int(at >> 5), int(at & 31u)), gstex_kept_weight[k], sum);
    }

    GstexValue value;
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) {
        float lo = c < h.channels ? gstex_float(h.ranges + 2 * c) : 0.0, x = lo, codes = sum.codes[c >> 2][c & 3];
        if (gstex_feature_bits(h, c) > 0)
            x = mip.raw ? codes / 255.0
                        : lo + (gstex_float(h.ranges + 2 * c + 1) * codes
                                + background_weight * (gstex_float(mip.background + c) - lo)) / sum.weight;
        value.v[c >> 2][c & 3] = clamp(x, 0.0, 1.0);
    }
    return value;
}

// ---- Sampling: docs/format.md, "Sampling" --------------------------------------------------------------------------

ivec2 gstex_texel(GstexHeader h, ivec2 texel, ivec2 size) {
    return clamp(h.repeat ? gstex_wrap(texel, size) : texel, ivec2(0), size - 1);
}

// A mip at a point: one evaluation there, or four fetches filtered bilinearly.
GstexValue gstex_point(GstexHeader h, int number, vec2 uv, bool bilinear) {
    GstexMip mip = gstex_mip(h, number);
    vec2 point = vec2(mip.size) * (h.repeat ? fract(uv) : clamp(uv, 0.0, 1.0));
    bilinear = bilinear || mip.raw;
    vec2 corner = bilinear ? floor(point - 0.5) : min(floor(point), vec2(mip.size - 1));
    vec2 inside = bilinear ? vec2(0.5) : point - corner;
    vec2 share = bilinear ? point - 0.5 - corner : vec2(0);
    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = vec4(0);
    for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
        ivec2 at = ivec2(n & 1, n >> 1);
        vec2 weight = mix(1.0 - share, share, vec2(at));
        GstexValue texel = gstex_evaluate(h, mip, gstex_texel(h, ivec2(corner) + at, mip.size), inside);
        for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += weight.x * weight.y * texel.v[i];
    }
    return value;
}

vec4 gstex_to_linear(vec4 x) {
    return mix(x / 12.92, pow((x + 0.055) / 1.055, vec4(2.4)), greaterThan(x, vec4(0.04045)));
}

vec4 gstex_to_srgb(vec4 y) {
    return mix(12.92 * y, 1.055 * pow(y, vec4(1.0 / 2.4)) - 0.055, greaterThan(y, vec4(0.0031308)));
}

bvec4 gstex_is_srgb(GstexHeader h, int i) { return notEqual(uvec4(h.srgb >> 4 * i) & uvec4(1, 2, 4, 8), uvec4(0)); }

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
GstexValue gstex_taps(GstexHeader h, vec2 uv, float lod, bool bilinear, int taps, vec2 from_tap_to_tap) {
    lod = clamp(lod, 0.0, float(h.mips - 1));
    int fine = int(lod);
    float coarse_share = lod - float(fine);
    int mips = coarse_share > 0.0 ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int tap = n / mips, coarse = n % mips;
        vec2 at = uv + (float(tap) - 0.5 * float(taps - 1)) * from_tap_to_tap;
        GstexValue value = gstex_point(h, fine + coarse, at, bilinear);
        if (taps * mips == 1) return value; // as stored
        float share = (coarse == 1 ? coarse_share : 1.0 - coarse_share) / float(taps);
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            sum.v[i] += share * mix(value.v[i], gstex_to_linear(value.v[i]), gstex_is_srgb(h, i));
    }
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        sum.v[i] = clamp(mix(sum.v[i], gstex_to_srgb(sum.v[i]), gstex_is_srgb(h, i)), 0.0, 1.0);
    return sum;
}

// ==== Functions to call =============================================================================================
// base: the material's first word in the buffer. (u, v): (0, 0) is the top left corner of the texture, (1, 1) the
// opposite one; beyond them it repeats or is clamped, as the file says.

// One texel of a mip; up to one period beyond its borders.
GstexValue gstex_fetch(uint base, ivec2 texel, int mip) {
    GstexHeader h = gstex_header(base);
    GstexMip of = gstex_mip(h, clamp(mip, 0, h.mips - 1));
    return gstex_evaluate(h, of, gstex_texel(h, texel, of.size), vec2(0.5));
}

// A point at a level of detail; inside a mip in the way that the file was fitted for.
GstexValue gstex_sample(uint base, vec2 uv, float lod) {
    GstexHeader h = gstex_header(base);
    return gstex_taps(h, uv, lod, h.bilinear, 1, vec2(0));
}

// The same, inside a mip always by four fetches.
GstexValue gstex_sample_bilinear(uint base, vec2 uv, float lod) {
    return gstex_taps(gstex_header(base), uv, lod, true, 1, vec2(0));
}

// The footprint of a pixel, dx = dFdx(uv) and dy = dFdy(uv), by up to 8 taps along its longer axis.
GstexValue gstex_sample_grad(uint base, vec2 uv, vec2 dx, vec2 dy) {
    GstexHeader h = gstex_header(base);
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    vec2 a = vec2(h.size) * dx, b = vec2(h.size) * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(vec2(d, q)), major = sqrt(0.5 * (dot(a, a) + dot(b, b)) + r);
    if (!(major > 0.0)) return gstex_taps(h, uv, 0.0, h.bilinear, 1, vec2(0));
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = d >= 0.0 ? vec2(d + r, q) : vec2(q, r - d);
    vec2 tap = axis / max(length(axis), 1e-30) * (major / taps);
    return gstex_taps(h, uv, log2(major / taps), h.bilinear, int(taps), tap / vec2(h.size));
}

// How many Gaussians a fetch looks at: the measure of its cost.
int gstex_candidates(uint base, ivec2 texel, int mip) {
    GstexHeader h = gstex_header(base);
    GstexMip of = gstex_mip(h, clamp(mip, 0, h.mips - 1));
    int count = 0;
    for (int l = 0; l < of.levels; ++l) {
        GstexLevel level = gstex_level(h, of, l);
        ivec2 cell = (2 * gstex_texel(h, texel, of.size) + 1) * level.cells / (2 * of.size);
        for (int j = -1; j <= 1; ++j) count += gstex_row(h, level, cell + ivec2(0, j)).end.z;
    }
    return min(count, h.candidates_max);
}

// ---- From channels to a material -----------------------------------------------------------------------------------

// Which channels hold which map, from the file's metadata; -1: there is no such map.
struct GstexChannels {
    ivec3 albedo, emissive;
    ivec2 normal;
    bool normal_directx; // Y of the normals points down
    int roughness, gloss, metallic, ao, opacity;
};

struct GstexSurface {
    vec3 albedo, emissive; // linear light
    vec3 normal;           // in tangent space, Y up, of length 1
    float roughness, metallic, ao, opacity;
};

float gstex_channel(GstexValue value, int c) { return value.v[c >> 2][c & 3]; }

float gstex_scalar(GstexValue value, int c, float missing) { return c < 0 ? missing : gstex_channel(value, c); }

vec3 gstex_color(uint base, GstexValue value, ivec3 c, float missing) {
    if (c.x < 0) return vec3(missing);
    vec4 stored = vec4(gstex_channel(value, c.x), gstex_channel(value, c.y), gstex_channel(value, c.z), 0);
    return (gstex_header(base).srgb >> c.x & 1u) == 1u ? gstex_to_linear(stored).rgb : stored.rgb;
}

vec3 gstex_normal(GstexValue value, ivec2 c, bool directx) {
    if (c.x < 0) return vec3(0, 0, 1);
    vec2 xy = 2.0 * vec2(gstex_channel(value, c.x), gstex_channel(value, c.y)) - 1.0;
    float z = sqrt(max(1.0 - dot(xy, xy), 0.0));
    return normalize(vec3(xy.x, directx ? -xy.y : xy.y, z));
}

GstexSurface gstex_surface(uint base, GstexValue value, GstexChannels at) {
    return GstexSurface(
        gstex_color(base, value, at.albedo, 0.2), gstex_color(base, value, at.emissive, 0.0),
        gstex_normal(value, at.normal, at.normal_directx),
        gstex_scalar(value, at.roughness, 1.0 - gstex_scalar(value, at.gloss, 0.5)),
        gstex_scalar(value, at.metallic, 0.0), gstex_scalar(value, at.ao, 1.0),
        gstex_scalar(value, at.opacity, 1.0));
}
