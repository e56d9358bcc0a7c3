"""Small materials for the tests of the GLSL decoder, made without a fit or with next to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import independent_reader
import numpy as np
import pytest
from format_builder import Gaussian, LevelSpec, MipSpec, build_words, one_group
from random_material import make_layout, make_material

import gstex
from gstex.encode.settings import EFFORTS
from gstex.format import PackedGroup, PackedRawMip, PackedSharedMip, mip_size, pack
from gstex.texture import Texture

TAIL = 3  # of random_texture
NEAR = 1e-5  # relative difference of two weights that float32 decoders may put in either order


def random_texture(
    channels: int,
    *,
    groups: int = 1,
    top_k: int = 0,
    seed: int = 0,
    palette_bits: Sequence[int] = (),
    own_codes: bool = True,
    constant: Sequence[int] = (),
) -> Texture:
    """Random Gaussians, sharp and blurred ones, with `channels` channels of any width, some of them constant, in levels
    with an index and without.

    The size, mostly odd, the wrap rule, direct or bilinear filtering and the bits follow from `channels`. Mips of the
    first group: one of Gaussians, two that share them, a second of Gaussians, another that shares and a raw one. The
    other groups have other kinds of mips. The tail begins at mip 3; what is shared from there on is raw in the tail.

    groups: channels are dealt out to them at random. palette_bits: of the numbers of entries, for up to four palettes
    of the groups 0 and 2. own_codes: whether channels have codes beside them; with palettes half of those that vary.
    constant: channels that do not vary, others may not either. top_k: of the groups 0 and 2.
    """
    rng = np.random.default_rng([channels, seed])
    width, height = (int(n) for n in rng.integers(32, 60, 2))
    bits = rng.integers(0, 13, channels)
    bits[rng.integers(channels)] = 8
    bits[list(constant)] = 0
    if groups > 1:
        bits[[c for c in range(channels) if c not in constant][:groups]] = 7  # one for each at least
    varying = np.flatnonzero(bits)
    owner = rng.permutation(np.arange(len(varying)) % groups)
    found = []
    for number in range(groups):
        members = varying[owner == number]
        palettes, own = palette_bits if number % 2 == 0 else (), bits[members]
        if palettes:
            own = own * rng.integers(0, 2, len(members)) if own_codes else 0 * own
        found.append({
            "members": members, "channel_bits": own, "palette_bits": palettes, "top_k": top_k * (number % 2 == 0),
            "mips": random_mips(rng, number, stride_for(sum(palettes) + int(own.sum()))),
        })  # fmt: skip
    material = make_material(rng, width=width, height=height, repeat=channels % 2 == 0, bilinear=channels % 3 == 0,
                             groups=found, channels=channels, tail=TAIL)  # fmt: skip
    ready = (in_range(with_tail(rng, group, width, height)) for group in material.groups)
    return Texture(pack(replace(material, groups=tuple(ready))), {})


def random_mips(rng: np.random.Generator, number: int, stride: int) -> list:
    """Six mips of a group as make_group takes them, of other kinds for every number of a group."""
    # More than 15 in a cell of the second group of 16; the row of that cell begins in the first group.
    crowd = np.sort(np.append(rng.integers(0, 20, 40), [17] * 20))
    levels = [
        (make_layout(9, 7, stride, (8, 6, 6, 6, 4), (-2.0, 0.045)), 300),
        (make_layout(7, 5, stride + 12, (5, 0, 0, 4, 6), (-1.5, 0.1), regular=True), 0),
        (make_layout(5, 4, stride + 4, (4, 6, 6, 5, 3), (-4.0, 0.12)), crowd),
        (make_layout(3, 3, stride + 8, (5, 5, 4, 4, 4), (-5.0, 0.2)), 6),
    ]
    counts = np.repeat([1, 5, 6, 10], [40, 16, 1, 15])
    second = [
        (make_layout(6, 5, stride - 24, (0, 0, 0, 0, 9), (-1.0, 0.0), regular=True), 0),
        (make_layout(4, 3, stride, (6, 5, 5, 5, 4), (-3.0, 0.1)), counts),
    ]
    return [
        [levels, 0.6, 1.7, second, 4.5, None],
        [second, None, 0.9, None, second, None],
        [None, levels, None, second, None, second],
        [levels[2:], 2.5, [], 3.0, None, []],
    ][number]


def with_tail(rng: np.random.Generator, group: PackedGroup, width: int, height: int) -> PackedGroup:
    """The group with raw mips in the tail where its own are shared."""
    sizes = [(mip_size(height, m), mip_size(width, m), len(group.members)) for m in range(len(group.mips))]
    stands = (
        PackedRawMip(rng.integers(0, 256, sizes[m], np.uint8)) if isinstance(group.mips[m], PackedSharedMip) else None
        for m in range(TAIL, len(group.mips))
    )
    return replace(group, tail_mips=tuple(stands))


def in_range(group: PackedGroup) -> PackedGroup:
    """The group with ranges by which few of its values are clamped."""
    most = np.maximum(2.0**group.channel_bits - 1 + 255 * len(group.palettes), 1)
    lo = np.full(len(most), -0.02, np.float32)
    return replace(group, channel_lo=lo, channel_step=np.minimum(1.04 / most, 1).astype(np.float32))


def uploaded(tail: Texture) -> np.ndarray:
    """The words of a resident part, as they are uploaded alone."""
    words = tail.words.copy()
    words[3] |= tail.table.header.tail << 26  # first_mip
    return words


def stride_for(bits: int) -> int:
    """Bits of a record with 36 bits of geometry and `bits` others: an odd number of 4s, so that records begin at any of
    the 8 places in a word, and 36 bits are all that may be read from two words."""
    return 4 * (-(-(36 + bits) // 4) | 1)


def tie_texture(top_k: int) -> Texture:
    """3x3 cells that repeat, over as many texels; one Gaussian in each, and all of them weigh the same everywhere."""
    gaussians = [Gaussian(cell, 0, 0, 0, 0, 0, 0, (cell,)) for cell in range(9)]
    level = LevelSpec(3, 3, gaussians, scale_lo=-16.0, scale_step=0.0)  # wide: they weigh the same everywhere
    spec = one_group(3, 3, [(0.0, 1 / 15, 4)], [MipSpec((0.5,), [level])], repeat=True, top_k=top_k)
    return Texture(np.array(build_words(spec), np.uint32), {})


def quick_fit(monkeypatch: pytest.MonkeyPatch, folder: Path, gaussians: int) -> Texture:
    """A folder of maps compressed with a dozen steps: not sharp, but a file of the encoder in every other way."""
    monkeypatch.setitem(EFFORTS, "fast", (12, 1, 0, 0))
    return gstex.compress(folder, effort="fast", gaussians=gaussians)


def material_of(texture: Texture) -> independent_reader.Material:
    """The texture as the second reader sees it."""
    return independent_reader.read_words(texture.words)


def tied_texels(material: independent_reader.Material, mip: int) -> np.ndarray:
    """bool [H, W]: where in some group the K-th and the next weight are so close that rounding decides which counts."""
    width, height = material.size(mip)
    rows, columns = np.divmod(np.arange(width * height), width)
    result = np.zeros(len(rows), bool)
    for group in material.groups:
        axes = independent_reader.texel_axes(group, mip, columns, rows)
        result |= tied(material, group, mip, axes, len(rows))
    return result.reshape(height, width)


def tied_points(material: independent_reader.Material, mip: int, uv: np.ndarray) -> np.ndarray:
    """The same for points inside the texture: bool [M]."""
    result = np.zeros(len(uv), bool)
    for group in material.groups:
        axes = []
        for level in group.mips[mip].levels:
            pair = []
            for axis, name in ((0, "cells_x"), (1, "cells_y")):
                q = uv[:, axis].astype(np.float64) * level.entry[name]
                cell = np.minimum(np.floor(q).astype(np.int64), level.entry[name] - 1)
                pair.append((cell, q - cell))
            axes.append(tuple(pair))
        result |= tied(material, group, mip, axes, len(uv))
    return result


def tied(
    material: independent_reader.Material, group: independent_reader.Group, mip: int, axes: list, count: int
) -> np.ndarray:
    point, _, weight = independent_reader.blend_terms(material, group, mip, axes)
    top_k, result = group.header["top_k"], np.zeros(count, bool)
    for p in range(count):
        heaviest = np.sort(weight[point == p])[::-1]
        if 0 < top_k < len(heaviest):
            last, after = heaviest[top_k - 1 : top_k + 1]
            result[p] = last - after <= NEAR * last
    return result
