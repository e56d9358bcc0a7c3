"""Which file may be replaced: one that was made from the same material."""

from pathlib import Path
from typing import Any

from gstex.errors import FormatError, OutputError
from gstex.format import read_file
from gstex.material.material import Material
from gstex.texture import stripped_name

__all__ = ["check_replaced", "check_stripped_replaced", "stripped_metadata"]


def check_replaced(output: Path, material: Material) -> None:
    """Refuse to replace a file that was not made from this material: from maps of the same names in a folder, or an
    image, of the same name. Their pixels may have changed.

    Raises:
        OutputError: there is such a file.
    """
    metadata = _read_metadata(output)
    if metadata is None:
        return
    if (stripped := stripped_name(metadata)) is not None:
        raise OutputError(f"{output}: already exists, stripped of what it was made from ({stripped!r}); give another "
                          "name, or --force to replace it")
    there = metadata.get("material")
    here = material.to_metadata()
    if not isinstance(there, dict) or (there.get("name"), _files(there)) != (here["name"], _files(here)):
        made_from = f"{there.get('name')!r}" if isinstance(there, dict) else "something else"
        files = ", ".join(_files(there)) or "no files"
        raise OutputError(f"{output}: already exists, made from {made_from} ({files}); give another name, or --force "
                          "to replace it")


def stripped_metadata(metadata: dict[str, Any], path: Path) -> dict[str, Any]:
    """What is left of the metadata of a file that is stripped: the name of its material, so that `gstex strip` knows
    its own outputs again; that of the file if it says none."""
    name = stripped_name(metadata)
    if name is None:
        material = metadata.get("material")
        name = material.get("name") if isinstance(material, dict) else None
    return {"stripped": name if isinstance(name, str) else path.stem}


def check_stripped_replaced(output: Path, metadata: dict[str, Any]) -> None:
    """Refuse to replace a file that is not a stripped one of the same name. metadata: that is to be written.

    Raises:
        OutputError: there is such a file.
    """
    there = _read_metadata(output)
    if there is None:
        return
    if there != metadata:
        what = f"made from {stripped_name(there)!r}" if stripped_name(there) is not None else "and is not stripped"
        raise OutputError(f"{output}: already exists, {what}; give another name, or --force to replace it")


def _read_metadata(output: Path) -> dict[str, Any] | None:
    """The metadata of the file that is there; None if there is none."""
    if not output.exists():
        return None
    try:
        return read_file(output)[1]
    except FormatError:
        raise OutputError(f"{output}: already exists and is not a valid .gstex file; give another name, or --force to "
                          "replace it") from None


def _files(material: object) -> list[str]:
    """Names of the files in the description of a material, which comes from a file and is trusted in nothing."""
    rows = material.get("sources") if isinstance(material, dict) else None
    return sorted(str(row.get("file")) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else []
