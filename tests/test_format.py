"""Codes to words and back, the sizes of all parts, records, the index and the candidates."""

from dataclasses import fields, is_dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from random_material import make_group, make_layout, make_material, random_material

from gstex import format as fmt
from gstex.errors import FormatError
from gstex.format.bits import read_records, write_records
from gstex.format.index import build_index
from gstex.format.layout import COMPONENTS, ROLE_CODES


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
SEEDS = (2, 80, 86, 114, 117)


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
        groups = material.groups
        members = sum(len(group.members) for group in groups)
        held |= {("repeat", material.repeat), ("bilinear", material.bilinear), ("groups", len(groups)),
                 ("constant channels", members < len(material.channels)),
                 ("tail", material.tail < material.mip_count)}  # fmt: skip
        for group in groups:
            held |= {("top_k", group.top_k > 0), ("palettes", len(group.palettes)),
                     ("channels of palettes alone", (group.channel_bits == 0).any()),
                     ("another block in the tail", any(group.tail_mips)),
                     *(("in the tail", type(mip)) for mip in group.mips[material.tail :])}  # fmt: skip
            for mip in group.mips:
                held |= {type(mip), ("levels", len(getattr(mip, "levels", ())))}
                for level in getattr(mip, "levels", ()):
                    held |= {("crowded cell", np.bincount(level.cell).max() > 15)}
                    held |= {(level.layout.regular, field, width > 0)
                             for field, width in enumerate(level.layout.geometry_widths)}  # fmt: skip
    names = ("repeat", "bilinear", "top_k", "constant channels", "channels of palettes alone", "crowded cell", "tail",
             "another block in the tail")  # fmt: skip
    assert held >= {(name, yes) for name in names for yes in (False, True)}
    kinds = {fmt.PackedMip, fmt.PackedRawMip, fmt.PackedSharedMip}
    assert held >= kinds | {("in the tail", kind) for kind in kinds}
    assert held >= {(name, count) for name in ("palettes", "groups") for count in range(5)}
    assert held >= {("levels", count) for count in range(4)}
    assert held >= {(regular, field, there) for regular in (False, True) for field in range(6)
                    for there in (False, True)}  # fmt: skip


def test_round_trip_of_the_smallest_texture():
    rng = np.random.default_rng(0)
    layout = make_layout(1, 1, 8, (1, 1, 1, 1, 0))
    for channel_bits, pairs in ((0, []), (3, []), (3, [(layout, 1)])):
        material = make_material(rng, width=1, height=1, repeat=False, channel_bits=(channel_bits,), mips=[pairs])
        assert len(material.groups) == (channel_bits > 0)
        assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_round_trip_of_channel_entries():
    """Every role and every component; Y of a normal both ways; numbers of both signs, and the smallest and largest."""
    numbers = [2.0**-149, -(2.0**-149), float(np.finfo(np.float32).max), float(np.finfo(np.float32).min), 1 / 3]
    for first, constant in ((0, None), (5, None), (9, 2.0), (0, -1.0), (3, 0.0)):
        channels = [fmt.ChannelEntry(role, COMPONENTS[(k + first) % 6], bool((k + first) % 2), constant, False,
                                     float(np.float32(numbers[k % 5])), float(np.float32(numbers[(k + first) % 5])))
                    for k, role in enumerate(ROLE_CODES)]  # fmt: skip
        channels += [fmt.ChannelEntry("normal", "y", flipped=flipped, constant=constant) for flipped in (False, True)]
        material = make_material(np.random.default_rng(0), channel_bits=[3 * (constant is None)] * 15, mips=[[]])
        material = replace(material, channels=tuple(channels))
        words = fmt.pack(material)
        assert_equal(fmt.unpack(words), material)
        assert fmt.validate(words).header.srgb.tolist() == [channel.srgb for channel in channels]


def test_floats_are_rounded_once():
    """What is written is what the rules look at, and what comes back."""
    material = make_material(np.random.default_rng(0), channel_bits=(3, 0), mips=[[(make_layout(), 5)], 0.1])
    group, = material.groups
    channels = (replace(material.channels[0], scale=0.1, bias=-0.3), replace(material.channels[1], constant=2 + 1e-9))
    mips = (group.mips[0], replace(group.mips[1], filter=0.1))
    group = replace(group, amplitude_lo=-1 / 3, amplitude_step=0.01, channel_lo=np.array([2 + 1e-9]),
                    channel_step=np.array([1 / 3]), mips=mips)  # fmt: skip
    back = fmt.unpack(fmt.pack(replace(material, channels=channels, groups=(group,))))
    assert (back.channels[0].scale, back.channels[0].bias) == (np.float32(0.1), np.float32(-0.3))
    assert back.channels[1].constant == 2.0 == back.groups[0].channel_lo[0]
    assert back.groups[0].amplitude_lo == np.float32(-1 / 3) and back.groups[0].mips[1].filter == np.float32(0.1)


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
        group = fmt.validate(words).groups[0]
        palettes = group.header_offset + fmt.group_header_words(sum(varying), 3, 3)
        assert words[group.header_offset + 4] == palettes
        assert group.mips[0].offset - palettes == fmt.palette_words(palette_bits, sum(varying))


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
    levels = table.groups[0].mips[0].levels
    assert [level.layout.regular for level in levels] == [True, False, False, True]
    for number, level in enumerate(levels):
        cells_x, cells_y = level.layout.cells_x, level.layout.cells_y
        counts = table.cell_counts(0, 0, number)
        index = fmt.index_words(cells_x, cells_y, counts, regular=level.layout.regular)
        assert index == level.record_offset - level.index_offset == (0 if level.layout.regular else 3 * (
            cells_x * cells_y // 16 + 1))
        assert counts.shape == (cells_y, cells_x) and counts.sum() == level.count
    assert (table.cell_counts(0, 0, 3) == 1).all()


def test_round_trip_of_the_smallest_records():
    """A nibble each, of which a code or the number of an entry takes all or one bit."""
    for regular, bits, palette_bits in ((True, 4, ()), (False, 4, ()), (True, 1, ()), (False, 0, (1,))):
        layout = make_layout(5, 3, 4, NO_GEOMETRY, regular=regular)
        material = make_material(np.random.default_rng(1), channel_bits=(bits,), varying=(1,),
                                 palette_bits=palette_bits, mips=[[(layout, range(15))]])  # fmt: skip
        words = fmt.pack(material)
        assert_equal(fmt.unpack(words), material)
        level = fmt.validate(words).groups[0].mips[0].levels[0]
        assert words[4] == level.record_offset + 2 + 1


def test_a_material_of_raw_mips_may_have_palettes():
    material = make_material(np.random.default_rng(1), width=4, height=2, palette_bits=(2,), mips=[None, None])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_palettes_tails_and_what_channels_are_need_not_be_named():
    level = fmt.PackedLevel(make_layout(), np.array([3, 5]), np.zeros((2, 6), np.uint32), np.zeros((2, 2), np.uint32))
    zeros = np.zeros(2, np.float32)
    group = fmt.PackedGroup((0, 2), 0, 0.0, 0.0, zeros, zeros, np.array([8, 5]), (fmt.PackedMip(zeros, (level,)),))
    channels = (fmt.ChannelEntry(), fmt.ChannelEntry(constant=0.5), fmt.ChannelEntry())
    material = fmt.PackedMaterial(8, 8, True, False, 1, 1, channels, (group,))
    back = fmt.unpack(fmt.pack(material))
    assert_equal(back, material)
    assert back.groups[0].palettes == back.groups[0].tail_mips == () and level.entries.shape == (2, 0)
    assert (back.channels[0].role, back.channels[0].component, back.channels[0].scale) == ("other", "v", 1.0)


def test_round_trip_of_the_largest_grid_along_one_axis():
    layout = make_layout(8192, 1)
    material = make_material(np.random.default_rng(0), width=16384, height=1, repeat=False,
                             mips=[[(layout, [0, 0, 4000, 8191])], []])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


def test_round_trip_of_a_crowded_material():
    cells = np.repeat([0, 3, 17, 17, 18, 35], [15, 16, 100, 1, 700, 20])
    material = make_material(np.random.default_rng(0), mips=[[(make_layout(6, 6), cells)]])
    assert_equal(fmt.unpack(fmt.pack(material)), material)


# Tails and the sizes of all parts


def in_another_way(group, mip, *, tail):
    """The group with a set of Gaussians in its tail for a mip that is drawn from mip 0 in the whole."""
    stands = list(group.tail_mips)
    stands[mip - tail] = replace(group.mips[0], background=group.mips[0].background / 2)
    return replace(group, tail_mips=tuple(stands))


def with_a_tail():
    """Two groups: one has other blocks in the tail for what is shared, the other is of raw mips. The tail is 2."""
    layout = make_layout(5, 4, 48)
    groups = [{"members": (0, 3, 4), "channel_bits": (5, 0, 3), "palette_bits": (2,), "top_k": 7,
               "mips": [[(layout, 30)], 2.0, 4.0, 8.0, []]},
              {"members": (1,), "channel_bits": (8,), "mips": [None] * 5}]  # fmt: skip
    material = make_material(np.random.default_rng(3), channels=5, groups=groups, tail=2)
    return replace(material, groups=(in_another_way(material.groups[0], 3, tail=2), material.groups[1]))


def test_round_trip_of_tails():
    """Of every length, of one group and of two; Gaussians and texels in place of what is shared."""
    material = with_a_tail()
    assert [type(mip).__name__ for mip in material.groups[0].tail_mips] == ["PackedRawMip", "PackedMip", "NoneType"]
    assert_equal(fmt.unpack(fmt.pack(material)), material)
    for tail in range(2, 6):
        groups = tuple(replace(group, tail_mips=group.tail_mips[tail - 2 :]) for group in material.groups)
        groups = tuple(replace(g, tail_mips=g.tail_mips if any(g.tail_mips) else ()) for g in groups)
        for some in (groups, groups[:1], groups[1:]):
            held = {c: g for g, group in enumerate(some) for c in group.members}
            channels = tuple(replace(entry, constant=None if c in held else 0.25)
                             for c, entry in enumerate(material.channels))  # fmt: skip
            changed = replace(material, tail=tail, groups=some, channels=channels)
            words = fmt.pack(changed)
            assert_equal(fmt.unpack(words), changed)
            assert (words[5] == len(words)) == (tail == 5)


def test_the_resident_part_is_a_material():
    """All that the tail needs, and nothing of what follows it."""
    words = fmt.pack(with_a_tail())
    whole, alone = fmt.validate(words), fmt.validate(words[: words[5]])
    assert (whole.header.first_mip, alone.header.first_mip) == (0, 2)
    assert_equal(replace(alone.header, first_mip=0), whole.header)
    for part, of in zip(alone.groups, whole.groups, strict=True):
        assert_equal(part.header, of.header)
        assert_equal(part.tail_mips, of.tail_mips)
        assert_equal(part.mips[2:], of.tail_mips)
        assert all(mip.words == 0 for mip in part.mips[:2])
    assert whole.groups[0].mips[2].filter == 4.0 and whole.groups[0].tail_mips[0].raw
    assert whole.groups[0].tail_mips[1].levels
    assert_equal(whole.groups[0].tail_mips[2], whole.groups[0].mips[4])
    for call in (fmt.unpack, lambda part: fmt.write_bytes(part, {})):
        with pytest.raises(FormatError, match="GPU section: got a resident part, expected a whole section"):
            call(words[: words[5]])


def test_a_shared_mip_ends_before_the_guard_word():
    """All that is bent by nothing is zeros, as padding is, so that only its size speaks against the place."""
    material = make_material(np.random.default_rng(0), channel_bits=[8] * 14, mips=[[], 1.0])
    group, = material.groups
    group = replace(group, mips=(group.mips[0], replace(group.mips[1], bend=np.zeros((14, 3), np.int64))))
    words = fmt.pack(replace(material, groups=(group,)))
    for missing, needed in ((1, 16), (13, 16), (14, 16), (15, 2)):
        changed = words.copy()
        changed[4] -= missing
        message = f"group 0 mip 1 block: got {needed} words, expected at most the {16 - missing} words left"
        with pytest.raises(FormatError, match=message):
            fmt.validate(changed)


def words_of(mip, size, members):
    """Words of a mip, with all that belongs to it."""
    if isinstance(mip, fmt.PackedSharedMip):
        return fmt.shared_words(members)
    if isinstance(mip, fmt.PackedRawMip):
        return fmt.raw_words(*size, fmt.raw_texel_words(members))
    words = fmt.mip_block_words(members, len(mip.levels))
    for level in mip.levels:
        layout = level.layout
        counts = np.bincount(level.cell, minlength=layout.cells_x * layout.cells_y)
        words += fmt.index_words(layout.cells_x, layout.cells_y, counts, regular=layout.regular)
        words += fmt.record_words(len(level.cell), layout.stride)
    return words


def padded(words):
    """Words of a part, with its guard word and the zeros after it."""
    return -(-(words + 1) // 64) * 64


@pytest.mark.parametrize("seed", range(10))
def test_sizes_add_up_to_the_words_in_use(seed):
    material = random_material(np.random.default_rng(seed))
    mip_count, tail = material.mip_count, material.tail
    sizes = [(fmt.mip_size(material.width, m), fmt.mip_size(material.height, m)) for m in range(mip_count)]
    used = fmt.header_words(material.channels, len(material.groups))
    in_tail = others = 0
    for group in material.groups:
        members = len(group.members)
        palette_bits = [len(palette).bit_length() - 1 for palette in group.palettes]
        used += fmt.group_header_words(members, mip_count, tail) + fmt.palette_words(palette_bits, members)
        words = [words_of(mip, size, members) for mip, size in zip(group.mips, sizes, strict=True)]
        instead = group.tail_mips or (None,) * (mip_count - tail)
        in_tail += sum(words_of(instead[m - tail], sizes[m], members) if instead[m - tail] else words[m]
                       for m in range(tail, mip_count))  # fmt: skip
        others += sum(words[m] for m in range(mip_count) if m < tail or instead[m - tail])
    words = fmt.pack(material)
    resident = padded(used + in_tail) if tail < mip_count else 0
    end = resident + others if resident else used + others
    assert words[4] == end + 1
    assert len(words) == padded(end)
    assert words[5] == (resident or len(words))


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
    level = fmt.validate(words).groups[0].mips[0].levels[0]
    for bit in range(32 * fmt.record_words(count, stride)):
        changed = words.copy()
        changed[level.record_offset + bit // 32] ^= np.uint32(1 << bit % 32)
        if bit >= count * stride or bit % stride >= used:
            with pytest.raises(FormatError, match="group 0 mip 0 level 0 spare bits of the records: got bits"):
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
    level = table.groups[0].mips[0].levels[0]
    assert level.count == count and level.record_offset - level.index_offset == len(words)
    np.testing.assert_array_equal(table.words[level.index_offset : level.record_offset], words)
    np.testing.assert_array_equal(table.cell_counts(0, 0, 0), counts)

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
    counts = [table.cell_counts(0, 0, level) for level in range(2)]
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
    table = fmt.validate(fmt.pack(make_material(np.random.default_rng(0), channel_bits=(0, 0), mips=[[]])))
    assert table.candidate_stats(0) == (0, 0) and table.candidates_max == 0


def test_candidates_of_groups_add_up():
    """Each group states the most of its own mips; a mip has the sum of what its groups have there."""
    layout = make_layout(3, 3)
    mips = ([[(layout, 40)], [(layout, 7)], None],
            [[(layout, 5)], 1.5, [(layout, [4] * 12)]],
            [None, [(layout, 3)], []])  # fmt: skip
    groups = [{"members": (g,), "channel_bits": (5,), "mips": of} for g, of in enumerate(mips)]
    table = fmt.validate(fmt.pack(make_material(np.random.default_rng(0), channels=3, groups=groups)))
    # With 3 x 3 cells that wrap, every position sees all.
    assert [table.candidate_stats(mip) for mip in range(3)] == [(45, 45), (15, 15), (12, 12)]
    assert [group.candidates_max for group in table.groups] == [40, 12, 3] and table.candidates_max == 55


def test_candidates_of_what_stands_in_the_tail_alone_count_too():
    """Where the whole draws it from mip 0, nothing else of the file may look at so many."""
    material, layout = with_a_tail(), make_layout(3, 3, 48)
    crowd = make_group(np.random.default_rng(0), (0, 3, 4), width=64, height=32, channel_bits=(5, 0, 3),
                       palette_bits=(2,), mips=[[(layout, [1] * 10 + [5] * 200)]]).mips[0]  # fmt: skip
    first, second = material.groups
    first = replace(first, tail_mips=(first.tail_mips[0], crowd, None))
    words = fmt.pack(replace(material, groups=(first, second)))
    whole, alone = fmt.validate(words), fmt.validate(words[: words[5]])
    for table in (whole, alone):
        assert [group.candidates_max for group in table.groups] == [210, 0] and table.candidates_max == 210
        assert table.cell_counts(0, 3, 0, in_tail=True).reshape(-1).tolist() == [0, 10, 0, 0, 0, 200, 0, 0, 0]
    assert whole.candidate_stats(3)[1] == whole.candidate_stats(0)[1] < 31
    assert alone.candidate_stats(2) == (0, 0) and alone.candidate_stats(3) == (210, 210)
    # Alone, the tail cannot know what the most of all mips is, but it is not less than its own.
    for stated in (209, 211):
        words[whole.groups[0].header_offset + 3] = stated
        message = f"group 0 candidates_max: got {stated}, expected 210, the largest number"
        for part in (words, words[: words[5]])[: 1 + (stated < 210)]:
            with pytest.raises(FormatError, match=message):
                fmt.validate(part)
    assert fmt.validate(words[: words[5]]).candidates_max == 211


def test_the_limit_of_candidates_is_that_of_all_groups():
    layout = make_layout(3, 3, 4, NO_GEOMETRY)
    groups = [{"members": (g,), "channel_bits": (4,), "mips": [[(layout, [4] * count)]]}
              for g, count in enumerate((1, 2000, 2000, 95))]  # fmt: skip
    words = fmt.pack(make_material(np.random.default_rng(0), channels=4, groups=groups))
    assert fmt.validate(words).candidates_max == 4096
    groups[3]["mips"] = [[(layout, [4] * 96)]]
    message = "candidates_max of all groups: got 4097, expected at most 4096; use finer cells or fewer Gaussians"
    with pytest.raises(FormatError, match=f"^{message}$"):
        fmt.pack(make_material(np.random.default_rng(0), channels=4, groups=groups))
