"""A comparison small enough to check every pixel of its report, with names that try to be markup."""

from typing import Any

import numpy as np

from gstex.compare.result import Comparison, Point
from gstex.json_types import JsonObject

NAME = '</script ><!--<b>"wall" & {{numbers}}</b>'
WIDTH, HEIGHT = 48, 32
HIDDEN = (slice(0, 8), slice(0, 12))  # rows and columns of zero opacity
ROLES = {"albedo": "rgb", "opacity": "v", "normal": "xy", "roughness": "v"}


def channels() -> list[JsonObject]:
    """As in `Material.to_metadata()`."""
    return [
        {
            "role": role,
            "component": component,
            "color_space": "srgb" if role == "albedo" else "linear",
            "file": f"<i>{role}</i>.png",
            "file_channel": index,
            "constant": None,
            "neutral": [],
        }
        for role, components in ROLES.items()
        for index, component in enumerate(components)
    ]


def quality(psnr: float | None, **rest: object) -> JsonObject:
    """As `Quality.to_json()`."""
    return {
        "psnr": psnr,
        "psnr_sampled": psnr,
        "psnr_by_map": {"albedo": psnr, "opacity": None, "normal": psnr, "roughness": psnr},
        "ssim_by_map": {"albedo": 0.91, "normal": 0.92, "roughness": 0.93},
        "flip_albedo": 0.05,
        "normal_angle_mean": 1.25,
        "normal_angle_p99": 7.5,
        "shaded_psnr": psnr,
        "shaded_flip": 0.04,
        "notes": ["No FLIP & co."],
        **rest,
    }


def small_comparison(**changes: object) -> Comparison:
    """Four points, three of them pictured: 1 the file (codes + 2), 2 an ASTC (+ 16), 3 a BC that is exact."""
    codes = np.random.default_rng(0).integers(0, 230, (HEIGHT, WIDTH, 7))
    codes[:, :, 3] = 255
    codes[HIDDEN][..., 3] = 0
    original = (codes / 255).astype(np.float32)
    astc = {
        "albedo+opacity": {"codec": "astc-<8x8>", "scale": 1, "bytes": 600},
        "normal": {"codec": "astc-4x4", "scale": 1, "bytes": 300},
        "roughness": {"codec": "astc-<8x8>", "scale": 2, "bytes": 300},
    }
    bc = {image: {"codec": "bc7", "scale": 1, "bytes": 900} for image in astc}
    points = (
        Point("gstex", "gstex 1.0 bpp", 192, 180, 1.0, {}, quality(30.125)),
        Point("gstex", "gstex 2.0 bpp", 384, 360, 2.0, {}, quality(41.5)),
        Point("astc", "ASTC <8x8> & co", 1200, 1100, 6.25, astc, quality(24.5, flip_albedo=None)),
        Point("bc", "BC7", 2800, 2700, 14.583, bc, quality(None)),
        Point("astc", "ASTC 10x10", 1900, 1800, 9.896, astc, quality(22.0)),
    )
    values: dict[str, Any] = {
        "material": {
            "name": NAME,
            "width": WIDTH,
            "height": HEIGHT,
            "normal_convention": "gl",
            "wrap": "repeat",
            "channels": channels(),
            "sources": [],
            "ignored": [],
        },
        "points": points,
        "hulls": {"gstex": [0, 1], "astc": [2], "bc": [3]},
        "file": 1,
        "pictures": {1: shifted(original, 2), 2: shifted(original, 16), 3: original},
        "original": original,
        "notes": ("No <bc1>.",),
        "advice": ("Ship <gstex> & be happy.", "BC7 is exact."),
    }
    return Comparison(**{**values, **changes})


def shifted(stack: np.ndarray, codes: int) -> np.ndarray:
    """The stack with that many 8-bit codes added, a bit off them as floats are; opacity stays."""
    result = stack + np.float32((codes - 0.3) / 255)
    result[:, :, 3] = stack[:, :, 3]
    return result
