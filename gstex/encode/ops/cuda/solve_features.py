"""Features of least squared error for fixed shapes, on the GPU: cuda/encode/solve_features.cu."""

from types import ModuleType

import numpy as np

from gstex.arrays import GpuArray
from gstex.encode.ops.cuda.refine_features import products, without_small
from gstex.encode.ops.cuda.sample_points import GpuBlend, GpuSamplePoints

__all__ = ["solve_features"]

_WARPS = 4  # of a block of encode/solve_features.cu


def solve_features(points: GpuSamplePoints, blend: GpuBlend, features: GpuArray, rounds: int) -> None:
    """Move features float32 [N, C] to where the error is least, in place; see solve_features of the CPU."""
    xp, (count, channels) = points.device.xp, features.shape
    value, gradient = products(points, blend, count)
    row, column, value = without_small(points.device, points.pairs.row, points.pairs.column, value)
    mine = xp.searchsorted(row[1:], xp.arange(len(column), dtype=np.int32), side="right").astype(np.int32)
    alone = xp.flatnonzero(mine == column)
    diagonal = xp.zeros((len(value), count), np.float64)
    diagonal[:, mine[alone]] = value[:, alone]
    inverse = xp.where(diagonal > 1e-9, 1 / xp.maximum(diagonal, 1e-9), 0.0)
    inverse = xp.ascontiguousarray(inverse[points.plane].T)
    multiply = points.kernel("encode/solve_features.cu", "fit_multiply")
    residual, moved = gradient * -0.5, xp.zeros((count, channels), np.float64)
    direction, product = residual * inverse, xp.empty((count, channels), np.float64)
    last = (residual * direction).sum(axis=0)
    for _ in range(rounds):
        multiply((-(-count // _WARPS),), (32 * _WARPS,), row, column, value, np.int64(len(column)), points.plane,
                 direction, np.int32(count), product)  # fmt: skip
        step = _by(last, (product * direction).sum(axis=0), xp)
        moved += step * direction
        residual -= step * product
        scaled = residual * inverse
        now = (residual * scaled).sum(axis=0)
        direction = scaled + _by(now, last, xp) * direction
        last = now
    features += moved.astype(np.float32)


def _by(a: GpuArray, b: GpuArray, xp: ModuleType) -> GpuArray:
    """a / b, 0 where b is not above 0."""
    return xp.where(b > 0, a / xp.where(b > 0, b, 1.0), 0.0)
