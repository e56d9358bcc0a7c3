"""The judgement in words: its figures by hand, and its sentences."""

import numpy as np
import pytest

from gstex.compare.judgement import Kept, judge, kept_detail, rate_for
from gstex.material import Channel, Material

QUALITY = {"psnr": 31.2, "normal_angle_mean": None, "shaded_flip": None}


def material(roles: list[str], pixels: np.ndarray) -> Material:
    channels = tuple(Channel(role, "v", "linear", f"{role}.png", 0, None, ()) for role in roles)
    return Material("wall", pixels.shape[1], pixels.shape[0], (), channels, pixels.astype(np.float32), None, "repeat")


def checkers(side: int) -> np.ndarray:
    """[64, 64] of squares, 0.3 and 0.7."""
    y, x = np.mgrid[:64, :64] // side
    return 0.3 + 0.4 * ((x + y) % 2)


def test_each_band_holds_what_its_blocks_leave():
    fine, middle = checkers(2), checkers(8)
    pixels = np.stack([fine, middle], axis=2)
    flat = kept_detail(np.full_like(pixels, 0.5), material(["roughness", "ao"], pixels))
    # Squares of 2 texels lie inside blocks of 4; those of 8 are their means, apart inside blocks of 16.
    assert flat["roughness"].energy == pytest.approx({"fine": 0.2, "middle": 0.0}, abs=1e-6)
    assert flat["ao"].energy == pytest.approx({"fine": 0.0, "middle": 0.2}, abs=1e-6)
    assert flat["roughness"].kept["fine"] == pytest.approx(0, abs=1e-6)
    assert flat["ao"].kept["middle"] == pytest.approx(0, abs=1e-6)
    half = kept_detail(0.5 + (pixels - 0.5) / 2, material(["roughness", "ao"], pixels))
    assert half["roughness"].kept["fine"] == pytest.approx(0.75, abs=1e-5)
    same = kept_detail(pixels, material(["roughness", "ao"], pixels))
    assert same["ao"].kept["middle"] == pytest.approx(1)


def test_hidden_texels_and_small_pictures_do_not_count():
    pixels = np.stack([checkers(2), np.ones((64, 64))], axis=2)
    pixels[:, :32, 1] = 0
    wrong = pixels.copy()
    wrong[:, :32, 0] = 0.5
    assert kept_detail(wrong, material(["albedo", "opacity"], pixels))["albedo"].kept["fine"] == pytest.approx(1)
    assert kept_detail(wrong, material(["ao", "opacity"], pixels))["ao"].kept["fine"] == pytest.approx(0.5, abs=1e-5)
    tiny = np.full((3, 3, 1), 0.5)
    assert kept_detail(tiny, material(["ao"], tiny))["ao"].kept == {}


def test_rates_go_along_the_curve_and_not_far_beyond():
    curve = [(1.0, 30.0), (2.0, 34.0), (4.0, 36.0)]
    assert rate_for(32.0, curve) == pytest.approx(2**0.5)
    assert rate_for(35.0, curve) == pytest.approx(2 * 2**0.5)
    assert rate_for(38.0, curve) == pytest.approx(8.0)
    assert rate_for(41.0, curve) is None and rate_for(35.0, curve[:1]) is None
    assert rate_for(31.0, [(1.0, 30.0), (2.0, 29.0)]) is None


def test_sentences_name_what_is_lost_the_worst_first():
    energy = {"fine": 0.1, "middle": 0.1}
    kept = {
        "albedo": Kept(energy, {"fine": 0.15, "middle": 0.9}), "roughness": Kept(energy, {"fine": 0.05, "middle": 0.8}),
        "ao": Kept(energy, {"fine": 0.6, "middle": 0.95}), "height": Kept({"fine": 0.001, "middle": 0.001},
                                                                        {"fine": 0.0, "middle": 0.0}),
    }  # fmt: skip
    quality = {**QUALITY, "normal_angle_mean": 3.21, "normal_angle_p99": 12.4, "shaded_flip": 0.05}
    curve = [(1.0, 31.2), (2.0, 34.2)]
    assert judge(kept, quality, 1.0, curve) == (
        "Fine grain (inside 4x4 texels) of roughness and albedo is lost: 5% and 15% of it is kept.",
        "Fine grain (inside 4x4 texels) of ao is softened: 60% of it is kept.",
        "Detail of 4 to 16 texels is kept in every map, 80% of it at least.",
        "Normals lean by 3.2 degrees on average, the worst 1 % by more than 12.",
        "Under light the difference is visible only side by side (FLIP 0.050).",
        "35 dB would take about 2.4 bits per texel instead of 1.",
    )
    assert judge(kept, quality, 1.0, curve, drafted=True)[-1] == (
        "35 dB would take at most about 2.4 bits per texel instead of 1, judged by quick fits."
    )
    said = judge(kept, QUALITY, 1.0, [(1.0, 31.2), (2.0, 31.5)])
    assert said[-1] == "The rate for 35 dB is too far from the measured ones, up to 2 bits per texel, to be estimated."
    assert "40 dB" in judge(kept, {**QUALITY, "psnr": 34.5}, 1.0, curve)[-1]
    assert judge(kept, {**QUALITY, "psnr": None}, 1.0, curve) == ()
