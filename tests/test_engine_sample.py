"""samples/engine_c: an engine in C that draws files from a buffer, or from textures made on load, against Python."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from glsl_runner import context_or_skip
from PIL import Image
from small_samples import crop_sample

import gstex
from gstex.shading import read_surface
from gstex.srgb import linear_to_srgb

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "samples" / "engine_c"
SIDE, REPEATS = 256, 2  # of a quad, in pixels; of the material on it


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine, built by its Makefile in a copy of its folder."""
    if shutil.which("make") is None or shutil.which("cc") is None:
        pytest.skip("no make or no C compiler here (Debian: apt-get install gcc make)")
    with context_or_skip():  # what it draws with
        pass
    root = tmp_path_factory.mktemp("engine")
    folder = root / "samples" / "engine_c"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("engine", "on_load"))
    (root / "gstex").symlink_to(ROOT / "gstex")
    probe = "#include <EGL/egl.h>\n#include <GL/glcorearb.h>\nint main(void) { return eglGetError() == 0; }\n"
    command = ["cc", "-x", "c", "-", "-o", str(root / "probe"), "-lEGL", "-lOpenGL"]
    if subprocess.run(command, input=probe, text=True, capture_output=True).returncode:
        pytest.skip("no headers of EGL and OpenGL here (Debian: apt-get install libegl-dev libgl-dev libopengl-dev)")
    done = subprocess.run(["make", "-C", folder], capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    return folder / "engine"


def draw(engine: Path, *paths: Path | str) -> subprocess.CompletedProcess[str]:
    command = [engine, ROOT / "shaders", *paths]
    return subprocess.run(list(map(str, command)), cwd=engine.parent, capture_output=True, text=True)


def rows_of(texture: gstex.Texture) -> list[dict]:
    """What read_surface wants to know of every channel, from the header."""
    return [
        {"role": c.role, "component": c.component, "color_space": ("linear", "srgb")[c.srgb], "constant": c.constant}
        for c in texture.table.header.channels
    ]


def reference(texture: gstex.Texture) -> np.ndarray:
    """The quad: float [SIDE, SIDE, 3] sRGB, the top row first."""
    step = REPEATS / SIDE
    across, down = np.meshgrid((np.arange(SIDE) + 0.5) * step, (np.arange(SIDE) + 0.5) * step)
    uv = np.stack([across, down], axis=2).reshape(-1, 2)
    duv = np.broadcast_to(np.array([[step, 0], [0, step]]), (len(uv), 2, 2))
    return lit(texture, texture.sample(uv, duv=duv)).reshape(SIDE, SIDE, 3)


def lit(texture: gstex.Texture, stack: np.ndarray) -> np.ndarray:
    """sRGB [M, 3] of values [M, C] of the texture, in the light of quad.frag."""
    shader = (FOLDER / "quad.frag").read_text()
    lamp = np.array(re.findall(r"-?\d\.\d+", re.findall(r"to_lamp = vec3\((.*?)\)", shader)[0]), np.float64)
    ambient = float(re.findall(r"ambient = ([\d.]+)", shader)[0])
    flipped = any(c.flipped for c in texture.table.header.channels)
    surface = read_surface(stack, rows_of(texture), "dx" if flipped else "gl")
    light = ambient * surface.ao + np.maximum(np.tensordot(lamp, surface.normal, 1), 0)
    return linear_to_srgb(np.clip(surface.base * light + surface.emissive, 0, 1)).T


def test_the_picture_is_that_of_the_reference(engine: Path, tmp_path: Path) -> None:
    """Two materials of different maps, mips and sizes, with emissive light in one."""
    paths, textures = [], []
    for name in ("rusted_steel", "scifi_panel"):
        textures.append(gstex.compress(crop_sample(name, tmp_path / name, 64), effort="draft", gaussians=150))
        paths.append(tmp_path / f"{name}.gstex")
        textures[-1].save(paths[-1])
    done = draw(engine, *paths, tmp_path / "picture.ppm")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 materials, {sum(len(t.words) for t in textures)} words\n"
    found = np.asarray(Image.open(tmp_path / "picture.ppm"))
    assert found.shape == (SIDE, 2 * SIDE, 3)
    expected = np.concatenate([reference(texture) for texture in textures], axis=1) * 255
    assert expected.std() > 20
    difference = np.abs(found - expected)
    assert difference.max() <= 0.5 + 255 / 1024 and np.mean(difference > 0.51) < 1e-3


def test_a_damaged_file_is_refused_with_the_reason(engine: Path, tmp_path: Path) -> None:
    sound = ROOT / "tests" / "data" / "golden_v2_groups.gstex"
    data = bytearray(sound.read_bytes())
    data[300] ^= 1
    (tmp_path / "damaged.gstex").write_bytes(data)
    done = draw(engine, sound, tmp_path / "damaged.gstex", tmp_path / "picture.ppm")
    assert done.returncode == 1 and not (tmp_path / "picture.ppm").exists()
    assert done.stderr.startswith(f"{tmp_path / 'damaged.gstex'}: gpu_crc: got ") and done.stderr.count("\n") == 1


def test_textures_made_on_load_show_the_same(engine: Path, tmp_path: Path) -> None:
    """A texel is a pixel: what blocks lose is small, and GPU and CPU give the same but for a code now and then."""
    texture = gstex.compress(crop_sample("scifi_panel", tmp_path / "panel", 64), effort="draft", gaussians=150)
    texture.save(tmp_path / "panel.gstex")
    found = {}
    for where in ("gpu", "cpu"):
        picture = tmp_path / f"{where}.ppm"
        done = draw(engine.parent / "on_load", where, tmp_path / "panel.gstex", picture)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "4 textures\n")
        found[where] = np.asarray(Image.open(picture)).astype(float)
    values = texture.decode()
    tile = lit(texture, values.reshape(-1, texture.channels)).reshape(*values.shape[:2], 3) * 255
    difference = np.abs(found["cpu"][: len(tile), : len(tile)] - tile)  # beyond, a crop is clamped
    assert tile.std() > 20 and difference.mean() < 1.5 and np.percentile(difference, 99) < 8
    # A code of the decoded texels that differs by one may change the ends of its block, and by that 16 texels a little.
    between = np.abs(found["gpu"] - found["cpu"])
    assert between.max() <= 8 and np.mean(between > 0) < 0.01
