"""Maps of different sizes: hidden colour stays out of visible edges. Cut-outs: every mip holds its coverage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gstex
from gstex.filtering import bilinear
from gstex.material import Channel, Material, load_material, write_maps
from gstex.material.visible import fill_hidden

YELLOW = (250, 200, 20)


def disc(size: int, inside: tuple[int, int, int], hidden: tuple[int, int, int], margin: float = 0) -> np.ndarray:
    """uint8 [size, size, 4]: an opaque disc with a soft edge, and something else in what is hidden, from `margin`
    texels beyond the edge."""
    y, x = np.mgrid[:size, :size] + 0.5
    reach = size * 0.35 - np.hypot(x - size / 2, y - size / 2)
    alpha = np.clip(reach, 0, 1)
    pixels = np.empty((size, size, 4), np.uint8)
    pixels[:, :, :3] = np.where((reach > -margin)[:, :, None], inside, hidden)
    pixels[:, :, 3] = np.rint(255 * alpha)
    return pixels


def opaque(size: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(90, 160, (size, size), np.uint8))


@pytest.mark.parametrize("scale", [2, 1.5, 4])
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 0, 255)])
@pytest.mark.parametrize("apart", [False, True])
def test_hidden_colour_stays_out_of_what_is_seen(
    apart: bool, hidden: tuple[int, int, int], scale: float, tmp_path: Path
) -> None:
    pixels = disc(32, YELLOW, hidden, margin=1 if apart else 0)
    opaque(int(32 * scale)).save(tmp_path / "a_rough.png")
    if apart:  # the opacity in a file and a size of its own
        Image.fromarray(pixels[:, :, :3]).save(tmp_path / "a_col.png")
        Image.fromarray(disc(int(32 * scale), YELLOW, hidden)[:, :, 3]).save(tmp_path / "a_opacity.png")
    else:
        Image.fromarray(pixels).save(tmp_path / "a_col.png")
    material = load_material(tmp_path)
    seen = material.pixels[:, :, 3] > 0.01
    assert seen.any()
    assert np.abs(material.pixels[seen][:, :3] * 255 - YELLOW).max() <= 2
    # The way back: a decoder may put anything where nothing is seen.
    stack = material.pixels.copy()
    stack[:, :, :3][material.pixels[:, :, 3] < 0.5 / 255] = 0.5
    write_maps(material.to_metadata(), stack, tmp_path / "out")
    written = np.asarray(Image.open(tmp_path / "out" / "a_col.png"))
    assert np.abs(written[pixels[:, :, 3] > 60][:, :3].astype(int) - YELLOW).max() <= 3


def test_maps_of_one_size_and_data_stay_as_they_are(tmp_path: Path) -> None:
    pixels = disc(32, YELLOW, (9, 8, 7))
    Image.fromarray(pixels).save(tmp_path / "a_col.png")
    opaque(16).save(tmp_path / "a_rough.png")
    material = load_material(tmp_path)
    assert np.array_equal(np.rint(material.pixels[:, :, :4] * 255), pixels)


def test_filling() -> None:
    colors = np.full((8, 8, 1), 0.25, np.float32)
    colors[:, 4:] = 1
    opacity = np.ones((8, 8), np.float32)
    opacity[:, 4:] = 0
    assert np.allclose(fill_hidden(colors, opacity, repeat=False), 0.25)
    assert np.array_equal(fill_hidden(colors, np.zeros((8, 8), np.float32), repeat=False), colors)
    assert fill_hidden(colors, np.ones((4, 4), np.float32), repeat=False) is colors


# ---- coverage ----

def covered(opacity: np.ndarray, alpha_test: float) -> float:
    """Random points, the project's bilinear filter: not how the code measures."""
    uv = np.random.default_rng(0).random((1 << 17, 2))
    return float(np.mean(bilinear(opacity[:, :, None].astype(np.float64), uv, repeat=True) >= alpha_test))


def fence(n: int) -> np.ndarray:
    y, x = np.mgrid[:n, :n] / n
    return ((np.abs(((x * 9) % 1) - 0.5) < 0.03) | (np.abs(((y * 9) % 1) - 0.5) < 0.025)).astype(float)


def foliage(n: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:n, :n]
    result = np.zeros((n, n))
    for cx, cy, r in zip(rng.random(40) * n, rng.random(40) * n, 2 + 3 * rng.random(40), strict=True):
        distance = np.hypot((x - cx + n / 2) % n - n / 2, (y - cy + n / 2) % n - n / 2)
        result = np.maximum(result, np.clip(r - distance + 0.5, 0, 1))
    return result


@pytest.mark.parametrize(("make", "size", "alpha_test"), [
    (fence, 128, 0.5), (fence, 100, 0.5), (foliage, 96, 0.3), (foliage, 64, 0.8),
])  # fmt: skip
def test_every_decoded_mip_holds_the_coverage(make, size: int, alpha_test: float) -> None:
    opacity = make(size)
    y, x = np.mgrid[:size, :size] / size
    pixels = np.stack([0.3 + 0.3 * x, 0.5 + 0.2 * y, 0.2 + 0 * x, opacity], axis=2).astype(np.float32)
    roles = [("albedo", "r", "srgb"), ("albedo", "g", "srgb"), ("albedo", "b", "srgb"), ("opacity", "v", "linear")]
    channels = tuple(Channel(r, p, s, "a.png", i, None, (0.0, 1.0)) for i, (r, p, s) in enumerate(roles))
    material = Material("a", size, size, (), channels, pixels, None, "repeat")
    texture = gstex.compress(material, bpp=2.0, effort="fast", device="cpu", alpha_test=alpha_test)
    target = covered(opacity, alpha_test)
    found = [covered(texture.decode(mip)[:, :, 3], alpha_test) for mip in range(1, texture.mip_count - 1)]
    assert np.abs(np.array(found) - target).max() < 0.0115  # 0.01, and what random points differ by
    assert texture.report["coverage"][1:-1] == pytest.approx(found, abs=0.003)
    assert np.abs(np.array(texture.report["coverage"][1:-1]) - texture.report["coverage"][0]).max() <= 0.01
