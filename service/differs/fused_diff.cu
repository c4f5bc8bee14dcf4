// Every statistic of many pairs of taps in one pass over reference and candidate (and the oracle's arrays, where given).
//
//   d = reference - candidate in float64, over the pairs of which both are finite:
//   sums of d^2, r^2, c^2, r c;  max |d| and the first index of it;  max |d| / max(|r|, |c|);  max ULP distance;
//   counts of unequal bits and, on each side, of NaN and Inf;
//   for each side with an oracle o, over the elements where side and oracle are finite: count and sum of e^2, max e and
//   the first index of it, e = |side - o|;  max |o|, infinite where an oracle is not finite.
//
// Shapes: reference, candidate (n) of T; oracle_r, oracle_c (n) float64 or absent. A tap is cut into tiles, a block takes
// one tile, and all taps of one T go in one launch: its block b takes item = first + b, which is tile item - first_tile
// of tap work[item]. fused_diff leaves FIELDS words a tile, field by field, at partials[tap.partials + field * tap.tiles +
// tile]; reduce_tiles adds them up to results[tap][field], a block a tap and a warp a field. The layout of Tap and the
// order of the fields have their twins in fused_tables.py.
//
// Launch: fused_diff (tiles), (THREADS); reduce_tiles (taps), (32 * FIELDS). No shared memory is asked for.
//
// Equal inputs give equal bits: who adds what depends on n alone, not on addresses, the card or the order of blocks; a
// maximum that ties goes to the lower index.
//
// How it keeps up with the memory. A thread holds PAIRS pairs at once, loaded 16 bytes at a time, all in flight together.
// The maxima that need an index or a division cost one or two comparisons a pair against the largest value that this
// warp has seen: only when one is larger does the warp look for it (about ln n times). NaN and Inf show by 0 * x; a
// thread that holds one goes over its pairs again, slowly, and replaces them by zeros, which change nothing. Units in
// the last place are counted in integers. Arrays that do not begin at 16 bytes are read element by element.
//
// Widening float32 is written in PTX because CuPy adds -ftz=true, which makes a cast flush subnormals to zero.
//
// History: 1) one launch a tap, a grid-stride loop, everything tracked in float64 for each element. 2) this.

typedef unsigned long long word_t;

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr unsigned FULL = 0xffffffffu;
constexpr double NOTHING = -1.0;  // a maximum before anything was seen; all are of magnitudes
constexpr double TINY = 1.1830521861667747e-271;  // 2^-900: below it a product may lose bits to underflow

// Keep in the order of fused_tables.FIELDS.
enum Field {
    NAN_R, INF_R, NAN_C, INF_C, LEFT_OUT, LEFT_OUT_R, LEFT_OUT_C, RARE,  // counts that only slowly() raises, in shared memory
    DIFFERING = RARE,                                                    // a count
    MAX_ULP,
    SQUARE_D, SQUARE_R, SQUARE_C, DOT, SQUARE_ER, SQUARE_EC,  // float64 sums
    MAX_REL, SCALE,                                            // float64 maxima
    MAX_D, AT_D, MAX_ER, AT_ER, MAX_EC, AT_EC,                 // float64 maxima, each with its index
    FIELDS
};

enum Flag : unsigned { ALIGNED = 1, HAS_ORACLE_R = 2, HAS_ORACLE_C = 4, ONE_ORACLE = 8 };

struct Tap {
    word_t reference, candidate, oracle_r, oracle_c;  // addresses
    word_t elements, tile_elements, partials;
    unsigned tiles, first_tile, flags, unused;
};

// --- the element types ------------------------------------------------------------------------------------------------

__device__ __forceinline__ double widen_float(float v) {
#ifdef __CUDACC__
    double wide;
    asm("cvt.f64.f32 %0, %1;" : "=d"(wide) : "f"(v));
    return wide;
#else
    return static_cast<double>(v);
#endif
}

struct Float32 {
    typedef unsigned Bits;
    typedef float Narrow;
    static constexpr Bits SIGN = 0x80000000u, EXPONENT = 0x7f800000u;
    static constexpr int VECTOR = 4;
    static __device__ __forceinline__ double widen(Bits b) { return widen_float(__uint_as_float(b)); }
    static __device__ __forceinline__ float narrow(Bits b) { return __uint_as_float(b); }
    static __device__ __forceinline__ Bits pick(const uint4 &v, int k) { return k == 0 ? v.x : k == 1 ? v.y : k == 2 ? v.z : v.w; }
};

struct Float64 {
    typedef word_t Bits;
    typedef double Narrow;
    static constexpr Bits SIGN = 0x8000000000000000ull, EXPONENT = 0x7ff0000000000000ull;
    static constexpr int VECTOR = 2;
    static __device__ __forceinline__ double widen(Bits b) { return __longlong_as_double(static_cast<long long>(b)); }
    static __device__ __forceinline__ double narrow(Bits b) { return widen(b); }
    static __device__ __forceinline__ Bits pick(const uint4 &v, int k) {
        return k == 0 ? (static_cast<word_t>(v.y) << 32) | v.x : (static_cast<word_t>(v.w) << 32) | v.z;
    }
};

struct TwoBytes {
    typedef unsigned short Bits;
    typedef float Narrow;
    static constexpr Bits SIGN = 0x8000u;
    static constexpr int VECTOR = 8;
    static __device__ __forceinline__ Bits pick(const uint4 &v, int k) {
        const unsigned both = Float32::pick(v, k / 2);
        return static_cast<Bits>(k % 2 == 0 ? both & 0xffffu : both >> 16);
    }
};

struct Float16 : TwoBytes {
    static constexpr Bits EXPONENT = 0x7c00u;
    static __device__ __forceinline__ float narrow(Bits b) {
#ifdef __CUDACC__
        float v;
        asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(b));
        return v;
#else
        return host_half_to_float(b);
#endif
    }
    static __device__ __forceinline__ double widen(Bits b) { return widen_float(narrow(b)); }
};

struct Bfloat16 : TwoBytes {
    static constexpr Bits EXPONENT = 0x7f80u;
    static __device__ __forceinline__ float narrow(Bits b) { return __uint_as_float(static_cast<unsigned>(b) << 16); }
    static __device__ __forceinline__ double widen(Bits b) { return widen_float(narrow(b)); }
};

template <class T> __device__ __forceinline__ bool is_finite(typename T::Bits b) { return (b & T::EXPONENT) != T::EXPONENT; }
template <class T> __device__ __forceinline__ typename T::Bits magnitude(typename T::Bits b) { return b & static_cast<typename T::Bits>(~T::SIGN); }

template <class U> __device__ __forceinline__ U larger_of(U a, U b) { return a > b ? a : b; }

// float32's range in a register of 32 bits, float64's in one of 64.
template <class T> struct Distance { typedef unsigned Type; };
template <> struct Distance<Float64> { typedef word_t Type; };

// Units in the last place between two finite numbers: through zero where the signs differ, and -0 equals +0.
// `a`, `b`: bits; `larger`: the larger magnitude.  |a - b| = 2 max - (a + b).
template <class T>
__device__ __forceinline__ typename Distance<T>::Type ulps_between(typename T::Bits a, typename T::Bits b, typename T::Bits larger) {
    typedef typename Distance<T>::Type D;
    const D sum = static_cast<D>(magnitude<T>(a)) + static_cast<D>(magnitude<T>(b));
    const D apart = 2 * static_cast<D>(larger) - sum;
    return ((a ^ b) & T::SIGN) != 0 ? sum : apart;
}

// --- reductions over a warp, in a fixed order -------------------------------------------------------------------------

template <class V> __device__ __forceinline__ V warp_sum(V v) {
    for (int step = 16; step > 0; step >>= 1) v += __shfl_xor_sync(FULL, v, step);
    return v;
}

template <class V> __device__ __forceinline__ V warp_max(V v) {
    for (int step = 16; step > 0; step >>= 1) v = larger_of(v, __shfl_xor_sync(FULL, v, step));
    return v;
}

// A maximum of magnitudes, and where it first is, counted from the tile's or the tap's first element.
template <class I> struct Worst {
    double value;
    I at;
    __device__ __forceinline__ void see(double v, I i) {
        if (v > value || (v == value && i < at)) { value = v; at = i; }
    }
    __device__ __forceinline__ void share() {
        for (int step = 16; step > 0; step >>= 1) {
            const double v = __shfl_xor_sync(FULL, value, step);
            const I i = __shfl_xor_sync(FULL, at, step);
            see(v, i);
        }
    }
};

__device__ __forceinline__ word_t to_word(double v) { return static_cast<word_t>(__double_as_longlong(v)); }
__device__ __forceinline__ double to_double(word_t v) { return __longlong_as_double(static_cast<long long>(v)); }

// --- what a thread has seen of its tile -------------------------------------------------------------------------------

template <class T> struct Seen {
    unsigned differing = 0;
    typename Distance<T>::Type max_ulp = 0;
    double square_d = 0, square_r = 0, square_c = 0, dot = 0, square_er = 0, square_ec = 0, max_rel = 0, scale = 0;
    Worst<unsigned> d{NOTHING, 0}, er{NOTHING, 0}, ec{NOTHING, 0};

    // Is |d| / larger above the largest so far? The remainder of a division is exact in one fma, unless it underflows.
    __device__ __forceinline__ bool rel_grows(double apart, double larger) const {
        const bool grows = fma(-max_rel, larger, apart) > 0.0;
        return sizeof(typename T::Bits) == 8 ? grows || (larger < TINY && apart > 0.0) : grows;
    }
    __device__ __forceinline__ void see_rel(double apart, double larger) {
        if (rel_grows(apart, larger)) max_rel = larger_of(max_rel, apart / larger);
    }

    __device__ __forceinline__ void error(bool finite, double side, double exact, unsigned at, unsigned *out, double &square, Worst<unsigned> &worst) {
        const bool measures = is_finite<Float64>(to_word(exact));
        if (!measures) scale = to_double(Float64::EXPONENT);
        if (!measures || !finite) { atomicAdd(out, 1u); return; }
        const double e = fabs(side - exact);
        square = fma(e, e, square);
        worst.see(e, at);
        scale = larger_of(scale, fabs(exact));
    }

    // One element, whatever it is: for the threads that hold NaN or Inf.
    __device__ __forceinline__ void slowly(const Tap &tap, word_t index, unsigned at, unsigned *rare) {
        typedef typename T::Bits Bits;
        const Bits a = reinterpret_cast<const Bits *>(tap.reference)[index], b = reinterpret_cast<const Bits *>(tap.candidate)[index];
        const bool finite_r = is_finite<T>(a), finite_c = is_finite<T>(b);
        differing += a != b;
        if (!finite_r) atomicAdd(rare + (magnitude<T>(a) > T::EXPONENT ? NAN_R : INF_R), 1u);
        if (!finite_c) atomicAdd(rare + (magnitude<T>(b) > T::EXPONENT ? NAN_C : INF_C), 1u);
        const double r = T::widen(a), c = T::widen(b);
        if (finite_r && finite_c) {
            const double v = r - c;
            const Bits larger = larger_of(magnitude<T>(a), magnitude<T>(b));
            square_d = fma(v, v, square_d);
            square_r = fma(r, r, square_r);
            square_c = fma(c, c, square_c);
            dot = fma(r, c, dot);
            d.see(fabs(v), at);
            see_rel(fabs(v), T::widen(larger));
            max_ulp = larger_of(max_ulp, ulps_between<T>(a, b, larger));
        } else {
            atomicAdd(rare + LEFT_OUT, 1u);
        }
        if (tap.flags & HAS_ORACLE_R) error(finite_r, r, reinterpret_cast<const double *>(tap.oracle_r)[index], at, rare + LEFT_OUT_R, square_er, er);
        if (tap.flags & HAS_ORACLE_C) error(finite_c, c, reinterpret_cast<const double *>(tap.oracle_c)[index], at, rare + LEFT_OUT_C, square_ec, ec);
    }
};

// --- one tile ---------------------------------------------------------------------------------------------------------

// A batch is UNROLL vectors a thread; vector u of thread t holds the elements (u * THREADS + t) * VECTOR and on.
template <class T>
__device__ __forceinline__ unsigned element_of(int j) {
    return (static_cast<unsigned>(j / T::VECTOR) * THREADS + threadIdx.x) * T::VECTOR + static_cast<unsigned>(j % T::VECTOR);
}

template <class T, int UNROLL>
__device__ __forceinline__ void load_whole(const typename T::Bits *from, typename T::Bits *to) {
    const uint4 *vectors = reinterpret_cast<const uint4 *>(from) + threadIdx.x;
    uint4 v[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; ++u) v[u] = __ldcs(vectors + u * THREADS);
#pragma unroll
    for (int j = 0; j < UNROLL * T::VECTOR; ++j) to[j] = T::pick(v[j / T::VECTOR], j % T::VECTOR);
}

// Two doubles a load: the elements of the same thread's vectors of T.
template <class T, int UNROLL>
__device__ __forceinline__ void load_oracle_whole(const double *from, double *to) {
#pragma unroll
    for (int j = 0; j < UNROLL * T::VECTOR; j += 2) {
        const double2 v = __ldcs(reinterpret_cast<const double2 *>(from + element_of<T>(j)));
        to[j] = v.x;
        to[j + 1] = v.y;
    }
}

template <class T, int UNROLL, class V>
__device__ __forceinline__ void load_some(const V *from, unsigned valid, V *to) {
#pragma unroll
    for (int j = 0; j < UNROLL * T::VECTOR; ++j) {
        const unsigned e = element_of<T>(j);
        to[j] = e < valid ? from[e] : V(0);
    }
}

template <class T, bool ORACLE, int UNROLL>
__device__ __forceinline__ void see_tile(const Tap &tap, word_t begin, word_t end, Seen<T> &seen, unsigned *rare) {
    typedef typename T::Bits Bits;
    typedef typename T::Narrow Narrow;
    constexpr int PAIRS = UNROLL * T::VECTOR;
    constexpr unsigned BATCH = PAIRS * THREADS;
    const Bits *reference = reinterpret_cast<const Bits *>(tap.reference) + begin;
    const Bits *candidate = reinterpret_cast<const Bits *>(tap.candidate) + begin;
    const bool has_r = ORACLE && (tap.flags & HAS_ORACLE_R), has_c = ORACLE && (tap.flags & HAS_ORACLE_C);
    const bool one_oracle = ORACLE && (tap.flags & ONE_ORACLE);
    const double *oracle_r = ORACLE ? reinterpret_cast<const double *>(tap.oracle_r) + begin : nullptr;
    const double *oracle_c = ORACLE ? reinterpret_cast<const double *>(tap.oracle_c) + begin : nullptr;
    const unsigned length = static_cast<unsigned>(end - begin);
    const bool aligned = tap.flags & ALIGNED;

    for (unsigned base = 0; base < length; base += BATCH) {
        const unsigned valid = length - base;
        const bool whole = aligned && valid >= BATCH;
        Bits r[PAIRS], c[PAIRS];
        double o_r[ORACLE ? PAIRS : 1], o_c[ORACLE ? PAIRS : 1];
        if (whole) {
            load_whole<T, UNROLL>(reference + base, r);
            load_whole<T, UNROLL>(candidate + base, c);
        } else {
            load_some<T, UNROLL>(reference + base, valid, r);
            load_some<T, UNROLL>(candidate + base, valid, c);
        }
        if (ORACLE && has_r) {
            if (whole) load_oracle_whole<T, UNROLL>(oracle_r + base, o_r);
            else load_some<T, UNROLL>(oracle_r + base, valid, o_r);
        }
        if (ORACLE && has_c && !one_oracle) {
            if (whole) load_oracle_whole<T, UNROLL>(oracle_c + base, o_c);
            else load_some<T, UNROLL>(oracle_c + base, valid, o_c);
        }

        // 0 * x is 0 for all that is finite.
        Narrow zero_r = 0, zero_c = 0;
#pragma unroll
        for (int j = 0; j < PAIRS; ++j) {
            zero_r = fma(T::narrow(r[j]), Narrow(0), zero_r);
            zero_c = fma(T::narrow(c[j]), Narrow(0), zero_c);
        }
        bool odd = !(zero_r + zero_c == Narrow(0));
        if (ORACLE) {
#pragma unroll
            for (int j = 0; j < PAIRS; ++j) {
                if (has_r) odd |= !is_finite<Float64>(to_word(o_r[j]));
                if (has_c && !one_oracle) odd |= !is_finite<Float64>(to_word(o_c[j]));
            }
        }
        if (odd) {
#pragma unroll 1
            for (int j = 0; j < PAIRS; ++j) {
                const unsigned e = element_of<T>(j);
                if (e < valid) seen.slowly(tap, begin + base + e, base + e, rare);
            }
#pragma unroll
            for (int j = 0; j < PAIRS; ++j) {
                r[j] = c[j] = 0;
                if (ORACLE) o_r[j] = o_c[j] = 0;
            }
        }

        bool grows = false;
#pragma unroll
        for (int j = 0; j < PAIRS; ++j) {
            const Bits larger = larger_of(magnitude<T>(r[j]), magnitude<T>(c[j]));
            const double wide_r = T::widen(r[j]), wide_c = T::widen(c[j]), d = wide_r - wide_c;
            seen.differing += r[j] != c[j];
            seen.max_ulp = larger_of(seen.max_ulp, ulps_between<T>(r[j], c[j], larger));
            seen.square_d = fma(d, d, seen.square_d);
            seen.square_r = fma(wide_r, wide_r, seen.square_r);
            seen.square_c = fma(wide_c, wide_c, seen.square_c);
            seen.dot = fma(wide_r, wide_c, seen.dot);
            grows |= fabs(d) > seen.d.value;
            grows |= seen.rel_grows(fabs(d), T::widen(larger));
        }
        if (__any_sync(FULL, grows)) {
            if (!odd) {
#pragma unroll
                for (int j = 0; j < PAIRS; ++j) {
                    const double apart = fabs(T::widen(r[j]) - T::widen(c[j]));
                    const double larger = T::widen(larger_of(magnitude<T>(r[j]), magnitude<T>(c[j])));
                    seen.d.see(apart, base + element_of<T>(j));
                    seen.see_rel(apart, larger);
                }
            }
            seen.d.share();
            seen.max_rel = warp_max(seen.max_rel);
        }

        if (!ORACLE) continue;
        if (has_r) {
            bool worse = false;
#pragma unroll
            for (int j = 0; j < PAIRS; ++j) {
                const double e = fabs(T::widen(r[j]) - o_r[j]);
                seen.square_er = fma(e, e, seen.square_er);
                seen.scale = larger_of(seen.scale, fabs(o_r[j]));
                worse |= e > seen.er.value;
            }
            if (__any_sync(FULL, worse)) {
                if (!odd) {
#pragma unroll
                    for (int j = 0; j < PAIRS; ++j) seen.er.see(fabs(T::widen(r[j]) - o_r[j]), base + element_of<T>(j));
                }
                seen.er.share();
            }
        }
        if (has_c) {
            bool worse = false;
#pragma unroll
            for (int j = 0; j < PAIRS; ++j) {
                if (one_oracle) o_c[j] = o_r[j];
                const double e = fabs(T::widen(c[j]) - o_c[j]);
                seen.square_ec = fma(e, e, seen.square_ec);
                seen.scale = larger_of(seen.scale, fabs(o_c[j]));
                worse |= e > seen.ec.value;
            }
            if (__any_sync(FULL, worse)) {
                if (!odd) {
#pragma unroll
                    for (int j = 0; j < PAIRS; ++j) seen.ec.see(fabs(T::widen(c[j]) - o_c[j]), base + element_of<T>(j));
                }
                seen.ec.share();
            }
        }
    }
}

// Combine two partial results of a field that stands alone.
__device__ __forceinline__ word_t combine(int field, word_t a, word_t b) {
    if (field < MAX_ULP) return a + b;
    if (field == MAX_ULP) return larger_of(a, b);
    if (field < MAX_REL) return to_word(to_double(a) + to_double(b));
    return to_word(larger_of(to_double(a), to_double(b)));
}

// Blocks that a multiprocessor must hold at once: as many as the registers allow without a spill (docs/kernels.md). For
// sm_120 the compiler keeps more float64 values alive, to cover the latency of two float64 lanes a multiprocessor against
// 64 on sm_90, so fewer blocks fit. Those lanes should be the limit there, not the loads; no such card was measured.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
template <class T, bool ORACLE> struct Resident { static constexpr int BLOCKS = T::VECTOR == 2 || (T::VECTOR == 4 && !ORACLE) ? 2 : 1; };
#else
template <class T, bool ORACLE> struct Resident { static constexpr int BLOCKS = ORACLE || T::VECTOR == 8 ? 2 : T::VECTOR == 2 ? 3 : 4; };
#endif

template <class T, bool ORACLE>
__global__ void __launch_bounds__(THREADS, (Resident<T, ORACLE>::BLOCKS)) fused_diff(
    const Tap *__restrict__ taps, const unsigned *__restrict__ work, unsigned first, word_t *__restrict__ partials)
{
    // Vectors in flight on each side; where the oracle's float64 values need the registers, fewer.
    constexpr int UNROLL = T::VECTOR == 2 && !ORACLE ? 4 : T::VECTOR == 8 && ORACLE ? 1 : 2;
    const unsigned item = first + blockIdx.x;
    const Tap &tap = taps[work[item]];
    const unsigned tile = item - tap.first_tile;
    const word_t begin = tile * tap.tile_elements;
    const word_t rest = tap.elements - begin;
    const word_t end = begin + (rest < tap.tile_elements ? rest : tap.tile_elements);

    __shared__ unsigned rare[RARE];
    if (threadIdx.x < RARE) rare[threadIdx.x] = 0;
    __syncthreads();
    Seen<T> seen;
    see_tile<T, ORACLE, UNROLL>(tap, begin, end, seen, rare);

    word_t field[FIELDS];
    field[DIFFERING] = warp_sum(seen.differing);
    field[MAX_ULP] = warp_max(seen.max_ulp);
    field[SQUARE_D] = to_word(warp_sum(seen.square_d));
    field[SQUARE_R] = to_word(warp_sum(seen.square_r));
    field[SQUARE_C] = to_word(warp_sum(seen.square_c));
    field[DOT] = to_word(warp_sum(seen.dot));
    field[MAX_REL] = to_word(warp_max(seen.max_rel));
    seen.d.share();
    field[MAX_D] = to_word(seen.d.value);
    field[AT_D] = begin + seen.d.at;
    field[SQUARE_ER] = field[SQUARE_EC] = field[SCALE] = 0;
    field[MAX_ER] = field[MAX_EC] = to_word(NOTHING);
    field[AT_ER] = field[AT_EC] = 0;
    if (ORACLE) {
        field[SQUARE_ER] = to_word(warp_sum(seen.square_er));
        field[SQUARE_EC] = to_word(warp_sum(seen.square_ec));
        field[SCALE] = to_word(warp_max(seen.scale));
        seen.er.share();
        field[MAX_ER] = to_word(seen.er.value);
        field[AT_ER] = begin + seen.er.at;
        seen.ec.share();
        field[MAX_EC] = to_word(seen.ec.value);
        field[AT_EC] = begin + seen.ec.at;
    }

    __shared__ word_t of_warp[WARPS][FIELDS];
    if (threadIdx.x % 32 == 0) {
#pragma unroll
        for (int f = RARE; f < FIELDS; ++f) of_warp[threadIdx.x / 32][f] = field[f];
    }
    __syncthreads();
    const int f = threadIdx.x;
    if (f >= FIELDS) return;
    word_t total;
    if (f < RARE) {
        total = rare[f];
    } else if (f < MAX_D) {
        total = of_warp[0][f];
        for (int w = 1; w < WARPS; ++w) total = combine(f, total, of_warp[w][f]);
    } else {
        const int value = MAX_D + (f - MAX_D) / 2 * 2;
        Worst<word_t> worst{NOTHING, 0};
        for (int w = 0; w < WARPS; ++w) worst.see(to_double(of_warp[w][value]), of_warp[w][value + 1]);
        total = f == value ? to_word(worst.value) : worst.at;
    }
    partials[tap.partials + static_cast<word_t>(f) * tap.tiles + tile] = total;
}

// Block t adds up the tiles of tap t, warp f its field f.
__global__ void __launch_bounds__(32 * FIELDS) reduce_tiles(
    const Tap *__restrict__ taps, const word_t *__restrict__ partials, word_t *__restrict__ results)
{
    const Tap tap = taps[blockIdx.x];
    const int f = threadIdx.x / 32, lane = threadIdx.x % 32;
    const word_t *mine = partials + tap.partials + static_cast<word_t>(f) * tap.tiles;
    word_t total;
    if (f < MAX_D) {
        total = 0;  // as a count, a sum and a maximum of magnitudes
#pragma unroll 8
        for (unsigned t = lane; t < tap.tiles; t += 32) total = combine(f, total, mine[t]);
        for (int step = 16; step > 0; step >>= 1) total = combine(f, total, __shfl_xor_sync(FULL, total, step));
    } else {
        const bool is_value = (f - MAX_D) % 2 == 0;
        const word_t *values = is_value ? mine : mine - tap.tiles, *indices = is_value ? mine + tap.tiles : mine;
        Worst<word_t> worst{NOTHING, 0};
#pragma unroll 8
        for (unsigned t = lane; t < tap.tiles; t += 32) worst.see(to_double(values[t]), indices[t]);
        worst.share();
        total = is_value ? to_word(worst.value) : worst.at;
    }
    if (lane == 0) results[static_cast<word_t>(blockIdx.x) * FIELDS + f] = total;
}
