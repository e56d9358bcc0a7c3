"""The wheel: what is in it, and that it works alone, with nothing but its own dependencies."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from small_samples import SAMPLES, crop_sample

from gstex.cuda import kernel_source
from gstex.resources import source_path

ROOT = SAMPLES.parent
BUILT_FROM = ("gstex", "cuda", "shaders", "pyproject.toml", "README.md", "LICENSE")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout and return its stdout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because setuptools leaves its own files beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        source, target = ROOT / name, folder / "checkout" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    pip_wheel = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder)
    run(*pip_wheel, folder / "checkout", cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def empty_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a fresh environment in which the wheel alone has been installed."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=folder)
    return programs


def test_wheel_holds_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{'gstex/_' if folder != 'gstex' else ''}{path.relative_to(ROOT).as_posix()}"
        for folder in ("gstex", "cuda", "shaders")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected
    assert {"gstex/_cuda/README.md", "gstex/_shaders/README.md", "gstex/cli/app.py"} <= found
    assert {"gstex/_cuda/decode/mip.cu", "gstex/_cuda/decode/format.cuh", "gstex/_cuda/encode/blend.cu"} <= found


def test_extras_for_gpus_are_cupy_of_one_version_of_cuda_each(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    wanted = re.findall(r"^Requires-Dist: (.+); .*extra == \"(cuda\w*)\"", archive.read(name).decode(), re.MULTILINE)
    assert sorted((extra, requirement) for requirement, extra in wanted) == [
        ("cuda", "cuda-toolkit[cudart,nvrtc]==12.*"), ("cuda", "cupy-cuda12x>=14"),
        ("cuda13", "cuda-toolkit[cudart,nvrtc]==13.*"), ("cuda13", "cupy-cuda13x>=14")]  # fmt: skip


def test_base_install_is_small(empty_venv: Path) -> None:
    listed = json.loads(run(empty_venv / "python", "-m", "pip", "list", "--format", "json", cwd=empty_venv))
    names = {row["name"].lower() for row in listed}
    assert {"gstex", "numpy", "openimageio", "click", "rich"} <= names
    assert not [n for n in names if n.startswith(("numba", "scipy", "torch", "cupy", "pyopengl", "nvidia", "pillow", "pytest"))]


def test_import_needs_no_gpu_stack(empty_venv: Path) -> None:
    """In the environment of the tests too, where torch could be imported."""
    code = ("import gstex, gstex.cli, sys; "
            "print([m for m in ('torch', 'cupy', 'OpenGL', 'glfw', 'moderngl', 'PIL') if m in sys.modules])")
    assert run(empty_venv / "python", "-c", code, cwd=empty_venv) == "[]\n"
    assert run(sys.executable, "-c", code, cwd=ROOT) == "[]\n"


def test_sources_are_found_in_the_checkout_and_in_the_wheel(empty_venv: Path) -> None:
    for name in ("cuda/README.md", "shaders/README.md"):
        assert source_path(name) == ROOT / name
        code = f"from gstex.resources import source_path; print(source_path({name!r}).read_text())"
        assert run(empty_venv / "python", "-c", code, cwd=empty_venv) == (ROOT / name).read_text() + "\n"
    code = "from gstex.cuda import kernel_source; print(kernel_source('decode/mip.cu'))"
    assert run(empty_venv / "python", "-c", code, cwd=empty_venv) == f"{kernel_source('decode/mip.cu')}\n"
    for name in ("cuda/missing.cu", "gstex/cells.py", "shaders"):
        with pytest.raises(FileNotFoundError, match=name):
            source_path(name)


def test_installed_command_compresses_and_decodes(empty_venv: Path, tmp_path: Path) -> None:
    steel = crop_sample("rusted_steel", tmp_path / "steel")
    command = empty_venv / "gstex"
    options = ("--effort", "fast", "--gaussians", "60", "--json")
    report = json.loads(run(command, "compress", steel, *options, cwd=tmp_path))
    assert report["gaussians"] == 60 and report["psnr"] > 20
    assert (tmp_path / "steel.gstex").stat().st_size == report["file_bytes"]
    run(command, "decode", "steel.gstex", "-o", "maps", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "maps")) == sorted(os.listdir(steel))
    assert re.search(r"^0 +40x40 +\d+ +gaussians +60 ", run(command, "info", "steel.gstex", cwd=tmp_path), re.M)
