"""Everything that runs on a GPU, with arrays as strict as CuPy's and kernels on the host (strict_cupy.py)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cuda_decode_cases import grouped_words, points, resident_part, steps, words_of
from small_samples import crop_sample
from strict_cupy import Array, StrictCupy

import gstex
from gstex import decode
from gstex.cuda import CupyDevice, GpuTexture, open_device
from gstex.encode.settings import EFFORTS
from gstex.format import validate


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> CupyDevice:
    monkeypatch.setitem(sys.modules, "cupy", StrictCupy(name="Strict"))
    return open_device("cuda")


def test_strict_arrays_refuse_what_cupy_refuses() -> None:
    xp, numbers = StrictCupy(), np.arange(4.0)
    array = xp.asarray(numbers)
    assert isinstance(array + 1, Array) and isinstance(array.sum(), Array) and isinstance(np.sqrt(array), Array)
    np.testing.assert_array_equal(xp.asnumpy(array[np.array([1, 3])] * np.float32(2)), [2, 6])
    for mistake in (
        lambda: np.asarray(array),
        lambda: array + numbers,
        lambda: numbers + array,
        lambda: xp.maximum(array, numbers),
        lambda: xp.concatenate([array, numbers]),
        lambda: array.__setitem__(slice(0, 4), numbers),
    ):
        with pytest.raises(TypeError):
            mistake()


@pytest.mark.parametrize(
    "make",
    [
        lambda: words_of(6, repeat=True, palette_bits=(3, 2), constants=[1]),
        lambda: grouped_words(repeat=True),
        lambda: resident_part(grouped_words(tail=2)),
    ],
)
def test_a_texture(make: Callable[[], np.ndarray], device: CupyDevice) -> None:
    words, rng = make(), np.random.default_rng(1)
    texture = GpuTexture(words, device)
    for mip in range(validate(words).header.first_mip, texture.mip_count):
        found = texture.decode(mip)
        assert isinstance(found, Array)
        np.testing.assert_allclose(device.to_host(found), decode.decode_texels(words, mip), rtol=0, atol=1e-5)
        np.testing.assert_array_equal(device.to_host(texture.candidates(mip)), decode.count_candidates(words, mip))
    uv, duv = points(rng, 50), steps(rng, 50)
    for detail in ({}, {"lod": 0.5}, {"lod": np.linspace(0, 4, 50)}, {"duv": duv}):
        there = texture.sample(device.xp.asarray(uv), **detail)
        assert isinstance(there, Array)
        np.testing.assert_array_equal(device.to_host(there), texture.sample(uv, **detail))


@pytest.mark.parametrize("loss", ["l2", "perceptual"])
def test_a_whole_fit(loss: str, device: CupyDevice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on NumPy, where what differs is only which of a sum's terms come first."""
    monkeypatch.setitem(EFFORTS, "fast", (40, 2, 1, 1))
    bricks = crop_sample("weathered_bricks", tmp_path / "bricks", 32)
    fitted = gstex.compress(bricks, effort="fast", bpp=5.0, device="cuda", loss=loss)
    on_cpu = gstex.compress(bricks, effort="fast", bpp=5.0, device="cpu", loss=loss)
    assert fitted.report["backend"] == "cuda" and fitted.report["device"] == "Strict"
    assert abs(fitted.report["psnr"] - on_cpu.report["psnr"]) < 1.0
