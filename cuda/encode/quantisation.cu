// From ideal parameters to the codes of a record and back: gstex/native/ops/quantisation.cpp, step by step in
// its precisions, so that the codes are the same.
//
// placement: [N, 3], level and cell. levels: see encode/levels.cuh. tan_22_5: of half the largest rotation. A thread a
// Gaussian.

#include "gstex.cuh"
#include "encode/levels.cuh"

#define HALF_PI 1.57079632679489661923

struct Codes {
    unsigned code[6];
    int turns; // quarter turns that brought the rotation into -45 .. 45 degrees; an odd number swaps the scales
};

static __device__ __forceinline__ double clamped(double x, double low, double high) {
    return fmin(fmax(x, low), high);
}

static __device__ __forceinline__ Codes encode(const float *geometry, const int *place, const double *level,
                                               float amplitude_lo, float amplitude_step, double tan_22_5) {
    Codes result;
    for (int axis = 0; axis < 2; ++axis) {
        const double inside = double(geometry[axis]) / level[LEVEL_SIZE + axis] - double(place[1 + axis]);
        const double count = level[LEVEL_POSITIONS + axis];
        result.code[axis] = unsigned(clamped(floor(inside * count), 0.0, count - 1.0));
    }
    result.turns = int(rintf(geometry[2] / float(HALF_PI)));
    const double half = level[LEVEL_ROTATION_HALF];
    const double half_angle = tan((double(geometry[2]) - double(result.turns) * HALF_PI) / 2.0);
    double rotation = rint(half_angle / tan_22_5 * half) + half;
    if (rotation >= 2.0 * half) { // 45 degrees is -45 degrees with the scales swapped
        rotation = 0.0;
        result.turns += 1;
    }
    result.code[2] = unsigned(fmax(rotation, 0.0));
    const double step = level[LEVEL_SCALE_STEP] == 0.0 ? 1.0 : level[LEVEL_SCALE_STEP];
    const int odd = result.turns & 1;
    for (int axis = 0; axis < 2; ++axis) {
        const double inverse = -double(geometry[3 + axis]) / LN2;
        const double scale = clamped(rint((inverse - level[LEVEL_SCALE_LO]) / step), 0.0, level[LEVEL_SCALE_LAST]);
        result.code[3 + (axis ^ odd)] = unsigned(scale);
    }
    const float amplitude = rintf((geometry[5] - amplitude_lo) / (amplitude_step == 0.0f ? 1.0f : amplitude_step));
    result.code[5] = unsigned(clamped(double(amplitude), 0.0, level[LEVEL_AMPLITUDE_LAST]));
    return result;
}

static __device__ __forceinline__ void decode(const Codes &codes, const int *place, const double *level,
                                              double amplitude_lo, double amplitude_step, double tan_22_5,
                                              float *geometry) {
    for (int axis = 0; axis < 2; ++axis) {
        const double inside = gstex_position(double(codes.code[axis]), 1.0 / level[LEVEL_POSITIONS + axis]);
        geometry[axis] = float((double(place[1 + axis]) + inside) * level[LEVEL_SIZE + axis]);
    }
    const double half = level[LEVEL_ROTATION_HALF]; // 0.5 if the record has no rotation
    const double half_angle = half < 1.0 ? 0.0 : gstex_half_angle(double(codes.code[2]), half, tan_22_5 / half);
    geometry[2] = float(2.0 * atan(half_angle) + double(codes.turns) * HALF_PI);
    const int odd = codes.turns & 1;
    for (int axis = 0; axis < 2; ++axis) {
        const double code = double(codes.code[3 + (axis ^ odd)]);
        geometry[3 + axis] = float(-LN2 * gstex_value(level[LEVEL_SCALE_LO], level[LEVEL_SCALE_STEP], code));
    }
    geometry[5] = float(gstex_value(amplitude_lo, amplitude_step, double(codes.code[5])));
}

// codes: [N, 6] in the order of the record. turns: [N].
extern "C" __global__ void fit_encode(const float *geometry, const int *placement, const double *levels,
                                      double amplitude_lo, double amplitude_step, double tan_22_5, int count,
                                      unsigned *codes, int *turns) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    const int *place = placement + 3 * g;
    const Codes found = encode(geometry + 6 * g, place, levels + LEVEL_FIELDS * place[0], float(amplitude_lo),
                               float(amplitude_step), tan_22_5);
    for (int i = 0; i < 6; ++i) codes[6 * g + i] = found.code[i];
    turns[g] = found.turns;
}

// What codes [N, 6] mean, as geometry [N, 6]; with the turns [N] of fit_encode in the order of the ideal parameters.
extern "C" __global__ void fit_decode(const unsigned *codes, const int *turns, const int *placement,
                                      const double *levels, double amplitude_lo, double amplitude_step, double tan_22_5,
                                      int count, float *geometry) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    Codes given;
    for (int i = 0; i < 6; ++i) given.code[i] = codes[6 * g + i];
    given.turns = turns[g];
    const int *place = placement + 3 * g;
    decode(given, place, levels + LEVEL_FIELDS * place[0], amplitude_lo, amplitude_step, tan_22_5, geometry + 6 * g);
}

// What the nearest codes of `ideal` [N, 6] mean: fit_decode of fit_encode. Centres are first brought back, in place,
// into the cells they are stored in.
extern "C" __global__ void fit_round(float *ideal, const int *placement, const double *levels, double amplitude_lo,
                                     double amplitude_step, double tan_22_5, int count, float *geometry) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    const int *place = placement + 3 * g;
    const double *level = levels + LEVEL_FIELDS * place[0];
    for (int axis = 0; axis < 2; ++axis) {
        const double size = level[LEVEL_SIZE + axis], low = double(place[1 + axis]) * size;
        ideal[6 * g + axis] = float(clamped(double(ideal[6 * g + axis]), low, low + size * (1.0 - 1e-6)));
    }
    const Codes codes = encode(ideal + 6 * g, place, level, float(amplitude_lo), float(amplitude_step), tan_22_5);
    decode(codes, place, level, amplitude_lo, amplitude_step, tan_22_5, geometry + 6 * g);
}
