#include "graphs.h"

#include <algorithm>

#include "threads.h"

namespace gstex {

// The batches from the number of the batch of each Gaussian.
static Batches sorted(const std::vector<int32_t> &batch) {
    int64_t count = 0;
    for (int32_t number : batch) count = std::max<int64_t>(count, number + 1);
    Batches result;
    std::vector<int64_t> order(batch.size());
    result.start.resize(size_t(count) + 1);
    group_by(batch.data(), int64_t(batch.size()), count, order.data(), result.start.data());
    result.members.assign(order.begin(), order.end());
    return result;
}

Batches batches_by_tile(int64_t count, int64_t tiles, const int64_t *by_start, const int64_t *by_gaussian,
                        const int32_t *tile_of) {
    // used[tile] has a bit for each of 64 batches at a time.
    std::vector<int32_t> batch(size_t(count), -1);
    std::vector<uint64_t> used;
    int64_t left = count;
    for (int32_t base = 0; left; base += 64) {
        used.assign(size_t(tiles), 0);
        for (int64_t g = 0; g < count; ++g) {
            if (batch[g] >= 0) continue;
            uint64_t taken = 0;
            for (int64_t i = by_start[g]; i < by_start[g + 1]; ++i) taken |= used[tile_of[by_gaussian[i]]];
            if (taken == ~uint64_t(0)) continue;
            int bit = 0;
            while (taken >> bit & 1) ++bit;
            for (int64_t i = by_start[g]; i < by_start[g + 1]; ++i) used[tile_of[by_gaussian[i]]] |= uint64_t(1) << bit;
            batch[g] = base + bit;
            --left;
        }
        check_interrupt();
    }
    return sorted(batch);
}

Batches batches_by_pair(int64_t count, const int64_t *row, const int32_t *column) {
    std::vector<int32_t> batch(size_t(count), -1);
    std::vector<int64_t> seen; // the last Gaussian with a neighbour in each batch
    for (int64_t g = 0; g < count; ++g) {
        for (int64_t i = row[g]; i < row[g + 1]; ++i) {
            const int32_t number = batch[column[i]];
            if (number < 0) continue;
            if (size_t(number) >= seen.size()) seen.resize(size_t(number) + 1, -1);
            seen[number] = g;
        }
        int32_t number = 0;
        while (size_t(number) < seen.size() && seen[number] == g) ++number;
        batch[g] = number;
    }
    return sorted(batch);
}

// The columns of each row up to the diagonal.
static PairSums sum_lower_half(int64_t count, int planes, const TileEntries &entries, const EntryPairs &pairs) {
    const int64_t part = std::max<int64_t>(256, count / 64); // Gaussians that share a scratch array of `count` elements
    const int64_t parts = (count + part - 1) / part;
    // Calls f(Gaussian, pair) for all pairs of the entries of a Gaussian.
    const auto each_pair = [&](int64_t g, auto f) {
        for (int64_t i = entries.by_start[g]; i < entries.by_start[g + 1]; ++i) {
            const int64_t entry = entries.by_gaussian[i];
            const int32_t *of_tile = entries.gaussian + entries.start[entries.tile_of[entry]];
            for (int64_t j = pairs.start[entry]; j < pairs.start[entry + 1]; ++j) f(of_tile[pairs.near[j]], j);
        }
    };
    PairSums result;
    result.row.assign(size_t(count) + 1, 0);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end, Scratch &scratch) {
        int32_t *seen = scratch.take<int32_t>(count);
        std::fill(seen, seen + count, -1);
        for (int64_t g = begin * part; g < std::min(end * part, count); ++g) {
            int64_t found = 0;
            each_pair(g, [&](int32_t near, int64_t) {
                if (seen[near] == int32_t(g)) return;
                seen[near] = int32_t(g);
                ++found;
            });
            result.row[g + 1] = found;
        }
    });
    for (int64_t g = 0; g < count; ++g) result.row[g + 1] += result.row[g];
    result.column.resize(size_t(result.row[count]));
    result.value.assign(size_t(result.row[count]) * planes, 0.0f);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end, Scratch &scratch) {
        int64_t *place = scratch.take<int64_t>(count); // place of each neighbour in the row
        std::fill(place, place + count, -1);
        for (int64_t g = begin * part; g < std::min(end * part, count); ++g) {
            const int64_t first = result.row[g], last = result.row[g + 1];
            int64_t to = first;
            each_pair(g, [&](int32_t near, int64_t) {
                if (place[near] >= first) return;
                place[near] = first;
                result.column[to++] = near;
            });
            std::sort(result.column.begin() + first, result.column.begin() + last);
            for (int64_t i = first; i < last; ++i) place[result.column[i]] = i;
            each_pair(g, [&](int32_t near, int64_t pair) {
                float *value = result.value.data() + place[near] * planes;
                for (int n = 0; n < planes; ++n) value[n] += pairs.product[pair * planes + n];
            });
        }
    });
    return result;
}

PairSums sum_pairs(int64_t count, int planes, const TileEntries &entries, EntryPairs &pairs) {
    const PairSums lower = sum_lower_half(count, planes, entries, pairs);
    pairs.start.clear();
    pairs.near.clear();
    pairs.product.clear();
    PairSums result;
    result.row.assign(size_t(count) + 1, 0);
    for (int64_t g = 0; g < count; ++g) {
        result.row[g + 1] += lower.row[g + 1] - lower.row[g];
        for (int64_t i = lower.row[g]; i < lower.row[g + 1]; ++i)
            if (lower.column[i] != g) ++result.row[lower.column[i] + 1];
    }
    for (int64_t g = 0; g < count; ++g) result.row[g + 1] += result.row[g];
    result.column.resize(size_t(result.row[count]));
    result.value.resize(size_t(result.row[count]) * planes);
    std::vector<int64_t> to(result.row.begin(), result.row.end() - 1);
    const auto put = [&](int64_t row, int32_t column, int64_t from) {
        const int64_t at = to[row]++;
        result.column[at] = column;
        for (int n = 0; n < planes; ++n) result.value[at * planes + n] = lower.value[from * planes + n];
    };
    // Columns behind the diagonal of a row come from later rows, in their order.
    for (int64_t g = 0; g < count; ++g) {
        for (int64_t i = lower.row[g]; i < lower.row[g + 1]; ++i) put(g, lower.column[i], i);
        for (int64_t i = lower.row[g]; i < lower.row[g + 1]; ++i)
            if (lower.column[i] != g) put(lower.column[i], int32_t(g), i);
    }
    return result;
}

} // namespace gstex
