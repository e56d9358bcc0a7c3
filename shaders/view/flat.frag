// The texture flat on the screen: a map, the split with another stack, differences.

#include "gstex.glsl"
#include "view/common.glsl"
#include "view/stack.glsl"
#include "view/sampling.glsl"
#include "view/frame.glsl"
#include "view/look.glsl"

uniform int shows; // SHOWS_MAP, SHOWS_SPLIT or SHOWS_DIFF
uniform sampler2DArray reference;
uniform sampler2DArray other;
uniform float split;        // pixel of the line
uniform bool other_differs; // 'other' is not the reference: differences are split, too
uniform float gain;         // of differences
uniform float grid;         // strength of the lines between texels, 0..1
uniform float brightness;   // of the picture under ellipses and cells

out vec4 color;

void main() {
    vec2 uv = uv_here();
    if (!inside_texture(uv)) {
        color = vec4(backdrop(), 1.0);
        return;
    }
    // The footprint follows from the level of detail, which the zoom gives or the user.
    vec2 dx = vec2(exp2(lod) / texture_size.x, 0.0), dy = vec2(0.0, exp2(lod) / texture_size.y);
    bool is_split = shows == SHOWS_SPLIT || (shows == SHOWS_DIFF && other_differs);
    vec3 picture;
    if (is_split && pixel_here().x >= split) picture = seen(read_stack(other, uv, lod, dx, dy));
    else picture = seen(read_file(uv, lod, dx, dy));
    if (shows == SHOWS_DIFF)
        picture = min(abs(picture - seen(read_stack(reference, uv, lod, dx, dy))) * gain, 1.0);
    picture *= brightness;
    if (grid > 0.0) {
        vec2 at = uv * texture_size;
        vec2 away = abs(at - round(at)) * zoom;
        if (min(away.x, away.y) < 0.5) picture = mix(picture, vec3(dot(picture, vec3(0.33)) > 0.4 ? 0.0 : 1.0), grid);
    }
    if (is_split) {
        float away = abs(pixel_here().x - split);
        if (away < 1.0) picture = vec3(1.0);
        else if (away < 2.0) picture = vec3(0.0);
    }
    color = vec4(picture, 1.0);
}
