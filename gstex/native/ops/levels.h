// How the geometry codes of a level are read: a row of `levels` [L, LEVEL_FIELDS], made by gstex/encode/quantisation.
// Twin: cuda/encode/levels.cuh.

#pragma once

namespace gstex {

// Size of a cell in texels (x, y), number of codes of x and y in a cell, half the number of codes of rotation, the last
// code of scales, scale_lo, scale_step, the last code of the amplitude.
constexpr int LEVEL_FIELDS = 9, LEVEL_SIZE = 0, LEVEL_POSITIONS = 2, LEVEL_ROTATION_HALF = 4, LEVEL_SCALE_LAST = 5,
              LEVEL_SCALE_LO = 6, LEVEL_SCALE_STEP = 7, LEVEL_AMPLITUDE_LAST = 8;

} // namespace gstex
