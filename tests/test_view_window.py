"""One session with the window, as a user has it: keys and mouse in, screenshots out."""

import os
import time

import numpy as np
import pytest
from PIL import Image
from small_models import model_bytes
from small_samples import crop_sample
from view_samples import SIZE, make_sample, need_gl, to_bytes
from xvfb import need_xvfb, window

import gstex
from gstex.texture import Texture
from gstex.view.document import open_document
from gstex.view.maps import shown
from gstex.view.screenshot import load_mesh, render, wanted_of
from gstex.view.stacks import load_reference
from gstex.view.state import OWN_MESH, Lit, ViewState

WINDOW = (640, 400)


def find(picture: np.ndarray, part: np.ndarray) -> tuple[int, int] | None:
    """(left, top) of where a part lies in a picture within a level; None if it does not."""
    height, width = part.shape[:2]
    corners = picture[: picture.shape[0] - height + 1, : picture.shape[1] - width + 1]
    last = picture[height - 1 :, width - 1 :]
    alike = (np.abs(corners - part[0, 0]).max(axis=2) <= 1) & (np.abs(last - part[-1, -1]).max(axis=2) <= 1)
    for top, left in np.argwhere(alike):
        if np.abs(picture[top : top + height, left : left + width] - part).max() <= 1:
            return int(left), int(top)
    return None


@pytest.fixture
def sample(tmp_path):
    need_gl()
    need_xvfb()
    for package in ("glfw", "imgui_bundle"):
        pytest.importorskip(package)
    return make_sample(tmp_path)


def test_a_session_with_the_window(sample, tmp_path):
    document = open_document(sample.file)
    stack = document.texture.decode()
    maps = [to_bytes(shown(stack, one)) for one in document.maps]
    normal = [one.name for one in document.maps].index("normal")
    codes = np.moveaxis(load_reference(sample.source, wanted_of(document))[0].levels[0], 0, 2)
    reference = to_bytes(shown(codes.reshape(SIZE, SIZE, -1)[:, :, :8] / 65535, document.maps[normal]))

    arguments = ["view", str(sample.file), "--size", "640x400", "--zoom", "1", "--hidden", "shown"]
    with window(arguments, WINDOW, tmp_path) as screen:
        screen.find_window("gstex view")
        first = screen.wait_for(lambda p: find(p, maps[0]) is not None, "the first map, a pixel per texel")
        left, top = find(first, maps[0])

        screen.press(str(normal + 1))
        picture = screen.wait_for(lambda p: find(p, maps[normal]) is not None, "the normals")
        assert find(picture, maps[normal]) == (left, top)

        # A picture of a view that stands still is written as it is seen, without the panel.
        message = (slice(330, 380), slice(0, 300))
        screen.press("w")
        screen.wait_for(lambda p: list(tmp_path.rglob("*_map_1.png")), "the picture in a file")
        written = np.asarray(Image.open(next(tmp_path.rglob("*_map_1.png"))).convert("RGB"), np.int64)
        assert find(written, maps[normal]) is not None
        screen.press("Escape")
        screen.wait_for(lambda p: p[message].max() < 60, "the normals without the message")

        # The split: its line starts in the middle of the picture and goes where it is dragged.
        def has_line(at: int):
            columns = slice(left, left + SIZE)
            def check(p):
                here = p[top : top + SIZE, columns]
                inside = np.abs(np.arange(SIZE) - at) > 2
                expected = np.where((np.arange(SIZE) < at)[None, :, None], maps[normal], reference)
                return np.abs(here - expected)[:, inside].max() <= 1
            return check

        screen.press("s")
        screen.wait_for(has_line(SIZE // 2), "the split in the middle")
        middle = left + SIZE // 2
        screen.point(middle, top + 10)
        screen.do("mousedown", "1")
        for x in range(1, 13):
            screen.point(middle + x, top + 10)
        screen.do("mouseup", "1")
        screen.wait_for(has_line(SIZE // 2 + 12), "the split where it was dragged")

        # Nearer: a texel becomes a square of pixels; a click explains one in the panel.
        screen.press("m", "i", "i", "i", "z")  # nearest texels
        screen.wait_for(lambda p: find(p, maps[normal]) == (left, top), "the map again")
        screen.point(middle, top + SIZE // 2)
        before = screen.picture()
        screen.press("equal", "equal", "equal", "equal", "equal", "equal")  # 2^3
        large = maps[normal].repeat(8, axis=0).repeat(8, axis=1)
        screen.wait_for(lambda p: find(p, large[80:240, 80:240]) is not None, "eight pixels a texel")
        panel = (slice(40, 380), slice(-220, -20))
        unpinned = screen.picture()[panel]
        assert (before[panel] != unpinned).mean() < 0.05
        screen.do("click", "1")
        screen.wait_for(lambda p: (p[panel] != unpinned).mean() > 0.05, "the inspector")

        # Keys over the picture, and away again.
        colorful = (slice(100, 300), slice(200, 350))
        screen.do("key", "question")
        screen.wait_for(lambda p: p[colorful][..., 2].mean() < 100, "the list of keys")
        screen.press("Escape")
        screen.wait_for(lambda p: p[colorful][..., 2].mean() > 150, "the normals without it")

        # The file changes, then is lost: the picture is read again, then stays with a message.
        screen.press("Escape", "z")
        screen.wait_for(lambda p: find(p, maps[normal]) == (left, top), "the whole map again")
        words = document.texture.words.copy()
        table = document.texture.table
        x = [channel.component for channel in table.header.channels].index("x")
        group = next(group for group in table.groups if x in group.header.members)
        ranges = group.header_offset + 6 + 2 * table.header.mip_count - table.header.tail
        words[ranges + 2 * group.header.members.index(x)] ^= 1 << 20  # lo of the normals' X
        other = Texture(words, document.texture.metadata)
        other.save(sample.file)
        changed = to_bytes(shown(other.decode(), document.maps[normal]))
        assert np.abs(changed - maps[normal]).max() > 2
        screen.wait_for(lambda p: find(p, changed) == (left, top), "the changed file")
        quiet = screen.picture()
        sample.file.unlink()
        screen.wait_for(lambda p: (p[message] != quiet[message]).any(axis=2).sum() > 500, "the message")
        assert find(screen.picture(), changed) == (left, top)

        screen.do("key", "ctrl+q")
        screen.process.wait(timeout=60)
        assert screen.process.returncode == 0
    assert (tmp_path / "stderr.txt").read_text() == ""


def test_a_session_of_comparing_and_going_about(sample, tmp_path, monkeypatch):
    """Two files; the reference while a key is held; the folder's next material; a folder that is compressed; the
    system's window for files, which is played by a script."""
    document = open_document(sample.file)
    folder = tmp_path / "files"
    folder.mkdir()
    first, second = folder / "a.gstex", folder / "b.gstex"
    first.write_bytes(sample.file.read_bytes())
    gstex.compress(sample.source, bpp=2, effort="draft", wrap="repeat").save(second)
    number = [one.name for one in document.maps].index("normal")
    one = document.maps[number]
    mine, other = (to_bytes(shown(open_document(file).texture.decode(), one)) for file in (first, second))
    codes = np.moveaxis(load_reference(sample.source, wanted_of(document))[0].levels[0], 0, 2)
    reference = to_bytes(shown(codes.reshape(SIZE, SIZE, -1)[:, :, :8] / 65535, one))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "zenity").write_text(f"#!/bin/sh\ntest $# -gt 1 || exit 1\necho {second}\n")
    (programs / "zenity").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("GSTEX_STATE", str(tmp_path / "state"))

    arguments = ["view", str(first), str(second), "--reference", str(sample.source), "--size", "640x400", "--zoom", "1",
                 "--map", "normal", "--sampling", "texels"]  # fmt: skip
    with window(arguments, WINDOW, tmp_path) as screen:
        screen.find_window("gstex view")
        half = SIZE // 2

        def sides(p):
            at = find(p, mine[:, : half - 2])
            return at is not None and np.abs(p[at[1] : at[1] + SIZE, at[0] + half + 2 : at[0] + SIZE]
                                             - other[:, half + 2 :]).max() <= 1  # fmt: skip

        screen.wait_for(sides, "the second file beside the first")
        screen.do("keydown", "q")
        screen.wait_for(lambda p: find(p, reference) is not None, "the reference while Q is held")
        screen.do("keyup", "q")
        screen.wait_for(sides, "both files again")
        screen.press("n")
        screen.wait_for(lambda p: find(p, other) is not None, "the second file in its turn")
        screen.wait_for(lambda p: find(p, mine) is not None, "the first file in its turn")
        screen.press("n", "m", "Right")
        screen.wait_for(lambda p: find(p, other) is not None, "the next material of the folder")
        screen.press("Left")
        screen.wait_for(lambda p: find(p, mine) is not None, "the one before")

        # A click on the figure of the zoom lists others: 200 % is the third.
        picture = screen.picture()
        bottom = picture[WINDOW[1] - 21 :, : WINDOW[0] - 150].max(axis=(0, 2)) > 200
        screen.point(int(np.flatnonzero(bottom)[-8]), WINDOW[1] - 10)
        screen.do("click", "1")
        listed = screen.wait_for(lambda p: (p != picture)[300:370].any(axis=2).sum() > 2000, "the list of zooms")
        rows, columns = np.nonzero((listed[:378] != picture[:378]).any(axis=2))
        screen.point(int(columns.min()) + 20, int(rows.min() + 0.5 * (rows.max() - rows.min())))
        screen.do("click", "1")
        twice = mine.repeat(2, axis=0).repeat(2, axis=1)
        screen.wait_for(lambda p: find(p, twice) is not None, "200 %")
        screen.press("ctrl+1")
        screen.wait_for(lambda p: find(p, mine) is not None, "100 %")

        # The system's window gives the path of the second file; Enter opens it.
        screen.press("ctrl+o")
        dialog = screen.wait_for(lambda p: find(p, mine) is None, "the window to open")
        ys, xs = np.nonzero((dialog != picture).any(axis=2)[:370, :])
        screen.point(int(np.percentile(xs, 99.5)) - 40, int(ys.min()) + 62)
        screen.do("click", "1")
        screen.wait_for(lambda p: (p != dialog).any(axis=2).sum() > 40, "the path that was chosen")
        screen.point(int(xs.min()) + 30, int(ys.min()) + 88)
        screen.do("click", "1")
        screen.wait_for(lambda p: find(p, other) is not None, "the file that was chosen")

        # A folder is compressed once the user has said how.
        screen.press("ctrl+o")
        screen.wait_for(lambda p: find(p, other) is None, "the window to open")
        screen.do("key", "ctrl+a")
        screen.do("type", str(sample.source))
        screen.press("Return")
        time.sleep(1)
        screen.press("Return")
        screen.wait_for(lambda p: "leaves" in screen.title(), "the compressed folder")
        screen.do("key", "ctrl+q")
        screen.process.wait(timeout=60)
        assert screen.process.returncode == 0
    assert (tmp_path / "stderr.txt").read_text() == ""


def test_a_mesh_is_opened_in_the_window_and_displaced(sample, tmp_path):
    """What W writes is what a screenshot of the same shape is."""
    file, model = tmp_path / "bricks.gstex", tmp_path / "cube.glb"
    gstex.compress(crop_sample("weathered_bricks", tmp_path / "bricks"), bpp=6, effort="draft").save(file)
    model.write_bytes(model_bytes([], [{}]))
    arguments = ["view", str(file), "--size", "640x400", "--view", "lit", "--surroundings", "even", "--orbit", "32,24"]
    with window(arguments, WINDOW, tmp_path) as screen:
        screen.find_window("gstex view")
        middle = (slice(60, 360), slice(20, 340))
        ball = screen.wait_for(lambda p: p[200, 150].max() > 60 and np.ptp(p[middle]) > 60, "the sphere")
        screen.press("ctrl+o")
        dialog = screen.wait_for(lambda p: (p != ball)[middle].any(axis=2).sum() > 2000, "the window to open")
        screen.do("key", "ctrl+a")
        screen.do("type", model.name)  # in the current folder
        time.sleep(1)
        screen.press("Return")
        screen.wait_for(lambda p: (p != dialog)[middle].any(axis=2).sum() > 5000, "the mesh")
        for count, presses in ((1, 0), (2, 5)):
            for _ in range(presses):
                screen.press("shift+b")
            time.sleep(1)
            screen.press("w")
            screen.wait_for(lambda p, count=count: len(list(tmp_path.rglob("*_lit_*.png"))) == count, "the picture")
        screen.do("key", "ctrl+q")
        screen.process.wait(timeout=60)
        assert screen.process.returncode == 0
    document = open_document(file)
    paths = (next(tmp_path.rglob(f"*_lit_{count}.png")) for count in (1, 2))
    written = [np.asarray(Image.open(path).convert("RGB"), np.int64) for path in paths]
    for picture, displaced in zip(written, (0.0, 0.1), strict=True):
        lit = Lit(shape=OWN_MESH, yaw=32.0, pitch=24.0, surroundings="even", tiling=1.0, displace=displaced)
        state = ViewState(view="lit", lit=lit, sampling=document.texture.sampling)
        expected = render(document, state, picture.shape[1::-1], mesh=load_mesh(model)).astype(int)
        assert np.abs(picture - expected).max() <= 1, displaced
    assert (written[0] != written[1]).any()
    assert (tmp_path / "stderr.txt").read_text() == ""
