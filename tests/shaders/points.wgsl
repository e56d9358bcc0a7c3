// Follows gstex.wgsl: calls one of its functions for each of some points. The test puts a number for CALL.

@group(0) @binding(1) var<storage, read> points: array<vec4f>; // two a call: x, y, mip or lod; steps dx and dy
@group(0) @binding(2) var<storage, read_write> found: array<f32>; // 16 a call
@group(0) @binding(3) var<storage, read> arguments: array<u32>; // base, how many points

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if (i >= arguments[1]) { return; }
    let base = arguments[0];
    let p = points[2u * i];
    let steps = points[2u * i + 1u];
    var value: GstexValue;
    switch (CALL) {
        case 0u: { value = gstex_fetch(base, vec2i(p.xy), i32(p.z)); }
        case 1u: { value = gstex_sample(base, p.xy, p.z); }
        case 2u: { value = gstex_sample_bilinear(base, p.xy, p.z); }
        case 3u: { value = gstex_sample_grad(base, p.xy, steps.xy, steps.zw); }
        case 4u: { value.v[0].x = f32(gstex_candidates(base, vec2i(p.xy), i32(p.z))); }
        default: {
            let s = gstex_surface(base, gstex_sample(base, p.xy, p.z), gstex_find_channels(base));
            value.v[0] = vec4f(s.albedo, s.roughness);
            value.v[min(1, GSTEX_VEC4S - 1)] = vec4f(s.emissive, s.metallic); // the options may be smaller for other calls
            value.v[min(2, GSTEX_VEC4S - 1)] = vec4f(s.normal, s.ao);
            value.v[min(3, GSTEX_VEC4S - 1)] = vec4f(s.opacity, s.height, 0, 0);
        }
    }
    for (var c = 0; c < 4 * GSTEX_VEC4S; c++) { found[16u * i + u32(c)] = value.v[c / 4][c % 4]; }
}
