// The perceptual loss and its gradient: see gstex/encode/loss.py. Twin: cuda/encode/perceptual_loss.cu.
//
// Two passes go over channels and blocks. The first computes means under the window, SSIM and its derivatives by the
// means. The second computes the transpose of the means, which has the same window.

#include "ops.h"
#include "reals.h"
#include "threads.h"

namespace gstex {
namespace GSTEX_SET {

// Sizes in texels of a block, and of a block with the border that its windows reach: RADIUS on the left, the rest on
// the right.
constexpr int RADIUS = 5, TAPS = 2 * RADIUS + 1;
constexpr int ROWS = 16, COLUMNS = 4 * LANES;
constexpr int WIDE_ROWS = ROWS + 2 * RADIUS, WIDE_COLUMNS = COLUMNS + LANES, WIDE = WIDE_ROWS * WIDE_COLUMNS;

// A block of a channel. row, column: its first texel.
struct Block {
    int row, column, height, width, channels, channel;

    // The number of rows or columns inside the picture, from `first` on and at most `most`.
    int rows(int most) const { return height - row < most ? height - row : most; }
    int columns(int most) const { return width - column < most ? width - column : most; }
};

GSTEX_INLINE Block block_of(const PerceptualLoss &a, int channel, int64_t number) {
    const int across = (a.width + COLUMNS - 1) / COLUMNS;
    return Block{int(number / across) * ROWS, int(number % across) * COLUMNS, a.height, a.width, a.channels, channel};
}

// A channel of a picture [H, W, C] in a block with its border, to [WIDE_ROWS, WIDE_COLUMNS]; 0 outside the picture.
GSTEX_INLINE void load_wide(const Block &block, const float *picture, float *to) {
    for (int i = 0; i < WIDE_ROWS; ++i, to += WIDE_COLUMNS) {
        const int row = block.row + i - RADIUS;
        memset(to, 0, WIDE_COLUMNS * sizeof(float));
        if (row < 0 || row >= block.height) continue;
        const float *from = picture + int64_t(row) * block.width * block.channels + block.channel;
        const int first = block.column < RADIUS ? RADIUS - block.column : 0;
        const int last = block.columns(COLUMNS + RADIUS) + RADIUS;
        for (int x = first; x < last; ++x) to[x] = from[int64_t(block.column + x - RADIUS) * block.channels];
    }
}

// Sums under the window of COUNT planes [WIDE_ROWS, WIDE_COLUMNS], to [COUNT, ROWS, COLUMNS]: first along columns, then
// along rows. Products are rounded. Fusing them saves nothing, and takes ten times as long on a CPU without an
// instruction for it.
template <int COUNT> GSTEX_INLINE void windowed(const float *wide, const float *taps, float *sums) {
    for (int plane = 0; plane < COUNT; ++plane, wide += WIDE) {
        for (int row = 0; row < ROWS; ++row, sums += COLUMNS) {
            float line[WIDE_COLUMNS];
            for (int x = 0; x < WIDE_COLUMNS; x += LANES) {
                const float *from = wide + row * WIDE_COLUMNS + x;
                F16 sum = F16(taps[0]) * load(from);
                for (int k = 1; k < TAPS; ++k) sum += F16(taps[k]) * load(from + k * WIDE_COLUMNS);
                store(line + x, sum);
            }
            for (int x = 0; x < COLUMNS; x += LANES) {
                F16 sum = F16(taps[0]) * load(line + x);
                for (int k = 1; k < TAPS; ++k) sum += F16(taps[k]) * load(line + x + k);
                store(sums + x, sum);
            }
        }
    }
}

// SSIM of 16 texels, and its derivatives by the means of x, x x and x y.
struct Similarity {
    F16 ssim, by_x, by_xx, by_xy;
};

GSTEX_INLINE Similarity similarity(F16 mean_x, F16 mean_y, F16 mean_xx, F16 mean_yy, F16 mean_xy, float c1, float c2) {
    const F16 two = F16(2.0f), product = mean_x * mean_y, covariance = mean_xy - product;
    const F16 squares = mean_x * mean_x + mean_y * mean_y;
    const F16 variances = (mean_xx - mean_x * mean_x) + (mean_yy - mean_y * mean_y);
    const F16 luminance = gstex_similarity(two * product, squares, F16(c1));
    const F16 structure = gstex_similarity(two * covariance, variances, F16(c2));
    Similarity s;
    s.ssim = luminance * structure;
    s.by_xy = gstex_ssim_by_xy(luminance, variances + F16(c2));
    s.by_xx = gstex_ssim_by_xx(luminance, structure, variances + F16(c2));
    s.by_x = gstex_ssim_by_x(mean_x, mean_y, luminance, structure, squares + F16(c1), s.by_xy, s.by_xx);
    return s;
}

// The loss of a block. Writes the input of the transpose of the means to a.slopes: the derivatives of SSIM by the
// means, each times importance / mean importance.
GSTEX_INLINE double loss_of(const PerceptualLoss &a, const Block &block, Scratch &scratch) {
    float *x = scratch.take<float>(WIDE), *y = scratch.take<float>(WIDE);
    float *terms = scratch.take<float>(6 * WIDE), *sums = scratch.take<float>(6 * ROWS * COLUMNS);
    load_wide(block, a.image, x);
    load_wide(block, a.target, y);
    load_wide(block, a.importance, terms);
    for (int i = 0; i < WIDE; i += LANES) {
        const F16 xs = load(x + i), ys = load(y + i), w = load(terms + i);
        store(terms + WIDE + i, w * xs);
        store(terms + 2 * WIDE + i, w * ys);
        store(terms + 3 * WIDE + i, w * (xs * xs));
        store(terms + 4 * WIDE + i, w * (ys * ys));
        store(terms + 5 * WIDE + i, w * (xs * ys));
    }
    windowed<6>(terms, a.taps, sums);
    F16 total = F16(0.0f);
    const int columns = block.columns(COLUMNS);
    for (int row = 0; row < block.rows(ROWS); ++row) {
        for (int column = 0; column < columns; column += LANES) {
            const int inner = (row + RADIUS) * WIDE_COLUMNS + column + RADIUS;
            F16 mean[6];
            GSTEX_UNROLL for (int p = 0; p < 6; ++p) mean[p] = load(sums + (p * ROWS + row) * COLUMNS + column);
            // If there is no importance under the window, the texel itself has none either.
            const F16 whole = F16(1.0f) / max(mean[0], F16(1.17549435e-38f));
            const F16 inverse = select(mean[0] > F16(0.0f), whole, F16(0.0f));
            const Similarity s = similarity(mean[1] * inverse, mean[2] * inverse, mean[3] * inverse, mean[4] * inverse,
                                            mean[5] * inverse, a.c1, a.c2);
            const F16 w = load(terms + inner), factor = w * inverse;
            const F16 slopes[3] = {s.by_x * factor, s.by_xx * factor, s.by_xy * factor};
            const int count = columns - column < LANES ? columns - column : LANES;
            for (int p = 0; p < 3; ++p) {
                float values[LANES];
                store(values, slopes[p]);
                float *to = a.slopes + (p * int64_t(a.height) + block.row + row) * a.width + block.column + column;
                memcpy(to, values, count * sizeof(float));
            }
            // Outside the picture the importance is 0.
            const F16 distance = abs(load(x + inner) - load(y + inner));
            total += gstex_perceptual(w, distance, s.ssim, F16(a.share));
        }
    }
    return double(sum(total));
}

GSTEX_INLINE void gradient_of(const PerceptualLoss &a, const Block &plane, const Block &block, Scratch &scratch) {
    float *wide = scratch.take<float>(3 * WIDE), *sums = scratch.take<float>(3 * ROWS * COLUMNS);
    for (int p = 0; p < 3; ++p) load_wide(plane, a.slopes + p * int64_t(a.height) * a.width, wide + p * WIDE);
    windowed<3>(wide, a.taps, sums);
    const int columns = block.columns(COLUMNS);
    for (int row = 0; row < block.rows(ROWS); ++row) {
        const float *by_x = sums + row * COLUMNS, *by_xx = by_x + ROWS * COLUMNS, *by_xy = by_xx + ROWS * COLUMNS;
        for (int column = 0; column < columns; ++column) {
            const int64_t at =
                (int64_t(block.row + row) * a.width + block.column + column) * a.channels + block.channel;
            const float x = a.image[at], y = a.target[at], w = a.importance[at];
            const float sign = x > y ? 1.0f : x < y ? -1.0f : 0.0f;
            const float similar = by_x[column] + 2.0f * x * by_xx[column] + y * by_xy[column];
            a.v_image[at] = gstex_v_perceptual(w, sign, similar, a.share);
        }
    }
}

void perceptual_loss(const PerceptualLoss &a) {
    const int64_t blocks = perceptual_blocks(a.height, a.width);
    for (int channel = 0; channel < a.channels; ++channel) {
        parallel_for(blocks, 2, [&](int64_t begin, int64_t end, Scratch &scratch) {
            for (int64_t number = begin; number < end; ++number) {
                scratch.reset();
                a.losses[channel * blocks + number] = loss_of(a, block_of(a, channel, number), scratch);
            }
        });
        parallel_for(blocks, 2, [&](int64_t begin, int64_t end, Scratch &scratch) {
            for (int64_t number = begin; number < end; ++number) {
                scratch.reset();
                const Block block = block_of(a, channel, number);
                Block plane = block; // in a picture of one channel
                plane.channels = 1, plane.channel = 0;
                gradient_of(a, plane, block, scratch);
            }
        });
    }
}

} // namespace GSTEX_SET
} // namespace gstex
