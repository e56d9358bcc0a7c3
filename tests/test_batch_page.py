"""The page of a batch: its numbers, that names cannot become markup, and 2,000 rows in a browser.

The browser tests need chromium and chromedriver (Debian: chromium, chromium-driver) and Selenium; skipped without.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_library import QUICK, image, make_library, run_all
from test_report_browser import CHROMEDRIVER, CHROMIUM, Selenium, browser

from gstex.batch import Event, Item, plan
from gstex.batch.page import write_page
from gstex.batch.rows import Row
from gstex.batch.state import MapFigures, Record, State
from gstex.batch.work import BLOCKS, block_bytes
from gstex.format.metadata import SourceMap
from gstex.json_types import JsonObject

NASTY = "</script><img src=x onerror=alert(1)>"
PICTURE = base64.b64encode(
    b"\xff\xd8\xff\xe0"  # the start of a JPEG file: enough for a page that only has to be fast
).decode()
browsing = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")


def row(number: int, **changes: Any) -> Row:
    """One of many materials."""
    size = 64 << number % 4
    source = SourceMap("x_albedo.png", size, size, 3, 8, False, "png")
    facts = {
        "output": f"folder{number % 7}/material{number:04}.gstex", "key": "k", "sha256": "s",
        "file_bytes": 1000 + 37 * number % 4001, "gpu_bytes": 900, "name": "m", "version": "1", "width": size,
        "height": size, "channels": 3, "maps": (MapFigures("x_albedo.png", "albedo", size, size),), "bpp": 1.0,
        "psnr": 20 + number % 31, "psnr_by_map": {"albedo": 20.0 + number % 31, "normal": 50.0},
        "blocks": {codec: block_bytes(codec, [source], mips=True) for codec in BLOCKS},
        "warnings": ("albedo has lost 30% of its signal",) if number % 5 == 0 else (), "left_out": (),
        "seconds": 1.0,
        "thumbnail": PICTURE,
    }  # fmt: skip
    record = Record(**{**facts, **changes})
    made = Row(Item(record.output, Path("s"), (), "m"))
    made.take(Event("done", record.output, record=record))
    return made


def failed(output: str, message: str) -> Row:
    made = Row(Item(output, Path("s"), (), "m"))
    made.take(Event("failed", output, message=message))
    return made


def data_of(page: str) -> list[JsonObject]:
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("codec, mips, expected", [
    # 16x8: 4*2 blocks; its mips 8x4, 4x2, 2x1, 1x1 take 2, 1, 1, 1. 5x5: 2*2 blocks; 2x2 and 1x1 take 1 each.
    ("bc1", False, 8 * (8 + 4)), ("bc1", True, 8 * (8 + 2 + 1 + 1 + 1 + 4 + 1 + 1)),
    # The second has one channel: BC4.
    ("bc7", False, 16 * 8 + 8 * 4), ("bc7", True, 16 * (8 + 2 + 1 + 1 + 1) + 8 * (4 + 1 + 1)),
    # 16x8: 3*2; 8x4: 2; then 1 each. 5x5: 1 each.
    ("astc-6x6", False, 16 * (6 + 1)), ("astc-6x6", True, 16 * (6 + 2 + 1 + 1 + 1 + 1 + 1 + 1)),
    ("astc-12x12", False, 16 * (2 + 1)), ("astc-12x12", True, 16 * (2 + 1 + 1 + 1 + 1 + 1 + 1 + 1)),
])  # fmt: skip
def test_bytes_of_block_codecs(codec: str, mips: bool, expected: int) -> None:
    sources = [SourceMap("a", 16, 8, 3, 8, False, "png"), SourceMap("b", 5, 5, 1, 8, False, "png")]
    assert block_bytes(codec, sources, mips=mips) == expected


def test_a_batch_writes_its_page(tmp_path: Path) -> None:
    library = make_library(tmp_path / "library")
    image(library / "bad/x_albedo.png").write_bytes(b"")
    out = tmp_path / "out"
    run_all(plan(library, out, options=QUICK), out, page=True)
    page = (out / "index.html").read_text()
    rows = {row["output"]: row for row in data_of(page)}
    assert list(rows) == ["a/deep/wood.gstex", "a/steel.gstex", "bad.gstex", "bricks.gstex"]
    steel, record = rows["a/steel.gstex"], State(out).load("a/steel.gstex")
    assert record is not None and steel["bytes"] == (out / "a/steel.gstex").stat().st_size
    assert steel["worst"] == min(record.psnr_by_map, key=lambda role: record.psnr_by_map[role] or 0)
    assert steel["blocks"]["bc7"] == 3 * 16 * 16  # three images of 16x16 at 8 bits, without mips
    assert [m[1] for m in steel["maps"]] == ["albedo", "normal", "roughness+metallic+ao"]
    picture = base64.b64decode(steel["picture"])
    assert picture.startswith(b"\xff\xd8") and 500 < len(picture) < 6000
    assert rows["bad.gstex"] == {"output": "bad.gstex", "state": "failed",
                                 "message": "x_albedo.png: the file is empty; allowed are PNG, JPEG, TGA, WebP, EXR, "
                                            "TIFF, BMP, HDR, DDS, KTX2 or PSD images"}  # fmt: skip
    # Nothing comes from elsewhere.
    assert "default-src 'none'" in page and not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    write_page(tmp_path / "index.html", [row(1, output=f"{NASTY}.gstex"), failed("b.gstex", NASTY)])
    page = (tmp_path / "index.html").read_text()
    assert NASTY not in page and page.count("</script") == 3  # those of the template
    first, second = data_of(page)
    assert first["output"] == f"{NASTY}.gstex" and second["message"] == NASTY


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    rows = [row(number) for number in range(1998)]
    exact = row(0, output="aa/exact.gstex", psnr=None, psnr_by_map={})
    write_page(path, [*rows, failed("zz/broken.gstex", NASTY), exact])
    assert path.stat().st_size < 2_000_000
    return path.as_uri()


@pytest.fixture(scope="module")
def driver() -> Iterator[Selenium]:
    with browser("--window-size=1500,900") as started:
        yield started


def column(driver: Selenium, number: int) -> list[str]:
    return driver.execute_script(
        "return [...document.querySelectorAll('#body tr')].map((tr) => tr.children[arguments[0]].textContent)", number
    )


def click(driver: Selenium, title: str) -> None:
    driver.execute_script(
        "[...document.querySelectorAll('#head button')].find((b) => b.textContent === arguments[0]).click()", title
    )


@browsing
def test_two_thousand_rows_are_sorted_by_any_column(driver: Selenium, page: str) -> None:
    driver.get(page)
    assert driver.get_log("browser") == []
    assert len(column(driver, 1)) == 2000
    titles = driver.execute_script("return [...document.querySelectorAll('#head th')].map((th) => th.innerText.trim())")
    plain = [title.split(" ▲")[0] for title in titles]
    assert plain == ["", "Material", "Size", "Maps", "Bytes", "BC1", "BC7", "ASTC 6x6", "ASTC 12x12", "PSNR",
                     "Worst map", "Warnings", "State"]  # fmt: skip
    names = column(driver, 1)
    assert names == sorted(names) and names[0] == "aa/exact" and names[-1] == "zz/broken"

    click(driver, "PSNR")
    psnr = column(driver, 9)
    assert psnr[-2:] == ["exact", ""] and psnr[:-2] == sorted(psnr[:-2]) and psnr[0] == "20.0 dB"  # all of two digits
    click(driver, "PSNR")
    psnr = column(driver, 9)
    assert psnr[0] == "exact" and psnr[-1] == "" and psnr[1:-1] == sorted(psnr[1:-1], reverse=True)
    click(driver, "Bytes")
    texts = [text for text in column(driver, 4) if text]
    numbers = [float(t.split(" KiB")[0]) if "KiB" in t else int(t.split(" B")[0]) / 1024 for t in texts]
    assert numbers == sorted(numbers)
    click(driver, "Warnings")
    assert column(driver, 11)[:2] == [NASTY, "albedo has lost 30% of its signal"]
    assert driver.execute_script("return document.querySelectorAll('#body img[src=x]').length") == 0


@browsing
def test_rows_are_found_by_words(driver: Selenium, page: str) -> None:
    driver.get(page)
    driver.find_element("id", "filter").send_keys("folder3 material00")
    names = column(driver, 1)
    assert names and all(name.startswith("folder3/material00") for name in names)
    assert driver.find_element("id", "shown").text == f"{len(names)} of 2000"
    link = driver.find_element("css selector", "#body a").get_attribute("href")
    assert link == page.replace("index.html", names[0] + ".gstex")
    assert "1 failed" in driver.find_element("id", "totals").text
