"""CUDA compilers that need no GPU: nvcc of a toolkit, or NVRTC of a wheel."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

_NVRTC_OPTIONS = ("--std=c++14",)


class CompileError(AssertionError):
    """A compiler refuses a source; the message is its log."""


class Usage:
    """What a kernel takes of a multiprocessor, as ptxas says it: registers of a thread; bytes otherwise."""

    def __init__(self, log: str):
        self.registers = int(_number(r"Used (\d+) registers", log))
        self.shared = int(_number(r"(\d+) bytes smem", log))
        self.stack = int(_number(r"(\d+) bytes stack frame", log))
        self.spills = int(_number(r"(\d+) bytes spill stores", log))


def find_compiler() -> tuple[str, Callable[[str, str, Path], str]] | None:
    """(name, a function of source, architecture and an empty folder that returns the log); None if there is none."""
    if shutil.which("nvcc"):
        return "nvcc", _nvcc
    library = _nvrtc_library()
    return ("NVRTC", lambda source, arch, folder: _nvrtc(library, source, arch)) if library else None


def kernel_usage(source: str, arch: str, folder: Path) -> dict[str, Usage]:
    """What each kernel of a source takes; needs nvcc, whose ptxas says it."""
    log = _nvcc(source, arch, folder, "-Xptxas", "-v")
    parts = re.split(r"Compiling entry function '(\w+)'", log)
    return {name: Usage(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _number(pattern: str, log: str) -> str:
    found = re.search(pattern, log)
    return found[1] if found else "0"


def _nvcc(source: str, arch: str, folder: Path, *options: str) -> str:
    file = folder / "kernels.cu"
    file.write_text(source)
    command = ["nvcc", "-cubin", f"-arch={arch}", "-std=c++14", "-Werror=all-warnings", *options]
    done = subprocess.run([*command, str(file), "-o", str(folder / "kernels.cubin")], capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr[-4000:])
    return done.stderr


def _nvrtc_library() -> Path | None:
    """The library of the wheel nvidia-cuda-nvrtc-cu12 (or its kin)."""
    spec = find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():
        names = "nvrtc64_*.dll" if sys.platform == "win32" else "libnvrtc.so.*"
        found = [file for file in sorted(Path(root).rglob(names)) if "alt" not in file.name]
        if found:
            return found[0]
    return None


def _nvrtc(library: Path, source: str, arch: str) -> str:
    nvrtc = ctypes.CDLL(str(library))
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    options = [f"--gpu-architecture={arch}".encode(), *[option.encode() for option in _NVRTC_OPTIONS]]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value + 1)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    text = log.value.decode()
    if status != 0 or "warning" in text:
        raise CompileError(text or f"NVRTC fails with status {status}")
    return text
