"""Make a plan from folders: the materials, the output of each, and the files that are left out.

This reads the names and headers of images, but no pixels.
"""

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gstex.batch.options import Options
from gstex.errors import GstexError, MaterialError, UsageError
from gstex.format.metadata import EXTENSIONS
from gstex.material.load import material_name
from gstex.material.sets import MapSet, find_sets, read_set

__all__ = ["Item", "Plan", "inputs_of", "plan"]

_MIPS = re.compile(r"mip\d+", re.IGNORECASE)  # folders of smaller mips, part of the folder above
_SHOWN = 3  # how many names a message about many files shows


@dataclass(frozen=True)
class Item:
    """One material of a plan.

    output: path below the folder of the outputs, with '/'. source: folder or image, absolute. files: names of the
    images of the folder that count. name: of the material. maps: overrides as of `gstex.compress`. names: a file of
    further words. roles: what each file is for, for people. texels: of the largest map. channels: of all maps.
    problem: why it cannot be compressed, as far as names tell; "" if nothing is known.
    """

    output: str
    source: Path
    files: tuple[str, ...]
    name: str
    maps: tuple[str, ...] = ()
    names: Path | None = None
    options: Options = field(default_factory=Options)
    roles: Mapping[str, str] = field(default_factory=dict)
    texels: int = 0
    channels: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """What a batch is going to do.

    out: folder of the outputs. items: in the order of their outputs. left_out: (path, reason) of each file that is part
    of no material.
    """

    out: Path
    items: tuple[Item, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def plan(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    options: Options | None = None,
    names: str | Path | None = None,
) -> Plan:
    """Find the materials of folders.

    Every folder that holds images is a material, or several: see `gstex.material.sets.find_sets`. Folders whose name
    begins with a dot, and `out` itself, are not looked into.

    Args:
        inputs: folders, images, patterns such as "textures/*/wood", or "@list" for a file with one of them a line. The
            tree below a single folder is kept below `out`; with several inputs, the tree below what their paths have in
            common.
        out: folder of the outputs. It need not be there.
        options: of every material.
        names: a file of further words and packings; None for `gstex.toml` in each folder.
    Raises:
        UsageError: an input cannot be understood. MaterialError: an input is not there, or there is no material.
    """
    out = _absolute(out)
    options = (options or Options()).checked()
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    paths = inputs_of(given)
    finder = _Finder(out, options, None if names is None else _absolute(names))
    roots = [path if path.is_dir() else path.parent for path in paths]
    top = roots[0] if len(paths) == 1 else Path(os.path.commonpath(roots))
    for path in paths:
        if path.is_dir():
            finder.walk(path, top)
        else:
            finder.add_image(path, top)
    items = _without_clashes(sorted(finder.items, key=lambda item: item.output))
    if not items:
        raise MaterialError(f"{_some([str(p) for p in given])}: no material was found; give folders that hold maps")
    return Plan(out, tuple(items), tuple(finder.left_out))


def inputs_of(given: Sequence[str | Path]) -> list[Path]:
    """Absolute paths of what was given: lists and patterns are replaced by what they stand for.

    Raises:
        UsageError: a list cannot be read, or a pattern fits nothing. MaterialError: there is no such path.
    """
    paths: dict[Path, None] = {}
    for text in map(str, given):
        if text.startswith("@") and not os.path.lexists(text):
            try:
                lines = Path(text[1:]).read_text("utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
                raise UsageError(f"{text}: the list cannot be read ({reason}); "
                                 "give @FILE, a file with one path a line") from None
            paths |= dict.fromkeys(inputs_of([line.strip() for line in lines if line.strip()]))
        elif os.path.lexists(text):
            paths[_absolute(text)] = None
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))
            if not matches:
                raise UsageError(f"{text}: no path matches the pattern; correct it")
            paths |= dict.fromkeys(_absolute(path) for path in matches
                                   if os.path.isdir(path) or Path(path).suffix.lower() in EXTENSIONS)  # fmt: skip
        else:
            raise MaterialError(f"{text}: no such file or folder; give folders of materials")
    if not paths:
        raise UsageError("inputs: got none, expected folders of materials, images, patterns or @FILE")
    return list(paths)


class _Finder:
    """Collects items and what is left out while it walks through folders."""

    def __init__(self, out: Path, options: Options, names: Path | None):
        self.items: list[Item] = []
        self.left_out: list[tuple[str, str]] = []
        self._out, self._options, self._names = out.resolve(), options, names
        self._seen: set[Path] = set()

    def walk(self, folder: Path, top: Path) -> None:
        """Add every material of a folder and of the folders below it."""
        real = folder.resolve()
        if real in self._seen or real == self._out:  # a link may lead back
            return
        self._seen.add(real)
        try:
            entries = sorted((e for e in os.scandir(folder) if not e.name.startswith(".")), key=lambda e: e.name)
            images = [e for e in entries if e.is_file() and Path(e.name).suffix.lower() in EXTENSIONS]
            folders = [e for e in entries if e.is_dir()]
        except OSError as error:
            self._fail(folder, top, f"{folder}: cannot be read ({error.strerror}); check its permissions")
            return
        if images:
            self._add_folder(folder, top)
        for entry in folders:
            if not (images and _MIPS.fullmatch(entry.name)):
                self.walk(folder / entry.name, top)

    def add_image(self, path: Path, top: Path) -> None:
        """Add an image that was given as an input itself."""
        if path.suffix.lower() in EXTENSIONS:
            known = read_set(path, (path.name,), names=self._names)
            self._add(path, known, _below(path.with_suffix(""), top), material_name(path))
        else:
            self.left_out.append((str(path), "no image by its name"))

    def _add_folder(self, folder: Path, top: Path) -> None:
        try:
            contents = find_sets(folder, self._names)
        except GstexError as error:
            self._fail(folder, top, str(error))
            return
        for map_set in contents.sets:
            if map_set.name is None:
                self._add(folder, map_set, _below(folder, top), material_name(folder))
            elif len(map_set.files) == 1 and not map_set.problem:
                # Its role depends on its pixels, which are not read here.
                alone = replace(map_set, roles={})
                self._add(folder / map_set.files[0], alone, _below(folder / map_set.name, top), map_set.name)
            else:
                self._add(folder, map_set, _below(folder / map_set.name, top), map_set.name)
        reasons: dict[str, list[str]] = {}
        for name, reason in contents.left_out:
            reasons.setdefault(reason, []).append(name)
        for reason, files in reasons.items():
            self.left_out.append((str(folder / files[0]) if len(files) == 1 else f"{folder}: {_some(files)}", reason))

    def _add(self, source: Path, maps: MapSet, output: str, name: str) -> None:
        self.items.append(Item(f"{output}.gstex", source, maps.files, name, names=self._names, options=self._options,
                               roles=maps.roles, texels=maps.texels, channels=maps.channels,
                               problem=maps.problem))  # fmt: skip

    def _fail(self, folder: Path, top: Path, problem: str) -> None:
        self.items.append(Item(f"{_below(folder, top)}.gstex", folder, (), material_name(folder),
                               options=self._options, problem=problem))  # fmt: skip


def _below(path: Path, top: Path) -> str:
    """The path relative to `top`, with '/'; for `top` itself its name."""
    relative = path.relative_to(top).as_posix()
    return material_name(top) if relative == "." else relative


def _without_clashes(items: Sequence[Item]) -> list[Item]:
    """The same items. An item whose output an earlier one has gets a problem, so that it is not compressed."""
    first: dict[str, Item] = {}
    result = []
    for item in items:
        other = first.setdefault(item.output, item)
        if other is not item:
            problem = (f"{item.output} is what {other.source} becomes, and {item.source} would become the same; give "
                       "one of them another \"output\" in a manifest, or rename it")  # fmt: skip
            item = replace(item, problem=problem)
        result.append(item)
    return result


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
