"""Runs Python as on another CPU: NumPy without some instruction sets, the core with another, in other threads.

What NumPy may leave out is fixed when it is imported, so each way has a process of its own.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gstex import native

__all__ = ["Way", "file_hash", "numpy_features", "run", "ways"]

TESTS = Path(__file__).resolve().parent
_SWITCH = "NPY_DISABLE_CPU_FEATURES"
_READY = "import sys; from gstex import native; native.use_instruction_set({0!r}); native.set_thread_count({1})\n"
_COMPRESS = """
import hashlib, gstex
texture = gstex.compress(sys.argv[1], device="cpu", **{0!r})
texture.save(sys.argv[2])
print(hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest())
"""


@dataclass(frozen=True)
class Way:
    """without: features that NumPy is to do without. instruction_set, threads: of the core."""

    without: tuple[str, ...]
    instruction_set: str
    threads: int

    def __str__(self) -> str:
        return f"{self.instruction_set}, {self.threads} threads, NumPy without {' '.join(self.without) or 'nothing'}"


def numpy_features() -> list[str]:
    """Features of this CPU for which this NumPy has loops of its own, the least first; none in a build without any."""
    try:
        from numpy._core import _multiarray_umath as core
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    return [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]


def ways() -> list[Way]:
    """All of NumPy with the best of the core first; then NumPy with ever less, and every other set of the core."""
    features, sets = numpy_features(), list(native.instruction_sets())
    less = [Way(tuple(features[count:]), sets[-1], 2) for count in reversed(range(len(features)))]
    return [Way((), sets[-1], 1), *less, *(Way(tuple(features), name, 3) for name in sets[:-1])]


def run(way: Way, code: str, *arguments: object) -> str:
    """What Python code prints. sys.argv[1:] are the arguments; modules of this folder can be imported."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    environment.pop(_SWITCH, None)
    if way.without:
        environment[_SWITCH] = " ".join(way.without)
    ready = _READY.format(way.instruction_set, way.threads)
    done = subprocess.run([sys.executable, "-c", ready + code, *map(str, arguments)], env=environment,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, f"{way}\n{done.stderr}"
    return done.stdout


def file_hash(way: Way, source: Path, folder: Path, **options: object) -> str:
    """SHA-256 of the file that gstex.compress(source, **options) gives, written into `folder`."""
    return run(way, _COMPRESS.format(options), source, folder / "everywhere.gstex").strip()


def numpy_differs(expression: str) -> bool:
    """Whether NumPy gives other bits for an expression without its features: that switching them off does something."""
    script = f"import numpy as np; x = np.arange(1, 4096) / 512; print(({expression}).tobytes().hex())"
    first, *_, last = [Way((), native.instruction_set(), 1), Way(tuple(numpy_features()), native.instruction_set(), 1)]
    return run(first, script) != run(last, script)
