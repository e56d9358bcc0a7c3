// gstex_expanded.glsl: reads textures in the expanded form (docs/expanded.md), which gstex_expand of gstex.h makes from a
// .gstex file when it is loaded. GLSL 4.30 (a storage buffer of uvec4) and GLSL ES 3.00 (a texture in RGBA32UI).
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default).
//   GSTEX_LOAD4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through it.
//   GSTEX_BINDING  of the storage buffer, default 0.    GSTEX_WIDTH  of the texture in texels, default 2048.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#if !defined(GSTEX_LOAD4) && defined(GL_ES)
#ifndef GSTEX_WIDTH
#define GSTEX_WIDTH 2048
#endif
precision highp float;
precision highp int;
uniform highp usampler2D gstex_words;
#define GSTEX_LOAD4(i) texelFetch(gstex_words, ivec2(int(i) % GSTEX_WIDTH, int(i) / GSTEX_WIDTH), 0)
#elif !defined(GSTEX_LOAD4)
#ifndef GSTEX_BINDING
#define GSTEX_BINDING 0
#endif
layout(std430, binding = GSTEX_BINDING) readonly buffer GstexWords { uvec4 gstex_words[]; };
#define GSTEX_LOAD4(i) gstex_words[i]
#endif

// As in gstex.glsl: channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map.
struct GstexValue { vec4 v[GSTEX_VEC4S]; };

const float gstex_background_weight = 2.0611536e-9; // exp(-20)

struct GstexExpanded {
    uint base, views;      // the first word; the first of the table of mips, in fours
    ivec2 size;            // of mip 0, texels
    int mips, groups, first_mip;
    bool repeat, bilinear;
    uint srgb, constant;   // a bit for each channel
    uvec4 members;         // of each group, a bit for each channel
};

// A mip of a group: texels or, if set is not 0, tiles.
struct GstexView {
    uint tiles, set;       // words; of the lists of its tiles or of its texels, and of its set
    float filter_variance; // added to those of its Gaussians
    uint bend;             // word; 0: values are not bent
    int side;              // log2 of that of a tile
    ivec2 size;            // texels
    int channels;
};

// 10 bits a channel, three channels a word. The second of three stays where it is in its word, 1024 times as large.
struct GstexSums { float weight; vec3 codes[6]; };

uint gstex_word(uint i) { return GSTEX_LOAD4(i >> 2)[i & 3u]; }
vec4 gstex_floats(uint i) { return uintBitsToFloat(GSTEX_LOAD4(i)); }
vec3 gstex_three(uint word) { return vec3(uvec3(word, word, word >> 20) & uvec3(0x3FFu, 0xFFC00u, 0x3FFu)); }

GstexExpanded gstex_expanded(uint base) {
    uvec4 head = GSTEX_LOAD4(base >> 2), members = GSTEX_LOAD4((base >> 2) + 5u);
    ivec4 kind = ivec4(uvec4(head.z >> 5, head.z >> 9, head.z >> 14, head.z >> 12) & uvec4(15, 7, 15, 3));
    return GstexExpanded(base, (base >> 2) + 6u, ivec2(head.y & 0xFFFFu, head.y >> 16), kind.x, min(kind.y, 4), kind.z,
                         (kind.w & 1) == 1, kind.w > 1, head.w & 0xFFFFu, head.w >> 16, members);
}

int gstex_count(uint bits) { // of those that are set, of 16
    int count = 0;
    for (; bits != 0u && count < 16; bits &= bits - 1u) ++count;
    return count;
}

GstexView gstex_view(GstexExpanded m, int group, int mip) {
    uvec4 of = GSTEX_LOAD4(m.views + uint(mip * m.groups + group));
    return GstexView(m.base + of.x, of.y == 0u ? 0u : m.base + of.y, uintBitsToFloat(of.z),
                     of.w < 4u ? 0u : m.base + (of.w & ~3u), int(of.w & 3u), max(m.size >> mip, 1),
                     gstex_count(m.members[group]));
}

// Adds the features of a record or a texel: the first word of threes, and where the others stand.
void gstex_add(uint first, uint others, int channels, float weight, inout GstexSums sums) {
    sums.weight += weight;
    sums.codes[0] += weight * gstex_three(first);
    if (channels <= 3) return;
    uvec4 more = GSTEX_LOAD4(others >> 2);
    if ((others & 2u) != 0u) more.xy = more.zw;
    sums.codes[1] += weight * gstex_three(more.x);
    sums.codes[2] += weight * gstex_three(more.y);
#if GSTEX_VEC4S > 2
    if (channels <= 9) return;
    sums.codes[3] += weight * gstex_three(more.z);
    sums.codes[4] += weight * gstex_three(more.w);
    if (channels > 15) sums.codes[5] += weight * gstex_three(GSTEX_LOAD4((others >> 2) + 1u).x);
#endif
}

// The fade of a Gaussian around its own cell, which is of one of 16 levels; d becomes the short way to its image there.
float gstex_fade(GstexExpanded m, uint levels, uvec4 record, vec2 extent, vec2 point, inout vec2 d) {
    uint level = (record.z >> 15 & 1u) | (record.z >> 30 & 2u) | (record.w >> 28 & 12u);
    vec4 grid = gstex_floats(levels + level); // cells a unit, units a cell
    vec2 place = vec2(record.xy & 0xFFFFFu), own = floor(place * grid.xy) + 0.5, from = point * grid.xy - own;
    if (m.repeat) from -= extent * grid.xy * floor(from / (extent * grid.xy) + 0.5);
    d = place - (own + from) * grid.zw;
    vec2 fade = smoothstep(0.0, 1.0, 3.0 - 2.0 * abs(from));
    return fade.x * fade.y;
}

// What the list of a texel's tile gives at a point inside the mip, in texels of it.
GstexSums gstex_sum(GstexExpanded m, GstexView view, ivec2 texel, vec2 inside) {
    GstexSums sums = GstexSums(gstex_background_weight, vec3[](vec3(0), vec3(0), vec3(0), vec3(0), vec3(0), vec3(0)));
    uvec4 places = GSTEX_LOAD4(view.set >> 2);
    vec4 extent = gstex_floats((view.set >> 2) + 1u), scales = gstex_floats((view.set >> 2) + 2u);
    vec2 point = (vec2(texel) + inside) * (extent.xy / vec2(view.size));
    int across = (view.size.x - 1 >> view.side) + 1;
    uint head = gstex_word(view.tiles + uint((texel.y >> view.side) * across + (texel.x >> view.side)));
    uint list = view.tiles + (head & 0xFFFFFFu), word = 0u, at = 0u;
    uint records = (m.base + places.x) >> 2, others = m.base + places.y;
    uint stride = view.channels > 15 ? 8u : view.channels > 9 ? 4u : 2u;
    for (uint i = 0u; i < head >> 24; ++i, word >>= 8) {
        if ((i & 3u) == 0u) word = gstex_word(list + (i >> 2));
        uint jump = word & 63u;
        if ((word & 128u) != 0u) {
            at += (jump + 1u) << ((word & 64u) == 0u ? 6 : 12);
            continue;
        }
        at += jump;
        uvec4 record = GSTEX_LOAD4(records + at);
        vec2 d = vec2(record.xy & 0xFFFFFu) - point, codes = vec2(record.xy >> 20);
        float fade = (word & 64u) == 0u ? 1.0 : gstex_fade(m, (view.set >> 2) + 3u, record, extent.xy, point, d);
        // As in gstex.glsl: t is the tangent of half the angle, and the axis is 1 + t^2 long.
        float t = codes.x * (0.41421356 / 2048.0) - 0.41421356, t2 = t * t, longer = 1.0 + t2;
        vec2 axis = vec2(1.0 - t2, t + t), along = vec2(axis.x * d.x + axis.y * d.y, axis.x * d.y - axis.y * d.x);
        vec2 variance = unpackHalf2x16(record.z & 0x7FFF7FFFu) + view.filter_variance;
        vec2 parts = along * along * variance.yx;
        float distance2 = (parts.x + parts.y) / (variance.x * variance.y * (longer * longer));
        float weight = fade * exp2(scales.x + scales.y * codes.y - extent.w * distance2);
        if (weight > 1.5e-5 * sums.weight) gstex_add(record.w, others + at * stride, view.channels, weight, sums);
        ++at;
    }
    return sums;
}

// The value of a group at `inside` (0 .. 1) of a texel, its channels in the order of its members.
GstexValue gstex_evaluate(GstexExpanded m, GstexView view, ivec2 texel, vec2 inside) {
    GstexSums sums;
    uint ranges = 0u;
    if (view.set == 0u) {
        uint words = uint(view.channels + 2) / 3u, at = view.tiles + words * uint(texel.y * view.size.x + texel.x);
        sums = GstexSums(1.0, vec3[](vec3(0), vec3(0), vec3(0), vec3(0), vec3(0), vec3(0)));
        for (uint i = 0u; i < min(words, 6u); ++i) sums.codes[i] = gstex_three(gstex_word(at + i));
    } else {
        sums = gstex_sum(m, view, texel, inside);
        ranges = (view.set + GSTEX_LOAD4((view.set >> 2) + 2u).z) >> 2;
    }
    float share = 1.0 / sums.weight;
    for (int i = 0; i < 6; ++i) sums.codes[i] *= vec3(share, share / 1024.0, share);
    GstexValue value;
    value.v[0] = vec4(sums.codes[0], sums.codes[1].x);
#if GSTEX_VEC4S > 1
    value.v[1] = vec4(sums.codes[1].yz, sums.codes[2].xy);
#endif
#if GSTEX_VEC4S > 2
    value.v[2] = vec4(sums.codes[2].z, sums.codes[3]);
#endif
#if GSTEX_VEC4S > 3
    value.v[3] = vec4(sums.codes[4], sums.codes[5].x);
#endif
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        uint at = ranges + uint(3 * i);
        if (4 * i >= view.channels) value.v[i] = vec4(0);
        else if (view.set == 0u) value.v[i] *= 1.0 / 1023.0;
        else {
            vec4 lo = gstex_floats(at);
            value.v[i] = lo + gstex_floats(at + 1u) * value.v[i];
            share = gstex_background_weight / sums.weight;
            if (share > 1e-5) value.v[i] += share * (gstex_floats(at + 2u) - lo);
        }
        value.v[i] = clamp(value.v[i], 0.0, 1.0);
        if (view.bend != 0u && 4 * i < view.channels) {
            uvec4 bend = GSTEX_LOAD4((view.bend >> 2) + uint(i));
            vec4 x = value.v[i], low = vec4(ivec4(bend << 22) >> 22), middle = vec4(ivec4(bend << 12) >> 22);
            vec4 high = vec4(ivec4(bend << 2) >> 22);
            value.v[i] = clamp(x + (low * (1.0 - x) + high * x + 4.0 * middle * x * (1.0 - x)) / 1024.0, 0.0, 1.0);
        }
    }
    return value;
}

// ---- From groups to a material: as in gstex.glsl -------------------------------------------------------------------

bvec4 gstex_set(uint bits, int i) { return notEqual(uvec4(bits >> 4 * i) & uvec4(1, 2, 4, 8), uvec4(0)); }

GstexValue gstex_constants(GstexExpanded m) {
    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        value.v[i] = m.constant == 0u ? vec4(0) : gstex_floats((m.base >> 2) + 1u + uint(i));
    return value;
}

void gstex_spread(uint members, GstexValue of_group, inout GstexValue value) {
    for (int c = 0; (members >> c & (members >> c) + 1u) != 0u; ++c)
        if ((members >> c & 1u) == 0u)
            for (int i = GSTEX_VEC4S - 1; i >= 0; --i) {
                vec4 later = vec4(of_group.v[max(i - 1, 0)].w, of_group.v[i].xyz);
                of_group.v[i] = mix(of_group.v[i], later, greaterThan(4 * i + ivec4(0, 1, 2, 3), ivec4(c)));
            }
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += mix(vec4(0), of_group.v[i], gstex_set(members, i));
}

vec4 gstex_to_linear(vec4 x) {
    return mix(x / 12.92, pow((x + 0.055) / 1.055, vec4(2.4)), greaterThan(x, vec4(0.04045)));
}
vec4 gstex_to_srgb(vec4 y) {
    return mix(12.92 * y, 1.055 * pow(y, vec4(1.0 / 2.4)) - 0.055, greaterThan(y, vec4(0.0031308)));
}

// A texel up to one period beyond the border.
ivec2 gstex_inside(GstexExpanded m, ivec2 p, ivec2 size) {
    if (m.repeat) p += size * (ivec2(lessThan(p, ivec2(0))) - ivec2(greaterThanEqual(p, size)));
    return clamp(p, ivec2(0), size - 1);
}

// A mip at a point, all groups: one evaluation there, or four fetches filtered bilinearly.
GstexValue gstex_point(GstexExpanded m, int mip, vec2 uv) {
    GstexValue value = gstex_constants(m);
    for (int group = 0; group < m.groups; ++group) {
        GstexView view = gstex_view(m, group, mip);
        bool bilinear = m.bilinear || view.set == 0u;
        vec2 point = vec2(view.size) * (m.repeat ? fract(uv) : clamp(uv, 0.0, 1.0));
        vec2 corner = bilinear ? floor(point - 0.5) : min(floor(point), vec2(view.size - 1));
        vec2 inside = bilinear ? vec2(0.5) : point - corner, share = bilinear ? point - 0.5 - corner : vec2(0);
        GstexValue sum;
        for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
        for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
            vec2 weight = mix(1.0 - share, share, vec2(n & 1, n >> 1));
            ivec2 texel = gstex_inside(m, ivec2(corner) + ivec2(n & 1, n >> 1), view.size);
            GstexValue one = gstex_evaluate(m, view, texel, inside);
            for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] += weight.x * weight.y * one.v[i];
        }
        gstex_spread(m.members[group], sum, value);
    }
    return value;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
GstexValue gstex_taps(GstexExpanded m, vec2 uv, float lod, int taps, vec2 from_tap_to_tap) {
    lod = clamp(lod, float(m.first_mip), float(m.mips - 1));
    int fine = int(lod), mips = fract(lod) > 0.0 ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int coarse = n % mips;
        GstexValue one = gstex_point(m, fine + coarse, uv + (float(n / mips) - 0.5 * float(taps - 1)) * from_tap_to_tap);
        if (taps * mips == 1) return one; // as stored
        float share = (coarse == 1 ? fract(lod) : 1.0 - fract(lod)) / float(taps);
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            sum.v[i] += share * mix(one.v[i], gstex_to_linear(one.v[i]), gstex_set(m.srgb, i));
    }
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        sum.v[i] = clamp(mix(sum.v[i], gstex_to_srgb(sum.v[i]), gstex_set(m.srgb, i)), 0.0, 1.0);
    return sum;
}

// ==== Functions to call =============================================================================================
// They mean what those without `expanded` of gstex.glsl mean. base: the first word of the expanded form.

GstexValue gstex_expanded_fetch(uint base, ivec2 texel, int mip) {
    GstexExpanded m = gstex_expanded(base);
    GstexValue value = gstex_constants(m);
    for (int group = 0; group < m.groups; ++group) {
        GstexView view = gstex_view(m, group, clamp(mip, m.first_mip, m.mips - 1));
        gstex_spread(m.members[group], gstex_evaluate(m, view, gstex_inside(m, texel, view.size), vec2(0.5)), value);
    }
    return value;
}

GstexValue gstex_expanded_sample(uint base, vec2 uv, float lod) {
    return gstex_taps(gstex_expanded(base), uv, lod, 1, vec2(0));
}

GstexValue gstex_expanded_sample_grad(uint base, vec2 uv, vec2 dx, vec2 dy) {
    GstexExpanded m = gstex_expanded(base);
    vec2 a = vec2(m.size) * dx, b = vec2(m.size) * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(vec2(d, q)), major = max(sqrt(0.5 * (dot(a, a) + dot(b, b)) + r), 1e-30);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = d >= 0.0 ? vec2(d + r, q) : vec2(q, r - d);
    vec2 tap = axis / max(length(axis), 1e-30) * (major / taps);
    return gstex_taps(m, uv, log2(major / taps), int(taps), tap / vec2(m.size));
}
