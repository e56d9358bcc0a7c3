"""What the header of a DDS file states, and what of it OpenImageIO would read as something else."""

import struct
from dataclasses import dataclass
from pathlib import Path

from gstex.errors import MaterialError

__all__ = ["DdsHeader", "read_header"]

_FOURCC, _CUBE, _VOLUME = 0x4, 0x200, 0x200000
_DX10_BYTES = 20
_PREMULTIPLIED = 2


@dataclass(frozen=True)
class DdsHeader:
    """levels: that the file holds, 1 or more. premultiplied: colours are multiplied by alpha, and read like that."""

    levels: int
    premultiplied: bool


def read_header(path: Path) -> DdsHeader:
    """Read and check a header.

    Raises:
        MaterialError: a cube map, a volume, an array, or uncompressed channels that do not have 8 bits.
    """
    with open(path, "rb") as file:
        data = file.read(128 + _DX10_BYTES)
    if len(data) < 128:
        raise MaterialError(f"{path.name}: damaged or truncated dds file (no header); export it again")
    (levels,) = struct.unpack_from("<I", data, 28)
    flags, code, bits, *masks = struct.unpack_from("<I4s5I", data, 80)
    (caps,) = struct.unpack_from("<I", data, 112)
    extended = bool(flags & _FOURCC) and code == b"DX10" and len(data) == 128 + _DX10_BYTES
    slices, premultiplied = 1, False
    if extended:
        _, _, misc, slices, alpha = struct.unpack_from("<5I", data, 128)
        caps |= _CUBE if misc & 4 else 0
        premultiplied = alpha & 7 == _PREMULTIPLIED
    if caps & (_CUBE | _VOLUME) or slices > 1:
        kind = "a cube map" if caps & _CUBE else "a volume" if caps & _VOLUME else f"an array of {slices}"
        raise MaterialError(f"{path.name}: {kind}; allowed are plain 2D textures: export its pictures one by one")
    if not flags & _FOURCC:
        for mask in masks:
            width = bin(mask).count("1")
            if width > 8 or mask >= 1 << min(bits, 32):
                raise MaterialError(f"{path.name}: uncompressed channels of {width} bits in pixels of {bits}; "
                                    "allowed are up to 8 bits a channel: export it as 16-bit PNG or TIFF")  # fmt: skip
    return DdsHeader(max(1, min(levels, 15)), premultiplied)
