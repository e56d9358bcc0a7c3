"""A device that counts what a GPU would be asked for: launches, and what the host waits for. Kernels run on the host.

A launch is a kernel, a function or an operator of arrays, or the replay of a graph. CuPy makes several of some (a sort,
a mean), which counts as one. A wait is a copy to the host, a number that Python reads, or a result whose size only the
GPU knows. What the host itself takes is the time outside of all of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from cuda_host import HostDevice

from gstex.cuda.device import Kernel

Value: TypeAlias = Any
"""An argument or a result of a function of NumPy, which may hold arrays at any depth."""

# What makes no launch: memory that is taken and not written, and other views of an array.
_FREE = ("empty", "empty_like", "reshape", "view", "transpose", "broadcast_to", "squeeze", "ravel")
# Results whose sizes depend on values.
_SIZED = ("flatnonzero", "nonzero", "unique", "argwhere")
# What CuPy does with copies of memory, and with the sorts and the like that it has compiled.
_NO_KERNEL = (*_FREE, "array", "asarray", "zeros", "zeros_like", "argsort")
_PLAIN = ("dtype", "shape", "size", "ndim", "nbytes", "itemsize", "strides", "flags", "ctypes")


class Counts:
    """What was asked for until now. recorded: kernels that were put into graphs. device_seconds: inside of all that.
    asked: what CuPy would compile kernels for: functions, with the types and axes of their arguments."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, ...]] = set()
        self.launches = self.waits = self.recorded = 0
        self.device_seconds = 0.0
        self._inside = self._recording = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """While kernels are put into a graph: nothing else may be asked for."""
        self._recording = True
        try:
            yield
        finally:
            self._recording = False

    def ask(self, name: str, *args: object) -> None:
        """Note a function of arrays."""
        kinds = _kinds(args)
        copies = name in ("ascontiguousarray", "copy") or (name == "astype" and kinds[0] == f"{kinds[1]}[1]")
        if not (self._inside or name in _NO_KERNEL or (copies and "gaps" not in kinds[0])):
            self.asked.add((name, *kinds))

    @contextmanager
    def device(self, *, launches: int = 0, waits: int = 0) -> Iterator[None]:
        """Around what a GPU does, or what stands for it; counts only the outermost."""
        if self._inside:
            yield
            return
        if self._recording:
            assert not (launches or waits), "only kernels are launched where launches are recorded"
        self.launches += launches
        self.waits += waits
        self._inside, started = True, time.perf_counter()
        try:
            yield
        finally:
            self.device_seconds += time.perf_counter() - started
            self._inside = False


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the device; `held` is its memory."""

    def __init__(self, held: np.ndarray, counts: Counts):
        self.held, self.counts = held, counts

    def __array__(self, *_: object, **__: object) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Value:
        return _call(self.counts, getattr(ufunc, method), inputs, options, name=ufunc.__name__)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.held, name)
        if name in _PLAIN:
            return found
        if name in ("item", "tolist"):
            return lambda *args: self._read(lambda: found(*args))
        if not callable(found):
            return Array(found, self.counts)

        def method(*args: Value, **options: Value) -> Value:
            same = name == "astype" and not options.get("copy", True) and np.dtype(args[0]) == self.held.dtype
            return _call(self.counts, found, args, options, name="view" if same else name, of=self)

        return method

    def _read(self, what: Callable[[], object]) -> Any:
        with self.counts.device(waits=1):
            return what()

    def get(self) -> np.ndarray:
        return self._read(self.held.copy)

    def __getitem__(self, key: object) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        by_array = any(isinstance(part, (Array, np.ndarray, list)) for part in parts)
        sized = any(getattr(part, "dtype", None) == np.bool_ for part in parts)
        if by_array:
            self.counts.ask("take", self, *parts)
        with self.counts.device(launches=int(by_array), waits=int(sized)):
            return _wrapped(self.counts, self.held[_unwrapped(key)])

    def __setitem__(self, key: object, value: object) -> None:
        self.counts.ask("put", self, *(key if isinstance(key, tuple) else (key,)), value)
        with self.counts.device(launches=1):
            self.held[_unwrapped(key)] = _unwrapped(value)

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return self._read(lambda: float(self.held.item()))

    def __int__(self) -> int:
        return self._read(lambda: int(self.held.item()))

    def __index__(self) -> int:
        return self._read(self.held.__index__)

    def __bool__(self) -> bool:
        return self._read(lambda: bool(self.held.item()))


class _Module:
    """The functions of NumPy for those arrays."""

    ndarray = Array

    def __init__(self, counts: Counts):
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found
        return lambda *args, **options: _call(self._counts, found, args, options, name=name)

    def asarray(self, values: object, *args: Value, **options: Value) -> Array:
        """What is on the device already is not copied; all else is one upload."""
        if isinstance(values, Array):
            with self._counts.device():
                found = np.asarray(values.held, *args, **options)
            if found is values.held or found.base is values.held:
                return values
            return _call(self._counts, np.asarray, (values, *args), options)
        return _call(self._counts, np.array, (values, *args), options)

    array = asarray


class CountingDevice:
    """A HostDevice whose arrays are not NumPy's; counts: what was asked for."""

    name, torch_device = "host, counting", "cpu"

    def __init__(self) -> None:
        self.counts = Counts()
        self.xp: Any = _Module(self.counts)
        self._host = HostDevice()
        self._kernels: dict[tuple, Kernel] = {}

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        """The kernel `name` of cuda/<file>."""
        key = (file, name, *sorted((defines or {}).items()))
        with self.counts.device():
            if key not in self._kernels:
                self._kernels[key] = self._host.kernel(file, name, defines)
        run = self._kernels[key]

        def launch(grid: tuple[int, ...], block: tuple[int, ...], *args: Array | np.generic, shared: int = 0) -> None:
            recording = self.counts._recording
            self.counts.recorded += recording
            with self.counts.device(launches=int(not recording)):
                run(grid, block, *_unwrapped(args), shared=shared)

        return launch

    def prepare(self, sources: object, work: object = ()) -> None:
        """Libraries are kept from one run of the tests to the next."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """One launch whenever it is called."""
        with self.counts.recording():
            recorded = self._host.record(work)

        def replay() -> None:
            with self.counts.device(launches=1):
                recorded()

        return replay

    def to_host(self, array: Array) -> np.ndarray:
        """A copy."""
        return array.get()

    def synchronize(self) -> None:
        """Kernels have run when their calls return."""
        with self.counts.device(waits=1):
            pass

    @contextmanager
    def on_stream_of(self, *arrays: object) -> Iterator[None]:
        """There is one stream."""
        yield


def _call(
    counts: Counts, function: Callable[..., object], args: Sequence[object], options: Mapping[str, object], *,
    name: str = "", of: Array | None = None,
) -> Value:  # fmt: skip
    """of: the array whose method it is."""
    counts.ask(name or function.__name__, *([] if of is None else [of]), *args, *options.values())
    with counts.device(launches=int(name not in _FREE), waits=int(name in _SIZED)):
        return _wrapped(counts, function(*_unwrapped(args), **_unwrapped(options)))


def _kinds(values: Iterable[object]) -> list[str]:
    """What CuPy tells arguments apart by, of a list that of its first; arrays that are one piece each and of one shape
    are taken as rows."""
    values = [item for value in values for item in (value[:1] if isinstance(value, (list, tuple)) else [value])]
    arrays = [value.held for value in values if isinstance(value, Array)]
    flat = all(array.flags.c_contiguous and array.shape == arrays[0].shape for array in arrays)
    found = []
    for value in values:
        if isinstance(value, Array):
            gaps = "" if value.held.flags.c_contiguous else " with gaps"
            found.append(f"{value.dtype}[{1 if flat else value.ndim}]{gaps}")
        elif isinstance(value, (int, float, np.generic)):
            found.append(type(value).__name__)
        elif isinstance(value, (type, np.dtype)):
            found.append(np.dtype(value).name)
    return found


def _unwrapped(value: object) -> Value:
    if isinstance(value, Array):
        return value.held
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrapped(item) for item in value)
    if isinstance(value, dict):
        return {name: _unwrapped(item) for name, item in value.items()}
    return value


def _wrapped(counts: Counts, value: object) -> Value:
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(np.asarray(value), counts)
    if isinstance(value, (list, tuple)):
        return type(value)(_wrapped(counts, item) for item in value)
    return value
