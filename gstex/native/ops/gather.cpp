// The work before and after the tiles of a step: the values of a Gaussian that tiles need, and the sums over the rows
// that tiles write. Twin: cuda/encode/gather.cu.

#include "maths.h"
#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

GSTEX_INLINE float variance_of(float log_sigma) { return float(maths::exp(2.0 * double(log_sigma))); }

void derive(const Derive &a) {
    const float scale = 0.5f * (a.scale[0] + a.scale[1]), filter = a.filter * a.filter;
    parallel_for(a.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            const float *from = a.geometry + 6 * g;
            float *to = a.derived + 8 * g;
            const maths::SinCos turn = maths::sincos(double(from[2]));
            const float c = float(turn.cosine), s = float(turn.sine);
            const float au = gstex_seen(variance_of(from[3]), scale, filter) * GSTEX_UNIT;
            const float av = gstex_seen(variance_of(from[4]), scale, filter) * GSTEX_UNIT;
            to[0] = from[0] * a.scale[0], to[1] = from[1] * a.scale[1];
            to[2] = au * c, to[3] = au * s, to[4] = av * s, to[5] = av * c;
            to[6] = from[5] * GSTEX_LOG2E, to[7] = 0.0f;
        }
    });
}

void exp2_of_kernels(const Exp2 &a) {
    for (int64_t i = 0; i < a.count; i += LANES) store(a.out + i, gstex_exp2(load(a.values + i)));
}

void gather(const Gather &a) {
    const float filter = a.filter * a.filter;
    parallel_for(a.count, 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            float sums[6 + MAX_CHANNELS + LANES]; // whole vectors of a row
            const int64_t first = a.by_gaussian_start[g], last = a.by_gaussian_start[g + 1];
            for (int64_t k = 0; k < 6 + a.channels; k += LANES / 2) {
                float eight[8] = {};
                for (int64_t row = first; row < last; ++row) {
                    const float *from = a.sums + row * a.rows + k;
                    for (int i = 0; i < 8; ++i) eight[i] += from[i];
                }
                for (int i = 0; i < 8; ++i) sums[k + i] = eight[i];
            }
            const float *of = a.geometry + 6 * g, *row = a.derived + 8 * g;
            const float variance_u = variance_of(of[3]), variance_v = variance_of(of[4]);
            const float ratio = gstex_sqrt((variance_u + filter) / (variance_v + filter)); // b / a
            const float ac = row[2], as = row[3], bs = row[4], bc = row[5];
            const float x = sums[1], y = sums[2], xx = sums[3], yy = sums[4], xy = sums[5];
            const float u = ac * x + as * y, v = bc * y - bs * x;
            const float uu = ac * ac * xx + 2.0f * ac * as * xy + as * as * yy;
            const float vv = bs * bs * xx - 2.0f * bs * bc * xy + bc * bc * yy;
            const float uv = (ac * bc - as * bs) * xy + as * bc * yy - ac * bs * xx;
            const float gradient[6] = {
                a.scale[0] * gstex_v_x(ac, bs, u, v),
                a.scale[1] * gstex_v_y(as, bc, u, v),
                gstex_v_rotation(ratio, uv),
                gstex_v_log_sigma(gstex_seen_slope(variance_u, filter), uu),
                gstex_v_log_sigma(gstex_seen_slope(variance_v, filter), vv),
                sums[0],
            };
            float *to = a.v_geometry + 6 * g, *features = a.v_features + g * a.channels;
            for (int i = 0; i < 6; ++i) to[i] = a.add ? to[i] + a.weight * gradient[i] : a.weight * gradient[i];
            for (int c = 0; c < a.channels; ++c) {
                const float sum = a.weight * sums[6 + c];
                features[c] = a.add ? features[c] + sum : sum;
            }
        }
    });
}

void sum_pairs(const SumPairs &a) {
    parallel_for(a.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            double first = 0.0, second = 0.0;
            for (int64_t row = a.by_gaussian_start[g]; row < a.by_gaussian_start[g + 1]; ++row) {
                first += double(a.pairs[2 * row]);
                second += double(a.pairs[2 * row + 1]);
            }
            a.sums[2 * g] = first;
            a.sums[2 * g + 1] = second;
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
