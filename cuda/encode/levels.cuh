// What the geometry codes of a level mean: a row of `levels`, double [L, LEVEL_FIELDS], of gstex/encode/ops/cuda/quantisation.py.

// Size of a cell in texels (x, y), codes of x and y in a cell, half the codes of rotation, the last code of scales,
// scale_lo, scale_step, the last code of the amplitude.
#define LEVEL_FIELDS 9
#define LEVEL_SIZE 0
#define LEVEL_POSITIONS 2
#define LEVEL_ROTATION_HALF 4
#define LEVEL_SCALE_LAST 5
#define LEVEL_SCALE_LO 6
#define LEVEL_SCALE_STEP 7
#define LEVEL_AMPLITUDE_LAST 8

#define LN2 0.69314718055994530942
