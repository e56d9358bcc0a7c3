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

FILE_MAGIC = bytes.fromhex("89 47 53 54 45 58 0D 0A")
FILE_FIELDS = (  # u32 each, from byte 8 on
    "version", "flags", "file_bytes", "gpu_offset", "gpu_bytes", "json_offset", "json_bytes", "gpu_crc",
    "json_crc",
)  # fmt: skip
HEADER_FIELDS = {  # name: (word, first bit, last bit) from the base word
    "magic": (0, 0, 31), "version": (1, 0, 15), "header_words": (1, 16, 31), "width": (2, 0, 15),
    "height": (2, 16, 31), "channel_count": (3, 0, 7), "mip_count": (3, 8, 15), "top_k": (3, 16, 23),
    "repeat": (3, 24, 24), "bilinear": (3, 25, 25), "words": (4, 0, 31), "candidates_max": (7, 0, 31),
    "palette_offset": (8, 0, 31), "srgb": (9, 0, 15), "varying": (9, 16, 31), "palette_bits": (10, 0, 15),
}  # fmt: skip
LEVEL_FIELDS = {  # the same, from the first word of a level entry
    "cells_x": (0, 0, 15), "cells_y": (0, 16, 31), "index_offset": (1, 0, 31), "record_offset": (2, 0, 31),
    "count": (3, 0, 31), "stride": (4, 0, 8), "position_x_bits": (4, 9, 12), "position_y_bits": (4, 13, 16),
    "rotation_bits": (4, 17, 20), "scale_bits": (4, 21, 24), "amplitude_bits": (4, 25, 28),
    "regular": (4, 29, 29),
}  # fmt: skip
GEOMETRY_FIELDS = ("position_x", "position_y", "rotation", "scale_u", "scale_v", "amplitude")
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
    features: np.ndarray  # int64 [N, C]: own codes, 0 for channels without bits
    summed: np.ndarray  # int64 [N, C]: own codes and the bytes of the named entries


@dataclass(frozen=True)
class Mip:
    """One mip: width and height in texels, background [C] and levels, finest first."""

    width: int
    height: int
    gaussian_count: int
    background: np.ndarray  # float64 [C]
    levels: tuple[Level, ...]
    texels: np.ndarray | None = None  # float64 [H, W, V] of a raw mip
    filter: float = 0.0  # of a shared mip, which has the background and levels of mip 0
    extent: tuple[int, int] | None = None  # width and height that cells are measured in, those of mip 0 if shared


@dataclass(frozen=True)
class Material:
    """Everything a file holds; the names are those of docs/format.md."""

    file: dict[str, int]  # FILE_FIELDS
    header: dict[str, int]  # HEADER_FIELDS
    amplitude_lo: float
    amplitude_step: float
    mip_offset: tuple[int, ...]
    channel_lo: np.ndarray  # float64 [C]
    channel_step: np.ndarray  # float64 [C]
    channel_bits: np.ndarray  # int64 [C]
    varying: np.ndarray  # bool [C]
    palettes: tuple[np.ndarray, ...]  # int64 [2^bits, V] each
    mips: tuple[Mip, ...]
    metadata: dict


def read(source: str | Path | bytes) -> Material:
    """Read a .gstex file from a path or from its bytes; ValueError if it cannot be followed."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    _check(len(data) >= 256 and data[:8] == FILE_MAGIC, "file magic")
    file = dict(zip(FILE_FIELDS, struct.unpack_from("<9I", data, 8), strict=True))
    padding = data[44:256]
    _check(file["version"] == 1 and file["flags"] == 0 and not any(padding), "file header")
    _check(file["gpu_offset"] == 256 and file["file_bytes"] == len(data), "file size")
    _check(file["json_offset"] == 256 + file["gpu_bytes"], "json_offset")
    _check(file["json_offset"] + file["json_bytes"] == len(data), "json_bytes")
    gpu, text = data[256 : file["json_offset"]], data[file["json_offset"] :]
    _check(zlib.crc32(gpu) == file["gpu_crc"] and zlib.crc32(text) == file["json_crc"], "CRC")
    words = [int(word) for word in np.frombuffer(gpu, "<u4")]

    header = {name: _bits(words[word], a, b) for name, (word, a, b) in HEADER_FIELDS.items()}
    channels, mip_count = header["channel_count"], header["mip_count"]
    _check(header["magic"] == 0x4D545347 and header["version"] == file["version"], "material magic, version")
    _check(header["header_words"] == 11 + mip_count + 2 * channels + -(-channels // 8), "header_words")
    ranges = 11 + mip_count
    nibbles = ranges + 2 * channels
    channel_bits = [_bits(words[nibbles + c // 8], 4 * (c % 8), 4 * (c % 8) + 3) for c in range(channels)]
    varying = np.array([header["varying"] >> c & 1 for c in range(channels)], bool)
    palettes, end = _read_palettes(words, header, int(varying.sum()))
    mip_offset = tuple(words[11:ranges])

    mips: list[Mip] = []
    for m in range(mip_count):
        _check(mip_offset[m] == end, f"mip_offset[{m}]")
        mip, end = _read_mip(words, end, header, m, channel_bits, palettes, varying)
        if mip.extent is not None:
            mip = replace(mip, background=mips[0].background, levels=mips[0].levels)
        mips.append(mip)
    _check(header["words"] == end + 1 and not any(words[end:]), "guard word and padding")
    _check(len(words) - header["words"] in range(64), "words")
    return Material(
        file=file,
        header=header,
        amplitude_lo=_f32(words[5]),
        amplitude_step=_f32(words[6]),
        mip_offset=mip_offset,
        channel_lo=np.array([_f32(words[ranges + 2 * c]) for c in range(channels)]),
        channel_step=np.array([_f32(words[ranges + 2 * c + 1]) for c in range(channels)]),
        channel_bits=np.array(channel_bits),
        varying=varying,
        palettes=palettes,
        mips=tuple(mips),
        metadata=json.loads(text.decode("utf-8")),
    )


def fetch(material: Material, mip: int) -> np.ndarray:
    """Values of all texels of a mip by the integer cell rule: float64 [H, W, C] in 0..1, row 0 = top."""
    width, height = material.mips[mip].width, material.mips[mip].height
    rows, columns = np.divmod(np.arange(width * height), width)
    return _fetch_texels(material, mip, columns, rows).reshape(height, width, -1)


def sample(material: Material, uv: np.ndarray, mip: int, bilinear: bool = False) -> np.ndarray:
    """Values at points of a mip: uv float [M, 2], (0, 0) the top left corner; float64 [M, C] in 0..1."""
    width, height = material.mips[mip].width, material.mips[mip].height
    x, y = np.asarray(uv, np.float64).reshape(-1, 2).T * np.array([[width], [height]])
    if not bilinear and material.mips[mip].texels is None:
        axes = [
            (
                axis_of(x, width, level.entry["cells_x"], material),
                axis_of(y, height, level.entry["cells_y"], material),
            )
            for level in material.mips[mip].levels
        ]
        return _evaluate(material, mip, axes, len(x))
    left, top = np.floor(x - 0.5), np.floor(y - 0.5)
    fx, fy = (x - 0.5 - left)[:, None], (y - 0.5 - top)[:, None]
    value = np.zeros((len(x), material.header["channel_count"]))
    for j, weight_y in ((0, 1 - fy), (1, fy)):
        for i, weight_x in ((0, 1 - fx), (1, fx)):
            column, row = left.astype(np.int64) + i, top.astype(np.int64) + j
            if material.header["repeat"]:
                column, row = column % width, row % height
            else:
                column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
            value += weight_x * weight_y * _fetch_texels(material, mip, column, row)
    return value


def candidates(material: Material, mip: int) -> np.ndarray:
    """Number of candidates at every texel centre of a mip: int64 [H, W]."""
    width, height = material.mips[mip].width, material.mips[mip].height
    total = np.zeros((height, width), np.int64)
    for level in material.mips[mip].levels:
        column, _ = _axis_of_texel(np.arange(width), width, level.entry["cells_x"])
        row, _ = _axis_of_texel(np.arange(height), height, level.entry["cells_y"])
        for _, _, cell, exists in neighbours_of(column[None, :], row[:, None], level, material):
            total += np.where(exists, level.start[cell + 1] - level.start[cell], 0)
    return total


def blend_terms(material: Material, mip: int, axes: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All candidates of some points, before K is applied.

    Args:
        axes: per level ((cell_x, fraction_x), (cell_y, fraction_y)), arrays [P]
    Returns:
        point int64 [T], place of the Gaussian in the mip int64 [T] (file order), weight float64 [T]
    """
    terms, first = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))], 0
    for level, ((cell_x, fraction_x), (cell_y, fraction_y)) in zip(
        material.mips[mip].levels, axes, strict=True
    ):
        for i, j, cell, exists in neighbours_of(cell_x, cell_y, level, material):
            count = np.where(exists, level.start[cell + 1] - level.start[cell], 0)
            for r in range(count.max(initial=0)):
                point = np.flatnonzero(count > r)
                g = level.start[cell[point]] + r
                dx, dy = fraction_x[point] - i, fraction_y[point] - j
                terms.append((point, first + g, _weight(material, material.mips[mip], level, g, dx, dy)))
        first += level.entry["count"]
    point, place, weight = (np.concatenate(parts) for parts in zip(*terms, strict=True))
    return point, place, weight


def texel_axes(material: Material, mip: int, columns: np.ndarray, rows: np.ndarray) -> list:
    """The argument `axes` of blend_terms for texels (columns [P], rows [P])."""
    size = material.mips[mip]
    return [
        (
            _axis_of_texel(columns, size.width, level.entry["cells_x"]),
            _axis_of_texel(rows, size.height, level.entry["cells_y"]),
        )
        for level in size.levels
    ]


def _read_palettes(words: list[int], header: dict[str, int], varying: int) -> tuple[tuple[np.ndarray, ...], int]:
    """The palettes, and the word after them."""
    end, palettes = header["header_words"], []
    palette_bits = [_bits(header["palette_bits"], 4 * p, 4 * p + 3) for p in range(4)]
    while palette_bits and palette_bits[-1] == 0:
        palette_bits.pop()
    _check(header["palette_offset"] == (end if palette_bits else 0), "palette_offset")
    for bits in palette_bits:
        _check(1 <= bits <= 12 and varying > 0, "palette_bits")
        palette, end = _read_bytes(words, end, 2**bits, varying)
        palettes.append(palette)
    return tuple(palettes), end


def _read_bytes(words: list[int], first: int, rows: int, varying: int) -> tuple[np.ndarray, int]:
    """Rows of whole words with a byte for every channel that varies: int64 [rows, V], and the word after them."""
    size = -(-varying // 4)
    end = first + rows * size
    table = np.zeros((rows, varying), np.int64)
    for row in range(rows):
        for k in range(4 * size):
            byte = _bits(words[first + row * size + k // 4], 8 * (k % 4), 8 * (k % 4) + 7)
            if k < varying:
                table[row, k] = byte
            else:
                _check(byte == 0, "spare bytes")
    return table, end


def _read_mip(
    words: list[int],
    block: int,
    header: dict[str, int],
    m: int,
    channel_bits: list[int],
    palettes: tuple[np.ndarray, ...],
    varying: np.ndarray,
) -> tuple[Mip, int]:
    channels = header["channel_count"]
    width, height = max(1, header["width"] >> m), max(1, header["height"] >> m)
    raw, shared = 256, 512
    if words[block] == shared:
        extent, filter = (header["width"], header["height"]), _f32(words[block + 1])
        return Mip(width, height, 0, np.zeros(channels), (), filter=filter, extent=extent), block + 2
    if words[block] == raw:
        _check(words[block + 1] == 0 and varying.any(), "raw mip")
        texels, end = _read_bytes(words, block + 2, width * height, int(varying.sum()))
        return Mip(width, height, 0, np.zeros(channels), (), texels.reshape(height, width, -1) / 255), end
    level_count, gaussian_count = words[block], words[block + 1]
    entries = block + 2 + channels
    end, levels = entries + 7 * level_count, []
    for first in range(entries, entries + 7 * level_count, 7):
        entry = {name: _bits(words[first + word], a, b) for name, (word, a, b) in LEVEL_FIELDS.items()}
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
        widths += [round(math.log2(len(palette))) for palette in palettes] + channel_bits
        bit, codes = 0, []
        for bits in widths:
            codes.append(records[:, bit : bit + bits].astype(np.int64) @ (1 << np.arange(bits)))
            bit += bits
        entries_of = codes[6 : 6 + len(palettes)]
        features = np.stack(codes[6 + len(palettes) :], axis=1)
        summed = features.copy()
        for palette, numbers in zip(palettes, entries_of, strict=True):
            summed[:, varying] += palette[numbers]
        levels.append(
            Level(
                entry=entry,
                scale_lo=_f32(words[first + 5]),
                scale_step=_f32(words[first + 6]),
                start=start,
                codes=dict(zip(GEOMETRY_FIELDS, codes, strict=False)),
                entries=np.stack([np.zeros(count, np.int64), *entries_of], axis=1)[:, 1:],
                features=features,
                summed=summed,
            )
        )
    _check(gaussian_count == sum(level.entry["count"] for level in levels), "gaussian_count")
    background = np.array([_f32(word) for word in words[block + 2 : entries]])
    return Mip(width, height, gaussian_count, background, tuple(levels)), end


def _read_index(words: list[int], index_offset: int, cells: int) -> tuple[np.ndarray, int]:
    """start(0) .. start(cells) and the word after the index."""
    groups = cells // 16 + 1
    start, end = np.zeros(16 * groups, np.int64), index_offset + 3 * groups
    for g in range(groups):
        word, low, high = words[index_offset + 3 * g : index_offset + 3 * g + 3]
        if _bits(word, 31, 31):
            _check(index_offset + low == end and high == 0, "prefix block")
            prefix = [_bits(words[end + k // 2], 16 * (k % 2), 16 * (k % 2) + 15) for k in range(16)]
            end += 8
        else:
            counts = [_bits((low, high)[k // 8], 4 * (k % 8), 4 * (k % 8) + 3) for k in range(16)]
            prefix = [sum(counts[:k]) for k in range(16)]
        start[16 * g : 16 * g + 16] = _bits(word, 0, 30) + np.array(prefix)
    _check(bool((np.diff(start) >= 0).all()) and start[0] == 0, "index order")
    return start[: cells + 1], end


def _fetch_texels(material: Material, mip: int, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    texels = material.mips[mip].texels
    if texels is None:
        return _evaluate(material, mip, texel_axes(material, mip, columns, rows), len(rows))
    value = np.repeat(np.clip(material.channel_lo, 0.0, 1.0)[None], len(rows), axis=0)
    value[:, material.varying] = texels[rows, columns]
    return value


def _evaluate(material: Material, mip: int, axes: list, points: int) -> np.ndarray:
    """Blended and clamped values [P, C]; axes as in blend_terms."""
    values = [np.zeros((0, material.header["channel_count"]))]
    for first in range(0, points, CHUNK):
        of = slice(first, min(first + CHUNK, points))
        part = [tuple((cell[of], fraction[of]) for cell, fraction in level_axes) for level_axes in axes]
        values.append(_blend(material, mip, part, of.stop - of.start))
    return np.concatenate(values)


def _blend(material: Material, mip: int, axes: list, points: int) -> np.ndarray:
    point, place, weight = blend_terms(material, mip, axes)
    if material.header["top_k"]:
        order = np.lexsort((place, -weight, point))  # by point, then weight, then place in the file
        point, place, weight = point[order], place[order], weight[order]
        rank = np.arange(len(point)) - np.searchsorted(point, point)
        kept = rank < material.header["top_k"]
        point, place, weight = point[kept], place[kept], weight[kept]
    codes = [level.summed for level in material.mips[mip].levels]
    feature = np.concatenate([np.zeros((0, len(material.channel_lo)), np.int64), *codes])[place]
    feature = material.channel_lo + feature * material.channel_step
    background = math.exp(-20.0)
    below = background + np.bincount(point, weight, points)
    above = [np.bincount(point, weight * column, points) for column in feature.T]
    value = (background * material.mips[mip].background + np.stack(above, axis=1)) / below[:, None]
    value = np.where(material.varying, value, material.channel_lo)
    return np.clip(value, 0.0, 1.0)


def _weight(
    material: Material, mip: Mip, level: Level, g: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> np.ndarray:
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
    amplitude = material.amplitude_lo + code["amplitude"] * material.amplitude_step
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


def _bits(word: int, first: int, last: int) -> int:
    """Bits first .. last of a word."""
    return (word >> first) & ((1 << (last - first + 1)) - 1)


def _f32(word: int) -> float:
    return struct.unpack("<f", struct.pack("<I", word))[0]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what}: not as docs/format.md says")
