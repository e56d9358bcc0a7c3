"""The bend of a shared mip (docs/format.md, "Decoding a position"): what its values lack.

Mip 0's Gaussians average what is stored, where the mips of a colour map average light. Of the quadratics that bring the
values near to what the mip stands for this is the one that has its mean.
"""

import numpy as np

from gstex.encode.mip_means import seen_mean
from gstex.encode.problem import Target
from gstex.format.layout import BEND_UNIT, MAX_BEND

__all__ = ["find_bend"]

# Of the values' spread, what a bend of no use costs: it keeps the numbers small where values hardly differ.
_RIDGE = 1e-3
_SHIFTS = 4


def find_bend(decoded: np.ndarray, target: Target, srgb: np.ndarray | None = None) -> np.ndarray:
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
        wanted = target.image[:, :, c].reshape(-1)
        missing, light = wanted - x, srgb is not None and bool(srgb[c])
        basis = np.stack([1 - x, 4 * x * (1 - x), x])  # what low, middle and high add
        normal = [[float((weight * a * b).sum()) for b in basis] for a in basis]
        ridge = _RIDGE * (normal[0][0] + normal[1][1] + normal[2][2]) / 3
        for k in range(3):
            normal[k][k] += ridge
        numbers = _solve(normal, [float((weight * a * missing).sum()) for a in basis])
        codes = np.clip(np.rint(numbers / BEND_UNIT), -MAX_BEND, MAX_BEND)
        # The ends alone shift all by the same: what rounding, the ridge and the limits 0 and 1 take off the mean.
        mean = seen_mean(wanted, weight, light=light)
        for _ in range(_SHIFTS):
            bent = x + (codes[:, None] * BEND_UNIT * basis).sum(axis=0)
            step = round((mean - seen_mean(bent, weight, light=light)) / BEND_UNIT)
            if not step:
                break
            codes[[0, 2]] = np.clip(codes[[0, 2]] + step, -MAX_BEND, MAX_BEND)
        bends[c] = codes.astype(np.int64)
    return bends


def _solve(matrix: list[list[float]], right: list[float]) -> np.ndarray:
    """The solution of a symmetric, positive definite system, by elimination: the same bits on every CPU."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k, pivot in enumerate(rows):
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot[k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    found = np.zeros(len(rows))
    for k in reversed(range(len(rows))):
        known = sum(rows[k][i] * float(found[i]) for i in range(k + 1, len(rows)))
        found[k] = (rows[k][-1] - known) / rows[k][k]
    return found
