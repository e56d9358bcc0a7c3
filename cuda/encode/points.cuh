// All points at which a fit is judged, at once: gstex/encode/ops/cpu/sample_points.py. What stands in a file is improved there.
//
// T tiles of 64 points, of several views; E entries, tile by tile; V views; N Gaussians; C = CHANNELS.

#include "encode/tile.cuh"

// view: [T]. origin: [T, 2], a tile's first point in texels of its view. start: [T + 1]. gaussian: [E]. image: [E, 2].
// faded: [E]. derived: [V, N, 8] and where: [V, N, 4], as every view sees the Gaussians (FitScene). extent: [V, 2], in
// texels.
struct FitSamples {
    const int *view;
    const float *origin;
    const int *start, *gaussian;
    const signed char *image;
    const unsigned char *faded;
    const float *derived, *where, *extent;
    int count, tiles;
};

#define FIT_SAMPLES_PARAMETERS                                                                                         \
    const int *view, const float *origin, const int *start, const int *gaussian, const signed char *image,             \
        const unsigned char *faded, const float *derived, const float *where, const float *extent, int count, int tiles
#define FIT_SAMPLES                                                                                                    \
    FitSamples { view, origin, start, gaussian, image, faded, derived, where, extent, count, tiles }

// The scene of the view of a tile, without features and slots of entries.
__device__ __forceinline__ FitScene fit_view_of(const FitSamples &samples, int tile) {
    const int view = samples.view[tile];
    FitScene scene = {};
    scene.start = samples.start, scene.gaussian = samples.gaussian;
    scene.image = samples.image, scene.faded = samples.faded;
    scene.derived = samples.derived + (long long)view * samples.count * 8;
    scene.where = samples.where + (long long)view * samples.count * 4;
    scene.width = int(samples.extent[2 * view]), scene.height = int(samples.extent[2 * view + 1]);
    return scene;
}

__device__ __forceinline__ FitTile fit_sample_tile(const FitSamples &samples, int number) {
    FitTile tile = {};
    tile.number = number;
    tile.first = samples.start[number], tile.last = samples.start[number + 1];
    tile.x = samples.origin[2 * number], tile.y = samples.origin[2 * number + 1];
    return tile;
}

// The weight of a Gaussian at a point of its tile, before all are divided by their sum.
__device__ __forceinline__ float fit_weight(const FitGaussian &g, int column, int row) {
    const float dx = float(column) - g.x, dy = float(row) - g.y;
    const float u = g.ac * dx + g.as * dy, v = g.bc * dy - g.bs * dx;
    return gstex_weight(g.amplitude, u, v) * gstex_fade(g.fade_x + float(column) * g.step_x) *
           gstex_fade(g.fade_y + float(row) * g.step_y);
}

// The sum over the warp, in all lanes.
__device__ __forceinline__ double fit_warp_sum_double(double value) {
#pragma unroll
    for (int apart = 16; apart; apart /= 2) value += __shfl_xor_sync(FIT_FULL, value, apart);
    return value;
}

// The first place of first .. last in sorted numbers whose number is `key` or larger.
__device__ __forceinline__ int fit_lower_bound(const int *sorted, int first, int last, int key) {
    while (first < last) {
        const int middle = first + (last - first) / 2;
        if (sorted[middle] < key)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}
