"""From the codes of a fit to those of a file: constants beside what varies, cells in order, palettes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.mip_chain import Mip, Shared
from gstex.encode.packing import FittedGroup, pack_groups
from gstex.encode.problem import Result, Target, Task
from gstex.encode.quantisation import Coding
from gstex.errors import FormatError
from gstex.format import LevelLayout, PackedMaterial, unpack
from gstex.material import Channel, Material

# Roles, and the value of the channels that are constant.
CHANNELS = {"roughness": None, "metallic": 0.25, "ao": None, "height": None}
CELLS = ((5, 4), (3, 3))


@pytest.fixture(scope="module")
def material() -> Material:
    channels = tuple(Channel(role, "v", "linear", f"{role}.png", 0, value, ()) for role, value in CHANNELS.items())
    pixels = np.zeros((18, 20, 4), np.float32)
    return Material("wall", 20, 18, (), channels, pixels, None, "repeat")


def packed(material: Material, *mips: Mip, tail: int | None = None) -> PackedMaterial:
    """What becomes of a group of the three channels that vary."""
    tasks = []
    for number in range(len(mips)):
        size = (18 >> number, 20 >> number)
        target = Target(np.full((*size, 3), 0.5, np.float32), np.ones((*size, 1), np.float32), np.zeros(3, np.int32))
        tasks.append(Task(target, [(0.0, 1.0)] * 3, [()] * 3, True, 10**6))
    group = FittedGroup([0, 2, 3], mips, tasks)
    return unpack(pack_groups(material, [group], len(mips), tail=tail or len(mips), repeat=True, bilinear=False))


def result(rng: np.random.Generator, *, palettes: tuple[np.ndarray, ...], bits: tuple[int, ...], stride: int) -> Result:
    """30 Gaussians in two levels, in no order; all codes are of the full range of their fields."""
    layouts = tuple(LevelLayout(x, y, stride, 5, 5, 5, 5, 4, -4.0, 0.25) for x, y in CELLS)
    pyramid = Pyramid(20, 18, True, np.array(CELLS, np.int32))
    coding = Coding(pyramid, layouts, -3.0, 0.25, np.zeros(3, np.float32), np.full(3, 1 / 512, np.float32),
                    np.array(bits, np.int64), palettes=palettes)  # fmt: skip
    level = rng.integers(0, 2, 30)
    placement = np.column_stack([level, rng.integers(0, np.array(CELLS)[level])]).astype(np.int32)

    def codes(sizes: list[int]) -> np.ndarray:
        return rng.integers(0, np.array(sizes, np.int64), (30, len(sizes))).astype(np.uint32)

    return Result(
        coding=coding, placement=placement, geometry=codes([32] * 5 + [16]), features=codes([1 << b for b in bits]),
        entries=codes([len(palette) for palette in palettes]), background=np.array([0.5, 0.25, 0.75], np.float32),
        words=0, mse=0.0, error=0.0,
    )  # fmt: skip


def test_a_regular_level_takes_its_gaussians_in_any_order(material: Material) -> None:
    """One a cell of the fine level, without geometry; the codes tell the cells apart. The coarse level has an index."""
    rng = np.random.default_rng(4)
    fine = LevelLayout(5, 4, 12, 0, 0, 0, 0, 0, -2.0, 0.0, regular=True)
    coarse = LevelLayout(3, 3, 36, 5, 5, 5, 4, 1, -4.0, 0.25)
    pyramid = Pyramid(20, 18, True, np.array(CELLS, np.int32))
    coding = Coding(pyramid, (fine, coarse), -3.0, 0.25, np.zeros(3, np.float32), np.full(3, 1 / 512, np.float32),
                    np.array((5, 3, 4)))  # fmt: skip
    cell = np.append(np.arange(20), [8, 1, 1])
    placement = np.array([(0, k % 5, k // 5) for k in cell[:20]] + [(1, k % 3, k // 3) for k in cell[20:]], np.int32)
    features = np.stack([cell, cell % 8, cell % 16], axis=1).astype(np.uint32)
    order = rng.permutation(23)
    fitted = Result(
        coding=coding, placement=placement[order], geometry=np.zeros((23, 6), np.uint32), features=features[order],
        entries=np.zeros((23, 0), np.uint32), background=np.zeros(3, np.float32), words=0, mse=0.0, error=0.0,
    )  # fmt: skip
    first, second = packed(material, fitted).groups[0].mips[0].levels
    assert first.layout == fine and first.cell.tolist() == first.features[:, 0].tolist() == list(range(20))
    assert second.cell.tolist() == [1, 1, 8] and not second.layout.regular
    # One of them in another's cell: refused, and not moved.
    placement[7] = placement[8]
    fitted = replace(fitted, placement=placement[order])
    with pytest.raises(FormatError, match="group 0 mip 0 level 0 cell: got an empty cell, expected one Gaussian in"):
        packed(material, fitted)


@pytest.mark.parametrize("bits, sizes, stride", [((4, 3, 5), (), 44), ((0, 0, 0), (16, 8), 36), ((0, 3, 0), (4,), 36)])
def test_every_gaussian_keeps_its_codes(
    material: Material, bits: tuple[int, ...], sizes: tuple[int, ...], stride: int
) -> None:
    rng = np.random.default_rng(3)
    palettes = tuple(rng.integers(0, 256, (size, 3), dtype=np.uint8) for size in sizes)
    fitted = result(rng, palettes=palettes, bits=bits, stride=stride)
    texels = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    whole = packed(material, fitted, Shared(), texels)
    group, = whole.groups
    assert [(c.role, c.constant) for c in whole.channels] == list(CHANNELS.items())
    assert group.members == (0, 2, 3) and group.channel_bits.tolist() == list(bits)
    assert group.mips[0].background.tolist() == [0.5, 0.25, 0.75]
    assert len(group.palettes) == len(palettes)
    assert all(np.array_equal(a, b) for a, b in zip(group.palettes, palettes, strict=True))
    assert np.array_equal(group.mips[2].texels, texels)
    rows = set()
    for number, level in enumerate(group.mips[0].levels):
        y, x = np.divmod(level.cell, level.layout.cells_x)
        for parts in zip(x, y, level.geometry, level.features, level.entries, strict=True):
            rows.add((number, *(tuple(np.atleast_1d(part).tolist()) for part in parts)))
    expected = set()
    for place, geometry, features, entries in zip(
        fitted.placement, fitted.geometry, fitted.features, fitted.entries, strict=True
    ):
        expected.add((int(place[0]), (int(place[1]),), (int(place[2]),), tuple(geometry.tolist()),
                      tuple(features.tolist()), tuple(entries.tolist())))  # fmt: skip
    assert rows == expected and len(rows) == 30


def test_a_mip_of_the_tail_that_is_shared_is_there_twice(material: Material) -> None:
    """Drawn from mip 0 where that is at hand, and bent to what it stands for; something of its own in the tail."""
    fitted = result(np.random.default_rng(5), palettes=(), bits=(4, 3, 5), stride=44)
    texels = np.full((4, 5, 3), 7, np.uint8)
    group, = packed(material, fitted, Shared(), Shared(texels), tail=2).groups
    assert [type(mip).__name__ for mip in group.mips] == ["PackedMip", "PackedSharedMip", "PackedSharedMip"]
    assert len(group.tail_mips) == 1 and np.array_equal(group.tail_mips[0].texels, texels)
    assert group.mips[1].bend.any()
