"""The Gaussians of a mip as numbers: for ellipses on the screen and for the inspector.

The picture is never made from these numbers; the shader decodes it.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F64Array, I64Array
from gstex.constants import TAN_22_5
from gstex.format import MaterialTable, PackedLevel, PackedMip, PackedRawMip, PackedSharedMip, mip_size
from gstex.format.layout import BEND_UNIT
from gstex.format.words import read_mip, read_palettes

__all__ = ["MipGaussians", "read_gaussians"]


@dataclass(frozen=True, eq=False)
class MipGaussians:
    """All N Gaussians that a group draws a mip with, in the order of the file.

    Lengths are in texels of the mip that owns them.

    width, height: texels of that mip; shown_width, shown_height: of the mip they are drawn for, which differs where
    the mip is shared. cells: int [L, 2], cells across and down a level. level: int [N]. cell: int [N], in its level,
    row by row. first: int [L], number of a level's first Gaussian. center: [N, 2], from the corner of the texture.
    inside: [N, 2], the centre inside its cell, in cells. direction: [N, 2], (cos, sin) of the first axis.
    sigma: [N, 2], with the filter of a shared mip. amplitude: [N], log. features: [N, C],
    background: [C], bend: [C, 3]: of the channels of the stack, 0 for those of other groups.
    texels: [height, width, C], of a mip that has no Gaussians. members: the channels of the group.
    """

    width: int
    height: int
    shown_width: int
    shown_height: int
    repeat: bool
    top_k: int
    cells: I64Array
    level: I64Array
    cell: I64Array
    first: I64Array
    center: F64Array
    inside: F64Array
    direction: F64Array
    sigma: F64Array
    amplitude: F64Array
    features: F64Array
    background: F64Array
    bend: F64Array
    members: tuple[int, ...]
    texels: F64Array | None = None

    @property
    def count(self) -> int:
        """N."""
        return len(self.level)


def read_gaussians(table: MaterialTable, mip: int, group: int) -> MipGaussians:
    """Read all records of a mip of a group (docs/format.md, "Record"). A raw mip has none."""
    header, of = table.header, table.groups[group].header
    count, members = len(header.channels), list(of.members)
    block, owner, widened = read_mip(table, group, mip), mip, 0.0
    bend = np.zeros((count, 3))
    if isinstance(block, PackedSharedMip):
        bend[members] = block.bend * BEND_UNIT
        owner, widened, block = 0, block.filter, read_mip(table, group, 0)
    size = mip_size(header.width, owner), mip_size(header.height, owner)
    shown = mip_size(header.width, mip), mip_size(header.height, mip)
    levels = block.levels if isinstance(block, PackedMip) else ()
    counts = [len(level.cell) for level in levels]
    parts = [_read_level(table, group, level, np.array(size), widened) for level in levels]
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)] if parts else _NOTHING
    inside, center, direction, sigma, amplitude, values = joined
    features, background, texels = np.zeros((len(values), count)), np.zeros(count), None
    if len(values):
        features[:, members] = values
    if isinstance(block, PackedMip):
        background[members] = block.background
    elif isinstance(block, PackedRawMip):
        texels = np.zeros((*block.texels.shape[:2], count))
        texels[:, :, members] = block.texels / 255
    return MipGaussians(
        *size, *shown, header.repeat, of.top_k,
        cells=np.array([[lv.layout.cells_x, lv.layout.cells_y] for lv in levels], np.int64).reshape(-1, 2),
        level=np.repeat(np.arange(len(levels)), counts),
        cell=np.concatenate([lv.cell for lv in levels]) if levels else np.empty(0, np.int64),
        first=np.cumsum([0, *counts])[:-1],
        center=center, inside=inside, direction=direction, sigma=sigma, amplitude=amplitude,
        features=features, background=background, bend=bend, members=of.members, texels=texels,
    )  # fmt: skip


_NOTHING = [np.empty((0, n)) if n else np.empty(0) for n in (2, 2, 2, 2, 0, 1)]


def _read_level(
    table: MaterialTable, group: int, level: PackedLevel, size: I64Array, widened: float
) -> tuple[F64Array, ...]:
    header = table.groups[group].header
    layout = level.layout
    codes = level.geometry.astype(np.float64)
    cells = np.array([layout.cells_x, layout.cells_y])
    inside = (codes[:, :2] + 0.5) / np.exp2([layout.position_x_bits, layout.position_y_bits])
    corner = np.stack([level.cell % layout.cells_x, level.cell // layout.cells_x], axis=1)
    h = np.zeros(len(codes))
    if layout.rotation_bits:
        half = 2.0 ** (layout.rotation_bits - 1)
        h = (codes[:, 2] - half) * (TAN_22_5 / half)
    direction = np.stack([1 - h * h, 2 * h], axis=1) / (1 + h * h)[:, None]
    sigma = np.hypot(np.exp2(-(layout.scale_lo + codes[:, 3:5] * layout.scale_step)), widened)
    amplitude = header.amplitude_lo + codes[:, 5] * header.amplitude_step
    values = level.features.astype(np.float64)
    for palette, entries in zip(read_palettes(table, group), level.entries.T, strict=True):
        values += palette[entries]
    features = header.channel_lo + values * header.channel_step.astype(np.float64)
    return inside, (corner + inside) * (size / cells), direction, sigma, amplitude, features
