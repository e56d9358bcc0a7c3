"""A folder of maps or one image file -> Material."""

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gstex.arrays import F32Array
from gstex.errors import AmbiguousError, GstexError, MaterialError, UsageError
from gstex.format.ranges import ValueRange
from gstex.material.discover import Choice, Override, Reading, parse_override, quote, read_alone, read_names, resolve
from gstex.material.images import EXTENSIONS, FORMAT_NAMES, ImageFile, read_info, read_pixels, to_unit
from gstex.material.material import Material
from gstex.material.meaning import range_of
from gstex.material.normals import looks_like_normals
from gstex.material.own_mips import OwnMip, find_own_mips
from gstex.material.planes import LETTERS, ReadMap, is_grey, note_alpha, plan_alpha, read_map, unused_channels
from gstex.material.resample import guess_wrap
from gstex.material.roles import ROLES
from gstex.material.stack import build_material, check_channel_count, read_own_mips
from gstex.material.udim import tiles_of
from gstex.material.vocabulary import NAMES_FILE, USUAL, Vocabulary, load_vocabulary

__all__ = ["find_tiles", "list_images", "load_material", "material_name"]

_MOST_TRIES = 8  # overrides that one folder may need before it is read


def load_material(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    names: str | Path | None = None,
    tile: int | None = None,
    only: Sequence[str] | None = None,
    name: str | None = None,
) -> Material:
    """Load a folder of maps, or one image, as a stack of channels.

    Args:
        path: a folder whose images are one material's maps, or an image file. A single image is an albedo,
            with an opacity if its alpha varies, unless its name calls it a map and its pixels can be one. A
            folder may give smaller levels of its maps as `name.mip1.png` or `mip1/name.png` beside `name.png`; they
            become `Material.own_mips`.
        overrides: `role=file[:channels][@lo..hi]` as in "roughness=pack.png:g"; `ignore=file` drops a file.
        names: a file of further words and packings, see `vocabulary.py`; None for `gstex.toml` in the folder, if it is
            there.
        tile: number of a tile of a UDIM set, see `find_tiles`.
        only: names of the images of a folder that count, see `sets.find_sets`; of other files only
            smaller levels of these are read.
        name: of the material; None for that of the folder or image.
    Returns:
        The material; channels in the order of `roles.ROLES`, maps resampled to the size of the largest.
    Raises:
        MaterialError: missing, empty or unreadable input, a broken image, a size out of range, more than 16
            channels, a smaller level that does not fit its map.
        AmbiguousError: several candidates for a role; the message shows the override to type.
        UsageError: an override that cannot be understood, or a tile that is not there.
    """
    path = Path(path)
    how: dict[str, Any] = {"names": names, "tile": tile, "only": only}
    try:
        material = _load(path, overrides, **how)
        return replace(material, name=name) if name else material
    except AmbiguousError as error:
        line = _working_line(path, overrides, error, how)
        raise AmbiguousError(f"{error}; {line}" if line else str(error), maps=error.maps) from None


def _working_line(path: Path, overrides: Sequence[str], error: AmbiguousError, how: dict[str, Any]) -> str:
    """A command that reads an ambiguous folder, tried before it is shown; "" if none is found."""
    maps = list(overrides)
    for _ in range(_MOST_TRIES):
        if not error.maps:
            return ""
        roles = {text.partition("=")[0] for text in error.maps} - {"ignore", "mask"}
        maps = [text for text in maps if text.partition("=")[0] not in roles] + list(error.maps)
        try:
            _load(path, maps, **how)
        except AmbiguousError as other:
            error = other
        except GstexError:
            return ""
        else:
            if how["only"] is not None:  # only a manifest can ask for such a part of a folder
                return f'for instance, in a manifest: "maps": {json.dumps(maps)}'
            names = f" --names {quote(str(how['names']))}" if how["names"] else ""
            options = " ".join(f"--map {quote(m)}" for m in maps)
            return f"for instance: gstex compress {quote(str(path))}{names} {options}"
    return ""


def find_tiles(path: str | Path) -> list[int]:
    """The tiles of the UDIM set that a folder holds, in order; none if it holds no set."""
    path = Path(path)
    return list(tiles_of(list_images(path)[1])) if path.is_dir() else []


def _one_tile(
    path: Path, names: list[str], parsed: list[Override], tile: int | None, ignored: list[tuple[str, str]]
) -> tuple[list[str], list[Override]]:
    """The files and overrides of a tile of a UDIM set; all of them if there is no set."""
    tiles = tiles_of(names)
    if tile is None and tiles:
        shown = " ".join(map(str, list(tiles)[:4])) + (" .." if len(tiles) > 4 else "")
        raise MaterialError(f"{path}: a UDIM set of {len(tiles)} tiles ({shown}), each a material of its own; gstex "
                            f"compress {quote(str(path))} makes one file a tile, and load_material(.., "
                            f"tile={next(iter(tiles))}) reads one")  # fmt: skip
    if tile is None:
        return names, parsed
    if tile not in tiles:
        tile_numbers = " ".join(map(str, tiles)) or "no UDIM set"
        raise UsageError(f"tile: got {tile}, expected one that is there ({tile_numbers})")
    apart = [n for n in names if not any(n in files for files in tiles.values())]
    ignored += [(n, "no tile of the UDIM set in its name") for n in apart]
    return tiles[tile], [o for o in parsed if o.file in tiles[tile]]


def _load(
    path: Path, overrides: Sequence[str], *, names: str | Path | None, tile: int | None, only: Sequence[str] | None
) -> Material:
    folder, images, own_mips, ignored = list_images(path)
    single = not path.is_dir()
    if only is not None and not single:
        gone = sorted(set(only) - set(images))
        if gone:
            raise MaterialError(f"{path / gone[0]}: does not exist; put it back, or make the plan again")
        images, ignored = [n for n in images if n in only], []
        own_mips = [own_mip for own_mip in own_mips if own_mip.map in only]
    vocabulary = USUAL
    if names is not None:
        vocabulary = load_vocabulary(Path(names))
    elif not single and (folder / NAMES_FILE).is_file():
        vocabulary = load_vocabulary(folder / NAMES_FILE)
        ignored = [row for row in ignored if row[0] != NAMES_FILE]
    parsed = [parse_override(text, images) for text in overrides]
    if not single:
        images, parsed = _one_tile(path, images, parsed, tile, ignored)
    dropped = {o.file for o in parsed if o.role == "ignore" and o.channels is None}
    infos = {n: read_info(folder / n) for n in images if n not in dropped}
    if single:
        readings = {n: _read_single(path, infos.get(n), vocabulary) for n in images}
    else:
        readings = read_names(images, vocabulary)
    counts = {n: infos[n].channels if n in infos else 0 for n in images}
    choices, left_out = resolve(readings, counts, parsed, lambda name: _holds_normals(folder / name, infos.get(name)))
    ignored = left_out + ignored
    if not choices:
        raise MaterialError(f"{path}: no map is left; name one with --map role=file")

    order = list(ROLES)
    files = sorted(choices, key=lambda n: (min(order.index(r) for r in choices[n].roles()), n))
    maps: list[ReadMap] = []
    for name in files:
        item = read_map(folder / name, infos[name], choices[name])
        taken = {p.role for m in maps for p in m.planes}.union(*(c.roles() for c in choices.values()))
        plan_alpha(item, taken)
        note_alpha(item, ignored)
        maps.append(item)
        ignored += [(f"{name}:{part}", reason) for part, reason in item.info.stated.unused]
        unused = "".join(LETTERS[c] for c in unused_channels(item))
        if unused:
            ignored.append((f"{name}:{unused}", "not used; written back as its median"))
    check_channel_count(maps)
    read_own_mips(folder, maps, own_mips, ignored)
    wrap = "clamp" if single else guess_wrap(_by_role(maps))
    name = material_name(path) if tile is None else f"{material_name(path)}.{tile}"
    return build_material(name, maps, wrap, ignored)


def _by_role(maps: list[ReadMap]) -> list[list[F32Array]]:
    """The channels of each role, [h, w] float32 in 0..1."""
    channels: dict[str, list[F32Array]] = {}
    for item in maps:
        for plane in item.planes:
            channels.setdefault(plane.role, []).append(item.unit(plane.file_channel))
    return list(channels.values())


def _holds_normals(path: Path, info: ImageFile | None) -> bool:
    """Whether the pixels of an image are normals."""
    return (info is not None and info.colors == 3 and not info.is_float
            and looks_like_normals(to_unit(read_pixels(path, info), None)))  # fmt: skip


def _read_single(path: Path, info: ImageFile | None, vocabulary: Vocabulary) -> Reading:
    """The role of an image by itself: that of its name if the pixels can be that, else albedo.

    A name alone says little: any picture may be called "new normal" or "arm".
    """
    picture = Reading(role="albedo")
    named = read_alone(path.name, vocabulary)
    if named is None or info is None:
        return picture
    pixels = read_pixels(path, info)
    if named.role == "normal":
        values = ValueRange() if info.is_float else None
        if info.is_float:
            with contextlib.suppress(MaterialError):
                values = range_of(pixels[:, :, : info.colors], "normal")
        unit = to_unit(pixels, values)
        return named if info.colors == 2 or (info.colors == 3 and looks_like_normals(unit)) else picture
    if named.packed is not None:
        return named if info.colors == 3 else picture
    item = ReadMap(info, Choice(), pixels, [], {})
    return named if info.colors == 1 or (info.colors == 3 and is_grey(item, exact=False)) else picture


def list_images(path: Path) -> tuple[Path, list[str], list[OwnMip], list[tuple[str, str]]]:
    """The folder, the names of its maps in sorted order, their smaller levels, and (name, reason) of other files.

    Raises:
        MaterialError: there is no image, or the folder cannot be read.
    """
    try:
        if not path.exists():
            raise MaterialError(f"{path}: no such file or folder; give a folder of maps or an image")
        if not path.is_dir():
            return path.parent, [path.name], [], []
        entries = sorted(path.iterdir())
        files = [e for e in entries if e.is_file() and not e.name.startswith(".")]
    except OSError as error:
        raise MaterialError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    names = [e.name for e in files if e.suffix.lower() in EXTENSIONS]
    ignored = [(e.name, f"not a {FORMAT_NAMES} image") for e in files if e.name not in names]
    if not names:
        raise MaterialError(f"{path}: no {FORMAT_NAMES} image in this folder; {_folder_hint(entries)}")
    odd = [n for n in names if not n.isprintable()]
    if odd:
        raise MaterialError(f"{path}: the file name {odd[0]!r} holds unprintable characters; rename it")
    maps, own_mips, left_out = find_own_mips(path, names, entries)
    if not maps:
        raise MaterialError(f"{path}: only smaller levels such as {names[0]}; put level 0 of the maps beside them")
    return path, maps, own_mips, left_out + ignored


def _folder_hint(entries: Sequence[Path]) -> str:
    for entry in entries:
        with contextlib.suppress(OSError):
            if entry.is_dir() and any(f.suffix.lower() in EXTENSIONS for f in entry.iterdir()):
                return f"its folder {entry.name!r} has some: give that one"
    return "put the maps of one material into it"


def material_name(path: Path) -> str:
    """The name of a material that is given none: that of its folder or image."""
    path = path.resolve()
    name = path.name if path.is_dir() else path.stem
    return re.sub(r"\s+", " ", name).strip() or "material"
