"""Codes to words to bytes and back, the index, the candidates and the atomic write."""

import os
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from random_material import make_layout, make_material, random_material

from gstex import format as fmt
from gstex.errors import FormatError, OutputError
from gstex.format.bits import read_records, write_records
from gstex.format.index import build_index


def assert_equal(found, expected, name="material"):
    """Dataclasses and tuples of arrays and numbers are equal, bit for bit."""
    assert type(found) is type(expected), name
    if is_dataclass(expected):
        for field in fields(expected):
            assert_equal(getattr(found, field.name), getattr(expected, field.name), field.name)
    elif isinstance(expected, tuple):
        assert len(found) == len(expected), name
        for a, b in zip(found, expected, strict=True):
            assert_equal(a, b, name)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.shape == expected.shape, name
        np.testing.assert_array_equal(found, expected, err_msg=name)
    else:
        assert found == expected, name


# Round trips


# What the format knows is in one of these or another; a test below makes sure of it.
SEEDS = (0, 2, 4, 8, 25, 46)


@pytest.mark.parametrize("seed", SEEDS)
def test_round_trip_of_random_materials(seed):
    material = random_material(np.random.default_rng(seed))
    words = fmt.pack(material)
    assert words.dtype == np.uint32 and len(words) % 64 == 0
    assert_equal(fmt.unpack(words), material)
    back, metadata = fmt.read_bytes(fmt.write_bytes(words, {"seed": seed}))
    assert metadata == {"seed": seed}
    np.testing.assert_array_equal(back, words)


def test_random_materials_hold_whatever_the_format_knows():
    held = set()
    for seed in SEEDS:
        material = random_material(np.random.default_rng(seed))
        own_codes = material.channel_bits > 0
        held |= {("repeat", material.repeat), ("bilinear", material.bilinear), ("top_k", material.top_k > 0),
                 ("palettes", len(material.palettes)), ("constant channels", not material.varying.all()),
                 ("channels of palettes alone", (material.varying & ~own_codes).any())}  # fmt: skip
        for mip in material.mips:
            held |= {type(mip), ("levels", len(getattr(mip, "levels", ())))}
            for level in getattr(mip, "levels", ()):
                held |= {("crowded cell", np.bincount(level.cell).max() > 15)}
                held |= {(level.layout.regular, field, width > 0)
                         for field, width in enumerate(level.layout.geometry_widths)}  # fmt: skip
    names = ("repeat", "bilinear", "top_k", "constant channels", "channels of palettes alone", "crowded cell")
    assert held >= {(name, yes) for name in names for yes in (False, True)}
    assert held >= {fmt.PackedMip, fmt.PackedRawMip, fmt.PackedSharedMip}
    assert held >= {("palettes", count) for count in range(5)} | {("levels", count) for count in range(4)}
    assert held >= {(regular, field, there) for regular in (False, True) for field in range(6)
                    for there in (False, True)}  # fmt: skip


def test_round_trip_of_the_smallest_texture():
    rng = np.random.default_rng(0)
    layout = make_layout(1, 1, 8, (1, 1, 1, 1, 0))
    for pairs in ([], [(layout, 1)]):
        material = make_material(rng, width=1, height=1, repeat=False, channel_bits=(0,), mips=[pairs])
        assert_equal(fmt.unpack(fmt.pack(material)), material)


@pytest.mark.parametrize("palette_bits", [(12,), (1, 1, 1, 1), (12, 12, 12, 12), (3, 9)])
def test_round_trip_of_palettes(palette_bits):
    """Channels with bits of their own and without, V a multiple of 4 or not, records of an odd number of nibbles."""
    for varying in ((1, 0, 1, 1, 1, 1, 0), (1, 0, 1, 1, 1, 0, 0)):
        channel_bits = (0, 0, 3, 0, 0, 5 * varying[5], 0)
        stride = 36 + 4 * (-(-(sum(palette_bits) + sum(channel_bits)) // 8) * 2)
        layout = make_layout(4, 3, stride, (7, 5, 5, 5, 4))
        assert stride // 4 % 2 == 1
        material = make_material(np.random.default_rng(1), channel_bits=channel_bits, varying=varying,
                                 palette_bits=palette_bits, mips=[[(layout, 77)], None, 2.5])
        words = fmt.pack(material)
        assert_equal(fmt.unpack(words), material)
        assert words[11] - words[8] == fmt.palette_words(palette_bits, sum(varying))


NO_GEOMETRY = (0, 0, 0, 0, 0)


@pytest.mark.parametrize("repeat", [False, True])
def test_round_trip_of_regular_levels(repeat):
    """Alone in a mip, beside others, and after one that has one Gaussian a cell and an index all the same."""
    picture = make_layout(9, 8, 16, NO_GEOMETRY, regular=True)
    moved = make_layout(5, 5, 28, (3, 2, 0, 4, 0), regular=True)
    mips = [[(picture, None), (make_layout(9, 8), 50), (make_layout(5, 5), range(25)), (moved, None)],
            [(picture, None)], [(make_layout(3, 3, 16, NO_GEOMETRY), [4, 4, 7])]]
    material = make_material(np.random.default_rng(1), repeat=repeat, mips=mips)
    words = fmt.pack(material)
    assert_equal(fmt.unpack(words), material)
    table = fmt.validate(words)
    levels = table.mips[0].levels
    assert [level.layout.regular for level in levels] == [True, False, False, True]
    for number, level in enumerate(levels):
        cells_x, cells_y = level.layout.cells_x, level.layout.cells_y
        counts = table.cell_counts(0, number)
        index = fmt.index_words(cells_x, cells_y, counts, regular=level.layout.regular)
        assert index == level.record_offset - level.index_offset == (0 if level.layout.regular else 3 * (
            cells_x * cells_y // 16 + 1))
        assert counts.shape == (cells_y, cells_x) and counts.sum() == level.count
    assert (table.cell_counts(0, 3) == 1).all()


def test_round_trip_of_the_smallest_records():
    """A nibble each, whether it holds something or not."""
    for regular, channel_bits in ((True, (4,)), (False, (4,)), (True, (0, 0)), (False, (0,))):
        layout = make_layout(5, 3, 4, NO_GEOMETRY, regular=regular)
        material = make_material(np.random.default_rng(1), channel_bits=channel_bits, mips=[[(layout, range(15))]])
        words = fmt.pack(material)
        assert_equal(fmt.unpack(words), material)
        level = fmt.validate(words).mips[0].levels[0]
        assert words[4] == level.record_offset + 2 + 1


def test_a_material_of_raw_mips_may_have_palettes():
    material = make_material(np.random.default_rng(1), width=4, height=2, palette_bits=(2,), mips=[None, None])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_without_palettes_they_need_not_be_named():
    """Records name none, and the channels with bits are those that vary."""
    level = fmt.PackedLevel(make_layout(), np.array([3, 5]), np.zeros((2, 6), np.uint32), np.zeros((2, 3), np.uint32))
    zeros = np.zeros(3, np.float32)
    material = fmt.PackedMaterial(8, 8, True, False, 0, 0.0, 0.0, zeros, zeros, np.array([8, 0, 5]),
                                  np.zeros(3, bool), (fmt.PackedMip(zeros, (level,)),))
    back = fmt.unpack(fmt.pack(material))
    assert back.varying.tolist() == [True, False, True] and back.palettes == ()
    assert_equal(back, material)
    assert level.entries.shape == (2, 0)


def test_round_trip_of_the_largest_grid_along_one_axis():
    layout = make_layout(8192, 1)
    material = make_material(np.random.default_rng(0), width=16384, height=1, repeat=False,
                             mips=[[(layout, [0, 0, 4000, 8191])], []])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_round_trip_of_a_crowded_material():
    cells = np.repeat([0, 3, 17, 17, 18, 35], [15, 16, 100, 1, 700, 20])
    material = make_material(np.random.default_rng(0), mips=[[(make_layout(6, 6), cells)]])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_sizes_add_up_to_the_words_in_use():
    for seed in range(10):
        material = random_material(np.random.default_rng(seed))
        channels = len(material.channel_bits)
        varying = int(material.varying.sum())
        palette_bits = [len(palette).bit_length() - 1 for palette in material.palettes]
        used = fmt.header_words(channels, len(material.mips)) + fmt.palette_words(palette_bits, varying) + 1
        for mip in material.mips:
            if isinstance(mip, fmt.PackedSharedMip):
                used += 2
                continue
            if isinstance(mip, fmt.PackedRawMip):
                height, width, _ = mip.texels.shape
                used += fmt.raw_words(width, height, fmt.raw_texel_words(varying))
                continue
            used += fmt.mip_block_words(channels, len(mip.levels))
            for level in mip.levels:
                layout = level.layout
                counts = np.bincount(level.cell, minlength=layout.cells_x * layout.cells_y)
                used += fmt.index_words(layout.cells_x, layout.cells_y, counts, regular=layout.regular)
                used += fmt.record_words(len(level.cell), layout.stride)
        words = fmt.pack(material)
        assert words[4] == used
        assert len(words) == -(-used // 64) * 64


# Records


def test_records_match_one_big_integer():
    rng = np.random.default_rng(1)
    for stride in range(4, 321, 4):
        cuts = np.sort(rng.choice(np.arange(1, stride + 1), size=min(stride, 12), replace=False))
        widths = [int(w) for w in np.diff(np.concatenate([[0], cuts])) if w <= 32]
        widths.insert(1, 0)
        for count in (1, 2, 3, 4, 9, 17):
            codes = [rng.integers(0, 2**width, count, dtype=np.uint32) for width in widths]
            stream = 0
            for record in range(count):
                bit = record * stride
                for code, width in zip(codes, widths, strict=True):
                    stream |= int(code[record]) << bit
                    bit += width
            expected = [stream >> 32 * word & 0xFFFFFFFF for word in range(-(-count * stride // 32))]
            words = write_records(codes, widths, stride)
            assert words.tolist() == expected
            np.testing.assert_array_equal(read_records(words, count, widths, stride), np.stack(codes, 1))


@pytest.mark.parametrize("stride, count", [(8, 3), (12, 9), (24, 5), (40, 4), (52, 9), (96, 2), (320, 3)])
def test_every_spare_bit_is_seen(stride, count):
    used = min(stride - 5, 12 * 16)
    channel_bits = [12] * (used // 12) + [used % 12] * (used % 12 > 0)
    layout = make_layout(3, 3, stride, NO_GEOMETRY)
    material = make_material(np.random.default_rng(0), channel_bits=channel_bits, mips=[[(layout, count)]])
    words = fmt.pack(material)
    level = fmt.validate(words).mips[0].levels[0]
    for bit in range(32 * fmt.record_words(count, stride)):
        changed = words.copy()
        changed[level.record_offset + bit // 32] ^= np.uint32(1 << bit % 32)
        if bit >= count * stride or bit % stride >= used:
            with pytest.raises(FormatError, match="mip 0 level 0 spare bits of the records: got bits that are set"):
                fmt.validate(changed)
        else:
            fmt.validate(changed)


# Index


# A group has 16 cells; with more than 15 Gaussians in one of them its starts are words of their own.
@pytest.mark.parametrize("cells_x, cells_y, most", [
    (1, 1, 1), (1, 1, 16), (15, 1, 15), (16, 1, 16), (17, 1, 15), (17, 1, 200), (8, 4, 1), (7, 13, 15), (7, 13, 200),
])
def test_index_gives_the_start_of_every_cell(cells_x, cells_y, most):
    rng = np.random.default_rng(most)
    counts = rng.integers(0, most + 1, (cells_y, cells_x))
    counts[0, 0] = most
    count = int(counts.sum())
    words = build_index(counts, where="level")
    assert len(words) == fmt.index_words(cells_x, cells_y, counts)
    table = fmt.validate(fmt.pack(_material_of([counts], repeat=False)))
    level = table.mips[0].levels[0]
    assert level.count == count and level.record_offset - level.index_offset == len(words)
    np.testing.assert_array_equal(table.words[level.index_offset : level.record_offset], words)
    np.testing.assert_array_equal(table.cell_counts(0, 0), counts)

    starts = np.concatenate([[0], np.cumsum(counts)])
    for cell in range(cells_x * cells_y + 1):
        assert _start(words.tolist(), cell) == starts[cell], cell


def _material_of(level_counts, **options):
    """A material of one mip with these numbers of Gaussians in the cells of its levels."""
    layouts = [make_layout(counts.shape[1], counts.shape[0]) for counts in level_counts]
    cells = [np.repeat(np.arange(counts.size), counts.reshape(-1)) for counts in level_counts]
    return make_material(np.random.default_rng(0), mips=[list(zip(layouts, cells, strict=True))], **options)


def _start(words, cell):
    """start(cell) as a decoder reads it, in plain integers."""
    group, rest = divmod(cell, 16)
    head, low, high = words[3 * group : 3 * group + 3]
    base = head & 0x7FFFFFFF
    if head >> 31:
        return base + (words[low + rest // 2] >> 16 * (rest % 2) & 0xFFFF)
    return base + sum((low | high << 32) >> 4 * k & 15 for k in range(rest))


def test_group_limit():
    counts = np.array([[65535 - 100, 100]])
    words = build_index(counts, where="level")
    assert words[3] == 65435 << 16 and words[4] == 65535 | 65535 << 16  # the prefixes of the crowded group
    counts[0, 1] += 1
    message = "level Gaussians of a group of 16 cells: got 65536, expected at most 65535; use finer cells"
    with pytest.raises(FormatError, match=message):
        build_index(counts, where="level")


# Candidates


@pytest.mark.parametrize("repeat", [False, True])
def test_candidates_match_brute_force(repeat):
    rng = np.random.default_rng(3)
    grid = 840  # every border of up to 8 cells, and points between
    positions = np.arange(grid)
    for _ in range(12):
        width, height = (int(size) for size in rng.integers(1, 40, 2))
        count = rng.integers(1, 5)
        rows, columns = (np.sort(rng.integers(3 if repeat else 1, 9, count))[::-1] for _ in range(2))
        levels = [rng.integers(0, 20, shape) for shape in zip(rows, columns, strict=True)]
        dense, texels = 0, 0
        for counts in levels:
            counts[0, 0] += 1  # a level without Gaussians is none
            rows, columns = counts.shape
            sums = _brute(counts, repeat)
            dense = dense + sums[np.ix_(positions * rows // grid, positions * columns // grid)]
            texels = texels + sums[np.ix_(_texel_cells(height, rows), _texel_cells(width, columns))]
        table = fmt.validate(fmt.pack(_material_of(levels, width=width, height=height, repeat=repeat)))
        mean, most = table.candidate_stats(0)
        assert most == table.candidates_max == dense.max()
        assert mean == pytest.approx(texels.mean(), rel=1e-12)


@pytest.mark.parametrize("shapes", [[(8192, 3), (8191, 3), (4096, 3)], [(3, 8192), (3, 8191), (3, 3)], [(90, 91)] * 16])
def test_candidates_of_grids_of_many_borders(shapes):
    """Against the same count between all borders, in exact fractions scaled to integers."""
    rng = np.random.default_rng(5)
    levels = [rng.integers(0, 3, shape) for shape in shapes]
    sums = [sum(np.roll(counts, (j, i), (0, 1)) for j in (-1, 0, 1) for i in (-1, 0, 1)) for counts in levels]
    rows, columns = (
        sorted({Fraction(k, shape[axis]) for shape in set(shapes) for k in range(shape[axis])}) for axis in (0, 1)
    )
    total = 0
    for counts, (ny, nx) in zip(sums, shapes, strict=True):
        total = total + counts[np.ix_([int(r * ny) for r in rows], [int(c * nx) for c in columns])]
    table = fmt.validate(fmt.pack(_material_of(levels)))
    assert table.candidates_max == total.max()


def test_candidates_of_a_shared_mip_are_those_of_mip_0_at_its_texels():
    layouts = [(make_layout(9, 7), 200), (make_layout(4, 3), 40)]
    words = fmt.pack(make_material(np.random.default_rng(2), width=64, height=32, mips=[layouts, 1.5, 9.0, None]))
    table = fmt.validate(words)
    counts = [table.cell_counts(0, level) for level in range(2)]
    for mip in range(3):
        width, height = 64 >> mip, 32 >> mip
        texels = sum(
            _brute(c.astype(int), True)[np.ix_(_texel_cells(height, c.shape[0]), _texel_cells(width, c.shape[1]))]
            for c in counts
        )
        mean, most = table.candidate_stats(mip)
        assert mean == pytest.approx(texels.mean()) and most == table.candidates_max
    assert table.candidate_stats(3) == (0, 0)


def _brute(counts, repeat):
    rows, columns = counts.shape
    sums = np.zeros_like(counts)
    for row in range(rows):
        for column in range(columns):
            for j in (-1, 0, 1):
                for i in (-1, 0, 1):
                    y, x = row + j, column + i
                    if repeat:
                        sums[row, column] += counts[y % rows, x % columns]
                    elif 0 <= y < rows and 0 <= x < columns:
                        sums[row, column] += counts[y, x]
    return sums


def _texel_cells(size, cells):
    return [(2 * i + 1) * cells // (2 * size) for i in range(size)]


def test_candidates_of_no_level():
    table = fmt.validate(fmt.pack(make_material(np.random.default_rng(0), mips=[[]])))
    assert table.candidate_stats(0) == (0, 0)


# Writing what the format does not hold


def _with_level(material, **changes):
    level = replace(material.mips[0].levels[0], **changes)
    return replace(material, mips=(replace(material.mips[0], levels=(level,)),))


@pytest.mark.parametrize("change, message", [
    (lambda m, lv: replace(m, width=16385), "width: got 16385, expected 1 .. 16384"),
    (lambda m, lv: replace(m, top_k=33), "top_k: got 33, expected 0 .. 32"),
    (lambda m, lv: replace(m, mips=m.mips * 8), "mip_count: got 8, expected 1 .. 7"),
    (lambda m, lv: replace(m, mips=()), "mip_count: got 0, expected 1 .. 7"),
    (lambda m, lv: replace(m, channel_bits=np.array([8, 13, 0])), r"channel_bits\[1\]: got 13"),
    (lambda m, lv: replace(m, channel_bits=np.zeros(17, int), channel_lo=np.zeros(17), srgb=np.zeros(17, bool),
                           channel_step=np.zeros(17), varying=None), "channel_count: got 17, expected 1 .. 16"),
    (lambda m, lv: replace(m, mips=(replace(m.mips[0], levels=(lv,) * 17),)),
     "mip 0 level_count: got 17, expected 0 .. 16"),
    (lambda m, lv: replace(m, mips=(replace(m.mips[0], background=m.channel_lo[:2]),)),
     r"mip 0 shape of background: got \(2,\), expected"),
    (lambda m, lv: replace(m, mips=(replace(m.mips[0], background=m.channel_lo - 9),)),
     r"mip 0 background\[0\]: got -"),
    (lambda m, lv: replace(m, srgb=m.srgb[:2]), r"shape of srgb: got \(2,\), expected \(3,\)"),
    (lambda m, lv: replace(m, mips=(fmt.PackedRawMip(np.zeros((32, 64, 3), np.uint8)),)),
     r"mip 0 shape of texels: got \(32, 64, 3\), expected \(32, 64, 2\)"),
    (lambda m, lv: replace(m, mips=(m.mips[0], fmt.PackedRawMip(np.zeros((16, 32, 2), np.float32)))),
     "mip 1 dtype of texels: got float32, expected uint8"),
    (lambda m, lv: replace(m, mips=(fmt.PackedSharedMip(1.0),)), "mip 0 shared: got 1, expected 0: only mips below"),
    (lambda m, lv: replace(m, mips=(m.mips[0], fmt.PackedSharedMip(-1.0))), "mip 1 filter: got -1.0, expected 0 .."),
    (lambda m, lv: replace(m, mips=(fmt.PackedRawMip(np.zeros((32, 64, 2), np.uint8)), fmt.PackedSharedMip(1.0))),
     "mip 1 shared: got 1, expected 0: only mips below a mip 0 of Gaussians"),
    (lambda m, lv: replace(m, channel_bits=np.zeros(3, int), varying=None,
                           mips=(fmt.PackedRawMip(np.zeros((32, 64, 0), np.uint8)),)),
     "mip 0: got texels of a material whose channels are all constant"),
    (lambda m, lv: replace(m, channel_lo=m.channel_lo[:2]), r"shape of channel_lo: got \(2,\), expected"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, scale_step=1.0)), "log2 of the inverse scale"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, stride=328)), "stride: got 328, expected"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, cells_x=10**9)), "cells_x: got 1000000000"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, position_x_bits=-1)),
     "position_x_bits: got -1, expected 0 .. 15"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, position_x_bits=16)),
     "position_x_bits: got 16, expected 0 .. 15"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, position_y_bits=16)),
     "position_y_bits: got 16, expected 0 .. 15"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, rotation_bits=0)),
     "level 0 rotation code: got .*, expected 0 .. 0"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, scale_bits=-1)), "scale_bits: got -1, expected 0 .. 12"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, regular=True)),
     "mip 0 level 0 count: got 50, expected 12, one for every cell of a regular level"),
    (lambda m, lv: _with_level(m, cell=lv.cell[:0], geometry=lv.geometry[:0], features=lv.features[:0]),
     "mip 0 level 0 count: got 0, expected 1"),
    (lambda m, lv: _with_level(m, cell=lv.cell[::-1]), "level 0 cell: got cells that fall"),
    (lambda m, lv: _with_level(m, cell=lv.cell + 12), r"level 0 cell: got .*, expected 0 .. 11"),
    (lambda m, lv: _with_level(m, cell=lv.cell - 12), r"level 0 cell: got -.*, expected 0 .. 11"),
    (lambda m, lv: _with_level(m, cell=lv.cell[:3]), r"shape of geometry: got \(50, 6\), expected \(3, 6\)"),
    (lambda m, lv: _with_level(m, features=lv.features[:, :2]), r"shape of features: got \(50, 2\)"),
    (lambda m, lv: _with_level(m, geometry=lv.geometry | np.uint32([0, 32, 0, 0, 0, 0])),
     "position_y code: got .* 0 .. 31"),
    (lambda m, lv: _with_level(m, features=lv.features | np.uint32(256)),
     r"feature\[0\] code: got .* 0 .. 255"),
    (lambda m, lv: _with_level(m, features=lv.features | np.uint32([0, 1, 0])),
     r"feature\[1\] code: got 1, expected 0 .. 0"),
    (lambda m, lv: _with_level(m, geometry=lv.geometry.astype(np.int64)), "dtype of geometry: got int64"),
    (lambda m, lv: _with_level(m, cell=np.full(5000, 3), geometry=np.zeros((5000, 6), np.uint32),
                               features=np.zeros((5000, 3), np.uint32), entries=None),
     "candidates of a position: got 5000, expected at most 4096; use finer cells"),
])
def test_pack_refuses(change, message):
    material = make_material(np.random.default_rng(0), mips=[[(make_layout(), 50)]])
    fmt.pack(material)
    with pytest.raises(FormatError, match=message):
        fmt.pack(change(material, material.mips[0].levels[0]))


@pytest.mark.parametrize("change, message", [
    (lambda m, lv: replace(m, palettes=m.palettes * 3), "number of palettes: got 6, expected 0 .. 4"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0][:3], m.palettes[1])),
     r"shape of palette 0: got \(3, 2\), expected \(a power of 2, 2\): a byte for every channel that varies"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0], m.palettes[1][:0])), r"shape of palette 1: got \(0, 2\)"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0], m.palettes[1][:, :1])),
     r"shape of palette 1: got \(8, 1\), expected \(a power of 2, 2\)"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0], m.palettes[1][0])), r"shape of palette 1: got \(2,\)"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0], m.palettes[1].astype(int))),
     "dtype of palette 1: got int64, expected uint8"),
    (lambda m, lv: replace(m, palettes=(m.palettes[0][:1], m.palettes[1])),
     r"palette_bits\[0\]: got 0, expected 1 .. 12"),
    (lambda m, lv: replace(m, palettes=(np.zeros((8192, 2), np.uint8),)),
     r"palette_bits\[0\]: got 13, expected 1 .. 12"),
    (lambda m, lv: replace(m, palettes=()),
     r"channel_bits\[1\]: got 0, expected 1 .. 12: the channel varies and there are no palettes"),
    (lambda m, lv: replace(m, palettes=m.palettes[:1]), r"level 0 shape of entries: got \(50, 2\), expected \(50, 1\)"),
    (lambda m, lv: replace(m, varying=m.varying[:2]), r"shape of varying: got \(2,\), expected \(3,\)"),
    (lambda m, lv: replace(m, varying=np.array([False, True, True])),
     r"channel_bits\[0\]: got 8, expected 0: the channel does not vary"),
    (lambda m, lv: replace(m, varying=np.zeros(3, bool), channel_bits=np.zeros(3, int),
                           palettes=(np.zeros((2, 0), np.uint8),)),
     "number of palettes: got 1, expected 0: all channels of this material are constant"),
    (lambda m, lv: _with_level(m, entries=lv.entries | np.uint32([0, 8])),
     "level 0 entry of palette 1: got .*, expected 0 .. 7"),
    (lambda m, lv: _with_level(m, entries=lv.entries[:, :1]), r"shape of entries: got \(50, 1\), expected \(50, 2\)"),
    (lambda m, lv: _with_level(m, entries=lv.entries.astype(np.int64)), "dtype of entries: got int64, expected uint32"),
    (lambda m, lv: _with_level(m, features=lv.features | np.uint32([0, 1, 0])),
     r"feature\[1\] code: got 1, expected 0 .. 0"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, stride=40)),
     "stride: got 40, expected a multiple of 4 in 43 .. 320"),
    (lambda m, lv: replace(m, mips=(replace(m.mips[0], background=m.channel_lo + np.float32([0, 0, 0.125])),)),
     r"mip 0 background\[2\]: got .*, expected channel_lo = .* because the channel is constant"),
    (lambda m, lv: replace(m, mips=(fmt.PackedRawMip(np.zeros((32, 64, 3), np.uint8)),)),
     r"mip 0 shape of texels: got \(32, 64, 3\), expected \(32, 64, 2\)"),
])
def test_pack_refuses_palettes(change, message):
    material = make_material(np.random.default_rng(0), channel_bits=(8, 0, 0), varying=(1, 1, 0), palette_bits=(2, 3),
                             mips=[[(make_layout(stride=44), 50)]])
    material = replace(material, channel_lo=np.clip(material.channel_lo, -1, 1))
    material = replace(material, mips=(replace(material.mips[0], background=material.channel_lo),))
    fmt.pack(material)
    with pytest.raises(FormatError, match=message):
        fmt.pack(change(material, material.mips[0].levels[0]))


@pytest.mark.parametrize("change, message", [
    (lambda m, lv: _with_level(m, cell=np.array([0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
     "mip 0 level 0 cell: got an empty cell, expected one Gaussian in every cell of a regular level"),
    (lambda m, lv: _with_level(m, cell=lv.cell[:-1], geometry=lv.geometry[:-1], features=lv.features[:-1],
                               entries=None),
     "mip 0 level 0 count: got 11, expected 12, one for every cell of a regular level"),
    (lambda m, lv: _with_level(m, cell=lv.cell[::-1]), "level 0 cell: got cells that fall"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, cells_x=5)),
     "mip 0 level 0 count: got 12, expected 15, one for every cell of a regular level"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, stride=0)),
     "mip 0 level 0 stride: got 0, expected a multiple of 4 in 4 .. 320"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, scale_step=5.0)),
     "mip 0 level 0 scale_step: got 5.0, expected -4 .. 4"),
    (lambda m, lv: _with_level(m, layout=replace(lv.layout, scale_lo=8.5)),
     "mip 0 level 0 scale_lo: got 8.5, expected -16 .. 8"),
    (lambda m, lv: _with_level(m, geometry=lv.geometry + np.uint32([1, 0, 0, 0, 0, 0])),
     "mip 0 level 0 position_x code: got 1, expected 0 .. 0"),
])
def test_pack_refuses_regular_levels(change, message):
    """Of records that hold nothing at all."""
    layout = make_layout(4, 3, 4, NO_GEOMETRY, regular=True)
    material = make_material(np.random.default_rng(0), channel_bits=(0,), mips=[[(layout, None)]])
    fmt.pack(material)
    with pytest.raises(FormatError, match=message):
        fmt.pack(change(material, material.mips[0].levels[0]))


@pytest.mark.parametrize("metadata, message", [
    ({"a": float("nan")}, "metadata: cannot be written as JSON"),
    ({"a": object()}, "metadata: cannot be written as JSON"),
    ({"a": "\ud800"}, "metadata: cannot be written as JSON"),
    ([1], "metadata: got 3 bytes of list, expected a dict"),
    ({"a": "x" * 2**20}, "expected a dict of at most 1048576 bytes"),
])
def test_metadata_that_cannot_be_written(metadata, message):
    words = fmt.pack(make_material(np.random.default_rng(0), mips=[[]]))
    with pytest.raises(OutputError, match=message):
        fmt.write_bytes(words, metadata)


# Files


@pytest.fixture
def words():
    return fmt.pack(make_material(np.random.default_rng(0), mips=[[(make_layout(), 50)]]))


def test_file_round_trip(tmp_path, words):
    path = tmp_path / "wall.gstex"
    metadata = {"generator": "test", "report": {"psnr": 40.5}, "name": "кирпич"}
    assert fmt.write_file(path, words, metadata) == path.stat().st_size
    back, back_metadata = fmt.read_file(path)
    assert back.dtype == np.uint32 and not back.flags.writeable
    np.testing.assert_array_equal(back, words)
    assert back_metadata == metadata
    data = fmt.write_bytes(words, metadata)
    assert path.read_bytes() == data
    assert not fmt.read_bytes(bytearray(data))[0].flags.writeable
    for shift in range(4):  # words are aligned wherever the bytes stand
        moved = fmt.read_bytes(memoryview(bytes(shift) + data)[shift:])[0]
        assert moved.ctypes.data % 4 == 0
        np.testing.assert_array_equal(moved, words)


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("error, seen_as", [(OSError("disk full"), OutputError),
                                            (KeyboardInterrupt(), KeyboardInterrupt)])
def test_failed_write_leaves_the_old_file(tmp_path, words, monkeypatch, step, error, seen_as):
    path = tmp_path / "wall.gstex"
    path.write_bytes(b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(seen_as):
        fmt.write_file(path, words, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["wall.gstex"]
    assert path.read_bytes() == b"old"


def test_bad_words_are_not_written(tmp_path, words):
    path = tmp_path / "wall.gstex"
    words[0] ^= 1
    with pytest.raises(FormatError, match="GPU section magic"):
        fmt.write_file(path, words, {})
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path, words):
    with pytest.raises(OutputError, match=r"a\.gstex: cannot be written \(.*\); check that the folder"):
        fmt.write_file(tmp_path / "missing" / "a.gstex", words, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder: cannot be written"):
        fmt.write_file(tmp_path / "folder", words, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(FormatError, match=r"missing\.gstex: cannot be read \(No such file or directory\)"):
        fmt.read_file(tmp_path / "missing.gstex")
    with pytest.raises(FormatError, match="not a regular file"):
        fmt.read_file(tmp_path)


def test_public_names():
    assert len(fmt.__all__) == len(set(fmt.__all__))
    assert all(hasattr(fmt, name) for name in fmt.__all__)
