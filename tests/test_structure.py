"""What the folders promise: modules import one way, so each can be read with nothing but what lies below it."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def imports_of(path: Path, module: str) -> Iterator[str]:
    """Every name that a file imports, in functions and for types too, as `package.module` or `package.module.name`."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def python_graph(folder: Path) -> dict[str, set[str]]:
    """For every module of a package the others that it imports."""
    files = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for module, path in files.items():
        found = {name if name in files else name.rpartition(".")[0] for name in imports_of(path, module)}
        graph[module] = (found & files.keys()) - {module}
    return graph


def javascript_graph(folder: Path) -> dict[str, set[str]]:
    """For every file of a folder the others that it imports."""
    pattern = re.compile(r"""^(?:import|export)\b[^;]*?['"]\./([^'"]+)['"];""", re.MULTILINE)
    return {path.name: set(pattern.findall(path.read_text())) for path in folder.glob("*.js")}


@pytest.mark.parametrize("graph", [python_graph(ROOT / "gstex"), python_graph(ROOT / "tools/benches"),
                                   javascript_graph(ROOT / "samples/web/src")],
                         ids=["gstex", "tools/benches", "samples/web"])  # fmt: skip
def test_imports_go_one_way(graph: dict[str, set[str]]) -> None:
    """No module imports itself by way of others, not even inside a function or for types alone."""
    assert sum(map(len, graph.values())) >= len(graph) / 2  # imports are found at all
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imports go in a circle: " + " <- ".join(error.args[1]))


def test_higher_imports_lower() -> None:
    """The levels in docs/architecture.md are those of the code, and every file and folder is in one."""
    document = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"```\n(cli\n[^`]*)```", document)
    level = {name: number for number, line in enumerate(block.splitlines()) for name in line.split(", ")}
    graph = python_graph(ROOT / "gstex")
    top = {module: module.split(".")[1] for module in graph if module not in ("gstex", "gstex.__main__")}
    assert level.keys() == set(top.values())
    up = {(module, other) for module in top for other in graph[module] & top.keys()
          if level[top[other]] < level[top[module]]}  # fmt: skip
    assert {(top[module], other) for module, other in up} == {("encode", "gstex.compare.codec_quality")}


# What engines include whole, and what tools/write_shaders.py writes from it.
WHOLE = {
    "gstex/native/gstex.h", "gstex/native/gstex_blocks.h", "gstex/native/gstex_expand.h", "shaders/gstex.glsl",
    "shaders/gstex.hlsl", "shaders/gstex.metal", "shaders/gstex.wgsl", "shaders/bc.hlsl", "shaders/bc.wgsl",
}  # fmt: skip


def test_files_can_be_read_at_once() -> None:
    """No source has more than 600 lines, but those that others include whole."""
    suffixes = {".py", ".cpp", ".h", ".c", ".cu", ".cuh", ".glsl", ".comp", ".hlsl", ".wgsl", ".metal", ".js", ".md"}
    folders = ("gstex", "shaders", "cuda", "tools", "tests", "samples", "benchmarks", "docs")
    long = {
        path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes and "node_modules" not in path.parts and "build" not in path.parts
        and path.read_text(encoding="utf-8").count("\n") > 600
    }  # fmt: skip
    assert long == WHOLE
