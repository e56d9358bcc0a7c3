"""What a compression tells of itself: parts and decibels that never fall, whatever stages come to on their way."""

import math

import numpy as np
import pytest
from small_samples import crop_sample

import gstex
from gstex.encode.compress import MEASURING, TRYING, _Reporter
from gstex.material import Channel, Material


def told_by(*reports):
    told: list[gstex.Progress] = []
    reporter = _Reporter(1000, told.append)
    for report in reports:
        reporter(*report)
    return told


def test_the_dB_is_that_of_the_best_result_so_far():
    told = told_by(("fit", 0.1, math.inf), ("fit", 0.2, 1e-2), ("fit", 0.3, 1e-3), ("quantise", 0.4, 2e-3),
                   ("refine", 0.6, 1e-4), ("mip 3", 0.9, math.inf), ("measure", 1.0, math.inf))  # fmt: skip
    assert [now.psnr for now in told] == pytest.approx([None, 20, 30, 30, 40, 40, 40])


def test_trials_are_no_result():
    told = told_by(("trials", 0.5, 1e-5), ("fit", 0.0, 1e-2))
    assert [now.psnr for now in told] == [None, pytest.approx(20)]
    assert told[0].step == told[1].step == round((1 - MEASURING) * TRYING * 500)


def test_steps_stay_where_a_stage_begins_again():
    told = told_by(("fit", 0.5, 1e-2), ("fit", 0.0, 1e-2), ("mip 1", 0.25, math.inf), ("mip 1", 0.75, math.inf))
    assert [now.step for now in told] == [round((1 - MEASURING) * s) for s in (500, 500, 500, 750)]


def test_an_exact_picture_has_no_decibels():
    assert told_by(("fit", 0.5, 0.0))[0].psnr is None  # JSON knows no infinity


def noise_and_waves() -> Material:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:96, 0:96] / 96 * 2 * np.pi
    maps = {"roughness": 0.4 + 0.2 * rng.random((96, 96)), "height": 0.5 + 0.4 * np.sin(2 * x) * np.cos(3 * y + x)}
    channels = tuple(Channel(role, "v", "linear", f"{role}.png", 0, None, ()) for role in maps)
    pixels = np.stack(list(maps.values()), axis=2).astype(np.float32)
    return Material("wall", 96, 96, (), channels, pixels, None, "repeat")


def test_a_group_whose_turn_has_not_come_counts_as_one_colour():
    """The waves come out well at once, but that is no result for the whole material."""
    material, told = noise_and_waves(), []
    texture = gstex.compress(material, bpp=3, groups="height", effort="fast", device="cpu", progress=told.append)
    first = next(now for now in told if now.psnr is not None)
    spread = material.pixels.var(axis=(0, 1), dtype=np.float64)
    assert first.psnr < -10 * np.log10(spread[0] / 2) + 0.1
    decibels = [now.psnr for now in told if now.psnr is not None]
    assert decibels == sorted(decibels) and abs(decibels[-1] - texture.report["psnr"]) < 1


@pytest.mark.parametrize("options", [{"bpp": 6, "effort": "fast"}, {"psnr": 24, "effort": "draft"},
                                     {"bpp": 8, "effort": "draft", "alpha_test": 0.5}])  # fmt: skip
def test_neither_falls_in_a_fit(tmp_path, options):
    told: list[gstex.Progress] = []
    gstex.compress(crop_sample("vine_leaves", tmp_path / "leaves"), device="cpu", progress=told.append, **options)
    steps, decibels = [now.step for now in told], [now.psnr for now in told if now.psnr is not None]
    assert steps == sorted(steps) and decibels == sorted(decibels) and decibels
