"""samples/panda3d: a lit quad whose material is sampled in the shader, against Python."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from glsl_runner import context_or_skip
from PIL import Image
from small_samples import SAMPLES, crop_sample
from test_engine_sample import SIDE, reference

import gstex

SCRIPT = SAMPLES / "panda3d" / "quad.py"
HAS_PANDA = importlib.util.find_spec("panda3d") is not None
needs_panda = pytest.mark.skipif(not HAS_PANDA, reason="needs Panda3D: pip install panda3d")


def draw(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@needs_panda
@pytest.mark.parametrize("name", ["rusted_steel", "scifi_panel"])
def test_the_picture_is_that_of_the_reference(name: str, tmp_path: Path) -> None:
    """The light is that of samples/engine_c, whose reference this is too."""
    with context_or_skip():  # what it draws with
        pass
    texture = gstex.compress(crop_sample(name, tmp_path / name, 64), effort="draft", gaussians=150)
    texture.save(tmp_path / "a.gstex")
    done = draw(tmp_path / "a.gstex", tmp_path / "picture.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{SIDE}x{SIDE}, {4 * len(texture.words)} bytes in the buffer\n")
    found = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB"))
    expected = reference(texture) * 255
    assert found.shape == expected.shape and expected.std() > 20
    difference = np.abs(found - expected)
    assert difference.max() <= 0.5 + 255 / 1024 and np.mean(difference > 0.51) < 1e-3


@needs_panda
def test_a_file_that_breaks_a_rule(tmp_path: Path) -> None:
    (tmp_path / "a.gstex").write_bytes(b"\x89GSTEX\r\n" + bytes(300))
    done = draw(tmp_path / "a.gstex", tmp_path / "picture.png")
    assert done.returncode == 1 and "version: got 0" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "picture.png").exists()


def test_the_light_is_that_of_the_engine_in_c() -> None:
    """Or `reference` would be that of another picture."""
    numbers = re.compile(r"to_lamp = vec3\(.*?\)|ambient = [\d.]+")
    engine = (SAMPLES / "engine_c" / "quad.frag").read_text()
    assert numbers.findall(SCRIPT.read_text()) == numbers.findall(engine)
