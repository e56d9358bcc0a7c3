// The material on a sphere, a cube or a plane, by rays: a pixel meets the surface, and its footprint is known. With MESH
// on triangles, which mesh.frag has drawn.

#include "gstex.glsl"
#include "view/common.glsl"
#include "view/stack.glsl"
#include "view/sampling.glsl"
#include "view/shading.glsl"

uniform sampler2DArray other;
uniform vec2 picture_size; // pixels
uniform float split;       // pixel from which on 'other' is shown
uniform bool has_other;
uniform float line;        // pixel of the line, far outside: none
uniform vec3 eye;
uniform vec3 camera[3];    // right, up, forward
uniform float tan_half;    // of half the field of view across the height
uniform int shape;         // SHAPE_SPHERE, SHAPE_CUBE or SHAPE_PLANE
uniform float rounding;    // radius of the edges of the cube
uniform float aspect;      // height of the texture over its width
uniform vec2 tiles;        // copies across and down
#if MESH
uniform usampler2D mesh_surface; // 2x2 for a pixel, see mesh.frag; distance 0 where there is nothing
uniform usampler2D mesh_footprint;
#endif

out vec4 color;

const float PI = 3.14159265;
const float CUBE = 0.62;   // half a side

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
    if (has_environment) return tone_map(0.7 * environment_light(ray(pixel), 0.6 * environment_last));
    return vec3(mix(0.11, 0.17, pixel.y / picture_size.y));
}

vec3 beyond_core(vec3 point) {
    return abs(point) - (CUBE - rounding);
}

float cube_distance(vec3 point) {
    vec3 q = beyond_core(point);
    return length(max(q, 0.0)) + min(max(q.x, max(q.y, q.z)), 0.0) - rounding;
}

// How far along a ray the cube is; `miss` is how far the ray passes it by, in widths of a pixel, 0 if it meets it.
float cube_away(vec3 direction, out float miss) {
    float middle = -dot(eye, direction), reach = CUBE * 1.7321;
    float height = dot(eye, eye) - middle * middle;
    miss = 1.0;
    if (height > reach * reach) return 0.0;
    float start = max(middle - sqrt(reach * reach - height), 0.0), end = middle + sqrt(reach * reach - height);
    float away = start, nearest = start;
    for (int i = 0; i < 96 && away < end; ++i) {
        float gap = cube_distance(eye + direction * away);
        float pixels = gap / (away * 2.0 * tan_half / picture_size.y);
        if (pixels < miss) {
            miss = max(pixels, 0.0);
            nearest = away;
        }
        if (pixels < 0.02) {
            miss = 0.0;
            break;
        }
        away += gap;
    }
    return nearest;
}

#if MESH
vec3 unpacked_direction(uint word) {
    vec2 folded = unpackSnorm2x16(word);
    vec3 way = vec3(folded, 1.0 - abs(folded.x) - abs(folded.y));
    if (way.z < 0.0) way.xy = (1.0 - abs(folded.yx)) * vec2(folded.x < 0.0 ? -1.0 : 1.0, folded.y < 0.0 ? -1.0 : 1.0);
    return normalize(way);
}
#endif

vec3 lit_pixel(vec2 pixel) {
    vec3 direction = ray(pixel);
    vec3 behind = background(pixel);
    float coverage = 1.0;
    vec3 point, normal, east, north;
    vec2 uv, per_length; // of uv, along east and north
    vec2 dx, dy;

#if MESH
    ivec2 quarter = ivec2(-1);
    int covered = 0;
    for (int n = 0; n < 4; ++n) {
        ivec2 here = 2 * ivec2(pixel) + ivec2(n & 1, n >> 1);
        if (texelFetch(mesh_surface, here, 0).z == 0u) continue;
        quarter = here;
        covered++;
    }
    if (covered == 0) return behind;
    coverage = float(covered) / 4.0;
    uvec4 surface_word = texelFetch(mesh_surface, quarter, 0), footprint = texelFetch(mesh_footprint, quarter, 0);
    uv = uintBitsToFloat(surface_word.xy);
    point = eye + ray(0.5 * vec2(quarter) + 0.25) * uintBitsToFloat(surface_word.z);
    normal = unpacked_direction(surface_word.w);
    east = unpacked_direction(footprint.z);
    north = cross(normal, east) * (footprint.w == 1u ? -1.0 : 1.0);
    dx = unpackHalf2x16(footprint.x) / texture_size;
    dy = unpackHalf2x16(footprint.y) / texture_size;
    vec2 off = 0.5 * vec2(quarter) + 0.25 - pixel;
    if (covered == 4) uv -= off.x * dx - off.y * dy; // the middle of the pixel
#else
    if (shape == SHAPE_CUBE) {
        float miss, away = cube_away(direction, miss);
        coverage = clamp(1.0 - miss, 0.0, 1.0);
        if (coverage <= 0.0) {
            return behind;
        }
        point = eye + direction * away;
        vec3 side = sign(point), q = max(beyond_core(point), 1e-5), size = abs(point);
        normal = side * normalize(q);
        vec3 along, upward; // of the side of the cube
        if (size.x >= size.y && size.x >= size.z) {
            along = vec3(0.0, 0.0, -side.x);
            upward = vec3(0.0, 1.0, 0.0);
        } else if (size.y >= size.z) {
            along = vec3(1.0, 0.0, 0.0);
            upward = vec3(0.0, 0.0, -side.y);
        } else {
            along = vec3(side.z, 0.0, 0.0);
            upward = vec3(0.0, 1.0, 0.0);
        }
        east = normalize(along - normal * dot(along, normal));
        north = cross(normal, east);
        per_length = tiles * 0.5 / CUBE * vec2(1.0, -1.0);
        uv = tiles * 0.5 + vec2(dot(point, along), dot(point, upward)) * per_length;
        per_length /= max(vec2(dot(along, east), dot(upward, north)), 0.3); // a rounded edge is seen from aside
    } else if (shape == SHAPE_SPHERE) {
        float closest = -dot(eye, direction);
        vec3 foot = eye + direction * closest;
        float miss = length(foot);
        float pixel_width = closest * 2.0 * tan_half / picture_size.y;
        coverage = clamp((1.0 - miss) / pixel_width + 0.5, 0.0, 1.0);
        if (coverage <= 0.0 || closest <= 0.0) {
            return behind;
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
            return behind;
        }
        normal = vec3(0.0, 0.0, 1.0);
        east = vec3(1.0, 0.0, 0.0);
        north = vec3(0.0, 1.0, 0.0);
        uv = tiles * (0.5 + 0.5 * point.xy * vec2(1.0, -1.0) / half_size);
        per_length = tiles * 0.5 * vec2(1.0, -1.0) / half_size;
    }
    vec3 right = beside(ray(pixel + vec2(1.0, 0.0)), point, normal);
    vec3 down = beside(ray(pixel - vec2(0.0, 1.0)), point, normal);
    dx = vec2(dot(right, east), dot(right, north)) * per_length;
    dy = vec2(dot(down, east), dot(down, north)) * per_length;
#endif
    float lod = log2(max(max(length(dx * texture_size), length(dy * texture_size)), 1e-6));
    lod = clamp(lod, 0.0, float(mip_count - 1));
    if (!wraps) uv = fract(uv);

    GstexValue value;
    if (pixel.x >= split && !has_other) {
        return mix(behind, vec3(mod(floor((pixel.x + pixel.y) / 24.0), 2.0) < 1.0 ? 0.13 : 0.15), coverage); // on its way
    }
    if (pixel.x >= split) value = read_stack(other, uv, lod, dx, dy);
    else value = read_file(uv, lod, dx, dy);
    Surface surface = read_surface(value);
    vec3 n = surface.normal.x * east + surface.normal.y * north + surface.normal.z * normal;
    if (MESH == 0 && shape == SHAPE_PLANE && eye.z < 0.0) n.z = -n.z; // the back of the plane
    vec3 light = shade(surface, n, normalize(eye - point));
    ivec2 square = ivec2(floor(pixel / 16.0));
    vec3 checker = vec3(((square.x + square.y) & 1) == 0 ? 0.12 : 0.28);
    vec3 picture = tone_map(mix(checker, light, surface.opacity));
    return mix(behind, picture, coverage);
}

void main() {
    vec2 pixel = gl_FragCoord.xy;
    color = vec4(lit_pixel(pixel), 1.0);
    float apart = abs(pixel.x - line);
    if (apart < 1.0) color = vec4(1.0);
    else if (apart < 2.0) color = vec4(0.0, 0.0, 0.0, 1.0);
}
