// Follows gstex.hlsl and gstex_expanded.hlsl: the surface of a point of a material that is read packed, or expanded.

StructuredBuffer<float4> points : register(t1);  // two a call: u, v, lod, and 1 for the expanded form; not used
RWStructuredBuffer<float> found : register(u2);  // 16 a call
StructuredBuffer<uint> arguments : register(t3); // base of the packed words, how many points

[numthreads(64, 1, 1)]
void main(uint3 id : SV_DispatchThreadID)
{
    uint i = id.x;
    if (i >= arguments[1]) return;
    uint base = arguments[0];
    float4 p = points[2 * i];
    GstexValue value = (GstexValue)0;
    if (p.w > 0.5) value = gstex_expanded_sample(0, p.xy, p.z);
    else value = gstex_sample(base, p.xy, p.z);
    GstexChannels at = gstex_find_channels(base);
    GstexSurface s = gstex_surface_of(value, at, gstex_find_units(base, at));
    value.v[0] = float4(s.albedo, s.roughness);
    value.v[1] = float4(s.emissive, s.metallic);
    value.v[2] = float4(s.normal, s.ao);
    value.v[3] = float4(s.opacity, s.height, 0, 0);
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
