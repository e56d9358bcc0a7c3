"""How the steps of a fit are spread over its time.

Steps of different stages take different times, and how they differ depends on machine, effort and size. The course of
a fit is remembered, so that the next one shows the right time left.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gstex.user_state import read_state, write_state

__all__ = ["Pace"]

_NAME = "pace"
_POINTS = 21  # of a curve, at equal shares of the steps from 0 to 1
_FRESH = 0.3  # weight of the last fit against all earlier ones
# (shares of the steps, shares of the time) before anything is remembered, as the bench progress measured them at
# 256x256 on two cores: for few steps (draft and fast), and for many.
_FEW = ((0.0, 0.45, 0.81, 0.96, 1.0), (0.0, 0.47, 0.82, 0.90, 1.0))
_MANY = ((0.0, 0.37, 0.72, 0.857, 0.96, 1.0), (0.0, 0.48, 0.82, 0.935, 0.97, 1.0))


class Pace:
    """The pace of fits of one effort and of about so many texels."""

    def __init__(self, effort: str, texels: int):
        self._key = f"{effort} {round(np.log2(max(texels, 1)) / 2)}"  # one key for every factor of two a side
        known = read_state(_NAME)
        stored = known.get(self._key) if isinstance(known, dict) else None
        self._known = _is_curve(stored)
        self._at = np.linspace(0, 1, _POINTS)
        usual = _FEW if effort in ("draft", "fast") else _MANY
        self._time = np.array(stored, float) if self._known else np.interp(self._at, *usual)

    def share(self, steps: float) -> float:
        """The share of the time that is over when this share of the steps is done."""
        return float(np.interp(steps, self._at, self._time))

    def learn(self, reports: Sequence[tuple[float, float]], seconds: float) -> None:
        """Remember a fit. reports: (seconds since its start, share of its steps), in order. seconds: of the whole."""
        if seconds <= 0 or len(reports) < 2:
            return
        moments, steps = np.array([*reports, (seconds, 1.0)]).T
        steps = np.maximum.accumulate(steps)
        curve = np.interp(self._at, steps, np.clip(moments / seconds, 0, 1))
        curve[0], curve[-1] = 0.0, 1.0
        weight = _FRESH if self._known else 1.0
        self._time = (1 - weight) * self._time + weight * np.maximum.accumulate(curve)
        known = read_state(_NAME)
        known = known if isinstance(known, dict) else {}
        write_state(_NAME, {**known, self._key: [round(float(t), 4) for t in self._time]})


def _is_curve(value: object) -> bool:
    """Whether this is what `learn` writes."""
    if not isinstance(value, list) or len(value) != _POINTS or not all(isinstance(t, int | float) for t in value):
        return False
    return value[0] == 0 and value[-1] == 1 and all(a <= b for a, b in pairwise(value))
