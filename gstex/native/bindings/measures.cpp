// Sums over pictures whose order is fixed, for Python.

#include "arrays.h"
#include "scene.h"
#include "threads.h"

namespace gstex {

// sums: [C], of importance (image - reference)^2 over the texels [H, W]; row by row, then all rows. importance: [H, W,
// planes]. plane: [C], which one a channel has.
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

// The squares of the coefficients of every step-th block of rows x columns texels, along both axes: squares [C, blocks,
// rows, columns]. along_rows: [rows, rows] and along_columns: [columns, columns], a basis function a row.
static void block_spectrum(nb::object image, int step, nb::object along_rows, nb::object along_columns,
                           nb::object squares) {
    Arrays arrays;
    const auto shape = shape_of(image, 3);
    const int64_t height = shape[0], width = shape[1], channels = shape[2];
    const int rows = int(nb::len(along_rows)), columns = int(nb::len(along_columns));
    if (rows < 1 || rows > 8 || columns < 1 || columns > 8 || step < 1)
        throw nb::value_error("blocks: 1 to 8 texels are wanted");
    const float *picture = arrays.of<const float>(image, "image", {height, width, channels});
    const double *by_row = arrays.of<const double>(along_rows, "along_rows", {rows, rows});
    const double *by_column = arrays.of<const double>(along_columns, "along_columns", {columns, columns});
    const int64_t down = (height / rows + step - 1) / step, across = (width / columns + step - 1) / step;
    float *result = arrays.of<float>(squares, "squares", {channels, down * across, rows, columns});
    nb::gil_scoped_release released;
    parallel_for(down * across, 16, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t top = block / across * step * rows, left = block % across * step * columns;
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

void bind_measures(nb::module_ &m) {
    m.def("squared_errors", &squared_errors);
    m.def("block_spectrum", &block_spectrum);
}

} // namespace gstex
