// Structs that several kernels use, made from the dataclasses of gstex.encode.ops.cpu.

#pragma once

#include "arrays.h"
#include "ops/ops.h"

namespace gstex {

inline std::vector<int64_t> shape_of(nb::handle array, size_t axes) {
    const nb::object shape = array.attr("shape");
    if (nb::len(shape) != axes)
        throw nb::value_error(("an array of " + std::to_string(axes) + " axes is wanted").c_str());
    std::vector<int64_t> sizes;
    for (nb::handle size : shape) sizes.push_back(nb::cast<int64_t>(size));
    return sizes;
}

inline TileLists lists_of(Arrays &arrays, nb::handle lists, int64_t *tiles) {
    TileLists a{};
    int64_t starts;
    a.start = arrays.of<const int64_t>(lists, "start", {ANY}, &starts);
    *tiles = starts - 1;
    const int64_t entries = a.start[*tiles];
    a.gaussian = arrays.of<const int32_t>(lists, "gaussian", {entries}, nullptr);
    a.image = arrays.of<const int8_t>(lists, "image", {entries, 2}, nullptr);
    a.faded = arrays.of<const uint8_t>(lists, "faded", {entries}, nullptr);
    return a;
}

inline Scene scene_of(Arrays &arrays, nb::handle scene) {
    Scene a{};
    const nb::object lists = scene.attr("lists");
    a.lists = lists_of(arrays, lists, &a.tiles);
    a.slot = arrays.of<const int32_t>(lists, "slot", {a.lists.start[a.tiles]}, nullptr);
    int64_t gaussians, channels;
    a.view.derived = arrays.of<const float>(scene, "derived", {ANY, 8}, &gaussians);
    a.view.where = arrays.of<const float>(scene, "where", {gaussians, 4}, nullptr);
    a.background = arrays.of<const float>(scene, "background", {ANY}, &channels);
    a.features = arrays.of<const float>(scene, "features", {gaussians, channels}, nullptr);
    a.channels = int(channels);
    if (channels < 1 || channels > MAX_CHANNELS) throw nb::value_error("background: 1 to 16 channels are wanted");
    a.width = nb::cast<int>(scene.attr("width"));
    a.height = nb::cast<int>(scene.attr("height"));
    a.across = (a.width + TILE - 1) / TILE;
    if (a.tiles != int64_t(a.across) * ((a.height + TILE - 1) / TILE)) throw nb::value_error("lists: not of this size");
    a.view.extent[0] = float(a.width);
    a.view.extent[1] = float(a.height);
    const float *jitter = arrays.of<const float>(scene, "jitter", {2}, nullptr);
    a.jitter[0] = jitter[0], a.jitter[1] = jitter[1];
    return a;
}

// A picture of `count` planes over the tiles of a scene.
inline Picture picture_of(Arrays &arrays, nb::handle planes, const Scene &scene, int count) {
    const auto shape = shape_of(planes, 3);
    const int64_t rows = TILE * ((scene.height + TILE - 1) / TILE) + 2;
    Picture a{};
    a.planes = arrays.of<const float>(planes, "planes", {count, rows, ANY});
    a.stride = shape[2];
    a.plane = rows * a.stride;
    if (a.stride < TILE * scene.across + 2) throw nb::value_error("planes: too narrow");
    return a;
}

// From the dataclass gstex.encode.ops.cpu.view.Importance, for the channels of a scene.
inline Importance importance_of(Arrays &arrays, nb::handle importance, const Picture &target, const Scene &scene) {
    Importance a{};
    const nb::object planes = importance.attr("planes");
    a.count = int(shape_of(planes, 3)[0]);
    if (a.count < 1 || a.count > scene.channels) throw nb::value_error("importance: 1 to C planes are wanted");
    a.planes = picture_of(arrays, planes, scene, a.count);
    if (a.planes.stride != target.stride) throw nb::value_error("importance: not as wide as the target");
    a.plane = arrays.of<const int32_t>(importance, "plane", {scene.channels}, nullptr);
    a.weight = arrays.of<const float>(importance, "weight", {scene.channels}, nullptr);
    for (int c = 0; c < scene.channels; ++c)
        if (a.plane[c] < 0 || a.plane[c] >= a.count) throw nb::value_error("plane: one that is not there");
    return a;
}

} // namespace gstex
