"""Launches that are recorded and made again as one: on the host, on CuPy's streams, and when that is done."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from cuda_host import HostDevice, HostError
from fake_cupy import FakeCupy

from gstex.cuda import CupyDevice, Device
from gstex.encode.ops.cuda import replays
from gstex.encode.ops.cuda.replays import Replays

COUNT = 64
KERNEL = ("check.cu", "check")


def launch(device: Device, numbers: np.ndarray, out: np.ndarray) -> None:
    device.kernel(*KERNEL)((2,), (32,), numbers, out, np.int32(COUNT))


def arrays() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(COUNT, dtype=np.int32), np.zeros(COUNT, np.int32)


DEVICES = {"host": HostDevice, "CuPy": lambda: CupyDevice(FakeCupy(graphs=True))}


@pytest.mark.parametrize("name", DEVICES)
def test_what_is_recorded_runs_when_it_is_called_and_reads_memory_then(name: str) -> None:
    device, (numbers, out) = DEVICES[name](), arrays()
    replay = device.record(lambda: launch(device, numbers, out))
    assert replay is not None and not out.any()
    for plus in (0, 5):
        numbers += plus
        replay()
        np.testing.assert_array_equal(out, 3 * numbers + 1)


def test_the_host_must_not_wait_while_launches_are_recorded() -> None:
    device, (numbers, _) = HostDevice(), arrays()
    for wait in (lambda: device.to_host(numbers), device.synchronize):
        with pytest.raises(HostError, match="only recorded"):
            device.record(wait)
    device.synchronize()  # and afterwards it may


def test_a_graph_of_cupy_is_captured_in_a_stream_of_its_own_and_launched_in_the_one_of_the_arrays() -> None:
    cupy = FakeCupy(graphs=True)
    device, (numbers, out) = CupyDevice(cupy), arrays()
    replay = device.record(lambda: [launch(device, numbers, out) for _ in range(3)])  # type: ignore[arg-type]
    assert cupy.streams == [77] * 3
    replay()
    replay()
    assert [graph.count for graph in cupy.cuda.Stream.graphs] == [2]
    launch(device, numbers, out)
    assert cupy.streams[3:] == [0]


def test_without_graphs_there_is_nothing_to_repeat() -> None:
    asked: list[int] = []
    assert CupyDevice(FakeCupy()).record(lambda: asked.append(1)) is None
    refusing = CupyDevice(FakeCupy(graphs=True))
    refusing.xp.cuda.Stream.refuses = True
    assert refusing.record(lambda: asked.append(1)) is None
    refusing.xp.cuda.Stream.refuses = False
    assert refusing.record(lambda: asked.append(1)) is None  # it is not tried again
    assert asked == []


def test_our_own_mistakes_are_not_taken_for_those_of_cupy() -> None:
    device = CupyDevice(FakeCupy(graphs=True))

    def fail() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        device.record(fail)
    assert device.record(lambda: None) is not None


def test_work_is_done_once_before_it_is_recorded() -> None:
    device, (numbers, out) = HostDevice(), arrays()
    replay, done = Replays(device), []

    def work() -> None:
        done.append(1)
        launch(device, numbers, out)

    for made, called, replayed in ((1, 1, 0), (2, 2, 1), (3, 2, 2), (4, 2, 3)):
        replay("a", 1, (numbers, out), work)
        assert (device.launches["check"], len(done), device.replays) == (made, called, replayed)
    replay("a", 2, (numbers, out), work)  # depends on something else
    assert len(done) == 3 and device.launches["check"] == 5
    other = np.zeros_like(out)
    replay("a", 2, (numbers, other), lambda: launch(device, numbers, other))
    assert (other == 3 * numbers + 1).all() and device.launches["check"] == 6
    assert device.replays == 5


def test_a_device_knows_what_it_has_done() -> None:
    """Kernels for other channels are others, and must run once before they are recorded."""
    device, (numbers, out) = HostDevice(), arrays()
    for channels, replayed in ((3, 0), (3, 1), (4, 1), (4, 2)):
        Replays(device, channels)("a", 1, (), lambda: launch(device, numbers, out))
        assert device.replays == replayed
    Replays(HostDevice(), 3)("a", 1, (), lambda: launch(device, numbers, out))
    assert device.replays == 2


def test_old_recordings_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "_MOST", 2)
    device, done = HostDevice(), []
    replay = Replays(device)
    for key in (0, 1, 2, 1, 3, 1, 2, 3):
        replay("a", key, (), lambda key=key: done.append(key))  # type: ignore[misc]
    assert done == [0, 1, 2, 3, 1, 2, 3]  # recorded anew where another took the place


def test_a_device_that_cannot_record_makes_the_launches_one_by_one() -> None:
    device, (numbers, out) = CupyDevice(FakeCupy()), arrays()
    replay = Replays(device)
    for plus in (0, 1, 2):
        numbers += plus
        replay("a", 1, (numbers, out), partial(launch, device, numbers, out))
        assert (out == 3 * numbers + 1).all()
