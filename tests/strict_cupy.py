"""A stand-in for CuPy whose arrays are not NumPy's: what CuPy refuses to mix or to convert, this refuses too.

So code that runs on NumPy alone by luck fails here, without a GPU. By CuPy 14.2: no function or operator takes an array
of NumPy but those that make arrays, nothing turns into one by itself, and what NumPy gives as a scalar is an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from fake_cupy import FakeCupy

Value: TypeAlias = Any
"""An argument or a result of a function of NumPy, which may hold arrays at any depth."""

_FROM_ANYTHING = ("array", "asarray", "ascontiguousarray")
_PLAIN = ("dtype", "shape", "size", "ndim", "nbytes", "itemsize", "strides", "flags", "ctypes")


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device; `held` is its memory."""

    def __init__(self, held: np.ndarray):
        self.held = held

    def __array__(self, *_: object, **__: object) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Value:
        return _called(getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., object], types: object, args: tuple[object, ...], options: Mapping[str, object]
    ) -> Value:
        return _called(function, args, options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # NumPy would read the memory by __array_interface__
        found = getattr(self.held, name)
        if name in _PLAIN:
            return found
        if name in ("item", "tolist"):
            return found
        return (lambda *args, **options: _called(found, args, options)) if callable(found) else _wrapped(found)

    def get(self) -> np.ndarray:
        return self.held.copy()

    def __getitem__(self, key: object) -> Array:
        return _wrapped(self.held[_unwrapped(key, anything=True)])  # CuPy takes indices of NumPy

    def __setitem__(self, key: object, value: object) -> None:
        self.held[_unwrapped(key, anything=True)] = _unwrapped(value)

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.held.item())

    def __int__(self) -> int:
        return int(self.held.item())

    def __index__(self) -> int:
        return self.held.__index__()

    def __bool__(self) -> bool:
        return bool(self.held.item())


class StrictCupy(FakeCupy):
    """Put it in place of the module."""

    ndarray: type[Array] = Array

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found
        return lambda *args, **options: _called(found, args, options, anything=name in _FROM_ANYTHING)

    def array(self, values: object, *args: object, **options: object) -> Array:
        return _called(np.array, (values, *args), options, anything=True)

    def asarray(self, values: object, *args: object, **options: object) -> Array:
        convert = np.asarray if isinstance(values, Array) else np.array  # what is not on the device is copied
        return _called(convert, (values, *args), options, anything=True)

    def zeros(self, *args: Value, **options: Value) -> Array:
        return Array(np.zeros(*args, **options))

    def asnumpy(self, array: object) -> np.ndarray:
        return array.get() if isinstance(array, Array) else np.array(array)

    def RawModule(self, **options: Any) -> SimpleNamespace:
        module = super().RawModule(**options)
        get = module.get_function

        def get_function(name: str) -> object:
            kernel = get(name)
            run_on_arrays = kernel.run
            kernel.run = lambda grid, block, *args, shared: run_on_arrays(grid, block, *_unwrapped(args), shared=shared)
            return kernel

        module.get_function = get_function
        return module


def _called(
    function: Callable[..., object], args: tuple[object, ...], options: Mapping[str, object], *, anything: bool = False
) -> Value:
    return _wrapped(function(*_unwrapped(args, anything), **_unwrapped(options, anything)))


def _unwrapped(value: object, anything: bool = False) -> Value:
    """NumPy's array of each of ours. Raises: TypeError for other arrays, unless `anything` is allowed."""
    if isinstance(value, Array):
        return value.held
    if isinstance(value, np.ndarray) and not anything:
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrapped(item, anything) for item in value)
    if isinstance(value, dict):
        return {name: _unwrapped(item, anything) for name, item in value.items()}
    return value


def _wrapped(value: object) -> Value:
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(np.asarray(value))
    if isinstance(value, (list, tuple)):
        return type(value)(_wrapped(item) for item in value)
    return value
