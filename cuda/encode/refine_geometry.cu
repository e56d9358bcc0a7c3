// Better geometry codes: every Gaussian tries the neighbours of its codes. Twin:
// gstex/native/ops/refine_geometry.cpp.

#include "encode/levels.cuh"
#include "encode/points.cuh"

#define CODES 6
#define MOVES 30 // of gstex/encode/ops/cpu/refine_geometry.py
#define THREADS 128
#define WARPS (THREADS / 32)
#define VIEWS 8        // at most

struct Codes {
    int code[CODES];
};

// The codes after a move of `moves` [MOVES, 6]; move MOVES is none.
static __device__ __forceinline__ Codes moved_codes(const unsigned *codes, const int *moves, int move) {
    Codes result;
#pragma unroll
    for (int i = 0; i < CODES; ++i) result.code[i] = int(codes[i]) + (move < MOVES ? moves[CODES * move + i] : 0);
    return result;
}

// The smaller log sigma of codes.
static __device__ __forceinline__ double least_sigma(const Codes &codes, const double *level) {
    const int finest = max(codes.code[3], codes.code[4]);
    return -LN2 * (level[LEVEL_SCALE_LO] + double(finest) * level[LEVEL_SCALE_STEP]);
}

// Row of `derived` (FitScene) of codes in a view.
static __device__ __forceinline__ void derive(const Codes &codes, const int *place, const double *level,
                                              double amplitude_lo, double amplitude_step, double tan_22_5,
                                              float scale_x, float scale_y, float filter, float *derived) {
    double at[2], inverse[2];
    for (int axis = 0; axis < 2; ++axis) {
        const double inside = gstex_position(double(codes.code[axis]), 1.0 / level[LEVEL_POSITIONS + axis]);
        at[axis] = (double(place[1 + axis]) + inside) * level[LEVEL_SIZE + axis];
        const double code = double(codes.code[3 + axis]);
        const double log_sigma = -LN2 * gstex_value(level[LEVEL_SCALE_LO], level[LEVEL_SCALE_STEP], code);
        const double mean = 0.5 * (double(scale_x) + double(scale_y));
        inverse[axis] = GSTEX_UNIT * gstex_seen(exp(2.0 * log_sigma), mean, double(filter) * double(filter));
    }
    const double half = level[LEVEL_ROTATION_HALF]; // 0.5 if the record has no rotation
    const double h = half < 1.0 ? 0.0 : gstex_half_angle(double(codes.code[2]), half, tan_22_5 / half);
    const double norm = 1.0 / (1.0 + h * h), c = gstex_cosine(h, norm), s = gstex_sine(h, norm);
    derived[0] = float(at[0] * scale_x);
    derived[1] = float(at[1] * scale_y);
    derived[2] = float(inverse[0] * c);
    derived[3] = float(inverse[0] * s);
    derived[4] = float(inverse[1] * s);
    derived[5] = float(inverse[1] * c);
    derived[6] = float(gstex_value(amplitude_lo, amplitude_step, double(codes.code[5])) * GSTEX_LOG2E);
}

// A lane's point of an entry: offset from the view's origin, in which a derived row gives its position, and the fade.
struct Place {
    float x, y, fade;
};

static __device__ __forceinline__ Place place_of(const FitSamples &samples, int tile, int entry, int g, int k) {
    const int view = samples.view[tile], column = k % GSTEX_TILE, row = k / GSTEX_TILE;
    Place place;
    place.x = samples.origin[2 * tile] + float(column) - float(samples.image[2 * entry]) * samples.extent[2 * view];
    place.y =
        samples.origin[2 * tile + 1] + float(row) - float(samples.image[2 * entry + 1]) * samples.extent[2 * view + 1];
    place.fade = 1.0f;
    if (samples.faded[entry]) {
        const float4 cell = ((const float4 *)samples.where)[(long long)view * samples.count + g];
        place.fade = gstex_fade(place.x / cell.z - cell.x) * gstex_fade(place.y / cell.w - cell.y);
    }
    return place;
}

static __device__ __forceinline__ float weight_of(const float *derived, const Place &place) {
    const float dx = place.x - derived[0], dy = place.y - derived[1];
    const float u = derived[2] * dx + derived[3] * dy, v = derived[5] * dy - derived[4] * dx;
    return gstex_weight(derived[6], u, v) * place.fade;
}

// The Gaussians of a batch, no two of which share a tile, make the best of their moves if it lowers the error.
//
// batch: one a block of THREADS. by_start, by_gaussian: entries of a Gaussian, tile by tile. tile_of: [E].
// moves: [MOVES, 6]. scale: [V, 2] and filter: [V] of views. placement, levels, amplitude_*, tan_22_5: see encode/quantisation.cu.
// least: no move makes a log sigma smaller than that. target: [T, C, 64]. importance: [T, planes, 64]. features: [N, C]. codes: [N, 6];
// total [T, 64] and out [T, C, 64] follow.
extern "C" __global__ void __launch_bounds__(THREADS)
fit_move_codes(const int *batch, FIT_SAMPLES_PARAMETERS, const int *by_start, const long long *by_gaussian,
               const int *tile_of, const int *moves, int views, const float *scale, const float *filter,
               const int *placement, const double *levels, double amplitude_lo, double amplitude_step, double tan_22_5,
               double least, const float *target, FIT_IMPORTANCE_PARAMETERS, const float *features, unsigned *codes,
               float *total, float *out) {
    __shared__ float rows[VIEWS][MOVES + 1][8]; // derived; the last is that of no move
    __shared__ int allowed[MOVES];
    __shared__ double rises[WARPS][MOVES];
    const FitSamples samples = FIT_SAMPLES;
    const int g = batch[blockIdx.x], lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int *place = placement + 3 * g;
    const double *level = levels + LEVEL_FIELDS * place[0];
    for (int i = threadIdx.x; i < views * (MOVES + 1); i += THREADS) {
        const int v = i / (MOVES + 1), move = i % (MOVES + 1);
        const Codes trial = moved_codes(codes + CODES * g, moves, move);
        derive(trial, place, level, amplitude_lo, amplitude_step, tan_22_5, scale[2 * v], scale[2 * v + 1], filter[v],
               rows[v][move]);
        if (v || move == MOVES) continue;
        const double lasts[CODES] = {level[LEVEL_POSITIONS] - 1.0,  level[LEVEL_POSITIONS + 1] - 1.0,
                                     2.0 * level[LEVEL_ROTATION_HALF] - 1.0, level[LEVEL_SCALE_LAST],
                                     level[LEVEL_SCALE_LAST], level[LEVEL_AMPLITUDE_LAST]};
        const double now = least_sigma(moved_codes(codes + CODES * g, moves, MOVES), level);
        bool inside = least_sigma(trial, level) >= fmin(least, now);
#pragma unroll
        for (int i = 0; i < CODES; ++i) inside = inside && trial.code[i] >= 0 && double(trial.code[i]) <= lasts[i];
        allowed[move] = inside;
    }
    __syncthreads();

    double rise[MOVES] = {};
    for (int i = by_start[g] + warp; i < by_start[g + 1]; i += WARPS) {
        const int entry = int(by_gaussian[i]), tile = tile_of[entry];
        const float(*derived)[8] = rows[view[tile]];
        float sums[MOVES] = {};
        for (int k = lane; k < FIT_POINTS; k += 32) {
            // A move of the weight by d moves the value by d / (total + d) times what the feature is away from it.
            float square = 0.0f, product = 0.0f;
#pragma unroll
            for (int c = 0; c < FIT_CHANNELS; ++c) {
                const long long at = ((long long)tile * FIT_CHANNELS + c) * FIT_POINTS + k;
                const float value = out[at], apart = features[g * FIT_CHANNELS + c] - value;
                const float counts =
                    importance[((long long)tile * planes + plane[c]) * FIT_POINTS + k] * weight[c];
                square += counts * apart * apart;
                product += counts * apart * (value - target[at]);
            }
            const Place here = place_of(samples, tile, entry, g, k);
            const float sum = total[(long long)tile * FIT_POINTS + k], old = weight_of(derived[MOVES], here);
#pragma unroll
            for (int m = 0; m < MOVES; ++m) {
                const float difference = weight_of(derived[m], here) - old;
                const float moved = difference / fmaxf(sum + difference, 1e-12f);
                sums[m] += gstex_rise(moved, square, product);
            }
        }
#pragma unroll
        for (int m = 0; m < MOVES; ++m) rise[m] += double(sums[m]);
    }
#pragma unroll
    for (int m = 0; m < MOVES; ++m) {
        const double sum = fit_warp_sum_double(rise[m]);
        if (lane == 0) rises[warp][m] = sum;
    }
    __syncthreads();
    int best = -1;
    double least_rise = 0.0;
    for (int m = 0; m < MOVES; ++m) {
        double sum = 0.0;
        for (int w = 0; w < WARPS; ++w) sum += rises[w][m];
        if (allowed[m] && sum < least_rise) least_rise = sum, best = m;
    }
    if (best < 0) return;

    if (threadIdx.x < CODES) codes[CODES * g + threadIdx.x] += unsigned(moves[CODES * best + threadIdx.x]);
    for (int i = by_start[g] + warp; i < by_start[g + 1]; i += WARPS) {
        // One warp for all images of the Gaussian in a tile.
        const int tile = tile_of[by_gaussian[i]];
        if (i > by_start[g] && tile_of[by_gaussian[i - 1]] == tile) continue;
        const float(*derived)[8] = rows[view[tile]];
        for (int j = i; j < by_start[g + 1] && tile_of[by_gaussian[j]] == tile; ++j) {
            for (int k = lane; k < FIT_POINTS; k += 32) {
                const Place here = place_of(samples, tile, int(by_gaussian[j]), g, k);
                const float difference = weight_of(derived[best], here) - weight_of(derived[MOVES], here);
                float *sum = total + (long long)tile * FIT_POINTS + k;
                const float now = fmaxf(*sum + difference, 1e-12f), moved = difference / now;
                *sum = now;
#pragma unroll
                for (int c = 0; c < FIT_CHANNELS; ++c) {
                    float *value = out + ((long long)tile * FIT_CHANNELS + c) * FIT_POINTS + k;
                    *value += moved * (features[g * FIT_CHANNELS + c] - *value);
                }
            }
        }
    }
}
