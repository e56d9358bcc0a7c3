// Fetches all texels of a mip, a thread a texel, whatever the mip holds: where decode/mip.cu does not apply. And counts
// what a fetch looks at.

#include "decode/evaluate.cuh"

#define THREADS 128
// Blocks that should run on a multiprocessor at once: as many as there are registers for.
#define BLOCKS (VARYING > 8 ? 2 : 4)

// All texels of a mip. out: float [height, width, channels].
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
fetch(const gstex_word *__restrict__ words, int number, float *__restrict__ out) {
    GstexHeader h = gstex_header(words);
    GstexMip mip = gstex_mip(words, h, number);
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= mip.width || row >= mip.height) return;
    out += ((size_t)row * mip.width + column) * h.channels;
#if VARYING > 0
    Values values = evaluate(words, h, mip, column, row, 0.5f, 0.5f);
    gstex_word rest = h.varying;
#pragma unroll
    for (int k = 0; k < VARYING; ++k, rest &= rest - 1) out[__ffs(int(rest)) - 1] = values.of[k];
#endif
    write_constants(words, h, out);
}

// How many Gaussians each texel of a mip looks at: the measure of its cost. out: int [height, width].
extern "C" __global__ void __launch_bounds__(THREADS)
count_candidates(const gstex_word *__restrict__ words, int number, int *__restrict__ out) {
    GstexHeader h = gstex_header(words);
    GstexMip mip = gstex_mip(words, h, number);
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= mip.width || row >= mip.height) return;
    int count = 0;
    for (int l = 0; l < mip.level_count && !mip.raw; ++l) {
        GstexLevel level = gstex_level(words, h, mip, l);
        int cell_x = (2 * column + 1) * level.cells_x / (2 * mip.width);
        int cell_y = (2 * row + 1) * level.cells_y / (2 * mip.height);
        for (int j = -1; j <= 1; ++j) count += cells_in_a_row(words, h, level, cell_x, cell_y + j).end_2;
    }
    out[(size_t)row * mip.width + column] = min(count, h.candidates_max);
}
