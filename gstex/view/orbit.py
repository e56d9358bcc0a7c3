"""Camera and light of the lit view. Axes: x right, y up, z towards the viewer, away from the plane."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gstex.arrays import F64Array
from gstex.shading import SPHERE, VIEWS
from gstex.view.state import TONES, Lit

__all__ = ["Camera", "LitUniforms", "camera_of", "lights_of", "turn", "turn_light"]

_PITCH = 89.0
NEAREST, FARTHEST = 1.15, 20.0

LitUniforms = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Camera:
    """eye: position [3]. right, up, forward: unit vectors [3]. tan_half: tangent of half the vertical field of view."""

    eye: F64Array
    right: F64Array
    up: F64Array
    forward: F64Array
    tan_half: float


def direction(yaw: float, pitch: float) -> F64Array:
    """Unit vector [3] at angles in degrees. (0, 0) is z; yaw turns to the right, pitch up."""
    a, b = math.radians(yaw), math.radians(pitch)
    return np.array([math.sin(a) * math.cos(b), math.sin(b), math.cos(a) * math.cos(b)])


def camera_of(lit: Lit) -> Camera:
    """The camera, which looks at the middle."""
    out = direction(lit.yaw, lit.pitch)
    right = np.array([math.cos(math.radians(lit.yaw)), 0.0, -math.sin(math.radians(lit.yaw))])
    return Camera(out * lit.distance, right, np.cross(out, right), -out,
                  math.tan(math.radians(lit.field_of_view) / 2))  # fmt: skip


def turn(lit: Lit, yaw: float, pitch: float) -> None:
    """Move the eye round the middle, by degrees."""
    lit.yaw = (lit.yaw + yaw + 180) % 360 - 180
    lit.pitch = min(max(lit.pitch + pitch, -_PITCH), _PITCH)


def turn_light(lit: Lit, yaw: float, pitch: float) -> None:
    """Move the light, by degrees."""
    lit.light_yaw = (lit.light_yaw + yaw + 180) % 360 - 180
    lit.light_pitch = min(max(lit.light_pitch + pitch, -_PITCH), _PITCH)


def lights_of(lit: Lit, has_environment: bool) -> LitUniforms:
    """Uniforms for the lamps and the tone mapping of a picture. The movable lamp of `gstex.shading` always lights; its
    fill light and daylight only without surroundings."""
    day = VIEWS[0]
    ambient = day.ambient if lit.shape == "plane" else SPHERE.ambient
    key, fill = day.lights
    yaw = math.radians(-lit.light_yaw)
    return {
        "light_to": np.array([direction(lit.light_yaw, lit.light_pitch), fill.to]),
        "light_color": np.array([np.array(key.color) * lit.strength, np.array(fill.color) * (not has_environment)]),
        "ambient_up": np.array(ambient.up),
        "ambient_sky": np.array(ambient.sky),
        "ambient_ground": np.array(ambient.ground),
        "has_environment": has_environment,
        "environment_turn": (math.cos(yaw), -math.sin(yaw)),
        "exposure": 2.0**lit.exposure,
        "tone": TONES.index(lit.tone),
    }
