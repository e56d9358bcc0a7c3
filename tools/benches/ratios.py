"""The bytes that each way of storing needs for a given quality: the arithmetic of `bench.py compare`.

A curve is a list of dots, one for each way to store a material. Qualities are in decibels, and more is better. An angle
a becomes -20 log10(a), so half the angle is 6 dB better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gstex.json_types import JsonView

__all__ = ["CRITERIA", "Curve", "Dot", "Needed", "geometric_mean", "lead", "needed", "worst_map"]

_EXACT = 99.0  # dB that stand for no error at all
_ROUNDING = 58.9  # dB of rounding to 8 bits, 10 log10(12 x 255^2): above it no map is better than another
_MAX_DEFICIT = 2.0  # a ratio counts if no map is further below the baseline's than this many dB


@dataclass(frozen=True)
class Dot:
    """One way to store a material. qualities: dB by criterion, only measured ones; maps: PSNR by map. chain: bytes with
    all mips, 0 where unknown. candidates: average number of Gaussians that a sample evaluates, over all groups; 0 for
    block codecs."""

    bytes: float
    qualities: dict[str, float]
    maps: dict[str, float]
    chain: float = 0.0
    candidates: float = 0.0


Curve = Sequence[Dot]  # sorted by bytes


def _to_decibels(angle: float | None) -> float:
    return _EXACT if not angle else -20 * math.log10(angle)


def _psnr(value: float | None) -> float:
    return _EXACT if value is None else min(value, _EXACT)


# Name of a criterion -> function that reads it from a Quality.to_json() in dB.
CRITERIA: dict[str, Callable[[JsonView], float]] = {
    "psnr": lambda quality: _psnr(quality["psnr"]),
    "shaded": lambda quality: _psnr(quality["shaded_psnr"]),
    "angle": lambda quality: _to_decibels(quality["normal_angle_mean"]),
}


@dataclass(frozen=True)
class Needed:
    """What a curve needs for a quality. bytes: how many; maps: PSNR by map there. bound: None if the curve reaches the
    quality after its smallest dot; 'most' if its smallest dot is good enough and is given; 'least' if even its best dot
    is worse and is given. chain, candidates: see Dot."""

    bytes: float
    maps: dict[str, float]
    bound: str | None = None
    chain: float = 0.0
    candidates: float = 0.0


def lead(dot: Dot, criterion: str, target: float, theirs: dict[str, float] | None = None) -> float:
    """By how many dB a dot is above a quality; -inf if the quality was not measured.

    theirs: PSNR by map of a baseline. The result is then at most the margin of the worst map, that is _MAX_DEFICIT less
    the dB by which this map is below the baseline's.
    """
    above = dot.qualities.get(criterion, -math.inf) - target
    return above if theirs is None else min(above, _MAX_DEFICIT - worst_map(dot.maps, theirs)[1])


def needed(
    curve: Curve, criterion: str, target: float, theirs: dict[str, float] | None = None, *, is_choice: bool = False
) -> Needed:  # fmt: skip
    """Bytes at which a curve reaches a quality, interpolated between dots in dB over the logarithm of bytes.

    A dot that is larger than another one and not better does not count.

    theirs: see `lead`. is_choice: the dots are ways to store of which any may be taken, so a bad one is left out.
    If not, they are fits at growing budgets. A fit that does not count then shows that budgets between its neighbours
    need not be better either. So the bytes are those of the larger neighbour.
    """
    rising: list[tuple[Dot, float]] = []
    dropped: set[int] = set()  # the numbers of rising dots before which one does not count
    for dot in curve:
        above = lead(dot, criterion, target, theirs)
        if above == -math.inf:
            continue
        if not rising or above > rising[-1][1]:
            rising.append((dot, above))
        elif dot.bytes > rising[-1][0].bytes or above < rising[-1][1]:
            dropped.add(len(rising))
    if not rising:
        raise ValueError(f"no dot of the curve has the quality {criterion!r}")
    first, above = rising[0]
    if above >= 0:
        return Needed(first.bytes, first.maps, "most", first.chain, first.candidates)
    for number, ((before, low), (after, high)) in enumerate(pairwise(rising), start=1):
        if high >= 0:
            if number in dropped and not is_choice:
                return Needed(after.bytes, after.maps, None, after.chain, after.candidates)
            part = -low / (high - low)
            size = before.bytes * (after.bytes / before.bytes) ** part
            maps = {name: (1 - part) * before.maps[name] + part * after.maps[name] for name in before.maps}
            # Mips add a share of the bytes that hardly differs between neighbours.
            parts = [dot.chain / dot.bytes for dot in (before, after)]
            return Needed(size, maps, chain=size * ((1 - part) * parts[0] + part * parts[1]),
                          candidates=(1 - part) * before.candidates + part * after.candidates)
    last, _ = rising[-1]
    return Needed(last.bytes, last.maps, "least", last.chain, last.candidates)


def worst_map(ours: dict[str, float], theirs: dict[str, float]) -> tuple[str, float, bool]:
    """(map that is farthest below theirs, by how many dB, whether this is at most _MAX_DEFICIT)."""
    deficits = {name: min(theirs[name], _ROUNDING) - min(ours[name], _ROUNDING) for name in theirs}
    name = max(deficits, key=lambda key: deficits[key])
    return name, deficits[name], deficits[name] <= _MAX_DEFICIT


def geometric_mean(values: Sequence[float]) -> float | None:
    """The geometric mean; None without values."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None
