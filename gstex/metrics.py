"""Quality in numbers. float64 throughout; every metric says over which values and with which peak.

The words are those of the command line: `psnr` is measured at texel centres, `psnr_sampled` between them.
"""

from collections.abc import Sequence

import numpy as np

from .filtering import bilinear

__all__ = ["filtered", "mse", "psnr", "psnr_by_map", "sample_points", "to_psnr"]


def mse(image: np.ndarray, reference: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Weighted mean of squared differences over all texels and channels.

    image, reference, weights: float [..., C] of the same shape; weights None means all ones.
    Returns 0.0 where the weights leave nothing to compare.
    """
    squared = (image.astype(np.float64) - reference.astype(np.float64)) ** 2
    if weights is None:
        return float(squared.mean()) if squared.size else 0.0
    total = weights.sum(dtype=np.float64)
    return float((squared * weights).sum() / total) if total > 0 else 0.0


def to_psnr(error: float) -> float:
    """10 log10(1 / mse) in dB for values in 0..1; infinite for a perfect match."""
    return float("inf") if error <= 0 else float(-10 * np.log10(error))


def psnr(image: np.ndarray, reference: np.ndarray, weights: np.ndarray | None = None) -> float:
    """PSNR in dB, peak 1, over all given channels together. Arguments as for `mse`."""
    return to_psnr(mse(image, reference, weights))


def psnr_by_map(
    image: np.ndarray, reference: np.ndarray, roles: Sequence[str], weights: np.ndarray | None = None
) -> dict[str, float]:
    """PSNR in dB of the channels of each role. roles: one per channel."""
    result = {}
    for role in dict.fromkeys(roles):
        pick = [c for c, r in enumerate(roles) if r == role]
        part = None if weights is None else weights[..., pick]
        result[role] = psnr(image[..., pick], reference[..., pick], part)
    return result


def sample_points(count: int = 2**18, seed: int = 0) -> np.ndarray:
    """The uv [count, 2] (float32, 0..1) at which `psnr_sampled` is measured."""
    return np.random.default_rng(seed).random((count, 2), np.float32)


def filtered(image: np.ndarray, uv: np.ndarray, *, repeat: bool) -> np.ndarray:
    """What bilinear filtering of `image` gives at uv, in float64: the reference of `psnr_sampled`."""
    return bilinear(image.astype(np.float64), uv.astype(np.float64), repeat=repeat)
