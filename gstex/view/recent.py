"""The files that were shown last, kept between runs."""

import contextlib
from pathlib import Path

from gstex.user_state import read_state, write_state

__all__ = ["recent_files", "remember"]

_NAME = "recent"
_MOST = 8


def recent_files() -> list[Path]:
    """The last files that still exist, the most recent first."""
    names = read_state(_NAME)
    files = []
    for name in names[:_MOST] if isinstance(names, list) else ():
        with contextlib.suppress(OSError, ValueError):  # a name that is not a valid path
            if isinstance(name, str) and Path(name).is_file():
                files.append(Path(name))
    return files


def remember(path: Path) -> None:
    """Put a file at the top of the list."""
    names = [str(path.resolve()), *(str(p) for p in recent_files())]
    write_state(_NAME, list(dict.fromkeys(names))[:_MOST])
