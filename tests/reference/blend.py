"""The blend of docs/format.md, "Decoding a position", as one expression per line of the specification.

Every point looks at every Gaussian and masks those it does not see: no tiles, no lists, no thresholds. Slow,
but differentiable by autograd and exact in float64.
"""

import math

import torch

from gstex.encode.cell_pyramid import Pyramid

BACKGROUND_WEIGHT = math.exp(-20.0)
# Bounds the [P, N] temporaries when nothing is recorded for autograd.
POINTS_AT_ONCE = 4096


def fade(d: torch.Tensor) -> torch.Tensor:
    """1 in the middle of the 3x3 block of cells, 0 with zero slope at its edge.

    d: offset from the low edge of the block's middle cell, in cells; the block is -1 .. 2.
    """
    f = (2 * (1.5 - (d - 0.5).abs())).clamp(0, 1)
    return f * f * (3 - 2 * f)


def blend(
    geometry: torch.Tensor,
    features: torch.Tensor,
    background: torch.Tensor,
    pyramid: Pyramid,
    placement: torch.Tensor,
    points: torch.Tensor,
    *,
    top_k: int = 0,
) -> torch.Tensor:
    """Values of a set of Gaussians at arbitrary points.

    Args:
        geometry: [N, 6] float32 or float64: x, y (texels), rotation (radians), log sigma u, log sigma v
            (natural logs of texels), amplitude (natural log). The dtype of all results.
        features: [N, C], like geometry.
        background: [C], like geometry.
        pyramid: grids of cells.
        placement: [N, 3] int64: level, cell_x, cell_y.
        points: [M, 2] like geometry: x, y in texels, row 0 = top, the first texel's centre is (0.5, 0.5).
        top_k: how many Gaussians take part in a point; 0 for all. Ties go to the lower index.

    Returns:
        [M, C], not clamped. Differentiable in geometry, features and background.
    """
    chunks = [
        _normalise(_weights(geometry, pyramid, placement, chunk), features, background, top_k)
        for chunk in points.split(POINTS_AT_ONCE)
    ]
    return torch.cat(chunks)  # [M, C]


def _weights(
    geometry: torch.Tensor, pyramid: Pyramid, placement: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Weights [P, N] of all Gaussians at points [P, 2]; exactly 0 where a Gaussian is not visible."""
    extent = points.new_tensor([pyramid.width, pyramid.height])
    if pyramid.repeat:
        points = points - extent * (points / extent).floor()
    else:
        points = torch.minimum(points.clamp(min=0), extent)

    count = torch.as_tensor(pyramid.cells, dtype=torch.int64)[placement[:, 0]]  # [N, 2]: n of its level
    size = extent / count  # [N, 2]: a cell in texels
    q = points[:, None, :] * (count / extent)  # [P, N, 2]
    cell = torch.minimum(q.floor().to(torch.int64), count - 1)
    fraction = q - cell

    # Through which cell (i, j) of the 3x3 is the Gaussian read? With at least 3 cells there is one answer.
    offset = placement[:, 1:] - cell  # [P, N, 2]
    if pyramid.repeat:
        offset = (offset + 1) % count - 1
    visible = (offset.abs() <= 1).all(dim=2)  # [P, N]

    centre = geometry[:, :2] / size - placement[:, 1:]  # [N, 2]: inside its own cell, in cells
    dx, dy = ((fraction - offset - centre) * size).unbind(dim=2)  # [P, N] each
    rotation, log_sigma_u, log_sigma_v, amplitude = geometry[:, 2:].unbind(dim=1)  # [N] each
    u = torch.exp(-log_sigma_u) * (torch.cos(rotation) * dx + torch.sin(rotation) * dy)
    v = torch.exp(-log_sigma_v) * (torch.cos(rotation) * dy - torch.sin(rotation) * dx)
    weight = torch.exp(amplitude - (u**2 + v**2) / 2) * fade(fraction - offset).prod(dim=2)
    return torch.where(visible, weight, 0)


def _normalise(
    weight: torch.Tensor, features: torch.Tensor, background: torch.Tensor, top_k: int
) -> torch.Tensor:
    """Blend features [N, C] and background [C] with weights [P, N] -> [P, C]."""
    if top_k:
        ranked = weight.argsort(dim=1, descending=True, stable=True)[:, :top_k]  # [P, K]
        weight = torch.where(torch.zeros_like(weight, dtype=torch.bool).scatter(1, ranked, True), weight, 0)
    total = BACKGROUND_WEIGHT + weight.sum(dim=1, keepdim=True)  # [P, 1]
    return (BACKGROUND_WEIGHT * background + weight @ features) / total
