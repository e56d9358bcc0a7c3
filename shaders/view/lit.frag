// The material on a sphere or a plane, by rays: a pixel meets the surface exactly, and its footprint is known.

#include "gstex.glsl"
#include "view/common.glsl"
#include "view/stack.glsl"
#include "view/sampling.glsl"
#include "view/shading.glsl"

uniform sampler2DArray other;
uniform vec2 picture_size; // pixels
uniform float split;       // pixel of the line, negative: none
uniform vec3 eye;
uniform vec3 camera[3];    // right, up, forward
uniform float tan_half;    // of half the field of view across the height
uniform bool is_sphere;
uniform float aspect;      // height of the texture over its width
uniform vec2 tiles;        // copies across and down

out vec4 color;

const float PI = 3.14159265;

vec3 ray(vec2 pixel) {
    vec2 at = (pixel - 0.5 * picture_size) / (0.5 * picture_size.y) * tan_half;
    return normalize(camera[2] + camera[0] * at.x + camera[1] * at.y);
}

// Where a ray meets the plane through `point` with this normal, from that point.
vec3 beside(vec3 direction, vec3 point, vec3 normal) {
    float facing = dot(direction, normal);
    facing = abs(facing) < 1e-3 ? (facing < 0.0 ? -1e-3 : 1e-3) : facing;
    return eye + direction * (dot(point - eye, normal) / facing) - point;
}

vec3 background(vec2 pixel) {
    return vec3(mix(0.11, 0.17, pixel.y / picture_size.y));
}

void main() {
    vec2 pixel = gl_FragCoord.xy;
    vec3 direction = ray(pixel);
    vec3 behind = background(pixel);
    float coverage = 1.0;
    vec3 point, normal, east, north;
    vec2 uv, per_length; // of uv, along east and north

    if (is_sphere) {
        float closest = -dot(eye, direction);
        vec3 foot = eye + direction * closest;
        float miss = length(foot);
        float pixel_width = closest * 2.0 * tan_half / picture_size.y;
        coverage = clamp((1.0 - miss) / pixel_width + 0.5, 0.0, 1.0);
        if (coverage <= 0.0 || closest <= 0.0) {
            color = vec4(behind, 1.0);
            return;
        }
        point = miss < 1.0 ? eye + direction * (closest - sqrt(1.0 - miss * miss)) : foot / miss;
        normal = normalize(point);
        float around = max(length(normal.xz), 1e-3);
        east = vec3(normal.z, 0.0, -normal.x) / around;
        north = cross(normal, east);
        uv = tiles * vec2(0.5 + atan(normal.x, normal.z) / PI, 0.5 - asin(clamp(normal.y, -1.0, 1.0)) / PI);
        per_length = tiles / PI * vec2(1.0 / around, -1.0);
    } else {
        float away = -eye.z / direction.z;
        point = eye + direction * away;
        vec2 half_size = vec2(1.0, aspect);
        if (!(away > 0.0) || any(greaterThan(abs(point.xy), half_size))) {
            color = vec4(behind, 1.0);
            return;
        }
        normal = vec3(0.0, 0.0, 1.0);
        east = vec3(1.0, 0.0, 0.0);
        north = vec3(0.0, 1.0, 0.0);
        uv = tiles * (0.5 + 0.5 * point.xy * vec2(1.0, -1.0) / half_size);
        per_length = tiles * 0.5 * vec2(1.0, -1.0) / half_size;
    }
    vec3 right = beside(ray(pixel + vec2(1.0, 0.0)), point, normal);
    vec3 down = beside(ray(pixel - vec2(0.0, 1.0)), point, normal);
    vec2 dx = vec2(dot(right, east), dot(right, north)) * per_length;
    vec2 dy = vec2(dot(down, east), dot(down, north)) * per_length;
    float lod = log2(max(max(length(dx * texture_size), length(dy * texture_size)), 1e-6));
    lod = clamp(lod, 0.0, float(mip_count - 1));
    if (!wraps) uv = fract(uv);

    GstexValue value;
    if (split >= 0.0 && pixel.x >= split) value = read_stack(other, uv, lod, dx, dy);
    else value = read_file(uv, lod, dx, dy);
    Surface surface = read_surface(value);
    vec3 n = surface.normal.x * east + surface.normal.y * north + surface.normal.z * normal;
    if (!is_sphere && eye.z < 0.0) n.z = -n.z; // the back of the plane
    vec3 light = shade(surface, n, normalize(eye - point));
    ivec2 square = ivec2(floor(pixel / 16.0));
    vec3 checker = vec3(((square.x + square.y) & 1) == 0 ? 0.12 : 0.28);
    vec3 picture = tone_map(mix(checker, light, surface.opacity));
    color = vec4(mix(behind, picture, coverage), 1.0);
    float apart = split >= 0.0 ? abs(pixel.x - split) : 9.0;
    if (apart < 1.0) color = vec4(1.0);
    else if (apart < 2.0) color = vec4(0.0, 0.0, 0.0, 1.0);
}
