"""exp, log, sin and similar functions with the same bits everywhere, for all code that decides what is stored.

The functions of NumPy and of C libraries differ in their last bits between CPUs, versions and systems, and so do
NumPy's sums of products (einsum, dot). Such code may use NumPy for sums of one array, cumulative sums, sorts, roots,
and elementwise arithmetic, which are the same everywhere.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gstex.arrays import F64Array, FloatArray
from gstex.native import _core

__all__ = ["atan", "cos", "exp", "exp2", "log", "log2", "log10", "power", "quantile", "sin", "tan", "whole_power"]


def _elementwise(kernel: Callable[..., None], values: npt.ArrayLike, *arguments: float) -> F64Array:
    """Call a kernel: float64 of the same shape as the values; a NumPy scalar for a number."""
    array = np.ascontiguousarray(values, np.float64)
    out = np.empty(array.size)
    kernel(array.reshape(-1), *arguments, out)
    return out.reshape(np.shape(values))[()]


def exp(x: npt.ArrayLike) -> F64Array:
    """e^x; 0 below -708."""
    return _elementwise(_core.exp, x)


def exp2(x: npt.ArrayLike) -> F64Array:
    """2^x; 0 below -1021."""
    return _elementwise(_core.exp2, x)


def log(x: npt.ArrayLike) -> F64Array:
    """The natural logarithm; -inf for 0, NaN for negative numbers."""
    return _elementwise(_core.log, x)


def log2(x: npt.ArrayLike) -> F64Array:
    """The logarithm to base 2, exact for powers of 2; see `log`."""
    return _elementwise(_core.log2, x)


def log10(x: npt.ArrayLike) -> Any:
    """The logarithm to base 10, float64; see `log`."""
    return _elementwise(_core.log10, x)


def power(x: npt.ArrayLike, exponent: float) -> F64Array:
    """x^exponent for x >= 0."""
    return _elementwise(_core.power, x, exponent)


def sin(x: npt.ArrayLike) -> F64Array:
    """The sine of radians up to some 10^5."""
    return _elementwise(_core.sin, x)


def cos(x: npt.ArrayLike) -> F64Array:
    """The cosine of radians up to some 10^5."""
    return _elementwise(_core.cos, x)


def tan(x: npt.ArrayLike) -> F64Array:
    """The tangent of radians up to some 10^5."""
    return _elementwise(_core.tan, x)


def atan(x: npt.ArrayLike) -> F64Array:
    """The arc tangent, in radians."""
    return _elementwise(_core.atan, x)


def quantile(values: FloatArray, part: float) -> float:
    """The quantile at `part`, 0..1, of all values: the nearest value in sorted order, without interpolation."""
    place = int(part * (values.size - 1) + 0.5)
    return float(np.partition(values, place, axis=None)[place])


def whole_power(base: float, exponent: int) -> float:
    """base^exponent by multiplications. exponent: a whole number, at least 0."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
