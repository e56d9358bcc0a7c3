// How much the error rises without each Gaussian, and the error of each texel. Twin: cuda/encode/removal_cost.cu.

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

void removal_cost(const RemovalCost &a) {
    const Scene &scene = a.scene;
    const int channels = scene.channels;
    parallel_for(scene.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t number = begin; number < end; ++number) {
            scratch.reset();
            const Tile tile = tile_of(scene, number);
            float *weights = scratch.take<float>((tile.last - tile.first) * POINTS);
            float *out = scratch.take<float>(channels * POINTS);
            float *counts = scratch.take<float>(channels * POINTS); // importance
            float *slopes = scratch.take<float>(channels * POINTS); // importance (value - target)
            F16 total[PAIRS], inverse[PAIRS];
            weigh_all(scene.view, scene.lists, tile, weights, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) inverse[pair] = F16(1.0f) / total[pair];
            blend(scene.lists, tile, channels, scene.features, scene.background, weights, inverse, out);

            const int column = tile_column(number, scene.across), row = tile_row(number, scene.across);
            const Filter filter = filter_of(a.target, column, row, scene.jitter);
            F16 all_counts[PAIRS]; // importance of all channels together
            float errors[POINTS];
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                const F16 is_inside = inside(column, row, scene.width, scene.height, pair);
                F16 error = F16(0.0f);
                all_counts[pair] = F16(0.0f);
                F16 planes[MAX_CHANNELS];
                for (int n = 0; n < a.importance.count; ++n)
                    planes[n] = sample(a.importance.planes, filter, n, pair) * is_inside;
                for (int c = 0; c < channels; ++c) {
                    const int at = c * POINTS + pair * LANES;
                    const F16 difference = load(out + at) - sample(a.target, filter, c, pair);
                    const F16 count = planes[a.importance.plane[c]] * F16(a.importance.weight[c]);
                    const F16 slope = count * difference;
                    error = fma(slope, difference, error);
                    all_counts[pair] += count;
                    store(counts + at, count);
                    store(slopes + at, slope);
                }
                store(errors + pair * LANES, error);
            }
            for (int k = 0; k < POINTS; ++k) {
                const int x = column + k % TILE, y = row + k / TILE;
                if (x < scene.width && y < scene.height) a.error[int64_t(y) * scene.width + x] = errors[k];
            }

            for (int64_t entry = tile.first; entry < tile.last; ++entry) {
                const float *feature = scene.features + int64_t(scene.lists.gaussian[entry]) * channels;
                const float *weight = weights + (entry - tile.first) * POINTS;
                F16 rise = F16(0.0f), share = F16(0.0f);
                GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                    F16 square = F16(0.0f), product = F16(0.0f);
                    for (int c = 0; c < channels; ++c) {
                        const int at = c * POINTS + pair * LANES;
                        const F16 apart = F16(feature[c]) - load(out + at);
                        square = fma(load(counts + at) * apart, apart, square);
                        product = fma(load(slopes + at), apart, product);
                    }
                    const F16 w = load(weight + pair * LANES) * inverse[pair];
                    rise += gstex_rise(gstex_removed(w), square, product);
                    share = fma(all_counts[pair] * w, w, share);
                }
                float sums[4];
                sum4(rise, share, share, share, sums);
                float *to = a.pairs + 2 * int64_t(scene.slot[entry]);
                to[0] = sums[0], to[1] = sums[1];
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
