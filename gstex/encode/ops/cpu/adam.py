"""The optimiser of a fit: Adam (Kingma and Ba 2015, algorithm 1)."""

import numpy as np

from gstex.arrays import F32Array
from gstex.native import _core
from gstex.native.maths import whole_power

__all__ = ["adam"]


def adam(
    values: F32Array, gradient: F32Array, first_moment: F32Array, second_moment: F32Array, rate: F32Array,
    factor: float, betas: tuple[float, float], step: int,
) -> None:  # fmt: skip
    """One step, in place.

    values, gradient, moments: float32 [N, P]. rate: float32 [P]. factor: of the rates. step: 1 for the first.
    """
    corrections = [1 / (1 - whole_power(float(np.float32(beta)), step)) for beta in betas]
    _core.adam(values, gradient, first_moment, second_moment, rate, factor, *betas, *corrections)

