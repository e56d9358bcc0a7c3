#include "threads.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <malloc.h>
#else
#include <csignal>
#include <unistd.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace gstex {

// ---- Scratch memory ------------------------------------------------------------------------------------------------

static void *allocate(size_t size) {
#if defined(_WIN32)
    void *memory = _aligned_malloc(size, 64);
#else
    void *memory = nullptr;
    if (posix_memalign(&memory, 64, size)) memory = nullptr;
#endif
    if (!memory) throw std::bad_alloc();
    return memory;
}

static void release(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

struct Scratch::Block {
    Block *next;
    int64_t size;
    char *memory;
};

void *Scratch::bytes(int64_t size) {
    size = (size + 63) / 64 * 64;
    // Goes on to a block with enough room. A new block is at least twice as large as the last.
    while (current_ && used_ + size > current_->size && current_->next) {
        current_ = current_->next;
        used_ = 0;
    }
    if (!current_ || used_ + size > current_->size) {
        const int64_t least = current_ ? 2 * current_->size : 1 << 16;
        Block *block = new Block{nullptr, size > least ? size : least, nullptr};
        try {
            block->memory = static_cast<char *>(allocate(size_t(block->size)));
        } catch (...) {
            delete block;
            throw;
        }
        (current_ ? current_->next : first_) = block;
        current_ = block;
        used_ = 0;
    }
    void *result = current_->memory + used_;
    used_ += size;
    return result;
}

void Scratch::reset() {
    current_ = first_;
    used_ = 0;
}

Scratch::~Scratch() {
    while (first_) {
        Block *next = first_->next;
        release(first_->memory);
        delete first_;
        first_ = next;
    }
}

// ---- Ctrl-C --------------------------------------------------------------------------------------------------------

static std::atomic<bool (*)()> interrupt_hook{nullptr};

void set_interrupt_hook(bool (*hook)()) { interrupt_hook = hook; }

static bool is_interrupted() {
    bool (*hook)() = interrupt_hook.load();
    return hook && hook();
}

void check_interrupt() {
    if (is_interrupted()) throw Interrupted();
}

// ---- Floating point ------------------------------------------------------------------------------------------------

namespace {

// Sets rounding to nearest, with subnormal numbers. Another library may have changed this in a thread, and results must
// not depend on the thread that computes them.
class StandardFloats {
  public:
#if defined(__x86_64__) || defined(_M_X64)
    StandardFloats() : before_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
    ~StandardFloats() { _mm_setcsr(before_); }

  private:
    unsigned before_;
#elif defined(__aarch64__)
    StandardFloats() {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" : : "r"(uint64_t(0)));
    }
    ~StandardFloats() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

  private:
    uint64_t before_;
#endif
};

// Blocks signals for the threads that are created in its lifetime.
class SignalsHeld {
#if !defined(_WIN32)
  public:
    SignalsHeld() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
#endif
};

// ---- The pool ------------------------------------------------------------------------------------------------------

using Clock = std::chrono::steady_clock;
constexpr auto CHECK_EVERY = std::chrono::milliseconds(50);
// How often a thread looks for work before it sleeps, about ten microseconds in total.
constexpr int SPINS = 4000;

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct Loop {
    int64_t count, grain;
    Body body;
    void *context;
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::exception_ptr error;

    void fail() {
        std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
        stop = true;
    }
    // Takes one part; false when none is left.
    bool take(Scratch &scratch) {
        if (stop.load(std::memory_order_relaxed)) return false;
        const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count) return false;
        try {
            scratch.reset();
            body(context, begin, begin + grain < count ? begin + grain : count, scratch);
        } catch (...) {
            fail();
        }
        return true;
    }
};

// Workers look for an open loop. The caller closes the loop when no part is left. It waits only for workers that are
// inside, never for one that the system has not scheduled yet.
class Pool {
  public:
    explicit Pool(int workers) {
        [[maybe_unused]] const SignalsHeld held; // only the threads of the program handle signals
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }
    ~Pool() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            ending_ = true;
            ++round_;
        }
        wake_.notify_all();
        for (std::thread &thread : threads_) thread.join();
    }
    int workers() const { return int(threads_.size()); }

    void run(Loop &loop) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            loop_ = &loop;
            is_open_ = true;
            ++round_;
        }
        if (sleeping_.load()) wake_.notify_all();
        run_here(loop);
        is_open_ = false;
        for (int spin = 0; inside_.load(); ++spin) {
            if (spin < SPINS) {
                relax();
                continue;
            }
            std::unique_lock<std::mutex> lock(mutex_);
            const auto done = [this] { return inside_.load() == 0; };
            if (!done_.wait_for(lock, CHECK_EVERY, done)) {
                lock.unlock();
                if (!loop.stop && is_interrupted()) stop(loop);
            }
        }
    }

    static void stop(Loop &loop) {
        try {
            throw Interrupted();
        } catch (...) {
            loop.fail();
        }
    }

    // Runs the remaining parts in the calling thread, which checks for Ctrl-C.
    static void run_here(Loop &loop) {
        static thread_local Scratch scratch;
        const StandardFloats standard;
        auto last = Clock::now();
        while (loop.take(scratch)) {
            const auto now = Clock::now();
            if (now - last < CHECK_EVERY) continue;
            last = now;
            if (is_interrupted()) stop(loop);
        }
    }

  private:
    void work() {
        Scratch scratch;
        const StandardFloats standard;
        for (uint64_t seen = 0;;) {
            for (int spin = 0; spin < SPINS && round_.load() == seen; ++spin) relax();
            if (round_.load() == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                ++sleeping_;
                wake_.wait(lock, [&] { return round_.load() != seen; });
                --sleeping_;
            }
            seen = round_.load();
            if (ending_) return;
            // The order matters: a worker first counts itself as inside and then checks whether the loop is open, while
            // the caller first closes the loop and then checks whether a worker is inside.
            ++inside_;
            if (is_open_.load()) {
                while (loop_.load()->take(scratch)) {
                }
            }
            if (--inside_ == 0) {
                std::lock_guard<std::mutex> lock(mutex_); // the caller has either not tested yet or sleeps
                done_.notify_one();
            }
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::atomic<uint64_t> round_{0};
    std::atomic<int> inside_{0}, sleeping_{0};
    std::atomic<bool> is_open_{false}, ending_{false};
    std::atomic<Loop *> loop_{nullptr};
};

std::mutex pool_mutex; // held by the thread whose loop the pool runs
Pool *pool = nullptr;
std::atomic<int> wanted_threads{1};
std::atomic<int64_t> loop_nanoseconds{0};

#if !defined(_WIN32)
pid_t pool_process = 0;
#endif

// The pool with the wanted number of workers. After a fork its threads do not exist in the child, which makes a new
// pool.
Pool &ready_pool() {
#if !defined(_WIN32)
    if (pool && pool_process != getpid()) pool = nullptr;
    pool_process = getpid();
#endif
    const int workers = wanted_threads - 1;
    if (pool && pool->workers() != workers) {
        delete pool;
        pool = nullptr;
    }
    if (!pool) pool = new Pool(workers);
    return *pool;
}

} // namespace

int thread_count() { return wanted_threads; }

void set_thread_count(int count) { wanted_threads = count < 1 ? 1 : count > 256 ? 256 : count; }

double loop_seconds() { return 1e-9 * double(loop_nanoseconds.load()); }

void run_parallel(int64_t count, int64_t grain, Body body, void *context) {
    if (count <= 0) return;
    Loop loop{count, grain < 1 ? 1 : grain, body, context, {0}, {false}, {}, nullptr};
    std::unique_lock<std::mutex> lock(pool_mutex, std::defer_lock);
    const auto begin = Clock::now();
    if (thread_count() > 1 && count > loop.grain && lock.try_lock())
        ready_pool().run(loop);
    else
        Pool::run_here(loop);
    if (count > loop.grain)
        loop_nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    if (loop.error) std::rethrow_exception(loop.error);
}

} // namespace gstex
