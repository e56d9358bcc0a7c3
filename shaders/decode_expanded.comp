// Decodes a whole mip of the expanded form into the layers of an image, as decode.comp does for the packed form.

layout(local_size_x = 8, local_size_y = 8) in;

#include "gstex_expanded.glsl"

layout(rgba32f, binding = 0) uniform writeonly highp image2DArray texels;
uniform uint base;
uniform int mip;

void main()
{
    ivec2 texel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(texel, imageSize(texels).xy))) return;
    GstexValue value = gstex_expanded_fetch(base, texel, mip);
    for (int i = 0; i < GSTEX_VEC4S; ++i) imageStore(texels, ivec3(texel, i), value.v[i]);
}
