// ops/blend.cpp and ops/picture.cpp for Python.

#include <algorithm>

#include "arrays.h"
#include "dispatch.h"
#include "scene.h"

namespace gstex {

void bind_blend(nb::module_ &m) {
    m.def("make_picture", [](nb::object image, bool repeat, nb::object planes) {
        Arrays arrays;
        MakePicture a{};
        const auto shape = shape_of(image, 3);
        a.height = int(shape[0]), a.width = int(shape[1]), a.channels = int(shape[2]);
        a.image = arrays.of<const float>(image, "image", {ANY, ANY, ANY});
        const auto wide = shape_of(planes, 3);
        a.tiles_x = (a.width + TILE - 1) / TILE, a.tiles_y = (a.height + TILE - 1) / TILE;
        a.planes = arrays.of<float>(planes, "planes", {a.channels, TILE * a.tiles_y + 2, ANY});
        a.stride = wide[2];
        if (a.stride < TILE * a.tiles_x + 2) throw nb::value_error("planes: too narrow");
        a.repeat = repeat;
        nb::gil_scoped_release released;
        ops().make_picture(a);
    });
    m.def("sample_picture", [](nb::object planes, nb::object jitter, nb::object image) {
        Arrays arrays;
        const auto shape = shape_of(image, 3);
        Scene size{};
        size.height = int(shape[0]), size.width = int(shape[1]), size.channels = int(shape[2]);
        size.across = (size.width + TILE - 1) / TILE;
        const float *by = arrays.of<const float>(jitter, "jitter", {2});
        const SamplePicture a{picture_of(arrays, planes, size, size.channels),
                              size.width,
                              size.height,
                              size.channels,
                              {by[0], by[1]},
                              arrays.of<float>(image, "image", {size.height, size.width, size.channels})};
        nb::gil_scoped_release released;
        ops().sample_picture(a);
    });
    m.def("blend_step",
          [](nb::object scene, nb::object target, nb::object importance, nb::object sums, nb::object loss) {
              Arrays arrays;
              BlendStep a{};
              a.scene = scene_of(arrays, scene);
              a.target = picture_of(arrays, target, a.scene, a.scene.channels);
              a.importance = importance_of(arrays, importance, a.target, a.scene);
              const int64_t entries = a.scene.lists.start[a.scene.tiles];
              a.rows = shape_of(sums, 2)[1];
              a.sums = arrays.of<float>(sums, "sums", {entries, a.rows});
              if (a.rows < 6 + a.scene.channels) throw nb::value_error("sums: too narrow");
              a.loss = arrays.of<double>(loss, "loss", {a.scene.tiles});
              nb::gil_scoped_release released;
              ops().blend_step(a);
          });
    m.def("blend_backward", [](nb::object scene, nb::object v_image, nb::object sums) {
        Arrays arrays;
        BlendBackward a{};
        a.scene = scene_of(arrays, scene);
        a.v_image = arrays.of<const float>(v_image, "v_image", {a.scene.height, a.scene.width, a.scene.channels});
        a.rows = shape_of(sums, 2)[1];
        a.sums = arrays.of<float>(sums, "sums", {a.scene.lists.start[a.scene.tiles], a.rows});
        if (a.rows < 6 + a.scene.channels) throw nb::value_error("sums: too narrow");
        nb::gil_scoped_release released;
        ops().blend_backward(a);
    });
    m.def("exp2_of_kernels", [](nb::object values, nb::object out) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(values)), whole = (count + 15) / 16 * 16;
        const float *from = arrays.of<const float>(values, "values", {count});
        float *to = arrays.of<float>(out, "out", {count});
        std::vector<float> padded(from, from + count), results(static_cast<size_t>(whole));
        padded.resize(size_t(whole), 0.0f);
        ops().exp2_of_kernels(Exp2{padded.data(), whole, results.data()});
        std::copy_n(results.begin(), count, to);
    });
    m.def("derive", [](nb::object geometry, float scale_x, float scale_y, float filter, nb::object derived) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(geometry));
        const Derive a{arrays.of<const float>(geometry, "geometry", {count, 6}),
                       count,
                       {scale_x, scale_y},
                       filter,
                       arrays.of<float>(derived, "derived", {count, 8})};
        nb::gil_scoped_release released;
        ops().derive(a);
    });
    m.def("gather",
          [](nb::object by_gaussian_start, nb::object sums, nb::object geometry, nb::object derived, float scale_x,
             float scale_y, float filter, float weight, bool add, nb::object v_geometry, nb::object v_features) {
              Arrays arrays;
              Gather a{};
              a.count = int64_t(nb::len(geometry));
              a.channels = int(shape_of(v_features, 2)[1]);
              a.by_gaussian_start = arrays.of<const int64_t>(by_gaussian_start, "by_gaussian_start", {a.count + 1});
              a.rows = shape_of(sums, 2)[1];
              a.sums = arrays.of<const float>(sums, "sums", {a.by_gaussian_start[a.count], a.rows});
              if (a.channels > MAX_CHANNELS || a.rows < (6 + a.channels + 7) / 8 * 8)
                  throw nb::value_error("sums: too narrow");
              a.geometry = arrays.of<const float>(geometry, "geometry", {a.count, 6});
              a.derived = arrays.of<const float>(derived, "derived", {a.count, 8});
              a.scale[0] = scale_x, a.scale[1] = scale_y, a.filter = filter, a.weight = weight, a.add = add;
              a.v_geometry = arrays.of<float>(v_geometry, "v_geometry", {a.count, 6});
              a.v_features = arrays.of<float>(v_features, "v_features", {a.count, a.channels});
              nb::gil_scoped_release released;
              ops().gather(a);
          });
    m.def("sum_pairs", [](nb::object by_gaussian_start, nb::object pairs, nb::object sums) {
        Arrays arrays;
        SumPairs a{};
        a.count = int64_t(nb::len(sums));
        a.by_gaussian_start = arrays.of<const int64_t>(by_gaussian_start, "by_gaussian_start", {a.count + 1});
        a.pairs = arrays.of<const float>(pairs, "pairs", {a.by_gaussian_start[a.count], 2});
        a.sums = arrays.of<double>(sums, "sums", {a.count, 2});
        nb::gil_scoped_release released;
        ops().sum_pairs(a);
    });
    m.def("removal_cost",
          [](nb::object scene, nb::object target, nb::object importance, nb::object pairs, nb::object error) {
              Arrays arrays;
              RemovalCost a{};
              a.scene = scene_of(arrays, scene);
              a.target = picture_of(arrays, target, a.scene, a.scene.channels);
              a.importance = importance_of(arrays, importance, a.target, a.scene);
              a.pairs = arrays.of<float>(pairs, "pairs", {a.scene.lists.start[a.scene.tiles], 2});
              a.error = arrays.of<float>(error, "error", {a.scene.height, a.scene.width});
              nb::gil_scoped_release released;
              ops().removal_cost(a);
          });
    m.def("adam", [](nb::object values, nb::object gradient, nb::object first_moment, nb::object second_moment,
                     nb::object rate, float factor, float beta1, float beta2, float correct1, float correct2) {
        Arrays arrays;
        Adam a{};
        const auto shape = shape_of(values, 2);
        a.rows = shape[0], a.columns = int(shape[1]);
        a.values = arrays.of<float>(values, "values", {a.rows, a.columns});
        a.gradient = arrays.of<const float>(gradient, "gradient", {a.rows, a.columns});
        a.first_moment = arrays.of<float>(first_moment, "first_moment", {a.rows, a.columns});
        a.second_moment = arrays.of<float>(second_moment, "second_moment", {a.rows, a.columns});
        a.rate = arrays.of<const float>(rate, "rate", {a.columns});
        a.factor = factor, a.beta1 = beta1, a.beta2 = beta2, a.correct1 = correct1, a.correct2 = correct2;
        nb::gil_scoped_release released;
        ops().adam(a);
    });
    m.def("blend_render", [](nb::object scene, nb::object image) {
        Arrays arrays;
        BlendRender a{};
        a.scene = scene_of(arrays, scene);
        a.image = arrays.of<float>(image, "image", {a.scene.height, a.scene.width, a.scene.channels});
        nb::gil_scoped_release released;
        ops().blend_render(a);
    });
}

} // namespace gstex
