// What a texel knows before its first Gaussian, bit by bit: parsed, or with GSTEX_MATERIAL_BLOCK from the block.
#include "gstex.glsl"

uniform highp sampler2D point_texels; // group, mip, level, which part
uniform uint base;

layout(location = 0) out highp uvec4 words_0;
layout(location = 1) out highp uvec4 words_1;
layout(location = 2) out highp uvec4 words_2;
layout(location = 3) out highp uvec4 words_3;

void main() {
    ivec4 at = ivec4(texelFetch(point_texels, ivec2(gl_FragCoord.xy), 0));
    GstexMaterial m = gstex_material(base);
    GstexGroup g = gstex_group(m, at.x);
    GstexMip mip = gstex_mip(m, g, at.y);
    words_0 = words_1 = words_2 = words_3 = uvec4(0);
    if (at.w == 0) {
        words_0 = uvec4(m.base, m.size, m.channels);
        words_1 = uvec4(m.mips, m.groups, m.first_mip, uint(m.repeat) + 2u * uint(m.bilinear));
        words_2 = uvec4(g.members, g.channels, g.top_k, g.candidates_max);
        words_3 = uvec4(floatBitsToUint(g.amplitude_lo), floatBitsToUint(g.amplitude_step), g.ranges, g.palettes);
    } else if (at.w == 1) {
        words_0 = uvec4(g.palette_bits, g.entry_words, g.own_codes, gstex_srgb(m, at.x, g.members));
        words_1 = uvec4(mip.size, floatBitsToUint(mip.extent));
        words_2 = uvec4(floatBitsToUint(mip.filter_variance), mip.raw, mip.background, mip.levels);
        words_3 = uvec4(mip.bend, gstex_members(m, at.x) & 0xFFFFu, 0, 0);
    } else if (at.w < 6) {
        GstexFields fields = g.fields[at.w - 2];
        words_0 = uvec4(fields.at, 0, 0);
        words_1 = fields.shift;
        words_2 = fields.mask;
        words_3 = floatBitsToUint(gstex_constants(m).v[at.w - 2]);
    } else if (at.z < mip.levels) {
        GstexLevel level = gstex_level(m, g, mip, at.z);
        if (at.w == 6) {
            words_0 = uvec4(level.cells, level.index, level.records);
            words_1 = uvec4(level.stride, level.position_bits, level.shape_bits, level.geometry_bits);
            words_2 = uvec4(level.position_mask, level.scale_mask);
            words_3 = uvec4(level.rotation_mask, level.amplitude_mask, level.regular, 0);
        } else {
            words_0 = floatBitsToUint(vec4(level.cell_size, level.position_step));
            words_1 = floatBitsToUint(vec4(level.half_position, level.rotation_lo, level.rotation_step));
            words_2 = floatBitsToUint(vec4(level.amplitude_step, level.scale_lo, level.scale_step));
        }
    }
}
