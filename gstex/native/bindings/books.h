// Codebooks in the layout that the kernels read: by channels, padded to whole vectors.

#pragma once

#include <memory>

#include "arrays.h"
#include "ops/ops.h"

namespace gstex {

// One codebook [size, C] as [C, stride]; the padding behind the entries is far from all values.
class Columns {
  public:
    template <class T> void fill(const T *book, int size, int channels) {
        stride_ = (size + 15) / 16 * 16;
        values_.assign(size_t(stride_) * channels, 1e18f);
        for (int k = 0; k < size; ++k)
            for (int c = 0; c < channels; ++c) values_[c * stride_ + k] = float(book[int64_t(k) * channels + c]);
    }
    const float *data() const { return values_.data(); }
    int64_t stride() const { return stride_; }

  private:
    std::vector<float> values_;
    int64_t stride_ = 0;
};

// All codebooks of a fit: uint8 [K, C], one after the other, book p from starts[p] to starts[p + 1].
class Books {
  public:
    Books(Arrays &arrays, nb::handle codebooks, nb::handle starts, nb::handle last, int channels)
        : channels_(channels) {
        if (channels > MAX_CHANNELS) throw nb::value_error("codebooks: at most 16 channels are wanted");
        count_ = int(nb::len(starts)) - 1;
        if (count_ < 0 || count_ > 4) throw nb::value_error("codebooks: at most 4 are wanted");
        start_ = arrays.of<const int32_t>(starts, "starts", {count_ + 1});
        bytes_ = arrays.of<uint8_t>(codebooks, "codebooks", {start_[count_], channels});
        last_ = arrays.of<const int32_t>(last, "last", {channels});
        refresh();
    }
    int count() const { return count_; }
    int size(int book) const { return start_[book + 1] - start_[book]; }
    uint8_t *bytes(int book) const { return bytes_ + int64_t(start_[book]) * channels_; }

    // Has to be called after the bytes have changed.
    void refresh() {
        for (int p = 0; p < count_; ++p) columns_[p].fill(bytes(p), size(p), channels_);
    }
    Codebooks view() const {
        Codebooks books{};
        books.count = count_, books.channels = channels_, books.last = last_;
        for (int p = 0; p < count_; ++p) {
            books.columns[p] = columns_[p].data();
            books.stride[p] = columns_[p].stride();
            books.size[p] = size(p);
        }
        return books;
    }

  private:
    int channels_, count_;
    const int32_t *start_, *last_;
    uint8_t *bytes_;
    Columns columns_[4];
};

} // namespace gstex
