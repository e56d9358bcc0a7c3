"""`gstex compress`: a folder of maps or one image -> one .gstex file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import gstex
from gstex.cli.options import (
    Arguments,
    check_one_size,
    debug_option,
    depfile_option,
    fit_options,
    force_option,
    json_option,
    names_option,
    seed_option,
)
from gstex.cli.output import check_name, check_output_file, default_output
from gstex.cli.sections import SectionedCommand
from gstex.cli.text import bytes_line, count, decibels, format_table, printable, size
from gstex.json_types import JsonObject, JsonView

if TYPE_CHECKING:
    from gstex.forecast import Phase
    from gstex.material import Material
    from gstex.texture import Texture

__all__ = ["compress"]

_TABLE = {"file": "FILE", "channels": "CHANNELS", "role": "ROLE", "color_space": "COLOUR", "bits": "BITS",
          "size": "SIZE", "note": "NOTE"}


def _one_input(context: click.Context, parameter: click.Parameter, given: tuple[Path, ...]) -> Path:
    """Callback of INPUT."""
    if len(given) > 1:
        raise click.BadParameter(f"got {len(given)} of them, expected one folder or one image; put the maps of a "
                                 "material into a folder", context, parameter)  # fmt: skip
    return given[0]


@click.command(cls=SectionedCommand)
@click.argument("source", metavar="INPUT", nargs=-1, required=True, callback=_one_input,
                type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT.gstex", type=click.Path(path_type=Path),
              help="File to write.  [default: INPUT's name + .gstex, in the current folder]")
@fit_options
@click.option("--map", "maps", metavar="ROLE=FILE[:CH][@LO..HI]", multiple=True,
              help="Say which file holds a map, as in roughness=pack.png:g; ignore=FILE leaves one out; "
                   "normal_dx=FILE has its Y down; height=dunes.exr@-3..17 states what floats of 0 and 1 stand for. "
                   "May be repeated.")
@names_option
@seed_option
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads to use, at most one per core.  [default: all cores]")
@click.option("--checkpoint", is_flag=True,
              help="Save OUT.gstex.fit during a long fit, and continue from it if it exists, to the same file.")
@depfile_option
@force_option
@json_option
@debug_option
def compress(
    source: Path, output: Path | None, bpp: float | None, gaussians: int | None, quality: str | None,
    psnr: float | None, match: str | None, max_bpp: float | None, weights: dict[str, float] | None,
    importance: str | None, maps: tuple[str, ...], names: Path | None, threads: int | None, checkpoint: bool,
    depfile: Path | None, force: bool, as_json: bool, **options: Any,
) -> None:
    """\b
    gstex compress wall/                                      -> wall.gstex, at normal quality
    gstex compress wall/ -o w.gstex --bpp 1.5                 a budget of bits per texel; --psnr 35 for a quality
    gstex compress wall/ --map roughness=pack.png:g --json    a map named by hand; JSON on stdout

    Compress INPUT, a folder with the maps of one material or a single image.
    """
    check_one_size(bpp=bpp, gaussians=gaussians, quality=quality, psnr=psnr, match=match)
    from gstex import native
    from gstex.encode.compress import check_options
    from gstex.material import find_tiles

    if threads is not None:
        native.set_thread_count(min(threads, native.cores()))
    output = output or default_output(source)
    more = [Path(importance)] if importance not in (None, "auto") else []
    check_output_file(output, source, *more)
    check_name(output)
    rate: Arguments = {"bpp": bpp, "gaussians": gaussians, "quality": quality, "psnr": psnr, "match": match,
                            "max_bpp": max_bpp, "weights": weights}  # fmt: skip
    check_options(**rate, **{name: options[name] for name in ("loss", "seed", "alpha_test", "tail", "groups")})
    tiles = find_tiles(source)
    outputs: dict[int | None, Path] = {None: output}
    if tiles:
        outputs = {tile: output.with_name(f"{output.stem}.{tile}{output.suffix}") for tile in tiles}
    if depfile is not None:
        check_output_file(depfile, source, *more)
    if tiles:
        for path in outputs.values():
            check_output_file(path, source, *more)
        click.echo(f"a UDIM set of {count(len(tiles), 'tile')}: each becomes a file of its own", err=True)
    options |= {**rate, "importance": importance}
    how = {"checkpoint": checkpoint, "force": force, "as_json": as_json}
    reports = [_compress_one(source, path, {"overrides": maps, "names": names, "tile": tile}, options, **how)
               for tile, path in outputs.items()]  # fmt: skip
    if depfile is not None:
        _write_depfile(depfile, next(iter(outputs.values())), source, names, importance)
    if as_json:
        click.echo(json.dumps({"tiles": reports} if tiles else reports[0], allow_nan=False))


def _write_depfile(path: Path, output: Path, source: Path, names: Path | None, importance: str | None) -> None:
    """Write what an output was made from. For a UDIM set, `output` is the first output and all files count."""
    from gstex.batch.options import Options
    from gstex.batch.plans import Item
    from gstex.batch.state import input_files
    from gstex.cli.depfile import write_depfile
    from gstex.material.load import list_images

    files = tuple(list_images(source)[1])
    item = Item(str(output), source, files, "", names=names, options=Options(importance=importance))
    folder = [source] if source.is_dir() else []
    write_depfile(path, output, [*folder, *(path for _, path in input_files(item, {}))])


def _compress_one(
    source: Path, output: Path, reading: Arguments, options: Arguments, *, checkpoint: bool, force: bool,
    as_json: bool,
) -> JsonObject:
    """Compress one material, print the lines for people, and return the report. reading: arguments of load_material."""
    from gstex.cli.progress import ProgressReporter
    from gstex.material import load_material, table
    from gstex.replace import check_replaced

    material = load_material(source, **reading)
    if not force:
        check_replaced(output, material)
    click.echo("\n".join(_choice(material, table(material), options["wrap"])), err=True)
    fit = output.with_name(f"{output.name}.fit") if checkpoint else None
    with ProgressReporter(phase=_phase(material, options)) as progress:
        texture = gstex.compress(material, progress=progress, notes=progress.note, checkpoint=fit, **options)
    texture.save(output)
    if fit is not None:
        fit.unlink(missing_ok=True)
    for line in _stretched(material) + _warnings(texture):
        click.echo(line, err=True)
    if not as_json:
        click.echo("\n".join(_summary(output, texture)))
    return {"output": str(output), **texture.report, "maps": table(material)}


def _phase(material: "Material", options: Arguments) -> "Phase | None":
    """The phase by which the time of a fit is forecast; None for a target, whose number of fits is not known."""
    from gstex.forecast import asked_fit, fit_phase

    if options["psnr"] is not None or options["match"] is not None:
        return None
    varying = sum(channel.constant is None for channel in material.channels)
    settings = {name: options[name] for name in ("effort", "bpp", "quality", "loss")}
    return fit_phase(material, *asked_fit(varying, **settings))


def _choice(material: "Material", maps: list[dict[str, str]], wrap: str | None) -> list[str]:
    """Lines on what was found in the input and how it is read, printed before the work starts."""
    how = f"{wrap}, as given" if wrap else f"{material.wrap}, by its borders; --wrap overrides"
    if wrap is None and len(material.sources) == 1 and material.wrap == "clamp":
        how = "clamp; --wrap repeat if it tiles"
    head = (f"{printable(material.name)}: {material.width}x{material.height}, "
            f"{count(len(material.channels), 'channel')}, wrap {how}")
    return [head, *format_table(maps, _TABLE)]


def _warnings(texture: "Texture") -> list[str]:
    """Warnings about maps that lost much of their detail, whatever their PSNR is."""
    from gstex.metrics import lost_maps

    lost = lost_maps(texture.report)
    advice = "give more --bpp, or a higher --weight for the map"
    if len(lost) == 1 < len(texture.report["psnr_by_map"]):
        role = lost[0].split()[0]
        advice = f"give more --bpp, --weight {role}=4, or --groups {role} for Gaussians of its own"
    return [f"gstex: warning: {line}; unless that is noise, {advice}" for line in lost]


def _stretched(material: "Material") -> list[str]:
    """Warnings about maps whose sides have another ratio than the material."""
    from gstex.material.material import stretched_note

    notes = {source.file: stretched_note(material, source) for source in material.sources}
    return [f"gstex: warning: {printable(file)}: {note}" for file, note in notes.items() if note]


def _summary(output: Path, texture: "Texture") -> list[str]:
    """The figures of the file, for people."""
    report = texture.report
    lines = [
        f"{printable(output)}: {size(report['file_bytes'])}, {size(report['gpu_bytes'])} on the GPU",
        f"  rate        {report['bpp']:.3f} bits per texel at full size, {report['bppc']:.3f} per channel, "
        f"{count(report['gaussians'], 'Gaussian')}",
        bytes_line(report),
        f"  PSNR        {decibels(report['psnr'])} at texels, "
        f"{decibels(report['psnr_sampled'])} between them ({texture.sampling} sampling)",
    ]
    if "target" in report:
        target = report["target"]
        of = f" of {target['match']}" if "match" in target else ""
        lines.append(f"  target      {decibels(target['psnr'])}{of}, {'' if target['reached'] else 'not '}reached")
    if report["psnr_by_map"]:
        by_map = ", ".join(f"{role} {decibels(value)}" for role, value in report["psnr_by_map"].items())
        lines.append(f"  by map      {by_map}")
    if report.get("error_of_range_by_map"):
        by_range = ", ".join(f"{role} {value:.1%}" for role, value in report["error_of_range_by_map"].items())
        lines.append(f"  of range    {by_range}")
    if "psnr_important" in report:
        name = printable(texture.fit["importance"])
        lines.append(f"  important   {decibels(report['psnr_important'])}, texels weighted by {name}")
    if len(report.get("coverage", ())) > 1:
        first, *others = report["coverage"]
        far = max((abs(c - first) for c in others[:-1]), default=0.0)  # the last mip is one texel
        lines.append(f"  coverage    {first:.1%} at the alpha test; mips within {far:.1%} of the area of that")
    lines += [
        f"  candidates  {report['candidates_mean']:.1f} per texel, {report['candidates_max']} at most",
        *_mip_lines(report),
        f"  fit         {report['seconds']:.1f} s on {report['device']}, seed {report['seed']}",
    ]
    return lines


def _mip_lines(report: JsonView) -> list[str]:
    """One line on the mips below full size."""
    mips = report["mips"]
    if len(mips) == 1:
        return ["  mips        full size alone"]
    shown = [f"{mip['width']}x{mip['height']} {decibels(mip['psnr'])}" for mip in mips[1:4]]
    below = report["gpu_bytes"] - report["mip_0_bytes"]
    more = ", .." if len(mips) > 4 else ""
    return [f"  mips        {len(mips) - 1} below full size, {size(below)}: {', '.join(shown)}{more}"]
