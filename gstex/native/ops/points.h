// All points at which a fit is judged (gstex/encode/sample_points): tiles of several views. Twin:
// cuda/encode/points.cuh.

#pragma once

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

GSTEX_INLINE Tile tile_of(const SamplePoints &points, int64_t number) {
    const int32_t *corner = points.corner + 2 * number;
    const float *offset = points.offset + 2 * number;
    return Tile{points.lists.start[number], points.lists.start[number + 1], float(corner[0]) + 0.5f + offset[0],
                float(corner[1]) + 0.5f + offset[1]};
}

// The target of a tile. weight: that of its view, 0 beyond the borders.
struct Wanted {
    const Picture *target;
    const Importance *importance;
    Filter filter;
    F16 weight[PAIRS];
};

GSTEX_INLINE Wanted wanted_of(const SamplePoints &points, int64_t number) {
    const int view = points.view[number], column = points.corner[2 * number], row = points.corner[2 * number + 1];
    Wanted wanted;
    wanted.target = &points.target[view];
    wanted.importance = &points.importance[view];
    wanted.filter = filter_of(points.target[view], column, row, points.offset + 2 * number);
    const int width = int(points.views[view].extent[0]), height = int(points.views[view].extent[1]);
    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) wanted.weight[pair] =
        inside(column, row, width, height, pair) * F16(points.weight[view]);
    return wanted;
}

GSTEX_INLINE F16 target_of(const Wanted &wanted, int channel, int pair) {
    return sample(*wanted.target, wanted.filter, channel, pair);
}

// A plane of importance, times the weight of the view.
GSTEX_INLINE F16 plane_of(const Wanted &wanted, int plane, int pair) {
    return sample(wanted.importance->planes, wanted.filter, plane, pair) * wanted.weight[pair];
}

// All planes of importance at the points of a tile, times the weight of the view.
struct Planes {
    F16 values[MAX_CHANNELS][PAIRS];
};

GSTEX_INLINE void planes_of(const Wanted &wanted, Planes &planes) {
    for (int n = 0; n < wanted.importance->count; ++n) {
        GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) planes.values[n][pair] = plane_of(wanted, n, pair);
    }
}

} // namespace GSTEX_SET
} // namespace gstex
