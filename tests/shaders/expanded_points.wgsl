// Follows gstex_expanded.wgsl: calls one of its functions for each of some points. The test puts a number for CALL.

@group(0) @binding(1) var<storage, read> points: array<vec4f>; // two a call: x, y, mip or lod, noise; steps dx and dy
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
        case 0u: { value = gstex_expanded_fetch(base, vec2i(p.xy), i32(p.z)); }
        case 1u: { value = gstex_expanded_sample(base, p.xy, p.z); }
        case 3u: { value = gstex_expanded_sample_grad(base, p.xy, steps.xy, steps.zw); }
        default: { value = gstex_expanded_sample_stochastic(base, p.xy, steps.xy, steps.zw, p.w); }
    }
    for (var c = 0; c < 4 * GSTEX_VEC4S; c++) { found[16u * i + u32(c)] = value.v[c / 4][c % 4]; }
}
