// The part of the core that comparisons need: ops/bc4.cpp for Python.

#include "arrays.h"
#include "dispatch.h"
#include "scene.h"

namespace gstex {

void bind_compare(nb::module_ &m) {
    m.def("encode_bc4", [](nb::object image, nb::object blocks) {
        Arrays arrays;
        EncodeBc4 a{};
        const auto shape = shape_of(image, 2);
        a.height = shape[0], a.width = shape[1];
        if (a.height % 4 || a.width % 4) throw nb::value_error("image: sides that are multiples of 4 are wanted");
        a.image = arrays.of<const uint8_t>(image, "image", {a.height, a.width});
        a.blocks = arrays.of<uint8_t>(blocks, "blocks", {a.height / 4 * (a.width / 4), 8});
        nb::gil_scoped_release released;
        ops().encode_bc4(a);
    });
}

} // namespace gstex
