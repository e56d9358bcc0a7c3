// The picture at all points, and the largest share of each entry. Twin: cuda/encode/sample_points.cu.

#include "points.h"

namespace gstex {
namespace GSTEX_SET {

void blend_points(const BlendPoints &a) {
    const SamplePoints &points = a.points;
    const int channels = points.channels;
    parallel_for(points.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t number = begin; number < end; ++number) {
            scratch.reset();
            const Tile tile = tile_of(points, number);
            float *weights = scratch.take<float>((tile.last - tile.first) * POINTS);
            F16 total[PAIRS], inverse[PAIRS];
            weigh_all(points.views[points.view[number]], points.lists, tile, weights, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                inverse[pair] = F16(1.0f) / total[pair];
                store(a.total + number * POINTS + pair * LANES, total[pair]);
            }
            blend(points.lists, tile, channels, a.features, a.background, weights, inverse,
                  a.out + number * channels * POINTS);
            for (int64_t entry = tile.first; entry < tile.last; ++entry) {
                const float *weight = weights + (entry - tile.first) * POINTS;
                F16 most = load(weight) * inverse[0];
                GSTEX_UNROLL for (int pair = 1; pair < PAIRS; ++pair) most =
                    max(most, load(weight + pair * LANES) * inverse[pair]);
                a.share[entry] = largest(most);
            }
        }
    });
}

void point_errors(const PointErrors &a) {
    const SamplePoints &points = a.points;
    parallel_for(points.tiles, 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t number = begin; number < end; ++number) {
            const Wanted wanted = wanted_of(points, number);
            const Importance &importance = *wanted.importance;
            Planes planes;
            planes_of(wanted, planes);
            F16 error = F16(0.0f);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                for (int c = 0; c < points.channels; ++c) {
                    const F16 value = load(a.out + (number * points.channels + c) * POINTS + pair * LANES);
                    const F16 difference = value - target_of(wanted, c, pair);
                    const F16 counts = planes.values[importance.plane[c]][pair] * F16(importance.weight[c]);
                    error = fma(counts * difference, difference, error);
                }
            }
            a.errors[number] = double(sum(error));
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
