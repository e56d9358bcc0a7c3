"""What an output was made from, as a rule that Make and Ninja read."""

from collections.abc import Iterable
from pathlib import Path

from gstex.files import replace_file

__all__ = ["write_depfile"]


def write_depfile(path: Path, target: Path, inputs: Iterable[Path]) -> None:
    """Write the rule `target: inputs`, and one for every input, so that Make goes on where one has gone.

    Raises:
        OutputError: the file cannot be written.
    """
    names = [_escaped(name) for name in dict.fromkeys(map(str, inputs))]
    lines = [" \\\n  ".join([f"{_escaped(str(target))}:", *names]), *(f"{name}:" for name in names)]
    replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def _escaped(name: str) -> str:
    """A path as both programs read it. A name that ends a line has no form that they agree on; it is left as it is."""
    return name.replace(" ", "\\ ").replace("#", "\\#").replace("$", "$$")
