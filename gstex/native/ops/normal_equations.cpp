// The squared error as a quadratic function of the features, for fixed shapes: the products of shares in a tile. Twin:
// fit_add_products of cuda/encode/refine_features.cu.
//
// Let w_ti be the share of Gaussian i at point t. Then E(f + d) = E(f) + sum over i of v_i d_i + sum over i, j of A_ij
// d_i d_j, with A_ij = sum over t of importance_t w_ti w_tj. A of a channel is that of its plane of importance, times
// the weight of the channel. Both A and v are stored without this weight.

#include "points.h"

namespace gstex {
namespace GSTEX_SET {

// The product of a pair that is left out.
constexpr float LEFT_OUT = -1.0f;

// In a tile with more entries than this, masks of points find the pairs that share no point. Tiles of small mips have
// thousands of entries.
constexpr int64_t MANY = 64;

// A mask of the points at which an entry counts. Over all other points together, its product with any other entry is
// below small / 2 times the root of the products of both entries with themselves, by Cauchy's inequality. So the
// product of two entries without a common point is below `small` times this root. row: shares times importance. own:
// the sum of the products of `row` and `share`.
GSTEX_INLINE uint64_t points_of_entry(const float *row, const float *share, float own, float small) {
    const float least = 0.25f * small * small * own / float(POINTS);
    uint64_t points = 0;
    for (int t = 0; t < POINTS; ++t) points |= uint64_t(row[t] * share[t] > least) << t;
    return points;
}

GSTEX_INLINE float product_sum(const float *a, const float *b) {
    F16 s = load(a) * load(b);
    GSTEX_UNROLL for (int pair = 1; pair < PAIRS; ++pair) s = fma(load(a + pair * LANES), load(b + pair * LANES), s);
    return sum(s);
}

void tile_products(const TileProducts &a) {
    const SamplePoints &points = a.points;
    const int channels = points.channels;
    parallel_for(a.last_tile - a.first_tile, 1, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t i = begin; i < end; ++i) {
            scratch.reset();
            const int64_t number = a.first_tile + i;
            const Tile tile = tile_of(points, number);
            const int64_t count = tile.last - tile.first, offset = tile.first - points.lists.start[a.first_tile];
            float *shares = scratch.take<float>(count * POINTS);
            float *row = scratch.take<float>(POINTS);
            uint64_t *points_of = scratch.take<uint64_t>(count);
            F16 total[PAIRS];
            weigh_all(points.views[points.view[number]], points.lists, tile, shares, total);
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                const F16 inverse = F16(1.0f) / load(a.total + number * POINTS + pair * LANES);
                for (int64_t e = 0; e < count; ++e) {
                    float *at = shares + e * POINTS + pair * LANES;
                    store(at, load(at) * inverse);
                }
            }
            const Wanted wanted = wanted_of(points, number);
            const Importance &importance = *wanted.importance;
            Planes planes;
            planes_of(wanted, planes);
            for (int c = 0; c < channels; ++c) {
                GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                    const F16 value = load(a.out + (number * channels + c) * POINTS + pair * LANES);
                    const F16 slope = planes.values[importance.plane[c]][pair] * (value - target_of(wanted, c, pair));
                    store(row + pair * LANES, slope + slope);
                }
                for (int64_t e = 0; e < count; ++e)
                    a.slope[(offset + e) * channels + c] = product_sum(row, shares + e * POINTS);
            }
            float *gram = a.gram + a.square_start[i] * importance.count; // [planes, count, count]
            for (int64_t e = 0; e < count; ++e) points_of[e] = count > MANY ? 0 : ~uint64_t(0);
            for (int n = 0; n < importance.count && count > MANY; ++n) {
                for (int64_t e = 0; e < count; ++e) {
                    const float *share = shares + e * POINTS;
                    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair)
                        store(row + pair * LANES, load(share + pair * LANES) * planes.values[n][pair]);
                    points_of[e] |= points_of_entry(row, share, product_sum(row, share), a.small);
                }
            }
            for (int n = 0; n < importance.count; ++n) {
                float *of_plane = gram + n * count * count;
                const F16(&counts)[PAIRS] = planes.values[n];
                for (int64_t e = 0; e < count; ++e) {
                    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair)
                        store(row + pair * LANES, load(shares + e * POINTS + pair * LANES) * counts[pair]);
                    for (int64_t f = 0; f <= e; ++f)
                        of_plane[e * count + f] =
                            points_of[e] & points_of[f] ? product_sum(row, shares + f * POINTS) : 0.0f;
                }
            }
            // A pair is left out if its product is small compared with the products of both with themselves. Cauchy's
            // inequality also holds for sums over tiles, so everything that is left out of a pair of Gaussians is below
            // a.small times the root of the products of both with themselves.
            int64_t *near_count = a.near_count + offset;
            const int32_t *gaussian = points.lists.gaussian + tile.first;
            for (int64_t e = 0; e < count; ++e) near_count[e] = 1;
            for (int64_t e = 0; e < count; ++e) {
                for (int64_t f = 0; f < e; ++f) {
                    bool counts = false;
                    for (int n = 0; n < importance.count; ++n) {
                        const float *of_plane = gram + n * count * count;
                        const float own = of_plane[e * (count + 1)] * of_plane[f * (count + 1)];
                        const float product = of_plane[e * count + f];
                        counts |= product * product > a.small * a.small * own;
                    }
                    near_count[e] += counts && gaussian[f] <= gaussian[e];
                    near_count[f] += counts && gaussian[e] <= gaussian[f];
                    for (int n = 0; n < importance.count; ++n) {
                        float *of_plane = gram + n * count * count;
                        const float product = counts ? of_plane[e * count + f] : LEFT_OUT;
                        of_plane[e * count + f] = product;
                        of_plane[f * count + e] = product;
                    }
                }
            }
        }
    });
}

void list_near(const ListNear &a) {
    parallel_for(a.last_tile - a.first_tile, 1, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t first = a.start[a.first_tile + i], count = a.start[a.first_tile + i + 1] - first;
            const float *gram = a.gram + a.square_start[i] * a.planes;
            const int32_t *gaussian = a.gaussian + first;
            for (int64_t e = 0; e < count; ++e) {
                int64_t to = a.near_start[first + e];
                for (int64_t f = 0; f < count; ++f) {
                    if (gram[e * count + f] < 0.0f || gaussian[f] > gaussian[e]) continue;
                    a.near[to] = uint16_t(f);
                    for (int n = 0; n < a.planes; ++n) a.product[to * a.planes + n] = gram[(n * count + e) * count + f];
                    ++to;
                }
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
