// Follows gstex.wgsl and gstex_expanded.wgsl: the surface of a point of a material that is read packed, or expanded.

@group(0) @binding(1) var<storage, read> points: array<vec4f>; // two a call: u, v, lod, and 1 for the expanded form; not used
@group(0) @binding(2) var<storage, read_write> found: array<f32>; // 16 a call
@group(0) @binding(3) var<storage, read> arguments: array<u32>; // base of the packed words, how many points

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if (i >= arguments[1]) { return; }
    let base = arguments[0];
    let p = points[2u * i];
    var value: GstexValue;
    if (p.w > 0.5) { value = gstex_expanded_sample(0u, p.xy, p.z); } else { value = gstex_sample(base, p.xy, p.z); }
    let at = gstex_find_channels(base);
    let s = gstex_surface_of(value, at, gstex_find_units(base, at));
    value.v[0] = vec4f(s.albedo, s.roughness);
    value.v[1] = vec4f(s.emissive, s.metallic);
    value.v[2] = vec4f(s.normal, s.ao);
    value.v[3] = vec4f(s.opacity, s.height, 0, 0);
    for (var c = 0; c < 4 * GSTEX_VEC4S; c++) { found[16u * i + u32(c)] = value.v[c / 4][c % 4]; }
}
