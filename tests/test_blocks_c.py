"""gstex_blocks.h: the same blocks and the same plan of maps as from the shaders, the kernels and gstex.blocks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from bc_blocks import FORMATS, encode_by_cuda
from format_builder import ChannelSpec, GroupSpec, MaterialSpec, RawMipSpec, build
from make_golden import GOLDEN, golden_file
from test_blocks import texels_for
from test_decoder_c import EXACT, ROOT, WARNINGS, run
from test_decoder_c import build as compile_driver

import gstex
from gstex.blocks import BlockMap, plan_maps
from gstex.format.layout import COMPONENTS, ROLE_CODES

DRIVER = ROOT / "tests" / "native" / "blocks_driver.c"
PACKS = ("none", "bc7", "bc1")
ZERO, ONE = 256, 256 + 255


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("blocks") / "driver"
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow"
    return compile_driver(output, DRIVER, "-std=c99", "-g", *EXACT, *WARNINGS, sanitizers, "-fno-sanitize-recover=all")


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_are_those_of_the_kernels(name: str, driver: Path, tmp_path: Path) -> None:
    texels_for(name).tofile(tmp_path / "texels")
    code, words, _ = FORMATS[name]
    found = np.frombuffer(run(driver, "block", code, tmp_path / "texels"), "<u4").reshape(-1, words)
    np.testing.assert_array_equal(found, encode_by_cuda(texels_for(name), name))


# ---- Which maps -----------------------------------------------------------------------------------------------------


def planned(driver: Path, file: Path, packed: str, normal_y: str) -> list[list[int]]:
    lines = run(driver, "plan", file, PACKS.index(packed), int(normal_y == "down")).decode().splitlines()
    return [[int(word) for word in line.split()] for line in lines]


def expected(file: Path, packed: str, normal_y: str) -> list[list[int]]:
    """What `plan_maps` gives, as the driver prints it."""
    entries, rows = gstex.load(file).table.header.channels, []
    for a_map in plan_maps(entries, packed=packed, normal_y=normal_y):
        role, component = {"albedo": "albedo", "orm": "ao"}.get(a_map.name, ""), "v"
        if not role:
            role = entries[a_map.sources[0]].role
        if a_map.format == "bc4":
            component = entries[a_map.sources[0]].component
        rows.append([a_map.code, *a_map.sources, ROLE_CODES.index(role), COMPONENTS.index(component),
                     a_map.name == "orm", a_map.srgb])  # fmt: skip
    return rows


@pytest.mark.parametrize("packed", PACKS)
@pytest.mark.parametrize("normal_y", ["up", "down"])
def test_the_plan_is_that_of_python(packed: str, normal_y: str, driver: Path, tmp_path: Path) -> None:
    """Golden files, and tables of channels by chance, in which colours and normals are whole, in part, and twice."""
    rng = np.random.default_rng(3)
    files = [golden_file(name) for name in GOLDEN]
    for number in range(40):
        roles = rng.permutation(len(ROLE_CODES))[: 1 + number % 7]
        channels = []
        for role in roles:
            for component in rng.permutation(6)[: rng.integers(1, 5)]:
                srgb, flipped = (bool(flag) for flag in rng.integers(0, 2, 2))
                normal = ROLE_CODES[role] == "normal"
                channels.append(ChannelSpec(int(role), int(component), srgb, flipped and normal and component == 5))
        channels = channels[:16]
        varying = sorted(rng.permutation(len(channels))[: rng.integers(1, len(channels) + 1)].tolist())
        texels = RawMipSpec(rng.integers(0, 256, (4, len(varying))).tolist())
        group = GroupSpec(varying, [(0.0, 1 / 255, 8)] * len(varying), [texels])
        files.append(tmp_path / f"{number}.gstex")
        files[-1].write_bytes(build(MaterialSpec(2, 2, channels, [group])))
    for file in files:
        assert planned(driver, file, packed, normal_y) == expected(file, packed, normal_y), file.name


# ---- Rectangles of mips ---------------------------------------------------------------------------------------------


def encoded(
    driver: Path, file: Path, mip: int, box: tuple[int, int, int, int], maps: list[BlockMap]
) -> list[np.ndarray]:
    """uint32 [rows, columns, words] of every map."""
    numbers = [number for a_map in maps for number in (a_map.code, *a_map.sources)]
    words = np.frombuffer(run(driver, "maps", file, mip, *box, *numbers), "<u4")
    shapes = [a_map.shape(box[3], box[2]) for a_map in maps]
    parts = np.split(words, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def codes_of(values: np.ndarray, source: int) -> np.ndarray:
    if source >= ZERO:
        return np.full(values.shape[:2], source - ZERO)
    codes = np.floor(values[:, :, source % 16] * np.float32(255) + np.float32(0.5)).astype(int)
    return codes if source < 16 else 255 - codes


@pytest.mark.parametrize("name", ["groups", "clamp_k10", "shared", "raw"])
def test_blocks_of_a_mip_are_those_of_its_texels(name: str, driver: Path) -> None:
    """All mips, whose last blocks repeat the border; and a rectangle that lies inside."""
    file, texture = golden_file(name), gstex.load(golden_file(name))
    channels = texture.channels
    sources = (2 % channels, 0, 16 + 1 % channels, ONE)
    maps = [BlockMap("a", "bc7", sources), BlockMap("b", "rgba8", (*sources[:3], 0)), BlockMap("c", "bc4", sources),
            BlockMap("d", "bc5", (ZERO + 77, *sources[1:])), BlockMap("e", "bc1", sources)]  # fmt: skip
    for mip in range(texture.mip_count):
        values = texture.decode(mip)
        height, width = values.shape[:2]
        boxes = [(0, 0, width, height)] + [(4, 8, 12, 4)] * (width >= 16 and height >= 12)
        for x, y, columns, rows in boxes:
            part = values[y : y + rows, x : x + columns]
            for a_map, found in zip(maps, encoded(driver, file, mip, (x, y, columns, rows), maps), strict=True):
                texels = np.stack([codes_of(part, source) for source in a_map.sources], axis=2).astype(np.uint8)
                if a_map.format == "rgba8":
                    np.testing.assert_array_equal(found[:, :, 0], texels.view("<u4")[:, :, 0])
                    continue
                down, across, words = a_map.shape(rows, columns)
                padded = np.pad(texels, [(0, 4 * down - rows), (0, 4 * across - columns), (0, 0)], mode="edge")
                blocks = padded.reshape(down, 4, across, 4, 4).transpose(0, 2, 1, 3, 4).reshape(-1, 16, 4)
                format = "bc7 opaque" if a_map.code == 8 else a_map.format
                want = encode_by_cuda(np.ascontiguousarray(blocks), format)
                np.testing.assert_array_equal(found.reshape(-1, words), want, err_msg=f"{a_map.format} of mip {mip}")


@pytest.mark.parametrize(
    ("box", "a_map"),
    [
        ((2, 0, 8, 8), (7, 0, 0, 0, ONE)),  # a corner inside a block
        ((0, 0, 6, 8), (7, 0, 0, 0, ONE)),  # ends inside a block, and not at the border
        ((0, 0, 0, 8), (7, 0, 0, 0, ONE)),
        ((-4, 0, 8, 8), (7, 0, 0, 0, ONE)),
        ((0, 0, 4096, 8), (7, 0, 0, 0, ONE)),
        ((2147483644, 0, 8, 8), (7, 0, 0, 0, ONE)),
        ((0, 0, 8, 8), (6, 0, 0, 0, ONE)),  # no such format
        ((0, 0, 8, 8), (7, 0, 15, 0, ONE)),  # no such channel
        ((0, 0, 8, 8), (7, 0, 0, 40, ONE)),
        ((0, 0, 8, 8), (7, 0, 0, 0, ONE + 1)),
    ],
)
def test_what_is_refused(box: tuple[int, ...], a_map: tuple[int, ...], driver: Path) -> None:
    command = [driver, "maps", golden_file("groups"), 0, *box, *a_map]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "refused\n")
