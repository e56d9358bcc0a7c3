// The maker of the lists of an expanded form for Python.

#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "arrays.h"
#include "gstex_expand.h"
#include "threads.h"

namespace gstex {

// Makes the lists of an expanded form, with all threads or by a Python function, and keeps them. The form is first
// counted and then written, and needs the same lists both times.
class Lists {
  public:
    // make: None, or make(tiles, places, records, first, count), which makes up to `most` lists per call. The GIL is
    // released between calls.
    Lists(nb::object make, int32_t most) : make_(make), sizes_(size_t(most)), bytes_(size_t(most) * GSTEX_LIST_BYTES) {
        maker_ = {&Lists::answer, this, most, sizes_.data(), bytes_.data()};
    }

    const gstex_list_maker *maker() const { return &maker_; }

    // From now on returns the kept lists again, from the first one.
    void repeat() { next_ = 0; }

    // Throws the exception of a call, which the C interface cannot pass on.
    void check() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    struct Made {
        int result;
        std::vector<int32_t> sizes;
        std::vector<uint8_t> bytes;
    };

    static int answer(void *user, const gstex_lists *asked) {
        Lists &lists = *static_cast<Lists *>(user);
        try {
            if (lists.next_ == lists.made_.size()) lists.keep(lists.make(*asked), asked->count);
            const Made &made = lists.made_[lists.next_++];
            const uint8_t *from = made.bytes.data();
            for (size_t i = 0; i < made.sizes.size(); ++i) {
                asked->sizes[i] = made.sizes[i];
                std::copy_n(from, made.sizes[i], asked->bytes + GSTEX_LIST_BYTES * i);
                from += made.sizes[i];
            }
            return made.result;
        } catch (...) {
            lists.error_ = std::current_exception();
            return -1;
        }
    }

    void keep(bool result, int32_t count) {
        Made made{result, {}, {}};
        for (int32_t i = 0; result && i < count; ++i) {
            const uint8_t *list = bytes_.data() + GSTEX_LIST_BYTES * size_t(i);
            made.sizes.push_back(sizes_[size_t(i)]);
            made.bytes.insert(made.bytes.end(), list, list + sizes_[size_t(i)]);
        }
        made_.push_back(std::move(made));
    }

    bool make(const gstex_lists &lists) {
        if (!make_.is_none()) return make_elsewhere(lists);
        std::atomic<bool> fails{false};
        // The worst list of a hostile file takes some ten milliseconds.
        parallel_for(lists.count, 1, [&](int64_t begin, int64_t end, Scratch &scratch) {
            auto *memory = scratch.take<uint32_t>(int64_t(gstex_list_memory_words()));
            if (!fails && !gstex_make_lists(&lists, int32_t(begin), int32_t(end - begin), memory)) fails = true;
        });
        return !fails;
    }

    bool make_elsewhere(const gstex_lists &asked) {
        const nb::gil_scoped_acquire acquired;
        const int32_t count = asked.count;
        const nb::object made = make_(nb::bytes(asked.tiles, asked.tiles_bytes),
                                      nb::bytes(asked.places, 4 * asked.gaussians),
                                      nb::bytes(asked.records, 16 * asked.gaussians), asked.first, count);
        if (made.is_none()) return false;
        Arrays arrays;
        const int32_t *sizes = arrays.of<const int32_t>(made[0], "sizes", {count});
        const uint8_t *lists = arrays.of<const uint8_t>(made[1], "lists", {count, GSTEX_LIST_BYTES});
        for (int32_t i = 0; i < count; ++i)
            if (sizes[i] < 0 || sizes[i] > GSTEX_LIST_BYTES) throw nb::value_error("a list of no such size");
        std::copy_n(sizes, count, sizes_.data());
        std::copy_n(lists, size_t(count) * GSTEX_LIST_BYTES, bytes_.data());
        return true;
    }

    nb::object make_;
    std::vector<int32_t> sizes_;
    std::vector<uint8_t> bytes_;
    gstex_list_maker maker_;
    std::vector<Made> made_;
    size_t next_ = 0;
    std::exception_ptr error_;
};

} // namespace gstex
