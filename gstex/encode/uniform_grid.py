"""A fit without geometry: one Gaussian in every cell of one grid, whose record is an entry of every palette.

Where a picture is as fine everywhere as a grid can be (woven cloth), positions and shapes are wasted bytes: seven times
as many Gaussians without them come nearer. docs/format.md calls that a regular level. A fit of mip 0 tries it before
the freeze, and soon gives it up where the grid alone cannot follow the picture. It comes back to it where the fit ends
with more error than the grid promised.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gstex.arrays import F64Array
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.codebooks import MOST_TABLES, best_codebooks, rounding_errors
from gstex.encode.engine import MakeEngine
from gstex.encode.map_balance import MapBalance
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import Result, Task
from gstex.encode.quantisation import LN2, Coding
from gstex.encode.rate_control import RateControl
from gstex.encode.settings import Settings
from gstex.encode.trainer import JITTER_LEAST, Trainer
from gstex.format.layout import MAX_CELLS, LevelLayout, mip_block_words, palette_words
from gstex.native.maths import log2, power

# Sigma as a share of the distance of neighbours. A wider one follows a picture better, and pays more for every rounded
# value: the second is for records of 4 bits.
SIGMA, SIGMA_COARSE = 0.58, 0.5
# Bits of the palettes that are tried, all together a multiple of 4.
CHOICES: tuple[tuple[int, ...], ...] = ((8,), (4,), (12,), (6, 6), (8, 8), (10, 10), (7, 7, 6), (8, 8, 8))
# Slope of the squared error over the number of cells, both in logarithms: 3.6 dB for twice as many. A grid with a
# Gaussian in nearly every texel (this share of them) follows every picture.
SLOPE, NEARLY_ALL = 1.2, 0.9
# A grid is fitted if it promises less than this share of the squared error of rounded free Gaussians. Later stages take
# some of what rounding costs these off again.
WORTH = 0.95
# Rounds of conjugate gradients of a trial, of the fit itself, and of one with records of 4 bits: 16 entries follow a
# picture of the first rounds better.
TRIAL_ROUNDS, ROUNDS, ROUNDS_COARSE = 4, 10, 2
# Share of the error of k-means that is left when entries and choices have been improved against the picture.
LEFT = 0.85
# How often palettes are made again with other weights of the maps, and by which factor the squared error of all maps
# together may grow (0.1 dB). Weights within 1.5 of each other are not worth a round.
BALANCES, MOST_LOSS, EVEN = 3, 1.023, 1.5


def is_coarse(bits: tuple[int, ...]) -> bool:
    """Whether records have 4 bits, with which rounding decides most."""
    return sum(bits) <= 4


class UniformGrid:
    """The fit of a grid with codebooks of given bits. Shapes are those of the grid; only features are solved.

    promised: the squared error that `promises` has compared.
    """

    promised = np.inf

    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, make_engine: MakeEngine = CpuEngine
    ):  # fmt: skip
        self.task = task
        settings = replace(settings, jitter=min(settings.jitter, JITTER_LEAST), steps=0)
        self.trainer = Trainer(task, settings, rng, lambda *state: None, make_engine)
        self.maps = MapBalance(self.trainer)

    def promises(self, error: float) -> bool:
        """Whether a grid within the budget may have less squared error than free Gaussians; `fit` fits that grid.

        error: that of the free Gaussians when they are rounded, before later stages.
        """
        self.promised = self.promise()
        if self.promised >= WORTH * error:
            return False
        if self._chosen != self.codebook_bits or is_coarse(self._chosen):
            self.start(self._chosen)  # 16 entries follow the features of the first rounds best
        return True

    def promise(self) -> float:
        """The squared error that a grid within the budget promises, for the bits that promise least; inf where there
        is none.

        What rounding adds is estimated from the first grid. What the grid itself leaves is measured for every choice
        that may be the best: on fine grids no slope tells it.
        """
        able = [bits for bits in CHOICES if self.room(bits) >= 2 * 2 ** max(bits)]
        if not able:
            return np.inf
        left = {able[0]: self._left_by(able[0])}
        rounding = self._rounding(able)
        while True:
            promised = {bits: left.get(bits, self._foreseen(bits, left)) + rounding[bits] for bits in able}
            best = min(able, key=lambda bits: promised[bits])
            if best in left:
                self._chosen = best
                return promised[best]
            left[best] = self._left_by(best)

    def _left_by(self, bits: tuple[int, ...]) -> float:
        """The squared error of a grid with codebooks of these bits before its features are rounded."""
        self.start(bits)
        self.try_out()
        p = self.trainer.parameters
        return float(self.trainer.error(p.geometry, p.features))

    def _foreseen(self, bits: tuple[int, ...], left: dict[tuple[int, ...], float]) -> float:
        """The same without a trial, from the trial of the nearest number of records: rather too little."""
        records = self.records(bits)
        if records > NEARLY_ALL * self._texels:
            return 0.0
        nearest = min(left, key=lambda tried: abs(float(log2(self.records(tried) / records))))
        return left[nearest] * float(power(self.records(nearest) / records, SLOPE))

    def _rounding(self, able: list[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
        """What rounding adds to the squared error for each choice of bits, by the features of the present grid."""
        trainer = self.trainer
        _, share, _ = trainer.removal_cost()
        features = trainer.engine.host(trainer.parameters.features)
        scaled = features * np.sqrt(trainer.weight.astype(np.float64)).astype(np.float32)
        errors = rounding_errors(scaled, share, able, trainer.rng)
        return {bits: LEFT * error for bits, error in errors.items()}

    def fit(self, report: Callable[[], None] = lambda: None) -> Result:
        """The fit, perhaps with more error than it promised. report: called when features are solved, and
        whenever codebooks are made."""
        self.solve(ROUNDS_COARSE if is_coarse(self.codebook_bits) else ROUNDS)
        report()
        return self.finish(report)

    def room(self, bits: tuple[int, ...]) -> int:
        """How many records the budget pays for; 0 if the palettes take too much of it."""
        tables = palette_words(bits, self.task.target.channels)
        words = self.task.budget_words - tables - mip_block_words(self.task.target.channels, 1)
        return words * 32 // sum(bits) if tables <= MOST_TABLES * self.task.budget_words else 0

    @property
    def _texels(self) -> int:
        height, width = self.task.target.image.shape[:2]
        return height * width

    def records(self, bits: tuple[int, ...]) -> int:
        """How many records a grid has, about: as many as there is room for, but no more than texels."""
        return min(self.room(bits), self._texels)

    def start(self, bits: tuple[int, ...]) -> None:
        """Set up the largest grid that the budget pays for with codebooks of these bits."""
        trainer, (height, width) = self.trainer, self.task.target.image.shape[:2]
        spacing = np.sqrt(width * height / self.room(bits))
        least = 3 if self.task.repeat else 1
        # Not finer than the texels: what is left of the budget then stays unused.
        most = np.maximum(np.minimum([width, height], MAX_CELLS), least)
        cells = np.clip([int(width / spacing), int(height / spacing)], least, most)
        while cells.prod() > self.room(bits):
            cells[int(np.argmax(cells))] -= 1
        self.codebook_bits = bits
        trainer.set_pyramid(Pyramid(width, height, self.task.repeat, cells[None].astype(np.int32)))
        row, column = np.divmod(np.arange(cells.prod()), cells[0])
        trainer.placement = trainer.engine.array(np.stack([0 * row, column, row], axis=1).astype(np.int32))
        size = trainer.pyramid.cell_size[0]
        geometry = np.zeros((len(row), 6), np.float32)
        geometry[:, 0], geometry[:, 1] = (column + 0.5) * size[0], (row + 0.5) * size[1]
        sigma = SIGMA_COARSE if is_coarse(bits) else SIGMA
        self.log_inverse = float(np.float32(-log2(sigma * np.sqrt(size.prod()))))
        geometry[:, 3:5] = -LN2 * self.log_inverse
        texel = np.floor(geometry[:, :2]).astype(np.int64)
        trainer.set_gaussians(geometry, self.task.target.image[texel[:, 1], texel[:, 0]].astype(np.float32))

    def try_out(self) -> None:
        """Solve the features as far as it takes to see what the grid can do, at the texel centres."""
        self.trainer.solve_features(TRIAL_ROUNDS, centres_only=True)

    def solve(self, rounds: int) -> None:
        """Solve the features, by so many rounds of conjugate gradients; twice, as the first result says how much the
        shared mips count."""
        for _ in range(2):
            self.trainer.solve_features(rounds)

    def finish(self, report: Callable[[], None] = lambda: None) -> Result:
        """Make the palettes and improve what is stored, until no map is left behind by more than need be.

        Few entries go to maps of much detail, and a smooth one is left with noise that it need not have. So palettes
        are made again with weights that follow what the last ones left of each map (encode/map_weights.py).
        """
        result, errors = self._store()
        report()
        if not self.maps.wanted:
            return result
        trainer, weights = self.trainer, np.ones(len(self.trainer.background))
        most = MOST_LOSS * result.error
        for _ in range(BALANCES):
            factor = self.maps.weights(errors)
            if factor.max() < EVEN * factor.min():
                break
            weights *= factor
            weights /= weights.mean()
            trainer.weigh_channels(weights)
            tried, left = self._store()
            report()
            if tried.error > most:
                break
            result, errors = tried, left
        return result

    def _store(self) -> tuple[Result, F64Array]:
        """The fit with codebooks for the present weights of the maps, and its errors by channel."""
        trainer, p, cells = self.trainer, self.trainer.parameters, self.trainer.pyramid.cells[0]
        x, y, stride = int(cells[0]), int(cells[1]), sum(self.codebook_bits)
        layout = LevelLayout(x, y, stride, 0, 0, 0, 0, 0, self.log_inverse, 0.0, regular=True)
        _, share, _ = trainer.removal_cost()
        zeros = np.zeros(len(trainer.background))
        coding = Coding(trainer.pyramid, (layout,), 0.0, 0.0, zeros.astype(np.float32), zeros.astype(np.float32),
                        zeros.astype(np.int64), self.codebook_bits)  # fmt: skip
        coding = best_codebooks(trainer, coding, share, p.geometry)
        stored = trainer.engine.store(coding, trainer.placement, p.features)
        points, blend = trainer.points(lambda: p.geometry, stored)
        trainer.engine.refine_features(points, blend(), stored, codebooks_too=True)
        no_codes = np.zeros((len(p.geometry), 6), np.uint32)
        errors = trainer.errors(p.geometry, stored.values())
        words = RateControl(trainer).words(coding)
        return trainer.result(coding, no_codes, stored, words, float(errors.sum())), errors
