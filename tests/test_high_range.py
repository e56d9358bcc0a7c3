"""Light of a high dynamic range, and float files whose maps have ranges of their own."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from stating_files import write_exr

import gstex
from gstex.format.ranges import ValueRange
from gstex.material import load_material
from gstex.material.mips import make_mips
from gstex.shading import read_surface

SIZE = 48
Y, X = np.mgrid[0:SIZE, 0:SIZE]
DISTANCE = np.hypot(X - 16, Y - 30)


def stack(*planes: np.ndarray) -> np.ndarray:
    return np.stack(planes, axis=2).astype(np.float32)


def picture(peak: float) -> np.ndarray:
    """Waves of 0.1 .. 0.9, and a disc of the peak."""
    waves = stack(*(0.5 + 0.4 * np.sin(X / 7 + c) * np.cos(Y / 9 + c) for c in range(3)))
    return np.where((DISTANCE < 8)[:, :, None], np.float32(peak), waves)


@pytest.mark.parametrize("peak", [50.0, 1000.0, 60000.0])
def test_a_lamp_leaves_the_rest_of_the_picture_as_it_is(peak: float, tmp_path: Path) -> None:
    values = picture(peak)
    write_exr(tmp_path / "lamp_emissive.exr", values)
    material = load_material(tmp_path)
    assert all(c.range.stops > 0 and c.color_space == "linear" for c in material.channels)
    texture = gstex.compress(material, bpp=6, effort="fast", device="cpu")
    texture.save(tmp_path / "lamp.gstex")
    (path,) = gstex.load(tmp_path / "lamp.gstex").write_maps(tmp_path / "out")
    written = oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT)
    error = np.abs(written - values)
    assert np.sqrt((error[DISTANCE > 11] ** 2).mean()) < 0.06  # without the lamp 0.003, scaled to the peak of 60000 138
    assert (error[DISTANCE < 6] / peak).max() < 0.25
    assert texture.report["psnr"] > 30
    # Mip 0 averages the curve and a mip light, so that none is drawn from mip 0.
    assert not {"mip 0"} & {mip["stored_as"] for mip in texture.report["mips"]}
    notes = material.sources[0].stated.notes
    assert len(notes) == 1 and notes[0].startswith("range 0 .. ")


def test_light_up_to_four_and_heights_have_no_curve(tmp_path: Path) -> None:
    write_exr(tmp_path / "a_emissive.exr", stack(X / 12, Y / 12, X / 13))
    write_exr(tmp_path / "a_height.exr", stack(300 * X))
    ranges = [c.range for c in load_material(tmp_path).channels]
    assert ranges[0] == ValueRange.between(300 * 0, 300 * 47) and ranges[1] == ValueRange.between(0, 47 / 12)


def test_maps_of_one_file_have_their_own_ranges(tmp_path: Path) -> None:
    write_exr(tmp_path / "pack.exr", stack(X / 47, 100 + Y, 0 * X + 0.25))
    material = load_material(tmp_path, overrides=["ao=pack.exr:r", "height=pack.exr:g"])
    assert [c.range for c in material.channels] == [ValueRange(), ValueRange.between(100, 147)]
    texture = gstex.compress(material, bpp=8, effort="fast", device="cpu", mips=False)
    assert [ValueRange.of(c) for c in texture.table.header.channels] == [ValueRange(), ValueRange.between(100, 147)]
    (path,) = texture.write_maps(tmp_path / "out")
    written = oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT)
    assert np.abs(written[:, :, 0] - X / 47).max() < 0.1 and np.abs(written[:, :, 1] - 100 - Y).max() < 5
    assert (written[:, :, 2] == 0.25).all()


def test_mips_average_light(tmp_path: Path) -> None:
    values = np.where((X + Y) % 2 == 0, 0.0, 1000.0)
    write_exr(tmp_path / "a_emissive.exr", stack(values, values, values))
    material = load_material(tmp_path)
    second = make_mips(material, repeat=True)[2].pixels
    assert material.channels[0].range.from_unit(second) == pytest.approx(500, rel=1e-3)


def test_a_curve_and_its_inverse() -> None:
    of = ValueRange.of_light(60000.0, 0.5)
    values = np.array([0.0, 0.01, 0.5, 7.0, 60000.0], np.float32)
    assert of.from_unit(of.to_unit(values)) == pytest.approx(values, rel=1e-5, abs=1e-7)
    assert of.to_unit(np.array([-1.0, 1e9])).tolist() == [0, 1]
    assert of.to_unit(np.array([0.5]))[0] == pytest.approx(np.log2(1 + 0.5 / of.scale) / of.stops)


def test_the_surface_has_the_light_of_the_source(tmp_path: Path) -> None:
    values = picture(1000.0)
    write_exr(tmp_path / "a_emissive.exr", values)
    material = load_material(tmp_path)
    surface = read_surface(material.pixels, material.to_metadata()["channels"], None)
    assert np.moveaxis(surface.emissive, 0, -1) == pytest.approx(values, rel=1e-4)
