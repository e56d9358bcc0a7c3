// Decodes a mip of the expanded form and counts; the counters are those of COUNTERS in tools/expanded_cost.py, which puts
// what counts into the decoder.
layout(local_size_x = 8, local_size_y = 8) in;

layout(std430, binding = 0) readonly buffer Words { uvec4 words[]; };
layout(rgba32ui, binding = 0) uniform writeonly highp uimage2D counts;
uniform uint base;
uniform int mip;

uint loads = 0u, words_of_lists = 0u, listed = 0u, filtered = 0u, faded = 0u, turned = 0u, added = 0u, far = 0u;
uvec4 load_and_count(uint i) { ++loads; return words[i]; }
#define GSTEX_LOAD4(i) load_and_count(i)
uint gstex_expanded_word(uint i);
uint count_word(uint i) { ++words_of_lists; return gstex_expanded_word(i); }
#include "gstex_expanded.glsl"

void main() {
    ivec2 texel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(texel, imageSize(counts)))) return;
    gstex_expanded_fetch(base, texel, mip);
    imageStore(counts, texel, uvec4(loads, listed, faded, added) | uvec4(words_of_lists, filtered, turned, far) << 16);
}
