// Fetches the texels of a rectangle of a mip, a thread a texel: a page of a virtual texture.

#include "decode/evaluate.cuh"

#define THREADS 128
#define BLOCKS (MEMBERS > 8 ? 2 : 4) // as in decode/fetch.cu

// A group at the texels. out: float [rows, columns, channels] of texels from (left, top) on, inside the mip; the members'
// channels are written.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
fetch_rectangle(const gstex_word *__restrict__ words, int group, int number, int left, int top, int columns, int rows,
                float *__restrict__ out) {
    GstexHeader h = gstex_header(words);
    GstexGroup g = gstex_group(words, h, group);
    GstexMip mip = gstex_mip(words, h, g, number);
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= columns || row >= rows) return;
    Values values = evaluate(words, h, g, mip, left + column, top + row, 0.5f, 0.5f);
    write(g, values, out + ((size_t)row * columns + column) * h.channels);
}
