"""The calls of a fit on CuPy arrays, made on small ones, so that CuPy compiles its own kernels before they are needed.

CuPy compiles a kernel for each function, for the types of its arguments, and for the number of their axes.
tests/test_gpu_counts.py compares this list with the calls of fits. It does not see that CuPy 14 also distinguishes
sizes: for sums, how many numbers are added (below 128, then by powers of two up to 1024), and for the positions of a
mask, whether it has more than 512.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import numpy.typing as npt

from gstex.arrays import GpuArray

__all__ = ["array_work"]


def array_work(xp: ModuleType, channels: int) -> list[Callable[[], object]]:
    """Calls that can be made in any order and at the same time; each makes CuPy compile one kernel, or a few.

    xp: the module of the device's arrays. channels: of the fit. Nothing is computed here, but a megabyte is uploaded.
    """

    def ones(dtype: npt.DTypeLike, *shape: int) -> GpuArray:
        return xp.asarray(np.ones(shape, dtype))

    n, c, k = 4096, channels, 2  # Gaussians, texels and the like; shares or planes
    mask, masks = ones(np.bool_, n), ones(np.bool_, k, n)
    ints, longs, table = (xp.asarray(np.zeros(*of)) for of in ((n, np.int32), (n, np.int64), ((n, 3), np.int32)))
    shares, channel, pairs = ones(np.float32, n), ones(np.float32, c), ones(np.float32, n, k)
    features, geometry, picture = ones(np.float32, n, c), ones(np.float32, n, 6), ones(np.float32, k, n, c)
    doubles, pair, by_channel = ones(np.float64, n), ones(np.float64, k), ones(np.float64, c)
    matrix, products, ratios = ones(np.float64, n, c), ones(np.float64, k, n), ones(np.float64, n, k)
    tiles, images, entries = ones(np.float32, 64, c, 64), ones(np.int8, n, k), ones(np.uint32, n, k)
    # The arrays above are only read, by many calls at the same time; those below are written.
    moved, order, flags, places = ones(np.int32, n), ones(np.int64, n), ones(np.bool_, n), ones(np.int32, n, 3)
    shapes, spread, values = ones(np.float32, n, 6), ones(np.float32, n, k), ones(np.float32, n, c)
    root, sums, diagonal = ones(np.float64, n), ones(np.float64, n, c), ones(np.float64, k, n)
    one, scale = np.int32(1), np.float32(1)

    def put(target: GpuArray, key: object, values: GpuArray | int) -> Callable[[], None]:
        return lambda: target.__setitem__(key, values)

    return [
        # Sums over axes take the longest to compile.
        lambda: tiles.sum(axis=(1, 2), dtype=np.float64),
        lambda: tiles.sum(dtype=np.float64),
        lambda: matrix.sum(axis=0),
        lambda: features.sum(axis=1),
        lambda: ratios.max(axis=1),
        lambda: ints.max(),
        lambda: mask.any(),
        *[partial(ints[:size].any) for size in (16, 128, 256)],  # entries of palettes
        lambda: xp.cumsum(mask, dtype=np.int32),
        lambda: xp.cumsum(ints, dtype=np.int64),
        lambda: xp.unique(longs),
        lambda: xp.flatnonzero(mask),
        lambda: xp.flatnonzero(ints[:256]),
        lambda: xp.searchsorted(ints, ints, side="right"),
        lambda: xp.argsort(ints, kind="stable"),
        lambda: xp.argsort(doubles, kind="stable"),
        lambda: xp.argsort(longs),
        # New arrays, and other types.
        lambda: xp.arange(n, dtype=np.int32),
        lambda: xp.ones(n, np.float32),
        lambda: xp.full(n, -1, np.int32),
        lambda: xp.full(n, 0.0, np.float64),
        lambda: xp.full(n, np.float64(0), np.float64),
        lambda: moved.fill(0),
        lambda: root.fill(0.0),
        lambda: channel.astype(np.float64),
        lambda: doubles.astype(np.float32),
        lambda: matrix.astype(np.float32),
        lambda: ints.astype(np.int64),
        lambda: longs.astype(np.int32),
        lambda: xp.ascontiguousarray(entries[:, 0]).astype(np.int32),
        lambda: xp.ascontiguousarray(products.T),
        lambda: table[:, 0].copy(),
        lambda: xp.concatenate([features, features]),
        lambda: xp.concatenate([tiles, tiles]),
        lambda: xp.concatenate([ints, ints]),
        lambda: xp.concatenate([longs, longs]),
        lambda: xp.concatenate([images, images]),
        lambda: xp.concatenate([mask, mask]),
        lambda: xp.stack([features, features]),
        lambda: xp.stack([doubles, doubles]),
        lambda: xp.stack([ints, ints], axis=1),
        # Parts of arrays.
        lambda: picture.take(ints[:c], axis=2),
        lambda: tiles.take(ints[:c], axis=1),
        lambda: features[longs],
        lambda: features[ints],
        lambda: geometry[longs, 3:5],
        lambda: matrix[ints],
        lambda: products[:, longs],
        lambda: doubles[ints],
        lambda: doubles[longs],
        lambda: ints[ints],
        lambda: ints[longs],
        lambda: longs[ints],
        lambda: longs[longs],
        lambda: mask[longs],
        lambda: mask[mask],
        lambda: ints[mask],
        lambda: images[mask],
        put(shapes, longs, geometry),
        put(shapes, longs, 0),
        put(shapes, (longs, slice(3, 5)), pairs),
        put(places, (longs, 0), 0),
        put(places, ..., table),
        put(moved, longs, 0),
        put(moved, slice(1, None), ints[1:]),
        put(order, ..., longs),
        put(order, slice(1, None), longs[1:]),
        put(root, ints, doubles),
        put(diagonal, (slice(None), ints), products),
        # Whole numbers and conditions.
        lambda: ints + one,
        lambda: ints - ints,
        lambda: ints < 0,
        lambda: ints == ints,
        lambda: table[:, 0] == 1,
        lambda: longs * 1,
        lambda: longs // 1,
        lambda: longs % 1,
        lambda: longs + ints,
        lambda: xp.bitwise_or(flags, mask, out=flags),
        # float32.
        lambda: shares > 0.0,
        lambda: channel == 0,
        lambda: xp.where(mask[:c], scale, channel),
        lambda: channel * channel,
        lambda: features - channel,
        lambda: features - features,
        lambda: features + features,
        lambda: features * channel,
        lambda: features / channel,
        lambda: features ** 2,
        lambda: pairs / pair,
        lambda: xp.add(values, features, out=values),
        lambda: xp.subtract(spread, shares[:, None], out=spread),
        lambda: picture * channel,
        lambda: tiles * scale,
        lambda: tiles * channel[:, None],
        # float64.
        lambda: -doubles,
        lambda: doubles + 1e-12,
        lambda: doubles * 1.0,
        lambda: 1.0 * doubles,
        lambda: doubles * doubles,
        lambda: doubles * shares,
        lambda: doubles / doubles,
        lambda: matrix[:, 0] / 1,
        lambda: doubles > 0,
        lambda: doubles > doubles,
        lambda: xp.sqrt(doubles),
        lambda: xp.log(doubles),
        lambda: xp.maximum(doubles, 1.0),
        lambda: xp.where(mask, doubles, 1.0),
        lambda: products > 1e-9,
        lambda: xp.maximum(products, 1e-9),
        lambda: 1 / products,
        lambda: xp.where(masks, products, 0.0),
        lambda: matrix * -0.5,
        lambda: matrix * matrix,
        lambda: matrix + matrix,
        lambda: by_channel * matrix,
        lambda: xp.add(sums, matrix, out=sums),
        lambda: xp.subtract(sums, matrix, out=sums),
    ]  # fmt: skip
