// Decodes a mip as shaders/decode.comp does and counts: words loaded, Gaussians looked at, Gaussians added, cells looked
// up alone. The counts show as well how GSTEX_LOAD is replaced. tools/glsl_cost.py puts the other counters into the
// decoder.
layout(local_size_x = 8, local_size_y = 8) in;

layout(std430, binding = 0) readonly buffer Words { uint words[]; };
layout(rgba32ui, binding = 0) uniform writeonly highp uimage2D counts;
uniform uint base;
uniform int mip;

uint loads = 0u, added = 0u, looked_up = 0u;
uint load_and_count(int i) { ++loads; return words[i]; }
#define GSTEX_LOAD(i) load_and_count(i)
#include "gstex.glsl"

void main() {
    ivec2 texel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(texel, imageSize(counts)))) return;
    gstex_fetch(base, texel, mip);
    uvec3 counted = uvec3(loads, added, looked_up); // before gstex_candidates counts too
    imageStore(counts, texel, uvec4(counted.x, gstex_candidates(base, texel, mip), counted.yz));
}
