"""The fit of one mip: from an image to the codes of its Gaussians.

Stages: start (gradient-guided), optimise (Adam, with relocation of the least useful Gaussians), freeze (levels,
cells, widths and ranges are chosen and the count is cut to the budget), quantise (training on the values that
the codes stand for), settle (palettes are made; geometry is trained for the features that are stored), polish (codes
are searched). An engine does the heavy work (encode/engine.py); this file is the schedule, the same for all.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from gstex.encode.cell_pyramid import CUT, Pyramid, make_pyramid
from gstex.encode.codebooks import choose_bits, to_grid
from gstex.encode.engine import NO_JITTER, CpuEngine, MakeEngine
from gstex.encode.initialise import gaussians_at, start_gaussians
from gstex.encode.map_weights import Spectrum, coefficients, decorrelated, map_weights, pushed
from gstex.encode.ops.cpu.codebooks import StoredFeatures
from gstex.encode.ops.cpu.errors import squared_errors
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.sample_points import LEAST_SHARE
from gstex.encode.parameters import Parameters
from gstex.encode.problem import BudgetTooSmall, Result, Task
from gstex.encode.quantisation import Coding, make_coding, words_needed
from gstex.encode.settings import Settings, choose_precision
from gstex.format.layout import palette_words
from gstex.native.maths import exp, log, log10, power

# Finest cells, in mean distances between Gaussians. Larger cells cost candidates, smaller ones index bytes.
CELL_SPACING = 1.2
# Least and largest share of the steps that sample between texels, for a fit that samples there at all.
JITTER_LEAST, JITTER_MOST = 0.1, 0.6
# Palettes that are trained, from different beginnings; the best are taken.
PALETTE_TRIES = 3
# Rounds of settling from one push of the maps that lag to the next.
PUSH_EVERY = 2
# Relocations from one choice of palettes to the next.
CHOOSE_EVERY = 4
# Slope of the squared error over the number of Gaussians, both in logarithms, until it is measured (2.7 dB for twice as
# many), and the least and the largest that a measurement is believed to.
SLOPE, SLOPE_LEAST, SLOPE_MOST = 0.9, 0.6, 2.0


class Fit:
    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, progress: Callable,
        make_engine: MakeEngine = CpuEngine,
    ):  # fmt: skip
        self.task, self.settings, self.rng, self.progress = task, settings, rng, progress
        self.step_count = 0
        self.mse = 0.0004  # a guess, until the first step
        self.jitter = settings.jitter
        self.losses = np.zeros(2)  # at the texel centres and between them, 0 until the first step
        self.plain = task  # `task` has the weights of maps as the fit goes on
        self.map_factors = self.pushes = np.ones(task.image.shape[2])
        self.samples = float(task.importance.sum(dtype=np.float64)) or 1.0
        self.channel_weight = np.ones(task.image.shape[2]) if task.weight is None else task.weight.astype(np.float64)
        self.palette_bits: tuple[int, ...] = task.above.coding.palette_bits if task.above else ()
        self.slope = SLOPE
        self.background = task.image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        self.make_engine = make_engine
        self.engine = make_engine(task, settings, self.background)

    def run(self) -> Result:
        self._start()
        freeze = round(self.settings.steps * self.settings.freeze_at)
        self._optimise(freeze)
        coding = self._freeze()
        engine, p = self.engine, self.parameters
        quantiser = engine.quantiser(coding, self.placement)
        self._quantise(quantiser)
        geometry = engine.codes(quantiser, p.geometry)
        coding = self._make_palettes(quantiser, geometry)
        stored = engine.store(coding, self.placement, p.features)
        geometry = self._settle(quantiser, geometry, stored)
        self._polish(quantiser, geometry, stored)
        self._follow(wait=True)
        return self._result(coding, engine.host(geometry), stored, self._words(coding),
                            self._error(quantiser.decode(geometry), stored.values()))  # fmt: skip

    def _result(self, coding: Coding, geometry: np.ndarray, stored: Any, words: int, error: float) -> Result:
        """geometry: codes."""
        entries, codes = (self.engine.host(a).astype(np.uint32) for a in (stored.entries, stored.codes))
        return Result(stored.into(coding), self.engine.host(self.placement), geometry.astype(np.uint32), entries, codes,
                      self.background, words, self.mse, error)  # fmt: skip

    # -- stages

    def _start(self) -> None:
        task = self.task
        if task.above:
            self._start_below(task.above)
            return
        # Before anything is known, 90 bits a Gaussian; relocation follows the budget from then on.
        self._start_with(task.count or max(1, task.budget_words * 32 // 90))
        if not task.count:
            self._start_with(self._affordable())

    def _start_below(self, above: Result) -> None:
        """Start from the fit of the mip above: its Gaussians at this mip's size, thinned to those that matter."""
        task, (height, width) = self.task, self.task.image.shape[:2]
        self.mse = above.mse
        geometry = Quantiser(above.coding, above.placement).decode(above.geometry)
        features = stored_features(above).values()
        scale = np.array([width / above.coding.pyramid.width, height / above.coding.pyramid.height], np.float32)
        geometry[:, :2] *= scale
        geometry[:, 3:5] += np.float32(log(float(scale.mean())))
        bits = max(layout.stride for layout in above.coding.levels if layout) + 4
        count = task.count or max(1, round(task.budget_words * 32 / bits * self.settings.excess))
        self._set_grid(count)
        self.parameters = Parameters(self.engine, geometry, features)
        self._place()
        while len(self.parameters.geometry) > count:
            # In steps: what a Gaussian is worth depends on the others that are there.
            left = max(count, len(self.parameters.geometry) // 2)
            cost, _, _ = self.engine.removal_cost(self.parameters.geometry, self.parameters.features)
            self.parameters.keep(np.sort(np.argsort(cost, kind="stable")[len(cost) - left :]))
            self._place()

    def _set_grid(self, count: int) -> None:
        """Choose the pyramid for about `count` Gaussians."""
        task, (height, width) = self.task, self.task.image.shape[:2]
        spacing = np.sqrt(width * height / count)
        self._set_pyramid(make_pyramid(width, height, repeat=task.repeat, cell=max(CELL_SPACING * spacing, 2.0)))

    def _set_pyramid(self, pyramid: Pyramid) -> None:
        self.pyramid = pyramid
        self.engine.set_pyramid(pyramid)

    def _start_with(self, count: int) -> None:
        task = self.task
        self._set_grid(count)
        start = start_gaussians(
            task.image, task.importance, count, self.settings.start_sigma, self.rng, repeat=task.repeat
        )
        self.parameters = Parameters(self.engine, *start)
        self._place()

    def _optimise(self, until: int) -> None:
        s = self.settings
        when = np.linspace(0.06 * s.steps, s.relocate_until * s.steps, s.relocations).astype(int)
        # Falling to a quarter, by the same factor each time.
        shares = exp(log(0.25) * np.linspace(0, 1, len(when))) * s.relocate_share
        relocations = dict(zip(when.tolist(), shares, strict=True))
        while self.step_count < until:
            if self.step_count in relocations:
                number = list(relocations).index(self.step_count)
                if number == 1 and not self.task.above:
                    self.slope = self._measure_slope()
                self._relocate(relocations[self.step_count])
                if number % CHOOSE_EVERY == 1:
                    self._balance_maps()
                    self._choose_palettes()
            if self.step_count % s.replace_every == 0:
                self._place()
            p = self.parameters
            self._descend(p.geometry, p.features)
            self.progress("fit", self.step_count, self.mse)

    def _freeze(self) -> Coding:
        """Fix levels, cells and codings: afterwards no Gaussian can come to see other texels than it sees now."""
        self._place()
        self._choose_palettes()
        coding = self._meet_budget()
        for _ in range(3):
            if not self._cover_holes():
                break
            coding = self._meet_budget()
        return coding

    def _cover_holes(self) -> bool:
        """Give texels that only the background reaches a Gaussian, in place of those that are worth least.

        Returns whether there were any such texels that count.
        """
        p = self.parameters
        channels = len(self.background)
        nothing, one = np.zeros((len(p.geometry), channels), np.float32), np.ones(channels, np.float32)
        share = self.engine.render(p.geometry, self.engine.array(nothing), one)[:, :, 0]
        row, column = np.nonzero((share > 0.5) & self.task.importance.any(axis=2))
        if not len(row):
            return False
        # One for every cell of the second level that has such texels, wide enough to reach all of the cell.
        level = min(1, len(self.pyramid.cells) - 1)
        size = self.pyramid.cell_size[level]
        cell = (row // size[1]).astype(np.int64) * self.pyramid.cells[level, 0] + (column // size[0]).astype(np.int64)
        _, group, texels = np.unique(cell, return_inverse=True, return_counts=True)
        chosen = np.argsort(-texels, kind="stable")[: max(1, len(p.geometry) // 4)]

        def mean(values: np.ndarray) -> np.ndarray:
            return (np.bincount(group, weights=values) / texels)[chosen]

        geometry = np.zeros((len(chosen), 6), np.float32)
        geometry[:, 0], geometry[:, 1] = mean(column + 0.5), mean(row + 0.5)
        geometry[:, 3:5] = log(max(0.9 * size.min() / CUT, self.settings.sigma_min))
        features = np.stack([mean(plane[row, column]) for plane in self.task.image.transpose(2, 0, 1)], axis=1)

        cost, _, _ = self.engine.removal_cost(p.geometry, p.features)
        p.keep(np.sort(np.argsort(cost, kind="stable")[len(chosen) :]))
        p.append(geometry, features.astype(np.float32))
        self._place()
        return True

    def _meet_budget(self) -> Coding:
        """Drop the Gaussians that are worth least, or add some where the error is, until the budget is full."""
        task, p = self.task, self.parameters
        attempts = 0
        while True:
            coding, words = self._coding()
            if task.count:
                return coding
            widest = max(layout.stride for layout in coding.levels if layout)
            spare = (task.budget_words - words) * 32 // widest  # rounds down: negative when over budget
            full = words >= 0.99 * task.budget_words or attempts >= 8
            if spare == 0 or (spare > 0 and full):
                return coding
            if -spare >= len(p.geometry):
                if self.palette_bits and not task.above:
                    self.palette_bits = ()
                    continue
                one = self.engine.host(self.placement[:1])
                raise BudgetTooSmall(words_needed(coding, one, task.stack_channels))
            cost, _, error = self.engine.removal_cost(p.geometry, p.features)
            if spare < 0:
                p.keep(np.sort(np.argsort(cost, kind="stable")[-spare:]))
            elif error.any():
                p.append(*gaussians_at(task.image, error, spare, self.settings.relocated_sigma, self.rng))
            # A level or a crowded group more or less changes the words of index, so this may take a few rounds.
            attempts += 1
            self._place()

    def _quantise(self, quantiser: Any) -> None:
        s = self.settings
        self._descend_rounded(quantiser, round(s.steps * s.settle_at) if s.settle else s.steps)

    def _settle(self, quantiser: Any, geometry: Any, stored: Any) -> Any:
        """Train the geometry for the features that are stored, which follow it, in place, from time to time.

        geometry: codes. Returns the new ones.
        """
        first, rounds = self.step_count, self.settings.settle
        for n in range(1, rounds + 1):
            near, blend = self._points(partial(quantiser.decode, geometry), stored)
            self.engine.improve_features(near, blend(), stored, palettes_too=not self.task.above)
            if n % PUSH_EVERY == 1:
                self._push_maps(self._errors(quantiser.decode(geometry), stored.values()))
            until = first + (self.settings.steps - first) * n // rounds
            self._descend_rounded(quantiser, until, features=stored.values())
            geometry = self.engine.codes(quantiser, self.parameters.geometry)
        return geometry

    def _descend_rounded(self, quantiser: Any, until: int, *, features: Any = None) -> None:
        """Steps on the values that codes stand for; of the geometry alone, where the features are given."""
        fixed = features is not None
        while self.step_count < until:
            geometry, rounded = self.engine.rounded(quantiser, self.parameters)
            if self.step_count % self.settings.replace_every == 0:
                self._list_entries(geometry)
            self._descend(geometry, features if fixed else rounded, fixed_features=fixed)
            self.progress("quantise", self.step_count, self.mse)

    def _make_palettes(self, quantiser: Any, geometry: Any) -> Coding:
        """The coding with its palettes; geometry: codes."""
        p, coding = self.parameters, quantiser.coding
        if not coding.palette_bits or coding.palettes:
            return coding
        _, share, _ = self.engine.removal_cost(quantiser.decode(geometry), p.features)
        return self._with_palettes(coding, share, quantiser.decode(geometry))

    def _with_palettes(self, coding: Coding, share: np.ndarray, geometry: Any) -> Coding:
        """The coding with the best of some palettes for the present features.

        share: of the Gaussians, see CpuView.removal_cost. geometry: as it will be stored.
        """
        features = self.parameters.features
        scale = np.sqrt(self.channel_weight).astype(np.float32)
        scaled = features * self.engine.array(scale)
        found: list[tuple[float, Coding]] = []
        for _ in range(PALETTE_TRIES):
            palettes = self.engine.train(scaled, share, coding.palette_bits, self.rng)
            lo, step, stored = to_grid([palette / scale for palette in palettes], self.task.neutral)
            tried = replace(coding, channel_lo=lo, channel_step=step, palettes=stored)
            values = self.engine.store(tried, self.placement, features).values()
            found.append((self._error(geometry, values), tried))
        return min(found, key=lambda one: one[0])[1]

    def _polish(self, quantiser: Any, geometry: Any, stored: Any) -> None:
        """Move what is stored to where the squared error is least, in place; training only came near.

        With another loss too: what is gained is mostly noise of the last steps, which no loss wants. geometry: codes.
        """
        s, engine = self.settings, self.engine
        if not s.polish:
            return
        palettes_too = not self.task.above
        for _ in range(s.polish):
            self.progress("polish", self.step_count, self.mse)
            near, blend = self._points(lambda: quantiser.decode(geometry), stored)
            engine.improve_features(near, blend(), stored, palettes_too=palettes_too)
            engine.improve_geometry(near, blend(), quantiser, geometry, stored.values())
        near, blend = self._points(lambda: quantiser.decode(geometry), stored)
        engine.improve_features(near, blend(), stored, palettes_too=palettes_too)

    def _improve(self, geometry: Any, stored: Any) -> None:
        """Move the stored features alone, for geometry that stays."""
        near, blend = self._points(lambda: geometry, stored)
        for _ in range(2):
            self.engine.improve_features(near, blend(), stored, palettes_too=not self.task.above)

    def _points(self, geometry: Callable[[], Any], stored: Any) -> tuple[Any, Callable[[], Any]]:
        """All points at which the fit is judged, with what matters there, and how to blend what is stored."""
        self._list_entries(geometry())
        samples = self.engine.collect(self.jitter, self.mse)
        background = self.engine.array(self.background)
        first = samples.blend(geometry(), stored.values(), background)
        near = samples.only(first.share > LEAST_SHARE)
        return near, lambda: samples.blend(geometry(), stored.values(), background)

    def _error(self, geometry: Any, features: Any) -> float:
        """The weighted squared error at the texel centres, with the weights of the task as it was given."""
        return float(self._errors(geometry, features).sum())

    def _errors(self, geometry: Any, features: Any) -> np.ndarray:
        """The same by channel, float64 [C]."""
        image = self.engine.render(geometry, features, self.background)
        return squared_errors(image, self.plain.image, self.plain.importance)

    def _balance_maps(self) -> None:
        """Let maps count by how far they are from what is fair (encode/map_weights.py)."""
        plain, p = self.plain, self.parameters
        if plain.maps is None or plain.above:
            return
        self._weigh_maps(self._map_weights(self._errors(p.geometry, p.features)))
        self._place()

    def _push_maps(self, errors: np.ndarray) -> None:
        """Let maps that are far behind what is fair count more. errors: of `_errors`."""
        plain = self.plain
        if plain.maps is None or plain.above:
            return
        found = self._per_texel(errors)
        pushes = pushed(self.pushes, found, self._spectrum, self._turned_spectrum, plain.maps)
        if not np.array_equal(pushes, self.pushes):
            factors = self.map_factors / self.pushes * pushes
            self._weigh_maps(factors / factors.mean())
            self._list_entries(self.parameters.geometry)
            self.pushes = pushes

    def _map_weights(self, errors: np.ndarray) -> np.ndarray:
        """What the channels should count, float64 [C] of mean 1, for the errors of `_errors`; there are maps."""
        return map_weights(self._per_texel(errors), self._spectrum, self._maps)

    def _per_texel(self, errors: np.ndarray) -> np.ndarray:
        """Mean squared errors by channel of the sums of `_errors`."""
        return errors / np.maximum(self.plain.importance.sum(axis=(0, 1), dtype=np.float64), 1e-9)

    def _weigh_maps(self, factors: np.ndarray) -> None:
        """Let every channel count this many times what it counts in the task as it was given; nothing is listed then.

        factors: [C].
        """
        self.map_factors = factors
        plain, factor = self.plain, factors.astype(np.float32)
        weight = factor * (1 if plain.weight is None else plain.weight)
        shared = tuple((image, importance * factor) for image, importance in plain.shared)
        self.task = replace(plain, importance=plain.importance * factor, weight=weight, shared=shared)
        self.channel_weight = weight.astype(np.float64)
        self._follow(wait=True)
        self.samples = float(self.task.importance.sum(dtype=np.float64)) or 1.0
        self.engine = self.parameters.engine = self.make_engine(self.task, self.settings, self.background)
        self.engine.set_pyramid(self.pyramid)

    @property
    def _maps(self) -> np.ndarray:
        """Of the task; there are maps."""
        assert self.plain.maps is not None
        return self.plain.maps

    @cached_property
    def _spectrum(self) -> Spectrum:
        """Of the picture, see encode/map_weights.py."""
        return Spectrum.of(coefficients(self.plain.image))

    @cached_property
    def _turned_spectrum(self) -> Spectrum:
        """Of the picture with every map's channels decorrelated."""
        return Spectrum.of(coefficients(decorrelated(self.plain.image, self._maps)))

    # -- steps

    def _place(self) -> None:
        p = self.parameters
        self.placement = self.engine.place(p.geometry, p.level)
        p.level = self.placement[:, 0].copy()
        self._list_entries(p.geometry)

    def _list_entries(self, geometry: Any) -> None:
        self._follow(wait=True)
        self.engine.list_entries(self.placement, geometry)

    def _descend(self, geometry: Any, features: Any, *, fixed_features: bool = False) -> None:
        """One Adam step of the parameters, or those of the geometry, with the gradient at (geometry, features)."""
        s = self.settings
        jitter, between = NO_JITTER, bool(self.rng.random() < self.jitter)
        if between:
            jitter = (self.rng.random(2) - 0.5).astype(np.float32)
        late = max(0.0, (self.step_count + 1) / s.steps - (1 - s.decay_share)) / s.decay_share
        self.engine.descend(self.parameters, geometry, features, jitter, between, self.step_count,
                            float(power(s.decay, late)),
                            self.mse, fixed_features=fixed_features)  # fmt: skip
        self.step_count += 1
        self._follow()

    def _follow(self, *, wait: bool = False) -> None:
        """Follow the errors of the steps that the engine tells of; with `wait`, of all."""
        for step, loss, between in self.engine.losses(wait=wait):
            self.mse += (0.1 if step else 1.0) * (loss / self.samples - self.mse)
            if self.settings.jitter:
                self._balance(loss, between)

    def _balance(self, loss: float, between: bool) -> None:
        """Let as many steps sample between texels as keep what is there `jitter_gap` dB below the texel centres.

        Where a bilinear picture is easy to follow, hardly any; where Gaussians are small and sharp, more than half.
        """
        kind = int(between)
        self.losses[kind] += (0.1 if self.losses[kind] else 1.0) * (loss - self.losses[kind])
        if self.losses.all():
            gap = 10 * log10(self.losses[1] / self.losses[0])
            self.jitter *= 1.01 if gap > self.settings.jitter_gap else 0.99
            self.jitter = min(max(self.jitter, JITTER_LEAST), JITTER_MOST)

    def _relocate(self, share: float) -> None:
        """Move the Gaussians whose removal costs least to texels drawn by their error.

        On the way the count follows the budget: the better the fit, the more bits a Gaussian is stored with.
        """
        self._place()
        p = self.parameters
        cost, _, error = self.engine.removal_cost(p.geometry, p.features)
        if not error.any():
            return
        order = np.argsort(cost, kind="stable")
        change = self._affordable() - len(cost)
        moved = min(round(len(cost) * share), len(cost) + min(change, 0))
        p.keep(np.sort(order[max(0, -change) :]))
        if change < 0:
            order = np.argsort(cost[np.sort(order[-change:])], kind="stable")
        new = gaussians_at(self.task.image, error, moved + max(0, change), self.settings.relocated_sigma, self.rng)
        p.restart(order[:moved], new[0][:moved], new[1][:moved])
        p.append(new[0][moved:], new[1][moved:])
        self._place()

    def _affordable(self) -> int:
        """How many Gaussians the budget pays for at the precision that suits the present error.

        A few too many: the freeze drops the worst of them.
        """
        if self.task.count:
            return self.task.count
        coding, words = self._coding()
        stride = max(layout.stride for layout in coding.levels if layout)
        spare = (self.task.budget_words - words) * 32 / stride
        return max(1, int((len(self.parameters.geometry) + spare) * self.settings.excess))

    def _coding(self) -> tuple[Coding, int]:
        """The coding that suits the present Gaussians and the words of the section with it."""
        task, p = self.task, self.parameters
        precision = choose_precision(self.settings.fineness * self._expected_rmse())
        shared = task.above.coding if task.above else None
        host = self.engine.host
        coding = make_coding(self.pyramid, host(self.placement), host(p.geometry), precision, task.ranges, task.neutral,
                             shared, task.weight, self.palette_bits)  # fmt: skip
        return coding, self._words(coding)

    def _expected_rmse(self) -> float:
        """The root mean square error at the freeze: it falls by a third from where relocation begins."""
        left = max(0.0, 1 - self.step_count / (self.settings.freeze_at * self.settings.steps))
        return float(np.sqrt(self.mse)) * (1 - left / 3)

    def _words(self, coding: Coding) -> int:
        """Words of the mip with this coding, and of the palettes if it is the one that has to pay for them."""
        tables = 0 if self.task.above else palette_words(coding.palette_bits, self.task.image.shape[2])
        return words_needed(coding, self.engine.host(self.placement), self.task.stack_channels) + tables

    def _measure_slope(self) -> float:
        """How the error falls with more Gaussians: from 5 dB for twice as many on smooth maps to 0.2 dB on noise.

        From another fit of half as many, as far as this one is; it tells the slope of finished fits within a decibel,
        unless the error of a fit swings by more than that from step to step.
        """
        half = Fit(replace(self.plain, count=max(1, len(self.parameters.geometry) // 2)), self.settings,
                   self.rng.spawn(1)[0], lambda *state: None, self.make_engine)  # fmt: skip
        half._start()
        half._optimise(self.step_count)
        errors, counts = np.zeros(2), np.zeros(2)
        for i, fit in enumerate((half, self)):
            fit._place()
            errors[i] = fit._error(fit.parameters.geometry, fit.parameters.features)
            counts[i] = len(fit.parameters.geometry)
        if not errors.all() or counts[0] == counts[1]:
            return SLOPE
        slope = log(errors[0] / errors[1]) / log(counts[1] / counts[0])
        return float(np.clip(slope, SLOPE_LEAST, SLOPE_MOST))

    def _choose_palettes(self) -> None:
        """Choose the bits of the palettes that suit the present Gaussians."""
        task, p = self.task, self.parameters
        if task.above:
            return
        self.palette_bits = ()
        coding, words = self._coding()
        levels = [layout for layout in coding.levels if layout]
        counts = np.bincount(self.engine.host(self.placement)[:, 0], minlength=len(coding.levels))
        geometry_bits = [layout.geometry_bits for layout in levels][int(np.argmax(counts[counts > 0]))]
        scalar_bits = int(coding.channel_bits.sum())
        _, share, _ = self.engine.removal_cost(p.geometry, p.features)
        added = float(share.sum() * (self.channel_weight * coding.channel_step.astype(np.float64) ** 2).sum() / 12)
        records = sum(counts[i] * layout.stride for i, layout in enumerate(coding.levels) if layout) // 32
        budget = records if task.count else task.budget_words - (words - records)
        error = self._expected_rmse() ** 2 * self.samples
        self.palette_bits = choose_bits(self.engine.host(p.features), self.channel_weight, share, error, added,
                                        scalar_bits, geometry_bits, budget, self.slope, self.rng)  # fmt: skip


def stored_features(mip: Result) -> StoredFeatures:
    """The features of a fitted mip, as they are stored."""
    return StoredFeatures.of(mip.coding, mip.entries, mip.features)


def fit_mip(
    task: Task,
    settings: Settings,
    *,
    seed: int,
    progress: Callable[[str, int, float], None],
    make_engine: MakeEngine = CpuEngine,
) -> Result:
    """Fit Gaussians to one mip.

    Args:
        progress: called as progress(stage, step, mse) after every step.

    Returns:
        Codes that fill at most task.budget_words words.

    Raises:
        BudgetTooSmall: the budget does not hold a single Gaussian.
    """
    return Fit(task, settings, np.random.default_rng(seed), progress, make_engine).run()
