"""What the budget pays for: precision, codebooks, and the number of Gaussians."""

from collections.abc import Sequence

import numpy as np

from gstex.arrays import F64Array
from gstex.encode.codebooks import CHOICES, LEFT, rank_bits, rounding_errors
from gstex.encode.initialise import gaussians_at
from gstex.encode.problem import BudgetTooSmall
from gstex.encode.quantisation import Coding, make_coding, words_needed
from gstex.encode.settings import choose_precision
from gstex.encode.trainer import Trainer
from gstex.format.layout import palette_words

__all__ = ["SLOPE", "SLOPE_LEAST", "SLOPE_MOST", "RateControl"]

# Slope of the squared error over the number of Gaussians, both in logarithms, until it is measured (2.7 dB for twice as
# many), and the range to which a measurement is clipped.
SLOPE, SLOPE_LEAST, SLOPE_MOST = 0.9, 0.6, 2.0
# Most rounds of meeting the budget: one level or crowded group more or less changes the words of indices.
_MOST_ROUNDS = 8


class RateControl:
    """Keeps the Gaussians of a trainer within the budget of its task.

    codebook_bits: of the codebooks that suit the present Gaussians; () if every channel has codes of its own.
    slope: see SLOPE. choices: bits of codebooks that are tried next. left: see codebooks.LEFT.
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        above = trainer.task.above
        self.codebook_bits: tuple[int, ...] = above.coding.palette_bits if above else ()
        self.slope = SLOPE
        self.choices: Sequence[tuple[int, ...]] = CHOICES
        self.left = LEFT

    def coding(self) -> tuple[Coding, int]:
        """The coding that suits the present Gaussians, and the words of the mip with it."""
        trainer = self.trainer
        task, p, host = trainer.task, trainer.parameters, trainer.engine.host
        precision = choose_precision(trainer.settings.fineness * self.expected_rmse())
        above = task.above.coding if task.above else None
        coding = make_coding(trainer.pyramid, host(trainer.placement), host(p.geometry), precision, task.ranges,
                             task.neutral, above, trainer.weight, self.codebook_bits)  # fmt: skip
        return coding, self.words(coding)

    def words(self, coding: Coding) -> int:
        """Words of the mip with this coding, and of the codebooks if it is the one that has to pay for them."""
        task = self.trainer.task
        tables = 0 if task.above else palette_words(coding.palette_bits, task.target.channels)
        return words_needed(coding, self.trainer.engine.host(self.trainer.placement), task.target.channels) + tables

    def expected_rmse(self) -> float:
        """The root mean square error to expect at the freeze: from the first step to there it falls by a third."""
        trainer = self.trainer
        left = max(0.0, 1 - trainer.step_count / (trainer.settings.freeze_at * trainer.settings.steps))
        return float(np.sqrt(trainer.mse)) * (1 - left / 3)

    def affordable(self) -> int:
        """How many Gaussians the budget pays for at the precision that suits the present error.

        They are a few too many, by `excess`: the freeze drops the worst of them.
        """
        task = self.trainer.task
        if task.count:
            return task.count
        coding, words = self.coding()
        spare = (task.budget_words - words) * 32 / widest_record(coding)
        return max(1, int((self.trainer.count + spare) * self.trainer.settings.excess))

    def meet_budget(self) -> Coding:
        """Drop the Gaussians that are worth least, or add some where the error is, until the budget is full.

        Raises:
            BudgetTooSmall: the budget does not hold a single Gaussian.
        """
        trainer, attempts = self.trainer, 0
        task, p = trainer.task, trainer.parameters
        while True:
            coding, words = self.coding()
            if task.count:
                return coding
            spare = (task.budget_words - words) * 32 // widest_record(coding)  # rounds down: negative when over budget
            full = words >= 0.99 * task.budget_words or attempts >= _MOST_ROUNDS
            if spare == 0 or (spare > 0 and full):
                return coding
            if -spare >= trainer.count:
                if self.codebook_bits and not task.above:
                    self.codebook_bits = ()
                elif trainer.count > 1 and not task.above:
                    # Grid levels and their indices may be what does not fit: few Gaussians need one level of few cells.
                    cost, _, _ = trainer.removal_cost()
                    p.keep(np.sort(np.argsort(cost, kind="stable")[-(trainer.count // 2) :]))
                    trainer.set_grid(trainer.count)
                    trainer.place()
                else:
                    placement = trainer.engine.host(trainer.placement[:1])
                    raise BudgetTooSmall(words_needed(coding, placement, task.target.channels))
                continue
            cost, _, error = trainer.removal_cost()
            if spare < 0:
                p.keep(np.sort(np.argsort(cost, kind="stable")[-spare:]))
            elif error.any():
                p.append(*gaussians_at(task.target.image, error, spare, trainer.settings.relocated_sigma, trainer.rng))
            attempts += 1
            trainer.place()

    def choose_codebooks(self) -> None:
        """Choose the bits of the codebooks that suit the present Gaussians."""
        trainer = self.trainer
        task, p, host = trainer.task, trainer.parameters, trainer.engine.host
        if task.above:
            return
        self.codebook_bits = ()
        coding, words = self.coding()
        levels = [layout for layout in coding.levels if layout]
        counts = np.bincount(host(trainer.placement)[:, 0], minlength=len(coding.levels))
        geometry_bits = [layout.geometry_bits for layout in levels][int(np.argmax(counts[counts > 0]))]
        scalar_bits = int(coding.channel_bits.sum())
        _, share, _ = trainer.removal_cost()
        weight = trainer.weight.astype(np.float64)
        records = sum(counts[i] * layout.stride for i, layout in enumerate(coding.levels) if layout) // 32
        budget = records if task.count else task.budget_words - (words - records)
        error = self.expected_rmse() ** 2 * trainer.importance_sum
        ranked = rank_bits(
            host(p.features), weight, share, error, self._rounded_codes(coding, share), scalar_bits, geometry_bits,
            budget, self.slope, trainer.rng, choices=self.choices, left=self.left,
        )  # fmt: skip
        self.codebook_bits = ranked[0]
        self.choices = [bits for bits in ranked if bits] or self.choices


    def rounding(self, rng: np.random.Generator) -> float:
        """What rounding the present features, with the present bits of codebooks, adds to the squared error.

        Later stages take some of it off again.
        """
        trainer = self.trainer
        _, share, _ = trainer.removal_cost()
        if not self.codebook_bits:
            return self._rounded_codes(self.coding()[0], share)
        scale = np.sqrt(trainer.weight.astype(np.float64)).astype(np.float32)
        scaled = trainer.engine.host(trainer.parameters.features) * scale
        return rounding_errors(scaled, share, [self.codebook_bits], rng)[self.codebook_bits]

    def _rounded_codes(self, coding: Coding, share: F64Array) -> float:
        """What rounding adds if every channel has codes of its own. share: [N], see CpuView.removal_cost."""
        steps = self.trainer.weight.astype(np.float64) * coding.channel_step.astype(np.float64) ** 2
        return float(share.sum() * steps.sum() / 12)


def widest_record(coding: Coding) -> int:
    """Bits of a record in the level with the longest records."""
    return max(layout.stride for layout in coding.levels if layout)
