"""`gstex watch`: keep the outputs of a folder up to date while an artist saves files in it."""

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gstex.cli.options import check_one_size, debug_option, fit_options, names_option, seed_option
from gstex.cli.sections import SectionedCommand
from gstex.cli.signals import Terminated, terminations_as_interrupts
from gstex.cli.text import count, decibels, printable

if TYPE_CHECKING:
    from gstex.batch import Event

__all__ = ["watch"]


@click.command(cls=SectionedCommand)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True,
              help="Folder of the outputs. The tree of FOLDER is kept in it.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads to use, at most one per core.  [default: all cores]")
@fit_options
@names_option
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line on stdout for each event.")
@click.option("-q", "--quiet", is_flag=True, help="Print failures alone.")
@click.option("-v", "--verbose", is_flag=True, help="Also print what is up to date, begins and is stopped.")
@debug_option
def watch(
    folder: Path, output: Path, threads: int | None, names: Path | None, as_json: bool, quiet: bool, verbose: bool,
    **options: Any,
) -> None:  # fmt: skip
    """\b
    gstex watch textures/ -o packed/       a map is saved: a draft is there within seconds, then the whole fit
    gstex watch textures/ -o packed/ --json --effort fast     events as JSON lines, and shorter fits
    gstex view packed/wall.gstex           .. and this window shows what is there

    Follow the changes of FOLDER until Ctrl-C. Materials are found as `gstex batch` finds them.
    """
    check_one_size(**{name: options[name] for name in ("bpp", "gaussians", "quality", "psnr", "match")})
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other: give one of them")
    from gstex import batch
    from gstex.cli.app import INTERRUPTED, TERMINATED
    from gstex.encode.compress import check_options

    checked = ("bpp", "gaussians", "quality", "psnr", "match", "max_bpp", "weights", "loss", "seed", "alpha_test",
               "tail", "groups")  # fmt: skip
    check_options(**{name: options[name] for name in checked})
    if options["importance"] not in (None, "auto"):
        options["importance"] = str(Path(options["importance"]).absolute())
    events = batch.watch(folder, output, options=batch.Options(**options), names=names, threads=threads)
    try:
        with terminations_as_interrupts(), contextlib.closing(events):  # type: ignore[type-var]
            for event in events:
                _print(event, quiet=quiet, verbose=verbose)
                if as_json:
                    click.echo(json.dumps(event.to_json(), allow_nan=False))
    except KeyboardInterrupt as error:
        raise click.exceptions.Exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED) from None


def _print(event: "Event", *, quiet: bool, verbose: bool) -> None:
    """Print a line with the time of day on stderr."""
    text = _text(event, verbose)
    if text and (not quiet or event.event == "failed"):
        click.echo(f"gstex: {time.strftime('%H:%M:%S')} {printable(text)}", err=True)


def _text(event: "Event", verbose: bool) -> str:
    record = event.record
    if event.event == "watching":
        return f"watches {event.source}; Ctrl-C ends it"
    if event.event == "failed":
        return f"failed {event.output}: {event.message}"
    if event.event == "done" and record is not None:
        kind = "draft" if event.effort == "draft" else "done"
        warnings = f"; warning: {'; '.join(record.warnings)}" if record.warnings and kind == "done" else ""
        return (f"{kind} {event.output}: {record.file_bytes / 1024:.1f} KiB, {decibels(record.psnr)}, "
                f"{event.seconds:.1f} s{warnings}")  # fmt: skip
    if event.event == "moved":
        return f"copied {event.output}: {event.message}"
    if event.event == "idle":
        failed = f", {event.failed} failed" if event.failed else ""
        return f"waits: {count(event.total or 0, 'material')}{failed}"
    if not verbose:
        return ""
    if event.event == "begin":
        return f"begins {event.output}, effort {event.effort}"
    return {"current": f"up to date {event.output}", "stopped": f"stops {event.output}, for a change"}.get(
        event.event, "")  # fmt: skip
