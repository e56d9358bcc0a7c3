// Pictures in the layout that the kernels read. Twin: cuda/encode/picture.cu, which reads them unchanged.

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

// The column or row inside the picture for one in its border.
GSTEX_INLINE int brought_back(int i, int size, bool repeat) {
    if (!repeat) return i < 0 ? 0 : i >= size ? size - 1 : i;
    i %= size;
    return i < 0 ? i + size : i;
}

void make_picture(const MakePicture &a) {
    const int rows = TILE * a.tiles_y + 2, columns = TILE * a.tiles_x + 2;
    parallel_for(rows, 8, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t row = begin; row < end; ++row) {
            const float *from =
                a.image + int64_t(brought_back(int(row) - 1, a.height, a.repeat)) * a.width * a.channels;
            for (int c = 0; c < a.channels; ++c) {
                float *to = a.planes + (c * int64_t(rows) + row) * a.stride;
                for (int x = 0; x < a.width; ++x) to[x + 1] = from[int64_t(x) * a.channels + c];
                to[0] = from[int64_t(brought_back(-1, a.width, a.repeat)) * a.channels + c];
                for (int x = a.width + 1; x < columns; ++x)
                    to[x] = from[int64_t(brought_back(x - 1, a.width, a.repeat)) * a.channels + c];
                for (int64_t x = columns; x < a.stride; ++x) to[x] = 0.0f;
            }
        }
    });
}

void sample_picture(const SamplePicture &a) {
    const int across = (a.width + TILE - 1) / TILE;
    const int64_t tiles = int64_t(across) * ((a.height + TILE - 1) / TILE);
    parallel_for(tiles, 64, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t tile = begin; tile < end; ++tile) {
            const int column = tile_column(tile, across), row = tile_row(tile, across);
            const Filter filter = filter_of(a.picture, column, row, a.jitter);
            for (int c = 0; c < a.channels; ++c) {
                float values[POINTS];
                GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair)
                    store(values + pair * LANES, sample(a.picture, filter, c, pair));
                for (int k = 0; k < POINTS; ++k) {
                    const int x = column + k % TILE, y = row + k / TILE;
                    if (x < a.width && y < a.height) a.image[(int64_t(y) * a.width + x) * a.channels + c] = values[k];
                }
            }
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
