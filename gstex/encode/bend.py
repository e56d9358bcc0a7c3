"""The bend of a shared mip (docs/format.md, "Decoding a position"): a curve that corrects its values.

Mip 0's Gaussians average stored values, but the mips of a colour map average light. The bend is the quadratic that
brings the values nearest to what the mip stands for, shifted so that their mean is right.
"""

import numpy as np

from gstex.arrays import BoolArray, F32Array, F64Array, I64Array
from gstex.encode.mip_means import seen_mean
from gstex.encode.problem import Target
from gstex.format.layout import BEND_UNIT, MAX_BEND

__all__ = ["find_bend"]

# Ridge of the least squares, as a share of the mean diagonal: it keeps the bend small where values hardly differ.
_RIDGE = 1e-3
_SHIFTS = 20  # most rounds of the shift to the right mean


def find_bend(decoded: F32Array, target: Target, srgb: BoolArray | None = None) -> I64Array:
    """The bend of every channel, int64 [C, 3] in units of BEND_UNIT.

    Args:
        decoded: float32 [H, W, C], the mip without a bend. target: what it stands for. srgb: see Task.
    """
    bends = np.zeros((decoded.shape[2], 3), np.int64)
    for c in range(decoded.shape[2]):
        weight = target.importance[:, :, target.plane[c]].reshape(-1).astype(np.float64)
        if not weight.any():
            continue
        x = decoded[:, :, c].reshape(-1).astype(np.float64)
        target_values = target.image[:, :, c].reshape(-1)
        missing, light = target_values - x, srgb is not None and bool(srgb[c])
        basis = np.stack([1 - x, 4 * x * (1 - x), x])  # what low, middle and high add
        normal = [[float((weight * a * b).sum()) for b in basis] for a in basis]
        ridge = _RIDGE * (normal[0][0] + normal[1][1] + normal[2][2]) / 3
        for k in range(3):
            normal[k][k] += ridge
        numbers = _solve(normal, [float((weight * a * missing).sum()) for a in basis])
        codes = np.clip(np.rint(numbers / BEND_UNIT), -MAX_BEND, MAX_BEND)
        # Equal steps of low and high shift all values alike. They restore the mean, which rounding, the ridge and the
        # limits 0 and 1 change.
        seen = target.seen(c).reshape(-1)
        mean = seen_mean(target_values, seen, light=light)
        for _ in range(_SHIFTS):
            bent = x + (codes[:, None] * BEND_UNIT * basis).sum(axis=0)
            step = round((mean - seen_mean(bent, seen, light=light)) / BEND_UNIT)
            if not step:
                break
            codes[[0, 2]] = np.clip(codes[[0, 2]] + step, -MAX_BEND, MAX_BEND)
        bends[c] = codes.astype(np.int64)
    return bends


def _solve(matrix: list[list[float]], right: list[float]) -> F64Array:
    """The solution of a symmetric, positive definite system, by elimination: the same bits on every CPU."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k, pivot in enumerate(rows):
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot[k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    solution = np.zeros(len(rows))
    for k in reversed(range(len(rows))):
        known = sum(rows[k][i] * float(solution[i]) for i in range(k + 1, len(rows)))
        solution[k] = (rows[k][-1] - known) / rows[k][k]
    return solution
