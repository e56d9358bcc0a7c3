"""Encode mips of a material as BC blocks on the GPU: decode the texels, then encode with cuda/transcode/blocks.cu.

The encoders have the same source as those of the shaders, and give the same blocks for the same texels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gstex.arrays import GpuArray
from gstex.blocks import BlockMap, Rectangle, check_maps, check_rectangle, plan_maps
from gstex.cuda.decode import GpuTexture

__all__ = ["Transcoder"]

_THREADS = 64  # cuda/transcode/blocks.cu


class Transcoder:
    """Decodes mips of one material and encodes all its maps.

    texture: what to decode.
    maps: what to write; by default `gstex.blocks.plan_maps` of its channels.

    Raises UsageError for maps that `gstex.blocks.check_maps` refuses.
    """

    def __init__(self, texture: GpuTexture, maps: Sequence[BlockMap] | None = None):
        self.texture = texture
        entries = texture.table.header.channels
        self.maps = check_maps(plan_maps(entries) if maps is None else maps, texture.channels)

    def blocks(self, mip: int = 0, rectangle: Rectangle | None = None) -> dict[str, GpuArray]:
        """Decode and encode.

        Args:
            mip: as of `Texture.decode`.
            rectangle: (left, top, width, height) in texels, multiples of 4 or up to the mip's border; None: the whole
                mip, which takes a tenth of the time per texel, because its tiles are decoded together.

        Returns:
            For every map, an array of the device (CuPy), uint32 [rows, columns, 2 or 4]: the little-endian words of its
            blocks of 8 or 16 bytes; of rgba8 uint32 [height, width, 1], with R in the lowest 8 bits. Row 0 is the top.

        Raises:
            UsageError: no such mip or rectangle.
        """
        texture, device = self.texture, self.texture.device
        height, width = texture.mip_shape(mip)
        checked = check_rectangle(rectangle, height, width)
        whole = checked == (0, 0, width, height)
        values = texture.decode(mip) if whole else texture.decode_rectangle(mip, checked)
        height, width, channels = values.shape
        blocks = {}
        for a_map in self.maps:
            shape = a_map.shape(height, width)
            blocks[a_map.name] = out = device.xp.empty(shape, np.uint32)
            threads = shape[0] * shape[1]
            grid, sources = (-(-threads // _THREADS),), [np.int32(source) for source in a_map.sources]
            if a_map.format == "rgba8":
                pack = device.kernel("transcode/blocks.cu", "pack_texels")
                pack(grid, (_THREADS,), values, np.int64(threads), np.int32(channels), *sources, out)
            else:
                encode = device.kernel("transcode/blocks.cu", "encode_blocks")
                encode(grid, (_THREADS,), values, np.int32(width), np.int32(height), np.int32(channels),
                       np.int32(a_map.code), *sources, out)  # fmt: skip
        return blocks
