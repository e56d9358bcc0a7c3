"""Checkpoints of fits: whatever ends a fit, it goes on to the same bytes."""

import hashlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from command import Command
from msgspec import structs
from small_samples import crop_sample

import gstex
from gstex.batch import Options, plan
from gstex.batch.work import make_output
from gstex.encode import checkpoint as module
from gstex.encode.checkpoint import Checkpoint, Spot
from gstex.encode.fit_state import FitState, check_result
from gstex.encode.problem import Task
from gstex.encode.schedule import Schedule
from gstex.encode.settings import EFFORTS, Settings
from gstex.encode.trainer import Trainer
from gstex.encode.uniform_grid import UniformGrid
from gstex.material import Material, load_material

HEAD = len(module._MAGIC) + 32


@pytest.fixture(autouse=True)
def at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints whenever there is something to leave, and fits of few steps with everything in them."""
    monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setattr(module, "COST", 0.0)
    monkeypatch.setitem(EFFORTS, "normal", (100, 7, 4, 2))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return load_material(crop_sample("rusted_steel", tmp_path_factory.mktemp("steel") / "steel", 64))


def kept_states(
    material: Material, path: Path, monkeypatch: pytest.MonkeyPatch, **how: object
) -> tuple[bytes, list[bytes]]:
    """The words of a fit, and the contents of its file after each checkpoint."""
    states: list[bytes] = []
    write = Checkpoint.write

    def write_and_keep(self: Checkpoint) -> None:
        write(self)
        states.append(path.read_bytes())

    monkeypatch.setattr(Checkpoint, "write", write_and_keep)
    texture = gstex.compress(material, checkpoint=path, **how)
    monkeypatch.setattr(Checkpoint, "write", write)
    return texture.words.tobytes(), states


# Options, and the stages that checkpoints of them reach: a regular grid may end a fit before the later ones.
ALL = {"optimise", "quantise", "tune", "refine"}
FITS: dict[str, tuple[dict[str, object], set[str]]] = {
    "one group": ({"gaussians": 150, "groups": "1"}, ALL),
    "beside a grid": ({"bpp": 4.0, "groups": "1", "weights": {"albedo": 2.0}}, ALL),
    "as a grid": ({"bpp": 1.5, "groups": "1"}, {"optimise"}),
    "two groups": ({"bpp": 6.0, "groups": "roughness,ao", "importance": "auto", "mips": False}, ALL),
    "bilinear": ({"gaussians": 60, "sampling": "bilinear", "wrap": "repeat"}, ALL),
    "perceptual": ({"bpp": 1.0, "loss": "perceptual", "mips": False}, {"optimise", "quantise", "refine"}),
    "a target": ({"psnr": 27.0}, set()),
}
EVERY_STATE = ("one group", "beside a grid")


@pytest.mark.parametrize("name", FITS)
def test_from_every_checkpoint_to_the_same_bytes(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    how, stages = FITS[name]
    plain = gstex.compress(material, device="cpu", **how).words.tobytes()
    path = tmp_path / "fit"
    words, states = kept_states(material, path, monkeypatch, device="cpu", **how)
    assert words == plain
    last = last_of_each_stage(states)
    assert {stage for _, stage in last} >= stages | {"done"}, last
    chosen = range(len(states)) if name in EVERY_STATE else last.values()
    for number in chosen:
        path.write_bytes(states[number])
        words, again = kept_states(material, path, monkeypatch, device="cpu", **how)
        assert words == plain, (number, last)
        assert set(again) <= set(states), (number, last)  # not a bit of what comes after differs


def test_what_a_grid_promised_is_kept(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that goes on from a late state still fits a grid that promised less than the fit has in the end."""
    late: list[float] = []

    def promises(self: UniformGrid, error: float) -> bool:
        self.promised = 1e-6
        return False

    monkeypatch.setattr(UniformGrid, "promises", promises)
    monkeypatch.setattr(Schedule, "late_grid", lambda self: late.append(self._promised))
    path = tmp_path / "fit"
    how = {"bpp": 4.0, "groups": "1", "device": "cpu", "mips": False}
    _, states = kept_states(material, path, monkeypatch, **how)
    assert late == [1e-6]
    path.write_bytes(next(states[n] for (_, stage), n in last_of_each_stage(states).items() if stage == "tune"))
    gstex.compress(material, checkpoint=path, **how)
    assert late == [1e-6] * 2


def last_of_each_stage(states: list[bytes]) -> dict[tuple[str, str], int]:
    """(which fit, stage) -> the number of its last checkpoint."""
    last = {}
    for number, data in enumerate(states):
        saved = contents(data)
        last[saved.spot, saved.state.stage if saved.state else "done"] = number
    return last


def contents(data: bytes) -> module._Saved:
    return msgspec.msgpack.decode(data[HEAD:], type=module._Saved, dec_hook=module._decode)


def sealed(saved: module._Saved) -> bytes:
    """A file whose hash is right."""
    payload = msgspec.msgpack.encode(saved, enc_hook=module._encode)
    return module._MAGIC + hashlib.sha256(payload).digest() + payload


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The steps that are made."""
    made: list[int] = []
    step = Trainer.step

    def count(self: Trainer, *arguments: object, **how: object) -> None:
        made.append(self.step_count)
        step(self, *arguments, **how)

    monkeypatch.setattr(Trainer, "step", count)
    yield made


HOW = {"gaussians": 60, "groups": "1", "device": "cpu", "mips": False}


def test_what_is_done_is_not_done_again(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    path = tmp_path / "fit"
    _, states = kept_states(material, path, monkeypatch, **HOW)
    whole = len(steps)
    last = last_of_each_stage(states)
    left = {}
    for stage in ("optimise", "quantise", "tune", "refine", "done"):
        steps.clear()
        path.write_bytes(states[max(n for (_, s), n in last.items() if s == stage)])
        gstex.compress(material, checkpoint=path, **HOW)
        left[stage] = len(steps)
    assert whole > left["optimise"] > left["quantise"] > left["tune"] > left["refine"] == left["done"] == 0
    assert left["quantise"] == 100 - 60  # of the steps after the freeze


def test_a_cut_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mips are fitted again until they hold the coverage; those fits leave nothing."""
    leaves = load_material(crop_sample("vine_leaves", tmp_path / "leaves", 64))
    how = {"gaussians": 60, "alpha_test": 0.5, "device": "cpu", "groups": "1"}
    plain = gstex.compress(leaves, **how).words.tobytes()
    words, states = kept_states(leaves, tmp_path / "fit", monkeypatch, **how)
    assert words == plain
    for data in (states[len(states) // 2], states[-1]):
        (tmp_path / "fit").write_bytes(data)
        assert gstex.compress(leaves, checkpoint=tmp_path / "fit", **how).words.tobytes() == plain


def test_of_another_fit_nothing_is_taken(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    path = tmp_path / "fit"
    _, states = kept_states(material, path, monkeypatch, **HOW)
    whole = len(steps)
    changed = replace(material, pixels=np.flip(material.pixels, axis=0).copy())
    others = ((material, {"seed": 1}), (material, {"gaussians": 61}), (changed, {}), (material, {"wrap": "repeat"}))
    for other, how in others:
        plain = gstex.compress(other, **{**HOW, **how}).words.tobytes()
        steps.clear()
        path.write_bytes(states[-1])
        assert gstex.compress(other, checkpoint=path, **{**HOW, **how}).words.tobytes() == plain
        assert len(steps) >= 100 and whole >= 100


def test_a_damaged_file_is_as_good_as_none(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fit"
    _, states = kept_states(material, path, monkeypatch, **HOW)
    good, chance = states[len(states) // 2], random.Random(2)
    key = contents(good).key
    path.write_bytes(good)
    assert module._read(path, key) is not None
    for _ in range(200):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        assert module._read(path, key) is None
        path.write_bytes(good[: chance.randrange(len(good))])
        assert module._read(path, key) is None
    for nonsense in (b"", module._MAGIC, sealed(contents(good))[:HEAD] + b"\xc1", b"\x00" * 1000):
        path.write_bytes(nonsense)
        assert module._read(path, key) is None
    payload = msgspec.msgpack.encode({"key": key, "mips": {"0 0": [[[[]]]]}})
    path.write_bytes(module._MAGIC + hashlib.sha256(payload).digest() + payload)
    assert module._read(path, key) is None


def wrong(saved: module._Saved) -> Iterator[tuple[str, FitState]]:
    """States that no fit leaves, all with arrays that kernels would follow out of their bounds, or into nonsense."""
    state, t = saved.state, saved.state.trainer

    def trainer(**changes: object) -> FitState:
        return structs.replace(state, trainer=structs.replace(t, **changes))

    def changed(array: np.ndarray, value: float) -> np.ndarray:
        array = array.copy()
        array.reshape(-1)[0] = value
        return array

    yield "NaN", trainer(geometry=changed(t.geometry, np.nan))
    yield "short", trainer(features=t.features[1:].copy())
    yield "kind", trainer(features=t.features.astype(np.float64))
    yield "moments", trainer(moments=(t.moments[0][1:].copy(), *t.moments[1:]))
    yield "level", trainer(level=changed(t.level, 99))
    yield "steps", trainer(step_count=10**6)
    yield "shared", trainer(shared_mse=(1.0,))
    yield "pyramid", trainer(pyramid=replace(t.pyramid, cells=t.pyramid.cells * 10000))
    yield "size", trainer(pyramid=replace(t.pyramid, width=10**6))
    yield "generator", trainer(generator="{}")
    yield "no JSON", trainer(generator="[")
    yield "none", trainer(geometry=t.geometry[:0], features=t.features[:0], level=t.level[:0],
                          moments=tuple(m[:0] for m in t.moments))  # fmt: skip
    yield "placement", trainer(placement=changed(t.placement, 99))
    yield "cells", trainer(placement=t.placement + np.array([0, 9999, 0], np.int32))
    yield "codes", structs.replace(state, codes=state.codes[1:].copy())
    stored = state.stored
    yield "entries", structs.replace(state, stored=replace(stored, entries=stored.entries + np.uint32(9999)))
    yield "books", structs.replace(state, stored=replace(stored, codebooks=stored.codebooks[1:].copy()))
    yield "no codes", structs.replace(state, codes=None)
    yield "widths", structs.replace(state, coding=replace(state.coding, levels=tuple(
        layout and replace(layout, position_x_bits=99) for layout in state.coding.levels)))  # fmt: skip


def test_a_state_that_no_fit_leaves_is_not_taken(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, how = tmp_path / "fit", {**HOW, "gaussians": 400}
    plain, states = kept_states(material, path, monkeypatch, **how)
    number = max(n for (_, stage), n in last_of_each_stage(states).items() if stage == "tune")
    saved = contents(states[number])
    assert saved.state.stored.entries.size  # there are palettes
    monkeypatch.setattr(module, "EVERY", 1e9)
    asked: list[tuple[Spot, Task, Settings]] = []
    look = Spot.state

    def look_and_keep(self: Spot, task: Task, settings: Settings) -> FitState | None:
        asked.append((self, task, settings))
        return look(self, task, settings)

    monkeypatch.setattr(Spot, "state", look_and_keep)
    states_of_none = dict(wrong(saved))
    for name in ("NaN", "generator", "no JSON"):  # the whole way
        saved.state = states_of_none[name]
        path.write_bytes(sealed(saved))
        assert gstex.compress(material, checkpoint=path, **how).words.tobytes() == plain, name
    spot, task, settings = asked[-1]
    for name, state in states_of_none.items():
        spot._saved.spot, spot._saved.state = spot._name, state
        assert (look(spot, task, settings) is None) == (name not in ("generator", "no JSON")), name
    result = contents(states[-1]).mips["0 0"]
    check_result(result, task)
    for broken in (replace(result, placement=result.placement + np.int32(9999)), replace(result, words=0),
                   replace(result, geometry=result.geometry[1:].copy())):  # fmt: skip
        with pytest.raises(ValueError):
            check_result(broken, task)
        spot._saved.mips["0 0"] = broken
        assert spot.result(task) is None


def test_a_file_that_cannot_be_written_stops_nothing(material: Material, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    notes: list[str] = []
    texture = gstex.compress(material, checkpoint=tmp_path / "file/fit", notes=notes.append, **HOW)
    assert texture.words.tobytes() == gstex.compress(material, **HOW).words.tobytes()
    assert len(notes) == 1 and notes[0].startswith("goes on without a checkpoint; ")


def test_no_sooner_than_its_cost_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 19.0, 20.0, 30.0, 32.0, 432.0 - 1, 432.0])
    monkeypatch.setattr(module, "EVERY", 20.0)
    monkeypatch.setattr(module, "COST", 200.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    one = Checkpoint(tmp_path / "fit", "key")
    assert not one.due() and one.due()
    one.write()  # takes two seconds
    assert not one.due() and one.due()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from batch_library import QUICK
from gstex.batch import plan
from gstex.batch.work import make_output
from gstex.encode import checkpoint
from gstex.encode.checkpoint import Checkpoint
from test_checkpoint import OPTIONS

checkpoint.EVERY = checkpoint.COST = 0.0
write, count = Checkpoint.write, 0
def dies(self):
    global count
    write(self)
    count += 1
    if count == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.write = dies
(item,) = plan(sys.argv[2], sys.argv[3], options=OPTIONS).items
make_output(item, Path(sys.argv[3]))
"""
OPTIONS = Options(effort="fast", gaussians=60, device="cpu")


def test_a_batch_goes_on_from_a_checkpoint_after_kill_9(tmp_path: Path, steps: list[int]) -> None:
    library, out = crop_sample("rusted_steel", tmp_path / "steel", 64), tmp_path / "out"
    run_in = [sys.executable, "-c", KILLED, Path(__file__).parent, library, out, "5"]
    done = subprocess.run(list(map(str, run_in)), capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = out / ".gstex-batch/steel.gstex.fit"
    assert left.is_file() and not (out / "steel.gstex").exists()
    (item,) = plan(library, out, options=OPTIONS).items
    make_output(item, out)
    went_on = len(steps)
    assert not left.exists()
    steps.clear()
    make_output(item, tmp_path / "new")
    assert (out / "steel.gstex").read_bytes() == (tmp_path / "new/steel.gstex").read_bytes()
    assert went_on < len(steps)


def test_compress_goes_on_from_a_checkpoint(tmp_path: Path, command: Command, steps: list[int]) -> None:
    source, out = crop_sample("rusted_steel", tmp_path / "steel", 64), tmp_path / "steel.gstex"
    arguments = ("compress", source, "-o", out, "--gaussians", "60", "--device", "cpu", "--no-mips", "--groups", "1")
    assert command(*arguments).code == 0
    plain, whole = out.read_bytes(), len(steps)
    out.unlink()
    write, count = Checkpoint.write, 0

    def write_and_stop(self: Checkpoint) -> None:
        nonlocal count
        write(self)
        count += 1
        if count == 6:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "write", write_and_stop)
        ran = command(*arguments, "--checkpoint")
    assert ran.code == 130 and not out.exists() and (tmp_path / "steel.gstex.fit").is_file()
    assert ran.err.splitlines()[-1].endswith("stopped by Ctrl-C; no output was written")
    steps.clear()
    assert command(*arguments, "--checkpoint").code == 0
    assert out.read_bytes() == plain and 0 < len(steps) < whole
    assert not (tmp_path / "steel.gstex.fit").exists()
