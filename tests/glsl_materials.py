"""Small materials for the tests of the GLSL decoder, made without a fit or with next to none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import independent_reader
import numpy as np
import pytest
from format_builder import build_file
from random_material import make_layout, make_material

import gstex
from gstex.fit.settings import EFFORTS
from gstex.format import pack
from gstex.texture import Texture

NEAR = 1e-5  # relative difference of two weights that float32 decoders may put in either order


def random_texture(channels: int, *, top_k: int = 0, seed: int = 0) -> Texture:
    """Random Gaussians, sharp and blurred ones, with `channels` channels of any width, some of them constant.

    The size, mostly odd, the wrap rule, direct or bilinear filtering and the bits follow from `channels`. Mips: one
    of Gaussians, two that share them, a second of Gaussians, and raw ones.
    """
    rng = np.random.default_rng([channels, seed])
    width, height = (int(n) for n in rng.integers(32, 60, 2))
    bits = rng.integers(0, 13, channels)
    bits[rng.integers(channels)] = 8
    levels = [
        (make_layout(9, 7, stride_for(bits), (6, 5, 5, 5, 4), (-2.0, 0.09)), 300),
        (make_layout(5, 4, stride_for(bits) + 8, (4, 6, 6, 5, 3), (-4.0, 0.12)), 40),
        (make_layout(3, 3, stride_for(bits), (5, 5, 4, 4, 4), (-5.0, 0.2)), 6),
    ]
    crowd = np.repeat([1, 5, 6, 10], [40, 16, 1, 15])  # cells of a level that has counts above 15
    second = [(make_layout(4, 3, stride_for(bits), (6, 5, 5, 5, 4), (-3.0, 0.1)), crowd)]
    material = make_material(
        rng, width=width, height=height, repeat=channels % 2 == 0, bilinear=channels % 3 == 0, top_k=top_k,
        channel_bits=bits, mips=[levels, 0.6, 1.7, second, None, None],
    )  # fmt: skip
    lo = np.where(bits == 0, rng.uniform(0, 1, channels), -0.02).astype(np.float32)
    step = np.minimum(1.04 / np.maximum(2.0**bits - 1, 1), 1).astype(np.float32)
    mips = tuple(
        replace(mip, background=np.where(bits == 0, lo, mip.background)) if hasattr(mip, "background") else mip
        for mip in material.mips
    )
    return Texture(pack(replace(material, channel_lo=lo, channel_step=step, mips=mips)), {})


def stride_for(bits: np.ndarray) -> int:
    """Bits of a record with 30 bits of geometry: never whole words, so that records begin anywhere in one."""
    stride = 8 * -(-(30 + int(bits.sum())) // 8)
    return stride + 8 if stride % 32 == 0 else stride


def quick_fit(monkeypatch: pytest.MonkeyPatch, folder: Path, gaussians: int) -> Texture:
    """A folder of maps compressed with a dozen steps: not sharp, but a file of the encoder in every other way."""
    monkeypatch.setitem(EFFORTS, "fast", (12, 1, 0))
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
