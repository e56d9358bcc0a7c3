// How many Gaussians each texel looks at: docs/format.md, "Candidates" and "Cell index".

uniform vec2 texture_size; // texels of mip 0
#include "view/frame.glsl"

layout(std430, binding = 0) readonly buffer Words { uint words[]; };

uniform vec3 ramp[8]; // colours from none to `most`
uniform float most;

out vec4 color;

// Number of Gaussians of a level before a cell.
uint cell_start(uint index, uint cell) {
    uint group = index + 3u * (cell >> 4), inside = cell & 15u;
    uint begin = words[group];
    if (begin >> 31 == 1u) {
        uint pair = words[index + words[group + 1u] + (inside >> 1)];
        return (begin & 0x7FFFFFFFu) + (pair >> (16u * (inside & 1u)) & 0xFFFFu);
    }
    for (uint i = 0u; i < inside; ++i) begin += words[group + 1u + (i >> 3)] >> (4u * (i & 7u)) & 15u;
    return begin;
}

uint candidates(uvec2 texel, uvec2 size, uint mip) {
    bool wraps = (words[3] >> 24 & 1u) == 1u;
    uint block = words[10u + mip];
    if ((words[block] >> 8 & 1u) == 1u) return 0u; // texels
    if ((words[block] >> 9 & 1u) == 1u) block = words[10]; // the Gaussians of mip 0
    uint entry = block + 2u + (words[3] & 0xFFu), count = 0u;
    for (uint level = 0u; level < (words[block] & 0xFFu); ++level, entry += 7u) {
        ivec2 cells = ivec2(words[entry] & 0xFFFFu, words[entry] >> 16);
        ivec2 here = ivec2((2u * texel + 1u) * uvec2(cells) / (2u * size));
        for (int n = 0; n < 9; ++n) {
            ivec2 cell = here + ivec2(n % 3, n / 3) - 1;
            if (wraps) cell = (cell + cells) % cells;
            if (any(lessThan(cell, ivec2(0))) || any(greaterThanEqual(cell, cells))) continue;
            uint number = uint(cell.y * cells.x + cell.x);
            count += cell_start(words[entry + 1u], number + 1u) - cell_start(words[entry + 1u], number);
        }
    }
    return count;
}

void main() {
    vec2 uv = uv_here();
    if (!inside_texture(uv)) {
        color = vec4(backdrop(), 1.0);
        return;
    }
    uint mip = uint(lod + 0.5);
    uvec2 size = max(uvec2(texture_size) >> mip, 1u);
    uvec2 texel = min(uvec2(fract(uv) * vec2(size)), size - 1u);
    float at = clamp(float(candidates(texel, size, mip)) / most, 0.0, 1.0) * 7.0;
    int low = min(int(at), 6);
    color = vec4(mix(ramp[low], ramp[low + 1], at - float(low)), 1.0);
}
