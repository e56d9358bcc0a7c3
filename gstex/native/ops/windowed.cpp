// Sums under a small window of a picture of doubles, which is 0 beyond its borders. Used by metrics; the perceptual
// loss has its own sums (perceptual_loss.cpp).

#include "ops.h"
#include "simd.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

void windowed(const Windowed &a) {
    const int radius = a.taps_count / 2;
    parallel_for(a.height, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        scratch.reset();
        double *line = scratch.take<double>(a.width + 2 * radius);
        for (int64_t y = begin; y < end; ++y) {
            // First sums along columns, into a line with a border of zeros; then along that line.
            memset(line, 0, (a.width + 2 * radius) * sizeof(double));
            for (int k = 0; k < a.taps_count; ++k) {
                const int64_t row = y + k - radius;
                if (row < 0 || row >= a.height) continue;
                const double *from = a.plane + row * a.width;
                for (int64_t x = 0; x < a.width; ++x) line[radius + x] += a.taps[k] * from[x];
            }
            double *to = a.sums + y * a.width;
            memset(to, 0, a.width * sizeof(double));
            for (int k = 0; k < a.taps_count; ++k)
                for (int64_t x = 0; x < a.width; ++x) to[x] += a.taps[k] * line[x + k];
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
