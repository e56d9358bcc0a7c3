"""Dependency files: what an output was made from, as a rule for Make and Ninja."""

from collections.abc import Iterable
from pathlib import Path

from gstex.files import replace_file

__all__ = ["write_depfile"]


def write_depfile(path: Path, target: Path, inputs: Iterable[Path]) -> None:
    """Write the rule `target: inputs`, and an empty rule per input, so that Make does not stop if an input is deleted.

    Raises:
        OutputError: the file cannot be written.
    """
    names = [_escaped(name) for name in dict.fromkeys(map(str, inputs))]
    lines = [" \\\n  ".join([f"{_escaped(str(target))}:", *names]), *(f"{name}:" for name in names)]
    replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def _escaped(name: str) -> str:
    """A path in the form that both programs read. They share no form for a line break, which stays as it is."""
    return name.replace(" ", "\\ ").replace("#", "\\#").replace("$", "$$")
