"""Compiled kernels: their names, the tool and the build that make them, and what is done where they are of no use."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from fake_cupy import CUDARuntimeError, FakeCupy
from strict_cupy import StrictCupy

from gstex.cuda import CupyDevice, kernel_source
from gstex.cuda import compiled as compiled_kernels
from gstex.cuda.compiled import compiled_name, compiled_path
from gstex.encode.ops.cuda.array_work import array_work
from gstex.encode.ops.cuda.sources import sources_of_fit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import compile_kernels  # noqa: E402

CHECK = kernel_source("check.cu")
NAME = compiled_name("check.cu", CHECK)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of compiled kernels."""
    monkeypatch.setattr(compiled_kernels, "_FOLDER", tmp_path)
    return tmp_path


def run_check(device: CupyDevice) -> None:
    numbers, out = np.arange(64, dtype=np.int32), np.zeros(64, np.int32)
    device.kernel("check.cu", "check")((2,), (32,), numbers, out, np.int32(64))
    np.testing.assert_array_equal(out, 3 * numbers + 1)


def codes_of(fatbin: bytes) -> set[tuple[str, int]]:
    """Kinds and architectures of what a fatbin holds."""
    magic, _, at, size = struct.unpack_from("<IHHQ", fatbin)
    assert magic == 0xBA55ED50 and at + size == len(fatbin)
    found = set()
    while at < len(fatbin):
        kind, _, header, size, architecture = struct.unpack_from("<HHIQ12xI", fatbin, at)
        found.add(({1: "PTX", 2: "SASS"}[kind], architecture))
        at += header + size
    return found


# ---- Names


def test_a_name_follows_the_text_and_the_options(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / NAME).touch()
    assert compiled_path("check.cu", CHECK) == folder / NAME
    assert NAME.startswith("check-") and compiled_name("check.cu", kernel_source("check.cu")) == NAME
    for text in (CHECK + " ", kernel_source("check.cu", {"CHANNELS": 3})):
        assert compiled_path("check.cu", text) is None
    added = [compiled_kernels.options_of(file)[1:] for file in ("check.cu", "expand/lists.cu")]
    assert added == [(), ("--fmad=false",)]
    assert compiled_name("a/lists.cu", CHECK) != compiled_name("expand/lists.cu", CHECK)
    monkeypatch.setattr(compiled_kernels, "OPTIONS", ("--std=c++17",))
    assert compiled_path("check.cu", CHECK) is None


# ---- Loading


@pytest.mark.parametrize("prepared", [False, True])
def test_a_compiled_kernel_is_loaded(prepared: bool, folder: Path) -> None:
    (folder / NAME).touch()
    cupy = FakeCupy()
    cupy.files[NAME] = CHECK
    device = CupyDevice(cupy)
    if prepared:
        device.prepare([("check.cu", {})])
    run_check(device)
    assert cupy.loaded == [NAME] and not cupy.compiled


def test_without_one_of_its_text_a_kernel_is_compiled(folder: Path) -> None:
    (folder / compiled_name("check.cu", CHECK + "// before an edit\n")).touch()
    cupy = FakeCupy()
    run_check(CupyDevice(cupy))
    assert not cupy.loaded and len(cupy.compiled) == 1


def test_a_kernel_that_cannot_be_loaded_is_compiled(folder: Path) -> None:
    (folder / NAME).touch()
    cupy = FakeCupy()
    cupy.load_error = CUDARuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution")
    run_check(CupyDevice(cupy))
    assert not cupy.loaded and len(cupy.compiled) == 1


def test_a_kernel_that_is_not_in_what_was_loaded_is_compiled(folder: Path) -> None:
    (folder / NAME).touch()
    cupy = FakeCupy()  # which knows no text of the file
    run_check(CupyDevice(cupy))
    assert cupy.loaded == [NAME] and len(cupy.compiled) == 1


# ---- What CuPy compiles


def test_work_with_arrays_is_done_once_beside_other_work() -> None:
    cupy = FakeCupy(graphs=True)
    device, names = CupyDevice(cupy), []
    go_on = threading.Event()

    def work() -> None:
        go_on.wait(10)
        names.append(threading.current_thread().name)

    def fail() -> None:
        raise CUDARuntimeError("out of memory")

    for _ in range(2):  # the second time there is nothing to do
        device.prepare([("check.cu", {})], [fail, work])
    run_check(device)
    assert not names
    threading.Timer(0.1, go_on.set).start()
    assert device.record(lambda: None) is not None  # which waits for it
    assert len(names) == 1 and names[0].startswith("gstex-compile")


@pytest.mark.parametrize("channels", [1, 16])
def test_work_with_arrays_is_what_cupy_takes(channels: int) -> None:
    for work in array_work(StrictCupy(), channels):
        work()


# ---- The tool


def test_all_that_a_fit_needs_first_is_compiled() -> None:
    wanted = compile_kernels.sources()
    assert ("check.cu", {}) in wanted
    for channels in compile_kernels.CHANNELS:
        for loss in ("l2", "perceptual"):
            assert all(one in wanted for one in sources_of_fit(channels, loss))
    names = [compiled_name(file, kernel_source(file, defines)) for file, defines in wanted]
    assert len(set(names)) == len(names) == 8 + 10 * len(compile_kernels.CHANNELS)


@pytest.mark.skipif(compile_kernels.find_nvcc() is None, reason="no nvcc on the path, which makes fatbins")
def test_nvcc_makes_a_fatbin(tmp_path: Path) -> None:
    nvcc = compile_kernels.find_nvcc()
    assert nvcc is not None
    compile_kernels.compile_fatbin(CHECK, tmp_path / NAME, nvcc, (75, 120))
    assert [file.name for file in tmp_path.iterdir()] == [NAME]
    assert codes_of((tmp_path / NAME).read_bytes()) == {("PTX", 75), ("SASS", 75), ("SASS", 120)}
    with pytest.raises(compile_kernels.KernelError, match=r"fails for x\.fatbin \(.*missing"):
        compile_kernels.compile_fatbin("__device__ int a = missing;", tmp_path / "x.fatbin", nvcc, (75,))


def test_only_missing_ones_are_compiled_and_old_ones_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(compile_kernels, "compile_fatbin", lambda text, path, nvcc: made.append(path.name))
    monkeypatch.setenv("CUDACXX", sys.executable)  # stands for an nvcc
    others = [tmp_path / "check-0.fatbin", tmp_path / "notes.txt"]
    for file in (*others, tmp_path / NAME):
        file.touch()
    wanted = [("check.cu", {}), ("check.cu", {"CHANNELS": 3})]
    assert compile_kernels.compile_kernels(tmp_path, wanted, 1) == 1
    assert made == [compiled_name("check.cu", kernel_source("check.cu", {"CHANNELS": 3}))]
    assert [file.exists() for file in others] == [False, True]
    monkeypatch.setenv("CUDACXX", "no-such-compiler")
    with pytest.raises(compile_kernels.KernelError, match="no nvcc found, and 1 of 2 kernels are not compiled"):
        compile_kernels.compile_kernels(tmp_path, wanted)


# ---- The switch of the build; test_packaging.py builds a wheel with it


@pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake on the path")
@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ("", ""),
        ("AUTO", "gstex: no nvcc found, and"),
        ("ON", "gstex: no nvcc found, and"),
        ("YES", "gstex: GSTEX_CUDA_KERNELS is YES, expected OFF, ON or AUTO"),
    ],
)
def test_a_build_where_there_is_no_compiler(switch: str, message: str, tmp_path: Path) -> None:
    """A build has no kernels, and fails only if it is told to have them."""
    folder = tmp_path / "kernels"
    lines = ["cmake_minimum_required(VERSION 3.18)", "project(kernels LANGUAGES NONE)",
             f'include("{(ROOT / "gstex" / "native" / "kernels.cmake").as_posix()}")']  # fmt: skip
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines) + "\n")
    options = [f"-DGSTEX_CUDA_KERNELS={switch}"] if switch else []
    steps = [
        ["-S", tmp_path, "-B", tmp_path / "build", f"-DPython_EXECUTABLE={sys.executable}", *options,
         f"-DGSTEX_KERNELS_FOLDER={folder}"],
        ["--build", tmp_path / "build"],
        ["--install", tmp_path / "build", "--prefix", tmp_path / "installed"],
    ]  # fmt: skip
    said, failed = "", False
    for step in steps:
        command = ["cmake", *map(str, step)]
        environment = {**os.environ, "CUDACXX": "no-such-compiler"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        said += done.stdout + done.stderr
        if failed := done.returncode != 0:
            break
    assert failed == (switch in ("ON", "YES")), said
    assert message in " ".join(said.split()) and ("no nvcc" in said) == (switch in ("AUTO", "ON"))
    assert not list((tmp_path / "installed").rglob("*.fatbin"))
