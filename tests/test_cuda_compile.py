"""Every source of cuda/ compiles for the oldest GPU that gstex supports and for a new one. Needs a compiler, no GPU."""

import re
import shutil
from pathlib import Path

import pytest
from cuda_compilers import CompileError, find_compiler, kernel_usage

from gstex.cuda import kernel_source
from gstex.resources import source_path

COMPILER = find_compiler()
FOLDER = source_path("cuda/check.cu").parent
SOURCES = sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.cu"))
# Of the decoder, what its defaults are not.
VARIANTS = [
    *[("decode/mip.cu", {"MEMBERS": members}) for members in (1, 4, 16)],
    *[("decode/fetch.cu", {"MEMBERS": members, "TOP_K": 0}) for members in (1, 16)],
    *[("transcode/rectangle.cu", {"MEMBERS": members, "TOP_K": 0}) for members in (1, 16)],
    ("decode/sample.cu", {"MEMBERS": 1, "TOP_K": 1, "MODE": 2}),
    ("decode/sample.cu", {"MEMBERS": 4, "TOP_K": 0, "MODE": 1}),
    ("decode/sample.cu", {"MEMBERS": 16, "TOP_K": 0, "MODE": 0}),
]

pytestmark = pytest.mark.skipif(
    COMPILER is None, reason="no nvcc on the path and no wheel of NVRTC: pip install nvidia-cuda-nvrtc-cu12"
)


def compile_source(source: str, arch: str, folder: Path) -> str:
    assert COMPILER is not None
    return COMPILER[1](source, arch, folder)


@pytest.mark.parametrize("file", SOURCES)
def test_a_source_compiles_without_a_warning(file: str, tmp_path: Path) -> None:
    compile_source(kernel_source(file), "sm_75", tmp_path)


def test_no_source_asks_for_the_kind_of_gpu() -> None:
    """But the header that all include: so a new GPU takes what the oldest does, and few need to be compiled for it."""
    asking = [p.name for p in FOLDER.rglob("*.cu*") if re.search(r"__CUDA_ARCH__|\basm\b", p.read_text())]
    assert asking == ["gstex.cuh"]


@pytest.mark.parametrize(
    "file", ["decode/mip.cu", "decode/sample.cu", "encode/blend.cu", "encode/sums.cu", "transcode/blocks.cu"]
)
def test_a_new_gpu_takes_it_too(file: str, tmp_path: Path) -> None:
    compile_source(kernel_source(file), "sm_90", tmp_path)


@pytest.mark.parametrize(("file", "defines"), VARIANTS)
def test_variants_of_the_decoder_compile_for_the_oldest_gpu(file: str, defines: dict, tmp_path: Path) -> None:
    compile_source(kernel_source(file, defines), "sm_75", tmp_path)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="only the ptxas of nvcc says what a kernel takes")
@pytest.mark.parametrize("file", ["decode/mip.cu", "decode/fetch.cu"])
def test_sums_stay_in_registers(file: str, tmp_path: Path) -> None:
    """An index that the compiler does not know puts the sums of 16 channels into memory: 64 bytes and more."""
    for name, usage in kernel_usage(kernel_source(file, {"MEMBERS": 16, "TOP_K": 0}), "sm_90", tmp_path).items():
        assert usage.stack < 64 and usage.spills < 64, (name, vars(usage))
        assert usage.shared <= 48 << 10, (name, vars(usage))


def test_a_mistake_is_found_and_its_line_named(tmp_path: Path) -> None:
    source = kernel_source("check.cu") + "__device__ int broken() { return missing; }\n"
    line = len((FOLDER / "check.cu").read_text().splitlines()) + 1
    with pytest.raises(CompileError, match=rf"check\.cu\({line}\): error.*missing"):
        compile_source(source, "sm_75", tmp_path)
