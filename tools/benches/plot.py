"""Curves of quality over bits per texel as one SVG file, a small plot for each material."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["plot"]

Points = Sequence[tuple[float, float]]  # (bits per texel, dB)

_COLUMNS = 3
_WIDTH, _HEIGHT, _HEAD = 3.2, 2.4, 0.6  # size of one plot and height of the title above all plots, in inches
_COLORS = {
    "gstex": "#d1495b", "best ASTC": "#2e86ab", "best BC": "#6a994e", "ASTC, one block size": "#9db4c0",
    "Image-GS": "#edae49",
}  # fmt: skip
# Text is written as text, and equal figures give equal bytes.
_STYLE: dict[Any, str | int] = {
    "font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "gstex", "axes.grid": True, "grid.color": "#e4e4e4",
}  # fmt: skip


def plot(title: str, panels: Mapping[str, Mapping[str, Points]]) -> str:
    """Draw one small plot per material; returns the text of an SVG file.

    Args:
        panels: by material, the points of each series, whose name is a key of _COLORS. A series whose name has a comma
            is drawn as dots only.
    """
    from matplotlib import rc_context  # takes half a second, so the other benches do not import it
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    text = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure((max(columns, 2) * _WIDTH, rows * _HEIGHT + _HEAD), layout="constrained")
        figure.suptitle(title)
        lines: dict[str, Line2D] = {}
        for number, (name, series) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(rows, columns, number, title=name, xlabel="bits per texel", ylabel="dB")
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            for label, points in series.items():
                style = "o" if "," in label else "o-"
                # A single dot has no line and is drawn larger.
                lines[label], = axes.plot(*zip(*sorted(points), strict=True), style, gid=f"{name}: {label}",
                                          color=_COLORS[label], markersize=3 if len(points) > 1 else 5)  # fmt: skip
        known = [label for label in _COLORS if label in lines]
        figure.legend([lines[label] for label in known], known, loc="outside lower center", ncols=len(known))
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
