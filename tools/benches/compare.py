"""`bench.py compare`: bytes that gstex and the best mixes of block codecs need for the same quality.

For each material and each of three qualities, those of ASTC 12x12, 8x8 and 6x6 at full size, by three criteria: PSNR,
PSNR of the lit material, and the mean angle between normals. Image-GS is measured at the bytes of one of these gstex
files. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

import gstex
from benches.fits import Fitted, sha256
from benches.image_gs import COLUMNS as IMAGE_GS_COLUMNS
from benches.image_gs import IMAGE_GS_SOURCES, choose_rate, image_gs_row, table_row, with_means
from benches.plot import plot
from benches.ratios import CRITERIA, Curve, Dot, Needed, geometric_mean, lead, needed, worst_map
from benches.run import choose_cases, data_option, effort_option, endings, material_option, results_option
from benches.store import SOURCES, Store, code_version, key_of
from benches.table import describe_run, typed_command, write_table
from benchmarks.image_gs import STEPS
from gstex import metrics
from gstex.compare.baselines import encode_baselines
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, choose_codecs
from gstex.compare.hull import Option, thin_out
from gstex.compare.measuring import Task, measure_qualities
from gstex.compare.run import gpu_section
from gstex.compare.stored import Stored, count_texels, mse_by_role
from gstex.errors import BudgetError
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material

__all__ = ["compare"]

STORE_NAME = ".compare-store.jsonl"
SEED = 0
QUALITIES = ("ASTC 12x12", "ASTC 8x8", "ASTC 6x6")
# Sources on which the figures of the block codecs depend.
BASELINE_SOURCES = (
    "compare", "native", "filtering.py", "metrics.py", "shading.py", "srgb.py", "encode/loss.py",
    "material/bleed.py", "material/halve.py",
)  # fmt: skip
# Rates of gstex are 2^(n / 2) bits per texel, so that one fit serves several qualities.
LOWEST, HIGHEST = -6, 12
_GAIN = 2.5  # dB that a step seldom exceeds; a search then seldom goes too far up, where fits are slow
COLUMNS = (
    "material", "quality", "criterion", "target", "astc_usual_bpp", "astc_bpp", "bc_bpp", "gstex_bpp", "astc_ratio",
    "bc_ratio", "astc_ratio_mips", "worst_map", "worst_map_db", "counted", "gstex_bpp_within", "astc_ratio_within",
    "candidates_mean",
)  # fmt: skip
SUMMARY = (
    "quality", "criterion", "materials", "counted", "bounds", "astc_ratio", "astc_ratio_least", "bc_ratio",
    "astc_ratio_mips", "astc_ratio_within", "candidates_mean",
)  # fmt: skip
TABLES = {
    "quick": ("compare-quick", "256x256 crops"),
    "full": ("compare-full", "whole materials"),
    None: ("compare", "bench set (centre 512x512)"),
}
_PLOTS = {"psnr": "PSNR of all maps", "shaded": "PSNR of the lit material"}


@click.command()
@click.option("--quick", "mode", flag_value="quick", help="256x256 crops of seven materials.")
@click.option("--full", "mode", flag_value="full", help="Whole materials.")
@effort_option
@click.option("--sampling", type=click.Choice(["auto", "direct", "bilinear"]), default="auto", show_default=True,
              help="What gstex is fitted for; bilinear takes four fetches, as block codecs do in hardware.")
@click.option("--quality", "qualities", type=click.Choice([q.removeprefix("ASTC ") for q in QUALITIES]), multiple=True,
              help="Only that of this block size (may be repeated); the finest takes most of the time.")
@click.option("--criterion", "criteria", type=click.Choice(list(CRITERIA)), multiple=True,
              help="Only what is equal by this (may be repeated).")
@click.option("--codecs", metavar="C,C,...", default="bc,astc", show_default=True, help="As for gstex compare.")
@click.option("--exhaustive", is_flag=True, help="Let the ASTC encoder search longest.")
@click.option("--image-gs/--no-image-gs", default=True, show_default=True, help="Fit Image-GS too, as published.")
@click.option("--image-gs-steps", type=click.IntRange(min=1), default=STEPS, show_default=True,
              help="The most steps of that; fewer are less than its authors take.")
@click.option("--fits", "fits_folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of 'bench.py fits'; what it lacks is fitted here.")
@material_option()
@data_option()
@results_option("tables, plots and kept rows go")
@click.pass_context
def compare(
    context: click.Context, mode: str | None, effort: str, sampling: str, qualities: tuple[str, ...],
    criteria: tuple[str, ...], codecs: str, exhaustive: bool, image_gs: bool, image_gs_steps: int,
    fits_folder: Path | None, names: tuple[str, ...], data: Path, results: Path,
) -> None:  # fmt: skip
    """Bytes at the quality of ASTC 12x12, 8x8 and 6x6, of gstex and of the best mixes of block codecs."""
    cases = choose_cases(data, mode, names)
    chosen_qualities = [q for q in QUALITIES if not qualities or q.removeprefix("ASTC ") in qualities]
    store = Store(results / STORE_NAME)
    how = {"effort": effort, "sampling": sampling}
    fitted = Fitted(fits_folder, {"mode": mode, **how, "seed": SEED}) if fits_folder else None
    with endings(context, results):
        rows: list[JsonObject] = []
        image_gs_rows: list[JsonObject] = []
        curves: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = {}
        for number, case in enumerate(cases, start=1):
            label = f"[{number}/{len(cases)}] {case.name}"
            measured = Measured(case.load(), store, how, codecs.split(","), exhaustive, label, case.name, fitted)
            material_rows = compare_material(measured, chosen_qualities, criteria or tuple(CRITERIA))
            rows += [{"material": case.name, **row} for row in material_rows]
            if image_gs and (row := _image_gs_row(measured, image_gs_steps)):
                image_gs_rows.append({"material": case.name, **row})
            curves[case.name] = {criterion: series_of(measured, criterion) for criterion in _PLOTS}
        name, part = TABLES[mode]
        if sampling != "auto":
            name, part = f"{name}-{sampling}", f"{part}, gstex fitted for {sampling} sampling"
        settings = f"effort {effort}, sampling {sampling}, seed {SEED}, codecs {codecs}"
        about = {**describe_run(typed_command(context)),
                 "settings": settings + (", exhaustive" if exhaustive else "")}  # fmt: skip
        about |= {"fits": fitted.describe()} if fitted else {}
        written = write_table(results, name, f"Bytes at equal quality, {part}", about, COLUMNS, rows)
        written += write_table(results, f"{name}-summary", f"Bytes at equal quality, {part}: geometric means of the "
                               "ratios that count", about, SUMMARY, summarise(rows))  # fmt: skip
        if image_gs_rows:
            steps = {"image-gs": f"at most {image_gs_steps} steps"}
            written += write_table(results, f"{name}-image-gs", f"gstex and Image-GS at the same bytes, {part}",
                                   about | steps, IMAGE_GS_COLUMNS, with_means(image_gs_rows))  # fmt: skip
        for criterion, title in _PLOTS.items():
            panels = {material: c[criterion] for material, c in curves.items() if c[criterion]}
            if panels:
                written.append(results / f"{name}-{criterion}.svg")
                written[-1].write_text(plot(f"{title}, {part}", panels), encoding="utf-8")
        for path in written:
            click.echo(path)


class Measured:
    """The figures of one material. They come from the store, or are measured and stored."""

    def __init__(
        self, material: Material, store: Store, how: dict[str, str], codecs: list[str], exhaustive: bool, label: str,
        case: str = "", fitted: Fitted | None = None,
    ):  # fmt: skip
        """how: effort and sampling."""
        self.material, self.label = material, label
        self._case, self._fitted = case, fitted
        self._store, self._how = store, {k: v for k, v in how.items() if v != "auto"}
        self._code = code_version((*SOURCES, "compare/run.py"))
        settings = {"codecs": codecs, "exhaustive": exhaustive, "chain": True}
        row = self._kept("baselines", settings, code_version(BASELINE_SOURCES),
                         lambda: baseline_row(material, codecs, exhaustive, label))  # fmt: skip
        self.hulls: dict[str, Curve] = {family: [Dot(**dot) for dot in dots] for family, dots in row["hulls"].items()}
        self.usual = {name: Dot(**dot) for name, dot in row["usual"].items()}
        self.others: list[Dot] = []  # of Image-GS, where it was fitted
        self._fits: dict[int, Dot | None] = {}

    @property
    def texels(self) -> int:
        return self.material.width * self.material.height

    @property
    def fits(self) -> Curve:
        """The gstex dots so far, sorted by bytes."""
        return sorted((dot for dot in self._fits.values() if dot), key=lambda dot: dot.bytes)

    def fit(self, step: int) -> Dot | None:
        """gstex at 2^(step / 2) bits per texel; None if this rate is too low for one Gaussian."""
        if step not in self._fits:
            settings = {"bpp": 2.0 ** (step / 2), **self._how, "seed": SEED}
            file = self._fitted.file(self._case, settings["bpp"]) if self._fitted else None
            keyed = {**settings, "file": sha256(file)} if file else settings
            row = self._kept("gstex", keyed, self._code, lambda: _fit_row(self.material, settings, self.label, file))
            self._fits[step] = Dot(**row["dot"]) if row["dot"] else None
        return self._fits[step]

    @property
    def rates(self) -> dict[int, Dot]:
        """The gstex dots so far, by the steps that `fit` was asked for."""
        return {step: dot for step, dot in self._fits.items() if dot}

    def image_gs(self, byte_budget: int, steps: int) -> JsonObject:
        """Image-GS at a budget: its dot, bytes with tile lists, number of Gaussians."""
        settings = {"byte_budget": byte_budget, "steps": steps, "seed": SEED}

        def fit() -> JsonObject:
            size, with_lists, gaussians, quality = image_gs_row(self.material, settings, _line(self.label))
            click.echo(f"{self.label}: Image-GS {quality['psnr'] or math.inf:.2f} dB", err=True)
            dot = _dot(size, quality["psnr_by_map"], quality)
            return {"dot": dot, "bytes_with_lists": with_lists, "gaussians": gaussians}

        result = self._kept("image-gs", settings, code_version(IMAGE_GS_SOURCES), fit)
        self.others.append(Dot(**result["dot"]))
        return result

    def _kept(self, kind: str, settings: JsonView, code: str, make: Callable[[], JsonObject]) -> JsonObject:
        settings = {"kind": kind, **settings}
        key = key_of(self.material, settings, code)
        return self._store.kept(key, settings, make)


def _dot(
    byte_count: int, maps: dict[str, float | None], quality: JsonView, chain: int = 0, candidates: float = 0.0
) -> JsonObject:
    """A Dot as JSON. quality: a Quality.to_json(), or only its psnr."""
    qualities = {name: value(quality) for name, value in CRITERIA.items() if name == "psnr" or _applies(name, quality)}
    maps = {k: 99.0 if v is None else v for k, v in maps.items()}
    return {"bytes": byte_count, "qualities": qualities, "maps": maps, "chain": chain, "candidates": candidates}


def chain_bytes(stored: Iterable[Stored]) -> int:
    """Bytes of block-compressed images with all their mips."""
    total = 0
    for image in stored:
        sizes = [(max(1, image.height >> mip), max(1, image.width >> mip))
                 for mip in range(max(image.height, image.width).bit_length())]  # fmt: skip
        total += sum(CODECS[image.codec].size(*size) for size in sizes)
    return total


def _applies(criterion: str, quality: JsonView) -> bool:
    """Whether a criterion was measured: it is None in a material without normals, or in one that is not lit."""
    return quality.get({"angle": "normal_angle_mean", "shaded": "shaded_psnr"}[criterion]) is not None


def baseline_row(material: Material, names: list[str], exhaustive: bool, label: str) -> JsonObject:
    """The hulls with all their corners, and the usual stacks. Some corners and all stacks are lit and measured in
    full."""
    codecs, notes = choose_codecs(names)
    if notes:
        raise gstex.GstexError(f"the table needs every encoder: {notes[0]}")
    draw = _line(label)
    baselines = encode_baselines(material, codecs, exhaustive=exhaustive, cache=Cache(),
                                 progress=lambda what, done, total: draw(f"{what} {done}/{total}"))  # fmt: skip
    usual = [c for c in baselines.usual if c.label in QUALITIES]
    full = [o for hull in baselines.hulls.values() for o in thin_out(hull)] + [c.option for c in usual]
    qualities: dict[int, JsonObject] = {}
    tasks = [Task(parts=tuple(option.choice.values())) for option in full]
    for number, quality in measure_qualities(tasks, material):
        qualities[id(full[number])] = quality.to_json()
        draw(f"measure {len(qualities)}/{len(full)}")

    def dot(option: Option) -> JsonObject:
        maps = {role: metrics.to_psnr(mse) for role, mse in mse_by_role(option, material).items()}
        psnr = metrics.to_psnr(option.error / sum(count_texels(material).values()))
        finite = {role: value if math.isfinite(value) else None for role, value in maps.items()}
        return _dot(option.bytes, finite, {
            **qualities.get(id(option), {}), "psnr": psnr if math.isfinite(psnr) else None,
        }, chain_bytes(option.choice.values()))  # fmt: skip

    return {
        "hulls": {family: [dot(option) for option in hull] for family, hull in baselines.hulls.items()},
        "usual": {c.label: dot(c.option) for c in usual},
    }


def _fit_row(material: Material, settings: JsonView, label: str, file: Path | None = None) -> JsonObject:
    """Measure a fit. file: an existing fit with these settings; None to fit here."""
    label = f"{label}: gstex at {settings['bpp']:.3g} bpp"
    draw = _line(label)

    def report(now: gstex.Progress) -> None:
        draw(f"{now.stage} {now.step}/{now.steps}")

    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            try:
                texture = gstex.compress(material, progress=report, **settings)
            except BudgetError:
                return {"dot": None}
            file = Path(folder) / "bench.gstex"
            texture.save(file)
        texture = gstex.load(file)  # measures what the file holds
    quality = metrics.measure_quality(texture.decode(), material, filter_sampled=texture.sample, flip=False).to_json()
    click.echo(f"{label}: {quality['psnr'] or math.inf:.2f} dB", err=True)
    fetches = 4 if texture.sampling == "bilinear" else 1
    candidates = fetches * texture.info()["mips"][0]["candidates_mean"]
    dot = _dot(len(gpu_section(texture)), quality["psnr_by_map"], quality, texture.words.nbytes, candidates)
    return {"dot": dot}


def _line(label: str) -> Callable[[str], None]:
    """Return a function that redraws a line, or does nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        return lambda text: None
    return lambda text: click.echo(f"\r{label}: {text}\033[K\r", err=True, nl=False)


def compare_material(
    measured: Measured, qualities: Sequence[str] = QUALITIES, criteria: Sequence[str] = tuple(CRITERIA)
) -> list[JsonObject]:
    """A row for every quality and criterion of a material."""
    rows = []
    for quality in qualities:
        usual = measured.usual.get(quality)
        for criterion in criteria:
            if usual and criterion in usual.qualities:
                rows.append({"quality": quality, **_row(measured, usual, criterion)})
    return rows


def _row(measured: Measured, usual: Dot, criterion: str) -> JsonObject:
    target = usual.qualities[criterion]
    theirs = {family: needed(hull, criterion, target, is_choice=True) for family, hull in measured.hulls.items()}
    maps = theirs["astc"].maps
    ours = _search(measured, criterion, target, theirs["astc"].bytes / 4, usual.bytes)
    name, deficit, counts = worst_map(ours.maps, maps)
    within = ours if counts else _search(measured, criterion, target, ours.bytes, usual.bytes, maps)
    if within.bytes < ours.bytes:  # not reached either; what the quality alone takes is the nearer bound
        within = replace(within, bytes=ours.bytes)

    def bpp(need: Needed) -> str:
        sign = {"most": "<=", "least": ">"}.get(need.bound or "", "")
        return f"{sign}{8 * need.bytes / measured.texels:.3f}"

    row = {
        "criterion": criterion,
        "target": 10 ** (-target / 20) if criterion == "angle" else target,
        "astc_usual_bpp": 8 * usual.bytes / measured.texels,
        "gstex_bpp": bpp(ours),
        "worst_map": name,
        "worst_map_db": deficit,
        "counted": "yes" if counts else "no",
        "gstex_bpp_within": bpp(within),
        "astc_ratio_within": theirs["astc"].bytes / within.bytes,
        "candidates_mean": ours.candidates,
    }
    for family, need in theirs.items():
        row |= {f"{family}_bpp": bpp(need), f"{family}_ratio": need.bytes / ours.bytes}
    if ours.chain and theirs["astc"].chain:
        row["astc_ratio_mips"] = theirs["astc"].chain / ours.chain
    return row


def _search(
    measured: Measured, criterion: str, target: float, guess_bytes: float, most_bytes: float,
    theirs: dict[str, float] | None = None,
) -> Needed:  # fmt: skip
    """What gstex needs: fit at rates up and down from a guess until the target lies between two neighbouring rates.

    Rates above the usual stack's are not tried: they take long and show only that gstex is no choice there. theirs: see
    `lead`.
    """

    def step_of(byte_count: float) -> int:
        return round(2 * math.log2(8 * byte_count / measured.texels))

    def missing(step: int) -> float:
        """By how many dB the fit at a rate is below the target."""
        dot = measured.fit(step)
        return math.inf if dot is None else -lead(dot, criterion, target, theirs)

    highest = min(HIGHEST, step_of(most_bytes))
    step = min(max(step_of(guess_bytes), LOWEST), highest)
    while (lack := missing(step)) > 0 and step < highest:
        step = min(step + int(min(max(lack / _GAIN, 1), 4)), highest)
    while step > LOWEST and missing(step - 1) <= 0:
        step -= 1
    return needed(measured.fits, criterion, target, theirs)


def _image_gs_row(measured: Measured, steps: int) -> JsonObject | None:
    """Compare gstex and Image-GS where gstex has the PSNR of ASTC 12x12. Both keep to the requested rate."""
    usual = measured.usual.get(QUALITIES[0])
    step = choose_rate(measured.rates, usual.qualities["psnr"]) if usual else None
    if step is None:
        return None
    rate = 2.0 ** (step / 2)
    image_gs = measured.image_gs(int(rate * measured.texels / 8), steps)
    return table_row(measured.texels, rate, measured.rates[step], Dot(**image_gs["dot"]), image_gs["bytes_with_lists"],
                     image_gs["gaussians"])  # fmt: skip


def summarise(rows: Sequence[JsonView]) -> list[JsonObject]:
    """Geometric means of the ratios that count, by quality and criterion."""
    result = []
    for quality in QUALITIES:
        for criterion in CRITERIA:
            every = [row for row in rows if (row["quality"], row["criterion"]) == (quality, criterion)]
            counted = [row for row in every if row["counted"] == "yes"]
            if not every:
                continue
            ratios = [row["astc_ratio"] for row in counted]
            result.append({
                "quality": quality, "criterion": criterion, "materials": len(every), "counted": len(counted),
                # These ratios are upper bounds, because gstex did not reach the quality.
                "bounds": sum(row["gstex_bpp"].startswith(">") for row in counted),
                "astc_ratio": geometric_mean(ratios), "astc_ratio_least": min(ratios, default=None),
                "bc_ratio": geometric_mean([row["bc_ratio"] for row in counted if "bc_ratio" in row]),
                "astc_ratio_mips": geometric_mean([r["astc_ratio_mips"] for r in counted if "astc_ratio_mips" in r]),
                "astc_ratio_within": geometric_mean([row["astc_ratio_within"] for row in every]),
                "candidates_mean": sum(row["candidates_mean"] for row in every) / len(every),
            })  # fmt: skip
    return result


def series_of(measured: Measured, criterion: str) -> dict[str, list[tuple[float, float]]]:
    """Points of a plot, between a little below the least and a little above the best gstex fit."""
    curves = {
        "best ASTC": measured.hulls.get("astc", ()), "best BC": measured.hulls.get("bc", ()),
        "ASTC, one block size": sorted(measured.usual.values(), key=lambda dot: dot.bytes), "gstex": measured.fits,
        "Image-GS": measured.others,
    }  # fmt: skip
    mine = [dot.bytes for dot in measured.fits]
    if not mine:
        return {}
    result = {}
    for name, curve in curves.items():
        points = [
            (8 * dot.bytes / measured.texels, dot.qualities[criterion]) for dot in curve
            if criterion in dot.qualities and min(mine) / 2 <= dot.bytes <= 4 * max(mine)
        ]  # fmt: skip
        if points:
            result[name] = points
    return result
