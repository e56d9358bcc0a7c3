"""The triangle mesh for a state of the lit view: the user's own mesh, or a shape, displaced by height."""

import math
from functools import lru_cache

import numpy as np

from gstex.arrays import F32Array, I64Array
from gstex.gltf.mesh import Mesh
from gstex.view.document import Document
from gstex.view.meshes import displace, divide, make_shape, weld
from gstex.view.state import Lit

__all__ = ["Relief"]


class Relief:
    """Makes the meshes of a document. own: the user's mesh, for the shape 'mesh'.

    height: the height channel; None without one, and then nothing is displaced.
    """

    def __init__(self, document: Document) -> None:
        self._texture = document.texture
        self.height = document.height
        self.own: Mesh | None = None
        self._new_normals = not any(row["role"] == "normal" for row in document.roles)
        self._shape = lru_cache(1)(self._divided)
        self._heights = lru_cache(1)(self._read_heights)

    def key(self, lit: Lit, rounding: float, tiles: tuple[float, float]) -> tuple[object, ...] | None:
        """What the mesh depends on; None if the shader draws the shape by ray casting, without a mesh."""
        displaced = lit.displace if self.height is not None else 0.0
        own_mesh = self.own if lit.shape == "mesh" else None
        if own_mesh is None and not displaced:
            return None
        return lit.shape, own_mesh, rounding, displaced, tiles if displaced else None

    def mesh(self, lit: Lit, rounding: float, tiles: tuple[float, float]) -> Mesh:
        """The mesh of a state whose key is not None."""
        own_mesh = self.own if lit.shape == "mesh" else None
        if self.height is None or not lit.displace:
            assert own_mesh is not None
            return own_mesh
        shape = lit.shape if lit.shape != "mesh" else "sphere"
        mesh, groups = self._shape(shape, own_mesh, rounding)
        heights = self._heights(shape, own_mesh, rounding, tiles)
        return displace(mesh, groups, heights, lit.displace, new_normals=self._new_normals)

    def _divided(self, shape: str, own_mesh: Mesh | None, rounding: float) -> tuple[Mesh, I64Array]:
        aspect = self._texture.height / self._texture.width
        mesh = make_shape(shape, aspect, rounding) if own_mesh is None else divide(own_mesh)
        return mesh, weld(mesh)

    def _read_heights(self, shape: str, own_mesh: Mesh | None, rounding: float, tiles: tuple[float, float]) -> F32Array:
        """float32 [n]: heights at the vertices, from the mip whose texels are about as far apart as the vertices."""
        mesh, _ = self._shape(shape, own_mesh, rounding)
        texture = self._texture
        uv = mesh.uv * np.array(tiles, np.float32)
        steps = (uv[mesh.triangles[:, 0]] - uv[mesh.triangles[:, 1]]) * (texture.width, texture.height)
        apart = float(np.median(np.abs(steps).max(axis=1)))
        if texture.wrap != "repeat":
            uv = uv - np.floor(uv - 1e-6 * (uv > 0))  # a coordinate of exactly 1 stays 1
        values: F32Array = texture.sample(np.clip(uv, -1e6, 1e6), math.log2(max(apart, 1.0)))
        return values[:, self.height]
