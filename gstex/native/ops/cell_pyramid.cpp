// The cells of a pyramid that hold Gaussians (gstex/encode/cell_pyramid.py). Twin: cuda/encode/cell_pyramid.cu.

#include "maths.h"
#include "ops.h"
#include "reals.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

struct Extent {
    double x, y;
};

// Half width and height in texels of the ellipse of `cut` sigma.
GSTEX_INLINE Extent half_extent(const float *geometry, double cut) {
    const maths::SinCos turn = maths::sincos(double(geometry[2]));
    const double cos2 = turn.cosine * turn.cosine, sin2 = turn.sine * turn.sine;
    const double u2 = maths::exp(2.0 * double(geometry[3])), v2 = maths::exp(2.0 * double(geometry[4]));
    return Extent{cut * gstex_sqrt(u2 * cos2 + v2 * sin2), cut * gstex_sqrt(u2 * sin2 + v2 * cos2)};
}

void half_extents(const HalfExtents &a) {
    parallel_for(a.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            const Extent extent = half_extent(a.geometry + 6 * g, a.cut);
            a.extents[2 * g] = extent.x;
            a.extents[2 * g + 1] = extent.y;
        }
    });
}

void keep_inside(const KeepInside &a) {
    parallel_for(a.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            float *mine = a.geometry + 6 * g;
            for (int axis = 0; axis < 2; ++axis) {
                const float extent = float(axis ? a.height : a.width);
                if (a.repeat) mine[axis] -= __builtin_floorf(mine[axis] / extent) * extent;
                mine[axis] = gstex_min(gstex_max(mine[axis], 0.0f), a.last[axis]);
                mine[3 + axis] = float(gstex_min(double(mine[3 + axis]), a.largest));
            }
            mine[5] = gstex_min(gstex_max(mine[5], -a.amplitude_most), a.amplitude_most);
            const Extent extent = half_extent(mine, a.cut);
            const double too_large = gstex_max(gstex_max(extent.x / a.room[0], extent.y / a.room[1]), 1.0);
            const float shrink = float(maths::log(too_large));
            for (int axis = 0; axis < 2; ++axis)
                mine[3 + axis] = float(gstex_max(double(mine[3 + axis] - shrink), a.least));
        }
    });
}

// The first level whose cells are large enough for an extent, or the last level.
GSTEX_INLINE int smallest_level(Extent extent, double factor, const double *sizes, int levels) {
    int level = 0;
    while (level < levels - 1 && !(extent.x * factor <= sizes[2 * level] && extent.y * factor <= sizes[2 * level + 1]))
        ++level;
    return level;
}

void place(const Place &a) {
    parallel_for(a.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            const Extent extent = half_extent(a.geometry + 6 * g, a.cut);
            int level;
            if (a.previous) {
                const int low = smallest_level(extent, 1.0 / a.slack, a.sizes, a.levels);
                const int high = smallest_level(extent, a.slack, a.sizes, a.levels);
                level = a.previous[g] < low ? low : a.previous[g] > high ? high : a.previous[g];
            } else {
                level = smallest_level(extent, 1.0, a.sizes, a.levels);
            }
            a.placement[3 * g] = level;
            for (int axis = 0; axis < 2; ++axis) {
                const double cell = __builtin_floor(double(a.geometry[6 * g + axis]) / a.sizes[2 * level + axis]);
                const int last = a.cells[2 * level + axis] - 1;
                a.placement[3 * g + 1 + axis] = cell < 0.0 ? 0 : cell > double(last) ? last : int(cell);
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
