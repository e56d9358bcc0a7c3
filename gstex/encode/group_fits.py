"""The fits of all groups of channels, on a GPU or the CPU: what each may cost, and their progress as one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from gstex.cuda.device import Device, device_errors
from gstex.encode.checkpoint import Checkpoint
from gstex.encode.division import Division
from gstex.encode.engine import MakeEngine
from gstex.encode.mip_chain import Mip, fit_chain
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.ops.cuda.engine import GpuEngine
from gstex.encode.packing import FittedGroup
from gstex.encode.problem import BudgetTooSmall, Task
from gstex.encode.settings import Settings
from gstex.encode.work import Progress
from gstex.errors import DeviceError

__all__ = ["fit_groups", "on_device"]

_Found = TypeVar("_Found")

SEEDS = 1000  # difference between the seeds of two successive groups


def on_device(
    run: Callable[..., _Found], device: Device | None, preference: str, note: Callable[[str], None]
) -> tuple[_Found, Device | None]:
    """Run on a GPU and return (result, GPU); if it fails there, run on the CPU and return (result, None).

    run: called as run(make_engine=..). device: a GPU, or None for the CPU. preference: the option; with 'cuda' the
    error of the GPU is raised. note: called with a line if the fit goes on without the GPU.
    """
    if device:
        try:
            with device_errors(preference):
                return run(make_engine=partial(GpuEngine, device=device)), device
        except DeviceError as error:
            if preference == "cuda":
                raise
            note(f"goes on from the start on the CPU; {error}")
    return run(make_engine=CpuEngine), None


def fit_groups(
    tasks: Sequence[Task],
    division: Division,
    budgets: Sequence[int],
    varying: Sequence[int],
    settings: Settings,
    *,
    seed: int,
    progress: Progress,
    make_engine: MakeEngine = CpuEngine,
    first: Sequence[FittedGroup] = (),
    checkpoint: Checkpoint | None = None,
    **how: Any,
) -> list[FittedGroup]:
    """Fit every group of a division.

    Args:
        tasks: of all channels that vary, one for each mip. varying: which channels of the stack these are.
        budgets: words of mip 0 of every group.
        progress: as of `fit_chain`. The error is that of all groups; groups to come count with the variance
            of their channels.
        first: groups whose mip 0 already exists. checkpoint: of fits on the CPU. make_engine, how: further
            arguments of fit_chain.

    Raises:
        BudgetTooSmall: a budget does not hold a single Gaussian; the error says what all groups would need.
    """
    fitted: list[FittedGroup] = []
    channels = sum(map(len, division.groups))
    errors = [0.0]
    if len(division.groups) > 1:
        image = tasks[0].target.image
        errors = [float(np.mean([image[:, :, c].var(dtype=np.float64) for c in group])) for group in division.groups]
    done = 0.0
    for number, (columns, words) in enumerate(zip(division.groups, budgets, strict=True)):
        group_tasks = [_part(task, columns, words, division.shares[number]) for task in tasks]
        share = (1 + len(columns)) / (len(division.groups) + channels)

        def report(stage: str, part: float, mse: float, number: int = number, share: float = share,
                   done: float = done) -> None:  # fmt: skip
            errors[number] = mse
            mean = sum(len(group) * error for group, error in zip(division.groups, errors, strict=True)) / channels
            progress(stage, done + share * part, mean)

        start: dict[str, Any] = {"first": first[number].mips[0]} if first else {}
        if checkpoint and make_engine is CpuEngine:
            start["spots"] = partial(checkpoint.spot, number)
        try:
            mips: list[Mip] = fit_chain(group_tasks, settings, seed=seed + SEEDS * number, progress=report,
                                        make_engine=make_engine, **start, **how)  # fmt: skip
        except BudgetTooSmall as error:
            raise BudgetTooSmall(math.ceil(error.words / division.shares[number])) from None
        fitted.append(FittedGroup([varying[c] for c in columns], mips, group_tasks))
        done += share
    return fitted


def _part(task: Task, columns: Sequence[int], words: int, share: float) -> Task:
    count = None if task.count is None else max(1, round(task.count * share))
    return replace(task.part(columns), budget_words=words, count=count)
