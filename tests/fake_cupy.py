"""A stand-in for CuPy that runs kernels on the host, for tests of `CupyDevice` where there is no GPU.

It knows what CupyDevice calls; all else is NumPy's. Its own mistakes about CuPy it cannot show: names and arguments
were compared with CuPy 14.2.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from cuda_host import HostDevice


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""

    __module__ = "cupy_backends.cuda.api.runtime"


class OutOfMemoryError(MemoryError):
    """As CuPy's."""


class FakeStream:
    """A stream by its address; `current` while it is entered."""

    current = 0
    null: FakeStream

    def __init__(self, address: int):
        self.address = address

    def __enter__(self) -> FakeStream:
        self.before, FakeStream.current = FakeStream.current, self.address
        return self

    def __exit__(self, *_: object) -> None:
        FakeStream.current = self.before


FakeStream.null = FakeStream(0)


class NewStream(FakeStream):
    """Of CuPy 14, which takes objects that name their stream."""

    @classmethod
    def from_external(cls, stream: Any) -> FakeStream:
        version, address = stream.__cuda_stream__()
        assert version == 0
        return cls(address)


class FakeGraph:
    """What a CapturingStream has captured."""

    def __init__(self, launches: list[Callable[[], None]]):
        self._launches = launches
        self.count = 0

    def launch(self, stream: object = None) -> None:
        self.count += 1
        for run in self._launches:
            run()


class CapturingStream(NewStream):
    """A stream that can be captured, unless `refuses`."""

    captured: list[Callable[[], None]] | None = None
    graphs: ClassVar[list[FakeGraph]] = []
    refuses = False

    def __init__(self, address: int = 77, *, non_blocking: bool = False):
        super().__init__(address)
        self.non_blocking = non_blocking

    def begin_capture(self) -> None:
        assert self.non_blocking and FakeStream.current == self.address
        if self.refuses:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        CapturingStream.captured = []

    def end_capture(self) -> FakeGraph:
        found, CapturingStream.captured = CapturingStream.captured, None
        assert found is not None
        self.graphs.append(FakeGraph(found))
        return self.graphs[-1]


class FakeCupy:
    """Put it in place of the module. name, capability, count: of the GPUs. error: what is raised for an allocation.
    graphs: whether launches can be captured."""

    def __init__(self, *, name: str = "Fake", capability: tuple[int, int] = (9, 0), count: int = 1, old: bool = False,
                 graphs: bool = False):  # fmt: skip
        self._host = HostDevice()
        self.modules: list[SimpleNamespace] = []
        self.streams: list[int] = []
        self.error: Exception | None = None
        self.wrong = 0
        self.compiled: list[str] = []  # names of the threads that compiled
        self.compile_error: Exception | None = None
        self.load_error: Exception | None = None  # what is raised where a compiled file is loaded
        self.files: dict[str, str] = {}  # name of a compiled file -> the text that it is of
        self.loaded: list[str] = []  # those that were loaded
        runtime = SimpleNamespace(
            getDeviceCount=lambda: count,
            getDevice=lambda: 0,
            getDeviceProperties=lambda _: {"name": name.encode(), "major": capability[0], "minor": capability[1]},
            driverGetVersion=lambda: 12040,
            runtimeGetVersion=lambda: 12020,
            deviceSynchronize=self._synchronize,
            CUDARuntimeError=CUDARuntimeError,
        )
        streams = {"Stream": FakeStream, "ExternalStream": FakeStream} if old else {"Stream": NewStream}
        if graphs:
            streams = {"Stream": type("Stream", (CapturingStream,), {"graphs": []})}
        self.cuda = SimpleNamespace(runtime=runtime, Device=_device, **streams)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def zeros(self, *args: Any) -> np.ndarray:
        if self.error:
            raise self.error
        return np.zeros(*args)

    def asnumpy(self, array: np.ndarray) -> np.ndarray:
        return np.array(array) + self.wrong

    def RawModule(
        self, *, code: str | None = None, path: str | None = None, options: tuple[str, ...] = ()
    ) -> SimpleNamespace:
        assert (code is None) != (path is None) and not (path and options)
        kernels: list[_Kernel] = []

        def get_function(name: str) -> _Kernel:
            text = code if path is None else self.files[Path(path).name]
            kernels.append(_Kernel(self, text or "", name))
            return kernels[-1]

        def compile() -> None:
            if path is not None:
                if self.load_error:
                    raise self.load_error
                self.loaded.append(Path(path).name)
                return
            self.compiled.append(threading.current_thread().name)
            if self.compile_error:
                raise self.compile_error

        module = SimpleNamespace(get_function=get_function, options=options, kernels=kernels, compile=compile)
        self.modules.append(module)
        return module

    def _synchronize(self) -> None:
        if self.error:
            raise self.error


class _Kernel:
    max_dynamic_shared_size_bytes = 48 << 10

    def __init__(self, cupy: FakeCupy, code: str, name: str):
        self._cupy, self.run = cupy, cupy._host.kernel_of_text(code, name)

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        self._cupy.streams.append(FakeStream.current)

        def go() -> None:
            self.run(grid, block, *args, shared=shared_mem)

        captured = CapturingStream.captured
        go() if captured is None else captured.append(go)


@contextmanager
def _device(number: int) -> Iterator[None]:
    assert number == 0
    yield
