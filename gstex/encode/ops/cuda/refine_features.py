"""Better stored features, on the GPU: cuda/encode/refine_features.cu.

What the CPU does one Gaussian after the other is done in batches of Gaussians that do not affect each other, so that
the results are as good, and the same every time.
"""

from collections.abc import Sequence

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device, KernelArgument
from gstex.encode.ops.cpu.refine_features import MOST_SWEEPS, SMALL
from gstex.encode.ops.cuda.codebooks import GpuStoredFeatures
from gstex.encode.ops.cuda.pairs import find_batches
from gstex.encode.ops.cuda.replays import Replays
from gstex.encode.ops.cuda.sample_points import GpuBlend, GpuSamplePoints
from gstex.encode.ops.cuda.tile_lists import bounds_of, sorted_by

__all__ = ["move_bytes", "products", "refine_features", "without_small"]

_WARPS = 4  # of a block of encode/refine_features.cu
_SLOPE_THREADS, _BYTE_THREADS = 128, 256
# Tiles whose weights are held at a time.
TILES_AT_A_TIME = 2**14


def refine_features(
    points: GpuSamplePoints, blend: GpuBlend, stored: GpuStoredFeatures, *, codebooks_too: bool
) -> None:
    """Lower the error by other entries and codes, in place; see refine_features of the CPU.

    blend: of the points at these features.
    """
    xp, pairs = points.device.xp, points.pairs
    count, channels = stored.codes.shape
    value, gradient = products(points, blend, count)
    row, column, value = without_small(points.device, pairs.row, pairs.column, value)
    batches = find_batches(points.device, row, column)
    step = stored.step.astype(np.float64)
    whole = stored.whole()
    base = whole.copy()
    equations = row, column, value, np.int64(len(column))
    sweep, follow = (points.kernel("encode/refine_features.cu", name)
                     for name in ("fit_sweep_features", "fit_follow_gradient"))  # fmt: skip
    moved = xp.zeros(1, np.int32)
    # Of sums of products of shares in fixed point: they are below the sum of the importance and take 62 bits.
    most = max(float(points.importance.sum(dtype=np.float64)), 1e-30)
    unit = xp.full(1, 2.0 ** np.floor(62 - np.log2(most)), np.float64)

    def sweep_all() -> None:
        for batch in batches:
            sweep((-(-len(batch) // _WARPS),), (32 * _WARPS,), batch, np.int32(len(batch)), *equations, points.plane,
                  step, points.channel_weight, gradient, base, stored.palettes, stored.start, stored.last,
                  np.int32(len(stored.sizes)), stored.entries, stored.codes, whole, moved)  # fmt: skip

    replay = Replays(points.device, channels)
    for sweep_number in range(MOST_SWEEPS):
        moved.fill(0)
        replay("sweep", None, (), sweep_all)
        settled = int(moved[0]) * 1000 <= count * channels
        if codebooks_too and (settled or sweep_number & (sweep_number + 1) == 0):  # as on the CPU
            for p, size in enumerate(stored.sizes):
                follow((-(-count // _WARPS),), (32 * _WARPS,), *equations, points.plane, step, base, whole,
                       np.int32(count), gradient)  # fmt: skip
                base[...] = whole
                move_bytes(points, equations, step, unit, gradient, stored, p, size)
                whole[...] = stored.whole()
        if settled:
            break


def products(points: GpuSamplePoints, blend: GpuBlend, count: int) -> tuple[GpuArray, GpuArray]:
    """(float64 [planes, pairs] the sums of importance times the shares of a pair, float64 [N, C] dE / d feature divided
    by the weight of the channel)."""
    device, xp, pairs = points.device, points.device.xp, points.pairs
    tiles, channels = len(points.view), points.channels
    bounds = [*range(0, tiles, TILES_AT_A_TIME), tiles]
    first_entry = device.to_host(points.start[xp.asarray(np.array(bounds))])
    planes = points.importance.shape[1]
    value = xp.zeros((planes, len(pairs.column)), np.float64)
    gradient = xp.zeros((count, channels), np.float64)
    weight = xp.empty((int(np.diff(first_entry).max()), 64), np.float32)
    for i, begin in enumerate(bounds[:-1]):
        end = bounds[i + 1]
        points.kernel("encode/refine_features.cu", "fit_share_weights")(
            (-(-(end - begin) // _WARPS),), (32 * _WARPS,), *points.arguments(blend.derived), blend.total,
            np.int32(begin), np.int32(end), weight,
        )  # fmt: skip
        points.kernel("encode/refine_features.cu", "fit_add_products")(
            (-(-count // _WARPS),), (32 * _WARPS,), points.start, points.gaussian, points.image, pairs.by_start,
            pairs.by_gaussian, pairs.tile_of, weight, np.int32(first_entry[i]), np.int32(first_entry[i + 1]),
            points.target, points.importance, np.int32(planes), points.plane, blend.out, pairs.row, pairs.column,
            np.int64(len(pairs.column)), np.int32(count), value, gradient,
        )  # fmt: skip
    return value, gradient


def without_small(
    device: Device, row: GpuArray, column: GpuArray, value: GpuArray
) -> tuple[GpuArray, GpuArray, GpuArray]:
    """(row, column, value) without pairs that hardly overlap, as the CPU leaves them out."""
    xp, count = device.xp, len(row) - 1
    mine = xp.searchsorted(row[1:], xp.arange(len(column), dtype=np.int32), side="right").astype(np.int32)
    is_kept = mine == column
    alone = xp.flatnonzero(is_kept)
    for products in value:
        root = xp.zeros(count, np.float64)
        root[mine[alone]] = xp.sqrt(products[alone])
        is_kept |= products > SMALL * root[mine] * root[column]
    # The two sums of a pair may be rounded differently. Both stay if one does, or two of a batch would be neighbours.
    is_kept |= is_kept[xp.argsort(column.astype(np.int64) * count + mine)]
    kept = xp.flatnonzero(is_kept)
    return bounds_of(device, mine[kept], count), column[kept], xp.stack([products[kept] for products in value])


def move_bytes(
    points: GpuSamplePoints, equations: Sequence[KernelArgument], step: GpuArray, unit: GpuArray, gradient: GpuArray,
    stored: GpuStoredFeatures, p: int, size: int,
) -> None:  # fmt: skip
    """Every byte of palette p in turn takes its best value, given all others; gradient: at the present features."""
    device, xp = points.device, points.device.xp
    count, channels = stored.codes.shape
    entry = xp.ascontiguousarray(stored.entries[:, p]).astype(np.int32)
    order, start = sorted_by(device, entry, size)
    planes = points.importance.shape[1]
    sums = xp.zeros((planes, size, size), np.uint64)
    slopes = xp.empty((size, channels), np.float64)
    by_entry, slopes_of, move = (points.kernel("encode/refine_features.cu", name)
                                 for name in ("fit_sum_by_entry", "fit_entry_slopes", "fit_move_bytes"))  # fmt: skip
    by_entry((-(-count // _WARPS),), (32 * _WARPS,), *equations, np.int32(planes), entry, np.int32(size), unit,
             np.int32(count), sums)  # fmt: skip
    slopes_of((size,), (_SLOPE_THREADS,), gradient, order, start, slopes)
    first = sum(stored.sizes[:p])
    palette = stored.palettes[first : first + size]
    move((channels,), (_BYTE_THREADS,), sums, unit, slopes, points.plane, step, np.int32(size), palette,
         shared=8 * size)  # fmt: skip
