"""`gstex gltf`: turn the materials of a glTF model into .gstex files in the model, and back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gstex.cli.options import (
    Arguments,
    check_one_size,
    debug_option,
    fit_options,
    force_option,
    json_option,
    seed_option,
)
from gstex.cli.output import check_output_file
from gstex.cli.sections import SectionedCommand
from gstex.cli.text import count, decibels, format_table, printable, size
from gstex.errors import GstexError, OutputError, UsageError
from gstex.json_types import JsonObject
from gstex.limits import MAX_SIZE, MOST_TEXELS

if TYPE_CHECKING:
    from gstex.gltf import Model, Packed
    from gstex.material import Material
    from gstex.texture import Texture

__all__ = ["gltf"]

# Options of a fit that the model decides itself, or that suit a single material only.
_NOT_HERE = ("wrap", "alpha_test", "importance", "weights", "groups", "match")
_FALLBACK = 128
_TABLE = {"name": "MATERIAL", "size": "SIZE", "holds": "HOLDS", "bytes": "BYTES", "psnr": "PSNR"}


@click.command(cls=SectionedCommand)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT.glb", type=click.Path(path_type=Path), required=True,
              help="File to write.")
@click.option("--decode", is_flag=True, help="Turn INPUT's compressed materials back into images.")
@fit_options
@click.option("--fallback", type=click.IntRange(1, MAX_SIZE), metavar="N",
              help="Size of the images for viewers that do not know the extension: texels along an axis, at most.  "
                   f"[default: {_FALLBACK}]")
@click.option("--no-fallback", is_flag=True, help="Leave out the images for other viewers, which then refuse the file.")
@seed_option
@click.option("--max-texels", type=click.IntRange(min=1), metavar="N",
              help="With --decode: refuse a file that decodes to more texels, counted in every channel.  "
                   f"[default: {MOST_TEXELS}]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="CPU threads to use, at most one per core.  [default: all cores]")
@force_option
@json_option
@debug_option
def gltf(
    source: Path, output: Path, decode: bool, fallback: int | None, no_fallback: bool, max_texels: int | None,
    threads: int | None, force: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """\b
    gstex gltf chair.glb -o chair.gstex.glb             every material as one .gstex file in the model
    gstex gltf chair.gltf -o c.glb --no-fallback        without images for other viewers
    gstex gltf chair.gstex.glb --decode -o plain.glb    ordinary images again

    Compress the textures of INPUT, a .glb or .gltf file, each material's together, by the extension GSTEX_texture
    (docs/gltf.md). Texture transforms, samplers and all else in the model stay as they are. What cannot be
    compressed is left alone, and a line says why.
    """
    if output.suffix.lower() != ".glb":
        raise UsageError(f"--output: got {str(output)!r}, expected a name that ends in .glb, such as "
                         f"{str(output.with_suffix('.glb'))!r}")  # fmt: skip
    if fallback is not None and no_fallback:
        raise UsageError("--fallback and --no-fallback contradict each other: give one of them")
    _check_direction(decode, max_texels)
    check_one_size(**{name: options[name] for name in ("bpp", "gaussians", "quality", "psnr")})
    from gstex import native
    from gstex.gltf import read_model

    if threads is not None:
        native.set_thread_count(min(threads, native.cores()))
    check_output_file(output, source)
    model = read_model(source)
    if not force:
        _check_replaced(output, source.name, decoded=decode)
    try:
        if decode:
            _decode(model, source, output, max_texels, as_json=as_json)
        else:
            _compress(model, source, output, None if no_fallback else fallback or _FALLBACK, options, as_json=as_json)
    except UsageError:
        raise
    except GstexError as error:
        raise type(error)(f"{source}: {error}") from None


gltf.params = [parameter for parameter in gltf.params if parameter.name not in _NOT_HERE]


def _check_direction(decode: bool, max_texels: int | None) -> None:
    """Refuse options of the other direction: compressing or decoding."""
    context = click.get_current_context()
    given = [p for p in context.command.params
             if p.name and context.get_parameter_source(p.name) == click.core.ParameterSource.COMMANDLINE]  # fmt: skip
    both = ("source", "output", "decode", "threads", "force", "as_json", "max_texels")
    wrong = [p.opts[0] for p in given if p.name not in both]
    if decode and wrong:
        raise UsageError(f"{wrong[0]}: is for compressing, and --decode decodes; drop one")
    if max_texels is not None and not decode:
        raise UsageError("--max-texels: goes with --decode; drop it")


def _compress(
    model: "Model", source: Path, output: Path, fallback: int | None, options: Arguments, *, as_json: bool
) -> None:  # fmt: skip
    import gstex
    from gstex.cli.progress import ProgressReporter
    from gstex.encode.compress import check_options
    from gstex.files import replace_file
    from gstex.gltf import pack_model
    from gstex.metrics import lost_maps

    check_options(**{name: options[name] for name in ("bpp", "gaussians", "quality", "psnr", "max_bpp", "loss", "seed",
                                                      "tail")})  # fmt: skip

    def compress(material: "Material", wrap: str, alpha_test: float | None, place: tuple[int, int]) -> "Texture":
        number, all = place
        name = printable(material.name)
        click.echo(f"gstex: material {number} of {all}, {name}: {material.width}x{material.height}, "
                   f"{count(len(material.channels), 'channel')}, wrap {wrap}", err=True)  # fmt: skip
        with ProgressReporter() as progress:
            return gstex.compress(material, wrap=wrap, alpha_test=alpha_test, progress=progress, notes=progress.note,
                                  **options)  # fmt: skip

    packed = pack_model(model, compress, name=source.name, fallback=fallback)
    replace_file(output, packed.data)
    before = source.stat().st_size + model.external_bytes
    if as_json:
        click.echo(json.dumps(_report(packed, source, output, before), allow_nan=False))
        return
    for line in (*(f"{what}: {why}; left alone" for what, why in packed.left), *packed.notes):
        click.echo(f"gstex: {printable(line)}", err=True)
    for file in packed.files:
        for line in lost_maps(file.report):
            click.echo(f"gstex: warning: {printable(file.name)}: {line}; give more --bpp", err=True)
    rows = [{"name": file.name, "size": f"{file.width}x{file.height}", "bytes": file.bytes,
             "holds": " ".join(slot.removesuffix("Texture") for _, slots in file.images for slot in slots),
             "psnr": decibels(file.report["psnr"])} for file in packed.files]  # fmt: skip
    click.echo("\n".join(format_table(rows, _TABLE)))
    files = sum(file.bytes for file in packed.files)
    click.echo(f"{printable(output)}: {size(len(packed.data))}, and {printable(source)} has {size(before)}")
    click.echo(f"  materials   {size(files)} for what {size(packed.image_bytes)} of images were")
    if fallback is None:
        click.echo("  fallback    none: viewers that do not know GSTEX_texture refuse the file")
    else:
        click.echo(f"  fallback    {count(packed.fallback_images, 'image')} of at most {fallback}x{fallback} for other "
                   f"viewers, {size(packed.fallback_bytes)}")  # fmt: skip


def _report(packed: "Packed", source: Path, output: Path, before: int) -> JsonObject:
    return {
        "input": str(source), "output": str(output), "bytes_before": before, "bytes": len(packed.data),
        "image_bytes_before": packed.image_bytes, "gstex_bytes": sum(file.bytes for file in packed.files),
        "fallback_bytes": packed.fallback_bytes, "fallback_images": packed.fallback_images,
        "files": [{"name": file.name, "bytes": file.bytes, "width": file.width, "height": file.height,
                   "images": [{"image": image, "slots": list(slots)} for image, slots in file.images],
                   "report": file.report} for file in packed.files],
        "left_alone": [{"what": what, "why": why} for what, why in packed.left], "notes": packed.notes,
    }  # fmt: skip


def _decode(model: "Model", source: Path, output: Path, max_texels: int | None, *, as_json: bool) -> None:
    from gstex.files import replace_file
    from gstex.gltf import unpack_model

    unpacked = unpack_model(model, name=source.name, max_texels=max_texels)
    replace_file(output, unpacked.data)
    if as_json:
        names = ("image", "width", "height", "mime_type", "bytes")
        rows = [dict(zip(names, row, strict=True)) for row in unpacked.images]
        click.echo(json.dumps({"input": str(source), "output": str(output), "bytes": len(unpacked.data),
                               "images": rows}))  # fmt: skip
        return
    for index, width, height, kind, byte_count in unpacked.images:
        click.echo(f"images[{index}]: {width}x{height}, {kind}, {size(byte_count)}")
    click.echo(f"{printable(output)}: {size(len(unpacked.data))}")


def _check_replaced(output: Path, name: str, *, decoded: bool) -> None:
    """Refuse to replace a file unless this command made it from a model of the same name, in the same direction."""
    from gstex.errors import ModelError
    from gstex.gltf import NAME, read_model
    from gstex.gltf.unpack import MODEL

    if not output.exists():
        return
    try:
        document = read_model(output).document
    except ModelError:
        document = {"asset": {}}
    holder = document["asset"].get("extras") if decoded else document.get("extensions", {}).get(NAME)
    if not isinstance(holder, dict) or holder.get(MODEL if decoded else "model") != name:
        raise OutputError(f"{output}: already exists and was not made from {name!r} by this command; give "
                          "another name, or --force to replace it")  # fmt: skip
