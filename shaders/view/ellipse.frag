// An outline in the colour of the level, filled with the Gaussian's own colour.

in vec2 from_center;
flat in vec2 half_axes;
flat in vec3 line_color;
flat in vec4 fill_color;
flat in float stands_out;

uniform float line_width; // pixels
uniform float fill;       // 0..1

out vec4 color;

void main() {
    float radius = length(from_center);
    // Pixels to the line: the radius over its gradient, which is exact on the line itself.
    vec2 slope = from_center / max(half_axes * radius, vec2(1e-6));
    float away = (radius - 1.0) / max(length(slope), 1e-6);
    float width = line_width * (stands_out > 0.5 ? 2.2 : 1.0);
    float line = clamp(0.5 * width + 0.5 - abs(away), 0.0, 1.0);
    float inside = clamp(0.5 - away, 0.0, 1.0) * fill;
    // Ellipses of a pixel or two are dots, and fainter.
    line *= mix(0.35, 1.0, clamp((max(half_axes.x, half_axes.y) - 1.0) / 4.0, 0.0, 1.0));
    vec3 rim = stands_out > 0.5 ? vec3(1.0) : line_color;
    float alpha = line + inside * (1.0 - line);
    if (alpha <= 0.0) discard;
    color = vec4((rim * line + fill_color.rgb * inside * (1.0 - line)) / alpha, alpha);
}
