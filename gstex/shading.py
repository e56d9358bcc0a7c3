"""What a material looks like lit: the same few lights and views for every stack, so that pictures can be compared.

The surface is glTF 2.0's metallic-roughness model (Appendix B, "BRDF Implementation"): Lambert under Fresnel over
GGX, with Smith's height-correlated visibility (Heitz 2014, "Understanding the Masking-Shadowing Function", eq. 99)
as in Khronos' sample viewer. Numbers are float32 and linear light until `tone_map`.

Space: x to the right of the picture, y up, z out of it towards the viewer. The plane lies in x and y; its pixels
are the texels themselves, nothing is filtered on the way, so errors of a stack are neither blurred nor moved. The
sphere is for people to look at. Lights and eyes are so far away that their directions are constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, FloatArray, IntArray, U8Array
from gstex.filtering import bilinear, block_means
from gstex.format.ranges import ValueRange
from gstex.json_types import JsonView
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = [
    "SPHERE", "VIEWS", "Ambient", "Light", "Surface", "View", "is_lit", "read_surface", "render_plane_views",
    "render_sphere", "shade", "tone_map",
]  # fmt: skip

Vector = tuple[float, float, float]

TEXELS_AT_ONCE = 2**16  # texels shaded at a time: the arrays in between stay in the cache
_RANGE = (("scale", 1.0), ("bias", 0.0), ("stops", 0.0))
_TILES = 2  # copies of a repeating material from pole to pole of the sphere
_SAMPLES = 2  # of the sphere, along each side of a pixel
_CHECKER = (0.12, 0.28)  # linear grey seen through transparent parts
_CHECKER_SIZE = 16  # pixels
_BACKDROP = 0.16  # sRGB grey beside the sphere
_LEAST_ALPHA = 0.02  # of GGX: a mirror shows a lamp as a disc of about one degree, not as a point


@dataclass(frozen=True)
class Light:
    """A lamp. to: unit vector to it. color: linear RGB, what a white Lambert surface facing it reflects."""

    to: Vector
    color: Vector


@dataclass(frozen=True)
class Ambient:
    """Light from everywhere: radiance goes linearly from `ground` to `sky` (linear RGB) along the unit vector `up`."""

    up: Vector
    sky: Vector
    ground: Vector


@dataclass(frozen=True)
class View:
    """How the plane is looked at. eye: unit vector to the viewer."""

    name: str
    eye: Vector
    lights: tuple[Light, ...]
    ambient: Ambient


def _unit(x: float, y: float, z: float) -> Vector:
    length = (x * x + y * y + z * z) ** 0.5
    return x / length, y / length, z / length


_UP = _unit(0.0, 0.6, 0.8)
_KEY = Light(_unit(-0.5, 0.55, 0.75), (1.15, 1.08, 0.98))
_FILL = Light(_unit(0.8, -0.25, 0.5), (0.10, 0.13, 0.18))
_DAY = Ambient(_UP, (0.42, 0.46, 0.52), (0.14, 0.12, 0.10))
_DUSK = Ambient(_UP, (0.10, 0.11, 0.13), (0.04, 0.04, 0.04))

# From above in daylight; from above with a light 14 degrees over the plane, which shows every bump; and slantwise
# against the light with the highlight 14 degrees beside flat parts, which shows every change of roughness.
VIEWS = (
    View("daylight", (0.0, 0.0, 1.0), (_KEY, _FILL), _DAY),
    View("grazing", (0.0, 0.0, 1.0), (Light(_unit(1.0, 0.2, 0.25), (1.9, 1.8, 1.65)),), _DUSK),
    View("against", _unit(0.0, -0.8, 0.6), (Light(_unit(0.1, 0.43, 0.9), (0.8, 0.8, 0.8)),), _DUSK),
)
SPHERE = View("sphere", (0.0, 0.0, 1.0), (_KEY, _FILL), Ambient((0.0, 1.0, 0.0), _DAY.sky, _DAY.ground))


@dataclass(frozen=True, eq=False)
class Surface:
    """Points of a surface, float32, one plane a component; `...` is any shape.

    base: [3, ...] linear RGB. normal: [3, ...] unit vectors. alpha: [...] of GGX, roughness squared.
    metallic, ao, opacity: [...] in 0..1. emissive: [3, ...] linear RGB.
    """

    base: F32Array
    normal: F32Array
    alpha: F32Array
    metallic: F32Array
    ao: F32Array
    emissive: F32Array
    opacity: F32Array


def is_lit(channels: Sequence[JsonView]) -> bool:
    """Whether these are channels of a lit material, and not of a plain picture."""
    surface = {"albedo", "normal", "roughness", "gloss", "metallic", "ao", "emissive"}
    return any(c["role"] in surface for c in channels)


def read_surface(stack: FloatArray, channels: Sequence[JsonView], convention: str | None) -> Surface:
    """The surface that a stack describes.

    Args:
        stack: float [..., C] in 0..1, encoded as `Material.pixels`.
        channels: one mapping a channel with role, component, color_space and constant, as in
            `Material.to_metadata()["channels"]`; and scale, bias and stops of colours that have a range.
        convention: of the normals; 'dx' has Y down, 'gl' and None up.

    Defaults where a map is missing: base colour mid-grey, or that of a picture ('color'); normal straight up; roughness
    1 - gloss, else 0.5; metallic 0; ao 1; emissive 0; opacity 1, also where its map is constant, as that hides nothing
    (see `Material.weights`). A normal's Z is rebuilt. Height, specular and masks are not looked at.
    """
    stack = np.clip(stack, 0, 1).astype(np.float32)
    shape = stack.shape[:-1]

    def full(value: float) -> F32Array:
        return np.full(shape, value, np.float32)

    def value(role: str) -> F32Array | None:
        picked = [i for i, c in enumerate(channels) if c["role"] == role]
        return stack[..., picked[0]] if picked else None

    def color(role: str) -> F32Array | None:
        picked = [i for i, c in enumerate(channels) if c["role"] == role][:3]
        if not picked:
            return None
        planes, first = np.moveaxis(stack[..., picked], -1, 0), channels[picked[0]]  # [3 or 1, ...]
        if first["color_space"] == "srgb":
            planes = srgb_to_linear(planes)
        planes = ValueRange(*(first.get(name, usual) for name, usual in _RANGE)).from_unit(planes)
        return np.ascontiguousarray(np.broadcast_to(planes[:1] if len(picked) < 3 else planes, (3, *shape)))

    x, y = full(0), full(0)
    slopes = [i for i, c in enumerate(channels) if c["role"] == "normal"]
    if len(slopes) >= 2:
        x, y = 2 * stack[..., slopes[0]] - 1, 2 * stack[..., slopes[1]] - 1
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    length = np.sqrt(x * x + y * y + z * z)
    normal = np.stack([x, -y if convention == "dx" else y, z]) / length

    roughness, gloss = value("roughness"), value("gloss")
    if roughness is None:
        roughness = full(0.5) if gloss is None else 1 - gloss
    base = color("albedo")
    if base is None:
        base = color("color")
    emissive = color("emissive")
    varies = any(c["role"] == "opacity" and c["constant"] is None for c in channels)

    def given(plane: F32Array | None, default: float) -> F32Array:
        return full(default) if plane is None else plane

    return Surface(
        base=np.full((3, *shape), 0.2, np.float32) if base is None else base,
        normal=normal,
        alpha=np.maximum(roughness * roughness, np.float32(_LEAST_ALPHA)),
        metallic=given(value("metallic"), 0),
        ao=given(value("ao"), 1),
        emissive=np.zeros((3, *shape), np.float32) if emissive is None else emissive,
        opacity=given(value("opacity") if varies else None, 1),
    )


def shade(surface: Surface, view: View) -> F32Array:
    """Light that leaves the surface towards the eye, opacity not yet applied: [3, ...] float32, linear, from 0 up."""
    eye = view.eye
    n, alpha = surface.normal, surface.alpha
    square = alpha * alpha
    n_eye = np.maximum(_dot(n, eye), np.float32(1e-4))
    # glTF 2.0, B.3.5: dielectrics reflect 4 % at normal incidence, metals their base colour and nothing diffusely.
    f0 = np.float32(0.04) + (surface.base - np.float32(0.04)) * surface.metallic
    diffuse = surface.base * (1 - surface.metallic)

    radiance = surface.emissive + surface.ao * _ambient(surface, view, n_eye, f0, diffuse)
    for light in view.lights:
        half = _unit(*(a + b for a, b in zip(eye, light.to, strict=True)))
        n_light = np.maximum(_dot(n, light.to), 0)
        n_half = np.maximum(_dot(n, half), 0)
        # B.2.2 and B.3.4, Schlick 1994. The angle between eye and half vector is the same everywhere.
        rise = np.float32((1 - sum(a * b for a, b in zip(eye, half, strict=True))) ** 5)
        fresnel = f0 + (1 - f0) * rise
        # B.2.3: D of GGX (Walter et al. 2007, eq. 33) times pi, since a light's colour is its irradiance over pi.
        bump = n_half * n_half * (square - 1) + 1
        distribution = square / (bump * bump)
        masking = n_light * np.sqrt(n_eye * n_eye * (1 - square) + square)
        masking += n_eye * np.sqrt(n_light * n_light * (1 - square) + square)
        specular = distribution * np.float32(0.5) / masking
        color = np.array(light.color, np.float32).reshape(3, *[1] * alpha.ndim)
        radiance += color * n_light * ((1 - fresnel) * diffuse + fresnel * specular)
    return radiance


def _ambient(surface: Surface, view: View, n_eye: F32Array, f0: F32Array, diffuse: F32Array) -> F32Array:
    """Ambient light reflected towards the eye, [3, ...]; f0 and diffuse colour [3, ...] linear.

    A radiance that is linear in direction stays so under any lobe round an axis: the cosine lobe keeps 2/3 of its
    contrast (Ramamoorthi and Hanrahan 2001, table 1). For GGX 1 - alpha / 3 is between that and a mirror's 1.
    How much is reflected: the fit of Karis 2014, "Physically Based Shading on Mobile".
    """
    ambient, n = view.ambient, surface.normal
    roughness = np.sqrt(surface.alpha)
    straight = 1 - roughness
    a004 = np.minimum(straight * straight, np.exp2(np.float32(-9.28) * n_eye)) * straight
    a004 += np.float32(0.0425) - np.float32(0.0275) * roughness
    scale = np.float32(-1.04) * a004 + np.float32(1.04) - np.float32(0.572) * roughness
    offset = np.float32(1.04) * a004 - np.float32(0.04) + np.float32(0.022) * roughness
    reflected = np.clip(f0 * scale + offset, 0, 1)

    n_up = _dot(n, ambient.up)
    # Up in the direction of a mirror image of the eye: r = 2 (n . eye) n - eye.
    eye_up = np.float32(sum(a * b for a, b in zip(view.eye, ambient.up, strict=True)))
    mirror_up = 2 * _dot(n, view.eye) * n_up - eye_up
    shape = (3, *[1] * n_up.ndim)
    sky, ground = (np.array(c, np.float32).reshape(shape) for c in (ambient.sky, ambient.ground))
    mean, contrast = (sky + ground) / 2, (sky - ground) / 2
    light_specular = mean + contrast * ((1 - surface.alpha / 3) * mirror_up)
    light_diffuse = mean + contrast * (np.float32(2 / 3) * n_up)
    return reflected * light_specular + (1 - reflected) * diffuse * light_diffuse


def tone_map(radiance: F32Array) -> F32Array:
    """Linear light [3, ...], not negative -> sRGB [3, ...] in 0..1.

    Khronos PBR Neutral (2024): keeps base colours as they are and rolls off highlights above 0.76.
    """
    start, desaturation = np.float32(0.8 - 0.04), np.float32(0.15)
    low = radiance.min(axis=0)
    offset = np.where(low < 0.08, low - np.float32(6.25) * low * low, np.float32(0.04))
    color = radiance - offset
    peak = color.max(axis=0)
    bright = np.maximum(peak, start)
    squeezed = 1 - (1 - start) ** 2 / (bright + 1 - 2 * start)
    keep = 1 / (desaturation * (bright - squeezed) + 1)
    rolled = color * (squeezed / bright * keep) + squeezed * (1 - keep)
    mapped = np.where(peak > start, rolled, color)
    return linear_to_srgb(np.clip(mapped, 0, 1))


def render_plane_views(
    stack: FloatArray, channels: Sequence[JsonView], convention: str | None, views: Sequence[View] = VIEWS
) -> list[F32Array]:
    """The material as a plane, once for each of `views`, a pixel per texel.

    Arguments as for `read_surface`, with a stack [H, W, C]. Returns float32 [H, W, 3] sRGB in 0..1; transparent
    parts show a checker.
    """
    height, width = stack.shape[:2]
    pictures = [np.empty((height, width, 3), np.float32) for _ in views]
    rows = max(1, TEXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        surface = read_surface(stack[top : top + rows], channels, convention)
        y, x = np.mgrid[top : min(top + rows, height), :width]
        for picture, view in zip(pictures, views, strict=True):
            radiance = _over_checker(shade(surface, view), surface.opacity, x, y)
            picture[top : top + rows] = np.moveaxis(tone_map(radiance), 0, -1)
    return pictures


def render_sphere(
    stack: FloatArray,
    channels: Sequence[JsonView],
    convention: str | None,
    repeat: bool,
    size: int = 256,
) -> U8Array:
    """The material on a ball in daylight: uint8 [size, size, 3] sRGB.

    Arguments as for `read_surface`, with a stack [H, W, C]. repeat: the material tiles and is shown twice from pole to
    pole, else once. Texels are averaged down to about a sample's size first, as they are encoded.
    """
    height, width = stack.shape[:2]
    fine = size * _SAMPLES
    tiles_y = _TILES if repeat else 1
    tiles_x = max(1, round(tiles_y * height / width)) if repeat else 1
    # In the middle of the ball a sample is 2 / fine radii wide, and pole to pole is pi radii.
    across = 2 / (np.pi * fine)
    small = block_means(stack, round(height * tiles_y * across), round(width * tiles_x * across))

    y, x = np.mgrid[:fine, :fine]
    right, up = (x + 0.5) * (2 / fine) - 1, 1 - (y + 0.5) * (2 / fine)
    inside = right**2 + up**2 < 1
    right, up = right[inside], up[inside]
    out = np.sqrt(1 - right**2 - up**2)
    longitude, latitude = np.arctan2(right, out), np.arcsin(up)
    uv = np.stack([tiles_x * (0.5 + longitude / np.pi), tiles_y * (0.5 - latitude / np.pi)], axis=1)
    surface = read_surface(bilinear(small, uv, repeat=repeat), channels, convention)

    ball = np.stack([right, up, out])
    east = np.stack([np.cos(longitude), np.zeros_like(longitude), -np.sin(longitude)])
    north = np.cross(ball, east, axis=0)
    tangent = surface.normal
    normal = (tangent[0] * east + tangent[1] * north + tangent[2] * ball).astype(np.float32)
    lit = Surface(surface.base, normal, surface.alpha, surface.metallic, surface.ao, surface.emissive, surface.opacity)
    radiance = _over_checker(shade(lit, SPHERE), surface.opacity, x[inside] // _SAMPLES, y[inside] // _SAMPLES)

    picture = np.full((fine, fine, 3), _BACKDROP, np.float32)
    picture[inside] = tone_map(radiance).T
    picture = picture.reshape(size, _SAMPLES, size, _SAMPLES, 3).mean(axis=(1, 3))
    return np.rint(picture * 255).astype(np.uint8)


def _dot(planes: F32Array, vector: Vector) -> F32Array:
    """[3, ...] with a constant vector: [...]."""
    x, y, z = (np.float32(v) for v in vector)
    return planes[0] * x + planes[1] * y + planes[2] * z


def _over_checker(radiance: F32Array, opacity: F32Array, x: IntArray, y: IntArray) -> F32Array:
    """Blend in linear light over a checker at the pixels x, y [...] (integers)."""
    odd = (x // _CHECKER_SIZE + y // _CHECKER_SIZE) % 2
    return radiance * opacity + np.array(_CHECKER, np.float32)[odd] * (1 - opacity)
