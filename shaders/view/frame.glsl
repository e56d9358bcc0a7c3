// Where the texture lies in the picture (gstex/view/pan.py). Comes after common.glsl, or after
// a declaration of texture_size. Pixels count from the top left corner.

uniform vec2 picture_size; // pixels
uniform vec2 corner;       // pixel of the corner of the texture, whole numbers
uniform float zoom;        // pixels per texel of mip 0
uniform float lod;
uniform bool tiled;

vec2 pixel_here() {
    return vec2(gl_FragCoord.x, picture_size.y - gl_FragCoord.y);
}

vec2 uv_here() {
    return (pixel_here() - corner) / (zoom * texture_size);
}

bool inside_texture(vec2 uv) {
    return tiled || (all(greaterThanEqual(uv, vec2(0.0))) && all(lessThan(uv, vec2(1.0))));
}

vec3 backdrop() {
    ivec2 square = ivec2(floor(pixel_here() / 16.0));
    return vec3(((square.x + square.y) & 1) == 0 ? 0.105 : 0.12);
}
