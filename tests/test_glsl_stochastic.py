"""gstex_sample_stochastic: a tap and a mip that the noise chooses; the mean over noises is gstex_sample_grad."""

from __future__ import annotations

import math

import numpy as np
import pytest
from glsl_materials import material_of, quick_fit, random_texture
from glsl_runner import LIMIT, Runner, context_or_skip
from independent_sampling import footprint
from small_samples import SAMPLES
from test_expanded import SAMPLE_LIMIT, ExpandedRunner

from gstex.texture import Texture

NOISES = 1024


def random_points(count: int, mips: int) -> tuple[np.ndarray, np.ndarray]:
    """uv [count, 2] and steps [count, 2, 2] of small and large pixels, some of them slanted."""
    rng = np.random.default_rng(3)
    uv = rng.uniform(-1, 2, (count, 2)).astype(np.float32)
    sizes = np.exp2(rng.uniform(-mips - 1, -1, (count, 1, 2)))
    return uv, (rng.normal(size=(count, 2, 2)) * sizes).astype(np.float32)


def linear(texture: Texture, values: np.ndarray) -> np.ndarray:
    """As light, where a channel is sRGB."""
    srgb = [entry.srgb for entry in texture.table.header.channels]
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.where(srgb, light, values)


def stored(texture: Texture, light: np.ndarray) -> np.ndarray:
    srgb = [entry.srgb for entry in texture.table.header.channels]
    return np.where(srgb, np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055), light)


def chosen(texture: Texture, uv: np.ndarray, duv: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the noise chooses, written plainly: uv [M, 2] of the tap, and the mip [M]."""
    material, header = material_of(texture), texture.table.header
    at, mips = np.empty_like(uv), np.empty(len(uv))
    for i, (point, steps, x) in enumerate(zip(uv.astype(float), duv.astype(float), noise.astype(float), strict=True)):
        lod, taps, step = footprint(material, steps)
        tap, rest = divmod(x * taps, 1)
        lod = min(max(lod, header.first_mip), header.mip_count - 1)
        at[i] = point + (tap - (taps - 1) / 2) * np.array(step)
        mips[i] = math.floor(lod) + (rest < lod - math.floor(lod))
    return at, mips


@pytest.mark.parametrize("repeat_of", [5, 6])  # clamp and bilinear, repeat and direct
def test_it_is_the_tap_and_the_mip_that_the_noise_chooses(repeat_of: int) -> None:
    texture = random_texture(repeat_of)
    uv, duv = random_points(1000, texture.mip_count)
    noise = ((np.arange(1000) * 0.6180339887) % 1).astype(np.float32)
    at, mips = chosen(texture, uv, duv, noise)
    with context_or_skip():
        runner = Runner()
        runner.upload(texture.words)
        found = runner.sample_stochastic(uv, duv, noise)[:, : texture.channels]
    wanted = texture.sample(at.astype(np.float32), mips)
    far = np.abs(found - wanted).max(axis=1) > LIMIT
    assert far.mean() < 0.01, "rounding may choose the other tap at the border between two, and nothing else"


@pytest.mark.parametrize("kind", ["core", "es", "expanded"])
def test_its_mean_is_the_footprint(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over noises that are spread evenly, in linear light."""
    texture = quick_fit(monkeypatch, SAMPLES / "rusted_steel", 800)
    count = 48
    uv, duv = random_points(count, texture.mip_count)
    noise = (np.arange(NOISES, dtype=np.float32) + 0.5) / NOISES
    with context_or_skip(es=kind == "es"):
        runner = ExpandedRunner() if kind == "expanded" else Runner(es=kind == "es")
        runner.upload(texture.expanded() if kind == "expanded" else texture.words)
        many = np.repeat(uv, NOISES, axis=0), np.repeat(duv, NOISES, axis=0), np.tile(noise, count)
        found = runner.sample_stochastic(*many, vec4s=2).reshape(count, NOISES, -1)
        whole = runner.sample_grad(uv, duv, vec4s=2)
    mean = stored(texture, linear(texture, found[:, :, : texture.channels]).mean(axis=1))
    np.testing.assert_allclose(mean, whole[:, : texture.channels], rtol=0, atol=1 / 512)
    limit = SAMPLE_LIMIT if kind == "expanded" else LIMIT
    last = [footprint(material_of(texture), steps)[0] < 3 for steps in duv]  # mips that are texels are bilinear in both
    np.testing.assert_allclose(whole[last, : texture.channels], texture.sample(uv, duv=duv)[last], rtol=0, atol=limit)
