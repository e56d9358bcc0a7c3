"""Best combinations: the lower convex hull of squared error against bytes.

A material is stored as several images, and each image in one of many ways. What all images together can reach is
the sum of what each can reach, so the hull of all combinations is the Minkowski sum of the hulls of the images
(Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers", 1988): start where every image is
smallest, and take the steps along all hulls in the order of their slopes. The result is the exact hull.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["Option", "add_hulls", "bytes_for", "lower_hull", "thin_out"]

_NEAR = 1.04  # how many times the hull's error the thinned-out curve may have: 0.17 dB


@dataclass(frozen=True)
class Option:
    """One way to store an image or several. bytes and error (summed squared error) add up over images.

    choice: by image, what the caller needs to identify the option.
    """

    bytes: int
    error: float
    choice: dict[str, Any]


def lower_hull(options: Iterable[Option]) -> list[Option]:
    """The options on the lower left convex hull, sorted by bytes. Errors fall, by ever less per byte.

    It begins with the smallest option and ends with the one of the least error.
    """
    hull: list[Option] = []
    for option in sorted(options, key=lambda o: (o.bytes, o.error)):
        if hull and option.error >= hull[-1].error:
            continue
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], option):
            hull.pop()
        hull.append(option)
    return hull


def add_hulls(hulls: Sequence[Sequence[Option]]) -> list[Option]:
    """The hull of all combinations of one option from each of several hulls."""
    if not hulls or not all(hulls):
        return []
    at = [0] * len(hulls)
    steps = sorted(
        (_slope(hull[i], hull[i + 1]), which) for which, hull in enumerate(hulls) for i in range(len(hull) - 1)
    )
    result = [_join([hull[0] for hull in hulls])]
    for number, (slope, which) in enumerate(steps):
        at[which] += 1
        # Of several steps with the same slope, only the end is a corner.
        if number + 1 == len(steps) or steps[number + 1][0] != slope:
            result.append(_join([hull[i] for hull, i in zip(hulls, at, strict=True)]))
    return result


def bytes_for(hull: Sequence[Option], error: float) -> float | None:
    """Bytes at which the hull reaches an error, along its edges.

    An edge is what a mix of its two ends would give, which is at least as good as any real combination in between.
    Returns the bytes of the smallest option if its error is low enough, and None if no option reaches the error.
    """
    if not hull or error < hull[-1].error:
        return None
    if error >= hull[0].error:
        return float(hull[0].bytes)
    for before, after in pairwise(hull):
        if error >= after.error:
            return before.bytes + (error - before.error) / _slope(before, after)
    return None


def thin_out(hull: Sequence[Option]) -> list[Option]:
    """The fewest corners that give nearly the same curve, because measuring each corner is slow."""
    corners, at = list(hull[:1]), 0
    while at < len(hull) - 1:
        end = at + 1
        while end + 1 < len(hull) and _is_near(hull[at : end + 2]):
            end += 1
        corners.append(hull[end])
        at = end
    return corners


def _is_near(corners: Sequence[Option]) -> bool:
    """Whether the line from the first to the last corner stays within _NEAR times the errors of those between."""
    first, last = corners[0], corners[-1]
    return all(first.error + (o.bytes - first.bytes) * _slope(first, last) <= _NEAR * o.error for o in corners[1:-1])


def _slope(before: Option, after: Option) -> float:
    """Change of error per byte, negative along a hull; -inf for equal bytes."""
    run = after.bytes - before.bytes
    return (after.error - before.error) / run if run else float("-inf")


def _join(options: Sequence[Option]) -> Option:
    choice = {image: value for option in options for image, value in option.choice.items()}
    return Option(sum(o.bytes for o in options), sum(o.error for o in options), choice)
