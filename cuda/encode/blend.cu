// The picture of a set of Gaussians, its squared error against another picture, and the gradient. Twin:
// gstex/native/ops/blend.cpp.
//
// Block: FIT_THREADS, a warp a tile. Grid: tiles / FIT_WARPS, rounded up.

#include "encode/tile.cuh"

// A point in shared memory, in units of 16 bytes: dL/dvalue [C], -sum over c of dL/dvalue value, 1 / sum of weights.
#define POINT_QUADS ((FIT_CHANNELS + 2 + 3) / 4)
// Memory of a warp: staged entries, and then points.
#define WARP_QUADS (32 * FIT_STAGED > FIT_POINTS * POINT_QUADS ? 32 * FIT_STAGED : FIT_POINTS * POINT_QUADS)

// Puts a lane's two points where all lanes can read them.
static __device__ __forceinline__ void share_points(int lane, const float (&value)[2][FIT_CHANNELS],
                                                    const float (&v_value)[2][FIT_CHANNELS],
                                                    const float (&inverse)[2], float4 *points) {
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        float row[FIT_CHANNELS + 2];
        float inner = 0.0f;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) {
            row[c] = v_value[t][c];
            inner += v_value[t][c] * value[t][c];
        }
        row[FIT_CHANNELS] = -inner;
        row[FIT_CHANNELS + 1] = inverse[t];
        float4 *point = points + (lane + 32 * t) * POINT_QUADS;
#pragma unroll
        for (int q = 0; q < POINT_QUADS; ++q) point[q] = fit_quad(row, 4 * q);
    }
    __syncwarp();
}

// Sums over the tile's points, for every entry, of dL/dscore times 1, u, v, u^2, v^2, u v, and of dL/dfeature.
//
// entry_sums: [E, FIT_ROW], row slot[entry].
static __device__ __forceinline__ void backward_tile(const FitScene &scene, const FitTile &tile, int lane,
                                                     const float4 *points, float *entry_sums) {
    for (int from = tile.first; from < tile.last; from += 32) {
        const FitShare share = fit_share(from, tile.last, lane);
        const FitGaussian g = fit_gaussian(scene, tile, share.entry);
        float features[FIT_CHANNELS], fade[GSTEX_TILE], sums[FIT_SUMS];
        fit_read(scene.features + g.index * FIT_CHANNELS, features);
#pragma unroll
        for (int i = 0; i < GSTEX_TILE; ++i) fade[i] = gstex_fade(g.fade_x + float(i) * g.step_x);
#pragma unroll
        for (int i = 0; i < FIT_SUMS; ++i) sums[i] = 0.0f;
#pragma unroll 1
        for (int j = share.row; j < share.row + share.rows; ++j) {
            const float dy = float(j) - g.y, fade_row = gstex_fade(g.fade_y + float(j) * g.step_y);
            const float u0 = g.as * dy - g.ac * g.x, v0 = g.bc * dy + g.bs * g.x;
#pragma unroll
            for (int i = 0; i < GSTEX_TILE; ++i) {
                float point[4 * POINT_QUADS];
#pragma unroll
                for (int q = 0; q < POINT_QUADS; ++q) {
                    const float4 four = points[(j * GSTEX_TILE + i) * POINT_QUADS + q];
                    point[4 * q] = four.x, point[4 * q + 1] = four.y;
                    point[4 * q + 2] = four.z, point[4 * q + 3] = four.w;
                }
                const float u = u0 + g.ac * float(i), v = v0 - g.bs * float(i);
                const float weight =
                    gstex_weight(g.amplitude, u, v) * (fade[i] * fade_row) * point[FIT_CHANNELS + 1];
                float v_score = point[FIT_CHANNELS];
#pragma unroll
                for (int c = 0; c < FIT_CHANNELS; ++c) {
                    v_score += point[c] * features[c];
                    sums[6 + c] += weight * point[c];
                }
                const float d = v_score * weight, du = d * u, dv = d * v;
                sums[0] += d;
                sums[1] += du;
                sums[2] += dv;
                sums[3] += du * u;
                sums[4] += dv * v;
                sums[5] += du * v;
            }
        }
        fit_add_parts(share, sums);
        if (share.counts) {
            float4 *row = (float4 *)(entry_sums + (long long)scene.slot[share.entry] * FIT_ROW);
#pragma unroll
            for (int q = 0; q < FIT_ROW / 4; ++q) row[q] = fit_quad(sums, 4 * q);
        }
    }
}

// Squared error and its gradients.
//
// target: a picture [H, W, C]; the loss is the sum of importance (value - target)^2 at the points.
// entry_sums: see above. tile_loss: [T].
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_step(FIT_SCENE_PARAMETERS, const float *target, FIT_IMPORTANCE_PARAMETERS, int repeat, float *entry_sums,
         float *tile_loss) {
    __shared__ float4 memory[FIT_WARPS][WARP_QUADS];
    const FitScene scene = FIT_SCENE;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, number = blockIdx.x * FIT_WARPS + warp;
    if (number >= tiles) return;
    const FitTile tile = fit_tile(scene, number);
    float value[2][FIT_CHANNELS], v_value[2][FIT_CHANNELS], inverse[2], loss = 0.0f;
    fit_blend(scene, tile, lane, memory[warp], value, inverse);
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        const int column = tile.column + (lane & 7), row = tile.row + (lane >> 3) + 4 * t;
        const FitCorners corners = fit_corners(column, row, jitter, width, height, repeat);
        float wanted[FIT_CHANNELS], counts[FIT_CHANNELS];
        fit_sample(target, corners, wanted);
        fit_sample_importance(FIT_IMPORTANCE, corners, counts);
        const float inside = column < width && row < height ? 1.0f : 0.0f;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) {
            const float difference = value[t][c] - wanted[c], scaled = inside * counts[c] * difference;
            loss += scaled * difference;
            v_value[t][c] = scaled + scaled;
        }
    }
    loss = fit_warp_sum(loss);
    if (lane == 0) tile_loss[number] = loss;
    share_points(lane, value, v_value, inverse, memory[warp]);
    backward_tile(scene, tile, lane, memory[warp], entry_sums);
}

// Gradients for a given dL/dvalue: v_picture [H, W, C], at the points.
extern "C" __global__ void __launch_bounds__(FIT_THREADS)
fit_backward(FIT_SCENE_PARAMETERS, const float *v_picture, float *entry_sums) {
    __shared__ float4 memory[FIT_WARPS][WARP_QUADS];
    const FitScene scene = FIT_SCENE;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, number = blockIdx.x * FIT_WARPS + warp;
    if (number >= tiles) return;
    const FitTile tile = fit_tile(scene, number);
    float value[2][FIT_CHANNELS], v_value[2][FIT_CHANNELS], inverse[2];
    fit_blend(scene, tile, lane, memory[warp], value, inverse);
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        const int column = tile.column + (lane & 7), row = tile.row + (lane >> 3) + 4 * t;
        if (column < width && row < height) {
            fit_read(v_picture + ((long long)row * width + column) * FIT_CHANNELS, v_value[t]);
        } else {
#pragma unroll
            for (int c = 0; c < FIT_CHANNELS; ++c) v_value[t][c] = 0.0f;
        }
    }
    share_points(lane, value, v_value, inverse, memory[warp]);
    backward_tile(scene, tile, lane, memory[warp], entry_sums);
}

// The values at the points: picture [H, W, C].
extern "C" __global__ void __launch_bounds__(FIT_THREADS) fit_render(FIT_SCENE_PARAMETERS, float *picture) {
    __shared__ float4 memory[FIT_WARPS][32 * FIT_STAGED];
    const FitScene scene = FIT_SCENE;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, number = blockIdx.x * FIT_WARPS + warp;
    if (number >= tiles) return;
    const FitTile tile = fit_tile(scene, number);
    float value[2][FIT_CHANNELS], inverse[2];
    fit_blend(scene, tile, lane, memory[warp], value, inverse);
#pragma unroll
    for (int t = 0; t < 2; ++t) {
        const int column = tile.column + (lane & 7), row = tile.row + (lane >> 3) + 4 * t;
        if (column >= width || row >= height) continue;
        float *texel = picture + ((long long)row * width + column) * FIT_CHANNELS;
#pragma unroll
        for (int c = 0; c < FIT_CHANNELS; ++c) texel[c] = value[t][c];
    }
}
