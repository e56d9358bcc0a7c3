"""Pages for a browser, of one HTML file each: they share the head, the style of all, and how templates are filled."""

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["fill_page", "json_for_script"]

_STYLE = Path(__file__).with_name("page.css")
# A page loads nothing: neither scripts and styles nor pictures from elsewhere.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src \
'unsafe-inline'; img-src data:">
<title>{{title}}</title>
<style>
{{style}}
</style>
</head>
"""


def fill_page(body: str, *, title: str, style: str, values: Mapping[str, str]) -> str:
    """A whole page.

    Args:
        body: from <body> to </html>, with {{name}} where a value goes.
        title: plain text.
        style: CSS of this page, after that of all pages.
        values: by name, as they stand in HTML: the caller escapes them.

    Returns:
        The HTML text. Values are filled in in one pass, so that nothing in them is taken for a place to fill.
    """
    known = {"title": html.escape(title), "style": _STYLE.read_text("utf-8") + style, **values}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], _HEAD + body)


def json_for_script(value: object) -> str:
    """`value` as JSON that cannot end the script element in which it stands."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
