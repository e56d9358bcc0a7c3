"""Every mip of a chain against ASTC: the `mips` table of tools/bench.py (docs/benchmarks.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

import gstex
from benches.run import choose_cases, data_option, effort_option, endings, material_option, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import metrics
from gstex.arrays import F32Array
from gstex.cli.options import parse_rates
from gstex.compare.baselines import encode_baselines
from gstex.compare.cache import Cache
from gstex.compare.codecs import choose_codecs
from gstex.compare.hull import Option
from gstex.json_types import JsonObject
from gstex.material import Material
from gstex.material.mips import MipLevel, make_mips
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["mips"]

LEAST_SIZE = 16  # texels; mips below this size are not compared with ASTC
COLUMNS = ("material", "bpp_asked", "mip", "size", "stored_as", "bytes", "astc_bytes", "psnr", "psnr_astc",
           "difference", "mean_off", "candidates_mean", "chain_cost", "seconds", "seconds_alone")  # fmt: skip


@click.command()
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates, help="Rates of gstex.  [default: 1,2]")
@effort_option
@material_option("crop")
@data_option()
@results_option("the table goes")
@click.pass_context
def mips(
    context: click.Context, rates: list[float] | None, effort: str, names: tuple[str, ...], data: Path,
    results: Path,
) -> None:  # fmt: skip
    """Quality of every mip of the 256x256 crops, beside ASTC at the same bits per texel."""
    cases = choose_cases(data, "quick", names)
    with endings(context, results, keeps=False):
        rows = [row for case in cases for row in _measure(case.name, case.load(), rates or [1.0, 2.0], effort)]
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, box filter, seed 0"}
        for path in write_table(results, "mips", "Mips against ASTC, 256x256 crops", about, COLUMNS, rows):
            click.echo(path)


def _measure(name: str, material: Material, rates: list[float], effort: str) -> Iterator[JsonObject]:
    """A row for every mip at every rate."""
    levels = make_mips(material, repeat=material.wrap == "repeat")
    compared = [level for level in levels if min(level.pixels.shape[:2]) >= LEAST_SIZE]
    hulls = [_astc_hull(_as_material(material, level)) for level in compared]
    for rate in rates:
        alone = gstex.compress(material, bpp=rate, effort=effort, mips=False).report["seconds"]
        texture = gstex.compress(material, bpp=rate, effort=effort)
        report = texture.report
        first_bytes = report["bpp"] * material.width * material.height / 8
        for number, (mip, level) in enumerate(zip(report["mips"], levels, strict=True)):
            row = {"material": name, "bpp_asked": rate, "mip": number, "size": f"{mip['width']}x{mip['height']}",
                   "stored_as": mip["stored_as"], "bytes": mip["bytes"], "psnr": mip["psnr"],
                   "mean_off": _mean_off(material, level, texture.decode(number)),
                   "candidates_mean": mip["candidates_mean"]}  # fmt: skip
            if number < len(hulls):
                hull, values = hulls[number]
                astc_bytes = first_bytes / 4**number  # the bits per texel of mip 0
                astc = metrics.to_psnr(_error_at(hull, astc_bytes) / values)
                row |= {"astc_bytes": round(astc_bytes), "psnr_astc": astc, "difference": mip["psnr"] - astc}
            if number == 0:
                row |= {"chain_cost": report["gpu_bytes"] / first_bytes, "seconds": report["seconds"],
                        "seconds_alone": alone}  # fmt: skip
            yield row
        click.echo(f"{name} at {rate:g} bpp", err=True)


def _mean_off(material: Material, level: MipLevel, decoded: F32Array) -> float:
    """The largest difference of a channel's mean from that of its reference, in codes. sRGB channels are averaged in
    linear light."""
    weights = np.ones(decoded.shape) if level.weights is None else level.weights
    means = []
    for stack in (decoded.astype(np.float64), level.pixels.astype(np.float64)):
        for c, channel in enumerate(material.channels):
            srgb = channel.color_space == "srgb"
            shown = srgb_to_linear(stack[:, :, c]) if srgb else stack[:, :, c]
            mean = np.array([(shown * weights[:, :, c]).sum() / max(weights[:, :, c].sum(), 1e-9)])
            means.append(float((linear_to_srgb(mean) if srgb else mean)[0]))
    decoded_means, reference_means = np.reshape(means, (2, -1))
    return float(255 * np.abs(decoded_means - reference_means).max())


def _as_material(material: Material, level: MipLevel) -> Material:
    height, width = level.pixels.shape[:2]
    return replace(material, width=width, height=height, pixels=level.pixels, own_mips=(), originals={})


def _astc_hull(material: Material) -> tuple[list[Option], float]:
    """The lower hull of ASTC (bytes, summed squared error) and the number of values that the error is summed over."""
    codecs, _ = choose_codecs(["astc"])
    hull = encode_baselines(material, codecs, cache=Cache()).hulls["astc"]
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    values = np.ones(material.pixels.shape) if material.weights is None else material.weights
    return hull, float(values[:, :, varying].sum())


def _error_at(hull: list[Option], byte_count: float) -> float:
    """Squared error of the hull at a number of bytes, interpolated between its corners in the logarithm of both.

    Below the smallest option, the line through the first two corners is extended.
    """
    before, after = next(((a, b) for a, b in pairwise(hull) if byte_count < b.bytes), (hull[-2], hull[-1]))
    slope = np.log(after.error / before.error) / np.log(after.bytes / before.bytes)
    return float(before.error * (byte_count / before.bytes) ** slope)
