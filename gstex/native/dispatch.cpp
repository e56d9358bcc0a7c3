#include "dispatch.h"

#include <atomic>
#include <cstring>

namespace gstex {

#define GSTEX_DECLARE(SET)                                                                                             \
    namespace SET {                                                                                                    \
    extern const Ops OPS;                                                                                              \
    }
#if defined(GSTEX_HAS_V2)
GSTEX_DECLARE(v2)
#endif
#if defined(GSTEX_HAS_V3)
GSTEX_DECLARE(v3)
#endif
#if defined(GSTEX_HAS_V4)
GSTEX_DECLARE(v4)
#endif
#if defined(GSTEX_HAS_NEON)
GSTEX_DECLARE(neon)
#endif

namespace {

// The sets that this CPU has, the best last.
struct Sets {
    const char *names[4];
    const Ops *ops[4];
    int count = 0;

    void add(const char *name, const Ops &table) {
        names[count] = name;
        ops[count++] = &table;
    }

    Sets() {
#if defined(GSTEX_HAS_V2)
        add("v2", v2::OPS);
#endif
#if defined(GSTEX_HAS_V3)
        __builtin_cpu_init();
        const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                            __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
        if (has_v3) add("v3", v3::OPS);
#endif
#if defined(GSTEX_HAS_V4)
        if (has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"))
            add("v4", v4::OPS);
#endif
#if defined(GSTEX_HAS_NEON)
        add("neon", neon::OPS);
#endif
    }
};

const Sets &sets() {
    static const Sets found;
    return found;
}

std::atomic<int> chosen{-1};

int current() {
    const int number = chosen.load(std::memory_order_relaxed);
    return number < 0 ? sets().count - 1 : number;
}

} // namespace

const Ops &ops() { return *sets().ops[current()]; }

const char *const *instruction_sets(int *count) {
    *count = sets().count;
    return sets().names;
}

const char *instruction_set() { return sets().names[current()]; }

bool use_instruction_set(const char *name) {
    for (int i = 0; i < sets().count; ++i) {
        if (strcmp(sets().names[i], name) != 0) continue;
        chosen = i;
        return true;
    }
    return false;
}

} // namespace gstex
