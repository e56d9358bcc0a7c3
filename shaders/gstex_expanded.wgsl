// gstex_expanded.wgsl: reads textures in the expanded form (docs/expanded.md), which gstex_expand.h makes from a .gstex
// file when it is loaded. It stands alone, or in one shader with the decoder of the packed form, before or after it.
//
// WGSL. tools/write_shaders.py writes this file from gstex_expanded.glsl. The functions to call
// stand at its end; gstex_surface_of makes a surface of their values.
//
// Change these lines where their values do not fit:
//   GSTEX_VEC4S    decoded channels in fours, 1 .. 4 (default).
//   gstex_load4(i) words 4 i .. 4 i + 3 of the buffer that holds all materials. Every load goes through it.

const GSTEX_VEC4S: i32 = 4;
@group(0) @binding(1) var<storage, read> gstex_expanded_words: array<vec4u>;
fn gstex_load4(i: u32) -> vec4u { return gstex_expanded_words[i]; }

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

// ---- One evaluation ------------------------------------------------------------------------------------------------

struct GstexExpanded {
    at: u32,     // where it begins, in fours of words, as all places are that are not said to be words
    size: vec2i, // of mip 0, texels
    repeat: bool, bilinear: bool,
    channels: i32, mips: i32, groups: i32, first_mip: i32,
    srgb: u32,   // a bit for each channel
}

fn gstex_expanded_word(i: u32) -> u32 { return gstex_load4(i >> 2u)[i & 3u]; }
fn gstex_expanded_floats(i: u32) -> vec4f { return bitcast<vec4f>(gstex_load4(i)); }

fn gstex_expanded_material(base: u32) -> GstexExpanded {
    let at: u32 = base >> 2u;
    let head: vec4u = gstex_load4(at);
    let counts: vec4i = vec4i(gstex_load4(at + 1u));
    return GstexExpanded(at, vec2i(head.yz), (head.w & 1u) != 0u, (head.w & 2u) != 0u, counts.x, counts.y, min(counts.z, 4),
                         counts.w, gstex_load4(at + 2u).x);
}

// The entry of a mip of a group. Its second word is 0 where the mip is texels.
fn gstex_expanded_view(m: GstexExpanded, group: i32, mip: i32) -> u32
{ return m.at + 7u + 4u * u32(mip * m.groups + group); }

// Adds the features of a Gaussian or of a texel: 16 bits for each channel.
fn gstex_expanded_add(at: u32, channels: i32, weight: f32, sums: ptr<function, GstexValue>) {
    var codes: vec4u = gstex_load4(at);
    let weights: vec4f = vec4f(weight);
    (*sums).v[0] += weights * vec4f(unpack2x16unorm(codes.x), unpack2x16unorm(codes.y));
    if (GSTEX_VEC4S > 1) {
    (*sums).v[min(1, GSTEX_VEC4S - 1)] += weights * vec4f(unpack2x16unorm(codes.z), unpack2x16unorm(codes.w));
    }
    if (GSTEX_VEC4S > 2) {
    if (channels <= 8) { return; }
    codes = gstex_load4(at + 1u);
    (*sums).v[min(2, GSTEX_VEC4S - 1)] += weights * vec4f(unpack2x16unorm(codes.x), unpack2x16unorm(codes.y));
    }
    if (GSTEX_VEC4S > 3) {
    (*sums).v[min(3, GSTEX_VEC4S - 1)] += weights * vec4f(unpack2x16unorm(codes.z), unpack2x16unorm(codes.w));
    }
}

// The fade of a Gaussian around its own cell. grid: cells by the steps of d; cells in all, or 0 if they are many.
// position: in steps of d, which goes from the Gaussian to the point.
fn gstex_expanded_fade(grid: vec4f, position: vec2u, d: ptr<function, vec2f>) -> f32 {
    var from_: vec2f = fract(vec2f(position) * grid.xy) - 0.5 + (*d) * grid.xy;
    if (grid.z > 0.0) { // it may be seen from farther away than half of the texture
        let turn: vec2f = floor(from_ / grid.zw + 0.5);
        from_ -= grid.zw * turn;
        (*d) -= 4294967296.0 * turn;
    }
    let fade: vec2f = smoothstep(vec2f(-1.5), vec2f(-1.0), -abs(from_));
    return fade.x * fade.y;
}

// What a shared mip adds to a value: three numbers of 10 bits with a sign, at 0, at 1/2 and at 1.
fn gstex_expanded_bend(x: vec4f, numbers: vec4u) -> vec4f {
    let at_0: vec4i = vec4i(numbers << vec4u(22u));
    let at_half: vec4i = vec4i(numbers << vec4u(12u));
    let at_1: vec4i = vec4i(numbers << vec4u(2u));
    let low: vec4f = vec4f(at_0 >> vec4u(22u));
    let middle: vec4f = vec4f(at_half >> vec4u(22u));
    let high: vec4f = vec4f(at_1 >> vec4u(22u));
    return clamp(x + (low * (1.0 - x) + high * x + 4.0 * middle * x * (1.0 - x)) / 1024.0, vec4f(0.0), vec4f(1.0));
}

// Adds the values of a group at `inside` (0 .. 1) of a texel, times a weight. Channels of other groups stay as they are.
fn gstex_expanded_evaluate(m: GstexExpanded, view: u32, texel: vec2i, inside: vec2f, weight_of_all: f32,
                           value: ptr<function, GstexValue>) {
    let of_: vec4u = gstex_load4(view); let more: vec4u = gstex_load4(view + 3u); // tiles or texels, records, features, tiles in a row
    let tile: u32 = u32(texel.y >> more.x) * of_.w + u32(texel.x >> more.x);
    let tiles: u32 = m.at + of_.x;
    let features: u32 = m.at + of_.z;
    if (of_.y == 0u) { // texels
        gstex_expanded_add(tiles + tile * select(1u, 2u, m.channels > 8), m.channels, weight_of_all, value);
        return;
    }
    let scale: vec4f = gstex_expanded_floats(view + 1u); // of points, and of d
    let wider: vec4u = gstex_load4(view + 2u); // the filter of a shared mip, and where its bend is
    let blur: vec3f = bitcast<vec3f>(wider.xyz);
    let blurred: bool = wider.x != 0u; let bent: bool = wider.w != 0u;
    let ranges: u32 = m.at + more.y; let levels: u32 = ranges + 13u; var at: u32 = m.at + of_.y - 1u;
    let set_: vec4f = gstex_expanded_floats(ranges); // the background's weight, the most lean, the range of amplitudes
    var sum: f32 = set_.x; var least: f32 = 1e-4 * sum;
    // All distances are by the scale of d.x, which is applied to their squares.
    let aspect: f32 = scale.w / scale.z; let falloff: f32 = -scale.z * scale.z;
    var sums: GstexValue;
    let backgrounds: u32 = ranges + 1u;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { sums.v[i] = gstex_expanded_floats(backgrounds + u32(i)); }
    let point: vec2u = vec2u((vec2f(texel) + inside) * scale.xy + 0.5) << vec2u(12u);
    // Of two tiles: where the list of the first begins, and how many words it has. That of the second ends where the next begins.
    let first: u32 = 4u * tiles; let heads: u32 = first + (tile >> 1u); let head: u32 = gstex_expanded_word(heads);
    var list: u32 = first + (head & 0xFFFFFFu); var end: u32 = list + (head >> 24u);
    if ((tile & 1u) != 0u) {
        list = end;
        end = min(first + (gstex_expanded_word(heads + 1u) & 0xFFFFFFu), list + 255u);
    }
    for (; list < end; list++) {
        for (var word: u32 = gstex_expanded_word(list); word != 0u; word >>= 8u) {
            var jump: u32 = word & 255u;
            let fades: bool = jump > 127u;
            if (fades) {
                jump &= 127u;
                if (jump >= 64u) { // nothing stands here, but the next one is far
                    at += ((jump & 31u) + 1u) << u32(select(11, 5, jump < 96u));
                    continue;
                }
            }
            at += jump;
            let record: vec4u = gstex_load4(at);
            let position: vec2u = record.xy << vec2u(12u);
            let way: vec2i = vec2i(point - position); // a variable, or compilers may forget its sign
            var d: vec2f = vec2f(way);
            let kind: vec2f = unpack2x16snorm(record.z);
            let steep: vec2f = unpack2x16unorm(record.w);
            var fade: f32 = 1.0;
            if (fades) { fade = gstex_expanded_fade(gstex_expanded_floats(levels + ((record.y >> 20u) & 15u)), position, &d); }
            d.y *= aspect;
            let u: f32 = steep.x * d.x + kind.x * (set_.y * d.y);
            let v: f32 = steep.y * d.y;
            var distance2: f32 = u * u + v * v;
            if (blurred) {
                let steep2: vec2f = steep * steep; let d2: vec2f = d * d;
                let lean: f32 = set_.y * kind.x; let det: f32 = steep2.x * steep2.y;
                distance2 += det * (blur.y * d2.x + blur.x * d2.y);
                distance2 /= 1.0 + blur.x * steep2.x + blur.y * (lean * lean + steep2.y) + blur.z * det;
            }
            var weight: f32 = exp2(set_.z * kind.y + falloff * distance2);
            if (fades) { weight *= fade; }
            if (weight < least) { continue; }
            sum += weight;
            least = 1e-4 * sum;
            gstex_expanded_add(features + (((record.x >> 20u) << 8u) | (record.y >> 24u)), m.channels, weight, &sums);
        }
    }
    let share: vec4f = vec4f(1.0 / sum);
    let lowest: u32 = ranges + 5u; let steps: u32 = ranges + 9u; let bend: u32 = m.at + wider.w;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
        var x: vec4f = share * sums.v[i] * gstex_expanded_floats(steps + u32(i)) + gstex_expanded_floats(lowest + u32(i));
        x = clamp(x, vec4f(0.0), vec4f(1.0));
        if (bent) { x = gstex_expanded_bend(x, gstex_load4(bend + u32(i))); }
        (*value).v[i] += weight_of_all * x;
    }
}

// ---- From groups to a material, and sampling: as in gstex.glsl -----------------------------------------------------

fn gstex_expanded_constants(m: GstexExpanded) -> GstexValue {
    var value: GstexValue;
    let constants: u32 = m.at + 3u;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { value.v[i] = gstex_expanded_floats(constants + u32(i)); }
    return value;
}

// A texel up to one period beyond the border.
fn gstex_expanded_texel(m: GstexExpanded, p_in: vec2i, size: vec2i) -> vec2i {
    var p = p_in;
    if (m.repeat) { p = gstex_wrap(p, size); }
    return clamp(p, vec2i(0), size - 1);
}

// A mip at a point, all groups: one evaluation there, or four fetches filtered bilinearly.
fn gstex_expanded_point(m: GstexExpanded, mip: i32, uv: vec2f) -> GstexValue {
    var value: GstexValue = gstex_expanded_constants(m);
    let size: vec2i = max(m.size >> vec2u(u32(mip)), vec2i(1));
    for (var group: i32 = 0; group < m.groups; group++) {
        let view: u32 = gstex_expanded_view(m, group, mip);
        let bilinear: bool = m.bilinear || gstex_load4(view).y == 0u;
        let point: vec2f = vec2f(size) * select(clamp(uv, vec2f(0.0), vec2f(1.0)), fract(uv), m.repeat);
        let corner: vec2f = select(min(floor(point), vec2f(size - 1)), floor(point - 0.5), bilinear);
        let inside: vec2f = select(point - corner, vec2f(0.5), bilinear);
        let share: vec2f = select(vec2f(0), point - 0.5 - corner, bilinear);
        for (var n: i32 = 0; n < select(1, 4, bilinear); n++) {
            let at: vec2i = vec2i(n & 1, n >> 1u);
            let weight: vec2f = mix(1.0 - share, share, vec2f(at));
            let texel: vec2i = gstex_expanded_texel(m, vec2i(corner) + at, size);
            gstex_expanded_evaluate(m, view, texel, inside, weight.x * weight.y, &value);
        }
    }
    return value;
}

// The mean of some taps around uv, each between the two mips around lod. Mips and taps are blended as light.
fn gstex_expanded_taps(m: GstexExpanded, uv: vec2f, lod_in: f32, taps: i32, from_tap_to_tap: vec2f) -> GstexValue {
    var lod = lod_in;
    lod = clamp(lod, f32(m.first_mip), f32(m.mips - 1));
    let fine: i32 = i32(lod); let mips: i32 = select(1, 2, fract(lod) > 0.0);
    var sum: GstexValue;
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) { sum.v[i] = vec4f(0); }
    for (var n: i32 = 0; n < taps * mips; n++) {
        let coarse: i32 = n % mips;
        let at: vec2f = uv + (f32(n / mips) - 0.5 * f32(taps - 1)) * from_tap_to_tap;
        let one: GstexValue = gstex_expanded_point(m, fine + coarse, at);
        if (taps * mips == 1) { return one; } // as stored
        let share: f32 = select(1.0 - fract(lod), fract(lod), coarse == 1) / f32(taps);
        for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
            sum.v[i] += share * select(one.v[i], gstex_to_linear(one.v[i]), gstex_set(m.srgb, i));
        }
    }
    for (var i: i32 = 0; i < GSTEX_VEC4S; i++) {
        sum.v[i] = clamp(select(sum.v[i], gstex_to_srgb(sum.v[i]), gstex_set(m.srgb, i)), vec4f(0.0), vec4f(1.0));
    }
    return sum;
}

// ==== Functions to call =============================================================================================
// They mean what those without `expanded` of gstex.glsl mean. base: the first word of the expanded form.

fn gstex_expanded_fetch(base: u32, texel: vec2i, mip: i32) -> GstexValue {
    let m: GstexExpanded = gstex_expanded_material(base);
    var value: GstexValue = gstex_expanded_constants(m);
    let of_: i32 = clamp(mip, m.first_mip, m.mips - 1);
    let inside: vec2i = gstex_expanded_texel(m, texel, max(m.size >> vec2u(u32(of_)), vec2i(1)));
    for (var group: i32 = 0; group < m.groups; group++) {
        gstex_expanded_evaluate(m, gstex_expanded_view(m, group, of_), inside, vec2f(0.5), 1.0, &value);
    }
    return value;
}

fn gstex_expanded_sample(base: u32, uv: vec2f, lod: f32) -> GstexValue {
    return gstex_expanded_taps(gstex_expanded_material(base), uv, lod, 1, vec2f(0));
}

fn gstex_expanded_sample_grad(base: u32, uv: vec2f, dx: vec2f, dy: vec2f) -> GstexValue {
    let m: GstexExpanded = gstex_expanded_material(base);
    let f: GstexFootprint = gstex_footprint(vec2f(m.size), dx, dy);
    return gstex_expanded_taps(m, uv, f.lod, f.taps, f.from_tap_to_tap);
}

fn gstex_expanded_sample_stochastic(base: u32, uv: vec2f, dx: vec2f, dy: vec2f, noise: f32) -> GstexValue {
    let m: GstexExpanded = gstex_expanded_material(base);
    let tap: vec3f = gstex_choose_tap(gstex_footprint(vec2f(m.size), dx, dy), m.first_mip, m.mips, noise);
    return gstex_expanded_taps(m, uv + tap.xy, tap.z, 1, vec2f(0));
}
