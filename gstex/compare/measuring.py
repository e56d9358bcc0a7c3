"""Measuring what block codecs stored, in processes that are given the material once."""

from collections.abc import Iterator, Sequence

from gstex import metrics
from gstex.compare.pool import run_all
from gstex.compare.stored import Stored, assemble, squared_errors
from gstex.material import Material

__all__ = ["measure_errors", "measure_qualities"]

# Below this many texels in all, measuring is done before processes have started.
_SMALL_WORK = 1 << 21

_material: Material | None = None  # of this process


def measure_errors(
    stored: Sequence[Stored], material: Material, *, processes: int | None = None
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """(number of the image, its squared errors by channel), as they are done."""
    return _run(_errors, stored, material, processes)


def measure_qualities(
    stacks: Sequence[tuple[Sequence[Stored], bool]], material: Material, *, processes: int | None = None
) -> Iterator[tuple[int, metrics.Quality]]:
    """(number of the stack, its quality), as they are done. stacks: all images of each, and whether to take FLIP."""
    return _run(_quality, stacks, material, processes)


def _run(function, items, material: Material, processes: int | None):
    if len(items) * material.width * material.height < _SMALL_WORK:
        processes = 1
    return run_all(function, items, processes=processes, setup=_take, given=(material,))


def _take(material: Material) -> None:
    global _material
    _material = material


def _errors(stored: Stored) -> tuple[float, ...]:
    assert _material
    return squared_errors(stored, _material)


def _quality(task: tuple[Sequence[Stored], bool]) -> metrics.Quality:
    assert _material
    parts, flip = task
    return metrics.measure_quality(assemble(parts, _material), _material, flip=flip)
