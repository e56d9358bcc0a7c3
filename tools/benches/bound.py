"""`bench.py bound`: the bits that an ideal transform codec would need for the qualities of the `compare` table.

Reverse water-filling (Cover and Thomas, "Elements of Information Theory", 10.3.3) of Gaussian sources: the channels of
a material are transformed to their common principal axes, and every 8x8 block by a cosine transform. A codec with
random access has no entropy coder, so it needs more bits than this for noise. It may need fewer for edges, which are
not a Gaussian source.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np

from benches.cases import list_cases
from benches.run import data_option, endings, results_option
from benches.table import describe_run, typed_command, write_table
from gstex.arrays import F64Array
from gstex.json_types import JsonObject
from gstex.material import Material

__all__ = ["bound"]

COLUMNS = ("material", "quality", "target", "gstex_bpp", "astc_bpp", "bound_bpp", "bound_local_bpp")
BLOCK = 8
# First frequency of each band whose strength varies from block to block. A cosine counts by the larger of its two.
BANDS = (0, 1, 2, 4)
_BISECTIONS = 60
_LEAST_VARIANCE, _MOST_VARIANCE = 1e-12, 1e3


@click.command("bound")
@data_option()
@results_option("compare.csv is read and the table goes")
@click.pass_context
def bound(context: click.Context, data: Path, results: Path) -> None:
    """Bits of an ideal transform codec at the PSNR of the rows of compare.csv."""
    with endings(context, results, keeps=False):
        with (results / "compare.csv").open(newline="") as file:
            psnr_rows = [row for row in csv.DictReader(file) if row["criterion"] == "psnr"]
        cases = {case.name: case for case in list_cases(data, "centre")}
        rows: list[JsonObject] = []
        for name in dict.fromkeys(row["material"] for row in psnr_rows):
            squares = _squares(cases[name].load())
            local = _local(squares)
            for row in (row for row in psnr_rows if row["material"] == name):
                error = 10 ** (-float(row["target"]) / 10)
                rows.append({**{column: row.get(column, "") for column in COLUMNS},
                             "bound_bpp": _bits(squares.mean(axis=2, keepdims=True), error),
                             "bound_local_bpp": _bits(local, error)})  # fmt: skip
        title = "Bits per texel of an ideal transform codec at equal PSNR"
        for path in write_table(results, "bound", title, describe_run(typed_command(context)), COLUMNS, rows):
            click.echo(path)


def _squares(material: Material) -> F64Array:
    """Squared cosine coefficients of the channels that vary, float64 [64, axes, blocks]."""
    image = material.pixels.astype(np.float64)
    height, width = (n // BLOCK * BLOCK for n in image.shape[:2])
    flat = image[:height, :width].reshape(-1, image.shape[2])
    flat = flat[:, np.ptp(flat, axis=0) > 0]
    flat = flat - flat.mean(axis=0)
    axes = np.linalg.eigh(flat.T @ flat)[1]
    blocks = (flat @ axes).reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, -1)
    k = np.arange(BLOCK)
    basis = np.sqrt(2 / BLOCK) * np.cos(np.pi * (k + 0.5) * k[:, None] / BLOCK)
    basis[0] /= np.sqrt(2)
    coefficients = np.einsum("ki,lj,aibjc->klcab", basis, basis, blocks, optimize=True)
    return (coefficients**2).reshape(BLOCK * BLOCK, flat.shape[1], -1)


def _local(squares: F64Array) -> F64Array:
    """Variances if a codec knows the strength of each band in each block: the mean square of each cosine, times that
    strength."""
    band = np.digitize(np.maximum(*np.divmod(np.arange(len(squares)), BLOCK)), BANDS[1:])
    variance = np.empty_like(squares)
    for number in range(len(BANDS)):
        of_band = squares[band == number]
        mean = np.maximum(of_band.mean(axis=2, keepdims=True), _LEAST_VARIANCE)
        variance[band == number] = mean * (of_band / mean).mean(axis=(0, 1))
    return variance


def _bits(variance: F64Array, error: float) -> float:
    """Bits per texel of sources with these variances, float64 [64, axes, blocks], at a mean squared error per value."""
    blocks = variance.shape[2]
    total_error = error * variance.shape[1] * len(variance)
    low, high = _LEAST_VARIANCE, _MOST_VARIANCE
    for _ in range(_BISECTIONS):
        level = np.sqrt(low * high)
        left = np.minimum(variance, level).sum() / blocks
        low, high = (low, level) if left > total_error else (level, high)
    bits = np.maximum(0.0, np.log2(np.maximum(variance, _LEAST_VARIANCE) / low)) / 2
    return float(bits.sum() / blocks / len(variance))
