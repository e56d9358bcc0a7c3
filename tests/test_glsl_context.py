"""gstex.gl: what it says where OpenGL is missing or too old, and where a shader is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from glsl_runner import context_or_skip

from gstex.errors import ExtraError, GraphicsError
from gstex.gl import WordBuffer, compute_program, current_context, join_words, surfaceless
from gstex.gl.context import import_gl

OPEN = "from gstex.gl import surfaceless\nwith surfaceless({}) as context: print(context)"


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_what_is_current() -> None:
    with context_or_skip():
        context = current_context()
        assert context.api == "gl" and context.version >= (4, 3)
        assert context.is_software == ("llvmpipe" in context.renderer)
    with context_or_skip(es=True):
        assert current_context().api == "es" and current_context().version >= (3, 0)


def test_importing_the_package_imports_no_opengl() -> None:
    code = "import gstex.gl, sys; print('OpenGL' in sys.modules)"
    assert run(code).stdout == "False\n"


def test_without_pyopengl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenGL", None)
    with pytest.raises(ExtraError, match=r"pip install gstex\[view\]"), surfaceless():
        pass


def test_opengl_that_is_too_old_is_named() -> None:
    with context_or_skip():
        if not current_context().is_software:
            pytest.skip("only Mesa can be made to look older")
    done = run(OPEN.format(""), MESA_GL_VERSION_OVERRIDE="4.2")
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    found = r"gstex\.errors\.GraphicsError: OpenGL: found 4\.2 .* on llvmpipe.*, expected OpenGL 4\.3; install .*"
    assert re.fullmatch(found, message), message


def test_no_egl_display_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with context_or_skip():
        pass
    monkeypatch.setattr("gstex.gl.context.PLATFORM_SURFACELESS_MESA", 0x1234)
    monkeypatch.setattr("gstex.gl.context.PLATFORM_DEVICE_EXT", 0x1234)
    line = r"\AEGL: found no context .*, expected OpenGL 4\.3; install .*\Z"
    with pytest.raises(GraphicsError, match=line), surfaceless():
        pass


def test_pyopengl_that_looks_for_windows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with context_or_skip():
        pass
    monkeypatch.setattr("gstex.gl.context.PLATFORM_SURFACELESS_MESA", 0x1234)
    monkeypatch.setattr("gstex.gl.context.PLATFORM_DEVICE_EXT", 0x1234)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    with pytest.raises(GraphicsError, match=r"import it inside `with surfaceless\(\)`"), surfaceless():
        pass


def test_no_context_at_all_is_an_error() -> None:
    with context_or_skip():
        pass
    with pytest.raises(GraphicsError, match="no context is current"):
        current_context()


def test_a_shader_that_is_wrong_is_shown_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "wrong.comp").write_text("layout(local_size_x = 1) in;\nvoid main() { nonsense(); }\n")
    with context_or_skip(), pytest.raises(GraphicsError, match=r"(?s)wrong\.comp: does not compile\n.*nonsense"):
        compute_program(tmp_path / "wrong.comp")


def test_base_words_and_the_size_of_a_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    materials = [np.arange(n, dtype=np.uint32) for n in (64, 128, 64)]
    joined, bases = join_words(materials)
    assert bases == [0, 64, 192] and joined.dtype == np.uint32
    np.testing.assert_array_equal(joined, np.concatenate(materials))
    with context_or_skip():
        buffer = WordBuffer(materials)
        assert buffer.bases == bases
        buffer.delete()
        monkeypatch.setattr(import_gl(), "glGetIntegerv", lambda name: 100)
        with pytest.raises(GraphicsError, match="1024 bytes of words, this driver allows 100"):
            WordBuffer(materials)
