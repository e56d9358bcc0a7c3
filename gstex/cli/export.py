"""`gstex export`: write one .gstex file in the form that an engine includes."""

import json
from pathlib import Path

import click

from gstex.cli.options import debug_option, force_option, json_option
from gstex.cli.text import printable, size

__all__ = ["export"]


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(["glsl", "hlsl", "wgsl", "metal", "c"]), required=True,
              help="Language of the decoder and of the header with constants.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
              help="Folder for the files; made if it is missing.")
@force_option
@json_option
@debug_option
def export(file: Path, target: str, output: Path, force: bool, as_json: bool) -> None:
    """\b
    gstex export wall.gstex --to glsl -o engine/      wall.bin, wall.glsl, gstex.glsl; or hlsl ..
    gstex export wall.gstex --to c -o engine/         wall.bin, wall.h, gstex.h
    gstex export wall.gstex --to c -o engine/ --json  the paths for a program

    Write FILE as an engine takes it: the words for the GPU as a raw buffer, the decoder to include, and a header with
    the constants of this file, such as WALL_ROUGHNESS, the number of that channel.
    """
    import gstex
    from gstex.transcode.export import export as write

    texture = gstex.load(file)
    paths = write(texture, output, file.stem.removesuffix(".stripped"), target=target, force=force)
    if as_json:
        keys = ("buffer", "header", "decoder")
        click.echo(json.dumps({"file": str(file), **{k: str(p) for k, p in zip(keys, paths, strict=True)}}))
        return
    for path in paths:
        click.echo(f"{printable(path)}: {size(path.stat().st_size)}")
