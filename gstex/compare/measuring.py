"""Measure stacks and images from block codecs, in processes that get the material once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gstex import metrics
from gstex.arrays import F32Array
from gstex.compare.pool import run_all
from gstex.compare.stored import Stored, assemble, squared_errors
from gstex.material import Material

if TYPE_CHECKING:
    from gstex.compare.pool import Item, Result

__all__ = ["Task", "measure_errors", "measure_processes", "measure_qualities"]

# With fewer texels than this in all, measuring ends before processes would have started.
SMALL_WORK = 1 << 21

_material: Material | None = None  # the material that this process measures


@dataclass(frozen=True, eq=False)
class Task:
    """A stack to measure, given by its images (`parts`) or itself (`stack`). flip: measure FLIP, which is slow.

    stack: [H, W, C]. sampled: its values at `metrics.sample_points()`, [M, C]; None filters the stack bilinearly.
    """

    parts: Sequence[Stored] = ()
    stack: F32Array | None = None
    sampled: F32Array | None = None
    flip: bool = False


def measure_errors(
    stored: Sequence[Stored], material: Material, *, processes: int | None = None
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Yield (number of the image, its squared errors by channel) in the order in which they are done."""
    return _run(_errors, stored, material, processes)


def measure_qualities(
    tasks: Sequence[Task], material: Material, *, processes: int | None = None
) -> Iterator[tuple[int, metrics.Quality]]:
    """Yield (number of the task, its quality) in the order in which they are done."""
    return _run(_quality, tasks, material, processes)


def measure_processes(count: int, material: Material, processes: int | None) -> int | None:
    """The number of processes that is worthwhile for `count` stacks or images, as `pool.run_all` takes it."""
    return 1 if count * material.width * material.height < SMALL_WORK else processes


def _run(
    function: "Callable[[Item], Result]", items: "Sequence[Item]", material: Material, processes: int | None
) -> "Iterator[tuple[int, Result]]":
    processes = measure_processes(len(items), material, processes)
    return run_all(function, items, processes=processes, setup=take_material, given=(material,))


def take_material(material: Material) -> None:
    """Keep the material that this process measures. This is the setup function of the processes."""
    global _material
    _material = material


def _errors(stored: Stored) -> tuple[float, ...]:
    assert _material
    return squared_errors(stored, _material)


def _quality(task: Task) -> metrics.Quality:
    assert _material
    stack = assemble(task.parts, _material) if task.stack is None else task.stack
    sampled = task.sampled
    return metrics.measure_quality(stack, _material, flip=task.flip,
                                   filter_sampled=None if sampled is None else lambda uv: sampled)  # fmt: skip
