"""Pixel formats of GPUs: the bytes of a block, and the numbers of the format in DXGI and Vulkan."""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import AnyArray

__all__ = ["BY_DXGI", "BY_NAME", "BY_VULKAN", "PixelFormat", "mip_count_of", "mip_extent", "pixels_of"]


@dataclass(frozen=True)
class PixelFormat:
    """One format.

    name: 'bc7', 'astc-6x6', 'rgba8', 'rg16f'. block: texels across and down, (1, 1) of uncompressed ones.
    block_bytes: bytes of a block. channels: how many it stores. alpha: whether the last one is an alpha.
    dtype: NumPy's type of a channel of an uncompressed format, little-endian; '' for blocks.
    bgr: red and blue are swapped.
    dxgi, vulkan: (number, number of the sRGB variant); 0 where there is none.
    """

    name: str
    block: tuple[int, int]
    block_bytes: int
    channels: int
    alpha: bool
    dtype: str
    bgr: bool
    dxgi: tuple[int, int]
    vulkan: tuple[int, int]

    @property
    def compressed(self) -> bool:
        """Whether it stores blocks."""
        return not self.dtype

    def level_bytes(self, width: int, height: int) -> int:
        """Bytes of a level; blocks over its edges are whole ones."""
        return -(-width // self.block[0]) * -(-height // self.block[1]) * self.block_bytes


def _plain(name: str, dtype: str, dxgi: tuple[int, int], vulkan: tuple[int, int], *, bgr: bool = False) -> PixelFormat:
    channels = len(name.rstrip("0123456789f").replace("x", "a"))
    size = channels * np.dtype(dtype).itemsize
    used = channels - ("x" in name)
    return PixelFormat(name, (1, 1), size, used, used == 4, dtype, bgr, dxgi, vulkan)


def _block(
    name: str, block_bytes: int, channels: int, dxgi: tuple[int, int], vulkan: tuple[int, int], *, alpha: bool = False,
    block: tuple[int, int] = (4, 4),
) -> PixelFormat:  # fmt: skip
    return PixelFormat(name, block, block_bytes, channels, alpha, "", False, dxgi, vulkan)


_ASTC = ((4, 4), (5, 4), (5, 5), (6, 5), (6, 6), (8, 5), (8, 6), (8, 8), (10, 5), (10, 6), (10, 8), (10, 10), (12, 10),
         (12, 12))  # fmt: skip
_VK_ASTC_4X4 = 157  # the others follow in the order of _ASTC, with UNORM and sRGB alternating

_FORMATS = (
    _block("bc1", 8, 3, (71, 72), (131, 132)),
    _block("bc1a", 8, 4, (0, 0), (133, 134), alpha=True),
    _block("bc2", 16, 4, (74, 75), (135, 136), alpha=True),
    _block("bc3", 16, 4, (77, 78), (137, 138), alpha=True),
    _block("bc4", 8, 1, (80, 0), (139, 0)),
    _block("bc5", 16, 2, (83, 0), (141, 0)),
    _block("bc6h", 16, 3, (95, 0), (143, 0)),
    _block("bc6h-signed", 16, 3, (96, 0), (144, 0)),
    _block("bc7", 16, 4, (98, 99), (145, 146), alpha=True),
    *(_block(f"astc-{w}x{h}", 16, 4, (0, 0), (_VK_ASTC_4X4 + 2 * i, _VK_ASTC_4X4 + 2 * i + 1), alpha=True, block=(w, h))
      for i, (w, h) in enumerate(_ASTC)),
    _plain("r8", "<u1", (61, 0), (9, 15)),
    _plain("rg8", "<u1", (49, 0), (16, 22)),
    _plain("rgb8", "<u1", (0, 0), (23, 29)),
    _plain("bgr8", "<u1", (0, 0), (30, 36), bgr=True),
    _plain("rgba8", "<u1", (28, 29), (37, 43)),
    _plain("bgra8", "<u1", (87, 91), (44, 50), bgr=True),
    _plain("bgrx8", "<u1", (88, 93), (0, 0), bgr=True),
    _plain("r16", "<u2", (56, 0), (70, 0)),
    _plain("rg16", "<u2", (35, 0), (77, 0)),
    _plain("rgb16", "<u2", (0, 0), (84, 0)),
    _plain("rgba16", "<u2", (11, 0), (91, 0)),
    _plain("r16f", "<f2", (54, 0), (76, 0)),
    _plain("rg16f", "<f2", (34, 0), (83, 0)),
    _plain("rgb16f", "<f2", (0, 0), (90, 0)),
    _plain("rgba16f", "<f2", (10, 0), (97, 0)),
    _plain("r32f", "<f4", (41, 0), (100, 0)),
    _plain("rg32f", "<f4", (16, 0), (103, 0)),
    _plain("rgb32f", "<f4", (6, 0), (106, 0)),
    _plain("rgba32f", "<f4", (2, 0), (109, 0)),
)  # fmt: skip

BY_NAME = {f.name: f for f in _FORMATS}
# number -> (format, whether the values are sRGB-encoded)
BY_DXGI = {number: (f, srgb) for f in _FORMATS for srgb, number in enumerate(f.dxgi) if number}
BY_VULKAN = {number: (f, srgb) for f in _FORMATS for srgb, number in enumerate(f.vulkan) if number}


def mip_extent(size: int, level: int) -> int:
    """Texels of a level along an axis with `size` texels at level 0."""
    return max(1, size >> level)


def mip_count_of(width: int, height: int) -> int:
    """The number of levels down to one texel."""
    return max(width, height).bit_length()


def pixels_of(format: PixelFormat, data: bytes, width: int, height: int) -> AnyArray:
    """Pixels of an uncompressed level: uint8, uint16, float16 or float32 [height, width, channels], red first."""
    stored = format.block_bytes // np.dtype(format.dtype).itemsize
    pixels = np.frombuffer(data, format.dtype).reshape(height, width, stored)
    order = (2, 1, 0, 3) if format.bgr else (0, 1, 2, 3)
    return np.ascontiguousarray(pixels[:, :, list(order[: format.channels])])
