"""Materials for the tests of the format: golden ones, more extreme ones, and pieces to make others of."""

from __future__ import annotations

import math
import random
from functools import cache
from typing import Any

import numpy as np
from format_builder import Gaussian, LevelSpec, MaterialSpec, MipSpec, build
from make_golden import GOLDEN, random_level

ONE = ((0.0, 1 / 15, 4),)  # one channel, codes 0 .. 15 for 0 .. 1
BACKGROUND = math.exp(-20)  # its weight
# Scales for a standard deviation of 65536 texels: the weight is e^amplitude, times the fade.
WIDE: dict[str, Any] = {"scale_lo": -16.0, "scale_step": 0.0}


def material(width: int, height: int, *levels: LevelSpec, channels=ONE, **options) -> MaterialSpec:
    background = [lo if bits == 0 else 0.25 for lo, _, bits in channels]
    return MaterialSpec(width, height, channels, (MipSpec(background, levels),), **options)


def wide(cell: int, feature: int, amplitude: int = 0) -> Gaussian:
    return Gaussian(cell, 0, 0, 0, 0, 0, amplitude, (feature,))


def random_specs() -> dict[str, MaterialSpec]:
    """Golden specs and more extreme ones."""
    rng, rgb = random.Random(5), ((0.0, 1 / 255, 8), (0.5, 0.0, 0), (-1.0, 0.75, 2))
    long: dict[str, Any] = {
        "position_x_bits": 15,
        "position_y_bits": 15,
        "rotation_bits": 12,
        "scale_bits": 5,
    }
    specs = {name: spec() for name, spec in GOLDEN.items()}
    specs["geometry of 64 bits"] = material(
        11, 6, random_level(rng, (11, 6), (3, 3), (1, 0, 2), rgb, amplitude_bits=12, stride=96, **long),
        channels=rgb, repeat=True, amplitude_lo=-2.0, amplitude_step=1 / 1024,
    )  # fmt: skip
    specs["more cells than texels"] = material(
        2, 3, random_level(rng, (2, 3), (7, 5), (1, 2), rgb, scale_bits=12),
        channels=rgb, amplitude_lo=-2.0, bilinear=True,
    )  # fmt: skip
    specs["one texel"] = material(1, 1, random_level(rng, (1, 1), (3, 4), (1,), ONE), repeat=True)
    specs["only constants"] = material(
        4, 4, random_level(rng, (4, 4), (1, 2), (1,), [(0.5, 0, 0)]), channels=[(0.5, 0.0, 0)], top_k=32
    )
    specs["many levels"] = material(
        16, 12, *[random_level(rng, (16, 12), (n, n), (1, 0), rgb) for n in range(18, 2, -1)], channels=rgb
    )
    return specs


SPECS = random_specs()


@cache
def built(name: str) -> bytes:
    return build(SPECS[name])


def tie_across_the_border() -> tuple[bytes, np.ndarray]:
    """A file with K = 1 and its first three columns [3], the same in every row.

    In column 1 two Gaussians weigh the same; that of cell 2 is read first, through the left border, at
    x = 9 - 1, but that of cell 1 stands earlier in the file. Their standard deviation of 4 texels keeps the
    background's share below 1e-7 in every row.
    """
    bits: dict[str, Any] = {"position_x_bits": 1, "position_y_bits": 1, "rotation_bits": 4, "scale_lo": -2.0}
    gaussians = [Gaussian(1, 0, 0, 8, 0, 0, 0, (3,)), Gaussian(2, 1, 0, 8, 0, 0, 0, (12,))]
    spec = material(9, 9, LevelSpec(3, 3, gaussians, **bits), repeat=True, top_k=1)
    return build(spec), np.array([12, 3, 3]) / 15
