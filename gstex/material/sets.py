"""The materials of one folder, told apart by what the names of their maps have in common and by the tiles of UDIM sets.

A folder that `load_material` reads as it stands is one material, unless two names have two maps each. `gstex batch`
uses this module; `gstex compress` always takes a folder for one material.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gstex.errors import AmbiguousError, GstexError, MaterialError
from gstex.material.discover import Reading, parse_override, read_names, resolve, split_name
from gstex.material.images import ImageFile, read_info
from gstex.material.load import list_images
from gstex.material.udim import tile_of, tiles_of
from gstex.material.vocabulary import NAMES_FILE, USUAL, Vocabulary, load_vocabulary

__all__ = ["Found", "MapSet", "find_sets", "read_set"]

_UNKNOWN = 4  # channels of an unreadable file: its name is believed, and loading it reports the error


@dataclass(frozen=True)
class MapSet:
    """The maps of one material.

    name: None for that of the folder. files: names of its images, in sorted order. roles: file -> what it is for, as a
    text; files that are left out are missing. texels: of its largest map, 0 if none can be read. channels: of all maps.
    problem: why it cannot be compressed as it is, "" if none is known.
    """

    name: str | None
    files: tuple[str, ...]
    roles: Mapping[str, str]
    texels: int
    channels: int
    problem: str = ""


@dataclass(frozen=True)
class Found:
    """The materials of a folder, and (file, reason) of files that belong to none."""

    sets: tuple[MapSet, ...]
    left_out: tuple[tuple[str, str], ...]


def find_sets(folder: Path, names: str | Path | None = None) -> Found:
    """Tell the materials of a folder apart. Headers of images are read, and no pixels.

    Args:
        names: a file of further words and packings; None for `gstex.toml` in the folder, if it is there.
    Raises:
        MaterialError: the folder cannot be read, has no image, or its words cannot be understood.
    """
    _, images, _, left_out = list_images(folder)
    vocabulary = USUAL
    if names is not None:
        vocabulary = load_vocabulary(Path(names))
    elif (folder / NAMES_FILE).is_file():
        vocabulary = load_vocabulary(folder / NAMES_FILE)
        left_out = [row for row in left_out if row[0] != NAMES_FILE]
    parts = _Parts(folder, images, vocabulary)
    tiles = tiles_of(images)
    apart = [n for n in images if not any(n in files for files in tiles.values())]
    sets = [map_set for tile, files in tiles.items() for map_set in parts.sets_of(files, tile)]
    if apart:
        sets += parts.sets_of(apart, None)
    if any(len(map_set.files) > 1 for map_set in sets):
        single = [map_set for map_set in sets if len(map_set.files) == 1 and (map_set.name or tiles)]
        loose = [map_set for map_set in single if not parts.is_named(map_set.files[0])]
        sets = [map_set for map_set in sets if map_set not in loose]
        parts.left_out += [(map_set.files[0], "no known map name, beside materials that have some")
                           for map_set in loose]  # fmt: skip
    return Found(tuple(sets), tuple(parts.left_out + left_out))


def read_set(
    source: Path, files: Sequence[str] | None, *, maps: Sequence[str] = (), names: str | Path | None = None
) -> MapSet:
    """The maps of one material that the user has put together: a folder, some files of it, or an image.

    Args:
        files: of the folder; None for all its images. maps: overrides as of `load_material`.
    Returns:
        The set. What is wrong with it is its `problem`; nothing is raised.
    """
    try:
        folder, images, _, _ = list_images(source)
        files = images if files is None or not source.is_dir() else sorted(files)
        gone = sorted(set(files) - set(images))
        if gone:
            raise MaterialError(f"{source / gone[0]}: does not exist; correct the manifest, or put it back")
        infos = {name: _info(folder / name) for name in files}
        known = [info for info in infos.values() if info is not None]
        roles: dict[str, str] = {}
        if source.is_dir():
            words = folder / NAMES_FILE if names is None and (folder / NAMES_FILE).is_file() else names
            vocabulary = USUAL if words is None else load_vocabulary(Path(words))
            counts = {name: _UNKNOWN if info is None else info.channels for name, info in infos.items()}
            overrides = [parse_override(text, files) for text in maps]
            choices, _ = resolve(read_names(files, vocabulary), counts, overrides)
            roles = {file: "+".join(sorted(choice.roles())) for file, choice in choices.items()}
        texels = max((info.width * info.height for info in known), default=0)
        return MapSet(None, tuple(files), roles, texels, sum(info.channels for info in known))
    except GstexError as error:
        return MapSet(None, tuple(files or ()), {}, 0, 0, str(error))


class _Parts:
    """What the files of one folder say. left_out: (file, reason), grows while sets are made."""

    def __init__(self, folder: Path, images: Sequence[str], vocabulary: Vocabulary):
        self.left_out: list[tuple[str, str]] = []
        self._folder, self._vocabulary = folder, vocabulary
        self._infos: dict[str, ImageFile | None] = {name: _info(folder / name) for name in images}

    def is_named(self, name: str) -> bool:
        """Whether a file says by its own name what it is."""
        return self._has_role(read_names([name], self._vocabulary)[name])

    def sets_of(self, files: Sequence[str], tile: int | None) -> list[MapSet]:
        """The sets of the files of a folder, or of one tile of it."""
        end = "" if tile is None else f".{tile}"
        keys: list[Callable[[str], tuple[str, str]]] = [self._key, self._fine_key]
        pending: list[tuple[str | None, Sequence[str], int]] = [(None, files, 0)]
        result: list[MapSet] = []
        while pending:
            name, part, depth = pending.pop(0)
            problem = self._problem(part)
            groups = self._groups(part, keys[depth]) if depth < len(keys) else {}
            if len(groups) > 1 and (problem or (depth == 0 and self._are_several(groups.values()))):
                pending += [(text, group, depth + 1) for text, group in groups.items()]
            elif problem and depth + 1 < len(keys):
                pending.append((name, part, depth + 1))
            else:
                result += self._make(name, part, end, problem)
        return sorted(result, key=lambda map_set: (map_set.name or "").lower())

    def _make(self, name: str | None, files: Sequence[str], end: str, problem: str) -> list[MapSet]:
        """The set of some files; none if nothing in them is a map."""
        roles: dict[str, str] = {}
        if not problem:
            choices, ignored = resolve(read_names(files, self._vocabulary), self._counts(files))
            self.left_out += ignored
            if not choices:
                return []
            roles = {file: "+".join(sorted(choice.roles())) for file, choice in choices.items()}
        infos = [info for info in map(self._infos.get, files) if info is not None]
        texels = max((info.width * info.height for info in infos), default=0)
        shown = f"{name or self._folder.resolve().name}{end}" if end else name
        return [MapSet(shown, tuple(files), roles, texels, sum(info.channels for info in infos), problem)]

    def _counts(self, files: Sequence[str]) -> dict[str, int]:
        infos = {name: self._infos[name] for name in files}
        return {name: _UNKNOWN if info is None else info.channels for name, info in infos.items()}

    def _problem(self, files: Sequence[str]) -> str:
        try:
            resolve(read_names(files, self._vocabulary), self._counts(files))
        except AmbiguousError as error:
            return f'{error}; a manifest of gstex batch takes such maps under "maps"'
        return ""

    def _are_several(self, groups: Iterable[Sequence[str]]) -> bool:
        """Whether two names have two maps each: they are then several materials, though no role is there twice."""
        named = [[n for n in group if self.is_named(n)] for group in groups]
        return sum(len(group) > 1 for group in named) > 1

    def _groups(self, files: Sequence[str], key: Callable[[str], tuple[str, str]]) -> dict[str, list[str]]:
        """Groups of files by what they have in common, each under a text that no other group has."""
        by_key: dict[str, list[str]] = {}
        texts: dict[str, str] = {}
        for name in files:
            plain, text = key(name)
            by_key.setdefault(plain, []).append(name)
            texts.setdefault(plain, text)
        result: dict[str, list[str]] = {}
        for plain, group in by_key.items():
            text = Path(group[0]).stem if len(group) == 1 and not self.is_named(group[0]) else texts[plain]
            text = text or self._folder.resolve().name
            result[text if text not in result else Path(group[0]).stem] = group
        return result

    def _key(self, name: str) -> tuple[str, str]:
        split = split_name(_without_tile(name), self._vocabulary)
        return " ".join(split.base), split.text

    def _fine_key(self, name: str) -> tuple[str, str]:
        """With the numbers after the role: wall_color_1 and wall_color_2 may be two materials."""
        split = split_name(_without_tile(name), self._vocabulary)
        return " ".join((*split.base, "|", *split.numbers)), "_".join(filter(None, (split.text, *split.numbers)))

    @staticmethod
    def _has_role(reading: Reading) -> bool:
        return reading.role is not None or reading.packed is not None


def _without_tile(name: str) -> str:
    base_and_tile = tile_of(name)
    return name if base_and_tile is None else base_and_tile[0] + Path(name).suffix


def _info(path: Path) -> ImageFile | None:
    try:
        return read_info(path)
    except MaterialError:
        return None
