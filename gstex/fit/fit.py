"""The fit of one mip: from an image to the codes of its Gaussians.

Stages: start (gradient-guided), optimise (Adam, with relocation of the least useful Gaussians), freeze (levels,
cells, widths and ranges are chosen and the count is cut to the budget), quantise (training on the values that
the codes stand for). The backend does the heavy work; this file is the schedule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..cells import keep_inside, make_pyramid, place
from ..errors import BudgetError
from . import kernels
from .cpu import CpuBackend
from .loss import perceptual
from .quantise import Coding, Quantiser, make_coding, words_needed
from .settings import Settings, choose_precision
from .start import gaussians_at, start_gaussians

NO_JITTER = np.zeros(2, np.float32)
# Finest cells, in mean distances between Gaussians. Larger cells cost candidates, smaller ones index bytes.
CELL_SPACING = 1.2


@dataclass(frozen=True)
class Task:
    """What to fit.

    image, importance: float32 [H, W, C], the channels that vary.
    neutral: for every channel the values that must decode exactly.
    repeat: wrap rule.
    stack_channels: channels of the whole stack, constant ones included (they cost header words).
    budget_words: most words of the GPU section, or None.
    count: Gaussians, or None to follow the budget.
    """

    image: np.ndarray
    importance: np.ndarray
    neutral: list[tuple[float, ...]]
    repeat: bool
    stack_channels: int
    budget_words: int | None
    count: int | None


@dataclass(frozen=True)
class Result:
    """Codes of a fitted mip, in no particular order; see Quantiser for their meaning."""

    coding: Coding
    placement: np.ndarray
    geometry: np.ndarray
    features: np.ndarray
    background: np.ndarray


class _Parameters:
    """Trainable parameters with their Adam state; rows can be dropped or restarted."""

    def __init__(self, geometry: np.ndarray, features: np.ndarray):
        self.geometry, self.features = geometry, features
        self.moments = [np.zeros_like(a) for a in (geometry, geometry, features, features)]
        self.level = np.zeros(len(geometry), np.int32)

    def restart(self, rows: np.ndarray, geometry: np.ndarray, features: np.ndarray) -> None:
        self.geometry[rows], self.features[rows] = geometry, features
        self.level[rows] = 0
        for moment in self.moments:
            moment[rows] = 0

    def keep(self, rows: np.ndarray) -> None:
        self.geometry, self.features, self.level = self.geometry[rows], self.features[rows], self.level[rows]
        self.moments = [moment[rows] for moment in self.moments]


class _Fit:
    def __init__(self, task: Task, settings: Settings, rng: np.random.Generator, progress: Callable):
        self.task, self.settings, self.rng, self.progress = task, settings, rng, progress
        self.step_count = 0
        self.mse = 1.0
        self.samples = float(task.importance.sum()) or 1.0
        self.background = task.image.mean(axis=(0, 1)).astype(np.float32)
        s = settings
        self.geometry_rate = np.array(
            [s.position_rate, s.position_rate, s.rotation_rate, s.scale_rate, s.scale_rate, s.amplitude_rate],
            np.float32,
        )
        self.feature_rate = np.full(task.image.shape[2], s.feature_rate, np.float32)

    def run(self) -> Result:
        self._start()
        freeze = round(self.settings.steps * self.settings.freeze_at)
        self._optimise(freeze)
        coding = self._freeze()
        quantiser = Quantiser(coding, self.placement)
        self._quantise(quantiser)
        quantiser.keep_inside(self.parameters.geometry)
        geometry, features, _ = quantiser.encode(self.parameters.geometry, self.parameters.features)
        return Result(coding, self.placement, geometry, features, self.background)

    # -- stages

    def _start(self) -> None:
        task, height, width = self.task, *self.task.image.shape[:2]
        count = task.count or self._affordable()
        spacing = np.sqrt(width * height / count)
        self.pyramid = make_pyramid(width, height, repeat=task.repeat, cell=max(CELL_SPACING * spacing, 2.0))
        self.backend = CpuBackend(self.pyramid)
        self.backend.set_target(task.image, task.importance)
        geometry, features = start_gaussians(
            task.image, task.importance, count, self.settings.start_sigma, self.rng
        )
        self.parameters = _Parameters(geometry, features)
        self._place()

    def _affordable(self) -> int:
        """How many Gaussians the budget pays for, a few too many: the freeze drops the worst of them."""
        task, (height, width) = self.task, self.task.image.shape[:2]
        precision = choose_precision(0.02)
        count = max(1, task.budget_words * 32 // 90)
        for _ in range(4):
            geometry, features = start_gaussians(task.image, task.importance, count, 2.0, np.random.default_rng(0))
            cell = max(CELL_SPACING * np.sqrt(width * height / count), 2.0)
            pyramid = make_pyramid(width, height, repeat=task.repeat, cell=cell)
            placement = place(pyramid, geometry)
            coding = make_coding(pyramid, placement, geometry, features, precision, task.neutral)
            words = words_needed(coding, placement, task.stack_channels)
            stride = coding.levels[0].stride if coding.levels[0] else 96
            count = max(1, count + int((task.budget_words - words) * 32 / stride))
        return max(1, int(count * 1.08))

    def _optimise(self, until: int) -> None:
        s = self.settings
        when = np.linspace(0.06 * s.steps, s.relocate_until * s.steps, s.relocations).astype(int)
        shares = np.geomspace(1.0, 0.25, len(when)) * s.relocate_share
        relocations = dict(zip(when.tolist(), shares, strict=True))
        while self.step_count < until:
            if self.step_count in relocations:
                self._relocate(relocations[self.step_count])
            if self.step_count % s.replace_every == 0:
                self._place()
            p = self.parameters
            self._descend(p.geometry, p.features)
            self.progress("fit", self.step_count, self.mse)

    def _freeze(self) -> Coding:
        """Fix levels, cells and codings, and cut the count to the budget."""
        task, p = self.task, self.parameters
        self._place()
        while True:
            precision = choose_precision(float(np.sqrt(self.mse)))
            coding = make_coding(self.pyramid, self.placement, p.geometry, p.features, precision, task.neutral)
            if task.budget_words is None:
                return coding
            over = words_needed(coding, self.placement, task.stack_channels) - task.budget_words
            if over <= 0:
                return coding
            widest = max(layout.stride for layout in coding.levels if layout)
            drop = max(1, over * 32 // widest)
            if drop >= len(p.geometry):
                needed = words_needed(coding, self.placement[:1], task.stack_channels)
                raise BudgetError(
                    f"the budget of {4 * task.budget_words} bytes does not hold a single Gaussian, which takes "
                    f"{4 * needed} bytes with its tables; give a larger --bpp"
                )
            cost, _ = self.backend.removal_cost(p.geometry, p.features, self.background)
            p.keep(np.sort(np.argsort(cost, kind="stable")[drop:]))
            self._place()

    def _quantise(self, quantiser: Quantiser) -> None:
        p = self.parameters
        while self.step_count < self.settings.steps:
            quantiser.keep_inside(p.geometry)
            geometry, features = quantiser.decode(*quantiser.encode(p.geometry, p.features))
            if self.step_count % self.settings.replace_every == 0:
                self.backend.place(self.placement, geometry)
            self._descend(geometry, features)
            self.progress("quantise", self.step_count, self.mse)

    # -- steps

    def _place(self) -> None:
        p = self.parameters
        keep_inside(self.pyramid, p.geometry, sigma_min=self.settings.sigma_min)
        self.placement = place(self.pyramid, p.geometry, p.level)
        p.level = self.placement[:, 0].copy()
        self.backend.place(self.placement, p.geometry)

    def _descend(self, geometry: np.ndarray, features: np.ndarray) -> None:
        """One Adam step of the parameters with the gradient at (geometry, features)."""
        s, p = self.settings, self.parameters
        jitter = NO_JITTER
        if self.rng.random() < s.jitter:
            jitter = (self.rng.random(2) - 0.5).astype(np.float32)
        if s.loss == "l2":
            loss, v_geometry, v_features, _ = self.backend.step(geometry, features, self.background, jitter)
        else:
            image, target = self.backend.render(geometry, features, self.background, jitter)
            loss = float((self.task.importance * (image - target) ** 2).sum(dtype=np.float64))
            _, v_image = perceptual(image, target, self.task.importance)
            v_geometry, v_features, _ = self.backend.backward(geometry, features, self.background, v_image)
        self.mse += (0.1 if self.step_count else 1.0) * (loss / self.samples - self.mse)

        self.step_count += 1
        late = max(0.0, self.step_count / s.steps - (1 - s.decay_share)) / s.decay_share
        rate = np.float32(s.decay**late)
        betas = np.float32(s.beta1), np.float32(s.beta2)
        m, v, feature_m, feature_v = p.moments
        n = np.int64(self.step_count)
        kernels.adam(p.geometry, v_geometry, m, v, self.geometry_rate * rate, *betas, n)
        kernels.adam(p.features, v_features, feature_m, feature_v, self.feature_rate * rate, *betas, n)

    def _relocate(self, share: float) -> None:
        """Move the Gaussians whose removal costs least to texels drawn by their error."""
        self._place()
        p, s = self.parameters, self.settings
        cost, error = self.backend.removal_cost(p.geometry, p.features, self.background)
        count = int(len(cost) * share)
        if count == 0 or not error.any():
            return
        rows = np.argsort(cost, kind="stable")[:count]
        p.restart(rows, *gaussians_at(self.task.image, error, count, s.relocated_sigma, self.rng))


def fit_mip(task: Task, settings: Settings, *, seed: int, progress: Callable[[str, int, float], None]) -> Result:
    """Fit Gaussians to one mip.

    Args:
        progress: called as progress(stage, step, mse) after every step.

    Returns:
        Codes that fill at most task.budget_words words.

    Raises:
        BudgetError: the budget does not hold a single Gaussian.
    """
    return _Fit(task, settings, np.random.default_rng(seed), progress).run()


