"""The device on which kernels run: a GPU through CuPy, or another object with the same methods.

Code around kernels uses only the methods of `Device`. Tests run the same code on the host instead of a GPU
(tests/cuda_host), so that there is only one code path.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import numpy as np

from gstex.arrays import AnyArray, GpuArray
from gstex.cuda.compiled import compiled_path, options_of
from gstex.cuda.source import kernel_source
from gstex.errors import DeviceError, UsageError

__all__ = [
    "CupyDevice", "Device", "Kernel", "KernelArgument", "check_arguments", "device_errors", "has_driver", "open_device",
]  # fmt: skip

LEAST_CAPABILITY = (7, 5)
_DEFAULT_SHARED_BYTES = 48 << 10  # a kernel that uses more dynamic shared memory must request it
_INSTALL = "pip install gstex[cuda]"
_INSTEAD = "; or use the CPU: --device cpu"  # advice if the caller has asked for the GPU

KernelArgument: TypeAlias = GpuArray | np.generic
"""A contiguous array or tensor on the device, or a scalar that says its type (np.int32(3), never 3)."""


class Kernel(Protocol):
    """A compiled kernel.

    grid, block: blocks of the grid and threads of a block, 1 to 3 numbers each. shared: bytes of dynamic shared
    memory. args: contiguous arrays of the device's `xp`, and scalars that say their type (np.int32(3), never 3).
    The call returns before the kernel ends. Later operations on its arrays through `xp` run after the kernel.
    """

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], *args: KernelArgument, shared: int = 0
    ) -> None: ...


class Device(Protocol):
    """A GPU or a substitute.

    name: for people. torch_device: torch's name of the device whose tensors kernels can use. xp: the array module of
    the device, with the functions of NumPy.
    """

    name: str
    torch_device: str
    xp: ModuleType

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        """The kernel `name` of `cuda/<file>`, compiled with these macros. Equal arguments give the same object."""
        ...

    def prepare(
        self, sources: Iterable[tuple[str, Mapping[str, int | str]]], work: Iterable[Callable[[], object]] = ()
    ) -> None:
        """Begin to compile sources, (file, defines) each, in the background.

        `kernel` waits for the source it needs, and raises what its compilation raised.

        work: functions that call `xp`, so that its kernels are compiled too. Each runs once, at any time and in any
        order; its result or exception is ignored.
        """
        ...

    def record(self, work: Callable[[], None]) -> Callable[[], None] | None:
        """Record the kernel launches of `work`. The returned function makes all of them, with the same arguments.

        No kernel runs during the recording, so `work` must not read results, and may use `xp` only to take views. The
        caller must keep the arrays. Returns None if recording is impossible; then the caller calls `work` itself.
        """
        ...

    def to_host(self, array: GpuArray) -> AnyArray:
        """A copy in NumPy, after all earlier kernels have run."""
        ...

    def synchronize(self) -> None:
        """Wait until everything has run. Raises DeviceError if any of it failed."""
        ...

    def on_stream_of(self, *arrays: object) -> AbstractContextManager[None]:
        """A context in which `xp` and kernels run in the stream of the arrays: torch's current one for tensors."""
        ...


def has_driver() -> bool:
    """Whether an NVIDIA driver is installed. A machine without one usually has no NVIDIA GPU."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def open_device(preference: str = "auto") -> CupyDevice:
    """Open CuPy's current GPU, which CUDA_VISIBLE_DEVICES can change.

    This runs a small kernel, so that a driver that does not work is found here and not in the middle of a fit.

    Args:
        preference: 'auto' or 'cuda'. Both open the same GPU; only the advice in the error message differs.

    Raises:
        DeviceError: no GPU works. The message says in one line why, and what to do.
    """
    if preference not in ("auto", "cuda"):
        raise UsageError(f"device: got {preference!r}, expected 'auto' or 'cuda'")
    instead = _INSTEAD if preference == "cuda" else ""
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "cupy":
            raise DeviceError(f"CUDA: CuPy is not installed; {_INSTALL}{instead}") from error
        problem = f"CuPy cannot be loaded ({_one_line(error)})"
        raise DeviceError(f"CUDA: {problem}; reinstall it: {_INSTALL}{instead}") from error
    try:
        device = CupyDevice(cupy)
        device.check()
    except DeviceError as error:
        raise DeviceError(f"{error}{instead}") from error
    except Exception as error:  # CuPy has many kinds, from several modules
        raise DeviceError(f"CUDA: {_explained(error)}{instead}") from error
    return device


@contextmanager
def device_errors(preference: str) -> Iterator[None]:
    """Turn exceptions of CuPy inside the `with` into a DeviceError of one line. preference: as for open_device."""
    try:
        yield
    except Exception as error:  # CuPy has many kinds, from several modules
        of_cupy = type(error).__module__.partition(".")[0] in ("cupy", "cupy_backends")
        if not (of_cupy or isinstance(error, MemoryError)):
            raise
        raise DeviceError(f"CUDA: {_explained(error)}{_INSTEAD if preference == 'cuda' else ''}") from error


class _Function(Protocol):
    """A kernel of a module of CuPy."""

    max_dynamic_shared_size_bytes: int

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[KernelArgument, ...], *, shared_mem: int
    ) -> None: ...


class _Module(Protocol):
    """A compiled module of CuPy."""

    def get_function(self, name: str) -> _Function: ...


class CupyDevice:
    """CuPy's current GPU. `open_device` also checks that it works."""

    def __init__(self, cupy: ModuleType):
        self.xp = cupy
        number = cupy.cuda.runtime.getDevice() if cupy.cuda.runtime.getDeviceCount() else -1
        if number < 0:
            raise DeviceError("CUDA: the driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES")
        facts = cupy.cuda.runtime.getDeviceProperties(number)
        self.name = facts["name"].decode()
        self.capability = facts["major"], facts["minor"]
        if self.capability < LEAST_CAPABILITY:
            capability, least = (".".join(map(str, numbers)) for numbers in (self.capability, LEAST_CAPABILITY))
            raise DeviceError(
                f"CUDA: {self.name} has compute capability {capability}, expected {least} or newer; use a newer GPU"
            )
        self.torch_device = f"cuda:{number}"
        self._number = number
        self._modules: dict[tuple, Any] = {}
        self._kernels: dict[tuple[str, tuple], Kernel] = {}
        self._records = hasattr(cupy.cuda.Stream, "begin_capture")
        self._rehearsals: list[Future] = []

    def check(self) -> None:
        """Run a small kernel and check its result.

        Raises:
            DeviceError: it does not run, or its result is wrong.
        """
        count = 64
        numbers = self.xp.arange(count, dtype=np.int32)
        out = self.xp.zeros(count, np.int32)
        self.kernel("check.cu", "check")((2,), (32,), numbers, out, np.int32(count))
        if not np.array_equal(self.to_host(out), 3 * np.arange(count) + 1):
            raise DeviceError(f"CUDA: {self.name} computed something wrong in a first test; check the driver")

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        key = _key(file, defines)
        if (name, key) in self._kernels:
            return self._kernels[name, key]
        compiled = self._function(key, name, file, defines)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], *args: KernelArgument, shared: int = 0) -> None:
            check_arguments(name, args)
            if shared > _DEFAULT_SHARED_BYTES and compiled.max_dynamic_shared_size_bytes < shared:
                compiled.max_dynamic_shared_size_bytes = shared
            with self.on_stream_of(*args):
                passed = tuple(a if isinstance(a, (np.generic, self.xp.ndarray)) else self.xp.asarray(a) for a in args)
                compiled(grid, block, passed, shared_mem=shared)

        self._kernels[name, key] = launch
        return launch

    def prepare(
        self, sources: Iterable[tuple[str, Mapping[str, int | str]]], work: Iterable[Callable[[], object]] = ()
    ) -> None:
        missing = [source for source in sources if _key(*source) not in self._modules]
        calls = [] if self._rehearsals else list(work)
        if not (missing or calls):
            return
        pool = ThreadPoolExecutor(
            min(len(missing) + len(calls), os.cpu_count() or 1), thread_name_prefix="gstex-compile"
        )
        for file, defines in missing:
            self._modules[_key(file, defines)] = pool.submit(self._module, file, defines)
        self._rehearsals += [pool.submit(self._rehearse, call) for call in calls]
        pool.shutdown(wait=False)

    def _rehearse(self, call: Callable[[], object]) -> None:
        with self.xp.cuda.Device(self._number):
            call()

    def _function(self, key: tuple, name: str, file: str, defines: Mapping[str, int | str] | None) -> _Function:
        if key not in self._modules:
            self._modules[key] = self._module(file, defines)
        if isinstance(self._modules[key], Future):
            self._modules[key] = self._modules[key].result()
        try:
            return self._modules[key].get_function(name)
        except Exception:  # a fatbin that loads but does not work; NVRTC's module raises again
            self._modules[key] = self._compiled(file, kernel_source(file, defines))
            return self._modules[key].get_function(name)

    def _module(self, file: str, defines: Mapping[str, int | str] | None) -> _Module:
        """The module of a source: the fatbin of this text if there is one that loads, or else compiled by NVRTC."""
        source = kernel_source(file, defines)
        if path := compiled_path(file, source):
            try:
                with self.xp.cuda.Device(self._number):
                    module = self.xp.RawModule(path=str(path))
                    module.compile()  # loads the fatbin
                return module
            except Exception:  # made for other GPUs or a newer driver, or damaged; CuPy has many kinds
                pass
        return self._compiled(file, source)

    def _compiled(self, file: str, source: str) -> _Module:
        """Compile a module now, and not when a kernel is first needed. NVRTC releases Python's global lock."""
        # CuPy adds the architecture of the GPU to the options, and caches compiled code on disk.
        module = self.xp.RawModule(code=source, options=options_of(file))
        with self.xp.cuda.Device(self._number):
            module.compile()
        return module

    def record(self, work: Callable[[], None]) -> Callable[[], None] | None:
        if not self._records:
            return None
        wait(self._rehearsals)  # nothing else may happen on the GPU while launches are captured
        try:
            # The stream of the arrays, CUDA's default stream, cannot be captured. The graph is launched in it.
            stream = self.xp.cuda.Stream(non_blocking=True)
            with self.xp.cuda.Device(self._number), stream:
                stream.begin_capture()
                try:
                    work()
                finally:
                    graph = stream.end_capture()
        except Exception as error:  # CuPy has many kinds, from several modules
            if type(error).__module__.partition(".")[0] not in ("cupy", "cupy_backends"):
                raise
            self._records = False  # a driver that fails now fails later too
            return None

        def replay() -> None:
            with self.xp.cuda.Device(self._number):
                graph.launch()

        return replay

    def to_host(self, array: GpuArray) -> AnyArray:
        with self._failures(), self.on_stream_of(array):
            return self.xp.asnumpy(array)

    def synchronize(self) -> None:
        with self._failures(), self.xp.cuda.Device(self._number):
            self.xp.cuda.runtime.deviceSynchronize()

    @contextmanager
    def on_stream_of(self, *arrays: object) -> Iterator[None]:
        torch = sys.modules.get("torch")  # whoever has tensors has loaded it
        with self.xp.cuda.Device(self._number):
            if torch is None or not any(isinstance(array, torch.Tensor) and array.is_cuda for array in arrays):
                yield
                return
            with _cupy_stream(self.xp.cuda, torch.cuda.current_stream(self._number).cuda_stream):
                yield

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except self.xp.cuda.runtime.CUDARuntimeError as error:
            raise DeviceError(f"CUDA: {_explained(error)}") from error


def _key(file: str, defines: Mapping[str, int | str] | None) -> tuple:
    return file, *sorted((defines or {}).items())


class _StreamAddress:
    """The object that Stream.from_external takes. Streams of torch have this method only in newer versions."""

    def __init__(self, address: int):
        self._address = address

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._address


def _cupy_stream(cuda: ModuleType, address: int) -> AbstractContextManager[object]:
    """CuPy's view of a stream that another library owns."""
    if address == 0:
        return cuda.Stream.null
    if hasattr(cuda.Stream, "from_external"):  # CuPy 14; ExternalStream is deprecated there
        return cuda.Stream.from_external(_StreamAddress(address))
    return cuda.ExternalStream(address)


def check_arguments(name: str, args: tuple[KernelArgument, ...]) -> None:
    """Assert that a kernel can read its arguments: scalars with a NumPy type, and contiguous arrays."""
    for position, arg in enumerate(args):
        if isinstance(arg, np.generic):
            continue
        flags = getattr(arg, "flags", None)
        contiguous = arg.is_contiguous() if hasattr(arg, "is_contiguous") else flags and flags.c_contiguous
        assert contiguous, (
            f"{name}, argument {position}: {type(arg).__name__}, expected a NumPy scalar or a contiguous array"
        )


def _explained(error: BaseException) -> str:
    """A text on what failed and what to do, from an exception of CuPy."""
    text = _one_line(error)
    if "OutOfMemory" in type(error).__name__ or "MemoryAllocation" in text or "out of memory" in text:
        return f"not enough GPU memory ({text}); close other programs that use the GPU"
    if "NoDevice" in text:
        return f"the driver finds no GPU ({text}); check nvidia-smi and CUDA_VISIBLE_DEVICES"
    if "InsufficientDriver" in text:
        return f"no driver, or one that is too old for CuPy ({text}); install or update the NVIDIA driver"
    if "compil" in type(error).__name__.lower() or "nvrtc" in text.lower():
        return f"a kernel does not compile ({text}); update CuPy: {_INSTALL}"
    return f"the GPU does not work ({text}); check nvidia-smi, and that CuPy is made for your version of CUDA"


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
