"""`gstex compare`: a material as a .gstex file and in BC1, BC7 and ASTC, by bytes and quality."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gstex.cli.options import debug_option, force_option, json_option, parse_rates
from gstex.cli.output import check_output_file, check_page
from gstex.cli.text import format_table, printable, size

if TYPE_CHECKING:
    from gstex.compare import Comparison

__all__ = ["compare"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("file", metavar="[FILE.gstex]", required=False, type=click.Path(path_type=Path))
@click.option("--report", metavar="OUT.html", type=click.Path(path_type=Path),
              help="Write a page with plots and pictures, which opens offline.")
@click.option("--codecs", metavar="C,C,...",
              help="What to compare with: bc1, bc7 (BC3, BC4 and BC5 come with them where they fit), astc-4x4 to "
                   "astc-12x12, or bc and astc for all of them.  [default: bc and the square blocks of ASTC]")
@click.option("--rates", metavar="B,B,...", callback=parse_rates,
              help="Compress at these bits per texel too, for a curve.  [default: half, once and twice the usual rate; "
                   "none with a FILE]")
@click.option("--effort", type=click.Choice(["fast", "normal", "thorough"]), default="normal", show_default=True,
              help="Effort of these fits.")
@click.option("--exhaustive", is_flag=True, help="Let the ASTC encoder search longest: 0.1-0.4 dB better.")
@click.option("--map", "maps", metavar="ROLE=FILE[:CH]", multiple=True,
              help="Say which file holds a map, as for compress. May be repeated.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads, and processes of encoders, to use.  [default: one per core]")
@force_option
@json_option
@debug_option
def compare(
    source: Path, file: Path | None, report: Path | None, codecs: str | None, rates: list[float] | None,
    maps: tuple[str, ...], threads: int | None, force: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """\b
    gstex compare wall/ wall.gstex                          a file beside BC1, BC7 and ASTC of the same maps
    gstex compare wall/ wall.gstex --report wall.html       ... with pictures, for a browser
    gstex compare wall/ --codecs astc-6x6,astc-8x8 --json   compress first; two codecs; all numbers as JSON

    Store the maps of INPUT with block codecs and compare bytes and quality with FILE, which was made from them. Beside
    the usual stacks stand the best mixes: for each map any block size at full, half or quarter resolution.
    """
    from gstex import compare as comparing
    from gstex import native
    from gstex.cli.progress import StagedProgress

    if report is not None:
        check_output_file(report, source)
        if file is not None and report.exists() and file.exists() and report.samefile(file):
            raise click.UsageError(f"--report {report}: is FILE itself; give another name")
        if not force:
            from gstex.report import MARK

            check_page(report, MARK)
    if threads is not None:
        native.set_thread_count(min(threads, native.cores()))
    with StagedProgress() as progress:
        names = comparing.DEFAULT_CODECS if codecs is None else [c.strip() for c in codecs.lower().split(",")]
        result = comparing.compare(source, file, codecs=names, rates=rates, maps=maps, processes=threads,
                                   page=report is not None, progress=progress, **options)  # fmt: skip
        if report is not None:
            from gstex.report import write_report

            write_report(result, report)
    for note in result.notes:
        click.echo(f"gstex: {note}", err=True)
    if as_json:
        click.echo(json.dumps({"report": None if report is None else str(report), **result.to_json()},
                              allow_nan=False))  # fmt: skip
    elif report is not None:
        click.echo("\n".join([f"{printable(report)}: {size(report.stat().st_size)}", "", *result.advice]))
    else:
        click.echo("\n".join([*_table(result), "", *result.advice]))


def _table(result: "Comparison") -> list[str]:
    """A table of all points, sorted by bytes, for people."""
    maps = list(dict.fromkeys(role for point in result.points for role in point.quality["psnr_by_map"]))
    columns = {"label": "STORED AS", "bpp": "BITS/TEXEL", "bytes": "BYTES", "zstd": "ZSTD", "psnr": "PSNR",
               "shaded": "SHADED", **{f"map {role}": role.upper() for role in maps}, "note": ""}  # fmt: skip
    corners = {number for numbers in result.hulls.values() for number in numbers}
    rows = []
    for number, point in enumerate(result.points):
        quality = point.quality
        note = "this file" if number == result.file else ("best mix" if number in corners and point.choice else "")
        rows.append({
            "label": point.label, "bpp": f"{point.bpp:.3f}", "bytes": point.bytes, "zstd": point.zstd_bytes,
            "psnr": _decibels(quality["psnr"]), "shaded": _decibels(quality["shaded_psnr"]), "note": note,
            **{f"map {role}": _decibels(quality["psnr_by_map"].get(role)) for role in maps},
        })  # fmt: skip
    return format_table(rows, columns)


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.2f}"
