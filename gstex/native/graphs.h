// Lists and graphs of Gaussians: the parts of a fit that use no vector instructions.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace gstex {

// A growing array of numbers that are not initialised. Large blocks move without a copy if the system supports it.
template <class T> class Growing {
  public:
    explicit Growing(int64_t size = 0) { resize(size); }
    Growing(const Growing &) = delete;
    Growing &operator=(const Growing &) = delete;
    ~Growing() { std::free(data_); }
    T *data() { return data_; }
    const T *data() const { return data_; }
    T &operator[](int64_t i) { return data_[i]; }
    const T &operator[](int64_t i) const { return data_[i]; }
    void resize(int64_t size) {
        if (size <= capacity_) return;
        const int64_t capacity = std::max(size, capacity_ + capacity_ / 4);
        T *larger = static_cast<T *>(std::realloc(data_, size_t(capacity) * sizeof(T)));
        if (!larger) throw std::bad_alloc();
        data_ = larger;
        capacity_ = capacity;
    }
    void clear() {
        std::free(data_);
        data_ = nullptr;
        capacity_ = 0;
    }

  private:
    T *data_ = nullptr;
    int64_t capacity_ = 0;
};

// Sorts whole numbers 0 .. keys - 1 in two passes, keeping the order of equal ones. order: [count], the places of the
// numbers. start: [keys + 1], where each number begins in it.
template <class KEY> void group_by(const KEY *numbers, int64_t count, int64_t keys, int64_t *order, int64_t *start) {
    for (int64_t k = 0; k <= keys; ++k) start[k] = 0;
    for (int64_t i = 0; i < count; ++i) ++start[numbers[i] + 1];
    for (int64_t k = 0; k < keys; ++k) start[k + 1] += start[k];
    std::vector<int64_t> at(start, start + keys);
    for (int64_t i = 0; i < count; ++i) order[at[numbers[i]]++] = i;
}

// Members of batches, one batch after the other: batch b is members[start[b]] .. members[start[b + 1] - 1].
struct Batches {
    std::vector<int32_t> members;
    std::vector<int64_t> start;
    int64_t count() const { return int64_t(start.size()) - 1; }
};

// Batches of Gaussians of which no two share a tile. Each Gaussian in turn goes into the first possible batch.
// by_start: [N + 1], by_gaussian: [E], the entries of every Gaussian. tile_of: [E].
Batches batches_by_tile(int64_t count, int64_t tiles, const int64_t *by_start, const int64_t *by_gaussian,
                        const int32_t *tile_of);

// The same for Gaussians of which no two are neighbours: row [N + 1] and column [pairs], in CSR form.
Batches batches_by_pair(int64_t count, const int64_t *row, const int32_t *column);

// The normal equations of the features: a symmetric matrix of all Gaussians in CSR form, row [N + 1], column [pairs] in
// rising order and value [pairs, planes], and gradient: [N, C].
struct PairSums {
    std::vector<int64_t> row;
    std::vector<int32_t> column;
    std::vector<float> value;
    std::vector<double> gradient;
};

// The pairs of entries of tiles, as ListNear writes them: start [E + 1], near [pairs of entries], product [pairs of
// entries, planes].
struct EntryPairs {
    Growing<int64_t> start;
    Growing<uint16_t> near;
    Growing<float> product;
};

// The entries of tiles, sorted by Gaussian: by_start [N + 1], by_gaussian [E]. gaussian: [E]. tile_of: [E]. start:
// [tiles + 1].
struct TileEntries {
    const int64_t *by_start, *by_gaussian;
    const int32_t *gaussian, *tile_of;
    const int64_t *start;
};

// The sums of the products of all pairs of entries of two Gaussians, without a gradient. Empties `pairs`.
PairSums sum_pairs(int64_t count, int planes, const TileEntries &entries, EntryPairs &pairs);

} // namespace gstex
