"""Every folder and image of the shared data is read as the table says: roles, channels, depths, and back."""

import json
from pathlib import Path

import numpy as np
import pytest
from material_table import TABLE, Entry
from odd_images import channels, save
from PIL import Image

from gstex.material import Material, load_material, table, write_maps

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHRINK = 32  # stand-ins have the real sizes divided by this


def make_standin(entry: Entry, folder: Path) -> Path:
    height, width = round(entry.height / SHRINK), round(entry.width / SHRINK)
    target = folder / entry.path
    (target.parent if target.suffix else target).mkdir(parents=True)
    for seed, file in enumerate(entry.files):
        place = target if target.suffix else target / file.name
        save(place, file.mode, channels(file.content, height, width, seed * 4))
    return target


@pytest.fixture(params=["standin", "real"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    if request.param == "real" and not DATA.is_dir():
        pytest.skip("the shared data is not on this machine; the stand-ins run the same table")
    return request.param, tmp_path


def expected_rows(entry: Entry, size: str) -> list[tuple[str, ...]]:
    rows = []
    for file in entry.files:
        for part in file.parts:
            rows.append((file.name, part.role, part.channels, part.color_space, str(file.bits), size))
        if not file.parts:
            rows.append((file.name, "-", "", "", "", ""))
    return sorted(rows)


@pytest.mark.parametrize("entry", TABLE, ids=lambda e: e.path)
def test_data_is_read_as_the_table_says(entry: Entry, source: tuple[str, Path]) -> None:
    kind, tmp = source
    path = DATA / entry.path if kind == "real" else make_standin(entry, tmp)
    scale = 1 if kind == "real" else SHRINK
    width, height = round(entry.width / scale), round(entry.height / scale)

    material = load_material(path)

    assert (material.width, material.height) == (width, height)
    assert material.wrap == entry.wrap
    assert material.normal_convention == entry.convention
    rows = table(material)
    keys = ("file", "role", "channels", "color_space", "bits", "size")
    assert sorted(tuple(r[k] for k in keys) for r in rows) == expected_rows(entry, f"{width}x{height}")
    reasons = dict(material.ignored)
    constants = {}
    for file in entry.files:
        assert file.parts or file.reason in reasons[file.name]
        constants.update(file.constants)
    assert {c.role: c.constant for c in material.channels if c.constant is not None} == constants
    assert (material.weights is not None) == entry.hidden
    _check_pixels(material, path)
    if material.width <= 1024:  # the larger ones would only take long
        _check_way_back(material, path, tmp / "out")


def _codes(path: Path) -> np.ndarray:
    """The file's codes by Pillow, a second reader: [h, w, C] int64. Of 16-bit RGB only the high bytes."""
    image = Image.open(path)
    if image.mode == "P":
        image = image.convert("RGB")
    codes = np.asarray(image).astype(np.int64)
    return codes.reshape(codes.shape[0], codes.shape[1], -1)


def _check_pixels(material: Material, path: Path) -> None:
    """Every stored channel holds the codes of its file."""
    assert material.pixels.dtype == np.float32
    assert material.pixels.shape == (material.height, material.width, len(material.channels))
    for source in material.sources:
        codes = _codes(path / source.file if path.is_dir() else path)
        top = 65535 if source.bit_depth == 16 else 255
        for index, channel in enumerate(material.channels):
            if channel.file == source.file:
                read = np.rint(material.pixels[:, :, index].astype(np.float64) * top).astype(np.int64)
                high = read >> 8 if source.bit_depth == 16 and source.channels == 3 else read
                assert np.array_equal(high, codes[:, :, channel.file_channel]), channel


def _check_way_back(material: Material, path: Path, out: Path) -> None:
    """The files are written as they were, but for a normal's rebuilt Z and what JPEG loses."""
    written = write_maps(json.loads(json.dumps(material.to_metadata())), material.pixels, out)
    assert sorted(p.name for p in out.iterdir()) == sorted(s.file for s in material.sources)
    for source, place in zip(material.sources, written, strict=True):
        original, again = _codes(path / source.file if path.is_dir() else path), _codes(place)
        assert original.shape == again.shape
        has_normal = any(c.file == source.file and c.role == "normal" for c in material.channels)
        # JPEG at quality 100 moves a code by a few; a palette's near-grey channels differ by up to 2.
        largest = 5 if source.format == "jpeg" else 2
        assert np.abs(original - again)[:, :, : 2 if has_normal else 4].max() <= largest
