// Cells, tile lists and codes of geometry for Python: ops/cell_pyramid.cpp, tile_lists.cpp, quantisation.cpp.

#include "arrays.h"
#include "dispatch.h"
#include "graphs.h"
#include "scene.h"
#include "threads.h"

namespace gstex {

static nb::tuple tile_lists(int width, int height, bool repeat, nb::object cells, nb::object placement,
                            nb::object derived, nb::object where, float margin) {
    Arrays arrays;
    const int levels = int(nb::len(cells));
    const int32_t *sizes = arrays.of<const int32_t>(cells, "cells", {levels, 2});
    const int64_t count = int64_t(nb::len(placement));
    const int32_t *placed = arrays.of<const int32_t>(placement, "placement", {count, 3});
    const float *derived_of = arrays.of<const float>(derived, "derived", {count, 8});
    const float *where_of = arrays.of<const float>(where, "where", {count, 4});

    std::vector<int32_t> grids(size_t(levels) * 4, 0), order32;
    int64_t cell_count = 0;
    for (int level = 0; level < levels; ++level) {
        grids[4 * level] = sizes[2 * level], grids[4 * level + 1] = sizes[2 * level + 1];
        grids[4 * level + 2] = int32_t(cell_count);
        cell_count += int64_t(sizes[2 * level]) * sizes[2 * level + 1];
    }
    std::vector<int64_t> number(static_cast<size_t>(count));
    for (int64_t g = 0; g < count; ++g) {
        const int32_t level = placed[3 * g], x = placed[3 * g + 1], y = placed[3 * g + 2];
        if (level < 0 || level >= levels || x < 0 || x >= sizes[2 * level] || y < 0 || y >= sizes[2 * level + 1])
            throw nb::value_error("placement: a cell that is not there");
        number[g] = grids[4 * level + 2] + int64_t(y) * sizes[2 * level] + x;
    }
    const int across = (width + TILE - 1) / TILE, down = (height + TILE - 1) / TILE;
    const int64_t tiles = int64_t(across) * down;
    std::vector<int64_t> order(static_cast<size_t>(count)), cell_start(size_t(cell_count) + 1),
        visible_start(size_t(tiles) + 1, 0), kept(static_cast<size_t>(tiles));
    New<int64_t> start(tiles + 1);
    New<int32_t> gaussian, slot;
    New<int8_t> image;
    New<uint8_t> faded;
    New<int64_t> by_gaussian, by_start;
    {
        nb::gil_scoped_release released;
        group_by(number.data(), count, cell_count, order.data(), cell_start.data());
        order32.assign(order.begin(), order.end());
        const CellPyramid pyramid{tiles, across, width, height, levels, repeat, grids.data(), cell_start.data()};
        ops().count_visible(CountVisible{pyramid, visible_start.data() + 1});
        for (int64_t tile = 0; tile < tiles; ++tile) visible_start[tile + 1] += visible_start[tile];
        const int64_t visible = visible_start[tiles];
        std::vector<int32_t> all_gaussian(static_cast<size_t>(visible));
        std::vector<int8_t> all_image(2 * size_t(visible));
        std::vector<uint8_t> all_faded(static_cast<size_t>(visible));
        ops().mark_entries(MarkEntries{pyramid, order32.data(), derived_of, where_of, margin, visible_start.data(),
                                       all_gaussian.data(), all_image.data(), all_faded.data(), kept.data()});
        start[0] = 0;
        for (int64_t tile = 0; tile < tiles; ++tile) start[tile + 1] = start[tile] + kept[tile];
        const int64_t entries = start[tiles];
        gaussian.make(entries), image.make(2 * entries), faded.make(entries), slot.make(entries);
        by_gaussian.make(entries), by_start.make(count + 1);
        parallel_for(tiles, 1024, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t tile = begin; tile < end; ++tile) {
                const int64_t from = visible_start[tile], to = start[tile];
                for (int64_t i = 0; i < kept[tile]; ++i) {
                    gaussian[to + i] = all_gaussian[from + i];
                    image[2 * (to + i)] = all_image[2 * (from + i)];
                    image[2 * (to + i) + 1] = all_image[2 * (from + i) + 1];
                    faded[to + i] = all_faded[from + i];
                }
            }
        });
        group_by(gaussian.data(), entries, count, by_gaussian.data(), by_start.data());
        for (int64_t i = 0; i < entries; ++i) slot[by_gaussian[i]] = int32_t(i);
    }
    return nb::make_tuple(start.array({tiles + 1}), gaussian.array({-1}), image.array({-1, 2}), faded.array({-1}),
                          by_gaussian.array({-1}), by_start.array({count + 1}), slot.array({-1}));
}

static Coding coding_of(Arrays &arrays, nb::object placement, nb::object levels, double lo, double step) {
    Coding coding{};
    coding.count = int64_t(nb::len(placement));
    coding.placement = arrays.of<const int32_t>(placement, "placement", {coding.count, 3});
    coding.levels = arrays.of<const double>(levels, "levels", {ANY, 9});
    coding.amplitude_lo = lo;
    coding.amplitude_step = step;
    return coding;
}

void bind_lists(nb::module_ &m) {
    m.def("tile_lists", &tile_lists);
    m.def("half_extents", [](nb::object geometry, double cut, nb::object extents) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(geometry));
        const HalfExtents a{arrays.of<const float>(geometry, "geometry", {count, 6}), count, cut,
                            arrays.of<double>(extents, "extents", {count, 2})};
        nb::gil_scoped_release released;
        ops().half_extents(a);
    });
    m.def("keep_inside", [](nb::object geometry, int width, int height, bool repeat, double cut, nb::object last,
                            float amplitude_most, double largest, nb::object room, double least) {
        Arrays arrays;
        KeepInside a{};
        a.count = int64_t(nb::len(geometry));
        a.geometry = arrays.of<float>(geometry, "geometry", {a.count, 6});
        a.width = width, a.height = height, a.repeat = repeat, a.cut = cut;
        const float *lasts = arrays.of<const float>(last, "last", {2});
        const double *rooms = arrays.of<const double>(room, "room", {2});
        a.last[0] = lasts[0], a.last[1] = lasts[1], a.room[0] = rooms[0], a.room[1] = rooms[1];
        a.amplitude_most = amplitude_most, a.largest = largest, a.least = least;
        nb::gil_scoped_release released;
        ops().keep_inside(a);
    });
    m.def(
        "place",
        [](nb::object geometry, nb::object previous, nb::object sizes, nb::object cells, double cut, double slack,
           nb::object placement) {
            Arrays arrays;
            Place a{};
            a.count = int64_t(nb::len(geometry));
            a.geometry = arrays.of<const float>(geometry, "geometry", {a.count, 6});
            a.previous = previous.is_none() ? nullptr : arrays.of<const int32_t>(previous, "previous", {a.count});
            a.levels = int(nb::len(cells));
            a.sizes = arrays.of<const double>(sizes, "sizes", {a.levels, 2});
            a.cells = arrays.of<const int32_t>(cells, "cells", {a.levels, 2});
            a.cut = cut, a.slack = slack;
            a.placement = arrays.of<int32_t>(placement, "placement", {a.count, 3});
            nb::gil_scoped_release released;
            ops().place(a);
        },
        nb::arg("geometry"), nb::arg("previous").none(), nb::arg("sizes"), nb::arg("cells"), nb::arg("cut"),
        nb::arg("slack"), nb::arg("placement"));
    m.def("encode_geometry", [](nb::object placement, nb::object levels, double lo, double step, nb::object geometry,
                                nb::object codes, nb::object turns) {
        Arrays arrays;
        const Coding coding = coding_of(arrays, placement, levels, lo, step);
        const EncodeGeometry a{coding, arrays.of<const float>(geometry, "geometry", {coding.count, 6}),
                               arrays.of<uint32_t>(codes, "codes", {coding.count, 6}),
                               arrays.of<int32_t>(turns, "turns", {coding.count})};
        nb::gil_scoped_release released;
        ops().encode_geometry(a);
    });
    m.def("decode_geometry", [](nb::object placement, nb::object levels, double lo, double step, nb::object codes,
                                nb::object turns, nb::object geometry) {
        Arrays arrays;
        const Coding coding = coding_of(arrays, placement, levels, lo, step);
        const DecodeGeometry a{coding, arrays.of<const uint32_t>(codes, "codes", {coding.count, 6}),
                               arrays.of<const int32_t>(turns, "turns", {coding.count}),
                               arrays.of<float>(geometry, "geometry", {coding.count, 6})};
        nb::gil_scoped_release released;
        ops().decode_geometry(a);
    });
    m.def(
        "round_geometry",
        [](nb::object placement, nb::object levels, double lo, double step, nb::object ideal, nb::object geometry) {
            Arrays arrays;
            const Coding coding = coding_of(arrays, placement, levels, lo, step);
            const RoundGeometry a{coding, arrays.of<float>(ideal, "ideal", {coding.count, 6}),
                                  geometry.is_none() ? nullptr
                                                     : arrays.of<float>(geometry, "geometry", {coding.count, 6})};
            nb::gil_scoped_release released;
            ops().round_geometry(a);
        },
        nb::arg("placement"), nb::arg("levels"), nb::arg("lo"), nb::arg("step"), nb::arg("ideal"),
        nb::arg("geometry").none());
}

} // namespace gstex
