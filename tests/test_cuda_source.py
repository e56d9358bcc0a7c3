"""The text that CUDA compilers get, the constants in it, and the host that stands in for a GPU in tests."""

import math
import re
from pathlib import Path

import cuda_host_cases as cases
import numpy as np
import pytest
from cuda_host import HostDevice, HostError, run_sanitized

from gstex import constants, resources
from gstex.cuda import kernel_source
from gstex.cuda import source as cuda_source
from gstex.format import layout
from gstex.resources import source_path

GLSL = source_path("shaders/gstex.glsl").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder in place of cuda/."""
    monkeypatch.setattr(cuda_source, "source_path", lambda name: tmp_path / name.removeprefix("cuda/"))
    return tmp_path


def test_headers_are_spliced_once_and_lines_keep_their_numbers(folder: Path) -> None:
    (folder / "a.cuh").write_text("int a;\n")
    (folder / "b.cuh").write_text('#include "a.cuh"\nint b;\n')
    (folder / "k.cu").write_text('// k\n#include "b.cuh" // why\n#include "a.cuh"\nint k;\n')
    text = kernel_source("k.cu")
    assert "#include" not in text
    assert text.count("int a;") == 1
    lines = text.splitlines()
    assert lines[lines.index("int k;") - 1] == '#line 4 "k.cu"'
    assert lines[lines.index("int b;") - 1] == '#line 2 "b.cuh"'
    assert lines.index("int a;") < lines.index("int b;") < lines.index("int k;")


def test_an_edit_of_a_header_and_a_define_change_the_text(folder: Path) -> None:
    (folder / "a.cuh").write_text("int a;\n")
    (folder / "k.cu").write_text('#include "a.cuh"\n')
    before = kernel_source("k.cu")
    assert kernel_source("k.cu", {"CHANNELS": 3}) == before.replace("\n#line", "\n#define CHANNELS 3\n#line", 1)
    (folder / "a.cuh").write_text("int b;\n")
    assert kernel_source("k.cu") != before


def test_a_header_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "k.cu").write_text('#include "missing.cuh"\n')
    with pytest.raises(FileNotFoundError, match=r"missing\.cuh"):
        kernel_source("k.cu")


def test_sources_of_an_installed_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "_cuda"
    installed.mkdir()
    (installed / "k.cu").write_text("int installed;\n")
    monkeypatch.setattr(resources, "PACKAGE", tmp_path)
    assert "int installed;" in kernel_source("k.cu")


def test_constants_are_written_exactly() -> None:
    defined = dict(re.findall(r"#define GSTEX_(\w+) (\S+)", kernel_source("check.cu")))
    for name, value in constants.shared_constants().items():
        if isinstance(value, int):
            assert int(defined[name]) == value
        else:
            assert defined[name].endswith("f"), name
            assert np.float32(defined[name][:-1]) == np.float32(value), name


def test_constants_are_those_of_the_format() -> None:
    assert math.exp(-20) == constants.BACKGROUND_WEIGHT
    assert math.tan(math.pi / 8) == constants.TAN_22_5
    document = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
    for words in (f"tan(pi / {round(math.pi / math.atan(constants.TAN_22_5))})",
                  f"e^{round(math.log(constants.BACKGROUND_WEIGHT))} background",
                  f"add up to at most {layout.MAX_CANDIDATES}",
                  f"1 to {layout.MAX_GROUPS} *groups*",
                  f"or {layout.CONSTANT_GROUP}: the channel is constant",
                  f"units of 1/{round(1 / layout.BEND_UNIT)}, low",
                  f"At most {layout.MAX_PALETTES} palettes",
                  f"f = clamp({constants.FADE_SLOPE:g} (1.5",
                  f"1, {constants.MAX_TAPS})",
                  f"- 1/{round(1 / constants.TAP_SLACK)}"):  # fmt: skip
        assert words in document, words


def glsl_number(pattern: str) -> float:
    """The one number of the shader that the group of a pattern finds, the same in all places."""
    found = set(re.findall(pattern, GLSL))
    assert len(found) == 1, (pattern, found)
    return float(found.pop())


@pytest.mark.parametrize(
    ("name", "tolerance"), [("BACKGROUND_WEIGHT", 0), ("TAN_22_5", 0), ("LOG2E", 0), ("NEGLIGIBLE_WEIGHT", 1e-3)]
)
def test_the_shader_has_the_same_curves(name: str, tolerance: float) -> None:
    """What looks like a constant in the shader is that constant, to the last digit of float32."""
    value = np.float32(getattr(constants, name))
    literals = [np.float32(text) for text in re.findall(r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?", GLSL)]
    near = [literal for literal in literals if abs(literal / value - 1) < 0.01]
    assert near and all(abs(literal - value) <= tolerance * value for literal in near)


def test_the_shader_has_the_same_limits() -> None:
    assert glsl_number(r"candidates_max = .*, (\d+)u\)") == layout.MAX_CANDIDATES
    assert glsl_number(r"gstex_fade_slope = ([\d.]+)") == constants.FADE_SLOPE
    assert glsl_number(r"#define GSTEX_MAX_K (\d+)") == layout.MAX_TOP_K
    assert glsl_number(r"mip\.levels = min\(mip\.levels, (\d+)\)") == layout.MAX_LEVELS
    assert glsl_number(r"\+ (\d+) \* number;") == layout.LEVEL_ENTRY_WORDS
    assert glsl_number(r"return base \+ (\d+) \+ channel;") == layout.HEADER_FIXED_WORDS
    assert layout.CHANNEL_ENTRY_WORDS == 1  # so nothing is multiplied there
    assert glsl_number(r"= head \+ (\d+) \+ ") == layout.GROUP_FIXED_WORDS
    assert glsl_number(r"m\.groups = min\(.*, (\d+)\);") == layout.MAX_GROUPS
    assert 1 / glsl_number(r">> 22\) / ([\d.]+);") == layout.BEND_UNIT
    assert glsl_number(r"1\.0 / 64\.0\), 1\.0, ([\d.]+)\)") == constants.MAX_TAPS
    assert 1 / glsl_number(r"- 1\.0 / ([\d.]+)\), 1\.0") == constants.TAP_SLACK
    assert 1 << int(glsl_number(r"gstex_bits\(kind, (\d+), 1\) == 1, block")) == layout.RAW_BIT
    assert 1 << int(glsl_number(r"gstex_bits\(kind, (\d+), 1\) == 1\) \{ // shared")) == layout.SHARED_BIT


# ---- The host in place of a GPU -------------------------------------------------------------------------------------


def test_the_kernel_of_the_first_check() -> None:
    numbers, out = np.arange(64, dtype=np.int32), np.zeros(64, np.int32)
    HostDevice().kernel("check.cu", "check")((2,), (32,), numbers, out, np.int32(50))
    assert (out == np.where(numbers < 50, 3 * numbers + 1, 0)).all()


@pytest.mark.parametrize("order", [0, 1, 5])
def test_the_host_runs_barriers_shared_memory_and_shuffles(order: int) -> None:
    expected, found = cases.sums(HostDevice(order=order))
    np.testing.assert_array_equal(found, expected)


def test_the_host_s_warp_functions() -> None:
    out = np.zeros((64, 6), np.uint32)
    HostDevice().kernel_of_text(cases.SOURCE, "lanes")((1,), (64,), out)
    lane = np.arange(64) % 32
    votes = sum(1 << n for n in range(32) if n % 3 == 0)
    np.testing.assert_array_equal(out[:, 0], np.where(lane < 16, votes & 0xFFFF, votes & 0xFFFF0000))
    np.testing.assert_array_equal(out[:, 1], np.where(lane + 5 > 31, lane, lane + 5))
    np.testing.assert_array_equal(out[:, 2], np.where(lane < 5, lane, lane - 5))
    np.testing.assert_array_equal(out[:, 3], lane // 8 * 8 + 3)
    np.testing.assert_array_equal(out[:, 4], lane ^ 9)
    np.testing.assert_array_equal(out[:, 5], 2)


def test_a_missing_barrier_shows_in_one_of_the_orders() -> None:
    results = []
    for order in (0, 1):
        out = np.zeros(64, np.int32)
        HostDevice(order=order).kernel_of_text(cases.SOURCE, "no_barrier")((1,), (64,), out)
        results.append(out)
    assert (results[0] != results[1]).any()


@pytest.mark.parametrize(
    ("name", "threads", "message"),
    [
        ("ended_lane", 32, "waits for a thread that has ended"),
        ("two_barriers", 64, "wait for each other for ever"),
        ("not_in_mask", 16, "leaves out the thread that calls it"),
    ],
)
def test_the_host_refuses_what_cuda_leaves_undefined(name: str, threads: int, message: str) -> None:
    with pytest.raises(HostError, match=message):
        HostDevice().kernel_of_text(cases.SOURCE, name)((1,), (threads,), np.zeros(1, np.int32))


def test_the_host_refuses_other_arguments_than_the_kernel_s() -> None:
    kernel = HostDevice().kernel("check.cu", "check")
    numbers = np.zeros(8, np.int32)
    with pytest.raises(HostError, match=r"arguments of \[8, 8, 8\] bytes, expected \[8, 8, 4\]"):
        kernel((1,), (8,), numbers, numbers, np.int64(8))
    with pytest.raises(AssertionError, match="argument 2: int, expected a NumPy scalar or a contiguous array"):
        kernel((1,), (8,), numbers, numbers, 8)
    with pytest.raises(AssertionError, match="argument 0"):
        kernel((1,), (4,), numbers[::2], numbers, np.int32(4))


def test_sound_kernels_pass_the_sanitizers() -> None:
    run_sanitized("cuda_host_cases", "sound")


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("beyond", "heap-buffer-overflow"),
        ("beyond_shared", "heap-buffer-overflow"),
        ("overflow", "signed integer overflow"),
        ("shift", "shift exponent"),
    ],
)
def test_the_sanitizers_find(name: str, finding: str) -> None:
    with pytest.raises(AssertionError, match=finding):
        run_sanitized("cuda_host_cases", "wrong", name)


def test_the_readme_names_every_file_of_the_folder() -> None:
    folder = source_path("cuda/README.md").parent
    named = re.findall(r"^\| `([\w./]+)` \|", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.cu*"))
