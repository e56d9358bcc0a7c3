"""Small and thin textures: a quality preset never fails, ramps are exact, no mip of a strip is flat; errors of maps
with a narrow range are told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gstex
from gstex import metrics
from gstex.cli.compress import _stretched, _warnings
from gstex.encode.compress import LEAST_BYTES
from gstex.errors import BudgetError
from gstex.material import Channel, Material, load_material, make_mips

ROLES = {1: [("height", "v", "linear")], 3: [("albedo", c, "srgb") for c in "rgb"]}
ROLES[4] = [*ROLES[3], ("opacity", "v", "linear")]
ROLES[9] = [*ROLES[4], ("normal", "x", "linear"), ("normal", "y", "linear"), ("roughness", "v", "linear"),
            ("metallic", "v", "linear"), ("ao", "v", "linear")]  # fmt: skip


def ramps(height: int, width: int, count: int) -> Material:
    """Codes of 8 bits that climb along the longer side, in every channel by another curve."""
    y, x = np.mgrid[:height, :width]
    t = (x + y) / max(1, height + width - 2)
    planes = [np.rint(255 * t ** (0.5 + 0.4 * i)) / 255 for i in range(count)]
    channels = tuple(Channel(r, p, s, f"{r}.png", i, None, (0.0, 1.0)) for i, (r, p, s) in enumerate(ROLES[count]))
    return Material("ramp", width, height, (), channels, np.stack(planes, axis=2).astype(np.float32), "gl", "clamp")


def compress(material: Material, **options: object) -> gstex.Texture:
    return gstex.compress(material, effort="fast", device="cpu", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("quality", ["draft", "normal", "high"])
@pytest.mark.parametrize(("height", "width", "count"), [
    (1, 2, 1), (2, 2, 9), (4, 4, 3), (3, 5, 9), (16, 16, 4), (32, 32, 1), (32, 32, 3), (1, 256, 3), (256, 1, 1),
    (33, 31, 9), (64, 64, 1), (2, 40, 9),
])  # fmt: skip
def test_a_quality_preset_never_fails(height: int, width: int, count: int, quality: str) -> None:
    for mips in (True, False):
        texture = compress(ramps(height, width, count), quality=quality, mips=mips)
        report = texture.report
        first = report["gpu_bytes"] if not mips else None
        assert report["psnr"] is None or report["psnr"] > 20
        if first:
            assert report["bpp"] == pytest.approx(8 * first / (height * width))


def test_restoring_a_small_picture_does_not_fail() -> None:
    for height, width in ((1, 2), (4, 4), (16, 16)):
        assert compress(ramps(height, width, 3), loss="restore").report["psnr"] > 15


@pytest.mark.parametrize(("height", "width", "count"), [(1, 256, 3), (256, 1, 4), (1, 4096, 1), (4, 4, 3), (16, 16, 4)])
def test_ramps_and_tables_are_exact(height: int, width: int, count: int) -> None:
    """To 8 bits, in every texel of every mip, as no block codec is."""
    material = ramps(height, width, count)
    texture = compress(material)
    for mip, level in enumerate(make_mips(material, repeat=False)):
        error = np.abs(texture.decode(mip) - level.pixels) * (1 if level.weights is None else level.weights)
        assert error.max() <= 0.51 / 255
    assert {m["stored_as"] for m in texture.info()["mips"]} == {"texels"}
    if min(height, width) == 1:  # BC7 takes 16 bytes for every block of 4x4
        assert texture.report["mips"][0]["bytes"] <= 16 * -(-height // 4) * -(-width // 4) + 8


def test_texels_are_saved_and_read(tmp_path: Path) -> None:
    material = ramps(8, 8, 9)
    texture = compress(material)
    texture.save(tmp_path / "a.gstex")
    again = gstex.load(tmp_path / "a.gstex")
    assert np.array_equal(again.decode(), texture.decode())
    uv = np.array([[0.5, 0.5], [0.1, 0.9]], np.float32)
    assert np.allclose(again.sample(uv), metrics.filtered(material.pixels, uv, repeat=False), atol=1 / 255)


def test_a_budget_of_the_users_own_still_binds() -> None:
    with pytest.raises(BudgetError, match="give --bpp"):
        compress(ramps(4, 4, 3), bpp=8)
    texture = compress(ramps(32, 32, 3), bpp=6)
    assert texture.report["bpp"] <= 6 and texture.info()["mips"][0]["stored_as"] == "gaussians"
    assert compress(ramps(64, 64, 3), quality="draft").report["bpp"] <= 8 * LEAST_BYTES / 64**2


@pytest.mark.parametrize(("height", "width"), [(4, 16384), (2048, 2), (8, 4096)])
def test_no_mip_of_a_strip_is_flat(height: int, width: int) -> None:
    y, x = np.mgrid[:height, :width]
    along, across = (x / width, y / height) if width > height else (y / height, x / width)
    fine = 2 * np.pi * along * max(height, width) / 97
    planes = [0.5 + 0.3 * np.sin(2 * np.pi * along * (2 + i) + i) * np.cos(2 * np.pi * across)
              + 0.15 * np.sin(fine * (1 + i))
              for i in range(3)]  # fmt: skip
    material = replace(ramps(height, width, 3), pixels=np.clip(np.stack(planes, axis=2), 0, 1).astype(np.float32))
    texture = compress(material, quality="draft")
    for mip, level in enumerate(make_mips(material, repeat=False)):
        if np.ptp(level.pixels) > 0.1:
            decoded = texture.decode(mip)
            assert np.ptp(decoded) > 0.3 * np.ptp(level.pixels), mip


# ---- narrow ranges ----

def test_errors_by_the_own_range_of_a_map() -> None:
    rng = np.random.default_rng(1)
    height = 0.302 + 0.026 * rng.random((64, 64, 1))
    color = rng.random((64, 64, 3))
    reference = np.concatenate([color, height, np.full((64, 64, 1), 0.5)], axis=2).astype(np.float32)
    image = reference.copy()
    image[:, :, :3] += 0.01
    image[:, :, 3] = reference[:, :, 3].mean()
    roles = ["albedo"] * 3 + ["height", "ao"]
    of_range, lost = metrics.own_errors(image, reference, roles)
    assert of_range == {"albedo": pytest.approx(0.01, rel=0.01), "height": pytest.approx(1 / 12**0.5, rel=0.05)}
    assert lost["height"] == pytest.approx(1, abs=1e-4) and lost["albedo"] == pytest.approx(0.01**2 * 12, rel=0.05)
    weights = np.ones_like(reference)
    weights[:32, :, 3] = 0
    image[32:, :, 3] = reference[32:, :, 3]
    assert metrics.own_errors(image, reference, roles, weights)[1]["height"] == 0
    noise = 0.5 + 0.003 * rng.random((8, 8, 1))
    assert metrics.own_errors(noise + 0.01, noise, ["height"])[1] == {}  # within two codes


def test_a_stretched_map_is_warned_of(tmp_path: Path) -> None:
    for name, size in (("a_height.png", (32, 24)), ("a_rough.png", (16, 12)), ("a_metallic.png", (16, 16))):
        Image.effect_noise(size, 50).save(tmp_path / name)
    text = "stretched to 32x24, as its sides have another ratio: is it the right file?"
    assert _stretched(load_material(tmp_path)) == [f"gstex: warning: a_metallic.png: {text}"]


def test_a_map_that_lost_its_signal_is_warned_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    noise = (0.302 + 0.026 * rng.random((96, 96))) * 65535
    Image.fromarray(np.rint(noise).astype(np.uint16)).save(tmp_path / "a_height.png")
    Image.fromarray(np.repeat(np.linspace(0, 255, 96)[None], 96, 0).astype(np.uint8)).save(tmp_path / "a_rough.png")
    texture = gstex.compress(tmp_path, bpp=0.6, effort="fast", device="cpu")
    assert texture.report["psnr_by_map"]["height"] > 40  # which looks like perfection
    assert texture.report["lost_by_map"]["height"] > 0.25 > texture.report["lost_by_map"]["roughness"]
    (line,) = _warnings(texture)
    assert line.startswith("gstex: warning: height has lost ") and line.endswith(
        "unless that is noise, give more --bpp, --weight height=4, or --groups height for Gaussians of its own")
    assert "lost_by_map" not in texture.metadata["report"]
