"""The report in a browser: headless Chromium is driven by mouse and keys, and its pixels are checked.

Needs chromium and chromedriver (Debian: chromium, chromium-driver) and Selenium; skipped without them.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image
from small_comparison import HEIGHT, HIDDEN, NAME, WIDTH, small_comparison

from gstex.report import write_report

webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium: pip install selenium")
ActionChains = webdriver.ActionChains
By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
Select = pytest.importorskip("selenium.webdriver.support.select").Select
WebDriverWait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait

Selenium: TypeAlias = Any
"""An object of Selenium, which is loaded only where it is installed: the driver of a browser, an element of a page."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"
)

SURROUND = (43, 43, 43)
HATCH = (41, 61)
NO_ERROR, FULL_ERROR, NOT_MEASURED = (0, 0, 4), (252, 255, 164), (90, 90, 90)
LOW_ERROR = (33, 12, 70)  # 32 of 255: 1.13 of the ramp's 9 steps
CODES = np.rint(small_comparison().original * 255).astype(np.uint8)
GSTEX, ASTC = (CODES + np.array([1, 1, 1, 0, 1, 1, 1], np.uint8) * shift for shift in (2, 16))


class Report:
    """A page in the browser, and what is on its canvas."""

    def __init__(self, driver: Selenium) -> None:
        self.driver = driver

    def find(self, selector: str) -> Selenium:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        self.find("#canvas").send_keys(*keys)

    def mouse(self) -> Selenium:
        return ActionChains(self.driver, duration=50)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def choose(self, side: str, label: str) -> None:
        Select(self.find(f"#{side}")).select_by_visible_text(label)

    def settle(self) -> None:
        """Wait until what was asked for has been decoded and drawn."""
        self.driver.execute_async_script("const done = arguments[0]; refresh().then(() => requestAnimationFrame(done))")

    def pixels(self) -> np.ndarray:
        """What is on the screen where the canvas is: uint8 [h, w, 3] in screen pixels."""
        self.settle()
        width, height = self.run("return [canvas.width, canvas.height]")
        screen = Image.open(BytesIO(self.find("#canvas").screenshot_as_png)).convert("RGB")
        return np.asarray(screen)[:height, :width]  # a screenshot takes in pixels that are covered in part

    def expected(self, left: np.ndarray, right: np.ndarray, edge: int) -> np.ndarray:
        """The same from two pictures [H, W, 3] with the split at column `edge`, at the place and zoom shown."""
        width, height = self.run("return [canvas.width, canvas.height]")
        zoom, x, y = self.run("return [view.zoom, view.x, view.y]")
        columns = (np.arange(width) - rounded(width / 2 - x * zoom)) // zoom
        rows = (np.arange(height) - rounded(height / 2 - y * zoom)) // zoom
        inside = ((rows >= 0) & (rows < HEIGHT))[:, None] & ((columns >= 0) & (columns < WIDTH))
        rows, columns = np.clip(rows, 0, HEIGHT - 1).astype(int), np.clip(columns, 0, WIDTH - 1).astype(int)
        if self.run("return view.map === 0 && !view.error"):  # the albedo: what is hidden is hatched
            y, x = np.mgrid[:HEIGHT, :WIDTH]
            stripes = np.where((x + y)[:, :, None] % 4 < 2, HATCH[0], HATCH[1])
            left, right = (np.where(hidden(), stripes, p) for p in (left, right))
        picked = [np.where(inside[:, :, None], p[rows][:, columns], SURROUND) for p in (left, right)]
        return np.where((np.arange(width) < edge)[None, :, None], *picked)

    def check(self, left: np.ndarray, right: np.ndarray, edge: int | None = None) -> None:
        """Every pixel of the canvas that nothing lies over is what it has to be."""
        seen = self.pixels()
        height, width = seen.shape[:2]
        edge = rounded(width / 2) if edge is None else edge
        free = np.ones((height, width), bool)
        scale = self.run("return devicePixelRatio")
        half = round(18 * scale)
        free[:, max(0, edge - half) : edge + half] = False  # the handle
        free[: round(50 * scale)] = free[-round(50 * scale) :] = False  # badge and legend
        free[:, : round(4 * scale)] = free[:, -round(4 * scale) :] = False  # the ring of what has the focus
        assert free.mean() > 0.6
        wrong = (seen != self.expected(left, right, edge)).any(axis=2) & free
        assert not wrong.any(), f"{wrong.sum()} pixels, the first at {np.argwhere(wrong)[0]}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(small_comparison(), path)
    return path.as_uri()


@pytest.fixture(scope="module")
def driver() -> Iterator[Selenium]:
    with browser() as started:
        yield started


@contextlib.contextmanager
def browser(*arguments: str) -> Iterator[Selenium]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="gstex-", ignore_cleanup_errors=True) as profile:
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--force-color-profile=srgb", f"--user-data-dir={profile}", *arguments,
        ):  # fmt: skip
            options.add_argument(argument)
        started = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=CHROMEDRIVER))
        try:
            yield started
        finally:
            started.quit()


@pytest.fixture
def report(driver: Selenium, address: str) -> Report:
    return opened(driver, address)


def opened(driver: Selenium, address: str, width: int = 1000, scheme: str = "light", map: int | str = 0) -> Report:
    """map: to look at; a material with opacity opens lit."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 0, "mobile": False}  # 0: the screen's own
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme_now = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_now)
    driver.get(address)
    page = Report(driver)
    page.settle()
    page.run("document.getElementById('viewer').scrollIntoView()")
    page.run(f"change({{ map: {map} }})")
    page.settle()
    return page


def rounded(value: float) -> int:
    """As JavaScript rounds."""
    return int(np.floor(value + 0.5))


def grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(plane[:, :, None], 3, axis=2)


def hidden() -> np.ndarray:
    """bool [H, W, 1]: under zero opacity."""
    mask = np.zeros((HEIGHT, WIDTH, 1), bool)
    mask[HIDDEN] = True
    return mask


def with_z(xy: np.ndarray) -> np.ndarray:
    x, y = (xy[:, :, i] / 127.5 - 1 for i in (0, 1))
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    return np.dstack([xy, np.floor(127.5 * (z + 1) + 0.5).astype(np.uint8)])


def test_names_both_sides_before_it_decodes(driver: Selenium, address: str, tmp_path: Path) -> None:
    whole = Path(url2pathname(urlsplit(address).path)).read_text(encoding="utf-8")
    waiting, refreshed = tmp_path / "waiting.html", "\nstartViewer();\nrefresh();"
    assert whole.count(refreshed) == 1
    waiting.write_text(whole.replace(refreshed, "\nrefresh = () => {};\nstartViewer();"), encoding="utf-8")
    driver.get(waiting.as_uri())
    left, right = (Select(Report(driver).find(f"#{side}")).first_selected_option.text for side in ("left", "right"))
    assert len({left, right, "Original"}) == 3


def test_opens_without_a_word(report: Report) -> None:
    assert report.driver.title == f"{NAME}: gstex comparison"
    assert report.find("h1").text == NAME
    assert not report.find("#problem").is_displayed()
    assert report.driver.get_log("browser") == []
    loaded = report.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert all(name.startswith("data:") for name in loaded)
    # The file on the left, its nearest rival on the right.
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    assert report.find("#left-facts").text == "384 B · 2.00 bpp · albedo: 41.50 dB"
    assert report.find("#right-facts").text == "1.2 KiB · 6.25 bpp · albedo: astc-<8x8>, 24.50 dB"


def test_a_cut_out_opens_lit_beside_the_nearest_that_has_no_fewer_bytes(driver: Selenium, address: str) -> None:
    report = opened(driver, address, map="view.map")
    assert report.run("return gallery.maps[view.map].role") == "lit"
    labels = report.run("return [stackLabel(view.left), stackLabel(view.right)]")
    assert labels == ["gstex 2.0 bpp", "ASTC <8x8> & co"]  # 384 bytes, then 1200 and 2800
    assert report.run("return stackLabel(rival(2))") == "BC7"  # gstex has fewer than its 1200 bytes
    assert report.run("return stackLabel(rival(3))") == "ASTC <8x8> & co"  # none has more


def test_the_split_is_dragged(report: Report) -> None:
    report.mouse().drag_and_drop_by_offset(report.find("#split"), -200, 0).perform()
    width = report.run("return canvas.width")
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3], width // 2 - 200)
    report.press("]")
    edge = report.run("return Math.round(view.split * canvas.width)")
    assert edge > width // 2 - 200
    report.find("#split").send_keys(Keys.END)
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3], width)


def test_maps_and_pictures_are_chosen(report: Report) -> None:
    report.click("#maps label:nth-child(3)")
    report.check(with_z(GSTEX[:, :, 4:6]), with_z(ASTC[:, :, 4:6]))
    report.press("m")
    report.check(grey(GSTEX[:, :, 6]), grey(ASTC[:, :, 6]))
    assert report.find("#right-facts").text.endswith("roughness: astc-<8x8> at 1/2, 24.50 dB")
    report.choose("left", "Original")
    report.choose("right", "BC7")
    report.check(grey(CODES[:, :, 6]), grey(CODES[:, :, 6]))
    assert report.find("#right-facts").text.endswith("roughness: bc7, exact")
    report.press("rr")  # round to the gstex file
    report.press("x")
    report.check(grey(GSTEX[:, :, 6]), grey(CODES[:, :, 6]))
    report.click("#maps label:nth-child(2)")
    report.check(grey(CODES[:, :, 3]), grey(CODES[:, :, 3]))


def test_errors_as_a_heat_map(report: Report) -> None:
    Select(report.find("#gain")).select_by_visible_text("× 16")  # 16 codes are the full range
    assert report.find("#legend").text.split() == ["0", "16", "of", "255"]
    report.check(*(np.where(hidden(), NOT_MEASURED, color) for color in (LOW_ERROR, FULL_ERROR)))
    report.choose("left", "BC7")
    report.check(*(np.where(hidden(), NOT_MEASURED, color) for color in (NO_ERROR, FULL_ERROR)))
    report.click("#maps label:nth-child(4)")  # roughness is measured everywhere, and has a gain of its own
    Select(report.find("#gain")).select_by_visible_text("× 32")
    report.check(*(np.broadcast_to(color, (HEIGHT, WIDTH, 3)) for color in (NO_ERROR, FULL_ERROR)))
    report.press("e")
    report.check(grey(CODES[:, :, 6]), grey(ASTC[:, :, 6]))
    assert not report.find("#legend").is_displayed()


def test_zoom_and_pan(report: Report) -> None:
    first = report.run("return view.zoom")
    canvas = report.find("#canvas")
    wheel = webdriver.common.actions.wheel_input.ScrollOrigin.from_element(canvas, 100, 60)
    report.mouse().scroll_from_origin(wheel, 0, -120).perform()
    assert report.run("return view.zoom") == first  # the page's own until the picture was clicked
    report.mouse().move_to_element_with_offset(canvas, 100, 60).click().perform()
    texel = "return [100 / view.zoom + view.x, 60 / view.zoom + view.y]"
    before = report.run(texel)
    report.mouse().scroll_from_origin(wheel, 0, -120).perform()
    assert report.run("return view.zoom") > first
    assert report.run(texel) == pytest.approx(before, abs=0.1)
    report.press("+")
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    assert report.find("#zoom").text == f"{report.run('return view.zoom')} ×"
    report.press("-")
    x, y = report.run("return [view.x, view.y]")
    drag = report.mouse().move_to_element_with_offset(canvas, 200, 0).click_and_hold().move_by_offset(64, 32)
    drag.release().perform()
    zoom = report.run("return view.zoom")
    assert report.run("return [view.x, view.y]") == pytest.approx([x - 64 / zoom, y - 32 / zoom], abs=0.01)
    report.press(Keys.ARROW_RIGHT)
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    report.press("1")
    assert report.find("#zoom").text == "1 ×"
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    report.press("0")
    assert report.run("return view.zoom") == first


def test_flicker_and_peek(report: Report) -> None:
    badge = report.find("#badge")
    report.press("f")
    seen = set()
    wait = WebDriverWait(report.driver, 20, poll_frequency=0.05)
    wait.until(lambda _: seen.add(badge.text) or {"gstex 2.0 bpp", "ASTC <8x8> & co"} <= seen)
    assert not report.find("#split").is_displayed()
    report.press("f")
    hold = report.mouse().move_to_element(report.find("#peek")).click_and_hold()
    hold.perform()
    report.check(CODES[:, :, :3], CODES[:, :, :3])
    assert badge.text == "Original"
    report.mouse().release().perform()
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    assert not badge.is_displayed()


def test_values_under_the_pointer(report: Report) -> None:
    zoom = report.run("return view.zoom")
    right, down = 5 * zoom, 3 * zoom  # from the middle, which is a corner of texel (24, 16)
    canvas = report.find("#canvas")
    report.mouse().move_to_element_with_offset(canvas, right + zoom // 2, down + zoom // 2).perform()
    text = report.find("#readout").text.split()
    x, y = WIDTH // 2 + 5, HEIGHT // 2 + 3
    assert text[:4] == ["x", str(x), "y", str(y)]
    values = [str(v) for v in CODES[y, x, :3]]
    assert text[text.index("Original") + 1 :][:3] == values
    assert text[text.index("Left") + 1 :][:6] == [str(v) for v in GSTEX[y, x, :3]] + ["+2"] * 3
    assert text[text.index("Right") + 1 :][:6] == [str(v) for v in ASTC[y, x, :3]] + ["+16"] * 3


def test_table_shows_the_numbers_and_sorts(report: Report) -> None:
    def rows() -> list[list[str]]:
        return report.run(
            "return [...document.querySelectorAll('tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
        )

    labels = [row[0] for row in rows()]
    assert labels == ["gstex 1.0 bpp", "gstex 2.0 bppthis fileview", "ASTC <8x8> & coview", "BC7view"]
    assert rows()[2][1:11] == ["1,200", "6.250", "1,100", "24.50", "24.50", "24.50", "0.0400", "–", "1.25", "7.50"]
    assert rows()[3][4] == "exact"
    report.click("[data-sort=psnr]")
    assert [row[4] for row in rows()] == ["24.50", "30.13", "41.50", "exact"]
    report.click("[data-sort=psnr]")
    assert [row[4] for row in rows()] == ["exact", "41.50", "30.13", "24.50"]
    report.click("[data-sort=flip_albedo]")
    assert rows()[-1][8] == "–"
    report.click("#every")
    assert len(rows()) == 5
    report.click("#columns label:nth-child(2)")
    assert rows()[0][0] == "gstex 1.0 bpp" and rows()[0][4:8] == ["30.13", "exact", "30.13", "30.13"]
    report.click("#columns label:nth-child(4)")
    assert rows()[2][4:8] == ["astc-<8x8>", "astc-<8x8>", "astc-4x4", "astc-<8x8> at 1/2"]
    report.run("document.querySelectorAll('tbody tr')[4].querySelector('button').click()")
    report.check(GSTEX[:, :, :3], CODES[:, :, :3])


def test_plots_have_their_points(report: Report) -> None:
    metrics = report.run("return [...document.querySelectorAll('figure')].map((f) => f.dataset.metric)")
    by_map = [f"psnr_by_map.{role}" for role in ("albedo", "normal", "roughness")]  # opacity is exact everywhere
    assert metrics == ["psnr", "shaded_psnr", "normal_angle_mean", *by_map]
    place = "return document.querySelector('figure [data-point=\"%d\"]').getCTM()"
    left = [report.run(place % i)["e"] for i in range(4)]
    log = np.log2([192, 384, 1200, 2800])
    assert np.allclose(np.diff(left) / np.diff(log), (left[3] - left[0]) / (log[3] - log[0]), atol=0.2)
    low, high = (report.run(place % i)["f"] for i in (2, 1))
    assert high < low  # more dB stand higher
    assert report.run(place % 3)["f"] < high  # an exact match stands on the frame
    report.run("document.querySelector('figure').scrollIntoView({block: 'center'})")
    report.mouse().move_to_element(report.find("figure [data-point='2']")).perform()
    tip = report.find("#tip").text.split("\n")
    assert tip[:3] == ["ASTC <8x8> & co", "1.2 KiB, 6.25 bpp", "All maps: 24.50 dB"]
    assert "albedo+opacity: astc-<8x8>, 600 B" in tip and "roughness: astc-<8x8> at 1/2, 300 B" in tip
    report.run("document.querySelector('#families input').click()")
    assert report.driver.find_elements(By.CSS_SELECTOR, "figure [data-point='1']") == []


def test_spheres_turn_into_the_original_while_held(report: Report) -> None:
    images = report.driver.find_elements(By.CSS_SELECTOR, ".sphere img")
    original, gstex = (image.get_attribute("src") for image in images[:2])
    assert len(images) == 4 and original != gstex
    assert all(report.run("return [...document.querySelectorAll('.sphere img')].map((i) => i.naturalWidth === 320)"))
    report.mouse().move_to_element(images[1]).click_and_hold().perform()
    assert images[1].get_attribute("src") == original
    report.mouse().release().perform()
    assert images[1].get_attribute("src") == gstex


@pytest.mark.parametrize("scale", [1.5, 2])
def test_screens_of_any_density_show_whole_texels(address: str, scale: float) -> None:
    with browser(f"--force-device-scale-factor={scale}") as driver:
        report = opened(driver, address, 903)
        width, css = report.run("return [canvas.width, canvas.clientWidth]")
        assert width == pytest.approx(css * scale, abs=1)
        report.check(GSTEX[:, :, :3], ASTC[:, :, :3])


def test_narrow_and_dark(driver: Selenium, address: str) -> None:
    report = opened(driver, address, 640, "dark")
    assert report.run("return document.documentElement.scrollWidth") <= 640
    dark = report.run("return getComputedStyle(document.body).backgroundColor")
    report.check(GSTEX[:, :, :3], ASTC[:, :, :3])
    light = opened(driver, address, 640).run("return getComputedStyle(document.body).backgroundColor")
    assert dark != light


def test_an_overview_surrounds_what_was_kept(driver: Selenium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gstex.report.page.SPHERE_SIZE", 8)
    monkeypatch.setattr("gstex.report.page.MAX_BYTES", 150_000)
    write_report(small_comparison(), tmp_path / "report.html")
    report = opened(driver, (tmp_path / "report.html").as_uri())
    x, y, width, height = report.run("return gallery.crop")
    assert width < WIDTH and report.run("return gallery.overview") >= 2
    report.settle()
    opening = report.run("return [gallery.crop[2] / canvas.width, gallery.crop[3] / canvas.height]")
    assert max(opening) * report.run("return view.zoom") <= 1.6
    assert report.run("return [view.x, view.y]") == [x + width / 2, y + height / 2]
    report.press("0")
    zoom = report.run("return view.zoom")
    seen, wanted = report.pixels(), report.expected(GSTEX[:, :, :3], ASTC[:, :, :3], 500)
    canvas_height, canvas_width = seen.shape[:2]
    left = round(canvas_width / 2 + (x - WIDTH / 2) * zoom)
    top = round(canvas_height / 2 + (y - HEIGHT / 2) * zoom)
    inside = np.s_[top + 60 : top + height * zoom - 60, left + 3 : canvas_width // 2 - 20]
    assert np.array_equal(seen[inside], wanted[inside])
    beside = canvas_height // 2, left - 3 * zoom // 2
    assert tuple(seen[beside]) != SURROUND  # the overview
    report.click("#error")
    assert tuple(report.pixels()[beside]) == NOT_MEASURED
    report.mouse().move_to_element_with_offset(report.find("#canvas"), -WIDTH // 2 * zoom + 3, 0).perform()
    assert "overview only" in report.find("#readout").text
