"""--loss restore: a fit of a damaged picture is nearer to the clean one, at rates and precision of its own."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from command import Command
from PIL import Image

import gstex
from gstex import metrics
from gstex.encode.settings import make_settings, rate_of
from gstex.material import Channel, Material

SIZE = 64


def clean_picture() -> np.ndarray:
    """Waves with a hard edge, float [H, W, 3] in 0..1."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    planes = [0.5 + 0.3 * np.sin(x / 9), np.where(x + 2 * y > 90, 0.8, 0.2), 0.5 + 0.2 * np.cos((x - y) / 7)]
    return np.stack(planes, axis=2)


def noisy_picture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 20 / 255, (SIZE, SIZE, 3))
    return (clean_picture() + noise).clip(0, 1)


def stored_as_jpeg(quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.rint(clean_picture() * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)) / 255


def material_of(pixels: np.ndarray) -> Material:
    channels = tuple(Channel("albedo", c, "srgb", "a.png", i, None, (0.0, 1.0)) for i, c in enumerate("rgb"))
    return Material("test", SIZE, SIZE, (), channels, pixels.astype(np.float32), None, "clamp")


@pytest.fixture(scope="module")
def restored() -> gstex.Texture:
    return gstex.compress(material_of(noisy_picture()), loss="restore", mips=False)


def test_noise_is_left_out(restored):
    clean, noisy = clean_picture(), noisy_picture()
    after = metrics.psnr(restored.decode(), clean)
    assert after > metrics.psnr(noisy, clean) + 6
    plain = gstex.compress(material_of(noisy), bpp=restored.fit["bpp"], effort="fast", mips=False)
    assert after > metrics.psnr(plain.decode(), clean) + 0.3


def test_traces_of_jpeg_are_left_out():
    damaged = stored_as_jpeg(10)
    texture = gstex.compress(material_of(damaged), loss="restore", mips=False)
    assert metrics.psnr(texture.decode(), clean_picture()) > metrics.psnr(damaged, clean_picture()) + 0.2


def test_the_file_says_how_it_was_made_and_equal_fits_are_equal(restored, tmp_path):
    fit = restored.fit
    assert fit["loss"] == "restore" and fit["effort"] == "normal"
    assert fit["bpp"] == 3.0 and 2.7 < restored.report["bpp"] <= 3
    again = gstex.compress(material_of(noisy_picture()), loss="restore", mips=False)
    restored.save(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_settings_and_rates_of_the_losses():
    assert [rate_of(q, "restore") for q in ("draft", "normal", "high")] == [0.5, 1.0, 2.0]
    assert [rate_of(q, "l2") for q in ("draft", "normal", "high")] == [1 / 16, 1 / 8, 1 / 4]
    thorough = make_settings("thorough", "direct", "restore")
    assert thorough == make_settings("fast", "direct", "restore") and thorough.loss == "l2" and thorough.fineness < 1
    assert make_settings("fast", "direct", "perceptual").fineness == make_settings("fast", "direct", "l2").fineness == 1


def test_the_command(command: Command, tmp_path: Path):
    Image.fromarray(np.rint(noisy_picture() * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    ran = command("compress", tmp_path / "photo.png", "--loss", "restore", "--bpp", "2", "--no-mips", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["bpp"] <= 2
    texture = gstex.load("photo.gstex")
    assert texture.fit["loss"] == "restore"
    assert metrics.psnr(texture.decode(), clean_picture()) > metrics.psnr(noisy_picture(), clean_picture()) + 6
