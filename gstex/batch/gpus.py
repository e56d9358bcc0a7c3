"""The GPUs of this machine, as a batch shares them out: a process has one of them, and as many fit at once on it as its
memory holds.

What a fit holds is from benchmarks/results/gpu-nvidia-h200-fits.json: 126 bytes per texel and channel at 2048x2048, 139
at 1024x1024. How fast fits are that share a GPU was not measured.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from gstex.batch.plans import Item

__all__ = ["CONTEXT_BYTES", "Gpu", "bytes_of", "find_gpus", "has_room", "wants_gpu"]

# What a fit holds for every texel and channel, and a process for itself; and the part of the memory that is given away.
FIT_BYTES, CONTEXT_BYTES, USABLE = 140, 512 << 20, 0.9
_SECONDS = 20.0  # in which the driver has to answer


@dataclass(frozen=True)
class Gpu:
    """name: as CUDA_VISIBLE_DEVICES takes it. bytes: of its memory."""

    name: str
    bytes: int


def find_gpus() -> tuple[Gpu, ...]:
    """What the driver shows, and CUDA_VISIBLE_DEVICES lets through; nothing without CuPy, which a fit there needs.

    The driver's own program is asked, as asking CUDA would take memory on each of them.
    """
    program = shutil.which("nvidia-smi")
    if program is None or importlib.util.find_spec("cupy") is None:
        return ()
    command = [program, "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
        rows = [[cell.strip() for cell in line.split(",")] for line in printed.splitlines() if line.strip()]
        by_index = {index: Gpu(uuid, int(mebibytes) << 20) for index, uuid, mebibytes in rows}
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(by_index.values())
    by_name = by_index | {gpu.name: gpu for gpu in by_index.values()}
    chosen = []
    for name in visible.split(","):  # as the driver does: up to the first that it does not know
        if name.strip() not in by_name:
            break
        chosen.append(by_name[name.strip()])
    return tuple(chosen)


def wants_gpu(item: Item) -> bool:
    """Whether the fit of a material goes to a GPU if there is one."""
    return item.options.device != "cpu"


def bytes_of(item: Item) -> int:
    """What the fit of a material holds on a GPU, about."""
    return FIT_BYTES * max(item.texels, 1) * max(item.channels, 1)


def has_room(gpu: Gpu, processes: int, running: Iterable[Item], item: Item) -> bool:
    """Whether a fit may begin on a GPU. One that is alone always may: nobody else is in its way.

    processes: that have this GPU. running: the materials that are fitted there.
    """
    held = sum(bytes_of(other) for other in running if wants_gpu(other))
    return held == 0 or held + bytes_of(item) <= USABLE * gpu.bytes - processes * CONTEXT_BYTES
