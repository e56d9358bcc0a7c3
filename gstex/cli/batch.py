"""`gstex batch`: a library of materials -> one file each."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gstex.cli.options import (
    Arguments,
    check_one_size,
    debug_option,
    depfile_option,
    fit_options,
    names_option,
    seed_option,
)
from gstex.cli.sections import SectionedCommand
from gstex.cli.signals import Terminated, terminations_as_interrupts
from gstex.cli.text import count, format_table, printable

if TYPE_CHECKING:
    from gstex.batch import Event, Plan
    from gstex.cli.batch_progress import BatchProgress

__all__ = ["batch"]

_NAMED = 5  # how many failed materials the last line names


@click.command(cls=SectionedCommand)
@click.argument("inputs", metavar="LIBRARY...", nargs=-1)
@click.option("-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True,
              help="Folder of the outputs. The tree of LIBRARY is kept in it.")
@click.option("--dry-run", is_flag=True, help="Print which file would be made of what, and what is left out; write "
                                              "nothing.")
@click.option("--manifest", metavar="FILE|-", help="Read the plan from a JSON file, or from stdin.")
@click.option("--save-manifest", metavar="FILE", help="Write the plan as a JSON file, to be edited and read again.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N",
              help="Materials at once; their memory adds up.  [default: one per core]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads of all of them together, at most one per core.  [default: all cores]")
@click.option("--ray", metavar="auto|ADDRESS", help="Let a Ray cluster do the work (pip install gstex[ray]).")
@click.option("--ray-files", type=click.Choice(["shipped", "shared"]), default="shipped", show_default=True,
              help="Send files to the nodes and back, or let them use the same paths on storage that all of them see.")
@click.option("--force", is_flag=True,
              help="Compress everything again, and replace files that no batch has made.")
@fit_options
@names_option
@seed_option
@depfile_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line on stdout for each event.")
@click.option("-q", "--quiet", is_flag=True, help="Print failures alone.")
@click.option("-v", "--verbose", is_flag=True, help="Also print what is up to date and what is left out.")
@debug_option
def batch(
    inputs: tuple[str, ...], output: Path, dry_run: bool, manifest: str | None, save_manifest: str | None,
    jobs: int | None, threads: int | None, ray: str | None, ray_files: str, force: bool, names: Path | None,
    depfile: Path | None, as_json: bool, quiet: bool, verbose: bool, **options: Any,
) -> None:  # fmt: skip
    """\b
    gstex batch textures/ -o packed/                   every material of a tree; again: only what has changed
    gstex batch textures/ -o packed/ --dry-run         what would be made of what
    gstex batch --manifest plan.json -o packed/ --json     a plan of your own; events as JSON lines

    Compress the materials of LIBRARY: folders, images, patterns, or @FILE with one path a line. OUT/index.html shows
    the results.
    """
    check_one_size(**{name: options[name] for name in ("bpp", "gaussians", "quality", "psnr", "match")})
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other: give one of them")
    if (manifest is None) == (not inputs):
        raise click.UsageError("give LIBRARY or --manifest" + (", not both" if inputs else ""))
    if ray is not None and jobs is not None:
        raise click.UsageError("--jobs and --ray contradict each other: a cluster has as many jobs as its nodes "
                               "hold; drop --jobs")
    if save_manifest == "-":
        raise click.UsageError("--save-manifest: got '-', expected a file name, such as plan.json")
    from gstex.batch import read_manifest, write_manifest
    from gstex.cli.batch_progress import BatchProgress
    from gstex.encode.compress import check_options

    checked = ("bpp", "gaussians", "quality", "psnr", "match", "max_bpp", "weights", "loss", "seed", "alpha_test",
               "tail", "groups")  # fmt: skip
    check_options(**{name: options[name] for name in checked})
    if manifest is None:
        plan = _plan(inputs, output, names, options)
    else:
        _refuse_options(options)
        plan = read_manifest(manifest, output)
    if save_manifest is not None:
        write_manifest(plan, save_manifest)
    if dry_run:
        _print_plan(plan, as_json)
        return
    with BatchProgress(plan, plain_stdout=not as_json, quiet=quiet, verbose=verbose) as progress:
        progress.left_out()
        _run(plan, progress, as_json, jobs=jobs, threads=threads, force=force, ray=ray, ray_files=ray_files)
    if depfile is not None:
        _write_depfile(depfile, plan, output, inputs, manifest)


def _write_depfile(path: Path, plan: "Plan", output: Path, inputs: tuple[str, ...], manifest: str | None) -> None:
    """Write the dependencies of the page, which is written last. Folders are listed too, so that a new file counts."""
    from gstex.batch.running import PAGE
    from gstex.batch.state import Listings, input_files
    from gstex.cli.depfile import write_depfile

    listings: Listings = {}
    read = [Path(text.removeprefix("@")) for text in inputs if Path(text.removeprefix("@")).exists()]
    if manifest not in (None, "-"):
        read.append(Path(str(manifest)))
    for item in plan.items:
        read += [item.source, *(path for _, path in input_files(item, listings))]
    write_depfile(path, output / PAGE, read)


def _plan(inputs: tuple[str, ...], output: Path, names: Path | None, options: Arguments) -> "Plan":
    from gstex.batch import Options, plan

    if options["importance"] not in (None, "auto"):
        options["importance"] = str(Path(options["importance"]).absolute())
    return plan(inputs, output, options=Options(**options), names=names)


def _refuse_options(options: Arguments) -> None:
    """Refuse options of a fit beside --manifest, because the manifest states them itself."""
    context = click.get_current_context()
    given = [name for name in (*options, "names") if context.get_parameter_source(name) != ParameterSource.DEFAULT]
    if given:
        flags = ", ".join("--weight" if name == "weights" else "--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"{flags}: goes with LIBRARY; set it in the \"options\" of the manifest instead")


def _run(plan: "Plan", progress: "BatchProgress", as_json: bool, **how: Any) -> None:
    """Carry out the plan. Raises click.exceptions.Exit if a material failed or the batch was stopped."""
    from gstex.batch import run
    from gstex.cli.app import INTERRUPTED, TERMINATED

    failed: list[Event] = []
    try:
        with terminations_as_interrupts(), contextlib.closing(run(plan, **how)) as events:  # type: ignore[type-var]
            for event in events:
                if as_json:
                    click.echo(json.dumps(event.to_json(), allow_nan=False))
                if event.event == "failed":
                    failed.append(event)
                progress(event)
    except KeyboardInterrupt as error:
        terminated = isinstance(error, Terminated)
        progress.stopped("SIGTERM" if terminated else "Ctrl-C")
        raise click.exceptions.Exit(TERMINATED if terminated else INTERRUPTED) from None
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        named = ", ".join(printable(event.output) for event in failed[:_NAMED])
        progress.stop()
        whole = count(len(plan.items), "material")
        click.echo(f"gstex: error: {len(failed)} of {whole} failed: {named}{more}", err=True)
        raise click.exceptions.Exit(1)


def _print_plan(plan: "Plan", as_json: bool) -> None:
    if as_json:
        for item in plan.items:
            row = {"event": "planned", "output": item.output, "source": str(item.source), "files": list(item.files),
                   "roles": dict(item.roles), "problem": item.problem}  # fmt: skip
            click.echo(json.dumps({k: v for k, v in row.items() if v}))
        for path, reason in plan.left_out:
            click.echo(json.dumps({"event": "left-out", "source": path, "message": reason}))
        return
    rows = []
    for item in plan.items:
        maps = ", ".join(f"{role} {file}" for file, role in item.roles.items())
        rows.append({"output": item.output, "maps": item.problem or maps or ", ".join(item.files)})
    click.echo("\n".join(format_table(rows, {"output": "OUTPUT", "maps": "MAPS"})))
    for path, reason in plan.left_out:
        click.echo(f"left out: {printable(path)}: {printable(reason)}")
    broken = sum(bool(item.problem) for item in plan.items)
    tail = f", {broken} of which cannot be compressed as they are" if broken else ""
    click.echo(f"{count(len(plan.items), 'material')}{tail}; --save-manifest FILE writes this plan to be edited")
