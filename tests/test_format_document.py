"""docs/format.md against the names in the independent writer and reader, and its examples against both and gstex."""

from __future__ import annotations

import ast
import re
import zlib
from pathlib import Path

import format_builder
import hostile_cases
import independent_fields
import independent_reader
import msgspec
import numpy as np
import pytest
from format_builder import ChannelSpec, Gaussian, GroupSpec, LevelSpec, MaterialSpec, MipSpec
from format_specs import SPECS, built

from gstex import format as fmt
from gstex.format import metadata
from gstex.texture import Texture

TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "docs" / "format.md").read_text(encoding="utf-8")


def document_fields() -> set[str]:
    """Names in the `field` columns of docs/format.md, and the fields of a record."""
    names: set[str] = set()
    column = -1
    for line in DOCUMENT.splitlines():
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
    record = re.search(r"Fields in order, lowest bit first:\s+([a-z_,\s]+), then one field", DOCUMENT)
    assert record, "docs/format.md: the sentence with the fields of a record"
    return names | set(re.split(r",\s+", record.group(1)))


def code_names(path: Path) -> set[str]:
    """Identifiers and short strings of a Python file, comments and docstrings left out."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for value in (getattr(node, key, None) for key in ("id", "attr", "arg", "value", "name")):
            names |= {value} if isinstance(value, str) else set()
    return names


@pytest.mark.parametrize("modules", [(independent_reader, independent_fields), (format_builder,)])
def test_every_documented_field_has_its_name_in_the_code(modules) -> None:
    fields = document_fields()
    assert {
        "magic",
        "gpu_crc",
        "resident_crc",
        "curve",
        "members",
        "mip_offset",
        "tail_offset",
        "bend",
        "channel_step",
        "background",
        "scale_step",
        "rotation",
    } <= fields
    assert len(fields) > 60
    assert fields - set().union(*(code_names(Path(module.__file__)) for module in modules)) == set()


def test_the_schema_of_the_metadata_is_that_of_the_document() -> None:
    """But for what the header says, and what has no name in a file."""
    table = DOCUMENT.partition("| of | name |")[2].partition("\n\n")[0]
    described: dict[str, set[str]] = {}
    owner = ""
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        owner = cells[0] or owner
        described.setdefault(owner, set()).update(filter(None, cells[1].split(", ")))
    described["material"] = described["material"] - {"name", "ignored"} | {"width", "height", "wrap", "channels"}
    described["a source"] |= {"channels", "ranges"}
    described["a plane"] |= {"channel", "normal_z"}
    classes = {"material": metadata.MaterialMaps, "a source": metadata.MapFile, "a plane": metadata.MapPlane}
    fields = {name: {field.name for field in msgspec.inspect.type_info(c).fields} for name, c in classes.items()}
    assert described == fields


def rows_behind(beginning: str) -> list[list[str]]:
    """The cells of the first table behind a text of the document, without its two head lines."""
    lines = DOCUMENT.partition(beginning)[2].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            return table
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_what_must_be_refused_has_cases() -> None:
    """And nothing is refused in hostile_cases.py that the document does not name."""
    names = [name for row in rows_behind("## Files that must be refused") for name in row[0].split(", ")]
    assert len(names) == len(set(names))
    assert set(names) == hostile_cases.all_subjects()


def example() -> MaterialSpec:
    """What the document says of its example, in its own words."""
    fields = rows_behind("The codes of the two records")
    assert [int(row[1]) for row in fields] == [4] * 6 + [8]
    records = [[int(row[2 + r]) for row in fields] for r in (0, 1)]
    gaussians = [Gaussian(r, *codes[:6], features=(codes[6],)) for r, codes in enumerate(records)]
    level = LevelSpec(2, 1, gaussians, 4, 4, 4, 4, 4, scale_lo=-2.0, scale_step=0.25)
    ranges, mips = [(0.0, 1 / 255, 8)], [MipSpec((0.5,), [level])]
    group = GroupSpec((0,), ranges, mips, amplitude_lo=-2.0, amplitude_step=0.25)
    return MaterialSpec(4, 2, [ChannelSpec(5)], [group])


def test_the_example_is_what_both_write() -> None:
    rows = rows_behind("## A file of two Gaussians, byte by byte")
    data = format_builder.build(example(), {})
    words, _ = fmt.read_bytes(data)
    assert fmt.write_bytes(fmt.pack(fmt.unpack(words)), {}) == data
    listed = bytearray(len(data))
    for offset, number, _ in rows:
        piece = bytes.fromhex(number.strip("`"))
        assert piece == data[int(offset) : int(offset) + len(piece)], offset
        listed[int(offset) : int(offset) + len(piece)] = piece
    assert listed == data  # what is not listed is 0
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)


def test_numbers_that_the_example_names() -> None:
    """Each "name number" of its last column is the number that a reader finds."""
    material = independent_reader.read(format_builder.build(example(), {}))
    (group,), (channel,) = material.groups, material.channels
    level = group.mips[0].levels[0]
    found = {**material.file, **material.header, **channel.entry, **group.header, **level.entry,
             "group_offset": material.header["header_words"], "mip_offset": group.mip_offset[0],
             "channel_bits": group.channel_bits[0], "scale_lo": level.scale_lo, "scale_step": level.scale_step,
             "amplitude_lo": group.amplitude_lo, "amplitude_step": group.amplitude_step,
             "level_count": 1, "gaussian_count": group.mips[0].gaussian_count, "background": 0.5}  # fmt: skip
    named = 0
    for _, _, text in rows_behind("## A file of two Gaussians, byte by byte"):
        for name, number in re.findall(r"\b([a-z_]+)(?:\[0\])? (-?[\d.]*\d)\b(?!/)", text):
            if name in found:
                assert float(found[name]) == float(number), name
                named += 1
    assert named > 35
    assert np.float32(group.channel_step[0]) == np.float32(1 / 255)


def test_texels_of_the_example() -> None:
    data = format_builder.build(example(), {})
    lines = DOCUMENT.partition("The texels, row by row:")[2].strip().splitlines()[:2]
    stated = np.array([line.split() for line in lines], float)
    assert stated.shape == (2, 4)
    assert np.abs(stated - independent_reader.fetch(independent_reader.read(data), 0)[..., 0]).max() < 6e-7
    assert np.abs(stated - Texture(*fmt.read_bytes(data)).decode(0)[..., 0]).max() < 2e-6


def test_what_is_said_of_checksums() -> None:
    assert f"it is 0x{zlib.crc32(b'123456789'):X}" in DOCUMENT
    for name in ("raw", "groups"):
        file, data = independent_reader.read(built(name)).file, built(name)
        rest = data[256 + file["resident_bytes"] : file["json_offset"]]
        assert len(rest) > 0 and zlib.crc32(rest, file["resident_crc"]) == file["gpu_crc"]


@pytest.mark.parametrize("name", SPECS)
def test_a_material_has_one_way_to_be_written(name: str) -> None:
    words, _ = fmt.read_bytes(built(name))
    assert np.array_equal(fmt.pack(fmt.unpack(words)), words)
