"""Random materials as integer codes, for the tests of the format."""

from dataclasses import replace

import numpy as np

from gstex import format as fmt


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


def make_material(rng, *, width=64, height=32, repeat=True, bilinear=False, top_k=0,
                  channel_bits=(8, 0, 5), varying=None, palette_bits=(), mips=()):
    """A material; each mip is a list of (layout, cells) pairs, see make_level, None for a raw
    one, or a number, the filter of one that is drawn with the Gaussians of mip 0. varying: the channels that vary,
    None for those with bits."""
    channel_bits = np.array(channel_bits, np.int64)
    varying = channel_bits > 0 if varying is None else np.array(varying, bool)
    varying_count = int(np.count_nonzero(varying))
    channel_lo = rng.uniform(-1, 2, len(channel_bits)).astype(np.float32)
    built = []
    for number, pairs in enumerate(mips):
        if pairs is None:
            size = fmt.mip_size(height, number), fmt.mip_size(width, number), varying_count
            built.append(fmt.PackedRawMip(rng.integers(0, 256, size, dtype=np.uint8)))
            continue
        if isinstance(pairs, float):
            built.append(fmt.PackedSharedMip(pairs))
            continue
        background = rng.uniform(-1, 2, len(channel_bits)).astype(np.float32)
        background = np.where(varying, background, channel_lo)
        levels = tuple(make_level(rng, layout, channel_bits, cells, palette_bits) for layout, cells in pairs)
        built.append(fmt.PackedMip(background, levels))
    return fmt.PackedMaterial(
        width, height, repeat, bilinear, top_k, -3.0, 2.0**-9, channel_lo,
        rng.uniform(0, 1, len(channel_bits)).astype(np.float32), channel_bits,
        rng.integers(0, 2, len(channel_bits)).astype(bool), tuple(built), varying,
        tuple(rng.integers(0, 256, (2**bits, varying_count), dtype=np.uint8) for bits in palette_bits))


def random_material(rng):
    """Any material of the format that is small: sizes, widths, levels and mips are drawn."""
    width, height = int(rng.integers(1, 300)), int(rng.integers(1, 300))
    repeat = bool(rng.integers(2))
    channel_bits = rng.integers(0, 13, rng.integers(1, 17))
    varying = channel_bits > 0
    # None, or up to four of them; then some channels that vary have no bits of their own.
    palette_bits = rng.integers(1, 9, rng.integers(0, 5) if rng.integers(2) and varying.any() else 0).tolist()
    if palette_bits:
        channel_bits = np.where(rng.integers(0, 3, len(varying)) > 0, channel_bits, 0)
    mips: list = []
    for _ in range(rng.integers(1, max(width, height).bit_length() + 1)):
        if varying.any() and rng.integers(4) == 0:
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
                stride = 4 * -(-(layout.geometry_bits + sum(palette_bits) + int(channel_bits.sum())) // 4)
                layout = replace(layout, stride=max(4, stride) + 4 * int(rng.integers(0, 7)))
                if layout.geometry_bits <= 32 + np.gcd(layout.stride, 32):
                    break
            levels.append((layout, int(rng.integers(1, 200))))
            cells_x, cells_y = max(least, cells_x // 2), max(least, cells_y - 3)
        mips.append(levels)
    return make_material(rng, width=width, height=height, repeat=repeat, bilinear=bool(rng.integers(2)),
                         top_k=int(rng.integers(0, 33)), channel_bits=channel_bits, varying=varying,
                         palette_bits=palette_bits, mips=mips)
