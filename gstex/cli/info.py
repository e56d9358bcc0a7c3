"""`gstex info`: what a .gstex file holds."""

import json
from itertools import zip_longest
from pathlib import Path

import click

import gstex
from gstex.cli.options import debug_option, json_option
from gstex.cli.text import bytes_line, count, decibels, format_table, printable, size
from gstex.json_types import JsonObject, JsonView

__all__ = ["info"]

_CHANNELS = {"number": "CHANNEL", "role": "ROLE", "component": "COMPONENT", "color_space": "COLOUR",
             "group": "GROUP", "kept": "STORED AS", "file": "FILE"}
_MIPS = {"mip": "MIP", "size": "SIZE", "bytes": "BYTES", "stored_as": "STORED AS", "gaussians": "GAUSSIANS",
         "psnr": "PSNR", "mean": "CANDIDATES", "most": "AT MOST"}
_LEVELS = {"mip": "MIP", "group": "GROUP", "level": "LEVEL", "cells": "CELLS", "gaussians": "GAUSSIANS",
           "record": "BITS EACH", "position": "POSITION", "rotation_bits": "ROTATION", "scale_bits": "SCALE",
           "amplitude_bits": "AMPLITUDE"}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--levels", is_flag=True, help="List the grids of every mip too, with the bits of a Gaussian.")
@json_option
@debug_option
def info(file: Path, levels: bool, as_json: bool) -> None:
    """\b
    gstex info wall.gstex            size, quality, maps and mips
    gstex info wall.gstex --levels   the grids of Gaussians too
    gstex info wall.gstex --json     all of it for a program

    Explain FILE: its maps, its bytes, and the quality measured when it was made.
    """
    facts = gstex.load(file).info()
    if as_json:
        click.echo(json.dumps({"file": str(file), **facts}, allow_nan=False))
    else:
        lines = _explain(file, facts)
        click.echo("\n".join([*lines, "", *_levels(facts)] if levels else lines))


def _explain(file: Path, facts: JsonView) -> list[str]:
    """The facts as lines for people. Values from the metadata may be missing or of any type."""
    wrap = {"repeat": "repeats", "clamp": "clamps at its border"}[facts["wrap"]]
    lines = [
        f"{printable(file)}: {facts['width']}x{facts['height']}, {count(facts['channels'], 'channel')}, "
        f"{count(len(facts['mips']), 'mip')}, {wrap}, fitted for {facts['sampling']} sampling",
        f"  size        {size(facts['file_bytes'])}, {size(facts['gpu_bytes'])} on the GPU",
        bytes_line(facts),
    ]
    if facts["tail"]:
        first, resident = facts["tail"]["first"], facts["tail"]["bytes"]
        lines.append(f"  tail        mips from {first} on, in the first {size(resident)} on the GPU")
    for number, group in enumerate(facts["groups"]):
        tables = ", ".join(f"{p['entries']} entries in {size(p['bytes'])}" for p in group["palettes"])
        palettes = f"; palettes of {tables}" if tables else ""
        channels = count(len(group["channels"]), "channel")
        lines.append(f"  group {number}     {channels}, {size(group['bytes'])}{palettes}")
    lines += _measured(facts["report"])
    if facts["generator"] is not None:
        lines.append(f"  made by     {printable(facts['generator'])[:80]}")
    named = facts["maps"] if isinstance(facts["maps"], list) else []
    rows = [
        {**(row if isinstance(row, dict) else {}), "number": number, **stored}
        for number, (stored, row) in enumerate(zip_longest(_storage(facts), named[: facts["channels"]]))
    ]
    lines += ["", *format_table(rows, _CHANNELS), ""]
    return lines + format_table(_chain(facts), _MIPS)


def _levels(facts: JsonView) -> list[str]:
    """The grids of Gaussians of every mip and group, a table."""
    rows = [
        {**level, "mip": mip["mip"], "group": part["group"], "level": level_number,
         "cells": "x".join(map(str, level["cells"])),
         "gaussians": "one per cell" if level["regular"] else level["gaussians"],
         "record": level["record_bits"], "position": "+".join(map(str, level["position_bits"]))}
        for mip in facts["mips"] for part in mip["groups"] for level_number, level in enumerate(part["levels"])
    ]
    return format_table(rows, _LEVELS)


def _storage(facts: JsonView) -> list[JsonObject]:
    """For every channel its group, and how a record stores it: in bits of its own or by an entry of a palette."""
    rows: list[JsonObject] = [{"kept": "constant"} for _ in range(facts["channels"])]
    for number, group in enumerate(facts["groups"]):
        for channel, bits in zip(group["channels"], group["channel_bits"], strict=True):
            rows[channel] = {"group": number, "kept": f"{bits}-bit code" if bits else "palette"}
    return rows


def _chain(facts: JsonView) -> list[JsonObject]:
    """One row per mip. The PSNR is the one that the metadata states, if there is one."""
    stated = facts["report"].get("mips")
    rows = []
    for mip in facts["mips"]:
        number = mip["mip"]
        row = {**mip, "size": f"{mip['width']}x{mip['height']}",
               "mean": f"{mip['candidates_mean']:.1f}", "most": mip["candidates_max"]}
        if isinstance(stated, list) and number < len(stated) and _is_decibels(stated[number]):
            row["psnr"] = decibels(stated[number])
        rows.append(row)
    return rows


def _measured(report: JsonView) -> list[str]:
    """Lines on the quality that the metadata states."""
    lines = []
    if _is_decibels(report.get("psnr", "")) and _is_decibels(report.get("psnr_sampled", "")):
        lines.append(f"  PSNR        {decibels(report['psnr'])} at texels, "
                     f"{decibels(report['psnr_sampled'])} between them")
    by_map = report.get("psnr_by_map")
    if isinstance(by_map, dict) and by_map and all(_is_decibels(v) for v in by_map.values()):
        lines.append("  by map      " + printable(", ".join(f"{k} {decibels(v)}" for k, v in by_map.items())))
    return lines


def _is_decibels(value: object) -> bool:
    return value is None or isinstance(value, int | float)
