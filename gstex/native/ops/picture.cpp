// Pictures as the kernels read them. Twin: cuda/fit_target.cu, which reads them as they are.

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

// A column or row of a picture's border, brought back.
GSTEX_INLINE int brought_back(int i, int size, bool repeat) {
    if (!repeat) return i < 0 ? 0 : i >= size ? size - 1 : i;
    i %= size;
    return i < 0 ? i + size : i;
}

void make_picture(const MakePicture &a) {
    const int rows = TILE * a.tiles_y + 2, columns = TILE * a.tiles_x + 2;
    parallel_for(rows, 8, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t row = begin; row < end; ++row) {
            const float *from = a.image + int64_t(brought_back(int(row) - 1, a.height, a.repeat)) * a.width * a.channels;
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

} // namespace GSTEX_SET
} // namespace gstex
