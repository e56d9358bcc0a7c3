"""The triangles of models: what a model of each kind gives, and that none that is broken does harm."""

import json
import math
import struct

import numpy as np
import pytest
from small_models import cube, glb_bytes, model_bytes

from gstex.errors import ModelError
from gstex.gltf import mesh as meshes
from gstex.gltf.container import parse_model
from gstex.gltf.mesh import read_mesh


def build(change=None, *, views=None, accessors=None, attributes=None, indices=3):
    """The cube of small_models as a model; `change` may spoil its document."""
    usual, mesh = cube()
    chunk, places = b"", []
    for data in views or usual:
        places.append({"buffer": 0, "byteOffset": len(chunk), "byteLength": len(data)})
        chunk += data + bytes(-len(data) % 4)
    primitive = {"attributes": attributes or mesh["attributes"]}
    primitive |= {} if indices is None else {"indices": indices}
    document = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}], "accessors": accessors or mesh["accessors"], "bufferViews": places,
        "buffers": [{"byteLength": len(chunk)}],
    }  # fmt: skip
    if change:
        change(document)
    return parse_model(glb_bytes(document, chunk), folder=None)


def test_a_cube_fills_the_unit_sphere(tmp_path):
    (tmp_path / "cube.gltf").write_bytes(model_bytes([], [{}], glb=False))
    for model in (build(), parse_model((tmp_path / "cube.gltf").read_bytes(), tmp_path)):
        mesh = read_mesh(model)
        assert mesh.positions.shape == mesh.normals.shape == (24, 3) and mesh.triangles.shape == (12, 3)
        assert np.allclose(np.linalg.norm(mesh.positions, axis=1), 1, atol=1e-6)
        assert np.allclose(np.abs(mesh.positions), 3**-0.5, atol=1e-6)
        assert np.array_equal(mesh.uv, np.frombuffer(cube()[0][2], "<f4").reshape(-1, 2))
        assert np.allclose((mesh.positions * mesh.normals).sum(axis=1), 3**-0.5, atol=1e-6)


def test_normals_that_are_missing_are_computed():
    views, _ = cube()
    turned = np.frombuffer(views[3], "<u2").reshape(-1, 3)
    points = np.frombuffer(views[0], "<f4").reshape(-1, 3)
    faces = np.cross(points[turned[:, 1]] - points[turned[:, 0]], points[turned[:, 2]] - points[turned[:, 0]])
    turned = np.where((faces * points[turned[:, 0]]).sum(axis=1, keepdims=True) < 0, turned[:, ::-1], turned)
    views[3] = turned.astype("<u2").tobytes()
    bare = read_mesh(build(views=views, attributes={"POSITION": 0, "TEXCOORD_0": 2}))
    assert np.allclose(bare.normals, read_mesh(build()).normals, atol=1e-6)


def test_strips_and_fans_are_triangles():
    """A square by all three modes, without indices."""
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)], "<f4")
    areas = {}
    for mode, order in ((4, (0, 1, 2, 2, 1, 3)), (5, (0, 1, 2, 3)), (6, (0, 1, 3, 2))):
        points = corners[list(order)]
        accessors = [{"bufferView": n, "componentType": 5126, "count": len(points), "type": kind}
                     for n, kind in enumerate(("VEC3", "VEC2"))]  # fmt: skip
        views = [points.tobytes(), points[:, :2].copy().tobytes()]

        def set_mode(document, mode=mode):
            document["meshes"][0]["primitives"][0]["mode"] = mode

        mesh = read_mesh(build(set_mode, views=views, accessors=accessors, indices=None,
                               attributes={"POSITION": 0, "TEXCOORD_0": 1}))  # fmt: skip
        assert np.allclose(mesh.normals, (0, 0, 1)), mode  # all wound the same way
        a, b, c = (mesh.uv[mesh.triangles[:, k]] for k in range(3))
        areas[mode] = np.abs(np.linalg.det(np.stack([b - a, c - a], axis=1))).sum() / 2
    assert areas == {4: 1.0, 5: 1.0, 6: 1.0}


def test_whole_numbers_are_coordinates_too():
    """Normalized bytes apart by a stride, as KHR_mesh_quantization has them."""
    views, mesh = cube()
    uv = np.frombuffer(views[2], "<f4").reshape(-1, 2)
    views[2] = np.pad(np.rint(uv * 255).astype("u1"), ((0, 0), (0, 2))).tobytes()
    accessors = [dict(row) for row in mesh["accessors"]]
    accessors[2] |= {"componentType": 5121, "normalized": True}

    def set_stride(document):
        document["bufferViews"][2]["byteStride"] = 4

    assert np.allclose(read_mesh(build(set_stride, views=views, accessors=accessors)).uv, uv)


def test_nodes_place_their_meshes():
    """Two cubes side by side, the second mirrored and half as large, in a node that turns by 90 degrees."""

    def place(document):
        half = {"mesh": 0, "translation": [4, 0, 0], "scale": [-0.5, 0.5, 0.5]}
        turned = {"children": [0, 2], "rotation": [0, 0, math.sin(math.pi / 4), math.cos(math.pi / 4)]}
        document["nodes"] = [{"mesh": 0}, turned, half]
        document["scenes"] = [{"nodes": [1]}]

    mesh = read_mesh(build(place))
    assert len(mesh.triangles) == 24
    reach = mesh.positions.max(axis=0) - mesh.positions.min(axis=0)
    assert np.allclose(reach / reach[0], (1, 5.5 / 2, 1), atol=1e-5)
    for part in (slice(0, 24), slice(24, 48)):
        points = mesh.positions[part]
        outward = points - (points.min(axis=0) + points.max(axis=0)) / 2
        assert ((outward * mesh.normals[part]).sum(axis=1) > 0).all()


def _set(path, value):
    def change(document):
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        if value is None:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value

    return change


_PRIMITIVE = ("meshes", 0, "primitives", 0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((*_PRIMITIVE, "attributes", "TEXCOORD_0"), None, "texture coordinates"),
        ((*_PRIMITIVE, "mode"), 1, "texture coordinates"),
        ((*_PRIMITIVE, "mode"), 7, "mode"),
        ((*_PRIMITIVE, "attributes"), 3, "attributes"),
        ((*_PRIMITIVE, "indices"), 99, "is not an index into accessors"),
        ((*_PRIMITIVE, "indices"), 0, "expected some of SCALAR"),
        ((*_PRIMITIVE, "extensions"), {"KHR_draco_mesh_compression": {}}, "compressed"),
        (("extensionsRequired",), ["EXT_meshopt_compression"], "compressed"),
        (("meshes",), 5, "no list of objects"),
        (("meshes", 0, "primitives"), [4], "no list of objects"),
        (("accessors", 0, "count"), 2**31, "more than"),
        (("accessors", 0, "count"), 25, "ends at byte"),
        (("accessors", 0, "count"), -1, "whole number"),
        (("accessors", 0, "byteOffset"), 8, "ends at byte"),
        (("accessors", 0, "componentType"), 7, "componentType"),
        (("accessors", 0, "bufferView"), None, "without data"),
        (("accessors", 0, "sparse"), {}, "sparse"),
        (("accessors", 2, "count"), 23, "expected 24"),
        (("accessors", 3, "componentType"), 5126, "componentType"),
        (("bufferViews", 0, "byteStride"), 4, "byteStride"),
        (("bufferViews", 0, "byteLength"), 2**20, "ends at byte"),
        (("scenes", 0, "nodes"), [0, 0], "in several nodes"),
        (("nodes", 0, "children"), [0], "in itself"),
        (("nodes", 0, "children"), [1.5], "is not an index"),
        (("nodes", 0, "mesh"), 1, "is not an index into meshes"),
        (("nodes", 0, "matrix"), [1] * 15, "no list of 16"),
        (("nodes", 0, "scale"), [0, 0, 0], "in one point"),
        (("nodes", 0, "scale"), [1e308, 1, 1], "beyond all numbers"),
        (("nodes", 0, "scale"), [10**400, 1, 1], "."),
    ],
)
def test_a_model_that_is_not_sound_is_refused(path, value, message):
    with pytest.raises(ModelError, match=message):
        read_mesh(build(_set(path, value)))


def test_values_that_are_none_are_refused():
    views, _ = cube()
    spoiled = bytearray(views[0])
    struct.pack_into("<f", spoiled, 12, math.nan)
    with pytest.raises(ModelError, match="no number"):
        read_mesh(build(views=[bytes(spoiled), *views[1:]]))
    far = bytearray(views[3])
    struct.pack_into("<H", far, 0, 24)
    with pytest.raises(ModelError, match="vertex 24 of 24"):
        read_mesh(build(views=[*views[:3], bytes(far)]))


def test_too_many_triangles_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(meshes, "MOST_TRIANGLES", 30)

    def twice(document):
        document["meshes"][0]["primitives"] *= 2

    read_mesh(build())
    with pytest.raises(ModelError, match="more than 30 triangles"):
        read_mesh(build(twice))


def test_no_bytes_of_a_model_do_harm():
    """Every byte of the JSON changed in turn: a mesh or a ModelError."""
    data = model_bytes([], [{}])
    length = struct.unpack_from("<I", data, 12)[0]
    outcomes = set()
    for place in range(20, 20 + length, 3):
        for byte in (b"9", b'"', b"-"):
            try:
                read_mesh(parse_model(data[:place] + byte + data[place + 1 :], folder=None))
                outcomes.add("read")
            except ModelError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}
    json.loads(data[20 : 20 + length])
