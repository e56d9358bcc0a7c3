"""The best stored features for fixed shapes.

For fixed shapes the squared error is a quadratic of the features (gstex/native/ops/normal_equations.cpp). Stored
features are whole numbers: entries of codebooks, the bytes in them, and codes. So the error is minimised over whole
steps, until no change of a Gaussian or of an entry lowers it. Gaussians that do not overlap move at the same time.
"""

from gstex.encode.ops.cpu.codebooks import StoredFeatures
from gstex.encode.ops.cpu.sample_points import Blend, SamplePoints
from gstex.native import _core

__all__ = ["MOST_SWEEPS", "SMALL", "refine_features"]

# Long before so many sweeps, a sweep gains less than a thousandth of what the first one gains.
MOST_SWEEPS = 30
# Pairs whose common share in a tile, relative to those of both, is below this are left out of the normal equations.
SMALL = 1e-4


def refine_features(points: SamplePoints, blend: Blend, stored: StoredFeatures, *, codebooks_too: bool) -> None:
    """Lower the error by other entries and codes, in place.

    blend: of the points at these features. codebooks_too: the bytes of the codebooks change as well.
    """
    _core.refine_features(points, blend, stored, codebooks_too, MOST_SWEEPS, SMALL)
