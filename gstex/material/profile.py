"""Colours that are not sRGB: what an image's profile means, and the same colours in sRGB.

A profile is three curves and a matrix, as cameras, displays and editors write them. Profiles that are tables are
refused, as nothing here evaluates them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import F64Array
from gstex.native import maths
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["LINEAR_LIGHT", "Profile", "from_chromaticities", "from_cicp", "from_gamma", "from_icc", "to_srgb"]

_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue, white
_P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
_REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
_D50 = (0.9642, 1.0, 0.8249)  # what ICC profiles are relative to
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SAME = 2.5 / 255  # colours that differ by less, encoded, are the same: profiles of sRGB differ in their last digits
_ENTRIES = 4096  # of a curve as a table
_MOST = 100  # largest number of a matrix; primaries that lie on a line give larger ones, or NaN


@dataclass(frozen=True, eq=False)
class Profile:
    """What stored colours mean.

    name: for people. matrix: float64 [3, 3], linear colours -> linear Rec. 709; None if nothing here can tell.
    curves: float64 [3, n], stored values 0..1 -> linear; None for linear values.
    """

    name: str
    matrix: F64Array | None
    curves: F64Array | None


def to_srgb(colors: F64Array, profile: Profile, *, linear: bool) -> F64Array:
    """Colours of a profile -> sRGB in 0..1, or linear Rec. 709 in any range, of the same shape.

    Args:
        colors: float64 [..., 1 or 3], as stored, of 0..1 if the profile has curves.
        linear: whether to return linear Rec. 709.
    """
    assert profile.matrix is not None
    light = colors
    if profile.curves is not None:
        light = np.stack([_look_up(colors[..., c], profile.curves[c]) for c in range(colors.shape[-1])], axis=-1)
    if colors.shape[-1] == 3:
        light = _times(profile.matrix, light)
    return light if linear else linear_to_srgb(np.clip(light, 0, 1))


def from_gamma(exponent: float | None, chromaticities: Sequence[float]) -> Profile | None:
    """The profile of a power law (None: sRGB's curve) with primaries (empty: those of sRGB); None if it is sRGB."""
    x = np.linspace(0, 1, _ENTRIES)
    curve = srgb_to_linear(x) if exponent is None else maths.power(x, exponent)
    how = "sRGB's curve" if exponent is None else f"gamma {exponent:.4g}"
    return _unless_srgb(Profile(f"{how}, its own primaries" if len(chromaticities) else how,
                                _matrix(chromaticities or _REC709), np.stack([curve] * 3)))  # fmt: skip


def from_chromaticities(values: Sequence[float]) -> Profile | None:
    """Linear colours of primaries (x, y of red, green, blue, white); None if they are those of Rec. 709."""
    if np.abs(np.subtract(values, _REC709)).max() < 0.005:
        return None
    return Profile("its own primaries", _matrix(values), None)


def from_cicp(primaries: int, transfer: int, matrix: int, full: int) -> Profile | None:
    """Code points of ITU-T H.273 in a PNG file; None for sRGB."""
    points = {1: _REC709, 9: _REC2020, 12: _P3}.get(primaries)
    x = np.linspace(0, 1, _ENTRIES)
    curve = {8: x, 13: srgb_to_linear(x)}.get(transfer)
    name = f"code points {primaries}/{transfer}/{matrix}/{full}"
    if points is None or curve is None or matrix != 0 or full != 1:
        return Profile(name, None, None)
    return _unless_srgb(Profile(name, _matrix(points), np.stack([curve] * 3)))


def from_icc(data: bytes, name: str) -> Profile | None:
    """An ICC profile of curves and a matrix, or of a curve for grey; None for sRGB.

    The matrix of the result is None if the profile is of another kind or damaged.
    """
    try:
        tags = _icc_tags(data)
        space = data[16:20]
        if space == b"GRAY":
            return _unless_srgb(Profile(name, np.eye(3), np.stack([_icc_curve(tags[b"kTRC"])] * 3)))
        if space != b"RGB " or data[20:24] != b"XYZ ":
            return Profile(name, None, None)
        columns = [struct.unpack(">3i", tags[k][8:20]) for k in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = np.stack([_icc_curve(tags[k]) for k in (b"rTRC", b"gTRC", b"bTRC")])
    except (KeyError, struct.error, ValueError, IndexError):
        return Profile(name, None, None)
    return _unless_srgb(Profile(name, _times(_from_d50(), np.array(columns) / 65536).T, curves))


def _unless_srgb(profile: Profile) -> Profile | None:
    if profile.matrix is None:
        return profile
    steps = np.linspace(0, 1, 18)
    ramp = np.concatenate([np.outer(steps, row) for row in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.5, 0))])
    return None if np.abs(to_srgb(ramp, profile, linear=False) - ramp).max() < _SAME else profile


def _icc_tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack(">I", data[128:132])
    tags = {}
    for i in range(min(count, 100)):
        kind, offset, size = struct.unpack(">4sII", data[132 + 12 * i : 144 + 12 * i])
        tags[kind] = data[offset : offset + size]
    return tags


def _icc_curve(tag: bytes) -> F64Array:
    """A 'curv' or 'para' element as a table of _ENTRIES, float64 in 0..1."""
    x = np.linspace(0, 1, _ENTRIES)
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        if count == 0:
            return x
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return maths.power(x, float(values[0]) / 256)
        return _look_up(x, values / 65535)
    if tag[:4] != b"para":
        raise ValueError
    (kind,) = struct.unpack(">H", tag[8:10])
    count = (1, 3, 4, 5, 7)[kind]
    values = np.array(struct.unpack(f">{count}i", tag[12 : 12 + 4 * count])) / 65536
    g, a, b, c, d, e, f = {
        1: lambda v: (*v, 1, 0, 0, -1, 0, 0), 3: lambda v: (*v, 0, -v[2] / v[1], 0, 0),
        4: lambda v: (*v[:3], 0, -v[2] / v[1], v[3], v[3]), 5: lambda v: (*v, 0, 0), 7: lambda v: tuple(v),
    }[count](values)  # fmt: skip
    curve = maths.power(np.maximum(a * x + b, 0), float(g)) + e
    return np.clip(np.where(x >= d, curve, c * x + f), 0, 1)


def _matrix(chromaticities: Sequence[float]) -> F64Array | None:
    """Matrix from linear colours of primaries and white (x, y each) to linear Rec. 709, white onto white, or None."""
    with np.errstate(all="ignore"):
        matrix = _times(_from_d50(), _to_d50(chromaticities).T).T
    return matrix if np.abs(matrix).max() < _MOST else None


def _from_d50() -> F64Array:
    return _inverse(_to_d50(_REC709))


def _to_d50(chromaticities: Sequence[float]) -> F64Array:
    x, y = np.array(chromaticities[0::2]), np.array(chromaticities[1::2])
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])  # of red, green, blue and white, [3, 4]
    white = xyz[:, 3]
    to_xyz = xyz[:, :3] * _times(_inverse(xyz[:, :3]), white)
    scale = _times(_BRADFORD, np.array(_D50)) / _times(_BRADFORD, white)
    cones = _times(_BRADFORD, to_xyz.T) * scale  # of red, green and blue, one a row
    return _times(_inverse(_BRADFORD), cones).T


# NumPy's own versions of these three differ in their last bits from one CPU to the next.

def _look_up(values: F64Array, curve: F64Array) -> F64Array:
    """Values 0..1 by a curve [n >= 2] over 0..1, with straight lines between its points."""
    place = np.clip(values, 0, 1) * (len(curve) - 1)
    low = np.minimum(place.astype(np.int64), len(curve) - 2)
    part = place - low
    return np.asarray(curve[low] * (1 - part) + curve[low + 1] * part)


def _times(matrix: F64Array, vectors: F64Array) -> F64Array:
    """The product of a matrix [3, 3] and each of the vectors [..., 3]."""
    x, y, z = (vectors[..., i, None] * matrix[:, i] for i in range(3))
    return np.asarray(x + y + z)


def _inverse(matrix: F64Array) -> F64Array:
    """The inverse of a matrix [3, 3]; not finite if there is none."""
    a, b, c = matrix
    columns = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    return np.asarray(columns / (a * columns[:, 0]).sum())


# Colours of sRGB's primaries without its curve. GPU files state it for data too, where it means nothing.
LINEAR_LIGHT = Profile("linear light", np.eye(3), np.stack([np.linspace(0, 1, _ENTRIES)] * 3))
