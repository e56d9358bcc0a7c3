"""Gaussians that are moved to where they are worth more."""

import numpy as np

from gstex.arrays import F64Array, FloatArray
from gstex.encode.cell_pyramid import CUT
from gstex.encode.initialise import gaussians_at
from gstex.encode.rate_control import RateControl
from gstex.encode.trainer import Trainer
from gstex.native.maths import log

__all__ = ["cover_holes", "relocate"]


def relocate(trainer: Trainer, rate: RateControl, share: float) -> None:
    """Move the Gaussians whose removal costs least to texels drawn by their error.

    The count follows the budget at the same time: the better the fit, the more bits a Gaussian is stored with.
    share: of the Gaussians that are moved.
    """
    trainer.place()
    p = trainer.parameters
    cost, _, error = trainer.removal_cost()
    if not error.any():
        return
    order = np.argsort(cost, kind="stable")
    change = rate.affordable() - len(cost)
    moved = min(round(len(cost) * share), len(cost) + min(change, 0))
    p.keep(np.sort(order[max(0, -change) :]))
    if change < 0:
        order = np.argsort(cost[np.sort(order[-change:])], kind="stable")
    sigma = trainer.settings.relocated_sigma
    geometry, features = gaussians_at(trainer.task.target.image, error, moved + max(0, change), sigma, trainer.rng)
    p.restart(order[:moved], geometry[:moved], features[:moved])
    p.append(geometry[moved:], features[moved:])
    trainer.place()


def cover_holes(trainer: Trainer) -> bool:
    """Cover texels that only the background reaches by new Gaussians, in place of those that are worth least.

    Returns whether there were any such texels that count.
    """
    task, p, pyramid = trainer.task, trainer.parameters, trainer.pyramid
    channels = len(trainer.background)
    nothing, ones = np.zeros((trainer.count, channels), np.float32), np.ones(channels, np.float32)
    share = trainer.engine.render(p.geometry, trainer.engine.array(nothing), ones)[:, :, 0]
    row, column = np.nonzero((share > 0.5) & task.target.importance.any(axis=2))
    if not len(row):
        return False
    # One for every cell of the second level that has such texels, wide enough to reach all of the cell.
    level = min(1, len(pyramid.cells) - 1)
    size = pyramid.cell_size[level]
    cell = (row // size[1]).astype(np.int64) * pyramid.cells[level, 0] + (column // size[0]).astype(np.int64)
    _, group, texels = np.unique(cell, return_inverse=True, return_counts=True)
    chosen = np.argsort(-texels, kind="stable")[: max(1, trainer.count // 4)]

    def mean(values: FloatArray) -> F64Array:
        return (np.bincount(group, weights=values) / texels)[chosen]

    geometry = np.zeros((len(chosen), 6), np.float32)
    geometry[:, 0], geometry[:, 1] = mean(column + 0.5), mean(row + 0.5)
    geometry[:, 3:5] = log(max(0.9 * size.min() / CUT, trainer.settings.sigma_min))
    features = np.stack([mean(plane[row, column]) for plane in task.target.image.transpose(2, 0, 1)], axis=1)

    cost, _, _ = trainer.removal_cost()
    p.keep(np.sort(np.argsort(cost, kind="stable")[len(chosen) :]))
    p.append(geometry, features.astype(np.float32))
    trainer.place()
    return True
