// Follows gstex.metal and gstex_expanded.metal: the surface of a point of a material that is read packed, or expanded. The
// words of both forms are in one buffer; the expanded ones begin at word 0.

// points: two a call: u, v, lod, and 1 for the expanded form; not used. found: 16 a call. arguments: base of the packed words,
// how many points.
kernel void call_points(device const uint *words [[buffer(0)]], device const float4 *points [[buffer(1)]],
                        device float *found [[buffer(2)]], device const uint *arguments [[buffer(3)]],
                        uint i [[thread_position_in_grid]])
{
    if (i >= arguments[1]) return;
    GstexContext packed;
    packed.words = words;
    GstexExpandedContext expanded;
    expanded.words = (device const uint4 *)words;
    uint base = arguments[0];
    float4 p = points[2 * i];
    GstexValue value = p.w > 0.5f ? gstex_expanded_sample(expanded, 0, p.xy, p.z) : gstex_sample(packed, base, p.xy, p.z);
    GstexChannels at = gstex_find_channels(packed, base);
    GstexSurface s = gstex_surface_of(value, at, gstex_find_units(packed, base, at));
    value.v[0] = float4(s.albedo, s.roughness);
    value.v[1] = float4(s.emissive, s.metallic);
    value.v[2] = float4(s.normal, s.ao);
    value.v[3] = float4(s.opacity, s.height, 0, 0);
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
