// The picture of a set of Gaussians, its squared error against another picture, and the gradient. Twin:
// cuda/encode/blend.cu.

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

// Sums of dL/dscore times 1, y, y^2 over the points of a tile for one entry, in 16 lanes.
struct Moments {
    F16 one, row, row_row;
};

// The origin of the coordinates of the points of a tile: the place in the tile that is nearest to a Gaussian. u and v
// are smallest there, so little precision is lost by cancellation.
struct Origin {
    float x, y;
};

GSTEX_INLINE float within(float x, float most) { return gstex_min(gstex_max(x, 0.0f), most); }

// Writes the sums of an entry over the tile to row[0 .. 5]: dL/dscore times 1, x, y, x^2, y^2, x y, relative to the
// centre of the Gaussian.
GSTEX_INLINE void finish_moments(const Gaussian &g, const Origin &origin, const Moments &sums, float *row) {
    const F16 column = lane_columns() - F16(origin.x);
    float a[4], b[4];
    const F16 by_column = sums.one * column;
    sum4(sums.one, by_column, by_column * column, sums.row, a);
    sum4(sums.row * column, sums.row_row, sums.row_row, sums.row_row, b);
    const float d = a[0], dx = a[1], dxx = a[2], dy = a[3], dxy = b[0], dyy = b[1];
    const float x = origin.x - g.x, y = origin.y - g.y;
    const float x_d = x * d, y_d = y * d;
    row[0] = d;
    row[1] = dx + x_d;
    row[2] = dy + y_d;
    row[3] = dxx + x * (dx + dx + x_d);
    row[4] = dyy + y * (dy + dy + y_d);
    row[5] = dxy + x * dy + y * (dx + x_d);
}

// dL/dfeature of COUNT channels: the sums of weight times v_value.
template <int COUNT> GSTEX_INLINE void feature_sums(const float *weight, const float *v_value, float *to) {
    F16 sums[4];
    GSTEX_UNROLL for (int c = 0; c < COUNT; ++c) sums[c] = load(weight) * load(v_value + c * POINTS);
    GSTEX_UNROLL for (int pair = 1; pair < PAIRS; ++pair) {
        const F16 w = load(weight + pair * LANES);
        GSTEX_UNROLL for (int c = 0; c < COUNT; ++c) sums[c] =
            fma(w, load(v_value + c * POINTS + pair * LANES), sums[c]);
    }
    GSTEX_UNROLL for (int c = COUNT; c < 4; ++c) sums[c] = sums[0];
    float four[4];
    sum4(sums[0], sums[1], sums[2], sums[3], four);
    GSTEX_UNROLL for (int c = 0; c < COUNT; ++c) to[c] = four[c];
}

// Sums over the tile's points, for every entry, of dL/dscore times 1, x, y, x^2, y^2, x y, and of dL/dfeature.
//
// v_value: [C, 64], dL/dvalue divided by the sum of the weights. inner: [64], the sum over c of v_value value.
GSTEX_INLINE void backward_tile(const Scene &scene, const Tile &tile, int64_t number, const float *weights,
                                const float *v_value, const F16 (&inner)[PAIRS], int64_t rows, float *sums) {
    const int channels = scene.channels;
    const float right = float(scene.width - 1 - tile_column(number, scene.across));
    const float bottom = float(scene.height - 1 - tile_row(number, scene.across));
    const float most_x = gstex_min(right, float(TILE - 1)), most_y = gstex_min(bottom, float(TILE - 1));
    for (int64_t entry = tile.first; entry < tile.last; ++entry) {
        const Gaussian g = gaussian_of(scene.view, scene.lists, tile, entry);
        const Origin origin = {within(g.x, most_x), within(g.y, most_y)};
        const float *feature = scene.features + int64_t(scene.lists.gaussian[entry]) * channels;
        const float *weight = weights + (entry - tile.first) * POINTS;
        float *row = sums + int64_t(scene.slot[entry]) * rows;
        F16 v_score[PAIRS];
        GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) v_score[pair] = -inner[pair];
        for (int c = 0; c < channels; ++c) {
            const F16 f = F16(feature[c]);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) v_score[pair] =
                fma(load(v_value + c * POINTS + pair * LANES), f, v_score[pair]);
        }
        Moments moments;
        GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
            const F16 d = v_score[pair] * load(weight + pair * LANES);
            const F16 y = lane_rows() + F16(float(2 * pair) - origin.y), dy = d * y;
            moments.one = pair ? moments.one + d : d;
            moments.row = pair ? moments.row + dy : dy;
            moments.row_row = pair ? fma(dy, y, moments.row_row) : dy * y;
        }
        finish_moments(g, origin, moments, row);
        int c = 0;
        for (; c + 4 <= channels; c += 4) feature_sums<4>(weight, v_value + c * POINTS, row + 6 + c);
        for (; c < channels; ++c) feature_sums<1>(weight, v_value + c * POINTS, row + 6 + c);
    }
}

// Prefetches the target texels of the tiles after the next one; a cache line holds those of two tiles.
GSTEX_INLINE void prefetch(const Picture &target, const Filter &filter, int channels) {
    const float *line = target.planes + filter.at + LANES;
    for (int c = 0; c < channels; ++c, line += target.plane)
        for (int y = 0; y < TILE + int(filter.between); ++y) __builtin_prefetch(line + y * target.stride);
}

void blend_step(const BlendStep &a) {
    const Scene &scene = a.scene;
    const int channels = scene.channels;
    parallel_for(scene.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t number = begin; number < end; ++number) {
            scratch.reset();
            const Tile tile = tile_of(scene, number);
            float *weights = scratch.take<float>((tile.last - tile.first) * POINTS);
            float *out = scratch.take<float>(channels * POINTS); // then dL/dvalue
            float *wanted = scratch.take<float>(channels * POINTS);
            F16 total[PAIRS], inverse[PAIRS];
            weigh_all(scene.view, scene.lists, tile, weights, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) inverse[pair] = F16(1.0f) / total[pair];
            blend(scene.lists, tile, channels, scene.features, scene.background, weights, inverse, out);

            const int column = tile_column(number, scene.across), row = tile_row(number, scene.across);
            const Filter filter = filter_of(a.target, column, row, scene.jitter);
            if (column % LANES == 0) prefetch(a.target, filter, channels);
            const bool whole = column + TILE <= scene.width && row + TILE <= scene.height;
            for (int c = 0; c < channels; ++c) sample_tile(a.target, filter, c, wanted + c * POINTS);
            F16 error[PAIRS], inner[PAIRS];
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                error[pair] = inner[pair] = F16(0.0f);
                const F16 counts = whole ? F16(1.0f) : inside(column, row, scene.width, scene.height, pair);
                F16 planes[MAX_CHANNELS];
                for (int n = 0; n < a.importance.count; ++n)
                    planes[n] = sample(a.importance.planes, filter, n, pair) * counts;
                for (int c = 0; c < channels; ++c) {
                    float *at = out + c * POINTS + pair * LANES;
                    const F16 value = load(at), difference = value - load(wanted + c * POINTS + pair * LANES);
                    const F16 scaled = difference * (planes[a.importance.plane[c]] * F16(a.importance.weight[c]));
                    error[pair] = fma(scaled, difference, error[pair]);
                    const F16 v_value = (scaled + scaled) * inverse[pair];
                    inner[pair] = fma(v_value, value, inner[pair]);
                    store(at, v_value);
                }
            }
            a.loss[number] = double(sum((error[0] + error[1]) + (error[2] + error[3])));
            backward_tile(scene, tile, number, weights, out, inner, a.rows, a.sums);
        }
    });
}

void blend_backward(const BlendBackward &a) {
    const Scene &scene = a.scene;
    const int channels = scene.channels;
    parallel_for(scene.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t number = begin; number < end; ++number) {
            scratch.reset();
            const Tile tile = tile_of(scene, number);
            float *weights = scratch.take<float>((tile.last - tile.first) * POINTS);
            float *out = scratch.take<float>(channels * POINTS), *given = scratch.take<float>(channels * POINTS);
            F16 total[PAIRS], inverse[PAIRS], inner[PAIRS];
            weigh_all(scene.view, scene.lists, tile, weights, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) inverse[pair] = F16(1.0f) / total[pair];
            blend(scene.lists, tile, channels, scene.features, scene.background, weights, inverse, out);

            const int column = tile_column(number, scene.across), row = tile_row(number, scene.across);
            for (int k = 0; k < POINTS; ++k) {
                const int x = column + k % TILE, y = row + k / TILE;
                const bool is_inside = x < scene.width && y < scene.height;
                const float *texel = a.v_image + (int64_t(y) * scene.width + x) * channels;
                for (int c = 0; c < channels; ++c) given[c * POINTS + k] = is_inside ? texel[c] : 0.0f;
            }
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                inner[pair] = F16(0.0f);
                for (int c = 0; c < channels; ++c) {
                    const int at = c * POINTS + pair * LANES;
                    const F16 v_value = load(given + at) * inverse[pair];
                    inner[pair] = fma(v_value, load(out + at), inner[pair]);
                    store(given + at, v_value);
                }
            }
            backward_tile(scene, tile, number, weights, given, inner, a.rows, a.sums);
        }
    });
}

void blend_render(const BlendRender &a) {
    const Scene &scene = a.scene;
    const int channels = scene.channels;
    parallel_for(scene.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t number = begin; number < end; ++number) {
            scratch.reset();
            const Tile tile = tile_of(scene, number);
            float *weights = scratch.take<float>((tile.last - tile.first) * POINTS);
            float *out = scratch.take<float>(channels * POINTS);
            F16 total[PAIRS], inverse[PAIRS];
            weigh_all(scene.view, scene.lists, tile, weights, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) inverse[pair] = F16(1.0f) / total[pair];
            blend(scene.lists, tile, channels, scene.features, scene.background, weights, inverse, out);
            const int column = tile_column(number, scene.across), row = tile_row(number, scene.across);
            for (int k = 0; k < POINTS; ++k) {
                const int x = column + k % TILE, y = row + k / TILE;
                if (x >= scene.width || y >= scene.height) continue;
                float *texel = a.image + (int64_t(y) * scene.width + x) * channels;
                for (int c = 0; c < channels; ++c) texel[c] = out[c * POINTS + k];
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
