"""The picture of Image-GS and its loss, in torch. Tile lists use the 3-sigma extent; a texel blends the top 10 of its
list.

    value(p) = sum w_k f_k / (1e-4 + sum w_k),  w_k = exp(s_k),  s_k = -((a_k u_k)^2 + (b_k v_k)^2) / 2

over the TOP_K Gaussians of largest weight among those listed in the texel's tile; 0 where none is listed.

Geometry is [N, 5]: x, y (of the image, 0..1), rotation (radians), inverse scales a, b (1 / texel, of either sign).
H, W: size of the image, C: channels, T: tiles, row by row. Floats are float32 or float64, one of them throughout.
"""

import numpy as np
import torch

from gstex.arrays import F32Array, I64Array

__all__ = ["EPSILON", "TILE", "TOP_K", "Ssim", "draw", "list_tiles"]

TILE = 16  # texels, each way
TOP_K = 10
EPSILON = 1e-4  # of the denominator
# Of SSIM, Wang et al. 2004, for values of range 1.
RADIUS, SIGMA = 5, 1.5
C1, C2 = 0.01**2, 0.03**2


def list_tiles(geometry: F32Array, height: int, width: int) -> tuple[I64Array, I64Array]:
    """(start int64 [T + 1], gaussian int64 [E]): the Gaussians of each tile, in their order.

    A Gaussian is listed in all tiles that the square of 3 sigmas (of the larger one) around its centre reaches, in
    whole texels.
    """
    largest = 1 / np.maximum(np.abs(geometry[:, 3:5]).min(axis=1), 1e-9)
    radius = np.minimum(np.ceil(3 * largest), 4.0 * max(height, width))
    count = np.array([-(-width // TILE), -(-height // TILE)])
    centre = geometry[:, :2] * (width, height)
    first = np.clip(np.floor((centre - radius[:, None]) / TILE), 0, count).astype(np.int64)
    last = np.clip(np.floor((centre + radius[:, None]) / TILE) + 1, 0, count).astype(np.int64)
    across = last - first
    tiles = across.prod(axis=1)
    gaussian = np.repeat(np.arange(len(geometry)), tiles)
    within = np.arange(len(gaussian)) - np.repeat(np.cumsum(tiles) - tiles, tiles)  # the square, row by row
    row, column = np.divmod(within, across[gaussian, 0])
    tile = (first[gaussian, 1] + row) * count[0] + first[gaussian, 0] + column
    start = np.zeros(count[0] * count[1] + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(tile, minlength=len(start) - 1))
    return start, gaussian[np.argsort(tile, kind="stable")]


def draw(geometry: torch.Tensor, features: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The image [H, W, C]. Its gradient treats the choice of Gaussians in a texel as constant."""
    start, gaussian = list_tiles(geometry.detach().numpy(), height, width)
    tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
    rows = []
    with torch.no_grad():
        for y in range(tiles_y):
            who = _padded(start[y * tiles_x : (y + 1) * tiles_x + 1], gaussian)
            rows.append(_top(geometry, who, torch.arange(y * TILE, (y + 1) * TILE), (height, width)))
    chosen = torch.cat(rows)[:height, :width].reshape(-1)  # [H W TOP_K], -1: none
    # index_select is used because its gradient is summed in a fixed order.
    shapes = geometry.index_select(0, chosen.clamp(min=0)).reshape(height, width, TOP_K, 5)
    weights = _scores(shapes, torch.arange(height), (height, width)).exp() * (chosen.reshape(height, width, TOP_K) >= 0)
    values = features.index_select(0, chosen.clamp(min=0)).reshape(height, width, TOP_K, -1)
    return (weights[..., None] * values).sum(dim=2) / (EPSILON + weights.sum(dim=2, keepdim=True))


def _padded(start: I64Array, gaussian: I64Array) -> torch.Tensor:
    """The lists of a row of tiles as int64 [tiles, longest list or TOP_K], padded with -1."""
    counts = np.diff(start)
    result = np.full((len(counts), max(TOP_K, counts.max())), -1)
    result[np.arange(result.shape[1]) < counts[:, None]] = gaussian[start[0] : start[-1]]
    return torch.from_numpy(result)


def _top(geometry: torch.Tensor, who: torch.Tensor, rows: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The Gaussians of largest weight in the texels of a row of tiles: [rows, columns, TOP_K]."""
    listed = who.repeat_interleave(TILE, dim=0)[None]  # [1, columns, most]
    scores = _scores(geometry[listed.clamp(min=0)], rows, size).masked_fill(listed < 0, -torch.inf)
    return listed.expand(scores.shape).gather(2, scores.topk(TOP_K, dim=2).indices)


def _scores(geometry: torch.Tensor, rows: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Scores s at the texels of these rows, [rows, columns, n], for n Gaussians each, [rows or 1, columns, n, 5]."""
    x, y, turn, a, b = geometry.unbind(dim=3)
    dx = torch.arange(geometry.shape[1])[None, :, None] + 0.5 - x * size[1]
    dy = rows[:, None, None] + 0.5 - y * size[0]
    c, s = torch.cos(turn), torch.sin(turn)
    return -((a * (c * dx + s * dy)) ** 2 + (b * (c * dy - s * dx)) ** 2) / 2


class Ssim:
    """Structural similarity to a picture [H, W, C] (Wang et al. 2004, eq. 13).

    The window is cut at the borders of the image, and its texels count by their weights [H, W, C].
    """

    def __init__(self, target: torch.Tensor, weights: torch.Tensor):
        self._y, self._w = target.permute(2, 0, 1), weights.permute(2, 0, 1)  # [C, H, W]
        self._down, self._along = (_window(size, target.dtype) for size in target.shape[:2])
        self._norm = self._windowed(self._w).clamp(min=torch.finfo(target.dtype).tiny)
        self._mean_y, self._mean_yy = self._mean(self._y), self._mean(self._y * self._y)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """SSIM of every texel and channel, [H, W, C]."""
        x = image.permute(2, 0, 1)
        mean_x, mean_y = self._mean(x), self._mean_y
        variance_x, variance_y = self._mean(x * x) - mean_x**2, self._mean_yy - mean_y**2
        covariance = self._mean(x * self._y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
        structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
        return (luminance * structure).permute(1, 2, 0)

    def _mean(self, a: torch.Tensor) -> torch.Tensor:
        return self._windowed(self._w * a) / self._norm

    def _windowed(self, a: torch.Tensor) -> torch.Tensor:
        return self._down @ a @ self._along


def _window(size: int, dtype: torch.dtype) -> torch.Tensor:
    """The window along an axis as a matrix [size, size]; a matrix product costs less than a convolution."""
    apart = (torch.arange(size, dtype=dtype)[:, None] - torch.arange(size)).abs()
    taps = torch.exp(-0.5 * (torch.arange(-RADIUS, RADIUS + 1, dtype=dtype) / SIGMA) ** 2)
    return torch.where(apart <= RADIUS, torch.exp(-0.5 * (apart / SIGMA) ** 2), 0) / taps.sum()
