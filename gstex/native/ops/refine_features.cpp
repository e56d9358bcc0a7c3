// Improves entries, codes and bytes of codebooks for fixed shapes. Twin: cuda/encode/refine_features.cu.
//
// E(f + d) = E(f) + sum over i of gradient_i d_i + sum over i, j of A_ij d_i d_j, channel by channel. A Gaussian that
// is changed recomputes its gradient from the moves of its neighbours since `base`, so that threads never add to the
// same number.

#include "codebooks.h"

#include "maths.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

// What the moves of the neighbours since `base` add to the gradient of a Gaussian, by channel. The moves are in steps,
// and the sum is not multiplied by the step.
GSTEX_INLINE void moved_gradient(const NormalEquations &a, int64_t g, double *sums) {
    const int channels = a.channels, planes = a.planes;
    for (int c = 0; c < channels; ++c) sums[c] = 0.0;
    for (int64_t i = a.row[g]; i < a.row[g + 1]; ++i) {
        const int64_t other = int64_t(a.column[i]) * channels;
        for (int c = 0; c < channels; ++c) {
            const int32_t moved = a.whole[other + c] - a.base[other + c];
            if (moved) sums[c] += double(a.value[i * planes + a.plane[c]]) * double(moved);
        }
    }
    for (int c = 0; c < channels; ++c) sums[c] *= 2.0;
}

// No two Gaussians of a batch are neighbours, so all of them can move at once.
void sweep_features(const SweepFeatures &a) {
    const NormalEquations &equations = a.equations;
    const int channels = equations.channels, count = a.books.count;
    parallel_for(a.members, 8, [&](int64_t begin, int64_t end, Scratch &) {
        int64_t moved = 0;
        for (int64_t member = begin; member < end; ++member) {
            const int64_t g = a.batch[member];
            if (!__atomic_load_n(a.stale + g, __ATOMIC_RELAXED)) continue;
            a.stale[g] = 0;
            double sums[MAX_CHANNELS], wanted[MAX_CHANNELS], scale[MAX_CHANNELS];
            float rest[MAX_CHANNELS], scale_here[MAX_CHANNELS];
            uint32_t entries[4];
            moved_gradient(equations, g, sums);
            int32_t *whole = equations.whole + g * channels;
            for (int c = 0; c < channels; ++c) {
                const double curvature = a.own[g * equations.planes + equations.plane[c]], step = equations.step[c];
                wanted[c] = double(whole[c]);
                scale[c] = 0.0;
                if (curvature > 1e-9 && step > 0.0) {
                    wanted[c] -= (equations.gradient[g * channels + c] / step + sums[c]) / (2.0 * curvature);
                    scale[c] = double(a.weight[c]) * curvature * step * step;
                }
                rest[c] = float(wanted[c]);
                scale_here[c] = float(scale[c]);
            }
            for (int p = 0; p < count; ++p) entries[p] = a.entries[g * count + p];
            choose_entries(a.books, scale_here, rest, entries);
            double gain = 0.0;
            int32_t now[MAX_CHANNELS];
            uint32_t codes[MAX_CHANNELS];
            for (int c = 0; c < channels; ++c) {
                codes[c] = code_of(rest[c], a.books.last[c]);
                now[c] = int32_t(codes[c]);
                for (int p = 0; p < count; ++p)
                    now[c] += int32_t(a.books.columns[p][c * a.books.stride[p] + entries[p]]);
                const double before = wanted[c] - double(whole[c]), after = wanted[c] - double(now[c]);
                gain += scale[c] * (before * before - after * after);
            }
            if (!(gain > 0.0)) continue;
            for (int p = 0; p < count; ++p) a.entries[g * count + p] = entries[p];
            for (int c = 0; c < channels; ++c) {
                moved += now[c] != whole[c];
                a.codes[g * channels + c] = codes[c];
                whole[c] = now[c];
            }
            for (int64_t i = equations.row[g]; i < equations.row[g + 1]; ++i) // the Gaussian itself among them
                __atomic_store_n(a.stale + equations.column[i], uint8_t(1), __ATOMIC_RELAXED);
        }
        __atomic_fetch_add(a.moved, moved, __ATOMIC_RELAXED);
    });
}

void follow_gradient(const FollowGradient &a) {
    const NormalEquations &equations = a.equations;
    parallel_for(a.count, 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            double sums[MAX_CHANNELS];
            moved_gradient(equations, g, sums);
            for (int c = 0; c < equations.channels; ++c)
                equations.gradient[g * equations.channels + c] += sums[c] * equations.step[c];
        }
    });
}

void sum_by_entry(const SumByEntry &a) {
    const NormalEquations &equations = a.equations;
    const int channels = equations.channels, planes = equations.planes;
    parallel_for(a.size, 2, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t k = begin; k < end; ++k) {
            double *sums = a.sums + k * planes * a.size, *slopes = a.slopes + k * channels;
            for (int64_t i = 0; i < planes * a.size; ++i) sums[i] = 0.0;
            for (int c = 0; c < channels; ++c) slopes[c] = 0.0;
            for (int64_t j = a.start[k]; j < a.start[k + 1]; ++j) {
                const int64_t g = a.order[j];
                for (int c = 0; c < channels; ++c) slopes[c] += equations.gradient[g * channels + c];
                for (int64_t i = equations.row[g]; i < equations.row[g + 1]; ++i) {
                    const int64_t other = a.entries[int64_t(equations.column[i]) * a.books + a.book];
                    for (int n = 0; n < planes; ++n)
                        sums[n * a.size + other] += double(equations.value[i * planes + n]);
                }
            }
        }
    });
}

// Every byte of a codebook in turn takes its best value, given all others.
void move_bytes(const MoveBytes &a) {
    const int channels = a.channels;
    parallel_for(channels, 1, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t c = begin; c < end; ++c) {
            if (a.step[c] == 0.0) continue;
            double *slope = scratch.take<double>(a.size);
            for (int64_t k = 0; k < a.size; ++k) slope[k] = a.slopes[k * channels + c];
            for (int64_t k = 0; k < a.size; ++k) {
                const double *row = a.sums + (k * a.planes + a.plane[c]) * a.size; // symmetric
                const double curvature = row[k];
                const int old = a.bytes[k * channels + c];
                double best = double(old);
                if (curvature > 1e-9) best += maths::nearest(-slope[k] / (2.0 * curvature * a.step[c]));
                const int now = int(gstex_min(gstex_max(best, 0.0), 255.0));
                if (now == old) continue;
                const double moved = 2.0 * double(now - old) * a.step[c];
                for (int64_t l = 0; l < a.size; ++l) slope[l] += moved * row[l];
                a.bytes[k * channels + c] = uint8_t(now);
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
