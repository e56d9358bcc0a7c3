// ops/perceptual_loss.cpp and ops/windowed.cpp for Python.

#include <memory>

#include "arrays.h"
#include "dispatch.h"
#include "scene.h"

namespace gstex {

void bind_losses(nb::module_ &m) {
    m.def("perceptual_loss", [](nb::object image, nb::object target, nb::object importance, nb::object taps,
                                float share, float c1, float c2, nb::object v_image) {
        Arrays arrays;
        PerceptualLoss a{};
        const auto shape = shape_of(image, 3);
        a.height = int(shape[0]), a.width = int(shape[1]), a.channels = int(shape[2]);
        a.image = arrays.of<const float>(image, "image", {ANY, ANY, ANY});
        a.target = arrays.of<const float>(target, "target", {a.height, a.width, a.channels});
        a.importance = arrays.of<const float>(importance, "importance", {a.height, a.width, a.channels});
        a.taps = arrays.of<const float>(taps, "taps", {11});
        a.share = share, a.c1 = c1, a.c2 = c2;
        a.v_image = arrays.of<float>(v_image, "v_image", {a.height, a.width, a.channels});
        const int64_t blocks = a.channels * perceptual_blocks(a.height, a.width);
        const std::unique_ptr<float[]> slopes(new float[3 * int64_t(a.height) * a.width]);
        const std::unique_ptr<double[]> losses(new double[blocks]);
        a.slopes = slopes.get(), a.losses = losses.get();
        nb::gil_scoped_release released;
        ops().perceptual_loss(a);
        double loss = 0.0;
        for (int64_t i = 0; i < blocks; ++i) loss += losses[i];
        return loss;
    });
    m.def("windowed", [](nb::object plane, nb::object taps, nb::object sums) {
        Arrays arrays;
        Windowed a{};
        const auto shape = shape_of(plane, 2);
        a.height = shape[0], a.width = shape[1];
        a.plane = arrays.of<const double>(plane, "plane", {a.height, a.width});
        a.taps_count = int(shape_of(taps, 1)[0]);
        a.taps = arrays.of<const double>(taps, "taps", {a.taps_count});
        a.sums = arrays.of<double>(sums, "sums", {a.height, a.width});
        nb::gil_scoped_release released;
        ops().windowed(a);
    });
}

} // namespace gstex
