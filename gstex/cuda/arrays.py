"""Convert arrays of NumPy and CuPy and tensors of torch for kernels, and convert results back for the caller."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device
from gstex.errors import UsageError

__all__ = ["ArrayOrTensor", "Arrays", "Numbers"]

ArrayOrTensor: TypeAlias = GpuArray
"""A GpuArray or a tensor of torch, which may not be installed, on the GPU."""
Numbers: TypeAlias = Any
"""Numbers of a caller: an array of NumPy or CuPy, a tensor of torch, or anything that NumPy makes an array of."""


class Arrays:
    """Moves arrays to a device and back. Arrays that are on the device already are not copied."""

    def __init__(self, device: Device):
        self._device = device

    def floats(self, name: str, values: Numbers, shape: tuple[int | None, ...]) -> ArrayOrTensor:
        """Numbers as contiguous float32 on the device: a tensor if they are one there, else an array of CuPy.

        Args:
            name: for messages.
            values: of any kind. Those that are not on the device yet must be finite.
            shape: what it must be; None stands for any number.

        Raises:
            UsageError: another shape, or NaN or infinity.
        """
        if self._is_tensor_here(values):
            array = values.detach().to(dtype=sys.modules["torch"].float32).contiguous()
        elif self._is_array_here(values):
            array = self._device.xp.ascontiguousarray(self._device.xp.asarray(values), np.float32)
        else:
            numbers = np.asarray(values.detach().cpu() if _is_tensor(values) else values, np.float64)
            if not (np.abs(numbers) <= np.finfo(np.float32).max).all():
                raise UsageError(f"{name}: got NaN or infinity, expected finite numbers")
            array = self._device.xp.asarray(np.ascontiguousarray(numbers, np.float32))
        _check_shape(name, tuple(array.shape), shape)
        return array

    def empty_like(self, example: ArrayOrTensor, shape: tuple[int, ...]) -> ArrayOrTensor:
        """A new float32 array of the same kind as `example`, a result of `floats`."""
        if _is_tensor(example):
            return example.new_empty(shape)
        return self._device.xp.empty(shape, np.float32)

    def back(self, result: ArrayOrTensor, like: Numbers) -> Numbers:
        """Convert a result of the device to the kind and the place of `like`, which the caller passed."""
        if self._is_tensor_here(like) or self._is_array_here(like):
            return result
        on_host = self._device.to_host(result)
        return sys.modules["torch"].from_numpy(on_host).to(like.device) if _is_tensor(like) else on_host

    def check_out(self, out: Numbers, shape: tuple[int, ...]) -> ArrayOrTensor:
        """Return `out` if a kernel can write to it.

        Raises:
            UsageError: it is not on the device, or not contiguous float32 of this shape.
        """
        if not (self._is_tensor_here(out) or self._is_array_here(out)):
            raise UsageError(f"out: got {type(out).__name__}, expected an array or a tensor on {self._device.name}")
        _check_shape("out", tuple(out.shape), shape)
        contiguous = out.is_contiguous() if _is_tensor(out) else out.flags.c_contiguous
        if not contiguous or str(out.dtype).removeprefix("torch.") != "float32":
            gaps = "" if contiguous else " with gaps"
            raise UsageError(f"out: got {out.dtype}{gaps}, expected contiguous float32")
        return out

    def _is_tensor_here(self, values: Numbers) -> bool:
        return _is_tensor(values) and str(values.device) == self._device.torch_device

    def _is_array_here(self, values: object) -> bool:
        """Whether values are an array on a GPU, of CuPy or of a library whose arrays CuPy reads without a copy."""
        if _is_tensor(values):
            return False
        return isinstance(values, self._device.xp.ndarray) or hasattr(values, "__cuda_array_interface__")


def _is_tensor(values: object) -> bool:
    torch = sys.modules.get("torch")  # a caller with tensors has loaded torch
    return torch is not None and isinstance(values, torch.Tensor)


def _check_shape(name: str, actual: tuple[int, ...], shape: tuple[int | None, ...]) -> None:
    if len(actual) != len(shape) or any(e not in (None, n) for e, n in zip(shape, actual, strict=True)):
        sizes = ", ".join("M" if size is None else str(size) for size in shape)
        raise UsageError(f"{name}: got an array of shape {list(actual)}, expected numbers of shape [{sizes}]")
