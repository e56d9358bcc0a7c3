"""What a fit is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from gstex.arrays import BoolArray, F32Array, F64Array, I32Array, IntArray
from gstex.encode.quantisation import Coding

__all__ = ["BudgetTooSmall", "Result", "Target", "Task", "planes_of", "weighted_sum"]

_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class Target:
    """The picture that a mip should show, and how much its squared error counts at every texel.

    image: float32 [H, W, C], the channels that vary. importance: float32 [H, W, P], planes, each of one channel or of
    several. plane: int32 [C], the plane of every channel. visible: float32 [H, W, C], 0 where a value is hidden, though
    its error may count near what is visible, and 1 elsewhere; None if nothing is hidden.
    """

    image: F32Array
    importance: F32Array
    plane: I32Array
    visible: F32Array | None = None

    @staticmethod
    def of(image: F32Array, importance: F32Array) -> Target:
        """importance: float32 [H, W, C]; channels in which it is the same get one plane."""
        plane, firsts = planes_of([importance])
        return Target(image, np.ascontiguousarray(importance[:, :, firsts]), plane)

    @property
    def channels(self) -> int:
        """C."""
        return self.image.shape[2]

    def seen(self, channel: int) -> F32Array:
        """What the values of a channel count in its mean, float32 [H, W]."""
        importance = self.importance[:, :, self.plane[channel]]
        return importance if self.visible is None else importance * self.visible[:, :, channel]

    @cached_property
    def sums(self) -> F64Array:
        """The sum of every channel's importance over the texels, float64 [C]."""
        return self.importance.sum(axis=(0, 1), dtype=np.float64)[self.plane]

    @cached_property
    def _kept(self) -> dict[Hashable, Any]:
        return {}

    def kept(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """What `make` returns for this target. It is made once for each key, and must not be changed."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def weighted(self, weight: F32Array) -> F32Array:
        """The importance of every channel times its weight [C], float32 [H, W, C]."""
        return self.importance.take(self.plane, axis=2) * weight.astype(np.float32)


def weighted_sum(target: Target, weight: F32Array) -> float:
    """The sum of importance times weight [C] over texels and channels; 1 if it is 0."""
    return float((target.sums * weight).sum()) or 1.0


def planes_of(mips: Sequence[F32Array]) -> tuple[I32Array, list[int]]:
    """Which channels have the same importance in all mips, each float32 [H, W, C].

    Returns (int32 [C], the plane of every channel; the first channel of every plane).
    """
    firsts: list[int] = []
    plane = []
    for c in range(mips[0].shape[2]):
        same = [n for n, first in enumerate(firsts) if all(np.array_equal(m[:, :, c], m[:, :, first]) for m in mips)]
        if not same:
            same = [len(firsts)]
            firsts.append(c)
        plane.append(same[0])
    return np.array(plane, np.int32), firsts


@dataclass(frozen=True)
class Task:
    """What to fit.

    target: of the mip.
    ranges: for every channel the lowest and highest value, within 0..1, of all mips.
    neutral: for every channel the values that must decode exactly.
    repeat: wrap rule.
    budget_words: most words of the mip. count: Gaussians, instead of the budget; None to follow it.
    weight: float32 [C], what the squared error of a channel counts, apart from where; None for all the same.
    maps: int [C], the number of each channel's map, so that no map is left behind; None to take weights as given.
    asked: float [C], the weight that the user gives to each channel's map; `weight` includes it. None for all the same.
    above: the fit of the mip above, to start from; its coding of channels and amplitudes is kept.
    srgb: bool [C], whether a channel is stored as sRGB, so that its mean is one of light; None for no channel.
    shared: targets of mips 1, 2 .. that are drawn with the Gaussians of this one, with the same planes.
    """

    target: Target
    ranges: list[tuple[float, float]]
    neutral: list[tuple[float, ...]]
    repeat: bool
    budget_words: int
    count: int | None = None
    above: Result | None = None
    weight: F32Array | None = None
    maps: IntArray | None = None
    asked: F64Array | None = None
    srgb: BoolArray | None = None
    shared: tuple[Target, ...] = ()

    def part(self, channels: Sequence[int]) -> Task:
        """The task of some of the channels, with the same ratios of their weights."""
        columns, target = list(channels), self.target
        if columns == list(range(target.channels)):
            return self
        planes = target.plane[columns]
        used_planes = np.unique(planes)
        weight = self.weights[columns]
        return replace(
            self,
            target=Target(np.ascontiguousarray(target.image[:, :, columns]),
                          np.ascontiguousarray(target.importance[:, :, used_planes]),
                          np.searchsorted(used_planes, planes).astype(np.int32),
                          None if target.visible is None else target.visible[:, :, columns]),
            ranges=[self.ranges[c] for c in columns],
            neutral=[self.neutral[c] for c in columns],
            weight=(weight * (len(columns) / max(float(weight.sum()), 1e-9))).astype(np.float32),
            maps=None if self.maps is None else np.unique(self.maps[columns], return_inverse=True)[1],
            asked=None if self.asked is None else self.asked[columns],
            srgb=None if self.srgb is None else self.srgb[columns],
        )  # fmt: skip

    @property
    def weights(self) -> F32Array:
        """`weight`, or 1 for every channel: float32 [C]."""
        return np.ones(self.target.channels, np.float32) if self.weight is None else self.weight


@dataclass(frozen=True)
class Result:
    """Codes of a fitted mip, in no particular order; see Quantiser for their meaning.

    placement: int32 [N, 3]. geometry: uint32 [N, 6]. entries: uint32 [N, P]. features: uint32 [N, C].
    background: float32 [C], values.
    words: of the mip in the file, and of the palettes with mip 0. mse: of the last steps, values 0..1.
    error: the weighted squared error of what is stored, at the texel centres.
    """

    coding: Coding
    placement: np.ndarray
    geometry: np.ndarray
    entries: np.ndarray
    features: np.ndarray
    background: np.ndarray
    words: int
    mse: float
    error: float


class BudgetTooSmall(Exception):
    """The budget does not hold a single Gaussian. words: what one takes with its tables."""

    def __init__(self, words: int):
        super().__init__(f"a Gaussian with its tables takes {words} words")
        self.words = words
