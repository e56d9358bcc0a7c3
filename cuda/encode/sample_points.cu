// The picture at all points, and what its entries have of it. A warp a tile; grid: tiles / FIT_WARPS, rounded up.

#include "encode/points.cuh"

// total: [T, 64], sums of weights with the background's. out: [T, C, 64]. share: [E], the largest share of an entry in
// a point of its tile. features: [N, C]. background: [C].
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_samples_blend(FIT_SAMPLES_PARAMETERS, const float *features, const float *background, float *total, float *out,
                  float *share) {
    __shared__ float4 memory[FIT_WARPS][32 * FIT_STAGED];
    const FitSamples samples = FIT_SAMPLES;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, number = blockIdx.x * FIT_WARPS + warp;
    if (number >= tiles) return;
    FitScene scene = fit_view_of(samples, number);
    scene.features = features, scene.background = background;
    const FitTile tile = fit_sample_tile(samples, number);
    float value[2][FIT_CHANNELS], inverse[2];
    fit_blend(scene, tile, lane, memory[warp], value, inverse);
    float *inverses = (float *)memory[warp];
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        const int k = lane + 32 * t;
        total[(long long)number * FIT_POINTS + k] = 1.0f / inverse[t];
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c)
            out[((long long)number * FIT_CHANNELS + c) * FIT_POINTS + k] = value[t][c];
        inverses[k] = inverse[t];
    }
    __syncwarp();
    for (int from = tile.first; from < tile.last; from += 32) {
        const FitShare part = fit_share(from, tile.last, lane);
        const FitGaussian g = fit_gaussian(scene, tile, part.entry);
        float most = 0.0f;
        for (int k = part.row * GSTEX_TILE; k < (part.row + part.rows) * GSTEX_TILE; ++k)
            most = fmaxf(most, fit_weight(g, k % GSTEX_TILE, k / GSTEX_TILE) * inverses[k]);
        for (int apart = part.width; apart < 32; apart *= 2)
            most = fmaxf(most, __shfl_xor_sync(FIT_FULL, most, apart));
        if (part.counts) share[part.entry] = most;
    }
}
