"""The complete text of a CUDA source: constants, defines, and headers in place of #include.

It is one text without #include, because CuPy's cache of compiled kernels hashes the text and not the headers it
includes. Compilers still name the right file and line.
"""

import re
from collections.abc import Mapping

from gstex.constants import c_literal, shared_constants
from gstex.resources import source_path

__all__ = ["kernel_source"]

# Headers in gstex/native. Headers that end in .glsl are in shaders/, written in the language that GLSL and CUDA share.
_SHARED = ("formulas.h", "gstex.h", "gstex_expand.h")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([\w./]+)"[^\n]*$', re.MULTILINE)


def kernel_source(file: str, defines: Mapping[str, int | str] | None = None) -> str:
    """The complete text of a source in `cuda/`.

    Args:
        file: name in the folder: "decode/mip.cu".
        defines: macros that specialise a kernel; they come before everything except the shared constants.

    Raises:
        FileNotFoundError: there is no such source, or it includes one that does not exist.
    """
    macros = {f"GSTEX_{name}": c_literal(value) for name, value in shared_constants().items()}
    macros.update((name, str(value)) for name, value in (defines or {}).items())
    lines = [f"#define {name} {value}" for name, value in macros.items()]
    return "\n".join([*lines, _spliced(file, set())])


def _spliced(file: str, included: set[str]) -> str:
    """The text of a file, with every header at the place where it is first included."""
    included.add(file)
    folder = "native" if file in _SHARED else "shaders" if file.endswith(".glsl") else "cuda"
    text = source_path(f"{folder}/{file}").read_text(encoding="utf-8")
    parts, position = [f'#line 1 "{file}"\n'], 0
    for include in _INCLUDE.finditer(text):
        header = include[1]
        line_after = text.count("\n", 0, include.end()) + 2
        parts.append(text[position : include.start()])
        if header not in included:
            parts.append(f"{_spliced(header, included)}\n")
        parts.append(f'#line {line_after} "{file}"')
        position = include.end()
    return "".join([*parts, text[position:]])

