"""The losses of the fit in torch, to read: the twin of ops/perceptual_loss.cpp and of the error of ops/blend.cpp."""

import torch
from torch.nn.functional import conv2d

from gstex.encode.loss import C1, C2, SSIM_SHARE, WINDOW


def squared_error(image: torch.Tensor, target: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
    """Weighted sum of squares over texels and channels; all arguments [H, W, C]."""
    return (importance * (image - target) ** 2).sum()


def ssim(image: torch.Tensor, target: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
    """Structural similarity of every texel, [H, W, C] like its arguments (Wang et al. 2004, eq. 13).

    Means, variances and the covariance are those of the texels under the window that lie inside the image,
    weighted by window times importance. Texels whose window holds no importance get 1.
    """
    window = image.new_tensor(WINDOW)
    window = (window[:, None] * window[None, :])[None, None]  # [1, 1, 11, 11]
    x, y, w = (a.permute(2, 0, 1)[:, None] for a in (image, target, importance))  # [C, 1, H, W] each

    def windowed(a: torch.Tensor) -> torch.Tensor:
        return conv2d(a, window, padding=window.shape[-1] // 2)

    norm = windowed(w)

    def mean(a: torch.Tensor) -> torch.Tensor:
        return torch.where(norm > 0, windowed(w * a) / norm.clamp(min=torch.finfo(a.dtype).tiny), 0)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (luminance * structure)[:, 0].permute(1, 2, 0)  # [H, W, C]


def perceptual(image: torch.Tensor, target: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
    """Weighted sum of L1 and 1 - SSIM over texels and channels; see gstex/encode/loss.py."""
    difference = (image - target).abs()
    dissimilarity = 1 - ssim(image, target, importance)
    return (importance * ((1 - SSIM_SHARE) * difference + SSIM_SHARE * dissimilarity)).sum()
