"""Which files of a tree have changed and are at rest, by a look at it from time to time.

Looking works wherever files can be read: on network drives too, of whose changes the system tells nobody.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gstex.format.metadata import EXTENSIONS
from gstex.material.vocabulary import NAMES_FILE

__all__ = ["Changes", "Stamp", "look"]

Stamp = tuple[int, int, int]  # of a file: its inode, size and time of change


def look(folder: Path, out: Path, more: Iterable[Path] = ()) -> dict[Path, Stamp]:
    """Stamps of all files that materials may depend on.

    folder: images and files of names below it count, without folders whose name begins with a dot. out: a folder that
    is left out. more: further files. What cannot be read now is not there.
    """
    stamps: dict[Path, Stamp] = {}
    folders, visited = [folder], {out.resolve()}
    while folders:
        current = folders.pop()
        resolved = current.resolve()
        if resolved in visited:  # a link may lead back
            continue
        visited.add(resolved)
        try:
            entries = [entry for entry in os.scandir(current) if not entry.name.startswith(".")]
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.is_dir():
                    folders.append(current / entry.name)
                elif entry.name == NAMES_FILE or os.path.splitext(entry.name)[1].lower() in EXTENSIONS:
                    stamps[current / entry.name] = _stamp(entry.stat())
            except OSError:
                continue
    for path in more:
        try:
            stamps[path] = _stamp(path.stat())
        except OSError:
            continue
    return stamps


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns


class Changes:
    """Compares one look with the next. rest: seconds for which a file has to stay as it is.

    restless: files that have changed and are not at rest yet.
    """

    def __init__(self, rest: float):
        self._rest = rest
        self._files: Mapping[Path, Stamp] = {}
        self._since: dict[Path, float] = {}  # the last change that was seen

    @property
    def restless(self) -> frozenset[Path]:
        return frozenset(self._since)

    def take(self, files: Mapping[Path, Stamp], now: float) -> set[Path]:
        """The files that have come, changed or gone, and lie at rest now; each is told once.

        files: of `look`. now: seconds, on any clock.
        """
        for path in self._files.keys() | files.keys():
            if self._files.get(path) != files.get(path):
                self._since[path] = now
        self._files = files
        settled = {path for path, since in self._since.items() if now - since >= self._rest}
        for path in settled:
            del self._since[path]
        return settled
