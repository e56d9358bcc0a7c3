// What the kernels take, and the table of them that each instruction set fills (dispatch.h).
//
// A kernel is a function of one struct and is named as its CUDA twin. Arrays are in C order and belong to the caller.
// N Gaussians, T tiles, E entries, C channels, V views. A tile is 8x8 points, row by row; tiles stand row by row.

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

// What a tile sees of all Gaussians. derived: [N, 8] = x, y, a cos t, a sin t, b sin t, b cos t, amplitude, 0, in texels
// and in the units of gstex_weight. where: [N, 4], the middle of the Gaussian's cell in cells, and the size of a cell in
// texels. extent: of the texture in texels.
struct View {
    const float *derived, *where;
    float extent[2];
};

// Which Gaussians the tiles evaluate (tile_lists.cpp). start: [T + 1]. gaussian: [E]. image: [E, 2], shift in whole
// textures. faded: [E], whether a fade is below 1 somewhere in the tile.
struct TileLists {
    const int64_t *start;
    const int32_t *gaussian;
    const int8_t *image;
    const uint8_t *faded;
};

// A set of Gaussians over a picture, as a step of the fit sees it. slot: [E], the row of an entry in sums that stand
// Gaussian by Gaussian. features: [N, C]. background: [C]. jitter: offset of all points from the texel centres.
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

// image: [H, W, C]. tiles_x, tiles_y: how many there are. planes: [C, 8 tiles_y + 2, stride].
struct MakePicture {
    const float *image;
    int width, height, channels, tiles_x, tiles_y;
    bool repeat;
    float *planes;
    int64_t stride;
};

// rows: floats from one row of sums to the next, at least 6 + C. sums: [E, rows]. loss: [T].
struct BlendStep {
    Scene scene;
    Picture target, importance;
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

// image: 8 bits a texel, [height, width], both multiples of 4. blocks: [height / 4 * width / 4, 8], row by row.
struct EncodeBc4 {
    const uint8_t *image;
    int64_t height, width;
    uint8_t *blocks;
};

// image, target, importance: [H, W, C]. taps: of the window along an axis, [11]. share: of the SSIM term. c1, c2: of SSIM.
// slopes: for the kernel's own use, [3, H, W]. losses: [C, perceptual_blocks]. v_image: dL/dimage [H, W, C].
struct PerceptualLoss {
    const float *image, *target, *importance;
    int height, width, channels;
    const float *taps;
    float share, c1, c2;
    float *slopes;
    double *losses;
    float *v_image;
};

// How many parts of the loss of a channel come back, each of a block of 16x64 texels.
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
    OP(blend_step, BlendStep)                                                                                          \
    OP(blend_backward, BlendBackward)                                                                                  \
    OP(blend_render, BlendRender)                                                                                      \
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
