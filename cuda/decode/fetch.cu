// Fetches all texels of a mip, a thread a texel, whatever the mip holds: where decode/mip.cu does not apply. And counts
// what a fetch looks at.

#include "decode/evaluate.cuh"

#define THREADS 128
// Blocks that should run on a multiprocessor at once: as many as there are registers for.
#define BLOCKS (MEMBERS > 8 ? 2 : 4)

// A group at all texels of a mip. out: float [height, width, channels]; the members' channels are written.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
fetch(const gstex_word *__restrict__ words, int group, int number, float *__restrict__ out) {
    GstexHeader h = gstex_header(words);
    GstexGroup g = gstex_group(words, h, group);
    GstexMip mip = gstex_mip(words, h, g, number);
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= mip.width || row >= mip.height) return;
    Values values = evaluate(words, h, g, mip, column, row, 0.5f, 0.5f);
    write(g, values, out + ((size_t)row * mip.width + column) * h.channels);
}

// How many Gaussians of a group each texel of a mip looks at, added to what is there: the measure of its cost.
// out: int [height, width].
extern "C" __global__ void __launch_bounds__(THREADS)
count_candidates(const gstex_word *__restrict__ words, int group, int number, int *__restrict__ out) {
    GstexHeader h = gstex_header(words);
    GstexGroup g = gstex_group(words, h, group);
    GstexMip mip = gstex_mip(words, h, g, number);
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= mip.width || row >= mip.height) return;
    int count = 0;
    for (int l = 0; l < mip.level_count && !mip.raw; ++l) {
        GstexLevel level = gstex_level(words, mip, l);
        int cell_x = (2 * column + 1) * level.cells_x / (2 * mip.width);
        int cell_y = (2 * row + 1) * level.cells_y / (2 * mip.height);
        for (int j = -1; j <= 1; ++j) count += cells_in_a_row(words, h, level, cell_x, cell_y + j).end_2;
    }
    out[(size_t)row * mip.width + column] += min(count, g.candidates_max);
}
