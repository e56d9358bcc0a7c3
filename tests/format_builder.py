"""Builds .gstex files word by word from the tables of docs/format.md, without gstex.

The tests use it to make files that no encoder of the package had a hand in: plain numbers in, bytes out.
It trusts its input: a spec that breaks a rule gives a file that breaks it, which readers must refuse.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True)
class Gaussian:
    """Codes of one Gaussian; `features` holds one code per channel, 0 for those without bits of their own, and
    `entries` one number per palette."""

    cell: int  # row-major number of its cell
    position_x: int
    position_y: int
    rotation: int
    scale_u: int
    scale_v: int
    amplitude: int
    features: tuple[int, ...]
    entries: tuple[int, ...] = ()


@dataclass(frozen=True)
class LevelSpec:
    """One level; Gaussians in any order, those of one cell keep theirs in the file. A regular one has no index."""

    cells_x: int
    cells_y: int
    gaussians: Sequence[Gaussian]
    position_x_bits: int = 4
    position_y_bits: int = 4
    rotation_bits: int = 5
    scale_bits: int = 4
    amplitude_bits: int = 3
    scale_lo: float = 0.0  # log2 of 1/texel
    scale_step: float = -0.25
    stride: int | None = None  # bits of a record; None = the smallest that the rules allow
    regular: bool = False


@dataclass(frozen=True)
class MipSpec:
    """One mip: background [C] and levels, finest first."""

    background: Sequence[float]
    levels: Sequence[LevelSpec] = ()


@dataclass(frozen=True)
class RawMipSpec:
    """One raw mip: for every texel, row by row, the bytes of its channels that vary."""

    texels: Sequence[Sequence[int]]


@dataclass(frozen=True)
class SharedMipSpec:
    """One mip that is drawn with the Gaussians of mip 0. filter: sigma in texels of mip 0."""

    filter: float


@dataclass(frozen=True)
class MaterialSpec:
    """A whole file."""

    width: int
    height: int
    channels: Sequence[tuple[float, float, int]]  # (channel_lo, channel_step, channel_bits)
    mips: Sequence[MipSpec | RawMipSpec | SharedMipSpec]
    repeat: bool = False
    bilinear: bool = False
    top_k: int = 0
    amplitude_lo: float = 0.0
    amplitude_step: float = 0.5
    srgb: int = 0  # a bit a channel
    varying: int | None = None  # likewise; None = the channels with bits
    palettes: Sequence[Sequence[Sequence[int]]] = ()  # for every entry the bytes of the channels that vary


def build(spec: MaterialSpec, metadata: Mapping[str, object] | None = None) -> bytes:
    """The bytes of the file; metadata None = just a generator."""
    text = json.dumps({"generator": "format_builder"} if metadata is None else metadata).encode("utf-8")
    return build_file(build_words(spec), text)


def build_file(words: Sequence[int], metadata: bytes) -> bytes:
    """The table "File": header, GPU section, metadata."""
    magic, version, flags, padding = b"\x89GSTEX\r\n", 1, 0, bytes(212)
    gpu = struct.pack(f"<{len(words)}I", *words)
    gpu_offset, gpu_bytes = 256, len(gpu)
    json_offset, json_bytes = gpu_offset + gpu_bytes, len(metadata)
    file_bytes = json_offset + json_bytes
    gpu_crc, json_crc = zlib.crc32(gpu), zlib.crc32(metadata)
    numbers = (version, flags, file_bytes, gpu_offset, gpu_bytes, json_offset, json_bytes, gpu_crc, json_crc)
    return magic + struct.pack("<9I", *numbers) + padding + gpu + metadata


def build_words(spec: MaterialSpec) -> list[int]:
    """The GPU section: header, palettes, mip blocks, guard word, zeros up to a multiple of 64 words."""
    channel_count, mip_count = len(spec.channels), len(spec.mips)
    header_words = 11 + mip_count + 2 * channel_count + math.ceil(channel_count / 8)
    mip_offset: list[int] = []
    body: list[int] = []
    palette_offset, palette_bits = 0, 0
    for p, palette in enumerate(spec.palettes):
        palette_offset = header_words
        palette_bits |= _palette_bits(palette) << (4 * p)
        body += _byte_words(palette)
    varying = 0
    for c, (_, _, bits) in enumerate(spec.channels):
        varying |= (bits > 0) << c
    varying = varying if spec.varying is None else spec.varying
    for mip in spec.mips:
        mip_offset.append(header_words + len(body))
        if isinstance(mip, RawMipSpec):
            body += _raw_words(mip)
        elif isinstance(mip, SharedMipSpec):
            shared = 1 << 9
            body += [shared, _f32(mip.filter)]
        else:
            body += _mip_words(spec, mip, mip_offset[-1])
    magic, version, guard = 0x4D545347, 1, 0
    words = header_words + len(body) + 1
    of_mips = [_candidates_max(spec.repeat, mip) for mip in spec.mips if isinstance(mip, MipSpec)]
    candidates_max = max(of_mips, default=0)
    ranges: list[int] = []
    channel_bits = [0] * math.ceil(channel_count / 8)
    for c, (channel_lo, channel_step, bits) in enumerate(spec.channels):
        ranges += [_f32(channel_lo), _f32(channel_step)]
        channel_bits[c // 8] |= bits << (4 * (c % 8))
    header = [
        magic,
        version | header_words << 16,
        spec.width | spec.height << 16,
        channel_count | mip_count << 8 | spec.top_k << 16 | spec.repeat << 24 | spec.bilinear << 25,
        words,
        _f32(spec.amplitude_lo),
        _f32(spec.amplitude_step),
        candidates_max,
        palette_offset,
        spec.srgb | varying << 16,
        palette_bits,
        *mip_offset,
        *ranges,
        *channel_bits,
    ]
    section = [*header, *body, guard]
    return section + [0] * (-len(section) % 64)


def index_words(counts: Sequence[int]) -> list[int]:
    """The cell index of a level: groups, then the prefix blocks of the crowded ones."""
    groups: list[int] = []
    prefix_blocks: list[int] = []
    group_count = len(counts) // 16 + 1
    padded = [*counts, *[0] * (16 * group_count - len(counts))]
    for g in range(group_count):
        base, group = sum(padded[: 16 * g]), padded[16 * g : 16 * g + 16]
        if max(group) > 15:
            groups += [base | 1 << 31, 3 * group_count + len(prefix_blocks), 0]
            prefix = [sum(group[:k]) for k in range(16)]
            prefix_blocks += [prefix[2 * w] | prefix[2 * w + 1] << 16 for w in range(8)]
        else:
            groups += [base, _nibbles(group[:8]), _nibbles(group[8:])]
    return groups + prefix_blocks


def record_stride(spec: MaterialSpec, level: LevelSpec) -> int:
    """The stride of a level: its own, or the smallest multiple of 4 that holds the fields and keeps a
    record's geometry within two words."""
    if level.stride is not None:
        return level.stride
    geometry = sum(_geometry_widths(level))
    stride = max(4, 4 * math.ceil((geometry + sum(_value_widths(spec))) / 4))
    while geometry > 32 + math.gcd(stride, 32):
        stride += 4
    return stride


def _raw_words(mip: RawMipSpec) -> list[int]:
    raw, gaussian_count = 1 << 8, 0
    return [raw, gaussian_count, *_byte_words(mip.texels)]


def _mip_words(spec: MaterialSpec, mip: MipSpec, offset: int) -> list[int]:
    level_count, gaussian_count = len(mip.levels), sum(len(level.gaussians) for level in mip.levels)
    background = [_f32(value) for value in mip.background]
    entries, data = [], []
    index_offset = offset + 2 + len(background) + 7 * level_count
    for level in mip.levels:
        stride = record_stride(spec, level)
        index = [] if level.regular else index_words(_cell_counts(level))
        records = _record_words(spec, level, stride)
        record_offset = index_offset + len(index)
        entries += [
            level.cells_x | level.cells_y << 16,
            index_offset,
            record_offset,
            len(level.gaussians),  # count
            stride
            | level.position_x_bits << 9
            | level.position_y_bits << 13
            | level.rotation_bits << 17
            | level.scale_bits << 21
            | level.amplitude_bits << 25
            | level.regular << 29,
            _f32(level.scale_lo),
            _f32(level.scale_step),
        ]
        data += index + records
        index_offset = record_offset + len(records)
    return [level_count, gaussian_count, *background, *entries, *data]


def _record_words(spec: MaterialSpec, level: LevelSpec, stride: int) -> list[int]:
    """The bit stream of a level's records, as one large integer cut into words."""
    widths = _geometry_widths(level) + _value_widths(spec)
    stream = 0
    for r, gaussian in enumerate(sorted(level.gaussians, key=lambda gaussian: gaussian.cell)):
        codes = [gaussian.position_x, gaussian.position_y, gaussian.rotation, gaussian.scale_u]
        codes += [gaussian.scale_v, gaussian.amplitude, *gaussian.entries, *gaussian.features]
        bit = r * stride
        for code, width in zip(codes, widths, strict=True):
            if not 0 <= code < 1 << width:
                raise ValueError(f"code {code} does not fit in {width} bits")
            stream |= code << bit
            bit += width
    word_count = math.ceil(len(level.gaussians) * stride / 32)
    return [(stream >> (32 * w)) & 0xFFFFFFFF for w in range(word_count)]


def _candidates_max(repeat: bool, mip: MipSpec) -> int:
    """Largest number of candidates, counted in every patch on which no level changes its cell."""
    middles = []
    for axis in ("cells_x", "cells_y"):
        cells = [getattr(level, axis) for level in mip.levels]
        edges = sorted({Fraction(k, n) for n in cells for k in range(n + 1)})
        middles.append([(a + b) / 2 for a, b in pairwise(edges)])
    levels = [(level.cells_x, level.cells_y, _cell_counts(level)) for level in mip.levels]
    columns = [[math.floor(x * cells_x) for cells_x, _, _ in levels] for x in middles[0]]
    rows = [[math.floor(y * cells_y) for _, cells_y, _ in levels] for y in middles[1]]
    largest = 0
    for row in rows:
        for column in columns:
            total = 0
            for (cells_x, cells_y, counts), cell_x, cell_y in zip(levels, column, row, strict=True):
                for y in (cell_y - 1, cell_y, cell_y + 1):
                    for x in (cell_x - 1, cell_x, cell_x + 1):
                        if repeat or (0 <= x < cells_x and 0 <= y < cells_y):
                            total += counts[y % cells_y * cells_x + x % cells_x]
            largest = max(largest, total)
    return largest


def _cell_counts(level: LevelSpec) -> list[int]:
    counts = [0] * (level.cells_x * level.cells_y)
    for gaussian in level.gaussians:
        counts[gaussian.cell] += 1
    return counts


def _geometry_widths(level: LevelSpec) -> list[int]:
    widths = [level.position_x_bits, level.position_y_bits, level.rotation_bits]
    return [*widths, level.scale_bits, level.scale_bits, level.amplitude_bits]


def _value_widths(spec: MaterialSpec) -> list[int]:
    return [_palette_bits(palette) for palette in spec.palettes] + [bits for _, _, bits in spec.channels]


def _palette_bits(palette: Sequence[Sequence[int]]) -> int:
    return round(math.log2(len(palette)))


def _byte_words(rows: Sequence[Sequence[int]]) -> list[int]:
    """Rows of bytes, each filled up with zeros to whole words."""
    words: list[int] = []
    for row in rows:
        padded = bytes(row) + bytes(-len(row) % 4)
        words += struct.unpack(f"<{len(padded) // 4}I", padded)
    return words


def _nibbles(counts: Sequence[int]) -> int:
    return sum(count << (4 * k) for k, count in enumerate(counts))


def _f32(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]
