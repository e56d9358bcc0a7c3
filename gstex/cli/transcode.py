"""`gstex transcode`: a .gstex file, or maps -> block-compressed textures that engines load."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gstex.cli.options import debug_option, force_option, json_option, names_option
from gstex.cli.text import format_table, printable, size
from gstex.errors import OutputError
from gstex.json_types import JsonObject
from gstex.limits import MOST_TEXELS

if TYPE_CHECKING:
    from gstex.transcode import Written

__all__ = ["transcode"]

_TARGETS = ("auto", "bc7", "bc5", "bc4", "bc1", "astc-4x4", "astc-5x4", "astc-5x5", "astc-6x5", "astc-6x6", "astc-8x5",
            "astc-8x6", "astc-10x5", "astc-10x6", "astc-8x8", "astc-10x8", "astc-10x10", "astc-12x10",
            "astc-12x12")  # fmt: skip
_TABLE = {"file": "FILE", "holds": "HOLDS", "format": "FORMAT", "color_space": "COLOUR", "size": "SIZE", "mips": "MIPS",
          "bytes": "BYTES", "note": "NOTE"}


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
              help="Folder for the textures; made if it is missing.")
@click.option("--to", type=click.Choice(_TARGETS), metavar="FORMAT", default="auto", show_default=True,
              help="Format of every texture: bc7, bc5, bc4, bc1, astc-4x4 to astc-12x12; or auto, what engines use: "
                   "BC7 for colours, BC5 for normals, BC4 for single channels.")
@click.option("--container", type=click.Choice(["dds", "ktx2"]),
              help="Kind of file.  [default: dds; ktx2 for ASTC]")
@click.option("--pack", type=click.Choice(["unreal", "unity", "gltf"]),
              help="The textures that an engine takes: unreal packs ao, roughness, metallic; unity metallic, with the "
                   "smoothness in the alpha; gltf occlusion, roughness, metallic. Normals are turned to suit it.")
@click.option("--only", metavar="ROLE", multiple=True,
              help="Write textures of this role alone, such as normal. May be repeated.")
@click.option("--map", "maps", metavar="ROLE=FILE[:CH][@LO..HI]", multiple=True,
              help="Say which file holds a map, as for compress; of a folder or image. May be repeated.")
@names_option
@click.option("--mip-filter", type=click.Choice(["box", "kaiser"]), help="How mips of maps are made.  [default: box]")
@click.option("--roughness-from-normals", is_flag=True, help="Make mips rougher where their normals lose detail.")
@click.option("--alpha-test", type=float, metavar="T",
              help="Opacity in mips keeps the coverage of full size at this threshold, above 0 and up to 1.")
@click.option("--max-texels", type=click.IntRange(min=1), default=MOST_TEXELS, show_default=True, metavar="N",
              help="Refuse a file that decodes to more texels, counted in every channel: a small file can stand for "
                   "many.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="Processes of encoders, and CPU threads.  [default: one per core]")
@force_option
@json_option
@debug_option
def transcode(
    source: Path, output: Path, to: str, container: str | None, pack: str | None, only: tuple[str, ...],
    maps: tuple[str, ...], names: Path | None, mip_filter: str | None, roughness_from_normals: bool,
    alpha_test: float | None, max_texels: int, threads: int | None, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """\b
    gstex transcode wall.gstex -o textures/                     BC7, BC5 and BC4 as DDS, with all mips
    gstex transcode wall/ -o textures/ --pack unreal            BaseColor, Normal, ORM
    gstex transcode wall.gstex -o t/ --to astc-6x6 --pack gltf  for phones, as KTX2

    Write the maps of INPUT, a .gstex file, a folder of maps or an image, as block-compressed textures, by slow and good
    encoders (pip install gstex[compare]).
    """
    import gstex
    from gstex import native
    from gstex import transcode as transcoding
    from gstex.cli.progress import ProgressReporter

    if threads is not None:
        native.set_thread_count(min(threads, native.cores()))
    if source.is_dir() and output.is_dir() and output.samefile(source):
        raise OutputError(f"{output}: is the folder of the maps; give another folder, or it would hold each map twice")
    container = container or ("ktx2" if to.startswith("astc") else "dds")
    opened = transcoding.open_source(
        source, overrides=maps, names=names, max_texels=max_texels, filter=mip_filter, alpha_test=alpha_test,
        roughness_from_normals=roughness_from_normals,
    )  # fmt: skip
    plans = transcoding.plan_textures(opened, to=to, pack=pack, only=only)
    with ProgressReporter() as progress:
        written = transcoding.transcode(
            opened, plans, output, container=container, processes=threads, force=force,
            progress=lambda done, all: progress(gstex.Progress("encode", done, all, None)),
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps({"input": str(source), "output": str(output), "container": container,
                               "files": [_row(file) for file in written]}, allow_nan=False))  # fmt: skip
        return
    rows: list[JsonObject] = [{**_row(file), "note": "; ".join(_notes(file))} for file in written]
    for row in rows:
        row |= {"holds": " ".join(row["roles"]), "size": f"{row['width']}x{row['height']}"}
    click.echo("\n".join(format_table(rows, _TABLE)))
    click.echo(f"{printable(output)}: {size(sum(file.bytes for file in written))}")


def _row(file: "Written") -> JsonObject:
    """A file as JSON types."""
    plan = file.plan
    return {
        "file": file.path.name, "roles": list(plan.roles), "format": file.format,
        "color_space": "srgb" if plan.srgb else "linear", "width": file.width, "height": file.height, "mips": file.mips,
        "bytes": file.bytes, "ranges": {role: asdict(of) for role, of in plan.ranges},
        "notes": list(plan.notes),
    }  # fmt: skip


def _notes(file: "Written") -> list[str]:
    ranges = []
    for role, of in file.plan.ranges:
        hi = of.bias + of.scale * (2**of.stops - 1 if of.stops else 1)
        curve = f", by bias + scale (2^({of.stops:.4g} v) - 1) with scale {of.scale:.4g}" if of.stops else ""
        ranges.append(f"{role}: 0..1 stands for {of.bias:.4g} .. {hi:.4g}{curve}")
    sizes = [] if file.format.startswith("ASTC") or not (file.width % 4 or file.height % 4) else [
        "size is no multiple of 4, which Direct3D 11 refuses"
    ]
    return [*file.plan.notes, *ranges, *sizes]
