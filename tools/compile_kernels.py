"""Compile the kernels of a fit for wheels: a fatbin of each source, which gstex/cuda/compiled.py finds by its text.

    python tools/compile_kernels.py                        into build/kernels, from where a build takes them
    python tools/compile_kernels.py -o gstex/_kernels      for a checkout, which then loads them

Needs nvcc 12.8 or newer (the variable CUDACXX names another than that of the path). What is there already is not
compiled again, and fatbins of other texts are removed.
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

# What has code of its own. Newer GPUs get what the driver makes of the PTX for the oldest, since no source asks for the
# kind of GPU.
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
PTX = 75
# Numbers of varying channels that materials mostly have.
CHANNELS = range(3, 11)


class KernelError(Exception):
    """Kernels cannot be compiled; one line that says why."""


def sources(channels: Iterable[int] = CHANNELS) -> list[Source]:
    """(file, defines) of all that is compiled: the first kernel that a GPU is tried with, and those of fits."""
    found: list[Source] = [("check.cu", {})]
    for count in channels:
        found += [one for one in fit.sources_of_fit(count, "perceptual") if one not in found]
    return found


def find_nvcc() -> str | None:
    """The nvcc to use, if there is one."""
    return shutil.which(os.environ.get("CUDACXX") or "nvcc")


def compile_fatbin(text: str, path: Path, nvcc: str, architectures: Iterable[int] = ARCHITECTURES) -> None:
    """Write a fatbin of a CUDA source.

    Raises:
        KernelError: nvcc refuses the source, or does not know an architecture.
    """
    code = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    with tempfile.TemporaryDirectory(prefix="gstex-kernels-") as folder:
        file, out = Path(folder) / "kernels.cu", path.with_suffix(".part")
        file.write_text(text, encoding="utf-8")
        command = [nvcc, "-fatbin", "-compress-mode=size", *compiled.OPTIONS, *code,
                   f"-gencode=arch=compute_{PTX},code=compute_{PTX}", "-o", str(out), str(file)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise KernelError(f"{nvcc} fails for {path.name} ({said[0]}); it has to be of CUDA 12.8 or newer")
    out.replace(path)


def compile_kernels(output: Path, wanted: Iterable[Source], jobs: int | None = None) -> int:
    """Let a folder hold the fatbins of these sources and no others; returns how many were compiled.

    Raises:
        KernelError: some are missing and there is no nvcc, or it fails.
    """
    texts = {}
    for file, defines in wanted:
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
    """The command."""
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
