// BC4 blocks by an almost complete search of endpoints (gstex/compare/bc4.py says why).
//
// A block (Direct3D 11 functional specification, 19.5.14): endpoints a, b (one byte each), then 16 indices of 3 bits,
// texel (0, 0) first, least significant bits first. a > b: a, b and six values between them at sevenths; otherwise
// a, b, four values at fifths, 0 and 255.
//
// The search computes in double, 8 pairs of endpoints at a time. Rounding decides between pairs that are otherwise
// equally good. It follows IEEE 754, so blocks are the same on every CPU.

#include "ops.h"
#include "simd.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

constexpr int TEXELS = 16, PAIRS_AT_ONCE = 8;
constexpr int NARROW = 40; // 8-bit levels; wider blocks would gain 0.01 dB for twice the time

typedef double VectorD __attribute__((vector_size(64 / GSTEX_PARTS)));
typedef int64_t VectorL __attribute__((vector_size(64 / GSTEX_PARTS)));
struct D8 : Parts<VectorD> {};
struct L8 : Parts<VectorL> {}; // masks

GSTEX_INLINE D8 splat(double x) {
    return map<D8>([x](VectorD) __attribute__((always_inline)) { return x - (VectorD){}; }, D8{});
}

// The squared errors of a block with the ladders from `first` to each of `last`. An error that is not below `limit` may
// be too small, because the remaining texels are skipped.
template <int PARTS>
GSTEX_INLINE void errors_of(const double *values, double first, const double *last, double limit, double *errors) {
    D8 step;
    memcpy(&step, last, sizeof(step));
    step = map<D8>([=](VectorD a) __attribute__((always_inline)) { return (a - first) / double(PARTS); }, step);
    const D8 inverse = map<D8>([](VectorD a) __attribute__((always_inline)) { return 1.0 / a; }, step);
    D8 total = splat(0.0);
    for (int k = 0; k < TEXELS; k += 2) {
        GSTEX_UNROLL for (int i = k; i < k + 2; ++i) {
            const double v = values[i], end = v < 255.0 - v ? v : 255.0 - v;
            total = map<D8>(
                [=](VectorD inverse, VectorD step, VectorD total) __attribute__((always_inline)) {
                    const VectorD most = double(PARTS) - (VectorD){}, whole = 0x1p52 - (VectorD){};
                    VectorD place = (v - first) * inverse + 0.5;
                    place = place > 0.0 ? place : (VectorD){};
                    place = place < most ? place : most;
                    const VectorD nearest = (place + whole) - whole;
                    const VectorD index = nearest > place ? nearest - 1.0 : nearest;
                    VectorD d = v - (first + index * step);
                    d = (VectorD)((VectorL)d & 0x7FFFFFFFFFFFFFFF);
                    if (PARTS == 5) d = d < end ? d : end - (VectorD){};
                    return total + d * d;
                },
                inverse, step, total);
        }
        VectorL below = total.p0 < limit;
#if GSTEX_PARTS > 1
        below |= total.p1 < limit;
#endif
#if GSTEX_PARTS > 2
        below |= (total.p2 < limit) | (total.p3 < limit);
#endif
        I16 mask{};
        mask.p0 = (VectorI)below;
        if (!any(mask)) break;
    }
    memcpy(errors, &total, sizeof(total));
}

// Endpoints first <= last with `parts` steps between them, 7 or 5. With 5, a texel can also be 0 or 255.
struct Ladder {
    int first, last, parts;
    double error; // squared
};

GSTEX_INLINE int least_of(int a, int b) { return a < b ? a : b; }
GSTEX_INLINE int most_of(int a, int b) { return a > b ? a : b; }

// Tries all pairs of endpoints, first < last, of two ranges with both ends included. Of equally good pairs the first is
// kept.
template <int PARTS>
GSTEX_INLINE void try_all(const double *values, Ladder &best, int first_low, int first_high, int last_low,
                          int last_high, int stride) {
    last_high = least_of(last_high, 255);
    for (int first = most_of(first_low, 0); first <= first_high; first += stride) {
        const int lowest = most_of(last_low, first + 1);
        for (int highest = last_high; highest >= lowest; highest -= PAIRS_AT_ONCE * stride) {
            const int count = least_of(PAIRS_AT_ONCE, (highest - lowest) / stride + 1);
            double last[PAIRS_AT_ONCE], errors[PAIRS_AT_ONCE];
            for (int i = 0; i < PAIRS_AT_ONCE; ++i) last[i] = i < count ? highest - i * stride : highest;
            errors_of<PARTS>(values, first, last, best.error, errors);
            for (int i = 0; i < count; ++i)
                if (errors[i] < best.error) best = Ladder{first, int(last[i]), PARTS, errors[i]};
        }
    }
}

// The ladder of least error. It searches coarsely over all endpoints that can pay, since for texels in a few clusters
// the best ladder may reach far beyond them. Then it tries all pairs near the extremes of the block, and all pairs
// around the best one.
GSTEX_INLINE Ladder search(const double *values) {
    int low = 255, high = 0;
    for (int k = 0; k < TEXELS; ++k) low = least_of(low, int(values[k])), high = most_of(high, int(values[k]));
    Ladder best{low, high, 7, 0.0};
    if (low == high) return best;
    best.error = 1e9; // more than any error
    try_all<7>(values, best, low, low, high, high, 1);

    const int span = high - low, far = (2 * span + 4) / 5 + 7, stride = span < NARROW ? 1 : 4;
    const int near = (span + 7) / 8 + 1, middle_below = (low + high) / 2, middle_above = (low + high + 1) / 2;
    try_all<7>(values, best, low - far, low + far, high - far, high + far, stride);
    try_all<7>(values, best, low - near, middle_below, middle_above, high + near, 1);
    try_all<5>(values, best, low - far, low + far, high - far, high + far, stride);
    // A ladder in which a texel is 0 or 255 can win only if that texel alone costs less than the best ladder.
    const int end = least_of(low, 255 - high);
    if (end * end < best.error) {
        try_all<5>(values, best, low - 1, high, low - 1, high + 1, 4);
        try_all<5>(values, best, low - 1, high, low - 1, high + 1, 1);
    }
    const Ladder found = best;
    if (found.parts == 7)
        try_all<7>(values, best, found.first - 4, found.first + 4, found.last - 4, found.last + 4, 1);
    else
        try_all<5>(values, best, found.first - 4, found.first + 4, found.last - 4, found.last + 4, 1);
    return best;
}

// Index of the value `position` steps of `parts` away from endpoint a: the endpoints themselves are 0 and 1.
GSTEX_INLINE int on_ladder(int position, int parts) { return position == 0 ? 0 : position == parts ? 1 : position + 1; }

// The index of the value of a texel. seven: the ladder is stored from its last value down.
GSTEX_INLINE int index_of(double v, const Ladder &ladder, bool seven) {
    const double step = double(ladder.last - ladder.first) / ladder.parts;
    const double place = step > 0.0 ? (v - ladder.first) / step + 0.5 : 0.0;
    const int near = place < 0.0 ? 0 : least_of(int(place), ladder.parts);
    if (seven) return on_ladder(7 - near, 7);
    const double off = v - (ladder.first + near * step), error = off < 0.0 ? -off : off;
    if (v < error && v <= 255.0 - v) return 6;
    return 255.0 - v < error ? 7 : on_ladder(near, 5);
}

void encode_bc4(const EncodeBc4 &a) {
    const int64_t across = a.width / 4;
    parallel_for(across * (a.height / 4), 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t block = begin; block < end; ++block) {
            const uint8_t *from = a.image + 4 * (block / across * a.width + block % across);
            double values[TEXELS];
            for (int k = 0; k < TEXELS; ++k) values[k] = double(from[(k >> 2) * a.width + (k & 3)]);
            const Ladder ladder = search(values);
            // a > b means seven steps, so the larger endpoint comes first.
            const bool seven = ladder.parts == 7 && ladder.last > ladder.first;
            uint8_t *to = a.blocks + 8 * block;
            to[0] = uint8_t(seven ? ladder.last : ladder.first);
            to[1] = uint8_t(seven ? ladder.first : ladder.last);
            uint64_t bits = 0;
            for (int k = 0; k < TEXELS; ++k) bits |= uint64_t(index_of(values[k], ladder, seven)) << (3 * k);
            for (int byte = 0; byte < 6; ++byte) to[2 + byte] = uint8_t(bits >> (8 * byte));
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
