"""The words of materials in GPU memory: many in one buffer, each found by its base word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gstex.errors import GraphicsError
from gstex.gl.context import import_gl

__all__ = ["WordBuffer", "join_words", "word_texture"]


def join_words(materials: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """One array for all materials.

    Args:
        materials: uint32 [n] each, as `Texture.words`.

    Returns:
        (uint32 [sum of n], base word of every material)
    """
    ends = np.cumsum([0, *(len(words) for words in materials)])
    joined = np.concatenate([np.zeros(0, np.uint32), *materials]).astype(np.uint32, copy=False)
    return joined, [int(end) for end in ends[:-1]]


class WordBuffer:
    """A storage buffer with the words of one or many materials.

    materials: uint32 [n] each, as `Texture.words`.
    bases: base word of every material, the argument `base` of the shader's functions.

    Raises GraphicsError if the driver's storage buffers are smaller than that.
    """

    def __init__(self, materials: Sequence[np.ndarray], *, binding: int = 0):
        self._gl = gl = import_gl()
        joined, self.bases = join_words(materials)
        most = int(gl.glGetIntegerv(gl.GL_MAX_SHADER_STORAGE_BLOCK_SIZE))
        if joined.nbytes > most:
            raise GraphicsError(f"storage buffer: {joined.nbytes} bytes of words, this driver allows {most}; "
                                "use several buffers")  # fmt: skip
        self.binding = binding
        self.handle = gl.glGenBuffers(1)
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, self.handle)
        gl.glBufferData(gl.GL_SHADER_STORAGE_BUFFER, joined.nbytes, joined, gl.GL_STATIC_DRAW)
        self.bind()

    def bind(self) -> None:
        """Attach it to its binding, GSTEX_BINDING of the shader."""
        self._gl.glBindBufferBase(self._gl.GL_SHADER_STORAGE_BUFFER, self.binding, self.handle)

    def delete(self) -> None:
        """Free it."""
        self._gl.glDeleteBuffers(1, [self.handle])


def word_texture(words: np.ndarray, *, width: int = 2048, unit: int = 0) -> Any:
    """An R32UI texture with the words row by row, for the GLSL ES text; the last row is filled up with zeros.

    Args:
        words: uint32 [n], as `join_words` returns.
        width: GSTEX_WIDTH of the shader.
        unit: texture unit to bind it to.

    Returns:
        Its handle.
    """
    gl = import_gl()
    height = max(1, -(-len(words) // width))
    most = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
    if max(width, height) > most:
        raise GraphicsError(f"texture of words: got {width}x{height}, this driver allows {most}; use another width")
    rows = np.zeros((height, width), np.uint32)
    rows.reshape(-1)[: len(words)] = words
    handle = gl.glGenTextures(1)
    gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
    gl.glBindTexture(gl.GL_TEXTURE_2D, handle)
    for name in (gl.GL_TEXTURE_MIN_FILTER, gl.GL_TEXTURE_MAG_FILTER):  # integers cannot be filtered
        gl.glTexParameteri(gl.GL_TEXTURE_2D, name, gl.GL_NEAREST)
    gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, gl.GL_R32UI, width, height, 0, gl.GL_RED_INTEGER, gl.GL_UNSIGNED_INT, rows)
    return handle
