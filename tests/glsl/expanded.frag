// points.frag for the expanded form.
#include "gstex_expanded.glsl"

uniform highp sampler2D point_texels; // u, v, lod, 0; for a fetch column, row, mip, 0
uniform highp sampler2D step_texels;  // dx, dy
uniform uint base;

layout(location = 0) out highp uvec4 channels_0;
layout(location = 1) out highp uvec4 channels_1;
layout(location = 2) out highp uvec4 channels_2;
layout(location = 3) out highp uvec4 channels_3;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec4 at = texelFetch(point_texels, pixel, 0);
#if defined(CALL_FETCH)
    GstexValue value = gstex_expanded_fetch(base, ivec2(at.xy), int(at.z));
#elif defined(CALL_GRAD)
    vec4 steps = texelFetch(step_texels, pixel, 0);
    GstexValue value = gstex_expanded_sample_grad(base, at.xy, steps.xy, steps.zw);
#elif defined(CALL_STOCHASTIC) // at.z: noise
    vec4 steps = texelFetch(step_texels, pixel, 0);
    GstexValue value = gstex_expanded_sample_stochastic(base, at.xy, steps.xy, steps.zw, at.z);
#else
    GstexValue value = gstex_expanded_sample(base, at.xy, at.z);
#endif
    channels_0 = floatBitsToUint(value.v[0]);
    channels_1 = channels_2 = channels_3 = uvec4(0);
#if GSTEX_VEC4S > 1
    channels_1 = floatBitsToUint(value.v[1]);
#endif
#if GSTEX_VEC4S > 2
    channels_2 = floatBitsToUint(value.v[2]);
#endif
#if GSTEX_VEC4S > 3
    channels_3 = floatBitsToUint(value.v[3]);
#endif
}
