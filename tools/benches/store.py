"""Results that outlive a run: a file of JSON lines, looked up by what they depend on.

A row is kept under a hash of the input, the settings and the code that made it. A stopped benchmark can therefore
resume, and rows of other code are not used.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import gstex
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material

__all__ = ["SOURCES", "Store", "code_version", "key_of", "meaning_of"]

# Files and folders of the package on which the result of a fit and its measurement depend. The reading of images is
# left out, because its result, the pixels and the table of channels, is part of the key.
SOURCES = (
    "encode", "format", "native", "cuda", "decode", "blocks.py", "constants.py", "files.py", "filtering.py",
    "metrics.py", "resources.py", "shading.py", "srgb.py", "texture.py",
    *(f"material/{name}.py" for name in ("bleed", "coverage", "halve", "importance", "mips", "resample", "saliency")),
)
_SUFFIXES = (".py", ".cpp", ".h")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_version(sources: Sequence[str] = SOURCES, *, libraries: bool = True) -> str:
    """Hash of these sources of the imported gstex and, if `libraries` is set, of the version of NumPy."""
    package = Path(gstex.__file__).parent
    digest = hashlib.sha256(f"numpy {np.__version__}".encode() if libraries else b"")
    for name in sources:
        path = package / name
        files = [file for file in sorted(path.rglob("*")) if file.suffix in _SUFFIXES] if path.is_dir() else [path]
        for file in files:
            content = meaning_of(file).encode()
            digest.update(f"\n{file.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def meaning_of(file: Path) -> str:
    """The text of a source without what decides nothing: comments, docstrings, types, `__all__` and the layout of
    lines. Empty if there is nothing else."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return " ".join(re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).split())
    tree = _Bare().visit(ast.parse(text))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree = _Used(used).visit(tree)
    return ast.dump(tree) if tree.body else ""


class _Bare(ast.NodeTransformer):
    """Takes docstrings, types and `__all__` out of a syntax tree."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return super().visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        return None if any(_is_name(base, "Protocol") for base in node.bases) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if _is_name(node.annotation, "TypeAlias"):
            return None
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if _is_name(node.targets[0], "__all__") else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if _is_name(node.test, "TYPE_CHECKING") else self.generic_visit(node)


class _Used(ast.NodeTransformer):
    """Takes out imports of names that the module does not use: they are there for types, or for other modules."""

    def __init__(self, used: set[str]):
        self.used = used

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._without_unused(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._without_unused(node)

    def _without_unused(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        node.names = [alias for alias in node.names if (alias.asname or alias.name).split(".")[0] in self.used]
        return node if node.names else None


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def key_of(material: Material, settings: JsonView, code: str) -> str:
    """Hash of all that a row depends on: pixels, weights, the table of channels, settings and code."""
    neutral = [channel.neutral for channel in material.channels]
    about = {"material": material.to_metadata(), "neutral": neutral, "settings": settings, "code": code}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(material.pixels).data)
    if material.weights is not None:
        digest.update(material.weights.data)
    return digest.hexdigest()[:32]


class Store:
    """Rows by key in a file of JSON lines. Later lines win, and truncated lines are skipped."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, JsonObject] = {}
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self.rows[entry["key"]] = dict(entry["row"])
            except (ValueError, KeyError, TypeError):
                continue
        self._torn = bool(text) and not text.endswith("\n")

    def get(self, key: str) -> JsonObject | None:
        """The row kept under a key, or None."""
        return self.rows.get(key)

    def kept(self, key: str, settings: JsonView, make: Callable[[], JsonObject]) -> JsonObject:
        """The row kept under a key, or a new one that is kept from now on."""
        row = self.get(key)
        if row is None:
            row = make()
            self.add(key, settings, row)
        return row

    def add(self, key: str, settings: JsonView, row: JsonObject) -> None:
        """Keep a row. It is on the disk when this returns."""
        line = json.dumps({"key": key, "settings": settings, "row": row}, allow_nan=False) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + line if self._torn else line)
            file.flush()
            os.fsync(file.fileno())
        self._torn = False
        self.rows[key] = row
