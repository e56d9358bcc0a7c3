"""All commands and their keys. The window reads them, `?` lists them, and docs/viewer.md shows them."""

from collections.abc import Callable
from dataclasses import dataclass

from gstex.view import actions
from gstex.view.state import ERRORS, HIDDEN, SAMPLINGS, TONES
from gstex.view.viewer import Viewer

__all__ = ["COMMANDS", "MOUSE", "Command", "listed"]


@dataclass(frozen=True)
class Command:
    """keys: as written for people, such as 'Ctrl+Left'; each of them runs the command. repeat: whether it repeats while
    the key is held. release: what runs when the key is released."""

    keys: tuple[str, ...]
    group: str
    text: str
    run: Callable[[Viewer], None]
    repeat: bool = False
    release: Callable[[Viewer], None] | None = None


COMMANDS = (
    Command(("M",), "View", "the map", actions.set_view("map")),
    Command(("D",), "View", "differences to what the file was made from", actions.set_view("diff")),
    Command(("S",), "View", "split: the file left, what it is compared with right; in the lit view too", actions.split),
    Command(("L",), "View", "lit: the material under light", actions.set_view("lit")),
    Command(("G",), "View", "Gaussians as ellipses", actions.set_view("gaussians")),
    Command(("C",), "View", "cells of the pyramid", actions.set_view("cells")),
    Command(("H",), "View", "heat map: Gaussians looked at for each texel", actions.set_view("heat")),
    *(Command((str(n + 1),), "Map", "map by its place", actions.set_map(n)) for n in range(9)),
    Command((".",), "Map", "next map", actions.step_map(1), True),
    Command((",",), "Map", "map before", actions.step_map(-1), True),
    Command(("X",), "Map", "next channel of the map, then all", actions.next_channel),
    Command(("Shift+X",), "Map", "a grey map from its least to its largest value", actions.toggle("stretch")),
    Command(("U",), "Map", "colour under zero opacity: hatched, all through its opacity, as it is",
            actions.next_of("hidden", HIDDEN)),
    Command(("Ctrl+E",), "Map", "write the map, decoded, to an image file", actions.dialog("export")),
    Command(("Left", "Up"), "Folder", "material before", actions.step_file(-1), True),
    Command(("Right", "Down"), "Folder", "next material", actions.step_file(1), True),
    Command(("F", "Ctrl+0"), "Place", "fit", actions.fit),
    Command(("Z", "Ctrl+1"), "Place", "100 %: a pixel per texel", actions.zoom_to(1.0)),
    Command(("Ctrl+2",), "Place", "200 %", actions.zoom_to(2.0)),
    Command(("Ctrl+4",), "Place", "400 %", actions.zoom_to(4.0)),
    Command(("Ctrl+8",), "Place", "800 %", actions.zoom_to(8.0)),
    Command(("=", "Keypad+"), "Place", "nearer (wheel: to the pointer)", actions.zoom(2**0.5), True),
    Command(("-", "Keypad-"), "Place", "farther", actions.zoom(0.5**0.5), True),
    Command(("Alt+Left",), "Place", "move; in the lit view turn", actions.move(-1, 0), True),
    Command(("Alt+Right",), "Place", "move; in the lit view turn", actions.move(1, 0), True),
    Command(("Alt+Up",), "Place", "move; in the lit view turn", actions.move(0, -1), True),
    Command(("Alt+Down",), "Place", "move; in the lit view turn", actions.move(0, 1), True),
    Command(("T",), "Place", "tile: go on beyond the border; in the lit view more copies", actions.tile),
    Command(("Y",), "Place", "lines between texels", actions.grid),
    Command(("I",), "Sampling", "next way: texels, direct, bilinear, anisotropic",
            actions.next_of("sampling", SAMPLINGS)),
    Command(("A",), "Sampling", "level of detail by the zoom", actions.auto_lod),
    Command(("PageDown",), "Sampling", "coarser level of detail", actions.step_lod(0.25), True),
    Command(("PageUp",), "Sampling", "finer level of detail", actions.step_lod(-0.25), True),
    Command(("Q",), "Compare", "while it is held: the reference alone", actions.hold("reference"),
            release=actions.let_go),
    Command(("N",), "Compare", "flicker between the file and what it is compared with", actions.flicker),
    Command(("O",), "Compare", "next to compare with: reference, BC1, BC7, ASTC, mixes, second file",
            actions.next_other(1)),
    Command(("Shift+O",), "Compare", "the one before", actions.next_other(-1)),
    Command(("[",), "Compare", "line of the split to the left", actions.move_split(-0.02), True),
    Command(("]",), "Compare", "line of the split to the right", actions.move_split(0.02), True),
    Command(("E",), "Compare", "differences twice as strong", actions.gain(2.0), True),
    Command(("Shift+E",), "Compare", "half as strong", actions.gain(0.5), True),
    Command(("Shift+A",), "Compare", "as strong as suits their size", actions.auto_gain),
    Command(("Shift+D",), "Compare", "differences by size, or by channel", actions.next_of("error", ERRORS)),
    Command(("V",), "Gaussians", "next level alone, then all", actions.next_level),
    Command((";",), "Gaussians", "smaller ellipses", actions.ellipse_size(0.5**0.5), True),
    Command(("'",), "Gaussians", "larger ellipses", actions.ellipse_size(2**0.5), True),
    Command(("K",), "Inspect", "pin the texel under the pointer, or in the middle; again: let go", actions.pin),
    Command(("Ctrl+Left",), "Inspect", "move the pinned texel", actions.move_pin(-1, 0), True),
    Command(("Ctrl+Right",), "Inspect", "move the pinned texel", actions.move_pin(1, 0), True),
    Command(("Ctrl+Up",), "Inspect", "move the pinned texel", actions.move_pin(0, -1), True),
    Command(("Ctrl+Down",), "Inspect", "move the pinned texel", actions.move_pin(0, 1), True),
    Command(("Ctrl+C",), "Inspect", "copy the values of the texel", actions.copy_texel),
    Command(("B",), "Light", "next shape: sphere, cube, rounded cube, plane, your mesh", actions.next_shape),
    Command(("Shift+B",), "Light", "displacement by height: more", actions.displace(0.02), True),
    Command(("Ctrl+B",), "Light", "less", actions.displace(-0.02), True),
    Command(("Shift+Left",), "Light", "move the light", actions.move_light(-1, 0), True),
    Command(("Shift+Right",), "Light", "move the light", actions.move_light(1, 0), True),
    Command(("Shift+Up",), "Light", "move the light", actions.move_light(0, -1), True),
    Command(("Shift+Down",), "Light", "move the light", actions.move_light(0, 1), True),
    Command(("J",), "Light", "stronger light", actions.strength(1.25), True),
    Command(("Shift+J",), "Light", "weaker light", actions.strength(0.8), True),
    Command(("<",), "Light", "darker picture, by a third of a stop", actions.exposure(-1 / 3), True),
    Command((">",), "Light", "lighter picture", actions.exposure(1 / 3), True),
    Command(("Shift+T",), "Light", "next tone: neutral, filmic, clip", actions.next_of_lit("tone", TONES)),
    Command(("Shift+L",), "Light", "next surroundings: sky, even light, the panorama", actions.next_surroundings),
    Command(("P", "Tab"), "Window", "panel", actions.flag("panel")),
    Command(("?", "F1"), "Window", "these keys", actions.flag("help")),
    Command(("R", "F5"), "Window", "read the file again", lambda viewer: viewer.session.reload()),
    Command(("W", "F12"), "Window", "write the picture to a file in the current folder", actions.picture),
    Command(("Ctrl+O",), "Window", "open a file, a folder of maps, a reference, a second file, a panorama or a mesh",
            actions.dialog("open")),
    Command(("Ctrl+S",), "Window", "save the file", actions.dialog("save")),
    Command(("Esc",), "Window", "close what is on top", actions.escape),
    Command(("Ctrl+Q",), "Window", "end", actions.close),
)

MOUSE = (
    ("Wheel", "nearer and farther"),
    ("Zoom at the bottom", "click: fit, 100, 200, 400, 800 %"),
    ("Left button", "drag: move, in the lit view turn; on the line of a split: move it; click: inspect a texel"),
    ("Right button", "drag in the lit view: move the light"),
    ("Drop", "a .gstex file, a folder of maps to compress, a panorama (.hdr, .exr) for the light, or a mesh (.glb, "
             ".gltf)"),
)


def listed() -> dict[str, list[tuple[str, str]]]:
    """The lists of `?` and the manual: by group, (keys, text). Commands with the same text share a line."""
    groups: dict[str, dict[str, list[str]]] = {}
    for command in COMMANDS:
        groups.setdefault(command.group, {}).setdefault(command.text, []).extend(command.keys)
    rows = {group: [(_joined(keys), text) for text, keys in by_text.items()] for group, by_text in groups.items()}
    return rows | {"Mouse": list(MOUSE)}


def _joined(keys: list[str]) -> str:
    """'1' .. '9' -> '1 .. 9'; the four arrows with one modifier -> 'Ctrl+arrows'."""
    if len(keys) == 9:
        return f"{keys[0]} .. {keys[-1]}"
    arrows = ("Left", "Right", "Up", "Down")
    if len(keys) == 4 and all(key.endswith(arrow) for key, arrow in zip(keys, arrows, strict=True)):
        return f"{keys[0].removesuffix('Left')}arrows".capitalize()
    return ", ".join(keys)
