"""`gstex view` as a command: screenshots, errors in one line, and what it does without a display or the extra."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from view_samples import make_sample, need_gl, to_bytes

import gstex.cli.view  # noqa: F401
from gstex.view.document import open_document
from gstex.view.maps import find_map, shown


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("view"))


def test_a_screenshot_from_the_command_line(sample, command, tmp_path):
    need_gl()
    target = tmp_path / "map.png"
    ran = command("view", sample.file, "--screenshot", target, "--size", "60x50", "--zoom", "1", "--map", "normal",
                  "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    facts = json.loads(ran.out)
    assert facts["map"] == "normal" and facts["corner"] == [10, 5] and facts["lod"] == 0
    picture = np.asarray(Image.open(target)).astype(int)
    document = open_document(sample.file)
    expected = to_bytes(shown(document.texture.decode(), document.maps[find_map(document.maps, "normal")]))
    assert picture.shape == (50, 60, 3)
    assert np.abs(picture[5:45, 10:50] - expected).max() <= 1


def test_a_screenshot_of_differences_finds_its_reference(sample, command, tmp_path, monkeypatch):
    need_gl()
    ran = command("view", sample.file, "--screenshot", tmp_path / "a.png", "--view", "diff", "--size", "40x40",
                  "--zoom", "1", "--gain", "1", "--json")  # fmt: skip
    assert ran.code == 0 and json.loads(ran.out)["other"] == "reference"
    alone = tmp_path / "alone.gstex"
    alone.write_bytes(sample.file.read_bytes())
    ran = command("view", alone, "--screenshot", tmp_path / "b.png", "--view", "diff")
    assert ran.error() == "--view diff: needs what the file was made from: give --reference FOLDER" and ran.code == 2


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["nope.gstex"], "nope.gstex: no such file", 1),
        (["nope.gstex", "--screenshot", "a.png"], "nope.gstex: no such file", 1),
        (["bad.gstex", "--screenshot", "a.png"], "bad.gstex", 1),
        (["bad.gstex"], "bad.gstex", 1),
        (["--screenshot", "a.png"], "--screenshot: needs a FILE", 2),
        (["good.gstex", "bad.gstex", "--screenshot", "a.png", "--view", "split"], "bad.gstex", 1),
        (["good.gstex", "--screenshot", "a.png", "--other", "second"], "--other second: needs a SECOND file", 2),
        (["good.gstex", "--screenshot", "a.png", "--view", "lit", "--surroundings", "no.hdr"], "no.hdr: cannot be", 1),
        (["good.gstex", "--json"], "--json: goes with --screenshot", 2),
        (["good.gstex", "--screenshot", "a.png", "--map", "nope"], "map: got 'nope', expected one of albedo", 2),
        (["good.gstex", "--screenshot", "a.png", "--size", "9"], "got '9', expected WIDTHxHEIGHT", 2),
        (["good.gstex", "--screenshot", "a.png", "--center", "9"], "got '9', expected two numbers", 2),
        (["good.gstex", "--screenshot", "no/a.png"], "its folder no does not exist", 1),
    ],
)
def test_errors_are_one_line(sample, command, arguments, message, code):
    Path("bad.gstex").write_bytes(b"\x89GSTEX\r\n nonsense")
    Path("good.gstex").write_bytes(sample.file.read_bytes())
    ran = command("view", *arguments)
    assert message in ran.error() and ran.code == code


def test_without_the_extra_the_error_names_it(sample, command, monkeypatch):
    for name in ("OpenGL", "OpenGL.GL"):
        monkeypatch.setitem(sys.modules, name, None)
    ran = command("view", sample.file, "--screenshot", "a.png")
    assert "pip install gstex[view]" in ran.error().replace('"', "") and ran.code == 1
    monkeypatch.setitem(sys.modules, "glfw", None)
    ran = command("view", sample.file)
    assert 'pip install "gstex[view]"' in ran.error() and ran.code == 1


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120,
                          env={**kept, **environment})  # fmt: skip


def test_without_a_display_the_window_is_refused_in_one_line(sample):
    pytest.importorskip("glfw")
    pytest.importorskip("imgui_bundle")
    pytest.importorskip("OpenGL")
    ran = run_python("-m", "gstex", "view", str(sample.file))
    assert ran.returncode == 1 and ran.stdout == ""
    assert ran.stderr.startswith("gstex: error: no display to open a window on") and ran.stderr.count("\n") == 1


def test_without_opengl_4_3_the_error_says_what_was_found(sample, tmp_path):
    need_gl()
    ran = run_python("-m", "gstex", "view", str(sample.file), "--screenshot", str(tmp_path / "a.png"),
                     MESA_GL_VERSION_OVERRIDE="3.3", MESA_GLSL_VERSION_OVERRIDE="330")  # fmt: skip
    if ran.returncode == 0:
        pytest.skip("needs Mesa, which can play an older OpenGL")
    assert ran.returncode == 1 and "OpenGL 4.3" in ran.stderr
    assert ran.stderr.startswith("gstex: error: ") and ran.stderr.count("\n") == 1


def test_importing_gstex_and_its_commands_imports_no_graphics():
    code = ("import sys, gstex, gstex.cli, gstex.view.state, gstex.view.commands, gstex.view.session;"
            "print([m for m in ('OpenGL', 'glfw', 'imgui_bundle') if m in sys.modules])")  # fmt: skip
    assert run_python("-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize(("options", "shown"), [
    ((), "map"), (("--reference", "wall"), "split"), (("--reference", "wall", "--view", "map"), "map"),
])  # fmt: skip
def test_a_window_with_a_reference_begins_in_split(command, monkeypatch, options, shown):
    seen = []
    monkeypatch.setattr(sys.modules["gstex.cli.view"], "_state", lambda document, asked: seen.append(asked["shown"]))
    window = SimpleNamespace(run=lambda file, reference, size, state, *rest: state(None))
    monkeypatch.setitem(sys.modules, "gstex.view.window", window)
    assert command("view", "a.gstex", *options).code == 0
    assert seen == [shown]
