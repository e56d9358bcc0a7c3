// maths.h for arrays of doubles, for Python.

#include "arrays.h"
#include "maths.h"
#include "threads.h"

namespace gstex {

template <double (*FUNCTION)(double)> static void each(nb::object values, nb::object out) {
    Arrays arrays;
    const int64_t count = int64_t(nb::len(values));
    const double *from = arrays.of<const double>(values, "values", {count});
    double *to = arrays.of<double>(out, "out", {count});
    nb::gil_scoped_release released;
    parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t i = begin; i < end; ++i) to[i] = FUNCTION(from[i]);
    });
}

static double exp_of(double x) { return maths::exp(x); }
static double exp2_of(double x) { return maths::exp2(x); }
static double log_of(double x) { return maths::log(x); }
static double log2_of(double x) { return maths::log2(x); }
static double log10_of(double x) { return maths::log10(x); }
static double sin_of(double x) { return maths::sincos(x).sine; }
static double cos_of(double x) { return maths::sincos(x).cosine; }
static double tan_of(double x) { return maths::tan(x); }
static double atan_of(double x) { return maths::atan(x); }

void bind_maths(nb::module_ &m) {
    m.def("exp", &each<exp_of>);
    m.def("exp2", &each<exp2_of>);
    m.def("log", &each<log_of>);
    m.def("log2", &each<log2_of>);
    m.def("log10", &each<log10_of>);
    m.def("sin", &each<sin_of>);
    m.def("cos", &each<cos_of>);
    m.def("tan", &each<tan_of>);
    m.def("atan", &each<atan_of>);
    m.def("power", [](nb::object values, double exponent, nb::object out) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(values));
        const double *from = arrays.of<const double>(values, "values", {count});
        double *to = arrays.of<double>(out, "out", {count});
        nb::gil_scoped_release released;
        parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t i = begin; i < end; ++i) to[i] = maths::pow(from[i], exponent);
        });
    });
}

} // namespace gstex
