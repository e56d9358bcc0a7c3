"""KTX2 files of one 2D texture with mips.

KTX File Format Specification 2.0 (registry.khronos.org/KTX/specs/2.0/ktxspec.v2.html) and, for the descriptor of the
format, Khronos Data Format Specification 1.3 (DFD). All numbers are little-endian. The data of the levels is stored
from the smallest to the largest.
"""

import contextlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from gstex.containers.formats import BY_VULKAN, PixelFormat, mip_count_of, mip_extent
from gstex.limits import MAX_SIZE

__all__ = ["IDENTIFIER", "Ktx2File", "parse_ktx2", "write_ktx2"]

IDENTIFIER = b"\xabKTX 20\xbb\r\n\x1a\n"
_HEADER = struct.Struct("<12s9I4I2Q")  # identifier, header, places of the DFD, the key/value data and the global data
_LEVEL = struct.Struct("<3Q")
HEADER_BYTES = _HEADER.size
MOST_HEAD = 1 << 16  # most bytes that header, level index, DFD and key/value data may take
# Supercompression schemes.
NONE, BASIS_LZ, ZSTD, ZLIB = range(4)
# Numbers of the Data Format Specification: colour models, primaries, transfer functions, flags.
_MODELS = {"bc1": 128, "bc4": 131, "bc5": 132, "bc7": 134, "astc": 162}  # of the formats that are written here
_ETC1S, _UASTC = 163, 166
_UNSPECIFIED, _BT709 = 0, 1
LINEAR, SRGB = 1, 2
_PREMULTIPLIED = 1


@dataclass(frozen=True)
class Ktx2File:
    """The contents of a header.

    levels: (offset, bytes in the file, bytes of the level), largest first. scheme: NONE, ZSTD or ZLIB. transfer,
    primaries: code points of the Data Format Specification. values: the key/value data, without final zeros.
    """

    format: PixelFormat
    srgb: bool
    width: int
    height: int
    levels: tuple[tuple[int, int, int], ...]
    scheme: int
    transfer: int
    primaries: int
    premultiplied: bool
    values: Mapping[str, str]


def write_ktx2(
    format: PixelFormat, width: int, height: int, levels: Sequence[bytes], *, srgb: bool, color: bool,
    values: Mapping[str, str],
) -> bytes:  # fmt: skip
    """The bytes of a KTX2 file.

    Args:
        format: BC1, BC4, BC5, BC7 or ASTC. levels: data of each, largest first.
        srgb: the values are sRGB-encoded, for formats that have such a variant.
        color: the values are colours with the primaries of sRGB; otherwise data.
        values: keys and texts of the key/value data, KTXwriter among them; KTXorientation is "rd": row 0 is the top.
    """
    number = format.vulkan[srgb]
    assert number, f"{format.name} has no Vulkan format"
    descriptor = _descriptor(format, srgb=srgb, color=color)
    pairs = _pack_values({"KTXorientation": "rd", **values})
    index_end = HEADER_BYTES + _LEVEL.size * len(levels)
    align = lcm(format.block_bytes, 4)
    place = index_end + len(descriptor) + len(pairs)
    parts, rows = [], [b""] * len(levels)
    for level in reversed(range(len(levels))):
        data = levels[level]
        assert len(data) == format.level_bytes(mip_extent(width, level), mip_extent(height, level))
        padding = -place % align
        parts += [bytes(padding), data]
        rows[level] = _LEVEL.pack(place + padding, len(data), len(data))
        place += padding + len(data)
    head = _HEADER.pack(IDENTIFIER, number, 1, width, height, 0, 0, 1, len(levels), NONE, index_end,
                        len(descriptor), index_end + len(descriptor), len(pairs), 0, 0)  # fmt: skip
    return b"".join([head, *rows, descriptor, pairs, *parts])


def _descriptor(format: PixelFormat, *, srgb: bool, color: bool) -> bytes:
    """A data format descriptor of one basic block.

    A sample describes a whole block, or for BC5 the half that holds one channel. Channel 0 is the colour.
    """
    parts = 2 if format.name == "bc5" else 1
    bits = 8 * format.block_bytes // parts
    samples = [struct.pack("<HBB4B2I", bits * c, bits - 1, c, 0, 0, 0, 0, 0, 0xFFFFFFFF) for c in range(parts)]
    width, height = format.block
    size = 24 + 16 * parts
    block = struct.pack("<IHHBBBB4B8B", 0, 2, size, _MODELS[format.name.partition("-")[0]],
                        _BT709 if color else _UNSPECIFIED, SRGB if srgb else LINEAR, 0, width - 1, height - 1, 0, 0,
                        format.block_bytes, *bytes(7))  # fmt: skip
    return struct.pack("<I", 4 + size) + block + b"".join(samples)


def _pack_values(values: Mapping[str, str]) -> bytes:
    """The key/value pairs in the order of the keys' code points, each padded to 4 bytes."""
    packed = b""
    for key in sorted(values):
        pair = key.encode() + b"\0" + values[key].encode() + b"\0"
        packed += struct.pack("<I", len(pair)) + pair + bytes(-len(pair) % 4)
    return packed


def parse_ktx2(head: bytes, file_bytes: int) -> Ktx2File:
    """Read a header, and check it against the size of the file.

    Args:
        head: the first MOST_HEAD bytes of the file, or all of a smaller one.

    Raises:
        ValueError: damaged, not a plain 2D texture, or a format that is not read. The text continues a sentence that
            begins with the file name.
    """
    if len(head) < HEADER_BYTES or not head.startswith(IDENTIFIER):
        raise ValueError("damaged or truncated ktx2 file (no header); export it again")
    (_, number, _, width, height, depth, layers, faces, count, scheme, dfd_at, dfd_bytes, kvd_at, kvd_bytes,
     _, _) = _HEADER.unpack_from(head)  # fmt: skip
    kind = "a cube map" if faces == 6 else "a volume" if depth else f"an array of {layers}" if layers > 1 else None
    if kind:
        raise ValueError(f"{kind}; allowed are plain 2D textures: export its pictures one by one")
    if faces != 1:
        raise ValueError(f"damaged ktx2 file (faceCount {faces}, expected 1 or 6); export it again")
    if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
        raise ValueError(f"size {width}x{height}; allowed are 1..{MAX_SIZE} along each axis: resize it")
    if count > mip_count_of(width, height):
        raise ValueError(f"damaged ktx2 file (levelCount {count} of {width}x{height}); export it again")
    model, transfer, primaries, flags = _parse_descriptor(head, dfd_at, dfd_bytes)
    if scheme == BASIS_LZ or model in (_ETC1S, _UASTC):
        name = "UASTC" if model == _UASTC else "ETC1S (BasisLZ)"
        raise ValueError(f"{name} of Basis Universal, which is not read; decode it with `ktx extract`, or export the "
                         "maps as PNG")  # fmt: skip
    if number not in BY_VULKAN:
        raise ValueError(f"VkFormat {number}, which is not read; allowed are 8, 16 and 32 bits per channel (UNORM and "
                         "sRGB, floats), BC1 to BC7 and ASTC: export it as PNG or EXR")  # fmt: skip
    if scheme > ZLIB:
        raise ValueError(f"supercompression {scheme}; allowed are none, Zstandard and ZLIB: export it without")
    format, srgb = BY_VULKAN[number]
    count = max(count, 1)  # 0 asks the loader to make the mips
    levels = []
    for level in range(count):
        if HEADER_BYTES + _LEVEL.size * (level + 1) > len(head):
            raise ValueError("damaged or truncated ktx2 file (no index of levels); export it again")
        offset, stored, whole = _LEVEL.unpack_from(head, HEADER_BYTES + _LEVEL.size * level)
        size = format.level_bytes(mip_extent(width, level), mip_extent(height, level))
        if (scheme == NONE and stored != size) or whole != size:
            byte_count = stored if scheme == NONE else whole
            raise ValueError(f"damaged ktx2 file (level {level} has {byte_count} bytes, expected {size}); export it "
                             "again")  # fmt: skip
        if offset < HEADER_BYTES or offset + stored > file_bytes or stored == 0:
            raise ValueError(f"damaged or truncated ktx2 file (level {level} ends at byte {offset + stored}, the "
                             f"file at {file_bytes}); export it again")  # fmt: skip
        levels.append((offset, stored, size))
    values = _parse_values(head, kvd_at, kvd_bytes)
    return Ktx2File(format, bool(srgb), width, height, tuple(levels), scheme, transfer, primaries,
                    bool(flags & _PREMULTIPLIED), values)  # fmt: skip


def _parse_descriptor(head: bytes, place: int, size: int) -> tuple[int, int, int, int]:
    """(colour model, transfer function, primaries, flags)."""
    if size < 28 or place < HEADER_BYTES or place + size > len(head):
        raise ValueError("damaged ktx2 file (no data format descriptor); export it again")
    model, primaries, transfer, flags = struct.unpack_from("<4B", head, place + 12)
    return model, transfer, primaries, flags


def _parse_values(head: bytes, place: int, size: int) -> dict[str, str]:
    """The key/value pairs whose values are UTF-8 text."""
    if size == 0:
        return {}
    end = place + size
    if place < HEADER_BYTES or end > len(head):
        raise ValueError(f"damaged ktx2 file (key/value data of {size} bytes at {place}, beyond the {MOST_HEAD} bytes "
                         "that a header may take or the end of the file); export it again")  # fmt: skip
    values = {}
    while place + 4 <= end:
        (length,) = struct.unpack_from("<I", head, place)
        place += 4
        pair = head[place : place + length]
        key, zero, value = pair.partition(b"\0")
        if place + length > end or not zero or not key:
            raise ValueError("damaged ktx2 file (key/value data); export it again")
        with contextlib.suppress(UnicodeDecodeError):  # a value may be any bytes
            values[key.decode()] = value.rstrip(b"\0").decode()
        place += length + -length % 4
    return values
