// Codebooks for Python: ops/kmeans.cpp and ops/codebooks.cpp.

#include <algorithm>

#include "arrays.h"
#include "books.h"
#include "dispatch.h"
#include "graphs.h"
#include "scene.h"
#include "threads.h"

namespace gstex {

// Rounds of k-means: entries become the weighted means of their values. Entries without values move to where the error
// is largest.
static void kmeans(nb::object values, nb::object weight, nb::object book, nb::object entry, int rounds) {
    Arrays arrays;
    const auto shape = shape_of(values, 2);
    const int64_t count = shape[0];
    const int channels = int(shape[1]);
    if (channels > MAX_CHANNELS) throw nb::value_error("values: at most 16 channels are wanted");
    const int size = int(nb::len(book));
    const float *value_of = arrays.of<const float>(values, "values", {count, channels});
    const double *weight_of = arrays.of<const double>(weight, "weight", {count});
    float *entries = arrays.of<float>(book, "book", {size, channels});
    int32_t *chosen = arrays.of<int32_t>(entry, "entry", {count});

    nb::gil_scoped_release released;
    Columns columns;
    std::vector<int64_t> order(static_cast<size_t>(count)), start(size_t(size) + 1);
    const auto assign = [&] {
        columns.fill(entries, size, channels);
        ops().assign(Assign{value_of, columns.data(), count, columns.stride(), channels, size, chosen});
    };
    assign();
    for (int round = 0; round < rounds; ++round) {
        group_by(chosen, count, size, order.data(), start.data());
        ops().means(Means{value_of, weight_of, order.data(), start.data(), channels, size, entries});
        std::vector<int64_t> unused;
        for (int64_t k = 0; k < size; ++k)
            if (start[k] == start[k + 1]) unused.push_back(k);
        if (!unused.empty()) {
            std::vector<std::pair<double, int64_t>> errors(
                static_cast<size_t>(count)); // by error, the largest first; equal ones in their order
            for (int64_t i = 0; i < count; ++i) {
                double error = 0.0;
                for (int c = 0; c < channels; ++c) {
                    const double apart = double(value_of[i * channels + c] - entries[chosen[i] * channels + c]);
                    error += apart * apart;
                }
                errors[i] = {-weight_of[i] * error, i};
            }
            const size_t worst = std::min(unused.size(), errors.size());
            std::partial_sort(errors.begin(), errors.begin() + worst, errors.end());
            for (size_t k = 0; k < worst; ++k)
                std::copy_n(value_of + errors[k].second * channels, channels, entries + unused[k] * channels);
        }
        assign();
        check_interrupt();
    }
}

void bind_codebooks(nb::module_ &m) {
    m.def("kmeans", &kmeans);
    m.def("draw_seeds", [](nb::object values, nb::object weight, nb::object draws, nb::object chosen) {
        Arrays arrays;
        DrawSeeds a{};
        const auto shape = shape_of(values, 2);
        a.count = shape[0], a.channels = int(shape[1]), a.draws_count = int64_t(nb::len(draws)), a.part = 256;
        const float *value_of = arrays.of<const float>(values, "values", {a.count, a.channels});
        a.weight = arrays.of<const double>(weight, "weight", {a.count});
        a.draws = arrays.of<const double>(draws, "draws", {a.draws_count});
        a.chosen = arrays.of<int64_t>(chosen, "chosen", {a.draws_count});
        nb::gil_scoped_release released;
        std::vector<float> columns(size_t(a.count) * a.channels);
        for (int64_t i = 0; i < a.count; ++i)
            for (int c = 0; c < a.channels; ++c) columns[c * a.count + i] = value_of[i * a.channels + c];
        a.columns = columns.data();
        std::vector<float> nearest(static_cast<size_t>(a.count));
        std::vector<double> sums(size_t(a.count) / a.part + 1);
        a.nearest = nearest.data(), a.sums = sums.data();
        ops().draw_seeds(a);
    });
    m.def("store_features", [](nb::object features, nb::object lo, nb::object step, nb::object last,
                               nb::object codebooks, nb::object starts, nb::object entries, nb::object codes) {
        Arrays arrays;
        StoreFeatures a{};
        const auto shape = shape_of(features, 2);
        a.count = shape[0];
        const int channels = int(shape[1]);
        const Books books(arrays, codebooks, starts, last, channels);
        a.books = books.view();
        a.features = arrays.of<const float>(features, "features", {a.count, channels});
        a.lo = arrays.of<const float>(lo, "lo", {channels});
        a.step = arrays.of<const float>(step, "step", {channels});
        a.entries = arrays.of<uint32_t>(entries, "entries", {a.count, a.books.count});
        a.codes = arrays.of<uint32_t>(codes, "codes", {a.count, channels});
        nb::gil_scoped_release released;
        ops().store_features(a);
    });
}

} // namespace gstex
