"""A stack back into files: names, sizes, depths, formats; hostile metadata; nothing half-written."""

import copy
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import OpenImageIO as oiio
import pytest
from odd_images import channels, save

from gstex.encode.packing import channel_entries
from gstex.errors import FormatError, OutputError
from gstex.format.description import brief_material, describe
from gstex.format.ranges import ValueRange
from gstex.json_types import JsonObject
from gstex.material import load_material, plan_maps, write_maps
from gstex.material.images import read_info, read_pixels

Place: TypeAlias = tuple[Any, ...]
"""The way to a value of JSON: keys of objects and numbers of items of arrays."""

H, W = 24, 32
WAVES = ("wave", "wave", "wave", "wave")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "crate"
    path.mkdir()
    save(path / "crate_col.tga", "RGBA", channels(WAVES, H, W))
    save(path / "crate_nm.png", "RGB16", channels(("wave", "wave", 255), H, W, 4))
    save(path / "crate_metallicRoughness.png", "RGB", channels((77, "wave", "wave"), H, W, 8))
    save(path / "crate_ao.jpg", "L", channels(("wave",), H, W, 12))
    save(path / "crate_gloss.webp", "RGB", channels(("wave", "grey", "grey"), H, W, 16), lossless=True)
    noise = np.random.default_rng(1).integers(20000, 45000, (H // 2, W // 2, 1), dtype=np.uint16)
    save(path / "crate_height.tif", "I;16", noise)
    image = oiio.ImageOutput.create("openexr")
    assert image.open(str(path / "crate_emit.exr"), oiio.ImageSpec(W, H, 3, oiio.HALF))
    assert image.write_image((channels(WAVES[:3], H, W, 3) / 16384).astype(np.float32)) and image.close()
    return path


def metadata_of(folder: Path) -> tuple[JsonObject, np.ndarray]:
    """What a file of the folder says, and the stack."""
    material = load_material(folder)
    written = json.loads(json.dumps(brief_material(material.to_metadata())))
    metadata = describe(written, channel_entries(material), width=material.width, height=material.height,
                        repeat=material.wrap == "repeat")  # fmt: skip
    assert metadata["sources"] == json.loads(json.dumps(material.to_metadata()["sources"]))
    return metadata, material.pixels


def test_every_file_comes_back(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    written = write_maps(metadata, pixels, tmp_path / "deep" / "out")
    assert {p.name for p in written} == {p.name for p in folder.iterdir()}
    assert {p.name for p in (tmp_path / "deep" / "out").iterdir()} == {p.name for p in folder.iterdir()}
    for path in written:
        before, after = read_info(folder / path.name), read_info(path)
        assert after == before
        old = read_pixels(folder / path.name, before).astype(np.float64)
        new = read_pixels(path, after).astype(np.float64)
        if path.name == "crate_nm.png":
            old, new = old[:, :, :2], new[:, :, :2]
        # JPEG is lossy, the height is noise, enlarged and reduced again, half floats have 11 bits
        limit = {"crate_ao.jpg": 2, "crate_height.tif": 200, "crate_emit.exr": 0.002}.get(path.name, 0)
        assert np.abs(old - new).max() <= limit, path.name


def test_z_is_rebuilt(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    write_maps(metadata, pixels, tmp_path / "out")
    path = tmp_path / "out" / "crate_nm.png"
    x, y, z = np.moveaxis(read_pixels(path, read_info(path)).astype(np.float64) / 65535 * 2 - 1, 2, 0)
    expected = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    assert np.abs(z - expected).max() < 2e-5
    assert (expected > 0.1).any() and (expected == 0).any()


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """(width, height) of every file."""
    return {p.name: (info.width, info.height) for p in folder.iterdir() if (info := read_info(p))}


def test_a_mip_halves_every_file_from_its_own_size(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    for source in metadata["sources"]:
        if source["file"] == "crate_ao.jpg":
            source["width"], source["height"] = 31, 22  # 31 * 8 / 32 = 7.75
    write_maps(metadata, pixels[::4, ::4], tmp_path / "out", mip=2)
    found = sizes(tmp_path / "out")
    assert found.pop("crate_height.tif") == (W // 8, H // 8)
    assert found.pop("crate_ao.jpg") == (7, 5)
    assert len(found) == 5 and set(found.values()) == {(W // 4, H // 4)}
    write_maps(metadata, pixels[:1, :1], tmp_path / "tiny", mip=5)
    assert set(sizes(tmp_path / "tiny").values()) == {(1, 1)}


def test_a_size_is_that_of_every_file(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    write_maps(metadata, pixels[3:10, 5:15], tmp_path / "out", size=(7, 10))
    found = sizes(tmp_path / "out")
    assert len(found) == 7 and set(found.values()) == {(10, 7)}
    path = tmp_path / "out" / "crate_col.tga"
    columns = [c["file"] == path.name for c in metadata["channels"]]
    stored = read_pixels(path, read_info(path)) / 255
    assert np.abs(stored - pixels[3:10, 5:15, columns]).max() < 1 / 255  # written as they are, not resampled


def test_files_that_exist_are_replaced_and_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    out = tmp_path / "out"
    out.mkdir()
    (out / "crate_ao.jpg").write_text("old")
    (out / "keep.txt").write_text("mine")
    (tmp_path / "victim.png").write_text("precious")
    (out / "crate_nm.png").symlink_to(tmp_path / "victim.png")
    write_maps(metadata, pixels, out)
    assert read_info(out / "crate_ao.jpg").format == "jpeg"
    assert (out / "keep.txt").read_text() == "mine"
    assert (tmp_path / "victim.png").read_text() == "precious"


def test_values_out_of_range_are_clipped(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    write_maps(metadata, pixels * 4 - 1.5, tmp_path / "out")
    path = tmp_path / "out" / "crate_col.tga"
    assert set(np.unique(read_pixels(path, read_info(path)))) >= {0, 255}
    path = tmp_path / "out" / "crate_emit.exr"
    (of,) = {ValueRange(c["scale"], c["bias"], c["stops"]) for c in metadata["channels"] if c["file"] == path.name}
    lo, hi = of.from_unit(np.array([0.0, 1.0]))
    values = read_pixels(path, read_info(path))
    assert values.min() == pytest.approx(lo, abs=1e-3) and values.max() == pytest.approx(hi, rel=1e-3)


@pytest.mark.parametrize("stage", ["write_image", "os.replace"])
def test_a_failure_leaves_nothing_behind(
    stage: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata, pixels = metadata_of(folder)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"gstex.material.restore.{stage}", stop)
    with pytest.raises(KeyboardInterrupt):
        write_maps(metadata, pixels, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written to"):
        write_maps(metadata, pixels, tmp_path / "file" / "out")
    out = tmp_path / "out"
    (out / "crate_ao.jpg").mkdir(parents=True)
    (out / "crate_ao.jpg" / "full").write_text("a folder stands where a map has to go")
    with pytest.raises(OutputError, match="cannot be written to"):
        write_maps(metadata, pixels, out)
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


HOSTILE_NAMES = [
    "../up.png", "/etc/passwd.png", "a/b.png", "a\\b.png", "..", ".", "", ".hidden.png", "a.sh", "nul\0.png",
    "line\nbreak.png", "x" * 300 + ".png", 7, None, ["a.png"], "\udc80.png", "noextension",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_no_name_leads_out_of_the_folder(name: object, folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    metadata["sources"][2]["file"] = name
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FormatError, match=r"s\[2\]\.file: .*(no plain image file name|expected `str`)") as error:
        write_maps(metadata, pixels, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


JUNK = [None, -1, 0, 1e9, 10**400, float("nan"), True, "7", "../x", [], {}, [1, 2, 3], {"channel": 99}, [{}]]


def every_place(value: object, path: Place = ()) -> list[Place]:
    """Paths to every value inside a JSON-like value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, inner in items:
        found += every_place(inner, (*path, key))
    return found


def test_metadata_of_any_shape_raises_nothing_but_format_errors(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    refused = 0
    for place in every_place(metadata):
        for junk in JUNK:
            broken = copy.deepcopy(metadata)
            owner = broken
            for key in place[:-1]:
                owner = owner[key]
            owner[place[-1]] = junk
            refused += _is_refused(broken, pixels, tmp_path)
        if isinstance(place[-1], str):
            broken = copy.deepcopy(metadata)
            owner = broken
            for key in place[:-1]:
                owner = owner[key]
            del owner[place[-1]]
            refused += _is_refused(broken, pixels, tmp_path)
    assert refused > 500
    for broken in (None, [], "x", 3, {}):
        assert _is_refused(broken, pixels, tmp_path)  # type: ignore[arg-type]


def _is_refused(metadata: JsonObject, pixels: np.ndarray, tmp_path: Path) -> bool:
    """Whether the metadata is refused; only the check runs, so that harmless changes write nothing."""
    try:
        plan_maps(metadata, pixels.shape[2])
    except FormatError as error:
        assert "\n" not in str(error)
        return True
    return False


@pytest.mark.parametrize(("place", "value", "message"), [
    ((), [], r"metadata: material: \[\], expected `object`"),
    (("width",), 16385, r"metadata: width: 16385, expected `int` <= 16384"),
    (("height",), True, r"metadata: height: True, expected `int`"),
    (("wrap",), "mirror", r"wrap: 'mirror', invalid enum value"),
    (("sources",), [], r"sources: \[\], expected `array` of length >= 1"),
    (("sources", 0), {}, r"sources\[0\]: {}, object missing required field `file`"),
    (("sources", 0, "width"), 0, r"sources\[0\]\.width: 0, expected `int` >= 1"),
    (("sources", 0, "file"), 7, r"sources\[0\]\.file: 7, expected `str`"),
    (("sources", 0, "bit_depth"), 16, r"sources\[0\]\.bit_depth: tga has no 16-bit integers"),
    (("sources", 0, "format"), "gif", r"sources\[0\]\.format: 'gif', invalid enum value"),
    (("sources", 0, "alpha"), 1, r"sources\[0\]\.alpha: 1, expected `bool`"),
    (("sources", 0, "associated"), "no", r"sources\[0\]\.associated: 'no', expected `bool`"),
    (("sources", 2, "associated"), True, r"sources\[2\]\.associated: it has no alpha"),
    (("sources", 0, "says_srgb"), None, r"sources\[0\]\.says_srgb: None, expected `bool`"),
    (("sources", 0, "planes"), [], r"sources\[0\]\.planes: 0, expected 4"),
    (("sources", 0, "planes", 0), {"channel": 14}, r"crate_col.tga planes: channel 14, expected 0..13"),
    (("sources", 0, "planes", 0), {"fill": 1.5}, r"sources\[0\]\.planes: fill 1.5, expected 0 .. 1"),
    (("sources", 0, "planes", 0), {"normal_z": [0, 1]}, r"planes: X and Y of normal_z are not in the same file"),
    (("sources", 0, "planes", 0), {"fill": 1, "channel": 0}, r"planes\[0\]: 2 of channel, fill, normal_z"),
    (("sources", 0, "planes", 0), {"z": 0}, r"planes\[0\]: {'z': 0}, object contains unknown field `z`"),
])
def test_messages_about_metadata(
    place: Place, value: object, message: str, folder: Path, tmp_path: Path
) -> None:
    metadata, pixels = metadata_of(folder)
    whole: Any = {"material": metadata}
    owner, last = whole, "material"
    for key in place:
        owner, last = owner[last], key
    owner[last] = value
    with pytest.raises(FormatError, match=message):
        write_maps(whole["material"], pixels, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_stands_there_twice(folder: Path, tmp_path: Path) -> None:
    metadata, pixels = metadata_of(folder)
    metadata["sources"][1]["file"] = metadata["sources"][0]["file"].upper()
    with pytest.raises(FormatError, match="stands there twice"):
        write_maps(metadata, pixels, tmp_path / "out")
