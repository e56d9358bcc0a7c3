"""Better geometry codes, on the GPU: cuda/encode/refine_geometry.cu, in batches as in refine_features.py."""

from typing import Any

import numpy as np

from gstex.encode.ops.cpu.refine_geometry import MOVES
from gstex.encode.ops.cuda.pairs import find_batches
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.sample_points import GpuBlend, GpuSamples

__all__ = ["refine_geometry"]

_MOVE_THREADS = 128


def refine_geometry(
    samples: GpuSamples, blend: GpuBlend, quantiser: GpuQuantiser, codes: Any, features: Any, sigma_min: float
) -> None:
    """Lower the error by moving geometry codes uint32 [N, 6], in place; see refine_geometry of the CPU.

    blend: of the samples at these codes and features [N, C]; its sums follow the moves.
    """
    move, pairs = samples.kernel("encode/refine_geometry.cu", "fit_move_codes"), samples.pairs
    moves = samples.device.xp.asarray(MOVES)
    for batch in find_batches(samples.device, pairs.row, pairs.column):
        move((len(batch),), (_MOVE_THREADS,), batch, *samples.arguments(blend.derived), pairs.by_start,
             pairs.by_gaussian, pairs.tile_of, moves, np.int32(len(samples.seen)), samples.scale, samples.filter,
             quantiser.placement, *quantiser.meaning[:-1], np.float64(np.log(sigma_min) - 1e-6), samples.target,
             samples.importance, features, codes, blend.total, blend.out)  # fmt: skip
