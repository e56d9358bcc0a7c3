"""Better codes for positions, shapes and amplitudes: every Gaussian tries the neighbours of its codes.

Training rounds its parameters to codes; this works on the codes themselves. The best of the moves of a Gaussian is made
if it lowers the error (gstex/native/ops/refine_geometry.cpp). Gaussians of one batch share no tile, so that they move
at the same time and the result does not depend on the number of threads.
"""

import numpy as np

from gstex.arrays import F32Array, I32Array, U32Array
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.sample_points import Blend, SamplePoints
from gstex.native import _core
from gstex.native.maths import log

__all__ = ["MOVES", "refine_geometry"]

_CODES = 6


def _moves() -> I32Array:
    """What a Gaussian tries to add to its codes (position x and y, rotation, scale u and v, amplitude), int32 [M, 6].

    Every code alone, and codes together that compensate each other where a change of one alone does not help.
    """
    signs = [(a, b) for a in (-1, 1) for b in (-1, 1)]
    alone = [[sign * (i == code) for i in range(_CODES)] for code in range(_CODES) for sign in (-1, 1)]
    far = [[2 * sign * (i == code) for i in range(_CODES)] for code in range(3) for sign in (-1, 1)]
    slanting = [[a, b, 0, 0, 0, 0] for a, b in signs]
    size = [[0, 0, 0, a, b, 0] for a, b in signs]
    size_and_amplitude = [[0, 0, 0, a, a, b] for a, b in signs]
    return np.array(alone + far + slanting + size + size_and_amplitude, np.int32)


MOVES = _moves()


def refine_geometry(
    points: SamplePoints, blend: Blend, quantiser: Quantiser, codes: U32Array, features: F32Array, sigma_min: float
) -> None:
    """Lower the error by moving geometry codes uint32 [N, 6], in place.

    blend: of the points at these codes and features float32 [N, C]; its sums follow the moves. sigma_min: no move makes
    a sigma, in texels, smaller than that.
    """
    _core.refine_geometry(points, blend, quantiser, codes, features, MOVES, float(log(sigma_min)) - 1e-6)
