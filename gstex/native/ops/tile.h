// The points of a tile and the Gaussians there: common code of the kernels of the fit.
//
// The 64 points of a tile are four vectors of 16, two rows each. The weights of an entry are 64 floats in memory; they
// are not normalised.

#pragma once

#include "ops.h"
#include "reals.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

constexpr int PAIRS = POINTS / LANES; // of rows

// The columns of 16 points, and their rows (0 or 1).
GSTEX_INLINE F16 lane_columns() {
    static const float columns[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};
    return load(columns);
}
GSTEX_INLINE F16 lane_rows() {
    static const float rows[LANES] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    return load(rows);
}

// A tile. x, y: its first point in texels. first, last: its entries.
struct Tile {
    int64_t first, last;
    float x, y;
};

// Column and row of the first texel of a tile, in a picture `across` tiles wide.
GSTEX_INLINE int tile_column(int64_t tile, int across) { return int(tile % across) * TILE; }
GSTEX_INLINE int tile_row(int64_t tile, int across) { return int(tile / across) * TILE; }

GSTEX_INLINE Tile tile_of(const Scene &scene, int64_t number) {
    return Tile{scene.lists.start[number], scene.lists.start[number + 1],
                float(tile_column(number, scene.across)) + 0.5f + scene.jitter[0],
                float(tile_row(number, scene.across)) + 0.5f + scene.jitter[1]};
}

// A Gaussian in the frame of a tile: its centre is relative to the first point. See View::derived.
struct Gaussian {
    float x, y, ac, as, bs, bc, amplitude;
};

GSTEX_INLINE Gaussian gaussian_of(const View &view, const TileLists &lists, const Tile &tile, int64_t entry) {
    const float *derived = view.derived + 8 * int64_t(lists.gaussian[entry]);
    const float shift_x = float(lists.image[2 * entry]) * view.extent[0];
    const float shift_y = float(lists.image[2 * entry + 1]) * view.extent[1];
    return Gaussian{derived[0] + shift_x - tile.x,
                    derived[1] + shift_y - tile.y,
                    derived[2],
                    derived[3],
                    derived[4],
                    derived[5],
                    derived[6]};
}

// The fades of a Gaussian by column of a tile (for both rows of a vector) and by row.
struct Fades {
    F16 columns;
    float rows[TILE];
};

// origin: that of the tile minus the shift of the image.
GSTEX_INLINE Fades fades_of(const float *where, float origin_x, float origin_y) {
    const F16 count = lane_columns();
    Fades fades;
    fades.columns = gstex_fade((F16(origin_x) + count) / F16(where[2]) - F16(where[0]));
    float rows[LANES];
    store(rows, gstex_fade((F16(origin_y) + count) / F16(where[3]) - F16(where[1])));
    memcpy(fades.rows, rows, sizeof(fades.rows));
    return fades;
}

// The weights of a Gaussian at the 64 points, without its fade.
GSTEX_INLINE void weigh(const Gaussian &g, F16 (&weight)[PAIRS]) {
    const F16 dx = lane_columns() - F16(g.x), rows = lane_rows() - F16(g.y);
    const F16 u0 = F16(g.ac) * dx, v0 = -(F16(g.bs) * dx);
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
        const F16 dy = rows + F16(float(2 * pair));
        const F16 u = fma(F16(g.as), dy, u0), v = fma(F16(g.bc), dy, v0);
        weight[pair] = gstex_weight(F16(g.amplitude), u, v);
    }
}

GSTEX_INLINE void fade(const Fades &fades, F16 (&weight)[PAIRS]) {
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) weight[pair] =
        weight[pair] * (fades.columns * splat_rows(fades.rows[2 * pair], fades.rows[2 * pair + 1]));
}

// The weights of all entries of a tile, [last - first, 64], and their sums with that of the background.
GSTEX_INLINE void weigh_all(const View &view, const TileLists &lists, const Tile &tile, float *weights,
                            F16 (&total)[PAIRS]) {
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) total[pair] = F16(GSTEX_BACKGROUND_WEIGHT);
    for (int64_t entry = tile.first; entry < tile.last; ++entry) {
        F16 weight[PAIRS];
        weigh(gaussian_of(view, lists, tile, entry), weight);
        if (lists.faded[entry]) {
            const float *where = view.where + 4 * int64_t(lists.gaussian[entry]);
            const float shift_x = float(lists.image[2 * entry]) * view.extent[0];
            const float shift_y = float(lists.image[2 * entry + 1]) * view.extent[1];
            fade(fades_of(where, tile.x - shift_x, tile.y - shift_y), weight);
        }
        float *to = weights + (entry - tile.first) * POINTS;
        GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
            store(to + pair * LANES, weight[pair]);
            total[pair] += weight[pair];
        }
    }
}

// COUNT channels from `channel` on of the blend at the points of a tile: out [C, 64].
template <int COUNT>
GSTEX_INLINE void blend_some(const TileLists &lists, const Tile &tile, int channels, int channel, const float *features,
                             const float *background, const float *weights, const F16 (&inverse)[PAIRS], float *out) {
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
        F16 value[COUNT];
        GSTEX_UNROLL for (int c = 0; c < COUNT; ++c) value[c] = F16(background[channel + c] * GSTEX_BACKGROUND_WEIGHT);
        const float *weight = weights + pair * LANES;
        for (int64_t entry = tile.first; entry < tile.last; ++entry, weight += POINTS) {
            const float *feature = features + int64_t(lists.gaussian[entry]) * channels + channel;
            const F16 w = load(weight);
            GSTEX_UNROLL for (int c = 0; c < COUNT; ++c) value[c] = fma(w, F16(feature[c]), value[c]);
        }
        GSTEX_UNROLL for (int c = 0; c < COUNT; ++c)
            store(out + (channel + c) * POINTS + pair * LANES, value[c] * inverse[pair]);
    }
}

// The blend at the points of a tile: out [C, 64]. weights: of weigh_all. inverse: 1 / their sums.
GSTEX_INLINE void blend(const TileLists &lists, const Tile &tile, int channels, const float *features,
                        const float *background, const float *weights, const F16 (&inverse)[PAIRS], float *out) {
    int c = 0;
    for (; c + 4 <= channels; c += 4)
        blend_some<4>(lists, tile, channels, c, features, background, weights, inverse, out);
    for (; c < channels; ++c) blend_some<1>(lists, tile, channels, c, features, background, weights, inverse, out);
}

// Where the points of a tile lie in a picture, and how they are interpolated between the four texels around them.
struct Filter {
    int64_t at; // index of the first texel in a plane
    float right, down;
    bool between;
};

GSTEX_INLINE Filter filter_of(const Picture &picture, int column, int row, const float *jitter) {
    const int whole_x = jitter[0] < 0.0f ? -1 : 0, whole_y = jitter[1] < 0.0f ? -1 : 0; // jitter: -0.5 .. 0.5
    Filter filter;
    filter.at = int64_t(row + whole_y + 1) * picture.stride + column + whole_x + 1;
    filter.right = jitter[0] - float(whole_x);
    filter.down = jitter[1] - float(whole_y);
    filter.between = filter.right != 0.0f || filter.down != 0.0f;
    return filter;
}

// A channel of a picture at 16 points.
GSTEX_INLINE F16 sample(const Picture &picture, const Filter &filter, int channel, int pair) {
    const float *first = picture.planes + channel * picture.plane + filter.at + 2 * pair * picture.stride;
    const float *second = first + picture.stride, *third = second + picture.stride;
    if (!filter.between) return load_rows(first, second);
    const F16 right = F16(filter.right), left = F16(1.0f - filter.right);
    const F16 top = fma(load_rows(first + 1, second + 1), right, load_rows(first, second) * left);
    const F16 bottom = fma(load_rows(second + 1, third + 1), right, load_rows(second, third) * left);
    return fma(bottom, F16(filter.down), top * F16(1.0f - filter.down));
}

// A channel of a picture at all points of a tile, to[64]: the result of `sample`, but each row is read once.
GSTEX_INLINE void sample_tile(const Picture &picture, const Filter &filter, int channel, float *to) {
    const float *first = picture.planes + channel * picture.plane + filter.at;
    if (!filter.between) {
        GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair, first += 2 * picture.stride)
            store(to + pair * LANES, load_rows(first, first + picture.stride));
        return;
    }
    const F16 right = F16(filter.right), left = F16(1.0f - filter.right);
    const F16 down = F16(filter.down), up = F16(1.0f - filter.down);
    F16 rows =
        fma(load_rows(first + 1, first + picture.stride + 1), right, load_rows(first, first + picture.stride) * left);
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
        first += 2 * picture.stride;
        const float *second = pair + 1 < PAIRS ? first + picture.stride : first; // one row is left
        const F16 next = fma(load_rows(first + 1, second + 1), right, load_rows(first, second) * left);
        store(to + pair * LANES, fma(rows_between(rows, next), down, rows * up));
        rows = next;
    }
}

// 1 at the points of a tile whose texels lie inside a picture of this size, 0 at the others.
GSTEX_INLINE F16 inside(int column, int row, int width, int height, int pair) {
    const F16 is_left = select(lane_columns() < F16(float(width - column)), F16(1.0f), F16(0.0f));
    return select(lane_rows() + F16(float(2 * pair)) < F16(float(height - row)), is_left, F16(0.0f));
}

} // namespace GSTEX_SET
} // namespace gstex
