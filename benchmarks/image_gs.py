"""Image-GS as published (Zhang et al., SIGGRAPH 2025, arXiv 2407.01866), for comparison: its fit of a material.

Constants and order of steps are those of the authors' code (NYU-ICL/image-gs, cfgs/default.yaml and model.py, in 2025),
run here by torch. Half of the Gaussians start where the gradient is large; the others are added in four batches where
the error is large. All are drawn by tiles and top-K normalised blending, and Adam minimises L1 + 0.1 (1 - SSIM). There
is no amplitude, no relocation, no mips and no wrap. All parameters are stored in 16 bits, with one range for each kind
of parameter (one for all channels). Nothing else is counted in `bytes`.

What differs from the authors' code, either in favour of Image-GS or without effect:
    - channels that do not vary are left out and cost nothing; colour under zero opacity has no weight
    - values are rounded to 16 bits once, at the end; the authors' code also rounds in every step (straight-through),
      which at 16 bits is far below what can be seen
    - the learning rates fall on a plateau, as there, but at DECAY_AT of the steps at the latest, so that any fit
    converges - the SSIM window is cut at the border of the image instead of padded with zeros
    - up to 16 channels; the authors' kernel is compiled for 12

torch is loaded when a fit begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I64Array, U16Array
from gstex.errors import BudgetError, ExtraError
from gstex.material import Material

if TYPE_CHECKING:
    import torch

__all__ = ["STEPS", "Fit", "ImageGs", "fit_image_gs", "round_to_16_bits"]

STEPS = 5000  # the minimum of the authors' code: 4 x 500 while Gaussians are added, then 3000
PARTS = 50  # numbers of steps are shares here; the authors check figures every 100 of 5000 steps, so 50 times,
ADD_EVERY, ADD_TIMES = 5, 4  # Gaussians are added at every 5th check, 4 times,
PATIENCE = 10  # and 10 checks without progress are a plateau
DECAY_AT, DECAY = 0.8, 0.1
LEAST_DB, LEAST_SSIM = 0.1, 0.001  # progress is a gain of both
FIRST_SHARE = 0.5  # of the Gaussians are there at the start
RANDOM_SHARE = 0.3  # of these start at random texels
START_SIGMA = 5.0  # texels
# Adam's learning rates for position (0..1 across the image), rotation (radians) and inverse scales (1 / texel),
# features.
RATES = (5e-4, 2e-3, 5e-3)
SSIM_WEIGHT = 0.1  # the weight of L1 is 1


@dataclass(frozen=True, eq=False)
class ImageGs:
    """The result of a fit: what is stored, and what it decodes to.

    stack: float32 [H, W, C] in 0..1, all channels of the material. gaussians: how many. parameters: codes of 16 bits,
    Gaussian by Gaussian. lists: the tile lists of a decoder. They hold a u32 offset for every tile of 16x16 texels,
    then the numbers of its Gaussians, in 16 bits where these suffice and else in 32.
    """

    stack: F32Array
    gaussians: int
    parameters: bytes
    lists: bytes

    @property
    def bytes(self) -> int:
        """Bytes as the paper counts them: only the parameters."""
        return len(self.parameters)

    @property
    def bytes_with_lists(self) -> int:
        """Bytes that a decoder reads: parameters and tile lists."""
        return len(self.parameters) + len(self.lists)


def fit_image_gs(
    material: Material, byte_budget: int, *, steps: int = STEPS, seed: int = 0,
    progress: Callable[[int, int, float], None] = lambda step, steps, psnr: None,
) -> ImageGs:  # fmt: skip
    """Fit those channels of a material that vary.

    Args:
        byte_budget: limit of the parameters in bytes, without lists.
        steps: limit; a fit that stops improving ends earlier. Fewer steps shorten every stage alike.
        progress: called from time to time with (step, steps, PSNR in dB).

    Raises:
        BudgetError: the budget is too small for one Gaussian. ExtraError: torch is not installed.
    """
    varying = [i for i, channel in enumerate(material.channels) if channel.constant is None]
    stack = np.array(material.pixels)
    if not varying:
        return ImageGs(stack, 0, b"", b"")
    each = 2 * (5 + len(varying))
    count = byte_budget // each
    if count < 1:
        raise BudgetError(f"Image-GS: got {byte_budget} bytes, a Gaussian of {len(varying)} channels needs {each}")
    image = np.ascontiguousarray(material.pixels[:, :, varying])
    weights = np.ones_like(image)
    if material.weights is not None:
        weights = np.ascontiguousarray(material.weights[:, :, varying])
    try:
        from benchmarks.image_gs_torch import list_tiles
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ExtraError("Image-GS needs torch: pip install torch") from None
    fit = Fit(image, weights, count, np.random.default_rng(seed))
    fit.run(steps, progress)
    codes, geometry, features = round_to_16_bits(fit.geometry, fit.features)
    start, gaussian = list_tiles(geometry, *image.shape[:2])
    ids = gaussian.astype("<u2" if count <= 1 << 16 else "<u4")
    stack[:, :, varying] = np.clip(_drawn(geometry, features, *image.shape[:2]), 0, 1)
    stack.flags.writeable = False
    return ImageGs(stack, count, codes.tobytes(), start[:-1].astype("<u4").tobytes() + ids.tobytes())


def _drawn(geometry: F32Array, features: F32Array, height: int, width: int) -> F32Array:
    import torch

    from benchmarks.image_gs_torch import draw

    with torch.no_grad():
        return draw(torch.from_numpy(geometry), torch.from_numpy(features), height, width).numpy()


class Fit:
    """Gaussians while they are fitted: geometry float32 [N, 5] (see image_gs_torch), features float32 [N, C].

    image, weights: float32 [H, W, C], the picture and the weight of each value. count: final number of Gaussians; the
    fit begins with FIRST_SHARE of them.
    """

    def __init__(self, image: F32Array, weights: F32Array, count: int, rng: np.random.Generator):
        import torch

        from benchmarks.image_gs_torch import Ssim

        self._image, self._weights, self._count, self._rng = image, weights, count, rng
        self._texels = max(float(weights.sum(dtype=np.float64)), 1.0)
        self._ssim = Ssim(torch.from_numpy(image), torch.from_numpy(weights))
        first = math.ceil(FIRST_SHARE * count)
        anywhere = round(RANDOM_SHARE * first)
        change = _squared_gradient(image, weights)
        texels = np.concatenate([self._choose(np.ones_like(change), anywhere), self._choose(change, first - anywhere)])
        self._start_adam(self._at(texels), image.reshape(-1, image.shape[2])[texels])

    @property
    def geometry(self) -> F32Array:
        return np.concatenate([part.detach().numpy() for part in self._parts[:2]], axis=1)

    @property
    def features(self) -> F32Array:
        return np.array(self._parts[2].detach().numpy())

    def run(self, steps: int, progress: Callable[[int, int, float], None]) -> None:
        """Run the whole schedule of at most `steps` steps; see fit_image_gs."""
        every = max(1, steps // PARTS)
        batch = math.ceil((self._count - len(self.geometry)) / ADD_TIMES)
        rate, best, waited = 1.0, (0.0, 0.0), 0
        for step in range(1, steps + 1):
            psnr, similarity = self.take_step(rate)
            if step % every:
                continue
            progress(step, steps, psnr)
            if len(self.geometry) < self._count:
                if step % (ADD_EVERY * every) == 0:
                    self.add(min(batch, self._count - len(self.geometry)))
                continue
            if psnr > best[0] + LEAST_DB and similarity > best[1] + LEAST_SSIM:
                best, waited = (psnr, similarity), 0
            else:
                waited += 1
            if rate == 1 and (waited >= PATIENCE or step >= DECAY_AT * steps):
                rate, waited = DECAY, 0
            elif waited >= PATIENCE:
                break

    def take_step(self, rate: float) -> tuple[float, float]:
        """Take one step of Adam; returns (PSNR, SSIM) before it."""
        import torch

        from benchmarks.image_gs_torch import draw

        image, weights = torch.from_numpy(self._image), torch.from_numpy(self._weights)
        out = draw(torch.cat(self._parts[:2], dim=1), self._parts[2], *self._image.shape[:2])
        distance = (weights * (out - image).abs()).sum() / self._texels
        dissimilarity = (weights * (1 - self._ssim(out))).sum() / self._texels
        for group, usual in zip(self._adam.param_groups, RATES, strict=True):
            group["lr"] = rate * usual
        self._adam.zero_grad()
        (distance + SSIM_WEIGHT * dissimilarity).backward()
        self._adam.step()
        with torch.no_grad():
            error = (weights * (out.clip(0, 1) - image) ** 2).sum(dtype=torch.float64)
        return -10 * math.log10(max(error.item() / self._texels, 1e-12)), 1 - dissimilarity.item()

    def add(self, count: int) -> None:
        """Add Gaussians where the error is large; their features are the error itself. Adam's moments are reset."""
        height, width, channels = self._image.shape
        out = np.clip(_drawn(self.geometry, self.features, height, width), 0, 1)
        missing = self._weights * (_blurred(self._image, math.sqrt(height * width)) - out)
        texels = self._choose(np.abs(missing).mean(axis=2) ** 2, count)
        self._start_adam(np.concatenate([self.geometry, self._at(texels)]),
                         np.concatenate([self.features, missing.reshape(-1, channels)[texels]]))  # fmt: skip

    def _start_adam(self, geometry: F32Array, features: F32Array) -> None:
        import torch

        parts = (geometry[:, :2], geometry[:, 2:], features)
        self._parts: list[torch.Tensor] = [torch.tensor(part, requires_grad=True) for part in parts]
        self._adam = torch.optim.Adam([{"params": [part], "lr": rate} for part, rate in
                                       zip(self._parts, RATES, strict=True)])  # fmt: skip

    def _choose(self, density: FloatArray, count: int) -> I64Array:
        """Choose texels at random by a density [H, W], without repetition if there are enough."""
        probability = density.ravel().astype(np.float64)
        if not probability.any():
            probability[:] = 1
        repeat = bool(count > np.count_nonzero(probability))
        return self._rng.choice(probability.size, count, replace=repeat, p=probability / probability.sum())

    def _at(self, texels: I64Array) -> F32Array:
        height, width = self._image.shape[:2]
        row, column = np.divmod(texels, width)
        geometry = np.zeros((len(texels), 5), np.float32)
        geometry[:, 0], geometry[:, 1] = (column + 0.5) / width, (row + 0.5) / height
        geometry[:, 3:5] = 1 / START_SIGMA
        return geometry


def _squared_gradient(image: F32Array, weights: F32Array) -> F64Array:
    """Weighted squares of the Sobel gradient of [H, W, C], summed over channels: [H, W]."""
    result = np.zeros(image.shape[:2])
    for axis in (0, 1):
        smooth = _convolve(image, (0.25, 0.5, 0.25), 1 - axis)
        result += (weights * _convolve(smooth, (-0.5, 0, 0.5), axis) ** 2).sum(axis=2)
    return result


def _blurred(image: F32Array, size: float) -> F32Array:
    """The picture that the authors compare: pictures of 400 texels and more are blurred by a small Gaussian."""
    taps = int(size // 400)
    if taps < 1:
        return image
    taps = max(3, taps + 1 - taps % 2)
    sigma = 0.3 * ((taps - 1) / 2 - 1) + 0.8  # the default of torchvision, as of OpenCV
    kernel = np.exp(-0.5 * ((np.arange(taps) - taps // 2) / sigma) ** 2)
    kernel /= kernel.sum()
    return _convolve(_convolve(image, kernel, 0), kernel, 1)


def _convolve(image: F32Array, kernel: Sequence[float] | F64Array, axis: int) -> F32Array:
    """Convolve along one axis; the borders are mirrored."""
    reach = len(kernel) // 2
    padding = [(0, 0)] * image.ndim
    padding[axis] = (reach, reach)
    padded = np.pad(image, padding, mode="symmetric")
    size = image.shape[axis]
    taps = [np.float32(tap) * padded.take(range(k, k + size), axis) for k, tap in enumerate(kernel)]
    return np.sum(taps, axis=0)


def round_to_16_bits(geometry: F32Array, features: F32Array) -> tuple[U16Array, F32Array, F32Array]:
    """Quantise a fit to 16 bits per parameter: (codes uint16 [N, 5 + C], geometry, features). Positions, rotations,
    scales and features have one range each. The two ends of a range are not counted as bytes."""
    values = np.concatenate([geometry, features], axis=1).astype(np.float64)
    codes = np.empty(values.shape, "<u2")
    for part in (slice(0, 2), slice(2, 3), slice(3, 5), slice(5, None)):
        low, high = values[:, part].min(), values[:, part].max()
        step = max((high - low) / 65535, 1e-8)
        codes[:, part] = np.rint((values[:, part] - low) / step)
        values[:, part] = low + codes[:, part] * step
    stored = values.astype(np.float32)
    return codes, np.ascontiguousarray(stored[:, :5]), np.ascontiguousarray(stored[:, 5:])
