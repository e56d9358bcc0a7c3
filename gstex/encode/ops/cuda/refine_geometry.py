"""Better geometry codes, on the GPU: cuda/encode/refine_geometry.cu, in batches as in refine_features.py."""

import numpy as np

from gstex.arrays import GpuArray
from gstex.encode.ops.cpu.refine_geometry import MOVES
from gstex.encode.ops.cuda.pairs import find_batches
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.sample_points import GpuBlend, GpuSamplePoints

__all__ = ["refine_geometry"]

_MOVE_THREADS = 128


def refine_geometry(
    points: GpuSamplePoints, blend: GpuBlend, quantiser: GpuQuantiser, codes: GpuArray, features: GpuArray,
    sigma_min: float,
) -> None:  # fmt: skip
    """Lower the error by moving geometry codes uint32 [N, 6], in place; see refine_geometry of the CPU.

    blend: of the points at these codes and features [N, C]; its sums follow the moves.
    """
    move, pairs = points.kernel("encode/refine_geometry.cu", "fit_move_codes"), points.pairs
    moves = points.device.xp.asarray(MOVES)
    for batch in find_batches(points.device, pairs.row, pairs.column):
        move((len(batch),), (_MOVE_THREADS,), batch, *points.arguments(blend.derived), pairs.by_start,
             pairs.by_gaussian, pairs.tile_of, moves, np.int32(len(points.seen)), points.scale, points.filter,
             quantiser.placement, *quantiser.meaning[:-1], np.float64(np.log(sigma_min) - 1e-6), points.target,
             *points.counts(), features, codes, blend.total, blend.out)  # fmt: skip
