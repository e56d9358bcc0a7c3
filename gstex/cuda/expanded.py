"""The expanded form of a material (docs/expanded.md). cuda/expand/lists.cu makes its lists on a GPU.

The C library does the rest, which takes a hundredth of the time, and writes the words.
"""

from __future__ import annotations

import numpy as np

from gstex.arrays import GpuArray, I32Array, U8Array, U32Array
from gstex.cuda.decode import GpuTexture
from gstex.decode import expanded_words
from gstex.errors import DeviceError
from gstex.native import _core

__all__ = ["expand"]

_LISTS = 1 << 14  # lists per launch
_BLOCKS = 512  # at most this many run at once, because each needs a third of a megabyte of memory
_POINTS = 64  # points of a grid, one per thread: cuda/expand/lists.cu


def expand(texture: GpuTexture) -> U32Array:
    """The expanded form, as from `Texture.expanded`: uint32 [n] on the host, ready for upload.

    Raises:
        LimitError: as of `Texture.expanded`. DeviceError: the GPU does not work.
    """
    return expanded_words(texture.table, _Lists(texture).make, _LISTS)


class _Lists:
    """Makes the lists of tiles of one material."""

    def __init__(self, texture: GpuTexture):
        self._device, self._words = texture.device, texture.words
        self._threads = _POINTS if texture.table.header.bilinear else 2 * _POINTS
        self._kernel = self._device.kernel("expand/lists.cu", "make_lists")
        self._memory: GpuArray = self._device.xp.empty(0, np.uint8)

    def make(
        self, tiles: bytes, places: bytes, records: bytes, first: int, count: int
    ) -> tuple[I32Array, U8Array] | None:
        """Make lists, as a `ListMaker` of gstex.decode."""
        device, xp = self._device, self._device.xp
        blocks = min(count, _BLOCKS)
        if self._memory.size < blocks * _core.LIST_MEMORY_BYTES:
            self._memory = xp.empty(blocks * _core.LIST_MEMORY_BYTES, np.uint8)
        sizes, lists = xp.empty(count, np.int32), xp.empty((count, _core.LIST_BYTES), np.uint8)
        failed = xp.zeros(1, np.int32)
        of, by_gaussian, by_place = (xp.asarray(np.frombuffer(data, np.uint32)) for data in (tiles, places, records))
        self._kernel((blocks,), (self._threads,), of, np.int32(len(tiles)), self._words, by_gaussian, by_place,
                     self._memory, np.int32(first), np.int32(count), sizes, lists, failed)  # fmt: skip
        failure = int(device.to_host(failed)[0])
        if failure == 2:
            raise DeviceError("CUDA: the kernel of the expanded form does not fit the compiled core of gstex; "
                              "build gstex anew")  # fmt: skip
        return None if failure else (device.to_host(sizes), device.to_host(lists))
