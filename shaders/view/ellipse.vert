// Ellipses of Gaussians: a quad an instance. What they are is in gstex/view/gaussians.py.

layout(location = 0) in vec4 place;   // centre in texels of mip 0; half axes in texels of mip 0, sigma = 1
layout(location = 1) in vec4 frame;   // (cos, sin) of the first axis, level, 1 if it stands out
layout(location = 2) in vec4 feature; // colour of the map, sRGB; weight at the centre

uniform vec2 picture_size;
uniform vec2 corner;
uniform float zoom;
uniform float sigmas;
uniform vec2 shift; // texels: copies of a tiled texture
uniform vec3 level_color[16];

out vec2 from_center;     // in units of the ellipse
flat out vec2 half_axes;  // pixels
flat out vec3 line_color;
flat out vec4 fill_color;
flat out float stands_out;

void main() {
    vec2 unit = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
    half_axes = max(place.zw * sigmas * zoom, vec2(0.75));
    vec2 reach = half_axes + 2.0;
    from_center = unit * reach / half_axes;
    vec2 along = unit * reach;
    vec2 pixel = corner + (place.xy + shift) * zoom
               + vec2(frame.x * along.x - frame.y * along.y, frame.y * along.x + frame.x * along.y);
    gl_Position = vec4(pixel / picture_size * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
    line_color = level_color[int(frame.z)];
    fill_color = feature;
    stands_out = frame.w;
}
