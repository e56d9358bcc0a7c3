"""Sampling between mips and across footprints, written from docs/format.md, "Sampling", one point at a time.

It imports nothing of gstex; one mip at one point comes from independent_reader. All in float64.
"""

from __future__ import annotations

import math

import numpy as np
from independent_reader import Material, sample


def sample_lod(material: Material, u: float, v: float, lod: float, *, bilinear: bool) -> np.ndarray:
    """The value [C] at one point and level of detail."""
    return _stored(material, _light(material, u, v, lod, bilinear))


def sample_footprint(
    material: Material, u: float, v: float, duv: np.ndarray, *, bilinear: bool
) -> np.ndarray:
    """The value [C] of a pixel; duv: ((du/dx, dv/dx), (du/dy, dv/dy))."""
    lod, taps, step = footprint(material, duv)
    total = np.zeros(material.header["channel_count"])
    for k in range(taps):
        at = u + (k - (taps - 1) / 2) * step[0], v + (k - (taps - 1) / 2) * step[1]
        total += _light(material, *at, lod, bilinear) / taps
    return _stored(material, total)


def footprint(material: Material, duv: np.ndarray) -> tuple[float, int, tuple[float, float]]:
    """(lod, taps, step from tap to tap in u and v) of a pixel."""
    width, height = material.header["width"], material.header["height"]
    ax, ay, bx, by = duv[0][0] * width, duv[0][1] * height, duv[1][0] * width, duv[1][1] * height
    h, q = (ax**2 + bx**2 - ay**2 - by**2) / 2, ax * ay + bx * by
    r = math.sqrt(h**2 + q**2)
    major = math.sqrt((ax**2 + bx**2 + ay**2 + by**2) / 2 + r)
    if major == 0:
        return 0.0, 1, (0.0, 0.0)
    minor = abs(ax * by - ay * bx) / major
    taps = min(max(math.ceil(major / max(minor, 1) - 1 / 64), 1), 8)
    x, y = (h + r, q) if h >= 0 else (q, r - h)
    along = major / taps / (math.hypot(x, y) or 1)
    return math.log2(major / taps), taps, (along * x / width, along * y / height)


def _light(material: Material, u: float, v: float, lod: float, bilinear: bool) -> np.ndarray:
    """Both mips blended; sRGB channels in linear light."""
    lod = min(max(lod, float(material.header["first_mip"])), material.header["mip_count"] - 1.0)
    m = math.floor(lod)
    value = np.zeros(material.header["channel_count"])
    for mip, share in ((m, 1 - (lod - m)), (m + 1, lod - m)):
        if share > 0:
            stored = sample(material, np.array([[u, v]]), mip, bilinear)[0]
            value += share * np.array([_linear(x) if _is_srgb(material, c) else x for c, x in enumerate(stored)])
    return value


def _stored(material: Material, light: np.ndarray) -> np.ndarray:
    return np.array([_encode(y) if _is_srgb(material, c) else y for c, y in enumerate(light)])


def _is_srgb(material: Material, channel: int) -> bool:
    return bool(material.channels[channel].entry["srgb"])


def _linear(x: float) -> float:
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


def _encode(y: float) -> float:
    return 12.92 * y if y <= 0.0031308 else 1.055 * y ** (1 / 2.4) - 0.055
