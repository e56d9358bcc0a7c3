"""The weights of maps while a fit goes on (map_weights.py says what is fair)."""

import numpy as np

from gstex.arrays import F64Array, IntArray
from gstex.encode.map_weights import Spectrum, coefficients, decorrelated, map_weights, pushed, some_blocks
from gstex.encode.problem import Target
from gstex.encode.trainer import Trainer

__all__ = ["MapBalance", "turned_spectrum"]


class MapBalance:
    """Lets maps that are behind count more. Does nothing for a task that takes its weights as given, or below mip 0.

    pushes: how many times more the channels count than `balance` lets them, float64 [C].
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.pushes = np.ones(trainer.task.target.channels)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.trainer.task.maps is not None and self.trainer.task.above is None

    def weights(self, errors: F64Array) -> F64Array:
        """What the channels should count, float64 [C] of mean 1, for the errors of Trainer.errors. Needs maps."""
        return map_weights(self.trainer.per_texel(errors), self._spectrum, self._maps, self.trainer.task.asked)

    def balance(self) -> None:
        """Let maps count by how far the present Gaussians are from what is fair."""
        trainer = self.trainer
        if self.wanted:
            p = trainer.parameters
            trainer.weigh_channels(self.weights(trainer.errors(p.geometry, p.features)))

    def push(self, errors: F64Array) -> None:
        """Let maps that are far behind what is fair count more. errors: [C], of Trainer.errors."""
        trainer = self.trainer
        if not self.wanted:
            return
        texel_errors = trainer.per_texel(errors)
        pushes = pushed(
            self.pushes, texel_errors, self._spectrum, self._turned_spectrum, self._maps, trainer.task.asked
        )
        if not np.array_equal(pushes, self.pushes):
            factors = trainer.channel_factors / self.pushes * pushes
            trainer.weigh_channels(factors / factors.mean())
            self.pushes = pushes

    @property
    def _maps(self) -> IntArray:
        assert self.trainer.task.maps is not None
        return self.trainer.task.maps

    @property
    def _spectrum(self) -> Spectrum:
        target = self.trainer.task.target
        return target.kept("spectrum", lambda: Spectrum.of(coefficients(target.image)))

    @property
    def _turned_spectrum(self) -> Spectrum:
        return turned_spectrum(self.trainer.task.target, self._maps)


def turned_spectrum(target: Target, maps: IntArray) -> Spectrum:
    """The spectrum of a picture with decorrelated channels in every map. maps: int [C], the number of each
    channel's map."""
    return target.kept(
        ("turned spectrum", tuple(maps)),
        lambda: Spectrum.of(coefficients(decorrelated(some_blocks(target.image), maps))),
    )
