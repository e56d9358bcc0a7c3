"""The files that were shown last, kept between windows in the user's state folder. Whatever goes wrong here costs a
name in a list and nothing else."""

import contextlib
import json
import os
from pathlib import Path

from platformdirs import user_state_path

from gstex.errors import GstexError
from gstex.files import replace_file

__all__ = ["recent_files", "remember"]

_MOST = 8


def _path() -> Path:
    """$GSTEX_RECENT, or 'recent.json' in the folder that the system keeps for such files."""
    given = os.environ.get("GSTEX_RECENT")
    return Path(given) if given else user_state_path("gstex", appauthor=False) / "recent.json"


def recent_files() -> list[Path]:
    """Those that are still there, the last one first."""
    try:
        names = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError):
        return []
    names = names if isinstance(names, list) else []
    found = []
    for name in names[:_MOST]:
        with contextlib.suppress(OSError, ValueError):  # a name that no system knows
            if isinstance(name, str) and Path(name).is_file():
                found.append(Path(name))
    return found


def remember(path: Path) -> None:
    """Put a file first."""
    names = [str(path.resolve()), *(str(p) for p in recent_files())]
    with contextlib.suppress(OSError, GstexError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        replace_file(_path(), json.dumps(list(dict.fromkeys(names))[:_MOST]).encode())
