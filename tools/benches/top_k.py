"""`bench.py top-k`: quality and time if only the K heaviest Gaussians of a texel are blended (docs/format.md)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

import gstex
from benches.run import endings, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import metrics
from gstex.arrays import F64Array
from gstex.constants import BACKGROUND_WEIGHT
from gstex.format import pack, unpack
from gstex.json_types import JsonObject
from gstex.material import Material, load_material
from gstex.texture import Texture
from gstex.view.gaussians import MipGaussians, read_gaussians

__all__ = ["top_k"]

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
KS = (0, 12, 10, 8, 6, 4)
COLUMNS = ("material", "top_k", "psnr", "loss", "solved", "solved_loss", "decode_ms")
SIDE = 64  # texels along an edge of the square in the middle for which features are solved


@click.command("top-k")
@click.option("--bpp", type=float, default=1.0, show_default=True, help="Bits per texel.")
@click.option("--effort", type=click.Choice(["fast", "normal", "thorough"]), default="normal", show_default=True)
@results_option("the table goes")
@click.pass_context
def top_k(context: click.Context, bpp: float, effort: str, results: Path) -> None:
    """Quality and time of samples with the K heaviest Gaussians of a texel alone."""
    rows: list[JsonObject] = []
    with endings(context, results, keeps=False):
        for folder in sorted({path.parent for path in SAMPLES.glob("*/*.png")}):
            material = load_material(folder)
            texture = gstex.compress(material, bpp=bpp, effort=effort, mips=False, groups="1", device="cpu")
            rows += rows_of(folder.name, material, texture)
            click.echo(f"{folder.name}: {rows[-len(KS)]['psnr']:.2f} dB", err=True)
        title = "Only the K heaviest Gaussians of a texel"
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, {bpp:g} bits per texel"}
        for path in write_table(results, "top-k", title, about, COLUMNS, rows):
            click.echo(path)


def rows_of(name: str, material: Material, texture: Texture) -> list[JsonObject]:
    """A row for each K. Its column `solved` is the PSNR in the middle of the picture with unrounded features solved for
    this K."""
    packed, rows = unpack(texture.words), []
    all_psnr = all_solved = 0.0
    weights, background, values = _middle(texture, material)
    for k in KS:
        groups = tuple(replace(group, top_k=k) for group in packed.groups)
        changed = Texture(pack(replace(packed, groups=groups)), {})
        started = time.perf_counter()
        decoded = changed.decode()
        seconds = time.perf_counter() - started
        psnr = metrics.psnr(decoded, material.pixels, material.weights)
        solved = _solve(_heaviest(weights, k), background, values)
        all_psnr, all_solved = (psnr, solved) if k == 0 else (all_psnr, all_solved)
        rows.append({"material": name, "top_k": k, "psnr": psnr, "loss": all_psnr - psnr, "solved": solved,
                     "solved_loss": all_solved - solved, "decode_ms": 1000 * seconds})  # fmt: skip
    return rows


def _middle(texture: Texture, material: Material) -> tuple[F64Array, F64Array, F64Array]:
    """(weights [texels, Gaussians], background, target values [texels, C]) for the middle of the picture."""
    gaussians = read_gaussians(texture.table, 0, 0)
    left, top = (material.width - SIDE) // 2, (material.height - SIDE) // 2
    y, x = np.mgrid[top : top + SIDE, left : left + SIDE]
    members = list(gaussians.members)
    values = material.pixels[top : top + SIDE, left : left + SIDE, members].reshape(-1, len(members))
    weights = _weights(gaussians, np.stack([x, y], axis=2).reshape(-1, 2) + 0.5)
    return weights[:, weights.max(axis=0) > 1e-6], gaussians.background[members], values.astype(np.float64)


def _weights(of: MipGaussians, points: F64Array) -> F64Array:
    """Weights [points, N] as in the format, but without the fade towards the edge of the cells."""
    apart = points[:, None, :] - of.center[None]
    if of.repeat:
        size = np.array([of.width, of.height])
        apart -= size * np.round(apart / size)
    along = (apart * of.direction).sum(axis=2) / of.sigma[:, 0]
    across = (apart[..., 1] * of.direction[:, 0] - apart[..., 0] * of.direction[:, 1]) / of.sigma[:, 1]
    return np.exp(of.amplitude - 0.5 * (along**2 + across**2))


def _heaviest(weights: F64Array, k: int) -> F64Array:
    """Keep the K largest weights of each row and set the others to 0; a K of 0 keeps all."""
    if k == 0 or k >= weights.shape[1]:
        return weights
    least = np.partition(weights, -k, axis=1)[:, -k, None]
    return np.where(weights >= least, weights, 0)


def _solve(weights: F64Array, background: F64Array, values: F64Array) -> float:
    """PSNR in dB with the least-squares features for these weights."""
    sums = weights.sum(axis=1, keepdims=True) + BACKGROUND_WEIGHT
    rest = values - background * (BACKGROUND_WEIGHT / sums)
    features = np.linalg.lstsq(weights / sums, rest, rcond=1e-9)[0]
    error = np.mean((weights / sums @ features - rest) ** 2)
    return float(-10 * np.log10(error))
