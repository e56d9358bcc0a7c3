// gstex_expand.h: the expanded form of a material (docs/expanded.md), in C99 and C++: tile lists and records that
// shaders/gstex_expanded.glsl reads, made when a file is loaded. It has some 8 times the words, and a texel takes an eleventh
// to an eighth of the operations. It stands beside gstex.h, and is one file for the same reason: engines take it along as one.
//
// In one source file, after gstex.h:
//
//     #define GSTEX_IMPLEMENTATION
//     #include "gstex.h"
//     #include "gstex_expand.h"
//
// MIT licence, as the rest of gstex.

#ifndef GSTEX_EXPAND_H
#define GSTEX_EXPAND_H

#include "gstex.h"

#define GSTEX_LIST_BYTES 1020 // of the list of a tile, at most: 255 words

#ifndef GSTEX__ON_GPU

#ifdef __cplusplus
extern "C" {
#endif

// Words of scratch that the two calls below need: 321 KB, and 52 bytes for each Gaussian of the largest mip.
GSTEX_API size_t gstex_expand_scratch_words(const gstex_material *material);

// The words of the expanded form, a multiple of 64, so that many stand in one buffer. 0 if it cannot be made: a mip has more
// than 2^22 Gaussians or 2^20 / n different features, n being 2 for more than 8 channels and else 1, or the form has 2^30
// words or more. It takes as long as gstex_expand, because it does the same.
GSTEX_API size_t gstex_expand_words(const gstex_material *material, uint32_t *scratch);

// Writes the expanded form to words, which has room for `room` words and is written alone. Returns how many it takes; if that
// is more than `room`, or 0, what was written is of no use. The same bits in every call and on every CPU. The time is that of
// decoding all mips some times; no tile looks at more than 512 Gaussians, a mip with more becomes texels.
GSTEX_API size_t gstex_expand(const gstex_material *material, uint32_t *scratch, uint32_t *words, size_t room);

// Lists of tiles, which take nearly all of the time, to be made by somebody else: in several threads or on a GPU.
typedef struct gstex_lists {
    const void *tiles;                // what they are made from, for cuda/expand/lists.cu and shaders/expand.comp
    size_t tiles_bytes;
    const uint32_t *places, *records; // places[gaussians], records[4 * gaussians]
    size_t gaussians;
    int32_t first, count;             // those of the tiles first .. first + count - 1
    int32_t *sizes;                   // in bytes, to be filled in
    uint8_t *bytes;                   // the lists, GSTEX_LIST_BYTES apart, to be filled in
} gstex_lists;

// Who makes them. make returns 1; or 0 if one cannot be made, and then the mip has other tiles or becomes texels; or -1 to stop.
typedef struct gstex_list_maker {
    int (*make)(void *user, const gstex_lists *lists);
    void *user;
    int32_t most;   // lists at once
    int32_t *sizes; // memory for their sizes, and for GSTEX_LIST_BYTES of each
    uint8_t *bytes;
} gstex_list_maker;

// gstex_expand with lists that are made there. The words are the same if they are. 0 also if it was stopped.
GSTEX_API size_t gstex_expand_by(const gstex_material *material, const gstex_list_maker *maker, uint32_t *scratch, uint32_t *words,
                                 size_t room);

// Makes lists at .. at + count - 1 of those that are asked for. Any number of threads may do so at once, each with memory of its
// own: gstex_list_memory_words of 4 bytes, 321 KB. Returns 0 if one cannot be made.
GSTEX_API size_t gstex_list_memory_words(void);
GSTEX_API int gstex_make_lists(const gstex_lists *lists, int32_t at, int32_t count, uint32_t *memory);

typedef enum gstex_expansion {
    GSTEX_EXPANSION_GOOD,
    GSTEX_EXPANSION_TOO_LARGE, // more than 12 times the words of the material: keep it packed, or transcode it
    GSTEX_EXPANSION_IMPOSSIBLE // there is no expanded form
} gstex_expansion;

// Whether a form of so many words, the result of gstex_expand_words, is worth its memory. That of a regular grid is not: it has
// a Gaussian in every few texels, which takes 16 bytes there and no geometry as it is packed.
GSTEX_API gstex_expansion gstex_judge_expansion(const gstex_material *material, size_t words);

#ifdef __cplusplus
}
#endif

#endif // GSTEX__ON_GPU

#endif // GSTEX_EXPAND_H

#if defined(GSTEX_IMPLEMENTATION) && !defined(GSTEX_EXPAND_IMPLEMENTED)
#define GSTEX_EXPAND_IMPLEMENTED

#ifdef __cplusplus
extern "C" {
#endif

#define GSTEX_EXPANDED_MAGIC 0x45545347u // "GSTE"

enum {
    GSTEX__SEEN_MAX = 512,           // Gaussians that a tile looks at; a mip with more becomes texels
    GSTEX__LISTED_MEAN = 72,         // bytes of the lists of a shared mip, on average; with more it gets smaller tiles, or texels
    GSTEX__LIST_WORDS = 1 << 24,     // of all lists of a mip
    GSTEX__MAX_RECORDS = 1 << 22,
    GSTEX__POSITION_BITS = 20,
    GSTEX__VIEW_FOURS = 4,           // of an entry of the table of views
    GSTEX__VIEWS = 28,               // the word where that begins
    GSTEX__POINTS = 2 * GSTEX__TILE  // of a tile at which it is compared
};

// How far an expanded value may be from the packed one: by what a tile does not list, by that and what it lists as
// plain, and in all.
#define GSTEX__DROP_LIMIT (0.94f / 512.0f)
#define GSTEX__CHOICE_LIMIT (0.95f / 512.0f)
#define GSTEX__ERROR_LIMIT (0.97f / 512.0f)
// What weighs less than this, beside the sum of those before it in the list, is left out by the shader.
#define GSTEX__LEAST_WEIGHT 1.0e-4f
// What is never listed, unless a tile is too far off without it: a Gaussian that matters less than this everywhere.
#define GSTEX__LEAST_ERROR (0.002f / 512.0f)

// The Gaussians of a mip that are expanded together, for this mip and those that share them.
typedef struct gstex__set {
    gstex__view view;
    gstex__grid grids[GSTEX_MAX_LEVELS];
    uint32_t first[GSTEX_MAX_LEVELS + 1]; // Gaussians before each level
    float cells_x[GSTEX_MAX_LEVELS], cells_y[GSTEX_MAX_LEVELS]; // cells a unit of position
    float units_x, units_y;               // of position, a texel
    float steep_x, steep_y;               // the most that records have, by units
    float lean;                           // the most, by steep_y
    float amplitude, amplitude_range;     // log2 of the one in the middle, and how far all are from it at most
    float lo[GSTEX_MAX_CHANNELS], hi[GSTEX_MAX_CHANNELS];
    uint32_t *cell, *key, *number;        // scratch: of each Gaussian its cell; its place in the expanded set; the reverse
    uint32_t *written;                    // scratch: the records, by their places
    uint32_t *slots;                      // scratch: where features are found again, two words each
    uint32_t slot_count, eights;          // a power of two; words that features take, in fours
    uint32_t ranges, records, features;   // where they begin, in fours
} gstex__set;

// ---- The list of a tile --------------------------------------------------------------------------------------------

// What stands from here on up to "Sets" compiles for GPUs as well (cuda/expand/lists.cu). There the threads of a block, the
// workers, choose the list of a tile together: all of them make the same calls and decide the same, and each has one of the
// points of the tile, its own. Here one worker has all points.
#ifndef GSTEX__ON_GPU
#define GSTEX__TILE_CODE static
#define GSTEX__OWN_SIDE GSTEX__SIDE // columns and rows of a grid of points that a worker has
#define GSTEX__WORKER 0             // the number of this one ..
#define GSTEX__WORKERS 1            // .. of so many
#define GSTEX__ANY(own) (own)       // whether one of them says so
#define GSTEX__MOST(own) (own)      // the largest number that they have
#define GSTEX__MEET() ((void)0)     // after it they see what others have written
#endif
#define GSTEX__OWN_TILE (GSTEX__OWN_SIDE * GSTEX__OWN_SIDE)
#define GSTEX__OWN_POINTS (GSTEX__OWN_SIDE == GSTEX__SIDE ? GSTEX__POINTS : GSTEX__OWN_TILE)

// The tiles of a view, with all that their lists are made from but the words and the places and records of the set.
typedef struct gstex__tiles {
    gstex_group group;
    gstex__set set;
    gstex__view view;
    int32_t side, grids;             // of a tile, in texels; grids of points at which it is compared
    float filter[3];                 // variance along x and y in scaled units, and their product
    float slope[GSTEX_MAX_CHANNELS]; // how much a bend makes of an error
} gstex__tiles;

// A Gaussian that a tile sees.
typedef struct gstex__candidate {
    uint32_t record, level, place; // as it is packed; as it is expanded
    uint32_t words[4];             // expanded
    float features[GSTEX_MAX_CHANNELS];
    float most, share;             // the largest error without it; its largest share
    int32_t kept, plain;
} gstex__candidate;

// Memory for the choice of one list.
typedef struct gstex__seen_by_tile {
    gstex__candidate candidates[GSTEX__SEEN_MAX];
    float weights[GSTEX__SEEN_MAX][GSTEX__POINTS]; // at the points of the tile; as it is packed, and then as it is listed
    float keys[GSTEX__SEEN_MAX];                   // by which they are sorted
    uint16_t order[GSTEX__SEEN_MAX];
} gstex__seen_by_tile;

// A worker.
typedef struct gstex__chooser {
    const gstex__tiles *tiles;
    const gstex__set *set;
    gstex__seen_by_tile *seen;
    int32_t count;                     // of candidates
    // The points of the tile: the centres of its texels, and if it is for direct evaluation a grid from corner to corner. A
    // worker has `grids` of these from first_grid on, and of each the columns and rows from first_column and first_row on.
    int32_t first_grid, grids, first_column, first_row;
    int32_t points;                    // that it has
    uint32_t first_point;              // of all that the tile has
    uint32_t x[2 * GSTEX__OWN_SIDE], y[2 * GSTEX__OWN_SIDE];  // columns and rows of its grids, in units
    float value[GSTEX_MAX_CHANNELS][GSTEX__OWN_POINTS];       // as it is packed
    float sum[GSTEX__OWN_POINTS];                             // of weights; at last of those listed
    float error[GSTEX_MAX_CHANNELS][GSTEX__OWN_POINTS];       // of what is listed, times sum
    uint8_t *bytes;                    // of the list: room for GSTEX_LIST_BYTES
    int32_t byte_count;
} gstex__chooser;

// -1 .. 1 in 16 bits, as unpackSnorm2x16 reads it, and back.
GSTEX__TILE_CODE uint32_t gstex__to_snorm(float value) {
    return (uint32_t)(int32_t)floorf(32767.0f * gstex_min(gstex_max(value, -1.0f), 1.0f) + 0.5f) & 0xFFFFu;
}
GSTEX__TILE_CODE float gstex__from_snorm(uint32_t code) { return (float)((int32_t)(code ^ 0x8000u) - 32768) / 32767.0f; }

// 0 .. 1 in 16 bits, as unpackUnorm2x16 reads it, and back.
GSTEX__TILE_CODE uint32_t gstex__to_unorm(float value) { return (uint32_t)(65535.0f * gstex_saturate(value) + 0.5f); }
GSTEX__TILE_CODE float gstex__from_unorm(uint32_t code) { return (float)code / 65535.0f; }

// What an expanded record weighs at the points of a worker, as the shader finds it.
GSTEX__TILE_CODE void gstex__expanded_weights(const gstex__chooser *e, const gstex__candidate *of, int plain, float *weight) {
    const gstex__set *set = e->set;
    const float *filter = e->tiles->filter;
    const uint32_t *words = of->words;
    const float lean = set->lean * gstex__from_snorm(words[2] & 0xFFFFu);
    const float amplitude = set->amplitude_range * gstex__from_snorm(words[2] >> 16);
    const float steep_x = gstex__from_unorm(words[3] & 0xFFFFu), steep_y = gstex__from_unorm(words[3] >> 16);
    const float xx = steep_x * steep_x, yy = steep_y * steep_y, det = xx * yy;
    const float wider = 1.0f / (1.0f + filter[0] * xx + filter[1] * (lean * lean + yy) + filter[2] * det);
    const float scale_x = set->steep_x / 4096.0f, scale_y = set->steep_y / 4096.0f;
    const float period = (float)(1 << GSTEX__POSITION_BITS), turned = 4294967296.0f;
    const float cells_x = set->cells_x[of->level], cells_y = set->cells_y[of->level];
    int32_t g, i, j;
    for (g = 0; g < e->grids; ++g) {
        float dx[GSTEX__OWN_SIDE], dy[GSTEX__OWN_SIDE], fade_x[GSTEX__OWN_SIDE], fade_y[GSTEX__OWN_SIDE];
        for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
            dx[i] = (float)(int32_t)((words[0] - e->x[GSTEX__OWN_SIDE * g + i]) << 12);
            dy[i] = (float)(int32_t)((words[1] - e->y[GSTEX__OWN_SIDE * g + i]) << 12);
            fade_x[i] = fade_y[i] = 1.0f;
        }
        for (i = 0; !plain && i < GSTEX__OWN_SIDE; ++i) {
            const float x = (float)(words[0] & 0xFFFFFu) * cells_x, y = (float)(words[1] & 0xFFFFFu) * cells_y;
            const float from_x = x - floorf(x) - 0.5f - dx[i] * (cells_x / 4096.0f);
            const float from_y = y - floorf(y) - 0.5f - dy[i] * (cells_y / 4096.0f);
            const float turn_x = floorf(from_x / (period * cells_x) + 0.5f);
            const float turn_y = floorf(from_y / (period * cells_y) + 0.5f);
            fade_x[i] = gstex_fade(from_x - turn_x * period * cells_x);
            fade_y[i] = gstex_fade(from_y - turn_y * period * cells_y);
            dx[i] += turned * turn_x;
            dy[i] += turned * turn_y;
        }
        for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
            dx[i] *= scale_x;
            dy[i] *= scale_y;
        }
        for (j = 0; j < GSTEX__OWN_SIDE; ++j)
            for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
                const float u = steep_x * dx[i] + lean * dy[j], v = steep_y * dy[j];
                const float blur = det * (filter[1] * dx[i] * dx[i] + filter[0] * dy[j] * dy[j]);
                weight[GSTEX__OWN_TILE * g + GSTEX__OWN_SIDE * j + i] =
                    gstex_exp2(amplitude - (u * u + v * v + blur) * wider) * (fade_x[i] * fade_y[j]);
            }
    }
}

// What a candidate weighs at a worker's own points.
GSTEX__TILE_CODE float *gstex__weights_of(const gstex__chooser *e, int32_t number) {
    return &e->seen->weights[number][e->first_point];
}

// The number of a candidate, or -1.
GSTEX__TILE_CODE int32_t gstex__find_seen(const gstex__chooser *e, uint32_t level, uint32_t record) {
    int32_t n = GSTEX__WORKER;
    while (n < e->count && !(e->seen->candidates[n].record == record && e->seen->candidates[n].level == level)) n += GSTEX__WORKERS;
    return (int32_t)GSTEX__MOST(n < e->count ? (float)n : -1.0f);
}

// Adds a Gaussian to those that a tile sees, or if it is one of them its weights to that one's. number: of the grid at hand.
// Returns 0 if there are too many.
GSTEX__TILE_CODE int gstex__see(gstex__chooser *e, uint32_t level, uint32_t record, int32_t number,
                      const float *from_x, const float *fade_x, const float *from_y, const float *fade_y, int again) {
    const gstex__grid *grid = &e->set->grids[level];
    const int32_t own = number - e->first_grid, found = again ? gstex__find_seen(e, level, record) : -1;
    const int32_t at = found < 0 ? e->count : found;
    const uint64_t bit = (uint64_t)grid->level.record_offset * 32 + (uint64_t)record * (uint32_t)grid->level.stride;
    float *weight;
    gstex__batch batch;
    int32_t i, j;
    if (at == GSTEX__SEEN_MAX) return 0;
    weight = gstex__weights_of(e, at);
    if (found < 0) {
        gstex__candidate *of = &e->seen->candidates[at];
        of->record = record;
        of->level = level;
        of->place = e->set->key[e->set->first[level] + record];
        for (i = 0; i < 4; ++i) of->words[i] = e->set->written[4 * (size_t)of->place + (size_t)i];
        for (i = 0; i < e->points; ++i) weight[i] = 0.0f;
        gstex__read_features(&e->set->view, bit + (uint32_t)gstex__geometry_bits(&grid->level), of->features);
        ++e->count;
    }
    if (own < 0 || own >= e->grids) return 1;
    weight += GSTEX__OWN_TILE * own;
    batch.count = 1;
    batch.bit[0] = bit;
    gstex__read_geometry(&e->tiles->view, grid, &batch);
    for (j = 0; j < GSTEX__OWN_SIDE; ++j)
        for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
            const float dx = (from_x[i] - batch.x[0]) * grid->cell_width, dy = (from_y[j] - batch.y[0]) * grid->cell_height;
            const float u = batch.along[0] * (batch.cosine[0] * dx + batch.sine[0] * dy);
            const float v = batch.across[0] * (batch.cosine[0] * dy - batch.sine[0] * dx);
            weight[GSTEX__OWN_SIDE * j + i] += gstex_weight(batch.amplitude[0], u, v) * (fade_x[i] * fade_y[j]);
        }
    return 1;
}

// The cells of the columns (or rows) of a grid over the texels first .. first + count - 1. number: 0 for the centres of texels
// (the last stands for those that are missing), 1 for points from edge to edge. size: texels of the mip.
GSTEX__TILE_CODE void gstex__locate_grid(gstex__axis *axis, int32_t number, int32_t first, int32_t count, int32_t cells, int32_t size) {
    int32_t i;
    gstex__set_texels(axis, first, GSTEX__SIDE);
    for (i = count; i < GSTEX__SIDE; ++i) axis->texel[i] = first + count - 1;
    gstex__locate(axis, cells, size);
    for (i = 0; number == 1 && i < GSTEX__SIDE; ++i) {
        const int32_t place = ((GSTEX__SIDE - 1) * first + i * count) * cells, cell = (GSTEX__SIDE - 1) * size;
        axis->cell[i] = place / cell < cells - 1 ? place / cell : cells - 1;
        axis->inside[i] = (float)(place - axis->cell[i] * cell) / (float)cell;
    }
}

// All Gaussians that the points of a tile see, with their weights. Returns 0 if there are too many.
GSTEX__TILE_CODE int gstex__gather(gstex__chooser *e, int32_t left, int32_t top, int32_t across, int32_t down) {
    const gstex__view *view = &e->tiles->view;
    const int32_t repeat = view->group->repeat;
    int32_t number, l;
    e->count = 0;
    for (number = 0; number < e->tiles->grids; ++number)
        for (l = 0; l < view->level_count; ++l) {
            const gstex_level *level = &e->set->grids[l].level;
            gstex__axis columns, rows;
            int32_t y, first_row = 0, end;
            gstex__locate_grid(&columns, number, left, across, level->cells_x, view->width);
            gstex__locate_grid(&rows, number, top, down, level->cells_y, view->height);
            for (y = rows.cell[0] - 1; gstex__next_seen(&rows, &y, &first_row, &end); ++y) {
                const int32_t row = gstex__wrap_cell(y, level->cells_y, repeat);
                float from_y[GSTEX__OWN_SIDE], fade_y[GSTEX__OWN_SIDE], from_x[GSTEX__OWN_SIDE], fade_x[GSTEX__OWN_SIDE];
                int32_t x = columns.cell[0] - 1, first_column = 0, i;
                if (row < 0) continue;
                for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
                    from_y[i] = gstex__from_cell(&rows, e->first_row + i, y);
                    fade_y[i] = gstex_fade(from_y[i] - 0.5f);
                }
                for (; gstex__next_seen(&columns, &x, &first_column, &end); ++x) {
                    const int32_t column = gstex__wrap_cell(x, level->cells_x, repeat);
                    const uint32_t cell = (uint32_t)row * (uint32_t)level->cells_x + (uint32_t)column;
                    uint32_t r, after;
                    if (column < 0) continue;
                    for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
                        from_x[i] = gstex__from_cell(&columns, e->first_column + i, x);
                        fade_x[i] = gstex_fade(from_x[i] - 0.5f);
                    }
                    after = gstex__start(view->words, level, cell + 1);
                    for (r = gstex__start(view->words, level, cell); r < after; ++r)
                        if (!gstex__see(e, (uint32_t)l, r, number, from_x, fade_x, from_y, fade_y, number > 0 || repeat))
                            return 0; // where a texture repeats, a tile may see a cell from both sides
                }
            }
        }
    return 1;
}

// What the tile is as it is packed.
GSTEX__TILE_CODE void gstex__sum_tile(gstex__chooser *e) {
    const gstex__view *view = &e->tiles->view;
    const int32_t channels = view->group->channel_count;
    int32_t n, k, i;
    for (i = 0; i < e->points; ++i) e->sum[i] = GSTEX_BACKGROUND_WEIGHT;
    for (k = 0; k < channels; ++k) {
        const float background = gstex__to_float(view->words[view->background + (uint32_t)k]);
        for (i = 0; i < e->points; ++i) e->value[k][i] = GSTEX_BACKGROUND_WEIGHT * background;
    }
    for (n = 0; n < e->count; ++n) {
        const gstex__candidate *of = &e->seen->candidates[n];
        const float *weight = gstex__weights_of(e, n);
        for (i = 0; i < e->points; ++i) e->sum[i] += weight[i];
        for (k = 0; k < channels; ++k)
            for (i = 0; i < e->points; ++i) e->value[k][i] += weight[i] * of->features[k];
    }
    for (k = 0; k < channels; ++k)
        for (i = 0; i < e->points; ++i) e->value[k][i] /= e->sum[i];
}

// Puts the candidates in the order of their keys; of equal ones the first comes first.
GSTEX__TILE_CODE void gstex__sort_candidates(gstex__chooser *e) {
    const float *keys = e->seen->keys;
    int32_t n, i;
    GSTEX__MEET(); // nobody reads the order of before any more
    for (n = GSTEX__WORKER; n < e->count; n += GSTEX__WORKERS) {
        int32_t at = 0;
        for (i = 0; i < n; ++i) at += keys[i] <= keys[n];
        for (; i < e->count; ++i) at += keys[i] < keys[n];
        e->seen->order[at] = (uint16_t)n;
    }
    GSTEX__MEET();
}

// Sorts the candidates by the error that each makes where it is missing, at most: its share times its contrast.
GSTEX__TILE_CODE void gstex__order_candidates(gstex__chooser *e) {
    const int32_t channels = e->tiles->group.channel_count;
    int32_t n, k, i;
    for (n = 0; n < e->count; ++n) {
        gstex__candidate *of = &e->seen->candidates[n];
        const float *weight = gstex__weights_of(e, n);
        float contrast[GSTEX__OWN_POINTS] = {0.0f}, most = 0.0f, most_share = 0.0f;
        for (k = 0; k < channels; ++k)
            for (i = 0; i < e->points; ++i)
                contrast[i] = gstex_max(contrast[i], e->tiles->slope[k] * gstex_abs(of->features[k] - e->value[k][i]));
        for (i = 0; i < e->points; ++i) {
            const float share = weight[i] / e->sum[i];
            most_share = gstex_max(most_share, share);
            most = gstex_max(most, contrast[i] * share);
        }
        of->most = e->seen->keys[n] = GSTEX__MOST(most);
        of->share = GSTEX__MOST(most_share);
    }
    gstex__sort_candidates(e);
}

// Whether all points of the tile stay within a limit of their packed values if a candidate weighs more or less by `change`.
GSTEX__TILE_CODE int gstex__stays_near(const gstex__chooser *e, const gstex__candidate *of, const float *change, float limit) {
    int32_t k, i, far = 0;
    for (i = 0; i < e->points; ++i) far |= e->sum[i] + change[i] < 0.1f * e->sum[i];
    for (k = 0; k < e->tiles->group.channel_count && !far; ++k) {
        const float most = limit / e->tiles->slope[k], feature = of->features[k];
        const float *value = e->value[k], *error = e->error[k];
        for (i = 0; i < e->points; ++i)
            far |= gstex_abs(error[i] + change[i] * (feature - value[i])) > most * (e->sum[i] + change[i]);
    }
    return !GSTEX__ANY(far);
}

GSTEX__TILE_CODE void gstex__change_weight(gstex__chooser *e, const gstex__candidate *of, const float *change) {
    int32_t k, i;
    for (i = 0; i < e->points; ++i) e->sum[i] += change[i];
    for (k = 0; k < e->tiles->group.channel_count; ++k)
        for (i = 0; i < e->points; ++i) e->error[k][i] += change[i] * (of->features[k] - e->value[k][i]);
}

// The largest error of what is listed.
GSTEX__TILE_CODE float gstex__largest_error(const gstex__chooser *e) {
    float most = 0.0f;
    int32_t k, i;
    for (k = 0; k < e->tiles->group.channel_count; ++k)
        for (i = 0; i < e->points; ++i) most = gstex_max(most, e->tiles->slope[k] * gstex_abs(e->error[k][i]) / e->sum[i]);
    return GSTEX__MOST(most);
}

// The background alone.
GSTEX__TILE_CODE void gstex__begin_list(gstex__chooser *e) {
    const gstex__view *view = &e->tiles->view;
    const float weight = GSTEX_BACKGROUND_WEIGHT * gstex_exp2(-e->set->amplitude);
    int32_t k, i;
    for (i = 0; i < e->points; ++i) e->sum[i] = weight;
    for (k = 0; k < view->group->channel_count; ++k)
        for (i = 0; i < e->points; ++i)
            e->error[k][i] = weight * (gstex__to_float(view->words[view->background + (uint32_t)k]) - e->value[k][i]);
}

// Chooses what the tile lists and what of it is plain, so that all its points stay near. least: what matters less is not tried.
// part: of the limits.
// Returns 0 if they are too far off.
GSTEX__TILE_CODE int gstex__choose_listed(gstex__chooser *e, float least, float part) {
    float change[GSTEX__OWN_POINTS], limit;
    int32_t n, i;
    gstex__begin_list(e);
    for (n = 0; n < e->count; ++n) {
        gstex__candidate *of = &e->seen->candidates[n];
        float *weight = gstex__weights_of(e, n);
        of->plain = 0;
        of->kept = of->most >= least || of->share >= least;
        if (!of->kept) continue;
        gstex__expanded_weights(e, of, 0, weight);
        gstex__change_weight(e, of, weight);
    }
    limit = gstex__largest_error(e);
    if (!(limit <= GSTEX__ERROR_LIMIT)) return 0;
    limit = gstex_max(limit, part * GSTEX__DROP_LIMIT);
    for (n = 0; n < 2 * e->count; ++n) { // some that are in the way of others at first, are not in the end
        const int32_t number = e->seen->order[n % e->count];
        gstex__candidate *of = &e->seen->candidates[number];
        if (!of->kept || of->most > 64.0f * limit) continue;
        for (i = 0; i < e->points; ++i) change[i] = -gstex__weights_of(e, number)[i];
        if (!gstex__stays_near(e, of, change, limit)) continue;
        gstex__change_weight(e, of, change);
        of->kept = 0;
    }
    for (n = 0; n < e->count; ++n) {
        const int32_t number = e->seen->order[n];
        gstex__candidate *of = &e->seen->candidates[number];
        float *weight = gstex__weights_of(e, number);
        if (!of->kept) continue;
        gstex__expanded_weights(e, of, 1, change);
        for (i = 0; i < e->points; ++i) change[i] -= weight[i];
        if (!gstex__stays_near(e, of, change, gstex_max(limit, part * GSTEX__CHOICE_LIMIT))) continue;
        gstex__change_weight(e, of, change);
        for (i = 0; i < e->points; ++i) weight[i] += change[i];
        of->plain = 1;
    }
    return 1;
}

// Whether the tile as it is listed is near at all its points. order: of those listed.
GSTEX__TILE_CODE int gstex__is_near(gstex__chooser *e, int32_t count) {
    int32_t n, i;
    gstex__begin_list(e);
    for (n = 0; n < count; ++n) {
        const int32_t number = e->seen->order[n];
        const float *listed = gstex__weights_of(e, number);
        float weight[GSTEX__OWN_POINTS];
        for (i = 0; i < e->points; ++i) weight[i] = listed[i] < GSTEX__LEAST_WEIGHT * e->sum[i] ? 0.0f : listed[i];
        gstex__change_weight(e, &e->seen->candidates[number], weight);
    }
    return gstex__largest_error(e) <= GSTEX__ERROR_LIMIT;
}

// Sorts those that are listed by their places in the set and returns how many they are.
GSTEX__TILE_CODE int32_t gstex__sort_listed(gstex__chooser *e) {
    int32_t n, count = 0;
    for (n = 0; n < e->count; ++n) {
        const gstex__candidate *of = &e->seen->candidates[n];
        e->seen->keys[n] = of->kept ? (float)of->place : 3.0e38f; // a place has 22 bits
        count += of->kept;
    }
    gstex__sort_candidates(e);
    return count;
}

GSTEX__TILE_CODE int gstex__add_byte(gstex__chooser *e, uint32_t byte) {
    if (e->byte_count == GSTEX_LIST_BYTES) return 0;
    if (GSTEX__WORKER == 0) e->bytes[e->byte_count] = (uint8_t)byte;
    ++e->byte_count;
    return 1;
}

// The bytes of a tile's list. Returns 0 if there are too many.
GSTEX__TILE_CODE int gstex__make_list(gstex__chooser *e, int32_t count) {
    uint32_t next = 0;
    int32_t n;
    e->byte_count = 0;
    for (n = 0; n < count; ++n) {
        const gstex__candidate *of = &e->seen->candidates[e->seen->order[n]];
        const uint32_t most = of->plain ? 127 : 63;
        uint32_t jump = of->place + 1 - next;
        while (jump > most) {
            const uint32_t shift = jump > 2048 ? 11 : 5, steps = (jump - 1) >> shift > 32 ? 32 : (jump - 1) >> shift;
            if (!gstex__add_byte(e, 192u | (shift > 5 ? 32u : 0u) | (steps - 1))) return 0;
            jump -= steps << shift;
        }
        if (!gstex__add_byte(e, jump | (of->plain ? 0u : 128u))) return 0;
        next = of->place + 1;
    }
    return 1;
}

// Where the columns or rows of a worker are, in units, of the texels first .. first + count - 1. texel: units of one.
GSTEX__TILE_CODE void gstex__set_points(const gstex__chooser *e, int32_t first, int32_t count, int32_t own, float texel, uint32_t *units) {
    int32_t g, i;
    for (g = 0; g < e->grids; ++g)
        for (i = 0; i < GSTEX__OWN_SIDE; ++i) {
            const int32_t at = own + i, number = e->first_grid + g;
            const float place = number ? (float)(at * count) / (float)(GSTEX__SIDE - 1) : (float)(at < count ? at : count - 1) + 0.5f;
            units[GSTEX__OWN_SIDE * g + i] = (uint32_t)(((float)first + place) * texel + 0.5f);
        }
}

// Makes the list of tile `number`. Returns 0 if there is none that is near enough.
GSTEX__TILE_CODE int gstex__choose_list(gstex__chooser *e, int32_t number) {
    const gstex__view *view = &e->tiles->view;
    const int32_t side = e->tiles->side, columns = (view->width + side - 1) / side;
    const int32_t left = number % columns * side, top = number / columns * side;
    const int32_t across = view->width - left < side ? view->width - left : side;
    const int32_t down = view->height - top < side ? view->height - top : side;
    int32_t i;
    gstex__set_points(e, left, across, e->first_column, e->set->units_x * view->own_width / (float)view->width, e->x);
    gstex__set_points(e, top, down, e->first_row, e->set->units_y * view->own_height / (float)view->height, e->y);
    for (i = 2; i >= 0; --i) { // at last with all that the tile sees
        int32_t count;
        if (!gstex__gather(e, left, top, across, down)) return 0;
        gstex__sum_tile(e);
        gstex__order_candidates(e);
        if (!gstex__choose_listed(e, i ? GSTEX__LEAST_ERROR : 0.0f, 0.5f * (float)i)) continue;
        count = gstex__sort_listed(e);
        if (gstex__is_near(e, count)) return gstex__make_list(e, count);
    }
    return 0;
}

// Lets copied tiles point to what is theirs, to the words, and to the places and the records of the set.
GSTEX__TILE_CODE void gstex__link_tiles(gstex__tiles *tiles, const uint32_t *words, uint32_t *key, uint32_t *written) {
    tiles->group.words = tiles->view.words = tiles->set.view.words = words;
    tiles->view.group = tiles->set.view.group = &tiles->group;
    tiles->set.key = key;
    tiles->set.written = written;
}

#ifndef GSTEX__ON_GPU

// ---- Words and lists -----------------------------------------------------------------------------------------------

// Where words are written, or counted where there is no room.
typedef struct gstex__writer {
    uint32_t *words;
    size_t room, at;
} gstex__writer;

static uint32_t gstex__bits_of(float value) {
    gstex__float_bits both;
    both.value = value;
    return both.bits;
}
static void gstex__write(gstex__writer *to, size_t at, uint32_t word) {
    if (at < to->room) to->words[at] = word;
}
static void gstex__append(gstex__writer *to, uint32_t word) { gstex__write(to, to->at++, word); }
static void gstex__append_float(gstex__writer *to, float value) { gstex__append(to, gstex__bits_of(value)); }
static void gstex__align(gstex__writer *to, size_t words) {
    while (to->at % words) gstex__append(to, 0);
}

GSTEX_API size_t gstex_list_memory_words(void) { return sizeof(gstex__seen_by_tile) / sizeof(uint32_t); }

GSTEX_API int gstex_make_lists(const gstex_lists *lists, int32_t at, int32_t count, uint32_t *memory) {
    gstex__chooser e; // a worker that is alone
    int32_t n;
    e.tiles = (const gstex__tiles *)lists->tiles;
    e.set = &e.tiles->set;
    e.seen = (gstex__seen_by_tile *)(void *)memory;
    e.first_grid = e.first_column = e.first_row = 0;
    e.first_point = 0;
    e.grids = e.tiles->grids;
    e.points = GSTEX__TILE * e.grids;
    for (n = at; n < at + count; ++n) {
        e.bytes = lists->bytes + GSTEX_LIST_BYTES * (size_t)n;
        if (!gstex__choose_list(&e, lists->first + n)) return 0;
        lists->sizes[n] = e.byte_count;
    }
    return 1;
}

static int gstex__make_here(void *memory, const gstex_lists *lists) {
    return gstex_make_lists(lists, 0, lists->count, (uint32_t *)memory);
}

// What makes a form.
typedef struct gstex__expander {
    const gstex_material *material;
    gstex__writer to;
    gstex__set set;
    const gstex_list_maker *maker;
    int stopped; // the maker of lists wants no more of it
} gstex__expander;

// ---- Sets ----------------------------------------------------------------------------------------------------------

// A position in units, in its cell as the shader finds that.
static uint32_t gstex__expand_position(float place, float units, float cells, int32_t cell) {
    const float last = (float)((1 << GSTEX__POSITION_BITS) - 1);
    float code = gstex_min(floorf(place * units + 0.5f), last);
    int32_t tries;
    for (tries = 0; tries < 4 && floorf(code * cells) != (float)cell; ++tries)
        code += floorf(code * cells) < (float)cell ? 1.0f : -1.0f;
    return (uint32_t)gstex_min(gstex_max(code, 0.0f), last);
}

// The place of a record in its texture, in texels.
static void gstex__place(const gstex__set *set, uint32_t level, uint32_t cell, uint32_t record, float *x, float *y) {
    const gstex__grid *grid = &set->grids[level];
    const gstex_level *of = &grid->level;
    uint64_t window = gstex__window(set->view.words, (uint64_t)of->record_offset * 32 + (uint64_t)record * (uint32_t)of->stride);
    const float in_x = gstex_position(gstex__take(&window, of->position_x_bits), grid->step_x);
    const float in_y = gstex_position(gstex__take(&window, of->position_y_bits), grid->step_y);
    *x = ((float)(cell % (uint32_t)of->cells_x) + in_x) * grid->cell_width;
    *y = ((float)(cell / (uint32_t)of->cells_x) + in_y) * grid->cell_height;
}

// How log2 of a record's weight falls with a distance (x, y) in units: by
// (steep_x x + lean y)^2 + (steep_y y)^2. And log2 of its amplitude.
typedef struct gstex__shape {
    float steep_x, steep_y, lean, amplitude;
} gstex__shape;

// Returns the bit where the features of the record start.
static uint64_t gstex__read_shape(const gstex__set *set, uint32_t level, uint32_t record, gstex__shape *shape) {
    const gstex__grid *grid = &set->grids[level];
    const gstex_level *of = &grid->level;
    const gstex_group *group = set->view.group;
    const uint64_t bit = (uint64_t)of->record_offset * 32 + (uint64_t)record * (uint32_t)of->stride;
    uint64_t window = gstex__window(set->view.words, bit) >> (of->position_x_bits + of->position_y_bits);
    const float turn = gstex__take(&window, of->rotation_bits);
    const float t = of->rotation_bits ? gstex_half_angle(turn, grid->half_turn, grid->turn_step) : 0.0f;
    const float along = GSTEX_UNIT * gstex_exp2(gstex_value(of->scale_lo, of->scale_step, gstex__take(&window, of->scale_bits)));
    const float across = GSTEX_UNIT * gstex_exp2(gstex_value(of->scale_lo, of->scale_step, gstex__take(&window, of->scale_bits)));
    const float cosine = (1.0f - t * t) / (1.0f + t * t), sine = 2.0f * t / (1.0f + t * t);
    const float xx = along * cosine, xy = along * sine, yx = across * sine, yy = across * cosine, length = sqrtf(xx * xx + yx * yx);
    shape->steep_x = length / set->units_x;
    shape->steep_y = along * across / length / set->units_y;
    shape->lean = (xx * xy - yx * yy) / length / set->units_y;
    shape->amplitude = GSTEX_LOG2E * gstex_value(group->amplitude_lo, group->amplitude_step, gstex__take(&window, of->amplitude_bits));
    return bit + (uint32_t)gstex__geometry_bits(of);
}

// An expanded record without the place of its features, and these as they are packed.
static void gstex__expand_record(const gstex__set *set, uint32_t level, uint32_t cell, uint32_t record, uint32_t *words,
                                 float *features) {
    const int32_t cells_x = set->grids[level].level.cells_x;
    gstex__shape shape;
    float x, y;
    const uint64_t bit = gstex__read_shape(set, level, record, &shape);
    gstex__place(set, level, cell, record, &x, &y);
    words[0] = gstex__expand_position(x, set->units_x, set->cells_x[level], (int32_t)cell % cells_x);
    words[1] = gstex__expand_position(y, set->units_y, set->cells_y[level], (int32_t)cell / cells_x);
    words[2] = gstex__to_snorm(shape.lean / (set->steep_y * set->lean)) |
               gstex__to_snorm((shape.amplitude - set->amplitude) / set->amplitude_range) << 16;
    words[3] = gstex__to_unorm(shape.steep_x / set->steep_x) | gstex__to_unorm(shape.steep_y / set->steep_y) << 16;
    gstex__read_features(&set->view, bit, features);
}

static int gstex__comes_later(const gstex__set *set, uint32_t a, uint32_t b) {
    return set->key[a] > set->key[b] || (set->key[a] == set->key[b] && set->number[a] > set->number[b]);
}

static void gstex__swap_records(gstex__set *set, uint32_t a, uint32_t b) {
    const uint32_t key = set->key[a], number = set->number[a];
    set->key[a] = set->key[b];
    set->number[a] = set->number[b];
    set->key[b] = key;
    set->number[b] = number;
}

// Sorts numbers by their keys: heap sort, which needs no memory and no luck.
static void gstex__sort_records(gstex__set *set, uint32_t count) {
    uint32_t start = count / 2, end = count;
    while (end > 1) {
        uint32_t root;
        if (start > 0)
            root = --start;
        else {
            gstex__swap_records(set, 0, --end);
            root = 0;
        }
        while (2 * root + 1 < end) {
            uint32_t child = 2 * root + 1;
            if (child + 1 < end && gstex__comes_later(set, child + 1, child)) ++child;
            if (!gstex__comes_later(set, child, root)) break;
            gstex__swap_records(set, root, child);
            root = child;
        }
    }
}

static uint32_t gstex__level_of(const gstex__set *set, uint32_t number) {
    uint32_t level = 0;
    while (number >= set->first[level + 1]) ++level;
    return level;
}

// Opens the set of a mip of Gaussians: its units and ranges, and the order of its records. Returns 0 if there are too many.
static int gstex__open_set(gstex__expander *e, const gstex_group *group, int mip, uint32_t *scratch) {
    gstex__set *set = &e->set;
    const float positions = (float)(1 << (group->repeat ? GSTEX__POSITION_BITS : GSTEX__POSITION_BITS - 1));
    float features[GSTEX_MAX_CHANNELS], strip, amplitude_lo = 3.0e38f, amplitude_hi = -3.0e38f;
    gstex__shape shape;
    uint32_t count = 0, n, level;
    int32_t k, l;
    gstex__open_view(group, mip, &set->view);
    for (l = 0; l < set->view.level_count; ++l) {
        gstex__open_grid(&set->view, l, &set->grids[l]);
        set->first[l] = count;
        count += set->grids[l].level.gaussian_count;
        if (count > GSTEX__MAX_RECORDS) return 0;
    }
    for (; l <= GSTEX_MAX_LEVELS; ++l) set->first[l] = count;
    set->cell = scratch;
    set->key = scratch + count;
    set->number = scratch + 2 * (size_t)count;
    set->written = scratch + 3 * (size_t)count;
    set->slots = scratch + 7 * (size_t)count;
    for (set->slot_count = 1; set->slot_count < count + count / 2;) set->slot_count *= 2;
    set->eights = (uint32_t)(e->material->channel_count + 7) / 8;
    set->units_x = positions / set->view.own_width;
    set->units_y = positions / set->view.own_height;
    set->steep_x = set->steep_y = set->lean = 0.0f;
    for (l = 0; l < set->view.level_count; ++l) {
        const gstex_level *of = &set->grids[l].level;
        set->cells_x[l] = (float)of->cells_x / positions;
        set->cells_y[l] = (float)of->cells_y / positions;
        for (n = 0; n < (uint32_t)of->cells_x * (uint32_t)of->cells_y; ++n) {
            const uint32_t end = set->first[l] + gstex__start(set->view.words, of, n + 1);
            uint32_t r = set->first[l] + gstex__start(set->view.words, of, n);
            for (; r < end; ++r) set->cell[r] = n;
        }
    }
    // Strips of the mean distance between Gaussians.
    strip = sqrtf(set->view.own_width * set->view.own_height / (float)(count ? count : 1));
    strip = gstex_max(strip, set->view.own_height / 4000.0f);
    for (k = 0; k < GSTEX_MAX_CHANNELS; ++k) {
        set->lo[k] = count && k < group->channel_count ? 3.0e38f : 0.0f;
        set->hi[k] = count && k < group->channel_count ? -3.0e38f : 0.0f;
    }
    for (n = 0; n < count; ++n) {
        float x, y;
        uint64_t bit;
        level = gstex__level_of(set, n);
        gstex__place(set, level, set->cell[n], n - set->first[level], &x, &y);
        set->key[n] = (uint32_t)(y / strip) << 20 | (uint32_t)gstex_min(x * set->units_x, 1048575.0f);
        set->number[n] = n;
        bit = gstex__read_shape(set, level, n - set->first[level], &shape);
        set->steep_x = gstex_max(set->steep_x, shape.steep_x);
        set->steep_y = gstex_max(set->steep_y, shape.steep_y);
        set->lean = gstex_max(set->lean, gstex_abs(shape.lean));
        amplitude_lo = gstex_min(amplitude_lo, shape.amplitude);
        amplitude_hi = gstex_max(amplitude_hi, shape.amplitude);
        gstex__read_features(&set->view, bit, features);
        for (k = 0; k < group->channel_count; ++k) {
            set->lo[k] = gstex_min(set->lo[k], features[k]);
            set->hi[k] = gstex_max(set->hi[k], features[k]);
        }
    }
    if (!count) set->steep_x = set->steep_y = 1.0f, amplitude_lo = amplitude_hi = 0.0f;
    set->amplitude = 0.5f * (amplitude_lo + amplitude_hi);
    set->amplitude_range = gstex_max(0.5f * (amplitude_hi - amplitude_lo), 1.0e-3f);
    set->lean = set->lean > 0.0f ? set->lean / set->steep_y : 1.0f;
    gstex__sort_records(set, count);
    return 1;
}

// Features in the order of the material's channels, 16 bits each, two in a word.
static void gstex__pack_features(const gstex__set *set, const float *features, uint32_t *words) {
    int32_t k;
    for (k = 0; k < GSTEX_MAX_CHANNELS / 2; ++k) words[k] = 0;
    for (k = 0; k < set->view.group->channel_count; ++k) {
        const float range = set->hi[k] - set->lo[k], part = range > 0.0f ? (features[k] - set->lo[k]) / range : 0.0f;
        const int32_t c = set->view.group->channel[k];
        words[c / 2] |= gstex__to_unorm(part) << 16 * (c % 2);
    }
}

// The features of a Gaussian as they are written, its number being that of gstex__set.
static void gstex__features_of(const gstex__set *set, uint32_t number, uint32_t *words) {
    const uint32_t level = gstex__level_of(set, number);
    gstex__shape shape;
    float features[GSTEX_MAX_CHANNELS];
    gstex__read_features(&set->view, gstex__read_shape(set, level, number - set->first[level], &shape), features);
    gstex__pack_features(set, features, words);
}

// The place of a Gaussian's features among those of the set, each of which is there once: *count of them, so far.
static uint32_t gstex__find_features(gstex__set *set, uint32_t number, const uint32_t *words, uint32_t *count) {
    uint32_t slot = 2166136261u, other[GSTEX_MAX_CHANNELS / 2], k;
    for (k = 0; k < GSTEX_MAX_CHANNELS / 2; ++k) slot = (slot ^ words[k]) * 16777619u;
    for (slot = (slot ^ slot >> 15) & (set->slot_count - 1);; slot = (slot + 1) & (set->slot_count - 1)) {
        uint32_t *here = set->slots + 2 * (size_t)slot;
        if (here[0] == 0) {
            here[0] = number + 1;
            here[1] = (*count)++;
            return here[1];
        }
        gstex__features_of(set, here[0] - 1, other);
        for (k = 0; k < GSTEX_MAX_CHANNELS / 2 && other[k] == words[k];) ++k;
        if (k == GSTEX_MAX_CHANNELS / 2) return here[1];
    }
}

// The levels, ranges, records and features of the set. Leaves in key[n] the place of record n. Returns 0 if there are too many
// features.
static int gstex__write_set(gstex__expander *e) {
    gstex__set *set = &e->set;
    gstex__writer *to = &e->to;
    const gstex_group *group = set->view.group;
    const uint32_t count = set->first[GSTEX_MAX_LEVELS];
    const float background = GSTEX_BACKGROUND_WEIGHT * gstex_exp2(-set->amplitude), position = (float)(1 << GSTEX__POSITION_BITS);
    size_t range;
    uint32_t n, k, features = 0;
    int32_t level;
    set->ranges = (uint32_t)(to->at / 4);
    gstex__append_float(to, background);
    gstex__append_float(to, set->lean);
    gstex__append_float(to, set->amplitude_range);
    gstex__align(to, 4);
    range = to->at;
    for (k = 0; k < 3 * GSTEX_MAX_CHANNELS; ++k) gstex__append(to, 0);
    for (k = 0; k < (uint32_t)group->channel_count; ++k) {
        const uint32_t c = (uint32_t)group->channel[k];
        const float lo = set->lo[k], step = set->hi[k] > lo ? set->hi[k] - lo : 1.0f;
        const float at = gstex__to_float(set->view.words[set->view.background + k]);
        gstex__write(to, range + c, gstex__bits_of(background * (at - lo) / step));
        gstex__write(to, range + GSTEX_MAX_CHANNELS + c, gstex__bits_of(lo));
        gstex__write(to, range + 2 * GSTEX_MAX_CHANNELS + c, gstex__bits_of(step));
    }
    for (level = 0; level < set->view.level_count; ++level) {
        const float x = set->cells_x[level], y = set->cells_y[level];
        gstex__append_float(to, x / 4096.0f);
        gstex__append_float(to, y / 4096.0f);
        // Cells in all, where they are so few that a Gaussian may be seen from farther away than half of them.
        gstex__append_float(to, x * position < 4.0f || y * position < 4.0f ? x * position : 0.0f);
        gstex__append_float(to, y * position);
    }
    set->records = (uint32_t)(to->at / 4);
    set->features = set->records + count;
    to->at += 4 * (size_t)count;
    for (n = 0; n < 2 * set->slot_count; ++n) set->slots[n] = 0;
    for (n = 0; n < count; ++n) {
        const uint32_t number = set->number[n], of = gstex__level_of(set, number), before = features;
        const size_t record = 4 * (size_t)(set->records + n);
        uint32_t words[4], packed[GSTEX_MAX_CHANNELS / 2], place;
        float values[GSTEX_MAX_CHANNELS];
        gstex__expand_record(set, of, set->cell[number], number - set->first[of], words, values);
        gstex__pack_features(set, values, packed);
        place = set->eights * gstex__find_features(set, number, packed, &features);
        if (place >= 1u << 20) return 0;
        for (k = 0; features > before && k < 4 * set->eights; ++k) gstex__append(to, packed[k]);
        set->key[number] = n;
        words[0] |= place >> 8 << 20;
        words[1] |= place << 24 | of << 20;
        for (k = 0; k < 4; ++k) {
            set->written[4 * (size_t)n + k] = words[k];
            gstex__write(to, record + k, words[k]);
        }
    }
    return 1;
}

// ---- Mips -----------------------------------------------------------------------------------------------------------

// The tiles of a mip and their lists; returns 0, and what it wrote does not count, if tiles of this size are too long.
static int gstex__write_tiles(gstex__expander *e, const gstex__tiles *tiles) {
    gstex__writer *to = &e->to;
    const gstex_list_maker *maker = e->maker;
    gstex_lists lists;
    const int32_t side = tiles->side, count = ((tiles->view.width + side - 1) / side) * ((tiles->view.height + side - 1) / side);
    const size_t start = to->at;
    size_t bytes = 0, first = 0;
    int32_t n, i, b;
    lists.tiles = tiles;
    lists.tiles_bytes = sizeof *tiles;
    lists.places = tiles->set.key;
    lists.records = tiles->set.written;
    lists.gaussians = tiles->set.first[GSTEX_MAX_LEVELS];
    lists.sizes = maker->sizes;
    lists.bytes = maker->bytes;
    to->at += (size_t)count / 2 + 1;
    for (n = 0; n < count; ++n) {
        const int32_t at = n % maker->most;
        const uint8_t *list = maker->bytes + GSTEX_LIST_BYTES * (size_t)at;
        int32_t size, words;
        if (at == 0) {
            int made;
            lists.first = n;
            lists.count = count - n < maker->most ? count - n : maker->most;
            made = maker->make(maker->user, &lists);
            e->stopped = made < 0;
            if (made <= 0) return 0;
        }
        size = maker->sizes[at];
        words = (size + 3) / 4;
        bytes += (size_t)size;
        if (to->at - start >= GSTEX__LIST_WORDS || (tiles->view.bent && bytes > GSTEX__LISTED_MEAN * (size_t)count)) return 0;
        // A word for two tiles, and one more where the last list ends.
        if (n % 2 == 0) first = to->at - start;
        gstex__write(to, start + (size_t)n / 2, (uint32_t)first | (uint32_t)(to->at - start - first + (n % 2 ? 0 : (size_t)words)) << 24);
        for (i = 0; i < size; i += 4) {
            uint32_t word = 0;
            for (b = 0; b < 4 && i + b < size; ++b) word |= (uint32_t)list[i + b] << 8 * b;
            gstex__append(to, word);
        }
    }
    if (count % 2 == 0) gstex__write(to, start + (size_t)count / 2, (uint32_t)(to->at - start));
    gstex__align(to, 4);
    return 1;
}

// A mip as texels, which stand as features do.
static void gstex__write_texels(gstex__expander *e, const gstex__view *view) {
    const int32_t channels = view->group->channel_count;
    float values[GSTEX__TILE * GSTEX_MAX_CHANNELS];
    const size_t start = e->to.at, words = 4 * (size_t)((e->material->channel_count + 7) / 8);
    int32_t x, y, i, j, k;
    e->to.at += words * (size_t)view->width * (size_t)view->height;
    for (y = 0; y < view->height && e->to.room; y += GSTEX__SIDE)
        for (x = 0; x < view->width; x += GSTEX__SIDE) {
            const int32_t columns = view->width - x < GSTEX__SIDE ? view->width - x : GSTEX__SIDE;
            const int32_t rows = view->height - y < GSTEX__SIDE ? view->height - y : GSTEX__SIDE;
            gstex__decode_group(view, x, y, columns, rows, values, (size_t)(columns * channels));
            for (j = 0; j < rows; ++j)
                for (i = 0; i < columns; ++i) {
                    const float *value = values + (j * columns + i) * channels;
                    const size_t at = start + words * ((size_t)(y + j) * (size_t)view->width + (size_t)(x + i));
                    uint32_t packed[GSTEX_MAX_CHANNELS / 2] = {0};
                    for (k = 0; k < channels; ++k) {
                        const int32_t c = view->group->channel[k];
                        packed[c / 2] |= gstex__to_unorm(value[k]) << 16 * (c % 2);
                    }
                    for (k = 0; k < (int32_t)words; ++k) gstex__write(&e->to, at + (size_t)k, packed[k]);
                }
        }
}

// One mip of a group, with the set that is open if there is one; its entry in the table of views.
static void gstex__write_view(gstex__expander *e, const gstex_group *group, int mip, int has_set) {
    const gstex_material *m = e->material;
    const gstex__set *set = &e->set;
    const size_t start = e->to.at, fours = GSTEX__VIEW_FOURS * (size_t)(mip * m->group_count + (int)(group - m->groups));
    gstex__writer entry = e->to;
    gstex__view view;
    gstex__tiles tiles;
    float *filter = tiles.filter;
    uint32_t bend = 0;
    int32_t side = has_set ? 3 : -1; // log2; below 2: there is no list
    int k;
    gstex__open_view(group, mip, &view);
    tiles.group = *group;
    tiles.set = *set;
    tiles.view = view;
    tiles.grids = m->bilinear ? 1 : 2;
    gstex__link_tiles(&tiles, view.words, set->key, set->written);
    filter[0] = filter[1] = filter[2] = 0.0f;
    for (k = 0; k < group->channel_count; ++k)
        tiles.slope[k] = view.bent ? 1.0f + gstex_abs(view.bend[k][2] - view.bend[k][0]) + 4.0f * gstex_abs(view.bend[k][1]) : 1.0f;
    if (has_set && view.variance > 0.0f) {
        const float variance = view.variance / (GSTEX_UNIT * GSTEX_UNIT);
        const float steep_x = set->units_x * set->steep_x, steep_y = set->units_y * set->steep_y;
        filter[0] = variance * steep_x * steep_x;
        filter[1] = variance * steep_y * steep_y;
        filter[2] = filter[0] * filter[1];
    }
    for (; side >= 2; --side) {
        e->to.at = start;
        tiles.side = 1 << side;
        if (gstex__write_tiles(e, &tiles)) break;
        if (e->stopped) return;
    }
    if (side < 2) {
        e->to.at = start;
        gstex__write_texels(e, &view);
        side = 0;
    } else if (view.bent) {
        const size_t at = e->to.at;
        bend = (uint32_t)(at / 4);
        for (k = 0; k < GSTEX_MAX_CHANNELS; ++k) gstex__append(&e->to, 0);
        for (k = 0; k < group->channel_count; ++k)
            gstex__write(&e->to, at + (size_t)group->channel[k], group->words[gstex__block(group, mip) + 2 + (uint32_t)k]);
    }
    entry.at = GSTEX__VIEWS + 4 * fours;
    gstex__append(&entry, (uint32_t)(start / 4));
    gstex__append(&entry, side ? set->records : 0);
    gstex__append(&entry, side ? set->features : 0);
    gstex__append(&entry, (uint32_t)((view.width + (1 << side) - 1) >> side));
    gstex__append_float(&entry, side ? set->units_x * view.own_width / (float)view.width : 0.0f);
    gstex__append_float(&entry, side ? set->units_y * view.own_height / (float)view.height : 0.0f);
    gstex__append_float(&entry, side ? set->steep_x / 4096.0f : 0.0f);
    gstex__append_float(&entry, side ? set->steep_y / 4096.0f : 0.0f);
    for (k = 0; k < 3; ++k) gstex__append_float(&entry, side ? filter[k] : 0.0f);
    gstex__append(&entry, bend);
    gstex__append(&entry, (uint32_t)side);
    gstex__append(&entry, side ? set->ranges : 0);
}

// The mips of a group that draw with the Gaussians of mip `first`, itself included. Returns 0 if that has too many.
static int gstex__write_family(gstex__expander *e, const gstex_group *group, int first, uint32_t *scratch) {
    const gstex_material *m = e->material;
    gstex_mip of;
    int mip, has_set;
    gstex_get_mip(group, first, &of);
    has_set = of.kind != GSTEX_TEXELS && !group->top_k;
    if (has_set && !(gstex__open_set(e, group, first, scratch) && gstex__write_set(e))) return 0;
    for (mip = first; mip < m->mip_count && e->to.at < (size_t)1 << 30; ++mip) {
        gstex_get_mip(group, mip, &of);
        if (mip == first || (first == 0 && of.kind == GSTEX_SHARED)) gstex__write_view(e, group, mip, has_set);
        if (e->stopped) return 0;
    }
    return 1;
}

GSTEX_API size_t gstex_expand_scratch_words(const gstex_material *material) {
    size_t most = 0;
    int g, mip;
    for (g = 0; g < material->group_count; ++g)
        for (mip = material->first_mip; mip < material->mip_count; ++mip) {
            gstex_mip of;
            gstex_get_mip(&material->groups[g], mip, &of);
            if (of.gaussian_count > most) most = of.gaussian_count;
        }
    return 13 * most + 4 + (sizeof(gstex__seen_by_tile) + GSTEX_LIST_BYTES) / sizeof(uint32_t);
}

GSTEX_API size_t gstex_expand_by(const gstex_material *m, const gstex_list_maker *maker, uint32_t *scratch, uint32_t *words,
                                 size_t room) {
    gstex__expander e;
    int g, mip, c;
    e.material = m;
    e.maker = maker;
    e.stopped = 0;
    e.to.words = words;
    e.to.room = words ? room : 0;
    e.to.at = 0;
    gstex__append(&e.to, GSTEX_EXPANDED_MAGIC);
    gstex__append(&e.to, (uint32_t)m->width);
    gstex__append(&e.to, (uint32_t)m->height);
    gstex__append(&e.to, (uint32_t)m->repeat | (uint32_t)m->bilinear << 1);
    gstex__append(&e.to, (uint32_t)m->channel_count);
    gstex__append(&e.to, (uint32_t)m->mip_count);
    gstex__append(&e.to, (uint32_t)m->group_count);
    gstex__append(&e.to, (uint32_t)m->first_mip);
    gstex__append(&e.to, m->srgb & 0xFFFFu);
    gstex__align(&e.to, 4);
    for (c = 0; c < GSTEX_MAX_CHANNELS; ++c)
        gstex__append_float(&e.to, c < m->channel_count && m->channels[c].group < 0 ? gstex_saturate(m->channels[c].constant) : 0.0f);
    for (c = 0; c < 4 * GSTEX__VIEW_FOURS * m->mip_count * m->group_count; ++c) gstex__append(&e.to, 0);
    for (g = 0; g < m->group_count; ++g)
        for (mip = m->first_mip; mip < m->mip_count; ++mip) {
            gstex_mip of;
            gstex_get_mip(&m->groups[g], mip, &of);
            if (of.kind != GSTEX_SHARED && !gstex__write_family(&e, &m->groups[g], mip, scratch)) return 0;
            if (e.to.at >= (size_t)1 << 30) return 0;
        }
    gstex__align(&e.to, GSTEX_ALIGN_WORDS);
    return e.to.at;
}

GSTEX_API size_t gstex_expand(const gstex_material *material, uint32_t *scratch, uint32_t *words, size_t room) {
    uint32_t *list = scratch + gstex_list_memory_words();
    gstex_list_maker here;
    int32_t size;
    here.make = gstex__make_here;
    here.user = scratch;
    here.most = 1;
    here.sizes = &size;
    here.bytes = (uint8_t *)list;
    return gstex_expand_by(material, &here, list + GSTEX_LIST_BYTES / sizeof(uint32_t), words, room);
}

GSTEX_API size_t gstex_expand_words(const gstex_material *material, uint32_t *scratch) {
    return gstex_expand(material, scratch, 0, 0);
}

GSTEX_API gstex_expansion gstex_judge_expansion(const gstex_material *material, size_t words) {
    if (words == 0) return GSTEX_EXPANSION_IMPOSSIBLE;
    return words / 12 > material->word_count ? GSTEX_EXPANSION_TOO_LARGE : GSTEX_EXPANSION_GOOD;
}

#endif // GSTEX__ON_GPU

#ifdef __cplusplus
}
#endif

#endif // GSTEX_IMPLEMENTATION
