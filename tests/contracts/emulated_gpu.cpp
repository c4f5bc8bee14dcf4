// Runs fused_diff.cu on the host, thread for thread, so that its arithmetic and its tables are tested without a GPU.
//
// The threads of a block are fibers. A fiber runs until a warp or block primitive and then waits there for the others,
// as on a device: all lanes of a warp, or all threads of the block, must come to the same primitive.
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __shared__ static

struct uint4 { unsigned x, y, z, w; };
struct double2 { double x, y; };
struct Place { unsigned x; };
static Place threadIdx, blockIdx;

using std::fma;
template <class A, class B> static A reinterpret_bits(B b) { A a; static_assert(sizeof a == sizeof b, ""); std::memcpy(&a, &b, sizeof a); return a; }
static float __uint_as_float(unsigned b) { return reinterpret_bits<float>(b); }
static double __longlong_as_double(long long b) { return reinterpret_bits<double>(b); }
static long long __double_as_longlong(double v) { return reinterpret_bits<long long>(v); }
template <class V> static V __ldcs(const V *p) {
    if (reinterpret_cast<uintptr_t>(p) % 16 != 0) std::abort();  // a device would refuse it too
    return *p;
}
static unsigned atomicAdd(unsigned *p, unsigned v) { const unsigned old = *p; *p += v; return old; }

static float host_half_to_float(unsigned short b) {
    const int exponent = (b >> 10) & 31, fraction = b & 1023;
    float v = exponent == 31 ? (fraction ? NAN : INFINITY)
            : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                            : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
    return b & 0x8000 ? -v : v;
}

// --- the block's fibers -----------------------------------------------------------------------------------------------

// Entered by its context the first time and then by its jump, which asks nothing of the system.
struct Fiber { ucontext_t context; jmp_buf jump; std::vector<char> stack; bool entered, done; };
static std::vector<Fiber> fibers;
static jmp_buf scheduler;
static unsigned block_size;
static unsigned long long lanes[1024];
static void (*body)();

static void yield_to_scheduler() {
    const unsigned me = threadIdx.x;
    if (_setjmp(fibers[me].jump) == 0) _longjmp(scheduler, 1);
    threadIdx.x = me;
}

// All leave in the round after the one in which the last arrived, so that the lanes of a warp stay in step.
static unsigned arrived, generation, this_round, released_in;
static void __syncthreads() {
    const unsigned mine = generation;
    if (++arrived == block_size) { arrived = 0; ++generation; released_in = this_round; }
    while (generation == mine || this_round == released_in) yield_to_scheduler();
}

// The scheduler goes round all fibers, so after one yield every lane of the warp has come to the same primitive.
template <class V> static V __shfl_xor_sync(unsigned, V v, int step) {
    unsigned long long word = 0;
    std::memcpy(&word, &v, sizeof v);
    lanes[threadIdx.x] = word;
    yield_to_scheduler();
    const unsigned long long other = lanes[threadIdx.x ^ static_cast<unsigned>(step)];
    yield_to_scheduler();
    std::memcpy(&v, &other, sizeof v);
    return v;
}

static bool __any_sync(unsigned mask, bool v) {
    int any = v;
    for (int step = 16; step > 0; step >>= 1) any |= __shfl_xor_sync(mask, any, step);
    return any;
}

#include FUSED_DIFF

static void trampoline() {
    body();
    fibers[threadIdx.x].done = true;
    _longjmp(scheduler, 1);
}

static void resume(Fiber &fiber) {
    if (_setjmp(scheduler) != 0) return;
    if (fiber.entered) _longjmp(fiber.jump, 1);
    fiber.entered = true;
    setcontext(&fiber.context);
}

static void run_block(unsigned block, unsigned threads, void (*kernel)()) {
    body = kernel;
    block_size = threads;
    blockIdx.x = block;
    if (fibers.size() < threads) fibers.resize(threads);
    for (unsigned t = 0; t < threads; ++t) {
        Fiber &fiber = fibers[t];
        fiber.entered = fiber.done = false;
        fiber.stack.resize(64 * 1024);
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, trampoline, 0);
    }
    for (bool running = true; running;) {
        running = false;
        ++this_round;
        for (unsigned t = 0; t < threads; ++t) {
            if (fibers[t].done) continue;
            threadIdx.x = t;
            resume(fibers[t]);
            running |= !fibers[t].done;
        }
    }
}

static const Tap *g_taps;
static const unsigned *g_work;
static unsigned g_first;
static word_t *g_partials, *g_results;

template <class T> static void launch(bool oracle, unsigned tiles) {
    for (unsigned b = 0; b < tiles; ++b)
        run_block(b, THREADS, oracle ? [] { fused_diff<T, true>(g_taps, g_work, g_first, g_partials); }
                                     : [] { fused_diff<T, false>(g_taps, g_work, g_first, g_partials); });
}

extern "C" int emulate_fused_diff(const char *type, int oracle, const void *taps, const unsigned *work, unsigned first, unsigned tiles, word_t *partials) {
    g_taps = static_cast<const Tap *>(taps);
    g_work = work;
    g_first = first;
    g_partials = partials;
    if (!std::strcmp(type, "Float16")) launch<Float16>(oracle, tiles);
    else if (!std::strcmp(type, "Bfloat16")) launch<Bfloat16>(oracle, tiles);
    else if (!std::strcmp(type, "Float32")) launch<Float32>(oracle, tiles);
    else if (!std::strcmp(type, "Float64")) launch<Float64>(oracle, tiles);
    else return 1;
    return 0;
}

extern "C" void emulate_reduce_tiles(const void *taps, unsigned count, const word_t *partials, word_t *results) {
    g_taps = static_cast<const Tap *>(taps);
    g_partials = const_cast<word_t *>(partials);
    g_results = results;
    for (unsigned b = 0; b < count; ++b) run_block(b, 32 * FIELDS, [] { reduce_tiles(g_taps, g_partials, g_results); });
}

extern "C" int fields() { return FIELDS; }
extern "C" int tap_bytes() { return sizeof(Tap); }
