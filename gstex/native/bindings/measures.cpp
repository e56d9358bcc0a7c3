// Sums over pictures in a fixed order, for Python.

#include <algorithm>
#include <cmath>

#include "arrays.h"
#include "scene.h"
#include "threads.h"

namespace gstex {

// sums: [C], of importance (image - reference)^2 over the texels [H, W], first along each row, then over rows.
// importance: [H, W, planes]. plane: [C], the plane of each channel.
static void squared_errors(nb::object image, nb::object reference, nb::object importance, nb::object plane,
                           nb::object sums) {
    Arrays arrays;
    const auto shape = shape_of(image, 3);
    const int64_t height = shape[0], width = shape[1], channels = shape[2];
    const float *a = arrays.of<const float>(image, "image", {height, width, channels});
    const float *b = arrays.of<const float>(reference, "reference", {height, width, channels});
    const int64_t planes = shape_of(importance, 3)[2];
    const float *w = arrays.of<const float>(importance, "importance", {height, width, planes});
    const int32_t *plane_of = arrays.of<const int32_t>(plane, "plane", {channels});
    for (int64_t c = 0; c < channels; ++c)
        if (plane_of[c] < 0 || plane_of[c] >= planes) throw nb::value_error("plane: one that is not there");
    double *result = arrays.of<double>(sums, "sums", {channels});
    nb::gil_scoped_release released;
    std::vector<double> rows(size_t(height * channels), 0.0);
    parallel_for(height, 8, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t row = begin; row < end; ++row) {
            double *sum = rows.data() + row * channels;
            for (int64_t texel = row * width; texel < (row + 1) * width; ++texel) {
                for (int64_t c = 0, i = texel * channels; c < channels; ++c, ++i) {
                    const double difference = double(a[i]) - double(b[i]);
                    sum[c] += double(w[texel * planes + plane_of[c]]) * (difference * difference);
                }
            }
        }
    });
    for (int64_t c = 0; c < channels; ++c) result[c] = 0.0;
    for (int64_t row = 0; row < height; ++row)
        for (int64_t c = 0; c < channels; ++c) result[c] += rows[row * channels + c];
}

// The texels before and after a texel along an axis, and 1 / their distance; 0 for an axis of one texel.
struct Beside {
    int64_t before, after;
    float by;
    Beside(int64_t at, int64_t size, bool repeat) : before(at - 1), after(at + 1), by(0.5f) {
        if (before < 0) before = repeat ? size - 1 : at;
        if (after == size) after = repeat ? 0 : at;
        if (!repeat && after - before < 2) by = size > 1 ? 1.0f : 0.0f;
    }
};

// The squares of the coefficients of every block of rows x columns texels: squares [C, blocks, rows, columns].
// along_rows: [rows, rows] and along_columns: [columns, columns], one basis function per row.
static void block_spectrum(nb::object image, nb::object along_rows, nb::object along_columns, nb::object squares) {
    Arrays arrays;
    const auto shape = shape_of(image, 3);
    const int64_t height = shape[0], width = shape[1], channels = shape[2];
    const int rows = int(nb::len(along_rows)), columns = int(nb::len(along_columns));
    if (rows < 1 || rows > 8 || columns < 1 || columns > 8) throw nb::value_error("blocks: 1 to 8 texels are wanted");
    const float *picture = arrays.of<const float>(image, "image", {height, width, channels});
    const double *by_row = arrays.of<const double>(along_rows, "along_rows", {rows, rows});
    const double *by_column = arrays.of<const double>(along_columns, "along_columns", {columns, columns});
    const int64_t down = height / rows, across = width / columns;
    float *result = arrays.of<float>(squares, "squares", {channels, down * across, rows, columns});
    nb::gil_scoped_release released;
    parallel_for(down * across, 16, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t top = block / across * rows, left = block % across * columns;
            for (int64_t c = 0; c < channels; ++c) {
                double along[8][8]; // basis function of a row, column
                for (int k = 0; k < rows; ++k) {
                    for (int x = 0; x < columns; ++x) {
                        double sum = 0.0;
                        for (int y = 0; y < rows; ++y)
                            sum +=
                                by_row[k * rows + y] * double(picture[((top + y) * width + left + x) * channels + c]);
                        along[k][x] = sum;
                    }
                }
                float *to = result + (c * down * across + block) * rows * columns;
                for (int k = 0; k < rows; ++k) {
                    for (int l = 0; l < columns; ++l) {
                        double sum = 0.0;
                        for (int x = 0; x < columns; ++x) sum += by_column[l * columns + x] * along[k][x];
                        to[k * columns + l] = float(sum * sum);
                    }
                }
            }
        }
    });
}

// out: [H, W], the root of the weighted sum of squares of the gradient, over channels and both axes, by central
// differences. The weight is importance [H, W, planes] times weight [C]. plane: as above. repeat: differences continue
// across borders; otherwise they use only two texels there.
static void gradient_length(nb::object image, nb::object importance, nb::object plane, nb::object weight, bool repeat,
                            nb::object out) {
    Arrays arrays;
    const auto shape = shape_of(image, 3);
    const int64_t height = shape[0], width = shape[1], channels = shape[2];
    const float *picture = arrays.of<const float>(image, "image", {height, width, channels});
    const int64_t planes = shape_of(importance, 3)[2];
    const float *counts = arrays.of<const float>(importance, "importance", {height, width, planes});
    const int32_t *plane_of = arrays.of<const int32_t>(plane, "plane", {channels});
    const float *weights = arrays.of<const float>(weight, "weight", {channels});
    for (int64_t c = 0; c < channels; ++c)
        if (plane_of[c] < 0 || plane_of[c] >= planes) throw nb::value_error("plane: one that is not there");
    float *result = arrays.of<float>(out, "out", {height, width});
    nb::gil_scoped_release released;
    parallel_for(height, 8, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t y = begin; y < end; ++y) {
            const Beside rows(y, height, repeat);
            for (int64_t x = 0; x < width; ++x) {
                const Beside columns(x, width, repeat);
                const float *left = picture + (y * width + columns.before) * channels;
                const float *right = picture + (y * width + columns.after) * channels;
                const float *above = picture + (rows.before * width + x) * channels;
                const float *below = picture + (rows.after * width + x) * channels;
                const float *count = counts + (y * width + x) * planes;
                float sum = 0.0f;
                for (int64_t c = 0; c < channels; ++c) {
                    const float along_x = (right[c] - left[c]) * columns.by, along_y = (below[c] - above[c]) * rows.by;
                    sum += count[plane_of[c]] * weights[c] * (along_x * along_x + along_y * along_y);
                }
                result[y * width + x] = std::sqrt(sum);
            }
        }
    });
}

constexpr int64_t TEXELS = 4096; // in a part; the sums of parts are added afterwards
constexpr int64_t FIGURES = 6;   // per channel, see below

// figures: [C, 6], for each channel the sums of w (a - b)^2, w, w b and w b^2 over texels, and the smallest and the
// largest b where w > 0. image a, reference b, weights w: [N, C]; without weights, w is 1.
template <class T> static void compare_as(nb::object image, nb::object reference, nb::object weights, double *figures) {
    Arrays arrays;
    const auto shape = shape_of(image, 2);
    const int64_t count = shape[0], channels = shape[1], parts = (count + TEXELS - 1) / TEXELS;
    const T *a = arrays.of<const T>(image, "image", {count, channels});
    const T *b = arrays.of<const T>(reference, "reference", {count, channels});
    const T *w = weights.is_none() ? nullptr : arrays.of<const T>(weights, "weights", {count, channels});
    nb::gil_scoped_release released;
    const auto clear = [&](double *of) {
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t k = 0; k < 4; ++k) of[c * FIGURES + k] = 0.0;
            of[c * FIGURES + 4] = INFINITY, of[c * FIGURES + 5] = -INFINITY;
        }
    };
    std::vector<double> found(size_t(parts * channels * FIGURES));
    parallel_for(parts, 1, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t part = begin; part < end; ++part) {
            double *of = found.data() + part * channels * FIGURES;
            clear(of);
            const int64_t last = (part + 1) * TEXELS < count ? (part + 1) * TEXELS : count;
            for (int64_t i = part * TEXELS; i < last; ++i) {
                for (int64_t c = 0; c < channels; ++c) {
                    const double truth = double(b[i * channels + c]), apart = double(a[i * channels + c]) - truth;
                    const double counts = w ? double(w[i * channels + c]) : 1.0;
                    double *sum = of + c * FIGURES;
                    sum[0] += counts * (apart * apart), sum[1] += counts;
                    sum[2] += counts * truth, sum[3] += counts * (truth * truth);
                    if (counts > 0.0) sum[4] = std::min(sum[4], truth), sum[5] = std::max(sum[5], truth);
                }
            }
        }
    });
    clear(figures);
    for (int64_t part = 0; part < parts; ++part) {
        for (int64_t c = 0; c < channels; ++c) {
            const double *sum = found.data() + (part * channels + c) * FIGURES;
            double *to = figures + c * FIGURES;
            for (int64_t k = 0; k < 4; ++k) to[k] += sum[k];
            to[4] = std::min(to[4], sum[4]), to[5] = std::max(to[5], sum[5]);
        }
    }
}

static void compare_channels(nb::object image, nb::object reference, nb::object weights, nb::object figures) {
    Arrays arrays;
    double *result = arrays.of<double>(figures, "figures", {shape_of(image, 2)[1], FIGURES});
    if (nb::cast<nb::ndarray<nb::ro>>(image, false).dtype() == nb::dtype<float>())
        compare_as<float>(image, reference, weights, result);
    else
        compare_as<double>(image, reference, weights, result);
}

void bind_measures(nb::module_ &m) {
    m.def("squared_errors", &squared_errors);
    m.def("block_spectrum", &block_spectrum);
    m.def("gradient_length", &gradient_length);
    m.def("compare_channels", &compare_channels, nb::arg("image"), nb::arg("reference"), nb::arg("weights").none(),
          nb::arg("figures"));
}

} // namespace gstex
