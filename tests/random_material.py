"""Random materials as integer codes, for the tests of the format."""

from dataclasses import replace

import numpy as np

from gstex import format as fmt


def make_level(rng, layout, channel_bits, cells):
    """A level of random codes of the full range of their fields; `cells`: a number or the cells."""
    if isinstance(cells, int):
        cells = np.sort(rng.integers(0, layout.cells_x * layout.cells_y, cells))
    cell = np.asarray(cells, np.int64)

    def codes(widths):
        columns = [rng.integers(0, 2**width, len(cell), dtype=np.uint32) for width in widths]
        return np.stack(columns, axis=1)

    return fmt.PackedLevel(layout, cell, codes(layout.geometry_widths), codes(channel_bits))


def make_layout(cells_x=4, cells_y=3, stride=64, widths=(6, 5, 5, 5, 4), scale=(-4.0, 0.25)):
    return fmt.LevelLayout(cells_x, cells_y, stride, *widths, *scale)


def make_material(rng, *, width=64, height=32, repeat=True, bilinear=False, top_k=0,
                  channel_bits=(8, 0, 5), mips=()):
    """A material; each mip is a list of (layout, cells) pairs, see make_level, None for a raw
    one, or a number, the filter of one that is drawn with the Gaussians of mip 0."""
    channel_bits = np.array(channel_bits, np.int64)
    channel_lo = rng.uniform(-1, 2, len(channel_bits)).astype(np.float32)
    built = []
    for number, pairs in enumerate(mips):
        if pairs is None:
            size = fmt.mip_size(height, number), fmt.mip_size(width, number), np.count_nonzero(channel_bits)
            built.append(fmt.PackedRawMip(rng.integers(0, 256, size, dtype=np.uint8)))
            continue
        if isinstance(pairs, float):
            built.append(fmt.PackedSharedMip(pairs))
            continue
        background = rng.uniform(-1, 2, len(channel_bits)).astype(np.float32)
        background = np.where(channel_bits == 0, channel_lo, background)
        levels = tuple(make_level(rng, layout, channel_bits, cells) for layout, cells in pairs)
        built.append(fmt.PackedMip(background, levels))
    return fmt.PackedMaterial(
        width, height, repeat, bilinear, top_k, -3.0, 2.0**-9, channel_lo,
        rng.uniform(0, 1, len(channel_bits)).astype(np.float32), channel_bits,
        rng.integers(0, 2, len(channel_bits)).astype(bool), tuple(built))


def random_material(rng):
    """Any material of the format that is small: sizes, widths, levels and mips are drawn."""
    width, height = int(rng.integers(1, 300)), int(rng.integers(1, 300))
    repeat = bool(rng.integers(2))
    channel_bits = rng.integers(0, 13, rng.integers(1, 17))
    mips: list = []
    for _ in range(rng.integers(1, max(width, height).bit_length() + 1)):
        if channel_bits.any() and rng.integers(4) == 0:
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
                widths = (*rng.integers(1, 16, 2), *rng.integers(1, 13, 2), rng.integers(0, 13))
                layout = make_layout(cells_x, cells_y, 0, tuple(int(w) for w in widths))
                steps = 2**layout.scale_bits - 1
                layout = replace(layout, scale_lo=-8.0, scale_step=float(np.float32(3.5 / steps)))
                stride = 8 * -(-(layout.geometry_bits + int(channel_bits.sum())) // 8)
                layout = replace(layout, stride=stride + 8 * int(rng.integers(0, 4)))
                if layout.geometry_bits <= 32 + np.gcd(layout.stride, 32):
                    break
            levels.append((layout, int(rng.integers(1, 200))))
            cells_x, cells_y = max(least, cells_x // 2), max(least, cells_y - 3)
        mips.append(levels)
    return make_material(rng, width=width, height=height, repeat=repeat, bilinear=bool(rng.integers(2)),
                         top_k=int(rng.integers(0, 33)), channel_bits=channel_bits, mips=mips)
