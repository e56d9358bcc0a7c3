"""What is in a normal map: X, Y and the Z that belongs to them, or something else in the place of Z.

Tangent-space normals are stored as X and Y, and Z is rebuilt. That is right only where the file's Z is that one.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, FloatArray
from gstex.native import maths

__all__ = ["NormalReading", "looks_like_normals", "read_normals"]

_TEXELS = 2**18  # to judge by
_FLAT = 2 / 255  # a channel that varies by less is constant, but for compression
# Z agrees with X and Y where it is this near in 95 texels of 100, or where it follows them this well and is not far:
# of 20 normal maps (photographs, scans, sculpts) the farthest have 0.113, and 0.147 with a correlation of 0.81 and 23.6
# dB. Maps of occlusion in the place of Z have 0.18 to 0.6, or 0.55 to 0.73 and 14 to 22 dB. Two smooth ones have 0.10,
# as Z itself can have; so what is dropped is in the table.
_NEAR, _FOLLOWS, _NOT_FAR = 0.115, 0.7, 0.089  # the last as a root mean square: 21 dB
_BELOW = 0.01  # share of vectors that point away from the surface in normals of an object or a world
_CLOSE = 0.03  # a Z that is farther than this in some texels is worth a line


@dataclass(frozen=True)
class NormalReading:
    """Where the parts of a normal are in a file.

    x, y: channels of the file; None if all three are vectors that are no tangent-space normals.
    rebuild_z: the third channel is Z and is not stored. keep_blue: it is something else and is stored.
    note: for the table.
    """

    x: int | None
    y: int | None
    rebuild_z: bool
    keep_blue: bool
    note: str


def read_normals(unit: F32Array) -> NormalReading:
    """Tell how a file of 3 or 4 channels holds normals.

    Args:
        unit: float32 [h, w, 3 or 4] in 0..1; X and Y, usually in red and green, store -1..1 as 0..1.
    """
    texels = unit.reshape(-1, unit.shape[2])
    texels = texels[:: max(1, len(texels) // _TEXELS)].astype(np.float64)
    red, green, blue = (texels[:, c] for c in range(3))
    low, high = texels.min(axis=0), texels.max(axis=0)
    varies = high - low > _FLAT
    if texels.shape[1] == 4 and varies[3] and not varies[0] and (high[0] <= 0.05 or low[0] >= 0.95):
        # The layout that DXT5 was good at: nothing in red, and blue empty or a copy of green.
        if not varies[2] or np.abs(blue - green).max() <= _FLAT:
            return NormalReading(3, 1, False, False, "X in alpha, Y in green (DXT5nm)")
        return NormalReading(3, 1, False, True, "X in alpha, Y in green (DXT5nm); blue kept as a mask")
    if not varies[2] and low[2] < 0.9:
        return NormalReading(0, 1, False, False, "X and Y alone; blue is constant")
    if not varies[2]:
        return NormalReading(0, 1, True, False, "")  # the Z of a flat surface: not made to fit X and Y
    z = _rebuilt(red, green)
    apart = np.abs(z - blue)
    quantile = maths.quantile(apart, 0.95)
    if quantile <= _NEAR or (float(np.sqrt((apart**2).mean())) <= _NOT_FAR and _follows(red, green, z, blue)):
        note = f"95 % of it within {quantile:.2f} of the file's Z" if quantile > _CLOSE else ""
        return NormalReading(0, 1, True, False, note)
    if np.mean(blue < 0.45) > _BELOW and _unit_length(texels[:, :3]):
        return NormalReading(None, None, False, False, "vectors that point all ways (object or world space)")
    return NormalReading(0, 1, False, True, "blue is not the Z of X and Y")


def looks_like_normals(unit: F32Array) -> bool:
    """Whether most colours of a picture [h, w, 3 or 4] in 0..1 are vectors of unit length, or the layout of DXT5."""
    reading = read_normals(unit)
    texels = unit[:, :, :3].reshape(-1, 3)
    texels = texels[:: max(1, len(texels) // _TEXELS)].astype(np.float64)
    return reading.x == 3 or ((reading.x is None or reading.rebuild_z) and _unit_length(texels, 0.2))


def _rebuilt(x: FloatArray, y: FloatArray) -> FloatArray:
    """Z of X and Y, all stored in 0..1."""
    return np.asarray(np.sqrt(np.maximum(1 - (2 * x - 1) ** 2 - (2 * y - 1) ** 2, 0)) * 0.5 + 0.5)


def _follows(x: FloatArray, y: FloatArray, z: FloatArray, blue: FloatArray) -> bool:
    """Whether blue rises and falls with Z, where Z is not steep."""
    inside = (2 * x - 1) ** 2 + (2 * y - 1) ** 2 < 0.9
    a, b = z[inside] - z[inside].mean(), blue[inside] - blue[inside].mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return scale > 0 and float((a * b).sum()) / scale >= _FOLLOWS


def _unit_length(texels: FloatArray, by: float = 0.1) -> bool:
    length = np.sqrt(((2 * texels - 1) ** 2).sum(axis=1))
    return bool(np.mean(np.abs(length - 1) < by) > 0.8)
