#version 430 core
// Ordinary textures: nothing here knows where they come from. Light as in quad.frag.

layout(binding = 0) uniform sampler2D albedo;   // sRGB; its alpha is the opacity
layout(binding = 1) uniform sampler2D normal;   // X and Y, Y up in the picture
layout(binding = 2) uniform sampler2D orm;      // ao, roughness, metallic
layout(binding = 3) uniform sampler2D emissive;
in vec2 uv;
out vec4 color;

const vec3 to_lamp = vec3(-0.4735, 0.5208, 0.7103); // of length 1
const float ambient = 0.25;

void main() {
    vec2 xy = texture(normal, uv).xy * 2.0 - 1.0;
    vec3 up = vec3(xy, sqrt(max(1.0 - dot(xy, xy), 0.0)));
    float light = ambient * texture(orm, uv).r + max(dot(up, to_lamp), 0.0);
    vec3 seen = clamp(texture(albedo, uv).rgb * light + texture(emissive, uv).rgb, 0.0, 1.0);
    color = vec4(mix(1.055 * pow(seen, vec3(1.0 / 2.4)) - 0.055, 12.92 * seen, lessThanEqual(seen, vec3(0.0031308))), 1.0);
}
