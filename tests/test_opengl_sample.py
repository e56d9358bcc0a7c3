"""samples/opengl: a file that a fragment shader draws, against Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from glsl_runner import context_or_skip
from small_samples import SAMPLES, crop_sample

import gstex


def checked(argument: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYOPENGL_PLATFORM"}
    return subprocess.run([sys.executable, SAMPLES / "opengl" / "check.py", argument], env=environment,
                          capture_output=True, text=True, timeout=300, check=False)  # fmt: skip


@pytest.mark.parametrize("name", ["rusted_steel", "scifi_panel"])
def test_the_shader_draws_what_python_decodes(name: str, tmp_path: Path) -> None:
    """Of 8 channels and of more, where nobody has chosen a platform of PyOpenGL."""
    with context_or_skip():  # what it draws with
        pass
    gstex.compress(crop_sample(name, tmp_path / name, 64), effort="draft", gaussians=150).save(tmp_path / "a.gstex")
    done = checked(tmp_path / "a.gstex")
    assert done.returncode == 0, done.stderr
    text, value = done.stdout.rsplit(maxsplit=1)
    assert text == "largest difference of a channel:" and float(value) < 1e-5


@pytest.mark.parametrize(("argument", "words"), [("--help", "python samples/opengl/check.py bricks.gstex"),
                                                 ("none.gstex", "none.gstex: ")])  # fmt: skip
def test_wrong_use_is_said_in_words(argument: str, words: str) -> None:
    done = checked(argument)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
