"""Features of least squared error for fixed shapes (gstex/native/conjugate_gradient.h)."""

import numpy as np
from numpy.typing import NDArray

from gstex.encode.ops.cpu.refine_features import SMALL
from gstex.encode.ops.cpu.sample_points import Blend, SamplePoints
from gstex.native import _core

__all__ = ["solve_features"]


def solve_features(points: SamplePoints, blend: Blend, features: NDArray[np.float32], rounds: int) -> None:
    """Move features float32 [N, C] to where the error is least, in place.

    blend: of the points at these features. rounds: of conjugate gradients; fewer of them leave features smoother.
    """
    _core.solve_features(points, blend, features, rounds, SMALL)
