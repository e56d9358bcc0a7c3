// Features as entries of codebooks and codes. Twin: cuda/encode/codebooks.cu.

#include "codebooks.h"

#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

void store_features(const StoreFeatures &a) {
    const int channels = a.books.channels;
    parallel_for(a.count, 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            float rest[MAX_CHANNELS], scale[MAX_CHANNELS];
            for (int c = 0; c < channels; ++c) {
                const float unit = a.step[c] == 0.0f ? 1.0f : a.step[c];
                rest[c] = (a.features[g * channels + c] - a.lo[c]) / unit;
                scale[c] = a.step[c] * a.step[c];
            }
            choose_entries(a.books, scale, rest, a.entries + g * a.books.count);
            for (int c = 0; c < channels; ++c) a.codes[g * channels + c] = code_of(rest[c], a.books.last[c]);
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
