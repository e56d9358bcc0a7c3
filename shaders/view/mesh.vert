// Triangles of the lit view, seen as the rays of lit.frag see.

layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 uv; // of one copy

uniform vec2 picture_size;
uniform vec3 eye;
uniform vec3 camera[3]; // right, up, forward
uniform float tan_half;
uniform vec2 tiles;

out vec3 place;
out vec3 outward;
out vec2 at;

const float NEAR = 0.02, FAR = 64.0;

void main() {
    place = position;
    outward = normal;
    at = uv * tiles;
    vec3 way = position - eye;
    vec3 seen = vec3(dot(way, camera[0]), dot(way, camera[1]), dot(way, camera[2]));
    float depth = (seen.z * (FAR + NEAR) - 2.0 * FAR * NEAR) / (FAR - NEAR);
    gl_Position = vec4(seen.xy / tan_half * vec2(picture_size.y / picture_size.x, 1.0), depth, seen.z);
}
