"""The channels of a stack that make a surface, as the uniforms of shaders/view/shading.glsl."""

from collections.abc import Sequence

from gstex.gl.program import Uniforms
from gstex.json_types import JsonView

__all__ = ["surface_channels"]


def surface_channels(roles: Sequence[JsonView], convention: object) -> Uniforms:
    """Uniforms by the rules of `gstex.shading.read_surface`; -1 for a channel that the file does not have.

    roles: see `Document.roles`. convention: of the normals, 'dx' or anything else.
    """

    def first(role: str, count: int = 1) -> list[int]:
        return [i for i, row in enumerate(roles) if row["role"] == role][:count]

    def color(channels: list[int]) -> list[int]:
        return channels if len(channels) == 3 else (channels[:1] or [-1]) * 3

    def values(role: str) -> list[float]:
        row = next((row for row in roles if row["role"] == role), {})
        return [row.get("scale", 1.0), row.get("bias", 0.0), row.get("stops", 0.0)]

    normal = first("normal", 2)
    roughness, gloss = first("roughness"), first("gloss")
    opacity = [i for i in first("opacity") if roles[i]["constant"] is None]
    return {
        "base_channels": color(first("albedo", 3) or first("color", 3)),
        "base_range": values("albedo" if first("albedo") else "color"),
        "emissive_channels": color(first("emissive", 3)),
        "emissive_range": values("emissive"),
        "normal_channels": normal if len(normal) == 2 else [-1, -1],
        "normal_up": -1.0 if convention == "dx" else 1.0,
        "roughness_channel": (roughness or gloss or [-1])[0],
        "is_gloss": bool(gloss and not roughness),
        "metallic_channel": (first("metallic") or [-1])[0],
        "ao_channel": (first("ao") or [-1])[0],
        "opacity_channel": (opacity or [-1])[0],
    }
