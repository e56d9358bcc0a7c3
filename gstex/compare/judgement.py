"""Whether a texture is good enough, in sentences: how much detail each map keeps, how far normals lean, what the lit
picture looks like, and how many bits better quality would take. Each sentence names the figure that it follows from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gstex.arrays import BoolArray, FloatArray
from gstex.json_types import JsonView
from gstex.material import Material

__all__ = ["BANDS", "Kept", "judge", "kept_detail", "rate_for"]

BANDS = ("fine", "middle")  # fine: detail inside blocks of 4x4 texels; middle: detail of the block means inside 16x16
_BLOCKS = (4, 16)  # sides
_QUIET = 1.0 / 255  # root mean square of a band: below it the band holds no detail worth judging
_LOST, _SOFT = 0.4, 0.75  # kept share of a band: below the first the detail is lost, below the second it is softened
_FLIP = ((0.03, "is hardly visible"), (0.08, "is visible only side by side"), (1.0, "is visible at once"))
_STEP = 5.0  # dB between the target qualities that sentences name
_BEST = 50.0  # dB: the highest target that sentences name
_FAR = 4.0  # no rate beyond this many times the measured rates is estimated


@dataclass(frozen=True)
class Kept:
    """The detail of one map. energy: by band, the root mean square of the original. kept: by band, 1 minus the ratio of
    the mean squared error to the mean square of the original, clipped to 0..1."""

    energy: dict[str, float]
    kept: dict[str, float]


def kept_detail(stack: FloatArray, material: Material) -> dict[str, Kept]:
    """The detail that each role keeps, over its channels that vary.

    stack: float [H, W, C] encoded as stored. A block with a hidden texel does not count.
    """
    by_role = {}
    for role in dict.fromkeys(c.role for c in material.channels if c.constant is None):
        picked = [i for i, c in enumerate(material.channels) if c.role == role and c.constant is None]
        original = material.pixels[:, :, picked].astype(np.float64)
        error = stack[:, :, picked] - original
        visible = None if material.weights is None else material.weights[:, :, picked].min(axis=2) > 0
        of_original, of_error = _bands(original, visible), _bands(error, visible)
        energy = {band: float(np.sqrt(value)) for band, value in of_original.items()}
        shares = {band: float(np.clip(1 - of_error[band] / max(value, 1e-12), 0, 1))
                for band, value in of_original.items()}  # fmt: skip
        by_role[role] = Kept(energy, shares)
    return by_role


def _bands(values: FloatArray, visible: BoolArray | None) -> dict[str, float]:
    """Mean squares of [H, W, C] by band: of the differences from block means, in whole blocks without hidden texels."""
    by_band, plane, mask = {}, values, np.ones(values.shape[:2], bool) if visible is None else visible
    side = 1
    for band, block in zip(BANDS, _BLOCKS, strict=True):
        step = block // side
        height, width = (n // step * step for n in plane.shape[:2])
        if not height or not width:
            break
        cut = plane[:height, :width].reshape(height // step, step, width // step, step, -1)
        blocks = mask[:height, :width].reshape(height // step, step, width // step, step)
        whole = np.asarray(blocks.all(axis=(1, 3)))
        means = cut.mean(axis=(1, 3))
        squares = ((cut - means[:, None, :, None]) ** 2).mean(axis=(1, 3, 4))
        if not whole.any():
            break
        by_band[band] = float(squares[whole].mean())
        plane, mask, side = means, whole, block
    return by_band


def rate_for(psnr: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Bits per texel for a PSNR in dB, by interpolation of a curve of (bits per texel, PSNR) that is linear in the
    logarithm of the rate; None if the rate is too far from the measured ones."""
    points = sorted(curve)
    if len(points) < 2:
        return None
    for (low, at_low), (high, at_high) in pairwise(points):
        if (at_low <= psnr <= at_high or (high, at_high) == points[-1]) and at_high > at_low:
            octaves = (psnr - at_low) / (at_high - at_low) * np.log2(high / low)
            rate = low * 2.0**octaves
            return float(rate) if points[0][0] / _FAR <= rate <= points[-1][0] * _FAR else None
    return None


def judge(
    details: Mapping[str, Kept], quality: JsonView, bpp: float, curve: Sequence[tuple[float, float]],
    *, drafted: bool = False,
) -> tuple[str, ...]:  # fmt: skip
    """Sentences, the most important first.

    Args:
        details: see `kept_detail`. quality: `Quality.to_json()`. bpp: bits per texel of the file.
        curve: see `rate_for`; one of its points is the file. drafted: the slope of the curve is from fits at effort
            draft, which gain less from more bits than other fits, so that the estimated rate is an upper bound.
    """
    if quality["psnr"] is None:
        return ()
    sentences = []
    for band, what in (("fine", "Fine grain (inside 4x4 texels)"), ("middle", "Detail of 4 to 16 texels")):
        shares = {role: detail.kept[band] for role, detail in details.items() if detail.energy.get(band, 0.0) >= _QUIET}
        lost = {role: share for role, share in shares.items() if share < _LOST}
        soft = {role: share for role, share in shares.items() if _LOST <= share < _SOFT}
        if lost:
            sentences.append(f"{what} of {_listed(lost)} is lost: {_shares(lost)} of it is kept.")
        if soft:
            sentences.append(f"{what} of {_listed(soft)} is softened: {_shares(soft)} of it is kept.")
        if shares and not lost and not soft:
            sentences.append(f"{what} is kept in every map, {min(shares.values()):.0%} of it at least.")
    if quality.get("normal_angle_mean"):
        sentences.append(f"Normals lean by {quality['normal_angle_mean']:.1f} degrees on average, the worst 1 % by "
                         f"more than {quality['normal_angle_p99']:.0f}.")  # fmt: skip
    if quality.get("shaded_flip") is not None:
        flip = quality["shaded_flip"]
        words = next(words for most, words in _FLIP if flip <= most)
        sentences.append(f"Under light the difference {words} (FLIP {flip:.3f}).")
    target = _STEP * (np.floor(quality["psnr"] / _STEP + 0.2) + 1)  # less than 1 dB more is not worth naming
    if target <= _BEST and len(curve) > 1:
        rate = rate_for(target, curve)
        more = f"instead of {bpp:.2g}" + (", judged by quick fits" if drafted else "")
        if rate is not None:
            about = "at most about" if drafted else "about"
            sentences.append(f"{target:.0f} dB would take {about} {rate:.2g} bits per texel {more}.")
        else:
            sentences.append(f"The rate for {target:.0f} dB is too far from the measured ones, up to "
                             f"{max(curve)[0]:.2g} bits per texel, to be estimated.")  # fmt: skip
    return tuple(sentences)


def _listed(names: Mapping[str, float]) -> str:
    """The names as a phrase, the worst first."""
    rows = sorted(names, key=lambda role: names[role])
    return " and ".join([", ".join(rows[:-1]), rows[-1]] if len(rows) > 1 else rows)


def _shares(names: Mapping[str, float]) -> str:
    rows = [f"{share:.0%}" for share in sorted(names.values())]
    return " and ".join([", ".join(rows[:-1]), rows[-1]] if len(rows) > 1 else rows)
