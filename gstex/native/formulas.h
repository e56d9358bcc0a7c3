// The formulas of docs/format.md and of the fit, once for all who compute them: the kernels in ops/ (for floats, doubles
// and vectors of floats), the CUDA kernels, and, word for word, gstex.h (tools/write_headers.py).
//
// Whoever includes this defines REAL, the type of a number (or a template's parameter), and GSTEX_FORMULA, what stands
// before a function of numbers, and has for REAL: gstex_fma(a, b, c) = a b + c, gstex_min, gstex_max, gstex_abs,
// gstex_sqrt and gstex_exp2. GSTEX_ names in capitals are numbers of gstex/constants.py.

#ifndef GSTEX_FORMULAS_H
#define GSTEX_FORMULAS_H

// ---- What the codes of a record mean (docs/format.md, "Record") ----------------------------------------------------

// A centre inside its cell, in cells. steps: 2^position_bits.
GSTEX_FORMULA REAL gstex_position(REAL code, REAL steps) { return (code + (REAL)0.5f) / steps; }

// The tangent of half the rotation. half: 2^(rotation_bits - 1); a record without rotation bits has no rotation.
GSTEX_FORMULA REAL gstex_half_angle(REAL code, REAL half) { return (code - half) * ((REAL)GSTEX_TAN_22_5 / half); }

// The cosine and the sine of an angle, by the tangent h of its half.
GSTEX_FORMULA REAL gstex_cosine(REAL h) { return ((REAL)1.0f - h * h) / ((REAL)1.0f + h * h); }
GSTEX_FORMULA REAL gstex_sine(REAL h) { return (h + h) / ((REAL)1.0f + h * h); }

// The log2 of an inverse scale in 1/texel, a log-amplitude, or the feature of a channel.
GSTEX_FORMULA REAL gstex_value(REAL lo, REAL step, REAL code) { return gstex_fma(step, code, lo); }

// An inverse scale as a mip sees it whose Gaussians are enlarged by a filter of this variance.
GSTEX_FORMULA REAL gstex_widened(REAL inverse_scale, REAL variance) {
    return inverse_scale / gstex_sqrt(gstex_fma(inverse_scale * inverse_scale, variance, (REAL)1.0f));
}

// ---- The weight of a Gaussian ("Decoding a position") --------------------------------------------------------------

// e^(amplitude - (u^2 + v^2) / 2) as a power of 2. amplitude: times log2(e). u, v: times GSTEX_UNIT, the root of half of
// log2(e), by which inverse scales are multiplied once.
GSTEX_FORMULA REAL gstex_weight(REAL amplitude, REAL u, REAL v) {
    return gstex_exp2(gstex_fma(-u, u, gstex_fma(-v, v, amplitude)));
}

// How much of a weight is left along an axis: 1 around the Gaussian's own cell, 0 from the edge of the 3x3 cells on.
// from_middle: of the position from the middle of the Gaussian's cell, in cells.
GSTEX_FORMULA REAL gstex_fade(REAL from_middle) {
    const REAL slope = gstex_fma(gstex_abs(from_middle), (REAL)-2.0f, (REAL)3.0f);
    const REAL f = gstex_min(gstex_max(slope, (REAL)0.0f), (REAL)1.0f);
    return f * f * gstex_fma(f, (REAL)-2.0f, (REAL)3.0f);
}

// ---- How a mip sees the Gaussians of another one, and gradients ----------------------------------------------------

// The variance of a Gaussian, of which the mip sees more by a filter: 1 / sigma there, in the mip's own texels. scale:
// texels of the mip by texels of the Gaussian.
GSTEX_FORMULA REAL gstex_seen(REAL variance, REAL scale, REAL filter_variance) {
    return (REAL)1.0f / (scale * gstex_sqrt(variance + filter_variance));
}

// d log of that sigma / d log sigma.
GSTEX_FORMULA REAL gstex_seen_slope(REAL variance, REAL filter_variance) {
    return variance / (variance + filter_variance);
}

// With s = amplitude - (u^2 + v^2) / 2, u = a (cos dx + sin dy), v = b (cos dy - sin dx) the derivatives of the score s
// are: ds/dx = a cos u - b sin v, ds/dy = a sin u + b cos v, ds/drotation = (b/a - a/b) u v, ds/dlog sigma_u = u^2,
// ds/dlog sigma_v = v^2. Below they are given sums of dL/ds times u, v, u v, in the unit of gstex_weight.
GSTEX_FORMULA REAL gstex_v_x(REAL a_cos, REAL b_sin, REAL u, REAL v) {
    return (a_cos * u - b_sin * v) / (REAL)GSTEX_UNIT_SQUARED;
}
GSTEX_FORMULA REAL gstex_v_y(REAL a_sin, REAL b_cos, REAL u, REAL v) {
    return (a_sin * u + b_cos * v) / (REAL)GSTEX_UNIT_SQUARED;
}
GSTEX_FORMULA REAL gstex_v_rotation(REAL b_by_a, REAL uv) {
    return (b_by_a - (REAL)1.0f / b_by_a) * uv / (REAL)GSTEX_UNIT_SQUARED;
}
GSTEX_FORMULA REAL gstex_v_log_sigma(REAL slope, REAL uu) { return slope * uu / (REAL)GSTEX_UNIT_SQUARED; }

// ---- What a fit adds up --------------------------------------------------------------------------------------------

// What the squared error of a value rises by if a Gaussian's weight changes: it moves the value by `moved` times what
// the feature is away from it. square: importance (feature - value)^2; product: importance (feature - value)
// (value - target); both summed over channels.
GSTEX_FORMULA REAL gstex_rise(REAL moved, REAL square, REAL product) {
    return moved * gstex_fma(moved, square, product + product);
}

// How far the removal of a Gaussian moves a value, by what its feature is away from it. share: its normalised weight.
GSTEX_FORMULA REAL gstex_removed(REAL share) {
    const REAL w = gstex_min(share, (REAL)GSTEX_MOST_SHARE);
    return w / (w - (REAL)1.0f);
}

#endif
