"""What gstex remembers from run to run, as small JSON files in the user's state folder. A failure here costs a
convenience and is no error."""

import contextlib
import json
import os
from pathlib import Path

from platformdirs import user_state_path

from gstex.errors import GstexError
from gstex.files import replace_file

__all__ = ["read_state", "write_state"]


def _path(name: str) -> Path:
    """The file of a name, in $GSTEX_STATE or in the folder that the system has for such files."""
    given = os.environ.get("GSTEX_STATE")
    return (Path(given) if given else user_state_path("gstex", appauthor=False)) / f"{name}.json"


def read_state(name: str) -> object:
    """The JSON value that was kept under a name, whatever it holds; None if there is none."""
    try:
        return json.loads(_path(name).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def write_state(name: str, value: object) -> None:
    """Keep a JSON value under a name; it appears whole or not at all."""
    with contextlib.suppress(OSError, GstexError):
        _path(name).parent.mkdir(parents=True, exist_ok=True)
        replace_file(_path(name), json.dumps(value).encode())
