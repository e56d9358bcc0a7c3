"""What a fit is asked for, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gstex.encode.quantisation import Coding

__all__ = ["BudgetTooSmall", "Result", "Task"]


@dataclass(frozen=True)
class Task:
    """What to fit.

    image, importance: float32 [H, W, C], the channels that vary.
    ranges: for every channel the lowest and highest value, within 0..1, of all mips.
    neutral: for every channel the values that must decode exactly.
    repeat: wrap rule.
    stack_channels: channels of the whole stack, constant ones included (each has a background in the mip).
    budget_words: most words of the mip. count: Gaussians, instead of the budget; None to follow it.
    weight: float32 [C], what a channel counts in `importance` apart from where; None for all the same.
    maps: int [C], the number of each channel's map, of which none is to be left behind; None to take weights as given.
    above: the fit of the mip above, to start from, whose coding of channels and amplitudes is kept.
    shared: (image, importance) of mips 1, 2 .. that are drawn with the Gaussians of this one.
    """

    image: np.ndarray
    importance: np.ndarray
    ranges: list[tuple[float, float]]
    neutral: list[tuple[float, ...]]
    repeat: bool
    stack_channels: int
    budget_words: int
    count: int | None = None
    above: Result | None = None
    weight: np.ndarray | None = None
    maps: np.ndarray | None = None
    shared: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


@dataclass(frozen=True)
class Result:
    """Codes of a fitted mip, in no particular order; see Quantiser for their meaning.

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
