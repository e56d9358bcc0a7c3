"""`bench.py disk`: bytes of files, while the other tables count the bytes that a GPU reads.

An entropy coder makes the files of block codecs smaller, and those of gstex hardly. docs/benchmarks.md says what the
columns mean.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

import gstex
from benches.basis import MIXES, SETTINGS, USUAL, Basisu, encode_plan
from benches.compare import BASELINE_SOURCES
from benches.ratios import Dot, geometric_mean, needed
from benches.run import choose_cases, data_option, endings, material_option, results_option
from benches.store import Store, code_version, key_of
from benches.table import describe_run, typed_command, write_table
from gstex import metrics
from gstex.cli.options import parse_rates
from gstex.compare.baselines import best_mixes, encode_baselines
from gstex.compare.cache import Cache
from gstex.compare.codecs import choose_codecs
from gstex.compare.encoding import zip_bytes
from gstex.compare.hull import Option, bytes_for
from gstex.compare.plans import make_plan
from gstex.compare.stored import count_texels
from gstex.errors import BudgetError
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material

__all__ = ["at_etc1s", "at_rate", "disk", "with_means"]

STORE_NAME = ".disk-store.jsonl"
SEED = 0
RATES = [0.25, 0.5, 1.0, 2.0, 4.0]
RIVALS = {"astc_zstd": "astc", "bc_zstd": "bc", **{mix: mix for mix in MIXES}}  # column -> codecs
COLUMNS = (
    "material", "bpp_asked", "psnr", "gstex_bytes", "gstex_zstd", *RIVALS, *(f"{f}_ratio" for f in RIVALS.values()),
)  # fmt: skip
ETC1S_COLUMNS = ("material", "psnr", "etc1s", "gstex_bytes", "etc1s_ratio")
Hulls = dict[str, list[tuple[int, float]]]  # by family or mix, bytes and squared error of the corners
_MEAN = "geometric mean"


@click.command()
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates,
              help="Bits per texel of gstex.  [default: 0.25,0.5,1,2,4]")
@click.option("--effort", type=click.Choice(["draft", "fast", "normal", "thorough"]), default="fast", show_default=True)
@click.option("--basisu", "basisu_path", metavar="PATH", type=click.Path(path_type=Path),
              help="Encoder of Basis Universal.  [default: the one on PATH]")
@click.option("--basis/--no-basis", default=True, show_default=True, help="Encode with it too.")
@material_option()
@data_option()
@results_option("tables and kept rows go")
@click.pass_context
def disk(
    context: click.Context, rates: list[float] | None, effort: str, basisu_path: Path | None, basis: bool,
    names: tuple[str, ...], data: Path, results: Path,
) -> None:  # fmt: skip
    """Bytes on disk at equal PSNR: gstex, ASTC and BC packed by zstd, and Basis Universal."""
    cases = choose_cases(data, "small", names)
    store = Store(results / STORE_NAME)
    with endings(context, results):
        tool = _find_basisu(basisu_path) if basis else None
        rows: list[JsonObject] = []
        etc1s: list[JsonObject] = []
        for number, case in enumerate(cases, start=1):
            measured = Measured(case.load(), store, tool, f"[{number}/{len(cases)}] {case.name}")
            fits = [{"bpp_asked": rate, **measured.fit(rate, effort)} for rate in rates or RATES]
            fitted = [fit for fit in fits if "error" in fit]
            rows += [{"material": case.name, **at_rate(fit, measured.hulls, measured.counted)} for fit in fitted]
            if measured.usual and fitted:
                etc1s.append({"material": case.name, **at_etc1s(fitted, measured.usual, measured.counted)})
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, mips off, seed {SEED}"}
        about |= {"basisu": tool.version} if tool else {}
        written = write_table(results, "disk", "Bytes on disk at equal PSNR, 256x256 crops", about, COLUMNS,
                              with_means(rows))  # fmt: skip
        if etc1s:
            title = f"Bytes on disk at the PSNR of {USUAL.name}, 256x256 crops"
            written += write_table(results, "disk-etc1s", title, about, ETC1S_COLUMNS, with_means(etc1s))
        for path in written:
            click.echo(path)


def _find_basisu(path: Path | None) -> Basisu:
    program = path or shutil.which("basisu")
    if not program:
        raise gstex.GstexError("no basisu on PATH; give one with --basisu PATH, or leave it out with --no-basis")
    return Basisu(Path(program))


class Measured:
    """The figures of one material. They come from the store, or are measured and stored.

    counted: number of values that count, over all channels. hulls: of the encoded images. usual: bytes and squared
    error of all maps at full size with the usual setting of Basis; None without the tool or without maps.
    """

    def __init__(self, material: Material, store: Store, tool: Basisu | None, label: str):
        self._material, self._store, self._label = material, store, label
        self.counted = sum(count_texels(material).values())
        code = code_version(BASELINE_SOURCES)
        self.hulls: Hulls = dict(self._kept("blocks", {}, code, self._encode_blocks))
        self.usual: tuple[int, float] | None = None
        if tool:
            settings = {"basisu": tool.version, "mixes": MIXES, "ways": [[s.name, *s.arguments] for s in SETTINGS]}
            row = self._kept("basis", settings, code, lambda: self._encode_basis(tool))
            self.hulls |= row["hulls"]
            self.usual = row["usual"]

    def fit(self, rate: float, effort: str) -> JsonObject:
        """Bytes and squared error of the gstex file at a rate; empty if the rate is too low for one Gaussian."""
        settings = {"bpp": rate, "effort": effort, "seed": SEED, "mips": False}
        return self._kept(f"gstex at {rate:g} bpp", settings, code_version(), lambda: self._fit(settings))

    def _fit(self, settings: JsonView) -> JsonObject:
        try:
            texture = gstex.compress(self._material, **settings)
        except BudgetError:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.gstex"
            texture.save(path)
            data = path.read_bytes()
            texture = gstex.load(path)
        varying = list(count_texels(self._material))
        weights = self._material.weights
        error = metrics.mse(texture.decode()[:, :, varying], self._material.pixels[:, :, varying],
                            None if weights is None else weights[:, :, varying])  # fmt: skip
        return {"gstex_bytes": len(data), "gstex_zstd": len(zip_bytes(data)), "error": error * self.counted}

    def _encode_blocks(self) -> JsonObject:
        codecs, notes = choose_codecs(["bc", "astc"])
        if notes:
            raise gstex.GstexError(f"the table needs every encoder: {notes[0]}")
        baselines = encode_baselines(self._material, codecs, on_disk=True, cache=Cache())
        return {family: _corners(hull) for family, hull in baselines.hulls.items()}

    def _encode_basis(self, tool: Basisu) -> JsonObject:
        plan = [(group[0], group[-1]) for group in make_plan(self._material)]  # data packed by three, or each alone
        by_image = encode_plan(tool, plan, self._material, SETTINGS, _line(self._label))
        usual = [option for group in plan for image in group[0] for option in by_image[image.name]
                 if option.choice[image.name] == (USUAL, 1)]  # fmt: skip
        mixes = {
            mix: {name: [o for o in row if o.choice[name][0].format in formats] for name, row in by_image.items()}
            for mix, formats in MIXES.items()
        }
        return {
            "hulls": {mix: _corners(best_mixes(plan, options)) for mix, options in mixes.items()},
            "usual": (sum(o.bytes for o in usual), sum(o.error for o in usual)) if usual else None,
        }

    def _kept(self, kind: str, settings: JsonView, code: str, make: Callable[[], JsonObject]) -> JsonObject:
        settings = {"kind": kind, **settings}

        def find_out() -> JsonObject:
            click.echo(f"{self._label}: {kind}", err=True)
            return make()

        return self._store.kept(key_of(self._material, settings, code), settings, find_out)


def _corners(hull: Sequence[Option]) -> list[tuple[int, float]]:
    return [(corner.bytes, corner.error) for corner in hull]


def at_rate(fit: JsonView, hulls: Hulls, counted: float) -> JsonObject:
    """A row: the bytes of each mix at the squared error of a fit. A mix whose hull does not reach it is left out."""
    row = {**fit, "psnr": metrics.to_psnr(fit["error"] / counted)}
    for column, family in RIVALS.items():
        hull = [Option(size, error, {}) for size, error in hulls.get(family, ())]
        size = bytes_for(hull, fit["error"])
        if size is not None:
            row[column] = f"{'<=' if fit['error'] > hull[0].error else ''}{round(size)}"
            row[f"{family}_ratio"] = size / fit["gstex_bytes"]
    return row


def at_etc1s(fits: Sequence[JsonView], usual: tuple[int, float], counted: float) -> JsonObject:
    """A row: the bytes of gstex at the quality of ETC1S, interpolated in dB over the logarithm of bytes."""
    size, error = usual
    psnr = metrics.to_psnr(error / counted)
    curve = [Dot(fit["gstex_bytes"], {"psnr": metrics.to_psnr(fit["error"] / counted)}, {}) for fit in fits]
    ours = needed(sorted(curve, key=lambda dot: dot.bytes), "psnr", psnr)
    sign = {"most": "<=", "least": ">"}.get(ours.bound or "", "")
    return {"psnr": psnr, "etc1s": size, "gstex_bytes": f"{sign}{round(ours.bytes)}", "etc1s_ratio": size / ours.bytes}


def with_means(rows: Sequence[JsonView]) -> list[JsonView]:
    """The rows, and for each rate one more with the geometric means of its ratios."""
    means = []
    for rate in dict.fromkeys(row.get("bpp_asked") for row in rows):
        mean: JsonObject = {"material": _MEAN, "bpp_asked": rate}
        for column in (*(f"{family}_ratio" for family in RIVALS.values()), "etc1s_ratio"):
            mean[column] = geometric_mean([r[column] for r in rows if r.get("bpp_asked") == rate and column in r])
        means.append(mean)
    return [*rows, *means]


def _line(label: str) -> Callable[[int, int], None]:
    """Return a function that redraws a line, or does nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    return lambda done, total: click.echo(f"\r{label}: basis {done}/{total}\033[K\r", err=True, nl=False)
