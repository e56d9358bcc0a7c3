"""`gstex validate` and `gstex strip`, and what the other commands do with a stripped file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import Command
from make_golden import GOLDEN, golden_file
from small_samples import crop_sample

import gstex


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `steel` and, made from it, `steel.gstex`."""
    folder = tmp_path_factory.mktemp("packed")
    source = crop_sample("rusted_steel", folder / "steel", 32)
    gstex.compress(source, gaussians=60, effort="draft", device="cpu").save(folder / "steel.gstex")
    return folder


@pytest.fixture
def steel(packed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(packed / "steel.gstex", tmp_path / "steel.gstex"))


def test_validate_says_ok_of_sound_files(command: Command, steel: Path) -> None:
    golden = golden_file(next(iter(GOLDEN)))  # without a description of maps
    ran = command("validate", steel, golden)
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert first == f"{steel}: ok, 32x32, 8 channels, 6 mips"
    assert second.startswith(f"{golden}: ok, ") and "does not describe its maps" in second


def test_validate_says_what_is_wrong_of_each_file(command: Command, steel: Path, tmp_path: Path) -> None:
    data = steel.read_bytes()
    damage = {
        "cut": (data[:-5], "file_bytes: got"),
        "bit": (data[:300] + bytes([data[300] ^ 1]) + data[301:], "gpu_crc: got"),
        "picture": (b"\x89PNG\r\n\x1a\n" + bytes(500), "is a PNG file, not a .gstex file"),
        "empty": (b"", "got an empty file"),
    }
    for name, (content, _) in damage.items():
        (tmp_path / name).write_bytes(content)
    ran = command("validate", steel, *(tmp_path / name for name in damage), tmp_path / "gone", tmp_path)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len(lines) == 7 and ": ok, " in lines[0]
    for line, (name, (_, message)) in zip(lines[1:], damage.items(), strict=False):
        assert line.startswith(f"{tmp_path / name}: ") and message in line
    assert "no such file" in lines[5] and "is a folder" in lines[6]
    [last] = ran.err.splitlines()
    assert last.startswith("gstex: error: 6 of 7 files are not sound: ") and last.endswith("and 1 more")


def test_validate_reads_what_decode_needs_of_the_metadata(command: Command, steel: Path) -> None:
    texture = gstex.load(steel)
    texture.metadata["material"]["sources"][0]["file"] = "../up.png"
    texture.save(steel)
    ran = command("validate", steel, "--json")
    found = json.loads(ran.out)
    assert ran.code == 1 and (found["sound"], found["broken"]) == (0, 1)
    [row] = found["files"]
    assert not row["ok"] and "no plain image file name" in row["error"]


def test_validate_as_json(command: Command, steel: Path) -> None:
    found = json.loads(command("validate", steel, "--json").out)
    assert found == {"sound": 1, "broken": 0, "files": [{
        "file": str(steel), "ok": True, "error": None, "note": None, "width": 32, "height": 32, "channels": 8,
        "mips": 6, "bytes": steel.stat().st_size,
    }]}  # fmt: skip


def test_strip_keeps_what_a_gpu_reads_and_nothing_else(command: Command, steel: Path) -> None:
    ran = command("strip", steel)
    small = Path("steel.stripped.gstex")
    before, after = steel.stat().st_size, small.stat().st_size
    assert ran.code == 0 and ran.err == "" and f"{before - after} bytes" in ran.out
    whole, stripped = gstex.load(steel), gstex.load(small)
    assert np.array_equal(whole.words, stripped.words)
    assert stripped.metadata == {"stripped": "steel"}
    assert after == 256 + whole.words.nbytes + len(b'{"stripped":"steel"}')
    again = json.loads(command("strip", steel, "--json").out)  # its own output is replaced
    assert (again["bytes_before"], again["bytes"], again["saved_bytes"]) == (before, after, before - after)
    twice = json.loads(command("strip", small, "-o", "twice.gstex", "--json").out)
    assert twice["saved_bytes"] == 0 and Path("twice.gstex").read_bytes() == small.read_bytes()


def test_strip_replaces_nothing_of_another(command: Command, steel: Path) -> None:
    before = steel.read_bytes()
    assert "is FILE itself" in command("strip", steel, "-o", steel).error()
    Path("other.gstex").write_bytes(before)
    assert "already exists, and is not stripped" in command("strip", steel, "-o", "other.gstex").error()
    Path("note.gstex").write_text("mine")
    assert "not a valid .gstex file" in command("strip", steel, "-o", "note.gstex").error()
    texture = gstex.load(steel)
    texture.metadata["material"]["name"] = "copper"
    texture.save("copper.gstex")
    assert command("strip", "copper.gstex", "-o", "small.gstex").code == 0
    assert "made from 'copper'" in command("strip", steel, "-o", "small.gstex").error()
    assert "ends in .gstex" in command("strip", steel, "-o", "small.bin").error()
    assert steel.read_bytes() == before
    assert command("strip", steel, "-o", steel, "--force").code == 0
    assert gstex.load(steel).stripped == "steel"


def test_other_commands_know_a_stripped_file(command: Command, packed: Path, steel: Path) -> None:
    assert command("strip", steel, "-o", "s.gstex").code == 0
    found = command("validate", "s.gstex").out
    assert "ok, 32x32" in found and "stripped of its metadata" in found
    message = command("decode", "s.gstex", "-o", "maps").error()
    assert "taken out of this file by `gstex strip`" in message and "'steel'" in message
    assert not Path("maps").exists()
    whole, stripped = (json.loads(command("info", p, "--json").out) for p in (steel, "s.gstex"))
    assert stripped["stripped"] == "steel" and stripped["report"] == {}
    for one, other in zip(stripped["maps"], whole["maps"], strict=True):
        assert one == {**other, "file": "", "file_channel": 0}
    assert "albedo" in command("info", "s.gstex").out
    assert "`gstex strip` has taken out" in command("compare", packed / "steel", "s.gstex").error()
    assert "stripped of what it was made from" in command("compress", packed / "steel", "-o", "s.gstex").error()


def test_the_viewer_shows_a_stripped_file_as_the_whole_one(command: Command, packed: Path, steel: Path) -> None:
    from gstex.errors import ExtraError, GraphicsError
    from gstex.gl import surfaceless

    try:
        with surfaceless():
            pass
    except (ExtraError, GraphicsError) as error:
        pytest.skip(f"needs OpenGL without a window: {error}")
    assert command("strip", steel, "-o", "s.gstex").code == 0
    for how in (("lit",), ("map", "--map", "normal"), ("diff", "--reference", packed / "steel")):
        for file, picture in ((steel, "whole.png"), ("s.gstex", "stripped.png")):
            assert command("view", file, "--screenshot", picture, "--size", "64x64", "--view", *how).code == 0
        assert Path("whole.png").read_bytes() == Path("stripped.png").read_bytes(), how
