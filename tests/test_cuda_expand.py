"""The expanded form whose lists a GPU makes: the same words as the C library's, on every device there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cuda_devices import DEVICE, each_device  # noqa: F401
from cuda_host import HostDevice, run_sanitized
from format_specs import SPECS, built
from glsl_materials import quick_fit, random_texture
from make_golden import GOLDEN
from random_material import random_material
from small_samples import SAMPLES

import gstex
from gstex.cuda import GpuTexture, expand
from gstex.cuda.expanded import _Lists
from gstex.errors import DeviceError
from gstex.format import pack
from gstex.format.container import read_bytes
from gstex.texture import Texture


def check(texture: Texture, device: HostDevice | None = None) -> np.ndarray:
    """Both ways give the same words; returns these."""
    words = expand(GpuTexture(texture, device or DEVICE.chosen))
    np.testing.assert_array_equal(words, texture.expanded())
    return words


@pytest.mark.parametrize("name", sorted(SPECS.keys() | GOLDEN.keys()))
def test_files_at_the_limits_of_the_format(name: str, tmp_path: Path) -> None:
    file = tmp_path / "any.gstex"
    file.write_bytes(built(name))
    check(gstex.load(file))


def test_a_tail_alone(tmp_path: Path) -> None:
    file = tmp_path / "groups.gstex"
    file.write_bytes(built("groups"))
    texture = gstex.load(file, mips="tail")
    assert texture.table.header.first_mip
    check(texture)


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (5, 4), (12, 1), (16, 4)])
def test_random_materials(channels: int, groups: int) -> None:
    """Bilinear filtering, for one group here, and direct evaluation: with one grid of points and with two."""
    texture = random_texture(channels, groups=groups, palette_bits=(6, 4) if groups > 1 else ())
    assert texture.table.header.bilinear == (groups == 1)
    words = check(texture)
    assert words[28 + 1], "mip 0 has no lists"


@pytest.mark.parametrize("seed", range(8))
def test_any_material(seed: int) -> None:
    check(Texture(pack(random_material(np.random.default_rng(seed))), {}))


def test_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    check(quick_fit(monkeypatch, SAMPLES / "weathered_bricks", 150))


@pytest.mark.parametrize("order", [1, 5])
def test_threads_may_run_in_any_order(order: int) -> None:
    check(random_texture(5, groups=2), HostDevice(order=order))


def run_sanitized_cases() -> None:
    """One grid of points, and two with several groups."""
    check(random_texture(3), HostDevice())
    check(Texture(read_bytes(built("groups"))[0], {}), HostDevice())
    print("done")


def test_under_sanitizers() -> None:
    assert "done" in run_sanitized("test_cuda_expand", "run_sanitized_cases")


def test_a_core_with_another_layout_is_refused() -> None:
    lists = _Lists(GpuTexture(random_texture(3), DEVICE.chosen))
    with pytest.raises(DeviceError, match="does not fit the compiled core"):
        lists.make(bytes(64), bytes(4), bytes(16), 0, 1)
