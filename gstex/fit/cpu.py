"""The CPU backend: numba kernels behind the interface that every backend of the fit offers."""

from typing import Any

import numpy as np

from ..cells import Pyramid
from . import kernels
from .tiles import MARGIN, TEXELS, Entries, find_entries, tile_counts


class CpuBackend:
    """Evaluates a set of Gaussians against a target image, with gradients.

    One instance serves one fit of one mip. Call `set_target`, then `place` whenever the placement of the
    Gaussians changes, then `step`, `render` and `removal_cost` as often as needed in between.

    Geometry is float32 [N, 6]: x, y (texels), rotation (radians), log sigma u, log sigma v (of texels),
    amplitude (natural log). Features are float32 [N, C], background float32 [C].
    """

    name = "cpu"

    def __init__(self, pyramid: Pyramid):
        self._pyramid = pyramid
        self.across, self._down = tile_counts(pyramid.width, pyramid.height)
        self._tiles = self.across * self._down
        self.extent = np.array([pyramid.width, pyramid.height], np.float32)
        self.entries: Entries  # set by place
        self._jitter: np.ndarray | None = None

    def set_target(self, image: np.ndarray, importance: np.ndarray) -> None:
        """Set the image and its weights in the loss, both float32 [H, W, C]."""
        channels = image.shape[2]
        self._image = np.ascontiguousarray(image, np.float32)
        self._importance_image = np.ascontiguousarray(importance, np.float32)
        self._target = np.empty((self._tiles, channels, TEXELS), np.float32)
        self._importance = np.empty_like(self._target)
        self._out = np.empty_like(self._target)
        self._jitter = None
        self._set_jitter(np.zeros(2, np.float32))

    def _set_jitter(self, jitter: np.ndarray) -> None:
        if self._jitter is not None and np.array_equal(jitter, self._jitter):
            return
        self._jitter = jitter
        repeat = self._pyramid.repeat
        kernels.to_tiles(self._image, jitter, repeat, self._target)
        kernels.to_tiles(self._importance_image, jitter, repeat, self._importance)
        # Texels of the last tiles that lie outside the texture count for nothing.
        spare_x = self.across * 8 - self._pyramid.width
        spare_y = self._down * 8 - self._pyramid.height
        grid = self._importance.reshape(self._down, self.across, -1, 8, 8)
        if spare_x:
            grid[:, -1, :, :, -spare_x:] = 0
        if spare_y:
            grid[-1, :, :, -spare_y:, :] = 0

    def targets(self, jitter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(target, importance), [T, C, 64] each, at the jittered texel centres; valid until the next call."""
        self._set_jitter(jitter)
        return self._target, self._importance

    def place(self, placement: np.ndarray, geometry: np.ndarray, *, margin: float = MARGIN) -> None:
        """Take over the levels and cells [N, 3] of the Gaussians and list what every tile has to evaluate."""
        self.entries = find_entries(self._pyramid, placement, geometry, margin=margin)
        size = self._pyramid.cell_size[placement[:, 0]]
        self.where = np.concatenate([placement[:, 1:] + 0.5, size], axis=1).astype(np.float32)
        channels = self._target.shape[1]
        self._derived = np.empty((len(placement), 8), np.float32)
        self._v_entry = np.empty((len(self.entries.gaussian), 6 + channels), np.float32)
        self._v_background = np.empty((self._tiles, channels), np.float32)
        self._v_geometry = np.empty((len(placement), 6), np.float32)
        self._v_features = np.empty((len(placement), channels), np.float32)
        self._loss = np.empty((self._tiles, TEXELS), np.float32)

    def _scene(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray) -> tuple[Any, ...]:
        kernels.derive(geometry, self._derived)
        e = self.entries
        return (e.start, e.gaussian, e.image, e.faded, self._derived, self.where, features, background,
                self.extent, self.across, self._jitter)  # fmt: skip

    def step(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray, jitter: np.ndarray):
        """Squared error at the jittered texel centres and its gradients.

        jitter: float32 [2], offset of all sample points in texels, -0.5 .. 0.5.
        Returns (loss, v_geometry [N, 6], v_features [N, C], v_background [C]); loss is the weighted sum of
        squares over texels and channels. The arrays are reused by the next call.
        """
        self._set_jitter(jitter)
        scene = self._scene(geometry, features, background)
        kernels.step_l2(*scene, self._target, self._importance, self._v_entry, self._v_background, self._loss)
        return float(self._loss.sum(dtype=np.float64)), *self._gather(geometry)

    def backward(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray, v_image: np.ndarray):
        """Gradients for a given dL/dimage [H, W, C] at the points of the last `render`."""
        v_out = np.empty_like(self._out)
        kernels.to_tiles(np.ascontiguousarray(v_image, np.float32), np.zeros(2, np.float32), False, v_out)
        v_out *= self._inside()
        scene = self._scene(geometry, features, background)
        kernels.backward(*scene, v_out, self._v_entry, self._v_background)
        return self._gather(geometry)

    def _inside(self) -> np.ndarray:
        inside = np.ones((self._pyramid.height, self._pyramid.width), np.float32)
        padded = np.zeros((self._down * 8, self.across * 8), np.float32)
        padded[: inside.shape[0], : inside.shape[1]] = inside
        grid = padded.reshape(self._down, 8, self.across, 8).transpose(0, 2, 1, 3)
        return grid.reshape(self._tiles, 1, TEXELS)

    def _gather(self, geometry: np.ndarray):
        e = self.entries
        kernels.gather(e.by_gaussian_start, e.by_gaussian, self._v_entry, geometry, self._derived,
                       self._v_geometry, self._v_features)  # fmt: skip
        return self._v_geometry, self._v_features, self._v_background.sum(axis=0, dtype=np.float64)

    def render(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray, jitter: np.ndarray):
        """(image, target, importance), float32 [H, W, C] each, at the jittered texel centres."""
        self._set_jitter(jitter)
        kernels.forward(*self._scene(geometry, features, background), self._out)
        results = tuple(np.empty_like(self._image) for _ in range(3))
        for tiled, image in zip((self._out, self._target, self._importance), results, strict=True):
            kernels.from_tiles(tiled, image)
        return results

    def removal_cost(self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray):
        """What each Gaussian is worth and where the error is, at the texel centres.

        Returns (cost float64 [N], the rise of the squared error without the Gaussian; share float64 [N], what the
        square of an error of its features counts, mean over channels; error float32 [H, W], the squared error of each
        texel summed over channels).
        """
        self._set_jitter(np.zeros(2, np.float32))
        e = self.entries
        entry_cost, entry_share = (np.empty(len(e.gaussian), np.float32) for _ in range(2))
        texel_error = np.empty((self._tiles, TEXELS), np.float32)
        scene = self._scene(geometry, features, background)
        kernels.removal(*scene, self._target, self._importance, entry_cost, entry_share, texel_error)
        cost, share = np.empty(len(geometry)), np.empty(len(geometry))
        kernels.sum_by_gaussian(e.by_gaussian_start, e.by_gaussian, entry_cost, cost)
        kernels.sum_by_gaussian(e.by_gaussian_start, e.by_gaussian, entry_share, share)
        error = np.empty((self._pyramid.height, self._pyramid.width, 1), np.float32)
        kernels.from_tiles(texel_error[:, None, :], error)
        return cost, share / features.shape[1], error[:, :, 0]
