"""What only a GPU can show: arrays of CuPy and tensors of torch that stay there, and a whole fit. Skipped without one.

The same kernels with arrays of the host: the other tests of cuda/, see cuda_devices.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cuda_decode_cases import grouped_words, points, random_words, resident_part, steps, words_of
from cuda_devices import gpu_or_reason
from cuda_host import HostDevice
from random_gaussians import random_scene
from small_samples import crop_sample

import gstex
from gstex import decode
from gstex.cuda import GpuTexture
from gstex.encode.ops.cuda.view import GpuView
from gstex.format import validate

GPU, REASON = gpu_or_reason()
if GPU is None:
    pytest.skip(REASON, allow_module_level=True)
pytestmark = pytest.mark.gpu
LIMIT = 1e-5  # of values; what a GPU adds to the rounding of test_cuda_decode.py is not measured yet
OPTIONS = {"channels": 8, "repeat": True, "palette_bits": (5, 3), "constants": [1]}


def host(array) -> np.ndarray:
    return GPU.to_host(array)


def torch_on_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch was built without CUDA, or finds no GPU")
    return torch


# ---- Decoding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: words_of(**OPTIONS),
        lambda: words_of(5, top_k=10),
        lambda: random_words(4),
        lambda: grouped_words(repeat=True),
        lambda: resident_part(grouped_words(tail=2)),
    ],
)
def test_arrays_of_cupy(make: Callable[[], np.ndarray]) -> None:
    words = make()
    texture = GpuTexture(words, GPU)
    for mip in range(validate(words).header.first_mip, texture.mip_count):
        found = texture.decode(mip)
        assert isinstance(found, GPU.xp.ndarray)
        np.testing.assert_allclose(host(found), decode.decode_texels(words, mip), rtol=0, atol=2 * LIMIT)
        out = GPU.xp.empty_like(found)
        assert texture.decode(mip, out=out) is out
        np.testing.assert_array_equal(host(out), host(found))
        np.testing.assert_array_equal(host(texture.candidates(mip)), decode.count_candidates(words, mip))


@pytest.mark.parametrize("detail", ["mip 0", "lod", "duv"])
def test_points_stay_on_the_gpu(detail: str) -> None:
    words, rng = words_of(**OPTIONS), np.random.default_rng(3)
    uv = points(rng, 400)
    more = {"mip 0": {}, "lod": {"lod": rng.uniform(-1, 6, 400).astype(np.float32)}, "duv": {"duv": steps(rng, 400)}}
    arguments = more[detail]
    texture = GpuTexture(words, GPU)
    there = {name: GPU.xp.asarray(values) for name, values in arguments.items()}
    found = texture.sample(GPU.xp.asarray(uv), **there)
    assert isinstance(found, GPU.xp.ndarray)
    np.testing.assert_array_equal(host(found), texture.sample(uv, **arguments))  # from the host and back to it
    expected = GpuTexture(words, HostDevice()).sample(uv, **arguments)
    # The number of taps of a footprint may hang by a rounding error.
    wrong = (np.abs(host(found) - expected) > LIMIT).any(axis=1)
    assert wrong.sum() <= (4 if detail == "duv" else 0)


def test_tensors_stay_on_the_gpu_and_in_their_stream() -> None:
    torch = torch_on_gpu()
    words, uv = words_of(**OPTIONS), points(np.random.default_rng(4), 5000)
    texture = GpuTexture(words, GPU)
    expected = texture.sample(uv, 1.5)
    with torch.cuda.stream(torch.cuda.Stream()):
        big = torch.full((3000, 3000), 1e-6, device="cuda") @ torch.ones(3000, 3000, device="cuda")  # takes a while
        there = torch.from_numpy(uv).to("cuda") + 0.0 * big[0, 0]
        found = texture.sample(there, torch.full((5000,), 1.5, device="cuda"))
        assert isinstance(found, torch.Tensor) and found.is_cuda and not found.requires_grad
        out = torch.empty(texture.height, texture.width, texture.channels, device="cuda")
        assert texture.decode(out=out) is out
        np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=0, atol=LIMIT)
        np.testing.assert_array_equal(out.cpu().numpy(), host(texture.decode()))


# ---- The fit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 8])
def test_gradients_with_arrays_of_cupy(channels: int) -> None:
    scene = random_scene(5, 61, 37, 300, channels, repeat=True)
    jitter = np.array([0.3, -0.4], np.float32)

    def results(device) -> list[np.ndarray]:
        def there(array):
            return device.xp.asarray(np.ascontiguousarray(array))

        backend = GpuView(scene.pyramid, device)
        backend.set_target(scene.wanted, scene.weight)
        backend.place(there(scene.placement), there(scene.geometry))
        parameters = [there(p) for p in scene.parameters]
        found = [device.to_host(array) for array in backend.step(*parameters, there(jitter))]
        found += [device.to_host(array) for array in backend.removal_cost(*parameters)]
        rendered = backend.render(*parameters, there(jitter))
        found += [device.to_host(array) for array in rendered]
        return found + [device.to_host(array) for array in backend.backward(*parameters, rendered[0])]

    for found, expected in zip(results(GPU), results(HostDevice()), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-4)


def test_a_whole_fit(tmp_path: Path) -> None:
    """As good as on the CPU, in the same bytes; the same bytes again with the same seed."""
    bricks = crop_sample("weathered_bricks", tmp_path / "bricks", 128)
    on_cpu, first, second = (gstex.compress(bricks, effort="fast", device=where) for where in ("cpu", "cuda", "cuda"))
    np.testing.assert_array_equal(first.words, second.words)
    assert first.report["bpp"] <= on_cpu.report["bpp"] * 1.02
    assert first.report["psnr"] > on_cpu.report["psnr"] - 0.3
    assert first.report["device"] != "cpu"
    np.testing.assert_allclose(host(GpuTexture(first, GPU).decode()), first.decode(), rtol=0, atol=LIMIT)
