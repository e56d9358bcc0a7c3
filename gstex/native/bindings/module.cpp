// gstex.native._core: the Python module of the core.

#include "arrays.h"
#include "dispatch.h"
#include "threads.h"

namespace gstex {

static bool ask_python() {
    nb::gil_scoped_acquire held;
    return PyErr_CheckSignals() != 0;
}

void bind_runtime(nb::module_ &m) {
    set_interrupt_hook(&ask_python);
    // The hook has set Python's error already.
    nb::register_exception_translator([](const std::exception_ptr &error, void *) {
        try {
            std::rethrow_exception(error);
        } catch (const Interrupted &) {
            if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
        }
    });
    m.def("thread_count", &thread_count);
    m.def("set_thread_count", &set_thread_count);
    m.def("loop_seconds", &loop_seconds);
    m.def("instruction_set", &instruction_set);
    m.def("use_instruction_set", &use_instruction_set);
    m.def("instruction_sets", [] {
        int count;
        const char *const *names = instruction_sets(&count);
        nb::list list;
        for (int i = 0; i < count; ++i) list.append(names[i]);
        return list;
    });
}

} // namespace gstex

NB_MODULE(_core, m) {
    using namespace gstex;
    int sets;
    instruction_sets(&sets);
    if (sets == 0)
        throw std::runtime_error("gstex: this CPU has no SSE4.2 and POPCNT, which x86-64 has had since 2009");
    bind_runtime(m);
    bind_maths(m);
    bind_blend(m);
    bind_lists(m);
    bind_codebooks(m);
    bind_refine(m);
    bind_measures(m);
    bind_compare(m);
    bind_losses(m);
    bind_decoder(m);
}
