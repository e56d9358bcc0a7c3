// Follows gstex.hlsl: calls one of its functions for each of some points: CALL says which.

StructuredBuffer<float4> points : register(t1);  // two a call: x, y, mip or lod; steps dx and dy
RWStructuredBuffer<float> found : register(u2);  // 16 a call
StructuredBuffer<uint> arguments : register(t3); // base, how many points

[numthreads(64, 1, 1)]
void main(uint3 id : SV_DispatchThreadID)
{
    uint i = id.x;
    if (i >= arguments[1]) return;
    uint base = arguments[0];
    float4 p = points[2 * i], steps = points[2 * i + 1];
    GstexValue value = (GstexValue)0;
#if CALL == 0
    value = gstex_fetch(base, int2(p.xy), int(p.z));
#elif CALL == 1
    value = gstex_sample(base, p.xy, p.z);
#elif CALL == 2
    value = gstex_sample_bilinear(base, p.xy, p.z);
#elif CALL == 3
    value = gstex_sample_grad(base, p.xy, steps.xy, steps.zw);
#elif CALL == 4
    value.v[0].x = float(gstex_candidates(base, int2(p.xy), int(p.z)));
#else
    GstexSurface s = gstex_surface(base, gstex_sample(base, p.xy, p.z), gstex_find_channels(base));
    value.v[0] = float4(s.albedo, s.roughness);
    value.v[1] = float4(s.emissive, s.metallic);
    value.v[2] = float4(s.normal, s.ao);
    value.v[3] = float4(s.opacity, s.height, 0, 0);
#endif
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
