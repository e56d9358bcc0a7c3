// Decodes a mip of the expanded form and counts: words of 16 bytes loaded, Gaussians listed, those of them with a fade, and
// those added. tools/expanded_cost.py puts the last three counters into the decoder.
layout(local_size_x = 8, local_size_y = 8) in;

layout(std430, binding = 0) readonly buffer Words { uvec4 words[]; };
layout(rgba32ui, binding = 0) uniform writeonly highp uimage2D counts;
uniform uint base;
uniform int mip;

uint loads = 0u, listed = 0u, faded = 0u, added = 0u;
uvec4 load_and_count(uint i) { ++loads; return words[i]; }
#define GSTEX_LOAD4(i) load_and_count(i)
#include "gstex_expanded.glsl"

void main() {
    ivec2 texel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(texel, imageSize(counts)))) return;
    gstex_expanded_fetch(base, texel, mip);
    imageStore(counts, texel, uvec4(loads, listed, faded, added));
}
