"""A page in Chromium with three.js and samples/web, served on localhost; nothing is fetched from elsewhere.

three.js is that of tools/install/ktx_readers.sh, in .venv-test/node.
"""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_samples import SAMPLES
from test_report_browser import CHROMEDRIVER, CHROMIUM, Selenium, browser
from test_transcode_readers import MODULES, needs_npm

__all__ = ["ROOT", "Page", "needs_web", "opened_page", "pixels_of"]

ROOT = SAMPLES.parent
PLACES = {"/node_modules/": MODULES, "/samples/web/node_modules/": MODULES, "/samples/web/": SAMPLES / "web",
          "/shaders/": ROOT / "shaders"}  # fmt: skip


# Marks of tests that open a page.
needs_web = [
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver"),
    pytest.mark.skipif(not (MODULES / "three").is_dir(), reason=f"needs {needs_npm}"),
]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        place = path.partition("?")[0]
        for start, folder in PLACES.items():
            if place.startswith(start) and not (Path(self.directory) / place.lstrip("/")).is_file():
                return str(folder / (place[len(start) :] or "index.html"))
        return super().translate_path(path)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Page:
    """Runs JavaScript in a page."""

    def __init__(self, driver: Selenium, address: str) -> None:
        self.driver, self.address = driver, address

    def call(self, function: str, *arguments: object) -> Any:
        """The result of an async function of the page; what it throws is an AssertionError."""
        found = self.driver.execute_async_script(
            "const args = Array.from(arguments), done = args.pop();"
            "const failed = (e) => done({ failed: `${e.name}: ${e.message}` });"
            f"window.{function}(...args).then((value) => done({{ value }}), failed)", *arguments)  # fmt: skip
        assert "failed" not in found, found["failed"]
        return found["value"]

    def refused(self, function: str, *arguments: object) -> str:
        with pytest.raises(AssertionError) as raised:
            self.call(function, *arguments)
        return str(raised.value)

    def errors(self) -> list[str]:
        """What the console complains about."""
        return [row["message"] for row in self.driver.get_log("browser") if row["level"] in ("SEVERE", "WARNING")
                and "favicon" not in row["message"] and "GPU stall" not in row["message"]]  # fmt: skip


def pixels_of(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


@contextmanager
def opened_page(folder: Path, path: str = "/index.html", *, width: int = 1000) -> Iterator[Page]:
    """A page of a folder, in which `window.ready` becomes true."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        with browser("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
                     "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
                     "--use-vulkan=swiftshader", f"--window-size={width},560") as driver:  # fmt: skip
            driver.set_script_timeout(120)
            driver.get(address + path)
            for _ in range(600):
                if driver.execute_script("return window.ready === true"):
                    break
                driver.execute_async_script("setTimeout(arguments[0], 100)")
            assert driver.execute_script("return window.ready === true"), driver.get_log("browser")
            yield Page(driver, address)
    finally:
        server.shutdown()
        server.server_close()
