"""What engines call of gstex.h: rectangles in their layouts, pools, uploads; and golden files as raw floats."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from format_builder import ChannelSpec, GroupSpec, MaterialSpec, RawMipSpec, build
from make_golden import GOLDEN, WRITTEN, golden_file
from test_decoder_c import EXACT, ROOT, WARNINGS, run
from test_decoder_c import build as compile_driver

import gstex
from gstex.format.layout import ROLE_CODES
from gstex.material import SourceMap
from gstex.material.images import from_unit

sys.path.insert(0, str(ROOT / "tools"))

import golden_raw

DRIVER = ROOT / "tests" / "native" / "engine_driver.c"
UNORM8, FLOAT16, FLOAT32 = range(3)
DTYPES = (np.uint8, np.float16, np.float32)
INVERTED, MISSING, ZERO, ONE, NORMAL_Z = 16, -1, -2, -3, -4


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("engine") / "driver"
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow"
    return compile_driver(output, DRIVER, "-std=c99", "-g", *EXACT, *WARNINGS, sanitizers, "-fno-sanitize-recover=all")


def rect(driver: Path, file: Path, mip: int, box: tuple[int, int, int, int], kind: int, sources: tuple[int, ...], *,
         units: bool = False, pitch: int | None = None) -> np.ndarray:  # fmt: skip
    """gstex_decode_rect of box (x, y, width, height) -> [height, width, len(sources)]; nothing else may be written."""
    dtype, (_, _, width, height) = np.dtype(DTYPES[kind]), box
    row = width * len(sources) * dtype.itemsize
    pitch = row if pitch is None else pitch
    out = run(driver, "rect", file, mip, *box, kind, int(units), pitch, *sources)
    rows = np.frombuffer(out, np.uint8).reshape(height, pitch)
    assert (rows[:, row:] == 0xEE).all()
    return np.ascontiguousarray(rows[:, :row]).view(dtype).reshape(height, width, len(sources))


def saved(tmp_path: Path, spec: MaterialSpec) -> tuple[Path, np.ndarray]:
    """A file, and its texels of mip 0 as the package decodes them."""
    path = tmp_path / "a.gstex"
    path.write_bytes(build(spec))
    return path, gstex.load(path).decode()


# ---- Golden files


def test_golden_files_as_raw_floats(driver: Path, tmp_path: Path) -> None:
    """A reader in C, which knows nothing of Python's files, gets the values of the golden files."""
    files = golden_raw.write_raw(tmp_path / "raw")
    assert [file.stem for file in files] == sorted([*GOLDEN, WRITTEN])
    for file in files:
        assert float(run(driver, "golden", file, file.with_suffix(".f32"))) <= 1e-5
    values = np.fromfile(files[0].with_suffix(".f32"), "<f4")
    (values + np.float32(2e-5)).tofile(tmp_path / "other.f32")
    values[:-1].tofile(tmp_path / "short.f32")
    for name in ("other", "short"):
        done = subprocess.run([driver, "golden", files[0], tmp_path / f"{name}.f32"], capture_output=True)
        assert done.returncode == 1, name


# ---- Rectangles


@pytest.mark.parametrize("name", ["groups", "clamp_k10", "shared"])
def test_bytes_are_those_of_maps_of_8_bits(name: str, driver: Path) -> None:
    """All texels of all mips, as gstex writes an RGBA file; a rectangle of them with rows of another length."""
    file, texture = golden_file(name), gstex.load(golden_file(name))
    source = SourceMap("a.png", 1, 1, 4, 8, False, "png")
    sources = tuple(c % texture.channels for c in (2, 0, 1, 3))
    for mip in range(texture.mip_count):
        expected = from_unit(texture.decode(mip)[:, :, sources], source)
        height, width = expected.shape[:2]
        np.testing.assert_array_equal(rect(driver, file, mip, (0, 0, width, height), UNORM8, sources), expected)
        x, y = width // 3, height // 2
        part = rect(driver, file, mip, (x, y, width - x, height - y), UNORM8, sources, pitch=4 * width + 3)
        np.testing.assert_array_equal(part, expected[y:, x:])


@pytest.mark.parametrize("name", ["repeat", "raw"])  # one repeats, the other is clamped
def test_pages_have_borders(name: str, driver: Path) -> None:
    """A rectangle goes on beyond the mip as the texture does."""
    texels = gstex.load(golden_file(name)).decode()
    height, width, _ = texels.shape
    box = (-3, -2 * height - 1, width + 20, 3 * height + 4)
    columns, rows = np.arange(box[0], box[0] + box[2]), np.arange(box[1], box[1] + box[3])
    if gstex.load(golden_file(name)).wrap == "repeat":
        expected = texels[rows % height][:, columns % width]
    else:
        expected = texels[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    np.testing.assert_array_equal(rect(driver, golden_file(name), 0, box, FLOAT32, (1, 0)), expected[:, :, [1, 0]])


def test_every_source_of_a_component(driver: Path, tmp_path: Path) -> None:
    size = 16
    codes = np.random.default_rng(1).integers(0, 256, (size * size, 3))
    codes[:2] = 0, 255, 255  # normals longer than 1
    height = ChannelSpec(8, scale=20.0, bias=-3.0)
    light = ChannelSpec(9, constant=0.25, scale=0.5, bias=1.0, curve=1, stops=8.0)
    channels = [ChannelSpec(4, 4), ChannelSpec(4, 5), height, ChannelSpec(7, constant=0.25), light]
    group = GroupSpec([0, 1, 2], [(0.0, 1 / 255, 8)] * 3, [RawMipSpec(codes.tolist())])
    path, texels = saved(tmp_path, MaterialSpec(size, size, channels, [group]))
    box, (x, y, height, ao, _) = (0, 0, size, size), np.moveaxis(texels, 2, 0)
    z = np.sqrt(np.maximum(1 - (2.0 * x - 1) ** 2 - (2.0 * y - 1) ** 2, 0)) / 2 + 0.5  # as the package restores it
    found = rect(driver, path, 0, box, FLOAT32, (0, 1, NORMAL_Z, MISSING))
    np.testing.assert_allclose(found, np.stack([x, y, z, np.ones_like(x)], 2), atol=1e-7)
    found = rect(driver, path, 0, box, UNORM8, (0, INVERTED + 1, NORMAL_Z))
    z = np.sqrt(np.maximum(1 - (2.0 * x - 1) ** 2 - (1 - 2.0 * y) ** 2, 0)) / 2 + 0.5
    np.testing.assert_array_equal(found, np.rint(np.stack([x, 1 - y, z], 2).astype(np.float64) * 255))
    found = rect(driver, path, 0, box, FLOAT32, (MISSING, ZERO, ONE, 3))
    np.testing.assert_array_equal(found, np.stack([0 * ao, 0 * ao, 0 * ao + 1, ao], 2))
    found = rect(driver, path, 0, box, FLOAT32, (2, 3, INVERTED + 2), units=True)
    np.testing.assert_allclose(found, np.stack([20 * height - 3, ao, 1 - height], 2), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rect(driver, path, 0, box, FLOAT32, (4,), units=True), 1 + 0.5 * 3, rtol=1e-6)
    found = rect(driver, path, 0, box, FLOAT16, (2, 0), units=True, pitch=70)
    np.testing.assert_array_equal(found, np.stack([np.float32(-3) + np.float32(20) * height, x], 2).astype(np.float16))


def test_halves_are_those_of_numpy(driver: Path, tmp_path: Path) -> None:
    """Random bits, all halves, and the places half way between two of them."""
    rng = np.random.default_rng(2)
    with np.errstate(all="ignore"):
        values = rng.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
        halves = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
        between = (halves[:-1] + halves[1:]) / 2
        near = np.concatenate([np.nextafter(between, np.float32(s * np.inf)) for s in (1, -1)])
        edges = np.array([65519.99, 65520, -65520, 1e-8, 2.9802322e-8], np.float32)
        values = np.concatenate([values, halves, between, near, edges])
        values.tofile(tmp_path / "values")
        found = np.frombuffer(run(driver, "halves", tmp_path / "values"), np.float16)
        expected = values.astype(np.float16)
    no_number = np.isnan(expected)
    assert (np.isnan(found) == no_number).all()
    np.testing.assert_array_equal(found[~no_number].view(np.uint16), expected[~no_number].view(np.uint16))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sources": (0, 99)}, "a channel beyond all"), ({"sources": (-5,)}, "a source without a meaning"),
        ({"sources": (12,)}, "a channel that is not there"), ({"sources": (INVERTED + 12,)}, "the same, inverted"),
        ({"sources": (0, NORMAL_Z)}, "Z without X and Y"), ({"sources": (0,) * 5}, "five components"),
        ({"sources": (0, 1, NORMAL_Z), "units": True}, "Z in other units"), ({"kind": 3}, "no format"),
        ({"kind": UNORM8, "units": True}, "bytes in units"), ({"pitch": 39}, "rows that overlap"),
        ({"pitch": 42}, "floats beside their places"), ({"box": (0, 0, -1, 1)}, "a negative size"),
    ],
    ids=lambda x: x.replace(" ", "-") if isinstance(x, str) else "",
)  # fmt: skip
def test_what_has_no_meaning_is_refused(change: dict, why: str, driver: Path) -> None:
    asked = {"box": (0, 0, 10, 1), "kind": FLOAT32, "sources": (0,), "units": False, "pitch": 80, **change}
    numbers = [0, *asked["box"], asked["kind"], int(asked["units"]), asked["pitch"], *asked["sources"]]
    command = [driver, "rect", golden_file("groups"), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "refused\n"), why


# ---- Pools


@pytest.mark.parametrize(
    ("base", "words", "width"),
    [(0, 64, 64), (0, 63, 64), (64, 640, 64), (10, 20, 64), (10, 54, 64), (10, 64, 64), (10, 300, 64), (7, 1, 1),
     (5, 9, 1), (2**31 - 64, 64, 4096), (4090, 12, 4096), (0, 0, 64), (3, 10, 0)],
)  # fmt: skip
def test_rectangles_of_an_upload_cover_the_run(base: int, words: int, width: int, driver: Path) -> None:
    """Each word once, in its place, by at most three rectangles."""
    found = [tuple(map(int, line.split())) for line in run(driver, "upload", base, words, width).decode().splitlines()]
    assert len(found) <= 3 and bool(found) == (words > 0 and width > 0)
    texels = [
        ((base + first + i) % width == x + i % across and (base + first + i) // width == y + i // across, first + i)
        for x, y, across, down, first in found
        for i in range(across * down)
    ]
    assert all(right for right, _ in texels)
    assert [word for _, word in texels] == list(range(words if width else 0))
    assert all(x == 0 for x, *_ in found[1:])


def test_a_pool_knows_what_the_shader_needs(driver: Path) -> None:
    names = ("groups", "clamp_k10", "constants", "shared", "palettes_and_codes")
    numbers, *bases = run(driver, "pool", *map(golden_file, names)).decode().splitlines()
    textures = [gstex.load(golden_file(name)) for name in names]
    sizes = [len(texture.words) for texture in textures]
    assert list(map(int, bases)) == [sum(sizes[:i]) for i in range(len(sizes))]
    resident = [texture.table.header.resident_words for texture in textures]
    assert list(map(int, numbers.split())) == [
        5, sum(sizes), sum(resident), -(-max(t.channels for t in textures) // 4),
        max(group.header.top_k for t in textures for group in t.table.groups), max(t.width for t in textures),
        max(t.height for t in textures), max(t.mip_count for t in textures),
        max(t.table.candidates_max for t in textures),
    ]  # fmt: skip
    assert int(numbers.split()[4]) == 10


def test_channels_are_found_by_role_and_component(driver: Path, tmp_path: Path) -> None:
    roles = {name: code for code, name in enumerate(ROLE_CODES)}
    file = golden_file("groups")  # albedo in 0, 2, 5; height of -0.5 .. 3.5 in 1; a normal in 3, 4
    cases = {("albedo", 0): 0, ("albedo", 1): 0, ("albedo", 2): 2, ("albedo", 3): 5, ("normal", 4): 3,
             ("normal", 5): 4, ("normal", 1): -1, ("gloss", 0): -1, ("opacity", 0): 9, ("emissive", 3): 8,
             ("metallic", 0): 6}  # fmt: skip
    for (role, component), channel in cases.items():
        assert int(run(driver, "find", file, roles[role], component).split()[0]) == channel, (role, component)
    assert run(driver, "find", file, roles["height"], 0).split() == [b"1", b"-0.5", b"3.5"]
