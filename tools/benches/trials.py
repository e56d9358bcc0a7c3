"""The record of experiments: `bench.py rd --trial "what"` adds its rows to benchmarks/results/rd-trials.csv.

`--set NAME=VALUE` changes a field of gstex.encode.settings.Settings for the run, so an ablation needs no edit.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import click

from benches.table import describe_run
from gstex.encode import compress as compression
from gstex.encode.settings import Settings
from gstex.json_types import JsonObject, JsonView

__all__ = ["add_trial", "changed_settings", "parse_changes"]

NAME = "rd-trials.csv"
COLUMNS = (
    "trial", "commit", "settings", "material", "bpp_asked", "bpp", "gaussians", "psnr", "psnr_sampled",
    "candidates_mean", "candidates_max", "seconds",
)  # fmt: skip
_DECIMALS = {"bpp": 4, "psnr": 3, "psnr_sampled": 3, "candidates_mean": 1, "seconds": 1}


def parse_changes(context: click.Context, parameter: click.Parameter, texts: Sequence[str]) -> JsonObject:
    """('steps=500', 'jitter=0') -> {'steps': 500, 'jitter': 0}."""
    known = {field.name: type(getattr(compression.make_settings("normal", "direct", "l2"), field.name))
             for field in fields(Settings)}  # fmt: skip
    changes = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            changes[name] = known[name](json.loads(value) if known[name] is not str else value)
        except (KeyError, ValueError):
            raise click.BadParameter(f"got {text!r}, expected NAME=VALUE with one of {', '.join(known)}") from None
    return changes


@contextmanager
def changed_settings(changes: JsonView) -> Iterator[None]:
    """Every fit inside uses these settings in place of those of its effort."""
    before: Callable[..., Settings] = compression.make_settings
    compression.make_settings = lambda *options: replace(before(*options), **changes)
    try:
        yield
    finally:
        compression.make_settings = before


def add_trial(folder: Path, trial: str, settings: str, rows: Sequence[JsonView]) -> Path:
    """Append the rows of a run; returns the path of the file. settings: the settings of the run in words."""
    path = folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    commit = describe_run("")["gstex"].partition("commit ")[2]
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        for row in rows:
            known = {"trial": trial, "commit": commit, "settings": settings, **row}
            writer.writerow([_cell(column, known.get(column)) for column in COLUMNS])
    return path


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    return f"{value:.{_DECIMALS[column]}f}" if column in _DECIMALS else str(value)
