"""docs/format.md against the names in the independent writer and reader."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import format_builder
import independent_reader
import msgspec
import pytest

from gstex.format import metadata

TESTS = Path(__file__).parent


def document_fields() -> set[str]:
    """Names in the `field` columns of docs/format.md, and the fields of a record."""
    text = (TESTS.parent / "docs" / "format.md").read_text(encoding="utf-8")
    names: set[str] = set()
    column = -1
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if "field" in cells:
            column = cells.index("field")
        elif not cells:
            column = -1
        elif column >= 0:
            # "channel_lo[c], channel_step[c]", "channel_count C", "background[c], C words f32": names come
            # first in their part, and a part that starts otherwise is prose.
            parts = [re.match(r"[a-z][a-z_0-9]*", part.strip()) for part in cells[column].split(",")]
            names |= {part.group() for part in parts if part}
    record = re.search(r"Fields in order, lowest bit first:\s+([a-z_,\s]+), then one field", text)
    assert record, "docs/format.md: the sentence with the fields of a record"
    return names | set(re.split(r",\s+", record.group(1)))


def code_names(path: Path) -> set[str]:
    """Identifiers and short strings of a Python file, comments and docstrings left out."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for value in (getattr(node, key, None) for key in ("id", "attr", "arg", "value", "name")):
            names |= {value} if isinstance(value, str) else set()
    return names


@pytest.mark.parametrize("module", [independent_reader, format_builder])
def test_every_documented_field_has_its_name_in_the_code(module) -> None:
    fields = document_fields()
    assert {
        "magic",
        "gpu_crc",
        "mip_offset",
        "channel_step",
        "background",
        "scale_step",
        "rotation",
    } <= fields
    assert len(fields) > 45
    assert fields - code_names(Path(module.__file__)) == set()


def test_the_schema_of_the_metadata_is_that_of_the_document() -> None:
    text = (TESTS.parent / "docs" / "format.md").read_text(encoding="utf-8")
    table = text.partition("| of | name |")[2].partition("\n\n")[0]
    described: dict[str, set[str]] = {}
    owner = ""
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        owner = cells[0] or owner
        described.setdefault(owner, set()).update(cells[1].split(", "))
    classes = {"material": metadata.MaterialMaps, "a source": metadata.MapFile, "a plane": metadata.MapPlane}
    fields = {name: {field.name for field in msgspec.inspect.type_info(c).fields} for name, c in classes.items()}
    assert described == fields
