"""`gstex decode`: the maps of a .gstex file as image files again."""

from pathlib import Path

import click

import gstex
from gstex.cli.options import debug_option
from gstex.cli.text import printable

__all__ = ["decode"]


@click.command(short_help="A file -> its maps, as images again.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
              help="Folder for the maps; made if it is missing. Files of the same names are replaced.")
@click.option("--mip", type=int, default=0, show_default=True, metavar="M",
              help="Level of detail; 0 is full size.")
@debug_option
def decode(file: Path, output: Path, mip: int) -> None:
    """\b
    gstex decode wall.gstex -o maps/             every map under its original name, size and bit depth
    gstex decode wall.gstex -o .                 ... into the current folder
    gstex decode wall.gstex -o half/ --mip 1     at half the size, if the file holds that mip

    Write the maps of FILE as image files and print their paths.
    """
    texture = gstex.load(file)
    for path in texture.write_maps(output, mip=mip):
        click.echo(printable(path))
