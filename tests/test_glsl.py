"""shaders/gstex.glsl against the reference, texel by texel: whole mips decoded by shaders/decode.comp."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_specs import SPECS, built, tie_across_the_border
from glsl_materials import material_of, quick_fit, random_texture, tie_texture, tied_texels
from glsl_mips import decode_mips
from glsl_runner import LIMIT, Runner, context_or_skip
from make_golden import DATA, GOLDEN
from small_samples import MATERIALS, SAMPLES, crop_sample

import gstex
from gstex.texture import Texture

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with context_or_skip():
        yield Runner()


def check_texels(texture: Texture) -> None:
    """Every texel of every mip."""
    assert texture.mip_count > 1
    for mip, found in enumerate(decode_mips(texture.words)):
        difference = np.abs(found - texture.decode(mip)).max(axis=2)
        assert found.shape == texture.decode(mip).shape and (difference <= LIMIT).all()


def check_points(texture: Texture, runner: Runner) -> None:
    """Random points at random levels of detail and footprints, inside and outside the texture."""
    rng = np.random.default_rng(1)
    uv = rng.uniform(-1, 2, (600, 2)).astype(np.float32)
    lod = rng.uniform(-0.5, texture.mip_count, 600).astype(np.float32)
    duv = (rng.normal(size=(600, 2, 2)) * np.exp2(rng.uniform(-9, -1, (600, 1, 2)))).astype(np.float32)
    runner.upload(texture.words)
    channels = texture.channels
    np.testing.assert_allclose(runner.sample(uv, lod)[:, :channels], texture.sample(uv, lod), atol=LIMIT)
    fetched = runner.sample(uv, lod, bilinear=True)[:, :channels]
    np.testing.assert_allclose(fetched, texture.sample(uv, lod, filter="bilinear"), atol=LIMIT)
    way = texture.sampling
    taken = runner.sample_grad(uv, duv)[:, :channels]
    np.testing.assert_allclose(taken, texture.sample(uv, duv=duv, filter=way), atol=LIMIT)


@pytest.mark.parametrize("name", MATERIALS)
def test_samples(name: str, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    texture = quick_fit(monkeypatch, SAMPLES / name, 1500)
    check_texels(texture)
    check_points(texture, runner)


@pytest.mark.parametrize("name", ["metal_walkway006", "moss"])
def test_real_materials(name: str, runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data is not on this machine; the samples run the same test")
    texture = quick_fit(monkeypatch, crop_sample(str(SHARED_DATA / name), tmp_path / name, 192), 1500)
    check_texels(texture)
    check_points(texture, runner)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, runner: Runner) -> None:
    texture, expected = gstex.load(DATA / f"golden_v2_{name}.gstex"), np.load(DATA / f"golden_v2_{name}.npz")
    ties = tied_texels(material_of(texture), 0)
    assert ties.mean() < 0.01
    for mip, found in enumerate(decode_mips(texture.words)):
        counted = ~ties if mip == 0 else np.ones(found.shape[:2], bool)
        np.testing.assert_allclose(found[counted], expected[f"mip{mip}"][counted], atol=LIMIT)


@pytest.mark.parametrize("name", sorted(SPECS.keys() - GOLDEN.keys()))
def test_files_at_the_limits_of_the_format(name: str, runner: Runner, tmp_path: Path) -> None:
    """The widest fields, the smallest sizes, the most levels, entries and channels."""
    (tmp_path / "any.gstex").write_bytes(built(name))
    texture = gstex.load(tmp_path / "any.gstex")
    for mip, found in enumerate(decode_mips(texture.words)):
        np.testing.assert_allclose(found, texture.decode(mip), atol=LIMIT)


@pytest.mark.parametrize("top_k", [1, 10, 32])
@pytest.mark.parametrize("channels", [2, 3])
def test_only_the_heaviest_k_are_blended(top_k: int, channels: int, runner: Runner) -> None:
    texture = random_texture(channels, top_k=top_k)
    material = material_of(texture)
    assert material.groups[0].header["candidates_max"] > top_k
    ties = [tied_texels(material, mip) for mip in range(texture.mip_count)]
    assert np.concatenate([t.ravel() for t in ties]).mean() < 0.01
    for mip, found in enumerate(decode_mips(texture.words)):
        np.testing.assert_allclose(found[~ties[mip]], texture.decode(mip)[~ties[mip]], atol=LIMIT)
    assert np.abs(decode_mips(texture.words, [0])[0] - random_texture(channels).decode(0)).max() > 2 * LIMIT


def test_of_equal_weights_the_first_in_the_file_counts(runner: Runner) -> None:
    """One Gaussian in each of nine cells that all weigh the same: K takes the first ones."""
    texture = tie_texture(top_k=3)
    np.testing.assert_allclose(decode_mips(texture.words)[0], texture.decode(0), atol=LIMIT)
    assert abs(float(texture.decode(0)[1, 1, 0]) - 1 / 15) < 1e-3  # features 0, 1 and 2 of 15


def test_of_equal_weights_the_first_counts_across_the_border(runner: Runner, tmp_path: Path) -> None:
    data, columns = tie_across_the_border()
    (tmp_path / "tie.gstex").write_bytes(data)
    found = decode_mips(gstex.load(tmp_path / "tie.gstex").words, [0])[0]
    np.testing.assert_allclose(found[:, :3, 0], np.tile(columns, (9, 1)), atol=LIMIT)
