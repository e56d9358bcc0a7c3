// The texture flat on the screen: a map, the split with another stack, differences.

#include "gstex.glsl"
#include "view/common.glsl"
#include "view/stack.glsl"
#include "view/sampling.glsl"
#include "view/frame.glsl"
#include "view/look.glsl"

uniform bool shows_diff;
uniform bool heats;           // differences as a heat map of their size, else by channel
uniform sampler2DArray reference;
uniform sampler2DArray other;
uniform bool has_reference;
uniform bool has_other;
uniform float split;          // pixel from which on 'other' is shown
uniform float line;           // pixel of the line, far outside: none
uniform float gain;           // of differences
uniform vec3 ramp[8];         // colours of differences from none to 1 / gain
uniform float grid;           // strength of the lines between texels, 0..1
uniform float brightness;     // of the picture under ellipses and cells
uniform int opacity_channel;  // of the stack, negative: nothing is hidden
uniform float hidden_below;   // opacity
uniform bool hatches;         // what is hidden; else colour is drawn through its opacity

out vec4 color;

vec3 stripes(float width, vec3 a, vec3 b) {
    vec2 pixel = pixel_here();
    return mod(floor((pixel.x + pixel.y) / width), 2.0) < 1.0 ? a : b;
}

vec3 heat(float size) {
    float at = clamp(size * gain, 0.0, 1.0) * 7.0;
    int low = min(int(at), 6);
    return mix(ramp[low], ramp[low + 1], at - float(low));
}

void main() {
    vec2 uv = uv_here();
    if (!inside_texture(uv)) {
        color = vec4(backdrop(), 1.0);
        return;
    }
    // The footprint follows from the level of detail, which the zoom gives or the user.
    vec2 dx = vec2(exp2(lod) / texture_size.x, 0.0), dy = vec2(0.0, exp2(lod) / texture_size.y);
    bool is_other = pixel_here().x >= split;
    vec3 picture;
    if (is_other && !has_other) {
        picture = stripes(24.0, vec3(0.13), vec3(0.15)); // it is on its way
    } else {
        GstexValue value, original;
        if (is_other) value = read_stack(other, uv, lod, dx, dy);
        else value = read_file(uv, lod, dx, dy);
        picture = seen(value);
        if (has_reference) original = read_stack(reference, uv, lod, dx, dy);
        else original = value;
        if (shows_diff) {
            vec3 wanted = seen(original);
            picture = heats ? heat(error_size(picture, wanted)) : min(abs(picture - wanted) * gain, 1.0);
        }
        if (opacity_channel >= 0) {
            float opacity = channel_of(original, opacity_channel);
#if SAMPLING != SAMPLING_TEXELS
            // Where hidden colour is filtered in, a difference says nothing.
            if (shows_diff) opacity = stack_least(reference, uv, lod, opacity_channel);
#endif
            if (hatches || shows_diff) {
                if (opacity < hidden_below) picture = stripes(4.0, vec3(0.16), vec3(0.24));
            } else {
                opacity = channel_of(value, opacity_channel);
                ivec2 square = ivec2(floor(pixel_here() / 16.0));
                picture = mix(vec3(((square.x + square.y) & 1) == 0 ? 0.38 : 0.56), picture, opacity);
            }
        }
    }
    picture *= brightness;
    if (grid > 0.0) {
        vec2 at = uv * texture_size;
        vec2 away = abs(at - round(at)) * zoom;
        if (min(away.x, away.y) < 0.5) picture = mix(picture, vec3(dot(picture, vec3(0.33)) > 0.4 ? 0.0 : 1.0), grid);
    }
    float away = abs(pixel_here().x - line);
    if (away < 1.0) picture = vec3(1.0);
    else if (away < 2.0) picture = vec3(0.0);
    color = vec4(picture, 1.0);
}
