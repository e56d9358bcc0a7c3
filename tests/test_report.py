"""The report as a file: it stands alone, holds the numbers and the texels, and keeps to its size."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_comparison import HEIGHT, NAME, WIDTH, channels, quality, small_comparison

from gstex.compare.result import Comparison, Point
from gstex.errors import OutputError
from gstex.json_types import JsonObject
from gstex.report import write_report
from gstex.report.page import MAX_BYTES
from gstex.report.pictures import make_gallery, map_views


class Page(HTMLParser):
    """What a browser would make of a page: tags, visible text, and scripts by id."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str | None, str] = {}
        self._inside: str | None = None
        self._id: str | None = None
        self.source = path.read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside, self._id = tag, dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[self._id] = self.scripts.get(self._id, "") + data
        elif self._inside != "style":
            self.text += data

    def json(self, name: str) -> JsonObject:
        return json.loads(self.scripts[name])

    def picture(self, *key: int | str) -> np.ndarray:
        """The codes of a picture, uint8 [h, w, c]."""
        return decoded(base64.b64decode(self.scripts["-".join(["picture", *map(str, key)])]))


def decoded(data: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(BytesIO(data)))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report")
    write_report(small_comparison(), folder / "report.html")
    assert [f.name for f in folder.iterdir()] == ["report.html"]
    return Page(folder / "report.html")


def test_nothing_comes_from_elsewhere(page: Page) -> None:
    links = [v for _, attributes in page.tags for k, v in attributes.items() if k in ("src", "href")]
    assert links and all(link.startswith("#") for link in links)
    addresses = set(re.findall(r"\w+://[^\"'\s]+", page.source))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody loads
    assert "url(" not in page.source and "@import" not in page.source
    (policy,) = (a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "img-src data:" in policy


def test_sizes_say_what_they_leave_out(tmp_path: Path) -> None:
    sizes = {"mip_0_bytes": 384, "gpu_bytes": 2432, "file_bytes": 4480}
    write_report(small_comparison(file_sizes=sizes), tmp_path / "report.html")
    text = Page(tmp_path / "report.html").text
    assert "0.4 KiB for mip 0 of all maps, 0.4 KiB after zstd" in text
    assert "the file is 4.4 KiB: 2.0 KiB for its other mips, 2.0 KiB of description" in text


def test_names_are_text(page: Page) -> None:
    assert NAME in page.text and "Ship <gstex> & be happy." in page.text
    assert page.text.count("No <bc1>.") == page.text.count("No FLIP & co.") == 1
    assert not any(tag == "i" for tag, _ in page.tags)
    assert not re.search(r"\{\{\w+\}\}", page.source.replace("{{numbers}}", "", 3))
    assert "<8x8>" not in page.source


def test_numbers_are_those_of_the_comparison(page: Page) -> None:
    comparison = small_comparison()
    numbers = page.json("numbers")
    assert numbers["material"] == comparison.material
    assert [Point(**p) for p in numbers["points"]] == list(comparison.points)
    assert numbers["hulls"] == comparison.hulls
    assert numbers["file"] == 1
    assert numbers["advice"] == list(comparison.advice) and numbers["notes"] == list(comparison.notes)


def test_every_texel_is_in_the_page(page: Page) -> None:
    comparison = small_comparison()
    gallery = page.json("gallery")
    assert gallery["stacks"] == [None, 1, 2, 3]
    assert gallery["crop"] == [0, 0, WIDTH, HEIGHT] and gallery["overview"] == 0
    assert [m["role"] for m in gallery["maps"]] == ["albedo", "opacity", "normal", "roughness", "lit"]
    original = np.rint(comparison.original * 255).astype(np.uint8)
    for stack, shift in enumerate((0, 2, 16, 0)):
        maps = [page.picture(stack, 0, 0, "texels"), page.picture(stack, 1, 0, "texels")]
        maps += [page.picture(stack, 2, i, "texels") for i in (0, 1)] + [page.picture(stack, 3, 0, "texels")]
        expected = original + np.array([1, 1, 1, 0, 1, 1, 1], np.uint8) * shift
        assert np.array_equal(np.concatenate(maps, axis=2), expected)
        assert page.picture(stack, 4, 0, "texels").shape == (HEIGHT, WIDTH, 3)
        assert decoded(base64.b64decode(page.scripts[f"sphere-{stack}"])).shape == (320, 320, 3)


def test_gain_leaves_the_errors_in_range(page: Page) -> None:
    # The largest error of the maps is 16 codes: times 8 is 128, times 16 would be 256.
    assert [m["gain"] for m in page.json("gallery")["maps"][:4]] == [8, 64, 8, 8]


def test_a_picture_is_not_lit(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.float32)
    rgb = [{**c, "role": "color"} for c in channels()[:3]]
    material = {**small_comparison().material, "channels": rgb, "width": 4, "height": 4, "normal_convention": None}
    write_report(small_comparison(material=material, original=pixels, pictures={1: pixels}), tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert [m["role"] for m in page.json("gallery")["maps"]] == ["color"]
    assert not page.json("gallery")["lit"] and "sphere-0" not in page.scripts


@pytest.mark.parametrize(
    ("components", "space", "role", "kind", "images"),
    [
        ("rgb", "srgb", "albedo", "color", (3,)),
        ("rgb", "linear", "emissive", "light", (3,)),
        ("rgb", "linear", "mask", "data", (3,)),
        ("xy", "linear", "normal", "normal", (1, 1)),
        ("v", "linear", "height", "data", (1,)),
    ],
)
def test_how_maps_are_shown(components: str, space: str, role: str, kind: str, images: tuple[int, ...]) -> None:
    rows = [{"role": role, "component": c, "color_space": space, "file": "a.png"} for c in components]
    (view,) = map_views([{"role": "ao", "component": "v", "color_space": "linear", "file": "b.png"}, *rows])[1:]
    assert (view.kind, view.images) == (kind, images)
    assert view.channels == tuple(range(1, 1 + len(components)))


def test_an_older_report_survives_what_goes_wrong(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    numbers = small_comparison()
    broken = Point("bc", "no JSON", 1, 1, 1.0, {}, quality(np.nan))
    with pytest.raises(ValueError):
        write_report(small_comparison(points=(*numbers.points, broken)), target)
    assert target.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OutputError, match=r"missing.report\.html: cannot be written"):
        write_report(numbers, tmp_path / "missing" / "report.html")


@pytest.mark.parametrize(("height", "width"), [(60, 100), (1, 3000), (37, 61), (500, 3)])
def test_what_does_not_fit_becomes_an_overview(height: int, width: int) -> None:
    views = map_views(channels())
    stacks = [np.random.default_rng(s).integers(0, 256, (height, width, 7)).astype(np.uint8) for s in range(2)]
    budget = 9000
    gallery = make_gallery(stacks, views, budget)
    assert gallery.size <= budget
    x, y, w, h = gallery.crop
    assert 0 < w < width or 0 < h < height
    assert abs(2 * x + w - width) <= 1 and abs(2 * y + h - height) <= 1
    crop = decoded(gallery.pictures[1, 0, 0, "texels"])
    assert np.array_equal(crop, stacks[1][y : y + h, x : x + w, :3])
    overview = decoded(gallery.pictures[1, 3, 0, "overview"])
    block = gallery.overview
    assert overview.shape[:2] == (-(-height // block), -(-width // block))
    last = stacks[1][(height - 1) // block * block :, (width - 1) // block * block :, 6]
    assert overview[-1, -1] == np.rint(last.mean())


def test_noise_of_a_large_material_stays_below_the_limit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    roles = ["albedo"] * 3 + ["normal"] * 2 + ["roughness", "metallic", "ao", "height"]
    rows = [
        {"role": r, "component": c, "color_space": "linear", "file": f"{r}.png", "constant": None}
        for r, c in zip(roles, "rgbxyvvvv", strict=True)
    ]
    stacks = [random.random((1024, 1024, 9), np.float32) for _ in range(3)]
    material = {**small_comparison().material, "channels": rows, "width": 1024, "height": 1024}
    points = tuple(Point("astc", f"ASTC {i}", 1000 + i, 900, 0.1, {}, quality(8.0)) for i in range(600))
    pictures = {i: stacks[i % 3] for i in range(6)}
    comparison = Comparison(material, points, {"astc": [0]}, 0, pictures, stacks[0], ())
    write_report(comparison, tmp_path / "report.html")
    size = (tmp_path / "report.html").stat().st_size
    assert 0.85 * MAX_BYTES < size < MAX_BYTES
    page = Page(tmp_path / "report.html")
    x, y, width, height = page.json("gallery")["crop"]
    assert f"the middle {width} × {height} of 1024 × 1024 texels" in page.text
    expected = np.rint(stacks[1][y : y + height, x : x + width, :3] * 255)
    assert np.array_equal(page.picture(2, 0, 0, "texels"), expected)  # number 0 is the original
