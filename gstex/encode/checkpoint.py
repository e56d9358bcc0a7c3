"""The checkpoint file of a long fit, from which the same call goes on after an interruption.

The file holds the plan (plan.py), the finished mips, and the state of one unfinished fit (fit_state.py). It is
written in one step, with its hash and a key of all that decides the result. A file of another fit, or a damaged one,
is ignored. Checkpoints change no bit of the result, so they may be written at any moment.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from msgspec import Struct, field

from gstex.arrays import AnyArray
from gstex.encode.division import Plan
from gstex.encode.fit_state import FitState, check_result, check_state
from gstex.encode.problem import Result, Task
from gstex.encode.settings import Settings
from gstex.errors import OutputError
from gstex.files import replace_file
from gstex.version import __version__

__all__ = ["COST", "EVERY", "Checkpoint", "Spot", "key_of"]

_MAGIC = b"gstex checkpoint 1\n"
_MOST_BYTES = 1 << 31
_KINDS = frozenset(["float32", "float64", "int32", "int64", "uint8", "uint32"])
# Least time from one checkpoint to the next: so many seconds, and so many times what writing the last one took.
EVERY, COST = 20.0, 200.0


class _Saved(Struct):
    """The contents of a file. mips: "group mip" -> result. state: of the fit of `spot`, "group mip"."""

    key: str
    plan: Plan | None = None
    mips: dict[str, Result] = field(default_factory=dict)
    spot: str = ""
    state: FitState | None = None


class Checkpoint:
    """The checkpoint of a fit: what an earlier run has saved, and what this run saves.

    path: of the file. key: of `key_of`. note: called once if the file cannot be written; the fit goes on.
    """

    def __init__(self, path: Path, key: str, note: Callable[[str], None] = lambda line: None):
        self._path, self._note = path, note
        self._saved = _read(path, key) or _Saved(key)
        self._following = time.monotonic() + EVERY

    def plan(self, channels: int) -> Plan | None:
        """The saved plan for so many channels, if there is a valid one."""
        plan = self._saved.plan
        valid = plan is not None and plan.division.covers(channels) and plan.sampling in ("direct", "bilinear")
        return plan if valid else None

    def planned(self, plan: Plan) -> None:
        """Save the plan."""
        self._saved.plan = plan
        if self.due():
            self.write()

    def spot(self, group: int, mip: int) -> "Spot":
        """The part of the checkpoint for the fit of a mip."""
        return Spot(self, self._saved, f"{group} {mip}")

    def due(self) -> bool:
        """Whether it is time to write the file."""
        return time.monotonic() >= self._following

    def write(self) -> None:
        """Write the file."""
        started = time.monotonic()
        payload = msgspec.msgpack.encode(self._saved, enc_hook=_encode)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, _MAGIC + hashlib.sha256(payload).digest() + payload)
        except (OSError, OutputError) as error:
            self._note(f"goes on without a checkpoint; {error}")
            self._note = lambda line: None
        ended = time.monotonic()
        self._following = ended + max(EVERY, COST * (ended - started))


class Spot:
    """The fit of one mip in a checkpoint."""

    def __init__(self, checkpoint: Checkpoint, saved: _Saved, name: str):
        self._checkpoint, self._saved, self._name = checkpoint, saved, name

    def due(self) -> bool:
        """Whether it is time to write the file."""
        return self._checkpoint.due()

    def result(self, task: Task) -> Result | None:
        """The saved result of the fit of a task, if there is a valid one."""
        result = self._saved.mips.get(self._name)
        try:
            if result is not None:
                check_result(result, task)
        except ValueError:
            del self._saved.mips[self._name]
            return None
        return result

    def state(self, task: Task, settings: Settings) -> FitState | None:
        """The saved state of the unfinished fit of a task, if there is a valid one."""
        state = self._saved.state if self._saved.spot == self._name else None
        try:
            if state is not None:
                check_state(state, task, settings)
        except ValueError:
            return None
        return state

    def leave(self, state: FitState) -> None:
        """Save the state of the unfinished fit."""
        self._saved.spot, self._saved.state = self._name, state
        self._checkpoint.write()

    def finish(self, result: Result) -> None:
        """Save the result."""
        self._saved.mips[self._name], self._saved.spot, self._saved.state = result, "", None
        if self.due():
            self._checkpoint.write()


def key_of(tasks: Sequence[Task], *others: object) -> str:
    """A hash of what is fitted, and of everything else that decides the result: values whose `repr` is complete."""
    digest = hashlib.sha256(f"{__version__} {others!r}".encode())
    for task in tasks:
        target, arrays = task.target, (task.weight, task.maps, task.asked)
        numbers = (task.ranges, task.neutral, task.repeat, task.budget_words, task.count)
        digest.update(f"{target.image.shape} {target.importance.shape} {numbers!r}".encode())
        for array in (target.image, target.importance, target.plane, target.visible, *arrays):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).data.cast("B"))
    return digest.hexdigest()


def _read(path: Path, key: str) -> _Saved | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        data = path.read_bytes()
        head = len(_MAGIC) + 32
        payload = memoryview(data)[head:]
        if data[:head] != _MAGIC + hashlib.sha256(payload).digest():
            return None
        saved = msgspec.msgpack.decode(payload, type=_Saved, dec_hook=_decode)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return saved if saved.key == key else None


def _encode(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [value.dtype.name, value.shape, np.ascontiguousarray(value).data.cast("B") if value.size else b""]
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value))


def _decode(kind: type, value: object) -> AnyArray:
    """An array. kind: what a field says; fields that are saved say np.ndarray, as this knows no type with a dtype."""
    if kind is not np.ndarray:
        raise NotImplementedError(kind)
    name, shape, data = msgspec.convert(value, tuple[str, tuple[int, ...], bytes])
    if name not in _KINDS or len(shape) > 3 or min(shape, default=0) < 0:
        raise ValueError("array")
    return np.frombuffer(data, cast(Any, name)).reshape(shape).copy()
