// gstex_expanded.glsl: reads textures in the expanded form (docs/expanded.md), which gstex_expand.h makes from a .gstex
// file when it is loaded. GLSL 4.30 (a storage buffer of uvec4) and GLSL ES 3.00 (a texture in RGBA32UI).
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

struct GstexExpanded {
    uint at;           // where it begins, in fours of words, as all places are that are not said to be words
    ivec2 size;        // of mip 0, texels
    bool repeat, bilinear;
    int channels, mips, groups, first_mip;
    uint srgb;         // a bit for each channel
};

uint gstex_word(uint i) { return GSTEX_LOAD4(i >> 2)[i & 3u]; }
vec4 gstex_floats(uint i) { return uintBitsToFloat(GSTEX_LOAD4(i)); }

GstexExpanded gstex_expanded(uint base) {
    uint at = base >> 2;
    uvec4 head = GSTEX_LOAD4(at);
    ivec4 counts = ivec4(GSTEX_LOAD4(at + 1u));
    return GstexExpanded(at, ivec2(head.yz), (head.w & 1u) != 0u, (head.w & 2u) != 0u, counts.x, counts.y, min(counts.z, 4),
                         counts.w, GSTEX_LOAD4(at + 2u).x);
}

// The entry of a mip of a group. Its second word is 0 where the mip is texels.
uint gstex_view(GstexExpanded m, int group, int mip) { return m.at + 7u + 4u * uint(mip * m.groups + group); }

// Adds the features of a Gaussian or of a texel: 16 bits for each channel.
void gstex_add(uint at, int channels, float weight, inout GstexValue sums) {
    uvec4 words = GSTEX_LOAD4(at);
    vec4 weights = vec4(weight);
    sums.v[0] += weights * vec4(unpackUnorm2x16(words.x), unpackUnorm2x16(words.y));
#if GSTEX_VEC4S > 1
    sums.v[1] += weights * vec4(unpackUnorm2x16(words.z), unpackUnorm2x16(words.w));
#endif
#if GSTEX_VEC4S > 2
    if (channels <= 8) return;
    words = GSTEX_LOAD4(at + 1u);
    sums.v[2] += weights * vec4(unpackUnorm2x16(words.x), unpackUnorm2x16(words.y));
#endif
#if GSTEX_VEC4S > 3
    sums.v[3] += weights * vec4(unpackUnorm2x16(words.z), unpackUnorm2x16(words.w));
#endif
}

// The fade of a Gaussian around its own cell. grid: cells by the steps of d; cells in all, or 0 if they are many.
float gstex_fade(vec4 grid, uvec2 position, inout vec2 d) {
    vec2 from = fract(vec2(position << 12) * grid.xy) - 0.5 - d * grid.xy;
    if (grid.z > 0.0) { // it may be seen from farther away than half of the texture
        vec2 turn = floor(from / grid.zw + 0.5);
        from -= grid.zw * turn;
        d += 4294967296.0 * turn;
    }
    vec2 fade = smoothstep(0.0, 1.0, 3.0 - 2.0 * abs(from));
    return fade.x * fade.y;
}

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
vec4 gstex_bend(vec4 x, uvec4 numbers) {
    vec4 low = vec4(ivec4(numbers << 22) >> 22), middle = vec4(ivec4(numbers << 12) >> 22), high = vec4(ivec4(numbers << 2) >> 22);
    return clamp(x + (low * (1.0 - x) + high * x + 4.0 * middle * x * (1.0 - x)) / 1024.0, 0.0, 1.0);
}

// Adds the values of a group at `inside` (0 .. 1) of a texel, times a weight. Channels of other groups stay as they are.
void gstex_evaluate(GstexExpanded m, uint view, ivec2 texel, vec2 inside, float weight_of_all, inout GstexValue value) {
    uvec4 of = GSTEX_LOAD4(view), more = GSTEX_LOAD4(view + 3u); // tiles or texels, records, features, tiles in a row
    uint tile = uint(texel.y >> more.x) * of.w + uint(texel.x >> more.x), tiles = m.at + of.x, features = m.at + of.z;
    if (of.y == 0u) { // texels
        gstex_add(tiles + tile * (m.channels > 8 ? 2u : 1u), m.channels, weight_of_all, value);
        return;
    }
    vec4 scale = gstex_floats(view + 1u); // of points, and of distances
    uvec4 wider = GSTEX_LOAD4(view + 2u); // the filter of a shared mip, and where its bend is
    vec3 blur = uintBitsToFloat(wider.xyz);
    uint ranges = m.at + more.y, levels = ranges + 13u, at = m.at + of.y - 1u;
    vec4 set = gstex_floats(ranges); // the background's weight, the most lean, the range of amplitudes
    float sum = set.x;
    GstexValue sums;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sums.v[i] = gstex_floats(ranges + 1u + uint(i));
    uvec2 point = uvec2((vec2(texel) + inside) * scale.xy + 0.5);
    // Of two tiles: where the list of the first begins, and how many words it has. That of the second ends where the next begins.
    uint first = 4u * tiles, heads = first + (tile >> 1), head = gstex_word(heads);
    uint list = first + (head & 0xFFFFFFu), end = list + (head >> 24);
    if ((tile & 1u) != 0u) {
        list = end;
        end = min(first + (gstex_word(heads + 1u) & 0xFFFFFFu), list + 255u);
    }
    for (; list < end; ++list)
        for (uint word = gstex_word(list); word != 0u; word >>= 8) {
            uint jump = word & 127u;
            bool fades = (word & 128u) != 0u;
            if (fades) {
                if (jump >= 64u) { // nothing stands here, but the next one is far
                    at += (jump & 31u) + 1u << (jump < 96u ? 5 : 11);
                    continue;
                }
            }
            at += jump;
            uvec4 record = GSTEX_LOAD4(at);
            vec2 d = vec2(ivec2((record.xy - point) << 12)), kind = unpackSnorm2x16(record.z), steep = unpackUnorm2x16(record.w);
            float lean = set.y * kind.x, fade = 1.0;
            if (fades) fade = gstex_fade(gstex_floats(levels + (record.y >> 20 & 15u)), record.xy, d);
            d *= scale.zw;
            float u = steep.x * d.x + lean * d.y, v = steep.y * d.y, distance2 = u * u + v * v;
            if (wider.x != 0u) {
                vec2 steep2 = steep * steep, d2 = d * d;
                float det = steep2.x * steep2.y;
                distance2 += det * (blur.y * d2.x + blur.x * d2.y);
                distance2 /= 1.0 + blur.x * steep2.x + blur.y * (lean * lean + steep2.y) + blur.z * det;
            }
            float weight = exp2(set.z * kind.y - distance2);
            if (fades) weight *= fade;
            if (weight < 1e-4 * sum) continue;
            sum += weight;
            gstex_add(features + (record.x >> 20 << 8 | record.y >> 24), m.channels, weight, sums);
        }
    vec4 share = vec4(1.0 / sum);
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        vec4 x = clamp(share * sums.v[i] * gstex_floats(ranges + 9u + uint(i)) + gstex_floats(ranges + 5u + uint(i)), 0.0, 1.0);
        if (wider.w != 0u) x = gstex_bend(x, GSTEX_LOAD4(m.at + wider.w + uint(i)));
        value.v[i] += weight_of_all * x;
    }
}

// ---- From groups to a material, and sampling: as in gstex.glsl -----------------------------------------------------

GstexValue gstex_constants(GstexExpanded m) {
    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = gstex_floats(m.at + 3u + uint(i));
    return value;
}

bvec4 gstex_set(uint bits, int i) { return notEqual(uvec4(bits >> 4 * i) & uvec4(1, 2, 4, 8), uvec4(0)); }

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
    ivec2 size = max(m.size >> mip, 1);
    for (int group = 0; group < m.groups; ++group) {
        uint view = gstex_view(m, group, mip);
        bool bilinear = m.bilinear || GSTEX_LOAD4(view).y == 0u;
        vec2 point = vec2(size) * (m.repeat ? fract(uv) : clamp(uv, 0.0, 1.0));
        vec2 corner = bilinear ? floor(point - 0.5) : min(floor(point), vec2(size - 1));
        vec2 inside = bilinear ? vec2(0.5) : point - corner, share = bilinear ? point - 0.5 - corner : vec2(0);
        for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
            vec2 weight = mix(1.0 - share, share, vec2(n & 1, n >> 1));
            ivec2 texel = gstex_inside(m, ivec2(corner) + ivec2(n & 1, n >> 1), size);
            gstex_evaluate(m, view, texel, inside, weight.x * weight.y, value);
        }
    }
    return value;
}

// Of a pixel: the level of detail, and taps along its longer axis.
struct GstexFootprint {
    float lod;
    int taps; // 1 .. 8
    vec2 from_tap_to_tap;
};

GstexFootprint gstex_footprint(GstexExpanded m, vec2 dx, vec2 dy) {
    vec2 a = vec2(m.size) * dx, b = vec2(m.size) * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(vec2(d, q)), major = max(sqrt(0.5 * (dot(a, a) + dot(b, b)) + r), 1e-30);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = d >= 0.0 ? vec2(d + r, q) : vec2(q, r - d);
    vec2 tap = axis / max(length(axis), 1e-30) * (major / taps);
    return GstexFootprint(log2(major / taps), int(taps), tap / vec2(m.size));
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
    mip = clamp(mip, m.first_mip, m.mips - 1);
    texel = gstex_inside(m, texel, max(m.size >> mip, 1));
    for (int group = 0; group < m.groups; ++group)
        gstex_evaluate(m, gstex_view(m, group, mip), texel, vec2(0.5), 1.0, value);
    return value;
}

GstexValue gstex_expanded_sample(uint base, vec2 uv, float lod) {
    return gstex_taps(gstex_expanded(base), uv, lod, 1, vec2(0));
}

GstexValue gstex_expanded_sample_grad(uint base, vec2 uv, vec2 dx, vec2 dy) {
    GstexExpanded m = gstex_expanded(base);
    GstexFootprint f = gstex_footprint(m, dx, dy);
    return gstex_taps(m, uv, f.lod, f.taps, f.from_tap_to_tap);
}

GstexValue gstex_expanded_sample_stochastic(uint base, vec2 uv, vec2 dx, vec2 dy, float noise) {
    GstexExpanded m = gstex_expanded(base);
    GstexFootprint f = gstex_footprint(m, dx, dy);
    float lod = clamp(f.lod, float(m.first_mip), float(m.mips - 1)), chosen = clamp(noise, 0.0, 1.0) * float(f.taps);
    int tap = min(int(chosen), f.taps - 1), mip = int(lod) + (chosen - float(tap) < fract(lod) ? 1 : 0);
    vec2 at = uv + (float(tap) - 0.5 * float(f.taps - 1)) * f.from_tap_to_tap;
    return gstex_taps(m, at, float(mip), 1, vec2(0));
}
