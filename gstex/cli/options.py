"""Options that several commands share, tools/bench.py included."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

__all__ = [
    "Arguments", "check_one_size", "debug_option", "depfile_option", "fit_options", "force_option", "json_option",
    "names_option", "parse_rates", "parse_weights", "seed_option",
]

Arguments: TypeAlias = dict[str, Any]
"""Keyword arguments by name. Options of a command have the types that click gives them."""
_Command = TypeVar("_Command", bound=Callable[..., Any])

# gstex.cli.app.main reads this flag from the command line itself, because it needs it before click has parsed anything.
debug_option = click.option("--debug", is_flag=True, expose_value=False,
                            help="Also print the traceback of an error.")
force_option = click.option("--force", is_flag=True,
                            help="Replace existing files, even if this command did not make them from the same input.")
depfile_option = click.option("--depfile", metavar="FILE", type=click.Path(path_type=Path),
                              help="Write what was read as a rule for Make or Ninja.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")

names_option = click.option("--names", metavar="FILE", type=click.Path(path_type=Path),
                            help="More words and packings for file names, as in docs/inputs.md.  [default: "
                                 "gstex.toml in INPUT]")
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same file.")

def parse_weights(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, float] | None:
    """Callback of an option that takes ROLE=NUMBER: ('ao=0.5',) -> {'ao': 0.5}; None if it was not given."""
    weights: dict[str, float] = {}
    for text in texts:
        role, _, number = text.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not role or math.isnan(weight):
            raise click.BadParameter(f"got {text!r}, expected ROLE=NUMBER, such as roughness=0.5")
        if role in weights:
            raise click.BadParameter(f"got {role} twice, expected one number for it; drop one")
        weights[role] = weight
    return weights or None


# How to compress a material: the options of gstex.compress.
_FIT = (
    click.option("--bpp", type=float, metavar="B",
                 help="Bits per texel of full size, all maps together; never exceeded. Mips and the description of the "
                      "maps come on top."),
    click.option("--gaussians", type=int, metavar="N", help="Number of Gaussians."),
    click.option("--quality", type=click.Choice(["draft", "normal", "high"]),
                 help="A preset in place of --bpp, by the number of channels that vary.  [default: normal]"),
    click.option("--psnr", type=float, metavar="DB",
                 help="The fewest bytes that reach this PSNR over all maps, or up to about 0.2 dB more; takes twice as "
                      "long, or longer."),
    click.option("--match", metavar="CODEC",
                 help="Like --psnr, with the PSNR that a block codec reaches on these maps: bc1, bc7, or astc-4x4 to "
                      "astc-12x12 "
                      "(pip install gstex[compare])."),
    click.option("--max-bpp", type=float, metavar="B",
                 help="The most bits per texel that a target of PSNR may take.  [default: 2 for every channel that "
                      "varies]"),
    click.option("--weight", "weights", metavar="ROLE=NUMBER", multiple=True, callback=parse_weights,
                 help="How much the squared error of a map counts, 0.05 to 20, 1 for the others, as in "
                      "roughness=0.5. May be "
                      "repeated."),
    click.option("--effort", type=click.Choice(["draft", "fast", "normal", "thorough"]), default="normal",
                 show_default=True, help="How long to search; the size of the file stays the same. draft: a preview, "
                                         "in seconds."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
                 help="Where to fit: auto takes an NVIDIA GPU if there is one that works (pip install gstex[cuda])."),
    click.option("--wrap", type=click.Choice(["repeat", "clamp"]),
                 help="How the texture continues beyond its border.  [default: repeat if the maps' borders match, "
                      "clamp for one image]"),
    click.option("--mips/--no-mips", default=True, show_default=True,
                 help="All mips down to 1x1, for at most 1.15 times the bytes; or full size alone."),
    click.option("--tail", type=int, metavar="MIP",
                 help="First mip of the tail: the mips from it on stand first in the file, and are a texture without "
                      "the rest.  [default: 3, or none below 16 KB]"),
    click.option("--groups", default="auto", show_default=True, metavar="auto|1|MAPS",
                 help="Maps that share Gaussians: auto finds out, 1 keeps all together, or as in "
                      "\"albedo,roughness;normal\"; maps that are not named are a group of their own."),
    click.option("--mip-filter", type=click.Choice(["box", "kaiser"]), default="box", show_default=True,
                 help="How mips are made: the mean, or a sharper windowed sinc."),
    click.option("--roughness-from-normals", is_flag=True,
                 help="Make mips rougher where their normals lose detail."),
    click.option("--alpha-test", type=float, metavar="T",
                 help="Opacity in mips keeps the coverage of full size at this threshold, above 0 and up to 1."),
    click.option("--sampling", type=click.Choice(["auto", "direct", "bilinear"]), default="auto", show_default=True,
                 help="How the shader will sample: one evaluation at any uv (direct), or four fetches and a filter "
                      "(bilinear). auto takes bilinear at high rates where it is much better."),
    click.option("--loss", type=click.Choice(["l2", "perceptual", "restore"]), default="l2", show_default=True,
                 help="What to minimise: l2, the squared error (best PSNR); perceptual, L1 + SSIM (best looks); "
                      "restore, "
                      "the traces of noise and JPEG in a damaged input."),
    click.option("--importance", metavar="IMAGE|auto",
                 help="Where quality matters: an image that is white there, or auto for an estimate. White counts 16 "
                      "times "
                      "as much as black."),
)  # fmt: skip


def fit_options(command: _Command) -> _Command:
    """Decorator that adds the options of a fit, for `compress`, `batch`, `watch` and `gltf`."""
    for option in reversed(_FIT):
        command = option(command)
    return command


def check_one_size(**given: object) -> None:
    """Refuse several of --bpp, --gaussians, --quality, --psnr and --match.

    Raises:
        UsageError: more than one is not None.
    """
    names = [f"--{name}" for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} contradict each other: give one of them")


def parse_rates(context: click.Context, parameter: click.Parameter, text: str | None) -> list[float] | None:
    """Callback of an option that takes bits per texel: '0.5,1' -> [0.5, 1.0]; None if it was not given."""
    if text is None:
        return None
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < rate <= 64 for rate in rates):
        raise click.BadParameter(f"got {text!r}, expected numbers above 0 and up to 64, such as 0.5,1,2")
    return rates
