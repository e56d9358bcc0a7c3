"""How a batch shares the GPUs of this machine: each process uses one GPU, and a GPU runs as many fits at once as its
memory holds.

The memory of a fit is from benchmarks/results/gpu-nvidia-h200-fits.json: 126 bytes per texel and channel at 2048x2048,
139 at 1024x1024. The speed of fits that share a GPU is not measured.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from gstex.batch.plans import Item

__all__ = ["CONTEXT_BYTES", "Gpu", "bytes_of", "find_gpus", "has_room", "wants_gpu"]

# GPU bytes of a fit per texel and channel, GPU bytes of a process itself, and the share of the memory that is used.
FIT_BYTES, CONTEXT_BYTES, USABLE = 140, 512 << 20, 0.9
_SECONDS = 20.0  # in which the driver has to answer


@dataclass(frozen=True)
class Gpu:
    """name: as CUDA_VISIBLE_DEVICES takes it. bytes: of its memory."""

    name: str
    bytes: int


def find_gpus() -> tuple[Gpu, ...]:
    """The GPUs that the driver lists and CUDA_VISIBLE_DEVICES allows. Empty without CuPy, which a fit on a GPU needs.

    This runs nvidia-smi, because a query through CUDA would take memory on each GPU.
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
    for name in visible.split(","):  # like the driver, stop at the first unknown name
        if name.strip() not in by_name:
            break
        chosen.append(by_name[name.strip()])
    return tuple(chosen)


def wants_gpu(item: Item) -> bool:
    """Whether the fit of a material goes to a GPU if there is one."""
    return item.options.device != "cpu"


def bytes_of(item: Item) -> int:
    """About how many bytes the fit of a material takes on a GPU."""
    return FIT_BYTES * max(item.texels, 1) * max(item.channels, 1)


def has_room(gpu: Gpu, processes: int, running: Iterable[Item], item: Item) -> bool:
    """Whether a fit may begin on a GPU. If no other fit runs there, it always may.

    processes: how many processes use this GPU. running: the materials that are being fitted there.
    """
    held = sum(bytes_of(other) for other in running if wants_gpu(other))
    return held == 0 or held + bytes_of(item) <= USABLE * gpu.bytes - processes * CONTEXT_BYTES
