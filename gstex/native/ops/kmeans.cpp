// Rounds of weighted k-means for codebooks. Twin: cuda/encode/kmeans.cu.

#include "codebooks.h"

#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

constexpr int64_t BLOCK = 256;  // values that are processed channel by channel
constexpr int SIDE_BY_SIDE = 8; // number of sums computed together for seeds

void assign(const Assign &a) {
    parallel_for(a.count, 128, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t i = begin; i < end; ++i) {
            const float *value = a.values + i * a.channels;
            a.entry[i] = nearest(a.size, [&](int k) __attribute__((always_inline)) {
                F16 distance = F16(0.0f);
                for (int c = 0; c < a.channels; ++c) {
                    const F16 apart = F16(value[c]) - load(a.columns + c * a.stride + k);
                    distance = fma(apart, apart, distance);
                }
                return distance;
            });
        }
    });
}

void means(const Means &a) {
    parallel_for(a.size, 4, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t entry = begin; entry < end; ++entry) {
            const int64_t first = a.start[entry], last = a.start[entry + 1];
            if (first == last) continue;
            double total = 0.0, sums[MAX_CHANNELS] = {};
            for (int64_t k = first; k < last; ++k) {
                const int64_t i = a.order[k];
                total += a.weight[i];
                for (int c = 0; c < a.channels; ++c) sums[c] += a.weight[i] * double(a.values[i * a.channels + c]);
            }
            for (int c = 0; c < a.channels; ++c) a.book[entry * a.channels + c] = float(sums[c] / total);
        }
    });
}

// k-means++ (Arthur and Vassilvitskii 2007): draws values one after the other. The chance of a value is its weight
// times the squared distance to the nearest drawn value.
void draw_seeds(const DrawSeeds &a) {
    const int64_t parts = (a.count + a.part - 1) / a.part;
    for (int64_t k = 0; k < a.draws_count; ++k) {
        // The chances of a part. On the way, the distances are updated for the last drawn value.
        const int64_t seed = k ? a.chosen[k - 1] : 0;
        parallel_for(parts, 16, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t part = begin; part < end; ++part) {
                const int64_t last = (part + 1) * a.part < a.count ? (part + 1) * a.part : a.count;
                double sums[SIDE_BY_SIDE] = {};
                for (int64_t first = part * a.part; first < last; first += BLOCK) {
                    const int64_t size = last - first < BLOCK ? last - first : BLOCK;
                    float *nearest = a.nearest + first, distance[BLOCK] = {};
                    for (int c = 0; c < a.channels && k; ++c) {
                        const float *column = a.columns + c * a.count, of_seed = column[seed];
                        for (int64_t i = 0; i < size; ++i) {
                            const float apart = column[first + i] - of_seed;
                            distance[i] += apart * apart;
                        }
                    }
                    if (k == 0)
                        for (int64_t i = 0; i < size; ++i) nearest[i] = 1.0f;
                    else if (k == 1)
                        for (int64_t i = 0; i < size; ++i) nearest[i] = distance[i];
                    else
                        for (int64_t i = 0; i < size; ++i) nearest[i] = gstex_min(distance[i], nearest[i]);
                    const double *weight = a.weight + first;
                    int64_t i = 0;
                    for (; i + SIDE_BY_SIDE <= size; i += SIDE_BY_SIDE)
                        for (int l = 0; l < SIDE_BY_SIDE; ++l) sums[l] += weight[i + l] * double(nearest[i + l]);
                    for (; i < size; ++i) sums[i % SIDE_BY_SIDE] += weight[i] * double(nearest[i]);
                }
                double sum = 0.0;
                for (const double lane : sums) sum += lane;
                a.sums[part] = sum;
            }
        });
        double total = 0.0;
        for (int64_t part = 0; part < parts; ++part) total += a.sums[part];
        double left = a.draws[k] * total;
        int64_t found = -1, part = 0;
        while (part < parts - 1 && left >= a.sums[part]) left -= a.sums[part++];
        // Goes on from this part until the chances use up `left`. If rounding leaves no value with a chance there,
        // takes the last one before.
        for (int64_t i = part * a.part; i < a.count; ++i) {
            const double chance = a.weight[i] * double(a.nearest[i]);
            if (!(chance > 0.0)) continue;
            found = i;
            left -= chance;
            if (left < 0.0) break;
        }
        for (int64_t i = part * a.part - 1; found < 0 && i >= 0; --i)
            if (a.weight[i] * a.nearest[i] > 0.0) found = i;
        if (found < 0) { // every value has been drawn
            for (; k < a.draws_count; ++k) a.chosen[k] = 0;
            return;
        }
        a.chosen[k] = found;
    }
}

} // namespace GSTEX_SET
} // namespace gstex
