"""A fit without geometry: when it is taken, what it costs, and what its file holds."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from test_fit import material_of
from test_fit_palettes import patches, picture_of

import gstex
import gstex.encode.compress
import gstex.encode.uniform_grid
from gstex import metrics
from gstex.encode.codebooks import MOST_TABLES
from gstex.encode.mip_chain import SHARED
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import Result, Target, Task
from gstex.encode.schedule import stored_features
from gstex.encode.settings import make_settings
from gstex.encode.uniform_grid import CHOICES, TRIAL_ROUNDS, UniformGrid, fit_uniform_grid
from gstex.format import header_words, palette_words, unpack
from gstex.material import Material

SIZE, BPP = 96, 3.0
SETTINGS = make_settings("fast", "direct", "l2")


def cloth(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """float32 [H, W, C]: detail of about 2 texels everywhere, in the colours of one ramp; it tiles."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(width), np.fft.fftfreq(height)))
    plane = np.fft.ifft2(np.fft.fft2(rng.random((height, width))) * np.exp(-((frequency / 0.25) ** 2))).real
    plane = (plane - plane.min()) / np.ptp(plane)
    return (plane[:, :, None] * rng.uniform(0.3, 0.9, channels) + rng.uniform(0, 0.1, channels)).astype(np.float32)


def task_of(image: np.ndarray, budget: int, *, repeat: bool = True) -> Task:
    channels = image.shape[2]
    return Task(target=Target.of(image, np.ones_like(image)), ranges=[(0.0, 1.0)] * channels, neutral=[()] * channels,
                repeat=repeat, stack_channels=channels, budget_words=budget)  # fmt: skip


def grid_of(task: Task) -> UniformGrid:
    return UniformGrid(task, SETTINGS, np.random.default_rng(0), lambda *state: None, CpuEngine)


@dataclass(frozen=True)
class Fitted:
    """What compress() gives, and the fits of its mips."""

    material: Material
    texture: gstex.Texture
    mips: list


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    fits: list = []
    chain = gstex.encode.compress.fit_chain
    material = material_of(cloth(SIZE, SIZE, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gstex.encode.compress, "fit_chain", lambda *a, **k: fits.append(chain(*a, **k)) or fits[0])
        return Fitted(material, gstex.compress(material, bpp=BPP, effort="fast"), fits[0])


def test_cloth_is_a_regular_grid(fitted):
    first = unpack(fitted.texture.words).mips[0]
    (level,) = first.levels
    layout, palettes = level.layout, unpack(fitted.texture.words).palettes
    assert layout.regular and layout.geometry_bits == 0
    assert layout.stride == sum(len(p).bit_length() - 1 for p in palettes) > 0
    np.testing.assert_array_equal(level.cell, np.arange(layout.cells_x * layout.cells_y))
    assert fitted.texture.report["candidates_mean"] == 9


def test_it_is_nearer_than_free_gaussians_of_the_same_bytes(fitted, monkeypatch):
    monkeypatch.setattr("gstex.encode.mip_chain.fit_uniform_grid", lambda *a, **k: None)
    free = gstex.compress(fitted.material, bpp=BPP, effort="fast").report
    report = fitted.texture.report
    assert free["bpp"] <= BPP >= report["bpp"] and report["psnr"] > free["psnr"] + 3  # 5.3 measured
    assert report["gaussians"] > 2 * free["gaussians"]


def test_the_budget_is_used_and_never_exceeded(fitted):
    words, first = fitted.texture.words, fitted.mips[0]
    mip_1 = int(words[12])
    assert first.words == mip_1 - header_words(3, fitted.texture.mip_count)
    assert 0.95 * BPP <= 32 * mip_1 / SIZE**2 == fitted.texture.report["bpp"] <= BPP


def test_the_file_decodes_to_the_picture_of_the_fit(fitted):
    first = fitted.mips[0]
    assert np.abs(fitted.texture.decode() - picture_of(first).clip(0, 1)).max() < 1e-4
    error = ((picture_of(first) - fitted.material.pixels) ** 2).sum(dtype=np.float64)
    assert error == pytest.approx(first.error, rel=1e-4)


def test_mips_share_a_regular_grid_too(fitted):
    assert fitted.mips[1] == SHARED
    small = fitted.material.pixels.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean(axis=(1, 3))
    assert metrics.psnr(fitted.texture.decode(1), small) > fitted.texture.report["psnr"] - 3


@pytest.mark.parametrize("options", [{"importance": np.eye(SIZE, dtype=np.float32)}, {"loss": "restore"}])
def test_there_is_no_grid_where_some_places_matter_or_noise_is_to_go(fitted, options):
    texture = gstex.compress(fitted.material, bpp=BPP, effort="fast", mips=False, **options)
    assert not any(level.layout.regular for level in unpack(texture.words).mips[0].levels)


def test_a_count_that_is_asked_for_is_kept(fitted):
    assert gstex.compress(fitted.material, gaussians=400, effort="fast", mips=False).report["gaussians"] == 400


def test_another_fit_that_is_better_stays(monkeypatch):
    """At once where the grid cannot follow; a grid that can is judged when it is done."""
    budget, finished = int(BPP * SIZE**2 / 32), []
    finish = UniformGrid.finish
    monkeypatch.setattr(UniformGrid, "finish", lambda fit: finished.append(fit) or finish(fit))

    def fit(image: np.ndarray, best: float) -> Result | None:
        finished.clear()
        return fit_uniform_grid(task_of(image, budget), SETTINGS, best, rng=np.random.default_rng(0),
                           progress=lambda *state: None)  # fmt: skip

    image = patches(SIZE, 3, 5)
    found = fit(image, np.inf)
    assert found is not None
    assert fit(image, 0.2 * found.error) is None and not finished
    assert fit(image, found.error) is None and finished
    again = fit(image, found.error * 1.01)
    assert again is not None and again.error == found.error


def test_a_smooth_map_is_not_left_behind(monkeypatch):
    """Few entries go to the maps of much detail; a smooth one gains a dB for next to nothing of all."""
    rng = np.random.default_rng(4)
    size = 2 * SIZE
    turn = 2 * np.pi * np.arange(size) / size
    smooth = np.broadcast_to(0.5 + 0.2 * np.sin(turn)[:, None], (size, size))
    noise = rng.uniform(0.2, 0.8, (size, size, 3))
    image = np.concatenate([noise, smooth[:, :, None]], axis=2).astype(np.float32)
    maps = np.array([0, 0, 0, 1])
    errors = []
    for most_loss in (0.0, gstex.encode.uniform_grid.MOST_LOSS):
        monkeypatch.setattr(gstex.encode.uniform_grid, "MOST_LOSS", most_loss)
        task = replace(task_of(image, size * size * 2 // 32), maps=maps)
        fit = grid_of(task)
        fit.start((4,))
        fit.solve(TRIAL_ROUNDS)
        result = fit.finish()
        values = stored_features(result).values()
        left = fit.trainer.errors(fit.trainer.parameters.geometry, values)
        assert left.sum() == pytest.approx(result.error)
        errors.append(left)
    before, after = errors
    assert after[3] < 0.8 * before[3]
    assert after.sum() <= gstex.encode.uniform_grid.MOST_LOSS * before.sum()


def test_a_budget_without_room_for_tables_has_no_grid():
    task = task_of(cloth(32, 32, 3), 60)
    assert all(grid_of(task).room(bits) == 0 for bits in CHOICES)
    assert fit_uniform_grid(task, SETTINGS, np.inf, rng=np.random.default_rng(0), progress=lambda *state: None) is None


@pytest.mark.parametrize("width, height, repeat", [(96, 96, True), (300, 40, True), (7, 900, False), (2000, 1, True)])
@pytest.mark.parametrize("bits", [(8,), (6, 6)])
def test_grids_fill_the_budget_and_cover_the_picture(width, height, repeat, bits):
    task = task_of(cloth(height, width, 2), 2000, repeat=repeat)
    fit = grid_of(task)
    fit.start(bits)
    (cells,) = fit.trainer.pyramid.cells.tolist()
    records, room = cells[0] * cells[1], fit.room(bits)
    assert palette_words(bits, 2) <= MOST_TABLES * 2000
    assert min(cells) >= (3 if repeat else 1)
    assert records <= room and (records > 0.85 * room or min(cells) <= 3)
    geometry = fit.trainer.parameters.geometry.copy()
    np.testing.assert_allclose(geometry[-1, :2], [width, height] - fit.trainer.pyramid.cell_size[0] / 2, rtol=1e-5)
    assert (geometry[:, 2] == 0).all() and np.ptp(geometry[:, 3:5]) == 0
    fit.solve(1)
    np.testing.assert_array_equal(fit.trainer.parameters.geometry, geometry)


def test_progress_never_falls_back() -> None:
    """The grid is tried when the steps of the fit are done, whatever its own number of steps."""
    height, width = 32, 40
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack([0.5 + 0.4 * np.sin(columns), 0.5 + 0.4 * np.cos(rows)], axis=2).astype(np.float32)
    task = Task(Target.of(image, np.ones_like(image)), [(0.0, 1.0)] * 2, [()] * 2, False, 2, 600)
    settings = make_settings("normal", "direct", "l2")
    steps: list[int] = []
    fit_uniform_grid(task, settings, np.inf, rng=np.random.default_rng(0),
                progress=lambda stage, step, mse: steps.append(step))  # fmt: skip
    assert steps and set(steps) == {settings.steps}
