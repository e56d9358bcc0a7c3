"""A second reader and decoder of .gstex files, written from docs/format.md alone.

It imports nothing of gstex: where it and the package agree, the document says enough. It favours plain
steps over speed, computes in float64 and checks only what it needs to follow the file; the package's own
reader is the one that refuses bad files. Used by the tests and by make_golden.py.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from independent_fields import (
    CHANNEL_FIELDS,
    FILE_FIELDS,
    FILE_MAGIC,
    GEOMETRY_FIELDS,
    GROUP_FIELDS,
    HEADER_FIELDS,
    LEVEL_FIELDS,
    bits_of,
    f32_of,
    signed_of,
)

CONSTANT = 7  # the group of a constant channel
CHUNK = 1 << 15  # points evaluated at once


@dataclass(frozen=True)
class Level:
    """One level of a mip: its entry, its index (made up where it is regular) and its codes."""

    entry: dict[str, int]  # LEVEL_FIELDS
    scale_lo: float  # log2 of 1/texel
    scale_step: float
    start: np.ndarray  # int64 [cells + 1]: first Gaussian of each cell, and the count
    codes: dict[str, np.ndarray]  # GEOMETRY_FIELDS: int64 [N]
    entries: np.ndarray  # int64 [N, P]: the named entry of every palette
    features: np.ndarray  # int64 [N, V]: own codes, 0 for channels without bits
    summed: np.ndarray  # int64 [N, V]: own codes and the bytes of the named entries


@dataclass(frozen=True)
class Mip:
    """One mip of a group: width and height in texels, background [V] and levels, finest first."""

    width: int
    height: int
    gaussian_count: int
    background: np.ndarray  # float64 [V]
    levels: tuple[Level, ...]
    texels: np.ndarray | None = None  # float64 [H, W, V] of a raw mip
    filter: float = 0.0  # of a shared mip, which has the background and levels of mip 0
    bend: np.ndarray | None = None  # float64 [V, 3] of a shared mip: low, middle and high
    extent: tuple[int, int] | None = None  # width and height that cells are measured in, those of mip 0 if shared


@dataclass(frozen=True)
class Channel:
    """One channel of the material."""

    entry: dict[str, int]  # CHANNEL_FIELDS
    constant: float
    scale: float
    bias: float
    stops: float


@dataclass(frozen=True)
class Group:
    """The channels that share a set of Gaussians."""

    header: dict[str, int]  # GROUP_FIELDS
    members: tuple[int, ...]  # places in the material
    amplitude_lo: float
    amplitude_step: float
    mip_offset: tuple[int, ...]
    tail_offset: tuple[int, ...]
    channel_lo: np.ndarray  # float64 [V]
    channel_step: np.ndarray  # float64 [V]
    channel_bits: np.ndarray  # int64 [V]
    palettes: tuple[np.ndarray, ...]  # int64 [2^bits, V] each
    mips: tuple[Mip | None, ...]  # None before the tail if that is there alone
    tail_mips: tuple[Mip, ...]  # what the tail alone has of its mips


@dataclass(frozen=True)
class Material:
    """Everything a file holds; the names are those of docs/format.md."""

    file: dict[str, int]  # FILE_FIELDS; empty if only words were read
    header: dict[str, int]  # HEADER_FIELDS
    channels: tuple[Channel, ...]
    groups: tuple[Group, ...]
    metadata: dict

    def size(self, mip: int) -> tuple[int, int]:
        """Width and height of a mip in texels."""
        return max(1, self.header["width"] >> mip), max(1, self.header["height"] >> mip)


def read(source: str | Path | bytes) -> Material:
    """Read a .gstex file from a path or from its bytes; ValueError if it cannot be followed."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    file = _read_file_header(data)
    _check(file["file_bytes"] == len(data), "file size")
    gpu, text = data[256 : file["json_offset"]], data[file["json_offset"] :]
    _check(zlib.crc32(gpu) == file["gpu_crc"] and zlib.crc32(text) == file["json_crc"], "CRC")
    _check(zlib.crc32(gpu[: file["resident_bytes"]]) == file["resident_crc"], "resident_crc")
    material = read_words(np.frombuffer(gpu, "<u4"))
    _check(file["resident_bytes"] == 4 * material.header["resident_words"], "resident_bytes")
    _check(material.header["first_mip"] == 0, "first_mip")
    return replace(material, file=file, metadata=json.loads(text.decode("utf-8")))


def read_tail(beginning: bytes) -> Material:
    """Read the tail from the beginning of a file, which need not go on after it."""
    file = _read_file_header(beginning)
    resident = beginning[256 : 256 + file["resident_bytes"]]
    _check(len(resident) == file["resident_bytes"] <= file["gpu_bytes"], "resident_bytes")
    _check(zlib.crc32(resident) == file["resident_crc"], "resident_crc")
    return replace(read_words(np.frombuffer(resident, "<u4")), file=file)


def read_words(section: np.ndarray) -> Material:
    """Read a GPU section, or the resident part of one: a material whose first_mip is its tail."""
    words = [int(word) for word in section]
    header = {name: bits_of(words[word], a, b) for name, (word, a, b) in HEADER_FIELDS.items()}
    channel_count, group_count, mip_count = header["channel_count"], header["group_count"], header["mip_count"]
    tail, resident_words = header["tail"], header["resident_words"]
    _check(header["magic"] == 0x4D545347 and header["version"] == 2, "material magic, version")
    _check(words[6:8] == [0, 0] and bits_of(words[3], 23, 23) == 0 == bits_of(words[3], 30, 31), "reserved bits")
    _check(1 <= tail <= mip_count and resident_words % 64 == 0, "tail, resident_words")
    channels, end = _read_channels(words, channel_count, group_count)
    _check(header["header_words"] == end + group_count, "header_words")
    end, groups = header["header_words"], []
    for group_offset in words[end - group_count : end]:
        _check(group_offset == end, "group_offset")
        group, end = _read_group(words, end, mip_count, tail)
        groups.append(group)
    for c, channel in enumerate(channels):
        of = [g for g, group in enumerate(groups) if c in group.members] or [CONSTANT]
        _check(of == [channel.entry["group"]], "members")
    _check(all(group.members and group.members[-1] < channel_count for group in groups), "members")

    if tail < mip_count:
        groups, end = _read_tails(words, end, header, groups)
        end = _read_padding(words, end)
        _check(end == resident_words < header["words"], "resident_words")
    if len(words) > resident_words or tail == mip_count:
        groups, end = _read_mips(words, end, header, groups)
        _check(header["words"] == end + 1, "words")
        end = _read_padding(words, end)
        _check(tail < mip_count or end == resident_words, "resident_words")
    else:
        header["first_mip"] = header["first_mip"] or tail
    _check(end == len(words), "words")
    if header["first_mip"]:
        _check(header["first_mip"] == tail < mip_count, "first_mip")
        groups = [replace(group, mips=(None,) * tail + group.tail_mips) for group in groups]
    return Material(file={}, header=header, channels=channels, groups=tuple(groups), metadata={})


def fetch(material: Material, mip: int) -> np.ndarray:
    """Values of all texels of a mip by the integer cell rule: float64 [H, W, C] in 0..1, row 0 = top."""
    mip = max(mip, material.header["first_mip"])
    width, height = material.size(mip)
    rows, columns = np.divmod(np.arange(width * height), width)
    values = [_fetch_texels(material, group, mip, columns, rows) for group in material.groups]
    return _channels_of(material, values, width * height).reshape(height, width, -1)


def sample(material: Material, uv: np.ndarray, mip: int, bilinear: bool = False) -> np.ndarray:
    """Values at points of a mip: uv float [M, 2], (0, 0) the top left corner; float64 [M, C] in 0..1."""
    mip = max(mip, material.header["first_mip"])
    width, height = material.size(mip)
    x, y = np.asarray(uv, np.float64).reshape(-1, 2).T * np.array([[width], [height]])
    values = [_sample_group(material, group, x, y, mip, bilinear) for group in material.groups]
    return _channels_of(material, values, len(x))


def candidates(material: Material, group: Group, mip: int) -> np.ndarray:
    """Number of candidates of a group at every texel centre of a mip: int64 [H, W]."""
    width, height = material.size(mip)
    total = np.zeros((height, width), np.int64)
    for level in group.mips[mip].levels:
        column, _ = _axis_of_texel(np.arange(width), width, level.entry["cells_x"])
        row, _ = _axis_of_texel(np.arange(height), height, level.entry["cells_y"])
        for _, _, cell, exists in neighbours_of(column[None, :], row[:, None], level, material):
            total += np.where(exists, level.start[cell + 1] - level.start[cell], 0)
    return total


def blend_terms(material: Material, group: Group, mip: int, axes: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All candidates of some points in a group, before K is applied.

    Args:
        axes: per level ((cell_x, fraction_x), (cell_y, fraction_y)), arrays [P]
    Returns:
        point int64 [T], place of the Gaussian in the mip int64 [T] (file order), weight float64 [T]
    """
    terms, first = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))], 0
    for level, ((cell_x, fraction_x), (cell_y, fraction_y)) in zip(group.mips[mip].levels, axes, strict=True):
        for i, j, cell, exists in neighbours_of(cell_x, cell_y, level, material):
            count = np.where(exists, level.start[cell + 1] - level.start[cell], 0)
            for r in range(count.max(initial=0)):
                point = np.flatnonzero(count > r)
                g = level.start[cell[point]] + r
                dx, dy = fraction_x[point] - i, fraction_y[point] - j
                terms.append((point, first + g, _weight(group, group.mips[mip], level, g, dx, dy)))
        first += level.entry["count"]
    point, place, weight = (np.concatenate(parts) for parts in zip(*terms, strict=True))
    return point, place, weight


def texel_axes(group: Group, mip: int, columns: np.ndarray, rows: np.ndarray) -> list:
    """The argument `axes` of blend_terms for texels (columns [P], rows [P])."""
    size = group.mips[mip]
    return [
        (
            _axis_of_texel(columns, size.width, level.entry["cells_x"]),
            _axis_of_texel(rows, size.height, level.entry["cells_y"]),
        )
        for level in size.levels
    ]


def _read_file_header(data: bytes) -> dict[str, int]:
    _check(len(data) >= 256 and data[:8] == FILE_MAGIC, "file magic")
    file = dict(zip(FILE_FIELDS, struct.unpack_from("<11I", data, 8), strict=True))
    padding = data[52:256]
    _check(file["version"] == 2 and file["flags"] == 0 and not any(padding), "file header")
    _check(file["gpu_offset"] == 256 and file["gpu_bytes"] % 256 == 0 < file["gpu_bytes"], "gpu_offset, gpu_bytes")
    _check(file["json_offset"] == 256 + file["gpu_bytes"], "json_offset")
    _check(file["json_offset"] + file["json_bytes"] == file["file_bytes"], "json_bytes")
    return file


def _read_channels(words: list[int], channel_count: int, group_count: int) -> tuple[tuple[Channel, ...], int]:
    """The channels, and the word after their numbers."""
    channels, position = [], 8 + channel_count
    for word in words[8:position]:
        entry = {name: bits_of(word, a, b) for name, (_, a, b) in CHANNEL_FIELDS.items()}
        _check(bits_of(word, 11, 15) == 0, "reserved bits of a channel")
        _check(entry["role"] <= 12 and entry["component"] <= 5 and entry["curve"] <= 1, "role, component, curve")
        _check(entry["group"] < group_count or entry["group"] == CONSTANT, "group")
        _check(not entry["flipped"] or entry["component"] == 5, "flipped")
        is_constant, is_ranged = entry["group"] == CONSTANT, entry["ranged"] == 1
        _check(entry["numbers"] == (position if is_constant or is_ranged else 0), "numbers")
        constant = f32_of(words[position]) if is_constant else 0.0
        position += is_constant
        scale, bias = (f32_of(words[position]), f32_of(words[position + 1])) if is_ranged else (1.0, 0.0)
        position += 2 * is_ranged
        _check(is_ranged or not entry["curve"], "curve")
        stops = f32_of(words[position]) if entry["curve"] else 0.0
        position += entry["curve"]
        _check(not entry["curve"] or 0 < stops <= 32, "stops")
        _check(not is_ranged or (scale, bias, stops) != (1.0, 0.0, 0.0), "ranged")
        channels.append(Channel(entry, constant, scale, bias, stops))
    return tuple(channels), position


def _read_group(words: list[int], first: int, mip_count: int, tail: int) -> tuple[Group, int]:
    """A group without its mips, and the word after its header and palettes."""
    header = {name: bits_of(words[first + word], a, b) for name, (word, a, b) in GROUP_FIELDS.items()}
    _check(bits_of(words[first], 24, 31) == 0 == bits_of(words[first + 5], 16, 31), "reserved bits of a group")
    members = tuple(c for c in range(16) if header["members"] >> c & 1)
    count = len(members)
    tail_offset = first + 6 + mip_count
    ranges = tail_offset + mip_count - tail
    nibbles = ranges + 2 * count
    channel_bits = [bits_of(words[nibbles + k // 8], 4 * (k % 8), 4 * (k % 8) + 3) for k in range(count)]
    palettes, end = _read_palettes(words, nibbles + -(-count // 8), header, count)
    group = Group(
        header=header,
        members=members,
        amplitude_lo=f32_of(words[first + 1]),
        amplitude_step=f32_of(words[first + 2]),
        mip_offset=tuple(words[first + 6 : tail_offset]),
        tail_offset=tuple(words[tail_offset:ranges]),
        channel_lo=np.array([f32_of(words[ranges + 2 * k]) for k in range(count)]),
        channel_step=np.array([f32_of(words[ranges + 2 * k + 1]) for k in range(count)]),
        channel_bits=np.array(channel_bits),
        palettes=palettes,
        mips=(),
        tail_mips=(),
    )
    return group, end


def _read_tails(words: list[int], end: int, header: dict[str, int], groups: list[Group]) -> tuple[list[Group], int]:
    """The groups with their tails, which begin at a word, and the word after them."""
    whole = []
    for group in groups:
        mips = []
        for m, tail_offset in enumerate(group.tail_offset, header["tail"]):
            _check(tail_offset == end, f"tail_offset[{m - header['tail']}]")
            mip, end = _read_mip(words, end, header, m, group)
            _check(mip.extent is None, "shared mip in the tail")
            mips.append(mip)
        whole.append(replace(group, tail_mips=tuple(mips)))
    return whole, end


def _read_mips(words: list[int], end: int, header: dict[str, int], groups: list[Group]) -> tuple[list[Group], int]:
    """The groups with all their mips, of which those outside the tail begin at a word, and the word after these."""
    whole = []
    for group in groups:
        mips: list[Mip] = []
        for m, mip_offset in enumerate(group.mip_offset):
            t = m - header["tail"]
            if t >= 0 and mip_offset == group.tail_offset[t]:
                mips.append(group.tail_mips[t])
                continue
            _check(mip_offset == end, f"mip_offset[{m}]")
            mip, end = _read_mip(words, end, header, m, group)
            _check(mip.extent is not None or t < 0, f"mip_offset[{m}]")
            if mip.extent is not None:
                _check(m > 0 and mips[0].texels is None, "shared mip")
                mip = replace(mip, background=mips[0].background, levels=mips[0].levels)
            mips.append(mip)
        whole.append(replace(group, mips=tuple(mips)))
    return whole, end


def _read_padding(words: list[int], end: int) -> int:
    """The word after a guard word and its padding."""
    padded = -(-(end + 1) // 64) * 64
    _check(not any(words[end:padded]), "guard word, padding")
    return padded


def _read_palettes(words: list[int], end: int, header: dict, count: int) -> tuple[tuple[np.ndarray, ...], int]:
    """The palettes from a word on, and the word after them."""
    palettes = []
    palette_bits = [bits_of(header["palette_bits"], 4 * p, 4 * p + 3) for p in range(4)]
    while palette_bits and palette_bits[-1] == 0:
        palette_bits.pop()
    _check(header["palette_offset"] == (end if palette_bits else 0), "palette_offset")
    for bits in palette_bits:
        _check(1 <= bits <= 12, "palette_bits")
        palette, end = _read_bytes(words, end, 2**bits, count)
        palettes.append(palette)
    return tuple(palettes), end


def _read_bytes(words: list[int], first: int, rows: int, count: int) -> tuple[np.ndarray, int]:
    """Rows of whole words with a byte for every channel of a group: int64 [rows, V], and the word after them."""
    size = -(-count // 4)
    end = first + rows * size
    table = np.zeros((rows, count), np.int64)
    for row in range(rows):
        for k in range(4 * size):
            byte = bits_of(words[first + row * size + k // 4], 8 * (k % 4), 8 * (k % 4) + 7)
            if k < count:
                table[row, k] = byte
            else:
                _check(byte == 0, "spare bytes")
    return table, end


def _read_mip(words: list[int], block: int, header: dict[str, int], m: int, group: Group) -> tuple[Mip, int]:
    """A mip and the word after it; a shared one without what it has of mip 0."""
    count = len(group.members)
    width, height = max(1, header["width"] >> m), max(1, header["height"] >> m)
    raw, shared = 256, 512
    if words[block] == shared:
        extent, filter = (header["width"], header["height"]), f32_of(words[block + 1])
        end = block + 2 + count
        bend = np.array([[signed_of(word, 10 * k) / 1024 for k in range(3)] for word in words[block + 2 : end]])
        _check(not any(bits_of(word, 30, 31) for word in words[block + 2 : end]), "bits 30-31 of bend")
        return Mip(width, height, 0, np.zeros(count), (), filter=filter, bend=bend, extent=extent), end
    if words[block] == raw:
        _check(words[block + 1] == 0, "raw mip")
        texels, end = _read_bytes(words, block + 2, width * height, count)
        return Mip(width, height, 0, np.zeros(count), (), texels.reshape(height, width, -1) / 255), end
    level_count, gaussian_count = words[block], words[block + 1]
    entries = block + 2 + count
    end, levels = entries + 7 * level_count, []
    for first in range(entries, entries + 7 * level_count, 7):
        level, end = _read_level(words, first, end, group)
        levels.append(level)
    _check(gaussian_count == sum(level.entry["count"] for level in levels), "gaussian_count")
    background = np.array([f32_of(word) for word in words[block + 2 : entries]])
    return Mip(width, height, gaussian_count, background, tuple(levels)), end


def _read_level(words: list[int], first: int, end: int, group: Group) -> tuple[Level, int]:
    """The level whose entry stands at a word and whose index or records at another, and the word after it."""
    entry = {name: bits_of(words[first + word], a, b) for name, (word, a, b) in LEVEL_FIELDS.items()}
    cells, stride, count = entry["cells_x"] * entry["cells_y"], entry["stride"], entry["count"]
    _check(entry["index_offset"] == end, "index_offset")
    if entry["regular"]:
        start = np.arange(cells + 1)
    else:
        start, end = _read_index(words, entry["index_offset"], cells)
    _check(entry["record_offset"] == end and start[cells] == count, "record_offset, count")
    end += -(-count * stride // 32)
    stream = np.array(words[entry["record_offset"] : end], "<u4").view(np.uint8)
    records = np.unpackbits(stream, bitorder="little")[: count * stride].reshape(count, stride)
    widths = [entry[f"{axis}_bits"] for axis in ("position_x", "position_y", "rotation")]
    widths += [entry["scale_bits"], entry["scale_bits"], entry["amplitude_bits"]]
    widths += [round(math.log2(len(palette))) for palette in group.palettes] + group.channel_bits.tolist()
    bit, codes = 0, []
    for bits in widths:
        codes.append(records[:, bit : bit + bits].astype(np.int64) @ (1 << np.arange(bits)))
        bit += bits
    entries = codes[6 : 6 + len(group.palettes)]
    features = np.stack(codes[6 + len(group.palettes) :], axis=1)
    summed = features.copy()
    for palette, numbers in zip(group.palettes, entries, strict=True):
        summed += palette[numbers]
    level = Level(
        entry=entry,
        scale_lo=f32_of(words[first + 5]),
        scale_step=f32_of(words[first + 6]),
        start=start,
        codes=dict(zip(GEOMETRY_FIELDS, codes, strict=False)),
        entries=np.stack([np.zeros(count, np.int64), *entries], axis=1)[:, 1:],
        features=features,
        summed=summed,
    )
    return level, end


def _read_index(words: list[int], index_offset: int, cells: int) -> tuple[np.ndarray, int]:
    """start(0) .. start(cells) and the word after the index."""
    groups = cells // 16 + 1
    start, end = np.zeros(16 * groups, np.int64), index_offset + 3 * groups
    for g in range(groups):
        word, low, high = words[index_offset + 3 * g : index_offset + 3 * g + 3]
        if bits_of(word, 31, 31):
            _check(index_offset + low == end and high == 0, "prefix block")
            prefix = [bits_of(words[end + k // 2], 16 * (k % 2), 16 * (k % 2) + 15) for k in range(16)]
            end += 8
        else:
            counts = [bits_of((low, high)[k // 8], 4 * (k % 8), 4 * (k % 8) + 3) for k in range(16)]
            prefix = [sum(counts[:k]) for k in range(16)]
        start[16 * g : 16 * g + 16] = bits_of(word, 0, 30) + np.array(prefix)
    _check(bool((np.diff(start) >= 0).all()) and start[0] == 0, "index order")
    return start[: cells + 1], end


def _channels_of(material: Material, values: list[np.ndarray], points: int) -> np.ndarray:
    """The channels [P, C] of a material from the values [P, V] of its groups, and from its constants."""
    constant = np.clip([channel.constant for channel in material.channels], 0.0, 1.0)
    result = np.repeat(constant[None], points, axis=0)
    for group, value in zip(material.groups, values, strict=True):
        result[:, group.members] = value
    return result


def _sample_group(
    material: Material, group: Group, x: np.ndarray, y: np.ndarray, mip: int, bilinear: bool
) -> np.ndarray:
    """Values [P, V] of a group at points in texels of a mip."""
    width, height = material.size(mip)
    if not bilinear and group.mips[mip].texels is None:
        axes = [
            (
                axis_of(x, width, level.entry["cells_x"], material),
                axis_of(y, height, level.entry["cells_y"], material),
            )
            for level in group.mips[mip].levels
        ]
        return _evaluate(material, group, mip, axes, len(x))
    left, top = np.floor(x - 0.5), np.floor(y - 0.5)
    fx, fy = (x - 0.5 - left)[:, None], (y - 0.5 - top)[:, None]
    value = np.zeros((len(x), len(group.members)))
    for j, weight_y in ((0, 1 - fy), (1, fy)):
        for i, weight_x in ((0, 1 - fx), (1, fx)):
            column, row = left.astype(np.int64) + i, top.astype(np.int64) + j
            if material.header["repeat"]:
                column, row = column % width, row % height
            else:
                column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
            value += weight_x * weight_y * _fetch_texels(material, group, mip, column, row)
    return value


def _fetch_texels(material: Material, group: Group, mip: int, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values [P, V] of texels of a group."""
    texels = group.mips[mip].texels
    if texels is not None:
        return texels[rows, columns]
    return _evaluate(material, group, mip, texel_axes(group, mip, columns, rows), len(rows))


def _evaluate(material: Material, group: Group, mip: int, axes: list, points: int) -> np.ndarray:
    """Blended, clamped and bent values [P, V]; axes as in blend_terms."""
    values = [np.zeros((0, len(group.members)))]
    for first in range(0, points, CHUNK):
        of = slice(first, min(first + CHUNK, points))
        part = [tuple((cell[of], fraction[of]) for cell, fraction in level_axes) for level_axes in axes]
        values.append(_blend(material, group, mip, part, of.stop - of.start))
    return _bend(np.concatenate(values), group.mips[mip].bend)


def _blend(material: Material, group: Group, mip: int, axes: list, points: int) -> np.ndarray:
    point, place, weight = blend_terms(material, group, mip, axes)
    if group.header["top_k"]:
        order = np.lexsort((place, -weight, point))  # by point, then weight, then place in the file
        point, place, weight = point[order], place[order], weight[order]
        rank = np.arange(len(point)) - np.searchsorted(point, point)
        kept = rank < group.header["top_k"]
        point, place, weight = point[kept], place[kept], weight[kept]
    codes = [level.summed for level in group.mips[mip].levels]
    feature = np.concatenate([np.zeros((0, len(group.members)), np.int64), *codes])[place]
    feature = group.channel_lo + feature * group.channel_step
    background = math.exp(-20.0)
    below = background + np.bincount(point, weight, points)
    above = [np.bincount(point, weight * column, points) for column in feature.T]
    value = (background * group.mips[mip].background + np.stack(above, axis=1)) / below[:, None]
    return np.clip(value, 0.0, 1.0)


def _bend(x: np.ndarray, bend: np.ndarray | None) -> np.ndarray:
    """Values of a shared mip from those [P, V] that the Gaussians of mip 0 give; of another mip as they are."""
    if bend is None:
        return x
    low, middle, high = bend.T
    return np.clip(x + ((low * (1 - x) + high * x) + 4 * middle * x * (1 - x)), 0.0, 1.0)


def _weight(group: Group, mip: Mip, level: Level, g: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Weight of Gaussians g [T] seen at dx, dy: fraction - i and fraction - j, in cells."""
    entry = level.entry
    code = {name: codes[g] for name, codes in level.codes.items()}
    width, height = mip.extent or (mip.width, mip.height)
    ex = (dx - (code["position_x"] + 0.5) / 2 ** entry["position_x_bits"]) * (width / entry["cells_x"])
    ey = (dy - (code["position_y"] + 0.5) / 2 ** entry["position_y_bits"]) * (height / entry["cells_y"])
    h = np.zeros(len(g))
    if entry["rotation_bits"] > 0:
        half = 2 ** (entry["rotation_bits"] - 1)
        h = (code["rotation"] - half) * math.tan(math.pi / 8) / half
    cos, sin = (1 - h**2) / (1 + h**2), 2 * h / (1 + h**2)
    a = np.exp2(level.scale_lo + code["scale_u"] * level.scale_step)
    b = np.exp2(level.scale_lo + code["scale_v"] * level.scale_step)
    u = a / np.sqrt(1 + (a * mip.filter) ** 2) * (cos * ex + sin * ey)
    v = b / np.sqrt(1 + (b * mip.filter) ** 2) * (cos * ey - sin * ex)
    amplitude = group.amplitude_lo + code["amplitude"] * group.amplitude_step
    return np.exp(amplitude - (u**2 + v**2) / 2) * _fade(dx) * _fade(dy)


def _fade(d: np.ndarray) -> np.ndarray:
    f = np.clip(2 * (1.5 - np.abs(d - 0.5)), 0.0, 1.0)
    return f**2 * (3 - 2 * f)


def _axis_of_texel(texel: np.ndarray, size: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell and fraction of texel centres along one axis, in integers up to the last division."""
    cell, rest = np.divmod((2 * texel + 1) * cells, 2 * size)
    return cell, rest / (2 * size)


def axis_of(x: np.ndarray, size: int, cells: int, material: Material) -> tuple[np.ndarray, np.ndarray]:
    """Cell and fraction of points along one axis, x in texels."""
    x = x - size * np.floor(x / size) if material.header["repeat"] else np.clip(x, 0, size)
    q = x * (cells / size)
    cell = np.minimum(np.floor(q).astype(np.int64), cells - 1)
    return cell, q - cell


def neighbours_of(
    cell_x: np.ndarray, cell_y: np.ndarray, level: Level, material: Material
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """(i, j, cell number, does it exist) of the 3x3 cells; a missing cell has a valid number."""
    cells_x, cells_y = level.entry["cells_x"], level.entry["cells_y"]
    for j in (-1, 0, 1):
        for i in (-1, 0, 1):
            x, y = cell_x + i, cell_y + j
            exists = (x >= 0) & (x < cells_x) & (y >= 0) & (y < cells_y) | bool(material.header["repeat"])
            yield i, j, (y % cells_y) * cells_x + x % cells_x, exists


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what}: not as docs/format.md says")
