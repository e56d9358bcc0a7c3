"""The state of an unfinished fit of one mip, as data: a schedule on the CPU goes on from it to the same bits."""

from typing import Any, Literal

import numpy as np
from msgspec import Struct

from gstex.encode.cell_pyramid import MAX_LEVELS, Pyramid
from gstex.encode.ops.cpu.codebooks import StoredFeatures
from gstex.encode.problem import Result, Task
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings
from gstex.format.layout import MAX_CELLS

__all__ = ["FitState", "TrainerState", "check_result", "check_state"]


class TrainerState(Struct, frozen=True):
    """The state of a Trainer. Fields that are also attributes of Trainer are described there.

    geometry float32 [N, 6], features float32 [N, C], level int32 [N]: of the parameters; moments: of Adam, two for the
    geometry and two for the features. placement: int32 [N, 3] once the count is fixed, else None. losses: float64 [2].
    factors: float64 [C]. generator: of random numbers, as JSON; children: how many were made from it. done, total: of
    the work. shared_mse: of every shared mip.
    """

    pyramid: Pyramid
    geometry: np.ndarray
    features: np.ndarray
    moments: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    level: np.ndarray
    placement: np.ndarray | None
    step_count: int
    mse: float
    jitter: float
    losses: np.ndarray
    factors: np.ndarray
    generator: str
    children: int
    done: float
    total: float
    shared_mse: tuple[float, ...]


class FitState(Struct, frozen=True):
    """The state of a Schedule.

    stage: 'optimise', or the stage 'quantise', 'tune' or 'refine' that is about to begin the round of this number.
    codebook_bits, slope, choices: of the rate control. pushes: float64 [C], of the balance of maps. From 'quantise' on:
    grid, the result of a regular grid if there is one; promised, the squared error that a grid promises, inf where none
    is tried; coding, without palettes. From 'tune' on: final, the coding with palettes; codes, uint32 [N, 6], of the
    geometry; stored, what is stored of the features.
    """

    stage: Literal["optimise", "quantise", "tune", "refine"]
    number: int
    trainer: TrainerState
    codebook_bits: tuple[int, ...]
    slope: float
    choices: tuple[tuple[int, ...], ...]
    pushes: np.ndarray
    grid: Result | None = None
    promised: float = np.inf
    coding: Coding | None = None
    final: Coding | None = None
    codes: np.ndarray | None = None
    stored: StoredFeatures | None = None


def check_state(state: FitState, task: Task, settings: Settings) -> None:
    """Refuse a state that does not belong to a task, or holds what kernels do not expect.

    Raises:
        ValueError: the state is refused.
    """
    t, channels = state.trainer, task.target.channels
    count = len(t.geometry)
    _check_pyramid(t.pyramid, task)
    _expect(count > 0 and 0 <= t.step_count <= settings.steps and state.number >= 0, "counts")
    for array, width in zip((t.geometry, t.features, *t.moments), (6, channels, 6, 6, channels, channels), strict=True):
        _check_array(array, np.float32, (count, width))
    _check_array(t.level, np.int32, (count,), len(t.pyramid.cells))
    _check_array(t.losses, np.float64, (2,))
    _check_array(t.factors, np.float64, (channels,))
    _check_array(state.pushes, np.float64, (channels,))
    _expect(np.isfinite([t.mse, t.jitter, t.done, t.total, state.slope, *t.shared_mse]).all(), "numbers")
    _expect(len(t.shared_mse) == len(task.shared) and 0 <= t.children < 10**6, "shared mips")
    if state.stage == "optimise":
        return
    _expect(t.placement is not None and state.coding is not None, "what is fixed")
    _check_placement(t.placement, t.pyramid, count)
    _check_coding(state.coding, t.pyramid, channels)
    if state.grid is not None:
        check_result(state.grid, task)
    if state.stage == "quantise":
        return
    _expect(state.final is not None and state.codes is not None and state.stored is not None, "what is stored")
    _check_coding(state.final, t.pyramid, channels)
    _check_array(state.codes, np.uint32, (count, 6))
    _check_stored(state.stored, state.final, count, channels)


def check_result(result: Result, task: Task) -> None:
    """Refuse a result that cannot be one of a task. Raises: ValueError."""
    count, channels, coding = len(result.geometry), task.target.channels, result.coding
    _check_pyramid(coding.pyramid, task)
    _check_coding(coding, coding.pyramid, channels)
    _check_placement(result.placement, coding.pyramid, count)
    _check_array(result.geometry, np.uint32, (count, 6))
    _check_array(result.background, np.float32, (channels,))
    stored = StoredFeatures.of(coding, result.entries, result.features)
    _check_stored(stored, coding, count, channels)
    _expect(np.isfinite([result.mse, result.error]).all() and result.words > 0, "numbers")


def _check_pyramid(pyramid: Pyramid, task: Task) -> None:
    height, width = task.target.image.shape[:2]
    _expect((pyramid.width, pyramid.height, pyramid.repeat) == (width, height, task.repeat), "pyramid")
    _expect(1 <= len(pyramid.cells) <= MAX_LEVELS, "pyramid")
    _check_array(pyramid.cells, np.int32, (len(pyramid.cells), 2), MAX_CELLS + 1)
    _expect((pyramid.cells >= (3 if task.repeat else 1)).all(), "pyramid")


def _check_placement(placement: Any, pyramid: Pyramid, count: int) -> None:
    _check_array(placement, np.int32, (count, 3))
    level = placement[:, 0]
    _expect(((level >= 0) & (level < len(pyramid.cells))).all(), "levels")
    _expect(((placement[:, 1:] >= 0) & (placement[:, 1:] < pyramid.cells[level])).all(), "cells")


def _check_coding(coding: Any, pyramid: Pyramid, channels: int) -> None:
    _expect(len(coding.levels) == len(pyramid.cells) and np.array_equal(coding.pyramid.cells, pyramid.cells), "levels")
    for layout, (x, y) in zip(coding.levels, pyramid.cells.tolist(), strict=True):
        if layout is not None:
            _expect((layout.cells_x, layout.cells_y) == (x, y) and 0 < layout.stride <= 1024, "levels")
            _expect(all(0 <= bits <= 32 for bits in layout.geometry_widths), "levels")
            _expect(bool(np.isfinite([layout.scale_lo, layout.scale_step]).all()), "levels")
    for array, kind in ((coding.channel_lo, np.float32), (coding.channel_step, np.float32)):
        _check_array(array, kind, (channels,))
    _check_array(coding.channel_bits, np.int64, (channels,), 33)
    _expect(all(0 < bits <= 16 for bits in coding.palette_bits) and len(coding.palette_bits) <= 8, "palettes")
    for palette, bits in zip(coding.palettes, coding.palette_bits, strict=bool(coding.palettes)):
        _check_array(palette, np.uint8, (2**bits, channels))


def _check_stored(stored: Any, coding: Any, count: int, channels: int) -> None:
    sizes = [len(palette) for palette in coding.palettes]
    start = np.concatenate([[0], np.cumsum(sizes)])
    for array in (stored.lo, stored.step):
        _check_array(array, np.float32, (channels,))
    _check_array(stored.last, np.int32, (channels,))
    _check_array(stored.codebooks, np.uint8, (sum(sizes), channels))
    _check_array(stored.start, np.int32, (len(start),))
    _expect(np.array_equal(stored.start, start), "palettes")
    _check_array(stored.entries, np.uint32, (count, len(sizes)))
    _check_array(stored.codes, np.uint32, (count, channels))
    _expect((stored.entries < np.array(sizes, np.uint32)).all() and (stored.codes <= stored.last).all(), "codes")


def _check_array(array: Any, kind: type[np.generic], shape: tuple[int, ...], below: int | None = None) -> None:
    _expect(array.dtype == kind and array.shape == shape, "shapes")
    _expect(bool(np.isfinite(array).all()), "numbers")
    _expect(below is None or bool(((array >= 0) & (array < (below or 0))).all()), "range")


def _expect(holds: bool | np.bool_, what: str) -> None:
    if not holds:
        raise ValueError(what)
