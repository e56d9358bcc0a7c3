"""A table of results as three files: NAME.md for people, NAME.csv and NAME.json for programs.

The CSV and the Markdown hold the same cells. The JSON says where and how they were made, as does the Markdown.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from click.core import ParameterSource

import gstex
from benches.store import meaning_of
from gstex import native
from gstex.files import replace_file
from gstex.json_types import JsonObject, JsonView

__all__ = [
    "current_code", "current_commit", "describe_run", "is_counted", "means", "typed_command", "write_table",
]  # fmt: skip

_ROOT = Path(__file__).resolve().parents[2]
# What tables depend on, the list of them apart.
_SOURCES = ("gstex", "shaders", "cuda", "benchmarks", "tools/benches", "tools/shader_cost", "tools/bench.py",
            "tools/glsl_cost.py", "tools/expanded_cost.py")  # fmt: skip
# Of the package, what shows results to people and makes none of a table, but for the files that do.
_SHOWN = ("gstex/cli/", "gstex/gltf/", "gstex/page.py", "gstex/report/", "gstex/view/")
_MADE = ("gstex/cli/batch_progress.py", "gstex/cli/progress.py", "gstex/view/gaussians.py")
_CODE = (".py", ".cpp", ".h", ".glsl", ".comp", ".vert", ".frag", ".cu", ".cuh")
# Decimals of the columns that hold fractions; PSNR and differences of PSNR have two.
_DECIMALS = {
    "bpp": 4, "gstex_bpp": 3, "gstex_file_bpp": 3, "image_gs_bpp": 3, "image_gs_bpp_lists": 3, "jpeg_bpp": 3,
    "jpeg_small_bpp": 3, "avif_bpp": 3, "candidates_mean": 1, "seconds": 1, "megabytes_before": 0, "megabytes": 0,
}  # fmt: skip


def describe_run(command: str) -> dict[str, str]:
    """Command, machine and versions with which a table was made, without anything private to the machine."""
    return {
        "command": command,
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {native.thread_count()} threads used",
        "system": _system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "gstex": f"{gstex.__version__}, commit {current_commit()}, code {current_code()}",
    }


def typed_command(context: click.Context) -> str:
    """The command with the typed options, without folders, which do not affect the figures."""
    words = ["python", "tools/bench.py", context.info_name or ""]
    for parameter in context.command.params:
        name = str(parameter.name)
        value = context.params[name]
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not typed or name in ("data", "results", "fits_folder", "out", "against", "basisu_path"):
            continue
        if name == "mode":
            words += [f"--{value}"] if f"--{value}" in parameter.opts else []
        elif name == "rates":
            words += ["--bpp", ",".join(f"{rate:g}" for rate in value)]
        elif isinstance(value, bool):
            words += (parameter.opts if value else parameter.secondary_opts)[:1]
        else:
            for item in value if isinstance(value, tuple) else (value,):
                words += [parameter.opts[0], str(item)]
    return shlex.join(words)


def means(rows: Sequence[JsonView], key: str, columns: Sequence[str]) -> list[JsonObject]:
    """One row for each value of the column `key`, with the means of the columns that end in '_gain'."""
    mean_rows = []
    for value in dict.fromkeys(row[key] for row in rows):
        picked = [row for row in rows if row[key] == value]
        gains = {c: sum(row[c] for row in picked) / len(picked) for c in columns if c.endswith("_gain")}
        mean_rows.append({"image": "mean", key: value, **gains})
    return mean_rows


def write_table(
    folder: Path, name: str, title: str, about: Mapping[str, str],
    columns: Sequence[str], rows: Sequence[JsonView],
) -> list[Path]:  # fmt: skip
    """Write NAME.csv, NAME.md and NAME.json into a folder.

    rows: values by column. A missing column or None is an empty cell.

    Returns the three paths. Raises OSError or OutputError if they cannot be written.
    """
    cells = [[_cell(column, row.get(column)) for column in columns] for row in rows]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([columns, *cells])

    lines = [f"# {title}", "", *(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += ["| " + " | ".join(row) + " |" for row in (columns, [_rule(c) for c in columns], *cells)]

    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        ".csv": table.getvalue(),
        ".md": "\n".join(lines) + "\n",
        ".json": json.dumps({"title": title, **about}, indent=2) + "\n",
    }
    paths = {folder / f"{name}{suffix}": text for suffix, text in texts.items()}
    for path, text in paths.items():
        replace_file(path, text.encode())
    return list(paths)


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value).replace("|", "/")
    if column == "bpp_asked":
        return f"{value:g}"
    signed = column == "difference" or column.endswith("_gain")
    return f"{value:{'+' if signed else ''}.{_DECIMALS.get(column, 2)}f}"


def _rule(column: str) -> str:
    return "---" if column in ("material", "image") else "---:"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}, {platform.machine()}"


@functools.cache
def current_code() -> str:
    """Hash of all code of the checkout that has a part in the tables, without comments, docstrings and types."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = _ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = file.relative_to(_ROOT).as_posix()
            if is_counted(name) and (meaning := meaning_of(file)):
                digest.update(f"{name}\n{meaning}\n".encode())
    return digest.hexdigest()[:12]


def is_counted(name: str) -> bool:
    """Whether a file of _SOURCES, by its path in the checkout, has a part in the tables."""
    shown = name.startswith(_SHOWN) and name not in _MADE
    return name.endswith(_CODE) and not shown and name != "tools/benches/remake.py"


def current_commit() -> str:
    """Commit of the checkout, with '+changes' if the package or the tools differ from it."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--", "gstex", "tools") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
