// The arguments of the kernels, and the table of kernels that each instruction set fills (dispatch.h).
//
// A kernel is a function of one struct and has the name of its CUDA twin. Arrays are in C order and belong to the
// caller. N Gaussians, T tiles, E entries, C channels, V views. A tile is 8x8 points, row by row; tiles stand row by
// row.

#pragma once

#include <cstdint>

namespace gstex {

constexpr int TILE = 8, POINTS = TILE * TILE;
constexpr int MAX_CHANNELS = 16, MAX_VIEWS = 8;

// ---- What several kernels share ------------------------------------------------------------------------------------

// A picture that can be read between its texels: planes [C, rows, stride] with a border of one texel around all tiles.
struct Picture {
    const float *planes;
    int64_t plane, stride; // floats from a channel to the next, and from a row to the next
};

// The weight of a squared error at a point: the value of a plane times weight [C]. planes: `count` of them. plane: [C],
// the plane of each channel.
struct Importance {
    Picture planes;
    int count;
    const int32_t *plane;
    const float *weight;
};

// The Gaussians of a view. derived: [N, 8] = x, y, a cos t, a sin t, b sin t, b cos t, amplitude, 0, in texels and in
// the units of gstex_weight. where: [N, 4], the middle of the Gaussian's cell in cells, and the size of a cell in
// texels. extent: size of the texture in texels.
struct View {
    const float *derived, *where;
    float extent[2];
};

// Which Gaussians the tiles evaluate (tile_lists.cpp). start: [T + 1]. gaussian: [E]. image: [E, 2], shift in multiples
// of the texture. faded: [E], whether a fade is below 1 somewhere in the tile.
struct TileLists {
    const int64_t *start;
    const int32_t *gaussian;
    const int8_t *image;
    const uint8_t *faded;
};

// A set of Gaussians over a picture, as a step of the fit sees it. slot: [E], the row of an entry in sums that are
// sorted by Gaussian. features: [N, C]. background: [C]. jitter: offset of all points from the texel centres.
struct Scene {
    TileLists lists;
    View view;
    int64_t tiles;
    int across, width, height, channels;
    const int32_t *slot;
    const float *features, *background;
    float jitter[2];
};

// ---- The kernels ---------------------------------------------------------------------------------------------------

// image: [H, W, C]. tiles_x, tiles_y: number of tiles. planes: [C, 8 tiles_y + 2, stride].
struct MakePicture {
    const float *image;
    int width, height, channels, tiles_x, tiles_y;
    bool repeat;
    float *planes;
    int64_t stride;
};

// image: [H, W, C], the picture at the texel centres shifted by `jitter`.
struct SamplePicture {
    Picture picture;
    int width, height, channels;
    float jitter[2];
    float *image;
};

// rows: floats from one row of sums to the next, at least 6 + C. sums: [E, rows]. loss: [T].
struct BlendStep {
    Scene scene;
    Picture target;
    Importance importance;
    int64_t rows;
    float *sums;
    double *loss;
};

// v_image: dL/dimage [H, W, C] at the points.
struct BlendBackward {
    Scene scene;
    const float *v_image;
    int64_t rows;
    float *sums;
};

// image: [H, W, C].
struct BlendRender {
    Scene scene;
    float *image;
};

// 2^x of 16 values at a time; for tests. values, out: [count], a multiple of 16.
struct Exp2 {
    const float *values;
    int64_t count;
    float *out;
};

// geometry: [N, 6], x, y, rotation, log sigma u, log sigma v, amplitude (natural log). scale: texels of the view by
// texels of mip 0, in x and y. filter: sigma in texels of mip 0. derived: [N, 8], see View.
struct Derive {
    const float *geometry;
    int64_t count;
    float scale[2], filter;
    float *derived;
};

// The gradients of Gaussians from the sums of their entries. by_gaussian_start: [N + 1]. sums: [E, rows], from
// BlendStep; rows is a multiple of 8. weight: a factor of the result. With `add` the result is added to v_geometry [N,
// 6] and v_features [N, C], otherwise it replaces them.
struct Gather {
    const int64_t *by_gaussian_start;
    const float *sums, *geometry, *derived;
    int64_t count, rows;
    int channels;
    float scale[2], filter, weight;
    bool add;
    float *v_geometry, *v_features;
};

// sums [N, 2] = sums over the pairs [E, 2] of each Gaussian.
struct SumPairs {
    const int64_t *by_gaussian_start;
    const float *pairs;
    int64_t count;
    double *sums;
};

// pairs: [E, 2], row slot[entry]: how much the squared error rises without the Gaussian, and the sum over points and
// channels of importance times its squared share. error: [H, W], the squared error of a texel, summed over channels.
struct RemovalCost {
    Scene scene;
    Picture target;
    Importance importance;
    float *pairs, *error;
};

// values, gradient, moments: [rows, columns]. rate: [columns]. correct1, correct2: 1 / (1 - beta^step).
struct Adam {
    float *values;
    const float *gradient;
    float *first_moment, *second_moment;
    const float *rate;
    float factor, beta1, beta2, correct1, correct2;
    int64_t rows;
    int columns;
};

// A pyramid of cells over a picture of `tiles` tiles, `across` in a row. grids: [levels, 4], columns, rows, number of
// the first cell, 0. cell_start: [cells of all levels + 1], where the Gaussians of a cell begin in the order by cells.
struct CellPyramid {
    int64_t tiles;
    int across, width, height, levels;
    bool repeat;
    const int32_t *grids;
    const int64_t *cell_start;
};

// counts: [T], the number of Gaussians that are visible in a tile.
struct CountVisible {
    CellPyramid cells;
    int64_t *counts;
};

// order: [N], the Gaussians in the order of their cells. derived: [N, 8]; where: [N, 4]; see View. margin: a Gaussian
// does not matter at a point if its weight is this far (in log2) below the largest weight there. visible_start: [T +
// 1], running sums of the counts of CountVisible; gaussian, image, faded: as in TileLists, but those of a tile begin at
// its visible_start. kept: [T], their number in a tile.
struct MarkEntries {
    CellPyramid cells;
    const int32_t *order;
    const float *derived, *where;
    float margin;
    const int64_t *visible_start;
    int32_t *gaussian;
    int8_t *image;
    uint8_t *faded;
    int64_t *kept;
};

// geometry: [N, 6]. extents: [N, 2], half width and height in texels of the ellipse of `cut` sigma.
struct HalfExtents {
    const float *geometry;
    int64_t count;
    double cut;
    double *extents;
};

// Limits geometry [N, 6] to the range that a pyramid can hold. last: the largest x and y. largest, least: of log sigma.
// room: largest half extent in x and y. amplitude_most: largest absolute amplitude.
struct KeepInside {
    float *geometry;
    int64_t count;
    int width, height;
    bool repeat;
    double cut;
    float last[2], amplitude_most;
    double largest, room[2], least;
};

// placement: [N, 3], level, cell_x, cell_y. previous: [N], levels of an earlier call, or null: a Gaussian leaves its
// level only when it is too large or too small for it by the factor `slack`. sizes: [levels, 2], of cells in texels;
// cells: [levels, 2], number of cells.
struct Place {
    const float *geometry;
    const int32_t *previous;
    int64_t count;
    const double *sizes;
    const int32_t *cells;
    int levels;
    double cut, slack;
    int32_t *placement;
};

// The coding of a fit's geometry. placement: [N, 3]. levels: see levels.h.
struct Coding {
    const int32_t *placement;
    const double *levels;
    double amplitude_lo, amplitude_step;
    int64_t count;
};

// codes: [N, 6], in the order of the record. turns: [N].
struct EncodeGeometry {
    Coding coding;
    const float *geometry;
    uint32_t *codes;
    int32_t *turns;
};

// With the `turns` of EncodeGeometry, u and v of geometry [N, 6] are in the order of the ideal parameters.
struct DecodeGeometry {
    Coding coding;
    const uint32_t *codes;
    const int32_t *turns;
    float *geometry;
};

// Rounds `ideal` [N, 6] to the values of its nearest codes. Centres are first moved, in place, into the cells that
// store them. geometry: [N, 6], or null to move the centres only.
struct RoundGeometry {
    Coding coding;
    float *ideal, *geometry;
};

// All points at which a fit is judged: tiles of views. view: [T]. corner: [T, 2], a tile's first texel, and offset: [T,
// 2], of its points from the texel centres. weight: of a view's points.
struct SamplePoints {
    TileLists lists;
    int64_t tiles;
    const int32_t *view, *corner;
    const float *offset;
    View views[MAX_VIEWS];
    Picture target[MAX_VIEWS];
    Importance importance[MAX_VIEWS]; // all have the same number of planes, and the same `plane` and `weight`
    float weight[MAX_VIEWS];
    int view_count, channels;
};

// total: [T, 64], sums of weights including that of the background. out: [T, C, 64]. share: [E], the largest share of
// an entry at a point of its tile.
struct BlendPoints {
    SamplePoints points;
    const float *features, *background;
    float *total, *out, *share;
};

// errors: [T], weighted sums of squares.
struct PointErrors {
    SamplePoints points;
    const float *out;
    double *errors;
};

// For tiles first_tile .. last_tile - 1. total, out: from BlendPoints. square_start: [tiles], where the products of a
// tile begin in gram, divided by the number of planes of importance. gram: for every tile [planes, entries, entries],
// negative for pairs that are left out. slope: [E, C], dE / d feature divided by the weight of the channel. near_count:
// [E], number of kept pairs of an entry with Gaussians whose number is not larger. Both begin at the first entry of
// these tiles.
struct TileProducts {
    SamplePoints points;
    int64_t first_tile, last_tile;
    const float *total, *out;
    float small;
    const int64_t *square_start;
    float *gram, *slope;
    int64_t *near_count;
};

// near: from near_start[entry] on, the second entries of the pairs that near_count counts, numbered within the tile;
// product: [pairs, planes].
struct ListNear {
    const int64_t *start;
    const int32_t *gaussian;
    int64_t first_tile, last_tile;
    int planes;
    const int64_t *square_start, *near_start;
    const float *gram;
    uint16_t *near;
    float *product;
};

// Codebooks by channels: columns[p] [C, stride[p]] holds size[p] entries, then padding that is far from all values.
// last: [C], the largest code of a channel, 0 if it has none.
struct Codebooks {
    int count, channels;
    const float *columns[4];
    int64_t stride[4];
    int size[4];
    const int32_t *last;
};

// entries: [N, books], the starting point and the result. codes: [N, C]. lo, step: [C].
struct StoreFeatures {
    Codebooks books;
    const float *features, *lo, *step;
    int64_t count;
    uint32_t *entries, *codes;
};

// entry: [N], the entry of a codebook by channels [C, stride] that is nearest to each value [N, C].
struct Assign {
    const float *values, *columns;
    int64_t count, stride;
    int channels, size;
    int32_t *entry;
};

// book: [size, C], every entry becomes the weighted mean of its values; entries without values stay. order: [N], the
// values sorted by their entry; start: [size + 1], where the values of an entry begin in it.
struct Means {
    const float *values;
    const double *weight;
    const int64_t *order, *start;
    int channels;
    int64_t size;
    float *book;
};

// chosen: [draws_count], numbers of values, whose columns are [C, count]. draws: numbers of 0 .. 1. nearest: [count]
// and sums: [parts of `part` values], scratch.
struct DrawSeeds {
    const float *columns;
    const double *weight, *draws;
    int64_t count, draws_count, part;
    int channels;
    float *nearest;
    double *sums;
    int64_t *chosen;
};

// row: [N + 1], column: [pairs], the sorted neighbours of every Gaussian, itself included. value: [pairs, planes], A by
// plane of importance. plane: [C]. step: [C]. gradient: [N, C], dE / d feature at `base` divided by the weight of the
// channel. base, whole: [N, C], features in steps.
struct NormalEquations {
    int channels, planes;
    const int64_t *row;
    const int32_t *column, *plane;
    const float *value;
    const double *step;
    double *gradient;
    int32_t *base, *whole;
};

// batch: [members], no two of which are neighbours. own: [N, planes], A of a Gaussian with itself. weight: [C]. stale:
// [N], whether a Gaussian has to be tried again, since a neighbour has moved. moved: the number of changed channels is
// added to it.
struct SweepFeatures {
    NormalEquations equations;
    Codebooks books;
    const int32_t *batch;
    int64_t members;
    const float *own;
    const float *weight;
    uint8_t *stale;
    uint32_t *entries, *codes;
    int64_t *moved;
};

// Sets `base` to `whole` and the gradient to that at `whole`.
struct FollowGradient {
    NormalEquations equations;
    int64_t count;
};

// sums: [size, planes, size], A summed by the entries of codebook `book` of `books`. slopes: [size, C], the gradient
// summed by entries. order: [N], the Gaussians sorted by their entry; start: [size + 1].
struct SumByEntry {
    NormalEquations equations;
    const uint32_t *entries;
    const int64_t *order, *start;
    int64_t books, book, size;
    double *sums, *slopes;
};

// bytes: [size, C], the entries of a codebook.
struct MoveBytes {
    const double *sums, *slopes, *step;
    const int32_t *plane;
    int channels, planes;
    int64_t size;
    uint8_t *bytes;
};

// The Gaussians of a batch after each move. table: [moves, 6], what a move adds to the codes [N, 6]; scales change by 1
// at most. scale: [views, 2], texels of a view by texels of mip 0; filter: [views], sigma in texels of mip 0. least: no
// move makes a log sigma smaller than this. rows: [members, views, moves + 1, 8], see View::derived; the last row is
// without a move. allowed: [members, moves].
struct MoveRows {
    Coding coding;
    const int32_t *batch, *table;
    int64_t members;
    int moves, views;
    const float *scale, *filter;
    double least;
    const uint32_t *codes;
    float *rows;
    uint8_t *allowed;
};

// How much each move raises the squared error. An item is a part of the entries of a Gaussian. item_member: [items], a
// place in the batch; item_first, item_last: [items], places in by_gaussian [E], the entries sorted by Gaussian.
// tile_of: [E]. rises: [items, moves].
struct MoveRises {
    SamplePoints points;
    const int32_t *batch;
    int64_t items;
    int moves, views;
    const int64_t *item_member, *item_first, *item_last, *by_gaussian;
    const int32_t *tile_of;
    const float *rows, *features, *total, *out;
    const uint8_t *allowed;
    double *rises;
};

// Updates total and out for the best moves: best [members], -1 for none.
struct MoveApply {
    SamplePoints points;
    const int32_t *batch;
    int64_t items;
    int moves, views;
    const int64_t *item_member, *item_first, *item_last, *by_gaussian;
    const int32_t *tile_of, *best;
    const float *rows, *features;
    float *total, *out;
};

// image: 8 bits per texel, [height, width], both multiples of 4. blocks: [height / 4 * width / 4, 8], row by row.
struct EncodeBc4 {
    const uint8_t *image;
    int64_t height, width;
    uint8_t *blocks;
};

// image, target, importance: [H, W, C]. taps: [11], the window along an axis. share: weight of the SSIM term. c1, c2:
// constants of SSIM. slopes: for the kernel's own use, [3, H, W]. losses: [C, perceptual_blocks]. v_image: dL/dimage
// [H, W, C].
struct PerceptualLoss {
    const float *image, *target, *importance;
    int height, width, channels;
    const float *taps;
    float share, c1, c2;
    float *slopes;
    double *losses;
    float *v_image;
};

// The number of parts in which the loss of a channel is returned, one for each block of 16x64 texels.
static inline int64_t perceptual_blocks(int height, int width) {
    return int64_t((height + 15) / 16) * ((width + 63) / 64);
}

// plane, sums: [height, width]. taps: along an axis, an odd number.
struct Windowed {
    const double *plane;
    int64_t height, width;
    const double *taps;
    int taps_count;
    double *sums;
};

// Every kernel: its name and its struct.
#define GSTEX_FOR_EACH_OP(OP)                                                                                          \
    OP(make_picture, MakePicture)                                                                                      \
    OP(sample_picture, SamplePicture)                                                                                  \
    OP(blend_step, BlendStep)                                                                                          \
    OP(blend_backward, BlendBackward)                                                                                  \
    OP(blend_render, BlendRender)                                                                                      \
    OP(exp2_of_kernels, Exp2)                                                                                          \
    OP(derive, Derive)                                                                                                 \
    OP(gather, Gather)                                                                                                 \
    OP(sum_pairs, SumPairs)                                                                                            \
    OP(removal_cost, RemovalCost)                                                                                      \
    OP(adam, Adam)                                                                                                     \
    OP(count_visible, CountVisible)                                                                                    \
    OP(mark_entries, MarkEntries)                                                                                      \
    OP(half_extents, HalfExtents)                                                                                      \
    OP(keep_inside, KeepInside)                                                                                        \
    OP(place, Place)                                                                                                   \
    OP(encode_geometry, EncodeGeometry)                                                                                \
    OP(decode_geometry, DecodeGeometry)                                                                                \
    OP(round_geometry, RoundGeometry)                                                                                  \
    OP(blend_points, BlendPoints)                                                                                      \
    OP(point_errors, PointErrors)                                                                                      \
    OP(tile_products, TileProducts)                                                                                    \
    OP(list_near, ListNear)                                                                                            \
    OP(store_features, StoreFeatures)                                                                                  \
    OP(assign, Assign)                                                                                                 \
    OP(means, Means)                                                                                                   \
    OP(draw_seeds, DrawSeeds)                                                                                          \
    OP(sweep_features, SweepFeatures)                                                                                  \
    OP(follow_gradient, FollowGradient)                                                                                \
    OP(sum_by_entry, SumByEntry)                                                                                       \
    OP(move_bytes, MoveBytes)                                                                                          \
    OP(move_rows, MoveRows)                                                                                            \
    OP(move_rises, MoveRises)                                                                                          \
    OP(move_apply, MoveApply)                                                                                          \
    OP(encode_bc4, EncodeBc4)                                                                                          \
    OP(perceptual_loss, PerceptualLoss)                                                                                \
    OP(windowed, Windowed)

struct Ops {
#define GSTEX_OP(NAME, ARGUMENT) void (*NAME)(const ARGUMENT &);
    GSTEX_FOR_EACH_OP(GSTEX_OP)
#undef GSTEX_OP
};

} // namespace gstex

// Inside ops/, every kernel is declared in the namespace of the instruction set.
#if defined(GSTEX_SET)
namespace gstex {
namespace GSTEX_SET {
#define GSTEX_OP(NAME, ARGUMENT) void NAME(const ARGUMENT &);
GSTEX_FOR_EACH_OP(GSTEX_OP)
#undef GSTEX_OP
} // namespace GSTEX_SET
} // namespace gstex
#endif
