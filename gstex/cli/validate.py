"""`gstex validate`: check whether .gstex files are sound, and say what is wrong with those that are not."""

import json
from pathlib import Path

import click

from gstex.cli.options import debug_option, json_option
from gstex.cli.text import count, one_line, printable
from gstex.json_types import JsonObject, JsonView

__all__ = ["validate"]

_NAMED = 5  # how many broken files the last line names


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@debug_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """\b
    gstex validate wall.gstex            ok, or what is wrong
    gstex validate packed/*.gstex        a line for each file; exit code 1 if any is not sound
    gstex validate *.gstex --json        the same for a program

    Check every rule of the format in each FILE: header, checksums, the words that a GPU reads, and what the metadata
    says about the maps.
    """
    rows = []
    for file in files:
        row = _check(file)
        rows.append(row)
        if not as_json:
            click.echo(_line(row))
    broken = [row["file"] for row in rows if not row["ok"]]
    if as_json:
        click.echo(json.dumps({"files": rows, "sound": len(rows) - len(broken), "broken": len(broken)}))
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        named = ", ".join(printable(name) for name in broken[:_NAMED])
        verb = "is" if len(broken) == 1 else "are"
        whole = count(len(rows), "file")
        click.echo(f"gstex: error: {len(broken)} of {whole} {verb} not sound: {named}{more}", err=True)
        raise click.exceptions.Exit(1)


def _check(file: Path) -> JsonObject:
    """The row about a file. error: None if the file is sound. note: what a sound file lacks, or None."""
    import gstex
    from gstex.errors import GstexError

    row: JsonObject = {"file": str(file), "ok": False, "error": None, "note": None}
    try:
        texture = gstex.load(file)
        if texture.stripped is not None:
            row["note"] = "stripped of its metadata: for games, not for gstex decode"
        elif "material" not in texture.metadata:
            row["note"] = "does not describe its maps: gstex decode cannot write them"
        else:
            _ = texture.map_files  # raises the error that gstex decode would raise
    except GstexError as error:
        return {**row, "error": one_line(error).removeprefix(f"{printable(file)}: ")}
    return {**row, "ok": True, "width": texture.width, "height": texture.height, "channels": texture.channels,
            "mips": texture.mip_count, "bytes": texture.file_bytes}  # fmt: skip


def _line(row: JsonView) -> str:
    if not row["ok"]:
        return f"{printable(row['file'])}: {row['error']}"
    note = f"; {row['note']}" if row["note"] else ""
    return (f"{printable(row['file'])}: ok, {row['width']}x{row['height']}, {count(row['channels'], 'channel')}, "
            f"{count(row['mips'], 'mip')}{note}")
