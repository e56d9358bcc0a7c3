"""A fit with palettes as a whole: what it costs, what its file holds, and what the mips below make of it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from same_bits import each_thread_count
from test_fit import material_of

import gstex
import gstex.encode.compress
from gstex.encode.engine import NO_JITTER
from gstex.encode.mip_chain import CHAIN_COST_OWN
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.problem import Result, Target, Task
from gstex.encode.quantisation import words_needed
from gstex.encode.schedule import fit_mip, stored_features
from gstex.encode.settings import make_settings
from gstex.encode.uniform_grid import UniformGrid
from gstex.format import palette_words, unpack
from gstex.material import Material

SIZE, BPP = 64, 16
# The channels of the stack that vary: one of them, 3, is constant.
VARYING = [0, 1, 2, 4, 5, 6, 7, 8]


def patches(size: int, channels: int, colours: int, seed: int = 0) -> np.ndarray:
    """float32 [size, size, channels]: patches with hard edges in a few colours, all channels together; it tiles."""
    rng = np.random.default_rng(seed)
    apart = np.abs(np.stack(np.mgrid[:size, :size], axis=2)[:, :, None] - rng.random((60, 2)) * size)
    nearest = (np.minimum(apart, size - apart) ** 2).sum(axis=3).argmin(axis=2)
    return rng.random((colours, channels))[rng.integers(0, colours, 60)[nearest]].astype(np.float32)


def material() -> Material:
    """Few colours, a constant channel, and a mip 1 of its own, so that no mip shares the Gaussians of mip 0."""
    pixels = patches(SIZE, 9, 6)
    pixels[:, :, 3] = 0.25
    own = pixels.reshape(SIZE // 2, 2, SIZE // 2, 2, 9).mean(axis=(1, 3))
    return replace(material_of(pixels), own_mips=(own,))


@dataclass(frozen=True)
class Fitted:
    """What compress() gives, and the fits of its mips."""

    texture: gstex.Texture
    mips: list


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    fits: list = []
    chain = gstex.encode.group_fits.fit_chain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gstex.encode.group_fits, "fit_chain", lambda *a, **k: fits.append(chain(*a, **k)) or fits[0])
        patch.setattr(UniformGrid, "promises", lambda grid, error: False)
        return Fitted(gstex.compress(material(), bpp=BPP, effort="fast"), fits[0])


def picture_of(mip: Result) -> np.ndarray:
    """What the fit itself shows with all Gaussians that are visible, float32 [H, W, V], not clamped."""
    pyramid = mip.coding.pyramid
    geometry, features = Quantiser(mip.coding, mip.placement).decode(mip.geometry), stored_features(mip).values()
    backend = CpuView(pyramid)
    nothing = np.zeros((pyramid.height, pyramid.width, features.shape[1]), np.float32)
    backend.set_target(Target.of(nothing, nothing), np.ones(nothing.shape[2], np.float32))
    backend.place(mip.placement, geometry, margin=math.inf)
    return backend.render(geometry, features, mip.background, NO_JITTER)[0]


def test_few_colours_have_palettes(fitted):
    info, coding = fitted.texture.info(), fitted.mips[0].coding
    assert not any(layout.regular for layout in filter(None, coding.levels))
    (group,) = info["groups"]
    assert [p["bits"] for p in group["palettes"]] == list(coding.palette_bits) != []
    assert group["channel_bits"] == [0] * len(VARYING) and group["channels"] == list(VARYING)
    for stored, mine in zip(unpack(fitted.texture.words).groups[0].palettes, coding.palettes, strict=True):
        np.testing.assert_array_equal(stored, mine)
    assert fitted.mips[0].entries.shape == (len(fitted.mips[0].geometry), len(coding.palettes))
    assert all(len(np.unique(e)) > 1 for e in fitted.mips[0].entries.T)


def test_tables_and_records_cost_what_was_counted(fitted):
    (group,), first = fitted.texture.table.groups, fitted.mips[0]
    tables = palette_words(first.coding.palette_bits, len(VARYING))
    assert group.mips[0].words == words_needed(first.coding, first.placement, len(VARYING))
    assert first.words == tables + group.mips[0].words


def test_the_budget_holds_the_tables_too(fitted):
    report, size = fitted.texture.report, fitted.texture.info()["mip_0_bytes"]
    assert report["bpp"] == 8 * size / SIZE**2
    assert 0.97 * BPP <= report["bpp"] <= BPP
    assert report["gpu_bytes"] <= CHAIN_COST_OWN * size


def test_the_file_decodes_to_the_picture_of_the_fit(fitted, tmp_path):
    fitted.texture.save(tmp_path / "a.gstex")
    loaded = gstex.load(tmp_path / "a.gstex")
    of_gaussians = [number for number, mip in enumerate(fitted.mips) if isinstance(mip, Result)]
    assert of_gaussians[:2] == [0, 1]
    for number in of_gaussians:
        decoded = loaded.decode(number)
        assert np.abs(decoded[:, :, VARYING] - picture_of(fitted.mips[number]).clip(0, 1)).max() < 1e-4
        assert (decoded[:, :, 3] == np.float32(0.25)).all()


def test_the_picture_is_the_one_that_was_improved(fitted):
    """With the palettes as they were left: the fit measured its error when all was done."""
    pixels = material().pixels
    for mip, image in zip(fitted.mips[:2], (pixels, material().own_mips[0]), strict=True):
        error = ((picture_of(mip) - image[:, :, VARYING]) ** 2).sum(dtype=np.float64)
        assert error == pytest.approx(mip.error, rel=1e-4)
    assert gstex.metrics.psnr(fitted.texture.decode()[:, :, VARYING], pixels[:, :, VARYING]) > 31  # 33.3 measured


def test_mips_below_have_the_palettes_of_mip_0(fitted):
    first, *below = [mip for mip in fitted.mips if isinstance(mip, Result)]
    assert below
    for mip in below:
        assert mip.coding.palette_bits == first.coding.palette_bits
        for mine, of_mip_0 in zip(mip.coding.palettes, first.coding.palettes, strict=True):
            np.testing.assert_array_equal(mine, of_mip_0)
        assert (mip.entries < [len(p) for p in first.coding.palettes]).all() and not mip.features.any()
        # They do not pay for them.
        assert mip.words == words_needed(mip.coding, mip.placement, len(VARYING))
    assert gstex.metrics.psnr(fitted.texture.decode(1)[:, :, VARYING], material().own_mips[0][:, :, VARYING]) > 25


def test_same_words_for_any_number_of_threads(fitted, monkeypatch):
    monkeypatch.setattr(UniformGrid, "promises", lambda grid, error: False)
    for _ in each_thread_count(1, 3):
        again = gstex.compress(material(), bpp=BPP, effort="fast")
        np.testing.assert_array_equal(again.words, fitted.texture.words)


def test_a_flat_half_decodes_to_its_codes():
    """Neutral normals, black and white come back as their 8-bit codes away from the busy half, but for a few texels."""
    pixels = patches(SIZE, 8, 6)
    flat = np.array([128 / 255, 128 / 255, 0, 1, 0, 1, 128 / 255, 0], np.float32)
    pixels[:, : SIZE // 2] = flat
    plain = material_of(pixels, wrap="clamp")
    neutral = [(128 / 255,) if 0 < v < 1 else (0.0, 1.0) for v in flat]
    channels = tuple(replace(c, neutral=n) for c, n in zip(plain.channels, neutral, strict=True))
    texture = gstex.compress(replace(plain, channels=channels), bpp=BPP, effort="normal", mips=False)
    assert texture.info()["groups"][0]["palettes"]
    off = np.abs(np.round(texture.decode()[:, : SIZE // 4] * 255) - np.round(flat * 255))
    assert off.max() <= 1 and (off > 0).mean() < 0.02  # 0 measured


def test_palettes_that_a_budget_does_not_hold_are_dropped(monkeypatch):
    """They are chosen again and again while the number of Gaussians settles; own codes are left in the end."""
    image = patches(16, 3, 4)
    task = Task(target=Target.of(image, np.ones_like(image)), ranges=[(0.0, 1.0)] * 3, neutral=[()] * 3, repeat=True,
                budget_words=200)  # fmt: skip
    monkeypatch.setattr("gstex.encode.rate_control.rank_bits", lambda *measured, **how: [(7, 7)])
    monkeypatch.setattr(UniformGrid, "promises", lambda grid, error: False)
    settings = replace(make_settings("fast", "direct", "l2"), steps=40, relocations=2)
    result = fit_mip(task, settings, seed=0, progress=lambda *state: None)
    assert result.coding.palette_bits == () == result.coding.palettes and result.words <= 200
    assert result.entries.shape == (len(result.geometry), 0) and len(result.geometry) > 10
