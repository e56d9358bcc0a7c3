"""All points at which a fit is judged once its Gaussians have their cells: those of mip 0 and of the mips it shares.

Training sees them one view a step. Improving the stored codes themselves (fit/features.py, fit/search.py) needs all
of them at once: the texel centres, a point between them for every texel of a tile, and the centres of the shared
mips, each with the weight it had in training.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange

from . import kernels
from .cpu import CpuBackend
from .shared import SharedView
from .tiles import TEXELS, TILE

F = np.float32

# Offsets between texels, one of them a tile in turn: two-point Gauss-Legendre nodes of a texel, an axis each.
BETWEEN = np.array([[x, y] for y in (-1, 1) for x in (-1, 1)], np.float32) * F(0.5 / np.sqrt(3))
# A Gaussian whose share stays below this in all points of a tile is not weighed against others there.
LEAST_SHARE = 1e-3


@dataclass
class Samples:
    """Tiles of 64 points of several views, each with the Gaussians that may matter there.

    V views, T tiles, E entries, N Gaussians, C channels.
    view: int64 [T]. origin: float32 [T, 2], a tile's first point in texels of its view.
    start: int64 [T + 1]; gaussian: int32 [E]; image: int8 [E, 2]; faded: bool [E]; as in tiles.Entries.
    target, importance: float32 [T, C, 64]; importance holds the weight of the view.
    extent: float32 [V, 2], texels. where: float32 [V, N, 4], see kernels.
    scale: float32 [V, 2], texels of the view by texels of mip 0. filter: float32 [V], sigma in texels of mip 0.
    """

    view: np.ndarray
    origin: np.ndarray
    start: np.ndarray
    gaussian: np.ndarray
    image: np.ndarray
    faded: np.ndarray
    target: np.ndarray
    importance: np.ndarray
    extent: np.ndarray
    where: np.ndarray
    scale: np.ndarray
    filter: np.ndarray

    def derive(self, geometry: np.ndarray) -> np.ndarray:
        """Geometry [N, 6] as every view sees it, float32 [V, N, 8] (see kernels)."""
        derived = np.empty((len(self.scale), len(geometry), 8), np.float32)
        for view, (scale, sigma) in enumerate(zip(self.scale, self.filter, strict=True)):
            seen = geometry.copy()
            seen[:, :2] *= scale
            seen[:, 3:5] = np.log(np.exp(2 * geometry[:, 3:5]) + sigma**2) / 2 + np.log(scale.mean())
            kernels.derive(seen, derived[view])
        return derived

    def blend(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray) -> "Blend":
        """The picture at all points, for geometry [N, 6] and features [N, C]."""
        derived = self.derive(geometry)
        total = np.empty((len(self.view), TEXELS), np.float32)
        out = np.empty_like(self.target)
        share = np.empty(len(self.gaussian), np.float32)
        _blend(self.view, self.origin, self.start, self.gaussian, self.image, self.faded, derived, self.where,
               features, background, self.extent, total, out, share)  # fmt: skip
        return Blend(derived, total, out, share)

    def only(self, entries: np.ndarray) -> "Samples":
        """The same points with these entries alone (bool [E])."""
        count = np.concatenate([[0], np.cumsum(entries)])
        return replace(self, start=count[self.start], gaussian=self.gaussian[entries], image=self.image[entries],
                       faded=self.faded[entries])  # fmt: skip

    def error(self, out: np.ndarray) -> float:
        """The weighted sum of squared errors of pictures [T, C, 64]."""
        return float(_error(out, self.target, self.importance).sum())


@dataclass
class Blend:
    """derived: float32 [V, N, 8], see kernels. total: [T, 64], sum of weights with the background's. out: [T, C, 64].
    share: [E], the largest share of an entry in a point of its tile."""

    derived: np.ndarray
    total: np.ndarray
    out: np.ndarray
    share: np.ndarray


def collect(backend: CpuBackend, shared: list[SharedView], jitter: float, samples: float, mse: float) -> Samples:
    """The points of a fit, as the backends have them placed.

    jitter: share of the steps that sample between texels. samples: sum of the importance of mip 0. mse: its error.
    """
    parts = [_part(backend, None, np.float32(1 - jitter))]
    if jitter:
        parts.append(_part(backend, BETWEEN, np.float32(jitter)))
    parts += [_part(view.backend, None, np.float32(view.weight(mse) * samples / view.samples)) for view in shared]
    backends = [backend] * (len(parts) - len(shared)) + [view.backend for view in shared]
    starts = np.concatenate([np.diff(b.entries.start) for b in backends])
    here = np.array([[1, 1]] * (len(parts) - len(shared)) + [view.scale for view in shared], np.float32)
    return Samples(
        view=np.repeat(np.arange(len(parts)), [len(origin) for origin, _, _ in parts]),
        origin=np.concatenate([origin for origin, _, _ in parts]),
        start=np.concatenate([[0], np.cumsum(starts)]),
        gaussian=np.concatenate([b.entries.gaussian for b in backends]),
        image=np.concatenate([b.entries.image for b in backends]),
        faded=np.concatenate([b.entries.faded for b in backends]),
        target=np.concatenate([target for _, target, _ in parts]),
        importance=np.concatenate([importance for _, _, importance in parts]),
        extent=np.stack([b.extent for b in backends]),
        where=np.stack([b.where for b in backends]),
        scale=here,
        filter=np.array([0.0] * (len(parts) - len(shared)) + [view.filter for view in shared], np.float32),
    )


def _part(backend: CpuBackend, offsets: np.ndarray | None, weight: np.float32):
    """(origin [T, 2], target [T, C, 64], importance) of the tiles of a view, tile t at offset t mod len(offsets)."""
    across, tiles = backend.across, len(backend.entries.start) - 1
    number = np.arange(tiles)
    corner = np.stack([number % across, number // across], axis=1).astype(np.float32) * F(TILE) + F(0.5)
    if offsets is None:
        target, importance = backend.targets(np.zeros(2, np.float32))
        return corner, target.copy(), importance * weight
    # A checkerboard, so that neighbours along both axes differ.
    turn = (number % across % 2) + 2 * (number // across % 2)
    target, importance = (np.empty_like(a) for a in backend.targets(np.zeros(2, np.float32)))
    for i, offset in enumerate(offsets):
        mine = turn == i
        all_target, all_importance = backend.targets(offset)
        target[mine], importance[mine] = all_target[mine], all_importance[mine] * weight
    return corner + offsets[turn], target, importance


@njit(cache=True, fastmath=kernels.MATH, parallel=True)
def _blend(view, origin, start, gaussian, image, faded, derived, where, features, background, extent, total, out,
           share):  # fmt: skip
    for tile in prange(len(view)):
        first, last, v = start[tile], start[tile + 1], view[tile]
        weight = np.empty((last - first, TEXELS), np.float32)
        inverse = np.empty(TEXELS, np.float32)
        kernels._weights(first, last, origin[tile, 0], origin[tile, 1], gaussian, image, faded, derived[v], where[v],
                         extent[v], weight, inverse)  # fmt: skip
        total[tile] = inverse
        kernels._blend(first, last, gaussian, features, background, weight, inverse, out[tile])
        for e in range(last - first):
            share[first + e] = weight[e].max()


@njit(cache=True, parallel=True)
def _error(out, target, importance):
    errors = np.empty(len(out))
    for tile in prange(len(out)):
        error = 0.0
        for c in range(out.shape[1]):
            for k in range(TEXELS):
                difference = out[tile, c, k] - target[tile, c, k]
                error += importance[tile, c, k] * difference * difference
        errors[tile] = error
    return errors
