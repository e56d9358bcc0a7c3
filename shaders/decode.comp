// Decodes a whole mip into the layers of an image, four channels a layer: what an engine would run to keep
// decoded textures, and what the tests compare with the reference.

layout(local_size_x = 8, local_size_y = 8) in;

#include "gstex.glsl"

layout(rgba32f, binding = 0) uniform writeonly highp image2DArray texels;
uniform uint base;
uniform int mip;

void main()
{
    ivec2 texel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(texel, imageSize(texels).xy))) return;
    GstexValue value = gstex_fetch(base, texel, mip);
    for (int i = 0; i < GSTEX_VEC4S; ++i) imageStore(texels, ivec3(texel, i), value.v[i]);
}
