#version 430 core
// A quad over the viewport. v is 0 at the top, as the first row of a texture is its top.

out vec2 uv;

void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    uv = 2.0 * vec2(corner.x, 1.0 - corner.y); // the material twice along each edge
    gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}
