"""`gstex view`: a file in a window, or one picture of it."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gstex.cli.options import Arguments, debug_option, json_option
from gstex.cli.output import check_output_file
from gstex.errors import UsageError
from gstex.view.state import (
    CUBE_ORBIT,
    ERRORS,
    HIDDEN,
    MODELS,
    OTHERS,
    OWN_MESH,
    SAMPLINGS,
    SHAPES,
    TONES,
    VIEWS,
    Lit,
    ViewState,
)

if TYPE_CHECKING:
    from gstex.view.document import Document

__all__ = ["view"]

_MOST_PIXELS = 16384


def _parse_size(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text, re.IGNORECASE)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= n <= _MOST_PIXELS for n in size):
        raise click.BadParameter(f"got {text!r}, expected WIDTHxHEIGHT of 1..{_MOST_PIXELS} each, such as 1024x768")
    return size


def _parse_shape(context: click.Context, parameter: click.Parameter, text: str) -> str | Path:
    if text in SHAPES:
        return text
    if Path(text).suffix.lower() in MODELS:
        return Path(text)
    raise click.BadParameter(f"got {text!r}, expected one of {', '.join(SHAPES)}, or a model as .glb or .gltf")


def _parse_pair(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or not all(abs(n) < 1e6 for n in numbers):
        raise click.BadParameter(f"got {text!r}, expected two numbers such as 0.5,0.25")
    return numbers[0], numbers[1]


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.argument("second", metavar="[SECOND]", required=False, type=click.Path(path_type=Path))
@click.option("--reference", metavar="FOLDER", type=click.Path(path_type=Path),
              help="What the file was made from.  [default: found beside the file or in the current folder]")
@click.option("--screenshot", metavar="OUT.png", type=click.Path(path_type=Path),
              help="Draw one picture without a window, and exit.")
@click.option("--view", "shown", type=click.Choice(VIEWS), default="map", show_default=True, help="What to show.")
@click.option("--size", metavar="WxH", callback=_parse_size, default="1280x800", show_default=True,
              help="Size of the picture or window, in pixels.")
@click.option("--map", "map_name", metavar="MAP", help="Map to show, by its name, its file or its number from 0.")
@click.option("--channel", type=click.IntRange(0, 15), metavar="N", help="One channel of the map alone, from 0.")
@click.option("--lod", type=click.FloatRange(0, 15), metavar="L", help="Level of detail.  [default: by the zoom]")
@click.option("--zoom", type=click.FloatRange(1 / 64, 1024), metavar="Z", help="Pixels per texel.  [default: the "
                                                                               "whole map fits]")
@click.option("--center", metavar="U,V", callback=_parse_pair, help="Place that is shown in the middle.  [default: "
                                                                    "0.5,0.5]")
@click.option("--sampling", type=click.Choice(SAMPLINGS), help="How to sample between texels.  [default: as the file "
                                                               "was fitted for]")
@click.option("--other", type=click.Choice(OTHERS),
              help="What split and diff compare with; a mix has the bytes of FILE.  [default: SECOND, else reference]")
@click.option("--split", type=click.FloatRange(0, 1), metavar="X", default=0.5, show_default=True,
              help="Where the line of the split stands, 0 left to 1 right.")
@click.option("--gain", type=click.FloatRange(0, 1000, min_open=True), metavar="FACTOR",
              help="Factor of the differences that are shown.  [default: by their size]")
@click.option("--error", type=click.Choice(ERRORS), default="heat", show_default=True,
              help="Differences by size, for normals by angle, or by channel.")
@click.option("--hidden", type=click.Choice(HIDDEN), default="hatched", show_default=True,
              help="Colour under zero opacity: hatched, all colour through its opacity, or as it is.")
@click.option("--stretch", is_flag=True, help="A grey map from black at its least value to white at its largest.")
@click.option("--level", type=click.IntRange(0, 15), metavar="N", help="One grid level of Gaussians or cells alone.")
@click.option("--pin", metavar="X,Y", callback=_parse_pair, help="Texel to inspect.")
@click.option("--tile", is_flag=True, help="Show the texture beyond its border too.")
@click.option("--shape", metavar="|".join([*SHAPES, "MODEL"]), callback=_parse_shape, default="sphere",
              show_default=True, help="Shape in the lit view; MODEL is a .glb or .gltf file with texture coordinates.")
@click.option("--displace", type=click.FloatRange(-1, 1), metavar="AMOUNT", default=0.0, show_default=True,
              help="Move the surface by the height: how far its least and largest values are apart, in radii of the "
                   "sphere.")
@click.option("--orbit", metavar="YAW,PITCH", callback=_parse_pair, help="Direction of the eye in the lit view, in "
                                                                         "degrees.")
@click.option("--light", metavar="YAW,PITCH", callback=_parse_pair, help="Direction of the light, in degrees.")
@click.option("--tiling", type=click.FloatRange(1, 16), metavar="N", help="Copies of the material on the shape.")
@click.option("--surroundings", metavar="sky|even|FILE", default="sky", show_default=True,
              help="What lights the lit view: a sky, an even light, or a panorama as .hdr or .exr.")
@click.option("--exposure", type=click.FloatRange(-10, 10), metavar="STOPS", default=0.0, show_default=True,
              help="Exposure of the lit view.")
@click.option("--tone", type=click.Choice(TONES), default="neutral", show_default=True,
              help="How light becomes colours of the screen: neutral keeps hues, filmic rolls off, clip cuts.")
@json_option
@debug_option
def view(file: Path | None, second: Path | None, reference: Path | None, screenshot: Path | None,
         size: tuple[int, int], as_json: bool, **options: Any) -> None:  # fmt: skip
    """\b
    gstex view wall.gstex --reference wall/                      a window; ? lists its keys
    gstex view wall.gstex small.gstex                            two files of the same maps, side by side
    gstex view wall.gstex --screenshot wall.png --view lit       one picture, no window, no display

    Show FILE as its shader decodes it. Files and folders of maps can be dropped on the window.
    """
    if options["other"] is None:
        options["other"] = "second" if second else "reference"
    elif options["other"] == "second" and second is None:
        raise UsageError("--other second: needs a SECOND file; give its path after FILE")
    if screenshot is not None:
        if file is None:
            raise UsageError("--screenshot: needs a FILE; give the .gstex file to draw")
        _take_screenshot(file, second, reference, screenshot, size, as_json, options)
        return
    if as_json:
        raise UsageError("--json: goes with --screenshot OUT.png; add that, or drop --json")
    from gstex.view.window import run

    chosen = click.get_current_context().get_parameter_source("shown") == ParameterSource.COMMANDLINE
    if not chosen and (second is not None or (reference is not None and _model(options) is None)):
        options["shown"] = "split"
    elif not chosen and _model(options) is not None:
        options["shown"] = "lit"
    run(file, reference, size, lambda document: _state(document, options), second,
        _panorama(options), _model(options))  # fmt: skip


def _take_screenshot(
    file: Path, second: Path | None, reference: Path | None, output: Path, size: tuple[int, int], as_json: bool,
    options: Arguments,
) -> None:  # fmt: skip
    from gstex.material.images import write_picture
    from gstex.view.document import open_document

    check_output_file(output, file)
    document = open_document(file)
    state = _state(document, options)
    if state.lit.displace and document.height is None:
        raise UsageError(f"--displace: {file.name} has no height map; leave the option out")
    from gstex.view.screenshot import describe, load_mesh, load_stacks, load_surroundings, render

    stacks = {}
    if any(state.compares()):
        source = reference or document.source_folder()
        if source is None and (state.compares()[0] or state.beside() != "second"):
            raise UsageError(f"--view {state.view}: needs what the file was made from: give --reference FOLDER")
        stacks = load_stacks(document, state, source, second)
    around = load_surroundings(state, _panorama(options))
    model = _model(options)
    mesh = None if model is None or state.flat else load_mesh(model)
    write_picture(output, render(document, state, size, stacks, around, mesh))
    if as_json:
        click.echo(json.dumps({"output": str(output), **describe(document, state, size, stacks)}, allow_nan=False))


def _panorama(options: Arguments) -> Path | None:
    given = options["surroundings"]
    return None if given in ("sky", "even") else Path(given)


def _model(options: Arguments) -> Path | None:
    return options["shape"] if isinstance(options["shape"], Path) else None


def _state(document: "Document", options: Arguments) -> ViewState:
    """The state that the options ask for."""
    from gstex.view.maps import find_map

    texture = document.texture
    has_model = _model(options) is not None  # the model has its own texture coordinates, so it is not tiled
    lit = Lit(shape=OWN_MESH if has_model else options["shape"],
              tiling=2.0 if texture.wrap == "repeat" and not has_model else 1.0)  # fmt: skip
    lit.displace = options["displace"]
    lit.surroundings = options["surroundings"] if _panorama(options) is None else "file"
    lit.exposure, lit.tone = options["exposure"], options["tone"]
    if lit.surroundings == "file":
        lit.strength = 0.0  # the panorama has its own lamps
    if "cube" in lit.shape:
        lit.yaw, lit.pitch = CUBE_ORBIT
    for name, keys in (("orbit", ("yaw", "pitch")), ("light", ("light_yaw", "light_pitch"))):
        if options[name] is not None:
            setattr(lit, keys[0], options[name][0])
            setattr(lit, keys[1], min(max(options[name][1], -89.0), 89.0))
    if options["tiling"] is not None:
        lit.tiling = options["tiling"]
    pin = options["pin"]
    return ViewState(
        view=options["shown"], map=0 if options["map_name"] is None else find_map(document.maps, options["map_name"]),
        channel=options["channel"], lod=options["lod"], zoom=options["zoom"], center=options["center"] or (0.5, 0.5),
        sampling=options["sampling"] or texture.sampling, other=options["other"], split=options["split"],
        gain=options["gain"], error=options["error"], hidden=options["hidden"], stretch=options["stretch"],
        level=options["level"], tiled=options["tile"],
        pinned=None if pin is None else (int(pin[0]), int(pin[1])), lit=lit,
    )  # fmt: skip
