"""`gstex strip`: a .gstex file without what a game does not need."""

import json
from pathlib import Path

import click

from gstex.cli.options import debug_option, force_option, json_option
from gstex.cli.output import check_name, check_output_file
from gstex.cli.text import printable, size
from gstex.errors import OutputError

__all__ = ["strip"]


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT.gstex", type=click.Path(path_type=Path),
              help="File to write.  [default: FILE's name + .stripped.gstex, in the current folder]")
@force_option
@json_option
@debug_option
def strip(file: Path, output: Path | None, force: bool, as_json: bool) -> None:
    """\b
    gstex strip wall.gstex                      -> wall.stripped.gstex
    gstex strip wall.gstex -o game/wall.gstex   under the same name elsewhere
    gstex strip wall.gstex -o wall.gstex --force    in place; keep what it was made from

    Leave out of FILE what decoders do not need: the names of its maps, and the figures and settings of its fit. What
    the GPU reads stays the same to the byte. A stripped file can be loaded, shown, sampled and transcoded; only
    `gstex decode` and `compare` need the whole one.
    """
    import gstex
    from gstex.format import write_file
    from gstex.replace import check_stripped_replaced, stripped_metadata

    output = output or Path(f"{file.stem}.stripped.gstex")
    check_output_file(output, file)
    check_name(output)
    texture = gstex.load(file)
    metadata = stripped_metadata(texture.metadata, file)
    if output.exists() and output.samefile(file):
        if not force:
            raise OutputError(f"{output}: is FILE itself; give another name, or --force to strip it in place")
    elif not force:
        check_stripped_replaced(output, metadata)
    before = texture.file_bytes or 0
    after = write_file(output, texture.words, metadata)
    if as_json:
        click.echo(json.dumps({"file": str(file), "output": str(output), "bytes_before": before, "bytes": after,
                               "saved_bytes": before - after, "saved_share": (before - after) / before}))  # fmt: skip
    else:
        click.echo(f"{printable(output)}: {size(after)}, {size(before - after)} less than {printable(file)} "
                   f"({(before - after) / before:.1%})")
