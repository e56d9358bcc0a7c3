"""The page of samples/web: materials and a model beside their originals, a bar that is dragged, the bytes of both."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from small_samples import crop_sample
from test_report_browser import ActionChains
from web_page import ROOT, Page, needs_web, opened_page

from gstex.json_types import JsonObject

pytestmark = needs_web
WEB = ROOT / "samples" / "web"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("web")
    spec = importlib.util.spec_from_file_location("make_demo", WEB / "make_demo.py")
    assert spec and spec.loader
    make_demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_demo)
    for name in make_demo.MATERIALS:
        crop_sample(name, folder / "samples" / name, 96)
    make_demo.SAMPLES = folder / "samples"
    make_demo.make_demo(folder / "samples" / "web" / "demo", "--effort", "draft", "--bpp", "0.5")
    with opened_page(folder, "/samples/web/index.html", width=640) as opened:
        opened.folder = folder / "samples" / "web" / "demo"  # type: ignore[attr-defined]
        yield opened
        assert opened.errors() == []


def show(page: Page, entry: int, split: float) -> np.ndarray:
    """What is on the canvas: uint8 [h, w, 3]."""
    page.call("gstexPage.show", entry)
    page.driver.execute_script("gstexPage.moveSplit(arguments[0])", split)
    return picture(page)


def picture(page: Page) -> np.ndarray:
    page.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    canvas = page.driver.find_element("id", "view")
    return np.asarray(Image.open(BytesIO(canvas.screenshot_as_png)).convert("RGB")).astype(int)


def text(page: Page, name: str) -> str:
    return str(page.driver.find_element("id", name).text)


@pytest.mark.parametrize("entry", [0, 1, 2])
def test_both_sides_show_the_same(entry: int, page: Page) -> None:
    entries: list[JsonObject] = json.loads((page.folder / "demo.json").read_text())  # type: ignore[attr-defined]
    original, ours = show(page, entry, 1)[70:, 10:-10], show(page, entry, 0)[70:, 10:-10]
    drawn = np.abs(original - original[5, 5]).max(axis=2) > 12  # all but the background
    assert drawn.mean() > 0.2 and original[drawn].std() > 15
    apart = np.abs(original - ours)
    assert apart[~drawn].mean() < 2 and 0.5 < apart[drawn].mean() < 30  # lossy, and not another picture
    of = entries[entry]
    names = [of.get("original"), of.get("compressed")] if "original" in of else [None, of["gstex"]]
    size = (page.folder / names[1]).stat().st_size  # type: ignore[attr-defined]
    assert text(page, "after").startswith(f"{size / 1024:.1f} KiB")
    assert text(page, "before").endswith("of images" if names[0] is None else "the whole model")


def test_sampled_where_it_is_drawn(page: Page) -> None:
    decoded = show(page, 1, 0)
    page.driver.execute_script("document.getElementById('mode').value = 'sampled'")
    sampled = show(page, 1, 0)
    page.driver.execute_script("document.getElementById('mode').value = 'decoded'")
    assert 0 < np.abs(decoded - sampled).mean() < 4


def test_the_bar_is_dragged(page: Page) -> None:
    both = [show(page, 2, 1), show(page, 2, 0), show(page, 2, 0.5)]
    width = both[0].shape[1]
    bar = page.driver.find_element("id", "split")
    ActionChains(page.driver, duration=20).click_and_hold(bar).move_by_offset(-width // 4, 0).release().perform()
    now = int(bar.get_attribute("aria-valuenow"))
    assert 23 <= now <= 27
    found, edge = picture(page), round(width * now / 100)
    assert (found[70:, 20 : edge - 20] == both[0][70:, 20 : edge - 20]).mean() > 0.99
    assert (found[70:, edge + 20 : -20] == both[1][70:, edge + 20 : -20]).mean() > 0.99
    bar.send_keys("\ue014")  # the right arrow
    assert int(bar.get_attribute("aria-valuenow")) == now + 2
