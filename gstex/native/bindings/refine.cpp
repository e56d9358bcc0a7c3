// The refinement of stored values, for Python: ops/sample_points.cpp, normal_equations.cpp, refine_features.cpp and
// refine_geometry.cpp.

#include <algorithm>
#include <cmath>

#include "arrays.h"
#include "books.h"
#include "conjugate_gradient.h"
#include "dispatch.h"
#include "graphs.h"
#include "scene.h"
#include "threads.h"

namespace gstex {

// From the dataclass gstex.encode.sample_points.SamplePoints. derived: [V, N, 8].
static SamplePoints points_of(Arrays &arrays, nb::handle points, nb::handle derived, int64_t *count) {
    SamplePoints a{};
    a.lists = lists_of(arrays, points.attr("lists"), &a.tiles);
    a.view = arrays.of<const int32_t>(points, "view", {a.tiles}, nullptr);
    a.corner = arrays.of<const int32_t>(points, "corner", {a.tiles, 2}, nullptr);
    a.offset = arrays.of<const float>(points, "offset", {a.tiles, 2}, nullptr);
    int64_t views;
    const float *extent = arrays.of<const float>(points, "extent", {ANY, 2}, &views);
    if (views < 1 || views > MAX_VIEWS) throw nb::value_error("extent: 1 to 8 views are wanted");
    a.view_count = int(views);
    const auto shape = shape_of(derived, 3);
    *count = shape[1];
    const float *derived_of = arrays.of<const float>(derived, "derived", {views, *count, 8});
    const float *where = arrays.of<const float>(points, "where", {views, *count, 4}, nullptr);
    const float *weight = arrays.of<const float>(points, "weight", {views}, nullptr);
    const nb::object target = points.attr("target"), importance = points.attr("importance");
    a.channels = int(shape_of(target[0], 3)[0]);
    if (a.channels > MAX_CHANNELS) throw nb::value_error("target: at most 16 channels are wanted");
    for (int v = 0; v < a.view_count; ++v) {
        a.views[v] = View{derived_of + v * *count * 8, where + v * *count * 4, {extent[2 * v], extent[2 * v + 1]}};
        a.weight[v] = weight[v];
        Scene size{};
        size.width = int(extent[2 * v]), size.height = int(extent[2 * v + 1]), size.channels = a.channels;
        size.across = (size.width + TILE - 1) / TILE;
        a.target[v] = picture_of(arrays, target[v], size, a.channels);
        const Importance now = importance_of(arrays, importance[v], a.target[v], size), &first = a.importance[0];
        a.importance[v] = now;
        if (now.count != first.count || !std::equal(now.plane, now.plane + a.channels, first.plane) ||
            !std::equal(now.weight, now.weight + a.channels, first.weight))
            throw nb::value_error("importance: the same planes and weights in all views are wanted");
    }
    for (int64_t tile = 0; tile < a.tiles; ++tile) {
        const int view = a.view[tile];
        if (view < 0 || view >= a.view_count) throw nb::value_error("view: one that is not there");
        const int32_t x = a.corner[2 * tile], y = a.corner[2 * tile + 1];
        if (x < 0 || y < 0 || x >= int(extent[2 * view]) || y >= int(extent[2 * view + 1]) || x % TILE || y % TILE)
            throw nb::value_error("corner: not of a tile");
    }
    return a;
}

// The entries of each Gaussian in the order of tiles, and the tile of each entry.
struct Entries {
    Growing<int64_t> by_gaussian, by_start;
    Growing<int32_t> tile_of;

    Entries(const SamplePoints &points, int64_t count) {
        const int64_t entries = points.lists.start[points.tiles];
        by_gaussian.resize(entries);
        by_start.resize(count + 1);
        tile_of.resize(entries);
        group_by(points.lists.gaussian, entries, count, by_gaussian.data(), by_start.data());
        for (int64_t tile = 0; tile < points.tiles; ++tile)
            for (int64_t e = points.lists.start[tile]; e < points.lists.start[tile + 1]; ++e)
                tile_of[e] = int32_t(tile);
    }
};

static PairSums normal_equations(const SamplePoints &points, const Entries &entries, int64_t count, const float *total,
                                 const float *out, float small) {
    constexpr int64_t MOST = 1 << 20; // products held at a time; those of one tile may be more
    constexpr int64_t MOST_ENTRIES = 1 << 16;
    const int planes = points.importance[0].count, channels = points.channels;
    const int64_t all = points.lists.start[points.tiles];
    const int32_t *gaussian = points.lists.gaussian;
    Growing<float> slope, gram;
    Growing<int64_t> near_count;
    EntryPairs pairs;
    std::vector<double> gradient(size_t(count) * channels, 0.0);
    std::vector<int64_t> square_start;
    pairs.start.resize(all + 1);
    pairs.start[0] = 0;
    for (int64_t begin = 0; begin < points.tiles;) {
        int64_t end = begin, squares = 0;
        square_start.clear();
        while (end < points.tiles) {
            const int64_t size = points.lists.start[end + 1] - points.lists.start[end];
            if (size > MOST_ENTRIES) throw std::bad_alloc(); // their products would take 16 GB
            if (end > begin && (squares + size * size) * planes > MOST) break;
            square_start.push_back(squares);
            squares += size * size;
            ++end;
        }
        const int64_t first = points.lists.start[begin], last = points.lists.start[end];
        gram.resize(squares * planes);
        slope.resize((last - first) * channels);
        near_count.resize(last - first);
        ops().tile_products(TileProducts{points, begin, end, total, out, small, square_start.data(), gram.data(),
                                         slope.data(), near_count.data()});
        parallel_for(channels, 4, [&](int64_t from, int64_t to, Scratch &) {
            for (int64_t e = first; e < last; ++e)
                for (int64_t c = from; c < to; ++c)
                    gradient[gaussian[e] * channels + c] += double(slope[(e - first) * channels + c]);
        });
        for (int64_t e = first; e < last; ++e) pairs.start[e + 1] = pairs.start[e] + near_count[e - first];
        pairs.near.resize(pairs.start[last]);
        pairs.product.resize(pairs.start[last] * planes);
        ops().list_near(ListNear{points.lists.start, gaussian, begin, end, planes, square_start.data(),
                                 pairs.start.data(), gram.data(), pairs.near.data(), pairs.product.data()});
        begin = end;
    }
    gram.clear();
    slope.clear();
    const TileEntries of_tiles{entries.by_start.data(), entries.by_gaussian.data(), gaussian, entries.tile_of.data(),
                               points.lists.start};
    PairSums result = sum_pairs(count, planes, of_tiles, pairs);
    result.gradient = std::move(gradient);
    return result;
}

// Sets features [N, C] in place to those of least error. blend: of the points with these features.
static void solve_features(nb::object points, nb::object blend, nb::object features, int rounds, float small) {
    Arrays arrays;
    int64_t count;
    const SamplePoints a = points_of(arrays, points, blend.attr("derived"), &count);
    const float *total = arrays.of<const float>(blend, "total", {a.tiles, POINTS}, nullptr);
    const float *out = arrays.of<const float>(blend, "out", {a.tiles, a.channels, POINTS}, nullptr);
    float *feature_of = arrays.of<float>(features, "features", {count, a.channels});

    nb::gil_scoped_release released;
    const Entries lists(a, count);
    const PairSums sums = normal_equations(a, lists, count, total, out, small);
    const Importance &importance = a.importance[0];
    solve_features(sums, count, a.channels, importance.count, importance.plane, rounds, feature_of);
}

// Lowers the error by changing entries and codes in place, and bytes of the codebooks if `codebooks_too`.
static void refine_features(nb::object points, nb::object blend, nb::object stored, bool codebooks_too, int most_sweeps,
                            float small) {
    Arrays arrays;
    int64_t count;
    const SamplePoints a = points_of(arrays, points, blend.attr("derived"), &count);
    const int channels = a.channels;
    const float *total = arrays.of<const float>(blend, "total", {a.tiles, POINTS}, nullptr);
    const float *out = arrays.of<const float>(blend, "out", {a.tiles, channels, POINTS}, nullptr);
    Books books(arrays, stored.attr("codebooks"), stored.attr("start"), stored.attr("last"), channels);
    const float *step = arrays.of<const float>(stored, "step", {channels}, nullptr);
    uint32_t *entries = arrays.of<uint32_t>(stored, "entries", {count, books.count()}, nullptr);
    uint32_t *codes = arrays.of<uint32_t>(stored, "codes", {count, channels}, nullptr);

    nb::gil_scoped_release released;
    const Entries lists(a, count);
    const int planes = a.importance[0].count;
    const int32_t *plane = a.importance[0].plane;
    PairSums sums = normal_equations(a, lists, count, total, out, small);
    const Batches batches = batches_by_pair(count, sums.row.data(), sums.column.data());
    std::vector<float> own(size_t(count) * planes, 0.0f);
    for (int64_t g = 0; g < count; ++g)
        for (int64_t i = sums.row[g]; i < sums.row[g + 1]; ++i)
            if (sums.column[i] == g)
                for (int n = 0; n < planes; ++n) own[g * planes + n] = sums.value[i * planes + n];
    const std::vector<double> steps(step, step + channels);
    std::vector<int32_t> whole(size_t(count) * channels), base;
    const auto fill_whole = [&] {
        for (int64_t g = 0; g < count; ++g) {
            for (int c = 0; c < channels; ++c) {
                int32_t value = int32_t(codes[g * channels + c]);
                for (int p = 0; p < books.count(); ++p)
                    value += books.bytes(p)[int64_t(entries[g * books.count() + p]) * channels + c];
                whole[g * channels + c] = value;
            }
        }
    };
    fill_whole();
    base = whole;
    NormalEquations equations{channels,          planes,       sums.row.data(),      sums.column.data(), plane,
                              sums.value.data(), steps.data(), sums.gradient.data(), base.data(),        whole.data()};
    std::vector<uint8_t> stale(size_t(count), 1);
    for (int sweep = 0; sweep < most_sweeps; ++sweep) {
        int64_t moved = 0;
        const Codebooks view = books.view();
        for (int64_t b = 0; b < batches.count(); ++b)
            ops().sweep_features(SweepFeatures{equations, view, batches.members.data() + batches.start[b],
                                               batches.start[b + 1] - batches.start[b], own.data(),
                                               a.importance[0].weight, stale.data(), entries, codes, &moved});
        const bool settled = moved * 1000 <= count * channels;
        // Bytes change after sweeps 1, 2, 4, 8 .. and the last one. Each time all Gaussians have to be tried again.
        if (codebooks_too && (settled || (sweep & (sweep + 1)) == 0)) {
            for (int p = 0; p < books.count(); ++p) {
                ops().follow_gradient(FollowGradient{equations, count});
                base = whole;
                equations.base = base.data();
                const int size = books.size(p);
                std::vector<uint32_t> entry(static_cast<size_t>(count));
                for (int64_t g = 0; g < count; ++g) entry[g] = entries[g * books.count() + p];
                std::vector<int64_t> order(static_cast<size_t>(count)), start(size_t(size) + 1);
                group_by(entry.data(), count, size, order.data(), start.data());
                std::vector<double> by_entry(size_t(size) * size * planes), slopes(size_t(size) * channels);
                ops().sum_by_entry(SumByEntry{equations, entries, order.data(), start.data(), books.count(), p, size,
                                              by_entry.data(), slopes.data()});
                const std::vector<uint8_t> before(books.bytes(p), books.bytes(p) + int64_t(size) * channels);
                ops().move_bytes(MoveBytes{by_entry.data(), slopes.data(), steps.data(), plane, channels, planes, size,
                                           books.bytes(p)});
                if (std::equal(before.begin(), before.end(), books.bytes(p))) continue;
                fill_whole();
                std::fill(stale.begin(), stale.end(), uint8_t(1));
            }
            books.refresh();
        }
        check_interrupt();
        if (settled) break;
    }
}

// The parts of the entries of the Gaussians of a batch, as places in Entries::by_gaussian.
struct Items {
    std::vector<int64_t> member, first, last;

    Items(const Entries &lists, const int32_t *batch, int64_t members) {
        constexpr int64_t PART = 16;
        for (int64_t m = 0; m < members; ++m) {
            const int64_t end = lists.by_start[batch[m] + 1];
            for (int64_t i = lists.by_start[batch[m]]; i < end;) {
                member.push_back(m);
                first.push_back(i);
                i = std::min(i + PART, end);
                // All images of a Gaussian in a tile are in one part, since only one thread may change a tile.
                while (i < end && lists.tile_of[lists.by_gaussian[i]] == lists.tile_of[lists.by_gaussian[i - 1]]) ++i;
                last.push_back(i);
            }
        }
    }
};

// Lowers the error by moving geometry codes [N, 6] in place, and updates total and out of the blend.
static void refine_geometry(nb::object points, nb::object blend, nb::object quantiser, nb::object codes,
                            nb::object features, nb::object table, double least) {
    Arrays arrays;
    int64_t count;
    const SamplePoints a = points_of(arrays, points, blend.attr("derived"), &count);
    const int channels = a.channels, views = a.view_count;
    float *total = arrays.of<float>(blend, "total", {a.tiles, POINTS}, nullptr);
    float *out = arrays.of<float>(blend, "out", {a.tiles, channels, POINTS}, nullptr);
    Coding coding{};
    coding.count = count;
    coding.placement = arrays.of<const int32_t>(quantiser, "placement", {count, 3}, nullptr);
    coding.levels = arrays.of<const double>(quantiser, "levels", {ANY, 9}, nullptr);
    coding.amplitude_lo = nb::cast<double>(quantiser.attr("amplitude_lo"));
    coding.amplitude_step = nb::cast<double>(quantiser.attr("amplitude_step"));
    uint32_t *code_of = arrays.of<uint32_t>(codes, "codes", {count, 6});
    const float *feature_of = arrays.of<const float>(features, "features", {count, channels});
    const int moves = int(nb::len(table));
    const int32_t *moves_of = arrays.of<const int32_t>(table, "table", {moves, 6});
    const float *scale = arrays.of<const float>(points, "scale", {views, 2}, nullptr);
    const float *filter = arrays.of<const float>(points, "filter", {views}, nullptr);

    nb::gil_scoped_release released;
    const Entries lists(a, count);
    const Batches batches =
        batches_by_tile(count, a.tiles, lists.by_start.data(), lists.by_gaussian.data(), lists.tile_of.data());
    std::vector<float> rows;
    std::vector<uint8_t> allowed;
    std::vector<double> rises;
    std::vector<int32_t> best;
    for (int64_t b = 0; b < batches.count(); ++b) {
        const int32_t *batch = batches.members.data() + batches.start[b];
        const int64_t members = batches.start[b + 1] - batches.start[b];
        const Items items(lists, batch, members);
        const int64_t parts = int64_t(items.member.size());
        rows.resize(size_t(members) * views * (moves + 1) * 8);
        allowed.resize(size_t(members) * moves);
        rises.resize(size_t(parts) * moves);
        best.assign(size_t(members), -1);
        ops().move_rows(MoveRows{coding, batch, moves_of, members, moves, views, scale, filter, least, code_of,
                                 rows.data(), allowed.data()});
        ops().move_rises(MoveRises{a, batch, parts, moves, views, items.member.data(), items.first.data(),
                                   items.last.data(), lists.by_gaussian.data(), lists.tile_of.data(), rows.data(),
                                   feature_of, total, out, allowed.data(), rises.data()});
        std::vector<double> sum(size_t(members) * moves, 0.0);
        for (int64_t i = 0; i < parts; ++i)
            for (int m = 0; m < moves; ++m) sum[items.member[i] * moves + m] += rises[i * moves + m];
        for (int64_t i = 0; i < members; ++i) {
            double least_rise = 0.0;
            for (int m = 0; m < moves; ++m)
                if (allowed[i * moves + m] && sum[i * moves + m] < least_rise)
                    least_rise = sum[i * moves + m], best[i] = m;
            for (int c = 0; c < 6 && best[i] >= 0; ++c)
                code_of[6 * int64_t(batch[i]) + c] += uint32_t(moves_of[6 * best[i] + c]);
        }
        ops().move_apply(MoveApply{a, batch, parts, moves, views, items.member.data(), items.first.data(),
                                   items.last.data(), lists.by_gaussian.data(), lists.tile_of.data(), best.data(),
                                   rows.data(), feature_of, total, out});
    }
}

void bind_refine(nb::module_ &m) {
    m.def("blend_points", [](nb::object points, nb::object derived, nb::object features, nb::object background,
                             nb::object total, nb::object out, nb::object share) {
        Arrays arrays;
        BlendPoints a{};
        int64_t count;
        a.points = points_of(arrays, points, derived, &count);
        const int channels = a.points.channels;
        a.features = arrays.of<const float>(features, "features", {count, channels});
        a.background = arrays.of<const float>(background, "background", {channels});
        a.total = arrays.of<float>(total, "total", {a.points.tiles, POINTS});
        a.out = arrays.of<float>(out, "out", {a.points.tiles, channels, POINTS});
        a.share = arrays.of<float>(share, "share", {a.points.lists.start[a.points.tiles]});
        nb::gil_scoped_release released;
        ops().blend_points(a);
    });
    m.def("point_errors", [](nb::object points, nb::object derived, nb::object out, nb::object errors) {
        Arrays arrays;
        int64_t count;
        const SamplePoints of = points_of(arrays, points, derived, &count);
        const PointErrors a{of, arrays.of<const float>(out, "out", {of.tiles, of.channels, POINTS}),
                            arrays.of<double>(errors, "errors", {of.tiles})};
        nb::gil_scoped_release released;
        ops().point_errors(a);
    });
    // Returns (row, column, value, gradient), for tests.
    m.def("normal_equations", [](nb::object points, nb::object blend, float small) {
        Arrays arrays;
        int64_t count;
        const SamplePoints a = points_of(arrays, points, blend.attr("derived"), &count);
        const float *total = arrays.of<const float>(blend, "total", {a.tiles, POINTS}, nullptr);
        const float *out = arrays.of<const float>(blend, "out", {a.tiles, a.channels, POINTS}, nullptr);
        const Entries lists(a, count);
        const PairSums sums = normal_equations(a, lists, count, total, out, small);
        const auto array_of = [](const auto &values, std::initializer_list<int64_t> shape) {
            New<std::decay_t<decltype(values[0])>> result(int64_t(values.size()));
            std::copy(values.begin(), values.end(), result.data());
            return result.array(shape);
        };
        return nb::make_tuple(array_of(sums.row, {-1}), array_of(sums.column, {-1}),
                              array_of(sums.value, {-1, a.importance[0].count}),
                              array_of(sums.gradient, {count, a.channels}));
    });
    m.def("solve_features", static_cast<void (*)(nb::object, nb::object, nb::object, int, float)>(&solve_features));
    m.def("refine_features", &refine_features);
    m.def("refine_geometry", &refine_geometry);
}

} // namespace gstex
