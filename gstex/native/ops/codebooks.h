// The codebook entries that are nearest to the ideal features of a Gaussian.

#pragma once

#include "reals.h"
#include "ops.h"

namespace gstex {
namespace GSTEX_SET {

GSTEX_INLINE float round_to_even(float x) { return (x + 12582912.0f) - 12582912.0f; } // for |x| below 2^22
GSTEX_INLINE F16 round_to_even(F16 x) { return (x + F16(12582912.0f)) - F16(12582912.0f); }

// The smallest of `count` distances, and of equal ones the first. distances(k), k = 0, 16 .., gives 16 at a time.
template <class Distances> GSTEX_INLINE int nearest(int count, Distances &&distances) {
    F16 best = F16(3.0e38f), at = F16(0.0f);
    for (int k = 0; k < count; k += LANES) {
        const F16 distance = distances(k);
        const I16 nearer = distance < best;
        best = select(nearer, distance, best);
        at = select(nearer, F16(float(k)), at);
    }
    float distance[LANES], first[LANES];
    store(distance, best);
    store(first, at);
    int found = int(first[0]);
    float least = distance[0];
    for (int i = 1; i < LANES; ++i) {
        const int mine = int(first[i]) + i;
        if (distance[i] < least || (distance[i] == least && mine < found)) least = distance[i], found = mine;
    }
    return found;
}

// Sets the entry of each codebook in turn, with those of the others fixed, to the nearest by `scale` times squared
// distance. rest: [C], the ideal features in steps; the remainder for the codes is left in it.
GSTEX_INLINE void choose_entries(const Codebooks &books, const float *scale, float *rest, uint32_t *entries) {
    const int channels = books.channels;
    for (int p = 0; p < books.count; ++p)
        for (int c = 0; c < channels; ++c) rest[c] -= books.columns[p][c * books.stride[p] + entries[p]];
    for (int round = 0; round < 4; ++round) {
        bool changed = false;
        for (int p = 0; p < books.count; ++p) {
            const float *columns = books.columns[p];
            const int64_t stride = books.stride[p];
            for (int c = 0; c < channels; ++c) rest[c] += columns[c * stride + entries[p]];
            const int at = nearest(books.size[p], [&](int k) __attribute__((always_inline)) {
                F16 distance = F16(0.0f);
                for (int c = 0; c < channels; ++c) {
                    F16 e = F16(rest[c]) - load(columns + c * stride + k);
                    if (books.last[c]) e = e - min(max(round_to_even(e), F16(0.0f)), F16(float(books.last[c])));
                    distance = fma(F16(scale[c]) * e, e, distance);
                }
                return distance;
            });
            changed |= at != int(entries[p]);
            entries[p] = uint32_t(at);
            for (int c = 0; c < channels; ++c) rest[c] -= columns[c * stride + at];
        }
        if (!changed) return;
    }
}

// The code that is nearest to the remainder.
GSTEX_INLINE uint32_t code_of(float rest, int32_t last) {
    return uint32_t(gstex_min(gstex_max(round_to_even(rest), 0.0f), float(last)));
}

} // namespace GSTEX_SET
} // namespace gstex
