"""gstex.h as engines get it: compiled alone by every compiler that is there, under sanitizers, against the package."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from format_specs import SPECS, built
from make_golden import GOLDEN, golden_file

import gstex
from gstex import decode
from gstex import format as fmt
from gstex.native import set_thread_count, thread_count

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import write_headers  # noqa: E402

HEADER = ROOT / "gstex" / "native" / "gstex.h"
DRIVER = ROOT / "tests" / "native" / "decoder_driver.c"
FILES = [golden_file(name) for name in GOLDEN]
# Not fused and not reordered, so that the bits are those of the module.
EXACT = ("-ffp-contract=off",)
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wdouble-promotion",
            "-Wcast-align", "-Werror")  # fmt: skip
# Both ways to have it, in C and in C++.
DIALECTS = [
    ("gcc", "c99", False), ("gcc", "c99", True), ("gcc", "c17", True), ("g++", "c++11", False), ("g++", "c++17", True),
    ("clang", "c99", False), ("clang++", "c++17", False), ("clang++", "c++17", True),
]  # fmt: skip


def run(*command: str | Path) -> bytes:
    ran = subprocess.run(list(map(str, command)), capture_output=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-2000:]!r}\n{ran.stderr.decode(errors='replace')[-4000:]}"
    return ran.stdout


def compiler(name: str) -> str:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


def build(output: Path, source: Path, *options: str, cc: str = "gcc") -> Path:
    run(compiler(cc), *options, f"-I{HEADER.parent}", source, "-o", output, "-lm")
    return output


# ---- The header by itself


@pytest.mark.parametrize(("cc", "standard", "static"), DIALECTS)
def test_every_compiler_takes_it_without_a_warning(cc: str, standard: str, static: bool, tmp_path: Path) -> None:
    """Declarations twice, then the implementation; a second source file sees declarations alone."""
    suffix = ".c" if standard.startswith("c") and "+" not in standard else ".cpp"
    define = "#define GSTEX_STATIC\n" if static else ""
    body = "int main(void) { static gstex_error error; return (int)gstex_error_text(&error, 0, 0) - 8; }\n"
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    headers = "".join(f'#include "{name}.h"\n' for name in ("gstex", "gstex_blocks", "gstex_expand"))
    one.write_text(f"{define}{headers}#define GSTEX_IMPLEMENTATION\n{headers}{headers}{body}")
    two.write_text('#include "gstex_blocks.h"\n#include "gstex_expand.h"\nint other(const gstex_material *m);\n'
                   "int other(const gstex_material *m) { return m->width; }\n")  # fmt: skip
    warnings = (*WARNINGS, "-Wstrict-prototypes", "-Wmissing-prototypes") if suffix == ".c" else WARNINGS
    sources = [one] if static else [one, two]
    run(compiler(cc), f"-std={standard}", "-O2", *warnings, f"-I{HEADER.parent}", *sources, "-o", tmp_path / "a", "-lm")
    run(tmp_path / "a")


def test_it_needs_nothing_but_the_smallest_headers() -> None:
    code = re.sub(r"//.*", "", HEADER.read_text())
    assert sorted(re.findall(r"^#include <(\S+)>", code, re.MULTILINE)) == ["math.h", "stddef.h", "stdint.h"]
    called = set(re.findall(r"(?<![\w.>])([a-z][a-z0-9]*)\(", code))
    keywords = {"for", "if", "while", "switch", "return", "sizeof", "defined"}
    assert called - keywords == {"floor", "ceil", "sqrt", "sqrtf"}


# ---- What is written into it


def test_constants_and_formulas_are_those_of_their_owners() -> None:
    for path, text in write_headers.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run tools/write_headers.py"
    text, parts = HEADER.read_text(), write_headers.decoder_parts()
    changes = ("GSTEX_MAX_CELLS 8192", "GSTEX_MAX_CELLS 8193"), ("return f * f * ", "return f * ")
    for wrong in (text.replace(*change, 1) for change in changes):
        assert wrong != text and write_headers.header_with("gstex.h", wrong, parts) == text
    for name in ("exp2.h", "formulas.h"):
        first = (HEADER.parent / name).read_text().partition("\nGSTEX_FORMULA ")[2].partition("\n}\n")[0]
        assert first in text


# ---- Under sanitizers


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, which checks much by itself, with the sanitizers of GCC."""
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow"
    output = tmp_path_factory.mktemp("sanitized") / "driver"
    return build(output, DRIVER, "-std=c99", "-g", "-O0", sanitizers, "-fno-sanitize-recover=all")


def test_sound_files(sanitized: Path, tmp_path: Path) -> None:
    """Among them sections whose last fields stand right before the guard word, behind which nothing may be read."""
    files = [*FILES]
    for number, name in enumerate(SPECS):
        files.append(tmp_path / f"{number}.gstex")
        files[-1].write_bytes(built(name))
    assert run(sanitized, "files", *files).decode().split() == ["sound"] * len(files)


def test_every_prefix(sanitized: Path) -> None:
    """Without a tail and with one, which is sound as soon as all of it is there."""
    run(sanitized, "prefixes", *(golden_file(name) for name in ("constants", "clamp_k10", "repeat", "raw", "shared")))


def test_damage(sanitized: Path, tmp_path: Path) -> None:
    """Some damage leaves a sound file, or a sound tail of one that is not, because checksums, offsets and sums are put
    right after it."""
    files = [*FILES]
    for number, name in enumerate(name for name, spec in SPECS.items() if spec.tail and name not in GOLDEN):
        files.append(tmp_path / f"{number}.gstex")
        files[-1].write_bytes(built(name))
    assert len(files) == len(FILES) + 3
    sound, tails, count = map(int, run(sanitized, "damage", "1500", *files).decode().split())
    assert count > 1400 and count / 5 < sound < count / 1.5
    assert tails > count / 60


# ---- The same bits as the package


def numbers(count: int, state: int = 1) -> np.ndarray:
    """What the driver draws, in 0 .. 1."""
    found = []
    for _ in range(count):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        found.append(state / 2**32)
    return np.array(found)


@cache
def values_of_the_package(path: Path) -> np.ndarray:
    """All texels of a file, and values at the points that the driver draws; then those of its tail alone, if it has
    one. Not to be changed."""
    texture = gstex.load(path)
    header = texture.table.header
    values = values_of(texture)
    return np.concatenate(values + (values_of(gstex.load(path, mips="tail")) if header.tail < header.mip_count else []))


def values_of(texture: gstex.Texture) -> list[np.ndarray]:
    values = [texture.decode(mip).reshape(-1) for mip in range(texture.table.header.first_mip, texture.mip_count)]
    u, v, share = numbers(64 * 3).reshape(64, 3).T
    uv, lod = np.stack([u, v], axis=1) * 3 - 1, share * texture.mip_count
    duv = np.stack([uv[:, 0] / 9, uv[:, 1] / 50, uv[:, 1] / 200, lod / 99], axis=1).reshape(64, 2, 2)
    for i in range(64):
        filter = "bilinear" if i & 1 else "direct"
        values.append(texture.sample(uv[i : i + 1], lod[i], filter=filter)[0])
        values.append(texture.sample(uv[i : i + 1], duv=duv[i : i + 1], filter=filter)[0])
    return values


@pytest.mark.parametrize(
    ("cc", "options"),
    [("gcc", ("-std=c99", "-O0")), ("gcc", ("-std=c99", "-O3", "-march=native")), ("clang", ("-std=c99", "-O2")),
     ("g++", ("-std=c++17", "-O2", "-x", "c++"))],
)  # fmt: skip
def test_values_are_the_same_bits_with_every_compiler(cc: str, options: tuple[str, ...], tmp_path: Path) -> None:
    driver = build(tmp_path / "driver", DRIVER, *options, *EXACT, cc=cc)
    for path in FILES:
        found = np.frombuffer(run(driver, "values", path), np.float32)
        np.testing.assert_array_equal(found, values_of_the_package(path), err_msg=path.name)


def test_values_are_the_same_bits_on_64_bit_arm(tmp_path: Path) -> None:
    """In an emulator, without a warning; with all checks of the driver."""
    for name in ("aarch64-linux-gnu-gcc", "qemu-aarch64"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed (Debian: apt-get install g++-aarch64-linux-gnu qemu-user)")
    options = ("-std=c99", "-O2", "-static", *EXACT, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
    driver = build(tmp_path / "driver", DRIVER, *options, cc="aarch64-linux-gnu-gcc")
    for path in FILES:
        found = np.frombuffer(run("qemu-aarch64", driver, "values", path), np.float32)
        np.testing.assert_array_equal(found, values_of_the_package(path), err_msg=path.name)
    assert run("qemu-aarch64", driver, "files", *FILES).decode().split() == ["sound"] * len(FILES)


@pytest.mark.parametrize("name", GOLDEN)
def test_rectangles_are_parts_of_the_mip(name: str) -> None:
    table = fmt.validate(gstex.load(golden_file(name)).words)
    rng = np.random.default_rng(0)
    for mip in range(table.header.mip_count):
        whole, candidates = decode.decode_texels(table, mip), decode.count_candidates(table, mip)
        height, width, _ = whole.shape
        for _ in range(10):
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            w, h = int(rng.integers(1, width - x + 1)), int(rng.integers(1, height - y + 1))
            part = decode.decode_texels(table, mip, rectangle=(x, y, w, h))
            np.testing.assert_array_equal(part, whole[y : y + h, x : x + w])
        assert candidates.max() <= table.candidates_max
        with pytest.raises(ValueError, match="inside the mip"):
            decode.decode_texels(table, mip, rectangle=(width - 1, 0, 2, 1))


def test_threads_change_no_bit() -> None:
    texture = gstex.load(golden_file("palettes"))
    uv = np.random.default_rng(0).random((500, 2))
    before = thread_count()
    try:
        found = []
        for count in (1, 3):
            set_thread_count(count)
            found.append((texture.decode(), texture.sample(uv, 0.5)))
    finally:
        set_thread_count(before)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
