"""Pixels of a file as the stack holds them: colours in sRGB without alpha multiplied in, and floats with a range."""

from dataclasses import replace

import numpy as np

from gstex.arrays import AnyArray, FloatArray
from gstex.errors import MaterialError
from gstex.format.ranges import ValueRange
from gstex.material.images import ImageFile
from gstex.material.profile import to_srgb
from gstex.native import maths

__all__ = ["convert_colors", "noted", "premultiply", "range_of", "straighten"]

_OVERSHOOT = 0.02  # how far lossy compression of floats leaves 0..1
_FEW = 0.001  # share of the values of a data map that may be outliers
_DATA = frozenset(("opacity", "roughness", "metallic", "ao", "gloss", "mask"))  # values of 0..1 by what they are
_BOUNDED = _DATA | {"albedo", "color", "specular"}
_LIGHT = frozenset(("albedo", "color", "specular", "emissive"))
_BRIGHT = 4.0  # light up to here has equal steps
_ENOUGH = 2**18  # texels to judge a range by
# OpenEXR colours are taken as multiplied by alpha unless more than this share of the texels that are not opaque is
# brighter than its alpha allows.
_BRIGHTER_SHARE, _BRIGHTER_BY = 0.05, 0.02


def noted(info: ImageFile, *notes: str) -> ImageFile:
    """The file with further notes for the table."""
    return replace(info, stated=replace(info.stated, notes=info.stated.notes + notes))


def straighten(pixels: AnyArray, info: ImageFile, *, is_opacity: bool) -> tuple[AnyArray, ImageFile]:
    """Take the alpha out of colours that are multiplied by it.

    Args:
        pixels: [h, w, C] as `read_pixels` gives them. is_opacity: colours of this file are hidden by its alpha.
    Returns:
        (pixels, file). `file.associated` says whether its colours were multiplied; they are again in the output.
    """
    associated = info.stated.associated
    if associated is None:
        associated = is_opacity and _is_multiplied(pixels)
        if is_opacity and pixels[:, :, -1].min() < 1 and not associated:
            info = noted(info, "straight alpha, by its values")
    if not associated or not pixels[:, :, -1].any():
        return pixels, info
    info = noted(replace(info, associated=True), "colours were multiplied by alpha")
    return divide_by_alpha(pixels), info


def divide_by_alpha(pixels: AnyArray) -> AnyArray:
    """Divide colours [h, w, C] of any type by the alpha in the last channel; 0 where it is 0."""
    alpha = pixels[:, :, -1:].astype(np.float64)
    colors = pixels[:, :, :-1].astype(np.float64)
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    straight = np.divide(colors * top, alpha, out=np.zeros_like(colors), where=alpha > 0)
    if pixels.dtype.kind != "f":
        straight = np.rint(np.minimum(straight, top))
    return np.concatenate([straight.astype(pixels.dtype), pixels[:, :, -1:]], axis=2)


def premultiply(pixels: AnyArray) -> AnyArray:
    """The inverse of `divide_by_alpha`."""
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    colors = pixels[:, :, :-1].astype(np.float64) * pixels[:, :, -1:] / top
    if pixels.dtype.kind != "f":
        colors = np.rint(colors)
    return np.concatenate([colors.astype(pixels.dtype), pixels[:, :, -1:]], axis=2)


def _is_multiplied(pixels: FloatArray) -> bool:
    alpha = pixels[:, :, -1]
    soft = (alpha < 1 - _BRIGHTER_BY) & (alpha >= 0)
    if not soft.any():
        return False
    brighter = pixels[:, :, :-1].max(axis=2)[soft] > alpha[soft] + _BRIGHTER_BY
    return float(brighter.mean()) <= _BRIGHTER_SHARE


def convert_colors(pixels: AnyArray, info: ImageFile) -> AnyArray:
    """Colours [h, w, C] of the file's profile -> sRGB, or linear Rec. 709 in float files, in the type of the pixels.

    Raises:
        MaterialError: gstex cannot evaluate the profile.
    """
    profile = info.stated.profile
    if profile is None:
        return pixels
    curves = profile.curves
    bent = curves is not None and bool(np.abs(curves - np.linspace(0, 1, curves.shape[1])).max() > 1e-3)
    if profile.matrix is None or (info.is_float and bent):
        raise MaterialError(f"{info.file}: its colours are stated as {profile.name!r}; allowed are sRGB and "
                            "profiles of a matrix and curves (linear ones for floats): convert it to sRGB, or take a "
                            "wrong profile out, and export it again")  # fmt: skip
    if info.colors not in (1, 3):
        return pixels
    colors = pixels[:, :, : info.colors].astype(np.float64)
    if info.is_float:
        changed = to_srgb(colors, replace(profile, curves=None), linear=True)
    else:
        top = float(np.iinfo(pixels.dtype).max)
        changed = np.rint(to_srgb(colors / top, profile, linear=False) * top)
    return np.concatenate([changed.astype(pixels.dtype), pixels[:, :, info.colors :]], axis=2)


def range_of(pixels: FloatArray, role: str = "") -> ValueRange:
    """What 0..1 is to stand for in the channels of a role of a float image.

    Values inside 0..1 keep that range, and so do colours and data that leave it no farther than lossy compression does;
    one value of data in a thousand may be anywhere. A normal map is in 0..1 or -1..1, whichever makes its vectors of
    unit length. Light that is far brighter in places takes a curve. Any other map takes its own extremes.

    Args:
        pixels: float [..., C], the channels.
    Raises:
        MaterialError: most normals are in neither range; the text lacks the name of the file.
    """
    if role == "normal":
        return ValueRange.between(*_normal_range(pixels.reshape(-1, pixels.shape[-1])))
    lo, hi = float(pixels.min()), float(pixels.max())
    slack = _OVERSHOOT if role in _BOUNDED else 0.0
    if lo >= -slack and hi <= 1 + slack:
        return ValueRange()
    if role in _DATA:
        outside = np.mean((pixels < -_OVERSHOOT) | (pixels > 1 + _OVERSHOOT))
        if outside <= _FEW:
            return ValueRange()
    if role in _LIGHT and lo >= -_OVERSHOOT and hi > _BRIGHT:
        lit = pixels[pixels > 0]
        return ValueRange.of_light(hi, maths.quantile(lit[:: max(1, lit.size // _ENOUGH)], 0.5))
    return ValueRange.between(lo, hi if hi > lo else lo + 1.0)


def _normal_range(vectors: FloatArray) -> tuple[float, float]:
    vectors = vectors[:: max(1, len(vectors) // _ENOUGH), :3].astype(np.float64)
    if np.mean(np.abs(vectors) > 1 + _OVERSHOOT) > 0.01:
        raise MaterialError(f"normals of {vectors.min():.4g} .. {vectors.max():.4g}, expected 0..1 or -1..1")
    signed = bool(np.mean((vectors[:, :2] < -_OVERSHOOT).any(axis=1)) > _FEW)
    if not signed and vectors.shape[1] == 3:
        lengths = [np.median(np.abs(np.sqrt((v**2).sum(axis=1)) - 1)) for v in (2 * vectors - 1, vectors)]
        signed = bool(lengths[1] < min(0.1, lengths[0]))
    elif not signed:  # X and Y are 0 on average, whatever stands for 0
        middle = np.median(vectors, axis=0)
        signed = bool(np.abs(middle).sum() < np.abs(middle - 0.5).sum())
    return (-1.0, 1.0) if signed else (0.0, 1.0)
