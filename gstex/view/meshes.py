"""Triangle meshes for the lit view: the shapes, finely divided, and displacement by height."""

import math
from dataclasses import replace

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I64Array
from gstex.gltf.mesh import Mesh, join_meshes, smooth_normals

__all__ = ["MIDDLE", "displace", "divide", "make_shape", "weld"]

MIDDLE = 0.5  # the height that is not displaced
CUBE = 0.62  # half a side, as in shaders/view/lit.frag
_ROWS = 224  # rows of the grid of a sphere or plane; a side of a cube has half as many
_ENOUGH = 100_000  # triangles of a mesh that is fine enough


def make_shape(shape: str, aspect: float, rounding: float) -> Mesh:
    """A shape of the lit view, with the texture coordinates of one copy, as shaders/view/lit.frag has it.

    aspect: height of the texture over its width. rounding: radius of the edges of a cube.
    """
    if shape == "plane":
        x, y, triangles = _grid(_ROWS, _ROWS)
        point = np.stack([2 * x - 1, (1 - 2 * y) * aspect, np.zeros_like(x)], axis=1)
        return _mesh(point, np.broadcast_to((0.0, 0.0, 1.0), point.shape), np.stack([x, y], axis=1), triangles)
    if shape == "sphere":
        x, y, triangles = _grid(2 * _ROWS, _ROWS)
        yaw, pitch = 2 * math.pi * (x - 0.5), math.pi * (0.5 - y)
        point = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
        return _mesh(point, point, np.stack([2 * x - 0.5, y], axis=1), triangles)
    x, y, triangles = _grid(_ROWS // 2, _ROWS // 2)
    sides: list[Mesh] = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            out = np.eye(3)[axis] * sign
            along = np.array([(0.0, 0.0, -sign), (1.0, 0.0, 0.0), (sign, 0.0, 0.0)][axis])
            upward = np.array([(0.0, 1.0, 0.0), (0.0, 0.0, -sign), (0.0, 1.0, 0.0)][axis])
            flat = CUBE * (out + (2 * x - 1)[:, None] * along + (1 - 2 * y)[:, None] * upward)
            core = np.clip(flat, rounding - CUBE, CUBE - rounding)
            normal = flat - core
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            point = core + rounding * normal
            uv = 0.5 + 0.5 / CUBE * np.stack([point @ along, -(point @ upward)], axis=1)
            sides.append(_mesh(point, normal, uv, triangles))
    return join_meshes(sides)


def divide(mesh: Mesh) -> Mesh:
    """The same surface with more triangles: each becomes four until the mesh is fine enough for displacement."""
    while len(mesh.triangles) < _ENOUGH / 2:
        count, corners = len(mesh.positions), mesh.triangles
        ends = np.sort(np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
        edges, numbers = np.unique(ends[:, 0] * count + ends[:, 1], return_inverse=True)
        a, b = edges // count, edges % count
        between = count + numbers.reshape(-1, 3)
        normals = mesh.normals[a] + mesh.normals[b]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        mesh = Mesh(
            np.concatenate([mesh.positions, (mesh.positions[a] + mesh.positions[b]) / 2]),
            np.concatenate([mesh.normals, normals]), np.concatenate([mesh.uv, (mesh.uv[a] + mesh.uv[b]) / 2]),
            np.concatenate([between, *(np.stack([corners[:, k], between[:, k], between[:, k - 1]], axis=1)
                                       for k in range(3))]),
        )  # fmt: skip
    return mesh


def weld(mesh: Mesh) -> I64Array:
    """int64 [n]: a number per position, so that vertices at the same position have the same number."""
    places = np.rint(mesh.positions.astype(np.float64) * 2e5).astype(np.int64) + (1 << 20)
    keys = (places[:, 0] << 42) | (places[:, 1] << 21) | places[:, 2]
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


def displace(mesh: Mesh, groups: I64Array, heights: F32Array, amount: float, *, new_normals: bool) -> Mesh:
    """Move the vertices along their normals. The height MIDDLE stays, and vertices at one position stay together.

    groups: [n], of `weld`. heights: float32 [n] in 0..1. amount: the distance between heights 0 and 1.
    new_normals: whether normals are computed from the new surface, for a material without a normal map; a normal map
    has the slopes already.
    """
    counts = np.bincount(groups)
    mean = np.divide(np.bincount(groups, heights), counts)
    out = np.stack([np.bincount(groups, mesh.normals[:, axis]) for axis in range(3)], axis=1)
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    positions = mesh.positions + (amount * (mean - MIDDLE))[groups, None] * out[groups]
    positions = positions.astype(np.float32)
    if not new_normals:
        return replace(mesh, positions=positions)
    normals = smooth_normals(positions, mesh.triangles, groups)
    facing = (normals * mesh.normals).sum(axis=1, keepdims=True)  # for either winding, keep the side of the old normals
    return replace(mesh, positions=positions, normals=np.where(facing < 0, -normals, normals))


def _grid(columns: int, rows: int) -> tuple[F64Array, F64Array, I64Array]:
    """(x [n], y [n] in 0..1, triangles), y down."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1)))
    at = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    below = at + columns + 1
    return x, y, np.concatenate([np.stack([at, below, at + 1], axis=1), np.stack([at + 1, below, below + 1], axis=1)])


def _mesh(point: FloatArray, normal: FloatArray, uv: FloatArray, triangles: I64Array) -> Mesh:
    positions, normals, uv = (np.ascontiguousarray(a, np.float32) for a in (point, normal, uv))
    return Mesh(positions, normals, uv, triangles)
