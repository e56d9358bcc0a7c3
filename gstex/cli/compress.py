"""`gstex compress`: a folder of maps or one image -> one .gstex file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import gstex
from gstex.cli.options import debug_option, force_option, json_option
from gstex.cli.output import check_name, check_output_file, check_replaced, default_output
from gstex.cli.text import count, decibels, format_table, printable, size

if TYPE_CHECKING:
    from gstex.material import Material
    from gstex.texture import Texture

__all__ = ["compress"]

_TABLE = {"file": "FILE", "channels": "CHANNELS", "role": "ROLE", "color_space": "COLOUR", "bits": "BITS",
          "size": "SIZE", "note": "NOTE"}


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT.gstex", type=click.Path(path_type=Path),
              help="File to write.  [default: INPUT's name + .gstex, in the current folder]")
@click.option("--bpp", type=float, metavar="B",
              help="Bits per texel, all maps together; never exceeded.")
@click.option("--gaussians", type=int, metavar="N", help="Number of Gaussians.")
@click.option("--quality", type=click.Choice(["draft", "normal", "high"]),
              help="Bits per texel by the number of channels that vary.  [default: normal]")
@click.option("--effort", type=click.Choice(["draft", "fast", "normal", "thorough"]), default="normal",
              show_default=True, help="How long to search; the size of the file stays the same. draft: a preview, in "
                                      "seconds.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where to fit: auto takes an NVIDIA GPU if there is one that works (pip install gstex[cuda]).")
@click.option("--wrap", type=click.Choice(["repeat", "clamp"]),
              help="How the texture goes on beyond its border.  [default: repeat if the maps' borders match, "
                   "clamp for one image]")
@click.option("--mips/--no-mips", default=True, show_default=True,
              help="All mips down to 1x1, for at most 1.1 times the bytes; or full size alone.")
@click.option("--mip-filter", type=click.Choice(["box", "kaiser"]), default="box", show_default=True,
              help="How mips are made: the mean, or a sharper windowed sinc.")
@click.option("--roughness-from-normals", is_flag=True,
              help="Make mips rougher where their normals lose detail.")
@click.option("--alpha-test", type=float, metavar="T",
              help="Opacity in mips keeps the coverage of full size at this threshold, above 0 and up to 1.")
@click.option("--sampling", type=click.Choice(["direct", "bilinear"]), default="direct", show_default=True,
              help="What the shader will do: one evaluation at any uv, or four fetches and a filter.")
@click.option("--loss", type=click.Choice(["l2", "perceptual", "restore"]), default="l2", show_default=True,
              help="What to make small: the squared error (PSNR), L1 + SSIM (looks), or the traces of noise and JPEG "
                   "in a damaged input.")
@click.option("--importance", metavar="IMAGE|auto",
              help="What matters: an image in which it is white, or auto for an estimate. White counts 16 times as "
                   "much as black.")
@click.option("--map", "maps", metavar="ROLE=FILE[:CH]", multiple=True,
              help="Say which file holds a map, as in roughness=pack.png:g; ignore=FILE leaves one out. "
                   "May be given many times.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same file.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads to use, at most one a core.  [default: all cores]")
@force_option
@json_option
@debug_option
def compress(
    source: Path, output: Path | None, bpp: float | None, gaussians: int | None, quality: str | None,
    importance: str | None, maps: tuple[str, ...], threads: int | None, force: bool, as_json: bool, **options: Any,
) -> None:
    """\b
    gstex compress wall/                                      -> wall.gstex, at normal quality
    gstex compress wall/ -o w.gstex --bpp 1.5                 a budget of bits per texel
    gstex compress wall/ --map roughness=pack.png:g --json    a map named by hand; JSON on stdout

    Compress INPUT, a folder with the maps of one material or a single image.
    """
    given = [f"--{name}" for name, value in
             (("bpp", bpp), ("gaussians", gaussians), ("quality", quality)) if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} contradict each other: give one of them")
    from gstex import native
    from gstex.cli.progress import ProgressReporter
    from gstex.encode.compress import check_options
    from gstex.material import load_material, table

    if threads is not None:
        native.set_thread_count(min(threads, native.cores()))
    output = output or default_output(source)
    check_output_file(output, source, *([Path(importance)] if importance not in (None, "auto") else []))
    check_name(output)
    check_options(bpp=bpp, gaussians=gaussians, seed=options["seed"], alpha_test=options["alpha_test"])
    material = load_material(source, overrides=maps)
    if not force:
        check_replaced(output, material)
    click.echo("\n".join(_choice(material, table(material), options["wrap"])), err=True)
    with ProgressReporter() as progress:
        texture = gstex.compress(material, bpp=bpp, gaussians=gaussians, quality=quality or "normal",
                                 importance=importance, progress=progress, notes=progress.note, **options)
    texture.save(output)
    if as_json:
        click.echo(json.dumps({"output": str(output), **texture.report, "maps": table(material)},
                              allow_nan=False))
    else:
        click.echo("\n".join(_summary(output, texture)))


def _choice(material: "Material", maps: list[dict[str, str]], wrap: str | None) -> list[str]:
    """What was found in the input and how it is read, before the work starts."""
    how = f"{wrap}, as given" if wrap else f"{material.wrap}, by its borders; --wrap overrides"
    if wrap is None and len(material.sources) == 1 and material.wrap == "clamp":
        how = "clamp; --wrap repeat if it tiles"
    head = (f"{printable(material.name)}: {material.width}x{material.height}, "
            f"{count(len(material.channels), 'channel')}, wrap {how}")
    return [head, *format_table(maps, _TABLE)]


def _summary(output: Path, texture: "Texture") -> list[str]:
    """The figures of the file, for people."""
    report = texture.report
    lines = [
        f"{printable(output)}: {size(report['file_bytes'])}, {size(report['gpu_bytes'])} on the GPU",
        f"  rate        {report['bpp']:.3f} bits per texel, {report['bppc']:.3f} per channel, "
        f"{count(report['gaussians'], 'Gaussian')}",
        f"  PSNR        {decibels(report['psnr'])} at texels, "
        f"{decibels(report['psnr_sampled'])} between them ({texture.sampling} sampling)",
    ]
    if report["psnr_by_map"]:
        by_map = ", ".join(f"{role} {decibels(value)}" for role, value in report["psnr_by_map"].items())
        lines.append(f"  by map      {by_map}")
    if "psnr_important" in report:
        name = printable(texture.metadata["fit"]["importance"])
        lines.append(f"  important   {decibels(report['psnr_important'])}, texels weighted by {name}")
    lines += [
        f"  candidates  {report['candidates_mean']:.1f} per texel, {report['candidates_max']} at most",
        *_mip_lines(report["mips"]),
        f"  fit         {report['seconds']:.1f} s on {report['device']}, seed {report['seed']}",
    ]
    return lines


def _mip_lines(mips: list[dict[str, Any]]) -> list[str]:
    """One line on the mips below full size."""
    if len(mips) == 1:
        return ["  mips        full size alone"]
    shown = [f"{mip['width']}x{mip['height']} {decibels(mip['psnr'])}" for mip in mips[1:4]]
    below = sum(mip["bytes"] for mip in mips[1:])
    more = ", .." if len(mips) > 4 else ""
    return [f"  mips        {len(mips) - 1} below full size, {size(below)}: {', '.join(shown)}{more}"]
