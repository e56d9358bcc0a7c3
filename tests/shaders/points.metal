// Follows gstex.metal: calls one of its functions for each of some points.

// points: two a call: x, y, mip or lod; steps dx and dy. found: 16 a call. arguments: base, how many points, what to call.
kernel void call_points(device const uint *words [[buffer(0)]], device const float4 *points [[buffer(1)]],
                        device float *found [[buffer(2)]], device const uint *arguments [[buffer(3)]],
                        uint i [[thread_position_in_grid]])
{
    if (i >= arguments[1]) return;
    GstexContext gstex;
    gstex.words = words;
    uint base = arguments[0], call = arguments[2];
    float4 p = points[2 * i], steps = points[2 * i + 1];
    GstexValue value;
    for (int k = 0; k < GSTEX_VEC4S; ++k) value.v[k] = float4(0);
    if (call == 0)
        value = gstex_fetch(gstex, base, int2(p.xy), int(p.z));
    else if (call == 1)
        value = gstex_sample(gstex, base, p.xy, p.z);
    else if (call == 2)
        value = gstex_sample_bilinear(gstex, base, p.xy, p.z);
    else if (call == 3)
        value = gstex_sample_grad(gstex, base, p.xy, steps.xy, steps.zw);
    else if (call == 4)
        value.v[0].x = float(gstex_candidates(gstex, base, int2(p.xy), int(p.z)));
#if GSTEX_VEC4S == 4
    else {
        GstexSurface s = gstex_surface(gstex, base, gstex_sample(gstex, base, p.xy, p.z),
                                       gstex_find_channels(gstex, base));
        value.v[0] = float4(s.albedo, s.roughness);
        value.v[1] = float4(s.emissive, s.metallic);
        value.v[2] = float4(s.normal, s.ao);
        value.v[3] = float4(s.opacity, s.height, 0, 0);
    }
#endif
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
