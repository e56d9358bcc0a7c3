// exp, log, sin and the like in double, with the same bits everywhere. The functions of C libraries differ in their
// last bits, and the decisions of a fit must not depend on that. The error is at most 2 units of the last place for the
// arguments of a fit.
//
// Everything is static, because sources that include the file are compiled for several instruction sets.

#pragma once

#include <cstdint>
#include <cstring>

namespace gstex {
namespace maths {

#define GSTEX_MATHS static inline __attribute__((always_inline))

GSTEX_MATHS double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

GSTEX_MATHS uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

// The nearest whole number, ties to even, of |x| < 2^51.
GSTEX_MATHS double nearest(double x) { return (x + 6755399441055744.0) - 6755399441055744.0; }

// 2^k for k in -1022 .. 1023.
GSTEX_MATHS double power_of_2(int k) { return of_bits(uint64_t(k + 1023) << 52); }

// The first part of ln 2 has bits to spare for a product with an exponent.
constexpr double LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33, LN2 = 0x1.62e42fefa39efp-1;
constexpr double LOG2E = 0x1.71547652b82fep+0, LOG10E = 0x1.bcb7b1526e50ep-2;
constexpr double PI = 0x1.921fb54442d18p+1, HALF_PI = 0x1.921fb54442d18p+0;

// e^x; 0 below -708, infinite above 709.
GSTEX_MATHS double exp(double x) {
    if (!(x > -708.0)) return x != x ? x : 0.0;
    if (x > 709.0) return of_bits(0x7FF0000000000000u);
    const double k = nearest(x * LOG2E), r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double p = 1.0 / 6227020800.0; // Taylor's series up to r^13 / 13!
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r * r + r;
    return (1.0 + p) * power_of_2(int(k));
}

// 2^x, in the same way.
GSTEX_MATHS double exp2(double x) {
    if (!(x > -1021.0)) return x != x ? x : 0.0;
    if (x > 1023.0) return of_bits(0x7FF0000000000000u);
    const double k = nearest(x);
    return exp((x - k) * LN2) * power_of_2(int(k));
}

// x = 2^exponent m with m in sqrt(1/2) .. sqrt(2), for a finite number above 0.
struct Split {
    double exponent, m;
};

GSTEX_MATHS Split split(double x) {
    const bool tiny = x < 0x1p-1022;
    const uint64_t bits = bits_of(tiny ? x * 0x1p54 : x);
    const int64_t exponent = int64_t(bits - 0x3FE6A09E667F3BCDu) >> 52;
    return {double(exponent - (tiny ? 54 : 0)), of_bits(bits - (uint64_t(exponent) << 52))};
}

// log m less 2 f, f = (m - 1) / (m + 1): 2 f (f^2 / 3 + f^4 / 5 + ..), from log m = 2 artanh f.
GSTEX_MATHS double log_rest(double f) {
    const double s = f * f;
    double p = 1.0 / 23.0;
    p = p * s + 1.0 / 21.0;
    p = p * s + 1.0 / 19.0;
    p = p * s + 1.0 / 17.0;
    p = p * s + 1.0 / 15.0;
    p = p * s + 1.0 / 13.0;
    p = p * s + 1.0 / 11.0;
    p = p * s + 1.0 / 9.0;
    p = p * s + 1.0 / 7.0;
    p = p * s + 1.0 / 5.0;
    p = p * s + 1.0 / 3.0;
    return 2.0 * f * (s * p);
}

// The logarithm of special values: -infinity for 0, infinity for infinity, and NaN below 0.
GSTEX_MATHS double log_special(double x) {
    return x == 0.0 ? of_bits(0xFFF0000000000000u) : x > 0.0 ? x : of_bits(0x7FF8000000000000u);
}

GSTEX_MATHS bool has_log(double x) { return x > 0.0 && x < of_bits(0x7FF0000000000000u); }

// The natural logarithm.
GSTEX_MATHS double log(double x) {
    if (!has_log(x)) return log_special(x);
    const Split s = split(x);
    const double f = (s.m - 1.0) / (s.m + 1.0);
    return s.exponent * LN2_HIGH + (2.0 * f + (log_rest(f) + s.exponent * LN2_LOW));
}

// The logarithm to base 2; exact for powers of 2.
GSTEX_MATHS double log2(double x) {
    if (!has_log(x)) return log_special(x);
    const Split s = split(x);
    const double f = (s.m - 1.0) / (s.m + 1.0);
    return s.exponent + (2.0 * f + log_rest(f)) * LOG2E;
}

GSTEX_MATHS double log10(double x) { return log(x) * LOG10E; }

// x^y of x not below 0; 0^y is 0 for y above 0.
GSTEX_MATHS double pow(double x, double y) { return x == 0.0 && y > 0.0 ? 0.0 : exp(y * log(x)); }

struct SinCos {
    double sine, cosine;
};

// For |x| up to about 10^5.
GSTEX_MATHS SinCos sincos(double x) {
    const double k = nearest(x * (2.0 / PI));
    // pi / 2 in three parts, of which the first two have bits to spare for the product.
    const double r = ((x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a6p-34) - k * 0x1.3198a2e037073p-69;
    const double s = r * r;
    double a = -1.0 / 121645100408832000.0; // r^19 / 19!
    a = a * s + 1.0 / 355687428096000.0;
    a = a * s - 1.0 / 1307674368000.0;
    a = a * s + 1.0 / 6227020800.0;
    a = a * s - 1.0 / 39916800.0;
    a = a * s + 1.0 / 362880.0;
    a = a * s - 1.0 / 5040.0;
    a = a * s + 1.0 / 120.0;
    a = a * s - 1.0 / 6.0;
    const double sine = a * s * r + r;
    double b = -1.0 / 6402373705728000.0; // r^18 / 18!
    b = b * s + 1.0 / 20922789888000.0;
    b = b * s - 1.0 / 87178291200.0;
    b = b * s + 1.0 / 479001600.0;
    b = b * s - 1.0 / 3628800.0;
    b = b * s + 1.0 / 40320.0;
    b = b * s - 1.0 / 720.0;
    b = b * s + 1.0 / 24.0;
    const double cosine = (b * s * s - 0.5 * s) + 1.0;
    switch (int64_t(k) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
    }
}

GSTEX_MATHS double tan(double x) {
    const SinCos both = sincos(x);
    return both.sine / both.cosine;
}

GSTEX_MATHS double atan(double x) {
    const bool negative = x < 0.0;
    double y = negative ? -x : x, base = 0.0, sign = 1.0;
    if (y > 1.0) y = 1.0 / y, base = HALF_PI, sign = -1.0;
    // |y| <= 1 -> |y| <= tan(22.5 degrees): atan y = 45 degrees + atan((y - 1) / (y + 1)).
    if (y > 0.41421356237309503) base += sign * (HALF_PI / 2.0), y = (y - 1.0) / (y + 1.0);
    const double s = y * y;
    double p = 0.0; // y - y^3 / 3 + y^5 / 5 .. y^41 / 41
    for (int n = 41; n >= 3; n -= 2) p = p * s + (n & 2 ? -1.0 : 1.0) / double(n);
    const double angle = base + sign * (y + y * (s * p));
    return negative ? -angle : angle;
}

} // namespace maths
} // namespace gstex
