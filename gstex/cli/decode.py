"""`gstex decode`: the maps of a .gstex file as image files again."""

import re
from pathlib import Path

import click

import gstex
from gstex.cli.options import debug_option, force_option
from gstex.cli.output import write_into
from gstex.cli.text import printable
from gstex.errors import UsageError
from gstex.limits import MAX_SIZE, MOST_TEXELS

__all__ = ["decode"]


def _parse_size(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """'640x480' -> (640, 480)."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text, re.IGNORECASE)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= n <= MAX_SIZE for n in size):
        raise UsageError(f"--size: got {text!r}, expected WIDTHxHEIGHT of 1..{MAX_SIZE} each, such as 512x256")
    return size


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
              help="Folder for the maps; made if it is missing.")
@click.option("--mip", type=int, default=0, show_default=True, metavar="M",
              help="Level of detail; 0 is full size.")
@click.option("--size", metavar="WxH", callback=_parse_size,
              help="Size of every map, whatever its own size is; filtered as a shader does.")
@click.option("--max-texels", type=click.IntRange(min=1), default=MOST_TEXELS, show_default=True, metavar="N",
              help="Refuse a file that decodes to more texels, counted in every channel: a small file can stand for "
                   "many.")
@force_option
@debug_option
def decode(
    file: Path, output: Path, mip: int, size: tuple[int, int] | None, max_texels: int, force: bool
) -> None:  # fmt: skip
    """\b
    gstex decode wall.gstex -o maps/             every map under its original name, size and bit depth
    gstex decode wall.gstex -o half/ --mip 1     at half the size, if the file holds that mip
    gstex decode wall.gstex -o s/ --size 64x64   every map at this size

    Write the maps of FILE as image files and print their paths.
    """
    if size and mip:
        raise UsageError("--mip and --size: got both, expected one of them; drop one")
    texture = gstex.load(file)

    def write(folder: Path) -> list[Path]:
        return texture.write_maps(folder, mip=mip, size=size, max_texels=max_texels)

    for path in write(output) if force else write_into(output, texture.map_files, write):
        click.echo(printable(path))
