// What the kernels of the fit share: the points of a tile, the pictures there, and a Gaussian as a tile sees it.
//
// The maths is that of gstex/native/ops/tile.h. A warp works on a tile of 8x8 points and needs no other warp. It looks at
// a tile in two ways:
// - a lane is two points, and all lanes go through the Gaussians together (sums over Gaussians: the picture);
// - a lane is a Gaussian, and all lanes go through the 64 points together (sums over points: the gradients). So no sum
//   over a warp is needed, and none over memory: the same result every time.
//
// N Gaussians, T tiles (row by row), E entries (gstex/encode/ops/cpu/tile_lists.py), C = CHANNELS, a macro of the compilation.

#include "gstex.cuh"

#ifndef CHANNELS
#define CHANNELS 4
#endif
#define FIT_CHANNELS CHANNELS
#define FIT_POINTS (GSTEX_TILE * GSTEX_TILE)
// Warps of a block. They share nothing; more of them only end later together.
#define FIT_WARPS 4
#define FIT_THREADS (32 * FIT_WARPS)
// Sums over the points of a tile that an entry has: 6 moments, and the gradient of its features; a row of them fills
// whole sectors of 32 bytes.
#define FIT_SUMS (6 + FIT_CHANNELS)
#define FIT_ROW ((FIT_SUMS + 7) / 8 * 8)
// Features in memory that is read 16 bytes at a time.
#define FIT_FEATURE_QUADS ((FIT_CHANNELS + 3) / 4)
#define FIT_FULL 0xFFFFFFFFu

// What a picture is made of.
//
// start: [T + 1]. gaussian: [E]. image: [E, 2], shift in whole textures. faded: [E]. slot: [E], the row of an entry in
// sums that stand Gaussian by Gaussian. All as in gstex/encode/ops/cuda/tile_lists.py.
// derived: [N, 8] = x, y, a cos t, a sin t, b sin t, b cos t, amplitude, 0, of `fit_derive`: in units in which a weight
// is exp2(amplitude - u^2 - v^2).
// where: [N, 4], the middle of the Gaussian's cell in cells and the size of a cell in texels.
// features: [N, C]. background: [C]. jitter: [2], offset of all points from the texel centres.
struct FitScene {
    const int *start, *gaussian;
    const signed char *image;
    const unsigned char *faded;
    const int *slot;
    const float *derived, *where, *features, *background, *jitter;
    int tiles, across, width, height;
};

#define FIT_SCENE_PARAMETERS                                                                                           \
    const int *start, const int *gaussian, const signed char *image, const unsigned char *faded, const int *slot,      \
        const float *derived, const float *where, const float *features, const float *background,                      \
        const float *jitter, int tiles, int across, int width, int height
#define FIT_SCENE                                                                                                      \
    FitScene {                                                                                                         \
        start, gaussian, image, faded, slot, derived, where, features, background, jitter, tiles, across, width,       \
            height                                                                                                     \
    }

// The tile of a warp. column, row: of its first texel. x, y: its first point, in texels.
struct FitTile {
    int number, column, row, first, last;
    float x, y;
};

__device__ __forceinline__ FitTile fit_tile(const FitScene &scene, int number) {
    FitTile tile;
    tile.number = number;
    tile.column = number % scene.across * GSTEX_TILE;
    tile.row = number / scene.across * GSTEX_TILE;
    tile.first = scene.start[number];
    tile.last = scene.start[number + 1];
    tile.x = float(tile.column) + 0.5f + scene.jitter[0];
    tile.y = float(tile.row) + 0.5f + scene.jitter[1];
    return tile;
}

// ---- Pictures ------------------------------------------------------------------------------------------------------

// The four texels around a point and their weights, as offsets into a picture [H, W, C].
struct FitCorners {
    long long at[4];
    float weight[4];
    bool between; // more than the first counts
};

__device__ __forceinline__ int fit_inside(int i, int size, bool repeat) {
    if (!repeat) return min(max(i, 0), size - 1);
    i %= size;
    return i < 0 ? i + size : i;
}

// Of the point of texel (column, row), which may lie outside the picture.
__device__ __forceinline__ FitCorners fit_corners(int column, int row, const float *jitter, int width, int height,
                                                  bool repeat) {
    float shift_x = jitter[0], shift_y = jitter[1];
    int whole_x = int(floorf(shift_x)), whole_y = int(floorf(shift_y));
    float part_x = shift_x - float(whole_x), part_y = shift_y - float(whole_y);
    int x0 = fit_inside(column + whole_x, width, repeat), x1 = fit_inside(column + whole_x + 1, width, repeat);
    int y0 = fit_inside(row + whole_y, height, repeat), y1 = fit_inside(row + whole_y + 1, height, repeat);
    FitCorners corners;
    corners.at[0] = (long long)y0 * width + x0, corners.weight[0] = (1.0f - part_x) * (1.0f - part_y);
    corners.at[1] = (long long)y0 * width + x1, corners.weight[1] = part_x * (1.0f - part_y);
    corners.at[2] = (long long)y1 * width + x0, corners.weight[2] = (1.0f - part_x) * part_y;
    corners.at[3] = (long long)y1 * width + x1, corners.weight[3] = part_x * part_y;
    corners.between = part_x != 0.0f || part_y != 0.0f;
    return corners;
}

// The C floats of a texel or a Gaussian, 16 bytes at a time where all of them begin at a multiple of 16 bytes.
__device__ __forceinline__ void fit_read(const float *from, float (&to)[FIT_CHANNELS]) {
    if (FIT_CHANNELS % 4 == 0) {
#pragma unroll
        for (int q = 0; q < FIT_CHANNELS / 4; ++q) {
            float4 four = ((const float4 *)from)[q];
            to[4 * q] = four.x, to[4 * q + 1] = four.y, to[4 * q + 2] = four.z, to[4 * q + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) to[c] = from[c];
    }
}

// Four of the values, from `first` on; 0 beyond the last.
template <int COUNT> __device__ __forceinline__ float4 fit_quad(const float (&values)[COUNT], int first) {
    return make_float4(first < COUNT ? values[first < COUNT ? first : 0] : 0.0f,
                       first + 1 < COUNT ? values[first + 1 < COUNT ? first + 1 : 0] : 0.0f,
                       first + 2 < COUNT ? values[first + 2 < COUNT ? first + 2 : 0] : 0.0f,
                       first + 3 < COUNT ? values[first + 3 < COUNT ? first + 3 : 0] : 0.0f);
}

// A picture [H, W, C] at a point.
__device__ __forceinline__ void fit_sample(const float *picture, const FitCorners &corners,
                                           float (&value)[FIT_CHANNELS]) {
    fit_read(picture + corners.at[0] * FIT_CHANNELS, value);
    if (!corners.between) return; // the same for all points
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) value[c] *= corners.weight[0];
#pragma unroll
    for (int i = 1; i < 4; ++i) {
        float corner[FIT_CHANNELS];
        fit_read(picture + corners.at[i] * FIT_CHANNELS, corner);
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) value[c] += corners.weight[i] * corner[c];
    }
}

// One of `channels` channels of a picture.
__device__ __forceinline__ float fit_sample_one(const float *picture, const FitCorners &corners, int channel,
                                                int channels) {
    const float value = picture[corners.at[0] * channels + channel];
    if (!corners.between) return value;
    float sum = corners.weight[0] * value;
#pragma unroll
    for (int i = 1; i < 4; ++i) sum += corners.weight[i] * picture[corners.at[i] * channels + channel];
    return sum;
}

// What the squared error counts: at a point the value of a plane, times weight [C]. planes: a picture of `count`
// channels. plane: [C], which one a channel has.
struct FitImportance {
    const float *planes;
    int count;
    const int *plane;
    const float *weight;
};

#define FIT_IMPORTANCE_PARAMETERS const float *importance, int planes, const int *plane, const float *weight
#define FIT_IMPORTANCE                                                                                                 \
    FitImportance { importance, planes, plane, weight }

__device__ __forceinline__ void fit_sample_importance(const FitImportance &importance, const FitCorners &corners,
                                                      float (&value)[FIT_CHANNELS]) {
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c)
        value[c] = fit_sample_one(importance.planes, corners, importance.plane[c], importance.count) *
                   importance.weight[c];
}

// ---- Gaussians -----------------------------------------------------------------------------------------------------

// A Gaussian in the frame of a tile: positions count from its first point. fade_x, fade_y: distance of that point from
// the middle of the Gaussian's cell, in cells; step_x, step_y: what a texel adds. All 0 if it does not fade here.
struct FitGaussian {
    int index;
    float x, y, ac, as, bs, bc, amplitude;
    float fade_x, fade_y, step_x, step_y;
};

__device__ __forceinline__ FitGaussian fit_gaussian(const FitScene &scene, const FitTile &tile, int entry) {
    FitGaussian g;
    g.index = scene.gaussian[entry];
    float4 low = ((const float4 *)scene.derived)[2 * g.index], high = ((const float4 *)scene.derived)[2 * g.index + 1];
    float shift_x = float(scene.image[2 * entry]) * float(scene.width);
    float shift_y = float(scene.image[2 * entry + 1]) * float(scene.height);
    g.x = low.x + shift_x - tile.x;
    g.y = low.y + shift_y - tile.y;
    g.ac = low.z, g.as = low.w, g.bs = high.x, g.bc = high.y, g.amplitude = high.z;
    g.fade_x = g.fade_y = g.step_x = g.step_y = 0.0f;
    if (scene.faded[entry]) {
        float4 cell = ((const float4 *)scene.where)[g.index];
        g.fade_x = (tile.x - shift_x) / cell.z - cell.x;
        g.fade_y = (tile.y - shift_y) / cell.w - cell.y;
        g.step_x = 1.0f / cell.z;
        g.step_y = 1.0f / cell.w;
    }
    return g;
}

// ---- The picture of a tile -----------------------------------------------------------------------------------------

// A staged entry, in units of 16 bytes: (x, y, ac, as), (bs, bc, amplitude, 1 if faded), features, 8 fades by column
// and 8 by row. An odd number of them, so that lanes that write one each do not meet in a bank.
#define FIT_STAGED ((6 + FIT_FEATURE_QUADS) | 1)
#define FIT_STAGED_FADES (2 + FIT_FEATURE_QUADS)

__device__ __forceinline__ void fit_stage(const FitScene &scene, const FitTile &tile, int entry, float4 *staged) {
    FitGaussian g = fit_gaussian(scene, tile, entry);
    staged[0] = make_float4(g.x, g.y, g.ac, g.as);
    staged[1] = make_float4(g.bs, g.bc, g.amplitude, g.step_x != 0.0f ? 1.0f : 0.0f);
    float *values = (float *)(staged + 2);
    float features[FIT_CHANNELS];
    fit_read(scene.features + g.index * FIT_CHANNELS, features);
#pragma unroll
    for (int q = 0; q < FIT_FEATURE_QUADS; ++q) staged[2 + q] = fit_quad(features, 4 * q);
    if (g.step_x != 0.0f) {
        values += 4 * FIT_FEATURE_QUADS;
#pragma unroll
        for (int i = 0; i < GSTEX_TILE; ++i) {
            values[i] = gstex_fade(g.fade_x + float(i) * g.step_x);
            values[GSTEX_TILE + i] = gstex_fade(g.fade_y + float(i) * g.step_y);
        }
    }
}

// The blend at a lane's two points: column lane mod 8, rows lane / 8 and 4 below. All lanes of the warp come here.
// staged: shared memory of the warp, 32 FIT_STAGED. inverse: 1 / sum of the weights, the background's included.
__device__ __forceinline__ void fit_blend(const FitScene &scene, const FitTile &tile, int lane, float4 *staged,
                                          float (&value)[2][FIT_CHANNELS], float (&inverse)[2]) {
    const int column = lane & 7, row = lane >> 3;
    float total[2] = {GSTEX_BACKGROUND_WEIGHT, GSTEX_BACKGROUND_WEIGHT};
#pragma unroll
    for (int c = 0; c < FIT_CHANNELS; ++c) value[0][c] = value[1][c] = GSTEX_BACKGROUND_WEIGHT * scene.background[c];
    for (int from = tile.first; from < tile.last; from += 32) {
        __syncwarp();
        if (from + lane < tile.last) fit_stage(scene, tile, from + lane, staged + lane * FIT_STAGED);
        __syncwarp();
        const int count = min(32, tile.last - from);
        for (int i = 0; i < count; ++i) {
            const float4 *entry = staged + i * FIT_STAGED;
            const float4 low = entry[0], high = entry[1];
            const float dx = float(column) - low.x, u0 = low.z * dx, v0 = high.x * dx;
            float weight[2];
#pragma unroll
            for (int t = 0; t < 2; ++t) {
                const float dy = float(row + 4 * t) - low.y;
                const float u = low.w * dy + u0, v = high.y * dy - v0;
                weight[t] = gstex_weight(high.z, u, v);
            }
            if (high.w != 0.0f) { // the same for all lanes
                const float *fades = (const float *)(entry + FIT_STAGED_FADES);
                weight[0] *= fades[column] * fades[GSTEX_TILE + row];
                weight[1] *= fades[column] * fades[GSTEX_TILE + row + 4];
            }
            total[0] += weight[0];
            total[1] += weight[1];
#pragma unroll
            for (int q = 0; q < FIT_FEATURE_QUADS; ++q) {
                const float4 four = entry[2 + q];
                const float feature[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    if (4 * q + j >= FIT_CHANNELS) continue;
                    const int c = 4 * q + j < FIT_CHANNELS ? 4 * q + j : 0;
                    value[0][c] += weight[0] * feature[j];
                    value[1][c] += weight[1] * feature[j];
                }
            }
        }
    }
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        inverse[t] = 1.0f / total[t];
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) value[t][c] *= inverse[t];
    }
    __syncwarp(); // `staged` may be used for something else now
}

// ---- What a lane does with an entry --------------------------------------------------------------------------------

// How the lanes of a warp share entries `from` and up. With few of them left, several lanes take the same entry and
// a part of the tile's rows each; lanes that are `width` apart hold parts of one sum.
struct FitShare {
    int entry, width, row, rows;
    bool counts; // this lane holds the sum when the parts are added
};

__device__ __forceinline__ FitShare fit_share(int from, int last, int lane) {
    FitShare share;
    const int left = last - from;
    share.width = left > 16 ? 32 : left > 8 ? 16 : 8;
    share.entry = from + (lane & (share.width - 1));
    share.counts = lane < share.width && share.entry < last;
    share.entry = min(share.entry, last - 1);
    share.rows = GSTEX_TILE * share.width / 32;
    share.row = lane / share.width * share.rows;
    return share;
}

template <int COUNT> __device__ __forceinline__ void fit_add_parts(const FitShare &share, float (&sums)[COUNT]) {
    for (int apart = share.width; apart < 32; apart *= 2) {
#pragma unroll
        for (int i = 0; i < COUNT; ++i) sums[i] += __shfl_xor_sync(FIT_FULL, sums[i], apart);
    }
}

// The sum over the warp, in all lanes.
__device__ __forceinline__ float fit_warp_sum(float value) {
#pragma unroll
    for (int apart = 16; apart; apart /= 2) value += __shfl_xor_sync(FIT_FULL, value, apart);
    return value;
}
