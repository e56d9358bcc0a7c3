// After gstex.glsl. A lamp and some light from everywhere on the surface; the tangent's +X goes with u, +Y against v.

layout(std140, binding = 0) uniform Material { GstexChannels channels; }; // gstex_channels of gstex.h, as it is
uniform uint base;
in vec2 uv;
out vec4 color;

const vec3 to_lamp = vec3(-0.4735, 0.5208, 0.7103); // of length 1
const float ambient = 0.25;

void main() {
    GstexValue value = gstex_sample_grad(base, uv, dFdx(uv), dFdy(uv));
    GstexSurface surface = gstex_surface(base, value, channels);
    float light = ambient * surface.ao + max(dot(surface.normal, to_lamp), 0.0);
    color = gstex_to_srgb(vec4(surface.albedo * light + surface.emissive, 1.0));
}
