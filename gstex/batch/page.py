"""One HTML file on all materials of a batch: it opens offline, and sorts by any column."""

import html
from collections.abc import Sequence
from pathlib import Path

from gstex.batch.rows import Row
from gstex.batch.work import BLOCKS
from gstex.compare.codecs import CODECS
from gstex.files import replace_file
from gstex.json_types import JsonView
from gstex.page import fill_page, json_for_script
from gstex.version import __version__

__all__ = ["write_page"]

_HERE = Path(__file__).resolve().parent


def write_page(path: Path, rows: Sequence[Row]) -> None:
    """Write the page in one step. Links in it lead to the outputs beside it.

    Raises:
        OutputError: the file cannot be written.
    """
    replace_file(path, _page([row.to_json() for row in rows], path.parent.name).encode())


def _page(rows: Sequence[JsonView], name: str) -> str:
    name = name or "batch"
    values = {
        "name": html.escape(name),
        "version": html.escape(__version__),
        "codecs": json_for_script([[codec, CODECS[codec].label] for codec in BLOCKS]),
        "rows": json_for_script(rows),
        "script": _read("page.js"),
    }
    return fill_page(_read("page.html"), title=f"{name}: gstex batch", style=_read("page.css"), values=values)


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
