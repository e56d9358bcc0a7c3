"""What a fit asks of a GPU does not grow: launches, waits, and what is recorded, counted with kernels on the host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from counting_device import CountingDevice
from cuda_host.build import require_compiler
from test_fit import material_of, waves

from gstex.encode.ops.cuda.array_work import array_work
from gstex.encode.ops.cuda.codebooks import train
from gstex.encode.uniform_grid import UniformGrid
from gstex.json_types import JsonObject, JsonView

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import gpu.phases  # noqa: E402
import gpu_counts  # noqa: E402

require_compiler()

# Of a fast fit of 48x48 texels with 3 channels and mips that share its Gaussians: 4595 launches, 500 waits and 2424
# recorded, and a fiftieth to spare for the rounding of another exp2. Where they become fewer, write down new numbers.
MOST = {"launches": 4690, "waits": 510, "recorded": 2470}


@pytest.fixture(scope="module")
def counted() -> JsonObject:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UniformGrid, "promises", lambda grid, error: False)
        return gpu_counts.count_fit(material_of(waves(48, 48, 3, seed=1)), effort="fast", bpp=3)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[CountingDevice]:
    """Those that the test makes."""
    found: list[CountingDevice] = []
    made = CountingDevice.__init__
    monkeypatch.setattr(CountingDevice, "__init__", lambda self: found.append(self) or made(self))
    return found


@pytest.mark.parametrize("kind", MOST)
def test_a_small_fit_asks_for_no_more_than_it_did(counted: JsonView, kind: str) -> None:
    assert counted["whole"][kind] <= MOST[kind], gpu_counts.lines(counted)


def test_phases_are_those_of_a_fit_and_add_up(counted: JsonView) -> None:
    phases = counted["phases"]
    assert {"start", "steps", "lists", "relocation", "freeze", "quantised steps", "refinement"} <= set(phases)
    for kind in gpu_counts.COUNTED:
        assert counted["whole"][kind] == pytest.approx(sum(row[kind] for row in phases.values()))
    steps = phases["steps"]
    assert steps["host_seconds"] > 0 and steps["recorded"] > 0
    # A step is the upload of its numbers and what was recorded of it; 150 of them, and 14 of half as many Gaussians.
    assert 2 * 164 < steps["launches"] < 5 * 164
    text = gpu_counts.lines(counted)
    assert len(text) == len(phases) + 2 and text[-1].startswith("all ")


@pytest.mark.parametrize("loss", ["l2", "perceptual"])
def test_what_a_fit_compiles_is_known_before(
    loss: str, devices: list[CountingDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With palettes and a grid, and so little of them that it is soon over."""
    prepared: list[tuple[str, Mapping[str, int | str]]] = []
    monkeypatch.setattr(CountingDevice, "prepare", lambda self, sources, work: prepared.extend(sources))
    gpu_counts.count_fit(material_of(waves(24, 24, 2, seed=1)), effort="fast", loss=loss, bpp=3)
    used = {(key[0], *key[2:]) for key in devices[0]._kernels}
    known = {(file, *sorted(defines.items())) for file, defines in prepared}
    assert used <= known and len(known) == len(prepared) == (17 if loss == "perceptual" else 16)


def test_what_cupy_compiles_for_a_fit_is_known_before(devices: list[CountingDevice]) -> None:
    """The types and axes of all that fits do with arrays, and nothing else."""
    gpu_counts.count_fit(material_of(waves(48, 48, 3, seed=1)), effort="fast", bpp=3)
    for options in ({"bpp": 6}, {"bpp": 3, "loss": "perceptual"}):  # with palettes; by another loss
        gpu_counts.count_fit(material_of(waves(24, 24, 2, seed=1)), effort="fast", **options)
    device = CountingDevice()
    xp, rng = device.xp, np.random.default_rng(0)
    # More entries than values, and a second palette.
    train(device, xp.asarray(rng.random((10, 3), np.float32)), xp.asarray(np.ones(10)), (4, 1), rng)
    xp.ascontiguousarray(xp.asarray(np.zeros((3, 2), np.uint32))[:, 1])  # refine_features.move_bytes, of the second
    known = CountingDevice()
    for work in array_work(known.xp, 3):
        work()
    asked = set().union(*(device.counts.asked for device in devices if device is not known))
    assert sorted(asked - known.counts.asked) == [] == sorted(known.counts.asked - asked)


def test_what_counts_as_a_launch_and_what_as_a_wait() -> None:
    device = CountingDevice()
    xp, counts = device.xp, device.counts

    def of(work: Callable[[], object]) -> tuple[int, int]:
        launches, waits = counts.launches, counts.waits
        work()
        return counts.launches - launches, counts.waits - waits

    a, mask = xp.arange(8, dtype=np.int32), xp.asarray(np.arange(8) > 4)
    assert counts.launches == 2 and counts.waits == 0
    assert of(lambda: xp.empty(4)) == (0, 0)
    assert of(lambda: a[2:4].reshape(1, 2)) == (0, 0)
    assert of(lambda: xp.asarray(a)) == (0, 0)
    assert of(lambda: a + a * 2) == (2, 0)
    assert of(lambda: a.__setitem__(slice(2), 1)) == (1, 0)
    assert of(lambda: a[xp.zeros(3, np.int32)]) == (2, 0)
    assert of(lambda: a[mask]) == (1, 1)
    assert of(lambda: xp.flatnonzero(mask)) == (1, 1)
    assert of(lambda: int(a[0])) == (0, 1)
    assert of(lambda: device.to_host(a)) == (0, 1)
    numbers, out = xp.arange(64, dtype=np.int32), xp.zeros(64, np.int32)

    def launch() -> None:
        device.kernel("check.cu", "check")((2,), (32,), numbers, out, np.int32(64))

    assert of(launch) == (1, 0)
    recorded: list[Callable[[], None]] = []
    assert of(lambda: recorded.append(device.record(lambda: [launch() for _ in range(3)]))) == (0, 0)  # type: ignore
    assert counts.recorded == 3 and of(recorded[0]) == (1, 0)
    with pytest.raises(AssertionError, match="only kernels"):
        device.record(lambda: numbers + 1)


def test_a_phase_ends_where_one_inside_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Work:
        def outer(self) -> None:
            now[0] += 1
            self.inner()
            now[0] += 2

        def inner(self) -> None:
            now[0] += 10

    monkeypatch.setattr(gpu.phases, "PHASES", ((Work, "outer", "a"), (Work, "inner", "b")))
    plain = Work.outer

    def phases() -> Iterator[dict[str, dict[str, float]]]:
        with gpu.phases.by_phase(lambda: {"s": now[0]}) as found:
            now[0] += 100
            Work().outer()
            Work().inner()
        yield found

    found = next(phases())
    assert found == {"before and after": {"s": 100}, "a": {"s": 3}, "b": {"s": 20}}
    assert Work.outer is plain
