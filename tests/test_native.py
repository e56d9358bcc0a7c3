"""What runs the kernels: threads, signals, the environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import numpy as np
import pytest
from random_gaussians import Scene, random_scene
from same_bits import each_thread_count

from gstex import native
from gstex.encode.ops.cpu.view import CpuView

JITTER = np.zeros(2, np.float32)
needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timer that sends signals")


class Stop(Exception):
    """What the handler of a signal raises."""


@pytest.fixture
def timer() -> Iterator[Callable[[Callable[[int, FrameType | None], None]], None]]:
    """Calls a handler of signals twenty times a second until the test ends."""
    before = signal.getsignal(signal.SIGALRM)

    def start(handler: Callable[[int, FrameType | None], None]) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def long_step(pairs: int) -> tuple[CpuView, Scene]:
    """A step over so many pairs of a texel and a Gaussian."""
    scene = random_scene(3, 128, 128, max(4, pairs // 128**2), 3, repeat=True, cell=64.0, sigma=(60.0, 61.0))
    view = CpuView(scene.pyramid, scale=(1.0, 1.0))
    view.set_target(scene.wanted, scene.weight)
    view.place(scene.placement, scene.geometry)
    return view, scene


@needs_timer
@pytest.mark.parametrize("threads", [1, 2])
def test_signals_are_answered_inside_a_kernel(timer, threads: int) -> None:
    """A kernel that asks for none is told of them once, after its end; they do not add up. A step has four kernels."""
    calls: list[int] = []
    timer(lambda number, frame: calls.append(number))
    most = 0
    for _ in each_thread_count(threads):
        for pairs in (2**27, 2**28, 2**29, 2**30):
            view, scene = long_step(pairs)
            calls.clear()
            view.step(*scene.parameters, JITTER)
            most = max(most, len(calls))
            if most > 8:
                break
    assert most > 8


@needs_timer
@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_handler_raises_ends_the_kernel_and_the_next_one_is_right(timer, threads: int) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Stop

    for _ in each_thread_count(threads):
        view, scene = long_step(2**20)
        expected = view.step(*scene.parameters, JITTER)
        longer, long_scene = long_step(2**28)
        with pytest.raises(Stop):
            timer(stop)
            longer.step(*long_scene.parameters, JITTER)
        for a, b in zip(view.step(*scene.parameters, JITTER), expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("", native.cores()), ("100000", native.cores())])
def test_the_environment_sets_the_number_of_threads(asked: str, expected: int) -> None:
    script = "from gstex import native; print(native.thread_count())"
    printed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "GSTEX_THREADS": asked}, text=True,
                             capture_output=True, check=True).stdout  # fmt: skip
    assert int(printed) == expected


@pytest.mark.parametrize("asked", ["two", "-1", "0", "1.5", "²"])
def test_an_environment_that_makes_no_sense_is_named(asked: str) -> None:
    done = subprocess.run([sys.executable, "-m", "gstex", "info", "a.gstex"], text=True, capture_output=True,
                          env={**os.environ, "GSTEX_THREADS": asked})  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"gstex: error: GSTEX_THREADS: got {asked!r}, expected a whole number of at least 1; "
                           "correct or unset it\n")  # fmt: skip
