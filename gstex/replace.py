"""Which file may be replaced: one that was made from the same material."""

from pathlib import Path

from gstex.errors import FormatError, OutputError
from gstex.format import read_file
from gstex.json_types import JsonObject, JsonView
from gstex.material.material import Material
from gstex.texture import stripped_name

__all__ = ["check_replaced", "check_stripped_replaced", "stripped_metadata"]


def check_replaced(output: Path, material: Material) -> None:
    """Refuse to replace a file that was not made from this material. The names of the material and of its map files
    must be the same; the pixels may have changed.

    Raises:
        OutputError: there is a file that must not be replaced.
    """
    metadata = _read_metadata(output)
    if metadata is None:
        return
    if (stripped := stripped_name(metadata)) is not None:
        raise OutputError(f"{output}: already exists, stripped of what it was made from ({stripped!r}); give another "
                          "name, or --force to replace it")
    stored = metadata.get("material")
    expected = material.to_metadata()
    if not isinstance(stored, dict) or (stored.get("name"), _files(stored)) != (expected["name"], _files(expected)):
        made_from = f"{stored.get('name')!r}" if isinstance(stored, dict) else "something else"
        files = ", ".join(_files(stored)) or "no files"
        raise OutputError(f"{output}: already exists, made from {made_from} ({files}); give another name, or --force "
                          "to replace it")


def stripped_metadata(metadata: JsonView, path: Path) -> JsonObject:
    """The metadata of a file after it is stripped: the name of its material, or of the file if it states none. By this
    name `gstex strip` recognises its own outputs."""
    name = stripped_name(metadata)
    if name is None:
        material = metadata.get("material")
        name = material.get("name") if isinstance(material, dict) else None
    return {"stripped": name if isinstance(name, str) else path.stem}


def check_stripped_replaced(output: Path, metadata: JsonView) -> None:
    """Refuse to replace a file that is not a stripped one of the same name. metadata: what is to be written.

    Raises:
        OutputError: there is a file that must not be replaced.
    """
    there = _read_metadata(output)
    if there is None:
        return
    if there != metadata:
        what = f"made from {stripped_name(there)!r}" if stripped_name(there) is not None else "and is not stripped"
        raise OutputError(f"{output}: already exists, {what}; give another name, or --force to replace it")


def _read_metadata(output: Path) -> JsonObject | None:
    """The metadata of an existing file; None if there is no file."""
    if not output.exists():
        return None
    try:
        return read_file(output)[1]
    except FormatError:
        raise OutputError(f"{output}: already exists and is not a valid .gstex file; give another name, or --force to "
                          "replace it") from None


def _files(material: object) -> list[str]:
    """Names of the files in the description of a material, which comes from a file: nothing in it is trusted."""
    rows = material.get("sources") if isinstance(material, dict) else None
    return sorted(str(row.get("file")) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else []
