"""How far a stack is from the reference: what the panel says as PSNR, and what the view of differences shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gstex import metrics
from gstex.view.maps import ShownMap, shown

__all__ = ["MOST_ANGLE", "MOST_GAIN", "Errors", "chosen_gain", "measure_errors", "shown_error"]

MOST_GAIN = 256.0
MOST_ANGLE = 90.0  # degrees between normals that are an error of 1
_QUANTILE = 0.99  # of the errors of a map that a gain leaves in its range


@dataclass(frozen=True)
class Errors:
    """Of mip 0 against the reference. Colour under zero opacity is left out.

    squared: by channel the sum of squared errors. texels: by channel how many count. high: by map, in the order of
    `maps.list_maps`, what 99 % of `shown_error` are below.
    """

    squared: tuple[float, ...]
    texels: tuple[float, ...]
    high: tuple[float, ...]

    def psnr(self, channels: Iterable[int]) -> float | None:
        """Of these channels together, in dB; None for a perfect match."""
        picked = list(channels)
        error, count = (sum(row[c] for c in picked) for row in (self.squared, self.texels))
        return metrics.to_psnr(error / count) if error > 0 else None


def measure_errors(
    stack: np.ndarray, reference: np.ndarray, weights: np.ndarray | None, maps: Sequence[ShownMap]
) -> Errors:
    """stack, reference: float [H, W, C] encoded as stored. weights: see `Material.weights`."""
    squared, texels, high = [], [], []
    for c in range(reference.shape[2]):
        own = None if weights is None else np.ascontiguousarray(weights[:, :, c : c + 1])
        count = float(own.sum()) if own is not None else float(stack.shape[0] * stack.shape[1])
        squared.append(metrics.mse(stack[:, :, c : c + 1], reference[:, :, c : c + 1], own) * count)
        texels.append(count)
    for one in maps:
        sizes = shown_error(stack, reference, one)
        if weights is not None:
            sizes = sizes[weights[:, :, one.channels[0]] > 0]
        high.append(float(np.quantile(sizes, _QUANTILE)) if sizes.size else 0.0)
    return Errors(tuple(squared), tuple(texels), tuple(high))


def shown_error(stack: np.ndarray, reference: np.ndarray, one: ShownMap) -> np.ndarray:
    """float32 [...]: the size of the difference of two stacks [..., C] in a map, 1 being the most of a channel, or
    `MOST_ANGLE` between normals; as `error_size` of shaders/view/look.glsl."""
    a, b = shown(stack, one), shown(reference, one)
    if one.look != "normal":
        return np.abs(a - b).max(axis=-1)
    a, b = 2 * a - 1, 2 * b - 1
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1))
    return np.minimum(np.degrees(angle) / MOST_ANGLE, 1).astype(np.float32)


def chosen_gain(gain: float | None, errors: Iterable[Errors], number: int) -> float:
    """The gain of differences in a map: the one given, or the largest power of two that leaves 99 % of the errors of
    all of these in range."""
    if gain is not None:
        return gain
    high = max((one.high[number] for one in errors), default=1 / 8)
    chosen = MOST_GAIN
    while chosen > 1 and chosen * high > 1:
        chosen /= 2
    return chosen
