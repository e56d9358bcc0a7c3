"""Maps that are smaller than the stack are measured against their sources, at the size of these."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_hidden_colour import YELLOW, disc, opaque

import gstex
from gstex import metrics
from gstex.compare.run import compare
from gstex.material import Material, load_material


@pytest.fixture
def material(tmp_path: Path) -> Material:
    Image.fromarray(disc(32, YELLOW, (0, 0, 0))).save(tmp_path / "a_col.png")
    opaque(64).save(tmp_path / "a_rough.png")
    return load_material(tmp_path)


def test_what_resampling_mixed_in_counts(material: Material) -> None:
    """The stack agrees with itself; whoever made it with black in its edges does not agree with the source."""
    assert sorted(material.originals) == [0, 1, 2, 3] and material.originals[0].shape == (32, 32)
    assert metrics.own_size_psnr(material.pixels, material)["albedo"] > 40
    faulty = material.pixels.copy()
    edge = (material.pixels[:, :, 3] > 0.02) & (material.pixels[:, :, 3] < 0.9)
    faulty[:, :, :3][edge] *= 0.6
    wrong = replace(material, pixels=faulty)
    assert metrics.psnr(faulty, wrong.pixels) == float("inf")
    assert metrics.own_size_psnr(faulty, wrong)["albedo"] < 35


def test_by_hand(tmp_path: Path) -> None:
    """A height of a quarter of the size and off by a constant."""
    ramp = np.linspace(40, 200, 16, dtype=np.uint8)
    Image.fromarray(np.tile(ramp, (16, 1))).save(tmp_path / "a_height.png")
    opaque(64).save(tmp_path / "a_rough.png")
    material = load_material(tmp_path)
    assert [c.role for c in material.channels] == ["roughness", "height"] and list(material.originals) == [1]
    shifted = material.pixels + np.float32([0, 0.1])
    assert metrics.own_size_psnr(shifted, material) == {"height": pytest.approx(20, abs=0.1)}
    quality = metrics.measure_quality(shifted, material, flip=False)
    assert quality.psnr_by_map["height"] == pytest.approx(20, abs=0.1) and quality.psnr_by_map["roughness"] is None


def test_the_report_and_the_comparison_agree(material: Material) -> None:
    texture = gstex.compress(material, bpp=4, effort="draft", device="cpu")
    found = metrics.own_size_psnr(texture.decode(), material)
    assert set(found) == {"albedo", "opacity"}
    result = compare(material, texture, codecs=["bc1"], processes=1)
    for role, value in found.items():
        assert texture.report["psnr_by_map"][role] == pytest.approx(value, abs=0.0006)
        assert result.points[result.file].quality["psnr_by_map"][role] == pytest.approx(value)


def test_a_role_of_another_size_in_part_is_left_out(material: Material) -> None:
    assert metrics.own_size_psnr(material.pixels, replace(material, originals={0: material.originals[0]})) == {}
