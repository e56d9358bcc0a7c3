// NumPy arrays as arguments of kernels: checked once, and kept alive while a kernel runs without the GIL.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

namespace gstex {

namespace nb = nanobind;

template <class T> using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

constexpr int64_t ANY = -1;

// The arrays of one call.
class Arrays {
  public:
    // A pointer to the first element of an array of this type and shape, in which ANY stands for any size. Raises
    // TypeError or ValueError with the name of the array.
    template <class T> T *of(nb::handle value, const char *name, std::initializer_list<int64_t> shape) {
        Array<T> array;
        if (!nb::try_cast(value, array, false)) { // without conversion: a converted copy would not live long enough
            const std::string type = nb::str(value.type()).c_str();
            throw nb::type_error(
                (std::string(name) + ": " + type + " is no contiguous array of the type that is wanted").c_str());
        }
        bool fits = array.ndim() == shape.size();
        size_t axis = 0;
        for (int64_t size : shape) {
            if (fits && size != ANY) fits = int64_t(array.shape(axis)) == size;
            ++axis;
        }
        if (!fits)
            throw nb::value_error((std::string(name) + ": " + text_of(array) + ", wanted " + text_of(shape)).c_str());
        T *data = array.data();
        held_.push_back(nb::borrow(value));
        return data;
    }

    // The same for an attribute.
    template <class T>
    T *of(nb::handle object, const char *name, std::initializer_list<int64_t> shape, int64_t *first) {
        nb::object value = object.attr(name);
        if (first) *first = int64_t(nb::len(value));
        return of<T>(value, name, shape);
    }

  private:
    template <class T> static std::string text_of(const Array<T> &array) {
        std::string text = "shape (";
        for (size_t i = 0; i < array.ndim(); ++i) text += std::to_string(array.shape(i)) + ",";
        return text + ")";
    }
    static std::string text_of(std::initializer_list<int64_t> shape) {
        std::string text = "(";
        for (int64_t size : shape) text += (size == ANY ? std::string("any") : std::to_string(size)) + ",";
        return text + ")";
    }

    std::vector<nb::object> held_;
};

// A new array that is later passed to Python. It can be created without the GIL.
template <class T> class New {
  public:
    New() = default;
    explicit New(int64_t count) { make(count); }
    New(const New &) = delete;
    New &operator=(const New &) = delete;
    ~New() { delete[] data_; }
    void make(int64_t count) {
        delete[] data_;
        data_ = nullptr;
        data_ = new T[static_cast<size_t>(count)];
        count_ = count;
    }
    T *data() { return data_; }
    T &operator[](int64_t i) { return data_[i]; }

    // As a NumPy array of this shape. One size may be -1 and follows from the others.
    nb::ndarray<nb::numpy, T> array(std::initializer_list<int64_t> shape) {
        int64_t known = 1;
        for (int64_t size : shape) known *= size < 0 ? 1 : size;
        std::vector<size_t> sizes;
        for (int64_t size : shape) sizes.push_back(size_t(size < 0 ? (known ? count_ / known : 0) : size));
        nb::capsule owner(data_, [](void *data) noexcept { delete[] static_cast<T *>(data); });
        T *data = data_;
        data_ = nullptr;
        return nb::ndarray<nb::numpy, T>(data, sizes.size(), sizes.data(), owner);
    }

  private:
    T *data_ = nullptr;
    int64_t count_ = 0;
};

// The parts of the module, each in a file of its own.
void bind_runtime(nb::module_ &m);
void bind_maths(nb::module_ &m);
void bind_blend(nb::module_ &m);
void bind_lists(nb::module_ &m);
void bind_codebooks(nb::module_ &m);
void bind_refine(nb::module_ &m);
void bind_measures(nb::module_ &m);
void bind_compare(nb::module_ &m);
void bind_losses(nb::module_ &m);
void bind_decoder(nb::module_ &m);

} // namespace gstex
