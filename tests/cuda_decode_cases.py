"""Materials for the tests of the CUDA decoder, and what runs of them under the sanitizers."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from cuda_host import HostDevice
from numpy.typing import DTypeLike
from random_material import make_layout, make_material, random_material

from gstex.cuda import GpuTexture
from gstex.format import PackedGroup, PackedMaterial, pack, validate
from gstex.format.layout import LevelLayout


def words_of(
    channels: int,
    *,
    size: tuple[int, int] = (53, 37),
    repeat: bool = False,
    top_k: int = 0,
    palette_bits: Sequence[int] = (),
    constants: Sequence[int] = (),
) -> np.ndarray:
    """The words of a material of one group, with sharp and blurred Gaussians in levels with an index and without.

    Channels have 1 to 9 bits, or with palettes 0 to 9; those in `constants` are in no group. Mips: Gaussians, two that
    share them, other Gaussians, some of them in crowded cells, and raw ones. The tail begins after the shared ones.
    """
    rng = np.random.default_rng([channels, *size, top_k, *palette_bits])
    varying = ~np.isin(np.arange(channels), constants)
    bits = np.where(varying, rng.integers(0 if palette_bits else 1, 10, channels), 0)
    mips = mips_of(sum(palette_bits) + int(bits.sum()))[: max(size).bit_length()]
    material = make_material(
        rng, width=size[0], height=size[1], repeat=repeat, bilinear=channels % 2 == 0, top_k=top_k,
        channel_bits=bits, varying=varying, palette_bits=palette_bits, mips=mips, tail=min(3, len(mips)),
    )  # fmt: skip
    return pack(within_0_and_1(material))


def mips_of(other: int) -> list:
    """Six mips, as of `make_group`, whose records have so many bits behind their geometry."""
    levels = [
        (layout_for((9, 7), (6, 5, 5, 5, 4), (-2.0, 0.09), other), 300),
        (layout_for((7, 5), (5, 0, 0, 4, 6), (-1.5, 0.1), other, regular=True), 0),
        (layout_for((5, 4), (4, 6, 6, 5, 3), (-4.0, 0.12), other + 4), 40),
        (layout_for((3, 3), (5, 5, 4, 4, 4), (-5.0, 0.2), other), 6),
    ]
    crowd = np.repeat([1, 5, 6, 10], [40, 16, 1, 15])
    second = [
        (layout_for((4, 3), (6, 5, 5, 5, 4), (-3.0, 0.1), other), crowd),
        (layout_for((4, 3), (0, 0, 0, 0, 0), (-2.0, 0.0), other, regular=True), 0),
    ]
    return [levels, 0.6, 1.7, second, None, None]


GROUPED = 13  # channels


def grouped_words(*, repeat: bool = False, tail: int = 3) -> np.ndarray:
    """Three groups whose members alternate, of 3, 1 and 7 channels, and two constant channels.

    In most mips they have blocks of different kinds. The first has palettes, and no bits for one channel; the second
    K = 5, and texels in mip 0; the third more cells than texels in mip 1.
    """
    rng = np.random.default_rng([GROUPED, repeat])

    def few(other: int, cells: tuple[int, int], count: int) -> list:
        return [(layout_for(cells, (6, 5, 5, 5, 4), (-3.0, 0.1), other), count)]

    of_palettes = mips_of(3 + 2 + 11)
    groups = [
        {"members": [1, 5, 12], "channel_bits": [4, 0, 7], "palette_bits": [3, 2], "mips": of_palettes},
        {"members": [0], "channel_bits": [6], "top_k": 5,
         "mips": [None, few(6, (5, 4), 60), None, few(6, (3, 3), 20), few(6, (3, 3), 5), []]},
        {"members": [2, 4, 6, 7, 8, 10, 11], "channel_bits": [5, 3, 8, 1, 2, 9, 5],
         "mips": [few(33, (8, 6), 200), few(33, (40, 20), 30), 2.5, [], None, few(33, (3, 3), 9)]},
    ]  # fmt: skip
    material = make_material(rng, width=53, height=37, repeat=repeat, bilinear=repeat, groups=groups, channels=GROUPED,
                             tail=tail)  # fmt: skip
    return pack(within_0_and_1(material))


def resident_part(words: np.ndarray) -> np.ndarray:
    """What a file with a tail begins with: headers, palettes and tail."""
    return words[: int(words[5])]


def layout_for(
    cells: tuple[int, int], widths: Sequence[int], scale: tuple[float, float], other_bits: int, *, regular: bool = False
) -> LevelLayout:
    """A layout whose records begin at any nibble of a word."""
    geometry = widths[0] + widths[1] + widths[2] + 2 * widths[3] + widths[4]
    stride = 4 * (math.ceil((geometry + other_bits) / 4) | 1)
    while geometry > 32 + math.gcd(stride, 32):
        stride += 4
    return make_layout(*cells, stride, widths, scale, regular=regular)


def picture_words(size: tuple[int, int], *, repeat: bool, palette_bits: Sequence[int] = ()) -> np.ndarray:
    """One level with a Gaussian a texel and no geometry, then one of ordinary Gaussians, at most as fine."""
    rng = np.random.default_rng([*size, repeat])
    bits = np.array([0, 3, 4] if palette_bits else [2, 3, 4])
    other = sum(palette_bits) + int(bits.sum())
    least = 3 if repeat else 1
    coarse = max(least, size[0] // 5), max(least, size[1] // 4)
    levels = [
        (layout_for(size, (0, 0, 0, 0, 0), (0.5, 0.0), other, regular=True), 0),
        (layout_for(coarse, (0, 5, 4, 0, 3), (-2.5, 0.0), other), 25),
    ]
    material = make_material(
        rng, width=size[0], height=size[1], repeat=repeat, channel_bits=bits, varying=[True] * 3,
        palette_bits=palette_bits, mips=[levels, 0.8][: max(size).bit_length()],
    )  # fmt: skip
    return pack(within_0_and_1(material))


def random_words(seed: int) -> np.ndarray:
    """Any small material, its values mostly inside 0 .. 1. K = 0: of random weights two may be too close to order."""
    material = random_material(np.random.default_rng(seed))
    groups = tuple(replace(group, top_k=0) for group in material.groups)
    return pack(within_0_and_1(replace(material, groups=groups)))


def within_0_and_1(material: PackedMaterial) -> PackedMaterial:
    """The material with ranges that reach from a little below 0 to a little above 1."""

    def within(group: PackedGroup) -> PackedGroup:
        most = np.maximum(2.0**group.channel_bits - 1 + 255 * len(group.palettes), 1)
        lo = np.full(len(most), np.float32(-0.02))
        return replace(group, channel_lo=lo, channel_step=np.minimum(1.04 / most, 1).astype(np.float32))

    return replace(material, groups=tuple(within(group) for group in material.groups))


def crowded_words(count: int, *, channels: int = 4) -> np.ndarray:
    """`count` Gaussians in one cell of 2x2, and a texture around it that sees them all."""
    rng = np.random.default_rng(count)
    bits = np.full(channels, 7)
    layout = layout_for((2, 2), (7, 7, 5, 5, 4), (-3.0, 0.12), int(bits.sum()))
    material = make_material(rng, width=21, height=17, repeat=False, channel_bits=bits,
                             mips=[[(layout, np.full(count, 3))]])  # fmt: skip
    return pack(within_0_and_1(material))


def points(rng: np.random.Generator, count: int) -> np.ndarray:
    """uv in -2 .. 3, some of them on the borders of the texture: float32 [count, 2]."""
    uv = rng.uniform(-2, 3, (count, 2)).astype(np.float32)
    uv[:9] = [(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1)]
    return uv


def steps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Footprints: round and long ones, up to larger than the texture, any way round; some without width or size."""
    size = np.exp2(rng.uniform(-9, 1, (count, 1, 2)))
    duv = (rng.normal(size=(count, 2, 2)) * size).astype(np.float32)
    duv[0], duv[1:10, 1], duv[10:20, 0] = 0, 0, 0
    duv[20:30, 1] = duv[20:30, 0]
    duv[30:40, :, 0] = 0  # straight down, where the direction of the axis must not cancel
    return duv


def run_sanitized_cases() -> None:
    """Every kernel of the decoder, with few files, because g++ takes long; and with points that are no numbers."""
    rng = np.random.default_rng(1)
    uv, lod = points(rng, 150), np.linspace(-3, 20, 150, dtype=np.float32)
    uv[100:108] = [(x, y) for x in (np.nan, np.inf, -np.inf, 1e30) for y in (np.nan, 0.5)]
    lod[90:93] = np.nan, np.inf, -np.inf
    files = [
        words_of(8, repeat=True, palette_bits=(5, 3), constants=(2,)),
        words_of(8, size=(1, 1), constants=(2,)),
        words_of(7, top_k=10),
        grouped_words(),
        resident_part(grouped_words(tail=2)),
        picture_words((19, 17), repeat=False),
        crowded_words(700, channels=7),
    ]
    for words in files:
        device, table = HostDevice(), validate(words)
        device.xp = _FilledArrays()
        texture = GpuTexture(words, device)
        for mip in range(table.header.first_mip, texture.mip_count):
            assert np.isfinite(texture.decode(mip)).all()
            texture.candidates(mip)
        for filter in ("direct", "bilinear"):
            values = texture.sample(uv, lod, filter=filter)
            assert ((values >= 0) & (values <= 1)).all()
        if not any(group.header.top_k for group in table.groups):
            texture.sample(uv[:60], duv=steps(rng, 60), filter="bilinear")
    print("done")


class _FilledArrays:
    """NumPy whose new arrays are full of -1, so that what no kernel writes shows."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return np.full(shape, -1, dtype)
