// Which Gaussians the tiles evaluate. Twin: cuda/encode/tile_lists.cu.
//
// First counts the Gaussians that are visible in every tile, from the cells alone. Then lists them and keeps those that
// matter in the tile.

#include "tile.h"

namespace gstex {
namespace GSTEX_SET {

// The score of a Gaussian that is not visible.
constexpr float NOTHING = -1e9f;

struct Range {
    int low, high;
};

// First and last cell, unwrapped, whose Gaussians are visible in the tile that begins at `texel`. Points are jittered
// by up to half a texel, so a tile reaches to the edges of its texels.
GSTEX_INLINE Range cell_range(int texel, int extent, int cells, bool repeat) {
    const int64_t end = texel + TILE < extent ? texel + TILE : extent;
    Range range;
    range.low = int(int64_t(texel) * cells / extent) - 1;
    range.high = int((end * cells + extent - 1) / extent);
    if (!repeat) {
        range.low = range.low < 0 ? 0 : range.low;
        range.high = range.high > cells - 1 ? cells - 1 : range.high;
    }
    return range;
}

// The number of whole textures by which an unwrapped cell is shifted: i / size, rounded down.
GSTEX_INLINE int turns(int i, int size) { return (i >= 0 ? i : i - size + 1) / size; }

// Calls visit(first, last, image_x, image_y) for every run of Gaussians, in the order of their cells, that is visible
// in a tile.
template <class Visit> GSTEX_INLINE void for_visible(const CellPyramid &cells, int64_t tile, Visit &&visit) {
    for (int level = 0; level < cells.levels; ++level) {
        const int columns = cells.grids[4 * level], rows = cells.grids[4 * level + 1];
        const int64_t first_cell = cells.grids[4 * level + 2];
        const Range x = cell_range(tile_column(tile, cells.across), cells.width, columns, cells.repeat);
        const Range y = cell_range(tile_row(tile, cells.across), cells.height, rows, cells.repeat);
        for (int row = y.low; row <= y.high; ++row) {
            const int image_y = turns(row, rows);
            const int64_t start = first_cell + int64_t(row - image_y * rows) * columns;
            for (int column = x.low; column <= x.high;) {
                // Cells up to the edge of the texture are contiguous.
                const int image_x = turns(column, columns), shift = image_x * columns;
                const int edge = shift + columns - 1, end = x.high < edge ? x.high : edge;
                visit(cells.cell_start[start + column - shift], cells.cell_start[start + end - shift + 1], image_x,
                      image_y);
                column = end + 1;
            }
        }
    }
}

void count_visible(const CountVisible &a) {
    parallel_for(a.cells.tiles, 256, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t tile = begin; tile < end; ++tile) {
            int64_t total = 0;
            for_visible(a.cells, tile, [&](int64_t first, int64_t last, int, int) { total += last - first; });
            a.counts[tile] = total;
        }
    });
}

// The fade of a Gaussian in a tile, for any jitter up to half a texel: whether it is 0 everywhere, whether it is below
// 1 anywhere, and by column and row the largest fade before it is clamped to 1.
struct FadeState {
    bool gone, fades;
    F16 whole_columns; // above 1 where the fade can be 1
    float whole_rows[TILE];
};

GSTEX_INLINE FadeState fade_state(const float *where, float shift_x, float shift_y, int column, int row) {
    FadeState state;
    float columns[LANES], rows[LANES];
    float least = 1.0f, most[2] = {-1.0f, -1.0f};
    for (int axis = 0; axis < 2; ++axis) {
        const float size = where[2 + axis], slack = 0.5f / size;
        const float first = float(axis ? row : column) + 0.5f - (axis ? shift_y : shift_x);
        const F16 distance = abs((F16(first) + lane_columns()) / F16(size) - F16(where[axis]));
        const F16 high = F16(GSTEX_FADE_SLOPE) * (F16(1.5f + slack) - distance);
        const F16 low = F16(GSTEX_FADE_SLOPE) * (F16(1.5f - slack) - distance);
        store(axis ? rows : columns, high);
        float lows[LANES];
        store(lows, low);
        for (int k = 0; k < TILE; ++k) {
            const float value = axis ? rows[k] : columns[k];
            most[axis] = value > most[axis] ? value : most[axis];
            least = lows[k] < least ? lows[k] : least;
        }
    }
    state.gone = most[0] <= 0.0f || most[1] <= 0.0f;
    state.fades = least < 1.0f;
    state.whole_columns = load(columns);
    memcpy(state.whole_rows, rows, sizeof(state.whole_rows));
    return state;
}

void mark_entries(const MarkEntries &a) {
    const float extent_x = float(a.cells.width), extent_y = float(a.cells.height);
    parallel_for(a.cells.tiles, 16, [&](int64_t begin, int64_t end, Scratch &scratch) {
        for (int64_t tile = begin; tile < end; ++tile) {
            scratch.reset();
            const int64_t first_entry = a.visible_start[tile], count = a.visible_start[tile + 1] - first_entry;
            float *scores = scratch.take<float>(count * POINTS);
            const int column = tile_column(tile, a.cells.across), row = tile_row(tile, a.cells.across);
            F16 best[PAIRS];
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) best[pair] = F16(NOTHING);
            int64_t listed = 0; // entries that have not faded; their scores are contiguous
            for_visible(a.cells, tile, [&](int64_t first, int64_t last, int image_x, int image_y) {
                const float shift_x = float(image_x) * extent_x, shift_y = float(image_y) * extent_y;
                for (int64_t i = first; i < last; ++i) {
                    const int32_t g = a.order[i];
                    const FadeState state = fade_state(a.where + 4 * int64_t(g), shift_x, shift_y, column, row);
                    if (state.gone) continue;
                    const float *derived = a.derived + 8 * int64_t(g);
                    const F16 dx = lane_columns() - F16(derived[0] + shift_x - float(column) - 0.5f);
                    const F16 rows = lane_rows() - F16(derived[1] + shift_y - float(row) - 0.5f);
                    const F16 u0 = F16(derived[2]) * dx, v0 = F16(derived[4]) * dx;
                    GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
                        const F16 dy = rows + F16(float(2 * pair));
                        const F16 u = fma(F16(derived[3]), dy, u0), v = fma(F16(derived[5]), dy, -v0);
                        const F16 score = gstex_score(F16(derived[6]), u, v);
                        store(scores + listed * POINTS + pair * LANES, score);
                        const F16 whole_row = splat_rows(state.whole_rows[2 * pair], state.whole_rows[2 * pair + 1]);
                        const F16 better = select(min(state.whole_columns, whole_row) > F16(1.0f), score, F16(NOTHING));
                        best[pair] = max(best[pair], better);
                    }
                    const int64_t entry = first_entry + listed++;
                    a.gaussian[entry] = g;
                    a.image[2 * entry] = int8_t(image_x);
                    a.image[2 * entry + 1] = int8_t(image_y);
                    a.faded[entry] = state.fades;
                }
            });
            GSTEX_UNROLL for (int pair = 0; pair < PAIRS; ++pair) best[pair] = best[pair] - F16(a.margin);
            int64_t kept = 0;
            for (int64_t e = 0; e < listed; ++e) {
                const float *score = scores + e * POINTS;
                I16 matters = load(score) >= best[0];
                GSTEX_UNROLL for (int pair = 1; pair < PAIRS; ++pair) matters =
                    matters | (load(score + pair * LANES) >= best[pair]);
                if (!any(matters)) continue;
                const int64_t from = first_entry + e, to = first_entry + kept++;
                a.gaussian[to] = a.gaussian[from];
                a.image[2 * to] = a.image[2 * from];
                a.image[2 * to + 1] = a.image[2 * from + 1];
                a.faded[to] = a.faded[from];
            }
            a.kept[tile] = kept;
        }
    });
}

} // namespace GSTEX_SET
} // namespace gstex
