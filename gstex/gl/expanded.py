"""The expanded form of a material (docs/expanded.md). shaders/expand.comp makes its lists in the current context.

The C library does the rest, which takes a hundredth of the time, and writes the words.
"""

from __future__ import annotations

import numpy as np

from gstex.arrays import I32Array, U8Array, U32Array
from gstex.decode import expanded_words
from gstex.errors import GraphicsError
from gstex.format.upload import uploaded_words
from gstex.gl.context import current_context, import_gl
from gstex.gl.program import compute_program
from gstex.native import _core
from gstex.texture import Texture

__all__ = ["expand"]

_LISTS = 1 << 12  # lists per call, read back together
_GROUPS = 256  # workgroups per dispatch
_SEEN, _CANDIDATE_WORDS, _POINTS = 512, 27, 64  # of shaders/expand.comp
_TILES_BYTES = 3168  # size of the tile data that the shader expects
_WORDS, _TILES, _PLACES, _RECORDS, _CANDIDATES, _WEIGHTS, _SIZES, _LISTS_BINDING = range(8)


def expand(texture: Texture) -> U32Array:
    """The expanded form, uint32 [n]: as accurate as that of `Texture.expanded`, but not always with the same lists.

    Raises:
        LimitError: as of `Texture.expanded`. GraphicsError: the context is OpenGL ES, or its buffers are too small.
    """
    lists = _Lists(texture)
    try:
        return expanded_words(texture.table, lists.make, _LISTS)
    finally:
        lists.delete()


class _Lists:
    """Makes the lists of tiles of one material."""

    def __init__(self, texture: Texture):
        self._gl = import_gl()
        if current_context().api == "es":
            raise GraphicsError("expanding: found OpenGL ES, expected OpenGL 4.3; make a context of desktop OpenGL")
        grids = 1 if texture.table.header.bilinear else 2
        self._program = compute_program("expand.comp", {"GSTEX_GRIDS": grids})
        self._most = int(self._gl.glGetIntegerv(self._gl.GL_MAX_SHADER_STORAGE_BLOCK_SIZE))
        self._buffers = [int(handle) for handle in self._gl.glGenBuffers(8)]
        self._fill(_WORDS, uploaded_words(texture.table))
        self._fill(_CANDIDATES, 4 * _GROUPS * _SEEN * _CANDIDATE_WORDS)
        self._fill(_WEIGHTS, 4 * _GROUPS * _SEEN * _POINTS * grids)

    def make(
        self, tiles: bytes, places: bytes, records: bytes, first: int, count: int
    ) -> tuple[I32Array, U8Array] | None:
        """Make lists, as a `ListMaker` of gstex.decode."""
        gl = self._gl
        if len(tiles) != _TILES_BYTES:
            raise GraphicsError(f"expanding: the core gives {len(tiles)} bytes of tiles, shaders/expand.comp reads "
                                f"{_TILES_BYTES}; use Texture.expanded")  # fmt: skip
        for binding, data in (_TILES, tiles), (_PLACES, places), (_RECORDS, records):
            self._fill(binding, np.frombuffer(data, np.uint32))
        self._fill(_SIZES, 4 * count)
        self._fill(_LISTS_BINDING, _core.LIST_BYTES * count)
        for binding, handle in enumerate(self._buffers):
            gl.glBindBufferBase(gl.GL_SHADER_STORAGE_BUFFER, binding, handle)
        for at in range(0, count, _GROUPS):
            self._program.set(first_tile=first + at, first_list=at)
            gl.glDispatchCompute(min(_GROUPS, count - at), 1, 1)
            gl.glMemoryBarrier(gl.GL_ALL_BARRIER_BITS)
        sizes = self._read(_SIZES, 4 * count).view(np.int32)
        if (sizes < 0).any():
            return None
        return sizes, self._read(_LISTS_BINDING, _core.LIST_BYTES * count).reshape(count, _core.LIST_BYTES)

    def delete(self) -> None:
        """Free the buffers and the program."""
        self._gl.glDeleteBuffers(len(self._buffers), self._buffers)
        self._program.delete()

    def _fill(self, binding: int, data: U32Array | int) -> None:
        """Fill a buffer with these words, or allocate this many bytes."""
        gl = self._gl
        size = max(data if isinstance(data, int) else data.nbytes, 4)
        if size > self._most:
            raise GraphicsError(f"storage buffer: {size} bytes to expand a material, this driver allows {self._most}; "
                                "use Texture.expanded")  # fmt: skip
        content = None if isinstance(data, int) or not data.nbytes else data
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, self._buffers[binding])
        gl.glBufferData(gl.GL_SHADER_STORAGE_BUFFER, size, content, gl.GL_DYNAMIC_COPY)

    def _read(self, binding: int, size: int) -> U8Array:
        gl = self._gl
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, self._buffers[binding])
        return np.frombuffer(gl.glGetBufferSubData(gl.GL_SHADER_STORAGE_BUFFER, 0, size), np.uint8).copy()
