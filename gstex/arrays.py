"""Types of arrays: those of NumPy by their dtype, and those that may lie on a GPU. Docstrings give the shapes."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AnyArray", "BoolArray", "EngineArray", "F16Array", "F32Array", "F64Array", "FloatArray", "GpuArray", "I32Array",
    "I64Array", "IntArray", "U8Array", "U16Array", "U32Array", "U64Array",
]  # fmt: skip

BoolArray: TypeAlias = NDArray[np.bool_]
F16Array: TypeAlias = NDArray[np.float16]
F32Array: TypeAlias = NDArray[np.float32]
F64Array: TypeAlias = NDArray[np.float64]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""float16, float32 or float64."""
I32Array: TypeAlias = NDArray[np.int32]
I64Array: TypeAlias = NDArray[np.int64]
IntArray: TypeAlias = NDArray[np.integer[Any]]
"""Whole numbers of any size, signed or not."""
U8Array: TypeAlias = NDArray[np.uint8]
U16Array: TypeAlias = NDArray[np.uint16]
U32Array: TypeAlias = NDArray[np.uint32]
U64Array: TypeAlias = NDArray[np.uint64]
AnyArray: TypeAlias = NDArray[Any]
"""Of any dtype."""

GpuArray: TypeAlias = Any
"""An array in the memory of a GPU: of CuPy, which has no types to check."""
EngineArray: TypeAlias = Any
"""An array of the engine of a fit: an AnyArray on the CPU, a GpuArray on a GPU. No type holds both."""
