"""Find the files of a tree that have changed and are at rest, by polling.

Polling works wherever files can be read, also on network drives, for which the system sends no change notifications.
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
    is left out. more: further files. Files that cannot be read are left out.
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
    """Compares successive results of `look`. rest: seconds for which a file has to stay unchanged.

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
        """Return the files that were added, changed or removed and are at rest now. Each change is returned once.

        files: what `look` returned. now: seconds, on any clock.
        """
        for path in self._files.keys() | files.keys():
            if self._files.get(path) != files.get(path):
                self._since[path] = now
        self._files = files
        settled = {path for path, since in self._since.items() if now - since >= self._rest}
        for path in settled:
            del self._since[path]
        return settled
