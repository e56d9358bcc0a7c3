"""Draw the procedural PBR materials in samples/.

    python tools/make_samples.py            write samples/<material>/*.png
    python tools/make_samples.py --out DIR  write them elsewhere

Each material is one function below that returns its maps by file name; names, packing, bit depths and sizes
differ on purpose, as they do in the wild (samples/README.md has the table). The same pixels come out on every
run. Heights are in texels, and every normal and occlusion map is worked out from the height field it goes
with. Needs numpy and OpenImageIO only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray
from procedural_noise import (
    SUPERSAMPLE,
    Array,
    Canvas,
    mix,
    mix_color,
    normal_from_height,
    normal_from_slopes,
    occlusion_from_height,
    ramp,
    rgb,
    slopes,
    smoothstep,
)

Codes = NDArray[np.uint8] | NDArray[np.uint16]
Maps = dict[str, Codes]

# Keeps values that fall half way between two codes (a flat normal's 127.5) from going either way by rounding
# noise: they always go up, to 128.
TIE = 1e-6


def codes8(values: Array) -> Codes:
    """Values 0..1 to 8-bit codes."""
    return np.floor(np.clip(values, 0.0, 1.0) * 255.0 + 0.5 + TIE).astype(np.uint8)


def codes16(values: Array) -> Codes:
    """Values 0..1 to 16-bit codes."""
    return np.floor(np.clip(values, 0.0, 1.0) * 65535.0 + 0.5 + TIE).astype(np.uint16)


def height16(height: Array) -> Codes:
    """A height field in texels, stretched over all 16-bit codes."""
    return codes16((height - height.min()) / (height.max() - height.min()))


def weathered_bricks() -> Maps:
    """Old fired bricks in a running bond: chipped, pitted, each of its own clay, in sandy mortar."""
    c = Canvas(256, 256, seed=17)
    rows, columns = 8, 3
    brick_w, brick_h = c.width / columns, c.height / rows

    ragged_x = c.x + 1.0 * c.fractal(20, 20, octaves=3)
    ragged_y = c.y + 1.4 * c.fractal(7, 7, octaves=4)
    row = np.floor(ragged_y / brick_h).astype(int)
    along = ragged_x / brick_w + 0.5 * (row % 2)
    number = (row % rows) * columns + np.floor(along).astype(int) % columns

    def each(low: float, high: float) -> Array:
        return c.rng.uniform(low, high, rows * columns)[number]

    # Every brick lies a little off its place, and is a little smaller than its place.
    local_x = (along % 1.0 - 0.5) * brick_w - each(-0.8, 0.8)
    local_y = (ragged_y / brick_h - row - 0.5) * brick_h - each(-0.6, 0.6)
    inside_x = np.abs(local_x) - brick_w / 2 + each(2.2, 3.4)
    inside_y = np.abs(local_y) - brick_h / 2 + each(1.9, 2.6)
    round_corner = np.hypot(np.maximum(inside_x + 3.0, 0.0), np.maximum(inside_y + 3.0, 0.0)) - 3.0
    edge = round_corner + np.minimum(np.maximum(inside_x, inside_y) + 3.0, 0.0)
    chips = np.maximum(c.fractal(13, 13, octaves=3) - 0.28, 0.0)
    edge = edge + 0.35 * c.fractal(40, 40, octaves=2) + 9.0 * chips

    pit_distance, pit_number = c.cells(46, 46)
    pit_radius = np.maximum(c.rng.uniform(-3.5, 1.9, 46 * 46), 0.0)[pit_number]
    pits = smoothstep(0.0, 0.7, pit_radius - pit_distance)
    rough_clay = c.fractal(24, 24, octaves=4)
    tilt = local_x * each(-0.012, 0.012) + local_y * each(-0.03, 0.03)
    face = 3.6 * smoothstep(0.3, -3.2, edge) + each(-0.5, 0.5) + tilt + 0.35 * rough_clay - 0.8 * pits
    grain_distance, grain_number = c.cells(110, 110)
    grain = smoothstep(1.3, 0.2, grain_distance) * c.rng.uniform(0.0, 1.0, 110 * 110)[grain_number]
    mortar = 0.9 + 0.55 * c.fractal(10, 10, octaves=4) + 0.45 * grain
    brick = smoothstep(0.5, -0.5, edge)
    height_fine = mix(mortar, np.maximum(face, mortar - 0.4), brick)

    clay = ramp(each(0.0, 1.0), "6b352b", "8c4a37", "a3573d", "94513f", "b3704f", "7a4338")
    clay = clay * (each(0.88, 1.10) + 0.10 * rough_clay + 0.07 * c.fractal(6, 9, octaves=5))[..., None]
    burnt = smoothstep(0.72, 0.95, each(0.0, 1.0)) * smoothstep(-0.5, 0.5, c.fractal(5, 5, octaves=4))
    clay = mix_color(clay, rgb("43302f"), 0.75 * burnt)
    rubbed = smoothstep(-2.6, 0.2, edge) * smoothstep(-0.3, 0.4, rough_clay)
    clay = mix_color(clay, rgb("d2a183"), 0.45 * rubbed)
    clay = mix_color(clay, rgb("3f2722"), 0.55 * pits)
    lime = smoothstep(0.10, 0.60, c.fractal(4, 3, octaves=6) + 0.25 * c.fractal(30, 30, octaves=2))
    clay = mix_color(clay, rgb("cfc3b4"), 0.55 * lime)
    sandy = 0.5 + 0.30 * c.fractal(12, 12, octaves=5) + 0.35 * (grain - 0.2)
    sand = ramp(sandy, "7d7366", "a79c8b", "c4baa8")
    color = mix_color(sand, clay, brick)
    soot = smoothstep(0.0, 0.8, c.fractal(2, 3, octaves=5) + 0.2)
    color = color * (1.0 - 0.28 * soot - 0.20 * smoothstep(1.4, 0.2, height_fine))[..., None]

    rough_brick = 0.80 - 0.10 * rough_clay + 0.10 * pits + 0.07 * lime - 0.12 * burnt
    roughness = mix(0.93 - 0.10 * grain, rough_brick, brick)
    height = c.reduce(height_fine)
    return {
        "weathered_bricks_albedo.png": codes8(c.reduce_color(color)),
        "weathered_bricks_normal.png": codes8(normal_from_height(height)),
        "weathered_bricks_roughness.png": codes8(c.reduce(roughness)),
        "weathered_bricks_ao.png": codes8(occlusion_from_height(height, strength=1.3)),
        "weathered_bricks_height.png": height16(height),
    }


def rusted_steel() -> Maps:
    """Brushed sheet steel that has started to rust: blisters, stains, and runs below them."""
    c = Canvas(256, 256, seed=23)
    brushed = 0.6 * c.fractal(2, 150, octaves=2) + 0.5 * c.fractal(5, 48, octaves=2) + 0.5 * c.noise(9, 220)
    scratches = np.zeros_like(c.x)
    for _ in range(26):
        angle, length = c.rng.normal(0.0, 0.25), c.rng.uniform(12.0, 70.0)
        apart_x, apart_y = c.offset(*c.rng.uniform(0.0, 256.0, 2))
        across = -np.sin(angle) * apart_x + np.cos(angle) * apart_y + 0.0006 * apart_x**2
        taper = smoothstep(1.0, 0.5, np.abs(apart_x) / (length / 2))
        line = taper * smoothstep(0.55, 0.1, np.abs(across))
        scratches = np.maximum(scratches, c.rng.uniform(0.3, 1.0) * line)

    warp = 9.0 * c.fractal(5, 5, octaves=4)
    spread = c.fractal(3, 3, octaves=6, gain=0.55, x=c.x + warp, y=c.y - warp)
    spread = spread + 0.12 * c.fractal(40, 40, octaves=2)
    spot_distance, spot_number = c.cells(18, 18)
    spot_radius = np.maximum(c.rng.uniform(-7.0, 3.2, 18 * 18), 0.0)[spot_number]
    spots = smoothstep(-0.6, 1.2, spot_radius - spot_distance + 0.8 * c.fractal(50, 50, octaves=2))
    rust = np.maximum(smoothstep(0.24, 0.34, spread), spots * 0.9)
    deep = smoothstep(0.36, 0.75, spread)
    stain = np.clip(smoothstep(0.02, 0.30, spread) * 0.6 + c.blur(spots, 2.0) * 0.5, 0.0, 1.0)
    runs = np.clip(2.6 * c.drip(rust, 26.0) * smoothstep(-0.25, 0.45, c.fractal(34, 2, octaves=3)), 0.0, 1.0)

    crust = c.fractal(22, 22, octaves=4)
    flakes = c.fractal(9, 9, octaves=4, ridged=True, x=c.x + warp, y=c.y)
    blister_distance, _ = c.cells(40, 40)
    blisters = smoothstep(3.0, 0.4, blister_distance)
    raised = 0.8 + 0.6 * crust + 0.5 * blisters + deep * (0.7 * flakes - 0.2)
    dents = 0.5 * c.fractal(3, 3, octaves=2)
    height_fine = dents + 0.10 * brushed - 0.25 * scratches + rust * raised - 0.25 * stain * (1.0 - rust)

    bare = ramp(0.5 + 0.30 * brushed + 0.16 * c.fractal(3, 4, octaves=3), "8d8c8a", "b4b2ae", "d3d1cc")
    bare = mix_color(bare, rgb("dcdad6"), 0.6 * scratches)
    heat = 0.55 * stain + 0.60 * runs * (1.0 - rust)
    metal = mix_color(bare, bare * (rgb("a5673a") / rgb("b4b2ae")), np.clip(heat, 0.0, 0.9))
    tone = 0.52 + 0.30 * crust + 0.22 * c.fractal(8, 8, octaves=5) - 0.38 * deep + 0.12 * blisters
    scale = ramp(tone, "2a1611", "4e2617", "7c3c1d", "a5562a", "c47d45")
    color = mix_color(metal, scale, rust)

    roughness_metal = 0.30 + 0.10 * brushed - 0.08 * scratches + 0.26 * stain + 0.22 * runs
    roughness = mix(roughness_metal, 0.88 + 0.10 * crust, rust)
    metallic = 1.0 - np.clip(rust + 0.35 * runs * stain, 0.0, 1.0)
    height = c.reduce(height_fine)
    occlusion = occlusion_from_height(height, strength=1.2)
    orm = np.stack([occlusion, c.reduce(roughness), c.reduce(metallic)], axis=-1)
    return {
        "RustedSteel_baseColor.png": codes8(c.reduce_color(color)),
        "RustedSteel_normal.png": codes8(normal_from_height(height)),
        "RustedSteel_orm.png": codes8(orm),
    }


def stylised_wood() -> Maps:
    """Hand-painted planks: bold grain that flows round knots, warm edges, dark gaps, iron nails."""
    c = Canvas(256, 256, seed=31)
    rows = 4
    plank_h = c.height / rows
    joint = np.array([20.0, 148.0, 84.0, 212.0])  # where each row's plank ends and begins again
    tone_of = np.array([0.50, 0.85, 0.30, 0.66])
    level_of = np.array([0.0, 0.7, -0.6, 0.3])

    wavy_y = c.y + 0.9 * c.fractal(6, 6, octaves=3)
    wavy_x = c.x + 0.9 * c.fractal(6, 10, octaves=3)
    row = np.floor(wavy_y / plank_h).astype(int) % rows
    along = (wavy_x - joint[row]) % c.width
    across = wavy_y % plank_h - plank_h / 2
    edge = np.maximum(np.abs(across) - plank_h / 2 + 1.6, 1.5 - np.minimum(along, c.width - along))
    edge = edge + 2.6 * np.maximum(c.fractal(9, 16, octaves=2) - 0.3, 0.0)

    # The growth rings are the contour lines of a smooth field; a knot is a hill in it.
    rings = 0.105 * across + 1.1 * c.fractal(2, 8, octaves=3) + 3.0 * row
    knots = np.zeros_like(c.x)
    places = ((70, 30, 9.0, 1), (190, 92, 7.0, -1), (30, 163, 8.0, 1), (140, 226, 10.0, -1))
    for knot_x, knot_y, size, sign in places:
        apart_x, apart_y = c.offset(knot_x, knot_y)
        radius = np.hypot(apart_x / 1.7, apart_y) / size
        rings = rings + sign * 2.6 * np.exp(-0.55 * radius**2)
        knots = np.maximum(knots, smoothstep(0.75, 0.35, radius))
    phase = (1.55 * rings) % 1.0
    late_wood = smoothstep(0.25, 0.86, phase) * smoothstep(1.0, 0.90, phase)
    fibre = c.fractal(5, 110, octaves=2)
    brush = c.fractal(3, 22, octaves=3)

    # Cracks start at the joints and follow the grain inwards.
    crack_line = np.abs(across - 9.0 * np.sin(2.4 * row + 0.8) + 1.2 * c.fractal(7, 7, octaves=2))
    crack_reach = smoothstep(46.0, 4.0, np.minimum(along, 1.6 * (c.width - along)))
    cracks = smoothstep(1.5, 0.3, crack_line / np.maximum(crack_reach, 1e-3))
    cracks = cracks * smoothstep(0.0, 0.15, crack_reach)
    face = 5.0 * smoothstep(0.8, -5.5, edge) + level_of[row]
    height_fine = face - 0.75 * late_wood + 0.25 * brush + 0.12 * fibre - 1.6 * cracks - 0.9 * knots

    gap = smoothstep(-0.6, 0.8, edge)
    tone = tone_of[row] + 0.16 * brush + 0.05 * fibre - 0.10 * np.abs(across) / plank_h
    color = ramp(tone, "6f3d22", "8f5229", "b06c34", "c98a47", "dba95f")
    color = mix_color(color, color * rgb("8d5a50"), 0.85 * late_wood)
    color = mix_color(color, rgb("4a2418"), 0.75 * knots)
    rim = smoothstep(-6.5, -2.0, edge) * smoothstep(0.2, -1.6, edge)
    lit = smoothstep(8.0, -8.0, across) * 0.75 + 0.15  # the painter's light comes from above
    color = mix_color(color, rgb("f0c987"), 0.62 * rim * lit * (0.75 + 0.5 * c.fractal(12, 12, octaves=3)))
    color = mix_color(color, rgb("5a2a20"), 0.45 * rim * (1.0 - lit))
    color = mix_color(color, rgb("351814"), 0.85 * cracks)
    color = mix_color(color, rgb("22100f"), gap)
    roughness = 0.58 + 0.14 * late_wood + 0.07 * brush + 0.05 * fibre - 0.06 * rim
    roughness = roughness + 0.2 * np.maximum(cracks, gap)

    for r in range(rows):
        for side in (-9.0, 9.0):
            for up in (-15.0, 15.0):
                nail_x, nail_y = joint[r] + side, (r + 0.5) * plank_h + up
                nail = c.disc(nail_x, nail_y, 2.9)
                head = smoothstep(0.4, -0.4, nail)
                dome = level_of[r] + 5.4 - 0.12 * np.minimum(nail + 2.9, 3.5) ** 2
                height_fine = mix(height_fine - 0.8 * smoothstep(2.2, 0.3, nail), dome, head)
                color = mix_color(color, rgb("3a1c14"), 0.6 * smoothstep(2.4, 0.0, nail) * (1.0 - head))
                shine = ramp(smoothstep(2.5, -2.5, c.offset(nail_x, nail_y)[1]), "3b3a44", "8a8a94")
                color = mix_color(color, shine, head)
                roughness = mix(roughness, 0.40, head)

    height = c.reduce(height_fine)
    shade = occlusion_from_height(height, strength=0.8)
    return {
        "StylisedWood_BaseColor.png": codes8(c.reduce_color(color) * mix(0.62, 1.0, shade)[..., None]),
        "StylisedWood_NormalGL.png": codes16(normal_from_height(height)),
        "StylisedWood_Roughness.png": codes8(c.reduce(roughness)),
        "StylisedWood_Displacement.png": height16(height),
    }


def scifi_panel() -> Maps:
    """Painted hull plating, 384 x 256: plates, vents, a hatch, hazard stripes; lights at half size."""
    c = Canvas(384, 256, seed=41)
    height_fine: Array = 0.15 * c.fractal(40, 40, octaves=2) - 3.5
    paint = np.broadcast_to(rgb("1d1f22"), (*c.x.shape, 3)).copy()
    glow = np.zeros_like(paint)
    bare = np.ones_like(c.x)  # 1 = unpainted metal

    def raise_by(distance: Array, rise: float, bevel: float) -> None:
        nonlocal height_fine
        height_fine = height_fine + rise * np.clip(0.5 - distance / bevel, 0.0, 1.0)

    def coat(distance: Array, code: str) -> None:
        nonlocal paint, bare
        inside = smoothstep(0.35, -0.35, distance)
        paint = mix_color(paint, rgb(code), inside)
        bare = mix(bare, 0.0, inside)

    def light(distance: Array, code: str, spill: float) -> None:
        nonlocal paint, glow
        inside = smoothstep(0.5, -0.5, distance)
        halo = spill * np.exp(-np.maximum(distance, 0.0) / 3.0)
        paint = mix_color(paint, rgb(code) * 0.55 + 0.35, inside)
        glow = np.maximum(glow, rgb(code) * np.maximum(inside, halo)[..., None])

    def bolt(x: float, y: float, radius: float) -> None:
        raise_by(c.disc(x, y, radius + 1.4), -1.2, 1.2)
        raise_by(c.disc(x, y, radius), 1.4, 1.2)
        raise_by(c.box(x, y, radius * 1.3, 1.0), -0.8, 0.8)

    # The hull: six plates with cut corners, 3 texels apart, and a wider channel where the tile ends;
    # x, y, width, height, corner, paint.
    plates = (
        (112, 88, 208, 160, 16, "9ba1a4"),
        (300, 56, 168, 96, 12, "3c4147"),
        (300, 136, 168, 64, 8, "868d92"),
        (72, 212, 128, 88, 12, "50565c"),
        (216, 212, 160, 88, 20, "a3a7a6"),
        (340, 212, 88, 88, 10, "b5591f"),
    )
    for x, y, wide, tall, corner, code in plates:
        plate = c.box(x, y, wide - 3, tall - 3, chamfer=corner)
        raise_by(plate, 3.5, 2.4)
        coat(plate, code)

    # Large plate: a sunken bay with slats, a groove, an orange band, bolts.
    bay = c.box(92, 92, 120, 84, chamfer=14)
    raise_by(bay, -2.0, 3.0)
    coat(bay + 2.0, "2f3439")
    for slat in range(6):
        louvre = c.box(92, 62 + 12 * slat, 96, 6.5, chamfer=1.5)
        raise_by(louvre, 2.2, 3.5)
        coat(louvre, "6d7479")
    raise_by(np.abs(c.box(112, 88, 192, 144, chamfer=16)) - 0.8, -1.1, 1.2)
    band = np.maximum(c.box(184, 88, 22, 120), c.box(112, 88, 184, 136, chamfer=16))
    coat(band, "c4641f")
    for y in (48, 68):
        coat(c.box(184, y, 12, 7), "e6e1d6")
    for x, y in ((16, 16), (204, 20), (16, 160), (206, 158)):
        bolt(x + (2 if x < 100 else -8), y + (2 if y < 100 else -2), 2.6)

    # Dark plate: a strip of light in a channel, ribs below it.
    channel = c.box(300, 36, 140, 18, chamfer=6)
    raise_by(channel, -1.8, 2.0)
    strip = c.box(300, 36, 126, 6, chamfer=3)
    raise_by(strip, 1.0, 1.5)
    light(strip, "3fd8ff", 0.30)
    for rib in range(9):
        raise_by(c.box(240 + 15 * rib, 74, 7, 36, chamfer=2), 1.5, 2.0)
    raise_by(c.box(300, 74, 146, 5), -0.8, 1.5)

    # Narrow plate: hazard stripes between two grooves.
    stripes = c.box(300, 136, 150, 24)
    coat(stripes, "23252a")
    coat(np.maximum(stripes, 4.6 - np.abs((c.x + c.y) % 16.0 - 8.0)), "d9a521")
    for y in (121, 151):
        raise_by(c.box(300, y, 150, 1.6), -1.0, 1.0)
    for x in (222, 378):
        bolt(x, 136, 2.2)

    # Grille of round holes, with three lamps.
    for i in range(9):
        for j in range(5):
            hole = c.disc(26 + 11.5 * i + 5.75 * (j % 2) - 3, 186 + 10 * j, 3.3)
            raise_by(hole, -2.6, 1.6)
            coat(hole, "17191b")
    for lamp, code in enumerate(("ff4a2a", "ffb52e", "46f07a")):
        socket = c.disc(24 + 14 * lamp, 244, 3.6)
        raise_by(socket, -1.2, 1.5)
        light(socket + 1.4, code, 0.20)

    # Hatch: rings, a lit ring, a bolt circle, a handle.
    rim = c.disc(216, 212, 34)
    raise_by(rim, 1.6, 3.0)
    raise_by(rim + 6, -2.4, 2.0)
    coat(rim + 6, "454b51")
    raise_by(rim + 13, 1.6, 3.5)
    coat(rim + 13, "7f868b")
    light(np.abs(rim + 9.5) - 1.2, "ff8a2b", 0.25)
    for turn in np.arange(8) * (np.pi / 4) + np.pi / 8:
        bolt(216 + 31.0 * np.cos(turn), 212 + 31.0 * np.sin(turn), 1.6)
    raise_by(c.box(216, 212, 26, 7, chamfer=3), 2.2, 2.5)
    coat(c.box(216, 212, 26, 7, chamfer=3), "c4641f")
    for x in (150, 282):
        raise_by(c.box(x, 212, 2.4, 52), -1.2, 1.4)

    # Orange cover with a raised lid.
    lid = c.box(340, 212, 60, 60, chamfer=14)
    raise_by(lid, 2.0, 4.0)
    raise_by(c.box(340, 222, 36, 18, chamfer=4), -1.8, 2.0)
    coat(c.box(340, 222, 36, 18, chamfer=4) + 1.0, "2a2d31")
    for fin in range(3):
        raise_by(c.box(340, 216.5 + 5.5 * fin, 32, 2.4), 1.4, 1.4)
    coat(c.box(340, 196, 30, 3), "e9dfcf")

    # Age: edges worn to the metal, dirt in the corners and running down, fingermarks in the gloss.
    uneven = c.fractal(8, 6, octaves=5)
    lit = glow.max(axis=-1)
    bulge = height_fine - c.blur(height_fine, 2.0)
    worn = smoothstep(0.42, 0.75, bulge + 0.42 * uneven + 0.10 * c.fractal(64, 44, octaves=2))
    chipped = smoothstep(0.68, 0.74, c.fractal(26, 18, octaves=4) + 0.40 * uneven) * (1.0 - bare)
    worn = np.maximum(worn, chipped) * (1.0 - np.clip(2.0 * lit, 0.0, 1.0))
    hollow = np.clip(-bulge, 0.0, 1.5)
    streaks = c.drip(hollow, 9.0) * smoothstep(-0.3, 0.5, c.fractal(60, 3, octaves=3))
    dirt = (0.55 * hollow + 0.9 * streaks) * (0.8 + 0.5 * uneven) + 0.12 * smoothstep(0.1, 0.8, uneven)
    dirt = np.clip(dirt, 0.0, 0.8)
    steel = ramp(0.5 + 0.4 * c.fractal(30, 20, octaves=3), "76767a", "a9a8a5", "c9c7c2")
    color = paint * (1.0 + 0.05 * uneven + 0.035 * c.fractal(90, 60, octaves=2))[..., None]
    color = mix_color(color, steel, worn)
    color = mix_color(color, rgb("241d17"), dirt * (1.0 - smoothstep(0.3, 0.9, lit)))

    metallic = np.maximum(worn, 0.75 * bare) * (1.0 - 0.7 * dirt)
    smudges = smoothstep(-0.2, 0.6, c.fractal(5, 4, octaves=4))
    roughness = mix(0.46 + 0.14 * smudges + 0.05 * uneven, 0.30 + 0.08 * uneven, worn) + 0.38 * dirt
    height_fine = c.blur(height_fine - 0.15 * worn + 0.025 * c.fractal(60, 40, octaves=2), 0.4)
    height = c.reduce(height_fine)
    metal_rough = np.stack([np.ones_like(height), c.reduce(roughness), c.reduce(metallic)], axis=-1)
    glow_half = c.reduce_color(glow).reshape(c.height // 2, 2, c.width // 2, 2, 3).mean(axis=(1, 3))
    return {
        "scifi_panel_albedo.png": codes8(c.reduce_color(color)),
        "scifi_panel_normal.png": codes8(normal_from_height(height)),
        "scifi_panel_metalRoughness.png": codes8(metal_rough),
        "scifi_panel_ao.png": codes8(occlusion_from_height(height)),
        "scifi_panel_emissive.png": codes8(glow_half),
    }


def vine_leaves() -> Maps:
    """Hanging creeper, cut out by the alpha of its albedo: three vines with leaves on alternate sides."""
    c = Canvas(256, 256, seed=53)
    bark = c.fractal(60, 20, octaves=3)
    mottle = c.fractal(14, 14, octaves=5)
    color = np.broadcast_to(rgb("3f5a27"), (*c.x.shape, 3)).copy()  # also fills the cut-out part
    opacity, height_fine = np.zeros_like(c.x), np.zeros_like(c.x)
    slope_x, slope_y, roughness = np.zeros_like(c.x), np.zeros_like(c.x), np.full_like(c.x, 0.6)

    def paste(cover: Array, top_color: Array, top_height: Array, top_roughness: Array) -> None:
        """Lay something over what is there; its slopes are its own, without the step at its outline."""
        nonlocal color, opacity, height_fine, slope_x, slope_y, roughness
        color = mix_color(color, top_color, cover)
        opacity = mix(opacity, 1.0, cover)
        own_x, own_y = (SUPERSAMPLE * slope for slope in slopes(top_height))
        slope_x, slope_y = mix(slope_x, own_x, cover), mix(slope_y, own_y, cover)
        height_fine = mix(height_fine, top_height, cover)
        roughness = mix(roughness, top_roughness, cover)

    def leaf(x: float, y: float, angle: float, length: float, level: float) -> None:
        apart_x, apart_y = c.offset(x, y)
        along = (np.cos(angle) * apart_x + np.sin(angle) * apart_y) / length
        across = (-np.sin(angle) * apart_x + np.cos(angle) * apart_y) / length
        across = across + c.rng.uniform(-0.25, 0.25) * along**2
        side = np.abs(across)
        t = np.clip(along, 0.0, 1.0)
        half_width = c.rng.uniform(0.62, 0.75) * t**0.5 * (1.0 - t) ** 0.95
        half_width = half_width * (1.0 + 0.10 * np.cos(2.0 * np.pi * (5.5 * t - 0.1)))
        cover = np.clip((half_width - side) * length + 0.5, 0.0, 1.0) * (along > 0.0) * (along < 1.0)

        vein_phase = (7.0 * (along - 0.55 * side) + 0.35 * np.sign(across)) % 1.0
        rib = smoothstep(0.030, 0.008, side) * smoothstep(1.0, 0.75, along)
        twig = smoothstep(0.10, 0.03, np.minimum(vein_phase, 1.0 - vein_phase)) * smoothstep(0.36, 0.05, side)
        veins = np.maximum(rib, 0.6 * twig)
        curl = length * (0.30 * side - 0.55 * side**2 - 0.30 * (along - 0.35) ** 2)
        pillow = 0.5 * np.sin(np.pi * vein_phase) * smoothstep(0.0, 0.1, side)
        top_height = level + curl + pillow - 0.35 * rib + 0.12 * mottle

        age = c.rng.uniform(0.0, 1.0)
        green = 0.12 + 0.62 * age + 0.20 * mottle - 0.35 * side + 0.15 * t
        top_color = ramp(green, "24401c", "375922", "4f7a2c", "7ea23f")
        top_color = mix_color(top_color, rgb("b9c98a"), 0.60 * veins)
        tired = c.rng.uniform(0.0, 0.5) ** 1.5 + (0.5 if c.rng.uniform() < 0.12 else 0.0)
        fringe = smoothstep(0.10, 0.0, half_width - side) + smoothstep(0.15, 0.9, mottle)
        fringe = fringe + 0.5 * smoothstep(0.7, 1.0, t)
        top_color = mix_color(top_color, rgb("a9762f"), np.clip(1.1 * tired * fringe, 0.0, 0.9))
        paste(cover, top_color, top_height, 0.42 + 0.08 * mottle + 0.18 * veins + 0.25 * tired * fringe)

    sprouts = []
    for vine, middle in enumerate((36.0, 124.0, 208.0)):
        phase, sway = c.rng.uniform(0.0, 2.0 * np.pi), c.rng.uniform(9.0, 15.0)

        def stem_x(y: Array, middle: float = middle, phase: float = phase, sway: float = sway) -> Array:
            turn = 2.0 * np.pi * y / 256.0
            return middle + sway * np.sin(turn + phase) + 4.0 * np.sin(3.0 * turn + 2.0 * phase)

        apart_x = (c.x - stem_x(c.y) + 128.0) % 256.0 - 128.0
        profile = np.sqrt(np.maximum(1.0 - (apart_x / 2.1) ** 2, 0.0))
        twig_color = ramp(0.45 + 0.45 * bark + 0.08 * apart_x, "2f2316", "584126", "86683e")
        paste(smoothstep(2.3, 1.6, np.abs(apart_x)), twig_color, 2.0 * profile + 0.3 * bark, 0.8 + 0.1 * bark)
        count = (11, 12, 11)[vine]
        for k in range(count):
            y = (k + c.rng.uniform(0.2, 0.8)) * 256.0 / count
            direction = c.rng.uniform(0.10, 1.15)  # 0 = level, pi / 2 = straight down
            sprouts.append((float(stem_x(np.asarray(y))), y, direction if k % 2 else np.pi - direction))
    for order, which in enumerate(c.rng.permutation(len(sprouts))):
        x, y, angle = sprouts[which]
        leaf(x, y, angle, c.rng.uniform(34.0, 56.0), 3.0 + 0.22 * order)

    alpha = c.reduce(opacity)
    height = c.reduce(height_fine) / np.maximum(alpha, 1e-3)  # or outlines would sink to the empty ground
    shade = mix(1.0, occlusion_from_height(height, radius=18, strength=1.2), alpha)
    return {
        "vine_leaves_albedo.png": codes8(np.dstack([c.reduce_color(color), alpha])),
        "vine_leaves_normal.png": codes8(normal_from_slopes(c.reduce(slope_x), c.reduce(slope_y))),
        "vine_leaves_roughness.png": codes8(c.reduce(roughness)),
        "vine_leaves_ao.png": codes8(shade),
    }


MATERIALS: dict[str, Callable[[], Maps]] = {
    "vine_leaves": vine_leaves,
    "rusted_steel": rusted_steel,
    "scifi_panel": scifi_panel,
    "stylised_wood": stylised_wood,
    "weathered_bricks": weathered_bricks,
}


def write_png(path: Path, pixels: Codes) -> None:
    """Write [H, W] or [H, W, C] codes as a PNG of the same bit depth; raises OSError if that fails."""
    rows, columns = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    spec = oiio.ImageSpec(columns, rows, channels, str(pixels.dtype))
    spec.attribute("oiio:UnassociatedAlpha", 1)  # or colour is divided by alpha on its way out
    spec.attribute("png:compressionLevel", 9)
    image = oiio.ImageBuf(spec)
    image.set_pixels(oiio.ROI.All, pixels.reshape(rows, columns, channels))
    if not image.write(str(path)):
        raise OSError(f"{path}: {image.geterror()}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the procedural PBR materials in samples/.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "samples")
    out: Path = parser.parse_args().out
    for name, material in MATERIALS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, pixels in material().items():
            write_png(folder / file, pixels)
            print(folder / file)


if __name__ == "__main__":
    main()
