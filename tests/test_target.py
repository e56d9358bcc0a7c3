"""Rate control: a PSNR or a codec to come up to, weights of maps, and what contradicts what. Small pictures."""

import importlib.util
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from command import Command
from golden_fits import colours, stack
from small_samples import SAMPLES, crop_sample

import gstex
from gstex import metrics
from gstex.encode.compress import tasks_of
from gstex.encode.map_weights import Spectrum, coefficients, fair_errors
from gstex.encode.schedule import Schedule
from gstex.encode.settings import make_settings
from gstex.encode.target import Goal, _Search, _Try
from gstex.errors import UsageError
from gstex.material import Material, MipLevel, load_material

FAST = {"effort": "fast", "device": "cpu", "mips": False}
PACKAGES = ("astc_encoder", "quicktex", "texture2ddecoder", "zstandard")
needs_codecs = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES), reason="extra 'compare' is not installed"
)


@cache
def small(name: str) -> Material:
    """64x64 texels of patches, and of a sample, averaged down."""
    if name == "bricks":
        material = load_material(SAMPLES / "weathered_bricks")
        pixels = material.pixels
        blocks = pixels.reshape(64, pixels.shape[0] // 64, 64, pixels.shape[1] // 64, pixels.shape[2])
        return replace(material, width=64, height=64, pixels=blocks.mean(axis=(1, 3)))
    return {"colours": colours, "stack": stack}[name](64, 64)


@cache
def plain(name: str) -> gstex.Texture:
    """A fit at a given rate, whose PSNR is what the targets ask for."""
    return gstex.compress(small(name), bpp=4, **FAST)


@pytest.mark.parametrize("name", ["colours", "bricks"])
def test_psnr_lands_at_or_a_little_above_the_target(name):
    target = plain(name).report["psnr"]
    found = gstex.compress(small(name), psnr=target, **FAST)
    assert target <= found.report["psnr"] <= target + 0.25
    assert found.report["target"] == {"psnr": target, "reached": True}
    assert found.report["bpp"] <= 1.25 * plain(name).report["bpp"]
    assert found.fit["psnr"] == target and found.fit["bpp"] is None


def tried(words: int, psnr: float, *, grid: bool) -> _Try:
    """A try of a search; only the words and the kind of its result count."""
    level = SimpleNamespace(regular=grid)
    return _Try(words, psnr, SimpleNamespace(words=words, coding=SimpleNamespace(levels=[level])))


@pytest.mark.parametrize(("tries", "least", "most"), [
    ([(2641, 27.03, False), (2991, 29.04, True)], 1700, 2200),  # a step from the grid alone
    ([(2641, 27.03, False), (2991, 29.04, True), (1890, 26.9, True)], 1890, 2300),
    ([(871, 18.27, False), (1234, 18.40, False), (3085, 19.2, True)], 1400, 2000),  # a flat curve of both kinds
    ([(2747, 29.9, False), (1947, 26.67, False)], 2000, 2200),
])  # fmt: skip
def test_grids_and_free_gaussians_have_curves_of_their_own(tries, least, most):
    search = object.__new__(_Search)
    search.goal = Goal(18.6 if tries[0][1] < 20 else 27.15, lambda result: 0.0, 100000)
    search.tries = [tried(words, psnr, grid=grid) for words, psnr, grid in tries]
    search.vain, search.least_words = 0, 1
    following = search.next_words()
    assert following is not None and least <= following <= most


def test_same_seed_same_words():
    found = [gstex.compress(small("colours"), psnr=24, seed=3, effort="draft", device="cpu").words for _ in range(2)]
    assert np.array_equal(*found)


def test_a_target_out_of_reach_ends_at_the_best_within_max_bpp():
    notes = []
    found = gstex.compress(small("colours"), psnr=70, max_bpp=2, notes=notes.append, **FAST)
    report = found.report
    assert report["bpp"] <= 2
    assert report["bpp"] >= 1.9  # it takes what there is
    assert report["target"]["reached"] is False
    note = report["target"]["note"]
    assert note == notes[-1] and "\n" not in note
    assert note.startswith("70.00 dB are out of reach: ") and "--max-bpp allows no more" in note
    assert found.fit["max_bpp"] == 2 and gstex.compress(small("colours"), bpp=2, **FAST).report["psnr"] < 70


def test_a_target_that_the_smallest_fit_exceeds():
    found = gstex.compress(small("colours"), psnr=1, **FAST)
    assert found.report["target"]["reached"] and found.report["gaussians"] >= 1
    assert found.report["bpp"] < 1


def test_default_files_say_nothing_of_it():
    assert not {"psnr", "match", "max_bpp", "weights"} & set(plain("colours").fit)
    assert "target" not in plain("colours").report


@pytest.mark.parametrize("options, words", [
    ({"psnr": 30, "bpp": 1}, "psnr and bpp: got both"),
    ({"psnr": 30, "gaussians": 10}, "psnr and gaussians: got both"),
    ({"psnr": 30, "quality": "normal"}, "psnr and quality: got both"),
    ({"psnr": 30, "match": "bc1"}, "psnr and match: got both"),
    ({"match": "bc7", "bpp": 1}, "match and bpp: got both"),
    ({"psnr": 30, "loss": "restore"}, "psnr and loss"),
    ({"max_bpp": 1}, "max_bpp: got it alone"),
    ({"psnr": 30, "max_bpp": 65}, "max_bpp: got 65, expected a number above 0 and up to 64"),
    ({"psnr": 0}, "psnr: got 0, expected dB above 0 and up to 100"),
    ({"psnr": float("nan")}, "psnr: got nan"),
    ({"match": "astc-7x7"}, "match: got 'astc-7x7', expected one of bc1, bc7, astc-4x4"),
    ({"weights": {"ao": 0.01}}, r"weights: got 0.01 for ao, expected a number in 0.05..20"),
    ({"weights": {"ao": float("nan")}}, "weights: got nan for ao"),
    ({"weights": {"gloss": 2}}, "weights: got 'gloss', expected some of albedo, normal, roughness, metallic, ao"),
])  # fmt: skip
def test_contradictions_and_numbers_out_of_range_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        gstex.compress(small("stack"), **{**FAST, **options})


@pytest.mark.parametrize("arguments, words", [
    (("--psnr", "30", "--bpp", "1"), "--bpp and --psnr contradict each other"),
    (("--psnr", "30", "--quality", "high"), "--quality and --psnr contradict each other"),
    (("--match", "bc7", "--gaussians", "9"), "--gaussians and --match contradict each other"),
    (("--weight", "ao"), "got 'ao', expected ROLE=NUMBER"),
    (("--weight", "ao=1", "--weight", "ao=2"), "got ao twice"),
    (("--weight", "gloss=2"), "expected some of albedo, normal"),
    (("--max-bpp", "2"), "give one of them, or bpp"),
])  # fmt: skip
def test_the_command_refuses_them_too(command: Command, tmp_path, arguments, words):
    ran = command("compress", crop_sample("rusted_steel", tmp_path / "steel", 16), *arguments)
    assert words in ran.error() and ran.code == 2


def errors_by_map(weights: dict[str, float] | None) -> dict[str, float]:
    found = gstex.compress(small("stack"), bpp=4, weights=weights, **FAST)
    assert found.metadata["fit"].get("weights") == weights
    return {role: 10 ** (-psnr / 10) for role, psnr in found.report["psnr_by_map"].items()}


def test_weights_move_the_errors_of_maps():
    even, less, more = (errors_by_map(w) for w in (None, {"albedo": 0.2}, {"albedo": 5.0}))
    assert less["albedo"] > 1.15 * even["albedo"] and more["albedo"] < 0.85 * even["albedo"]
    assert less["roughness"] < even["roughness"] < more["roughness"]


def test_weights_of_one_change_nothing():
    assert np.array_equal(gstex.compress(small("colours"), bpp=4, weights={"albedo": 1.0}, **FAST).words,
                          plain("colours").words)  # fmt: skip


def test_fair_errors_are_by_what_maps_count():
    """Two channels with the same spectrum: of one that counts half, twice the error is fair."""
    squares = np.full((2, 16), 4, np.float32)
    fair = fair_errors(Spectrum.of(squares), 0.75, np.array([0.5, 1.0]))
    np.testing.assert_allclose(fair, [1.0, 0.5], rtol=1e-4)


def test_the_balance_of_maps_leaves_what_is_fair_by_the_weights():
    """A fit whose errors are those that the weights make fair is not balanced any further."""
    material = small("stack")
    level = MipLevel(material.pixels, material.weights)
    task, = tasks_of(material, [level], list(range(8)), 500, None, repeat=True, weights={"albedo": 4.0, "ao": 0.25})
    fit = Schedule(task, make_settings("fast", "direct", "l2"), np.random.default_rng(0), lambda *state: None)
    spectrum = Spectrum.of(coefficients(task.target.image))
    fair = fair_errors(spectrum, 0.001, task.asked)
    assert fair[7] > 2 * fair[0]
    errors = fair * task.target.sums * task.weights
    np.testing.assert_allclose(fit.maps.weights(errors), 1, rtol=1e-3)
    fit.maps.push(errors)
    np.testing.assert_array_equal(fit.maps.pushes, 1)


@needs_codecs
def test_match_is_as_good_as_the_codec():
    from gstex.compare.codec_quality import codec_psnr

    material = small("bricks")
    wanted = codec_psnr(material, "astc-12x12", processes=1)
    found = gstex.compress(material, match="astc-12x12", **FAST)
    assert wanted - 0.0005 <= found.report["psnr"] <= wanted + 0.25
    assert found.report["target"] == {"psnr": round(wanted, 3), "reached": True, "match": "astc-12x12"}
    assert found.fit["match"] == "astc-12x12" and "psnr" not in found.fit


@needs_codecs
@pytest.mark.parametrize("name", ["bc1", "astc-8x8"])
def test_quality_of_a_codec_is_that_of_what_it_decodes_to(name):
    from gstex.compare.codecs import CODECS, decode, encode

    material = small("colours")
    image = np.round(material.pixels * 255).astype(np.uint8)
    decoded = decode(CODECS[name], encode(CODECS[name], image), 64, 64, 3)
    from gstex.compare.codec_quality import codec_psnr

    assert codec_psnr(material, name, processes=1) == pytest.approx(metrics.psnr(decoded, material.pixels), abs=1e-6)


def test_a_missing_package_is_named(monkeypatch):
    from gstex.compare import codecs

    monkeypatch.setattr(codecs, "_load", lambda name: None)
    with pytest.raises(gstex.errors.ExtraError, match=r"pip install gstex\[compare\]"):
        gstex.compress(small("colours"), match="bc7", **FAST)
