"""The committed sample materials: made by their tool, of the stated kinds, seamless, and consistent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"

# file: (width, height, channels, bits a channel)
KINDS = {
    "rusted_steel/RustedSteel_baseColor.png": (256, 256, 3, 8),
    "rusted_steel/RustedSteel_normal.png": (256, 256, 3, 8),
    "rusted_steel/RustedSteel_orm.png": (256, 256, 3, 8),
    "scifi_panel/scifi_panel_albedo.png": (384, 256, 3, 8),
    "scifi_panel/scifi_panel_ao.png": (384, 256, 1, 8),
    "scifi_panel/scifi_panel_emissive.png": (192, 128, 3, 8),
    "scifi_panel/scifi_panel_metalRoughness.png": (384, 256, 3, 8),
    "scifi_panel/scifi_panel_normal.png": (384, 256, 3, 8),
    "stylised_wood/StylisedWood_BaseColor.png": (256, 256, 3, 8),
    "stylised_wood/StylisedWood_Displacement.png": (256, 256, 1, 16),
    "stylised_wood/StylisedWood_NormalGL.png": (256, 256, 3, 16),
    "stylised_wood/StylisedWood_Roughness.png": (256, 256, 1, 8),
    "vine_leaves/vine_leaves_albedo.png": (256, 256, 4, 8),
    "vine_leaves/vine_leaves_ao.png": (256, 256, 1, 8),
    "vine_leaves/vine_leaves_normal.png": (256, 256, 3, 8),
    "vine_leaves/vine_leaves_roughness.png": (256, 256, 1, 8),
    "weathered_bricks/weathered_bricks_albedo.png": (256, 256, 3, 8),
    "weathered_bricks/weathered_bricks_ao.png": (256, 256, 1, 8),
    "weathered_bricks/weathered_bricks_height.png": (256, 256, 1, 16),
    "weathered_bricks/weathered_bricks_normal.png": (256, 256, 3, 8),
    "weathered_bricks/weathered_bricks_roughness.png": (256, 256, 1, 8),
}
FOLDERS = sorted({file.split("/")[0] for file in KINDS})


def read(path: Path) -> np.ndarray:
    """The file's codes, uint8 or uint16 [H, W, C], alpha left alone."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageInput.open(str(path), config)
    assert image is not None, f"{path}: {oiio.geterror()}"
    spec = image.spec()
    return np.asarray(image.read_image(spec.format)).reshape(spec.height, spec.width, spec.nchannels)


def unit(path: Path) -> np.ndarray:
    """The file's values, float64 0..1 [H, W, C]."""
    codes = read(path)
    return codes / np.iinfo(codes.dtype).max


def steps(pixels: np.ndarray, axis: int) -> np.ndarray:
    """Mean step into each column (axis 1) or row (axis 0) from the one before; entry 0 crosses the border."""
    return np.abs(pixels - np.roll(pixels, 1, axis)).mean(axis=(1 - axis, 2))


def has_seam(pixels: np.ndarray) -> bool:
    """True if a border is crossed with a larger step than any inside the picture."""
    return any(steps(pixels, axis)[0] > steps(pixels, axis)[1:].max() for axis in (0, 1))


def test_folders_hold_the_listed_files_and_stay_small() -> None:
    found = {str(path.relative_to(SAMPLES).as_posix()) for path in SAMPLES.glob("*/*.png")}
    assert found == set(KINDS)
    assert sum((SAMPLES / file).stat().st_size for file in KINDS) < 2.5e6


def test_size_channels_and_bits() -> None:
    found = {}
    for file in KINDS:
        codes = read(SAMPLES / file)
        height, width, channels = codes.shape
        found[file] = (width, height, channels, codes.dtype.itemsize * 8)
        if codes.dtype == np.uint16:  # real 16-bit data, not 8-bit codes times 257
            assert len(np.unique(codes)) > 10_000, file
    assert found == KINDS


def test_tool_remakes_the_committed_pixels(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_samples.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    made = {str(path.relative_to(tmp_path).as_posix()) for path in tmp_path.glob("*/*")}
    assert made == set(KINDS)
    for file in KINDS:
        np.testing.assert_array_equal(read(tmp_path / file), read(SAMPLES / file), err_msg=file)


@pytest.mark.parametrize("folder", FOLDERS)
def test_seamless(folder: str) -> None:
    maps = {file: unit(SAMPLES / file) for file in KINDS if file.startswith(folder + "/")}
    assert [file for file, pixels in maps.items() if has_seam(pixels)] == []
    # The same measure does see the seam of a picture that was cut short.
    assert any(has_seam(pixels[:-9, :-9]) for pixels in maps.values())


@pytest.mark.parametrize("file", [file for file in KINDS if "ormal" in file])
def test_normals_are_unit_vectors_that_face_out(file: str) -> None:
    vectors = unit(SAMPLES / file) * 2.0 - 1.0
    assert np.abs(np.linalg.norm(vectors, axis=-1) - 1.0).max() < 0.01
    assert vectors[..., 2].min() > 0.0
    assert np.abs(vectors[..., :2].mean(axis=(0, 1))).max() < 0.05


@pytest.mark.parametrize(
    ("height_file", "normal_file"),
    [
        ("stylised_wood/StylisedWood_Displacement.png", "stylised_wood/StylisedWood_NormalGL.png"),
        ("weathered_bricks/weathered_bricks_height.png", "weathered_bricks/weathered_bricks_normal.png"),
    ],
)
def test_normal_is_the_slope_of_the_height(height_file: str, normal_file: str) -> None:
    height = unit(SAMPLES / height_file)[..., 0]
    x, y, z = np.moveaxis(unit(SAMPLES / normal_file) * 2.0 - 1.0, -1, 0)
    right = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2.0
    up = (np.roll(height, 1, axis=0) - np.roll(height, -1, axis=0)) / 2.0
    # OpenGL: red falls where the height rises to the right, green where it rises upwards. The scale, texels
    # of height over the map's whole range, is common to both.
    scale = -np.sum(x / z * right) / np.sum(right * right)
    assert 3.0 < scale < 15.0
    assert np.abs(-scale * right - x / z).mean() < 0.01
    assert np.abs(-scale * up - y / z).mean() < 0.01


def test_cut_out_has_holes_solid_parts_and_soft_edges() -> None:
    alpha = read(SAMPLES / "vine_leaves/vine_leaves_albedo.png")[..., 3]
    assert 0.2 < np.mean(alpha == 255) < 0.7
    assert 0.2 < np.mean(alpha == 0) < 0.7
    assert 0.0 < np.mean((alpha > 0) & (alpha < 255)) < 0.2
