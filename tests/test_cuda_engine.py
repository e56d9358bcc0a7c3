"""A whole fit on the engine of the GPU, run on the CPU, and where `compress` fits and what it says of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from command import Command
from cuda_host import HostDevice
from fake_cupy import CUDARuntimeError, FakeCupy, OutOfMemoryError
from small_samples import crop_sample
from strict_cupy import Array, StrictCupy
from test_fit import material_of, waves

import gstex
from gstex import decode
from gstex.cuda import CupyDevice, Device
from gstex.cuda import device as cuda_device
from gstex.cuda.device import Kernel
from gstex.encode import compress as compression
from gstex.encode.engine import MakeEngine
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.ops.cuda.engine import GpuEngine
from gstex.encode.problem import Target, Task
from gstex.encode.schedule import Schedule
from gstex.encode.settings import Settings, make_settings
from gstex.encode.uniform_grid import UniformGrid
from gstex.errors import DeviceError
from gstex.material import Material

HOST = HostDevice()
STEPS = 60


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps: a thread of a GPU takes its time on a CPU."""
    made = compression.make_settings
    monkeypatch.setattr(
        compression, "make_settings", lambda *options: replace(made(*options), steps=STEPS, relocations=2)
    )


def on(monkeypatch: pytest.MonkeyPatch, device: object) -> None:
    """Let compress() open this device."""
    monkeypatch.setattr(compression, "open_device", lambda preference: device)


def own_mip(height: int, width: int, channels: int, seed: int) -> Material:
    """With a mip 1 of its own, whose Gaussians start from those of mip 0."""
    pixels = waves(height, width, channels, seed=seed).astype(np.float32)
    half = pixels.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))
    return replace(material_of(pixels), own_mips=(half,))


# ---- A compression --------------------------------------------------------------------------------------------------


CASES = {
    "repeat": (lambda: material_of(waves(32, 40, 3, seed=1)), {}),
    "clamp": (lambda: material_of(waves(27, 33, 2, seed=2), wrap="clamp"), {}),
    "perceptual": (lambda: material_of(waves(32, 24, 2, seed=3)), {"loss": "perceptual"}),
    "bilinear, no mips": (lambda: material_of(waves(24, 32, 2, seed=4)), {"sampling": "bilinear", "mips": False}),
    "a mip of its own": (lambda: own_mip(32, 32, 2, 5), {}),
    "a draft": (lambda: material_of(waves(64, 64, 2, seed=6)), {"effort": "draft", "mips": False}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_the_gpu_is_as_good_as_one_of_the_cpu(name: str, short, monkeypatch: pytest.MonkeyPatch) -> None:
    make, options = CASES[name]
    material, options = make(), {"effort": "fast", **options}
    expected = gstex.compress(material, gaussians=50, device="cpu", **options)
    on(monkeypatch, HOST)
    found = gstex.compress(material, gaussians=50, device="cuda", **options)
    assert found.report["gaussians"] == 50
    # Roundings part them. Of the case without mips eight seeds differ by -0.01 dB on average, and scatter by 0.05.
    for figure in ("psnr", "psnr_sampled"):
        assert found.report[figure] == pytest.approx(expected.report[figure], abs=0.2)
    for mip, expected_mip in zip(found.report["mips"][:3], expected.report["mips"][:3], strict=True):
        assert mip["psnr"] > expected_mip["psnr"] - 0.6  # -0.5 and +0.7 measured, on 6x8 texels
    assert (found.words != expected.words[: len(found.words)]).any()  # it is another fit
    np.testing.assert_allclose(decode.decode_texels(found.words), found.decode(), atol=1e-6)


def test_it_says_where_it_was_fitted(short, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    material, lines = material_of(waves(16, 16, 2)), []
    on(monkeypatch, HOST)
    texture = gstex.compress(material, gaussians=9, effort="fast", device="cuda", notes=lines.append)
    assert (texture.report["backend"], texture.report["device"]) == ("cuda", "host")
    assert texture.fit["backend"] == "cuda"
    assert lines == ["fits on host"]
    texture.save(tmp_path / "a.gstex")
    assert gstex.load(tmp_path / "a.gstex").fit["backend"] == "cuda"
    lines.clear()
    texture = gstex.compress(material, gaussians=9, effort="fast", device="cpu", notes=lines.append)
    assert (texture.report["backend"], texture.report["device"], lines) == ("cpu", "cpu", [])


def test_equal_fits_give_equal_bytes_in_any_order_of_threads(short, monkeypatch: pytest.MonkeyPatch) -> None:
    material, words = material_of(waves(24, 24, 2, seed=7)), []
    for device in (HOST, HOST, HostDevice(order=1), HostDevice(order=7)):
        on(monkeypatch, device)
        words.append(gstex.compress(material, bpp=3, effort="fast", device="cuda", seed=5).words.tobytes())
    assert words[0] == words[1] == words[2] == words[3]
    assert gstex.compress(material, bpp=3, effort="fast", device="cuda", seed=6).words.tobytes() != words[0]


def test_a_budget_is_kept_to(short, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, HOST)
    report = gstex.compress(material_of(waves(32, 32, 3)), bpp=4, effort="fast", device="cuda").report
    assert 3.6 < report["bpp"] <= 4


# ---- A fit ----------------------------------------------------------------------------------------------------------


def task_of(image: np.ndarray, **options: Any) -> Task:
    channels = image.shape[2]
    return Task(target=Target.of(image.astype(np.float32), np.ones_like(image, np.float32)),
                ranges=[(0.0, 1.0)] * channels, neutral=[()] * channels, repeat=True,
                **{"budget_words": 10**6, "count": 40, **options})  # fmt: skip


def settings_of(**options: Any) -> Settings:
    return replace(make_settings("fast", "direct", "l2"), **{"steps": STEPS, "relocations": 2, **options})


def engine_of(device: Device) -> MakeEngine:
    return partial(GpuEngine, device=device)


def fit_of(make_engine: MakeEngine, task: Task | None = None, **options: Any) -> Schedule:
    image = waves(24, 32, 3, seed=3).astype(np.float32)
    small = [image.reshape(24 // n, n, 32 // n, n, 3).mean(axis=(1, 3)) for n in (2, 4)]
    task = task or task_of(image, shared=tuple(Target.of(view, np.ones_like(view)) for view in small))
    return Schedule(task, settings_of(**options), np.random.default_rng(1), lambda *state: None, make_engine)


@pytest.mark.parametrize("graphs", [False, True], ids=["launches", "graphs"])
def test_arrays_of_the_host_and_of_the_gpu_do_not_mix(graphs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where each would be an exception; with palettes, and with the result of a fit of the host.

    Bytes are the same with launches one by one and with recorded ones.
    """
    monkeypatch.setattr("gstex.encode.rate_control.rank_bits", lambda *measured, **how: [(3, 2)])
    device = CupyDevice(StrictCupy(graphs=graphs))
    result = fit_of(engine_of(device)).run()
    if graphs:
        assert sum(graph.count for graph in device.xp.cuda.Stream.graphs) > STEPS
    plain = fit_of(engine_of(HOST)).run()
    for name in ("placement", "geometry", "entries", "features", "background"):
        found = getattr(result, name)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, getattr(plain, name), err_msg=name)
    assert [type(p) for p in result.coding.palettes] == [np.ndarray] * 2
    assert result.error == plain.error
    half = replace(task_of(waves(12, 16, 3, seed=3), above=result, count=12))
    assert len(fit_of(engine_of(device), half, loss="perceptual").run().geometry) == 12


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what the host has waited for: numbers, copies, and results whose sizes only the GPU knows."""
    names: list[str] = []

    def noted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        return lambda *args, **options: names.append(name) or function(*args, **options)

    for name in ("get", "__float__", "__int__", "__bool__", "__index__"):
        monkeypatch.setattr(Array, name, noted(name, getattr(Array, name)))
    slow = ("flatnonzero", "nonzero", "unique", "item", "tolist")
    for of in (StrictCupy, Array):
        found = of.__getattr__
        monkeypatch.setattr(
            of, "__getattr__", lambda self, name, found=found: (names.append(name) if name in slow else 0) or
            found(self, name)
        )  # fmt: skip
    return names


@pytest.mark.parametrize("loss", ["l2", "perceptual"])
def test_steps_do_not_wait_for_the_gpu(loss: str, waits: list[str]) -> None:
    fit = fit_of(engine_of(CupyDevice(StrictCupy())), loss=loss)
    fit.start()
    fit.trainer.step(fit.trainer.parameters.geometry, fit.trainer.parameters.features)
    fit.trainer.place()
    assert "get" in waits
    mse = fit.trainer.mse
    waits.clear()
    for _ in range(9):
        fit.trainer.step(fit.trainer.parameters.geometry, fit.trainer.parameters.features)
    assert waits == [] and fit.trainer.mse == mse
    fit.trainer.step(fit.trainer.parameters.geometry, fit.trainer.parameters.features)  # as many as are held back
    assert waits == ["get"] and fit.trainer.mse != mse
    # And on what codes mean.
    quantiser = fit.trainer.engine.quantiser(fit.rate.coding()[0], fit.trainer.placement)
    waits.clear()
    for _ in range(4):
        fit.trainer.step(*fit.trainer.engine.rounded(quantiser, fit.trainer.parameters))
    assert waits == []


@pytest.mark.parametrize("loss", ["l2", "perceptual"])
def test_a_step_has_the_gradient_of_the_cpu(loss: str) -> None:
    """Of mip 0 and of a shared mip with the weight of both; Adam's first moment is a tenth of it."""
    fits = [fit_of(make_engine, jitter=0.0, loss=loss) for make_engine in (CpuEngine, engine_of(HOST))]
    for fit in fits:
        fit.start()
        fit.trainer.parameters.features += np.float32(0.07)  # off the picture, where L1 has two slopes
        fit.trainer.step(fit.trainer.parameters.geometry, fit.trainer.parameters.features)
    expected, found = (fit.trainer.parameters for fit in fits)
    for i in (0, 2):
        largest = np.abs(expected.moments[i]).max()
        np.testing.assert_allclose(found.moments[i], expected.moments[i], atol=1e-4 * largest)
    np.testing.assert_allclose(found.features, expected.features, atol=1e-4)


@pytest.mark.parametrize("make_engine", [CpuEngine, engine_of(HOST)], ids=["cpu", "cuda"])
def test_a_step_of_the_geometry_alone(make_engine: MakeEngine) -> None:
    fit = fit_of(make_engine)
    fit.start()
    p = fit.trainer.parameters
    geometry, features = p.geometry.copy(), p.features.copy()
    fit.trainer.step(p.geometry, p.features, fixed_features=True)
    assert (p.geometry != geometry).any() and np.array_equal(p.features, features)


def test_the_schedule_learns_of_every_step_in_turn() -> None:
    """The errors are those of the CPU, which tells of each step at once."""
    followed: dict[str, list] = {}
    for name, make_engine in (("cpu", CpuEngine), ("cuda", engine_of(HOST))):
        fit = fit_of(make_engine, jitter=0.0)
        engine = fit.trainer.engine
        fit.start()
        followed[name] = seen = []
        told = engine.losses

        def losses(*, wait: bool = False, told: Callable[..., list] = told, seen: list = seen) -> list:
            seen.append(told(wait=wait))
            return seen[-1]

        engine.losses = losses  # type: ignore[method-assign]
        for _ in range(14):
            fit.trainer.step(fit.trainer.parameters.geometry, fit.trainer.parameters.features)
        fit.trainer.follow(wait=True)
    assert [len(part) for part in followed["cpu"]] == [1] * 14 + [0]
    assert [len(part) for part in followed["cuda"]] == [0] * 9 + [10] + [0] * 4 + [4]
    cpu, cuda = ([row for part in parts for row in part] for parts in followed.values())
    assert [(step, between) for step, _, between in cpu] == [(step, between) for step, _, between in cuda]
    # Adam turns the rounding of small gradients into steps; measured 6e-4.
    np.testing.assert_allclose([row[1] for row in cuda], [row[1] for row in cpu], rtol=3e-3)


def test_a_regular_grid_is_found_as_on_the_cpu() -> None:
    """Noise in few colours, which no free Gaussians follow at that rate."""
    rng = np.random.default_rng(2)
    image = rng.random((6, 3))[rng.integers(0, 6, (24, 24))]
    task = task_of(np.kron(image, np.ones((2, 2, 1)))[:40, :40], budget_words=110, count=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gstex.encode.uniform_grid.CHOICES", ((4,), (4, 4)))
        grids = [UniformGrid(task, settings_of(), np.random.default_rng(0), e) for e in (CpuEngine, engine_of(HOST))]
        assert all(grid.promises(np.inf) for grid in grids)
        expected, found = (grid.fit() for grid in grids)
    assert found.coding.levels[0].regular and found.coding.palette_bits == expected.coding.palette_bits
    np.testing.assert_array_equal(found.placement, expected.placement)
    assert found.words == expected.words <= task.budget_words
    assert found.error == pytest.approx(expected.error, rel=0.02)


# ---- Which device ---------------------------------------------------------------------------------------------------


MISSING = "CUDA: CuPy is not installed; pip install gstex[cuda]"


def broken(error: Exception) -> FakeCupy:
    cupy = FakeCupy()
    cupy.error = error
    return cupy


DEVICES: dict[str, tuple[FakeCupy | None, str]] = {
    "no CuPy": (None, MISSING),
    "no driver": (broken(CUDARuntimeError("cudaErrorInsufficientDriver: no driver")),
                  "CUDA: no driver, or one that is too old for CuPy (cudaErrorInsufficientDriver: no driver); "
                  "install or update the NVIDIA driver"),
    "too old": (FakeCupy(name="Old 900", capability=(6, 1)),
                "CUDA: Old 900 has compute capability 6.1, expected 7.5 or newer; use a newer GPU"),
    "out of memory": (broken(OutOfMemoryError("Out of memory allocating 256 bytes")),
                      "CUDA: not enough GPU memory (Out of memory allocating 256 bytes); "
                      "close other programs that use the GPU"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_without_a_gpu_auto_takes_the_cpu_and_cuda_stops(name: str, short, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy, message = DEVICES[name]
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(gstex.encode.compress, "has_driver", lambda: True)
    material, lines = material_of(waves(8, 8, 1)), []
    texture = gstex.compress(material, gaussians=4, effort="fast", notes=lines.append)
    assert lines == [f"fits on the CPU; {message}"]
    assert (texture.report["backend"], texture.report["device"]) == ("cpu", "cpu")
    with pytest.raises(DeviceError) as error:
        gstex.compress(material, gaussians=4, effort="fast", device="cuda", notes=lines.append)
    assert str(error.value) == f"{message}; or use the CPU: --device cpu"
    assert len(lines) == 1


class Full(HostDevice):
    """Its memory is full when the fit is half done."""

    name = "Small 100"

    def __init__(self, error: Exception):
        super().__init__()
        self._error = error

    def kernel(self, file: str, name: str, defines: Mapping[str, int | str] | None = None) -> Kernel:
        if name == "fit_round":
            raise self._error
        return super().kernel(file, name, defines)


OUT_OF_MEMORY = "CUDA: not enough GPU memory (no 64 bytes); close other programs that use the GPU"


@pytest.mark.parametrize("error", [OutOfMemoryError("no 64 bytes"), DeviceError(OUT_OF_MEMORY)])
def test_a_gpu_that_gives_up_in_a_fit(error: Exception, short, monkeypatch: pytest.MonkeyPatch) -> None:
    material, lines = material_of(waves(16, 16, 2)), []
    expected = gstex.compress(material, gaussians=9, effort="fast", device="cpu").words
    on(monkeypatch, Full(error))
    texture = gstex.compress(material, gaussians=9, effort="fast", notes=lines.append)
    assert lines == ["fits on Small 100", f"goes on from the start on the CPU; {OUT_OF_MEMORY}"]
    assert texture.report["backend"] == texture.fit["backend"] == "cpu"
    np.testing.assert_array_equal(texture.words, expected)
    with pytest.raises(DeviceError, match="not enough GPU memory"):
        gstex.compress(material, gaussians=9, effort="fast", device="cuda")


def test_other_mistakes_are_no_device_errors(short, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, Full(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        gstex.compress(material_of(waves(16, 16, 2)), gaussians=9, effort="fast")


def test_errors_of_cupy_become_device_errors() -> None:
    error = type("CUDARuntimeError", (RuntimeError,), {"__module__": "cupy_backends.cuda.api.runtime"})
    with pytest.raises(DeviceError) as found, cuda_device.device_errors("cuda"):
        raise error("cudaErrorIllegalAddress: an illegal memory access\nwas encountered")
    assert str(found.value).startswith("CUDA: the GPU does not work (cudaErrorIllegalAddress: an illegal")
    assert str(found.value).endswith("; or use the CPU: --device cpu")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capfd)


def test_the_command_says_where_it_fits(command: Command, tmp_path, short, monkeypatch: pytest.MonkeyPatch) -> None:
    steel = crop_sample("rusted_steel", tmp_path / "steel", 8)
    small = ("compress", steel, "--gaussians", "4", "--effort", "fast")
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(gstex.encode.compress, "has_driver", lambda: False)
    ran = command(*small)
    assert ran.code == 0 and "fits on" not in ran.err  # who has no such GPU need not hear of it
    monkeypatch.setattr(gstex.encode.compress, "has_driver", lambda: True)
    ran = command(*small)
    assert ran.code == 0 and f"gstex: fits on the CPU; {MISSING}" in ran.err.splitlines()
    ran = command(*small, "--device", "cpu")
    assert ran.code == 0 and "fits on" not in ran.err
    assert command(*small, "--device", "cuda").error() == f"{MISSING}; or use the CPU: --device cpu"
    on(monkeypatch, HOST)
    ran = command(*small, "--device", "cuda")
    assert ran.code == 0 and "gstex: fits on host" in ran.err.splitlines() and " s on host, seed 0" in ran.out
