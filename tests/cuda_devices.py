"""The devices that tests of kernels run on: the host that stands in for a GPU, and a GPU where one works.

A test module that imports `DEVICE` and the fixture `each_device` runs each of its tests once on every device there is.
Those on a GPU have the marker `gpu`: `pytest -m gpu tests/test_cuda_*.py`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from cuda_host import HostDevice

from gstex.arrays import GpuArray
from gstex.cuda.device import Device, Kernel, check_arguments, open_device
from gstex.errors import DeviceError

__all__ = ["DEVICE", "CopyingDevice", "each_device", "gpu_or_reason"]


class CopyingDevice:
    """Runs kernels on another device and keeps arrays in NumPy: all are copied there before a kernel, and back after.

    So tests that look at their arrays run unchanged on a GPU. launches: how often each kernel has run.
    """

    torch_device = "cpu"
    xp = np

    def __init__(self, device: Device):
        self.name = f"{device.name}, arrays on the host"
        self.launches: dict[str, int] = {}
        self._device = device

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        """The kernel `name` of cuda/<file>."""
        run = self._device.kernel(file, name, defines)

        def launch(
            grid: tuple[int, ...], block: tuple[int, ...], *args: GpuArray | np.generic, shared: int = 0
        ) -> None:
            check_arguments(name, args)
            args = tuple(a if isinstance(a, (np.generic, np.ndarray)) else a.detach().numpy() for a in args)
            pieces = [_Piece(self._device, arrays) for arrays in _overlapping(args)]
            there = {id(array): array_there for piece in pieces for array, array_there in piece.pairs}
            run(grid, block, *(a if isinstance(a, np.generic) else there[id(a)] for a in args), shared=shared)
            for piece in pieces:
                piece.copy_back()
            self.launches[name] = self.launches.get(name, 0) + 1

        return launch

    def prepare(self, sources: object, work: object = ()) -> None:
        """Libraries are kept from one run of the tests to the next."""

    def record(self, work: object) -> None:
        """Copies are made between kernels, so it cannot be done."""

    def to_host(self, array: np.ndarray) -> np.ndarray:
        """A copy."""
        return np.array(array)

    def synchronize(self) -> None:
        """What a kernel wrote is there when its call returns."""

    def on_stream_of(self, *arrays: object) -> nullcontext[None]:
        """There is one stream."""
        return nullcontext()


class _Piece:
    """Memory of the host that some arrays lie in, and its copy on a device."""

    def __init__(self, device: Device, arrays: list[np.ndarray]):
        self._device = device
        first, end = min(map(_begin, arrays)), max(map(_end, arrays))
        self._writeable = any(array.flags.writeable for array in arrays)
        if first == end:
            self._here = np.empty(0, np.uint8)
        else:
            self._here = np.frombuffer((ctypes.c_ubyte * (end - first)).from_address(first), np.uint8)
        self._there = device.xp.array(self._here)
        self.pairs = []
        for array in arrays:
            part = self._there[_begin(array) - first : _end(array) - first]
            self.pairs.append((array, part.view(array.dtype).reshape(array.shape)))

    def copy_back(self) -> None:
        if self._writeable:
            self._here[...] = self._device.to_host(self._there)


def _overlapping(args: tuple[object, ...]) -> list[list[np.ndarray]]:
    """The arrays in groups that have no memory in common."""
    groups: list[list[np.ndarray]] = []
    for array in sorted((a for a in args if isinstance(a, np.ndarray)), key=_begin):
        if groups and array.size and _begin(array) < max(map(_end, groups[-1])):
            groups[-1].append(array)
        else:
            groups.append([array])
    return groups


def _begin(array: np.ndarray) -> int:
    return array.ctypes.data


def _end(array: np.ndarray) -> int:
    return array.ctypes.data + array.nbytes


class _Current:
    """Stands for the device that `each_device` has chosen for the running test."""

    def __init__(self) -> None:
        self.chosen: HostDevice | CopyingDevice = HostDevice()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chosen, name)


def gpu_or_reason() -> tuple[Device | None, str]:
    """The GPU, or None and why there is none."""
    try:
        return open_device(), ""
    except DeviceError as error:
        return None, str(error)


DEVICE: Any = _Current()
_HOST, _GPU = DEVICE.chosen, gpu_or_reason()[0]
_DEVICES = [pytest.param(_HOST, id="host")]
if _GPU:
    _DEVICES.append(pytest.param(CopyingDevice(_GPU), id="gpu", marks=pytest.mark.gpu))


@pytest.fixture(params=_DEVICES, autouse=True)
def each_device(request: pytest.FixtureRequest) -> Iterator[HostDevice | CopyingDevice]:
    """Runs every test of the module that imports it on every device; returns the device."""
    DEVICE.chosen = request.param
    yield request.param
    DEVICE.chosen = _HOST
