// Where a pyramid of cells holds Gaussians: gstex/encode/cell_pyramid.py, step by step in its precisions. A thread a Gaussian.
//
// geometry: [N, 6]. sizes: double [L, 2], the cells of a level in texels; cells: [L, 2], how many; finest first.

// Half width and height in texels of the ellipse of `cut` sigma.
static __device__ __forceinline__ float2 half_extent(const float *geometry, float cut) {
    const float c = cosf(geometry[2]), s = sinf(geometry[2]), cos2 = c * c, sin2 = s * s;
    const float u2 = expf(2.0f * geometry[3]), v2 = expf(2.0f * geometry[4]);
    return make_float2(cut * sqrtf(u2 * cos2 + v2 * sin2), cut * sqrtf(u2 * sin2 + v2 * cos2));
}

// extents: [N, 2].
extern "C" __global__ void fit_half_extents(const float *geometry, float cut, int count, float *extents) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g < count) ((float2 *)extents)[g] = half_extent(geometry + 6 * g, cut);
}

// Brings `geometry`, in place, back to what the pyramid can hold.
//
// amplitude_most: largest size of an amplitude. largest: log sigma. room_x, room_y: most half extent. least: log sigma.
extern "C" __global__ void fit_keep_inside(float *geometry, int width, int height, int repeat, float cut,
                                           float amplitude_most, double largest, double room_x, double room_y,
                                           double least, int count) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    float *mine = geometry + 6 * g;
    for (int axis = 0; axis < 2; ++axis) {
        const float extent = float(axis ? height : width);
        if (repeat) mine[axis] -= floorf(mine[axis] / extent) * extent;
        // The last number below the extent, which is positive.
        mine[axis] = fminf(fmaxf(mine[axis], 0.0f), __uint_as_float(__float_as_uint(extent) - 1u));
        mine[3 + axis] = float(fmin(double(mine[3 + axis]), largest));
    }
    mine[5] = fminf(fmaxf(mine[5], -amplitude_most), amplitude_most);
    const float2 extent = half_extent(mine, cut);
    const float shrink = float(log(fmax(fmax(double(extent.x) / room_x, double(extent.y) / room_y), 1.0)));
    for (int axis = 0; axis < 2; ++axis) mine[3 + axis] = float(fmax(double(mine[3 + axis] - shrink), least));
}

// The first level whose cells hold an extent, or the last level.
static __device__ __forceinline__ int smallest_level(float2 extent, const double *sizes, int levels) {
    int level = 0;
    while (level < levels - 1 && !(extent.x <= sizes[2 * level] && extent.y <= sizes[2 * level + 1])) ++level;
    return level;
}

// placement: [N, 3], level, cell_x, cell_y. previous: [N], levels of an earlier call, if `known`: a Gaussian leaves its
// level only when it is too large or too small for it by the factor `slack`.
extern "C" __global__ void fit_place(const float *geometry, const int *previous, int known, const double *sizes,
                                     const int *cells, int levels, float cut, float slack, int count, int *placement) {
    const int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= count) return;
    const float2 extent = half_extent(geometry + 6 * g, cut);
    int level;
    if (known) {
        const float smaller = float(1.0 / double(slack));
        const int low = smallest_level(make_float2(extent.x * smaller, extent.y * smaller), sizes, levels);
        const int high = smallest_level(make_float2(extent.x * slack, extent.y * slack), sizes, levels);
        level = min(max(previous[g], low), high);
    } else {
        level = smallest_level(extent, sizes, levels);
    }
    placement[3 * g] = level;
    for (int axis = 0; axis < 2; ++axis) {
        const int cell = int(floor(double(geometry[6 * g + axis]) / sizes[2 * level + axis]));
        placement[3 * g + 1 + axis] = min(max(cell, 0), cells[2 * level + axis] - 1);
    }
}
