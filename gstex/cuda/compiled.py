"""Kernels that are compiled when a wheel is built: fatbins in gstex/_kernels.

The name of a fatbin contains a hash of its source text, so a fatbin of another text is never used.
tools/compile_kernels.py writes fatbins, `CupyDevice` loads them, and NVRTC compiles the missing ones.
"""

from hashlib import sha256
from pathlib import Path, PurePosixPath

from gstex.resources import PACKAGE

__all__ = ["OPTIONS", "compiled_name", "compiled_path", "options_of"]

OPTIONS = ("--std=c++14",)  # of NVRTC and of nvcc
_FOLDER = PACKAGE / "_kernels"


def options_of(file: str) -> tuple[str, ...]:
    """Compiler options of a source in `cuda/`. Those in expand/ fuse no operations, to give the bits of the CPU."""
    return (*OPTIONS, "--fmad=false") if file.startswith("expand/") else OPTIONS


def compiled_name(file: str, source: str) -> str:
    """The name of the fatbin: the name of the source, and a hash of its text and of the options.

    file: in `cuda/`: "encode/blend.cu". source: its text, of `kernel_source`.
    """
    digest = sha256("\n".join([*options_of(file), source]).encode()).hexdigest()
    return f"{PurePosixPath(file).stem}-{digest[:32]}.fatbin"


def compiled_path(file: str, source: str) -> Path | None:
    """Path of the fatbin of this text; None if there is none. Arguments: as for `compiled_name`."""
    path = _FOLDER / compiled_name(file, source)
    return path if path.is_file() else None
