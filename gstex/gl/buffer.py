"""The words of materials in GPU memory: many materials in one buffer, each at its base word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gstex.arrays import U32Array
from gstex.errors import GraphicsError
from gstex.gl.context import import_gl

__all__ = ["WordBuffer", "join_words"]


def join_words(materials: Sequence[U32Array]) -> tuple[U32Array, list[int]]:
    """Join the words of materials into one array.

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

    Raises GraphicsError if the words exceed the driver's limit for storage buffers.
    """

    def __init__(self, materials: Sequence[U32Array], *, binding: int = 0):
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
        """Bind the buffer to its binding point, GSTEX_BINDING of the shader."""
        self._gl.glBindBufferBase(self._gl.GL_SHADER_STORAGE_BUFFER, self.binding, self.handle)

    def delete(self) -> None:
        """Free the buffer."""
        self._gl.glDeleteBuffers(1, [self.handle])
