// ops/blend.cpp and ops/picture.cpp for Python.

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
    m.def("blend_step", [](nb::object scene, nb::object target, nb::object importance, nb::object sums, nb::object loss) {
        Arrays arrays;
        BlendStep a{};
        a.scene = scene_of(arrays, scene);
        a.target = picture_of(arrays, target, a.scene);
        a.importance = picture_of(arrays, importance, a.scene);
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
