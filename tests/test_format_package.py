"""The package against the independent writer and reader, and the golden files of every version."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from format_builder import build
from format_specs import SPECS, built, tie_across_the_border
from independent_reader import candidates, fetch, read, sample
from make_golden import GOLDEN, golden_file

import gstex
from gstex.decode import count_candidates
from gstex.format import pack, unpack
from gstex.format.container import read_file

TOLERANCE = 4e-6  # float32 decoder against float64; the worst seen in these files is 1e-6


@pytest.fixture(params=SPECS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "built.gstex"
    path.write_bytes(built(request.param))
    return path


def test_package_reads_the_same_codes_and_packs_them_again(written: Path) -> None:
    """The format leaves no freedom: what was unpacked packs to the words it came from."""
    words, metadata = read_file(written)
    theirs, ours = unpack(words), read(written)
    assert metadata == ours.metadata
    assert (theirs.width, theirs.height) == (ours.header["width"], ours.header["height"])
    assert (theirs.repeat, theirs.bilinear) == (ours.header["repeat"], ours.header["bilinear"])
    assert (theirs.top_k, theirs.amplitude_lo) == (ours.header["top_k"], ours.amplitude_lo)
    assert theirs.amplitude_step == ours.amplitude_step
    assert theirs.srgb.tolist() == [bool(ours.header["srgb"] >> c & 1) for c in range(len(theirs.srgb))]
    for name in ("channel_lo", "channel_step", "channel_bits", "varying"):
        assert np.array_equal(getattr(theirs, name), getattr(ours, name))
    assert len(theirs.palettes) == len(ours.palettes)
    assert all(np.array_equal(a, b) for a, b in zip(theirs.palettes, ours.palettes, strict=True))
    for their_mip, our_mip in zip(theirs.mips, ours.mips, strict=True):
        if our_mip.extent is not None:
            assert their_mip.filter == our_mip.filter
            continue
        if our_mip.texels is not None:
            assert np.array_equal(their_mip.texels / 255, our_mip.texels)
            continue
        assert np.array_equal(their_mip.background, our_mip.background)
        for their, our in zip(their_mip.levels, our_mip.levels, strict=True):
            for name in set(our.entry) - {"index_offset", "record_offset", "count"}:
                assert getattr(their.layout, name) == our.entry[name], name
            assert (their.layout.scale_lo, their.layout.scale_step) == (our.scale_lo, our.scale_step)
            assert np.array_equal(their.cell, np.repeat(np.arange(len(our.start) - 1), np.diff(our.start)))
            assert np.array_equal(their.geometry, np.stack(list(our.codes.values()), axis=1))
            assert np.array_equal(their.features, our.features)
            assert np.array_equal(their.entries, our.entries)
    assert np.array_equal(pack(theirs), words)


def test_package_decodes_the_same_texels(written: Path) -> None:
    texture, ours = gstex.load(written), read(written)
    for m in range(len(ours.mips)):
        texels = texture.decode(m)
        assert texels.dtype == np.float32
        np.testing.assert_allclose(texels, fetch(ours, m), rtol=0, atol=TOLERANCE)
        assert np.array_equal(count_candidates(texture.words, m), candidates(ours, m))


def test_package_samples_the_same_points(written: Path) -> None:
    texture, ours = gstex.load(written), read(written)
    rng = random.Random(6)
    uv = np.array([[3 * rng.random() - 1, 3 * rng.random() - 1] for _ in range(200)], np.float32)
    for m in range(len(ours.mips)):
        for filtering in ("direct", "bilinear"):
            difference = texture.sample(uv, m, filter=filtering) - sample(ours, uv, m, filtering == "bilinear")
            assert np.abs(difference).max() < TOLERANCE, (m, filtering)


def test_package_gives_ties_across_the_border_to_the_earlier(tmp_path: Path) -> None:
    data, expected = tie_across_the_border()
    (tmp_path / "tie.gstex").write_bytes(data)
    texels = gstex.load(tmp_path / "tie.gstex").decode()
    assert np.abs(texels[:, :3, 0] - expected).max() < 1e-6


# Golden files


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_what_the_builder_makes(name: str) -> None:
    assert build(GOLDEN[name]()) == golden_file(name).read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_texels(name: str) -> None:
    got = read(golden_file(name))
    with np.load(golden_file(name).with_suffix(".npz")) as expected:
        assert list(expected) == [f"mip{m}" for m in range(len(got.mips))]
        for m in range(len(got.mips)):
            np.testing.assert_allclose(fetch(got, m), expected[f"mip{m}"], rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", GOLDEN)
def test_package_decodes_golden_texels(name: str) -> None:
    texture = gstex.load(golden_file(name))
    with np.load(golden_file(name).with_suffix(".npz")) as expected:
        for m, texels in enumerate(expected.values()):
            np.testing.assert_allclose(texture.decode(m), texels, rtol=0, atol=TOLERANCE)
