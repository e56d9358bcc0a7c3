"""The engine of the CPU (encode/engine.py)."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array, I32Array, U32Array
from gstex.encode.cell_pyramid import Pyramid, keep_inside, place, thin_out
from gstex.encode.engine import NO_JITTER, rates
from gstex.encode.ops.cpu.adam import adam
from gstex.encode.ops.cpu.codebooks import StoredFeatures, store, train
from gstex.encode.ops.cpu.errors import squared_errors
from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.refine_features import refine_features
from gstex.encode.ops.cpu.refine_geometry import refine_geometry
from gstex.encode.ops.cpu.sample_points import Blend, SamplePoints, collect
from gstex.encode.ops.cpu.shared_view import SharedView
from gstex.encode.ops.cpu.solve_features import solve_features
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.parameters import Parameters
from gstex.encode.problem import Task, weighted_sum
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings
from gstex.encode.shared_mips import EVERY

__all__ = ["CpuEngine"]


class CpuEngine:
    """The engine of the CPU."""

    backend = device = "cpu"
    xp: ModuleType = np

    def __init__(self, task: Task, settings: Settings, background: F32Array):
        """background: float32 [C]."""
        self.settings, self.background = settings, background
        self._task = task
        self._views: list[CpuView] = []  # empty before set_pyramid
        self.weigh(task.weights)
        self._done: list[tuple[int, float, bool]] = []
        self._geometry_rate, self._feature_rate = rates(settings, task.target.channels)

    def array(self, values: AnyArray) -> AnyArray:
        """Numbers of the schedule as an array of the engine."""
        return values

    def host(self, values: AnyArray) -> AnyArray:
        """An array of the engine in NumPy."""
        return values

    # -- where Gaussians are seen

    def set_pyramid(self, pyramid: Pyramid) -> None:
        """Begin with other cells; no Gaussian is placed in them yet."""
        self.pyramid = pyramid
        self.view = CpuView(pyramid)
        self.view.set_target(self._task.target, self._weight)
        self.shared = [SharedView(pyramid, i, target, self._weight) for i, target in enumerate(self._task.shared, 1)]
        self._views = [self.view, *self.shared]

    def weigh(self, weight: F32Array) -> None:
        """Change the weights of the channels: float32 [C]."""
        self._weight = weight
        self._importance_sum = weighted_sum(self._task.target, weight)
        for view in self._views:
            view.weigh(weight)

    def place(self, geometry: F32Array, level: I32Array) -> I32Array:
        """Levels and cells int32 [N, 3] of geometry [N, 6], which is brought back, in place, to what the pyramid holds.

        level: int32 [N], the levels of the last call.
        """
        keep_inside(self.pyramid, geometry, sigma_min=self.settings.sigma_min)
        placement = place(self.pyramid, geometry, level)
        if thin_out(self.pyramid, geometry, placement):
            placement = place(self.pyramid, geometry, placement[:, 0])
        return placement

    def list_tiles(self, placement: I32Array, geometry: F32Array, margin: float) -> None:
        """Take over levels and cells, and list what every tile has to evaluate; margin: see tile_lists. The lists
        of shared mips are made when they are needed. placement: of `place`."""
        self.view.place(placement, geometry, margin=margin)
        self._listed = geometry
        for view in self.shared:
            view.place_later(placement, margin)

    def forget_lists(self) -> None:
        """Free the memory of all lists: `list_tiles` is called before anything else looks at them."""
        for view in self._views:
            view.forget_lists()

    @property
    def shared_mse(self) -> tuple[float, ...]:
        """The mean squared error of every shared mip in the last steps, 0 before the first."""
        return tuple(float(view.mse) for view in self.shared)

    @shared_mse.setter
    def shared_mse(self, errors: tuple[float, ...]) -> None:
        for view, error in zip(self.shared, errors, strict=True):
            view.mse = error

    # -- what Gaussians show, as arrays of NumPy

    def removal_cost(self, geometry: F32Array, features: F32Array) -> tuple[F64Array, F64Array, F32Array]:
        """(cost [N], share [N], error [H, W]), see CpuView.removal_cost."""
        return self.view.removal_cost(geometry, features, self.background)

    def render(self, geometry: F32Array, features: F32Array, background: F32Array) -> F32Array:
        """The picture at the texel centres, float32 [H, W, C], over a background float32 [C]."""
        return self.view.picture(geometry, features, background, NO_JITTER)

    def squared_errors(self, geometry: F32Array, features: F32Array, background: F32Array) -> F64Array:
        """The sum over texels of importance (picture - target)^2 by channel, without the weights of the channels,
        float64 [C]."""
        return squared_errors(self.view.picture(geometry, features, background, NO_JITTER), self._task.target)

    # -- steps

    def descend(
        self, p: Parameters, geometry: F32Array, features: F32Array, jitter: F32Array, between: bool, step: int,
        rate: float, mse: float, *, fixed_features: bool = False,
    ) -> None:  # fmt: skip
        """One Adam step of the parameters with the gradient at (geometry, features).

        jitter: float32 [2]. between: whether the points lie between texels. step: 0 for the first. rate: factor of all
        rates. mse: of mip 0, in the last steps. fixed_features: those of the parameters stay.
        """
        s = self.settings
        scene = geometry, features, self.background, jitter
        if s.loss == "l2":
            loss, *gradients = self.view.step(*scene)
        else:
            image, target, importance = self.view.render(*scene)
            loss = float((importance * (image - target) ** 2).sum(dtype=np.float64))
            _, v_image = perceptual_loss(image, target, importance)
            gradients = list(self.view.backward(*scene, v_image))
        v_geometry, v_features = gradients
        if self.shared and step % EVERY == 0:
            # One shared mip, in turn, with the weight of all.
            view = self.shared[step // EVERY % len(self.shared)]
            view.place_now(geometry)
            weight = view.weight(mse) * EVERY * len(self.shared) * self._importance_sum / view.importance_sum
            view.add_gradient(*scene, s.loss, to=(v_geometry, v_features), weight=weight)
        m, v, feature_m, feature_v = p.moments
        betas = s.beta1, s.beta2
        adam(p.geometry, v_geometry, m, v, self._geometry_rate, rate, betas, step + 1)
        if not fixed_features:
            adam(p.features, v_features, feature_m, feature_v, self._feature_rate, rate, betas, step + 1)
        self._done.append((step, loss, between))

    def losses(self, *, wait: bool = False) -> list[tuple[int, float, bool]]:
        """(step, squared error, between) of the steps since the last call; an engine may hold them back for some
        steps, unless `wait`."""
        done, self._done = self._done, []
        return done

    # -- what is stored

    def quantiser(self, coding: Coding, placement: I32Array) -> Quantiser:
        """The quantiser of a coding and cells [N, 3], with keep_inside, encode and decode for arrays of the engine."""
        return Quantiser(coding, placement)

    def rounded(self, quantiser: Quantiser, p: Parameters) -> tuple[F32Array, F32Array]:
        """(geometry, features) that the nearest codes of the parameters mean. The centres of the parameters are first
        clamped to their cells, in place."""
        geometry = quantiser.round(p.geometry)
        # Entries of palettes are chosen after training; rounding to them here costs 1 to 3 dB.
        features = p.features if quantiser.coding.palette_bits else store(quantiser.coding, p.features).values()
        return geometry, features

    def codes(self, quantiser: Quantiser, geometry: F32Array) -> U32Array:
        """The nearest geometry codes [N, 6], which quantiser.decode and refine_geometry take."""
        quantiser.keep_inside(geometry)
        return quantiser.encode(geometry)[0]

    def train(
        self, values: F32Array, share: F64Array, bits: Sequence[int], rng: np.random.Generator
    ) -> list[F32Array]:
        """Palettes float32 [2^bits, C] for values [N, C] of shares [N], see codebooks.train."""
        return train(values, share, bits, rng)[0]

    def store(self, coding: Coding, placement: I32Array, features: F32Array) -> StoredFeatures:
        """What the coding can store nearest to the features [N, C]."""
        return store(coding, features)

    def collect(self, jitter: float, mse: float, *, centres_only: bool = False) -> SamplePoints:
        """All points of the fit, as Gaussians are placed, or the texel centres alone; see sample_points.collect."""
        if centres_only:
            return collect(self.view, [], 0.0, [])
        for view in self.shared:
            view.place_now(self._listed)
        weights = [view.weight(mse) * self._importance_sum / view.importance_sum for view in self.shared]
        points = collect(self.view, self.shared, jitter, weights)
        if not self.settings.steps:  # nothing else looks at these lists, and the points have copies
            for view in self.shared:
                view.forget_lists()
        return points

    def measure(self, points: SamplePoints, blend: Blend) -> float:
        """The mean squared error of mip 0 at the texel centres. Shared mips note their own."""
        means = points.errors(blend) / points.weight
        if len(means) > len(self.shared):
            for view, error in zip(self.shared, means[len(means) - len(self.shared) :], strict=True):
                view.mse = float(error) / view.importance_sum
        return float(means[0]) / self._importance_sum

    def solve_features(self, points: SamplePoints, blend: Blend, features: F32Array, rounds: int) -> None:
        """Move the features [N, C] to where the error is least, in place."""
        solve_features(points, blend, features, rounds)

    def refine_features(
        self, points: SamplePoints, blend: Blend, stored: StoredFeatures, *, codebooks_too: bool
    ) -> None:
        """Lower the error by other entries, codes and palettes, in place."""
        refine_features(points, blend, stored, codebooks_too=codebooks_too)

    def refine_geometry(
        self, points: SamplePoints, blend: Blend, quantiser: Quantiser, codes: U32Array, features: F32Array
    ) -> None:
        """Lower the error by other geometry codes uint32 [N, 6], in place."""
        refine_geometry(points, blend, quantiser, codes, features, self.settings.sigma_min)
