// Better geometry codes: every Gaussian tries the neighbours of its codes. Twin: cuda/encode/refine_geometry.cu.
//
// A move changes one Gaussian's weight at a point by d. With S the sum of weights, the value there moves by d / (S + d)
// times the difference between the feature and the value. The rise of the squared error therefore does not depend on
// the other Gaussians. The Gaussians of a batch share no tile, so all of them can move at once. Their entries are
// processed in parts of a fixed size, whose rises are added up in order.

#include "levels.h"
#include "maths.h"
#include "points.h"

namespace gstex {
namespace GSTEX_SET {

constexpr int GEOMETRY_CODES = 6;

void move_rows(const MoveRows &a) {
    const int rows = a.moves + 1; // the last row is without a move
    parallel_for(a.members, 4, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t member = begin; member < end; ++member) {
            const int64_t g = a.batch[member];
            const uint32_t *codes = a.codes + GEOMETRY_CODES * g;
            const int32_t *place = a.coding.placement + 3 * g;
            const double *level = a.coding.levels + LEVEL_FIELDS * place[0];
            const double lasts[GEOMETRY_CODES] = {
                level[LEVEL_POSITIONS] - 1.0, level[LEVEL_POSITIONS + 1] - 1.0, 2.0 * level[LEVEL_ROTATION_HALF] - 1.0,
                level[LEVEL_SCALE_LAST],      level[LEVEL_SCALE_LAST],          level[LEVEL_AMPLITUDE_LAST]};
            // Log sigma and variance of each scale code that is tried: one up and one down.
            double log_sigma[2][3], variance[2][3];
            for (int axis = 0; axis < 2; ++axis) {
                for (int i = 0; i < 3; ++i) {
                    const double code = double(int64_t(codes[3 + axis]) + i - 1);
                    log_sigma[axis][i] =
                        -maths::LN2 * gstex_value(level[LEVEL_SCALE_LO], level[LEVEL_SCALE_STEP], code);
                    variance[axis][i] = maths::exp(2.0 * log_sigma[axis][i]);
                }
            }
            const double least_now = gstex_min(log_sigma[0][1], log_sigma[1][1]);
            float inverse[MAX_VIEWS][2][3]; // 1 / sigma in the unit of weights, as every view sees it
            for (int view = 0; view < a.views; ++view) {
                const double scale = 0.5 * (double(a.scale[2 * view]) + double(a.scale[2 * view + 1]));
                const double filter = double(a.filter[view]) * double(a.filter[view]);
                for (int axis = 0; axis < 2; ++axis)
                    for (int i = 0; i < 3; ++i)
                        inverse[view][axis][i] = float(gstex_seen(variance[axis][i], scale, filter)) * GSTEX_UNIT;
            }
            for (int move = 0; move < rows; ++move) {
                int64_t code[GEOMETRY_CODES];
                bool allowed = true;
                for (int i = 0; i < GEOMETRY_CODES; ++i) {
                    const int32_t by = move < a.moves ? a.table[GEOMETRY_CODES * move + i] : 0;
                    code[i] = int64_t(codes[i]) + by;
                    allowed = allowed && code[i] >= 0 && double(code[i]) <= lasts[i];
                }
                const int scale_u = int(code[3] - int64_t(codes[3])) + 1,
                          scale_v = int(code[4] - int64_t(codes[4])) + 1;
                const double least = gstex_min(log_sigma[0][scale_u], log_sigma[1][scale_v]);
                allowed = allowed && least >= gstex_min(a.least, least_now);
                if (move < a.moves) a.allowed[member * a.moves + move] = allowed;
                double at[2];
                for (int axis = 0; axis < 2; ++axis) {
                    const double inside = gstex_position(double(code[axis]), 1.0 / level[LEVEL_POSITIONS + axis]);
                    at[axis] = (double(place[1 + axis]) + inside) * level[LEVEL_SIZE + axis];
                }
                const double half = level[LEVEL_ROTATION_HALF]; // 0.5 if the record has no rotation
                const double h =
                    half < 1.0 ? 0.0 : gstex_half_angle(double(code[2]), half, double(GSTEX_TAN_22_5) / half);
                const double norm = 1.0 / (1.0 + h * h);
                const float c = float(gstex_cosine(h, norm)), s = float(gstex_sine(h, norm));
                const double amplitude = gstex_value(a.coding.amplitude_lo, a.coding.amplitude_step, double(code[5]));
                for (int view = 0; view < a.views; ++view) {
                    float *row = a.rows + ((member * a.views + view) * rows + move) * 8;
                    const float au = inverse[view][0][scale_u], av = inverse[view][1][scale_v];
                    row[0] = float(at[0] * double(a.scale[2 * view]));
                    row[1] = float(at[1] * double(a.scale[2 * view + 1]));
                    row[2] = au * c, row[3] = au * s, row[4] = av * s, row[5] = av * c;
                    row[6] = float(amplitude) * GSTEX_LOG2E, row[7] = 0.0f;
                }
            }
        }
    });
}

// An entry of a Gaussian: the tile, and the fades there if it fades.
struct Place {
    Tile tile;
    float shift_x, shift_y;
    bool fades;
    Fades fade;
};

GSTEX_INLINE Place place_of(const SamplePoints &points, int64_t tile, int64_t entry, int64_t g) {
    const View &view = points.views[points.view[tile]];
    Place place;
    place.tile = tile_of(points, tile);
    place.shift_x = float(points.lists.image[2 * entry]) * view.extent[0];
    place.shift_y = float(points.lists.image[2 * entry + 1]) * view.extent[1];
    place.fades = points.lists.faded[entry];
    if (place.fades)
        place.fade = fades_of(view.where + 4 * g, place.tile.x - place.shift_x, place.tile.y - place.shift_y);
    return place;
}

GSTEX_INLINE void weights_of(const float *row, const Place &place, F16 (&weight)[PAIRS]) {
    weigh(Gaussian{row[0] + place.shift_x - place.tile.x, row[1] + place.shift_y - place.tile.y, row[2], row[3], row[4],
                   row[5], row[6]},
          weight);
    if (place.fades) fade(place.fade, weight);
}

void move_rises(const MoveRises &a) {
    const SamplePoints &points = a.points;
    const int channels = points.channels, rows = a.moves + 1;
    parallel_for(a.items, 1, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t member = a.item_member[item], g = a.batch[member];
            double *rises = a.rises + item * a.moves;
            for (int m = 0; m < a.moves; ++m) rises[m] = 0.0;
            const uint8_t *allowed = a.allowed + member * a.moves;
            const float *feature = a.features + g * channels;
            for (int64_t i = a.item_first[item]; i < a.item_last[item]; ++i) {
                const int64_t entry = a.by_gaussian[i], tile = a.tile_of[entry];
                const Wanted wanted = wanted_of(points, tile);
                const Place place = place_of(points, tile, entry, g);
                const float *row = a.rows + (member * a.views + points.view[tile]) * rows * 8;
                F16 square[PAIRS], product[PAIRS], total[PAIRS], old[PAIRS];
                GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                    square[pair] = product[pair] = F16(0.0f);
                    total[pair] = load(a.total + tile * POINTS + pair * LANES);
                }
                const Importance &importance = *wanted.importance;
                Planes planes;
                planes_of(wanted, planes);
                for (int c = 0; c < channels; ++c) {
                    const F16(&counts)[PAIRS] = planes.values[importance.plane[c]];
                    const F16 of_channel = F16(importance.weight[c]);
                    const float *out = a.out + (tile * channels + c) * POINTS;
                    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                        const F16 value = load(out + pair * LANES), apart = F16(feature[c]) - value;
                        const F16 counted = counts[pair] * of_channel * apart;
                        square[pair] = fma(counted, apart, square[pair]);
                        product[pair] = fma(counted, value - target_of(wanted, c, pair), product[pair]);
                    }
                }
                weights_of(row + a.moves * 8, place, old);
                for (int m = 0; m < a.moves; ++m) {
                    if (!allowed[m]) continue;
                    F16 weight[PAIRS], rise = F16(0.0f);
                    weights_of(row + m * 8, place, weight);
                    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                        const F16 difference = weight[pair] - old[pair];
                        const F16 moved = difference / max(total[pair] + difference, F16(1e-12f));
                        rise += gstex_rise(moved, square[pair], product[pair]);
                    }
                    rises[m] += double(sum(rise));
                }
            }
        }
    });
}

void move_apply(const MoveApply &a) {
    const SamplePoints &points = a.points;
    const int channels = points.channels, rows = a.moves + 1;
    parallel_for(a.items, 1, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t member = a.item_member[item], g = a.batch[member];
            const int32_t best = a.best[member];
            if (best < 0) continue;
            const float *feature = a.features + g * channels;
            for (int64_t i = a.item_first[item]; i < a.item_last[item]; ++i) {
                const int64_t entry = a.by_gaussian[i], tile = a.tile_of[entry];
                const Place place = place_of(points, tile, entry, g);
                const float *row = a.rows + (member * a.views + points.view[tile]) * rows * 8;
                F16 before[PAIRS], after[PAIRS];
                weights_of(row + a.moves * 8, place, before);
                weights_of(row + best * 8, place, after);
                GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                    float *at = a.total + tile * POINTS + pair * LANES;
                    const F16 difference = after[pair] - before[pair];
                    const F16 now = max(load(at) + difference, F16(1e-12f)), moved = difference / now;
                    store(at, now);
                    for (int c = 0; c < channels; ++c) {
                        float *out = a.out + (tile * channels + c) * POINTS + pair * LANES;
                        const F16 value = load(out);
                        store(out, fma(moved, F16(feature[c]) - value, value));
                    }
                }
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
