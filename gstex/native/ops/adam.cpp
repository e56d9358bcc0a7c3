// The optimiser. Twin: cuda/encode/adam.cu.

#include "reals.h"
#include "ops.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

// One step (Kingma and Ba 2015, algorithm 1).
void adam(const Adam &a) {
    parallel_for(a.rows, 1024, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t row = begin; row < end; ++row) {
            for (int p = 0; p < a.columns; ++p) {
                const int64_t i = row * a.columns + p;
                const float d = a.gradient[i];
                const float m = a.beta1 * a.first_moment[i] + (1.0f - a.beta1) * d;
                const float v = a.beta2 * a.second_moment[i] + (1.0f - a.beta2) * d * d;
                a.first_moment[i] = m;
                a.second_moment[i] = v;
                a.values[i] -= a.rate[p] * a.factor * m * a.correct1 / (gstex_sqrt(v * a.correct2) + 1e-12f);
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
