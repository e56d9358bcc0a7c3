// The threads of the core: one pool per process, and loops that are divided among its threads.
//
// Results never depend on the number of threads: a body writes only results of its own indices, and sums over indices
// are computed afterwards in a fixed order. docs/design-notes/0007-native-core.md says why OpenMP is not used.

#pragma once

#include <cstdint>

namespace gstex {

// Temporary memory of one thread in a loop. The blocks are kept for later loops.
class Scratch {
  public:
    // `count` elements, aligned to 64 bytes, uninitialised. Throws std::bad_alloc. Valid until the next call of
    // `reset`.
    template <class T> __attribute__((always_inline)) T *take(int64_t count) {
        return static_cast<T *>(bytes(count * int64_t(sizeof(T))));
    }
    void reset();
    ~Scratch();

  private:
    struct Block;
    void *bytes(int64_t size);
    Block *first_ = nullptr, *current_ = nullptr;
    int64_t used_ = 0;
};

using Body = void (*)(void *context, int64_t begin, int64_t end, Scratch &scratch);

// Calls body(context, begin, end, scratch) for parts of 0 .. count - 1 of at most `grain` indices, in all threads.
//
// A part should take less than a tenth of a second, so that Ctrl-C is checked in between. Throws what a body throws
// (one exception, if several bodies throw), and Interrupted. If another thread of the process runs a loop, this loop
// runs in the caller only. A body must not run a loop.
void run_parallel(int64_t count, int64_t grain, Body body, void *context);

// The same with a function object f(begin, end, scratch).
template <class F> static inline __attribute__((always_inline)) void parallel_for(int64_t count, int64_t grain, F &&f) {
    struct Call {
        static void run(void *context, int64_t begin, int64_t end, Scratch &scratch) {
            (*static_cast<F *>(context))(begin, end, scratch);
        }
    };
    run_parallel(count, grain, &Call::run, &f);
}

// The number of threads of a loop, including the caller: 1 .. 256.
int thread_count();
void set_thread_count(int count);

// Seconds that loops of this process with more than one part have taken, by the clock of the caller. More threads can
// shorten this time. For measurements.
double loop_seconds();

// Thrown after Ctrl-C. The hook is called in the calling thread about ten times per second; if it returns true, the
// loop ends with Interrupted.
class Interrupted {};
void set_interrupt_hook(bool (*hook)());

// Throws Interrupted if the hook returns true. For long work outside of loops.
void check_interrupt();

} // namespace gstex
