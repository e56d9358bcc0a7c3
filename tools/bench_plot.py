"""Curves of quality over bits a texel as one SVG file, a small plot for each material."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from xml.sax.saxutils import escape

__all__ = ["plot"]

Points = Sequence[tuple[float, float]]  # (bits a texel, dB)

_COLUMNS = 3
_WIDTH, _HEIGHT = 300, 210  # of a plot with its margins
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 24, 30
_HEAD, _LEGEND_WIDTH = 40, 460
_COLORS = {
    "gstex": "#d1495b", "best ASTC": "#2e86ab", "best BC": "#6a994e", "ASTC, one block size": "#9db4c0",
    "Image-GS": "#edae49",
}  # fmt: skip
_GRID = "#e4e4e4"


def plot(title: str, panels: Mapping[str, Mapping[str, Points]]) -> str:
    """SVG text.

    Args:
        panels: by material, the points of each series; keys of _COLORS. A series whose name has a comma is dots only.
    """
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    width, height = max(columns * _WIDTH, _LEGEND_WIDTH), _HEAD + rows * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="10" fill="#333">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="18" font-size="14">{escape(title)}</text>',
        *_legend({name for series in panels.values() for name in series}),
    ]
    for number, (name, series) in enumerate(panels.items()):
        x, y = number % columns * _WIDTH, _HEAD + number // columns * _HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(name, series)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(names: Set[str]) -> list[str]:
    parts, x = [], 12
    for name, color in _COLORS.items():
        if name not in names:
            continue
        parts.append(f'<circle cx="{x}" cy="31" r="3" fill="{color}"/><text x="{x + 7}" y="34">{name}</text>')
        x += 30 + 6 * len(name)
    return parts


def _panel(name: str, series: Mapping[str, Points]) -> str:
    every = [point for points in series.values() for point in points]
    low, high = (math.log2(f(p[0] for p in every)) for f in (min, max))
    bottom, top = math.floor(min(p[1] for p in every)), math.ceil(max(p[1] for p in every))
    high, top = max(high, low + 1), max(top, bottom + 1)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = (math.log2(point[0]) - low) / (high - low)
        y = (point[1] - bottom) / (top - bottom)
        return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<text x="{_LEFT}" y="16" font-size="12">{escape(name)}</text>']
    for power in range(math.ceil(low), math.floor(high) + 1):
        x = at((2.0**power, bottom))[0]
        parts.append(f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="{_GRID}"/>'
                     f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 13}" text-anchor="middle">{2.0**power:g}</text>')
    step = next(s for s in (1, 2, 5, 10, 20, 50) if (top - bottom) / s <= 7)
    for value in range(-(-bottom // step) * step, top + 1, step):
        y = at((2.0**low, value))[1]
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>'
                     f'<text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{value}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">bits a texel</text>'
                 f'<text x="4" y="{_TOP - 8}">dB</text>')
    for label, points in series.items():
        places = [at(point) for point in sorted(points)]
        if len(places) > 1 and "," not in label:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLORS[label]}" stroke-width="1.5"/>')
        radius = 2 if len(places) > 1 else 3.5  # a dot that has no line to it has to be seen by itself
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{_COLORS[label]}"/>' for x, y in places]
    return "".join(parts)
