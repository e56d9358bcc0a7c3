// Runs CUDA kernels on the CPU: enough of CUDA C++ for the sources in cuda/, and one fiber per CUDA thread.
//
// Blocks run one after the other. In a block, a thread runs until it waits at a barrier or a warp function, and then
// the next one does, in an order that can be chosen: a missing barrier shows in at least one of them, if its effect
// depends on the order. What CUDA leaves undefined is an error here: threads that wait for each other for ever, a warp
// function whose mask names a thread that has ended or leaves out the caller. Races that do not depend on the order,
// and everything about speed and memory spaces, do not show.

#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// ---- Keywords ------------------------------------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// Shared variables lie together, so that every block can find nonsense in them, as on a GPU. Not with the address
// sanitizer, which puts its guards around variables only where it may place them itself.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ __attribute__((section("cuda_shared"))) static
__attribute__((section("cuda_shared"), used)) static char host_shared_begins[16];
extern char __start_cuda_shared[], __stop_cuda_shared[];
#endif

struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;
static const int warpSize = 32;

// ---- Vectors -------------------------------------------------------------------------------------------------------

#define HOST_VECTORS(T, N)                                                                                             \
    struct __attribute__((aligned(2 * sizeof(T)))) N##2 { T x, y; };                                                   \
    struct N##3 { T x, y, z; };                                                                                        \
    struct __attribute__((aligned(sizeof(T) == 8 ? 16 : 4 * sizeof(T)))) N##4 { T x, y, z, w; };                       \
    static inline N##2 make_##N##2(T x, T y) { return N##2{x, y}; }                                                    \
    static inline N##3 make_##N##3(T x, T y, T z) { return N##3{x, y, z}; }                                            \
    static inline N##4 make_##N##4(T x, T y, T z, T w) { return N##4{x, y, z, w}; }
HOST_VECTORS(float, float)
HOST_VECTORS(double, double)
HOST_VECTORS(int, int)
HOST_VECTORS(unsigned, uint)
HOST_VECTORS(short, short)
HOST_VECTORS(unsigned short, ushort)
HOST_VECTORS(unsigned char, uchar)

// glibc has functions of these names.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __powf(x, y) powf(x, y)

// ---- Functions without threads -------------------------------------------------------------------------------------

template <class To, class From> static inline To host_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "other sizes");
    To to;
    memcpy(&to, &from, sizeof(to));
    return to;
}
static inline float __uint_as_float(unsigned x) { return host_bits<float>(x); }
static inline float __int_as_float(int x) { return host_bits<float>(x); }
static inline unsigned __float_as_uint(float x) { return host_bits<unsigned>(x); }
static inline int __float_as_int(float x) { return host_bits<int>(x); }

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
static inline int __float2int_rn(float x) { return int(rintf(x)); }
static inline int __float2int_rd(float x) { return int(floorf(x)); }
static inline int __float2int_ru(float x) { return int(ceilf(x)); }
static inline int __float2int_rz(float x) { return int(x); }
static inline float __int2float_rn(int x) { return float(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline void sincospif(float x, float *s, float *c) {
    *s = float(sin(M_PI * double(x)));
    *c = float(cos(M_PI * double(x)));
}

#define HOST_MINMAX(T)                                                                                                 \
    static inline T min(T a, T b) { return b < a ? b : a; }                                                            \
    static inline T max(T a, T b) { return a < b ? b : a; }
HOST_MINMAX(int)
HOST_MINMAX(unsigned)
HOST_MINMAX(long)
HOST_MINMAX(unsigned long)
HOST_MINMAX(long long)
HOST_MINMAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

template <class T> static inline T __ldg(const T *p) { return *p; }

template <class T> static inline T atomicAdd(T *p, T v) { T old = *p; *p = T(old + v); return old; }
template <class T> static inline T atomicSub(T *p, T v) { T old = *p; *p = T(old - v); return old; }
template <class T> static inline T atomicMin(T *p, T v) { T old = *p; *p = v < old ? v : old; return old; }
template <class T> static inline T atomicMax(T *p, T v) { T old = *p; *p = old < v ? v : old; return old; }
template <class T> static inline T atomicOr(T *p, T v) { T old = *p; *p = old | v; return old; }
template <class T> static inline T atomicAnd(T *p, T v) { T old = *p; *p = old & v; return old; }
template <class T> static inline T atomicXor(T *p, T v) { T old = *p; *p = old ^ v; return old; }
template <class T> static inline T atomicExch(T *p, T v) { T old = *p; *p = v; return old; }
template <class T> static inline T atomicCAS(T *p, T compare, T v) {
    T old = *p;
    if (old == compare) *p = v;
    return old;
}
static inline void __threadfence() {}
static inline void __threadfence_block() {}

// ---- Fibers --------------------------------------------------------------------------------------------------------

enum HostState { HOST_READY, HOST_AT_BARRIER, HOST_AT_WARP, HOST_ENDED };

struct HostThread {
    HostState state;
    unsigned mask;         // of the warp function it waits in
    dim3 index;
    void *stack;
    void *saved;           // stack pointer, or the ucontext
    void *sanitizer_stack; // the address sanitizer's own
};

#if defined(__SANITIZE_ADDRESS__)
static const size_t HOST_STACK = 256 << 10;
#else
static const size_t HOST_STACK = 64 << 10;
#endif
static const int HOST_MAX_THREADS = 1024;
// At the far end of every stack; a thread that needs more than a stack writes over it. Guard pages would be better, but
// Linux allows a process 65530 areas of memory, and tests load many libraries.
static const unsigned long long HOST_CANARY = 0x6B6361745320666Full;

static HostThread host_threads[HOST_MAX_THREADS];
static int host_count, host_current;
static char *host_stacks;
static const char *host_error;
static char host_message[256];
// What a thread brings to a warp function, and a copy made when all of the mask have come: nobody can change it before
// all have read it, as all go on before anybody is let go on again.
static unsigned long long host_brought[HOST_MAX_THREADS], host_shown[HOST_MAX_THREADS];
static bool host_votes[HOST_MAX_THREADS];
static int host_vote_count; // of the barrier that was released last
static void *host_dynamic_shared;
static const size_t HOST_DYNAMIC_LIMIT = 227 << 10; // of sm_90; sm_75 has 64 KB, which callers look after

static void (*host_call)(void **);
static void **host_args;

#if defined(__SANITIZE_ADDRESS__)
static void *host_main_sanitizer_stack;
static const void *host_main_bottom;
static size_t host_main_size;
#endif

#if defined(__x86_64__)
// Saves what a function must keep, and goes on with another stack.
__asm__(".text\n.p2align 4\n.type host_switch, @function\nhost_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n.size host_switch, . - host_switch\n");
extern "C" void host_switch(void **save, void *to);
static void *host_scheduler;
#else
static ucontext_t host_contexts[HOST_MAX_THREADS], host_scheduler;
#endif

static inline void host_to_scheduler(bool ends) {
    HostThread &t = host_threads[host_current];
    (void)t;
    (void)ends;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(ends ? nullptr : &t.sanitizer_stack, host_main_bottom, host_main_size);
#endif
#if defined(__x86_64__)
    host_switch(&t.saved, host_scheduler);
#else
    swapcontext(&host_contexts[host_current], &host_scheduler);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(t.sanitizer_stack, nullptr, nullptr);
#endif
    // The compiler must read threadIdx again: other threads ran.
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void host_fiber() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &host_main_bottom, &host_main_size);
#endif
    host_call(host_args);
    host_threads[host_current].state = HOST_ENDED;
    host_to_scheduler(true);
    abort(); // an ended thread is never entered again
}

static void host_enter(int number) {
    HostThread &t = host_threads[number];
    host_current = number;
    threadIdx = t.index;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&host_main_sanitizer_stack, t.stack, HOST_STACK);
#endif
#if defined(__x86_64__)
    host_switch(&host_scheduler, t.saved);
#else
    swapcontext(&host_scheduler, &host_contexts[number]);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(host_main_sanitizer_stack, nullptr, nullptr);
#endif
}

static void host_prepare(int number) {
    HostThread &t = host_threads[number];
    t.state = HOST_READY;
    t.index = dim3{unsigned(number) % blockDim.x, unsigned(number) / blockDim.x % blockDim.y,
                   unsigned(number) / (blockDim.x * blockDim.y)};
    t.stack = host_stacks + size_t(number) * HOST_STACK;
    *(unsigned long long *)t.stack = HOST_CANARY;
    t.sanitizer_stack = nullptr;
#if defined(__x86_64__)
    void **top = (void **)((char *)t.stack + HOST_STACK);
    *--top = nullptr;            // where a caller's return address would be: keeps the stack aligned
    *--top = (void *)host_fiber; // host_switch returns to it
    top -= 6;
    memset(top, 0, 6 * sizeof(void *));
    t.saved = top;
#else
    getcontext(&host_contexts[number]);
    host_contexts[number].uc_stack.ss_sp = t.stack;
    host_contexts[number].uc_stack.ss_size = HOST_STACK;
    host_contexts[number].uc_link = &host_scheduler;
    makecontext(&host_contexts[number], host_fiber, 0);
#endif
}

// Stops the kernel: the scheduler gives up all threads, which own nothing.
static void host_fail(const char *what) {
    snprintf(host_message, sizeof(host_message), "%s; thread (%u, %u, %u) of block (%u, %u, %u)", what, threadIdx.x,
             threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z);
    host_error = host_message;
    host_to_scheduler(false);
}

// ---- Barriers and warps --------------------------------------------------------------------------------------------

static inline void host_wait(HostState state, unsigned mask) {
    HostThread &t = host_threads[host_current];
    t.state = state;
    t.mask = mask;
    host_to_scheduler(false);
}

static inline int __syncthreads_count(int predicate) {
    host_votes[host_current] = predicate != 0;
    host_wait(HOST_AT_BARRIER, 0);
    return host_vote_count;
}
static inline void __syncthreads() { __syncthreads_count(0); }
static inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) != 0; }
static inline int __syncthreads_and(int predicate) { return __syncthreads_count(!predicate) == 0; }

static inline int host_lane() { return host_current & 31; }

// Waits for the lanes of the mask; value is what this lane brings. Returns what all of the warp have brought.
static inline const unsigned long long *host_exchange(unsigned mask, unsigned long long value) {
    if (!(mask >> host_lane() & 1)) host_fail("a warp function whose mask leaves out the thread that calls it");
    host_brought[host_current] = value;
    host_wait(HOST_AT_WARP, mask);
    return host_shown + (host_current & ~31);
}

template <class T> static inline unsigned long long host_pack(T value) {
    static_assert(sizeof(T) <= 8, "at most 8 bytes");
    unsigned long long packed = 0;
    memcpy(&packed, &value, sizeof(T));
    return packed;
}
template <class T> static inline T host_unpack(unsigned long long packed) {
    T value;
    memcpy(&value, &packed, sizeof(T));
    return value;
}
// The value of a lane; one that the mask leaves out has none on a GPU.
template <class T> static inline T host_shuffled(unsigned mask, T value, int from) {
    const unsigned long long *shown = host_exchange(mask, host_pack(value));
    if (!(mask >> from & 1)) host_fail("a shuffle from a lane that its mask leaves out");
    return host_unpack<T>(shown[from]);
}

static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { host_exchange(mask, 0); }
template <class T> static inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    int first = host_lane() & ~(width - 1);
    return host_shuffled(mask, value, first + (lane & (width - 1)));
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int other, int width = 32) {
    int from = host_lane() ^ other;
    return host_shuffled(mask, value, (from ^ host_lane()) & ~(width - 1) ? host_lane() : from);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
    int from = host_lane() + int(by), last = host_lane() | (width - 1);
    return host_shuffled(mask, value, from > last ? host_lane() : from);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
    int from = host_lane() - int(by), first = host_lane() & ~(width - 1);
    return host_shuffled(mask, value, from < first ? host_lane() : from);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const unsigned long long *shown = host_exchange(mask, predicate != 0);
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane)
        if (mask >> lane & 1) votes |= unsigned(shown[lane]) << lane;
    return votes;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
static inline unsigned __match_any_sync(unsigned mask, int value) {
    const unsigned long long *shown = host_exchange(mask, host_pack(value));
    unsigned same = 0;
    for (int lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1) && host_unpack<int>(shown[lane]) == value) same |= 1u << lane;
    return same;
}
// Lets go on whom nothing holds any more. Returns whether there is one.
static bool host_release() {
    bool any = false, all_at_barrier = true;
    for (int i = 0; i < host_count; ++i)
        all_at_barrier &= host_threads[i].state == HOST_AT_BARRIER || host_threads[i].state == HOST_ENDED;
    if (all_at_barrier) {
        host_vote_count = 0;
        for (int i = 0; i < host_count; ++i) {
            if (host_threads[i].state != HOST_AT_BARRIER) continue;
            host_threads[i].state = HOST_READY;
            host_vote_count += host_votes[i];
            any = true;
        }
        return any;
    }
    for (int i = 0; i < host_count; ++i) {
        if (host_threads[i].state != HOST_AT_WARP) continue;
        int warp = i & ~31;
        unsigned mask = host_threads[i].mask;
        bool together = true;
        for (int lane = 0; lane < 32 && together; ++lane) {
            if (!(mask >> lane & 1)) continue;
            const int other = warp + lane;
            if (other >= host_count || host_threads[other].state == HOST_ENDED) {
                host_error = "a warp function waits for a thread that has ended or was never there";
                return false;
            }
            together = host_threads[other].state == HOST_AT_WARP && host_threads[other].mask == mask;
        }
        if (!together) continue;
        for (int lane = 0; lane < 32; ++lane) {
            if (!(mask >> lane & 1)) continue;
            host_threads[warp + lane].state = HOST_READY;
            host_shown[warp + lane] = host_brought[warp + lane];
        }
        any = true;
    }
    return any;
}

// ---- Launch --------------------------------------------------------------------------------------------------------

static unsigned host_random(unsigned &state) { // xorshift
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

// order: 0 threads and blocks in the order of their numbers, 1 backwards, others the seed of a shuffle.
static void host_order(int *numbers, int count, int order, unsigned &state) {
    for (int i = 0; i < count; ++i) numbers[i] = order == 1 ? count - 1 - i : i;
    if (order < 2) return;
    for (int i = count - 1; i > 0; --i) {
        int j = int(host_random(state) % unsigned(i + 1)), kept = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = kept;
    }
}

static void host_run_block(int order, unsigned &state, size_t shared_bytes) {
    int numbers[HOST_MAX_THREADS];
#if !defined(__SANITIZE_ADDRESS__)
    memset(__start_cuda_shared, 0xFF, size_t(__stop_cuda_shared - __start_cuda_shared)); // NaN, and -1
#endif
    if (shared_bytes) memset(host_dynamic_shared, 0xFF, shared_bytes);
    for (int i = 0; i < host_count; ++i) host_prepare(i);
    for (;;) {
        host_order(numbers, host_count, order, state);
        for (int i = 0; i < host_count; ++i) {
            if (host_threads[numbers[i]].state == HOST_READY) host_enter(numbers[i]);
            if (host_error) return;
        }
        int ended = 0;
        for (int i = 0; i < host_count; ++i) ended += host_threads[i].state == HOST_ENDED;
        for (int i = 0; i < host_count; ++i)
            if (*(unsigned long long *)host_threads[i].stack != HOST_CANARY) host_error = "a thread needs more stack";
        if (ended == host_count || host_error) return;
        if (!host_release()) {
            if (!host_error) host_error = "threads wait for each other for ever: at different barriers, or masks";
            return;
        }
    }
}

// Returns null, or what the kernel did that CUDA leaves undefined.
static const char *host_run(void (*call)(void **), void **args, const unsigned *grid, const unsigned *block,
                            size_t shared_bytes, int order) {
    gridDim = dim3{grid[0], grid[1], grid[2]};
    blockDim = dim3{block[0], block[1], block[2]};
    unsigned long long threads = (unsigned long long)block[0] * block[1] * block[2];
    unsigned long long blocks = (unsigned long long)grid[0] * grid[1] * grid[2];
    if (threads < 1 || threads > HOST_MAX_THREADS) return "a block of no thread, or of more than 1024";
    if (blocks < 1 || grid[1] > 65535 || grid[2] > 65535) return "a grid without blocks, or with too many";
    if (shared_bytes > HOST_DYNAMIC_LIMIT) return "more shared memory than a GPU has";
    if (!host_stacks) {
        int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE; // pages are there from when they are used
        host_stacks = (char *)mmap(nullptr, HOST_MAX_THREADS * HOST_STACK, PROT_READ | PROT_WRITE, kind, -1, 0);
        if (host_stacks == MAP_FAILED) { host_stacks = nullptr; return "no memory for the stacks"; }
    }
    // Its own allocation, so that the address sanitizer sees its end.
    host_dynamic_shared = shared_bytes ? aligned_alloc(16, (shared_bytes + 15) / 16 * 16) : nullptr;
    host_count = int(threads);
    host_call = call;
    host_args = args;
    host_error = nullptr;
    unsigned state = 2463534242u ^ unsigned(order);
    for (unsigned long long i = 0; i < blocks && !host_error; ++i) {
        unsigned long long number = order == 1 ? blocks - 1 - i : i;
        blockIdx = dim3{unsigned(number % grid[0]), unsigned(number / grid[0] % grid[1]),
                        unsigned(number / ((unsigned long long)grid[0] * grid[1]))};
        host_run_block(order, state, shared_bytes);
    }
    free(host_dynamic_shared);
    host_dynamic_shared = nullptr;
    return host_error;
}

// Calls a kernel with arguments of its own types, from an array of pointers to them.
template <class... Types> struct HostCaller;
template <> struct HostCaller<> {
    template <class... Done> static void call(void (*kernel)(Done...), void **, Done... done) { kernel(done...); }
};
template <class First, class... Rest> struct HostCaller<First, Rest...> {
    template <class... All, class... Done> static void call(void (*kernel)(All...), void **args, Done... done) {
        HostCaller<Rest...>::call(kernel, args + 1, done..., *(First *)args[0]);
    }
};
template <class... Types> static void host_call_kernel(void (*kernel)(Types...), void **args) {
    HostCaller<Types...>::call(kernel, args);
}
template <class... Types> static void host_sizes(void (*)(Types...), int *count, int *sizes) {
    const int all[] = {int(sizeof(Types))..., 0};
    *count = int(sizeof...(Types));
    memcpy(sizes, all, sizeof...(Types) * sizeof(int));
}

// What the caller needs of one kernel: NAME_launch, and NAME_arguments with the sizes of its parameters.
#define HOST_KERNEL(NAME)                                                                                              \
    static void NAME##_call(void **args) { host_call_kernel(NAME, args); }                                             \
    extern "C" const char *NAME##_launch(void **args, const unsigned *grid, const unsigned *block, size_t shared,      \
                                         int order) {                                                                  \
        return host_run(NAME##_call, args, grid, block, shared, order);                                                \
    }                                                                                                                  \
    extern "C" void NAME##_arguments(int *count, int *sizes) { host_sizes(NAME, count, sizes); }
