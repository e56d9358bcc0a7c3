// Follows gstex_expanded.hlsl: calls one of its functions for each of some points: CALL says which.

StructuredBuffer<float4> points : register(t1);  // two a call: x, y, mip or lod, noise; steps dx and dy
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
    value = gstex_expanded_fetch(base, int2(p.xy), int(p.z));
#elif CALL == 1
    value = gstex_expanded_sample(base, p.xy, p.z);
#elif CALL == 3
    value = gstex_expanded_sample_grad(base, p.xy, steps.xy, steps.zw);
#else
    value = gstex_expanded_sample_stochastic(base, p.xy, steps.xy, steps.zw, p.w);
#endif
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
