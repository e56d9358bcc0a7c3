// gstex_expanded.metal: reads textures in the expanded form (docs/expanded.md), which gstex_expand.h makes from a .gstex
// file when it is loaded. It stands alone, or in one shader with the decoder of the packed form, before or after it.
//
// Metal, from version 2.0 on. tools/write_shaders.py writes this file from gstex_expanded.glsl. The functions to call
// stand at its end; gstex_surface_of makes a surface of their values.
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default).
//   GSTEX_LOAD4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through it.
//   GSTEX_EXPANDED_WORDS  the type of that buffer, default device const uint4 *.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#include <metal_stdlib>
using namespace metal;

#ifndef GSTEX_EXPANDED_WORDS
#define GSTEX_EXPANDED_WORDS device const uint4 *
#endif
#ifndef GSTEX_LOAD4
#define GSTEX_LOAD4(i) gstex.words[i]
#endif

// Where the words are, which Metal passes from function to function. A shader has one, and sets `words`.
struct GstexExpandedContext {
    GSTEX_EXPANDED_WORDS words;
};

// ---- Common to gstex and gstex_expanded, word for word: a shader with both needs it once ----------------------------

#ifndef GSTEX_COMMON
#define GSTEX_COMMON

// Channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map; 0 if the file has no such channel.
// The values of a group stand in the same way, in the order of its members.
struct GstexValue { float4 v[GSTEX_VEC4S]; };

// For channels 4 i .. 4 i + 3: whether their bits are set.
inline bool4 gstex_set(uint bits, int i) { return ((uint4(bits >> 4 * i) & uint4(1, 2, 4, 8)) != uint4(0)); }

// Cells or texels up to one period beyond a border, brought back.
inline int2 gstex_wrap(int2 p, int2 size) {
    return p + size * (int2((p < int2(0))) - int2((p >= size)));
}

inline float4 gstex_to_linear(float4 x) {
    return select(x / 12.92f, pow((x + 0.055f) / 1.055f, float4(2.4f)), (x > float4(0.04045f)));
}

inline float4 gstex_to_srgb(float4 y) {
    return select(12.92f * y, 1.055f * pow(y, float4(1.0f / 2.4f)) - 0.055f, (y > float4(0.0031308f)));
}

// Of a pixel, whose steps in uv are dx and dy: the level of detail, and taps along its longer axis.
struct GstexFootprint {
    float lod;
    int taps; // 1 .. 8
    float2 from_tap_to_tap;
};

inline GstexFootprint gstex_footprint(float2 size, float2 dx, float2 dy) {
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    float2 a = size * dx, b = size * dy;
    float d = 0.5f * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(float2(d, q)), major = max(sqrt(0.5f * (dot(a, a) + dot(b, b)) + r), 1e-30f);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0f) - 1.0f / 64.0f), 1.0f, 8.0f);
    float2 axis = d >= 0.0f ? float2(d + r, q) : float2(q, r - d);
    float2 tap = axis / max(length(axis), 1e-30f) * (major / taps);
    return GstexFootprint{log2(major / taps), int(taps), tap / size};
}

// One tap in one mip of a footprint, which the noise (0 .. 1) chooses: how far off in uv, and the mip.
inline float3 gstex_choose_tap(GstexFootprint f, int first_mip, int mips, float noise) {
    float lod = clamp(f.lod, float(first_mip), float(mips - 1)), chosen = clamp(noise, 0.0f, 1.0f) * float(f.taps);
    int tap = min(int(chosen), f.taps - 1), mip = int(lod) + (chosen - float(tap) < fract(lod) ? 1 : 0);
    return float3((float(tap) - 0.5f * float(f.taps - 1)) * f.from_tap_to_tap, float(mip));
}

// Which channels hold which map; -1: there is no such map. gstex_channels of gstex.h is the same in the layout std140.
struct GstexChannels {
    int3 albedo, emissive;
    int2 normal;
    bool normal_directx; // Y of the normals points down
    int roughness, gloss, metallic, ao, opacity, height;
};

// What a value in 0 .. 1 stands for in the source map, such as metres of a height: bias + scale x, or with stops, which light
// of a high dynamic range has, bias + scale (2^(stops x) - 1). gstex_units of gstex.h is the same in the layout std140.
struct GstexUnit { float scale, bias, stops; uint srgb; };
struct GstexColorUnits { GstexUnit red, green, blue; };
struct GstexUnits { GstexColorUnits albedo, emissive; GstexUnit height; };

struct GstexSurface {
    float3 albedo, emissive; // linear light; of maps that were not in 0 .. 1 in the units of the map
    float3 normal; // in tangent space, Y up, of length 1
    float roughness, metallic, ao, opacity;
    float height;  // in the units of the map
};

inline float gstex_channel(GstexValue value, int c) { return value.v[c >> 2][c & 3]; }

inline float gstex_scalar(GstexValue value, int c, float missing) { return c < 0 ? missing : gstex_channel(value, c); }

inline float gstex_in_unit(GstexUnit unit, float x) {
    return unit.bias + unit.scale * (unit.stops > 0.0f ? exp2(unit.stops * x) - 1.0f : x);
}

inline float3 gstex_color_of(GstexValue value, int3 c, GstexColorUnits units, float missing) {
    if (min(c.x, min(c.y, c.z)) < 0) return float3(missing);
    float4 stored = float4(gstex_in_unit(units.red, gstex_channel(value, c.x)), gstex_in_unit(units.green, gstex_channel(value, c.y)),
                       gstex_in_unit(units.blue, gstex_channel(value, c.z)), 0);
    return units.red.srgb != 0u ? gstex_to_linear(stored).rgb : stored.rgb;
}

inline float3 gstex_normal(GstexValue value, int2 c, bool directx) {
    if (min(c.x, c.y) < 0) return float3(0, 0, 1);
    float2 xy = 2.0f * float2(gstex_channel(value, c.x), gstex_channel(value, c.y)) - 1.0f;
    float z = sqrt(max(1.0f - dot(xy, xy), 0.0f));
    return normalize(float3(xy.x, directx ? -xy.y : xy.y, z));
}

// The surface of a value, of either form. Nothing is loaded: channels and units may come from uniforms.
inline GstexSurface gstex_surface_of(GstexValue value, GstexChannels at, GstexUnits units) {
    return GstexSurface{
        gstex_color_of(value, at.albedo, units.albedo, 0.2f), gstex_color_of(value, at.emissive, units.emissive, 0.0f),
        gstex_normal(value, at.normal, at.normal_directx),
        gstex_scalar(value, at.roughness, 1.0f - gstex_scalar(value, at.gloss, 0.5f)),
        gstex_scalar(value, at.metallic, 0.0f), gstex_scalar(value, at.ao, 1.0f),
        gstex_scalar(value, at.opacity, 1.0f),
        at.height < 0 ? 0.0f : gstex_in_unit(units.height, gstex_channel(value, at.height))};
}

#endif
// ---- End of what is common ----------------------------------------------------------------------------------------

// ---- One evaluation ------------------------------------------------------------------------------------------------

struct GstexExpanded {
    uint at;   // where it begins, in fours of words, as all places are that are not said to be words
    int2 size; // of mip 0, texels
    bool repeat, bilinear;
    int channels, mips, groups, first_mip;
    uint srgb; // a bit for each channel
};

inline uint gstex_expanded_word(thread GstexExpandedContext &gstex, uint i) { return GSTEX_LOAD4(i >> 2)[i & 3u]; }
inline float4 gstex_expanded_floats(thread GstexExpandedContext &gstex, uint i)
{ return as_type<float4>(GSTEX_LOAD4(i)); }

inline GstexExpanded gstex_expanded_material(thread GstexExpandedContext &gstex, uint base) {
    uint at = base >> 2;
    uint4 head = GSTEX_LOAD4(at);
    int4 counts = int4(GSTEX_LOAD4(at + 1u));
    return GstexExpanded{at, int2(head.yz), (head.w & 1u) != 0u, (head.w & 2u) != 0u, counts.x, counts.y, min(counts.z, 4),
                         counts.w, GSTEX_LOAD4(at + 2u).x};
}

// The entry of a mip of a group. Its second word is 0 where the mip is texels.
inline uint gstex_expanded_view(GstexExpanded m, int group, int mip)
{ return m.at + 7u + 4u * uint(mip * m.groups + group); }

// Adds the features of a Gaussian or of a texel: 16 bits for each channel.
inline void gstex_expanded_add(thread GstexExpandedContext &gstex, uint at, int channels, float weight,
                               thread GstexValue &sums) {
    uint4 codes = GSTEX_LOAD4(at);
    float4 weights = float4(weight);
    sums.v[0] += weights * float4(unpack_unorm2x16_to_float(codes.x), unpack_unorm2x16_to_float(codes.y));
#if GSTEX_VEC4S > 1
    sums.v[1] += weights * float4(unpack_unorm2x16_to_float(codes.z), unpack_unorm2x16_to_float(codes.w));
#endif
#if GSTEX_VEC4S > 2
    if (channels <= 8) return;
    codes = GSTEX_LOAD4(at + 1u);
    sums.v[2] += weights * float4(unpack_unorm2x16_to_float(codes.x), unpack_unorm2x16_to_float(codes.y));
#endif
#if GSTEX_VEC4S > 3
    sums.v[3] += weights * float4(unpack_unorm2x16_to_float(codes.z), unpack_unorm2x16_to_float(codes.w));
#endif
}

// The fade of a Gaussian around its own cell. grid: cells by the steps of d; cells in all, or 0 if they are many.
// position: in steps of d, which goes from the Gaussian to the point.
inline float gstex_expanded_fade(float4 grid, uint2 position, thread float2 &d) {
    float2 from = fract(float2(position) * grid.xy) - 0.5f + d * grid.xy;
    if (grid.z > 0.0f) { // it may be seen from farther away than half of the texture
        float2 turn = floor(from / grid.zw + 0.5f);
        from -= grid.zw * turn;
        d -= 4294967296.0f * turn;
    }
    float2 fade = smoothstep(float2(-1.5f), float2(-1.0f), -abs(from));
    return fade.x * fade.y;
}

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
inline float4 gstex_expanded_bend(float4 x, uint4 numbers) {
    int4 at_0 = int4(numbers << uint4(22)), at_half = int4(numbers << uint4(12)), at_1 = int4(numbers << uint4(2));
    float4 low = float4(at_0 >> int4(22)), middle = float4(at_half >> int4(22)), high = float4(at_1 >> int4(22));
    return clamp(x + (low * (1.0f - x) + high * x + 4.0f * middle * x * (1.0f - x)) / 1024.0f, float4(0.0f), float4(1.0f));
}

// Adds the values of a group at `inside` (0 .. 1) of a texel, times a weight. Channels of other groups stay as they are.
inline void gstex_expanded_evaluate(thread GstexExpandedContext &gstex, GstexExpanded m, uint view, int2 texel,
                                    float2 inside, float weight_of_all, thread GstexValue &value) {
    uint4 of = GSTEX_LOAD4(view), more = GSTEX_LOAD4(view + 3u); // tiles or texels, records, features, tiles in a row
    uint tile = uint(texel.y >> more.x) * of.w + uint(texel.x >> more.x), tiles = m.at + of.x, features = m.at + of.z;
    if (of.y == 0u) { // texels
        gstex_expanded_add(gstex, tiles + tile * (m.channels > 8 ? 2u : 1u), m.channels, weight_of_all, value);
        return;
    }
    float4 scale = gstex_expanded_floats(gstex, view + 1u); // of points, and of d
    uint4 wider = GSTEX_LOAD4(view + 2u); // the filter of a shared mip, and where its bend is
    float3 blur = as_type<float3>(wider.xyz);
    bool blurred = wider.x != 0u, bent = wider.w != 0u;
    uint ranges = m.at + more.y, levels = ranges + 13u, at = m.at + of.y - 1u;
    float4 set = gstex_expanded_floats(gstex, ranges); // the background's weight, the most lean, the range of amplitudes
    float sum = set.x, least = 1e-4f * sum;
    // All distances are by the scale of d.x, which is applied to their squares.
    float aspect = scale.w / scale.z, falloff = -scale.z * scale.z;
    GstexValue sums;
    uint backgrounds = ranges + 1u;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sums.v[i] = gstex_expanded_floats(gstex, backgrounds + uint(i));
    uint2 point = uint2((float2(texel) + inside) * scale.xy + 0.5f) << uint2(12);
    // Of two tiles: where the list of the first begins, and how many words it has. That of the second ends where the next begins.
    uint first = 4u * tiles, heads = first + (tile >> 1), head = gstex_expanded_word(gstex, heads);
    uint list = first + (head & 0xFFFFFFu), end = list + (head >> 24);
    if ((tile & 1u) != 0u) {
        list = end;
        end = min(first + (gstex_expanded_word(gstex, heads + 1u) & 0xFFFFFFu), list + 255u);
    }
    for (; list < end; ++list)
        for (uint word = gstex_expanded_word(gstex, list); word != 0u; word >>= 8) {
            uint jump = word & 255u;
            bool fades = jump > 127u;
            if (fades) {
                jump &= 127u;
                if (jump >= 64u) { // nothing stands here, but the next one is far
                    at += ((jump & 31u) + 1u) << (jump < 96u ? 5 : 11);
                    continue;
                }
            }
            at += jump;
            uint4 record = GSTEX_LOAD4(at);
            uint2 position = record.xy << uint2(12);
            int2 way = int2(point - position); // a variable, or compilers may forget its sign
            float2 d = float2(way), kind = unpack_snorm2x16_to_float(record.z), steep = unpack_unorm2x16_to_float(record.w);
            float fade = 1.0f;
            if (fades) fade = gstex_expanded_fade(gstex_expanded_floats(gstex, levels + (record.y >> 20 & 15u)), position, d);
            d.y *= aspect;
            float u = steep.x * d.x + kind.x * (set.y * d.y), v = steep.y * d.y, distance2 = u * u + v * v;
            if (blurred) {
                float2 steep2 = steep * steep, d2 = d * d;
                float lean = set.y * kind.x, det = steep2.x * steep2.y;
                distance2 += det * (blur.y * d2.x + blur.x * d2.y);
                distance2 /= 1.0f + blur.x * steep2.x + blur.y * (lean * lean + steep2.y) + blur.z * det;
            }
            float weight = exp2(set.z * kind.y + falloff * distance2);
            if (fades) weight *= fade;
            if (weight < least) continue;
            sum += weight;
            least = 1e-4f * sum;
            gstex_expanded_add(gstex, features + (record.x >> 20 << 8 | record.y >> 24), m.channels, weight, sums);
        }
    float4 share = float4(1.0f / sum);
    uint lowest = ranges + 5u, steps = ranges + 9u, bend = m.at + wider.w;
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        float4 x = share * sums.v[i] * gstex_expanded_floats(gstex, steps + uint(i)) + gstex_expanded_floats(gstex, lowest + uint(i));
        x = clamp(x, float4(0.0f), float4(1.0f));
        if (bent) x = gstex_expanded_bend(x, GSTEX_LOAD4(bend + uint(i)));
        value.v[i] += weight_of_all * x;
    }
}

// ---- From groups to a material, and sampling: as in gstex.glsl -----------------------------------------------------

inline GstexValue gstex_expanded_constants(thread GstexExpandedContext &gstex, GstexExpanded m) {
    GstexValue value;
    uint constants = m.at + 3u;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = gstex_expanded_floats(gstex, constants + uint(i));
    return value;
}

// A texel up to one period beyond the border.
inline int2 gstex_expanded_texel(GstexExpanded m, int2 p, int2 size) {
    if (m.repeat) p = gstex_wrap(p, size);
    return clamp(p, int2(0), size - 1);
}

// A mip at a point, all groups: one evaluation there, or four fetches filtered bilinearly.
inline GstexValue gstex_expanded_point(thread GstexExpandedContext &gstex, GstexExpanded m, int mip, float2 uv) {
    GstexValue value = gstex_expanded_constants(gstex, m);
    int2 size = max(m.size >> int2(mip), int2(1));
    for (int group = 0; group < m.groups; ++group) {
        uint view = gstex_expanded_view(m, group, mip);
        bool bilinear = m.bilinear || GSTEX_LOAD4(view).y == 0u;
        float2 point = float2(size) * (m.repeat ? fract(uv) : clamp(uv, float2(0.0f), float2(1.0f)));
        float2 corner = bilinear ? floor(point - 0.5f) : min(floor(point), float2(size - 1));
        float2 inside = bilinear ? float2(0.5f) : point - corner, share = bilinear ? point - 0.5f - corner : float2(0);
        for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
            int2 at = int2(n & 1, n >> 1);
            float2 weight = mix(1.0f - share, share, float2(at));
            int2 texel = gstex_expanded_texel(m, int2(corner) + at, size);
            gstex_expanded_evaluate(gstex, m, view, texel, inside, weight.x * weight.y, value);
        }
    }
    return value;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
inline GstexValue gstex_expanded_taps(thread GstexExpandedContext &gstex, GstexExpanded m, float2 uv, float lod,
                                      int taps, float2 from_tap_to_tap) {
    lod = clamp(lod, float(m.first_mip), float(m.mips - 1));
    int fine = int(lod), mips = fract(lod) > 0.0f ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = float4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int coarse = n % mips;
        float2 at = uv + (float(n / mips) - 0.5f * float(taps - 1)) * from_tap_to_tap;
        GstexValue one = gstex_expanded_point(gstex, m, fine + coarse, at);
        if (taps * mips == 1) return one; // as stored
        float share = (coarse == 1 ? fract(lod) : 1.0f - fract(lod)) / float(taps);
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            sum.v[i] += share * select(one.v[i], gstex_to_linear(one.v[i]), gstex_set(m.srgb, i));
    }
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        sum.v[i] = clamp(select(sum.v[i], gstex_to_srgb(sum.v[i]), gstex_set(m.srgb, i)), float4(0.0f), float4(1.0f));
    return sum;
}

// ==== Functions to call =============================================================================================
// They mean what those without `expanded` of gstex.glsl mean. base: the first word of the expanded form.

inline GstexValue gstex_expanded_fetch(thread GstexExpandedContext &gstex, uint base, int2 texel, int mip) {
    GstexExpanded m = gstex_expanded_material(gstex, base);
    GstexValue value = gstex_expanded_constants(gstex, m);
    int of = clamp(mip, m.first_mip, m.mips - 1);
    int2 inside = gstex_expanded_texel(m, texel, max(m.size >> int2(of), int2(1)));
    for (int group = 0; group < m.groups; ++group)
        gstex_expanded_evaluate(gstex, m, gstex_expanded_view(m, group, of), inside, float2(0.5f), 1.0f, value);
    return value;
}

inline GstexValue gstex_expanded_sample(thread GstexExpandedContext &gstex, uint base, float2 uv, float lod) {
    return gstex_expanded_taps(gstex, gstex_expanded_material(gstex, base), uv, lod, 1, float2(0));
}

inline GstexValue gstex_expanded_sample_grad(thread GstexExpandedContext &gstex, uint base, float2 uv, float2 dx,
                                             float2 dy) {
    GstexExpanded m = gstex_expanded_material(gstex, base);
    GstexFootprint f = gstex_footprint(float2(m.size), dx, dy);
    return gstex_expanded_taps(gstex, m, uv, f.lod, f.taps, f.from_tap_to_tap);
}

inline GstexValue gstex_expanded_sample_stochastic(thread GstexExpandedContext &gstex, uint base, float2 uv,
                                                   float2 dx, float2 dy, float noise) {
    GstexExpanded m = gstex_expanded_material(gstex, base);
    float3 tap = gstex_choose_tap(gstex_footprint(float2(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_expanded_taps(gstex, m, uv + tap.xy, tap.z, 1, float2(0));
}
