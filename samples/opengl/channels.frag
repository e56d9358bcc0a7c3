// Every decoded channel, as a shader that draws a material gets it.

#include "gstex.glsl"

uniform uint base;              // offset of the material in the buffer, in 32-bit words
in vec2 uv;                     // (0, 0) is the top left corner
layout(location = 0) out vec4 channels[GSTEX_VEC4S];

void main() {
    GstexValue value = gstex_sample_grad(base, uv, dFdx(uv), dFdy(uv));
    for (int i = 0; i < GSTEX_VEC4S; ++i) channels[i] = value.v[i];
}
