"""`gstex decode --mip` and `--size`: how large every file comes out, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from command import Command
from odd_images import channels, save
from random_material import make_layout, make_material

import gstex
from gstex.encode.packing import channel_entries
from gstex.format import pack
from gstex.format.description import brief_material
from gstex.material import load_material
from gstex.texture import Texture

WAVES = ("wave", "wave", "wave")
SIZES = {"wall_albedo.png": (33, 20), "wall_normal.png": (17, 10), "wall_ao.png": (33, 20), "wall_height.png": (5, 2)}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A file of maps of several sizes and three mips; what it decodes to is noise."""
    folder = tmp_path / "wall"
    folder.mkdir()
    for name, (width, height) in SIZES.items():
        mode = "L" if name in ("wall_ao.png", "wall_height.png") else "RGB"
        save(folder / name, mode, channels(WAVES if mode == "RGB" else WAVES[:1], height, width))
    material = load_material(folder)
    levels = [(make_layout(stride=96), 20)]
    bits = [5] * len(material.channels)
    codes = make_material(np.random.default_rng(1), width=material.width, height=material.height, channel_bits=bits,
                          mips=[levels, levels, None])  # fmt: skip
    path = tmp_path / "wall.gstex"
    codes = replace(codes, channels=channel_entries(material))
    Texture(pack(codes), {"material": brief_material(material.to_metadata())}).save(path)
    return path


def sizes(folder: str) -> dict[str, tuple[int, int]]:
    specs = {path.name: oiio.ImageBuf(str(path)).spec() for path in Path(folder).iterdir()}
    return {name: (spec.width, spec.height) for name, spec in specs.items()}


@pytest.mark.parametrize("mip", [0, 1, 2])
def test_every_file_is_written_at_the_size_of_its_own_mip(mip: int, command: Command, packed: Path) -> None:
    assert command("decode", packed, "-o", "maps", "--mip", str(mip)).code == 0
    assert sizes("maps") == {name: (max(1, w >> mip), max(1, h >> mip)) for name, (w, h) in SIZES.items()}


@pytest.mark.parametrize(("text", "size"), [("8x4", (8, 4)), ("1X1", (1, 1)), ("70x3", (70, 3)), ("007x50", (7, 50))])
def test_every_file_is_written_at_the_size_asked_for(
    text: str, size: tuple[int, int], command: Command, packed: Path
) -> None:
    ran = command("decode", packed, "-o", "maps", "--size", text)
    assert (ran.code, ran.err) == (0, "")
    assert sizes("maps") == dict.fromkeys(SIZES, size)
    expected = gstex.load(packed).resized(*size)
    stored = oiio.ImageBuf("maps/wall_ao.png").get_pixels(oiio.FLOAT)[:, :, 0]
    roles = [c["role"] for c in gstex.load(packed).material["channels"]]
    assert np.abs(stored - expected[:, :, roles.index("ao")]).max() < 0.51 / 255


@pytest.mark.parametrize("text", ["0x5", "5x0", "12", "99999x1", "1x16385", "x", "8x", "-8x8", "8x8x8", "8 x 8",
                                  "8.0x8", "1000000000000x1", "", "٣x٣"])  # fmt: skip
def test_a_size_that_is_none(text: str, command: Command, packed: Path) -> None:
    ran = command("decode", packed, "-o", "maps", "--size", text)
    assert ran.code == 2
    assert f"--size: got {text!r}, expected WIDTHxHEIGHT of 1..16384 each" in ran.error()
    assert not Path("maps").exists()


def test_a_mip_and_a_size_exclude_each_other(command: Command, packed: Path) -> None:
    ran = command("decode", packed, "-o", "maps", "--size", "8x8", "--mip", "1")
    assert ran.code == 2 and "--mip and --size: got both" in ran.error()
    with pytest.raises(gstex.errors.UsageError, match="mip and size: got mip 1 and a size"):
        gstex.load(packed).write_maps("maps", mip=1, size=(8, 8))
    assert not Path("maps").exists()
    assert command("decode", packed, "-o", "maps", "--size", "8x8", "--mip", "0").code == 0
