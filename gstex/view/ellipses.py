"""The Gaussians of a mip as instances of a quad, for shaders/view/ellipse.vert."""

import ctypes

import numpy as np

from gstex.arrays import F32Array
from gstex.gl.context import import_gl
from gstex.view.gaussians import MipGaussians
from gstex.view.inspect import explain_texel
from gstex.view.maps import ShownMap, shown

__all__ = ["Ellipses", "instances"]


def instances(
    mip: MipGaussians, shown_map: ShownMap, level: int | None, size: tuple[int, int],
    strongest: frozenset[int] = frozenset(),
) -> F32Array:  # fmt: skip
    """float32 [n, 12] for the Gaussians of one level, or of all levels for None, large ones first.

    size: of mip 0 in texels. strongest: numbers of Gaussians to highlight. A row: centre x, y and half axes at one
    sigma, in texels of mip 0; cos, sin, level, 1 if highlighted; colour of the map, weight at the centre.
    """
    pick = np.arange(mip.count) if level is None else np.flatnonzero(mip.level == level)
    pick = pick[np.argsort(-mip.sigma[pick].max(axis=1), kind="stable")] if len(pick) else pick
    scale = np.array(size) / (mip.width, mip.height)
    rows = np.zeros((len(pick), 12), np.float32)
    rows[:, 0:2] = mip.center[pick] * scale
    rows[:, 2:4] = mip.sigma[pick] * scale.mean()
    rows[:, 4:6] = mip.direction[pick]
    rows[:, 6] = mip.level[pick]
    rows[:, 7] = np.isin(pick, list(strongest))
    rows[:, 8:11] = shown(mip.features[pick], shown_map)
    rows[:, 11] = np.exp(mip.amplitude[pick])
    return rows


class Ellipses:
    """The buffer of instances. It is filled again when the shown Gaussians change."""

    def __init__(self) -> None:
        self._gl = gl = import_gl()
        self._array = gl.glGenVertexArrays(1)
        self._buffer = gl.glGenBuffers(1)
        self._key: tuple[object, ...] | None = None
        self._count = 0
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        for place in range(3):
            gl.glEnableVertexAttribArray(place)
            gl.glVertexAttribPointer(place, 4, gl.GL_FLOAT, gl.GL_FALSE, 48, ctypes.c_void_p(16 * place))
            gl.glVertexAttribDivisor(place, 1)
        gl.glBindVertexArray(0)

    def update(
        self, mip: MipGaussians, shown_map: ShownMap, level: int | None, texel: tuple[int, int] | None,
        size: tuple[int, int],
    ) -> None:  # fmt: skip
        """Fill the buffer with the Gaussians of a level, or of all. The strongest at an inspected texel stand out."""
        key = (id(mip), shown_map, level, texel)
        if key == self._key:
            return
        self._key = key
        strongest: frozenset[int] = frozenset()
        if texel is not None and mip.count:
            strongest = frozenset(part.gaussian for part in explain_texel(mip, *texel).strongest)
        rows = instances(mip, shown_map, level, size, strongest)
        self._count = len(rows)
        gl = self._gl
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, rows.nbytes, rows, gl.GL_DYNAMIC_DRAW)

    def draw(self) -> None:
        """Draw the ellipses with the current program."""
        gl = self._gl
        gl.glBindVertexArray(self._array)
        if self._count:
            gl.glDrawArraysInstanced(gl.GL_TRIANGLE_STRIP, 0, 4, self._count)
        gl.glBindVertexArray(0)

    def delete(self) -> None:
        """Free the buffer."""
        self._gl.glDeleteBuffers(1, [self._buffer])
        self._gl.glDeleteVertexArrays(1, [self._array])
