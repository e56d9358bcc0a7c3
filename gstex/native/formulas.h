// The formulas of docs/format.md and of the fit, once for all who compute them: the kernels in ops/ (for floats,
// doubles and vectors of floats), the CUDA kernels, and, word for word, gstex.h (tools/write_headers.py).
//
// Whoever includes this defines REAL, the type of a number (or a template's parameter), and GSTEX_FORMULA, what stands
// before a function of numbers, and has for REAL: gstex_fma(a, b, c) = a b + c, gstex_abs, gstex_saturate (to 0 .. 1),
// gstex_min, gstex_inverse_sqrt and gstex_exp2. GSTEX_ names in capitals are numbers of gstex/constants.py.

#ifndef GSTEX_FORMULAS_H
#define GSTEX_FORMULAS_H

// ---- What the codes of a record mean (docs/format.md, "Record") ----------------------------------------------------

// A centre inside its cell, in cells. step: 2^-position_bits.
GSTEX_FORMULA REAL gstex_position(REAL code, REAL step) { return (code + (REAL)0.5f) * step; }

// The tangent h of half the rotation; a record without rotation bits has no rotation. half: 2^(rotation_bits - 1).
// step: GSTEX_TAN_22_5 / half.
GSTEX_FORMULA REAL gstex_half_angle(REAL code, REAL half, REAL step) { return (code - half) * step; }

// The cosine and the sine of the rotation. norm: 1 / (1 + h^2).
GSTEX_FORMULA REAL gstex_cosine(REAL h, REAL norm) { return ((REAL)1.0f - h * h) * norm; }
GSTEX_FORMULA REAL gstex_sine(REAL h, REAL norm) { return (h + h) * norm; }

// The log2 of an inverse scale in 1/texel, a log-amplitude, or the feature of a channel.
GSTEX_FORMULA REAL gstex_value(REAL lo, REAL step, REAL code) { return gstex_fma(step, code, lo); }

// The value of a shared mip from what the Gaussians of mip 0 give, x in 0 .. 1. low, high: what is added
// at x = 0 and 1. middle: at 1/2, beside the mean of both.
GSTEX_FORMULA REAL gstex_bend(REAL x, REAL low, REAL middle, REAL high) {
    const REAL rest = (REAL)1.0f - x;
    const REAL ends = gstex_fma(low, rest, high * x);
    return gstex_saturate(x + gstex_fma((REAL)4.0f * middle, x * rest, ends));
}

// An inverse scale as a mip sees it whose Gaussians are enlarged by a filter of this variance.
GSTEX_FORMULA REAL gstex_widened(REAL inverse_scale, REAL variance) {
    return inverse_scale * gstex_inverse_sqrt(gstex_fma(inverse_scale * inverse_scale, variance, (REAL)1.0f));
}

// ---- The weight of a Gaussian ("Decoding a position") --------------------------------------------------------------

// e^(amplitude - (u^2 + v^2) / 2) as a power of 2. amplitude: times log2(e). u, v: times GSTEX_UNIT, the root of half
// of log2(e), by which inverse scales are multiplied once.
GSTEX_FORMULA REAL gstex_score(REAL amplitude, REAL u, REAL v) { return gstex_fma(-u, u, gstex_fma(-v, v, amplitude)); }
GSTEX_FORMULA REAL gstex_weight(REAL amplitude, REAL u, REAL v) { return gstex_exp2(gstex_score(amplitude, u, v)); }

// How much of a weight is left along an axis: 1 around the Gaussian's own cell, 0 from the edge of the 3x3 cells on.
// from_middle: of the position from the middle of the Gaussian's cell, in cells.
GSTEX_FORMULA REAL gstex_fade(REAL from_middle) {
    const REAL f =
        gstex_saturate(gstex_fma(gstex_abs(from_middle), (REAL)(-GSTEX_FADE_SLOPE), (REAL)(1.5f * GSTEX_FADE_SLOPE)));
    return f * f * gstex_fma(f, (REAL)-2.0f, (REAL)3.0f);
}

// ==== What only fits need ===========================================================================================

// ---- How a mip sees the Gaussians of another one, and gradients ----------------------------------------------------

// 1 / sigma in texels of the mip, for a Gaussian of this variance. scale: texels of the mip by texels of the Gaussian.
// filter: variance of the mip's filter, in texels of the Gaussian.
GSTEX_FORMULA REAL gstex_seen(REAL variance, REAL scale, REAL filter) {
    return gstex_inverse_sqrt(variance + filter) / scale;
}

// d log of that sigma / d log sigma.
GSTEX_FORMULA REAL gstex_seen_slope(REAL variance, REAL filter) { return variance / (variance + filter); }

// With s = amplitude - (u^2 + v^2) / 2, u = a (cos dx + sin dy), v = b (cos dy - sin dx) the derivatives of the score s
// are: ds/dx = a cos u - b sin v, ds/dy = a sin u + b cos v, ds/drotation = (b/a - a/b) u v, ds/dlog sigma_u = u^2,
// ds/dlog sigma_v = v^2. Below they are given sums of dL/ds times u, v, u v and u^2, in the unit of gstex_weight.
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

// ---- The perceptual loss (gstex/encode/loss.py) --------------------------------------------------------------------

// A factor of SSIM (Wang et al. 2004, eq. 13), exactly 1 for identical pictures. of_both: twice the product of the
// means, or twice the covariance. of_each: the sum of the squared means, or of the variances.
GSTEX_FORMULA REAL gstex_similarity(REAL of_both, REAL of_each, REAL c) { return (of_both + c) / (of_each + c); }

// The derivatives of SSIM by the means of x y, x x and x, each holding the others fixed. luminance, structure: its
// factors. squares, variances: what stands below them, the constants included.
GSTEX_FORMULA REAL gstex_ssim_by_xy(REAL luminance, REAL variances) { return (REAL)2.0f * luminance / variances; }
GSTEX_FORMULA REAL gstex_ssim_by_xx(REAL luminance, REAL structure, REAL variances) {
    return -(luminance * structure) / variances;
}
GSTEX_FORMULA REAL gstex_ssim_by_x(REAL mean_x, REAL mean_y, REAL luminance, REAL structure, REAL squares, REAL by_xy,
                                   REAL by_xx) {
    return (REAL)2.0f * structure * (mean_y - mean_x * luminance) / squares - mean_y * by_xy -
           (REAL)2.0f * mean_x * by_xx;
}

// The loss of a value, and its derivative. distance: |x - y|. sign: of x - y. similar: the transpose of the window's
// means of the derivatives of SSIM. share: of the SSIM term.
GSTEX_FORMULA REAL gstex_perceptual(REAL importance, REAL distance, REAL ssim, REAL share) {
    return importance * (((REAL)1.0f - share) * distance + share * ((REAL)1.0f - ssim));
}
GSTEX_FORMULA REAL gstex_v_perceptual(REAL importance, REAL sign, REAL similar, REAL share) {
    return importance * (((REAL)1.0f - share) * sign - share * similar);
}

// ---- What a fit adds up --------------------------------------------------------------------------------------------

// What the squared error of a point rises by when its value moves by `moved` times what a feature is away from it.
// square: importance (feature - value)^2; product: importance (feature - value) (value - target); both summed over
// channels.
GSTEX_FORMULA REAL gstex_rise(REAL moved, REAL square, REAL product) {
    return moved * gstex_fma(moved, square, product + product);
}

// How far the removal of a Gaussian moves a value, by what its feature is away from it. share: its normalised weight,
// of which no more than GSTEX_MOST_SHARE is reckoned with.
GSTEX_FORMULA REAL gstex_removed(REAL share) {
    const REAL w = gstex_min(share, (REAL)GSTEX_MOST_SHARE);
    return w / (w - (REAL)1.0f);
}

#endif
