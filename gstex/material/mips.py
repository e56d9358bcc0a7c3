"""The smaller levels of a material: what a mip chain should show, made from level 0.

Level m has max(1, floor(size / 2^m)) texels along an axis. Everything is averaged in float64 and carried from level
to level unrounded, in the quantity that averages: light for colour, vectors for normals.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array
from gstex.errors import UsageError
from gstex.material.bleed import pull_push
from gstex.material.coverage import coverage, keep_coverage
from gstex.material.halve import FILTERS, halve
from gstex.material.material import COLOR_ROLES, Material, visible_weights
from gstex.native import maths
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["MipLevel", "make_mips"]

_HIDDEN = 0.5 / 255  # opacity that rounds to 0
# Kaiser: colour is sure above both this opacity and this share of the largest opacity around. With the share alone
# holes show bright squares (metal_walkway006, level 3); with the opacity alone 2 to 11 texels in 1000 of levels 2 and 3
# are more than 0.15 outside the colours that a box gives around them; with both at most 0.2.
_SURE, _SURE_SHARE = 1 / 8, 1 / 2
_NO_LOSS = 1e-12  # a mean normal whose squared length is this near to 1 has lost nothing but rounding


@dataclass(frozen=True, eq=False)
class MipLevel:
    """One level of a material's chain.

    pixels: float32 [h, w, C] in 0..1, encoded like `Material.pixels`.
    weights: float32 [h, w, C], 0 for colour under zero opacity as in `Material.weights`; None if all are 1.
    """

    pixels: F32Array
    weights: F32Array | None


def make_mips(
    material: Material,
    *,
    repeat: bool,
    filter: str = "box",
    roughness_from_normals: bool = False,
    alpha_test: float | None = None,
) -> list[MipLevel]:
    """All levels of a material, level 0 (its own pixels) first, down to 1x1.

    Albedo, colour and emissive are averaged in linear light, weighted by the opacity if that varies: what is
    hidden does not count, and where nothing is visible the colour around continues. Normals are averaged as vectors,
    and the mean is scaled to unit length. All else is averaged as it is (a specular colour in linear light). A constant
    channel keeps its value in every level, as a file has one value for all of them. Levels in
    `material.own_mips` are taken as they are, and the levels below are made from them.

    Args:
        repeat: the texture tiles: filter and coverage read across its borders.
        filter: 'box' or 'kaiser', see `halve.halve`.
        roughness_from_normals: add the lost variance of the normals to a roughness or gloss that varies (see
            `_widen`). Leaves alone a level that own_mips gives, and those below.
        alpha_test: in (0, 1]: scale an opacity that varies so that as much of each level is at or above this
            value as of level 0 (see `coverage.keep_coverage`).
    Raises:
        UsageError: an option is out of range.
    """
    if filter not in FILTERS:
        raise UsageError(f"mip filter: got {filter!r}, expected one of {', '.join(FILTERS)}")
    if alpha_test is not None and not 0 < alpha_test <= 1:
        raise UsageError(f"alpha test: got {alpha_test:g}, expected a number above 0 and up to 1")
    chain = _Chain(material, repeat, filter)
    chain.fill_opacity(alpha_test)
    chain.fill_normal()
    chain.fill_others(roughness_from_normals)
    chain.fill_constants()
    return [MipLevel(p, visible_weights(p, material.channels)) for p in chain.levels]


class _Chain:
    """The levels in the making, filled a channel at a time: a whole stack in float64 would be large."""

    def __init__(self, material: Material, repeat: bool, filter: str) -> None:
        self.material, self.repeat, self.filter = material, repeat, filter
        count = max(material.width, material.height).bit_length()
        sizes = [(max(1, material.height >> m), max(1, material.width >> m)) for m in range(count)]
        self.levels = [material.pixels] + [np.empty((*s, len(material.channels)), np.float32) for s in sizes[1:]]
        varying = (i for i, c in enumerate(material.channels) if c.role == "opacity" and c.constant is None)
        self.opacity_index = next(varying, None)
        # By level, float64 [h, w, 1]: the opacity without the alpha test, and the normals' lost variance.
        self.opacity: list[F64Array] = []
        self.variance: list[F64Array] = []

    def fill_opacity(self, alpha_test: float | None) -> None:
        index = self.opacity_index
        if index is None:
            return
        self.opacity = [self.material.pixels[:, :, index, None].astype(np.float64)]
        if alpha_test is not None:
            target = coverage(self.opacity[0][:, :, 0], alpha_test, repeat=self.repeat)
        for level in range(1, len(self.levels)):
            given = self._given(level, index)
            values = self._halve(self.opacity[-1]) if given is None else given
            self.opacity.append(values)
            if alpha_test is not None and given is None:
                values = keep_coverage(values[:, :, 0], alpha_test, target, repeat=self.repeat)[:, :, None]
            self._store(level, index, values)

    def fill_normal(self) -> None:
        """Average unit vectors [h, w, 3]; store their directions and note what their lengths tell."""
        xy = [i for i, c in enumerate(self.material.channels) if c.role == "normal"]
        if not xy:
            return
        vectors = _unit_vectors(self.material.pixels[:, :, xy].astype(np.float64))
        self.variance = [np.zeros((*vectors.shape[:2], 1))]
        for level in range(1, len(self.levels)):
            vectors = self._halve(vectors)
            length = np.sqrt((vectors**2).sum(axis=2, keepdims=True))
            self.variance.append(_lost_variance(length))
            given = [g for g in (self._given(level, i) for i in xy) if g is not None]
            if len(given) == 2:  # it gives the direction; the length keeps what was lost so far
                vectors = length * _unit_vectors(np.concatenate(given, axis=2))
                stored = np.concatenate(given, axis=2)
            else:
                stored = _directions(vectors) * 0.5 + 0.5
            for position, index in enumerate(xy):
                self._store(level, index, stored[:, :, position, None])

    def fill_others(self, roughness_from_normals: bool) -> None:
        for index, channel in enumerate(self.material.channels):
            if channel.role in COLOR_ROLES and self.opacity:
                self._fill_weighted(index)
            elif channel.role in ("roughness", "gloss"):
                self._fill_mean(index, widen=roughness_from_normals and bool(self.variance))
            elif channel.role not in ("opacity", "normal"):
                self._fill_mean(index, widen=False)

    def fill_constants(self) -> None:
        for index, channel in enumerate(self.material.channels):
            if channel.constant is not None:
                for pixels in self.levels[1:]:
                    pixels[:, :, index] = channel.constant

    def _fill_weighted(self, index: int) -> None:
        """A colour channel, averaged with the opacity as its weight."""
        weighted = self._decoded(self.material.pixels[:, :, index, None], index) * self.opacity[0]
        for level in range(1, len(self.levels)):
            weighted, weight = self._halve(weighted), self._halve(self.opacity[level - 1])
            values = _divide(weighted, weight, self.filter, repeat=self.repeat)
            given = self._given(level, index)
            if given is not None:
                values = self._decoded(given, index)
            if given is not None or self._given(level, self.opacity_index) is not None:
                weighted = values * self.opacity[level]
            self._store(level, index, values if given is None else given, encoded=given is not None)

    def _fill_mean(self, index: int, *, widen: bool) -> None:
        """A channel averaged by itself, in linear light if it is sRGB or has a curve; `widen` by the normals' lost
        variance."""
        gloss = self.material.channels[index].role == "gloss"
        values = self._decoded(self.material.pixels[:, :, index, None], index)
        for level in range(1, len(self.levels)):
            values = self._halve(values)
            given = self._given(level, index)
            if given is not None:
                values, widen = self._decoded(given, index), False
                self._store(level, index, given, encoded=True)
            elif widen:
                roughness = _widen(1 - values if gloss else values, self.variance[level])
                self._store(level, index, 1 - roughness if gloss else roughness)
            else:
                self._store(level, index, values)

    def _halve(self, image: F64Array) -> F64Array:
        return halve(image, repeat=self.repeat, filter=self.filter)

    def _given(self, level: int, index: int | None) -> F64Array | None:
        """The material's own level of a channel, float64 [h, w, 1] as stored; None if it has none."""
        own_mip = self.material.own_mips[level - 1] if level <= len(self.material.own_mips) else None
        if own_mip is None or index is None or np.isnan(own_mip[0, 0, index]):
            return None
        return own_mip[:, :, index, None].astype(np.float64)

    def _decoded(self, values: AnyArray, index: int) -> F64Array:
        channel, values = self.material.channels[index], values.astype(np.float64)
        if channel.range.stops:
            return (maths.exp2(channel.range.stops * values) - 1) / (maths.exp2(channel.range.stops) - 1)
        return srgb_to_linear(values) if channel.color_space == "srgb" else values

    def _store(self, level: int, index: int, values: F64Array, *, encoded: bool = False) -> None:
        channel, values = self.material.channels[index], np.clip(values[:, :, 0], 0.0, 1.0)
        if not encoded and channel.range.stops:
            values = maths.log2(1 + values * (maths.exp2(channel.range.stops) - 1)) / channel.range.stops
        elif not encoded and channel.color_space == "srgb":
            values = linear_to_srgb(values)
        self.levels[level][:, :, index] = values


def _divide(weighted: F64Array, weight: F64Array, filter: str, *, repeat: bool) -> F64Array:
    """weighted / weight, both [h, w, 1]; where the quotient cannot be trusted, it is blended into those around.

    That is where next to nothing is visible. The Kaiser filter has weights of both signs: where the opacity all but
    cancels beside larger ones, the quotient can be any colour.
    """
    least: float | F64Array = _HIDDEN
    if filter == "kaiser":
        padded = np.pad(weight[:, :, 0], 1, mode="wrap") if repeat else np.pad(weight[:, :, 0], 1, mode="edge")
        around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max(axis=(2, 3))
        least = np.maximum(_SURE, _SURE_SHARE * around[:, :, None])
    trust = np.clip(weight / least, 0.0, 1.0)
    return pull_push(np.where(weight > 0, weighted / np.maximum(weight, least), 0.0), trust, repeat=repeat)


def _unit_vectors(stored: F64Array) -> F64Array:
    """X and Y of normals stored in 0..1, [h, w, 2] -> unit vectors [h, w, 3]; Z is rebuilt, 0 if they are too long."""
    x, y = stored[:, :, 0] * 2 - 1, stored[:, :, 1] * 2 - 1
    squared = x * x + y * y
    vectors = np.empty((*squared.shape, 3))
    length = np.sqrt(np.maximum(squared, 1))
    np.divide(x, length, out=vectors[:, :, 0])
    np.divide(y, length, out=vectors[:, :, 1])
    np.sqrt(np.maximum(1 - squared, 0), out=vectors[:, :, 2])
    return vectors


def _directions(vectors: F64Array) -> F64Array:
    """X and Y of vectors [h, w, 3] scaled to unit length, [h, w, 2]; (0, 0) for a vector of length 0.

    Z has no sign once it is rebuilt, so that a Z below 0, where the Kaiser filter undershoots, counts as 0.
    """
    upper = np.maximum(vectors, (-np.inf, -np.inf, 0.0))
    length = np.sqrt((upper**2).sum(axis=2, keepdims=True))
    return np.divide(upper, length, out=np.zeros_like(upper), where=length > 0)[:, :, :2]


def _lost_variance(length: F64Array) -> F64Array:
    """How much the normals under a texel differ, from the length r in 0..1 of their mean: 2 / kappa.

    kappa = (3 r - r^3) / (1 - r^2) is the concentration of the von Mises-Fisher lobe whose mean has length r
    (Neubelt and Pettineo 2013, "Crafting a Next-Gen Material Pipeline for The Order: 1886", after Banerjee et al.
    2005). Such a lobe has a variance of 1 / kappa along each axis.
    """
    r = np.clip(length, 0.0, 1.0)
    lost = 1 - r**2
    variance = 2 * lost / np.maximum(3 * r - r * r * r, 1e-9)
    return np.where(lost > _NO_LOSS, variance, 0.0)


def _widen(roughness: F64Array, variance: F64Array) -> F64Array:
    """Roughness whose lobe shows what the normals lost: alpha'^2 = alpha^2 + 2 / kappa, alpha = roughness^2.

    A microfacet lobe of width alpha has a slope variance of alpha^2 / 2 along each axis (Beckmann's; exact), and
    variances add. The course notes name 1 / kappa and their sample code 1 / (2 kappa). Fitting one lobe to the
    mean of 20000 lobes with normals of Gaussian slopes gave factors of 1.7 to 2.7 (mean 2.2) for Beckmann and
    GGX, alpha 0.05 to 0.4 and slopes of 0.05 to 0.4.
    """
    alpha = np.clip(roughness, 0.0, 1.0) ** 2
    widened = np.sqrt(np.sqrt(np.minimum(alpha**2 + variance, 1.0)))
    return np.where(variance > 0, widened, roughness)
