"""Importance maps: what they weigh, how they are read, what a fit makes of them, and the estimate."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from command import Command
from PIL import Image

import gstex
from gstex import metrics
from gstex.encode import group_fits
from gstex.errors import MaterialError, UsageError
from gstex.material import Channel, Material, load_material
from gstex.material.importance import LEAST, Importance, load_importance
from gstex.material.saliency import estimate_saliency

SIZE = 48
FAST = {"bpp": 4.0, "effort": "fast", "mips": False}


def rough(height: int = SIZE, width: int = SIZE, seed: int = 1) -> np.ndarray:
    """Blurred noise, [H, W, 3] in 0..1: as hard to store in one place as in another."""
    noise = np.random.default_rng(seed).random((height, width, 3))
    for axis in (0, 1, 0, 1, 0, 1):
        noise = (noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)) / 3
    return noise.astype(np.float32)


def material_of(pixels: np.ndarray, *, opacity: bool = False, wrap: str = "clamp") -> Material:
    roles = ["albedo"] * 3 + ["opacity"] * opacity
    channels = tuple(Channel(r, "rgbv"[i], "linear", "a.png", i, None, (0.0, 1.0)) for i, r in enumerate(roles))
    return Material("test", pixels.shape[1], pixels.shape[0], (), channels, pixels, None, wrap)


def corner(height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A sixth of the texels, in the upper right, as a map [H, W]."""
    mask = np.zeros((height, width), np.float32)
    mask[: height * 2 // 5, width * 3 // 5 :] = 1
    return mask


def region_psnr(texture: gstex.Texture, material: Material, mask: np.ndarray) -> float:
    return metrics.psnr(texture.decode()[mask > 0], material.pixels[mask > 0])


@pytest.fixture(scope="module")
def picture() -> Material:
    return material_of(rough())


@pytest.fixture(scope="module")
def without(picture: Material) -> gstex.Texture:
    return gstex.compress(picture, **FAST)


@pytest.fixture(scope="module")
def within(picture: Material) -> gstex.Texture:
    return gstex.compress(picture, importance=corner(), **FAST)


# -- the fit


def test_quality_goes_where_the_map_is_white_at_equal_bytes(picture, without, within):
    assert len(within.words) == len(without.words)
    gains = [region_psnr(within, picture, mask) - region_psnr(without, picture, mask)
             for mask in (corner(), np.fliplr(corner()), np.flipud(corner()))]  # fmt: skip
    assert gains[0] > 3 and max(gains[1:]) < 0, gains


def test_quality_of_the_whole_stays_unweighted_and_the_weighted_one_is_beside_it(picture, without, within):
    assert "psnr_important" not in without.report
    assert within.report["psnr"] == pytest.approx(metrics.psnr(within.decode(), picture.pixels), abs=0.0006)
    assert within.report["psnr_important"] == pytest.approx(region_psnr(within, picture, corner()), abs=0.0006)
    assert within.report["psnr_important"] > within.report["psnr"] + 3


def test_equal_maps_give_equal_bytes_and_one_without_contrast_changes_nothing(picture, without, within, tmp_path):
    gstex.compress(picture, importance=corner(), **FAST).save(tmp_path / "again.gstex")
    within.save(tmp_path / "once.gstex")
    assert (tmp_path / "again.gstex").read_bytes() == (tmp_path / "once.gstex").read_bytes()
    even = gstex.compress(picture, importance=np.full((SIZE, SIZE), 77, np.uint8), **FAST)
    assert np.array_equal(even.words, without.words)


def tasks_with(material: Material, monkeypatch: pytest.MonkeyPatch, **options) -> list:
    """The tasks that a compression sets."""
    seen = []

    def stop(tasks, *arguments, **more):
        seen.extend(tasks)
        raise gstex.errors.BudgetError("enough")

    monkeypatch.setattr(group_fits, "fit_chain", stop)
    with pytest.raises(gstex.errors.BudgetError):
        gstex.compress(material, bpp=8, **options)
    return seen


def test_all_mips_are_weighed_and_hidden_colour_still_counts_for_nothing(monkeypatch):
    pixels = np.concatenate([rough(32, 32), np.ones((32, 32, 1), np.float32)], axis=2)
    pixels[:, :12, 3] = 0
    material = material_of(pixels, opacity=True)
    plain = tasks_with(material, monkeypatch)
    weighed = tasks_with(material, monkeypatch, importance=corner(32, 32))
    assert len(plain) == len(weighed) == 6
    weights = load_importance(corner(32, 32), 32, 32, repeat=False).weights(
        [t.target.image.shape[:2] for t in plain], repeat=False)  # fmt: skip
    for before, after, weight in zip(plain, weighed, weights, strict=True):
        assert np.array_equal(after.target.importance, before.target.importance * weight)
    hidden = weighed[0].target.weighted(np.ones(4))[:, :8]
    assert not hidden[:, :, :3].any() and hidden[:, :, 3].all()


def test_weights_of_white_and_black_and_of_every_mip():
    values = np.zeros((6, 4), np.float32)
    values[:3, 2:] = 1
    whole, half, last = Importance("m", values).weights([(6, 4), (3, 2), (1, 1)], repeat=False)
    assert whole.shape == (6, 4, 1) and whole.dtype == np.float32
    assert whole.mean() == pytest.approx(1) and half.mean() == pytest.approx(1) and last == 1
    assert whole[0, 3] / whole[5, 0] == pytest.approx(1 / LEAST) == 16
    expected = np.array([[LEAST, 1], [LEAST, (1 + LEAST) / 2], [LEAST, LEAST]])
    assert half[:, :, 0] == pytest.approx(expected / expected.mean())


# -- how maps are read


def test_files_of_any_type_say_the_same(tmp_path):
    values = np.linspace(0, 1, 64).reshape(8, 8)
    codes = np.rint(values * 255).astype(np.uint8)
    Image.fromarray(codes).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([codes, codes // 2, np.zeros_like(codes)], axis=2)).save(tmp_path / "rgb.png")
    Image.fromarray(np.stack([np.full_like(codes, 255), codes], axis=2), "LA").save(tmp_path / "painted.png")
    oiio.ImageBuf(np.rint(values * 65535).astype(np.uint16)).write(str(tmp_path / "deep.png"))
    oiio.ImageBuf(values.astype(np.float32)).write(str(tmp_path / "float.exr"))

    def read(source):
        return load_importance(source, 8, 8, repeat=False)

    assert read(tmp_path / "grey.png").values == pytest.approx(codes / 255)
    assert read(str(tmp_path / "painted.png")).values == pytest.approx(codes / 255)
    assert read(tmp_path / "rgb.png").values == pytest.approx((codes / 1.0 + codes // 2) / 3 / 255, abs=1e-6)
    assert read(tmp_path / "deep.png").values == pytest.approx(values, abs=1e-5)
    assert read(tmp_path / "float.exr").values == pytest.approx(values)
    for array in (codes, codes[:, :, None], codes.astype(np.uint16) * 257, codes / 255, np.float16(codes / 255)):
        assert read(array).values == pytest.approx(codes / 255, abs=1e-3)
    assert read(codes > 99).values.tolist() == (codes > 99).tolist()
    assert read(tmp_path / "grey.png").name == "grey.png" and read(codes).name == "array"


def test_maps_of_other_sizes_are_resampled():
    small = np.kron(np.array([[0, 1], [0, 0]], np.uint8), np.full((8, 8), 255, np.uint8))
    values = load_importance(small, 64, 64, repeat=False).values
    assert values.shape == (64, 64) and values.min() == 0 and values.max() == 1
    assert values[:24, 40:].min() > 0.9 and values[40:].max() < 0.1 and values[:, :24].max() < 0.1
    assert load_importance(np.ones((41, 40), bool), 64, 64, repeat=True).values.shape == (64, 64)


ARRAYS = {
    "shape": (np.zeros(5), UsageError, "an array of shape (5,), expected [h, w] or [h, w, 1..4]"),
    "channels": (np.zeros((8, 8, 5)), UsageError, "an array of shape (8, 8, 5), expected"),
    "type": (np.zeros((8, 8), int), UsageError, "an array of int64, expected bool, unsigned integers or floats"),
    "range": (np.full((8, 8), 3.0), UsageError, "values of 3 .. 3, expected 0 .. 1; scale the array"),
    "nan": (np.full((8, 8), np.nan), UsageError, "values of nan .. nan, expected 0 .. 1"),
    "black": (np.zeros((8, 8)), MaterialError, "array is black everywhere, so nothing in it matters; paint"),
    "clear": (np.ones((8, 8, 2), bool) & [True, False], MaterialError, "array is black everywhere"),
    "aspect": (np.ones((8, 16)), MaterialError, "array is 16x8 and the material 48x48; expected the same aspect"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_cannot_be_used(picture, kind):
    array, error, text = ARRAYS[kind]
    with pytest.raises(error) as caught:
        gstex.compress(picture, importance=array, **FAST)
    assert str(caught.value).startswith("importance: ") and text in str(caught.value)


def test_files_that_cannot_be_used(picture, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for name, text in (("none.png", "no such file; give an image (PNG, JPEG,"), ("text.png", "text.png: not an image"),
                       (".", "a folder; give one image")):  # fmt: skip
        with pytest.raises(MaterialError) as caught:
            gstex.compress(picture, importance=tmp_path / name, **FAST)
        assert str(caught.value).startswith("importance: ") and text in str(caught.value)


# -- the estimate


def test_nothing_stands_out_of_a_flat_picture():
    flat = np.full((32, 40, 2), 0.4, np.float32)
    assert (estimate_saliency(flat, np.ones_like(flat), repeat=False) == 1).all()
    flat[10:20, 10:20] += 0.3 / 255  # less than can be seen
    assert (estimate_saliency(flat, np.ones_like(flat), repeat=False) == 1).all()
    none = np.empty((8, 8, 0), np.float32)
    assert (estimate_saliency(none, none, repeat=False) == 1).all()


@pytest.mark.parametrize("repeat", [False, True])
def test_a_spot_stands_out(repeat):
    image = np.full((64, 96, 3), 0.3, np.float32)
    image[20:26, 70:76, 1] = 0.8
    found = estimate_saliency(image, np.ones_like(image), repeat=repeat)
    assert found.shape == (64, 96) and found.dtype == np.float32 and found.max() == 1
    assert found[20:26, 70:76].min() > 0.5 and found[:, :40].max() < 0.1 and found[45:].max() < 0.1
    hidden = np.ones_like(image)
    hidden[:, :, 1] = 0
    assert (estimate_saliency(image, hidden, repeat=repeat) == 1).all()


def test_detail_amid_plain_stands_out_and_detail_everywhere_does_not():
    y, x = np.mgrid[0:256, 0:256]
    stripes = (0.5 + 0.3 * np.sin(np.pi * (x + y) / 2)).astype(np.float32)[:, :, None]
    weights = np.ones_like(stripes)
    assert (estimate_saliency(stripes, weights, repeat=True) == 1).all()  # their mean is that of any neighbourhood
    patch = np.full_like(stripes, 0.5)
    patch[32:64, 160:192] = stripes[32:64, 160:192]
    found = estimate_saliency(patch, weights, repeat=False)
    assert found[32:64, 160:192].min() > 0.4 and found[128:].max() < 0.1
    patch[:, 64:] = stripes[:, 64:]
    found = estimate_saliency(patch, weights, repeat=False)
    assert found[:, 64:72].min() > 4 * found[:, 200:240].mean()
    hole = stripes.copy()
    hole[32:64, 160:192] = 0.5
    assert estimate_saliency(hole, weights, repeat=True)[40:56, 168:184].max() < 0.2


def test_what_repeats_stands_out_across_the_border():
    image = np.zeros((64, 64, 1), np.float32)
    image[28:36, :3] = 1
    weights = np.ones_like(image)
    tiling, alone = (estimate_saliency(image, weights, repeat=repeat)[28:36, 61:].max() for repeat in (True, False))
    assert tiling > 0.3 and alone < 0.05
    image = np.random.default_rng(0).random((64, 64, 1), np.float32)
    moved = estimate_saliency(np.roll(image, 32, 1), weights, repeat=True)
    assert moved == pytest.approx(np.roll(estimate_saliency(image, weights, repeat=True), 32, 1))


def test_auto_is_the_estimate(monkeypatch):
    pixels = np.full((32, 32, 3), 0.5, np.float32)
    pixels[4:10, 20:26] = rough(6, 6)
    task = tasks_with(material_of(pixels), monkeypatch, importance="auto", mips=False)[0]
    values = estimate_saliency(pixels, np.ones_like(pixels), repeat=False)
    expected = Importance("auto", values).weights([(32, 32)], repeat=False)[0]
    assert np.array_equal(task.target.importance, expected)


# -- the command and the file


def test_the_command_and_what_the_file_says(command: Command, picture: Material, tmp_path: Path):
    Image.fromarray(np.rint(picture.pixels * 255).astype(np.uint8)).save(tmp_path / "wall.png")
    Image.fromarray((corner(24, 24) * 255).astype(np.uint8)).save(tmp_path / "what matters.png")
    arguments = ["compress", tmp_path / "wall.png", "--effort", "fast", "--gaussians", "60", "--no-mips", "--json"]
    reports = {}
    for source in (tmp_path / "what matters.png", "auto"):
        ran = command(*arguments, "--importance", source)
        assert ran.code == 0, ran.err
        reports[str(source)] = report = json.loads(ran.out)
        texture = gstex.load("wall.gstex")
        name = source if source == "auto" else "what matters.png"
        assert texture.fit["importance"] == name
        assert str(tmp_path) not in json.dumps(texture.metadata)
        assert len(json.dumps(texture.metadata)) < 5000  # the name alone, not the map
        again = gstex.compress(load_material(tmp_path / "wall.png"), gaussians=60, effort="fast", mips=False,
                               importance=source)  # fmt: skip
        assert again.report["psnr_important"] == report["psnr_important"] == texture.report["psnr_important"]
        assert np.array_equal(again.words, texture.words)
    ran = command(*arguments[:-1], "--importance", "auto")
    line = f"  important   {reports['auto']['psnr_important']:.2f} dB, texels weighted by auto\n"
    assert ran.code == 0 and line in ran.out
    assert gstex.compress(replace(picture, name="x"), gaussians=5, effort="fast").fit["importance"] is None


def test_wrong_maps_end_the_command(command: Command, tmp_path: Path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "wall.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "map.png")
    for source, output, text in (("none.png", "o.gstex", "importance: none.png: no such file"),
                                 (tmp_path / "map.png", "o.gstex", "importance: map.png is black everywhere"),
                                 (tmp_path / "map.png", tmp_path / "map.png", "is a file of the input")):  # fmt: skip
        ran = command("compress", tmp_path / "wall.png", "-o", output, "--importance", source)
        assert ran.code == 1 and text in ran.error()
