"""A mip as a fit sees it: a set of Gaussians evaluated against a picture, with gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import F32Array, F64Array, I32Array
from gstex.constants import TILE
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cpu.tile_lists import MARGIN, TileLists, find_tile_lists, tile_counts
from gstex.encode.problem import Target
from gstex.native import _core

__all__ = ["CpuView", "Importance", "Scene", "make_picture"]


def make_picture(image: F32Array, *, repeat: bool) -> F32Array:
    """A picture float32 [H, W, C] as the kernels read it.

    Returns:
        planes float32 [C, rows, columns] of whole tiles, with a border of one texel that wraps or is clamped.
    """
    height, width, channels = image.shape
    across, down = tile_counts(width, height)
    planes = np.empty((channels, TILE * down + 2, TILE * across + 2), np.float32)
    _core.make_picture(np.ascontiguousarray(image, np.float32), repeat, planes)
    return planes


@dataclass
class Importance:
    """What the squared error counts (struct Importance of gstex/native/ops/ops.h).

    planes: of make_picture. plane: int32 [C], the plane of a channel. weight: float32 [C], the weight of a channel.
    """

    planes: F32Array
    plane: I32Array
    weight: F32Array


@dataclass
class Scene:
    """What the kernels of a step take (struct Scene of gstex/native/ops/ops.h).

    derived: float32 [N, 8] = x, y, a cos t, a sin t, b sin t, b cos t, amplitude, 0 in texels of the mip, with a = 1 /
    sigma times gstex.constants.UNIT and the amplitude times log2(e), so that a weight is 2^(amplitude - u^2 - v^2).
    where: float32 [N, 4], the middle of the Gaussian's cell in cells, and the size of a cell in texels.
    features: float32 [N, C]. background: float32 [C]. jitter: float32 [2], offset of all points from the texel centres.
    """

    lists: TileLists
    derived: F32Array
    where: F32Array
    features: F32Array
    background: F32Array
    jitter: F32Array
    width: int
    height: int


class CpuView:
    """Evaluates a set of Gaussians against a target image, with gradients.

    One instance serves one mip in one fit. Call `set_target`, then `place` whenever the placement of the Gaussians
    changes, then `step`, `render` and `removal_cost` as often as needed in between.

    Geometry is float32 [N, 6]: x, y (texels), rotation (radians), log sigma u, log sigma v (of texels), amplitude
    (natural log). Features are float32 [N, C], background float32 [C].
    """

    def __init__(self, pyramid: Pyramid, *, scale: Sequence[float] = (1.0, 1.0), filter_sigma: float = 0.0):
        """pyramid: of the mip that is seen; placements are in its cells.

        A mip that is drawn with the Gaussians of mip 0 gets their geometry and gives its gradient, in texels of mip 0:
        scale: texels of this mip by texels of mip 0, (x, y). filter_sigma: in texels of mip 0.
        """
        self.pyramid = pyramid
        self.across, self._down = tile_counts(pyramid.width, pyramid.height)
        self.extent = np.array([pyramid.width, pyramid.height], np.float32)
        self.seen = float(scale[0]), float(scale[1]), float(filter_sigma)
        self.lists: TileLists  # set by place
        self.where: F32Array

    def set_target(self, target: Target, weight: F32Array) -> None:
        """Set the target, and the weights of the channels: float32 [C]."""
        self.wanted = target
        repeat = self.pyramid.repeat
        self.target, planes = target.kept(
            ("pictures", repeat), lambda: [make_picture(p, repeat=repeat) for p in (target.image, target.importance)]
        )
        self.importance = Importance(planes, target.plane, weight)
        self._loss = np.empty(self.across * self._down)

    def weigh(self, weight: F32Array) -> None:
        """Change the weights of the channels: float32 [C]."""
        self.importance.weight = weight

    def forget_lists(self) -> None:
        """Free the memory of what `place` made; it has to be called again."""
        for name in ("lists", "where", "_derived", "_sums", "_v_geometry", "_v_features"):
            self.__dict__.pop(name, None)

    def place(self, placement: I32Array, geometry: F32Array, *, margin: float = MARGIN) -> None:
        """Take over the levels and cells int32 [N, 3] of the Gaussians and list what every tile has to evaluate."""
        size = self.pyramid.cell_size[placement[:, 0]]
        self.where = np.concatenate([placement[:, 1:] + 0.5, size], axis=1).astype(np.float32)
        self._derived = np.empty((len(placement), 8), np.float32)
        self._derive(geometry)
        self.lists = find_tile_lists(self.pyramid, placement, self._derived, self.where, margin=margin)
        channels = len(self.target)
        rows = -(-(6 + channels) // 8) * 8  # whole vectors
        self._sums = np.zeros((len(self.lists.gaussian), rows), np.float32)
        self._v_geometry = np.empty((len(placement), 6), np.float32)
        self._v_features = np.empty((len(placement), channels), np.float32)

    def _derive(self, geometry: F32Array) -> None:
        _core.derive(geometry, *self.seen, self._derived)

    def _scene(self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array) -> Scene:
        self._derive(geometry)
        return Scene(self.lists, self._derived, self.where, features, background, jitter,
                     self.pyramid.width, self.pyramid.height)  # fmt: skip

    def step(
        self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array, *,
        add_to: tuple[F32Array, F32Array] | None = None, weight: float = 1.0,
    ) -> tuple[float, F32Array, F32Array]:  # fmt: skip
        """Squared error at the jittered texel centres and its gradients.

        Args:
            jitter: float32 [2], offset of all sample points in texels, -0.5 .. 0.5.
            add_to: (v_geometry, v_features) that the gradients are added to; None for arrays that the next call reuses.
            weight: a factor of the gradients.

        Returns:
            (loss, v_geometry [N, 6], v_features [N, C]); loss is the weighted sum of squares over texels and channels,
            without the factor.
        """
        scene = self._scene(geometry, features, background, jitter)
        _core.blend_step(scene, self.target, self.importance, self._sums, self._loss)
        return float(self._loss.sum()), *self._gather(geometry, add_to, weight)

    def backward(
        self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array,
        v_image: F32Array, *, add_to: tuple[F32Array, F32Array] | None = None, weight: float = 1.0,
    ) -> tuple[F32Array, F32Array]:  # fmt: skip
        """Gradients for a given dL/dimage float32 [H, W, C] at the jittered texel centres; see `step`."""
        _core.blend_backward(self._scene(geometry, features, background, jitter), v_image, self._sums)
        return self._gather(geometry, add_to, weight)

    def _gather(
        self, geometry: F32Array, add_to: tuple[F32Array, F32Array] | None, weight: float
    ) -> tuple[F32Array, F32Array]:
        v_geometry, v_features = add_to or (self._v_geometry, self._v_features)
        _core.gather(self.lists.by_gaussian_start, self._sums, geometry, self._derived, *self.seen, weight,
                     add_to is not None, v_geometry, v_features)  # fmt: skip
        return v_geometry, v_features

    def picture(
        self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array
    ) -> F32Array:
        """The picture at the jittered texel centres, float32 [H, W, C]."""
        image = np.empty_like(self.wanted.image)
        _core.blend_render(self._scene(geometry, features, background, jitter), image)
        return image

    def render(
        self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array
    ) -> tuple[F32Array, F32Array, F32Array]:
        """(image, target, importance), float32 [H, W, C] each, at the jittered texel centres."""
        image, target = self.picture(geometry, features, background, jitter), self.wanted
        if jitter.any():
            target = replace(target, image=np.empty_like(target.image), importance=np.empty_like(target.importance))
            _core.sample_picture(self.target, jitter, target.image)
            _core.sample_picture(self.importance.planes, jitter, target.importance)
        return image, target.image, target.weighted(self.importance.weight)

    def removal_cost(
        self, geometry: F32Array, features: F32Array, background: F32Array
    ) -> tuple[F64Array, F64Array, F32Array]:
        """What each Gaussian is worth and where the error is, at the texel centres.

        Returns:
            (cost float64 [N], the rise of the squared error without the Gaussian; share float64 [N], what the square of
            an error of its features counts, mean over channels; error float32 [H, W], the squared error of each texel
            summed over channels).
        """
        scene = self._scene(geometry, features, background, np.zeros(2, np.float32))
        pairs = np.empty((len(self.lists.gaussian), 2), np.float32)
        error = np.empty((self.pyramid.height, self.pyramid.width), np.float32)
        _core.removal_cost(scene, self.target, self.importance, pairs, error)
        sums = np.empty((len(geometry), 2))
        _core.sum_pairs(self.lists.by_gaussian_start, pairs, sums)
        return sums[:, 0].copy(), sums[:, 1] / features.shape[1], error
