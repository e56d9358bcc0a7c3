"""The phases of a fit on a GPU: their names, and a clock or counters that are read between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from gstex.encode import compress as compression
from gstex.encode import group_fits, schedule
from gstex.encode.map_balance import MapBalance
from gstex.encode.rate_control import RateControl
from gstex.encode.trainer import Trainer

__all__ = ["PHASES", "by_phase"]

# The functions that are phases: (owner of the function, its name, name of the phase). A phase pauses while another one
# inside it runs.
PHASES: tuple[tuple[object, str, str], ...] = (
    (schedule.Schedule, "start", "start"),
    (schedule.Schedule, "optimise", "steps"),
    (schedule.Schedule, "measure_slope", "slope"),
    (schedule, "relocate", "relocation"),
    (RateControl, "choose_codebooks", "bits of codebooks"),
    (MapBalance, "balance", "balance of maps"),
    (MapBalance, "push", "balance of maps"),
    (schedule.Schedule, "freeze", "freeze"),
    (schedule.Schedule, "quantise", "quantised steps"),
    (schedule.Schedule, "make_codebooks", "codebooks"),
    (schedule.Schedule, "fine_tune", "fine-tuning"),
    (schedule.Schedule, "refine", "refinement"),
    (Trainer, "list_tiles", "lists"),
    (schedule.Schedule, "try_grid", "uniform grid"),
    (group_fits, "fit_chain", "other"),
    (compression, "measure", "measuring"),
)


@contextmanager
def by_phase(read: Callable[[], dict[str, float]]) -> Iterator[dict[str, dict[str, float]]]:
    """Collect by how much numbers grow in each phase, in the order in which the phases first begin.

    read: returns numbers that only grow. They are read at each change of phase. The time before the first phase and
    after the last is the phase 'before and after'.
    """
    phases: dict[str, dict[str, float]] = {}
    names, last = ["before and after"], read()

    def note() -> None:
        nonlocal last
        now = read()
        row = phases.setdefault(names[-1], dict.fromkeys(now, 0))
        for key, value in now.items():
            row[key] += value - last[key]
        last = now

    def noted(function: Callable[..., object], phase: str) -> Callable[..., object]:
        @wraps(function)
        def run(*args: object, **options: object) -> object:
            note()
            names.append(phase)
            try:
                return function(*args, **options)
            finally:
                note()
                names.pop()

        return run

    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in PHASES]
    try:
        for owner, name, phase in PHASES:
            setattr(owner, name, noted(getattr(owner, name), phase))
        yield phases
        note()
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)
