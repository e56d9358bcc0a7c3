// Converts ideal parameters to the codes of a record and back. Twin: cuda/encode/quantisation.cu.

#include "levels.h"
#include "maths.h"
#include "ops.h"
#include "reals.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

struct Codes {
    uint32_t code[6];
    int turns; // quarter turns that brought the rotation into -45 .. 45 degrees; an odd number swaps the scales
};

GSTEX_INLINE double clamped(double x, double low, double high) { return gstex_min(gstex_max(x, low), high); }

GSTEX_INLINE Codes encode_one(const Coding &a, const float *geometry, int64_t g) {
    const int32_t *place = a.placement + 3 * g;
    const double *level = a.levels + LEVEL_FIELDS * place[0];
    Codes result;
    for (int axis = 0; axis < 2; ++axis) {
        const double inside = double(geometry[axis]) / level[LEVEL_SIZE + axis] - double(place[1 + axis]);
        const double count = level[LEVEL_POSITIONS + axis];
        result.code[axis] = uint32_t(clamped(__builtin_floor(inside * count), 0.0, count - 1.0));
    }
    const double turns = maths::nearest(double(geometry[2]) / maths::HALF_PI);
    result.turns = int(turns);
    const double half = level[LEVEL_ROTATION_HALF];
    const double half_angle = maths::tan((double(geometry[2]) - turns * maths::HALF_PI) / 2.0);
    double rotation = maths::nearest(half_angle / double(GSTEX_TAN_22_5) * half) + half;
    if (rotation >= 2.0 * half) { // 45 degrees is -45 degrees with the scales swapped
        rotation = 0.0;
        result.turns += 1;
    }
    result.code[2] = uint32_t(gstex_max(rotation, 0.0));
    const double step = level[LEVEL_SCALE_STEP] == 0.0 ? 1.0 : level[LEVEL_SCALE_STEP];
    const int odd = result.turns & 1;
    for (int axis = 0; axis < 2; ++axis) {
        const double inverse = -double(geometry[3 + axis]) / maths::LN2;
        const double scale = maths::nearest((inverse - level[LEVEL_SCALE_LO]) / step);
        result.code[3 + (axis ^ odd)] = uint32_t(clamped(scale, 0.0, level[LEVEL_SCALE_LAST]));
    }
    const double unit = a.amplitude_step == 0.0 ? 1.0 : a.amplitude_step;
    const double amplitude = maths::nearest((double(geometry[5]) - a.amplitude_lo) / unit);
    result.code[5] = uint32_t(clamped(amplitude, 0.0, level[LEVEL_AMPLITUDE_LAST]));
    return result;
}

GSTEX_INLINE void decode_one(const Coding &a, const Codes &codes, int64_t g, float *geometry) {
    const int32_t *place = a.placement + 3 * g;
    const double *level = a.levels + LEVEL_FIELDS * place[0];
    for (int axis = 0; axis < 2; ++axis) {
        const double inside = gstex_position(double(codes.code[axis]), 1.0 / level[LEVEL_POSITIONS + axis]);
        geometry[axis] = float((double(place[1 + axis]) + inside) * level[LEVEL_SIZE + axis]);
    }
    const double half = level[LEVEL_ROTATION_HALF]; // 0.5 if the record has no rotation
    const double half_angle =
        half < 1.0 ? 0.0 : gstex_half_angle(double(codes.code[2]), half, double(GSTEX_TAN_22_5) / half);
    geometry[2] = float(2.0 * maths::atan(half_angle) + double(codes.turns) * maths::HALF_PI);
    const int odd = codes.turns & 1;
    for (int axis = 0; axis < 2; ++axis) {
        const double code = double(codes.code[3 + (axis ^ odd)]);
        geometry[3 + axis] = float(-maths::LN2 * gstex_value(level[LEVEL_SCALE_LO], level[LEVEL_SCALE_STEP], code));
    }
    geometry[5] = float(gstex_value(a.amplitude_lo, a.amplitude_step, double(codes.code[5])));
}

void encode_geometry(const EncodeGeometry &a) {
    parallel_for(a.coding.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            const Codes found = encode_one(a.coding, a.geometry + 6 * g, g);
            for (int i = 0; i < 6; ++i) a.codes[6 * g + i] = found.code[i];
            a.turns[g] = found.turns;
        }
    });
}

void decode_geometry(const DecodeGeometry &a) {
    parallel_for(a.coding.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            Codes given;
            for (int i = 0; i < 6; ++i) given.code[i] = a.codes[6 * g + i];
            given.turns = a.turns[g];
            decode_one(a.coding, given, g, a.geometry + 6 * g);
        }
    });
}

void round_geometry(const RoundGeometry &a) {
    parallel_for(a.coding.count, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t g = begin; g < end; ++g) {
            const int32_t *place = a.coding.placement + 3 * g;
            const double *level = a.coding.levels + LEVEL_FIELDS * place[0];
            float *ideal = a.ideal + 6 * g;
            for (int axis = 0; axis < 2; ++axis) {
                const double size = level[LEVEL_SIZE + axis], low = double(place[1 + axis]) * size;
                ideal[axis] = float(clamped(double(ideal[axis]), low, low + size * (1.0 - 1e-6)));
            }
            if (a.geometry) decode_one(a.coding, encode_one(a.coding, ideal, g), g, a.geometry + 6 * g);
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
