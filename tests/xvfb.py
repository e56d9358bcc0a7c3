"""A window on a display of its own: Xvfb, driven by xdotool, seen by Pillow."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageGrab

WAIT_SECONDS = 90.0
_ROOT = Path(__file__).resolve().parent.parent


def need_xvfb() -> None:
    """Skip where a program is missing."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install {program.lower()}")


class Screen:
    """A running program with one window at the corner of the screen."""

    def __init__(self, display: str, process: subprocess.Popen, size: tuple[int, int], errors: Path):
        self.process, self.size, self.errors = process, size, errors
        self._environment = {**os.environ, "DISPLAY": display}
        self._display = display
        self._window = ""

    def find_window(self, name: str) -> None:
        """Wait for the window and give it the keys."""
        self.wait_until(lambda: self._search(name), "window")
        self.do("windowfocus", self._window)

    def _search(self, name: str) -> bool:
        found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", name], env=self._environment,
                               capture_output=True, text=True)  # fmt: skip
        self._window = found.stdout.split()[-1] if found.stdout.split() else ""
        return bool(self._window)

    def title(self) -> str:
        """Of the window."""
        return subprocess.run(["xdotool", "getwindowname", self._window], env=self._environment, capture_output=True,
                              text=True).stdout.strip()  # fmt: skip

    def do(self, *words: str) -> None:
        """One call of xdotool. Without a pause it would come before the window has taken the last one."""
        subprocess.run(["xdotool", *words], env=self._environment, check=True, capture_output=True)
        time.sleep(0.1)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, each with time to be seen."""
        for key in keys:
            self.do("keydown", key, "sleep", "0.15", "keyup", key)

    def point(self, x: int, y: int) -> None:
        self.do("mousemove", "--window", self._window, str(x), str(y))

    def picture(self) -> np.ndarray:
        """int [h, w, 3] of the window."""
        whole = np.asarray(ImageGrab.grab(xdisplay=self._display).convert("RGB"))
        return whole[: self.size[1], : self.size[0]].astype(int)

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert self.process.poll() is None, f"ended while waiting for: {what}\n{self.errors.read_text()}"
            if time.monotonic() > end:
                last = self.picture()
                Image.fromarray(last.astype(np.uint8)).save(self.errors.with_name("window.png"))
                self.process.send_signal(signal.SIGABRT)  # faulthandler writes where it was
                self.process.wait()
                raise AssertionError(f"never came: {what}; see {self.errors.with_name('window.png')}, in short\n"
                                     f"{sketch(last)}\nThe program was at\n{self.errors.read_text()}")  # fmt: skip
            time.sleep(0.1)

    def wait_for(self, is_right: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
        """Wait until the window looks right; the picture of it."""
        self.wait_until(lambda: is_right(self.picture()), what)
        return self.picture()


def sketch(picture: np.ndarray) -> str:
    """The picture's light as characters, for a log that carries no pictures."""
    signs = np.array(list(" .:-=+*#%@"))
    cells = picture[: len(picture) // 16 * 16, : picture.shape[1] // 8 * 8].mean(axis=2)
    light = cells.reshape(len(picture) // 16, 16, -1, 8).mean(axis=(1, 3))
    return "\n".join("".join(row) for row in signs[(light / 25.6).astype(int)])


@contextlib.contextmanager
def window(arguments: list[str], size: tuple[int, int], folder: Path) -> Iterator[Screen]:
    """`gstex <arguments>` on a display of its own."""
    read, write = os.pipe()
    # Without -noreset the server starts afresh when its only client ends, such as a search for the window.
    screen = f"{size[0] + 100}x{size[1] + 100}x24"
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    process = None
    try:
        with os.fdopen(read) as pipe:
            display = f":{pipe.readline().strip()}"
        environment = {**os.environ, "DISPLAY": display, "GSTEX_THREADS": "1", "PYTHONPATH": str(_ROOT)}
        environment.pop("WAYLAND_DISPLAY", None)
        with (folder / "stderr.txt").open("w") as errors:
            program = [sys.executable, "-X", "faulthandler", "-m", "gstex", *arguments]
            process = subprocess.Popen(program, env=environment, cwd=folder, stderr=errors)
        yield Screen(display, process, size, folder / "stderr.txt")
    finally:
        for one in (process, server):
            if one is not None:
                one.terminate()
                one.wait()
