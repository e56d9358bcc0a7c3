"""Which file may be replaced: one that was made from the same material."""

from pathlib import Path

from gstex.errors import FormatError, OutputError
from gstex.format import read_file
from gstex.material.material import Material

__all__ = ["check_replaced"]


def check_replaced(output: Path, material: Material) -> None:
    """Refuse to replace a file that was not made from this material: from maps of the same names in a folder, or an
    image, of the same name. Their pixels may have changed.

    Raises:
        OutputError: there is such a file.
    """
    if not output.exists():
        return
    try:
        there = read_file(output)[1].get("material")
    except FormatError:
        raise OutputError(f"{output}: is there already, and is no sound .gstex file; give another name, or --force to "
                          "replace it") from None
    here = material.to_metadata()
    if not isinstance(there, dict) or (there.get("name"), _files(there)) != (here["name"], _files(here)):
        made_from = f"{there.get('name')!r}" if isinstance(there, dict) else "something else"
        files = ", ".join(_files(there)) or "no files"
        raise OutputError(f"{output}: is there already, made from {made_from} ({files}); give another name, or --force "
                          "to replace it")


def _files(material: object) -> list[str]:
    """Names of the files in the description of a material, which comes from a file and is trusted in nothing."""
    rows = material.get("sources") if isinstance(material, dict) else None
    return sorted(str(row.get("file")) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else []
