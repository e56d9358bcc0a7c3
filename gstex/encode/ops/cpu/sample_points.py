"""All points at which a fit is judged once its Gaussians have their cells: those of mip 0 and of the mips it shares.

Training sees them one view a step. Refining the stored codes themselves needs all of them at once: the texel centres, a
point between them for every texel of a tile, and the centres of the shared mips, each with the weight it had in
training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gstex.arrays import BoolArray, F32Array, F64Array, I32Array, I64Array, U8Array
from gstex.constants import TILE
from gstex.encode.ops.cpu.tile_lists import TEXELS
from gstex.encode.ops.cpu.view import CpuView, Importance
from gstex.native import _core

__all__ = ["BETWEEN", "LEAST_SHARE", "Blend", "PointLists", "SamplePoints", "collect"]

# Offsets of points between texel centres, one for each tile in turn: the two-point Gauss-Legendre nodes of both axes.
BETWEEN = np.array([[x, y] for y in (-1, 1) for x in (-1, 1)], np.float32) * np.float32(0.5 / np.sqrt(3))
# A Gaussian whose share stays below this in all points of a tile is not weighed against others there.
LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class PointLists:
    """Entries of all tiles; as in tile_lists.TileLists."""

    start: I64Array
    gaussian: I32Array
    image: NDArray[np.int8]
    faded: U8Array


@dataclass(frozen=True)
class Blend:
    """derived: float32 [V, N, 8], see view.Scene. total: float32 [T, 64], sum of weights with the background's.
    out: float32 [T, C, 64]. share: float32 [E], the largest share of an entry in a point of its tile."""

    derived: F32Array
    total: F32Array
    out: F32Array
    share: F32Array


@dataclass(frozen=True)
class SamplePoints:
    """Tiles of 64 points of several views, each with the Gaussians that may matter there.

    V views, T tiles, E entries, N Gaussians, C channels.
    view: int32 [T]. corner: int32 [T, 2], a tile's first texel. offset: float32 [T, 2], of its points from the centres.
    target: of every view, see view.make_picture. importance: of every view, see view.Importance.
    weight: float32 [V], of a view's points. extent: float32 [V, 2], texels. where: float32 [V, N, 4], see view.Scene.
    scale: float32 [V, 2], texels of the view by texels of mip 0. filter: float32 [V], sigma in texels of mip 0.
    """

    lists: PointLists
    view: I32Array
    corner: I32Array
    offset: F32Array
    target: tuple[F32Array, ...]
    importance: tuple[Importance, ...]
    weight: F32Array
    extent: F32Array
    where: F32Array
    scale: F32Array
    filter: F32Array

    @property
    def channels(self) -> int:
        return len(self.target[0])

    def derive(self, geometry: F32Array) -> F32Array:
        """Geometry [N, 6] as every view sees it, float32 [V, N, 8]."""
        derived = np.empty((len(self.scale), len(geometry), 8), np.float32)
        for view, (scale, sigma) in enumerate(zip(self.scale, self.filter, strict=True)):
            _core.derive(geometry, float(scale[0]), float(scale[1]), float(sigma), derived[view])
        return derived

    def blend(self, geometry: F32Array, features: F32Array, background: F32Array) -> Blend:
        """The picture at all points, for geometry [N, 6], features [N, C] and background [C]."""
        derived = self.derive(geometry)
        total = np.empty((len(self.view), TEXELS), np.float32)
        out = np.empty((len(self.view), self.channels, TEXELS), np.float32)
        share = np.empty(len(self.lists.gaussian), np.float32)
        _core.blend_points(self, derived, features, background, total, out, share)
        return Blend(derived, total, out, share)

    def only(self, entries: BoolArray) -> "SamplePoints":
        """The same points with these entries alone (bool [E])."""
        count, lists = np.concatenate([[0], np.cumsum(entries)]), self.lists
        return replace(self, lists=PointLists(count[lists.start], lists.gaussian[entries], lists.image[entries],
                                              lists.faded[entries]))  # fmt: skip

    def shifted(self, shift: F64Array) -> "SamplePoints":
        """The same points with a target that is this much higher in every channel, [C]."""
        more = shift.astype(np.float32)[:, None, None]
        return replace(self, target=tuple(target + more for target in self.target))

    def errors(self, blend: Blend) -> F64Array:
        """The weighted sum of squared errors of every view, float64 [V]."""
        errors = np.empty(len(self.view))
        _core.point_errors(self, blend.derived, blend.out, errors)
        return np.array([errors[self.view == view].sum() for view in range(len(self.weight))])

    def error(self, blend: Blend) -> float:
        """The weighted sum of squared errors."""
        return float(self.errors(blend).sum())


def collect(own_view: CpuView, shared: Sequence[CpuView], jitter: float, weights: Sequence[float]) -> SamplePoints:
    """The points of a fit, as the views have them placed.

    jitter: share of the steps that sample between texels. weights: of the points of every shared mip.
    """
    views = [own_view, *([own_view] if jitter else []), *shared]
    offsets = [None, *([BETWEEN] if jitter else []), *([None] * len(shared))]
    parts = [_tiles(view, offset) for view, offset in zip(views, offsets, strict=True)]
    counts = [len(corner) for corner, _ in parts]
    entries = np.concatenate([np.diff(view.lists.start) for view in views])
    weight = [1 - jitter, *([jitter] if jitter else []), *weights]
    return SamplePoints(
        lists=PointLists(
            start=np.concatenate([[0], np.cumsum(entries)]),
            gaussian=np.concatenate([view.lists.gaussian for view in views]),
            image=np.concatenate([view.lists.image for view in views]),
            faded=np.concatenate([view.lists.faded for view in views]),
        ),
        view=np.repeat(np.arange(len(views), dtype=np.int32), counts),
        corner=np.concatenate([corner for corner, _ in parts]),
        offset=np.concatenate([offset for _, offset in parts]),
        target=tuple(view.target for view in views),
        importance=tuple(view.importance for view in views),
        weight=np.array(weight, np.float32),
        extent=np.stack([view.extent for view in views]),
        where=np.stack([view.where for view in views]),
        scale=np.array([view.seen[:2] for view in views], np.float32),
        filter=np.array([view.seen[2] for view in views], np.float32),
    )


def _tiles(view: CpuView, offsets: F32Array | None) -> tuple[I32Array, F32Array]:
    """(corner int32 [T, 2], offset float32 [T, 2]) of the tiles of a view."""
    number = np.arange(len(view.lists.start) - 1)
    column, row = number % view.across, number // view.across
    corner = np.stack([column, row], axis=1).astype(np.int32) * np.int32(TILE)
    if offsets is None:
        return corner, np.zeros((len(number), 2), np.float32)
    return corner, offsets[column % 2 + 2 * (row % 2)]  # a checkerboard, so that neighbours along both axes differ
