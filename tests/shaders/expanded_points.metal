// Follows gstex_expanded.metal: calls one of its functions for each of some points.

// points: two a call: x, y, mip or lod, noise; steps dx and dy. found: 16 a call. arguments: base, how many points, what to
// call.
kernel void call_points(device const uint *words [[buffer(0)]], device const float4 *points [[buffer(1)]],
                        device float *found [[buffer(2)]], device const uint *arguments [[buffer(3)]],
                        uint i [[thread_position_in_grid]])
{
    if (i >= arguments[1]) return;
    GstexExpandedContext gstex;
    gstex.words = (device const uint4 *)words;
    uint base = arguments[0], call = arguments[2];
    float4 p = points[2 * i], steps = points[2 * i + 1];
    GstexValue value;
    if (call == 0)
        value = gstex_expanded_fetch(gstex, base, int2(p.xy), int(p.z));
    else if (call == 1)
        value = gstex_expanded_sample(gstex, base, p.xy, p.z);
    else if (call == 3)
        value = gstex_expanded_sample_grad(gstex, base, p.xy, steps.xy, steps.zw);
    else
        value = gstex_expanded_sample_stochastic(gstex, base, p.xy, steps.xy, steps.zw, p.w);
    for (int c = 0; c < 4 * GSTEX_VEC4S; ++c) found[16 * i + c] = value.v[c / 4][c % 4];
}
