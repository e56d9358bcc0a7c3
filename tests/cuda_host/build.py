"""Compiles a source of cuda/ with g++ and cuda_host.h into a library whose functions run its kernels."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HEADER = Path(__file__).with_name("cuda_host.h")
CACHE = Path(tempfile.gettempdir()) / f"gstex-cuda-host-{os.getuid() if hasattr(os, 'getuid') else 0}"
# -O1: what the sanitizers put in takes g++ five times as long at -O2.
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1")

_KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(')
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+(.+?)\s*\b(\w+)\s*\[\s*\]\s*;")
# -ffp-contract=off: every result can be made again on any CPU. A GPU contracts to fused operations; what comes of
# that is far below the tolerances of the tests.
_OPTIONS = ("-std=c++14", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
            "-Wno-unused-function", "-Wno-unused-variable", "-Wno-unknown-pragmas", "-Wno-unused-parameter",
            "-Wno-sign-compare", "-Wno-stringop-overflow")  # fmt: skip


def require_compiler() -> None:
    """Skip the test, or the module that is being read, where there is no g++."""
    if not shutil.which("g++"):
        pytest.skip("no g++, with which the CUDA kernels run on the CPU", allow_module_level=True)


def build(source: str, *, sanitize: bool = False) -> ctypes.CDLL:
    """Load the library of a source from `gstex.cuda.kernel_source`; made once for each text and options."""
    require_compiler()
    text = host_text(source)
    options = (*_OPTIONS, *(SANITIZE if sanitize else ()))
    key = hashlib.sha256("\0".join([HEADER.read_text(), text, *options]).encode()).hexdigest()[:24]
    library = CACHE / f"{key}.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            file, result = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            file.write_text(text)
            command = ["g++", *options, f"-I{HEADER.parent}", str(file), "-o", str(result), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise AssertionError(f"g++ refuses the kernels:\n{done.stderr[-4000:]}")
            result.replace(library)  # whole or not at all, though several tests may make it at once
    return ctypes.CDLL(str(library))


def host_text(source: str) -> str:
    """C++ with the kernels of a CUDA source, and a launcher for each."""
    # An array of a size that only the launch says: C++ has no such thing.
    source = _DYNAMIC_SHARED.sub(r"\1 *\2 = (\1 *)host_dynamic_shared;", source)
    launchers = "\n".join(f"HOST_KERNEL({name})" for name in _KERNEL.findall(source))
    return f'#include "cuda_host.h"\n{source}\n#line 1 "launchers"\n{launchers}\n'
