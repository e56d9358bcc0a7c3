"""Small materials for the tests of the GLSL decoder, made without a fit or with next to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import independent_reader
import numpy as np
import pytest
from format_builder import Gaussian, LevelSpec, MaterialSpec, MipSpec, build_file, build_words
from random_material import make_layout, make_material

import gstex
from gstex.encode.settings import EFFORTS
from gstex.format import pack
from gstex.texture import Texture

NEAR = 1e-5  # relative difference of two weights that float32 decoders may put in either order


def random_texture(
    channels: int,
    *,
    top_k: int = 0,
    seed: int = 0,
    palette_bits: Sequence[int] = (),
    own_codes: bool = True,
    constant: Sequence[int] = (),
) -> Texture:
    """Random Gaussians, sharp and blurred ones, with `channels` channels of any width, some of them constant, in levels
    with an index and without.

    The size, mostly odd, the wrap rule, direct or bilinear filtering and the bits follow from `channels`. Mips: one
    of Gaussians, two that share them, a second of Gaussians, and raw ones.

    palette_bits: of the numbers of entries, for up to four palettes. own_codes: whether channels have codes beside
    them; with palettes half of those that vary. constant: channels that do not vary, others may not either.
    """
    rng = np.random.default_rng([channels, seed])
    width, height = (int(n) for n in rng.integers(32, 60, 2))
    bits = rng.integers(0, 13, channels)
    bits[rng.integers(channels)] = 8
    bits[list(constant)] = 0
    varying = bits > 0
    if palette_bits:
        bits = bits * rng.integers(0, 2, channels) if own_codes else 0 * bits
    stride = stride_for(sum(palette_bits) + int(bits.sum()))
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
    material = make_material(
        rng, width=width, height=height, repeat=channels % 2 == 0, bilinear=channels % 3 == 0, top_k=top_k,
        channel_bits=bits, varying=varying, palette_bits=palette_bits, mips=[levels, 0.6, 1.7, second, None, None],
    )  # fmt: skip
    lo = np.where(varying, -0.02, rng.uniform(0, 1, channels)).astype(np.float32)
    most = np.maximum(2.0**bits - 1 + 255 * len(palette_bits), 1)
    step = np.minimum(1.04 / most, 1).astype(np.float32)
    mips = tuple(
        replace(mip, background=np.where(varying, mip.background, lo)) if hasattr(mip, "background") else mip
        for mip in material.mips
    )
    return Texture(pack(replace(material, channel_lo=lo, channel_step=step, mips=mips)), {})


def stride_for(bits: int) -> int:
    """Bits of a record with 36 bits of geometry and `bits` others: an odd number of 4s, so that records begin at any of
    the 8 places in a word, and 36 bits are all that may be read from two words."""
    return 4 * (-(-(36 + bits) // 4) | 1)


def tie_texture(top_k: int) -> Texture:
    """3x3 cells that repeat, over as many texels; one Gaussian in each, and all of them weigh the same everywhere."""
    gaussians = [Gaussian(cell, 0, 0, 0, 0, 0, 0, (cell,)) for cell in range(9)]
    level = LevelSpec(3, 3, gaussians, scale_lo=-16.0, scale_step=0.0)  # wide: they weigh the same everywhere
    spec = MaterialSpec(3, 3, [(0.0, 1 / 15, 4)], [MipSpec((0.5,), [level])], repeat=True, top_k=top_k)
    return Texture(np.array(build_words(spec), np.uint32), {})


def quick_fit(monkeypatch: pytest.MonkeyPatch, folder: Path, gaussians: int) -> Texture:
    """A folder of maps compressed with a dozen steps: not sharp, but a file of the encoder in every other way."""
    monkeypatch.setitem(EFFORTS, "fast", (12, 1, 0, 0))
    return gstex.compress(folder, effort="fast", gaussians=gaussians)


def material_of(texture: Texture) -> independent_reader.Material:
    """The texture as the second reader sees it."""
    return independent_reader.read(build_file([int(word) for word in texture.words], b"{}"))


def tied_texels(material: independent_reader.Material, mip: int) -> np.ndarray:
    """bool [H, W]: where the K-th and the next weight are so close that rounding decides which of them counts."""
    size = material.mips[mip]
    rows, columns = np.divmod(np.arange(size.width * size.height), size.width)
    axes = independent_reader.texel_axes(material, mip, columns, rows)
    return tied(material, mip, axes, len(rows)).reshape(size.height, size.width)


def tied_points(material: independent_reader.Material, mip: int, uv: np.ndarray) -> np.ndarray:
    """The same for points inside the texture: bool [M]."""
    size, axes = material.mips[mip], []
    for level in size.levels:
        pair = []
        for axis, name in ((0, "cells_x"), (1, "cells_y")):
            q = uv[:, axis].astype(np.float64) * level.entry[name]
            cell = np.minimum(np.floor(q).astype(np.int64), level.entry[name] - 1)
            pair.append((cell, q - cell))
        axes.append(tuple(pair))
    return tied(material, mip, axes, len(uv))


def tied(material: independent_reader.Material, mip: int, axes: list, count: int) -> np.ndarray:
    point, _, weight = independent_reader.blend_terms(material, mip, axes)
    top_k, result = material.header["top_k"], np.zeros(count, bool)
    for p in range(count):
        heaviest = np.sort(weight[point == p])[::-1]
        if 0 < top_k < len(heaviest):
            last, after = heaviest[top_k - 1 : top_k + 1]
            result[p] = last - after <= NEAR * last
    return result
