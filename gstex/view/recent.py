"""The files that were shown last, kept between windows."""

import contextlib
from pathlib import Path

from gstex.user_state import read_state, write_state

__all__ = ["recent_files", "remember"]

_NAME = "recent"
_MOST = 8


def recent_files() -> list[Path]:
    """Those that are still there, the last one first."""
    names = read_state(_NAME)
    files = []
    for name in names[:_MOST] if isinstance(names, list) else ():
        with contextlib.suppress(OSError, ValueError):  # a name that no system knows
            if isinstance(name, str) and Path(name).is_file():
                files.append(Path(name))
    return files


def remember(path: Path) -> None:
    """Put a file first."""
    names = [str(path.resolve()), *(str(p) for p in recent_files())]
    write_state(_NAME, list(dict.fromkeys(names))[:_MOST])
