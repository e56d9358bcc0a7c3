// Decodes a rectangle of a mip and writes it as blocks of BC1, BC4, BC5 or BC7, or as RGBA8: all maps of a material in
// one pass, so that every texel is decoded once. docs/shaders.md says how to bind and dispatch it; gstex/gl/transcode.py
// does that.
//
// A group of 16x16 invocations decodes a texel each, and then encodes a block of a map each.

layout(local_size_x = 16, local_size_y = 16) in;

#ifndef GSTEX_MAPS
#define GSTEX_MAPS 8 // the most maps in a pass, up to 16: shared memory holds 1 KiB for each
#endif
shared uint gstex_texels[GSTEX_MAPS * 256]; // of map, texel of the block, block
#define GSTEX_TEXEL(at, i) gstex_texels[(at) + 16 * (i)]

#include "gstex.glsl"
#include "bc.glsl"
#include "bc7.glsl"

// A map to write. format: of those at the end of bc7.glsl. first: its first word in `blocks`. source: where R, G, B and A
// come from: a channel, 16 + a channel for 255 - its code, or 256 + a code.
struct GstexMap { uint format, first; uint source[4]; };

layout(std430, binding = 1) readonly buffer GstexMaps { GstexMap maps[]; };
layout(std430, binding = 2) writeonly buffer GstexBlocks { uint blocks[]; };
uniform uint base;
uniform int mip, map_count;
uniform ivec2 corner;   // of the rectangle in texels, multiples of 4
uniform ivec2 size;     // of the rectangle; beyond the mip its last row and column are repeated
uniform ivec2 mip_size; // of the mip

// 0 .. 255, of a value in 0 .. 1.
uint code(GstexValue value, uint source) {
    if (source >= 256u) return source & 255u;
    uint found = uint(gstex_channel(value, int(source & 15u)) * 255.0 + 0.5);
    return source < 16u ? found : 255u - found;
}

void main() {
    ivec2 inside = ivec2(gl_LocalInvocationID.xy), texel = ivec2(gl_GlobalInvocationID.xy);
    GstexValue value = gstex_fetch(base, min(corner + texel, mip_size - 1), mip);
    int place = 16 * ((inside.y & 3) * 4 + (inside.x & 3)) + (inside.y >> 2) * 4 + (inside.x >> 2);
    for (int m = 0; m < map_count; ++m) {
        GstexMap of = maps[m];
        uint codes = 0u;
        for (int c = 0; c < 4; ++c) codes |= code(value, of.source[c]) << (8 * c);
        gstex_texels[256 * m + place] = codes;
        if (of.format == gstex_bc_rgba8 && all(lessThan(texel, size)))
            blocks[int(of.first) + texel.y * size.x + texel.x] = codes;
    }
    memoryBarrierShared();
    barrier();

    ivec2 block_count = (size + 3) / 4;
    for (int task = int(gl_LocalInvocationIndex); task < 16 * map_count; task += 256) {
        int number = task & 15, at = 256 * (task >> 4) + number;
        ivec2 block = 4 * ivec2(gl_WorkGroupID.xy) + ivec2(number & 3, number >> 2);
        GstexMap of = maps[task >> 4];
        if (any(greaterThanEqual(block, block_count)) || of.format == gstex_bc_rgba8) continue;
        GstexBlock encoded = gstex_bc_block(at, of.format);
        int words = gstex_bc_words(of.format), first = int(of.first) + (block.y * block_count.x + block.x) * words;
        for (int i = 0; i < words; ++i) blocks[first + i] = encoded.word[i];
    }
}
