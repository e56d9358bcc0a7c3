"""Print every message of gstex in one list with its file and line, to be read as a user would who is annoyed.

    python tools/list_messages.py [errors] [notes] [native] [help] [--under FOLDER]

errors: texts in a `raise`, or in a call that makes an error. notes: every other text of two words or more; the commands
print most of them, and only programs read a few. native: texts of the C and C++ sources. help: every --help. Without a
word, all are printed. {...} stands for what is filled in at run time.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from gstex.cli.app import cli

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("errors", "notes", "native", "help")
# Names of the classes and helpers (such as _damaged) that make an error of a text.
ERROR_MAKERS = re.compile(r"Error$|Parameter$|_broken$|_damaged$|_failed$|_refuse\w*$|_unsound$|TooSmall$")


class Message(NamedTuple):
    path: str  # from the root of the repository
    line: int
    text: str


def messages(path: Path, errors: bool) -> Iterator[Message]:
    """Texts of a Python file in order: those of errors, or all others except docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}

    def visit(node: ast.AST, raised: bool) -> Iterator[Message]:
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and ERROR_MAKERS.search(ast.unparse(node.func))):
            raised = True
        text = _text(node)
        if text is None:
            for child in ast.iter_child_nodes(node):
                yield from visit(child, raised)
        elif isinstance(node, ast.expr) and id(node) not in docstrings and raised == errors and _is_prose(text):
            yield Message(str(path.relative_to(ROOT)), node.lineno, text)

    yield from visit(tree, False)


def native_messages(path: Path) -> Iterator[Message]:
    """String literals of a C or C++ file that are texts. Adjacent literals are joined."""
    source = re.sub(r"^\s*#include.*$|//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
    for literal in re.finditer(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', source):
        text = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', literal[0]))
        if _is_prose(text):
            yield Message(str(path.relative_to(ROOT)), source.count("\n", 0, literal.start()) + 1, text)


def helps() -> Iterator[tuple[str, str]]:
    """(command, its help) of gstex and of every command, as a terminal of 100 columns shows it."""
    with click.Context(cli, info_name="gstex", terminal_width=100) as context:
        yield "gstex", cli.get_help(context)
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            yield f"gstex {name}", command.get_help(click.Context(command, context, name, terminal_width=100))


def _text(node: ast.AST) -> str | None:
    """The text of a literal, with {...} where something is filled in; None if the node is not a text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(f"{{{ast.unparse(part.value)}}}" if isinstance(part, ast.FormattedValue) else _text(part) or ""
                       for part in node.values)
    return None


def _is_prose(text: str) -> bool:
    return re.search(r"[a-z}] [a-z{]", text) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without one")
    parser.add_argument("--under", default="gstex", help="folder or file to read the messages of; default: gstex")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"got {', '.join(sorted(unknown))}, expected {', '.join(PARTS)}")
    top = ROOT / options.under
    by_part: dict[str, list[Message]] = {part: [] for part in PARTS[:3]}
    for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
        if path.suffix == ".py":
            by_part["errors"] += messages(path, errors=True)
            by_part["notes"] += messages(path, errors=False)
        elif path.suffix in (".c", ".cpp", ".h"):
            by_part["native"] += native_messages(path)
    for part in options.parts or PARTS:
        if part == "help":
            print(*(f"\n===== {name} --help\n{text}" for name, text in helps()), sep="\n")
            continue
        print(f"\n===== {part}: {len(by_part[part])}")
        print(*(f"{path}:{line}: {text}" for path, line, text in by_part[part]), sep="\n")


if __name__ == "__main__":
    main()
