"""Compile the kernels of a fit for wheels: a fatbin per source, which gstex/cuda/compiled.py finds by the source text.

    python tools/compile_kernels.py                        into build/kernels, where a build of the wheel finds them
    python tools/compile_kernels.py -o gstex/_kernels      for a checkout, which then uses them

Needs nvcc 12.8 or newer, from PATH or from the variable CUDACXX. Existing fatbins are not compiled again, and fatbins
of other texts are removed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bare_modules import ROOT, import_bare

source, compiled, fit = import_bare("gstex.cuda.source", "gstex.cuda.compiled", "gstex.encode.ops.cuda.sources")

Source = tuple[str, dict[str, int | str]]

# Compute capabilities with machine code. On other GPUs, the driver compiles the PTX of the oldest one; no source
# depends on the kind of GPU.
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
PTX = 75
# Numbers of varying channels that most materials have.
CHANNELS = range(3, 11)


class KernelError(Exception):
    """Kernels cannot be compiled. The message is one line that says why."""


def sources(channels: Iterable[int] = CHANNELS) -> list[Source]:
    """(file, defines) of all kernels to compile: the one that tests a GPU, and those of fits."""
    kernels: list[Source] = [("check.cu", {})]
    for count in channels:
        kernels += [kernel for kernel in fit.sources_of_fit(count, "perceptual") if kernel not in kernels]
    return kernels


def find_nvcc() -> str | None:
    """The path of nvcc; None if there is none."""
    return shutil.which(os.environ.get("CUDACXX") or "nvcc")


def compile_fatbin(text: str, path: Path, nvcc: str, architectures: Iterable[int] = ARCHITECTURES) -> None:
    """Write a fatbin of a CUDA source.

    Raises:
        KernelError: nvcc fails, for example because it does not know an architecture.
    """
    code = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    with tempfile.TemporaryDirectory(prefix="gstex-kernels-") as folder:
        file, out = Path(folder) / "kernels.cu", path.with_suffix(".part")
        file.write_text(text, encoding="utf-8")
        command = [nvcc, "-fatbin", "-compress-mode=size", *compiled.OPTIONS, *code,
                   f"-gencode=arch=compute_{PTX},code=compute_{PTX}", "-o", str(out), str(file)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise KernelError(f"{nvcc} fails for {path.name} ({lines[0]}); it has to be of CUDA 12.8 or newer")
    out.replace(path)


def compile_kernels(output: Path, kernels: Iterable[Source], jobs: int | None = None) -> int:
    """Make a folder hold the fatbins of these sources and no others; returns how many were compiled.

    Raises:
        KernelError: some are missing and there is no nvcc, or it fails.
    """
    texts = {}
    for file, defines in kernels:
        text = source.kernel_source(file, defines)
        texts[compiled.compiled_name(file, text)] = text
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.fatbin"):
        if old.name not in texts:
            old.unlink()
    missing = [name for name in texts if not (output / name).is_file()]
    nvcc = find_nvcc()
    if missing and not nvcc:
        raise KernelError(f"no nvcc found, and {len(missing)} of {len(texts)} kernels are not compiled")
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for _ in pool.map(lambda name: compile_fatbin(texts[name], output / name, nvcc or ""), missing):
            pass
    return len(missing)


def main() -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Compile the kernels of a fit for wheels.")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "kernels", help="folder of the fatbins")
    parser.add_argument("-j", "--jobs", type=int, help="compilers at the same time (default: as many as CPUs)")
    parser.add_argument("--if-possible", action="store_true", help="leave it at a line where there is no nvcc")
    options = parser.parse_args()
    try:
        count = compile_kernels(options.output, sources(), options.jobs)
    except KernelError as error:
        print(f"gstex: {error}", file=sys.stderr)
        return 0 if options.if_possible else 1
    print(f"gstex: {count} kernels compiled, {len(list(options.output.glob('*.fatbin')))} in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
