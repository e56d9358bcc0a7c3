"""DDS and KTX2 as sources: what OpenImageIO does not read of them, or reads as something else.

OpenImageIO reads DDS files of blocks and of 8-bit masks; this module reads the levels of the others. Every size is
checked against the file before anything is allocated (gstex/containers).
"""

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gstex.arrays import AnyArray, U8Array
from gstex.containers import DdsFile, Ktx2File, PixelFormat, mip_extent, parse_dds, parse_ktx2, write_dds
from gstex.containers.dds import HEADER_BYTES, OPAQUE, PREMULTIPLIED
from gstex.containers.formats import BY_NAME, pixels_of
from gstex.containers.ktx2 import LINEAR, MOST_HEAD, NONE, SRGB, ZSTD
from gstex.errors import ExtraError, MaterialError
from gstex.material.profile import LINEAR_LIGHT, Profile
from gstex.material.stated import Stated

__all__ = ["OWN", "read_dds_header", "read_gpu_level", "state_gpu_file"]

OWN = ("own dds", "own ktx2")  # containers of `Stated` that `read_gpu_level` reads
_ReadDds = Callable[[Path, int], np.ndarray]
_CHUNK = 1 << 20
_MOST_WINDOW = 1 << 27  # bytes of memory that a Zstandard stream may ask for
_ORIENTATIONS = {"rd": 1, "ld": 2, "lu": 3, "ru": 4}  # as of EXIF
_TRANSFERS = {0: "unspecified", 3: "ITU", 4: "SMPTE 170M", 5: "HLG", 6: "HLG", 7: "PQ", 8: "PQ"}


@dataclass(frozen=True)
class _Levels:
    """Where a file has its levels. levels: (offset, bytes in the file, bytes of the level)."""

    format: PixelFormat
    width: int
    height: int
    levels: tuple[tuple[int, int, int], ...]
    scheme: int


def read_dds_header(path: Path) -> DdsFile:
    """Read and check the header of a DDS file.

    Raises:
        MaterialError: damaged, or a kind of texture that is not read.
    """
    with open(path, "rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        return parse_dds(head, path.stat().st_size)
    except ValueError as error:
        raise MaterialError(f"{path.name}: {error}") from None


def _read_ktx2_header(path: Path) -> Ktx2File:
    with open(path, "rb") as file:
        head = file.read(MOST_HEAD)
    try:
        return parse_ktx2(head, path.stat().st_size)
    except ValueError as error:
        raise MaterialError(f"{path.name}: {error}") from None


def state_gpu_file(path: Path, format: str) -> tuple[Stated, str] | None:
    """What a file states, and the type of its pixels: 'uint8', 'uint16', 'half' or 'float'.

    Args:
        format: 'dds' or 'ktx2'.

    Returns:
        None for a DDS file that OpenImageIO is to read.

    Raises:
        MaterialError: damaged, or something that is not read.
    """
    if format == "dds":
        dds = read_dds_header(path)
        if dds.format is None or dds.format.compressed:
            return None
        alpha = dds.format.alpha
        return _stated(OWN[0], dds.format, dds.width, dds.height, dds.level_count,
                       associated=alpha and dds.alpha_mode == PREMULTIPLIED,
                       empty_alpha=alpha and dds.alpha_mode == OPAQUE)  # fmt: skip
    ktx = _read_ktx2_header(path)
    orientation = _orientation(path, ktx)
    _check_swizzle(path, ktx)
    notes = [] if orientation == 1 else [f"turned upright (KTXorientation {ktx.values['KTXorientation']})"]
    return _stated(OWN[1], ktx.format, ktx.width, ktx.height, len(ktx.levels), orientation=orientation,
                   associated=ktx.format.alpha and ktx.premultiplied, profile=_profile(ktx),
                   notes=tuple(notes))  # fmt: skip


def _stated(
    container: str, format: PixelFormat, width: int, height: int, levels: int, **more: Any
) -> tuple[Stated, str]:  # fmt: skip
    names = {"<u1": "uint8", "<u2": "uint16", "<f2": "half", "<f4": "float"}
    kind = names.get(format.dtype, "half" if format.name.startswith("bc6h") else "uint8")
    stated = Stated(container, (width, height, format.channels), levels, picked=tuple(range(format.channels)),
                    alpha=format.alpha, full=(width, height), **more)  # fmt: skip
    return stated, kind


def _orientation(path: Path, ktx: Ktx2File) -> int:
    text = ktx.values.get("KTXorientation", "rd")
    if text not in _ORIENTATIONS:
        raise MaterialError(f"{path.name}: KTXorientation {text!r:.20}; allowed are {', '.join(_ORIENTATIONS)}: "
                            "export it again with one of them")
    return _ORIENTATIONS[text]


def _check_swizzle(path: Path, ktx: Ktx2File) -> None:
    """Refuse a swizzle that moves channels. Grey in all colours, and constants for missing channels, move none."""
    text = ktx.values.get("KTXswizzle", "rgba")
    count = ktx.format.channels
    same = {1: ("r001", "rrr1", "rgba"), 2: ("rg01", "rgba"), 3: ("rgb1", "rgba"), 4: ("rgba",)}[count]
    if text not in same:
        raise MaterialError(f"{path.name}: KTXswizzle {text!r:.20}, channels that change places; allowed are "
                            f"{', '.join(same)}: swizzle the pixels and export it again")  # fmt: skip


def _profile(ktx: Ktx2File) -> Profile | None:
    """What the colours mean; None for sRGB, and linear Rec. 709 in floats."""
    floats = ktx.format.dtype[1:2] == "f" or ktx.format.name.startswith("bc6h")
    if ktx.primaries > 1:
        return Profile(f"primaries {ktx.primaries} of a KTX2 file", None, None)
    if ktx.srgb:  # whatever the descriptor says
        return None
    if ktx.transfer == LINEAR and not floats:
        return LINEAR_LIGHT
    if ktx.transfer in (0, LINEAR) or (ktx.transfer == SRGB and not floats):
        return None
    return Profile(_TRANSFERS.get(ktx.transfer, f"transfer function {ktx.transfer}") + " of a KTX2 file", None, None)


def read_gpu_level(path: Path, stated: Stated, level: int, read_dds: _ReadDds) -> AnyArray:
    """A level: [h, w, channels] uint8, uint16, float16 or float32, as stored.

    Args:
        read_dds: reads the first channels of a DDS file of blocks.

    Raises:
        MaterialError: the file has changed, or is damaged. ExtraError: a package that unpacks it is missing.
    """
    where = _levels_of(path, stated)
    if (where.width, where.height, where.format.channels) != stated.stored or level >= len(where.levels):
        raise MaterialError(f"{path.name}: the file changed while it was read; try again")
    offset, stored, size = where.levels[level]
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(stored)
    width, height = mip_extent(where.width, level), mip_extent(where.height, level)
    data = _unpack(path, data, size, where.scheme)
    if where.format.dtype:
        return pixels_of(where.format, data, width, height)
    if where.format.name.startswith("astc"):
        return _decode_astc(path, where.format, data, width, height)
    return _decode_blocks(path, where.format, data, width, height, read_dds)


def _levels_of(path: Path, stated: Stated) -> _Levels:
    if stated.container == OWN[0]:
        dds = read_dds_header(path)
        if dds.format is None:
            raise MaterialError(f"{path.name}: the file changed while it was read; try again")
        return _Levels(dds.format, dds.width, dds.height, tuple((o, n, n) for o, n in dds.levels), NONE)
    ktx = _read_ktx2_header(path)
    return _Levels(ktx.format, ktx.width, ktx.height, ktx.levels, ktx.scheme)


def _unpack(path: Path, data: bytes, size: int, scheme: int) -> bytes:
    """Supercompressed data -> the bytes of a level, never more than a chunk beyond what is expected."""
    try:
        if scheme == ZSTD:
            data = _unpack_zstd(path, data, size)
        elif scheme != NONE:
            data = zlib.decompressobj().decompress(data, size + 1)
    except (zlib.error, OverflowError):
        data = b""
    if len(data) != size:
        raise MaterialError(f"{path.name}: damaged or truncated file (a level unpacks to {len(data)} bytes, expected "
                            f"{size}); export it again")  # fmt: skip
    return data


def _unpack_zstd(path: Path, data: bytes, size: int) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise ExtraError(f"{path.name}: is packed by Zstandard, which needs the package zstandard: pip install "
                         "gstex[compare]") from None  # fmt: skip
    parts, unpacked = [], 0
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).stream_reader(data)
        while unpacked <= size and (part := reader.read(_CHUNK)):
            parts.append(part)
            unpacked += len(part)
    except zstandard.ZstdError:
        return b""
    return b"".join(parts)


def _decode_astc(path: Path, format: PixelFormat, data: bytes, width: int, height: int) -> U8Array:
    try:
        import texture2ddecoder
    except ImportError:
        raise ExtraError(f"{path.name}: ASTC needs the package texture2ddecoder: pip install gstex[compare]") from None
    bgra = np.frombuffer(texture2ddecoder.decode_astc(data, width, height, *format.block), np.uint8)
    return np.ascontiguousarray(bgra.reshape(height, width, 4)[:, :, [2, 1, 0, 3]])


def _decode_blocks(
    path: Path, format: PixelFormat, data: bytes, width: int, height: int, read_dds: _ReadDds
) -> AnyArray:
    """Decode BC1 to BC7 with the reader of DDS files."""
    as_dds = BY_NAME["bc1"] if format.name == "bc1a" else format
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        file = Path(folder) / path.name
        file.write_bytes(write_dds(as_dds, width, height, [data], srgb=False, alpha_mode=1))
        return read_dds(file, format.channels)
