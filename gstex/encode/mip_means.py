"""The mean of a mip that has Gaussians of its own: a far surface must not change its colour from one mip to the next.

Such a mip has few Gaussians, whose values are entries of codebooks that suit mip 0. So its mean is off by some codes.
"""

from collections.abc import Callable

import numpy as np

from gstex.arrays import EngineArray, F32Array, F64Array, FloatArray
from gstex.encode.engine import EngineFeatures
from gstex.encode.problem import Task
from gstex.encode.trainer import Trainer
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["keep_mean", "mean_of", "seen_mean"]

# Most rounds of choosing values anew, and how much a mean may lack without another round.
ROUNDS, ENOUGH = 16, 0.25 / 255


def seen_mean(values: FloatArray, importance: FloatArray, *, light: bool) -> float:
    """The mean of values as seen from afar, stored: for sRGB it is that of light.

    values: of a channel. importance: what each counts; all alike if that is 0 everywhere. light: whether they are sRGB.
    """
    values, importance = (np.asarray(a, np.float64) for a in (np.clip(values, 0, 1), importance))
    whole = float(importance.sum())
    shown = srgb_to_linear(values) if light else values
    mean = float((shown * importance).sum() / whole if whole > 0 else shown.mean())
    return float(linear_to_srgb(np.array([mean]))[0]) if light else mean


def mean_of(task: Task, picture: F32Array) -> F64Array:
    """The mean of every channel of a picture float32 [H, W, C] where the target of a task is seen, float64 [C]."""
    target = task.target
    srgb = np.zeros(target.channels, bool) if task.srgb is None else task.srgb
    return np.array([
        seen_mean(picture[:, :, c], target.seen(c), light=bool(srgb[c])) for c in range(target.channels)
    ])  # fmt: skip


def keep_mean(trainer: Trainer, geometry: Callable[[], EngineArray], stored: EngineFeatures) -> None:
    """Choose entries and codes whose picture has the mean of the target in every channel, in place.

    Each round chooses them for a target that is shifted by what the mean has lacked so far. The round that lacks least
    is kept.

    geometry: gives the decoded geometry. stored: the features as they are stored.
    """
    task = trainer.task
    target_mean = mean_of(task, task.target.image)
    shift = np.zeros(task.target.channels)
    best: tuple[float, EngineArray, EngineArray] | None = None
    for _ in range(ROUNDS):
        picture = trainer.engine.render(geometry(), stored.values(), trainer.background)
        lacking = np.where(task.target.sums > 0, target_mean - mean_of(task, picture), 0.0)
        most = float(np.abs(lacking).max())
        if best is None or most < best[0]:
            best = most, stored.entries.copy(), stored.codes.copy()
        if most <= ENOUGH:
            break
        shift += lacking
        points, blend = trainer.points(geometry, stored)
        trainer.engine.refine_features(points.shifted(shift), blend(), stored, codebooks_too=False)
    if best is not None:
        stored.entries[...], stored.codes[...] = best[1:]
