"""The textured triangles of a model: primitives with TEXCOORD_0, placed by the nodes of the scene."""

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array, FloatArray, I64Array
from gstex.errors import ModelError
from gstex.gltf.container import Model, broken, whole
from gstex.json_types import JsonView

__all__ = ["MOST_TRIANGLES", "Mesh", "join_meshes", "read_mesh", "smooth_normals"]

MOST_TRIANGLES = 1 << 22  # of a model; the same limit holds for vertices
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
_MOST_DEPTH = 256  # depth of nested nodes
_LISTS = ("accessors", "meshes", "nodes", "scenes")
_COMPRESSED = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")


@dataclass(frozen=True, eq=False)
class Mesh:
    """positions, normals: float32 [n, 3], normals of length 1. uv: float32 [n, 2], v down. triangles: int64 [t, 3]."""

    positions: F32Array
    normals: F32Array
    uv: F32Array
    triangles: I64Array


def read_mesh(model: Model) -> Mesh:
    """All triangles with texture coordinates, moved and scaled to fill the unit sphere.

    Normals are computed where a primitive has none.

    Raises:
        ModelError: a rule of glTF 2.0 is broken, geometry is compressed or sparse, there are more than MOST_TRIANGLES
            triangles or vertices, or no triangles have TEXCOORD_0.
    """
    for name in _COMPRESSED:
        if name in model.document.get("extensionsRequired", []):
            raise ModelError(f"its triangles are compressed ({name}), which is not read; export it without")
    for key in _LISTS:
        items = model.document.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise broken(f"{key}: is no list of objects")
    reader = _Reader(model)
    for mesh, matrix in _placed(model):
        reader.add(mesh, matrix)
    if not reader.parts:
        raise ModelError("no triangles have texture coordinates (TEXCOORD_0), so nothing can wear the material; "
                         "unwrap the mesh and export it again")  # fmt: skip
    joined = join_meshes(reader.parts)
    used = joined.positions[joined.triangles.ravel()]
    low, high = used.min(axis=0).astype(np.float64), used.max(axis=0).astype(np.float64)
    middle = (low + high) / 2
    radius = float(np.sqrt(((used - middle) ** 2).sum(axis=1).max()))
    if not math.isfinite(radius) or not radius > 0:
        raise ModelError("all of its triangles lie in one point, or beyond all numbers; export the model again")
    return Mesh(((joined.positions - middle) / radius).astype(np.float32), joined.normals, joined.uv, joined.triangles)


def join_meshes(parts: list[Mesh]) -> Mesh:
    """Join meshes into one."""
    starts = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    positions, normals, uv = (np.concatenate([getattr(part, name) for part in parts])
                              for name in ("positions", "normals", "uv"))  # fmt: skip
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=True)])
    return Mesh(positions, normals, uv, triangles)


def smooth_normals(positions: F32Array, triangles: I64Array, groups: I64Array | None = None) -> F32Array:
    """Area-weighted means of the normals of the triangles around each vertex: float32 [n, 3] of length 1.

    groups: int [n]; vertices with the same number count as one.
    """
    a, b, c = (positions[triangles[:, k]].astype(np.float64) for k in range(3))
    faces = np.cross(b - a, c - a)
    groups = np.arange(len(positions)) if groups is None else groups
    sums = np.zeros((int(groups.max()) + 1, 3))
    for axis in range(3):
        for k in range(3):
            sums[:, axis] += np.bincount(groups[triangles[:, k]], faces[:, axis], len(sums))
    return _unit(sums)[groups]


def _unit(vectors: FloatArray) -> F32Array:
    """Normalise vectors: float32 of length 1. Vectors of length 0 become z."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    is_good = np.isfinite(lengths) & (lengths > 0)
    return np.where(is_good, vectors / np.where(is_good, lengths, 1.0), (0.0, 0.0, 1.0)).astype(np.float32)


class _Reader:
    """Collects the triangles of meshes. It checks the limit before it reads a primitive."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.parts: list[Mesh] = []
        self._vertices = self._triangles = 0

    def add(self, number: int, matrix: F64Array) -> None:
        """Add the primitives of a mesh, placed by a matrix [4, 4]."""
        where = f"meshes[{number}].primitives"
        primitives = self._model.items("meshes")[number].get("primitives", [])
        if not isinstance(primitives, list) or not all(isinstance(primitive, dict) for primitive in primitives):
            raise broken(f"{where}: is no list of objects")
        for at, primitive in enumerate(primitives):
            if (part := self._primitive(primitive, f"{where}[{at}]")) is not None:
                self.parts.append(_moved(part, matrix, f"{where}[{at}]"))

    def _primitive(self, primitive: JsonView, where: str) -> Mesh | None:
        attributes, mode = primitive.get("attributes"), primitive.get("mode", 4)
        if not isinstance(attributes, dict) or type(mode) is not int or not 0 <= mode <= 6:
            raise broken(f"{where}: has no attributes, or a mode that is none of 0..6")
        if "TEXCOORD_0" not in attributes or "POSITION" not in attributes or mode < 4:
            return None
        extensions = primitive.get("extensions", {})
        for name in _COMPRESSED:
            if isinstance(extensions, dict) and name in extensions:
                raise ModelError(f"{where}: is compressed ({name}), which is not read; export the model without")
        count = self._count(attributes["POSITION"], f"{where}.attributes.POSITION")
        corners = self._count(primitive["indices"], f"{where}.indices") if "indices" in primitive else count
        self._vertices += count
        self._triangles += corners // 3 if mode == 4 else max(corners - 2, 0)
        if max(self._vertices, self._triangles) > MOST_TRIANGLES:
            raise ModelError(f"{where}: more than {MOST_TRIANGLES} triangles or vertices; reduce the mesh")
        positions = self._read(attributes["POSITION"], "VEC3", f"{where}.attributes.POSITION")
        uv = self._read(attributes["TEXCOORD_0"], "VEC2", f"{where}.attributes.TEXCOORD_0", count)
        indices = np.arange(count) if "indices" not in primitive else self._indices(primitive["indices"], count, where)
        triangles = _triangles(indices, mode)
        if not len(triangles):
            return None
        if "NORMAL" in attributes:
            normals = _unit(self._read(attributes["NORMAL"], "VEC3", f"{where}.attributes.NORMAL", count))
        else:
            normals = smooth_normals(positions, triangles)
        return Mesh(positions, normals, uv, triangles)

    def _count(self, accessor: object, where: str) -> int:
        index = self._model.index(accessor, "accessors", where)
        return whole(self._model.items("accessors")[index].get("count"), f"accessors[{index}].count", least=1)

    def _indices(self, accessor: object, count: int, where: str) -> I64Array:
        indices = self._read(accessor, "SCALAR", f"{where}.indices", None, ("u1", "<u2", "<u4")).astype(np.int64)
        if int(indices.max()) >= count:
            raise broken(f"{where}.indices: names vertex {int(indices.max())} of {count}")
        return indices.ravel()

    def _read(
        self, accessor: object, kind: str, where: str, count: int | None = None, types: tuple[str, ...] = ()
    ) -> AnyArray:  # fmt: skip
        """The elements of an accessor: [count, width], float32. With `types`, only these dtypes, unchanged."""
        model = self._model
        index = model.index(accessor, "accessors", where)
        row, name = model.items("accessors")[index], f"accessors[{index}]"
        number = whole(row.get("count"), f"{name}.count", least=1)
        if row.get("type") != kind or (count is not None and number != count):
            raise broken(f"{where}: has {number} of {row.get('type')!r:.20}, expected {count or 'some'} of {kind}")
        component = row.get("componentType")
        dtype = _TYPES.get(component) if type(component) is int else None
        if dtype is None or (types and dtype not in types):
            raise broken(f"{name}.componentType: {component!r:.20} is none that {where} may have")
        if "sparse" in row or "bufferView" not in row:
            raise ModelError(f"{name}: is sparse or without data, which is not read; export the model without")
        view = model.index(row["bufferView"], "bufferViews", f"{name}.bufferView")
        if any(key in model.items("bufferViews")[view].get("extensions", {}) for key in _COMPRESSED):
            raise ModelError(f"bufferViews[{view}]: is compressed, which is not read; export the model without")
        size = np.dtype(dtype).itemsize * _WIDTHS[kind]
        stride = whole(model.items("bufferViews")[view].get("byteStride", size), f"bufferViews[{view}].byteStride",
                       least=size)  # fmt: skip
        start = whole(row.get("byteOffset", 0), f"{name}.byteOffset")
        data = model.view(view, name)
        if start + stride * (number - 1) + size > len(data):
            raise broken(f"{name}: ends at byte {start + stride * (number - 1) + size} of a view of {len(data)}")
        raw = np.ndarray((number, _WIDTHS[kind]), dtype, data, start, (stride, np.dtype(dtype).itemsize))
        if types:
            return raw.copy()
        values = raw.astype(np.float32)
        if dtype != "<f4" and row.get("normalized") is True:
            values = np.maximum(values / np.float32(np.iinfo(dtype).max), np.float32(-1))
        if not np.isfinite(values).all():
            raise broken(f"{name}: holds what is no number")
        return values


def _triangles(indices: I64Array, mode: int) -> I64Array:
    """Triangles int64 [t, 3] from indices. mode: 4 triangles, 5 a strip, 6 a fan."""
    if mode == 4:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3).astype(np.int64)
    at = np.arange(max(len(indices) - 2, 0))
    odd = at % 2 if mode == 5 else np.zeros_like(at)
    first = at if mode == 5 else np.zeros_like(at)
    return np.stack([indices[first], indices[at + 1 + odd], indices[at + 2 - odd]], axis=1).astype(np.int64)


def _moved(part: Mesh, matrix: F64Array, where: str) -> Mesh:
    linear = matrix[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        cofactors = np.stack([np.cross(linear[k - 2], linear[k - 1]) for k in range(3)])
        side = 1.0 if np.linalg.det(linear) >= 0 else -1.0
        positions = (part.positions @ linear.T + matrix[:3, 3]).astype(np.float32)
        normals = _unit(side * (part.normals @ cofactors.T))
    if not np.isfinite(positions).all():
        raise broken(f"{where}: its node moves it beyond all numbers")
    return Mesh(positions, normals, part.uv, part.triangles)


def _placed(model: Model) -> list[tuple[int, F64Array]]:
    """(mesh, matrix [4, 4]) of the nodes of the scene; without a scene, all meshes with the identity matrix."""
    scenes, nodes = model.items("scenes"), model.items("nodes")
    if not scenes:
        return [(number, np.eye(4)) for number in range(len(model.items("meshes")))]
    scene = model.index(model.document.get("scene", 0), "scenes", "scene")
    placed: list[tuple[int, F64Array]] = []
    left = [(root, np.eye(4), 0) for root in _numbers(scenes[scene].get("nodes", []), f"scenes[{scene}].nodes")]
    visited: set[int] = set()
    while left:
        value, above, depth = left.pop()
        index = model.index(value, "nodes", "a list of nodes")
        if index in visited or depth > _MOST_DEPTH:
            raise broken(f"nodes[{index}]: is in several nodes, in itself or too deep")
        visited.add(index)
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = above @ _matrix(nodes[index], f"nodes[{index}]")
        if "mesh" in nodes[index]:
            placed.append((model.index(nodes[index]["mesh"], "meshes", f"nodes[{index}].mesh"), matrix))
        children = _numbers(nodes[index].get("children", []), f"nodes[{index}].children")
        left += [(child, matrix, depth + 1) for child in children]
    return placed


def _numbers(value: Any, where: str, count: int | None = None) -> list[float]:
    """Check a list of numbers and return it. count: its length, None for any."""
    good = isinstance(value, list) and count in (None, len(value))
    if not good or not all(type(number) in (int, float) and abs(number) <= sys.float_info.max for number in value):
        raise broken(f"{where}: is no list of {count or 'some'} numbers")
    result: list[float] = value
    return result


def _matrix(node: JsonView, where: str) -> F64Array:
    if "matrix" in node:
        return np.array(_numbers(node["matrix"], f"{where}.matrix", 16), np.float64).reshape(4, 4).T
    move, size = (np.array(_numbers(node.get(key, usual), f"{where}.{key}", 3), np.float64)
                  for key, usual in (("translation", [0, 0, 0]), ("scale", [1, 1, 1])))  # fmt: skip
    turn = np.array(_numbers(node.get("rotation", [0, 0, 0, 1]), f"{where}.rotation", 4), np.float64)
    x, y, z, w = turn / max(float(np.linalg.norm(turn)), 1e-30)
    result = np.eye(4)
    result[:3, :3] = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]) * size  # fmt: skip
    result[:3, 3] = move
    return result
