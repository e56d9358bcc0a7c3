"""First errors: each ends as one line that says what to do, with its exit code, and leaves nothing behind."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import Command
from odd_images import channels, png_bytes, save
from PIL import Image
from small_samples import crop_sample

import gstex
from gstex.format import validate
from gstex.format.container import read_file, write_file
from gstex.json_types import JsonObject


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below `folder` with its bytes; None for folders."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def fails(command: Command, folder: Path, code: int, words: tuple[str, ...], *arguments: str | Path) -> None:
    """Run a command that has to fail with `code`, one line that holds `words`, and no change to any file."""
    before = snapshot(folder)
    ran = command(*arguments)
    message = ran.error()
    assert ran.code == code, message
    for word in words:
        assert word in message
    assert snapshot(folder) == before


# ---- the input of compress


def image(path: Path, mode: str = "RGB", *, size: int = 8, seed: int = 0) -> None:
    count = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    third = "z" if "normal" in path.name else "wave"
    save(path, mode, channels(("wave", "wave", third, "wave")[:count], size, size, seed))


def truncated(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        image(folder / name, size=64)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return make


def seventeen_channels(folder: Path) -> None:
    for name in ("albedo", "normal", "orm", "emissive", "specular"):
        image(folder / f"wall_{name}.png")
    for name in ("height", "opacity", "gloss"):
        image(folder / f"wall_{name}.png", "L", seed=3)


def claims_size(width: int, height: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        data = png_bytes(channels(("wave",), 4, 4), width=width, height=height)
        (folder / "wall_albedo.png").write_bytes(data)

    return make


def two_of_a_kind(folder: Path) -> None:
    for name in ("wall_albedo.png", "wall_rough.png", "wall_roughness.png"):
        image(folder / name)


INPUTS = {
    "empty folder": (lambda folder: None, ("no PNG", "put the maps")),
    "no images": (lambda folder: (folder / "readme.txt").write_text("hello"), ("no PNG", "put the maps")),
    "not an image": (lambda folder: (folder / "wall.png").write_text("hello"), ("wall.png", "not an image")),
    "empty file": (lambda folder: (folder / "wall.png").touch(), ("wall.png", "empty")),
    "truncated PNG": (truncated("wall.png"), ("wall.png", "truncated")),
    "truncated JPEG": (truncated("wall.jpg"), ("wall.jpg", "truncated")),
    "truncated TGA": (truncated("wall.tga"), ("wall.tga", "truncated")),
    "17 channels": (seventeen_channels, ("17 channels", "at most 16", "--map ignore=")),
    "too wide": (claims_size(16385, 4), ("16385x4", "1..16384")),
    "too high": (claims_size(4, 100000), ("4x100000", "1..16384")),
    "no size": (claims_size(0, 4), ("wall_albedo.png",)),
    "ambiguous": (two_of_a_kind, ("roughness", "--map roughness=wall_rough.png")),
}


@pytest.mark.parametrize("case", INPUTS)
def test_bad_input(command: Command, tmp_path: Path, case: str) -> None:
    make, words = INPUTS[case]
    (tmp_path / "wall").mkdir()
    make(tmp_path / "wall")
    fails(command, tmp_path, 1, words, "compress", tmp_path / "wall")


def test_missing_input(command: Command, tmp_path: Path) -> None:
    fails(command, tmp_path, 1, ("nowhere", "no such file or folder"), "compress", "nowhere")


def test_unreadable_folder(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wall").mkdir()

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by chmod: the tests may run as root, who may read anything.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        message = command("compress", tmp_path / "wall").error()
    assert "Permission denied" in message and "check its permissions" in message


# ---- options


OPTIONS = {
    "--bpp 1 --gaussians 5": (2, ("--bpp and --gaussians", "give one")),
    "--bpp 1 --quality high": (2, ("--bpp and --quality", "give one")),
    "--bpp 0": (2, ("bpp", "got 0")),
    "--bpp nan": (2, ("bpp", "got nan")),
    "--bpp -3": (2, ("bpp", "got -3")),
    "--bpp 1000": (2, ("bpp", "got 1000", "64")),
    "--bpp lots": (2, ("--bpp", "lots", "--help")),
    "--gaussians 0": (2, ("gaussians", "got 0")),
    "--gaussians 99999999999": (2, ("gaussians", "got 99999999999")),
    "--quality best": (2, ("best", "draft", "high")),
    "--effort none": (2, ("none", "thorough")),
    "--device tpu": (2, ("tpu", "cpu")),
    "--wrap mirror": (2, ("mirror", "repeat", "clamp")),
    "--sampling nearest": (2, ("nearest", "direct", "bilinear")),
    "--loss l7": (2, ("l7", "perceptual")),
    "--mip-filter lanczos": (2, ("lanczos", "box", "kaiser")),
    "--alpha-test 0": (2, ("alpha_test", "got 0")),
    "--alpha-test 1.5": (2, ("alpha_test", "got 1.5")),
    "--seed -1": (2, ("seed", "got -1")),
    "--threads 0": (2, ("--threads", "0")),
    "--map roughness": (2, ("roughness", "role=file[:channels]")),
    "--map shine=RustedSteel_orm.png": (2, ("shine", "roughness")),
    "--map roughness=no.png": (2, ("no.png", "RustedSteel_orm.png")),
    "--map roughness=RustedSteel_orm.png:q": (2, ("'q'", "rgba")),
    "--levels": (2, ("--levels", "--help")),
    "--bpp 0.0001": (1, ("bpp",)),  # valid, but not a single Gaussian fits
}


@pytest.mark.parametrize("options", OPTIONS)
def test_bad_options(command: Command, tmp_path: Path, options: str) -> None:
    code, words = OPTIONS[options]
    steel = crop_sample("rusted_steel", tmp_path / "steel", 8)
    fails(command, tmp_path, code, words, "compress", steel, *options.split())


@pytest.mark.parametrize("arguments", ["compress", "decode", "info", "decode a", "paint", "--x", "info a b"])
def test_usage(command: Command, tmp_path: Path, arguments: str) -> None:
    fails(command, tmp_path, 2, ("--help",), *arguments.split())


# ---- the output of compress and decode


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if the work starts before the output has been checked."""

    def compress(*arguments: object, **options: object) -> None:
        pytest.fail("the fit has started")

    monkeypatch.setattr(gstex, "compress", compress)


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/a.gstex", ("missing", "does not exist")),
        ("folder", ("is a folder", "-o")),
        ("file/a.gstex", ("file", "does not exist")),
        ("/proc/a.gstex", ("/proc/a.gstex", "cannot be written")),
        ("/dev/null", ("/dev/null", "not a regular file")),
        ("steel/RustedSteel_orm.png", ("a file of the input", "another name")),
        ("link.gstex", ("a file of the input",)),
    ],
)
def test_bad_output(command: Command, tmp_path: Path, output: str, words: tuple[str, ...]) -> None:
    Path("folder").mkdir()
    Path("file").write_text("a file")
    crop_sample("rusted_steel", Path("steel"), 8)
    os.link("steel/RustedSteel_orm.png", "link.gstex")
    fails(command, tmp_path, 1, words, "compress", "steel", "-o", output)


@pytest.mark.usefixtures("no_fit")
def test_output_over_the_input_image(command: Command, tmp_path: Path) -> None:
    image(Path("a.png"))
    fails(command, tmp_path, 1, ("a file of the input",), "compress", "a.png", "-o", "../here/a.png")


def test_disk_full_while_saving(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steel = crop_sample("rusted_steel", tmp_path / "steel", 16)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    fails(command, tmp_path, 1, ("a.gstex", "No space left"), "compress", steel, "-o", "a.gstex",
          "--effort", "fast", "--gaussians", "20")


@pytest.mark.parametrize("output", ["file", "file/deeper", "/proc/maps"])
def test_bad_output_folder(command: Command, tmp_path: Path, packed: Path, output: str) -> None:
    Path("file").write_text("a file")
    fails(command, tmp_path, 1, (output.split("/deeper")[0],), "decode", packed, "-o", output)


# ---- .gstex files


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small good .gstex file, not to be changed."""
    folder = tmp_path_factory.mktemp("packed")
    path = folder / "steel.gstex"
    gstex.compress(crop_sample("rusted_steel", folder / "steel", 16), gaussians=20, effort="fast").save(path)
    return path


def both_commands_refuse(command: Command, folder: Path, file: Path, code: int, *words: str) -> None:
    fails(command, folder, code, words, "info", file)
    fails(command, folder, code, words, "decode", file, "-o", "maps")


def test_file_missing_or_not_gstex(command: Command, tmp_path: Path) -> None:
    Path("a.gstex").write_text("something else")
    Path("folder.gstex").mkdir()
    both_commands_refuse(command, tmp_path, Path("none.gstex"), 1, "none.gstex", "no such file", "check its name")
    both_commands_refuse(command, tmp_path, Path("a.gstex"), 1, "a.gstex", "magic")
    both_commands_refuse(command, tmp_path, Path("folder.gstex"), 1, "folder.gstex", "is a folder", "gstex compress")


@pytest.mark.parametrize("length", [0, 7, 100, 256, 257, 1000, -1])
def test_truncated_file(command: Command, tmp_path: Path, packed: Path, length: int) -> None:
    Path("a.gstex").write_bytes(packed.read_bytes()[:length])
    both_commands_refuse(command, tmp_path, Path("a.gstex"), 1, "a.gstex", "expected", "damaged")


def test_newer_version(command: Command, tmp_path: Path, packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    struct.pack_into("<I", data, 8, 99)
    Path("a.gstex").write_bytes(data)
    both_commands_refuse(command, tmp_path, Path("a.gstex"), 1, "a.gstex", "got 99", "update gstex")


@pytest.mark.parametrize(
    ("of_group", "word", "value", "name"),
    [(False, 2, 0, "width"), (False, 2, 0xFFFF_FFFF, "width"), (False, 3, 0, "channel_count"),
     (False, 3, 17 | 1 << 8, "channel_count"), (False, 4, 0xFFFF_FFFF, "words"), (True, 3, 0, "candidates_max"),
     (True, 6, 0xFFFF_FFF0, "mip_offset")],
)  # fmt: skip
def test_header_field_out_of_range(
    command: Command, tmp_path: Path, packed: Path, of_group: bool, word: int, value: int, name: str
) -> None:
    data = bytearray(packed.read_bytes())
    start = validate(read_file(packed)[0]).groups[0].header_offset if of_group else 0
    struct.pack_into("<I", data, 256 + 4 * (start + word), value)
    gpu_bytes, resident_bytes = struct.unpack_from("<I", data, 24)[0], struct.unpack_from("<I", data, 44)[0]
    # Checksums that fit, so that it is the field that is found.
    struct.pack_into("<I", data, 36, zlib.crc32(data[256 : 256 + gpu_bytes]))
    struct.pack_into("<I", data, 48, zlib.crc32(data[256 : 256 + resident_bytes]))
    Path("a.gstex").write_bytes(data)
    both_commands_refuse(command, tmp_path, Path("a.gstex"), 1, "a.gstex", name, "expected")


def with_metadata(packed: Path, change: Callable[[JsonObject], object]) -> Path:
    """A copy of the file, in the current folder, whose metadata went through `change`."""
    words, metadata = read_file(packed)
    changed = change(metadata)
    write_file("a.gstex", np.asarray(words), metadata if changed is None else changed)
    return Path("a.gstex")


@pytest.mark.parametrize(
    "name", ["../evil.png", "/evil.png", "deep/evil.png", "..", "", "..\\evil.png", "C:\\evil.png", "a.sh", 7]
)
def test_no_file_outside_the_folder(command: Command, tmp_path: Path, packed: Path, name: object) -> None:
    file = with_metadata(packed, lambda m: m["material"]["sources"][0].update(file=name))
    fails(command, tmp_path, 1, ("metadata", "file"), "decode", file, "-o", "maps")


METADATA = {
    "no metadata": lambda m: {},
    "material is a list": lambda m: m.update(material=[]),
    "material is null": lambda m: m.update(material=None),
    "no sources": lambda m: m["material"].update(sources=[]),
    "channels are numbers": lambda m: m["material"].update(channels=[1, 2], sources=5),
    "a huge map": lambda m: m["material"]["sources"][0].update(width=10**9),
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_of_another_shape(command: Command, tmp_path: Path, packed: Path, case: str) -> None:
    file = with_metadata(packed, METADATA[case])
    fails(command, tmp_path, 1, ("metadata",), "decode", file, "-o", "maps")


@pytest.mark.parametrize(
    "change",
    [
        METADATA["no metadata"],
        METADATA["material is a list"],
        METADATA["channels are numbers"],
        lambda m: m.update(report=[1], fit=3),
        lambda m: m.update(report={"psnr": "high", "psnr_sampled": {}, "psnr_by_map": [1], "bpp": None}),
        lambda m: m.update(report={"psnr_by_map": {"a": "b"}}, generator={"name": 5}),
    ],
)
def test_info_needs_no_metadata(command: Command, packed: Path, change: Callable) -> None:
    """The layout is told from the words, whatever the metadata hold."""
    file = with_metadata(packed, change)
    ran = command("info", file)
    assert (ran.code, ran.err) == (0, "")
    assert "16x16, 8 channels" in ran.out
    assert command("info", file, "--json").code == 0


def test_names_in_a_file_cannot_drive_the_terminal(command: Command, packed: Path) -> None:
    def change(metadata: JsonObject) -> None:
        metadata["generator"] = "\x1b]0;evil\x07"
        metadata["material"]["sources"][0]["file"] = "a\x1b[2J\nb.png"
        metadata["report"]["psnr_by_map"] = {"\x1b[31m": 1.0}

    ran = command("info", with_metadata(packed, change))
    assert ran.code == 0
    assert "\x1b" not in ran.out and "\\x1b]0;evil\\x07" in ran.out and "a\\x1b[2J\\nb.png" in ran.out


def test_no_such_mip(command: Command, tmp_path: Path, packed: Path) -> None:
    for mip in ("5", "-1"):
        fails(command, tmp_path, 2, ("mip", mip, "0..4"), "decode", packed, "-o", "maps", "--mip", mip)


# ---- what nobody has thought of


def test_unexpected_error_is_one_line_and_debug_shows_more(
    command: Command, tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise RuntimeError("first line\nsecond line\x1b[0m")

    monkeypatch.setattr(gstex, "load", broken)
    ran = command("info", packed)
    assert ran.code == 1
    assert ran.err == ("gstex: error: unexpected RuntimeError: first line second line\\x1b[0m; "
                       "this is a bug: run it again with --debug, and report what it prints\n")
    ran = command("info", packed, "--debug")
    assert ran.code == 1
    assert "Traceback" in ran.err and "in broken" in ran.err
    assert ran.err.splitlines()[-1].startswith("gstex: error: unexpected RuntimeError")


def test_debug_works_for_user_errors_too(command: Command) -> None:
    ran = command("info", "none.gstex", "--debug")
    assert ran.code == 1 and "Traceback" in ran.err and "FormatError" in ran.err


# ---- what newcomers type


@pytest.mark.parametrize(("arguments", "words"), [
    (("decompress", "a.gstex"), ("no command 'decompress'", "did you mean 'compress'?", "'gstex --help'")),
    (("frobnicate",), ("no command 'frobnicate'", "expected one of batch, compare, compress")),
    (("compress", "wall", "--effort"), ("'--effort' requires an argument", "'gstex compress --help'")),
    (("compress", "a.png", "b.png"), ("'INPUT': got 2 of them", "put the maps of a material into a folder")),
    (("export", "a.gstex", "-o", "out"), ("Missing option '--to'. Choose from: glsl, hlsl, wgsl, metal, c",)),
])  # fmt: skip
def test_slips_of_the_hand(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:  # fmt: skip
    fails(command, tmp_path, 2, words, *arguments)


@pytest.mark.parametrize("name", ["info", "decode"])
def test_what_is_no_gstex_file_is_called_by_its_name(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "wall").mkdir()
    image(tmp_path / "wall.png")
    more = ("-o", tmp_path / "maps") if name == "decode" else ()
    for given, words in (
        ("wall", ("is a folder, not a .gstex file", "`gstex compress`")),
        ("wall.png", ("is a PNG file, not a .gstex file", "`gstex compress`")),
        ("none.gstex", ("no such file", "check its name")),
    ):
        message = command(name, tmp_path / given, *more).error()
        assert all(word in message for word in words), message


def test_the_folder_comes_before_the_file(command: Command, tmp_path: Path) -> None:
    image(tmp_path / "wall.png")
    gstex.compress(tmp_path / "wall.png", bpp=32, effort="draft").save(tmp_path / "wall.gstex")
    fails(command, tmp_path, 1, ("wall.gstex: is a .gstex file", "give the folder of maps"), "compress",
          tmp_path / "wall.gstex", "-o", tmp_path / "b.gstex")  # fmt: skip


def test_a_normal_map_is_not_proposed_as_the_colour(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "wall"
    folder.mkdir()
    y, x = np.mgrid[:32, :32] / 31 - 0.5
    unit = np.stack([x, y, np.sqrt(1 - x * x - y * y)], axis=2)
    Image.fromarray(np.rint(255 * (unit / 2 + 0.5)).astype(np.uint8)).save(folder / "export_1.png")
    image(folder / "export_2.png", size=32)
    fails(command, tmp_path, 1, ("--map albedo=export_2.png --map normal=export_1.png",), "compress", folder)
