"""Checks of where the output goes, made before any work is done for it."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gstex.errors import OutputError, UsageError

__all__ = ["check_name", "check_output_file", "check_page", "default_output", "write_into"]

_HEAD = 4096  # bytes at the start of a page among which its mark stands


def default_output(source: Path) -> Path:
    """`<folder or image name>.gstex` in the current folder."""
    source = source.resolve()
    name = source.name if source.is_dir() else source.stem
    return Path(f"{name or 'material'}.gstex")


def check_output_file(output: Path, source: Path, *more: Path) -> None:
    """Refuse an output that could not be written, or that would replace a part of the input.

    more: files that are read beside the source, if they are there.

    Raises:
        OutputError: its folder is missing or not writable, or it is a folder, a device or an input file.
    """
    try:
        if output.is_dir():
            raise OutputError(f"{output}: is a folder; give a file name, as in -o {output / 'name.gstex'}")
        if output.exists() and not output.is_file():
            raise OutputError(f"{output}: is not a regular file, but a device or the like; give another name")
        if not output.parent.is_dir():
            raise OutputError(f"{output}: its folder {output.parent} does not exist; make it first")
        _try_to_write(output.parent)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror}); choose another place") from None
    if output.exists() and any(output.samefile(f) for f in [*_input_files(source), *filter(Path.exists, more)]):
        raise OutputError(f"{output}: is a file of the input; give another name")


def check_name(output: Path) -> None:
    """Refuse a name that does not end in .gstex.

    Raises:
        UsageError: it does not.
    """
    if output.suffix.lower() != ".gstex":
        raise UsageError(f"--output: got {str(output)!r}, expected a name that ends in .gstex, such as "
                         f"{str(output.with_suffix('.gstex'))!r}")


def check_page(output: Path, mark: str) -> None:
    """Refuse a page name that does not end in .html or .htm, and refuse to replace a file that is not such a page.

    mark: text that every page of the same command holds.

    Raises:
        UsageError: the name has another ending. OutputError: another kind of file is in the way.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report: got {str(output)!r}, expected a name that ends in .html, such as "
                         f"{str(output.with_suffix('.html'))!r}")
    if output.exists() and mark.encode() not in output.read_bytes()[:_HEAD]:
        raise OutputError(f"{output}: already exists and is not a report of gstex; give another name, or --force to "
                          "replace it")


def write_into(folder: Path, names: Sequence[str], write: Callable[[Path], Sequence[Path]]) -> list[Path]:
    """Write files into a folder. An existing file is replaced only by one with the same bytes.

    names: of the files. write: writes the files into the folder that it is given, and returns their paths.

    Raises:
        OutputError: a file of one of these names exists and differs. Then no file is written.
    """
    there = [name for name in names if os.path.lexists(folder / name)]
    if not there:
        return list(write(folder))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".gstex-") as temporary:
        paths = write(Path(temporary))
        other = [path.name for path in paths if path.name in there and not _same_bytes(path, folder / path.name)]
        if other:
            more = f" and {len(other) - 1} more" if len(other) > 1 else ""
            raise OutputError(f"{folder / other[0]}{more}: already exists and holds something else; give another "
                              "folder, or --force to replace it")
        return [path.replace(folder / path.name) for path in paths]


def _same_bytes(path: Path, other: Path) -> bool:
    return other.is_file() and path.stat().st_size == other.stat().st_size and path.read_bytes() == other.read_bytes()


def _try_to_write(folder: Path) -> None:
    """Raise OSError if no file can be made in `folder`. The access rights alone do not show that."""
    with tempfile.TemporaryFile(dir=folder, prefix=".gstex-"):
        pass


def _input_files(source: Path) -> list[Path]:
    """The files that a material may be read from; none if the source cannot be read, which is reported elsewhere."""
    with contextlib.suppress(OSError):
        files = source.iterdir() if source.is_dir() else [source]
        return [f for f in files if f.is_file() and f.suffix.lower() != ".gstex"]
    return []
