// 2^x by arithmetic alone, so that it is the same everywhere; for whoever has no instruction for it. Word for word a
// part of gstex.h, like formulas.h.
//
// REAL needs, beside what formulas.h says: gstex_truncate(x), towards zero, as a WHOLE; gstex_to_real(i);
// gstex_power_of_2(i) = 2^(i - 127), by its bits.

#ifndef GSTEX_EXP2_H
#define GSTEX_EXP2_H

// For x below 127. Below -96 it is 2^-96: the background of any blend outweighs it, and its products with fades and
// features are still normal numbers. CPUs take a hundred times longer for subnormal ones. The relative error above is at
// most 1.5e-7: the polynomial has the least for float32 coefficients of degree 5 with 2^0 = 1.
GSTEX_FORMULA REAL gstex_exp2(REAL x) {
    const REAL inside = gstex_max(x, (REAL)-96.0f);
    // + 127 is the exponent's bias; + 0.5 makes the truncation of a positive number a rounding.
    const WHOLE biased = gstex_truncate(inside + (REAL)127.5f);
    const REAL rest = inside - (gstex_to_real(biased) - (REAL)127.0f); // -0.5 .. 0.5
    REAL power = (REAL)0.0013269608607515693f;
    power = gstex_fma(power, rest, (REAL)0.009671293199062347f);
    power = gstex_fma(power, rest, (REAL)0.0555071085691452f);
    power = gstex_fma(power, rest, (REAL)0.24022246897220612f);
    power = gstex_fma(power, rest, (REAL)0.6931470036506653f);
    power = gstex_fma(power, rest, (REAL)1.0f);
    return power * gstex_power_of_2(biased);
}

#endif
