"""A small library for the tests of gstex batch, and what its outputs have to be."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from small_samples import crop_sample

from gstex.batch import Event, Options, Plan, plan, run
from gstex.batch.state import FOLDER, State
from gstex.batch.worker import serve
from gstex.files import TEMPORARY

QUICK = Options(effort="draft", gaussians=20, mips=False, device="cpu")
QUICK_ARGUMENTS = ("--effort", "draft", "--gaussians", "20", "--no-mips", "--device", "cpu")
OUTPUTS = ["a/deep/wood.gstex", "a/steel.gstex", "bricks.gstex"]
LOST = "a/steel.gstex"  # what `serve_and_die` dies of


def make_library(folder: Path) -> Path:
    """Three materials of 16x16 texels."""
    for name, place in (("rusted_steel", "a/steel"), ("stylised_wood", "a/deep/wood"), ("weathered_bricks", "bricks")):
        crop_sample(name, folder / place, 16)
    return folder


def image(path: Path, channels: int = 3, size: int = 8) -> Path:
    """An image of some gradient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.arange(size * size * channels, dtype=np.uint32).reshape(size, size, channels)
    assert oiio.ImageBuf((ramp * 37 % 251).astype(np.uint8)).write(str(path))
    return path


def run_all(library: Path | Plan, out: Path, **how: Any) -> list[Event]:
    """Carry out a plan, in one process unless `jobs` says otherwise."""
    made = library if isinstance(library, Plan) else plan(library, out, options=QUICK)
    return list(run(made, **{"jobs": 1, "page": False, **how}))


def ended(events: list[Event]) -> dict[str, str]:
    """How each material ended, by its output."""
    kinds = ("current", "moved", "done", "failed")
    return {event.output: event.event for event in events if event.event in kinds}


def outputs(out: Path) -> dict[str, bytes]:
    """Every .gstex file, by its path below `out`."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.gstex"))}


def check_whole(out: Path, expected: dict[str, bytes]) -> None:
    """Whatever is there is whole: outputs are those of a run that nobody disturbed, and no record lies."""
    for name, data in outputs(out).items():
        assert data == expected[name], name
    for record in State(out).all():
        assert State(out).holds(record), record.output


def leftovers(out: Path) -> list[Path]:
    return list(out.rglob(TEMPORARY.format("*")))


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen:
    """`gstex batch` in a process group of its own."""
    command = [sys.executable, "-m", "gstex", "batch", *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True, **options)  # fmt: skip


def copy_of(out: Path, target: Path) -> Path:
    shutil.copytree(out, target)
    assert (target / FOLDER).is_dir()
    return target


def serve_and_die(connection: Connection, out: Path, force: bool, threads: int) -> None:
    """A worker that the system kills as soon as it gets a certain material."""

    class Deadly:
        send = connection.send

        def recv(self) -> tuple[str, Any] | None:
            message = connection.recv()
            if message and message[0] == "item" and message[1].output == LOST:
                signal.raise_signal(signal.SIGKILL)
            return message

    serve(Deadly(), out, force, threads)  # type: ignore[arg-type]


Break = Callable[[Path], None]
