"""Smaller levels that the input gives itself: `name.mip1.png` or `mip1/name.png` for level 1 of `name.png`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gstex.arrays import AnyArray
from gstex.errors import MaterialError
from gstex.material.images import EXTENSIONS, FORMAT_NAMES, ImageFile, read_info, read_pixels

__all__ = ["OwnMip", "find_own_mips", "read_own_mip"]

_NAME = re.compile(r"(.+)\.mip(\d+)", re.IGNORECASE)
_FOLDER = re.compile(r"mip(\d+)", re.IGNORECASE)
_MAX_LEVEL = 14  # of a map of 16384 texels
_RANGE = f"smaller levels are mip1 to mip{_MAX_LEVEL}; level 0 has the plain name"


@dataclass(frozen=True)
class OwnMip:
    """A file that gives a level of a map. shown: its path from the input folder. map: the file of level 0."""

    path: Path
    shown: str
    map: str
    level: int


def find_own_mips(
    folder: Path, names: Sequence[str], entries: Sequence[Path]
) -> tuple[list[str], list[OwnMip], list[tuple[str, str]]]:
    """Tell the smaller levels in a folder from its maps, by their names.

    Args:
        names: the images in the folder. entries: everything in the folder, in sorted order.
    Returns:
        (names of the maps, files of their smaller levels, (file, reason) of the files that fit no map).
    Raises:
        MaterialError: a level of a map is there twice, or a folder of levels cannot be read.
    """
    maps = [n for n in names if not _NAME.fullmatch(Path(n).stem)]
    candidates = []  # path, as shown, stem of the map, level
    for name in names:
        match = _NAME.fullmatch(Path(name).stem)
        if match:
            candidates.append((folder / name, name, match[1], int(match[2])))
    ignored: list[tuple[str, str]] = []
    for entry in entries:
        match = _FOLDER.fullmatch(entry.name)
        if match and entry.is_dir():
            try:
                files = sorted(f for f in entry.iterdir() if f.is_file() and not f.name.startswith("."))
            except OSError as error:
                raise MaterialError(f"{entry}: cannot be read ({error.strerror}); check its permissions") from None
            for file in files:
                shown = f"{entry.name}/{file.name}"
                if not shown.isprintable():
                    raise MaterialError(f"{entry}: the file name {file.name!r} holds unprintable characters; rename it")
                if file.suffix.lower() in EXTENSIONS:
                    candidates.append((file, shown, file.stem, int(match[1])))
                else:
                    ignored.append((shown, f"not a {FORMAT_NAMES} image"))
    own_mips: dict[tuple[str, int], OwnMip] = {}
    for path, shown, stem, level in candidates:
        owners = [n for n in maps if Path(n).stem == stem]
        if not 1 <= level <= _MAX_LEVEL:
            ignored.append((shown, _RANGE))
        elif not owners:
            ignored.append((shown, f"level {level} of {stem}, which is not there"))
        else:
            owner = next((n for n in owners if Path(n).suffix == path.suffix), owners[0])
            other = own_mips.setdefault((owner, level), OwnMip(path, shown, owner, level))
            if other.path != path:
                raise MaterialError(f"level {level} of {owner} is there twice ({other.shown}, {shown}); keep one")
    return maps, list(own_mips.values()), ignored


def read_own_mip(own_mip: OwnMip, info: ImageFile, width: int, height: int) -> tuple[AnyArray, ImageFile]:
    """Read a level of a map.

    Args:
        info: of level 0 of the map. width, height: of level 0 of the material, whose levels the chain has.
    Returns:
        ([max(1, info.height >> level), max(1, info.width >> level), info.channels] in the file's own type, the file).
        Its bit depth may differ from that of level 0, but floats and integers do not mix.
    Raises:
        MaterialError: not an image, damaged, or it does not fit level 0.
    """
    last = max(width, height).bit_length() - 1
    if own_mip.level > last:
        allowed = f"the levels of {width}x{height} are 1..{last}" if last else "a single texel has no smaller levels"
        raise MaterialError(f"{own_mip.shown}: level {own_mip.level}, but {allowed}; take it away")
    try:
        mip_info = read_info(own_mip.path)
        expected = (max(1, info.width >> own_mip.level), max(1, info.height >> own_mip.level))
        if (mip_info.width, mip_info.height) != expected:
            raise MaterialError(
                f"{own_mip.path.name}: size {mip_info.width}x{mip_info.height}; level {own_mip.level} of {info.file} "
                f"({info.width}x{info.height}) is {expected[0]}x{expected[1]}: resize it or take it away"
            )
        if (mip_info.channels, mip_info.is_float) != (info.channels, info.is_float):
            raise MaterialError(
                f"{own_mip.path.name}: {_kind(mip_info)}; {info.file} has {_kind(info)}: save all levels alike"
            )
        return read_pixels(own_mip.path, mip_info), mip_info
    except MaterialError as error:
        raise MaterialError(own_mip.shown.removesuffix(own_mip.path.name) + str(error)) from None


def _kind(info: ImageFile) -> str:
    return f"{info.channels} {'float' if info.is_float else 'integer'} channels"
