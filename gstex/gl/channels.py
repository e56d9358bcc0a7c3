"""Which channel belongs to which map: the uniform struct GstexChannels of shaders/gstex.glsl from the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["channel_uniforms"]


def channel_uniforms(material: Mapping[str, Any], name: str = "channels") -> dict[str, Any]:
    """Values of the members of `uniform GstexChannels <name>`, for `Program.set(**...)`.

    Args:
        material: `Texture.material`.

    What is missing is -1. As in gstex.shading a picture ('color') stands in for albedo, and a constant opacity hides
    nothing.
    """
    channels = material.get("channels", [])

    def of(role: str) -> list[int]:
        return [i for i, c in enumerate(channels) if c["role"] == role]

    def color(*roles: str) -> tuple[int, int, int]:
        for role in roles:
            found = of(role)[:3]
            if found:
                return (found[0], found[1], found[2]) if len(found) == 3 else (found[0],) * 3
        return -1, -1, -1

    def first(role: str) -> int:
        return (of(role) or [-1])[0]

    normal = of("normal")[:2]
    opacity = first("opacity")
    if opacity >= 0 and channels[opacity]["constant"] is not None:
        opacity = -1
    values = {
        "albedo": color("albedo", "color"),
        "emissive": color("emissive"),
        "normal": tuple(normal) if len(normal) == 2 else (-1, -1),
        "normal_directx": int(material.get("normal_convention") == "dx"),
        **{role: first(role) for role in ("roughness", "gloss", "metallic", "ao")},
        "opacity": opacity,
    }
    return {f"{name}.{member}": value for member, value in values.items()}
