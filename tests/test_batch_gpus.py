"""GPUs that a batch shares out: which process has which, and what begins when. By logic alone: no GPU is needed."""

import importlib.util
import os
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import pytest
from batch_library import QUICK, make_library
from msgspec import structs

from gstex.batch import Item, Options, crew, plan
from gstex.batch.gpus import CONTEXT_BYTES, Gpu, bytes_of, find_gpus, has_room, wants_gpu
from gstex.batch.worker import serve

GIB = 1 << 30
SAID = "0, GPU-aa, 81920\n1, GPU-bb, 40960\n"


def item(gibibytes: float, name: str = "", device: Literal["auto", "cpu", "cuda"] = "auto") -> Item:
    """One whose fit holds about so much."""
    return Item(name, Path(), (), "", options=Options(device=device), texels=int(gibibytes * GIB / 140 / 8), channels=8)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of the driver's, and a CuPy to be found."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{SAID}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name == "cupy" or find(name, *more))
    return program


@pytest.mark.parametrize("visible, names", [
    (None, ["GPU-aa", "GPU-bb"]), ("1", ["GPU-bb"]), ("GPU-bb,0", ["GPU-bb", "GPU-aa"]), ("0,7,1", ["GPU-aa"]),
    ("", []), ("-1", []),
])  # fmt: skip
def test_what_the_driver_shows(
    driver: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = find_gpus()
    assert [gpu.name for gpu in found] == names
    assert all(gpu.bytes == {"GPU-aa": 80, "GPU-bb": 40}[gpu.name] * GIB for gpu in found)


@pytest.mark.parametrize("says", ["exit 9", "echo 'no such option'", "echo '0, GPU-aa, [N/A]'"])
def test_a_driver_that_says_nothing(driver: Path, says: str) -> None:
    driver.write_text(f"#!/bin/sh\n{says}\n")
    assert find_gpus() == ()


def test_without_cupy(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    assert find_gpus() == ()


def test_room() -> None:
    gpu = Gpu("a", 10 * GIB)
    assert bytes_of(item(4)) == pytest.approx(4 * GIB, rel=1e-3)
    assert has_room(gpu, 2, [], item(50))  # alone
    assert has_room(gpu, 2, [item(4)], item(3.9)) and not has_room(gpu, 2, [item(4)], item(4.1))
    assert not has_room(gpu, 2 + int(GIB / CONTEXT_BYTES), [item(4)], item(3.9))
    assert has_room(gpu, 2, [item(50, device="cpu")], item(50))
    assert wants_gpu(item(1, device="cuda")) and not wants_gpu(item(1, device="cpu"))


def test_what_has_no_room_waits_and_smaller_ones_pass() -> None:
    a, b = Gpu("a", 10 * GIB), Gpu("b", 10 * GIB)
    workers = [crew.Worker(None, None, 1, gpu=gpu) for gpu in (a, b, a, b)]  # type: ignore[arg-type]
    waiting = deque([item(7, "x"), item(6, "y"), item(5, "z"), item(1, "s")])

    def begin() -> str | None:
        found = crew._match(workers, waiting)
        if found is None:
            return None
        worker, number = found
        worker.item = waiting[number]
        del waiting[number]
        return f"{worker.item.output} on {worker.gpu.name}"  # type: ignore[union-attr]

    assert [begin() for _ in range(4)] == ["x on a", "y on b", "s on a", None]
    workers[1].item = None
    assert begin() == "z on b"
    waiting.append(item(99, "c", "cpu"))
    assert begin() == "c on b"  # needs none


def serve_and_tell(connection: Connection, out: Path, force: bool, threads: int, gpu: str | None = None) -> None:
    """A worker that leaves a note on what it may see, as soon as it works."""

    class Telling:
        send = connection.send

        def recv(self) -> tuple[str, Any] | None:
            message = connection.recv()
            if message and message[0] == "item":
                (out / f"{os.getpid()}.txt").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
            return message

    serve(Telling(), out, force, threads, *(() if gpu is None else (gpu,)))  # type: ignore[arg-type]


def test_every_process_sees_its_own_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, out = make_library(tmp_path / "library"), tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(crew, "serve", serve_and_tell)
    items = plan(library, out, options=structs.replace(QUICK, device="auto")).items
    gpus = (Gpu("GPU-aa", GIB), Gpu("GPU-bb", GIB))
    done = [event for event in crew.work_through(items, out, jobs=2, cores=2, force=False, gpus=gpus)
            if event.event == "done"]  # fmt: skip
    assert len(done) == 3  # on the CPU, as CuPy finds none
    assert {path.read_text() for path in out.glob("*.txt")} == {"GPU-aa", "GPU-bb"}
