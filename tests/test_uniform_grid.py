"""A fit without geometry: when it is taken, what it costs, and what its file holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from test_fit import material_of
from test_fit_palettes import patches, picture_of

import gstex
import gstex.encode.compress
import gstex.encode.uniform_grid
from gstex import metrics
from gstex.encode import schedule
from gstex.encode.codebooks import MOST_TABLES, best_codebooks
from gstex.encode.mip_chain import Shared
from gstex.encode.problem import Result, Target, Task
from gstex.encode.schedule import fit_mip, stored_features
from gstex.encode.settings import make_settings
from gstex.encode.uniform_grid import BALANCES, CHOICES, TRIAL_ROUNDS, WORTH, UniformGrid
from gstex.format import ChannelEntry, group_header_words, header_words, palette_words, unpack
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
                repeat=repeat, budget_words=budget)  # fmt: skip


def grid_of(task: Task) -> UniformGrid:
    return UniformGrid(task, SETTINGS, np.random.default_rng(0))


@dataclass(frozen=True)
class Fitted:
    """What compress() gives, and the fits of its mips."""

    material: Material
    texture: gstex.Texture
    mips: list


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    fits: list = []
    chain = gstex.encode.group_fits.fit_chain
    material = material_of(cloth(SIZE, SIZE, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gstex.encode.group_fits, "fit_chain", lambda *a, **k: fits.append(chain(*a, **k)) or fits[0])
        return Fitted(material, gstex.compress(material, bpp=BPP, effort="fast"), fits[0])


def test_cloth_is_a_regular_grid(fitted):
    (group,) = unpack(fitted.texture.words).groups
    (level,) = group.mips[0].levels
    layout, palettes = level.layout, group.palettes
    assert layout.regular and layout.geometry_bits == 0
    assert layout.stride == sum(len(p).bit_length() - 1 for p in palettes) > 0
    np.testing.assert_array_equal(level.cell, np.arange(layout.cells_x * layout.cells_y))
    assert fitted.texture.report["candidates_mean"] == 9


def test_it_is_nearer_than_free_gaussians_of_the_same_bytes(fitted, monkeypatch):
    monkeypatch.setattr(UniformGrid, "promises", lambda grid, error: False)
    free = gstex.compress(fitted.material, bpp=BPP, effort="fast").report
    report = fitted.texture.report
    assert free["bpp"] <= BPP >= report["bpp"] and report["psnr"] > free["psnr"] + 3  # 5.3 measured
    assert report["gaussians"] > 2 * free["gaussians"]


def test_the_budget_is_used_and_never_exceeded(fitted):
    first, count = fitted.mips[0], fitted.texture.mip_count
    heads = header_words((ChannelEntry(),) * 3, 1) + group_header_words(3, count, fitted.texture.table.header.tail)
    assert 0.95 * BPP <= 32 * (heads + first.words) / SIZE**2 == fitted.texture.report["bpp"] <= BPP


def test_the_file_decodes_to_the_picture_of_the_fit(fitted):
    first = fitted.mips[0]
    assert np.abs(fitted.texture.decode() - picture_of(first).clip(0, 1)).max() < 1e-4
    error = ((picture_of(first) - fitted.material.pixels) ** 2).sum(dtype=np.float64)
    assert error == pytest.approx(first.error, rel=1e-4)


def test_mips_share_a_regular_grid_too(fitted):
    assert isinstance(fitted.mips[1], Shared)
    small = fitted.material.pixels.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean(axis=(1, 3))
    assert metrics.psnr(fitted.texture.decode(1), small) > fitted.texture.report["psnr"] - 3


@pytest.mark.parametrize("options", [{"importance": np.eye(SIZE, dtype=np.float32)}, {"loss": "restore"}])
def test_there_is_no_grid_where_some_places_matter_or_noise_is_to_go(fitted, options):
    texture = gstex.compress(fitted.material, bpp=BPP, effort="fast", mips=False, **options)
    assert not any(level.layout.regular for level in unpack(texture.words).groups[0].mips[0].levels)


def test_a_count_that_is_asked_for_is_kept(fitted):
    assert gstex.compress(fitted.material, gaussians=400, effort="fast", mips=False).report["gaussians"] == 400


def test_a_grid_is_given_up_at_once_where_it_cannot_follow():
    image, budget = patches(SIZE, 3, 5), int(BPP * SIZE**2 / 32)
    grid = grid_of(task_of(image, budget))
    assert grid.promises(np.inf)
    calls: list[None] = []
    result = grid.fit(lambda: calls.append(None))
    assert 2 <= len(calls) <= 2 + BALANCES
    assert not grid_of(task_of(image, budget)).promises(0.2 * result.error)


@pytest.mark.parametrize("bpp", [4.2, 6.0, 8.5, 11.0])
def test_the_bits_are_those_that_leave_least(bpp):
    """On noise the error falls off a cliff where a grid has a Gaussian in every texel, which no slope tells."""
    image = np.random.default_rng(2).random((64, 64, 4), np.float32)
    task = task_of(image, int(bpp * 64**2 / 32))
    grid = grid_of(task)
    assert grid.promises(np.inf)
    result = grid.fit()
    others = []
    for bits in CHOICES:
        if 2 * 2 ** max(bits) <= (other := grid_of(task)).room(bits):
            other.start(bits)
            others.append(other.fit())
    assert result.error < 1.25 * min(other.error for other in others)
    assert len(result.placement) <= 64**2


def test_a_grid_is_fitted_where_it_promises_less_than_rounded_gaussians(monkeypatch):
    grid = grid_of(task_of(cloth(96, 96, 4), int(6.0 * 96**2 / 32)))
    promised = grid.promise()
    monkeypatch.setattr(grid, "promise", lambda: promised)
    assert grid.promises(promised / (0.99 * WORTH)) and not grid.promises(promised / (1.01 * WORTH))


@pytest.mark.parametrize("bits", [(4,), (5, 5)])
def test_what_a_grid_has_to_beat_is_steady_and_includes_rounding(monkeypatch, bits):
    """Steps swing features about, and small codebooks round much."""
    asked: list[float] = []
    monkeypatch.setattr(UniformGrid, "promises", lambda grid, error: asked.append(error))
    task = task_of(np.random.default_rng(2).random((64, 64, 4), np.float32), 900)
    fit = schedule.Schedule(task, SETTINGS, np.random.default_rng(0), lambda *state: None)
    fit.start()
    fit.optimise(30)
    fit.rate.codebook_bits = bits
    trainer, p = fit.trainer, fit.trainer.parameters
    swing = np.random.default_rng(1).normal(0, 0.4, p.features.shape).astype(np.float32)
    errors = []
    for sign in (1, -2, 1):
        p.features += sign * swing
        errors.append(trainer.error(p.geometry, p.features))
        before = p.features.copy()
        assert fit.try_grid() == (None, False)
        assert trainer.parameters is p and np.array_equal(p.features, before)
    assert min(errors[:2]) > 1.2 * errors[2] and max(asked) < 1.05 * min(asked)
    with trainer.solved(schedule.SOLVED_ROUNDS):
        solved = trainer.error(p.geometry, trainer.parameters.features)
        coding, _ = fit.rate.coding()
        _, share, _ = trainer.removal_cost()
        coding = best_codebooks(trainer, coding, share, p.geometry)
        stored = trainer.engine.store(coding, trainer.placement, trainer.parameters.features)
        rounded = trainer.error(p.geometry, stored.values())
    assert rounded > 1.03 * solved
    assert 0.5 * (rounded - solved) < asked[2] - solved < 1.5 * (rounded - solved)


@dataclass
class Promise:
    """A grid that promises enough, and has this error when it is done."""

    result: Result
    promised: float = 0.0

    def promises(self, error: float) -> bool:
        return True

    def fit(self, told: Callable[[], None]) -> Result:
        told()
        return self.result


def test_the_better_one_stays(monkeypatch):
    """A grid that keeps its promise ends the fit; one that does not is judged when the free fit is done."""
    told: list[tuple[str, float]] = []

    def run() -> Result:
        told.clear()
        task = task_of(patches(64, 3, 5), 600)
        return fit_mip(task, SETTINGS, seed=0, progress=lambda stage, part, mse: told.append((stage, part)))

    with monkeypatch.context() as patch:
        patch.setattr(UniformGrid, "promises", lambda grid, error: False)
        free = run()
    # A picture that is small ends with the free fit all the same: its later stages may gain much.
    for factor, large, taken, ends in [(0.01, 1, True, True), (100.0, 1, False, False), (0.01, 64**2 + 1, True, False)]:
        grid = Promise(replace(free, error=factor * free.error))
        with monkeypatch.context() as patch:
            patch.setattr("gstex.encode.schedule.UniformGrid", lambda *arguments, grid=grid: grid)
            patch.setattr("gstex.encode.schedule.SURE_TEXELS", large)
            assert (run() is grid.result) == taken
        stages, parts = ({stage for stage, _ in told}, [part for _, part in told])
        assert "grid" in stages and ("refine" in stages) == (not ends)
        assert parts == sorted(parts) and parts[-1] <= 1
    for factor, taken in [(0.99, True), (1.01, False)]:
        late = replace(free, error=factor * free.error)
        with monkeypatch.context() as patch:
            patch.setattr("gstex.encode.schedule.Schedule.try_grid", lambda schedule, late=late: (late, False))
            assert (run() is late) == taken


def test_a_grid_is_fitted_late_where_the_free_fit_ends_above_its_promise(monkeypatch):
    """Before the freeze the promise was above what was expected of free Gaussians. They may end worse all the same."""
    task = task_of(patches(64, 3, 5), 600)
    told: list[tuple[str, float]] = []

    @dataclass
    class LatePromise(Promise):
        def promises(self, error: float) -> bool:
            return error == np.inf  # only when nothing has to be beaten

    def run(factor: float, promised: float) -> tuple[Result, Result]:
        told.clear()
        grid = LatePromise(replace(free, error=factor * free.error), promised * free.error)
        with monkeypatch.context() as patch:
            patch.setattr("gstex.encode.schedule.UniformGrid", lambda *arguments: grid)
            return fit_mip(task, SETTINGS, seed=0, progress=lambda *state: told.append(state[:2])), grid.result

    with monkeypatch.context() as patch:
        patch.setattr(UniformGrid, "promises", lambda grid, error: False)
        free = fit_mip(task, SETTINGS, seed=0, progress=lambda *state: None)
    for factor, promised, taken, tried in [(0.9, 0.9, True, 2), (1.1, 0.9, False, 2), (0.9, 1.1, False, 1)]:
        result, grid = run(factor, promised)
        assert (result is grid) == taken and result.error == (grid.error if taken else free.error)
        assert [stage for stage, _ in told].count("grid") >= tried
        parts = [part for _, part in told]
        assert parts == sorted(parts) and parts[-1] <= 1


def test_a_grid_that_will_hardly_be_the_result_leaves_the_bar_room_for_the_free_fit(monkeypatch):
    told: list[tuple[str, float]] = []

    def told_of_grid(promised: float) -> float:
        told.clear()
        task = task_of(patches(64, 3, 5), 600)
        with monkeypatch.context() as patch:
            patch.setattr("gstex.encode.schedule.UniformGrid", lambda *arguments: Promise(free, promised))
            patch.setattr("gstex.encode.schedule.SURE_TEXELS", 0)
            fit_mip(task, SETTINGS, seed=0, progress=lambda stage, part, mse: told.append((stage, part)))
        return max(part for stage, part in told if stage == "grid")

    with monkeypatch.context() as patch:
        patch.setattr(UniformGrid, "promises", lambda grid, error: False)
        task = task_of(patches(64, 3, 5), 600)
        free = fit_mip(task, SETTINGS, seed=0, progress=lambda *state: None)
    free = replace(free, error=100 * free.error)
    assert told_of_grid(np.inf) < 0.7 < told_of_grid(0.0)


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
    assert not grid_of(task).promises(np.inf)


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


@pytest.mark.parametrize(("picture", "grid"), [(cloth(48, 48, 3), True), (patches(48, 3, 6), False)])
def test_a_long_fit_foresees_whether_it_ends_as_a_grid(monkeypatch, picture, grid):
    """What it tells of its work then jumps nowhere far, and the result is the same as without."""
    monkeypatch.setattr(schedule, "SURE_TEXELS", 0)  # small pictures are never sure to end as a grid
    settings = replace(make_settings("normal", "direct", "l2"), steps=schedule.FORESEEN_STEPS)

    def fit() -> tuple[Result, float]:
        told: list[float] = []
        result = fit_mip(task_of(picture, 48 * 48 * 3 // 32), settings, seed=0,
                         progress=lambda stage, part, mse: told.append(part))  # fmt: skip
        assert told == sorted(told)
        return result, float(np.diff(told).max())

    result, jump = fit()
    assert (not result.geometry.any()) == grid
    monkeypatch.setattr(schedule, "FORESEEN_STEPS", settings.steps + 1)
    again, blind = fit()
    assert np.array_equal(result.features, again.features) and np.array_equal(result.geometry, again.geometry)
    assert jump < 0.2 and (blind > 0.3) == grid
