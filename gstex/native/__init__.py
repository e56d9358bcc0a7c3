"""The native core: kernels in C++ (gstex/native/ops), the decoder in C (gstex.h), and what they are run with.

Results are the same bits on every CPU, with every instruction set and any number of threads.
"""

import os

from ..errors import UsageError

try:
    from . import _core
except ImportError as error:
    if "partially initialized module" not in str(error):  # of a core that is there, and says why it cannot run
        raise
    raise ImportError(
        f"{os.path.dirname(__file__)} holds the sources of gstex and not its compiled core; `pip install .` in the "
        "checkout compiles it, then run Python elsewhere or with the environment it was installed into"
    ) from None

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


def _initial_threads() -> int:
    """What the environment variable GSTEX_THREADS says, at most one a core; all cores without it."""
    asked = os.environ.get("GSTEX_THREADS", "")
    if not asked:
        return cores()
    if not (asked.isascii() and asked.isdigit() and int(asked)):
        raise UsageError(f"GSTEX_THREADS: got {asked!r}, expected a whole number of at least 1; correct or unset it")
    return min(int(asked), cores())


_core.set_thread_count(_initial_threads())
