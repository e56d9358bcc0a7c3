// Reads textures at points, with levels of detail and footprints: docs/format.md, "Sampling". A thread a point.
//
// MODE 1: at levels of detail. 2: across footprints. 0: at mip 0.

#include "decode/evaluate.cuh"

#ifndef MODE
#define MODE 2
#endif

#define THREADS 128
// Blocks that should run on a multiprocessor at once: as many as there are registers for.
#define BLOCKS (MEMBERS > 8 ? 2 : MODE == 2 ? 3 : 4)

// A mip at a point: one evaluation there, or four fetches filtered bilinearly. No point, be it infinite or not a
// number, leads outside the texture.
__device__ __forceinline__ Values point(const gstex_word *words, const GstexHeader &h, const GstexGroup &g, int number,
                                        float u, float v, bool bilinear) {
    GstexMip mip = gstex_mip(words, h, g, number);
    float width = float(mip.width), height = float(mip.height);
    u = h.repeat ? u - floorf(u) : u;
    v = h.repeat ? v - floorf(v) : v;
    u = fminf(fmaxf(u, 0.0f), 1.0f); // turns what is not a number into 0
    v = fminf(fmaxf(v, 0.0f), 1.0f);
    bilinear = bilinear || mip.raw;
    float half = bilinear ? 0.5f : 0.0f;
    float left = fminf(floorf(fmaf(u, width, -half)), width - 1.0f);
    float top = fminf(floorf(fmaf(v, height, -half)), height - 1.0f);
    // fmaf: what is left of a product of many digits, rounded once.
    float rest_x = fmaf(u, width, -half - left), rest_y = fmaf(v, height, -half - top);
    float inside_x = bilinear ? 0.5f : rest_x, inside_y = bilinear ? 0.5f : rest_y;
    float share_x = bilinear ? rest_x : 0.0f, share_y = bilinear ? rest_y : 0.0f;
    Values sum;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) sum.of[k] = 0.0f;
#pragma unroll 1
    for (int n = 0; n < (bilinear ? 4 : 1); ++n) {
        int column = int(left) + (n & 1), row = int(top) + (n >> 1);
        if (h.repeat) {
            column = gstex_wrapped(column, mip.width);
            row = gstex_wrapped(row, mip.height);
        }
        column = gstex_clamped(column, mip.width);
        row = gstex_clamped(row, mip.height);
        Values texel = evaluate(words, h, g, mip, column, row, inside_x, inside_y);
        float share = (n & 1 ? share_x : 1.0f - share_x) * (n >> 1 ? share_y : 1.0f - share_y);
#pragma unroll
        for (int k = 0; k < MEMBERS; ++k) sum.of[k] += share * texel.of[k];
    }
    return sum;
}

__device__ __forceinline__ float to_linear(float x) {
    return x <= 0.04045f ? x * (1.0f / 12.92f) : gstex_power((x + 0.055f) * (1.0f / 1.055f), 2.4f);
}

__device__ __forceinline__ float to_srgb(float y) {
    return y <= 0.0031308f ? 12.92f * y : 1.055f * gstex_power(y, 1.0f / 2.4f) - 0.055f;
}

// A bit for every member, the first in bit 0, whose values are sRGB-encoded.
__device__ __forceinline__ gstex_word srgb_members(const gstex_word *words, const GstexGroup &g) {
    gstex_word found = 0u, rest = g.members;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k, rest &= rest - 1)
        found |= gstex_word(gstex_bits(words[gstex_channel(__ffs(int(rest)) - 1)], 19, 1)) << k;
    return found;
}

// The mean of some taps around (u, v), each between the two mips around lod. Mips and taps are blended as light.
__device__ __forceinline__ Values taps_at(const gstex_word *words, const GstexHeader &h, const GstexGroup &g, float u,
                                          float v, float lod, bool bilinear, int taps, float step_u, float step_v) {
    lod = fminf(fmaxf(lod, float(h.first_mip)), float(h.mips - 1));
    int fine = int(lod);
    float coarse_share = lod - float(fine);
    int mips = coarse_share > 0.0f ? 2 : 1;
    gstex_word srgb = srgb_members(words, g);
    Values sum;
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) sum.of[k] = 0.0f;
#pragma unroll 1
    for (int n = 0; n < taps * mips; ++n) {
        int tap = n / mips, coarse = n % mips;
        float from_middle = float(tap) - 0.5f * float(taps - 1);
        Values value = point(words, h, g, fine + coarse, u + from_middle * step_u, v + from_middle * step_v, bilinear);
        if (taps * mips == 1) return value; // as stored
        float share = __fdividef(coarse ? coarse_share : 1.0f - coarse_share, float(taps));
#pragma unroll
        for (int k = 0; k < MEMBERS; ++k)
            sum.of[k] += share * (srgb >> k & 1 ? to_linear(value.of[k]) : value.of[k]);
    }
#pragma unroll
    for (int k = 0; k < MEMBERS; ++k) sum.of[k] = gstex_saturate(srgb >> k & 1 ? to_srgb(sum.of[k]) : sum.of[k]);
    return sum;
}

// The footprint of a pixel, a = the step to the right and b = the step down in uv, by taps along its longer axis.
__device__ __forceinline__ Values footprint(const gstex_word *words, const GstexHeader &h, const GstexGroup &g, float u,
                                            float v, float4 duv, bool bilinear) {
    float width = float(h.width), height = float(h.height);
    float ax = width * duv.x, ay = height * duv.y, bx = width * duv.z, by = height * duv.w;
    float d = 0.5f * (ax * ax + bx * bx - ay * ay - by * by), q = ax * ay + bx * by, r = sqrtf(d * d + q * q);
    float major = sqrtf(0.5f * (ax * ax + ay * ay + bx * bx + by * by) + r);
    if (!(major > 0.0f)) return taps_at(words, h, g, u, v, 0.0f, bilinear, 1, 0.0f, 0.0f);
    float minor = __fdividef(fabsf(ax * by - ay * bx), major);
    float taps = ceilf(__fdividef(major, fmaxf(minor, 1.0f)) - GSTEX_TAP_SLACK);
    taps = fminf(fmaxf(taps, 1.0f), float(GSTEX_MAX_TAPS));
    float axis_x = d >= 0.0f ? d + r : q, axis_y = d >= 0.0f ? q : r - d;
    float of_tap = __fdividef(major, taps);
    float step = __fdividef(of_tap, fmaxf(sqrtf(axis_x * axis_x + axis_y * axis_y), 1e-30f));
    return taps_at(words, h, g, u, v, __log2f(of_tap), bilinear, int(taps), __fdividef(axis_x * step, width),
                   __fdividef(axis_y * step, height));
}

// A group at points.
// uv: float [count, 2]. detail: levels of detail, float [count], where MODE is 1; steps of pixels in uv, float
// [count, 2, 2], where it is 2; else not read. four_fetches: bilinear filtering inside mips.
// out: float [count, channels]; the members' channels are written.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
sample(const gstex_word *__restrict__ words, int group, const float *__restrict__ uv, const float *__restrict__ detail,
       int four_fetches, long long count, float *__restrict__ out) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    GstexHeader h = gstex_header(words);
    GstexGroup g = gstex_group(words, h, group);
    float u = uv[2 * i], v = uv[2 * i + 1];
#if MODE == 2
    float4 duv = make_float4(detail[4 * i], detail[4 * i + 1], detail[4 * i + 2], detail[4 * i + 3]);
    Values values = footprint(words, h, g, u, v, duv, four_fetches);
#else
    Values values = taps_at(words, h, g, u, v, MODE == 1 ? detail[i] : 0.0f, four_fetches, 1, 0.0f, 0.0f);
#endif
    write(g, values, out + i * h.channels);
}
