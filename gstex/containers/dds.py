"""DDS files of one 2D texture with mips.

"Programming Guide for DDS", learn.microsoft.com/windows/win32/direct3ddds. Files are written with the header of DirectX
10, which names the format by its DXGI number and says whether colours are sRGB and what the alpha is. All numbers are
little-endian. Levels are stored from the largest to the smallest, without padding.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gstex.containers.formats import BY_DXGI, PixelFormat, mip_count_of, mip_extent
from gstex.limits import MAX_SIZE

__all__ = ["DdsFile", "made_by", "parse_dds", "write_dds"]

_HEADER = struct.Struct("<4s7I44s2I4s5I5I")  # magic and DDS_HEADER with its DDS_PIXELFORMAT
_DX10 = struct.Struct("<5I")
HEADER_BYTES = _HEADER.size + _DX10.size
_FLAGS = 0x1 | 0x2 | 0x4 | 0x1000 | 0x80000  # DDSD_CAPS, HEIGHT, WIDTH, PIXELFORMAT, LINEARSIZE
_MIP_COUNT = 0x20000  # DDSD_MIPMAPCOUNT
_FOURCC, _LUMINANCE, _RGB = 0x4, 0x20000, 0x40  # DDPF_*
_COMPLEX, _TEXTURE, _MIPMAP = 0x8, 0x1000, 0x400000  # DDSCAPS_*
_CUBE, _VOLUME = 0x200, 0x200000  # DDSCAPS2_*
_TEXTURE_2D = 3  # D3D10_RESOURCE_DIMENSION_TEXTURE2D
STRAIGHT, PREMULTIPLIED, OPAQUE = 1, 2, 3  # DDS_ALPHA_MODE_*
_TAG = b"GSTX"  # in dwReserved1, where writers leave their names; the tag follows it
# FourCC of old writers, or the D3DFORMAT code that they write in its place -> DXGI format.
_LEGACY = {
    b"DXT1": 71, b"DXT2": 74, b"DXT3": 74, b"DXT4": 77, b"DXT5": 77, b"ATI1": 80, b"BC4U": 80, b"ATI2": 83, b"BC5U": 83,
    **{bytes([code, 0, 0, 0]): dxgi for code, dxgi in (
        (36, 11), (111, 54), (112, 34), (113, 10), (114, 41), (115, 16), (116, 2),
    )},
}  # fmt: skip


@dataclass(frozen=True)
class DdsFile:
    """The contents of a header.

    format: None if it is not in `formats.py`. levels: (offset, bytes) of each in the file; () without a format.
    level_count: number of levels that the header states. alpha_mode: 0 if it is not stated.
    """

    format: PixelFormat | None
    srgb: bool
    width: int
    height: int
    levels: tuple[tuple[int, int], ...]
    level_count: int
    alpha_mode: int


def write_dds(
    format: PixelFormat, width: int, height: int, levels: Sequence[bytes], *, srgb: bool, alpha_mode: int, tag: int = 0
) -> bytes:
    """The bytes of a DDS file.

    Args:
        format: a block format. levels: data of each, largest first.
        srgb: the values are sRGB-encoded, for formats that have such a variant.
        alpha_mode: STRAIGHT, PREMULTIPLIED, OPAQUE or another DDS_ALPHA_MODE_* number.
        tag: a 32-bit number that identifies what the file was made from, see `made_by`.
    """
    dxgi = format.dxgi[srgb]
    assert dxgi, f"{format.name} has no DXGI format"
    for level, data in enumerate(levels):
        assert len(data) == format.level_bytes(mip_extent(width, level), mip_extent(height, level))
    mips = len(levels) > 1
    flags = _FLAGS | (_MIP_COUNT if mips else 0)
    caps = _TEXTURE | (_COMPLEX | _MIPMAP if mips else 0)
    reserved = struct.pack("<4sI36x", _TAG, tag)
    head = _HEADER.pack(b"DDS ", 124, flags, height, width, len(levels[0]), 0, len(levels), reserved, 32, _FOURCC,
                        b"DX10", 0, 0, 0, 0, 0, caps, 0, 0, 0, 0)  # fmt: skip
    return b"".join([head, _DX10.pack(dxgi, _TEXTURE_2D, 0, 1, alpha_mode), *levels])


def made_by(head: bytes) -> int | None:
    """The tag of a file that `write_dds` has written, from its first 40 bytes; None for any other file."""
    if not head.startswith(b"DDS ") or head[32:36] != _TAG or len(head) < 40:
        return None
    return int(struct.unpack_from("<I", head, 36)[0])


def parse_dds(head: bytes, file_bytes: int) -> DdsFile:
    """Read a header, and check it against the size of the file.

    Args:
        head: the first HEADER_BYTES of the file, or all of a smaller one.

    Raises:
        ValueError: damaged, or not a plain 2D texture. The text continues a sentence that begins with the file name.
    """
    if len(head) < _HEADER.size:
        raise ValueError("damaged or truncated dds file (no header); export it again")
    _, _, _, height, width, _, _, count, _, _, flags, code, bits, *rest = _HEADER.unpack_from(head)
    masks, (_, caps, _, _, _) = rest[:4], rest[4:]
    extended = bool(flags & _FOURCC) and code == b"DX10"
    slices, alpha_mode, dxgi, start = 1, 0, 0, _HEADER.size
    if extended:
        if len(head) < HEADER_BYTES:
            raise ValueError("damaged or truncated dds file (no header of DirectX 10); export it again")
        dxgi, dimension, misc, slices, alpha = _DX10.unpack_from(head, start)
        caps |= (_CUBE if misc & 4 else 0) | (_VOLUME if dimension == 4 else 0)
        alpha_mode, start = alpha & 7, HEADER_BYTES
    elif flags & _FOURCC:
        dxgi = _LEGACY.get(code, 0)
    elif flags & _LUMINANCE and bits == 16 and masks[0] == 0xFFFF:
        dxgi = 56
    elif flags & _RGB and bits == 32 and masks[:3] == [0xFFFF, 0xFFFF0000, 0]:
        dxgi = 35
    if extended and dxgi not in BY_DXGI:
        raise ValueError(f"DXGI format {dxgi}; allowed are BC1 to BC7 and uncompressed channels of 8 or 16 bits, half "
                         "floats or floats: export it as one of them, or as 16-bit PNG")  # fmt: skip
    if caps & (_CUBE | _VOLUME) or slices > 1:
        kind = "a cube map" if caps & _CUBE else "a volume" if caps & _VOLUME else f"an array of {slices}"
        raise ValueError(f"{kind}; allowed are plain 2D textures: export its pictures one by one")
    if not flags & _FOURCC and not dxgi:
        for mask in (*masks, 0):
            wide = bin(mask).count("1")
            if wide > 8 or mask >= 1 << min(bits, 32):
                raise ValueError(f"uncompressed channels of {wide} bits in pixels of {bits}; allowed are up to 8 bits "
                                 "a channel, and 16 of one or two: export it as 16-bit PNG or TIFF")  # fmt: skip
    if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
        raise ValueError(f"size {width}x{height}; allowed are 1..{MAX_SIZE} along each axis: resize it")
    count = max(1, min(count, mip_count_of(width, height)))
    if dxgi not in BY_DXGI:
        end = start + (0 if flags & _FOURCC else width * height * min(bits, 32) // 8)
        if end > file_bytes:
            raise ValueError(f"damaged or truncated dds file (its pixels end at byte {end} or later, the file at "
                             f"{file_bytes}); export it again")  # fmt: skip
        return DdsFile(None, False, width, height, (), count, alpha_mode)
    format, srgb = BY_DXGI[dxgi]
    levels, place = [], start
    for level in range(count):
        size = format.level_bytes(mip_extent(width, level), mip_extent(height, level))
        if place + size > file_bytes:
            raise ValueError(f"damaged or truncated dds file (level {level} ends at byte {place + size}, the file at "
                             f"{file_bytes}); export it again")  # fmt: skip
        levels.append((place, size))
        place += size
    return DdsFile(format, bool(srgb), width, height, tuple(levels), count, alpha_mode)
