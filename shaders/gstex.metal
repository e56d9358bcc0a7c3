// gstex.metal: reads textures made of 2D Gaussians, at any texel or point, in any stage of a shader.
//
// Metal, from version 2.0 on. tools/write_shaders.py writes this file from gstex.glsl. The format is
// specified in docs/format.md; docs/shaders.md says how to use this file. The functions to call stand at its end.
//
// The channels that vary are divided into 1 to 4 groups. A group has mips of its own, and is decoded by itself.
//
// A mip is a few levels, each a grid of cells, from fine to coarse. A Gaussian lies in one cell of one level, a large
// one in a coarse level. A texel looks at the 3x3 cells around it in every level and blends the features f of the
// Gaussians it finds there by their weights w at the texel: value = sum(w f) / sum(w). Features are codes: a Gaussian
// names entries of palettes, and adds codes of its own.
//
// Define before the #include, where the default does not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default). Channels of the file beyond them are left out.
//   GSTEX_CHANNELS a bit for every channel that is needed, default all 16. A group with none of them is not decoded:
//                  its channels are 0.
//   GSTEX_MAX_K    the largest K that files have, 0 .. 32 (default): the list of a K takes two registers for each.
//   GSTEX_MATERIAL_BLOCK  take what the headers say from a uniform block, which gstex_material_block of gstex.h fills, and do
//                  not parse them at every texel. The block is GstexMaterialBlock, of GSTEX_BLOCK_FOURS fours of words,
//                  default 128, at GstexContext::gstex_block. GSTEX_BLOCK(i) is four i of it: define it to keep
//                  blocks elsewhere, such as those of many materials in one buffer.
//   GSTEX_LOAD(i)  word i of the buffer that holds all materials. Every load goes through it.
//   GSTEX_WORDS    the type of that buffer, default device const uint *.

#ifndef GSTEX_VEC4S
#define GSTEX_VEC4S 4
#endif
#ifndef GSTEX_CHANNELS
#define GSTEX_CHANNELS 0xFFFFu
#endif
#ifndef GSTEX_MAX_K
#define GSTEX_MAX_K 32
#endif
#include <metal_stdlib>
using namespace metal;

#ifndef GSTEX_WORDS
#define GSTEX_WORDS device const uint *
#endif
#ifndef GSTEX_LOAD
#define GSTEX_LOAD(i) gstex.words[i]
#endif

// Where the words are, which Metal passes from function to function. A shader has one, and sets `words`.
struct GstexContext {
    GSTEX_WORDS words;
#ifdef GSTEX_MATERIAL_BLOCK
    constant uint4 *gstex_block;
#endif
#if GSTEX_MAX_K > 0
    float gstex_kept_weight[GSTEX_MAX_K];
    uint gstex_kept_at[GSTEX_MAX_K];
#endif
};

#if defined(GSTEX_MATERIAL_BLOCK) && !defined(GSTEX_BLOCK)
#define GSTEX_BLOCK(i) gstex.gstex_block[i]
#endif

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

// ---- What is the same for all Gaussians of a texel: material, group, mip and level ---------------------------------

struct GstexMaterial {
    int base;            // the first word; positions in the file are relative to it
    int2 size;           // of mip 0, texels
    int channels, mips, groups;
    int group_offsets;   // the word where the offsets of the groups begin
    int tail, first_mip; // the mips before first_mip are not there; it is 0, or tail where the tail alone is
    bool repeat, bilinear; // bilinear: fitted for four fetches, not for evaluation at the point
};

// Where the own codes of four channels are: shift and mask are for a window of 32 bits, which begins at bit at.x (at.y
// for channels 2 and 3) behind the numbers of a record's entries. -1: the window that was read last has them as well.
struct GstexFields { int2 at; uint4 shift, mask; };

struct GstexGroup {
    uint members;      // one bit per channel of the material
    int channels;      // how many these are
    int top_k;         // how many Gaussians are blended; 0: all in reach
    int candidates_max;
    float amplitude_lo, amplitude_step; // log2
    int mips;          // word of mip 0's offset; in a block the four of mip 0
    int ranges;        // word of channel_lo[0]; channel_step[0], channel_lo[1] .. follow
    int palettes;      // word of the first one
    uint palette_bits; // of the number of an entry, 4 bits for each palette
    int entry_words;   // of an entry, and of a raw texel
    bool own_codes;    // channels have bits of their own
    GstexFields fields[GSTEX_VEC4S];
};

struct GstexMip {
    int2 size;     // texels
    float2 extent; // the same in the texels that its Gaussians are measured in
    float filter_variance; // added to that of its Gaussians; gstex_variance_unit texels^2
    bool raw;      // holds texels, not Gaussians
    int background, levels;
    int entries;   // word of the first level's entry; in a block its four
    int bend;      // word of the first channel's; 0: values are not bent
};

struct GstexLevel {
    int2 cells;
    float2 cell_size;   // texels
    bool regular;       // a Gaussian in every cell, and no index
    int index, records; // words
    int stride;         // of a record, in units of 4 bits
    int position_bits, shape_bits, geometry_bits; // of x and y; of the rotation and the first scale; of all
    // Fields stay where they are in a word, they are masked and not shifted down. A step is for a bit of that word.
    uint2 position_mask, scale_mask;
    uint rotation_mask, amplitude_mask;
    float2 position_step, half_position; // texels; half of what a code stands for
    float rotation_lo, rotation_step, amplitude_step; // tangent, tangent, log2(weight)
    float scale_lo;     // log2(variance)
    float2 scale_step;
};

constexpr constant float gstex_fade_slope = 2.0f; // 1 / the width of the fade in cells
constexpr constant float gstex_log2e = 1.44269504f;
constexpr constant float gstex_tan_22_5 = 0.41421356f;
constexpr constant float gstex_log2_variance_unit = 0.47123364f;
constexpr constant float gstex_variance_unit = 1.38629436f; // 2 ln 2: with variances in this unit a weight is exp2(-d^2 / variance)

inline uint gstex_mask(int count) { return (1u << count) - 1u; }
inline int gstex_bits(uint word, int first, int count) { return int(word >> first & gstex_mask(count)); }
// How many of 16 bits are set.
inline int gstex_count(uint bits) {
    uint twos = bits - (bits >> 1 & 0x5555u), fours = (twos & 0x3333u) + (twos >> 2 & 0x3333u);
    return int((fours + (fours >> 4) & 0x0F0Fu) * 0x0101u >> 8 & 31u);
}
// 32 bits of two words, from a bit of the first one, 0 .. 31. high << (32 - bit) would be undefined for bit 0.
inline uint gstex_join(uint low, uint high, int bit) { return low >> bit | (high << 1) << (31 - bit); }
// 2^-bits, exactly.
inline float gstex_unit(int bits) { return as_type<float>(uint(127 - bits) << 23); }
inline float gstex_float(thread GstexContext &gstex, int i) { return as_type<float>(GSTEX_LOAD(i)); }

// The word of a channel's entry.
inline int gstex_entry(int base, int channel) { return base + 8 + channel; }
// The value of a constant channel.
inline float gstex_constant(thread GstexContext &gstex, int base, int channel) {
    return gstex_float(gstex, base + int(GSTEX_LOAD(gstex_entry(base, channel)) >> 24));
}

#ifdef GSTEX_MATERIAL_BLOCK
inline GstexMaterial gstex_material(thread GstexContext &gstex, uint base) {
    uint4 head = GSTEX_BLOCK(0), more = GSTEX_BLOCK(1);
    return GstexMaterial{int(base), int2(head.xy), int(head.z), int(head.w), min(int(more.x), 4), 0, 0, int(more.y),
                         (more.z & 1u) != 0u, (more.z & 2u) != 0u};
}

// The four of a group. A group has 15 of them.
inline int gstex_group_at(thread GstexContext &gstex, GstexMaterial m, int number) { return number * 15 + 7; }
inline uint gstex_members(thread GstexContext &gstex, GstexMaterial m, int number)
{ return GSTEX_BLOCK(gstex_group_at(gstex, m, number)).x; }

inline GstexGroup gstex_group(thread GstexContext &gstex, GstexMaterial m, int number) {
    int at = gstex_group_at(gstex, m, number);
    uint4 head = GSTEX_BLOCK(at), codes = GSTEX_BLOCK(at + 1), places = GSTEX_BLOCK(at + 2);
    GstexGroup g;
    g.members = head.x;
    g.channels = int(head.y);
    g.top_k = min(int(head.z), GSTEX_MAX_K);
    g.candidates_max = int(min(head.w, 4096u));
    g.amplitude_lo = as_type<float>(codes.x);
    g.amplitude_step = as_type<float>(codes.y);
    g.palettes = int(codes.z);
    g.palette_bits = codes.w & 0xFFFFu;
    g.own_codes = codes.w >> 16 != 0u;
    g.entry_words = int(places.x);
    g.ranges = int(places.y);
    g.mips = int(places.z);
    for (int i = 0; i < GSTEX_VEC4S; ++i)
        g.fields[i] = GstexFields{int2(GSTEX_BLOCK(at + 3 + 3 * i).xy), GSTEX_BLOCK(at + 4 + 3 * i), GSTEX_BLOCK(at + 5 + 3 * i)};
    return g;
}

inline GstexMip gstex_mip(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, int number) {
    uint4 kind = GSTEX_BLOCK(g.mips + 2 * number), places = GSTEX_BLOCK(g.mips + 2 * number + 1);
    return GstexMip{max(m.size >> int2(number), int2(1)), as_type<float2>(kind.xy), as_type<float>(kind.z), kind.w >> 16 != 0u,
                    int(places.x), min(int(kind.w & 0xFFFFu), 16), int(places.y), int(places.z)};
}

inline GstexLevel gstex_level(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, GstexMip mip, int number) {
    int at = mip.entries + number * 7;
    uint4 places = GSTEX_BLOCK(at), bits = GSTEX_BLOCK(at + 1), masks = GSTEX_BLOCK(at + 2), others = GSTEX_BLOCK(at + 3);
    float4 cell = as_type<float4>(GSTEX_BLOCK(at + 4)), place = as_type<float4>(GSTEX_BLOCK(at + 5));
    float4 scale = as_type<float4>(GSTEX_BLOCK(at + 6));
    return GstexLevel{int2(places.xy), cell.xy, others.z != 0u, int(places.z), int(places.w), int(bits.x), int(bits.y),
                      int(bits.z), int(bits.w), masks.xy, masks.zw, others.x, others.y, cell.zw, place.xy, place.z, place.w,
                      scale.x, scale.y, scale.zw};
}
#else
inline GstexMaterial gstex_material(thread GstexContext &gstex, uint base) {
    GstexMaterial m;
    m.base = int(base);
    uint size = GSTEX_LOAD(m.base + 2), kind = GSTEX_LOAD(m.base + 3);
    m.size = int2(gstex_bits(size, 0, 16), gstex_bits(size, 16, 16));
    m.channels = gstex_bits(kind, 0, 8);
    m.mips = gstex_bits(kind, 8, 8);
    m.groups = min(gstex_bits(kind, 16, 3), 4);
    m.group_offsets = m.base + int(GSTEX_LOAD(m.base + 1) >> 16) - gstex_bits(kind, 16, 3);
    m.tail = gstex_bits(kind, 19, 4);
    m.first_mip = min(gstex_bits(kind, 26, 4), m.mips - 1);
    m.repeat = gstex_bits(kind, 24, 1) == 1;
    m.bilinear = gstex_bits(kind, 25, 1) == 1;
    return m;
}

// Word 0 of a group's header. The offsets of all groups end the material's header.
inline int gstex_group_at(thread GstexContext &gstex, GstexMaterial m, int number)
{ return m.base + int(GSTEX_LOAD(m.group_offsets + number)); }

// A bit for each channel of a group, and more above them.
inline uint gstex_members(thread GstexContext &gstex, GstexMaterial m, int number)
{ return GSTEX_LOAD(gstex_group_at(gstex, m, number)); }

inline GstexGroup gstex_group(thread GstexContext &gstex, GstexMaterial m, int number) {
    GstexGroup g;
    int head = gstex_group_at(gstex, m, number);
    uint kind = GSTEX_LOAD(head);
    g.members = kind & 0xFFFFu;
    g.channels = gstex_count(g.members);
    g.top_k = min(gstex_bits(kind, 16, 8), GSTEX_MAX_K);
    g.amplitude_lo = gstex_log2e * gstex_float(gstex, head + 1);
    g.amplitude_step = gstex_log2e * gstex_float(gstex, head + 2);
    g.candidates_max = int(min(GSTEX_LOAD(head + 3), 4096u)); // the format's limit: no buffer makes a loop run on
    g.palettes = m.base + int(GSTEX_LOAD(head + 4));
    g.palette_bits = GSTEX_LOAD(head + 5) & 0xFFFFu;
    // Offsets of all mips, and after them those of the tail's where that is alone.
    g.mips = head + 6 + (m.first_mip > 0 ? m.mips - m.tail : 0);
    g.ranges = head + 6 + 2 * m.mips - m.tail;
    g.entry_words = (g.channels + 3) >> 2;
    int widths = g.ranges + 2 * g.channels; // bits of the channels' own codes, 4 bits for each channel
    uint2 bits = uint2(GSTEX_LOAD(widths), g.channels > 8 ? GSTEX_LOAD(widths + 1) : 0u);
    g.own_codes = (bits.x | bits.y) != 0u;
    // Two channels at a time, the codes are put into as few windows of 32 bits as hold them. The first may be that of
    // the last palettes' numbers: it began before bit 0, and these are shifted out of it.
    uint last = g.palette_bits > 0xFFu ? g.palette_bits >> 8 : g.palette_bits;
    int bit = 0, window = g.palette_bits == 0u ? -32 : -int((last & 15u) + (last >> 4));
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        uint4 own = (uint4(bits[i >> 1] >> 16 * (i & 1)) >> uint4(0, 4, 8, 12)) & uint4(15u);
        int2 two = int2(own.xz + own.yw), at = int2(-1), shift;
        for (int j = 0; j < 2; ++j) {
            if (bit + two[j] > window + 32) {
                window = bit;
                at[j] = bit;
            }
            shift[j] = bit - max(window, 0);
            bit += two[j];
        }
        g.fields[i] = GstexFields{at, min(uint4(shift.xxyy) + uint4(0, own.x, 0, own.z), uint4(31u)), (uint4(1) << own) - 1u};
    }
    return g;
}

inline GstexMip gstex_mip(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, int number) {
    int block = m.base + int(GSTEX_LOAD(g.mips + number));
    uint kind = GSTEX_LOAD(block);
    int2 size = max(m.size >> int2(number), int2(1));
    GstexMip mip = GstexMip{size, float2(size), 0.0f, gstex_bits(kind, 8, 1) == 1, block + 2, gstex_bits(kind, 0, 8), 0, 0};
    if (gstex_bits(kind, 9, 1) == 1) { // shared: the Gaussians of mip 0 are drawn smaller, so they are blurred first
        float sigma = gstex_float(gstex, block + 1), variance = gstex_variance_unit * sigma * sigma;
        int first = m.base + int(GSTEX_LOAD(g.mips));
        mip = GstexMip{size, float2(m.size), variance, false, first + 2, gstex_bits(GSTEX_LOAD(first), 0, 8), 0, block + 2};
    }
    mip.levels = min(mip.levels, 16);
    mip.entries = mip.background + g.channels;
    return mip;
}

inline GstexLevel gstex_level(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, GstexMip mip, int number) {
    int entry = mip.entries + 7 * number;
    uint cells = GSTEX_LOAD(entry), widths = GSTEX_LOAD(entry + 4);
    GstexLevel level;
    level.cells = int2(gstex_bits(cells, 0, 16), gstex_bits(cells, 16, 16));
    level.index = m.base + int(GSTEX_LOAD(entry + 1));
    level.records = m.base + int(GSTEX_LOAD(entry + 2));
    level.stride = gstex_bits(widths, 0, 9) / 4;
    int x = gstex_bits(widths, 9, 4), y = gstex_bits(widths, 13, 4), rotation = gstex_bits(widths, 17, 4);
    int scale = gstex_bits(widths, 21, 4), amplitude = gstex_bits(widths, 25, 4);
    level.position_bits = x + y;
    level.shape_bits = rotation + scale;
    level.geometry_bits = x + y + rotation + 2 * scale + amplitude;
    level.cell_size = mip.extent / float2(level.cells);
    level.position_mask = uint2(gstex_mask(x), gstex_mask(y) << x);
    level.position_step = level.cell_size * float2(gstex_unit(x), gstex_unit(x + y));
    level.half_position = 0.5f * level.cell_size * float2(gstex_unit(x), gstex_unit(y));
    level.regular = gstex_bits(widths, 29, 1) == 1;
    level.rotation_mask = gstex_mask(rotation);
    level.rotation_lo = rotation == 0 ? 0.0f : -gstex_tan_22_5;
    level.rotation_step = 2.0f * gstex_tan_22_5 * gstex_unit(rotation);
    level.scale_mask = uint2(gstex_mask(scale) << rotation, gstex_mask(scale));
    level.scale_lo = gstex_log2_variance_unit - 2.0f * gstex_float(gstex, entry + 5); // the file holds log2(1 / sigma)
    level.scale_step = -2.0f * gstex_float(gstex, entry + 6) * float2(gstex_unit(rotation), 1);
    level.amplitude_mask = gstex_mask(amplitude) << scale;
    level.amplitude_step = g.amplitude_step * gstex_unit(scale);
    return level;
}

#endif

// Whether a channel of a group is needed.
inline bool gstex_needs(thread GstexContext &gstex, GstexMaterial m, int number) {
    uint needed = uint(GSTEX_CHANNELS) & 0xFFFFu >> (16 - 4 * GSTEX_VEC4S);
    return (gstex_members(gstex, m, number) & needed) != 0u;
}

// ---- Which Gaussians a texel sees: the cell index ------------------------------------------------------------------

// The index has three words for 16 cells: the number of Gaussians before it, and 16 counts, 4 bits each.
// This is the sum of the counts before one of them: four bytes at once add them up, and a multiplication adds these.
inline int gstex_before(uint low, uint high, int inside) {
    const uint nibbles = 0x0F0F0F0Fu;
    uint part = (inside < 8 ? low : high) & gstex_mask(4 * (inside & 7)), all = inside < 8 ? 0u : low;
    uint sums = (part & nibbles) + (part >> 4 & nibbles) + (all & nibbles) + (all >> 4 & nibbles);
    return int(sums * 0x01010101u >> 24);
}

// (first, count): the Gaussians of a cell.
inline int2 gstex_cell(thread GstexContext &gstex, GstexLevel level, int cell) {
    if (level.regular) return int2(cell, 1);
    int at = level.index + 3 * (cell >> 4), inside = cell & 15, next = inside + 1;
    uint start = GSTEX_LOAD(at), low = GSTEX_LOAD(at + 1);
    int first = gstex_bits(start, 0, 31);
    if (start >> 31 == 1u) { // crowded: counts above 15. The sums up to each cell are written out, two a word.
        int sums = level.index + int(low);
        int before = gstex_bits(GSTEX_LOAD(sums + (inside >> 1)), 16 * (inside & 1), 16);
        int up_to = next < 16 ? gstex_bits(GSTEX_LOAD(sums + (next >> 1)), 16 * (next & 1), 16)
                              : gstex_bits(GSTEX_LOAD(at + 3), 0, 31) - first;
        return int2(first + before, up_to - before);
    }
    uint high = GSTEX_LOAD(at + 2);
    return int2(first + gstex_before(low, high, inside), gstex_bits(inside < 8 ? low : high, 4 * (inside & 7), 4));
}

// The Gaussians of three cells in a row of the grid as one run, so that a warp goes through one loop and not three,
// whether they are neighbours in the file or apart at a wrap. Candidate t lies in cell (t >= end.x) + (t >= end.y) of
// the three, and is record t + skip[cell] of the level.
struct GstexRow { int3 end, skip; };

// Of the cells x - 1, x and x + 1 in row y; x lies in the grid, y may lie a row beside it.
inline GstexRow gstex_row(thread GstexContext &gstex, GstexMaterial m, GstexLevel level, int x, int y) {
    int2 cells = level.cells;
    if (m.repeat) y += y < 0 ? cells.y : y >= cells.y ? -cells.y : 0;
    if (y < 0 || y >= cells.y) return GstexRow{int3(0), int3(0)};
    bool leftmost = x == 0, rightmost = x == cells.x - 1;
    int row = y * cells.x, cell = leftmost ? row : row + x - 1, start = cell;
    uint counts = 0x111u, crowded = 0u; // of a regular level
    if (!level.regular) { // of `cell` and the next two, from the 16 counts around it and the first 8 of the next
        int at = level.index + 3 * (cell >> 4), inside = cell & 15;
        uint begin = GSTEX_LOAD(at), low = GSTEX_LOAD(at + 1), high = GSTEX_LOAD(at + 2), next = 0u;
        crowded = begin >> 31;
        if (inside > 13) {
            crowded |= GSTEX_LOAD(at + 3) >> 31;
            next = GSTEX_LOAD(at + 4);
        }
        counts = gstex_join(inside < 8 ? low : high, inside < 8 ? high : next, 4 * (inside & 7));
        start = int(begin) + gstex_before(low, high, inside);
    }
    int3 count = int3(uint3(counts, counts >> 4, counts >> 8) & uint3(15u));
    int3 first = start + int3(0, count.x, count.x + count.y);
    if (leftmost) { // there is none before `cell`
        count = int3(0, count.xy);
        first = first.xxy;
    }
    if (rightmost) count.z = 0;

    // One by one: the cell from the other end of the row, and all where there is a crowd.
    if (crowded == 1u || (m.repeat && (leftmost || rightmost)))
        for (int i = 0; i < 3; ++i) {
            int column = x + i - 1, wrap = column < 0 ? cells.x : column >= cells.x ? -cells.x : 0;
            if (wrap == 0 ? crowded == 0u : !m.repeat) continue;
            int2 run = gstex_cell(gstex, level, row + column + wrap);
            first[i] = run.x;
            count[i] = run.y;
        }
    int3 end = int3(count.x, count.x + count.y, count.x + count.y + count.z);
    return GstexRow{end, first - int3(0, end.xy)};
}

// By column (or row) of the 3x3 cells: 1 near their middle and 0 at their edge, so that what gets out of reach leaves
// without a step. fraction: 0 .. 1, inside the cell in the middle.
inline float3 gstex_fades(float fraction) {
    float2 edges = smoothstep(float2(0.0f), float2(1.0f), gstex_fade_slope * float2(1.0f - fraction, fraction));
    return float3(edges.x, 1.0f, edges.y);
}

// ---- What a Gaussian weighs and adds: its record -------------------------------------------------------------------

// exp(amplitude - r^2 / 2), r being the distance from the centre in standard deviations. to_cell: texels from the point
// to position 0 in the Gaussian's cell. Its record begins at a bit, 0 .. 31, of a word; two words hold the geometry.
inline float gstex_weight(thread GstexContext &gstex, GstexGroup g, GstexLevel level, float filter_variance,
                          float2 to_cell, int word, int bit) {
    uint low = GSTEX_LOAD(word), high = GSTEX_LOAD(word + 1);
    // 32 bits each, from x, from the rotation and from the second scale on: each field is whole in one of them.
    uint position = gstex_join(low, high, bit), above = high >> bit;
    uint shape = gstex_join(position, above, level.position_bits);
    uint rest = gstex_join(shape, above >> level.position_bits, level.shape_bits);

    float2 d = to_cell + float2(uint2(position) & level.position_mask) * level.position_step;
    // t is the tangent of half the angle, within tan(pi / 8) of 0: cosine and sine are rational in it. The axis is
    // 1 + t^2 long, so that one division at the end is enough.
    float t = float(shape & level.rotation_mask) * level.rotation_step + level.rotation_lo;
    float t2 = t * t, longer = 1.0f + t2;
    float2 axis = float2(1.0f - t2, t + t);
    float2 along = float2(axis.x * d.x + axis.y * d.y, axis.x * d.y - axis.y * d.x);
    float2 scales = float2(uint2(shape, rest) & level.scale_mask) * level.scale_step + level.scale_lo;
    float2 variance = exp2(scales) + filter_variance;
    float2 parts = along * along * variance.yx;
    float distance2 = (parts.x + parts.y) / (variance.x * variance.y * (longer * longer));
    return exp2(g.amplitude_lo + float(rest & level.amplitude_mask) * level.amplitude_step - distance2);
}

// 32 bits from a bit on, counted from a word.
inline uint gstex_window(thread GstexContext &gstex, int word, int bit) {
    word += bit >> 5;
    return gstex_join(GSTEX_LOAD(word), GSTEX_LOAD(word + 1), bit & 31);
}

// The codes of four channels are added up in two words, 16 bits each: channels 0 and 2 in x, 1 and 3 in y.
inline uint2 gstex_pairs(uint bytes) { return uint2(bytes, bytes >> 8) & uint2(0x00FF00FFu); }
inline uint4 gstex_unpack(uint2 pairs) { return uint4(pairs & uint2(0xFFFFu), pairs >> uint2(16)); }

// Features are linear in their codes: only codes are summed, and their ranges applied to the sum.
struct GstexSum { float weight; float4 codes[GSTEX_VEC4S]; };

// What follows a record's geometry, at a bit counted from a word: of every palette the number of an entry, whose bytes
// are codes, and of every channel that has one a code of its own.
inline void gstex_add(thread GstexContext &gstex, GstexGroup g, int word, int bit, float weight, thread GstexSum &sum) {
    uint2 pairs[GSTEX_VEC4S];
    for (int i = 0; i < GSTEX_VEC4S; ++i) pairs[i] = uint2(0);
    int palette = g.palettes;
    uint window = 0u;
    for (int p = 0; g.palette_bits >> 4 * p != 0u; ++p) {
        if ((p & 1) == 0) window = gstex_window(gstex, word, bit); // two numbers, 12 bits at most each
        int count = gstex_bits(g.palette_bits, 4 * p, 4);
        int entry = palette + gstex_bits(window, 0, count) * g.entry_words;
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            if (i < g.entry_words) pairs[i] += gstex_pairs(GSTEX_LOAD(entry + i));
        palette += g.entry_words << count;
        window >>= count;
        bit += count;
    }
    sum.weight += weight;
    for (int i = 0; i < GSTEX_VEC4S; ++i) {
        uint4 codes = gstex_unpack(pairs[i]);
        if (g.own_codes) {
            GstexFields fields = g.fields[i];
            if (fields.at.x >= 0) window = gstex_window(gstex, word, bit + fields.at.x);
            codes.xy += (uint2(window) >> fields.shift.xy) & fields.mask.xy;
            if (fields.at.y >= 0) window = gstex_window(gstex, word, bit + fields.at.y);
            codes.zw += (uint2(window) >> fields.shift.zw) & fields.mask.zw;
        }
        sum.codes[i] += weight * float4(codes);
    }
}

#if GSTEX_MAX_K > 0
// For files with a K: the heaviest candidates so far, in falling order, and where their features are (bits from the
// base). Globals, because compilers would copy arrays that are arguments.
// gstex_kept_weight: of GstexContext
// gstex_kept_at: of GstexContext

// Puts a candidate in its place among `count`; of equal ones the first in the file comes first. Returns the new count.
inline int gstex_keep(thread GstexContext &gstex, float weight, uint at, int count, int top_k) {
    int place = count;
    for (; place > 0; --place) {
        float other = gstex.gstex_kept_weight[place - 1];
        uint other_at = gstex.gstex_kept_at[place - 1];
        if (other > weight || (other == weight && other_at < at)) break;
        if (place < top_k) { gstex.gstex_kept_weight[place] = other; gstex.gstex_kept_at[place] = other_at; }
    }
    if (place < top_k) { gstex.gstex_kept_weight[place] = weight; gstex.gstex_kept_at[place] = at; }
    return min(count + 1, top_k);
}
#endif

// ---- One evaluation ------------------------------------------------------------------------------------------------

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
inline float gstex_bend(float x, uint numbers) {
    float3 by = float3(int3(uint3(numbers) << uint3(22, 12, 2)) >> int3(22)) / 1024.0f;
    return clamp(x + by.x * (1.0f - x) + by.z * x + 4.0f * by.y * x * (1.0f - x), 0.0f, 1.0f);
}

// The value of a group at `inside` (0 .. 1) of a texel; (0.5, 0.5) is its centre.
inline GstexValue gstex_evaluate(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, GstexMip mip, int2 texel,
                                 float2 inside) {
    const float background_weight = 2.0611536e-9f; // exp(-20)
    GstexSum sum;
    sum.weight = background_weight;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.codes[i] = float4(0);
    int budget = g.candidates_max;
#if GSTEX_MAX_K > 0
    int kept = 0;
#endif

    for (int l = 0; l < mip.levels; ++l) {
        GstexLevel level = gstex_level(gstex, m, g, mip, l);
        // (texel + inside) cells / size as cell and fraction. Integers, as float32 is too coarse for many cells.
        int2 scaled = texel * level.cells, whole = int2(uint2(scaled) / uint2(mip.size)); // unsigned is cheaper
        float2 rest = (float2(scaled - whole * mip.size) + inside * float2(level.cells)) / float2(mip.size);
        int2 cell = min(whole + int2(rest), level.cells - 1);
        float2 fraction = rest - float2(cell - whole);
        float3 fade_x = gstex_fades(fraction.x), fade_y = gstex_fades(fraction.y);
        float3 to_x = (float3(-1, 0, 1) - fraction.x) * level.cell_size.x + level.half_position.x;

        for (int j = 0; j < 3; ++j) {
            GstexRow row = gstex_row(gstex, m, level, cell.x, cell.y + j - 1);
            float3 fade = fade_x * fade_y[j];
            float to_y = (float(j - 1) - fraction.y) * level.cell_size.y + level.half_position.y;
            int count = clamp(row.end.z, 0, budget);
            budget -= count;
            for (int t = 0; t < count; ++t) {
                bool right = t >= row.end.y, left = t < row.end.x;
                int start = (t + (right ? row.skip.z : left ? row.skip.x : row.skip.y)) * level.stride;
                int word = level.records + (start >> 3), bit = 4 * (start & 7);
                float2 to_cell = float2(right ? to_x.z : left ? to_x.x : to_x.y, to_y);
                float weight = gstex_weight(gstex, g, level, mip.filter_variance, to_cell, word, bit)
                             * (right ? fade.z : left ? fade.x : fade.y);
                bit += level.geometry_bits;
#if GSTEX_MAX_K > 0
                if (g.top_k > 0) {
                    kept = gstex_keep(gstex, weight, uint(32 * (word - m.base) + bit), kept, g.top_k);
                    continue;
                }
#endif
                if (weight > 5.96e-8f * sum.weight) // 2^-24: 4096 lighter ones shift a value by 1/4096
                    gstex_add(gstex, g, word, bit, weight, sum);
            }
        }
    }
#if GSTEX_MAX_K > 0
    for (int k = 0; k < kept; ++k) {
        uint at = gstex.gstex_kept_at[k];
        gstex_add(gstex, g, m.base + int(at >> 5), int(at & 31u), gstex.gstex_kept_weight[k], sum);
    }
#endif
    if (mip.raw) {
        int at = mip.background + (texel.y * mip.size.x + texel.x) * g.entry_words;
        for (int i = 0; i < GSTEX_VEC4S; ++i)
            if (i < g.entry_words) sum.codes[i] = float4(gstex_unpack(gstex_pairs(GSTEX_LOAD(at + i))));
    }

    float share = 1.0f / sum.weight, background_share = background_weight * share;
    GstexValue value;
    for (int k = 0; k < 4 * GSTEX_VEC4S; ++k) {
        float x = 0.0f;
        if (k < g.channels) {
            float lo = gstex_float(gstex, g.ranges + 2 * k), codes = sum.codes[k >> 2][k & 3];
            x = mip.raw ? codes / 255.0f
              : lo + gstex_float(gstex, g.ranges + 2 * k + 1) * (codes * share)
                + background_share * (gstex_float(gstex, mip.background + k) - lo);
        }
        value.v[k >> 2][k & 3] = clamp(x, 0.0f, 1.0f);
    }
    if (mip.bend != 0)
        for (int k = 0; k < 4 * GSTEX_VEC4S; ++k)
            if (k < g.channels) value.v[k >> 2][k & 3] = gstex_bend(value.v[k >> 2][k & 3], GSTEX_LOAD(mip.bend + k));
    return value;
}

// ---- From groups to a material -------------------------------------------------------------------------------------

// What a material starts with: a constant channel has its constant, a channel of a group 0.
inline GstexValue gstex_constants(thread GstexContext &gstex, GstexMaterial m) {
    GstexValue value;
#ifdef GSTEX_MATERIAL_BLOCK
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = as_type<float4>(GSTEX_BLOCK(3 + i));
#else
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = float4(0);
    uint constant_ = gstex_mask(min(m.channels, 16));
    for (int number = 0; number < m.groups; ++number) constant_ &= ~gstex_members(gstex, m, number);
    if (constant_ != 0u)
        for (int c = 0; c < 4 * GSTEX_VEC4S; ++c)
            if ((constant_ >> c & 1u) == 1u)
                value.v[c >> 2][c & 3] = clamp(gstex_constant(gstex, m.base, c), 0.0f, 1.0f);
#endif
    return value;
}

// Adds the values of a group: a gap opens in them for every channel that is no member, up to the last gap. Nothing is
// indexed by what the file says, or compilers would keep the values in memory and not in registers.
inline void gstex_spread(uint members, GstexValue of_group, thread GstexValue &value) {
    for (int c = 0; (members >> c & (members >> c) + 1u) != 0u; ++c)
        if ((members >> c & 1u) == 0u)
            for (int i = GSTEX_VEC4S - 1; i >= 0; --i) {
                float4 later = float4(of_group.v[max(i - 1, 0)].w, of_group.v[i].xyz);
                of_group.v[i] = select(of_group.v[i], later, ((4 * i + int4(0, 1, 2, 3)) > int4(c)));
            }
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += select(float4(0), of_group.v[i], gstex_set(members, i));
}

// ---- Sampling: docs/format.md, "Sampling" --------------------------------------------------------------------------

inline int2 gstex_texel(GstexMaterial m, int2 texel, int2 size) {
    return clamp(m.repeat ? gstex_wrap(texel, size) : texel, int2(0), size - 1);
}

// A mip of a group at a point: one evaluation there, or four fetches filtered bilinearly.
inline GstexValue gstex_point(thread GstexContext &gstex, GstexMaterial m, GstexGroup g, int number, float2 uv,
                              bool bilinear) {
    GstexMip mip = gstex_mip(gstex, m, g, number);
    float2 point = float2(mip.size) * (m.repeat ? fract(uv) : clamp(uv, float2(0.0f), float2(1.0f)));
    bilinear = bilinear || mip.raw;
    float2 corner = bilinear ? floor(point - 0.5f) : min(floor(point), float2(mip.size - 1));
    float2 inside = bilinear ? float2(0.5f) : point - corner;
    float2 share = bilinear ? point - 0.5f - corner : float2(0);
    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = float4(0);
    for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
        int2 at = int2(n & 1, n >> 1);
        float2 weight = mix(1.0f - share, share, float2(at));
        GstexValue texel = gstex_evaluate(gstex, m, g, mip, gstex_texel(m, int2(corner) + at, mip.size), inside);
        for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += weight.x * weight.y * texel.v[i];
    }
    return value;
}

inline bool gstex_is_srgb(thread GstexContext &gstex, int base, int channel)
{ return (GSTEX_LOAD(gstex_entry(base, channel)) >> 19 & 1u) == 1u; }

// A bit for each channel of a group, in the order of its members.
inline uint gstex_srgb(thread GstexContext &gstex, GstexMaterial m, int number, uint members) {
#ifdef GSTEX_MATERIAL_BLOCK
    return GSTEX_BLOCK(gstex_group_at(gstex, m, number) + 2).w;
#else
    uint srgb = 0u;
    int k = 0;
    for (int c = 0; members >> c != 0u; ++c)
        if ((members >> c & 1u) == 1u) {
            srgb |= uint(gstex_is_srgb(gstex, m.base, c)) << k;
            ++k;
        }
    return srgb;
#endif
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
inline GstexValue gstex_taps(thread GstexContext &gstex, GstexMaterial m, float2 uv, float lod, bool bilinear,
                             int taps, float2 from_tap_to_tap) {
    lod = clamp(lod, float(m.first_mip), float(m.mips - 1));
    int fine = int(lod);
    float coarse_share = lod - float(fine);
    int mips = coarse_share > 0.0f ? 2 : 1;
    GstexValue value = gstex_constants(gstex, m);
    for (int number = 0; number < m.groups; ++number) {
        if (!gstex_needs(gstex, m, number)) continue;
        GstexGroup g = gstex_group(gstex, m, number);
        uint srgb = taps * mips == 1 ? 0u : gstex_srgb(gstex, m, number, g.members); // one alone stays as stored
        GstexValue sum;
        for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = float4(0);
        for (int n = 0; n < taps * mips; ++n) {
            int tap = n / mips, coarse = n % mips;
            float2 at = uv + (float(tap) - 0.5f * float(taps - 1)) * from_tap_to_tap;
            GstexValue one = gstex_point(gstex, m, g, fine + coarse, at, bilinear);
            float share = (coarse == 1 ? coarse_share : 1.0f - coarse_share) / float(taps);
            for (int i = 0; i < GSTEX_VEC4S; ++i) {
                bool4 is_srgb = gstex_set(srgb, i);
                if (any(is_srgb)) one.v[i] = select(one.v[i], gstex_to_linear(one.v[i]), is_srgb);
                sum.v[i] += share * one.v[i];
            }
        }
        for (int i = 0; i < GSTEX_VEC4S; ++i) {
            bool4 is_srgb = gstex_set(srgb, i);
            if (any(is_srgb)) sum.v[i] = select(sum.v[i], gstex_to_srgb(sum.v[i]), is_srgb);
            sum.v[i] = clamp(sum.v[i], float4(0.0f), float4(1.0f));
        }
        gstex_spread(g.members, sum, value);
    }
    return value;
}

// ==== Functions to call =============================================================================================
// base: the material's first word in the buffer. (u, v): (0, 0) is the top left corner of the texture, (1, 1) the
// opposite one; beyond them it repeats or is clamped, as the file says. Mips are clamped to those that are there.

// One texel of a mip; up to one period beyond its borders.
inline GstexValue gstex_fetch(thread GstexContext &gstex, uint base, int2 texel, int mip) {
    GstexMaterial m = gstex_material(gstex, base);
    GstexValue value = gstex_constants(gstex, m);
    for (int number = 0; number < m.groups; ++number) {
        if (!gstex_needs(gstex, m, number)) continue;
        GstexGroup g = gstex_group(gstex, m, number);
        GstexMip of = gstex_mip(gstex, m, g, clamp(mip, m.first_mip, m.mips - 1));
        gstex_spread(g.members, gstex_evaluate(gstex, m, g, of, gstex_texel(m, texel, of.size), float2(0.5f)), value);
    }
    return value;
}

// A point at a level of detail; inside a mip in the way that the file was fitted for.
inline GstexValue gstex_sample(thread GstexContext &gstex, uint base, float2 uv, float lod) {
    GstexMaterial m = gstex_material(gstex, base);
    return gstex_taps(gstex, m, uv, lod, m.bilinear, 1, float2(0));
}

// The same, inside a mip always by four fetches.
inline GstexValue gstex_sample_bilinear(thread GstexContext &gstex, uint base, float2 uv, float lod) {
    return gstex_taps(gstex, gstex_material(gstex, base), uv, lod, true, 1, float2(0));
}

// The footprint of a pixel, dx = dFdx(uv) and dy = dFdy(uv), by up to 8 taps along its longer axis.
inline GstexValue gstex_sample_grad(thread GstexContext &gstex, uint base, float2 uv, float2 dx, float2 dy) {
    GstexMaterial m = gstex_material(gstex, base);
    GstexFootprint f = gstex_footprint(float2(m.size), dx, dy);
    return gstex_taps(gstex, m, uv, f.lod, m.bilinear, f.taps, f.from_tap_to_tap);
}

// The same for the price of one tap in one mip, which the noise (0 .. 1) chooses. The mean over noises that are spread evenly
// is gstex_sample_grad: that of light, which is what a mean over frames of a lit picture is.
inline GstexValue gstex_sample_stochastic(thread GstexContext &gstex, uint base, float2 uv, float2 dx, float2 dy,
                                          float noise) {
    GstexMaterial m = gstex_material(gstex, base);
    float3 tap = gstex_choose_tap(gstex_footprint(float2(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_taps(gstex, m, uv + tap.xy, tap.z, m.bilinear, 1, float2(0));
}

// How many Gaussians a fetch looks at: the measure of its cost.
inline int gstex_candidates(thread GstexContext &gstex, uint base, int2 texel, int mip) {
    GstexMaterial m = gstex_material(gstex, base);
    int all = 0;
    for (int number = 0; number < m.groups; ++number) {
        if (!gstex_needs(gstex, m, number)) continue;
        GstexGroup g = gstex_group(gstex, m, number);
        GstexMip of = gstex_mip(gstex, m, g, clamp(mip, m.first_mip, m.mips - 1));
        int count = 0;
        for (int l = 0; l < of.levels; ++l) {
            GstexLevel level = gstex_level(gstex, m, g, of, l);
            int2 cell = (2 * gstex_texel(m, texel, of.size) + 1) * level.cells / (2 * of.size);
            for (int j = -1; j <= 1; ++j) count += max(gstex_row(gstex, m, level, cell.x, cell.y + j).end.z, 0);
        }
        all += min(count, g.candidates_max);
    }
    return all;
}

// ---- From channels to a material -----------------------------------------------------------------------------------

// As the channel table of the header says. Of two channels for the same the first counts.
inline GstexChannels gstex_find_channels(thread GstexContext &gstex, uint base) {
    GstexChannels at = GstexChannels{int3(-1), int3(-1), int2(-1), false, -1, -1, -1, -1, -1, -1};
    int3 picture = int3(-1);
    for (int c = min(gstex_material(gstex, base).channels, 4 * GSTEX_VEC4S) - 1; c >= 0; --c) {
        uint entry = GSTEX_LOAD(gstex_entry(int(base), c));
        int role = gstex_bits(entry, 0, 8), component = gstex_bits(entry, 8, 3);
        for (int i = 0; i < 3; ++i) // red, green and blue are components 1, 2 and 3; 0 is grey
            if (component == 0 || component == i + 1) {
                if (role == 1) at.albedo[i] = c;
                if (role == 2) picture[i] = c;
                if (role == 9) at.emissive[i] = c;
            }
        if (role == 3) at.opacity = gstex_bits(entry, 16, 3) == 7 ? -1 : c; // a constant one hides nothing
        if (role == 4 && component == 4) at.normal.x = c;
        if (role == 4 && component == 5) {
            at.normal.y = c;
            at.normal_directx = gstex_bits(entry, 20, 1) == 1;
        }
        if (role == 5) at.roughness = c;
        if (role == 6) at.metallic = c;
        if (role == 7) at.ao = c;
        if (role == 8) at.height = c;
        if (role == 10) at.gloss = c;
    }
    if (at.albedo.x < 0) at.albedo = picture; // stands in for it
    return at;
}

inline GstexUnit gstex_find_unit(thread GstexContext &gstex, uint base, int channel) {
    GstexUnit unit = GstexUnit{1.0f, 0.0f, 0.0f, 0u};
    if (channel < 0) return unit;
    uint entry = GSTEX_LOAD(gstex_entry(int(base), channel));
    unit.srgb = entry >> 19 & 1u;
    if (gstex_bits(entry, 23, 1) == 0) return unit;
    int scale = int(base) + gstex_bits(entry, 24, 8) + (gstex_bits(entry, 16, 3) == 7 ? 1 : 0); // a constant stands first
    unit.scale = gstex_float(gstex, scale);
    unit.bias = gstex_float(gstex, scale + 1);
    if (gstex_bits(entry, 21, 2) == 1) unit.stops = gstex_float(gstex, scale + 2);
    return unit;
}

inline GstexColorUnits gstex_find_color_units(thread GstexContext &gstex, uint base, int3 c) {
    return GstexColorUnits{gstex_find_unit(gstex, base, c.x), gstex_find_unit(gstex, base, c.y), gstex_find_unit(gstex, base, c.z)};
}

// What values of these channels stand for, as the channel table says.
inline GstexUnits gstex_find_units(thread GstexContext &gstex, uint base, GstexChannels at) {
    return GstexUnits{gstex_find_color_units(gstex, base, at.albedo), gstex_find_color_units(gstex, base, at.emissive),
                      gstex_find_unit(gstex, base, at.height)};
}

inline float gstex_source_value(thread GstexContext &gstex, uint base, int channel, float x)
{ return gstex_in_unit(gstex_find_unit(gstex, base, channel), x); }

inline float gstex_source(thread GstexContext &gstex, uint base, GstexValue value, int c, float missing) {
    return c < 0 ? missing : gstex_source_value(gstex, base, c, gstex_channel(value, c));
}

inline float3 gstex_color(thread GstexContext &gstex, uint base, GstexValue value, int3 c, float missing) {
    return gstex_color_of(value, c, gstex_find_color_units(gstex, base, c), missing);
}

inline GstexSurface gstex_surface(thread GstexContext &gstex, uint base, GstexValue value, GstexChannels at) {
    return gstex_surface_of(value, at, gstex_find_units(gstex, base, at));
}
