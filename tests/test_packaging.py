"""The wheel: what is in it, and that it works alone, with nothing but its own dependencies."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from small_samples import SAMPLES, crop_sample

from gstex.cuda import kernel_source
from gstex.cuda.compiled import compiled_name
from gstex.resources import source_path

ROOT = SAMPLES.parent
sys.path.insert(0, str(ROOT / "tools"))

import compile_kernels  # noqa: E402

BUILT_FROM = ("gstex", "cuda", "shaders", "tests", "tools", "pyproject.toml", "README.md", "LICENSE")
# Of the sources of the core, what others compile: an engine, and the kernels of a GPU.
HEADERS = {"gstex/native/constants.h", "gstex/native/exp2.h", "gstex/native/formulas.h", "gstex/native/gstex.h",
           "gstex/native/gstex_blocks.h", "gstex/native/gstex_expand.h"}  # fmt: skip


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command away from the checkout and return its stdout. variables: of the environment."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | variables
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


KERNELS = {compiled_name(file, kernel_source(file, defines)) for file, defines in compile_kernels.sources()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is built from it, with what stands for compiled kernels."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "kernels").mkdir()
    for name in (*KERNELS, "check-of-an-older-text.fatbin"):
        (folder / "kernels" / name).touch()
    for name in BUILT_FROM:
        source, target = ROOT / name, folder / "checkout" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    run(sys.executable, "-m", "build", "--outdir", folder, folder / "checkout",
        f"-Ccmake.define.GSTEX_KERNELS_FOLDER={folder / 'kernels'}", cwd=folder, GSTEX_CUDA_KERNELS="ON")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def empty_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a fresh environment in which the wheel alone has been installed."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=folder)
    return programs


def test_wheel_holds_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    paths = [path.relative_to(ROOT) for folder in ("gstex", "cuda", "shaders") for path in (ROOT / folder).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts]  # fmt: skip
    sources = {path.as_posix() for path in paths if path.parts[:2] == ("gstex", "native") and path.suffix != ".py"}
    assert sources >= HEADERS
    expected = {f"{'' if path.parts[0] == 'gstex' else 'gstex/_'}{path.as_posix()}" for path in paths} - sources
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    [core] = [name for name in found if re.fullmatch(r"gstex/native/_core\..*(so|pyd)", name)]
    assert found == expected | HEADERS | {core} | {f"gstex/_kernels/{name}" for name in KERNELS}
    assert {"gstex/_cuda/README.md", "gstex/_shaders/README.md", "gstex/cli/app.py"} <= found
    assert {f"gstex/_shaders/gstex.{language}" for language in ("glsl", "hlsl", "metal", "wgsl")} <= found
    assert {"gstex/_cuda/decode/mip.cu", "gstex/_cuda/decode/format.cuh", "gstex/_cuda/encode/blend.cu"} <= found


def test_sdist_holds_what_the_wheel_is_built_from_and_tested_with(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "gstex/native/CMakeLists.txt", "gstex/native/ops/blend.cpp",
            "cuda/encode/blend.cu", "shaders/gstex.glsl", "tests/test_packaging.py"} <= found  # fmt: skip
    assert not [name for name in found if Path(name).suffix in (".so", ".pyd", ".pyc")]


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
    assert {"gstex", "numpy", "openimageio", "click", "msgspec", "platformdirs", "rich"} <= names
    extras = ("numba", "scipy", "torch", "cupy", "pyopengl", "nvidia", "pillow", "pytest")
    assert not [n for n in names if n.startswith(extras)]


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
    code = ("from gstex.cuda import kernel_source; from gstex.cuda.compiled import compiled_path; "
            "print(compiled_path('check.cu', kernel_source('check.cu')).parent.name)")
    assert run(empty_venv / "python", "-c", code, cwd=empty_venv) == "_kernels\n"
    for name in ("cuda/missing.cu", "gstex/encode/cell_pyramid.py", "shaders"):
        with pytest.raises(FileNotFoundError, match=name):
            source_path(name)


def test_installed_command_compresses_and_decodes_without_a_compiler(empty_venv: Path, tmp_path: Path) -> None:
    steel = crop_sample("rusted_steel", tmp_path / "steel")
    programs = {"PATH": str(empty_venv)}
    assert not [name for name in ("c++", "g++", "gcc", "cc", "clang") if shutil.which(name, path=programs["PATH"])]

    def gstex(*arguments: str | Path) -> str:
        return run(empty_venv / "gstex", *arguments, cwd=tmp_path, **programs)

    report = json.loads(gstex("compress", steel, "--effort", "fast", "--gaussians", "60", "--json"))
    assert report["gaussians"] == 60 and report["psnr"] > 20
    assert (tmp_path / "steel.gstex").stat().st_size == report["file_bytes"]
    gstex("decode", "steel.gstex", "-o", "maps")
    assert sorted(os.listdir(tmp_path / "maps")) == sorted(os.listdir(steel))
    assert re.search(r"^0 +40x40 +\d+ +gaussians +60 ", gstex("info", "steel.gstex"), re.M)


def test_without_a_compiler_one_line_says_what_to_install(built: Path, tmp_path: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    command = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", sdist)
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())  # without the line breaks of CMake
    assert "gstex: no C++ compiler found. Install one (Debian, Ubuntu: apt-get install g++;" in said


def test_demo_of_a_checkout(built: Path, empty_venv: Path) -> None:
    """In which Python finds the sources before what is installed; they take the installed core."""
    checkout = built / "checkout"
    (checkout / "tools").mkdir(exist_ok=True)
    for name in ("demo.py", "demo_page.py", "demo.html", "demo.css"):
        shutil.copy(ROOT / "tools" / name, checkout / "tools")
    steel = crop_sample("rusted_steel", checkout / "steel")
    said = run(empty_venv / "python", "tools/demo.py", steel.name, cwd=checkout)
    page = checkout / "out" / "demo.html"
    assert said.splitlines()[-1] == f"Maps, bytes and what to type next, in a browser: {page}"
    text = page.read_text()
    assert "BC7 + BC5" in text and ".[compare]" in text and text.count("data:image/png;base64,") == 3
    script = "import gstex.native; print(gstex.__file__, gstex.native.instruction_sets())"
    assert run(empty_venv / "python", "-c", script, cwd=checkout).startswith(str(checkout / "gstex"))


def test_sources_that_are_not_installed_say_what_to_do(built: Path) -> None:
    script = "try:\n    import gstex.native\nexcept ImportError as error:\n    print(error)"
    said = run(sys.executable, "-S", "-c", script, cwd=built / "checkout")
    assert "holds the sources of gstex, and gstex 0.1.0 is not installed; `pip install .` in the checkout" in said
