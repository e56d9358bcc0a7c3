"""Explain one texel: the Gaussians that make it and the contribution of each.

docs/format.md, "Decoding a position"."""

from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import F64Array, I64Array
from gstex.constants import BACKGROUND_WEIGHT, FADE_SLOPE
from gstex.view.document import Document
from gstex.view.gaussians import MipGaussians

__all__ = ["Contribution", "Texel", "explain_texel", "texel_facts"]


@dataclass(frozen=True)
class Contribution:
    """A Gaussian in a texel. gaussian: its number. share: its share of the texel, 0..1. level: its grid level."""

    gaussian: int
    share: float
    level: int


@dataclass(frozen=True, eq=False)
class Texel:
    """value: float [C] in 0..1, as stored. candidates: how many there are. strongest: the largest shares first."""

    value: F64Array
    candidates: int
    strongest: tuple[Contribution, ...]


def explain_texel(mip: MipGaussians, column: int, row: int, *, most: int = 5) -> Texel:
    """Explain a texel of a mip in a group. The values of channels of other groups are 0.

    column, row: in texels of the mip shown. most: how many Gaussians `strongest` lists.
    """
    if mip.texels is not None:
        return Texel(np.clip(mip.texels[row, column], 0, 1), 0, ())
    numbers_by_level: list[I64Array] = []
    weights: list[F64Array] = []
    for level in range(len(mip.cells)):
        numbers, weight = _of_level(mip, level, column, row)
        numbers_by_level.append(numbers)
        weights.append(weight)
    numbers = np.concatenate(numbers_by_level) if numbers_by_level else np.empty(0, np.int64)
    weight = np.concatenate(weights) if weights else np.empty(0)
    candidates = len(numbers)
    order = np.lexsort((numbers, -weight))  # equal weights in the order of the file
    if mip.top_k:
        order = order[: mip.top_k]
    numbers, weight = numbers[order], weight[order]
    total = weight.sum() + BACKGROUND_WEIGHT
    value = (weight @ mip.features[numbers] + BACKGROUND_WEIGHT * mip.background) / total
    value = np.clip(value, 0, 1)
    low, middle, high = mip.bend.T
    value = np.clip(value + low * (1 - value) + high * value + 4 * middle * value * (1 - value), 0, 1)
    strongest = tuple(
        Contribution(int(n), float(w / total), int(mip.level[n])) for n, w in zip(numbers[:most], weight, strict=False)
    )
    return Texel(np.clip(value, 0, 1), candidates, strongest)


def texel_facts(document: Document, mip: int, texel: tuple[int, int], group: int | None) -> Texel:
    """Explain a texel of a mip: the values of all channels, and the Gaussians of one group, or none for None."""
    table = document.texture.table
    value = np.array([channel.constant or 0.0 for channel in table.header.channels]).clip(0, 1)
    facts = Texel(value, 0, ())
    for number in range(len(table.groups)):
        mip_of_group = document.gaussians(mip, number)
        explanation = explain_texel(mip_of_group, *texel)
        value[list(mip_of_group.members)] = explanation.value[list(mip_of_group.members)]
        if number == group:
            facts = replace(explanation, value=value)
    return facts


def _of_level(mip: MipGaussians, level: int, column: int, row: int) -> tuple[I64Array, F64Array]:
    """Numbers and weights of the candidates in the 3x3 cells of a level."""
    cells = mip.cells[level]
    at = (2 * np.array([column, row]) + 1) * cells
    twice = 2 * np.array([mip.shown_width, mip.shown_height])
    cell, fraction = at // twice, (at % twice) / twice
    size = np.array([mip.width, mip.height]) / cells
    last = mip.first[level + 1] if level + 1 < len(mip.first) else mip.count
    level_cells = mip.cell[mip.first[level] : last]
    numbers, weights = [np.empty(0, np.int64)], [np.empty(0)]
    for j in (-1, 0, 1):
        for i in (-1, 0, 1):
            x, y = cell[0] + i, cell[1] + j
            if mip.repeat:
                x, y = x % cells[0], y % cells[1]
            elif not (0 <= x < cells[0] and 0 <= y < cells[1]):
                continue
            start, end = np.searchsorted(level_cells, [y * cells[0] + x, y * cells[0] + x + 1])
            picked = np.arange(start, end) + mip.first[level]
            away = fraction - (i, j)
            dx, dy = ((away - mip.inside[picked]) * size).T
            cos, sin = mip.direction[picked].T
            u, v = np.stack([cos * dx + sin * dy, cos * dy - sin * dx]) / mip.sigma[picked].T
            numbers.append(picked)
            weights.append(np.exp(mip.amplitude[picked] - (u * u + v * v) / 2) * np.prod(_fade(away)))
    return np.concatenate(numbers), np.concatenate(weights)


def _fade(distance: F64Array) -> F64Array:
    f = np.clip(FADE_SLOPE * (1.5 - np.abs(distance - 0.5)), 0, 1)
    return f * f * (3 - 2 * f)
