"""The package against the independent writer and reader, and the golden files of every version."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from format_builder import build
from format_specs import SPECS, built, tie_across_the_border
from independent_reader import Group, Material, Mip, candidates, fetch, read, read_tail, sample
from make_golden import GOLDEN, SUMS, WRITTEN, golden_file, sums

import gstex
from gstex.decode import count_candidates
from gstex.format import PackedGroup, PackedMip, PackedRawMip, PackedSharedMip, pack, unpack
from gstex.format.container import read_file
from gstex.format.layout import COMPONENTS, ROLE_CODES

TOLERANCE = 4e-6  # float32 decoder against float64; the worst seen in these files is 1e-6
TAILS = [name for name, spec in SPECS.items() if spec.tail is not None]


@pytest.fixture(params=SPECS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(request.param, tmp_path)


def write(name: str, folder: Path) -> Path:
    path = folder / "built.gstex"
    path.write_bytes(built(name))
    return path


def test_package_reads_the_same_codes_and_packs_them_again(written: Path) -> None:
    """The format leaves no freedom: what was unpacked packs to the words it came from."""
    words, metadata = read_file(written)
    theirs, ours = unpack(words), read(written)
    assert metadata == ours.metadata
    for name in ("width", "height", "repeat", "bilinear", "mip_count", "tail"):
        assert getattr(theirs, name) == ours.header[name], name
    for number, (their_channel, our_channel) in enumerate(zip(theirs.channels, ours.channels, strict=True)):
        entry = our_channel.entry
        assert their_channel.role == ROLE_CODES[entry["role"]]
        assert their_channel.component == COMPONENTS[entry["component"]]
        assert (their_channel.srgb, their_channel.flipped) == (entry["srgb"], entry["flipped"])
        assert (their_channel.scale, their_channel.bias) == (our_channel.scale, our_channel.bias)
        assert their_channel.constant == (our_channel.constant if entry["group"] == 7 else None)
        assert all((number in group.members) == (entry["group"] == g) for g, group in enumerate(theirs.groups))
    for their_group, our_group in zip(theirs.groups, ours.groups, strict=True):
        assert_same_group(their_group, our_group)
    assert np.array_equal(pack(theirs), words)


def assert_same_group(theirs: PackedGroup, ours: Group) -> None:
    assert theirs.members == ours.members
    assert (theirs.top_k, theirs.amplitude_lo) == (ours.header["top_k"], ours.amplitude_lo)
    assert theirs.amplitude_step == ours.amplitude_step
    for name in ("channel_lo", "channel_step", "channel_bits"):
        assert np.array_equal(getattr(theirs, name), getattr(ours, name))
    assert len(theirs.palettes) == len(ours.palettes)
    assert all(np.array_equal(a, b) for a, b in zip(theirs.palettes, ours.palettes, strict=True))
    for their_mip, our_mip in zip(theirs.mips, ours.mips, strict=True):
        assert_same_mip(their_mip, our_mip)
    # What stands in the tail: an own block for what is shared in the whole, or the same.
    tail = len(ours.mips) - len(ours.tail_mips)
    stands = theirs.tail_mips or (None,) * len(ours.tail_mips)
    for number, (their_mip, our_mip) in enumerate(zip(stands, ours.tail_mips, strict=True), tail):
        assert (their_mip is None) == (ours.mip_offset[number] == ours.tail_offset[number - tail])
        assert_same_mip(their_mip or theirs.mips[number], our_mip)


def assert_same_mip(theirs: PackedMip | PackedRawMip | PackedSharedMip | None, ours: Mip | None) -> None:
    assert ours is not None
    if ours.bend is not None:
        assert type(theirs) is PackedSharedMip and theirs.filter == ours.filter
        assert np.array_equal(theirs.bend, ours.bend * 1024)
        return
    if ours.texels is not None:
        assert type(theirs) is PackedRawMip and np.array_equal(theirs.texels / 255, ours.texels)
        return
    assert type(theirs) is PackedMip and np.array_equal(theirs.background, ours.background)
    for their, our in zip(theirs.levels, ours.levels, strict=True):
        for name in set(our.entry) - {"index_offset", "record_offset", "count"}:
            assert getattr(their.layout, name) == our.entry[name], name
        assert (their.layout.scale_lo, their.layout.scale_step) == (our.scale_lo, our.scale_step)
        assert np.array_equal(their.cell, np.repeat(np.arange(len(our.start) - 1), np.diff(our.start)))
        assert np.array_equal(their.geometry, np.stack(list(our.codes.values()), axis=1))
        assert np.array_equal(their.features, our.features)
        assert np.array_equal(their.entries, our.entries)


def test_package_decodes_the_same_texels(written: Path) -> None:
    texture, ours = gstex.load(written), read(written)
    for m in range(ours.header["mip_count"]):
        assert_same_texels(texture, ours, m)


def assert_same_texels(texture: gstex.Texture, ours: Material, mip: int) -> None:
    texels = texture.decode(mip)
    assert texels.dtype == np.float32
    np.testing.assert_allclose(texels, fetch(ours, mip), rtol=0, atol=TOLERANCE)
    counts = sum((candidates(ours, group, mip) for group in ours.groups), np.zeros(texels.shape[:2], np.int64))
    assert np.array_equal(count_candidates(texture.table, mip), counts)


def some_points() -> np.ndarray:
    rng = random.Random(6)
    return np.array([[3 * rng.random() - 1, 3 * rng.random() - 1] for _ in range(200)], np.float32)


def test_package_samples_the_same_points(written: Path) -> None:
    texture, ours = gstex.load(written), read(written)
    uv = some_points()
    for m in range(ours.header["mip_count"]):
        for filtering in ("direct", "bilinear"):
            difference = texture.sample(uv, m, filter=filtering) - sample(ours, uv, m, filtering == "bilinear")
            assert np.abs(difference).max() < TOLERANCE, (m, filtering)


@pytest.mark.parametrize("name", TAILS)
def test_package_decodes_the_same_tail_alone(name: str, tmp_path: Path) -> None:
    """What may be read of the same file without all that follows its tail."""
    path = write(name, tmp_path)
    texture, ours = gstex.load(path, mips="tail"), read_tail(path.read_bytes())
    tail, uv = ours.header["tail"], some_points()
    assert len(texture.words) == ours.header["resident_words"] < len(gstex.load(path).words)
    for m in range(tail, ours.header["mip_count"]):
        assert_same_texels(texture, ours, m)
    for m in range(ours.header["mip_count"]):  # those before the tail are its first mip
        for filtering in ("direct", "bilinear"):
            difference = texture.sample(uv, m, filter=filtering) - sample(ours, uv, m, filtering == "bilinear")
            assert np.abs(difference).max() < TOLERANCE, (m, filtering)
    for their_group, our_group in zip(texture.table.groups, ours.groups, strict=True):
        assert tuple(mip.offset for mip in their_group.tail_mips) == our_group.tail_offset


def test_some_tails_hold_another_block_than_the_whole() -> None:
    """Else what is said of them above would hold of any reader that looks at mip_offset."""
    assert len(TAILS) >= 5
    other = [any(any(group.tail_mips) for group in SPECS[name].groups) for name in TAILS]
    assert any(other) and not all(other)


def test_package_gives_ties_across_the_border_to_the_earlier(tmp_path: Path) -> None:
    data, expected = tie_across_the_border()
    (tmp_path / "tie.gstex").write_bytes(data)
    texels = gstex.load(tmp_path / "tie.gstex").decode()
    assert np.abs(texels[:, :3, 0] - expected).max() < 1e-6


# Golden files


def test_golden_files_never_change() -> None:
    """Version 2 is frozen: a file that has been written decodes to the same values for ever."""
    assert sums() == SUMS.read_text(encoding="utf-8")
    assert len(sums().splitlines()) == 2 * (len(GOLDEN) + 1)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_what_the_builder_makes(name: str) -> None:
    assert build(GOLDEN[name]()) == golden_file(name).read_bytes()


@pytest.mark.parametrize("name", [*GOLDEN, WRITTEN])
def test_golden_texels(name: str) -> None:
    got = read(golden_file(name))
    with np.load(golden_file(name).with_suffix(".npz")) as expected:
        assert list(expected) == [f"mip{m}" for m in range(got.header["mip_count"])]
        for m, texels in enumerate(expected.values()):
            np.testing.assert_allclose(fetch(got, m), texels, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", [*GOLDEN, WRITTEN])
def test_package_decodes_golden_texels(name: str) -> None:
    texture = gstex.load(golden_file(name))
    with np.load(golden_file(name).with_suffix(".npz")) as expected:
        for m, texels in enumerate(expected.values()):
            np.testing.assert_allclose(texture.decode(m), texels, rtol=0, atol=TOLERANCE)
