// Reads one material packed and another one expanded; a uniform says which. The test puts a line for the includes, in
// either order.
INCLUDES

uniform uint base;
uniform uint expanded_base;
uniform bool expanded; // which of the two
uniform int mip;
uniform GstexChannels channels; // of the expanded one
uniform GstexUnits units;

layout(location = 0) out highp uvec4 target_0;
layout(location = 1) out highp uvec4 target_1;
layout(location = 2) out highp uvec4 target_2;
layout(location = 3) out highp uvec4 target_3;

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy);
    GstexValue value;
    if (expanded) value = gstex_expanded_fetch(expanded_base, texel, mip);
    else value = gstex_fetch(base, texel, mip);
#ifdef SURFACES
    GstexSurface surface;
    if (expanded) surface = gstex_surface_of(value, channels, units);
    else surface = gstex_surface(base, value, gstex_find_channels(base));
    value.v[0] = vec4(surface.albedo, surface.roughness);
    value.v[1] = vec4(surface.normal, surface.metallic);
    value.v[2] = vec4(surface.emissive, surface.ao);
    value.v[3] = vec4(surface.opacity, surface.height, 0, 0);
#endif
    target_0 = floatBitsToUint(value.v[0]);
    target_1 = floatBitsToUint(value.v[1]);
    target_2 = floatBitsToUint(value.v[2]);
    target_3 = floatBitsToUint(value.v[3]);
}
