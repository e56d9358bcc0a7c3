#include "conjugate_gradient.h"

#include <algorithm>

#include "ops/ops.h"
#include "threads.h"

namespace gstex {
namespace {

constexpr int64_t GRAIN = 256; // Gaussians per grain; sums are made from the sums of grains, for any number of threads

// result [C] = the sum over Gaussians of the values that `each` adds to a sum [C].
template <class F> void sum_over(int64_t count, int channels, double *result, F &&each) {
    const int64_t parts = (count + GRAIN - 1) / GRAIN;
    std::vector<double> sums(size_t(parts) * channels, 0.0);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t part = begin; part < end; ++part)
            for (int64_t g = part * GRAIN; g < std::min(count, (part + 1) * GRAIN); ++g)
                each(g, sums.data() + part * channels);
    });
    std::fill(result, result + channels, 0.0);
    for (int64_t part = 0; part < parts; ++part)
        for (int c = 0; c < channels; ++c) result[c] += sums[part * channels + c];
}

} // namespace

void solve_features(const PairSums &sums, int64_t count, int channels, int planes, const int32_t *plane, int rounds,
                    float *features) {
    const size_t size = size_t(count) * channels;
    std::vector<double> residual(size), scaled(size), direction(size), product(size), inverse(size_t(count) * planes);
    double products[MAX_CHANNELS], last[MAX_CHANNELS], step[MAX_CHANNELS];
    // E(f + d) = E(f) + v d + d A d is least where 2 A d = -v. The residual is -v / 2 - A d.
    sum_over(count, channels, last, [&](int64_t g, double *to) {
        for (int64_t i = sums.row[g]; i < sums.row[g + 1]; ++i)
            for (int n = 0; n < planes && sums.column[i] == g; ++n) {
                const double own = sums.value[i * planes + n];
                inverse[g * planes + n] = own > 1e-9 ? 1.0 / own : 0.0;
            }
        for (int c = 0; c < channels; ++c) {
            const int64_t at = g * channels + c;
            residual[at] = -0.5 * sums.gradient[at];
            direction[at] = residual[at] * inverse[g * planes + plane[c]];
            to[c] += residual[at] * direction[at];
        }
    });
    for (int round = 0; round < rounds; ++round) {
        sum_over(count, channels, products, [&](int64_t g, double *to) {
            double sum[MAX_CHANNELS] = {};
            for (int64_t i = sums.row[g]; i < sums.row[g + 1]; ++i) {
                const double *other = direction.data() + int64_t(sums.column[i]) * channels;
                const float *value = sums.value.data() + i * planes;
                for (int c = 0; c < channels; ++c) sum[c] += double(value[plane[c]]) * other[c];
            }
            for (int c = 0; c < channels; ++c) {
                product[g * channels + c] = sum[c];
                to[c] += sum[c] * direction[g * channels + c];
            }
        });
        for (int c = 0; c < channels; ++c) step[c] = products[c] > 0.0 ? last[c] / products[c] : 0.0;
        sum_over(count, channels, products, [&](int64_t g, double *to) {
            for (int c = 0; c < channels; ++c) {
                const int64_t at = g * channels + c;
                features[at] = float(double(features[at]) + step[c] * direction[at]);
                residual[at] -= step[c] * product[at];
                scaled[at] = residual[at] * inverse[g * planes + plane[c]];
                to[c] += residual[at] * scaled[at];
            }
        });
        for (int c = 0; c < channels; ++c) {
            step[c] = last[c] > 0.0 ? products[c] / last[c] : 0.0;
            last[c] = products[c];
        }
        parallel_for(count, GRAIN, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t at = begin * channels; at < end * channels; ++at)
                direction[at] = scaled[at] + step[at % channels] * direction[at];
        });
    }
}

} // namespace gstex
