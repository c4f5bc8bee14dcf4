// Every statistic of a pair of taps in one pass over reference and candidate (and the oracle's arrays, where given).
//
// For each block b:  sums[b][k], ulps[b]  as laid out by the SUM_* indices below; cupy_differ.py adds the blocks up, in
// their order, on the host. Elements that are not finite are counted and left out of every sum and maximum they would
// enter. Ties of a maximum go to the lower index, so two runs give the same bits.
//
// Shapes: reference, candidate (n) of T; oracle_r, oracle_c (n) float64 or null. Launch: THREADS threads a block, any
// number of blocks (grid-stride). Values are widened to float64 before they are subtracted. The widening of float32
// is done by hand where the value is subnormal, because the compiler is given -ftz=true and would flush it to zero.
#include <cuda_fp16.h>

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr unsigned FULL = 0xffffffffu;

enum {
    SUM_PAIRS, SUM_MISMATCHES, SUM_NAN_R, SUM_INF_R, SUM_NAN_C, SUM_INF_C,
    SUM_SQUARE_D, SUM_SQUARE_R, SUM_SQUARE_C, SUM_DOT, MAX_D, AT_D,
    SUM_COUNT_ER, SUM_SQUARE_ER, MAX_ER, AT_ER,
    SUM_COUNT_EC, SUM_SQUARE_EC, MAX_EC, AT_EC,
    MAX_SCALE, FIELDS
};

template <class T> struct Real;

template <> struct Real<float> {
    using Bits = unsigned int;
    static __device__ Bits bits(float v) { return __float_as_uint(v); }
    static __device__ double widen(float v) {
        const Bits b = bits(v);
        if ((b & 0x7f800000u) != 0u) return static_cast<double>(v);
        const double magnitude = static_cast<double>(b & 0x007fffffu) * 1.401298464324817e-45;  // 2^-149
        return (b >> 31) ? -magnitude : magnitude;
    }
    static constexpr Bits SIGN = 0x80000000u, EXPONENT = 0x7f800000u;
};

template <> struct Real<double> {
    using Bits = unsigned long long;
    static __device__ Bits bits(double v) { return static_cast<Bits>(__double_as_longlong(v)); }
    static __device__ double widen(double v) { return v; }
    static constexpr Bits SIGN = 0x8000000000000000ull, EXPONENT = 0x7ff0000000000000ull;
};

template <> struct Real<__half> {
    using Bits = unsigned short;
    static __device__ Bits bits(__half v) { return __half_as_ushort(v); }
    static __device__ double widen(__half v) { return static_cast<double>(__half2float(v)); }
    static constexpr Bits SIGN = 0x8000u, EXPONENT = 0x7c00u;
};

// Units in the last place between two finite numbers; the order runs through zero, and -0 equals +0.
template <class T>
__device__ unsigned long long ulps_between(T a, T b) {
    using R = Real<T>;
    const unsigned long long x = R::bits(a), y = R::bits(b), sign = R::SIGN;
    const unsigned long long mx = x & (sign - 1), my = y & (sign - 1);
    if ((x & sign) != (y & sign)) return mx + my;
    return mx > my ? mx - my : my - mx;
}

struct Worst {
    double value;  // below zero: nothing seen
    double at;     // index, exact up to 2^53
    __device__ void see(double v, double i) {
        if (v > value || (v == value && i < at)) { value = v; at = i; }
    }
};

__device__ double add_up(double v, double *shared) {
    for (int step = 16; step > 0; step >>= 1) v += __shfl_down_sync(FULL, v, step);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
    __syncthreads();
    double total = 0.0;
    if (threadIdx.x == 0) for (int w = 0; w < WARPS; ++w) total += shared[w];
    __syncthreads();
    return total;
}

__device__ Worst worst_of(Worst v, double *shared) {
    for (int step = 16; step > 0; step >>= 1) {
        const double value = __shfl_down_sync(FULL, v.value, step), at = __shfl_down_sync(FULL, v.at, step);
        v.see(value, at);
    }
    if (threadIdx.x % 32 == 0) { shared[threadIdx.x / 32] = v.value; shared[WARPS + threadIdx.x / 32] = v.at; }
    __syncthreads();
    Worst worst{-1.0, 0.0};
    if (threadIdx.x == 0) for (int w = 0; w < WARPS; ++w) worst.see(shared[w], shared[WARPS + w]);
    __syncthreads();
    return worst;
}

__device__ unsigned long long most(unsigned long long v, unsigned long long *shared) {
    for (int step = 16; step > 0; step >>= 1) v = max(v, __shfl_down_sync(FULL, v, step));
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
    __syncthreads();
    unsigned long long largest = 0;
    if (threadIdx.x == 0) for (int w = 0; w < WARPS; ++w) largest = max(largest, shared[w]);
    __syncthreads();
    return largest;
}

struct Error {
    double count = 0.0, square = 0.0;
    Worst worst{-1.0, 0.0};
    __device__ void see(bool finite, double side, double exact, double at, double &scale) {
        if (!isfinite(exact)) { scale = __longlong_as_double(0x7ff0000000000000ll); return; }  // an oracle that is not finite measures nothing
        if (!finite) return;
        const double e = fabs(side - exact);
        count += 1.0;
        square += e * e;
        worst.see(e, at);
        scale = fmax(scale, fabs(exact));
    }
};

template <class T>
__global__ void __launch_bounds__(THREADS) fused_diff(
    const T *__restrict__ reference, const T *__restrict__ candidate,
    const double *__restrict__ oracle_r, const double *__restrict__ oracle_c,
    unsigned long long n, double *__restrict__ sums, unsigned long long *__restrict__ ulps)
{
    using R = Real<T>;
    double counts[6] = {0, 0, 0, 0, 0, 0}, square_d = 0, square_r = 0, square_c = 0, dot = 0, scale = 0;
    Worst worst{-1.0, 0.0};
    Error error_r, error_c;
    unsigned long long largest_ulp = 0;

    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * THREADS;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * THREADS + threadIdx.x; i < n; i += stride) {
        const T a = reference[i], b = candidate[i];
        const auto bits_a = R::bits(a), bits_b = R::bits(b);
        const bool finite_a = (bits_a & R::EXPONENT) != R::EXPONENT, finite_b = (bits_b & R::EXPONENT) != R::EXPONENT;
        const double r = R::widen(a), c = R::widen(b), at = static_cast<double>(i);
        counts[SUM_MISMATCHES] += bits_a != bits_b;
        counts[SUM_NAN_R] += !finite_a && isnan(r);
        counts[SUM_INF_R] += !finite_a && !isnan(r);
        counts[SUM_NAN_C] += !finite_b && isnan(c);
        counts[SUM_INF_C] += !finite_b && !isnan(c);
        if (finite_a && finite_b) {
            const double d = r - c;
            counts[SUM_PAIRS] += 1.0;
            square_d += d * d;
            square_r += r * r;
            square_c += c * c;
            dot += r * c;
            worst.see(fabs(d), at);
            largest_ulp = max(largest_ulp, ulps_between(a, b));
        }
        if (oracle_r != nullptr) error_r.see(finite_a, r, oracle_r[i], at, scale);
        if (oracle_c != nullptr) error_c.see(finite_b, c, oracle_c[i], at, scale);
    }

    __shared__ double shared[2 * WARPS];
    __shared__ unsigned long long shared_ulps[WARPS];
    double out[FIELDS];
    for (int k = 0; k < 6; ++k) out[k] = add_up(counts[k], shared);
    out[SUM_SQUARE_D] = add_up(square_d, shared);
    out[SUM_SQUARE_R] = add_up(square_r, shared);
    out[SUM_SQUARE_C] = add_up(square_c, shared);
    out[SUM_DOT] = add_up(dot, shared);
    worst = worst_of(worst, shared);
    out[MAX_D] = worst.value;
    out[AT_D] = worst.at;
    out[SUM_COUNT_ER] = add_up(error_r.count, shared);
    out[SUM_SQUARE_ER] = add_up(error_r.square, shared);
    error_r.worst = worst_of(error_r.worst, shared);
    out[MAX_ER] = error_r.worst.value;
    out[AT_ER] = error_r.worst.at;
    out[SUM_COUNT_EC] = add_up(error_c.count, shared);
    out[SUM_SQUARE_EC] = add_up(error_c.square, shared);
    error_c.worst = worst_of(error_c.worst, shared);
    out[MAX_EC] = error_c.worst.value;
    out[AT_EC] = error_c.worst.at;
    out[MAX_SCALE] = worst_of(Worst{scale, 0.0}, shared).value;
    largest_ulp = most(largest_ulp, shared_ulps);
    if (threadIdx.x == 0) {
        for (int k = 0; k < FIELDS; ++k) sums[static_cast<unsigned long long>(blockIdx.x) * FIELDS + k] = out[k];
        ulps[blockIdx.x] = largest_ulp;
    }
}
