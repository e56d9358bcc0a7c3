"""From ideal parameters to the codes of a record and back (docs/format.md, "Record")."""

import numpy as np

from gstex.arrays import F32Array, F64Array, I32Array, U32Array
from gstex.encode.quantisation import Coding
from gstex.native import _core

__all__ = ["Quantiser", "level_table"]


def level_table(coding: Coding) -> F64Array:
    """What the geometry codes of every level mean, float64 [L, 9], see gstex/native/ops/levels.h."""
    levels = np.zeros((len(coding.levels), 9))
    for row, size, layout in zip(levels, coding.pyramid.cell_size, coding.levels, strict=True):
        if layout is not None:
            row[:] = (*size, 2**layout.position_x_bits, 2**layout.position_y_bits, 2.0 ** (layout.rotation_bits - 1),
                      2**layout.scale_bits - 1, layout.scale_lo, layout.scale_step,
                      2**layout.amplitude_bits - 1)  # fmt: skip
    return levels


class Quantiser:
    """Encodes and decodes Gaussians whose level and cell do not change any more.

    Quantisation-aware training evaluates `decode(encode(x))` and passes its gradient straight through to x.
    """

    def __init__(self, coding: Coding, placement: I32Array):
        """placement: int32 [N, 3]."""
        self.coding, self.placement = coding, placement
        self.levels = level_table(coding)
        self.amplitude_lo, self.amplitude_step = float(coding.amplitude_lo), float(coding.amplitude_step)
        self._meaning = placement, self.levels, self.amplitude_lo, self.amplitude_step

    def encode(self, geometry: F32Array) -> tuple[U32Array, I32Array]:
        """Nearest codes of geometry float32 [N, 6].

        Returns:
            (uint32 [N, 6] geometry codes in the order of the record, int32 [N] quarter turns: by how many the ellipse
            was turned to bring its rotation into -45..45 degrees; an odd number swaps its scales).
        """
        codes, turns = np.empty(geometry.shape, np.uint32), np.empty(len(geometry), np.int32)
        _core.encode_geometry(*self._meaning, geometry, codes, turns)
        return codes, turns

    def decode(self, codes: U32Array, turns: I32Array | None = None) -> F32Array:
        """What codes uint32 [N, 6] mean: geometry float32 [N, 6].

        turns: as `encode` returned them, to get rotations and scales in the order of the ideal parameters.
        """
        geometry = np.empty(codes.shape, np.float32)
        turns = np.zeros(len(codes), np.int32) if turns is None else turns
        _core.decode_geometry(*self._meaning, codes, turns, geometry)
        return geometry

    def keep_inside(self, geometry: F32Array) -> None:
        """Clamp centres of geometry [N, 6], in place, to the cells they are stored in."""
        _core.round_geometry(*self._meaning, geometry, None)

    def round(self, ideal: F32Array) -> F32Array:
        """What the nearest codes of `ideal` [N, 6] mean. Its centres are first clamped, in place, to their cells."""
        geometry = np.empty_like(ideal)
        _core.round_geometry(*self._meaning, ideal, geometry)
        return geometry
