"""A plan as a JSON file that people and tools may write: docs/batch-manifest.schema.json.

Paths of inputs are relative to the folder of the manifest; outputs to the folder that `gstex batch -o` names.
"""

import os
import sys
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, structs

from gstex.batch.options import Options
from gstex.batch.plans import Item, Plan
from gstex.errors import UsageError
from gstex.files import replace_file
from gstex.json_types import JsonObject
from gstex.material.load import material_name
from gstex.material.sets import read_set

__all__ = ["Entry", "Manifest", "read_manifest", "schema", "write_manifest"]

_Path = Annotated[str, Meta(min_length=1)]
_MOST_BYTES = 1 << 28


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One material."""

    source: Annotated[_Path, Meta(description="a folder or an image, from the folder of the manifest on")]
    output: Annotated[str, Meta(min_length=1, pattern=r"\.gstex$", description="below the folder of the outputs")]
    files: Annotated[
        tuple[_Path, ...], Meta(min_length=1, description="names of the images of the folder that count; else all")
    ] | None = None
    name: Annotated[str, Meta(min_length=1, description="of the material; that of the source without it")] | None = None
    maps: Annotated[
        tuple[_Path, ...], Meta(description="overrides as --map of gstex compress takes them: roughness=pack.png:g")
    ] = ()
    names: Annotated[_Path, Meta(description="a file of further words and packings")] | None = None
    options: Annotated[
        Options | None, Meta(description="of this material, in place of those of all")
    ] = None


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A plan of gstex batch."""

    gstex_batch: Annotated[Literal[1], Meta(description="version of this form")]
    materials: tuple[Entry, ...]
    options: Annotated[Options | None, Meta(description="of all materials")] = None


def schema() -> JsonObject:
    """The JSON schema of a manifest."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Manifest)}


def write_manifest(plan: Plan, path: str | Path) -> None:
    """Write a plan; '-' stands for stdout, and paths are then relative to the current folder.

    Raises:
        OutputError: the file cannot be written.
    """
    stdout = str(path) == "-"
    base = Path.cwd() if stdout else Path(path).absolute().parent
    common = max((item.options for item in plan.items), key=[i.options for i in plan.items].count, default=Options())
    entries = tuple(_entry(item, base, common) for item in plan.items)
    manifest = Manifest(1, entries, None if common == Options() else _moved(common, base))
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    if stdout:
        sys.stdout.write(data.decode())
    else:
        replace_file(Path(path), data)


def read_manifest(path: str | Path, out: str | Path) -> Plan:
    """Read a manifest; '-' stands for stdin, and paths are then relative to the current folder.

    Args:
        out: folder of the outputs.
    Raises:
        UsageError: it cannot be read, or a value is not allowed; the message says where. An error of a material becomes
        its `problem`.
    """
    shown = "stdin" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read(_MOST_BYTES) if shown == "stdin" else Path(path).read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
    except OSError as error:
        raise UsageError(f"{shown}: the manifest cannot be read ({error.strerror}); see docs/batch.md") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{shown}: not a manifest ({error}); see docs/batch.md") from None
    except UsageError as error:
        raise UsageError(f"{shown}: {error}") from None
    base = Path.cwd() if shown == "stdin" else Path(path).absolute().parent
    if not manifest.materials:
        raise UsageError(f"{shown}: materials: got none, expected at least one")
    items = [_item(entry, manifest.options, base, f"{shown}: materials[{number}]")
             for number, entry in enumerate(manifest.materials)]  # fmt: skip
    outputs: dict[str, int] = {}
    for number, item in enumerate(items):
        if outputs.setdefault(item.output, number) != number:
            raise UsageError(f"{shown}: materials[{number}].output: {item.output!r} is that of "
                             f"materials[{outputs[item.output]}] too; give another")
    return Plan(Path(out).absolute(), tuple(items))


def _entry(item: Item, base: Path, common: Options) -> Entry:
    folder = item.source.is_dir()
    return Entry(
        source=_relative(item.source, base),
        output=item.output,
        files=item.files if folder and item.files else None,
        name=None if item.name == material_name(item.source) else item.name,
        maps=item.maps,
        names=None if item.names is None else _relative(item.names, base),
        options=None if item.options == common else _moved(item.options, base),
    )


def _item(entry: Entry, common: Options | None, base: Path, where: str) -> Item:
    output = PurePosixPath(entry.output)
    if output.is_absolute() or ".." in output.parts or "\\" in entry.output or output.name == ".gstex":
        raise UsageError(f"{where}.output: got {entry.output!r}, expected a path below the folder of the outputs, such "
                         "as a/wall.gstex")  # fmt: skip
    options = entry.options if entry.options is not None else common or Options()
    if options.importance not in (None, "auto"):
        options = structs.replace(options, importance=os.path.normpath(base / str(options.importance)))
    source = Path(os.path.normpath(base / entry.source))
    names = None if entry.names is None else Path(os.path.normpath(base / entry.names))
    known = read_set(source, entry.files, maps=entry.maps, names=names)
    return Item(str(output), source, known.files, entry.name or material_name(source), entry.maps, names, options,
                known.roles, known.texels, known.channels, known.problem)  # fmt: skip


def _moved(options: Options, base: Path) -> Options:
    """The same options with a path that is relative to `base`."""
    options = Options(**options.given())  # msgspec omits a default value only if it is the identical object
    if options.importance in (None, "auto"):
        return options
    return structs.replace(options, importance=_relative(Path(str(options.importance)), base))


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()
