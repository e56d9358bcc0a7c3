// gstex.wgsl: reads textures made of 2D Gaussians, at any texel or point, in any stage of a shader.
//
// WGSL. tools/write_shaders.py writes this file from gstex.glsl. The format is
// specified in docs/format.md; docs/shaders.md says how to use this file. The functions to call stand at its end.
//
// The channels that vary are divided into 1 to 4 groups. A group has mips of its own, and is decoded by itself.
//
// A mip is a few levels, each a grid of cells, from fine to coarse. A Gaussian lies in one cell of one level, a large
// one in a coarse level. A texel looks at the 3x3 cells around it in every level and blends the features f of the
// Gaussians it finds there by their weights w at the texel: value = sum(w f) / sum(w). Features are codes: a Gaussian
// names entries of palettes, and adds codes of its own.
//
// Change these lines where their values do not fit; `gstex export --to wgsl` does so for a file:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default). Channels of the file beyond them are left out.
//   GSTEX_CHANNELS a bit for every channel that is needed, default all 16. A group with none of them is not decoded:
//                  its channels are 0.
//   GSTEX_MAX_K    the largest K that files have, 0 .. 32 (default): the list of a K takes two registers for each.
//   gstex_load(i)  word i of the buffer that holds all materials. Every load goes through it.

const GSTEX_VEC4S: i32 = 4;
const GSTEX_CHANNELS: u32 = 0xFFFFu;
const GSTEX_MAX_K: i32 = 32;
@group(0) @binding(0) var<storage, read> gstex_words: array<u32>;
fn gstex_load(i: i32) -> u32 { return gstex_words[i]; }

// ---- Common to gstex and gstex_expanded, word for word: a shader with both needs it once ----------------------------

// Channel c is v[c / 4][c % 4], in 0 .. 1 and encoded as in the source map; 0 if the file has no such channel.
// The values of a group stand in the same way, in the order of its members.
struct GstexValue { v: array<vec4f, GSTEX_VEC4S>, }

// For channels 4 i .. 4 i + 3: whether their bits are set.
fn gstex_set(bits: u32, i: i32) -> vec4<bool> { return ((vec4u(bits >> u32(4 * i)) & vec4u(1, 2, 4, 8)) != vec4u(0)); }

// Cells or texels up to one period beyond a border, brought back.
fn gstex_wrap(p: vec2i, size: vec2i) -> vec2i {
    return p + size * (vec2i((p < vec2i(0))) - vec2i((p >= size)));
}

fn gstex_to_linear(x: vec4f) -> vec4f {
    return select(x / 12.92, pow((x + 0.055) / 1.055, vec4f(2.4)), (x > vec4f(0.04045)));
}

fn gstex_to_srgb(y: vec4f) -> vec4f {
    return select(12.92 * y, 1.055 * pow(y, vec4f(1.0 / 2.4)) - 0.055, (y > vec4f(0.0031308)));
}

// Of a pixel, whose steps in uv are dx and dy: the level of detail, and taps along its longer axis.
struct GstexFootprint {
    lod: f32,
    taps: i32, // 1 .. 8
    from_tap_to_tap: vec2f,
}

fn gstex_footprint(size: vec2f, dx: vec2f, dy: vec2f) -> GstexFootprint {
    // The axes of the ellipse with the second moments of the pixel's parallelogram, which is spanned by a and b.
    let a: vec2f = size * dx; let b: vec2f = size * dy;
    let d: f32 = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y); let q: f32 = a.x * a.y + b.x * b.y;
    let r: f32 = length(vec2f(d, q)); let major: f32 = max(sqrt(0.5 * (dot(a, a) + dot(b, b)) + r), 1e-30);
    let minor: f32 = abs(a.x * b.y - a.y * b.x) / major;
    let taps: f32 = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    let axis: vec2f = select(vec2f(q, r - d), vec2f(d + r, q), d >= 0.0);
    let tap: vec2f = axis / max(length(axis), 1e-30) * (major / taps);
    return GstexFootprint(log2(major / taps), i32(taps), tap / size);
}

// One tap in one mip of a footprint, which the noise (0 .. 1) chooses: how far off in uv, and the mip.
fn gstex_choose_tap(f: GstexFootprint, first_mip: i32, mips: i32, noise: f32) -> vec3f {
    let lod: f32 = clamp(f.lod, f32(first_mip), f32(mips - 1)); let chosen: f32 = clamp(noise, 0.0, 1.0) * f32(f.taps);
    let tap: i32 = min(i32(chosen), f.taps - 1); let mip: i32 = i32(lod) + select(0, 1, chosen - f32(tap) < fract(lod));
    return vec3f((f32(tap) - 0.5 * f32(f.taps - 1)) * f.from_tap_to_tap, f32(mip));
}

// Which channels hold which map; -1: there is no such map. gstex_channels of gstex.h is the same in the layout std140.
struct GstexChannels {
    albedo: vec3i, emissive: vec3i,
    normal: vec2i,
    normal_directx: bool, // Y of the normals points down
    roughness: i32, gloss: i32, metallic: i32, ao: i32, opacity: i32, height: i32,
}

// What a value in 0 .. 1 stands for in the source map, such as metres of a height: bias + scale x, or with stops, which light
// of a high dynamic range has, bias + scale (2^(stops x) - 1). gstex_units of gstex.h is the same in the layout std140.
struct GstexUnit { scale: f32, bias: f32, stops: f32, srgb: u32, }
struct GstexColorUnits { red: GstexUnit, green: GstexUnit, blue: GstexUnit, }
struct GstexUnits { albedo: GstexColorUnits, emissive: GstexColorUnits, height: GstexUnit, }

struct GstexSurface {
    albedo: vec3f, emissive: vec3f, // linear light; of maps that were not in 0 .. 1 in the units of the map
    normal: vec3f, // in tangent space, Y up, of length 1
    roughness: f32, metallic: f32, ao: f32, opacity: f32,
    height: f32,   // in the units of the map
}

fn gstex_channel(value: GstexValue, c: i32) -> f32 { return value.v[c >> 2u][c & 3]; }

fn gstex_scalar(value: GstexValue, c: i32, missing: f32) -> f32
{ return select(gstex_channel(value, c), missing, c < 0); }

fn gstex_in_unit(unit: GstexUnit, x: f32) -> f32 {
    return unit.bias + unit.scale * select(x, exp2(unit.stops * x) - 1.0, unit.stops > 0.0);
}

fn gstex_color_of(value: GstexValue, c: vec3i, units: GstexColorUnits, missing: f32) -> vec3f {
    if (min(c.x, min(c.y, c.z)) < 0) { return vec3f(missing); }
    let stored: vec4f = vec4f(gstex_in_unit(units.red, gstex_channel(value, c.x)), gstex_in_unit(units.green, gstex_channel(value, c.y)),
                       gstex_in_unit(units.blue, gstex_channel(value, c.z)), 0);
    return select(stored.rgb, gstex_to_linear(stored).rgb, units.red.srgb != 0u);
}

fn gstex_normal(value: GstexValue, c: vec2i, directx: bool) -> vec3f {
    if (min(c.x, c.y) < 0) { return vec3f(0, 0, 1); }
    let xy: vec2f = 2.0 * vec2f(gstex_channel(value, c.x), gstex_channel(value, c.y)) - 1.0;
    let z: f32 = sqrt(max(1.0 - dot(xy, xy), 0.0));
    return normalize(vec3f(xy.x, select(xy.y, -xy.y, directx), z));
}

// The surface of a value, of either form. Nothing is loaded: channels and units may come from uniforms.
fn gstex_surface_of(value: GstexValue, at: GstexChannels, units: GstexUnits) -> GstexSurface {
    return GstexSurface(
        gstex_color_of(value, at.albedo, units.albedo, 0.2), gstex_color_of(value, at.emissive, units.emissive, 0.0),
        gstex_normal(value, at.normal, at.normal_directx),
        gstex_scalar(value, at.roughness, 1.0 - gstex_scalar(value, at.gloss, 0.5)),
        gstex_scalar(value, at.metallic, 0.0), gstex_scalar(value, at.ao, 1.0),
        gstex_scalar(value, at.opacity, 1.0),
        select(gstex_in_unit(units.height, gstex_channel(value, at.height)), 0.0, at.height < 0));
}

// ---- End of what is common ----------------------------------------------------------------------------------------

// ---- What is the same for all Gaussians of a texel: material, group, mip and level ---------------------------------

struct GstexMaterial {
    base: i32,                 // the first word; positions in the file are relative to it
    size: vec2i,               // of mip 0, texels
    channels: i32, mips: i32, groups: i32,
    group_offsets: i32,        // the word where the offsets of the groups begin
    tail: i32, first_mip: i32, // the mips before first_mip are not there; it is 0, or tail where the tail alone is
    repeat: bool, bilinear: bool, // bilinear: fitted for four fetches, not for evaluation at the point
}

// Where the own codes of four channels are: shift and mask are for a window of 32 bits, which begins at bit at.x (at.y
// for channels 2 and 3) behind the numbers of a record's entries. -1: the window that was read last has them as well.
struct GstexFields { at: vec2i, shift: vec4u, mask: vec4u, }

struct GstexGroup {
    members: u32,      // one bit per channel of the material
    channels: i32,     // how many these are
    top_k: i32,        // how many Gaussians are blended; 0: all in reach
    candidates_max: i32,
    amplitude_lo: f32, amplitude_step: f32, // log2
    mips: i32,         // word of mip 0's offset; in a block the four of mip 0
    ranges: i32,       // word of channel_lo[0]; channel_step[0], channel_lo[1] .. follow
    palettes: i32,     // word of the first one
    palette_bits: u32, // of the number of an entry, 4 bits for each palette
    entry_words: i32,  // of an entry, and of a raw texel
    own_codes: bool,   // channels have bits of their own
    fields: array<GstexFields, GSTEX_VEC4S>,
}

struct GstexMip {
    size: vec2i,   // texels
    extent: vec2f, // the same in the texels that its Gaussians are measured in
    filter_variance: f32, // added to that of its Gaussians; gstex_variance_unit texels^2
    raw: bool,     // holds texels, not Gaussians
    background: i32, levels: i32,
    entries: i32,  // word of the first level's entry; in a block its four
    bend: i32,     // word of the first channel's; 0: values are not bent
}

struct GstexLevel {
    cells: vec2i,
    cell_size: vec2f,         // texels
    regular: bool,            // a Gaussian in every cell, and no index
    index: i32, records: i32, // words
    stride: i32,              // of a record, in units of 4 bits
    position_bits: i32, shape_bits: i32, geometry_bits: i32, // of x and y; of the rotation and the first scale; of all
    // Fields stay where they are in a word, they are masked and not shifted down. A step is for a bit of that word.
    position_mask: vec2u, scale_mask: vec2u,
    rotation_mask: u32, amplitude_mask: u32,
    position_step: vec2f, half_position: vec2f, // texels; half of what a code stands for
    rotation_lo: f32, rotation_step: f32, amplitude_step: f32, // tangent, tangent, log2(weight)
    scale_lo: f32,            // log2(variance)
    scale_step: vec2f,
}

const gstex_fade_slope: f32 = 2.0; // 1 / the width of the fade in cells
const gstex_log2e: f32 = 1.44269504;
const gstex_tan_22_5: f32 = 0.41421356;
const gstex_log2_variance_unit: f32 = 0.47123364;
const gstex_variance_unit: f32 = 1.38629436; // 2 ln 2: with variances in this unit a weight is exp2(-d^2 / variance)

fn gstex_mask(count: i32) -> u32 { return (1u << u32(count)) - 1u; }
fn gstex_bits(word: u32, first: i32, count: i32) -> i32 { return i32((word >> u32(first)) & gstex_mask(count)); }
// How many of 16 bits are set.
fn gstex_count(bits: u32) -> i32 {
    let twos: u32 = bits - ((bits >> 1u) & 0x5555u); let fours: u32 = (twos & 0x3333u) + ((twos >> 2u) & 0x3333u);
    return i32(((((fours + (fours >> 4u)) & 0x0F0Fu) * 0x0101u) >> 8u) & 31u);
}
// 32 bits of two words, from a bit of the first one, 0 .. 31. high << (32 - bit) would be undefined for bit 0.
fn gstex_join(low: u32, high: u32, bit: i32) -> u32 { return (low >> u32(bit)) | ((high << 1u) << u32(31 - bit)); }
// 2^-bits, exactly.
fn gstex_unit(bits: i32) -> f32 { return bitcast<f32>(u32(127 - bits) << 23u); }
fn gstex_float(i: i32) -> f32 { return bitcast<f32>(gstex_load(i)); }

// The word of a channel's entry.
fn gstex_entry(base: i32, channel: i32) -> i32 { return base + 8 + channel; }
// The value of a constant channel.
fn gstex_constant(base: i32, channel: i32) -> f32 {
    return gstex_float(base + i32(gstex_load(gstex_entry(base, channel)) >> 24u));
}

fn gstex_material(base: u32) -> GstexMaterial {
    var m: GstexMaterial;
    m.base = i32(base);
    let size: u32 = gstex_load(m.base + 2); let kind: u32 = gstex_load(m.base + 3);
    m.size = vec2i(gstex_bits(size, 0, 16), gstex_bits(size, 16, 16));
    m.channels = gstex_bits(kind, 0, 8);
    m.mips = gstex_bits(kind, 8, 8);
    m.groups = min(gstex_bits(kind, 16, 3), 4);
    m.group_offsets = m.base + i32(gstex_load(m.base + 1) >> 16u) - gstex_bits(kind, 16, 3);
    m.tail = gstex_bits(kind, 19, 4);
    m.first_mip = min(gstex_bits(kind, 26, 4), m.mips - 1);
    m.repeat = gstex_bits(kind, 24, 1) == 1;
    m.bilinear = gstex_bits(kind, 25, 1) == 1;
    return m;
}

// Word 0 of a group's header. The offsets of all groups end the material's header.
fn gstex_group_at(m: GstexMaterial, number: i32) -> i32 { return m.base + i32(gstex_load(m.group_offsets + number)); }

// A bit for each channel of a group, and more above them.
fn gstex_members(m: GstexMaterial, number: i32) -> u32 { return gstex_load(gstex_group_at(m, number)); }

fn gstex_group(m: GstexMaterial, number: i32) -> GstexGroup {
    var g: GstexGroup;
    let head: i32 = gstex_group_at(m, number);
    let kind: u32 = gstex_load(head);
    g.members = kind & 0xFFFFu;
    g.channels = gstex_count(g.members);
    g.top_k = min(gstex_bits(kind, 16, 8), GSTEX_MAX_K);
    g.amplitude_lo = gstex_log2e * gstex_float(head + 1);
    g.amplitude_step = gstex_log2e * gstex_float(head + 2);
    g.candidates_max = i32(min(gstex_load(head + 3), 4096u)); // the format's limit: no buffer makes a loop run on
    g.palettes = m.base + i32(gstex_load(head + 4));
    g.palette_bits = gstex_load(head + 5) & 0xFFFFu;
    // Offsets of all mips, and after them those of the tail's where that is alone.
    g.mips = head + 6 + select(0, m.mips - m.tail, m.first_mip > 0);
    g.ranges = head + 6 + 2 * m.mips - m.tail;
    g.entry_words = (g.channels + 3) >> 2u;
    let widths: i32 = g.ranges + 2 * g.channels; // bits of the channels' own codes, 4 bits for each channel
    let bits: vec2u = vec2u(gstex_load(widths), select(0u, gstex_load(widths + 1), g.channels > 8));
    g.own_codes = (bits.x | bits.y) != 0u;
    // Two channels at a time, the codes are put into as few windows of 32 bits as hold them. The first may be that of
    // the last palettes' numbers: it began before bit 0, and these are shifted out of it.
    let last: u32 = select(g.palette_bits, g.palette_bits >> 8u, g.palette_bits > 0xFFu);
    var bit: i32 = 0; var window: i32 = select(-i32((last & 15u) + (last >> 4u)), -32, g.palette_bits == 0u);
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
        let own: vec4u = (vec4u(bits[i >> 1u] >> u32(16 * (i & 1))) >> vec4u(0, 4, 8, 12)) & vec4u(15u);
        let two: vec2i = vec2i(own.xz + own.yw); var at: vec2i = vec2i(-1); var shift: vec2i;
        for (var j: i32 = 0; j < 2; j++) {
            if (bit + two[j] > window + 32) {
                window = bit;
                at[j] = bit;
            }
            shift[j] = bit - max(window, 0);
            bit += two[j];
        }
        g.fields[i] = GstexFields(at, min(vec4u(shift.xxyy) + vec4u(0, own.x, 0, own.z), vec4u(31u)), (vec4u(1) << own) - 1u);
    }
    return g;
}

fn gstex_mip(m: GstexMaterial, g: GstexGroup, number: i32) -> GstexMip {
    let block: i32 = m.base + i32(gstex_load(g.mips + number));
    let kind: u32 = gstex_load(block);
    let size: vec2i = max(m.size >> vec2u(u32(number)), vec2i(1));
    var mip: GstexMip = GstexMip(size, vec2f(size), 0.0, gstex_bits(kind, 8, 1) == 1, block + 2, gstex_bits(kind, 0, 8), 0, 0);
    if (gstex_bits(kind, 9, 1) == 1) { // shared: the Gaussians of mip 0 are drawn smaller, so they are blurred first
        let sigma: f32 = gstex_float(block + 1); let variance: f32 = gstex_variance_unit * sigma * sigma;
        let first: i32 = m.base + i32(gstex_load(g.mips));
        mip = GstexMip(size, vec2f(m.size), variance, false, first + 2, gstex_bits(gstex_load(first), 0, 8), 0, block + 2);
    }
    mip.levels = min(mip.levels, 16);
    mip.entries = mip.background + g.channels;
    return mip;
}

fn gstex_level(m: GstexMaterial, g: GstexGroup, mip: GstexMip, number: i32) -> GstexLevel {
    let entry: i32 = mip.entries + 7 * number;
    let cells: u32 = gstex_load(entry); let widths: u32 = gstex_load(entry + 4);
    var level: GstexLevel;
    level.cells = vec2i(gstex_bits(cells, 0, 16), gstex_bits(cells, 16, 16));
    level.index = m.base + i32(gstex_load(entry + 1));
    level.records = m.base + i32(gstex_load(entry + 2));
    level.stride = gstex_bits(widths, 0, 9) / 4;
    let x: i32 = gstex_bits(widths, 9, 4);
    let y: i32 = gstex_bits(widths, 13, 4);
    let rotation: i32 = gstex_bits(widths, 17, 4);
    let scale: i32 = gstex_bits(widths, 21, 4); let amplitude: i32 = gstex_bits(widths, 25, 4);
    level.position_bits = x + y;
    level.shape_bits = rotation + scale;
    level.geometry_bits = x + y + rotation + 2 * scale + amplitude;
    level.cell_size = mip.extent / vec2f(level.cells);
    level.position_mask = vec2u(gstex_mask(x), gstex_mask(y) << u32(x));
    level.position_step = level.cell_size * vec2f(gstex_unit(x), gstex_unit(x + y));
    level.half_position = 0.5 * level.cell_size * vec2f(gstex_unit(x), gstex_unit(y));
    level.regular = gstex_bits(widths, 29, 1) == 1;
    level.rotation_mask = gstex_mask(rotation);
    level.rotation_lo = select(-gstex_tan_22_5, 0.0, rotation == 0);
    level.rotation_step = 2.0 * gstex_tan_22_5 * gstex_unit(rotation);
    level.scale_mask = vec2u(gstex_mask(scale) << u32(rotation), gstex_mask(scale));
    level.scale_lo = gstex_log2_variance_unit - 2.0 * gstex_float(entry + 5); // the file holds log2(1 / sigma)
    level.scale_step = -2.0 * gstex_float(entry + 6) * vec2f(gstex_unit(rotation), 1);
    level.amplitude_mask = gstex_mask(amplitude) << u32(scale);
    level.amplitude_step = g.amplitude_step * gstex_unit(scale);
    return level;
}


// Whether a channel of a group is needed.
fn gstex_needs(m: GstexMaterial, number: i32) -> bool {
    let needed: u32 = u32(GSTEX_CHANNELS) & (0xFFFFu >> u32(16 - 4 * GSTEX_VEC4S));
    return (gstex_members(m, number) & needed) != 0u;
}

// ---- Which Gaussians a texel sees: the cell index ------------------------------------------------------------------

// The index has three words for 16 cells: the number of Gaussians before it, and 16 counts, 4 bits each.
// This is the sum of the counts before one of them: four bytes at once add them up, and a multiplication adds these.
fn gstex_before(low: u32, high: u32, inside: i32) -> i32 {
    const nibbles: u32 = 0x0F0F0F0Fu;
    let part: u32 = select(high, low, inside < 8) & gstex_mask(4 * (inside & 7));
    let all: u32 = select(low, 0u, inside < 8);
    let sums: u32 = (part & nibbles) + ((part >> 4u) & nibbles) + (all & nibbles) + ((all >> 4u) & nibbles);
    return i32((sums * 0x01010101u) >> 24u);
}

// (first, count): the Gaussians of a cell.
fn gstex_cell(level: GstexLevel, cell: i32) -> vec2i {
    if (level.regular) { return vec2i(cell, 1); }
    let at: i32 = level.index + 3 * (cell >> 4u); let inside: i32 = cell & 15; let next: i32 = inside + 1;
    let start: u32 = gstex_load(at); let low: u32 = gstex_load(at + 1);
    let first: i32 = gstex_bits(start, 0, 31);
    if ((start >> 31u) == 1u) { // crowded: counts above 15. The sums up to each cell are written out, two a word.
        let sums: i32 = level.index + i32(low);
        let before: i32 = gstex_bits(gstex_load(sums + (inside >> 1u)), 16 * (inside & 1), 16);
        let up_to: i32 = select(gstex_bits(gstex_load(at + 3), 0, 31) - first,
                              gstex_bits(gstex_load(sums + (next >> 1u)), 16 * (next & 1), 16), next < 16);
        return vec2i(first + before, up_to - before);
    }
    let high: u32 = gstex_load(at + 2);
    return vec2i(first + gstex_before(low, high, inside), gstex_bits(select(high, low, inside < 8), 4 * (inside & 7), 4));
}

// The Gaussians of three cells in a row of the grid as one run, so that a warp goes through one loop and not three,
// whether they are neighbours in the file or apart at a wrap. Candidate t lies in cell (t >= end.x) + (t >= end.y) of
// the three, and is record t + skip[cell] of the level.
struct GstexRow { end: vec3i, skip: vec3i, }

// Of the cells x - 1, x and x + 1 in row y; x lies in the grid, y may lie a row beside it.
fn gstex_row(m: GstexMaterial, level: GstexLevel, x: i32, y_in: i32) -> GstexRow {
    var y = y_in;
    let cells: vec2i = level.cells;
    if (m.repeat) { y += select(select(0, -cells.y, y >= cells.y), cells.y, y < 0); }
    if (y < 0 || y >= cells.y) { return GstexRow(vec3i(0), vec3i(0)); }
    let leftmost: bool = x == 0; let rightmost: bool = x == cells.x - 1;
    let row: i32 = y * cells.x; let cell: i32 = select(row + x - 1, row, leftmost); var start: i32 = cell;
    var counts: u32 = 0x111u; var crowded: u32 = 0u; // of a regular level
    if (!level.regular) { // of `cell` and the next two, from the 16 counts around it and the first 8 of the next
        let at: i32 = level.index + 3 * (cell >> 4u); let inside: i32 = cell & 15;
        let begin: u32 = gstex_load(at);
        let low: u32 = gstex_load(at + 1);
        let high: u32 = gstex_load(at + 2);
        var next: u32 = 0u;
        crowded = begin >> 31u;
        if (inside > 13) {
            crowded |= gstex_load(at + 3) >> 31u;
            next = gstex_load(at + 4);
        }
        counts = gstex_join(select(high, low, inside < 8), select(next, high, inside < 8), 4 * (inside & 7));
        start = i32(begin) + gstex_before(low, high, inside);
    }
    var count: vec3i = vec3i(vec3u(counts, counts >> 4u, counts >> 8u) & vec3u(15u));
    var first: vec3i = start + vec3i(0, count.x, count.x + count.y);
    if (leftmost) { // there is none before `cell`
        count = vec3i(0, count.xy);
        first = first.xxy;
    }
    if (rightmost) { count.z = 0; }

    // One by one: the cell from the other end of the row, and all where there is a crowd.
    if (crowded == 1u || (m.repeat && (leftmost || rightmost))) {
        for (var i: i32 = 0; i < 3; i++) {
            let column: i32 = x + i - 1;
            let wrap: i32 = select(select(0, -cells.x, column >= cells.x), cells.x, column < 0);
            if (select(!m.repeat, crowded == 0u, wrap == 0)) { continue; }
            let run: vec2i = gstex_cell(level, row + column + wrap);
            first[i] = run.x;
            count[i] = run.y;
        }
    }
    let end: vec3i = vec3i(count.x, count.x + count.y, count.x + count.y + count.z);
    return GstexRow(end, first - vec3i(0, end.xy));
}

// By column (or row) of the 3x3 cells: 1 near their middle and 0 at their edge, so that what gets out of reach leaves
// without a step. fraction: 0 .. 1, inside the cell in the middle.
fn gstex_fades(fraction: f32) -> vec3f {
    let edges: vec2f = smoothstep(vec2f(0.0), vec2f(1.0), gstex_fade_slope * vec2f(1.0 - fraction, fraction));
    return vec3f(edges.x, 1.0, edges.y);
}

// ---- What a Gaussian weighs and adds: its record -------------------------------------------------------------------

// exp(amplitude - r^2 / 2), r being the distance from the centre in standard deviations. to_cell: texels from the point
// to position 0 in the Gaussian's cell. Its record begins at a bit, 0 .. 31, of a word; two words hold the geometry.
fn gstex_weight(g: GstexGroup, level: GstexLevel, filter_variance: f32, to_cell: vec2f, word: i32, bit: i32) -> f32 {
    let low: u32 = gstex_load(word); let high: u32 = gstex_load(word + 1);
    // 32 bits each, from x, from the rotation and from the second scale on: each field is whole in one of them.
    let position: u32 = gstex_join(low, high, bit); let above: u32 = high >> u32(bit);
    let shape: u32 = gstex_join(position, above, level.position_bits);
    let rest: u32 = gstex_join(shape, above >> u32(level.position_bits), level.shape_bits);

    let d: vec2f = to_cell + vec2f(vec2u(position) & level.position_mask) * level.position_step;
    // t is the tangent of half the angle, within tan(pi / 8) of 0: cosine and sine are rational in it. The axis is
    // 1 + t^2 long, so that one division at the end is enough.
    let t: f32 = f32(shape & level.rotation_mask) * level.rotation_step + level.rotation_lo;
    let t2: f32 = t * t; let longer: f32 = 1.0 + t2;
    let axis: vec2f = vec2f(1.0 - t2, t + t);
    let along: vec2f = vec2f(axis.x * d.x + axis.y * d.y, axis.x * d.y - axis.y * d.x);
    let scales: vec2f = vec2f(vec2u(shape, rest) & level.scale_mask) * level.scale_step + level.scale_lo;
    let variance: vec2f = exp2(scales) + filter_variance;
    let parts: vec2f = along * along * variance.yx;
    let distance2: f32 = (parts.x + parts.y) / (variance.x * variance.y * (longer * longer));
    return exp2(g.amplitude_lo + f32(rest & level.amplitude_mask) * level.amplitude_step - distance2);
}

// 32 bits from a bit on, counted from a word.
fn gstex_window(word_in: i32, bit: i32) -> u32 {
    var word = word_in;
    word += bit >> 5u;
    return gstex_join(gstex_load(word), gstex_load(word + 1), bit & 31);
}

// The codes of four channels are added up in two words, 16 bits each: channels 0 and 2 in x, 1 and 3 in y.
fn gstex_pairs(bytes: u32) -> vec2u { return vec2u(bytes, bytes >> 8u) & vec2u(0x00FF00FFu); }
fn gstex_unpack(pairs: vec2u) -> vec4u { return vec4u(pairs & vec2u(0xFFFFu), pairs >> vec2u(16u)); }

// Features are linear in their codes: only codes are summed, and their ranges applied to the sum.
struct GstexSum { weight: f32, codes: array<vec4f, GSTEX_VEC4S>, }

// What follows a record's geometry, at a bit counted from a word: of every palette the number of an entry, whose bytes
// are codes, and of every channel that has one a code of its own.
fn gstex_add(g: GstexGroup, word: i32, bit_in: i32, weight: f32, sum: ptr<function, GstexSum>) {
    var bit = bit_in;
    var pairs: array<vec2u, GSTEX_VEC4S>;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { pairs[i] = vec2u(0); }
    var palette: i32 = g.palettes;
    var window: u32 = 0u;
    for (var p: i32 = 0; (g.palette_bits >> u32(4 * p)) != 0u; p++) {
        if ((p & 1) == 0) { window = gstex_window(word, bit); } // two numbers, 12 bits at most each
        let count: i32 = gstex_bits(g.palette_bits, 4 * p, 4);
        let entry: i32 = palette + gstex_bits(window, 0, count) * g.entry_words;
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
            if (i < g.entry_words) { pairs[i] += gstex_pairs(gstex_load(entry + i)); }
        }
        palette += g.entry_words << u32(count);
        window >>= u32(count);
        bit += count;
    }
    (*sum).weight += weight;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
        var codes: vec4u = gstex_unpack(pairs[i]);
        if (g.own_codes) {
            let fields: GstexFields = g.fields[i];
            if (fields.at.x >= 0) { window = gstex_window(word, bit + fields.at.x); }
            codes = vec4u(codes.xy + ((vec2u(window) >> fields.shift.xy) & fields.mask.xy), codes.zw);
            if (fields.at.y >= 0) { window = gstex_window(word, bit + fields.at.y); }
            codes = vec4u(codes.xy, codes.zw + ((vec2u(window) >> fields.shift.zw) & fields.mask.zw));
        }
        (*sum).codes[i] += weight * vec4f(codes);
    }
}

// For files with a K: the heaviest candidates so far, in falling order, and where their features are (bits from the
// base). Globals, because compilers would copy arrays that are arguments.
var<private> gstex_kept_weight: array<f32, max(GSTEX_MAX_K, 1)>;
var<private> gstex_kept_at: array<u32, max(GSTEX_MAX_K, 1)>;

// Puts a candidate in its place among `count`; of equal ones the first in the file comes first. Returns the new count.
fn gstex_keep(weight: f32, at: u32, count: i32, top_k: i32) -> i32 {
    var place: i32 = count;
    for (; place > 0; place--) {
        let other: f32 = gstex_kept_weight[place - 1];
        let other_at: u32 = gstex_kept_at[place - 1];
        if (other > weight || (other == weight && other_at < at)) { break; }
        if (place < top_k) { gstex_kept_weight[place] = other; gstex_kept_at[place] = other_at; }
    }
    if (place < top_k) { gstex_kept_weight[place] = weight; gstex_kept_at[place] = at; }
    return min(count + 1, top_k);
}

// ---- One evaluation ------------------------------------------------------------------------------------------------

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
fn gstex_bend(x: f32, numbers: u32) -> f32 {
    let by: vec3f = vec3f(vec3i(vec3u(numbers) << vec3u(22, 12, 2)) >> vec3u(22u)) / 1024.0;
    return clamp(x + by.x * (1.0 - x) + by.z * x + 4.0 * by.y * x * (1.0 - x), 0.0, 1.0);
}

// The value of a group at `inside` (0 .. 1) of a texel; (0.5, 0.5) is its centre.
fn gstex_evaluate(m: GstexMaterial, g: GstexGroup, mip: GstexMip, texel: vec2i, inside: vec2f) -> GstexValue {
    const background_weight: f32 = 2.0611536e-9; // exp(-20)
    var sum: GstexSum;
    sum.weight = background_weight;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { sum.codes[i] = vec4f(0); }
    var budget: i32 = g.candidates_max;
    var kept: i32 = 0;

    for (var l: i32 = 0; l < mip.levels; l++) {
        let level: GstexLevel = gstex_level(m, g, mip, l);
        // (texel + inside) cells / size as cell and fraction. Integers, as float32 is too coarse for many cells.
        let scaled: vec2i = texel * level.cells; let whole: vec2i = vec2i(vec2u(scaled) / vec2u(mip.size)); // unsigned is cheaper
        let rest: vec2f = (vec2f(scaled - whole * mip.size) + inside * vec2f(level.cells)) / vec2f(mip.size);
        let cell: vec2i = min(whole + vec2i(rest), level.cells - 1);
        let fraction: vec2f = rest - vec2f(cell - whole);
        let fade_x: vec3f = gstex_fades(fraction.x); let fade_y: vec3f = gstex_fades(fraction.y);
        let to_x: vec3f = (vec3f(-1, 0, 1) - fraction.x) * level.cell_size.x + level.half_position.x;

        for (var j: i32 = 0; j < 3; j++) {
            let row: GstexRow = gstex_row(m, level, cell.x, cell.y + j - 1);
            let fade: vec3f = fade_x * fade_y[j];
            let to_y: f32 = (f32(j - 1) - fraction.y) * level.cell_size.y + level.half_position.y;
            let count: i32 = clamp(row.end.z, 0, budget);
            budget -= count;
            for (var t: i32 = 0; t < count; t++) {
                let right: bool = t >= row.end.y; let left: bool = t < row.end.x;
                let start: i32 = (t + select(select(row.skip.y, row.skip.x, left), row.skip.z, right)) * level.stride;
                let word: i32 = level.records + (start >> 3u); var bit: i32 = 4 * (start & 7);
                let to_cell: vec2f = vec2f(select(select(to_x.y, to_x.x, left), to_x.z, right), to_y);
                let weight: f32 = gstex_weight(g, level, mip.filter_variance, to_cell, word, bit)
                             * select(select(fade.y, fade.x, left), fade.z, right);
                bit += level.geometry_bits;
                if (GSTEX_MAX_K > 0) {
                if (g.top_k > 0) {
                    kept = gstex_keep(weight, u32(32 * (word - m.base) + bit), kept, g.top_k);
                    continue;
                }
                }
                if (weight > 5.96e-8 * sum.weight) { // 2^-24: 4096 lighter ones shift a value by 1/4096
                    gstex_add(g, word, bit, weight, &sum);
                }
            }
        }
    }
    if (GSTEX_MAX_K > 0) {
    for (var k: i32 = 0; k < kept; k++) {
        let at: u32 = gstex_kept_at[k];
        gstex_add(g, m.base + i32(at >> 5u), i32(at & 31u), gstex_kept_weight[k], &sum);
    }
    }
    if (mip.raw) {
        let at: i32 = mip.background + (texel.y * mip.size.x + texel.x) * g.entry_words;
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
            if (i < g.entry_words) { sum.codes[i] = vec4f(gstex_unpack(gstex_pairs(gstex_load(at + i)))); }
        }
    }

    let share: f32 = 1.0 / sum.weight; let background_share: f32 = background_weight * share;
    var value: GstexValue;
    for (var k: i32 = 0; k < 4 * GSTEX_VEC4S; k++) {
        var x: f32 = 0.0;
        if (k < g.channels) {
            let lo: f32 = gstex_float(g.ranges + 2 * k); let codes: f32 = sum.codes[k >> 2u][k & 3];
            x = select(lo + gstex_float(g.ranges + 2 * k + 1) * (codes * share)
                + background_share * (gstex_float(mip.background + k) - lo),
              codes / 255.0, mip.raw);
        }
        value.v[k >> 2u][k & 3] = clamp(x, 0.0, 1.0);
    }
    if (mip.bend != 0) {
        for (var k: i32 = 0; k < 4 * GSTEX_VEC4S; k++) {
            if (k < g.channels) { value.v[k >> 2u][k & 3] = gstex_bend(value.v[k >> 2u][k & 3], gstex_load(mip.bend + k)); }
        }
    }
    return value;
}

// ---- From groups to a material -------------------------------------------------------------------------------------

// What a material starts with: a constant channel has its constant, a channel of a group 0.
fn gstex_constants(m: GstexMaterial) -> GstexValue {
    var value: GstexValue;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { value.v[i] = vec4f(0); }
    var constant: u32 = gstex_mask(min(m.channels, 16));
    for (var number: i32 = 0; number < m.groups; number++) { constant &= ~gstex_members(m, number); }
    if (constant != 0u) {
        for (var c: i32 = 0; c < 4 * GSTEX_VEC4S; c++) {
            if (((constant >> u32(c)) & 1u) == 1u) {
                value.v[c >> 2u][c & 3] = clamp(gstex_constant(m.base, c), 0.0, 1.0);
            }
        }
    }
    return value;
}

// Adds the values of a group: a gap opens in them for every channel that is no member, up to the last gap. Nothing is
// indexed by what the file says, or compilers would keep the values in memory and not in registers.
fn gstex_spread(members: u32, of_group_in: GstexValue, value: ptr<function, GstexValue>) {
    var of_group = of_group_in;
    for (var c: i32 = 0; ((members >> u32(c)) & ((members >> u32(c)) + 1u)) != 0u; c++) {
        if (((members >> u32(c)) & 1u) == 0u) {
            for (var i: i32 = GSTEX_VEC4S - 1; i >= 0; i--) {
                let later: vec4f = vec4f(of_group.v[max(i - 1, 0)].w, of_group.v[i].xyz);
                of_group.v[i] = select(of_group.v[i], later, ((4 * i + vec4i(0, 1, 2, 3)) > vec4i(c)));
            }
        }
    }
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { (*value).v[i] += select(vec4f(0), of_group.v[i], gstex_set(members, i)); }
}

// ---- Sampling: docs/format.md, "Sampling" --------------------------------------------------------------------------

fn gstex_texel(m: GstexMaterial, texel: vec2i, size: vec2i) -> vec2i {
    return clamp(select(texel, gstex_wrap(texel, size), m.repeat), vec2i(0), size - 1);
}

// A mip of a group at a point: one evaluation there, or four fetches filtered bilinearly.
fn gstex_point(m: GstexMaterial, g: GstexGroup, number: i32, uv: vec2f, bilinear_in: bool) -> GstexValue {
    var bilinear = bilinear_in;
    let mip: GstexMip = gstex_mip(m, g, number);
    let point: vec2f = vec2f(mip.size) * select(clamp(uv, vec2f(0.0), vec2f(1.0)), fract(uv), m.repeat);
    bilinear = bilinear || mip.raw;
    let corner: vec2f = select(min(floor(point), vec2f(mip.size - 1)), floor(point - 0.5), bilinear);
    let inside: vec2f = select(point - corner, vec2f(0.5), bilinear);
    let share: vec2f = select(vec2f(0), point - 0.5 - corner, bilinear);
    var value: GstexValue;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { value.v[i] = vec4f(0); }
    for (var n: i32 = 0; n < select(1, 4, bilinear); n++) {
        let at: vec2i = vec2i(n & 1, n >> 1u);
        let weight: vec2f = mix(1.0 - share, share, vec2f(at));
        let texel: GstexValue = gstex_evaluate(m, g, mip, gstex_texel(m, vec2i(corner) + at, mip.size), inside);
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { value.v[i] += weight.x * weight.y * texel.v[i]; }
    }
    return value;
}

fn gstex_is_srgb(base: i32, channel: i32) -> bool
{ return ((gstex_load(gstex_entry(base, channel)) >> 19u) & 1u) == 1u; }

// A bit for each channel of a group, in the order of its members.
fn gstex_srgb(m: GstexMaterial, number: i32, members: u32) -> u32 {
    var srgb: u32 = 0u;
    var k: i32 = 0;
    for (var c: i32 = 0; (members >> u32(c)) != 0u; c++) {
        if (((members >> u32(c)) & 1u) == 1u) {
            srgb |= u32(gstex_is_srgb(m.base, c)) << u32(k);
            k++;
        }
    }
    return srgb;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
fn gstex_taps(m: GstexMaterial, uv: vec2f, lod_in: f32, bilinear: bool, taps: i32,
              from_tap_to_tap: vec2f) -> GstexValue {
    var lod = lod_in;
    lod = clamp(lod, f32(m.first_mip), f32(m.mips - 1));
    let fine: i32 = i32(lod);
    let coarse_share: f32 = lod - f32(fine);
    let mips: i32 = select(1, 2, coarse_share > 0.0);
    var value: GstexValue = gstex_constants(m);
    for (var number: i32 = 0; number < m.groups; number++) {
        if (!gstex_needs(m, number)) { continue; }
        let g: GstexGroup = gstex_group(m, number);
        let srgb: u32 = select(gstex_srgb(m, number, g.members), 0u, taps * mips == 1); // one alone stays as stored
        var sum: GstexValue;
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { sum.v[i] = vec4f(0); }
        for (var n: i32 = 0; n < taps * mips; n++) {
            let tap: i32 = n / mips; let coarse: i32 = n % mips;
            let at: vec2f = uv + (f32(tap) - 0.5 * f32(taps - 1)) * from_tap_to_tap;
            var one: GstexValue = gstex_point(m, g, fine + coarse, at, bilinear);
            let share: f32 = select(1.0 - coarse_share, coarse_share, coarse == 1) / f32(taps);
            for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
                let is_srgb: vec4<bool> = gstex_set(srgb, i);
                if (any(is_srgb)) { one.v[i] = select(one.v[i], gstex_to_linear(one.v[i]), is_srgb); }
                sum.v[i] += share * one.v[i];
            }
        }
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
            let is_srgb: vec4<bool> = gstex_set(srgb, i);
            if (any(is_srgb)) { sum.v[i] = select(sum.v[i], gstex_to_srgb(sum.v[i]), is_srgb); }
            sum.v[i] = clamp(sum.v[i], vec4f(0.0), vec4f(1.0));
        }
        gstex_spread(g.members, sum, &value);
    }
    return value;
}

// ==== Functions to call =============================================================================================
// base: the material's first word in the buffer. (u, v): (0, 0) is the top left corner of the texture, (1, 1) the
// opposite one; beyond them it repeats or is clamped, as the file says. Mips are clamped to those that are there.

// One texel of a mip; up to one period beyond its borders.
fn gstex_fetch(base: u32, texel: vec2i, mip: i32) -> GstexValue {
    let m: GstexMaterial = gstex_material(base);
    var value: GstexValue = gstex_constants(m);
    for (var number: i32 = 0; number < m.groups; number++) {
        if (!gstex_needs(m, number)) { continue; }
        let g: GstexGroup = gstex_group(m, number);
        let of_: GstexMip = gstex_mip(m, g, clamp(mip, m.first_mip, m.mips - 1));
        gstex_spread(g.members, gstex_evaluate(m, g, of_, gstex_texel(m, texel, of_.size), vec2f(0.5)), &value);
    }
    return value;
}

// A point at a level of detail; inside a mip in the way that the file was fitted for.
fn gstex_sample(base: u32, uv: vec2f, lod: f32) -> GstexValue {
    let m: GstexMaterial = gstex_material(base);
    return gstex_taps(m, uv, lod, m.bilinear, 1, vec2f(0));
}

// The same, inside a mip always by four fetches.
fn gstex_sample_bilinear(base: u32, uv: vec2f, lod: f32) -> GstexValue {
    return gstex_taps(gstex_material(base), uv, lod, true, 1, vec2f(0));
}

// The footprint of a pixel, dx = dFdx(uv) and dy = dFdy(uv), by up to 8 taps along its longer axis.
fn gstex_sample_grad(base: u32, uv: vec2f, dx: vec2f, dy: vec2f) -> GstexValue {
    let m: GstexMaterial = gstex_material(base);
    let f: GstexFootprint = gstex_footprint(vec2f(m.size), dx, dy);
    return gstex_taps(m, uv, f.lod, m.bilinear, f.taps, f.from_tap_to_tap);
}

// The same for the price of one tap in one mip, which the noise (0 .. 1) chooses. The mean over noises that are spread evenly
// is gstex_sample_grad: that of light, which is what a mean over frames of a lit picture is.
fn gstex_sample_stochastic(base: u32, uv: vec2f, dx: vec2f, dy: vec2f, noise: f32) -> GstexValue {
    let m: GstexMaterial = gstex_material(base);
    let tap: vec3f = gstex_choose_tap(gstex_footprint(vec2f(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_taps(m, uv + tap.xy, tap.z, m.bilinear, 1, vec2f(0));
}

// How many Gaussians a fetch looks at: the measure of its cost.
fn gstex_candidates(base: u32, texel: vec2i, mip: i32) -> i32 {
    let m: GstexMaterial = gstex_material(base);
    var all: i32 = 0;
    for (var number: i32 = 0; number < m.groups; number++) {
        if (!gstex_needs(m, number)) { continue; }
        let g: GstexGroup = gstex_group(m, number);
        let of_: GstexMip = gstex_mip(m, g, clamp(mip, m.first_mip, m.mips - 1));
        var count: i32 = 0;
        for (var l: i32 = 0; l < of_.levels; l++) {
            let level: GstexLevel = gstex_level(m, g, of_, l);
            let cell: vec2i = (2 * gstex_texel(m, texel, of_.size) + 1) * level.cells / (2 * of_.size);
            for (var j: i32 = -1; j <= 1; j++) { count += max(gstex_row(m, level, cell.x, cell.y + j).end.z, 0); }
        }
        all += min(count, g.candidates_max);
    }
    return all;
}

// ---- From channels to a material -----------------------------------------------------------------------------------

// As the channel table of the header says. Of two channels for the same the first counts.
fn gstex_find_channels(base: u32) -> GstexChannels {
    var at: GstexChannels = GstexChannels(vec3i(-1), vec3i(-1), vec2i(-1), false, -1, -1, -1, -1, -1, -1);
    var picture: vec3i = vec3i(-1);
    for (var c: i32 = min(gstex_material(base).channels, 4 * GSTEX_VEC4S) - 1; c >= 0; c--) {
        let entry: u32 = gstex_load(gstex_entry(i32(base), c));
        let role: i32 = gstex_bits(entry, 0, 8); let component: i32 = gstex_bits(entry, 8, 3);
        for (var i: i32 = 0; i < 3; i++) { // red, green and blue are components 1, 2 and 3; 0 is grey
            if (component == 0 || component == i + 1) {
                if (role == 1) { at.albedo[i] = c; }
                if (role == 2) { picture[i] = c; }
                if (role == 9) { at.emissive[i] = c; }
            }
        }
        if (role == 3) { at.opacity = select(c, -1, gstex_bits(entry, 16, 3) == 7); } // a constant one hides nothing
        if (role == 4 && component == 4) { at.normal.x = c; }
        if (role == 4 && component == 5) {
            at.normal.y = c;
            at.normal_directx = gstex_bits(entry, 20, 1) == 1;
        }
        if (role == 5) { at.roughness = c; }
        if (role == 6) { at.metallic = c; }
        if (role == 7) { at.ao = c; }
        if (role == 8) { at.height = c; }
        if (role == 10) { at.gloss = c; }
    }
    if (at.albedo.x < 0) { at.albedo = picture; } // stands in for it
    return at;
}

fn gstex_find_unit(base: u32, channel: i32) -> GstexUnit {
    var unit: GstexUnit = GstexUnit(1.0, 0.0, 0.0, 0u);
    if (channel < 0) { return unit; }
    let entry: u32 = gstex_load(gstex_entry(i32(base), channel));
    unit.srgb = (entry >> 19u) & 1u;
    if (gstex_bits(entry, 23, 1) == 0) { return unit; }
    let scale: i32 = i32(base) + gstex_bits(entry, 24, 8) + select(0, 1, gstex_bits(entry, 16, 3) == 7); // a constant stands first
    unit.scale = gstex_float(scale);
    unit.bias = gstex_float(scale + 1);
    if (gstex_bits(entry, 21, 2) == 1) { unit.stops = gstex_float(scale + 2); }
    return unit;
}

fn gstex_find_color_units(base: u32, c: vec3i) -> GstexColorUnits {
    return GstexColorUnits(gstex_find_unit(base, c.x), gstex_find_unit(base, c.y), gstex_find_unit(base, c.z));
}

// What values of these channels stand for, as the channel table says.
fn gstex_find_units(base: u32, at: GstexChannels) -> GstexUnits {
    return GstexUnits(gstex_find_color_units(base, at.albedo), gstex_find_color_units(base, at.emissive),
                      gstex_find_unit(base, at.height));
}

fn gstex_source_value(base: u32, channel: i32, x: f32) -> f32
{ return gstex_in_unit(gstex_find_unit(base, channel), x); }

fn gstex_source(base: u32, value: GstexValue, c: i32, missing: f32) -> f32 {
    return select(gstex_source_value(base, c, gstex_channel(value, c)), missing, c < 0);
}

fn gstex_color(base: u32, value: GstexValue, c: vec3i, missing: f32) -> vec3f {
    return gstex_color_of(value, c, gstex_find_color_units(base, c), missing);
}

fn gstex_surface(base: u32, value: GstexValue, at: GstexChannels) -> GstexSurface {
    return gstex_surface_of(value, at, gstex_find_units(base, at));
}
