// Encodes blocks whose texels are given, one invocation a block.
layout(local_size_x = 32) in;

layout(std430, binding = 1) readonly buffer Texels { uint texels[]; };
layout(std430, binding = 2) writeonly buffer Blocks { uint blocks[]; };
uniform uint format;
uniform int count;

#define GSTEX_TEXEL(at, i) texels[16 * (at) + (i)]
#include "bc.glsl"
#include "bc7.glsl"

void main() {
    int number = int(gl_GlobalInvocationID.x);
    if (number >= count) return;
    GstexBlock block = gstex_bc_block(number, format);
    for (int i = 0; i < 4; ++i) blocks[4 * number + i] = block.word[i];
}
