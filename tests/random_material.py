"""Random materials as integer codes, for the tests of the format."""

from dataclasses import replace

import numpy as np

from gstex import format as fmt
from gstex.format.layout import COMPONENTS, ROLE_CODES


def make_level(rng, layout, channel_bits, cells, palette_bits=()):
    """A level of random codes of the full range of their fields; `cells`: a number or the cells. A regular level has
    one Gaussian in each, whatever `cells` says."""
    if layout.regular:
        cells = np.arange(layout.cells_x * layout.cells_y)
    if isinstance(cells, int):
        cells = np.sort(rng.integers(0, layout.cells_x * layout.cells_y, cells))
    cell = np.asarray(cells, np.int64)

    def codes(widths):
        columns = [rng.integers(0, 2**width, len(cell), dtype=np.uint32) for width in widths]
        return np.stack(columns, axis=1) if columns else np.zeros((len(cell), 0), np.uint32)

    return fmt.PackedLevel(layout, cell, codes(layout.geometry_widths), codes(channel_bits), codes(palette_bits))


def make_layout(cells_x=4, cells_y=3, stride=64, widths=(6, 5, 5, 5, 4), scale=(-4.0, 0.25), regular=False):
    return fmt.LevelLayout(cells_x, cells_y, stride, *widths, *scale, regular=regular)


def make_group(rng, members, *, width, height, channel_bits, palette_bits=(), mips=(), top_k=0, tail=None):
    """A group of channels.

    Each mip is a list of (layout, cells) pairs, see make_level, None for a raw one, or a number, the filter of one that
    is drawn with the Gaussians of mip 0; the last has texels in the tail that begins at mip `tail`.
    """
    members = tuple(int(c) for c in members)
    count, channel_bits = len(members), np.array(channel_bits, np.int64)
    built = []

    def texels(number):
        size = fmt.mip_size(height, number), fmt.mip_size(width, number), count
        return fmt.PackedRawMip(rng.integers(0, 256, size, dtype=np.uint8))

    for number, pairs in enumerate(mips):
        if pairs is None:
            built.append(texels(number))
        elif isinstance(pairs, float):
            built.append(fmt.PackedSharedMip(pairs, rng.integers(-511, 512, (count, 3))))
        else:
            background = rng.uniform(-1, 2, count).astype(np.float32)
            levels = tuple(make_level(rng, layout, channel_bits, cells, palette_bits) for layout, cells in pairs)
            built.append(fmt.PackedMip(background, levels))
    in_tail = range(len(built) if tail is None else tail, len(built))
    alone = tuple(texels(m) if isinstance(built[m], fmt.PackedSharedMip) else None for m in in_tail)
    alone = alone if any(alone) else ()
    return fmt.PackedGroup(
        members, top_k, -3.0, 2.0**-9, rng.uniform(-1, 2, count).astype(np.float32),
        rng.uniform(0, 1, count).astype(np.float32), channel_bits, tuple(built),
        tuple(rng.integers(0, 256, (2**bits, count), dtype=np.uint8) for bits in palette_bits), alone)


def make_channels(rng, count, constant=()):
    """Entries of channels, of which some are constant."""
    return tuple(
        fmt.ChannelEntry(
            str(rng.choice(ROLE_CODES)), str(rng.choice(COMPONENTS)), bool(rng.integers(2)),
            float(np.float32(rng.uniform(-1, 2))) if c in constant else None, False,
            float(np.float32(rng.uniform(0.1, 9))), float(np.float32(rng.uniform(-9, 9))))
        for c in range(count)
    )  # fmt: skip


def make_material(rng, *, width=64, height=32, repeat=True, bilinear=False, top_k=0,
                  channel_bits=(8, 0, 5), varying=None, palette_bits=(), mips=(), tail=None, groups=None,
                  channels=None):
    """A material.

    Of one group: channel_bits [C], palette_bits, mips and top_k are as of make_group; varying: the channels that are in
    it, None for those with bits; the others are constant.
    Of several: groups, a list of dicts of the arguments of make_group, and channels, the number of them.
    tail: None for none.
    """
    if groups is None:
        channel_bits = np.array(channel_bits, np.int64)
        varying = channel_bits > 0 if varying is None else np.array(varying, bool)
        channels = len(channel_bits)
        one = {"members": np.flatnonzero(varying), "channel_bits": channel_bits[varying], "palette_bits": palette_bits,
               "mips": mips, "top_k": top_k}  # fmt: skip
        groups = [one] if varying.any() else []
    mip_count = len(groups[0]["mips"]) if groups else len(mips)
    held = {int(c) for group in groups for c in group["members"]}
    return fmt.PackedMaterial(
        width, height, repeat, bilinear, mip_count, mip_count if tail is None or not groups else tail,
        make_channels(rng, channels, set(range(channels)) - held),
        tuple(make_group(rng, width=width, height=height, tail=tail, **group) for group in groups))


def random_material(rng):
    """Any material of the format that is small: sizes, widths, groups, levels and mips are drawn."""
    width, height = int(rng.integers(1, 300)), int(rng.integers(1, 300))
    repeat = bool(rng.integers(2))
    channels, mip_count = int(rng.integers(1, 17)), int(rng.integers(1, max(width, height).bit_length() + 1))
    owners = rng.integers(-1, rng.integers(1, 5), channels)  # -1: constant
    groups = []
    for owner in np.unique(owners[owners >= 0]):
        members = np.flatnonzero(owners == owner)
        channel_bits = rng.integers(1, 13, len(members))
        # None, or up to four of them; then some channels have no bits of their own.
        palette_bits = rng.integers(1, 9, rng.integers(0, 5) if rng.integers(2) else 0).tolist()
        if palette_bits:
            channel_bits = np.where(rng.integers(0, 3, len(members)) > 0, channel_bits, 0)
        mips = random_mips(rng, mip_count, repeat, sum(palette_bits) + int(channel_bits.sum()))
        groups.append({"members": members, "channel_bits": channel_bits, "palette_bits": palette_bits, "mips": mips,
                       "top_k": int(rng.integers(0, 33))})  # fmt: skip
    tail = int(rng.integers(1, mip_count + 1)) if groups else None
    mips = () if groups else [[]] * mip_count
    return make_material(rng, width=width, height=height, repeat=repeat, bilinear=bool(rng.integers(2)), groups=groups,
                         channels=channels, mips=mips, tail=tail)


def random_mips(rng, count, repeat, value_bits):
    """Mips as make_group takes them, whose records have so many bits behind their geometry."""
    mips: list = []
    for _ in range(count):
        if rng.integers(4) == 0:
            mips.append(None)
            continue
        if mips and mips[0] is not None and rng.integers(4) == 0:
            mips.append(float(np.float32(rng.uniform(0, 9))))
            continue
        least = 3 if repeat else 1
        cells_x, cells_y = rng.integers(least, 40, 2).tolist()
        levels = []
        for _ in range(rng.integers(0, 4)):
            while True:
                widths = np.array([*rng.integers(1, 16, 2), *rng.integers(1, 13, 2), rng.integers(0, 13)])
                # Some or all fields of geometry are not there.
                widths *= rng.integers(0, 5, 5) > 0 if rng.integers(3) else 0
                regular = bool(rng.integers(3) == 0)
                layout = make_layout(cells_x, cells_y, 0, tuple(widths.tolist()), regular=regular)
                steps = max(1, 2**layout.scale_bits - 1)
                layout = replace(layout, scale_lo=-8.0, scale_step=float(np.float32(3.5 / steps)))
                stride = 4 * -(-(layout.geometry_bits + value_bits) // 4)
                layout = replace(layout, stride=max(4, stride) + 4 * int(rng.integers(0, 7)))
                if layout.geometry_bits <= 32 + np.gcd(layout.stride, 32):
                    break
            levels.append((layout, int(rng.integers(1, 200))))
            cells_x, cells_y = max(least, cells_x // 2), max(least, cells_y - 3)
        mips.append(levels)
    return mips
