"""The native core: kernels in C++ (gstex/native/ops), the decoder in C (gstex.h), threads and instruction sets.

Results have the same bits on every CPU, with every instruction set and any number of threads.
"""

import importlib
import os
import sys
from types import ModuleType
from typing import Any

from ..errors import UsageError
from ..version import __version__

__all__ = [
    "cores", "instruction_set", "instruction_sets", "loop_seconds", "set_thread_count", "thread_count",
    "use_instruction_set",
]  # fmt: skip


def _load_core() -> ModuleType:
    """Import the compiled core beside this file. In a checkout, where Python reads the sources, this is the installed
    core of the same version."""
    name, beside = f"{__name__}._core", os.path.dirname(os.path.abspath(__file__))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    # These are not imported at the top, because they take longer than all of `gstex --help`.
    from importlib import machinery, metadata, util

    folders = []
    try:
        if metadata.version("gstex") == __version__:
            folders = [os.path.join(folder, "gstex", "native") for folder in sys.path]
    except metadata.PackageNotFoundError:
        pass
    for folder in folders:
        for suffix in machinery.EXTENSION_SUFFIXES:
            file = os.path.join(folder, f"_core{suffix}")
            if os.path.isfile(file):
                spec = util.spec_from_file_location(name, file)
                assert spec is not None and spec.loader is not None
                core = util.module_from_spec(spec)
                sys.modules[name] = core
                spec.loader.exec_module(core)
                return core
    raise ImportError(
        f"{beside} holds the sources of gstex, and gstex {__version__} is not installed; `pip install .` in the "
        "checkout compiles and installs it"
    )


_core: Any = _load_core()
instruction_set, instruction_sets = _core.instruction_set, _core.instruction_sets
set_thread_count, thread_count = _core.set_thread_count, _core.thread_count
use_instruction_set, loop_seconds = _core.use_instruction_set, _core.loop_seconds


def cores() -> int:
    """The number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def _initial_threads() -> int:
    """The number of threads in the environment variable GSTEX_THREADS, at most one per core; without it, all cores."""
    setting = os.environ.get("GSTEX_THREADS", "")
    if not setting:
        return cores()
    if not (setting.isascii() and setting.isdigit() and int(setting)):
        raise UsageError(f"GSTEX_THREADS: got {setting!r}, expected a whole number of at least 1; correct or unset it")
    return min(int(setting), cores())


_core.set_thread_count(_initial_threads())
