"""The engine of the fit on a GPU: see encode/engine.py, call by call.

Steps are launched without waiting for the GPU. The schedule learns their errors when lists are remade, or after
`replace_every` steps. What a fit does rarely (a start, a relocation, the choice of a coding) is decided on the host,
from copies.
"""

from collections.abc import Sequence

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array, GpuArray
from gstex.cuda.device import Device
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.engine import NO_JITTER, rates
from gstex.encode.ops.cuda import cell_pyramid
from gstex.encode.ops.cuda.adam import Knobs, adam
from gstex.encode.ops.cuda.codebooks import GpuStoredFeatures, store, train
from gstex.encode.ops.cuda.perceptual_loss import Perceptual
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.refine_features import refine_features
from gstex.encode.ops.cuda.refine_geometry import refine_geometry
from gstex.encode.ops.cuda.replays import Replays
from gstex.encode.ops.cuda.sample_points import GpuBlend, GpuSamplePoints, collect
from gstex.encode.ops.cuda.shared_view import GpuSharedView
from gstex.encode.ops.cuda.solve_features import solve_features
from gstex.encode.ops.cuda.sums import Follower
from gstex.encode.ops.cuda.tile_lists import ListMaker
from gstex.encode.ops.cuda.view import GpuView
from gstex.encode.parameters import Parameters
from gstex.encode.problem import Task, weighted_sum
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings
from gstex.encode.shared_mips import EVERY, view_weight

__all__ = ["GpuEngine"]


class GpuEngine:
    """The engine of one fit; arrays are those of `device.xp`."""

    backend = "cuda"

    def __init__(self, task: Task, settings: Settings, background: F32Array, *, device: Device):
        """background: float32 [C]."""
        self.device, self.xp = device.name, device.xp
        self.settings = settings
        self._device = device
        self._background = self.array(background)
        self._task = task
        self._views: list[GpuView | GpuSharedView] = []  # empty before set_pyramid
        self.weigh(task.weights)
        self._rates = [self.array(rate) for rate in rates(settings, task.target.channels)]
        self._knobs = Knobs(device, settings.beta1, settings.beta2)
        self._perceptual: Perceptual | None = None
        self._placement: GpuArray | None = None
        self._rounded: tuple[GpuArray, tuple[GpuArray, GpuArray]] | None = None
        self._losses = self.xp.zeros(settings.replace_every, np.float64)
        self._held: list[tuple[int, bool]] = []  # step and kind of those in _losses

    def array(self, values: AnyArray) -> GpuArray:
        return self.xp.asarray(values)

    def host(self, values: GpuArray) -> AnyArray:
        return self._device.to_host(values)

    # -- where Gaussians are seen

    def set_pyramid(self, pyramid: Pyramid) -> None:
        self.pyramid = pyramid
        self.view = GpuView(pyramid, self._device)
        self.view.set_target(self._task.target, self._weight)
        self.shared = [
            GpuSharedView(self._device, pyramid, i, target, self._weight)
            for i, target in enumerate(self._task.shared, start=1)
        ]
        self._views = [self.view, *self.shared]
        self._tables = cell_pyramid.cell_tables(self._device, pyramid)
        self._replay = Replays(self._device, self.view.channels)
        views = [self.view.seen, *(view.backend.seen for view in self.shared)]
        self._lister = ListMaker(self._device, views, self._replay)
        self._mse: Follower | None = None  # begins with the first step

    def weigh(self, weight: F32Array) -> None:
        self._weight = weight
        self._importance_sum = weighted_sum(self._task.target, weight)
        for view in self._views:
            view.weigh(weight)

    def place(self, geometry: GpuArray, level: GpuArray) -> GpuArray:
        device, pyramid = self._device, self.pyramid
        cell_pyramid.keep_inside(device, pyramid, geometry, sigma_min=self.settings.sigma_min)
        if self._placement is None or len(self._placement) != len(geometry):
            self._placement = self.xp.empty((len(geometry), 3), np.int32)
        placement = self._placement  # the same each time, so that the making of lists can be recorded
        cell_pyramid.place(device, pyramid, geometry, level, out=placement, tables=self._tables)
        if cell_pyramid.thin_out(device, pyramid, geometry, placement):
            cell_pyramid.place(device, pyramid, geometry, placement[:, 0].copy(), out=placement, tables=self._tables)
        return placement

    def list_tiles(self, placement: GpuArray, geometry: GpuArray, margin: float) -> None:
        views = [self.view, *(view.backend for view in self.shared)]
        self._lister.make(placement, geometry, lambda number: views[number].derive(geometry), margin=margin)
        for view in views:
            view.hold_sums()

    def forget_lists(self) -> None:
        pass  # their memory is used again

    # -- what Gaussians show

    def removal_cost(self, geometry: GpuArray, features: GpuArray) -> tuple[F64Array, F64Array, F32Array]:
        cost, share, error = map(self.host, self.view.removal_cost(geometry, features, self._background))
        return cost, share, error

    def render(self, geometry: GpuArray, features: GpuArray, background: F32Array) -> F32Array:
        return self.host(self.view.render(geometry, features, self.array(background), NO_JITTER)[0])

    def squared_errors(self, geometry: GpuArray, features: GpuArray, background: F32Array) -> F64Array:
        return self.host(self.view.squared_errors(geometry, features, self.array(background)))

    # -- steps

    def descend(
        self, p: Parameters, geometry: GpuArray, features: GpuArray, jitter: F32Array, between: bool, step: int,
        rate: float, mse: float, *, fixed_features: bool = False,
    ) -> None:  # fmt: skip
        if self._mse is None:
            self._mse = Follower(self._device, mse)
        self._knobs.set(jitter, rate, step + 1, len(self._held))
        self._held.append((step, between))
        # One shared mip in every EVERY-th step, in turn, with the weight of all.
        number = step // EVERY % len(self.shared) if self.shared and step % EVERY == 0 else None

        def work() -> None:
            self._descend(p, geometry, features, number, fixed_features=fixed_features)

        if self.settings.loss != "l2":
            work()  # it allocates memory, which a recording must not
            return
        views = [self.view, *([] if number is None else [self.shared[number].backend])]
        about = number, fixed_features, self._importance_sum, *(view.seen.changed for view in views)
        arrays = p.geometry, p.features, *p.moments, geometry, features, *(view.weight for view in views)
        self._replay(f"step {number} {fixed_features}", about, arrays, work)

    def _descend(
        self, p: Parameters, geometry: GpuArray, features: GpuArray, number: int | None, *, fixed_features: bool
    ) -> None:
        """The launches of a step. number: of the shared mip that it looks at too."""
        assert self._mse is not None
        scene, at = (geometry, features, self._background), self._knobs.jitter
        if self.settings.loss == "l2":
            loss, *gradients = self.view.step(*scene, at)
        else:
            pictures = self.view.render(*scene, at)
            self._perceptual = self._perceptual or Perceptual(self._device, *pictures[0].shape)
            _, v_image, loss = self._perceptual(*pictures)
            gradients = list(self.view.backward(*scene, v_image))
        v_geometry, v_features = gradients
        if number is not None:
            view = self.shared[number]
            view.add_gradient(*scene, at, self.settings.loss, to=(v_geometry, v_features), mse=self._mse,
                              factor=EVERY * len(self.shared) * self._importance_sum / view.importance_sum)  # fmt: skip
        self._mse.update(loss, 1 / self._importance_sum)
        self._knobs.note(loss, self._losses)
        m, v, feature_m, feature_v = p.moments
        adam(self._device, self._knobs, p.geometry, v_geometry, m, v, self._rates[0])
        if not fixed_features:
            adam(self._device, self._knobs, p.features, v_features, feature_m, feature_v, self._rates[1])

    def losses(self, *, wait: bool = False) -> list[tuple[int, float, bool]]:
        if not self._held or not (wait or len(self._held) == len(self._losses)):
            return []
        held, self._held = self._held, []
        losses = self.host(self._losses).tolist()
        return [(step, loss, between) for (step, between), loss in zip(held, losses, strict=False)]

    # -- what is stored

    def quantiser(self, coding: Coding, placement: GpuArray) -> GpuQuantiser:
        return GpuQuantiser(self._device, coding, placement)

    def rounded(self, quantiser: GpuQuantiser, p: Parameters) -> tuple[GpuArray, GpuArray]:
        if self._rounded is None or len(self._rounded[0]) != len(p.geometry):
            codes = self.xp.empty(p.features.shape, np.uint32)
            self._rounded = self.xp.empty_like(p.geometry), (codes, self.xp.empty_like(p.features))
        geometry, out = self._rounded  # the same each time, so that steps on them can be recorded
        quantiser.round(p.geometry, geometry)
        palettes = quantiser.coding.palette_bits
        return geometry, p.features if palettes else quantiser.round_features(p.features, out=out)[1]

    def codes(self, quantiser: GpuQuantiser, geometry: GpuArray) -> GpuArray:
        quantiser.keep_inside(geometry)
        return quantiser.encode(geometry)[0]

    def train(self, values: GpuArray, share: F64Array, bits: Sequence[int], rng: np.random.Generator) -> list[F32Array]:
        return [self.host(palette) for palette in train(self._device, values, self.array(share), bits, rng)[0]]

    def store(self, coding: Coding, placement: GpuArray, features: GpuArray) -> GpuStoredFeatures:
        return store(GpuQuantiser(self._device, coding, placement), features)

    def collect(self, jitter: float, mse: float, *, centres_only: bool = False) -> GpuSamplePoints:
        if centres_only:
            return collect(self.view, [], 0.0, [])
        whole = self._importance_sum
        weights = [view_weight(mse, float(view.mse)) * whole / view.importance_sum for view in self.shared]
        return collect(self.view, self.shared, jitter, weights)

    def measure(self, points: GpuSamplePoints, blend: GpuBlend) -> float:
        means = points.errors(blend.out) / np.array(points.weight)
        if len(means) > len(self.shared):
            for view, error in zip(self.shared, means[len(means) - len(self.shared) :], strict=True):
                view.mse.set(float(error) / view.importance_sum)
        return float(means[0]) / self._importance_sum

    def solve_features(self, points: GpuSamplePoints, blend: GpuBlend, features: GpuArray, rounds: int) -> None:
        solve_features(points, blend, features, rounds)

    def refine_features(
        self, points: GpuSamplePoints, blend: GpuBlend, stored: GpuStoredFeatures, *, codebooks_too: bool
    ) -> None:
        refine_features(points, blend, stored, codebooks_too=codebooks_too)

    def refine_geometry(
        self, points: GpuSamplePoints, blend: GpuBlend, quantiser: GpuQuantiser, codes: GpuArray, features: GpuArray
    ) -> None:
        refine_geometry(points, blend, quantiser, codes, features, self.settings.sigma_min)
