"""One HTML file on all materials of a batch: it opens offline, and sorts by any column."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gstex.batch.rows import Row
from gstex.batch.work import BLOCKS
from gstex.compare.codecs import CODECS
from gstex.files import replace_file
from gstex.version import __version__

__all__ = ["write_page"]

_HERE = Path(__file__).resolve().parent


def write_page(path: Path, rows: Sequence[Row]) -> None:
    """Write the page in one step. Links in it lead to the outputs beside it.

    Raises:
        OutputError: the file cannot be written.
    """
    replace_file(path, _page([row.to_json() for row in rows], path.parent.name).encode())


def _page(rows: Sequence[dict[str, Any]], name: str) -> str:
    values = {
        "name": html.escape(name or "batch"),
        "version": html.escape(__version__),
        "style": _read("page.css"),
        "codecs": _json([[codec, CODECS[codec].label] for codec in BLOCKS]),
        "rows": _json(rows),
        "script": _read("page.js"),
    }
    # One pass, so that nothing that was filled in is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _read("page.html"))


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
