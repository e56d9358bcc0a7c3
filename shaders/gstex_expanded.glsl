// gstex_expanded.glsl: reads textures in the expanded form (docs/expanded.md), which gstex_expand.h makes from a .gstex
// file when it is loaded. It stands alone, or in one shader with the decoder of the packed form, before or after it.
//
// The same text is GLSL 4.30 (a storage buffer of uvec4) and GLSL ES 3.00 (a texture in RGBA32UI). The functions to call
// stand at its end; gstex_surface_of makes a surface of their values.
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default).
//   GSTEX_LOAD4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through it.
//   GSTEX_EXPANDED_BINDING  of the storage buffer, default 1.    GSTEX_EXPANDED_WIDTH  of the texture in texels, default 2048.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#if !defined(GSTEX_LOAD4) && defined(GL_ES)
#ifndef GSTEX_EXPANDED_WIDTH
#define GSTEX_EXPANDED_WIDTH 2048
#endif
precision highp float;
precision highp int;
uniform highp usampler2D gstex_expanded_words;
#define GSTEX_LOAD4(i) texelFetch(gstex_expanded_words, ivec2(int(i) % GSTEX_EXPANDED_WIDTH, int(i) / GSTEX_EXPANDED_WIDTH), 0)
#elif !defined(GSTEX_LOAD4)
#ifndef GSTEX_EXPANDED_BINDING
#define GSTEX_EXPANDED_BINDING 1
#endif
layout(std430, binding = GSTEX_EXPANDED_BINDING) readonly buffer GstexExpandedWords { uvec4 gstex_expanded_words[]; };
#define GSTEX_LOAD4(i) gstex_expanded_words[i]
#endif

// ---- Common to gstex and gstex_expanded, word for word: a shader with both needs it once ----------------------------

#ifndef GSTEX_COMMON
#define GSTEX_COMMON

// Channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map; 0 if the file has no such channel.
// The values of a group stand in the same way, in the order of its members.
struct GstexValue { vec4 v[GSTEX_VEC4S]; };

// For channels 4 i .. 4 i + 3: whether their bits are set.
bvec4 gstex_set(uint bits, int i) { return notEqual(uvec4(bits >> 4 * i) & uvec4(1, 2, 4, 8), uvec4(0)); }

// Cells or texels up to one period beyond a border, brought back.
ivec2 gstex_wrap(ivec2 p, ivec2 size) {
    return p + size * (ivec2(lessThan(p, ivec2(0))) - ivec2(greaterThanEqual(p, size)));
}

vec4 gstex_to_linear(vec4 x) {
    return mix(x / 12.92, pow((x + 0.055) / 1.055, vec4(2.4)), greaterThan(x, vec4(0.04045)));
}

vec4 gstex_to_srgb(vec4 y) {
    return mix(12.92 * y, 1.055 * pow(y, vec4(1.0 / 2.4)) - 0.055, greaterThan(y, vec4(0.0031308)));
}

// Of a pixel, whose steps in uv are dx and dy: the level of detail, and taps along its longer axis.
struct GstexFootprint {
    float lod;
    int taps; // 1 .. 8
    vec2 from_tap_to_tap;
};

GstexFootprint gstex_footprint(vec2 size, vec2 dx, vec2 dy) {
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    vec2 a = size * dx, b = size * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(vec2(d, q)), major = max(sqrt(0.5 * (dot(a, a) + dot(b, b)) + r), 1e-30);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = d >= 0.0 ? vec2(d + r, q) : vec2(q, r - d);
    vec2 tap = axis / max(length(axis), 1e-30) * (major / taps);
    return GstexFootprint(log2(major / taps), int(taps), tap / size);
}

// One tap in one mip of a footprint, which the noise (0 .. 1) chooses: how far off in uv, and the mip.
vec3 gstex_choose_tap(GstexFootprint f, int first_mip, int mips, float noise) {
    float lod = clamp(f.lod, float(first_mip), float(mips - 1)), chosen = clamp(noise, 0.0, 1.0) * float(f.taps);
    int tap = min(int(chosen), f.taps - 1), mip = int(lod) + (chosen - float(tap) < fract(lod) ? 1 : 0);
    return vec3((float(tap) - 0.5 * float(f.taps - 1)) * f.from_tap_to_tap, float(mip));
}

// Which channels hold which map; -1: there is no such map. gstex_channels of gstex.h is the same in the layout std140.
struct GstexChannels {
    ivec3 albedo, emissive;
    ivec2 normal;
    bool normal_directx; // Y of the normals points down
    int roughness, gloss, metallic, ao, opacity, height;
};

// What a value in 0 .. 1 stands for in the source map, such as metres of a height: bias + scale x, or with stops, which light
// of a high dynamic range has, bias + scale (2^(stops x) - 1). gstex_units of gstex.h is the same in the layout std140.
struct GstexUnit { float scale, bias, stops; uint srgb; };
struct GstexColorUnits { GstexUnit red, green, blue; };
struct GstexUnits { GstexColorUnits albedo, emissive; GstexUnit height; };

struct GstexSurface {
    vec3 albedo, emissive; // linear light; of maps that were not in 0 .. 1 in the units of the map
    vec3 normal;           // in tangent space, Y up, of length 1
    float roughness, metallic, ao, opacity;
    float height;          // in the units of the map
};

float gstex_channel(GstexValue value, int c) { return value.v[c >> 2][c & 3]; }

float gstex_scalar(GstexValue value, int c, float missing) { return c < 0 ? missing : gstex_channel(value, c); }

float gstex_in_unit(GstexUnit unit, float x) {
    return unit.bias + unit.scale * (unit.stops > 0.0 ? exp2(unit.stops * x) - 1.0 : x);
}

vec3 gstex_color_of(GstexValue value, ivec3 c, GstexColorUnits units, float missing) {
    if (min(c.x, min(c.y, c.z)) < 0) return vec3(missing);
    vec4 stored = vec4(gstex_in_unit(units.red, gstex_channel(value, c.x)), gstex_in_unit(units.green, gstex_channel(value, c.y)),
                       gstex_in_unit(units.blue, gstex_channel(value, c.z)), 0);
    return units.red.srgb != 0u ? gstex_to_linear(stored).rgb : stored.rgb;
}

vec3 gstex_normal(GstexValue value, ivec2 c, bool directx) {
    if (min(c.x, c.y) < 0) return vec3(0, 0, 1);
    vec2 xy = 2.0 * vec2(gstex_channel(value, c.x), gstex_channel(value, c.y)) - 1.0;
    float z = sqrt(max(1.0 - dot(xy, xy), 0.0));
    return normalize(vec3(xy.x, directx ? -xy.y : xy.y, z));
}

// The surface of a value, of either form. Nothing is loaded: channels and units may come from uniforms.
GstexSurface gstex_surface_of(GstexValue value, GstexChannels at, GstexUnits units) {
    return GstexSurface(
        gstex_color_of(value, at.albedo, units.albedo, 0.2), gstex_color_of(value, at.emissive, units.emissive, 0.0),
        gstex_normal(value, at.normal, at.normal_directx),
        gstex_scalar(value, at.roughness, 1.0 - gstex_scalar(value, at.gloss, 0.5)),
        gstex_scalar(value, at.metallic, 0.0), gstex_scalar(value, at.ao, 1.0),
        gstex_scalar(value, at.opacity, 1.0),
        at.height < 0 ? 0.0 : gstex_in_unit(units.height, gstex_channel(value, at.height)));
}

#endif
// ---- End of what is common ----------------------------------------------------------------------------------------

// ---- One evaluation ------------------------------------------------------------------------------------------------

struct GstexExpanded {
    uint at;               // where it begins, in fours of words, as all places are that are not said to be words
    ivec2 size;            // of mip 0, texels
    bool repeat, bilinear;
    int channels, mips, groups, first_mip;
    uint srgb;             // a bit for each channel
};

uint gstex_expanded_word(uint i) { return GSTEX_LOAD4(i >> 2)[i & 3u]; }
vec4 gstex_expanded_floats(uint i) { return uintBitsToFloat(GSTEX_LOAD4(i)); }

GstexExpanded gstex_expanded_material(uint base) {
    uint at = base >> 2;
    uvec4 head = GSTEX_LOAD4(at);
    ivec4 counts = ivec4(GSTEX_LOAD4(at + 1u));
    return GstexExpanded(at, ivec2(head.yz), (head.w & 1u) != 0u, (head.w & 2u) != 0u, counts.x, counts.y, min(counts.z, 4),
                         counts.w, GSTEX_LOAD4(at + 2u).x);
}

// The entry of a mip of a group. Its second word is 0 where the mip is texels.
uint gstex_expanded_view(GstexExpanded m, int group, int mip) { return m.at + 7u + 4u * uint(mip * m.groups + group); }

// Adds the features of a Gaussian or of a texel: 16 bits for each channel.
void gstex_expanded_add(uint at, int channels, float weight, inout GstexValue sums) {
    uvec4 codes = GSTEX_LOAD4(at);
    vec4 weights = vec4(weight);
    sums.v[0] += weights * vec4(unpackUnorm2x16(codes.x), unpackUnorm2x16(codes.y));
#if GSTEX_VEC4S > 1
    sums.v[1] += weights * vec4(unpackUnorm2x16(codes.z), unpackUnorm2x16(codes.w));
#endif
#if GSTEX_VEC4S > 2
    if (channels <= 8) return;
    codes = GSTEX_LOAD4(at + 1u);
    sums.v[2] += weights * vec4(unpackUnorm2x16(codes.x), unpackUnorm2x16(codes.y));
#endif
#if GSTEX_VEC4S > 3
    sums.v[3] += weights * vec4(unpackUnorm2x16(codes.z), unpackUnorm2x16(codes.w));
#endif
}

// The fade of a Gaussian around its own cell. grid: cells by the steps of d; cells in all, or 0 if they are many.
// position: in steps of d, which goes from the Gaussian to the point.
float gstex_expanded_fade(vec4 grid, uvec2 position, inout vec2 d) {
    vec2 from = fract(vec2(position) * grid.xy) - 0.5 + d * grid.xy;
    if (grid.z > 0.0) { // it may be seen from farther away than half of the texture
        vec2 turn = floor(from / grid.zw + 0.5);
        from -= grid.zw * turn;
        d -= 4294967296.0 * turn;
    }
    vec2 fade = smoothstep(-1.5, -1.0, -abs(from));
    return fade.x * fade.y;
}

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
vec4 gstex_expanded_bend(vec4 x, uvec4 numbers) {
    ivec4 at_0 = ivec4(numbers << 22), at_half = ivec4(numbers << 12), at_1 = ivec4(numbers << 2);
    vec4 low = vec4(at_0 >> 22), middle = vec4(at_half >> 22), high = vec4(at_1 >> 22);
    return clamp(x + (low * (1.0 - x) + high * x + 4.0 * middle * x * (1.0 - x)) / 1024.0, 0.0, 1.0);
}

// Adds the values of a group at `inside` (0 .. 1) of a texel, times a weight. Channels of other groups stay as they are.
void gstex_expanded_evaluate(GstexExpanded m, uint view, ivec2 texel, vec2 inside, float weight_of_all, inout GstexValue value) {
    uvec4 of = GSTEX_LOAD4(view), more = GSTEX_LOAD4(view + 3u); // tiles or texels, records, features, tiles in a row
    uint tile = uint(texel.y >> more.x) * of.w + uint(texel.x >> more.x), tiles = m.at + of.x, features = m.at + of.z;
    if (of.y == 0u) { // texels
        gstex_expanded_add(tiles + tile * (m.channels > 8 ? 2u : 1u), m.channels, weight_of_all, value);
        return;
    }
    vec4 scale = gstex_expanded_floats(view + 1u); // of points, and of d
    uvec4 wider = GSTEX_LOAD4(view + 2u); // the filter of a shared mip, and where its bend is
    vec3 blur = uintBitsToFloat(wider.xyz);
    bool blurred = wider.x != 0u, bent = wider.w != 0u;
    uint ranges = m.at + more.y, levels = ranges + 13u, at = m.at + of.y - 1u;
    vec4 set = gstex_expanded_floats(ranges); // the background's weight, the most lean, the range of amplitudes
    float sum = set.x, least = 1e-4 * sum;
    // All distances are by the scale of d.x, which is applied to their squares.
    float aspect = scale.w / scale.z, falloff = -scale.z * scale.z;
    GstexValue sums;
    uint backgrounds = ranges + 1u;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sums.v[i] = gstex_expanded_floats(backgrounds + uint(i));
    uvec2 point = uvec2((vec2(texel) + inside) * scale.xy + 0.5) << 12;
    // Of two tiles: where the list of the first begins, and how many words it has. That of the second ends where the next begins.
    uint first = 4u * tiles, heads = first + (tile >> 1), head = gstex_expanded_word(heads);
    uint list = first + (head & 0xFFFFFFu), end = list + (head >> 24);
    if ((tile & 1u) != 0u) {
        list = end;
        end = min(first + (gstex_expanded_word(heads + 1u) & 0xFFFFFFu), list + 255u);
    }
    for (; list < end; ++list)
        for (uint word = gstex_expanded_word(list); word != 0u; word >>= 8) {
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
            uvec4 record = GSTEX_LOAD4(at);
            uvec2 position = record.xy << 12;
            ivec2 way = ivec2(point - position); // a variable, or compilers may forget its sign
            vec2 d = vec2(way), kind = unpackSnorm2x16(record.z), steep = unpackUnorm2x16(record.w);
            float fade = 1.0;
            if (fades) fade = gstex_expanded_fade(gstex_expanded_floats(levels + (record.y >> 20 & 15u)), position, d);
            d.y *= aspect;
            float u = steep.x * d.x + kind.x * (set.y * d.y), v = steep.y * d.y, distance2 = u * u + v * v;
            if (blurred) {
                vec2 steep2 = steep * steep, d2 = d * d;
                float lean = set.y * kind.x, det = steep2.x * steep2.y;
                distance2 += det * (blur.y * d2.x + blur.x * d2.y);
                distance2 /= 1.0 + blur.x * steep2.x + blur.y * (lean * lean + steep2.y) + blur.z * det;
            }
            float weight = exp2(set.z * kind.y + falloff * distance2);
            if (fades) weight *= fade;
            if (weight < least) continue;
            sum += weight;
            least = 1e-4 * sum;
            gstex_expanded_add(features + (record.x >> 20 << 8 | record.y >> 24), m.channels, weight, sums);
        }
    vec4 share = vec4(1.0 / sum);
    uint lowest = ranges + 5u, steps = ranges + 9u, bend = m.at + wider.w;
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        vec4 x = share * sums.v[i] * gstex_expanded_floats(steps + uint(i)) + gstex_expanded_floats(lowest + uint(i));
        x = clamp(x, 0.0, 1.0);
        if (bent) x = gstex_expanded_bend(x, GSTEX_LOAD4(bend + uint(i)));
        value.v[i] += weight_of_all * x;
    }
}

// ---- From groups to a material, and sampling: as in gstex.glsl -----------------------------------------------------

GstexValue gstex_expanded_constants(GstexExpanded m) {
    GstexValue value;
    uint constants = m.at + 3u;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = gstex_expanded_floats(constants + uint(i));
    return value;
}

// A texel up to one period beyond the border.
ivec2 gstex_expanded_texel(GstexExpanded m, ivec2 p, ivec2 size) {
    if (m.repeat) p = gstex_wrap(p, size);
    return clamp(p, ivec2(0), size - 1);
}

// A mip at a point, all groups: one evaluation there, or four fetches filtered bilinearly.
GstexValue gstex_expanded_point(GstexExpanded m, int mip, vec2 uv) {
    GstexValue value = gstex_expanded_constants(m);
    ivec2 size = max(m.size >> mip, 1);
    for (int group = 0; group < m.groups; ++group) {
        uint view = gstex_expanded_view(m, group, mip);
        bool bilinear = m.bilinear || GSTEX_LOAD4(view).y == 0u;
        vec2 point = vec2(size) * (m.repeat ? fract(uv) : clamp(uv, 0.0, 1.0));
        vec2 corner = bilinear ? floor(point - 0.5) : min(floor(point), vec2(size - 1));
        vec2 inside = bilinear ? vec2(0.5) : point - corner, share = bilinear ? point - 0.5 - corner : vec2(0);
        for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
            ivec2 at = ivec2(n & 1, n >> 1);
            vec2 weight = mix(1.0 - share, share, vec2(at));
            ivec2 texel = gstex_expanded_texel(m, ivec2(corner) + at, size);
            gstex_expanded_evaluate(m, view, texel, inside, weight.x * weight.y, value);
        }
    }
    return value;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
GstexValue gstex_expanded_taps(GstexExpanded m, vec2 uv, float lod, int taps, vec2 from_tap_to_tap) {
    lod = clamp(lod, float(m.first_mip), float(m.mips - 1));
    int fine = int(lod), mips = fract(lod) > 0.0 ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int coarse = n % mips;
        vec2 at = uv + (float(n / mips) - 0.5 * float(taps - 1)) * from_tap_to_tap;
        GstexValue one = gstex_expanded_point(m, fine + coarse, at);
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
    GstexExpanded m = gstex_expanded_material(base);
    GstexValue value = gstex_expanded_constants(m);
    int of = clamp(mip, m.first_mip, m.mips - 1);
    ivec2 inside = gstex_expanded_texel(m, texel, max(m.size >> of, 1));
    for (int group = 0; group < m.groups; ++group)
        gstex_expanded_evaluate(m, gstex_expanded_view(m, group, of), inside, vec2(0.5), 1.0, value);
    return value;
}

GstexValue gstex_expanded_sample(uint base, vec2 uv, float lod) {
    return gstex_expanded_taps(gstex_expanded_material(base), uv, lod, 1, vec2(0));
}

GstexValue gstex_expanded_sample_grad(uint base, vec2 uv, vec2 dx, vec2 dy) {
    GstexExpanded m = gstex_expanded_material(base);
    GstexFootprint f = gstex_footprint(vec2(m.size), dx, dy);
    return gstex_expanded_taps(m, uv, f.lod, f.taps, f.from_tap_to_tap);
}

GstexValue gstex_expanded_sample_stochastic(uint base, vec2 uv, vec2 dx, vec2 dy, float noise) {
    GstexExpanded m = gstex_expanded_material(base);
    vec3 tap = gstex_choose_tap(gstex_footprint(vec2(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_expanded_taps(m, uv + tap.xy, tap.z, 1, vec2(0));
}
