// Where a surface of triangles is in a quarter of a pixel: lit.frag lights it, once a pixel. A picture of twice the
// width and height.

in vec3 place;
in vec3 outward;
in vec2 at;

uniform vec3 eye;
uniform vec2 texture_size;

layout(location = 0) out uvec4 surface;   // uv, distance from the eye, normal
layout(location = 1) out uvec4 footprint; // steps of uv in texels to the next pixels, direction of u, side of v

uint packed_direction(vec3 way) {
    vec2 folded = way.xy / (abs(way.x) + abs(way.y) + abs(way.z));
    if (way.z < 0.0) folded = (1.0 - abs(folded.yx)) * vec2(way.x < 0.0 ? -1.0 : 1.0, way.y < 0.0 ? -1.0 : 1.0);
    return packSnorm2x16(folded);
}

void main() {
    vec3 across = dFdx(place), upward = dFdy(place);
    vec2 uv_across = dFdx(at), uv_upward = dFdy(at);
    vec3 normal = normalize(outward), flat_normal = cross(across, upward);
    if (dot(flat_normal, normal) < 0.0) flat_normal = -flat_normal;
    vec3 to_eye = eye - place;
    if (max(dot(flat_normal, to_eye), dot(normal, to_eye)) < 0.0) normal = -normal; // the back of an open surface
    float area = uv_across.x * uv_upward.y - uv_upward.x * uv_across.y;
    float side = area < 0.0 ? -1.0 : 1.0;
    vec3 east = side * (across * uv_upward.y - upward * uv_across.y);
    vec3 up = side * (across * uv_upward.x - upward * uv_across.x); // against v
    east -= normal * dot(normal, east);
    if (!(dot(east, east) > 1e-20)) east = cross(abs(normal.y) < 0.9 ? vec3(0, 1, 0) : vec3(1, 0, 0), normal);
    east = normalize(east);
    surface = uvec4(floatBitsToUint(at), floatBitsToUint(length(place - eye)), packed_direction(normal));
    footprint = uvec4(packHalf2x16(clamp(2.0 * uv_across * texture_size, -6e4, 6e4)),
                      packHalf2x16(clamp(-2.0 * uv_upward * texture_size, -6e4, 6e4)), packed_direction(east),
                      dot(cross(normal, east), up) < 0.0 ? 1u : 0u);
}
