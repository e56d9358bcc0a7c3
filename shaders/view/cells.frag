// Borders of the cells of all levels, and the 3x3 cells that the inspected texel looks at, over the picture.

uniform vec2 texture_size; // texels of mip 0
#include "view/frame.glsl"

uniform int level_count;
uniform int only_level;       // -1: all
uniform ivec2 cells[16];      // across and down, finest level first
uniform vec3 level_color[16];
uniform vec2 pinned;          // (u, v) of the inspected texel, negative: none
uniform float line_width;     // pixels
uniform bool wraps;

out vec4 color;

void main() {
    vec2 uv = uv_here();
    if (!inside_texture(uv)) discard;
    color = vec4(0.0);
    for (int level = level_count - 1; level >= 0; --level) {
        if (only_level >= 0 && only_level != level) continue;
        vec2 at = uv * vec2(cells[level]);
        vec2 pixels = zoom * texture_size / vec2(cells[level]); // of a cell
        vec2 away = abs(at - round(at)) * pixels;
        float width = line_width * (1.0 + 0.35 * float(min(level, 4)));
        float line = clamp(0.5 * width + 0.5 - min(away.x, away.y), 0.0, 1.0);
        // Cells of a few pixels would be nothing but lines.
        line *= clamp((min(pixels.x, pixels.y) - 3.0) / 5.0, 0.0, 1.0);
        float fill = 0.0;
        if (pinned.x >= 0.0) {
            ivec2 apart = abs(ivec2(floor(at)) - ivec2(floor(pinned * vec2(cells[level]))));
            if (wraps) apart = min(apart, cells[level] - apart);
            if (max(apart.x, apart.y) <= 1) fill = 0.16;
        }
        float over = max(line * 0.85, fill);
        color = vec4(mix(color.rgb, level_color[level], over / max(over + color.a * (1.0 - over), 1e-4)),
                     over + color.a * (1.0 - over));
    }
}
