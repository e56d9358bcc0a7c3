"""The native core: kernels in C++ (gstex/native/ops), the decoder in C (gstex.h), and what they are run with.

Results are the same bits on every CPU, with every instruction set and any number of threads.
"""

import os

from . import _core
from ._core import instruction_set, instruction_sets, set_thread_count, thread_count, use_instruction_set

__all__ = [
    "cores", "instruction_set", "instruction_sets", "set_thread_count", "thread_count", "use_instruction_set",
]  # fmt: skip


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


_core.set_thread_count(cores())
