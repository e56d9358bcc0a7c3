#include "dispatch.h"

#include <atomic>
#include <cstring>
#include <initializer_list>

#if defined(GSTEX_HAS_V2)
#include <cpuid.h>
#endif

namespace gstex {

#define GSTEX_DECLARE(SET)                                                                                             \
    namespace SET {                                                                                                    \
    extern const Ops OPS;                                                                                              \
    }
#if defined(GSTEX_HAS_V2)
GSTEX_DECLARE(v2)
GSTEX_DECLARE(v3)
GSTEX_DECLARE(v4)
#endif
#if defined(GSTEX_HAS_NEON)
GSTEX_DECLARE(neon)
#endif

namespace {

#if defined(GSTEX_HAS_V2)
// The levels of instruction sets (x86-64-v2 to v4) that a CPU has and whose registers the system saves when it changes
// threads. Uses cpuid directly, because not every linker finds what __builtin_cpu_supports calls.
struct Cpu {
    bool v2 = false, v3 = false, v4 = false;

    Cpu() {
        unsigned a, b, c, d, b7 = 0, c_extended = 0;
        if (!__get_cpuid(1, &a, &b, &c, &d)) return;
        const unsigned c1 = c;
        v2 = all(c1, {9, 19, 20, 23});             // SSSE3, SSE4.1, SSE4.2, POPCNT
        if (!v2 || !all(c1, {12, 27, 28})) return; // FMA, XGETBV, AVX
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) b7 = b;
        if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) c_extended = c;
        unsigned saved, above;
        __asm__ volatile("xgetbv" : "=a"(saved), "=d"(above) : "c"(0));
        v3 = all(b7, {3, 5, 8}) && all(c_extended, {5}) && all(saved, {1, 2}); // BMI, AVX2, BMI2; LZCNT
        v4 = v3 && all(b7, {16, 17, 28, 30, 31}) && all(saved, {5, 6, 7});     // AVX-512: F, DQ, CD, BW, VL
    }

    static bool all(unsigned bits, std::initializer_list<int> wanted) {
        for (int bit : wanted)
            if (!(bits >> bit & 1u)) return false;
        return true;
    }
};
#endif

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
        const Cpu cpu;
        if (cpu.v2) add("v2", v2::OPS);
        if (cpu.v3) add("v3", v3::OPS);
        if (cpu.v4) add("v4", v4::OPS);
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
