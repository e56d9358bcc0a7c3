"""`HostDevice`: what `gstex.cuda.Device` asks for, with NumPy arrays and kernels on the CPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Kernel, check_arguments
from gstex.cuda.source import kernel_source

from .build import build

SANITIZE_VARIABLE = "GSTEX_CUDA_HOST_SANITIZE"


class HostError(AssertionError):
    """A kernel did what CUDA leaves undefined, or was called with arguments that are not its own."""


class HostDevice:
    """A device of tests.

    order: of the threads between two barriers: 0 by their numbers, 1 backwards, other numbers are seeds of a shuffle.
    sanitize: compile with the address and undefined-behaviour sanitizers; only inside `run_sanitized`.
    launches: how often each kernel has run. replays: how often what was recorded.
    """

    name, torch_device = "host", "cpu"
    xp = np

    def __init__(self, *, order: int = 0, sanitize: bool | None = None):
        self.order = order
        self.launches: dict[str, int] = {}
        self.replays = 0
        self._recording: list[Callable[[], None]] | None = None
        self._sanitize = SANITIZE_VARIABLE in os.environ if sanitize is None else sanitize
        self._libraries: dict[tuple, ctypes.CDLL] = {}

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        """The kernel `name` of cuda/<file>."""
        key = (file, *sorted((defines or {}).items()))
        if key not in self._libraries:
            self._libraries[key] = build(kernel_source(file, defines), sanitize=self._sanitize)
        return self.of_library(self._libraries[key], name)

    def kernel_of_text(self, source: str, name: str) -> Kernel:
        """The kernel `name` of a CUDA text; for tests of this device itself."""
        return self.of_library(build(source, sanitize=self._sanitize), name)

    def of_library(self, library: ctypes.CDLL, name: str) -> Kernel:
        run = getattr(library, f"{name}_launch")
        run.restype = ctypes.c_char_p
        count, sizes = ctypes.c_int(), (ctypes.c_int * 64)()
        getattr(library, f"{name}_arguments")(ctypes.byref(count), sizes)
        expected = list(sizes[: count.value])

        def launch(
            grid: tuple[int, ...], block: tuple[int, ...], *args: GpuArray | np.generic, shared: int = 0
        ) -> None:
            check_arguments(name, args)
            # A copy of each scalar, or of the address of each array; its bytes are what the kernel reads.
            held = [np.array(a if isinstance(a, np.generic) else _address(a)) for a in args]
            found = [value.nbytes for value in held]
            if found != expected:
                raise HostError(f"{name}: arguments of {found} bytes, expected {expected}")
            pointers = (ctypes.c_void_p * max(len(held), 1))(*[value.ctypes.data for value in held])

            def go() -> None:
                _ = held, args  # as long as this may be called
                error = run(pointers, _three(grid), _three(block), ctypes.c_size_t(shared), ctypes.c_int(self.order))
                if error:
                    raise HostError(f"{name}: {error.decode()}")
                self.launches[name] = self.launches.get(name, 0) + 1

            if self._recording is None:
                go()
            else:
                self._recording.append(go)

        return launch

    def prepare(self, sources: object, work: object = ()) -> None:
        """Libraries are kept from one run of the tests to the next."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """As a CUDA graph: the launches of `work`, which do not run now, with the scalars and addresses of now."""
        self._recording = recorded = []
        try:
            work()
        finally:
            self._recording = None

        def replay() -> None:
            self.replays += 1
            for go in recorded:
                go()

        return replay

    def to_host(self, array: np.ndarray) -> np.ndarray:
        """A copy."""
        self._not_while_recording()
        return np.array(array)

    def synchronize(self) -> None:
        """Kernels have run when their calls return."""
        self._not_while_recording()

    def _not_while_recording(self) -> None:
        if self._recording is not None:
            raise HostError("the host waits for launches that are only recorded")

    def on_stream_of(self, *arrays: object) -> nullcontext[None]:
        """There is one stream."""
        return nullcontext()


def _three(numbers: tuple[int, ...]) -> ctypes.Array[ctypes.c_uint]:
    return (ctypes.c_uint * 3)(*numbers, *[1] * (3 - len(numbers)))


def _address(array: GpuArray) -> np.uint64:
    if isinstance(array, np.ndarray):
        return np.uint64(array.ctypes.data)
    return np.uint64(array.data_ptr())  # a tensor of torch
