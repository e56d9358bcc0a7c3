"""UDIM sets: maps of several tiles in one folder, `rock_albedo.1001.png` beside `rock_albedo.1002.png`.

Tile 1001 + u + 10 v is the square of texture space from (u, v). Every tile is a material of its own.
"""

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["tile_of", "tiles_of"]

_UDIM = re.compile(r"[._\- ](1\d{3})(?=[._\-]|$)")
_GRID = re.compile(r"[._\- ]u(\d{1,2})_v(\d{1,2})(?=[._\-]|$)", re.IGNORECASE)  # from 1, as Mudbox writes them
_SIZES = frozenset((1024, 1280, 1536, 1920))  # numbers that are more often the size of a map


def tile_of(name: str) -> tuple[str, int] | None:
    """(the name without its tile, the tile) of a file, None if its name has no tile."""
    stem = Path(name).stem
    grid = list(_GRID.finditer(stem))
    if grid:
        match, tile = grid[-1], 1000 + int(grid[-1][1]) + 10 * (int(grid[-1][2]) - 1)
    else:
        udims = [m for m in _UDIM.finditer(stem) if int(m[1]) > 1000]
        if not udims:
            return None
        match, tile = udims[-1], int(udims[-1][1])
    return stem[: match.start()] + stem[match.end() :], tile


def tiles_of(names: Sequence[str]) -> dict[int, list[str]]:
    """The files of each tile of a UDIM set, in order; empty if the names are no set.

    A set has a map in two tiles at least. A single tile is a material like any other.
    """
    tiles: dict[int, list[str]] = {}
    holders: dict[str, set[int]] = {}
    for name in names:
        base_and_tile = tile_of(name)
        if base_and_tile is not None:
            tiles.setdefault(base_and_tile[1], []).append(name)
            holders.setdefault(base_and_tile[0].lower(), set()).add(base_and_tile[1])
    if max((len(h - _SIZES) for h in holders.values()), default=0) < 2:
        return {}
    return dict(sorted(tiles.items()))
