// gstex_expanded.hlsl: reads textures in the expanded form (docs/expanded.md), which gstex_expand.h makes from a .gstex
// file when it is loaded. It stands alone, or in one shader with the decoder of the packed form, before or after it.
//
// HLSL, from shader model 5.0 on. tools/write_shaders.py writes this file from gstex_expanded.glsl. The functions to call
// stand at its end; gstex_surface_of makes a surface of their values.
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default).
//   GSTEX_LOAD4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through it.
//   GSTEX_EXPANDED_REGISTER  of the buffer, default t1; with a space: t3, space1.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#ifndef GSTEX_LOAD4
#ifndef GSTEX_EXPANDED_REGISTER
#define GSTEX_EXPANDED_REGISTER t1
#endif
StructuredBuffer<uint4> gstex_expanded_words : register(GSTEX_EXPANDED_REGISTER);
#define GSTEX_LOAD4(i) gstex_expanded_words[i]
#endif

// Of a, or of b where yes is true, component by component.
#ifndef GSTEX_SELECT_FLOAT4
#define GSTEX_SELECT_FLOAT4
float4 gstex_select(float4 a, float4 b, bool4 yes) {
    return float4(yes.x ? b.x : a.x, yes.y ? b.y : a.y, yes.z ? b.z : a.z, yes.w ? b.w : a.w);
}
#endif

// Two numbers of 16 bits, low ones first, as 0 .. 1 and as -1 .. 1.
float2 gstex_unorm2x16(uint two) { return float2(two & 0xFFFFu, two >> 16) / 65535.0; }
float2 gstex_snorm2x16(uint two) { return max(float2(int(two << 16) >> 16, int(two) >> 16) / 32767.0, -1.0); }

// ---- Common to gstex and gstex_expanded, word for word: a shader with both needs it once ----------------------------

#ifndef GSTEX_COMMON
#define GSTEX_COMMON

// Channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map; 0 if the file has no such channel.
// The values of a group stand in the same way, in the order of its members.
struct GstexValue { float4 v[GSTEX_VEC4S]; };

// For channels 4 i .. 4 i + 3: whether their bits are set.
bool4 gstex_set(uint bits, int i) { return (((uint4)(bits >> 4 * i) & uint4(1, 2, 4, 8)) != (uint4)0); }

// Cells or texels up to one period beyond a border, brought back.
int2 gstex_wrap(int2 p, int2 size) {
    return p + size * (int2((p < (int2)0)) - int2((p >= size)));
}

float4 gstex_to_linear(float4 x) {
    return gstex_select(x / 12.92, pow((x + 0.055) / 1.055, (float4)2.4), (x > (float4)0.04045));
}

float4 gstex_to_srgb(float4 y) {
    return gstex_select(12.92 * y, 1.055 * pow(y, (float4)(1.0 / 2.4)) - 0.055, (y > (float4)0.0031308));
}

// Of a pixel, whose steps in uv are dx and dy: the level of detail, and taps along its longer axis.
struct GstexFootprint {
    float lod;
    int taps; // 1 .. 8
    float2 from_tap_to_tap;
};
GstexFootprint make_GstexFootprint(float lod, int taps, float2 from_tap_to_tap)
{
    GstexFootprint made;
    made.lod = lod;
    made.taps = taps;
    made.from_tap_to_tap = from_tap_to_tap;
    return made;
}

GstexFootprint gstex_footprint(float2 size, float2 dx, float2 dy) {
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    float2 a = size * dx, b = size * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y;
    float r = length(float2(d, q)), major = max(sqrt(0.5 * (dot(a, a) + dot(b, b)) + r), 1e-30);
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    float2 axis = d >= 0.0 ? float2(d + r, q) : float2(q, r - d);
    float2 tap = axis / max(length(axis), 1e-30) * (major / taps);
    return make_GstexFootprint(log2(major / taps), int(taps), tap / size);
}

// One tap in one mip of a footprint, which the noise (0 .. 1) chooses: how far off in uv, and the mip.
float3 gstex_choose_tap(GstexFootprint f, int first_mip, int mips, float noise) {
    float lod = clamp(f.lod, float(first_mip), float(mips - 1)), chosen = clamp(noise, 0.0, 1.0) * float(f.taps);
    int tap = min(int(chosen), f.taps - 1), mip = int(lod) + (chosen - float(tap) < frac(lod) ? 1 : 0);
    return float3((float(tap) - 0.5 * float(f.taps - 1)) * f.from_tap_to_tap, float(mip));
}

// Which channels hold which map; -1: there is no such map. gstex_channels of gstex.h is the same in the layout std140.
struct GstexChannels {
    int3 albedo, emissive;
    int2 normal;
    bool normal_directx; // Y of the normals points down
    int roughness, gloss, metallic, ao, opacity, height;
};
GstexChannels make_GstexChannels(int3 albedo, int3 emissive, int2 normal, bool normal_directx, int roughness,
                                 int gloss, int metallic, int ao, int opacity, int height)
{
    GstexChannels made;
    made.albedo = albedo;
    made.emissive = emissive;
    made.normal = normal;
    made.normal_directx = normal_directx;
    made.roughness = roughness;
    made.gloss = gloss;
    made.metallic = metallic;
    made.ao = ao;
    made.opacity = opacity;
    made.height = height;
    return made;
}

// What a value in 0 .. 1 stands for in the source map, such as metres of a height: bias + scale x, or with stops, which light
// of a high dynamic range has, bias + scale (2^(stops x) - 1). gstex_units of gstex.h is the same in the layout std140.
struct GstexUnit { float scale, bias, stops; uint srgb; };
GstexUnit make_GstexUnit(float scale, float bias, float stops, uint srgb)
{
    GstexUnit made;
    made.scale = scale;
    made.bias = bias;
    made.stops = stops;
    made.srgb = srgb;
    return made;
}
struct GstexColorUnits { GstexUnit red, green, blue; };
GstexColorUnits make_GstexColorUnits(GstexUnit red, GstexUnit green, GstexUnit blue)
{
    GstexColorUnits made;
    made.red = red;
    made.green = green;
    made.blue = blue;
    return made;
}
struct GstexUnits { GstexColorUnits albedo, emissive; GstexUnit height; };
GstexUnits make_GstexUnits(GstexColorUnits albedo, GstexColorUnits emissive, GstexUnit height)
{
    GstexUnits made;
    made.albedo = albedo;
    made.emissive = emissive;
    made.height = height;
    return made;
}

struct GstexSurface {
    float3 albedo, emissive; // linear light; of maps that were not in 0 .. 1 in the units of the map
    float3 normal; // in tangent space, Y up, of length 1
    float roughness, metallic, ao, opacity;
    float height;  // in the units of the map
};
GstexSurface make_GstexSurface(float3 albedo, float3 emissive, float3 normal, float roughness, float metallic,
                               float ao, float opacity, float height)
{
    GstexSurface made;
    made.albedo = albedo;
    made.emissive = emissive;
    made.normal = normal;
    made.roughness = roughness;
    made.metallic = metallic;
    made.ao = ao;
    made.opacity = opacity;
    made.height = height;
    return made;
}

float gstex_channel(GstexValue value, int c) { return value.v[c >> 2][c & 3]; }

float gstex_scalar(GstexValue value, int c, float missing) { return c < 0 ? missing : gstex_channel(value, c); }

float gstex_in_unit(GstexUnit unit, float x) {
    return unit.bias + unit.scale * (unit.stops > 0.0 ? exp2(unit.stops * x) - 1.0 : x);
}

float3 gstex_color_of(GstexValue value, int3 c, GstexColorUnits units, float missing) {
    if (min(c.x, min(c.y, c.z)) < 0) return (float3)missing;
    float4 stored = float4(gstex_in_unit(units.red, gstex_channel(value, c.x)), gstex_in_unit(units.green, gstex_channel(value, c.y)),
                       gstex_in_unit(units.blue, gstex_channel(value, c.z)), 0);
    return units.red.srgb != 0u ? gstex_to_linear(stored).rgb : stored.rgb;
}

float3 gstex_normal(GstexValue value, int2 c, bool directx) {
    if (min(c.x, c.y) < 0) return float3(0, 0, 1);
    float2 xy = 2.0 * float2(gstex_channel(value, c.x), gstex_channel(value, c.y)) - 1.0;
    float z = sqrt(max(1.0 - dot(xy, xy), 0.0));
    return normalize(float3(xy.x, directx ? -xy.y : xy.y, z));
}

// The surface of a value, of either form. Nothing is loaded: channels and units may come from uniforms.
GstexSurface gstex_surface_of(GstexValue value, GstexChannels at, GstexUnits units) {
    return make_GstexSurface(
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
    uint at;   // where it begins, in fours of words, as all places are that are not said to be words
    int2 size; // of mip 0, texels
    bool repeat, bilinear;
    int channels, mips, groups, first_mip;
    uint srgb; // a bit for each channel
};
GstexExpanded make_GstexExpanded(uint at, int2 size, bool repeat, bool bilinear, int channels, int mips, int groups,
                                 int first_mip, uint srgb)
{
    GstexExpanded made;
    made.at = at;
    made.size = size;
    made.repeat = repeat;
    made.bilinear = bilinear;
    made.channels = channels;
    made.mips = mips;
    made.groups = groups;
    made.first_mip = first_mip;
    made.srgb = srgb;
    return made;
}

uint gstex_expanded_word(uint i) { return GSTEX_LOAD4(i >> 2)[i & 3u]; }
float4 gstex_expanded_floats(uint i) { return asfloat(GSTEX_LOAD4(i)); }

GstexExpanded gstex_expanded_material(uint base) {
    uint at = base >> 2;
    uint4 head = GSTEX_LOAD4(at);
    int4 counts = int4(GSTEX_LOAD4(at + 1u));
    return make_GstexExpanded(at, int2(head.yz), (head.w & 1u) != 0u, (head.w & 2u) != 0u, counts.x, counts.y, min(counts.z, 4),
                         counts.w, GSTEX_LOAD4(at + 2u).x);
}

// The entry of a mip of a group. Its second word is 0 where the mip is texels.
uint gstex_expanded_view(GstexExpanded m, int group, int mip) { return m.at + 7u + 4u * uint(mip * m.groups + group); }

// Adds the features of a Gaussian or of a texel: 16 bits for each channel.
void gstex_expanded_add(uint at, int channels, float weight, inout GstexValue sums) {
    uint4 codes = GSTEX_LOAD4(at);
    float4 weights = (float4)weight;
    sums.v[0] += weights * float4(gstex_unorm2x16(codes.x), gstex_unorm2x16(codes.y));
#if GSTEX_VEC4S > 1
    sums.v[1] += weights * float4(gstex_unorm2x16(codes.z), gstex_unorm2x16(codes.w));
#endif
#if GSTEX_VEC4S > 2
    if (channels <= 8) return;
    codes = GSTEX_LOAD4(at + 1u);
    sums.v[2] += weights * float4(gstex_unorm2x16(codes.x), gstex_unorm2x16(codes.y));
#endif
#if GSTEX_VEC4S > 3
    sums.v[3] += weights * float4(gstex_unorm2x16(codes.z), gstex_unorm2x16(codes.w));
#endif
}

// The fade of a Gaussian around its own cell. grid: cells by the steps of d; cells in all, or 0 if they are many.
// position: in steps of d, which goes from the Gaussian to the point.
float gstex_expanded_fade(float4 grid, uint2 position, inout float2 d) {
    float2 from = frac(float2(position) * grid.xy) - 0.5 + d * grid.xy;
    if (grid.z > 0.0) { // it may be seen from farther away than half of the texture
        float2 turn = floor(from / grid.zw + 0.5);
        from -= grid.zw * turn;
        d -= 4294967296.0 * turn;
    }
    float2 fade = smoothstep(-1.5, -1.0, -abs(from));
    return fade.x * fade.y;
}

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
float4 gstex_expanded_bend(float4 x, uint4 numbers) {
    int4 at_0 = int4(numbers << 22), at_half = int4(numbers << 12), at_1 = int4(numbers << 2);
    float4 low = float4(at_0 >> 22), middle = float4(at_half >> 22), high = float4(at_1 >> 22);
    return clamp(x + (low * (1.0 - x) + high * x + 4.0 * middle * x * (1.0 - x)) / 1024.0, 0.0, 1.0);
}

// Adds the values of a group at `inside` (0 .. 1) of a texel, times a weight. Channels of other groups stay as they are.
void gstex_expanded_evaluate(GstexExpanded m, uint view, int2 texel, float2 inside, float weight_of_all, inout GstexValue value) {
    uint4 of = GSTEX_LOAD4(view), more = GSTEX_LOAD4(view + 3u); // tiles or texels, records, features, tiles in a row
    uint tile = uint(texel.y >> more.x) * of.w + uint(texel.x >> more.x), tiles = m.at + of.x, features = m.at + of.z;
    if (of.y == 0u) { // texels
        gstex_expanded_add(tiles + tile * (m.channels > 8 ? 2u : 1u), m.channels, weight_of_all, value);
        return;
    }
    float4 scale = gstex_expanded_floats(view + 1u); // of points, and of d
    uint4 wider = GSTEX_LOAD4(view + 2u); // the filter of a shared mip, and where its bend is
    float3 blur = asfloat(wider.xyz);
    bool blurred = wider.x != 0u, bent = wider.w != 0u;
    uint ranges = m.at + more.y, levels = ranges + 13u, at = m.at + of.y - 1u;
    float4 set = gstex_expanded_floats(ranges); // the background's weight, the most lean, the range of amplitudes
    float sum = set.x, least = 1e-4 * sum;
    // All distances are by the scale of d.x, which is applied to their squares.
    float aspect = scale.w / scale.z, falloff = -scale.z * scale.z;
    GstexValue sums;
    uint backgrounds = ranges + 1u;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sums.v[i] = gstex_expanded_floats(backgrounds + uint(i));
    uint2 point_ = uint2((float2(texel) + inside) * scale.xy + 0.5) << 12;
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
            uint4 record = GSTEX_LOAD4(at);
            uint2 position = record.xy << 12;
            int2 way = int2(point_ - position); // a variable, or compilers may forget its sign
            float2 d = float2(way), kind = gstex_snorm2x16(record.z), steep = gstex_unorm2x16(record.w);
            float fade = 1.0;
            if (fades) fade = gstex_expanded_fade(gstex_expanded_floats(levels + (record.y >> 20 & 15u)), position, d);
            d.y *= aspect;
            float u = steep.x * d.x + kind.x * (set.y * d.y), v = steep.y * d.y, distance2 = u * u + v * v;
            if (blurred) {
                float2 steep2 = steep * steep, d2 = d * d;
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
    float4 share = (float4)(1.0 / sum);
    uint lowest = ranges + 5u, steps = ranges + 9u, bend = m.at + wider.w;
    for (int i2 = 0; i2 < GSTEX_VEC4S; ++i2) {
        float4 x = share * sums.v[i2] * gstex_expanded_floats(steps + uint(i2)) + gstex_expanded_floats(lowest + uint(i2));
        x = clamp(x, 0.0, 1.0);
        if (bent) x = gstex_expanded_bend(x, GSTEX_LOAD4(bend + uint(i2)));
        value.v[i2] += weight_of_all * x;
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
int2 gstex_expanded_texel(GstexExpanded m, int2 p, int2 size) {
    if (m.repeat) p = gstex_wrap(p, size);
    return clamp(p, (int2)0, size - 1);
}

// A mip at a point, all groups: one evaluation there, or four fetches filtered bilinearly.
GstexValue gstex_expanded_point(GstexExpanded m, int mip, float2 uv) {
    GstexValue value = gstex_expanded_constants(m);
    int2 size = max(m.size >> mip, 1);
    for (int group = 0; group < m.groups; ++group) {
        uint view = gstex_expanded_view(m, group, mip);
        bool bilinear = m.bilinear || GSTEX_LOAD4(view).y == 0u;
        float2 point_ = float2(size) * (m.repeat ? frac(uv) : clamp(uv, 0.0, 1.0));
        float2 corner = bilinear ? floor(point_ - 0.5) : min(floor(point_), float2(size - 1));
        float2 inside = bilinear ? (float2)0.5 : point_ - corner, share = bilinear ? point_ - 0.5 - corner : (float2)0;
        for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
            int2 at = int2(n & 1, n >> 1);
            float2 weight = lerp(1.0 - share, share, float2(at));
            int2 texel = gstex_expanded_texel(m, int2(corner) + at, size);
            gstex_expanded_evaluate(m, view, texel, inside, weight.x * weight.y, value);
        }
    }
    return value;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
GstexValue gstex_expanded_taps(GstexExpanded m, float2 uv, float lod, int taps, float2 from_tap_to_tap) {
    lod = clamp(lod, float(m.first_mip), float(m.mips - 1));
    int fine = int(lod), mips = frac(lod) > 0.0 ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = (float4)0;
    for (int n = 0; n < taps * mips; ++n) {
        int coarse = n % mips;
        float2 at = uv + (float(n / mips) - 0.5 * float(taps - 1)) * from_tap_to_tap;
        GstexValue one = gstex_expanded_point(m, fine + coarse, at);
        if (taps * mips == 1) return one; // as stored
        float share = (coarse == 1 ? frac(lod) : 1.0 - frac(lod)) / float(taps);
        for (int i2 = 0; i2 < GSTEX_VEC4S; ++i2)
            sum.v[i2] += share * gstex_select(one.v[i2], gstex_to_linear(one.v[i2]), gstex_set(m.srgb, i2));
    }
    for (int i2 = 0; i2 < GSTEX_VEC4S; ++i2)
        sum.v[i2] = clamp(gstex_select(sum.v[i2], gstex_to_srgb(sum.v[i2]), gstex_set(m.srgb, i2)), 0.0, 1.0);
    return sum;
}

// ==== Functions to call =============================================================================================
// They mean what those without `expanded` of gstex.glsl mean. base: the first word of the expanded form.

GstexValue gstex_expanded_fetch(uint base, int2 texel, int mip) {
    GstexExpanded m = gstex_expanded_material(base);
    GstexValue value = gstex_expanded_constants(m);
    int of = clamp(mip, m.first_mip, m.mips - 1);
    int2 inside = gstex_expanded_texel(m, texel, max(m.size >> of, 1));
    for (int group = 0; group < m.groups; ++group)
        gstex_expanded_evaluate(m, gstex_expanded_view(m, group, of), inside, (float2)0.5, 1.0, value);
    return value;
}

GstexValue gstex_expanded_sample(uint base, float2 uv, float lod) {
    return gstex_expanded_taps(gstex_expanded_material(base), uv, lod, 1, (float2)0);
}

GstexValue gstex_expanded_sample_grad(uint base, float2 uv, float2 dx, float2 dy) {
    GstexExpanded m = gstex_expanded_material(base);
    GstexFootprint f = gstex_footprint(float2(m.size), dx, dy);
    return gstex_expanded_taps(m, uv, f.lod, f.taps, f.from_tap_to_tap);
}

GstexValue gstex_expanded_sample_stochastic(uint base, float2 uv, float2 dx, float2 dy, float noise) {
    GstexExpanded m = gstex_expanded_material(base);
    float3 tap = gstex_choose_tap(gstex_footprint(float2(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_expanded_taps(m, uv + tap.xy, tap.z, 1, (float2)0);
}
