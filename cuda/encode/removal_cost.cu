// What each Gaussian is worth, and where the error is: twin of
// gstex/native/ops/removal_cost.cpp.
//
// Block: 32 REMOVAL_WARPS, a warp a tile. Grid: tiles / REMOVAL_WARPS, rounded up.

#include "encode/tile.cuh"

#define REMOVAL_WARPS 2
// A point in shared memory, in units of 16 bytes: value [C], importance [C], error [C], 1 / sum of weights.
#define POINT_QUADS ((3 * FIT_CHANNELS + 1 + 3) / 4)
#define WARP_QUADS (32 * FIT_STAGED > FIT_POINTS * POINT_QUADS ? 32 * FIT_STAGED : FIT_POINTS * POINT_QUADS)

// The rise of the squared error at the texel centres without a Gaussian, tile by tile.
//
// entry_sums: [E, 2], row slot[entry]: that rise, and the sum over points and channels of importance w^2.
// error: [H, W], the squared error of a texel, summed over channels.
extern "C" __global__ void __launch_bounds__(32 * REMOVAL_WARPS)
fit_removal(FIT_SCENE_PARAMETERS, const float *target, FIT_IMPORTANCE_PARAMETERS, int repeat, float *entry_sums,
            float *error) {
    __shared__ float4 memory[REMOVAL_WARPS][WARP_QUADS];
    const FitScene scene = FIT_SCENE;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, number = blockIdx.x * REMOVAL_WARPS + warp;
    if (number >= tiles) return;
    const FitTile tile = fit_tile(scene, number);
    float value[2][FIT_CHANNELS], inverse[2];
    fit_blend(scene, tile, lane, memory[warp], value, inverse);
    float *points = (float *)memory[warp];
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        const int column = tile.column + (lane & 7), row = tile.row + (lane >> 3) + 4 * t;
        const bool inside = column < width && row < height;
        const FitCorners corners = fit_corners(column, row, jitter, width, height, repeat);
        float wanted[FIT_CHANNELS], counts[FIT_CHANNELS];
        fit_sample(target, corners, wanted);
        fit_sample_importance(FIT_IMPORTANCE, corners, counts);
        float *point = points + (lane + 32 * t) * 4 * POINT_QUADS;
        float sum = 0.0f;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) {
            const float difference = value[t][c] - wanted[c];
            sum += counts[c] * difference * difference;
            point[c] = value[t][c];
            point[FIT_CHANNELS + c] = inside ? counts[c] : 0.0f;
            point[2 * FIT_CHANNELS + c] = difference;
        }
        point[3 * FIT_CHANNELS] = inverse[t];
        if (inside) error[(long long)row * width + column] = sum;
    }
    __syncwarp();
    for (int from = tile.first; from < tile.last; from += 32) {
        const FitShare share = fit_share(from, tile.last, lane);
        const FitGaussian g = fit_gaussian(scene, tile, share.entry);
        float features[FIT_CHANNELS], sums[2] = {0.0f, 0.0f};
        fit_read(scene.features + g.index * FIT_CHANNELS, features);
        for (int j = share.row; j < share.row + share.rows; ++j) {
            const float dy = float(j) - g.y, fade_row = gstex_fade(g.fade_y + float(j) * g.step_y);
            const float u0 = g.as * dy - g.ac * g.x, v0 = g.bc * dy + g.bs * g.x;
            for (int i = 0; i < GSTEX_TILE; ++i) {
                const float *point = points + (j * GSTEX_TILE + i) * 4 * POINT_QUADS;
                const float u = u0 + g.ac * float(i), v = v0 - g.bs * float(i);
                const float part = gstex_weight(g.amplitude, u, v) *
                                     (gstex_fade(g.fade_x + float(i) * g.step_x) * fade_row) * point[3 * FIT_CHANNELS];
                float square = 0.0f, product = 0.0f, counts = 0.0f;
#pragma unroll
                for (int c = 0; c < FIT_CHANNELS; ++c) {
                    const float apart = features[c] - point[c], counted = point[FIT_CHANNELS + c] * apart;
                    square += counted * apart;
                    product += counted * point[2 * FIT_CHANNELS + c];
                    counts += point[FIT_CHANNELS + c];
                }
                sums[0] += gstex_rise(gstex_removed(part), square, product);
                sums[1] += counts * part * part;
            }
        }
        fit_add_parts(share, sums);
        if (share.counts) ((float2 *)entry_sums)[scene.slot[share.entry]] = make_float2(sums[0], sums[1]);
    }
}
