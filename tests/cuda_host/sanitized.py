"""Runs a function of a test module in a process of its own, with kernels under the sanitizers of g++."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .build import require_compiler
from .device import SANITIZE_VARIABLE

TESTS = Path(__file__).parent.parent


def run_sanitized(module: str, function: str, *args: str) -> str:
    """Call `function(*args)` of a module of tests/ and return its stdout; a finding of a sanitizer fails.

    The address sanitizer guards what malloc gives, so NumPy arrays that are read or written beyond their ends are
    found. The function must not load torch, which the sanitizers do not expect.
    """
    require_compiler()
    libraries = [_runtime(name) for name in ("libasan.so", "libubsan.so")]
    environment = {
        **os.environ,
        SANITIZE_VARIABLE: "1",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
    }
    code = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import {module}; {module}.{function}(*sys.argv[1:])"
    command = [sys.executable, "-c", code, *args]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=TESTS)
    assert done.returncode == 0, f"{module}.{function}: {done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def _runtime(name: str) -> str:
    found = subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()
