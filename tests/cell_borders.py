"""How much a texture steps where a point moves from one cell of the pyramid into the next.

    python tests/cell_borders.py FILE.gstex      prints the steps of a compressed file, in 1/255

Used by test_visible.py on random Gaussians. The limits are the project's: a step is at most 1/255 at 99.9 %
of the borders' points and 4/255 at all of them.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

# Texels from the border on both sides. Nearer ones are not apart in float32 on a large texture.
ASIDE = 1e-4
QUANTILE, MOST_AT_QUANTILE, MOST = 0.999, 1 / 255, 4 / 255


def border_steps(
    sample: Callable[[np.ndarray], np.ndarray],
    cells: Iterable[tuple[int, int]],
    width: int,
    height: int,
    *,
    repeat: bool,
    count: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Differences of values across the borders of the cells.

    sample: from points float64 [M, 2] in texels to values [M, C].
    cells: cells_x and cells_y of every level.
    count: random points on the vertical and as many on the horizontal borders of every level.
    Returns float64 [K, C], absolute differences; K = 0 if no level has a border.
    """
    rng = np.random.default_rng(seed)
    extent = np.array([width, height], float)
    middle, aside = [np.empty((0, 2))], [np.empty((0, 2))]
    for n in cells:
        for axis in (0, 1):
            # A repeating texture has a border at 0, which is the one at its other end.
            first = 0 if repeat else 1
            if n[axis] <= first:
                continue
            points = rng.uniform(0, 1, (count, 2)) * extent
            points[:, axis] = rng.integers(first, n[axis], count) * (extent[axis] / n[axis])
            middle.append(points)
            aside.append(np.full((count, 2), np.eye(2)[axis] * ASIDE))
    middle, aside = np.concatenate(middle), np.concatenate(aside)
    below, above = sample(middle - aside), sample(middle + aside)
    return np.abs(below.astype(np.float64) - above)


def steps_of_file(path: str | Path, *, mip: int = 0, count: int = 20000) -> np.ndarray:
    """`border_steps` of a compressed file, evaluated directly at the points."""
    import gstex
    from gstex.format import PackedMip, unpack

    texture = gstex.load(path)
    width, height = max(1, texture.width >> mip), max(1, texture.height >> mip)

    def sample(points: np.ndarray) -> np.ndarray:
        return texture.sample(points / [width, height], mip, filter="direct")

    cells = [
        (level.layout.cells_x, level.layout.cells_y)
        for group in unpack(texture.words).groups
        if isinstance(group.mips[mip], PackedMip)
        for level in group.mips[mip].levels
    ]
    return border_steps(sample, cells, width, height, repeat=texture.wrap == "repeat", count=count)


def are_invisible(steps: np.ndarray) -> bool:
    """Whether steps [K, C] keep to the limits."""
    return bool(np.quantile(steps, QUANTILE) <= MOST_AT_QUANTILE and steps.max() <= MOST)


def describe(steps: np.ndarray) -> str:
    """The steps in words, in 1/255."""
    at_quantile, most = 255 * np.quantile(steps, QUANTILE), 255 * steps.max()
    return f"{len(steps)} points, {QUANTILE:.1%} of steps <= {at_quantile:.3f}/255, all <= {most:.3f}/255"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    for path in sys.argv[1:]:
        steps = steps_of_file(path)
        verdict = "no borders" if not len(steps) else describe(steps)
        print(f"{path}: {verdict}", "" if not len(steps) or are_invisible(steps) else "TOO MUCH")
