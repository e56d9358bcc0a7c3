"""The functions that jobs run, in a module from which a process imports them. `report` takes a `jobs.Report`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from gstex.arrays import U32Array
from gstex.json_types import JsonObject
from gstex.texture import Texture
from gstex.view.environment import Environment, filter_environment, make_sky, read_panorama
from gstex.view.jobs import Report
from gstex.view.stacks import Stack, Wanted, encode_mix, encode_stack, load_reference, read_second
from gstex.view.state import GSTEX, MIXES

__all__ = [
    "FitOptions", "compress_source", "read_codec", "read_other_file", "read_reference", "read_surroundings",
]  # fmt: skip

FitOptions: TypeAlias = dict[str, Any]
"""Keyword arguments of `gstex.compress`."""
Reporter = Callable[[Report], None]
Stacks = dict[str, Stack]  # by a name of `state.OTHERS`, or GSTEX


def read_reference(source: Path, spec: Wanted, words: U32Array, metadata: JsonObject, report: Reporter) -> Stacks:
    """Read the reference, and measure the file that has these words [n] and metadata."""
    report(Report("reading the maps", 0, 1))
    reference, file = load_reference(source, spec, Texture(words, metadata))
    return {"reference": reference} | ({GSTEX: file} if file is not None else {})


def read_codec(source: Path, spec: Wanted, name: str, report: Reporter) -> Stacks:
    """Encode the reference in a block codec or a mix."""
    encode = encode_mix if name in MIXES else encode_stack
    return {name: encode(source, spec, name, lambda *at: report(Report(*at)))}


def read_other_file(path: Path, source: Path | None, spec: Wanted, report: Reporter) -> Stacks:
    """Decode a second .gstex file."""
    import gstex

    report(Report("decoding", 0, 1))
    return {"second": read_second(gstex.load(path), path.name, source, spec)}


def read_surroundings(panorama: Path | None, report: Reporter) -> Environment:
    """Filter a panorama, or the sky for None."""
    report(Report("filtering", 0, 1))
    if panorama is None:
        return filter_environment("sky", make_sky())
    return filter_environment(panorama.name, read_panorama(panorama))


def compress_source(source: Path, output: Path, options: FitOptions, report: Reporter) -> Path:
    """Compress a folder or an image; return the path of the file. Reports count thousandths of the time."""
    import gstex
    from gstex.material import load_material
    from gstex.pace import Pace

    report(Report("preparing", 0, 1))
    material = load_material(source)
    pace = Pace(options["effort"], material.width * material.height)
    reports: list[tuple[float, float]] = []
    started = time.monotonic()

    def progress(now: gstex.Progress) -> None:
        moment, steps = time.monotonic() - started, now.step / max(now.steps, 1)
        reports.append((moment, steps))
        share = pace.share(steps)
        left = (moment - reports[0][0]) / share * (1 - share) if share > 0 and len(reports) > 1 else None
        report(Report(now.stage, round(1000 * share), 1000, now.psnr, left))

    texture = gstex.compress(material, progress=progress, **options)
    if reports:
        first = reports[0][0]
        pace.learn([(moment - first, steps) for moment, steps in reports], time.monotonic() - started - first)
    texture.save(output)
    return output
