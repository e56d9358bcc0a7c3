// The threads of the core: one pool of the process, and loops that are shared out among them.
//
// Results never depend on the number of threads: a body writes what belongs to its own indices, and sums over indices
// are made afterwards in a fixed order. docs/design-notes/0007-native-core.md says why this is no OpenMP.

#pragma once

#include <cstdint>

namespace gstex {

// Memory of one thread for the length of one loop; it is kept from loop to loop.
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
// A part should take less than a tenth of a second, so that Ctrl-C is heard in between. Throws what a body throws (one
// of them, if several do), and Interrupted. While another thread of the process is inside, the loop runs in the caller.
// A body makes no loop of its own.
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

// How many threads a loop uses, the caller's included: 1 .. 256.
int thread_count();
void set_thread_count(int count);

// What the loops of this process have taken so far that have more than one part, by the caller's clock: what more
// threads make shorter. For measurements.
double loop_seconds();

// Ctrl-C. The hook is asked in the calling thread, some ten times per second; true ends the loop with Interrupted.
class Interrupted {};
void set_interrupt_hook(bool (*hook)());

// Ends with Interrupted if the hook says so; for long work that is no loop.
void check_interrupt();

} // namespace gstex
