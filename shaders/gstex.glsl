// gstex.glsl: reads textures made of 2D Gaussians at any texel or point, in any stage of a shader.
//
// For GLSL 4.30 and later (words in a storage buffer) and GLSL ES 3.00 (words in an R32UI texture). docs/format.md is
// the specification, docs/shaders.md tells how to use this file. A texel is found like this:
//
//   A texture is a few levels, each a grid of cells, from fine to coarse. Each Gaussian lies in one cell of one level,
//   large ones in coarse levels. A texel looks at the 3x3 cells around it in every level and blends the features of
//   the Gaussians that it finds there, each by its density at the texel: value = sum(w f) / sum(w).
//
// Define before the #include, if the defaults do not fit:
//   GSTEX_VEC4S    channels that are decoded, in groups of 4: 1 .. 4. Those of a file beyond it are left out.
//   GSTEX_LOAD(i)  how to load word i of the buffer of all materials. All loads go through it.
//   GSTEX_BINDING  (GLSL) of the storage buffer.      GSTEX_WIDTH  (GLSL ES) of the texture, in texels.
//
// `base` is the material's first word in the buffer. Values are in 0 .. 1, encoded as in the source maps; channel c is
// v[c / 4][c % 4], and 0 if the file has no such channel. (u, v) = (0, 0) is the top left corner.

#ifndef GSTEX_GLSL
#define GSTEX_GLSL

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif

#ifndef GSTEX_LOAD
#ifdef GL_ES
#ifndef GSTEX_WIDTH
#define GSTEX_WIDTH 2048u
#endif
precision highp float;
precision highp int;
uniform highp usampler2D gstex_words;
#define GSTEX_LOAD(i) texelFetch(gstex_words, ivec2((i) % GSTEX_WIDTH, (i) / GSTEX_WIDTH), 0).x
#else
#ifndef GSTEX_BINDING
#define GSTEX_BINDING 0
#endif
layout(std430, binding = GSTEX_BINDING) readonly buffer GstexWords { uint gstex_words[]; };
#define GSTEX_LOAD(i) gstex_words[i]
#endif
#endif

struct GstexValue { vec4 v[GSTEX_VEC4S]; };

// ---- The file's words

const uint GSTEX_MAX_CANDIDATES = 4096u;  // limits of the format, kept here too: no buffer can make a loop run on
const uint GSTEX_MAX_LEVELS = 16u;
const uint GSTEX_MAX_TOP_K = 32u;

struct GstexHeader {
    uint base;
    uvec2 size;           // of mip 0, in texels
    uint channels, mips;
    uint top_k;           // 0: all Gaussians in reach are blended
    bool repeat;
    bool bilinear;        // fitted for four fetches, not for evaluation at the point
    float amplitude_lo, amplitude_step;
    uint candidates_max;
    uint srgb;            // a bit a channel
    uint ranges;          // word of channel_lo[0]; channel_step[0] and those of the other channels follow
    uvec2 widths;         // bits of a channel's code, 4 bits a channel
};

uint gstex_bits(uint word, int first, int count) { return (word >> first) & ((1u << count) - 1u); }
float gstex_float(uint i) { return uintBitsToFloat(GSTEX_LOAD(i)); }

GstexHeader gstex_header(uint base)
{
    uint size = GSTEX_LOAD(base + 2u), kinds = GSTEX_LOAD(base + 3u);
    GstexHeader h;
    h.base = base;
    h.size = uvec2(gstex_bits(size, 0, 16), gstex_bits(size, 16, 16));
    h.channels = gstex_bits(kinds, 0, 8);
    h.mips = gstex_bits(kinds, 8, 8);
    h.top_k = min(gstex_bits(kinds, 16, 8), GSTEX_MAX_TOP_K);
    h.repeat = gstex_bits(kinds, 24, 1) == 1u;
    h.bilinear = gstex_bits(kinds, 25, 1) == 1u;
    h.amplitude_lo = gstex_float(base + 5u);
    h.amplitude_step = gstex_float(base + 6u);
    h.candidates_max = min(GSTEX_LOAD(base + 7u), GSTEX_MAX_CANDIDATES);
    h.srgb = GSTEX_LOAD(base + 9u);
    h.ranges = base + 10u + h.mips;
    uint widths = h.ranges + 2u * h.channels;
    h.widths = uvec2(GSTEX_LOAD(widths), h.channels > 8u ? GSTEX_LOAD(widths + 1u) : 0u);
    return h;
}

int gstex_width(GstexHeader h, int channel)  // 0: the channel is constant
{
    return int(gstex_bits(h.widths[channel >> 3], 4 * (channel & 7), 4));
}

struct GstexMip {
    uvec2 size;        // in texels
    vec2 extent;       // what cells and Gaussians are measured in: the size of the mip that the Gaussians belong to
    float filter_variance;  // in texels of that mip; widens the Gaussians of mip 0 for a mip that shares them
    bool raw;          // the words are texels, not Gaussians
    uint block, levels;
};

GstexMip gstex_mip(GstexHeader h, uint m)
{
    GstexMip mip;
    mip.size = max(h.size >> m, 1u);
    mip.extent = vec2(mip.size);
    mip.filter_variance = 0.0;
    mip.block = h.base + GSTEX_LOAD(h.base + 10u + m);
    uint kind = GSTEX_LOAD(mip.block);
    mip.raw = gstex_bits(kind, 8, 1) == 1u;
    if (gstex_bits(kind, 9, 1) == 1u) {
        float sigma = gstex_float(mip.block + 1u);
        mip.filter_variance = sigma * sigma;
        mip.extent = vec2(h.size);
        mip.block = h.base + GSTEX_LOAD(h.base + 10u);
        kind = GSTEX_LOAD(mip.block);
    }
    mip.levels = min(gstex_bits(kind, 0, 8), GSTEX_MAX_LEVELS);
    return mip;
}

struct GstexLevel {
    ivec2 cells;
    uint index, records;                // words
    uint stride;                        // bytes of a record
    int geometry_bits;                  // a record's features begin after them
    int x_bits, y_bits, rotation_bits, scale_bits, amplitude_bits;
    vec2 position_step;                 // cells
    float rotation_half, rotation_step;
    float variance_lo, variance_step;   // log2 of a variance in texels^2, from the code of a scale
};

GstexLevel gstex_level(GstexHeader h, GstexMip mip, uint number)
{
    uint entry = mip.block + 2u + h.channels + 7u * number;
    uint cells = GSTEX_LOAD(entry), widths = GSTEX_LOAD(entry + 4u);
    GstexLevel level;
    level.cells = ivec2(gstex_bits(cells, 0, 16), gstex_bits(cells, 16, 16));
    level.index = h.base + GSTEX_LOAD(entry + 1u);
    level.records = h.base + GSTEX_LOAD(entry + 2u);
    level.stride = gstex_bits(widths, 0, 9) / 8u;
    level.x_bits = int(gstex_bits(widths, 9, 4));
    level.y_bits = int(gstex_bits(widths, 13, 4));
    level.rotation_bits = int(gstex_bits(widths, 17, 4));
    level.scale_bits = int(gstex_bits(widths, 21, 4));
    level.amplitude_bits = int(gstex_bits(widths, 25, 4));
    level.geometry_bits = level.x_bits + level.y_bits + level.rotation_bits + 2 * level.scale_bits
                        + level.amplitude_bits;
    level.position_step = 1.0 / vec2(1 << level.x_bits, 1 << level.y_bits);
    level.rotation_half = float(1 << (level.rotation_bits - 1));
    level.rotation_step = 0.41421356 / level.rotation_half;  // tan(pi / 8)
    // The file holds log2 of 1 / sigma.
    level.variance_lo = -2.0 * gstex_float(entry + 5u);
    level.variance_step = -2.0 * gstex_float(entry + 6u);
    return level;
}

// ---- Cells: which Gaussians a texel sees

// 16 cells of the index: where their Gaussians begin and how many each has. Kept from cell to cell, because
// neighbours in a row mostly lie in one group.
struct GstexGroup { uint number, begin, low, high; };

// Number of Gaussians in the cells before `cell`.
uint gstex_start(uint index, uint cell, inout GstexGroup group)
{
    if (group.number != cell >> 4) {
        uint at = index + 3u * (cell >> 4);
        group = GstexGroup(cell >> 4, GSTEX_LOAD(at), GSTEX_LOAD(at + 1u), GSTEX_LOAD(at + 2u));
    }
    uint inside = cell & 15u;
    if (group.begin >> 31 == 1u) {  // counts above 15: the sums are written out, 16 bits each
        uint pair = GSTEX_LOAD(index + group.low + (inside >> 1));
        return (group.begin & 0x7FFFFFFFu) + gstex_bits(pair, 16 * int(inside & 1u), 16);
    }
    // Counts of 4 bits: those of the cells before are added within bytes, then the bytes by a multiplication.
    uint low = inside < 8u ? group.low & ((1u << (4u * inside)) - 1u) : group.low;
    uint high = inside > 8u ? group.high & ((1u << (4u * inside - 32u)) - 1u) : 0u;
    uint sums = (low & 0x0F0F0F0Fu) + (low >> 4 & 0x0F0F0F0Fu) + (high & 0x0F0F0F0Fu) + (high >> 4 & 0x0F0F0F0Fu);
    return group.begin + (sums * 0x01010101u >> 24);
}

// The Gaussians of three neighbouring cells, counted through as one run so that a warp goes through one loop a row
// and not three: candidate t lies in the first cell i with t < end[i] and is record t + skip[i] of the level.
struct GstexRow { uvec3 end, skip; };

GstexRow gstex_row(GstexLevel level, bool repeat, ivec2 first_cell)
{
    GstexRow row = GstexRow(uvec3(0), uvec3(0));
    GstexGroup group = GstexGroup(~0u, 0u, 0u, 0u);
    uint end = 0u;
    for (int i = 0; i < 3; ++i) {
        ivec2 cell = first_cell + ivec2(i, 0);
        if (repeat)
            cell += level.cells * (ivec2(lessThan(cell, ivec2(0))) - ivec2(greaterThanEqual(cell, level.cells)));
        if (all(greaterThanEqual(cell, ivec2(0))) && all(lessThan(cell, level.cells))) {
            uint number = uint(cell.y * level.cells.x + cell.x);
            uint start = gstex_start(level.index, number, group);
            row.skip[i] = start - end;
            end += gstex_start(level.index, number + 1u, group) - start;
        }
        row.end[i] = end;
    }
    return row;
}

// 1 in the middle of the 3x3 cells, 0 at their edge: a Gaussian that gets out of reach leaves without a step.
vec3 gstex_fade(vec3 d) { return smoothstep(0.0, 1.0, 3.0 - abs(2.0 * d - 1.0)); }

// ---- Records: what a Gaussian looks like

// A reader of bit fields: `window` holds the next `left` bits, `next` is the word after them.
struct GstexStream { uvec2 window; int left; uint next; };

GstexStream gstex_open(uint word, int bit)
{
    word += uint(bit >> 5);
    bit &= 31;
    uint low = GSTEX_LOAD(word), high = GSTEX_LOAD(word + 1u);
    uint carry = (high << 1) << (31 - bit);  // not high << (32 - bit): a shift by 32 is undefined
    return GstexStream(uvec2(low >> bit | carry, high >> bit), 64 - bit, word + 2u);
}

uint gstex_take(inout GstexStream s, int count)  // 0 .. 31 bits of those left
{
    uint field = s.window.x & ((1u << count) - 1u);
    s.window = uvec2(s.window.x >> count | (s.window.y << 1) << (31 - count), s.window.y >> count);
    s.left -= count;
    return field;
}

// exp(amplitude - d^2 / 2), with d the distance of a point from the Gaussian in standard deviations.
// offset: of the point from the corner of the Gaussian's cell, in cells; cell_size: in texels.
float gstex_weight(GstexHeader h, GstexLevel level, float filter_variance, vec2 offset, vec2 cell_size,
                   inout GstexStream s)
{
    vec2 centre, variance;
    centre.x = float(gstex_take(s, level.x_bits)) + 0.5;
    centre.y = float(gstex_take(s, level.y_bits)) + 0.5;
    vec2 d = (offset - centre * level.position_step) * cell_size;
    // The code is the tangent of half the angle, so that sine and cosine are rational.
    float t = (float(gstex_take(s, level.rotation_bits)) - level.rotation_half) * level.rotation_step;
    vec2 axis = vec2(1.0 - t * t, 2.0 * t) / (1.0 + t * t);
    vec2 along = vec2(dot(axis, d), axis.x * d.y - axis.y * d.x);
    variance.x = float(gstex_take(s, level.scale_bits));
    variance.y = float(gstex_take(s, level.scale_bits));
    variance = exp2(level.variance_lo + level.variance_step * variance) + filter_variance;
    float amplitude = h.amplitude_lo + h.amplitude_step * float(gstex_take(s, level.amplitude_bits));
    return exp2(1.44269504 * (amplitude - 0.5 * dot(along, along / variance)));
}

// Sums of weight and of weight * code, by channel. Values are linear in their codes, so that channel_lo and
// channel_step are needed once a texel and not once a Gaussian.
struct GstexSum { float weight; vec4 code[GSTEX_VEC4S]; };

// Adds the features that s stands at. bits: of every channel's code; 0 for those of the file.
void gstex_add(GstexHeader h, GstexStream s, int bits, float weight, inout GstexSum sum)
{
    sum.weight += weight;
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) {
        int width = gstex_width(h, c);
        if (width > 0 && bits > 0) width = bits;
        if (s.left < width) {  // at most 11 bits are left: one more word fits
            uint word = GSTEX_LOAD(s.next);
            s.window = uvec2(s.window.x | word << s.left, (word >> 1) >> (31 - s.left));
            s.left += 32;
            s.next += 1u;
        }
        sum.code[c / 4][c % 4] += weight * float(gstex_take(s, width));
    }
}

// ---- One position

// The K heaviest candidates so far, in falling order, for files with a K; the one first in the file wins a tie.
struct GstexKept { float weight; uint word; int bit; };  // of its features

void gstex_keep(GstexKept candidate, uint top_k, inout uint count, inout GstexKept kept[GSTEX_MAX_TOP_K])
{
    uint at = min(count, top_k);
    for (; at > 0u; --at) {
        GstexKept other = kept[at - 1u];
        bool earlier = candidate.word < other.word || (candidate.word == other.word && candidate.bit < other.bit);
        if (candidate.weight < other.weight || (candidate.weight == other.weight && !earlier)) break;
        if (at < top_k) kept[at] = other;
    }
    if (at < top_k) kept[at] = candidate;
    count = min(count + 1u, top_k);
}

// The value of a mip at `inside` (0 .. 1) of a texel; (0.5, 0.5) is its centre.
GstexValue gstex_evaluate(GstexHeader h, GstexMip mip, uvec2 texel, vec2 inside)
{
    GstexSum sum;
    sum.weight = 0.0;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.code[i] = vec4(0);
    uint kept_count = 0u;
    GstexKept kept[GSTEX_MAX_TOP_K];

    if (mip.raw) {
        int varying_count = 0;
        for (int c = 0; c < 16; ++c) varying_count += int(gstex_width(h, c) > 0);
        uint number = texel.y * mip.size.x + texel.x;
        gstex_add(h, gstex_open(mip.block + 2u + number * uint((varying_count + 3) / 4), 0), 8, 1.0, sum);
    }

    uint budget = h.candidates_max;
    for (uint l = 0u; l < mip.levels; ++l) {
        GstexLevel level = gstex_level(h, mip, l);
        // texel * cells / size, whole numbers apart: float32 alone could not place a point in the last of many cells.
        uvec2 cells = uvec2(level.cells), scaled = texel * cells, whole = scaled / mip.size;
        vec2 rest = (vec2(scaled - whole * mip.size) + inside * vec2(cells)) / vec2(mip.size);
        uvec2 cell = min(whole + uvec2(rest), cells - 1u);
        vec2 fraction = rest - vec2(cell - whole);

        vec2 cell_size = mip.extent / vec2(cells);
        vec3 fade_x = gstex_fade(fraction.x - vec3(-1, 0, 1)), fade_y = gstex_fade(fraction.y - vec3(-1, 0, 1));
        for (int j = 0; j < 3; ++j) {
            GstexRow row = gstex_row(level, h.repeat, ivec2(cell) + ivec2(-1, j - 1));
            uint count = min(row.end.z, budget);
            budget -= count;
            for (uint t = 0u; t < count; ++t) {
                int i = int(t >= row.end.x) + int(t >= row.end.y);
                uint byte = (t + row.skip[i]) * level.stride;
                uint word = level.records + byte / 4u;
                int bit = 8 * int(byte % 4u);
                GstexStream s = gstex_open(word, bit);
                vec2 offset = fraction - vec2(i - 1, j - 1);
                float weight = gstex_weight(h, level, mip.filter_variance, offset, cell_size, s);
                weight *= fade_x[i] * fade_y[j];
                if (h.top_k > 0u)
                    gstex_keep(GstexKept(weight, word, bit + level.geometry_bits), h.top_k, kept_count, kept);
                else if (sum.weight + weight > sum.weight)  // too light to change even the sum: not worth its loads
                    gstex_add(h, s, 0, weight, sum);
            }
        }
    }
    for (uint k = 0u; k < kept_count; ++k)
        gstex_add(h, gstex_open(kept[k].word, kept[k].bit), 0, kept[k].weight, sum);

    GstexValue value;
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) {
        float x = 0.0;
        if (uint(c) < h.channels) {
            float lo = gstex_float(h.ranges + uint(2 * c)), code = sum.code[c / 4][c % 4];
            if (gstex_width(h, c) == 0) x = lo;
            else if (mip.raw) x = code / 255.0;
            else {
                // The background counts as a distant Gaussian, and holds up the sum where there is no other.
                const float background_weight = 2.0611536e-9;  // exp(-20)
                float background = gstex_float(mip.block + 2u + uint(c));
                float step_ = gstex_float(h.ranges + uint(2 * c + 1));
                x = (background_weight * background + sum.weight * lo + step_ * code) / (background_weight + sum.weight);
            }
        }
        value.v[c / 4][c % 4] = clamp(x, 0.0, 1.0);
    }
    return value;
}

// ---- Sampling: docs/format.md, "Sampling"

uvec2 gstex_wrapped(bool repeat, ivec2 texel, uvec2 size)
{
    ivec2 extent = ivec2(size);
    return uvec2(repeat ? texel - extent * ivec2(floor(vec2(texel) / vec2(extent))) : clamp(texel, ivec2(0), extent - 1));
}

// A mip at a point: one evaluation there, or four fetches filtered bilinearly.
GstexValue gstex_point(GstexHeader h, uint m, vec2 uv, bool bilinear)
{
    GstexMip mip = gstex_mip(h, m);
    vec2 point = vec2(mip.size) * (h.repeat ? fract(uv) : clamp(uv, 0.0, 1.0));
    bool four = bilinear || mip.raw;
    vec2 corner = four ? floor(point - 0.5) : min(floor(point), vec2(mip.size) - 1.0);
    vec2 inside = four ? vec2(0.5) : point - corner;
    vec2 share = point - 0.5 - corner;

    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = vec4(0);
    for (int n = 0; n < (four ? 4 : 1); ++n) {
        ivec2 at = ivec2(n & 1, n >> 1);
        vec2 weight = mix(1.0 - share, share, vec2(at));
        GstexValue texel = gstex_evaluate(h, mip, gstex_wrapped(h.repeat, ivec2(corner) + at, mip.size), inside);
        for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += texel.v[i] * (four ? weight.x * weight.y : 1.0);
    }
    return value;
}

vec4 gstex_to_linear(vec4 x)
{
    return mix(x / 12.92, pow((x + 0.055) / 1.055, vec4(2.4)), greaterThan(x, vec4(0.04045)));
}

vec4 gstex_to_srgb(vec4 y)
{
    return mix(12.92 * y, 1.055 * pow(y, vec4(1.0 / 2.4)) - 0.055, greaterThan(y, vec4(0.0031308)));
}

bvec4 gstex_is_srgb(GstexHeader h, int i)  // of channels 4 i .. 4 i + 3
{
    return notEqual(uvec4(h.srgb >> (4 * i)) & uvec4(1, 2, 4, 8), uvec4(0));
}

// Mean of `taps` points `step_uv` apart around uv, each blended from the two mips around lod, as light.
GstexValue gstex_taps(GstexHeader h, vec2 uv, float lod, int taps, vec2 step_uv, bool bilinear)
{
    lod = clamp(lod, 0.0, float(h.mips) - 1.0);
    uint fine = uint(lod);
    float coarse_share = lod - float(fine);
    int mips = coarse_share > 0.0 ? 2 : 1;
    bool one = taps * mips == 1;

    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int tap = n / mips, coarser = n % mips;
        vec2 at = uv + (float(tap) - 0.5 * float(taps - 1)) * step_uv;
        float share = (coarser == 1 ? coarse_share : 1.0 - coarse_share) / float(taps);
        GstexValue value = gstex_point(h, fine + uint(coarser), at, bilinear);
        if (one) return value;
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            sum.v[i] += share * mix(value.v[i], gstex_to_linear(value.v[i]), gstex_is_srgb(h, i));
    }
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        sum.v[i] = clamp(mix(sum.v[i], gstex_to_srgb(sum.v[i]), gstex_is_srgb(h, i)), 0.0, 1.0);
    return sum;
}

// ---- What a shader calls

// One texel of a mip. Texels beyond the borders repeat or are clamped, as the file says.
GstexValue gstex_fetch(uint base, ivec2 texel, int m)
{
    GstexHeader h = gstex_header(base);
    GstexMip mip = gstex_mip(h, uint(clamp(m, 0, int(h.mips) - 1)));
    return gstex_evaluate(h, mip, gstex_wrapped(h.repeat, texel, mip.size), vec2(0.5));
}

// At a point and level of detail, inside a mip in the way that the file was fitted for.
GstexValue gstex_sample(uint base, vec2 uv, float lod)
{
    GstexHeader h = gstex_header(base);
    return gstex_taps(h, uv, lod, 1, vec2(0), h.bilinear);
}

// The same, inside a mip always by four fetches.
GstexValue gstex_sample_bilinear(uint base, vec2 uv, float lod)
{
    return gstex_taps(gstex_header(base), uv, lod, 1, vec2(0), true);
}

// Over the footprint of a pixel: dx = dFdx(uv), dy = dFdy(uv). Up to 8 taps along its longer axis.
GstexValue gstex_sample_grad(uint base, vec2 uv, vec2 dx, vec2 dy)
{
    GstexHeader h = gstex_header(base);
    vec2 a = vec2(h.size) * dx, b = vec2(h.size) * dy;
    // Axes of the ellipse with the second moments of the parallelogram of a and b: its singular values.
    float half_ = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), mixed = a.x * a.y + b.x * b.y;
    float root = length(vec2(half_, mixed));
    float major = sqrt(0.5 * (dot(a, a) + dot(b, b)) + root);
    if (!(major > 0.0)) return gstex_taps(h, uv, 0.0, 1, vec2(0), h.bilinear);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = half_ >= 0.0 ? vec2(half_ + root, mixed) : vec2(mixed, root - half_);
    vec2 step_uv = axis / max(length(axis), 1e-30) * (major / taps) / vec2(h.size);
    return gstex_taps(h, uv, log2(major / taps), int(taps), step_uv, h.bilinear);
}

// Gaussians that are looked at for one texel, the measure of its cost; 0 in a raw mip.
uint gstex_candidates(uint base, ivec2 texel, int m)
{
    GstexHeader h = gstex_header(base);
    GstexMip mip = gstex_mip(h, uint(clamp(m, 0, int(h.mips) - 1)));
    uvec2 at = gstex_wrapped(h.repeat, texel, mip.size);
    uint count = 0u;
    for (uint l = 0u; l < mip.levels; ++l) {
        GstexLevel level = gstex_level(h, mip, l);
        uvec2 cell = (2u * at + 1u) * uvec2(level.cells) / (2u * mip.size);
        for (int j = -1; j <= 1; ++j) count += gstex_row(level, h.repeat, ivec2(cell) + ivec2(-1, j)).end.z;
    }
    return min(count, h.candidates_max);
}

// ---- From channels to a material

float gstex_channel(GstexValue value, int channel) { return value.v[channel >> 2][channel & 3]; }

// Three channels as linear light. (-1 for a channel: the colour is `missing`.)
vec3 gstex_color(uint base, GstexValue value, ivec3 channels, vec3 missing)
{
    if (channels.x < 0) return missing;
    vec3 stored = vec3(gstex_channel(value, channels.x), gstex_channel(value, channels.y),
                       gstex_channel(value, channels.z));
    return (GSTEX_LOAD(base + 9u) >> channels.x & 1u) == 1u ? gstex_to_linear(vec4(stored, 0)).xyz : stored;
}

// A unit normal from X and Y, Z rebuilt. Y is turned up, if it points down in the file (DirectX).
vec3 gstex_normal(GstexValue value, ivec2 channels, bool directx)
{
    if (channels.x < 0) return vec3(0, 0, 1);
    vec2 xy = 2.0 * vec2(gstex_channel(value, channels.x), gstex_channel(value, channels.y)) - 1.0;
    vec3 n = normalize(vec3(xy, sqrt(max(1.0 - dot(xy, xy), 0.0))));
    return directx ? n * vec3(1, -1, 1) : n;
}

// The channels of the maps, from the metadata of the file; -1 for a map that it does not have.
struct GstexChannels {
    ivec3 albedo, emissive;
    ivec2 normal;
    bool normal_directx;
    int roughness, gloss, metallic, ao, opacity;
};

struct GstexSurface {
    vec3 albedo, emissive;  // linear light
    vec3 normal;            // tangent space, Y up
    float roughness, metallic, ao, opacity;
};

float gstex_scalar(GstexValue value, int channel, float missing)
{
    return channel < 0 ? missing : gstex_channel(value, channel);
}

GstexSurface gstex_surface(uint base, GstexValue value, GstexChannels at)
{
    GstexSurface surface;
    surface.albedo = gstex_color(base, value, at.albedo, vec3(0.2));
    surface.emissive = gstex_color(base, value, at.emissive, vec3(0));
    surface.normal = gstex_normal(value, at.normal, at.normal_directx);
    surface.roughness = gstex_scalar(value, at.roughness, 1.0 - gstex_scalar(value, at.gloss, 0.5));
    surface.metallic = gstex_scalar(value, at.metallic, 0.0);
    surface.ao = gstex_scalar(value, at.ao, 1.0);
    surface.opacity = gstex_scalar(value, at.opacity, 1.0);
    return surface;
}

#endif
