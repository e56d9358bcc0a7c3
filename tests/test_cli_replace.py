"""Nothing of the user's is lost: what a command replaces, and what it does not."""

import os
import shutil
from pathlib import Path

import pytest
from command import Command
from PIL import Image
from small_samples import crop_sample

import gstex
from gstex.files import replace_file

QUICK = ("--effort", "fast", "--gaussians", "20", "--no-mips")


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    return crop_sample("rusted_steel", tmp_path / "steel", 16)


@pytest.fixture(scope="module")
def texture(tmp_path_factory: pytest.TempPathFactory) -> gstex.Texture:
    folder = crop_sample("rusted_steel", tmp_path_factory.mktemp("material") / "steel", 16)
    return gstex.compress(folder, gaussians=20, effort="fast", mips=False)


@pytest.fixture
def packed(texture: gstex.Texture, tmp_path: Path) -> Path:
    """A file of steel's own name and contents, which a test may change."""
    texture.save(tmp_path / "steel.gstex")
    return tmp_path / "steel.gstex"


def test_a_file_of_the_same_material_is_replaced(command: Command, steel: Path) -> None:
    assert command("compress", steel, *QUICK).code == 0
    before = Path("steel.gstex").read_bytes()
    for file in steel.iterdir():  # the artist works on
        picture = Image.open(file)
        picture.transpose(Image.Transpose.ROTATE_90).save(file)
    assert command("compress", steel, *QUICK).code == 0
    assert Path("steel.gstex").read_bytes() != before


@pytest.mark.parametrize("other", ["another material", "another folder's", "a sound file of nobody", "text", "nothing"])
def test_no_other_file_is_replaced_without_force(
    command: Command, steel: Path, packed: Path, tmp_path: Path, other: str
) -> None:  # fmt: skip
    output = Path("out.gstex")
    texture = gstex.load(packed)
    if other == "another material":
        texture.metadata["material"]["name"] = "wall"
        texture.save(output)
    elif other == "another folder's":
        texture.metadata["material"]["sources"][0]["file"] = "other.png"
        texture.save(output)
    elif other == "a sound file of nobody":
        gstex.Texture(texture.words, {}).save(output)
    else:
        output.write_text(other if other == "text" else "")
    before = output.read_bytes()
    said = command("compress", steel, "-o", output, *QUICK).error()
    assert said.startswith("out.gstex: already exists")
    assert said.endswith("give another name, or --force to replace it")
    assert output.read_bytes() == before
    assert command("compress", steel, "-o", output, *QUICK, "--force").code == 0
    assert gstex.load(output).material["name"] == "steel"


@pytest.mark.parametrize("name", ["picture.png", "wall", "wall.gstex.bak"])
def test_a_file_of_another_kind_is_not_written(command: Command, steel: Path, name: str) -> None:
    ran = command("compress", steel, "-o", name, *QUICK, "--force")
    assert ran.code == 2 and "expected a name that ends in .gstex, such as" in ran.error()
    assert not Path(name).exists()


def test_sources_survive_a_decode_into_their_folder(command: Command, steel: Path, packed: Path) -> None:
    before = {file.name: file.read_bytes() for file in steel.iterdir()}
    said = command("decode", packed, "-o", steel).error()
    assert "already exists and holds something else; give another folder, or --force to replace it" in said
    assert {file.name: file.read_bytes() for file in steel.iterdir()} == before
    assert command("decode", packed, "-o", steel, "--force").code == 0
    assert {file.name: file.read_bytes() for file in steel.iterdir()} != before


def test_the_same_maps_may_be_written_again(command: Command, packed: Path) -> None:
    first = command("decode", packed, "-o", "maps")
    before = {file.name: file.read_bytes() for file in Path("maps").iterdir()}
    again = command("decode", packed, "-o", "maps")
    assert (again.code, again.out) == (0, first.out)
    lost = sorted(Path("maps").iterdir())[0]
    lost.unlink()
    assert command("decode", packed, "-o", "maps").code == 0
    assert {file.name: file.read_bytes() for file in Path("maps").iterdir()} == before


def test_a_folder_in_the_place_of_a_map(command: Command, packed: Path) -> None:
    name = gstex.load(packed).map_files[0]
    (Path("maps") / name).mkdir(parents=True)
    assert name in command("decode", packed, "-o", "maps").error()
    assert [file.name for file in Path("maps").iterdir()] == [name]


@pytest.mark.parametrize("option", [("--bpp", "0"), ("--bpp", "-1"), ("--bpp", "1000"), ("--gaussians", "0"),
                                    ("--seed", "-1"), ("--alpha-test", "2")])  # fmt: skip
def test_numbers_out_of_range_are_refused_before_anything_is_read(
    command: Command, tmp_path: Path, option: tuple[str, str]
) -> None:  # fmt: skip
    (tmp_path / "no.png").write_text("no picture at all")
    said = command("compress", tmp_path / "no.png", *option).error()
    assert said.startswith(option[0][2:].replace("-", "_")) and "expected" in said


def test_a_picture_is_told_from_a_damaged_file(command: Command, steel: Path) -> None:
    file = next(steel.glob("*.png"))
    told = "is a PNG file, not a .gstex file; `gstex compress` makes a .gstex file of it"
    assert told in command("info", file).error()
    shutil.copy(file, "wall.gstex")
    assert "is a PNG file" in command("decode", "wall.gstex", "-o", "maps").error()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name on this system")
def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A rename onto a device or a pipe would take its place."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(gstex.errors.OutputError, match="is not a file"):
        replace_file(tmp_path / "pipe", b"data")
    assert (tmp_path / "pipe").is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]
