"""From the fits of all mips to the codes of a file: constants beside what varies, cells in order."""

from collections.abc import Sequence

import numpy as np

from gstex.encode.mip_chain import Mip
from gstex.encode.problem import Result
from gstex.encode.shared_mips import filter_sigma
from gstex.format import PackedLevel, PackedMaterial, PackedMip, PackedRawMip, PackedSharedMip
from gstex.material import Material

__all__ = ["pack_mips"]


def pack_mips(material: Material, mips: Sequence[Mip], *, repeat: bool, bilinear: bool) -> PackedMaterial:
    """Put together what the file holds.

    Args:
        mips: of the channels that vary, as `fit_chain` returns them; None for a mip that is its mean.
    """
    channels = len(material.channels)
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    lo, step = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    bits = np.zeros(channels, np.int64)
    background = np.zeros(channels, np.float32)
    for i, channel in enumerate(material.channels):
        if channel.constant is not None:
            lo[i] = background[i] = channel.constant
    palettes: tuple[np.ndarray, ...] = ()
    amplitude_lo = amplitude_step = 0.0
    first = mips[0]
    if isinstance(first, Result):
        # One coding for the whole file, chosen by mip 0.
        coding = first.coding
        lo[varying], step[varying], bits[varying] = coding.channel_lo, coding.channel_step, coding.channel_bits
        background[varying], palettes = first.background, coding.palettes
        amplitude_lo, amplitude_step = coding.amplitude_lo, coding.amplitude_step
    elif isinstance(first, np.ndarray):  # all mips are texels; the coding is theirs
        step[varying], bits[varying] = 1 / 255, 8
    packed: list[PackedMip | PackedRawMip | PackedSharedMip] = []
    for number, mip in enumerate(mips):
        if isinstance(mip, np.ndarray):
            packed.append(PackedRawMip(mip))
            continue
        if isinstance(mip, str):  # SHARED
            packed.append(PackedSharedMip(filter_sigma(number)))
            continue
        here = background.copy()
        if mip is not None:
            here[varying] = mip.background
        packed.append(PackedMip(here, () if mip is None else _levels(mip, varying, channels)))
    return PackedMaterial(
        width=material.width,
        height=material.height,
        repeat=repeat,
        bilinear=bilinear,
        top_k=0,
        amplitude_lo=amplitude_lo,
        amplitude_step=amplitude_step,
        channel_lo=lo,
        channel_step=step,
        channel_bits=bits,
        srgb=np.array([c.color_space == "srgb" for c in material.channels], bool),
        mips=tuple(packed),
        varying=np.array([c.constant is None for c in material.channels], bool),
        palettes=palettes,
    )


def _levels(mip: Result, varying: list[int], channels: int) -> tuple[PackedLevel, ...]:
    """The levels that hold Gaussians, each in the order of its cells."""
    levels = []
    for i, layout in enumerate(mip.coding.levels):
        here = np.flatnonzero(mip.placement[:, 0] == i)
        if layout is None or not len(here):
            continue
        cell = mip.placement[here, 2].astype(np.int64) * layout.cells_x + mip.placement[here, 1]
        order = np.argsort(cell, kind="stable")
        features = np.zeros((len(here), channels), np.uint32)
        features[:, varying] = mip.features[here]
        entries = mip.entries[here][order]
        levels.append(PackedLevel(layout, cell[order], mip.geometry[here][order], features[order], entries))
    return tuple(levels)
