// The surface that a stack describes, one pixel per texel, for the comparison with gstex.shading. Which channels hold what
// is found in the header, or given; and in which units.
#include "gstex.glsl"

uniform uint base;
#ifndef FIND_CHANNELS
uniform GstexChannels channels;
#endif
#ifdef GIVEN_UNITS
uniform GstexUnits units;
#endif

layout(location = 0) out highp uvec4 albedo_roughness;
layout(location = 1) out highp uvec4 normal_metallic;
layout(location = 2) out highp uvec4 emissive_ao;
layout(location = 3) out highp uvec4 opacity;

void main() {
#ifdef FIND_CHANNELS
    GstexChannels channels = gstex_find_channels(base);
#endif
    GstexValue value = gstex_fetch(base, ivec2(gl_FragCoord.xy), 0);
#ifdef GIVEN_UNITS
    GstexSurface surface = gstex_surface_of(value, channels, units);
#else
    GstexSurface surface = gstex_surface(base, value, channels);
#endif
    albedo_roughness = floatBitsToUint(vec4(surface.albedo, surface.roughness));
    normal_metallic = floatBitsToUint(vec4(surface.normal, surface.metallic));
    emissive_ao = floatBitsToUint(vec4(surface.emissive, surface.ao));
    opacity = floatBitsToUint(vec4(surface.opacity, surface.height, 0, 0));
}
