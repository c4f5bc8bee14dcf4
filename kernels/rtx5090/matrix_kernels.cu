// The legacy kernels, in CUDA C, float32.
//
// History: first written as numba kernels tuned for an RTX 5090 (170 SMs, 512 threads a block). This file is the same
// arithmetic with the same launch geometry for NVRTC. It is a plain reference on purpose: no tiling, no vector
// loads. Do not make it faster; faster kernels are other families that are compared with this one.
//
// Legend: M, N, K are matrix sizes; B is the batch, F the features of a layer; n is a number of elements.
//
// Launch contract of every kernel:
//   * one thread an element, no grid-stride loop: a grid that is too small leaves elements untouched;
//   * threads outside the array return at once, so a grid may be larger than the array;
//   * arrays are float32 and C-contiguous, except A and B of gpu_matrix_multiply, which take element strides;
//   * 1-D kernels: element i = blockIdx.x * blockDim.x + threadIdx.x;
//   * 2-D kernels: the ROW is on x and the column on y, as in the numba original. Neighbouring threads therefore write
//     to different rows (uncoalesced); that is how the legacy code behaves and what its timings contain;
//   * reading and writing the same array in place is allowed for all elementwise kernels.
//
// Rounding: compiled with the compiler's default -fmad=true, so a*b+c rounds once here and twice in the NumPy twin.
// CuPy adds -ftz=true: denormal inputs and results become zero. Division is IEEE (-prec-div=true is the default).
// NaN is never hidden: comparisons are written so that a NaN operand comes through.

typedef long long index_t;

__device__ __forceinline__ index_t element() {
    return (index_t)blockIdx.x * blockDim.x + threadIdx.x;
}

// C[m, n] = sum over k of A[m, k] * B[k, n], k ascending, one accumulator.
// A (M, K) and B (K, N) are addressed by element strides (a transposed view needs no copy); C (M, N) is contiguous.
extern "C" __global__ void gpu_matrix_multiply(
    const float* A, const float* B, float* C, index_t M, index_t N, index_t K,
    index_t a_row, index_t a_col, index_t b_row, index_t b_col) {
    const index_t row = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    const index_t col = (index_t)blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= M || col >= N) return;
    float sum = 0.0f;
    for (index_t k = 0; k < K; ++k) {
        sum += A[row * a_row + k * a_col] * B[k * b_row + col * b_col];
    }
    C[row * N + col] = sum;
}

// C[b, f] = A[b, f] + bias[f]; A and C are (B, F), bias is (F,). 2-D grid.
extern "C" __global__ void gpu_add_bias(const float* A, const float* bias, float* C, index_t B, index_t F) {
    const index_t row = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    const index_t col = (index_t)blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= B || col >= F) return;
    C[row * F + col] = A[row * F + col] + bias[col];
}

// out[i] = max(alpha * x[i], x[i])
extern "C" __global__ void gpu_leaky_relu_forward(const float* x, float* out, float alpha, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    const float scaled = alpha * x[i];
    out[i] = scaled > x[i] ? scaled : x[i];
}

// out[i] = grad[i] * (x[i] > 0 ? 1 : alpha). x may be the pre- or the post-activation: their signs agree.
extern "C" __global__ void gpu_leaky_relu_backward(
    const float* grad, const float* x, float* out, float alpha, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = grad[i] * (x[i] > 0.0f ? 1.0f : alpha);
}

// out[i] = (y[i] - t[i])^2. The mean is the sum of these, by gpu_reduce_sum, over n.
extern "C" __global__ void gpu_mse_loss(const float* y, const float* t, float* out, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    const float difference = y[i] - t[i];
    out[i] = difference * difference;
}

// out[i] = 2 * (y[i] - t[i]) / batch: by the batch only, not by the features. That is the contract.
extern "C" __global__ void gpu_mse_gradient(const float* y, const float* t, float* out, float batch, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = 2.0f * (y[i] - t[i]) / batch;
}

// out[i] = grad[i] limited to [-limit, +limit]. By value, whatever the parameter's name says upstream.
// Out of place, so that the raw gradient survives the step; out may be grad.
extern "C" __global__ void gpu_gradient_clip(const float* grad, float* out, float limit, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    const float g = grad[i];
    out[i] = g > limit ? limit : (g < -limit ? -limit : g);
}

// w[i] = w[i] - learning_rate * grad[i]
extern "C" __global__ void gpu_update_weights(float* w, const float* grad, float learning_rate, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    w[i] -= learning_rate * grad[i];
}

// out[i] = a[i]
extern "C" __global__ void gpu_copy_array(const float* a, float* out, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = a[i];
}

// out[i] = a[i] + b[i]
extern "C" __global__ void gpu_elementwise_add(const float* a, const float* b, float* out, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = a[i] + b[i];
}

// out[i] = a[i] * b[i]
extern "C" __global__ void gpu_elementwise_multiply(const float* a, const float* b, float* out, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = a[i] * b[i];
}

// out[i] = max(alpha * a[i], a[i]). The original ignored alpha and used 0.01; this one honours it.
extern "C" __global__ void gpu_elementwise_activate(const float* a, float* out, float alpha, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    const float scaled = alpha * a[i];
    out[i] = scaled > a[i] ? scaled : a[i];
}

// out[i] = a[i] * factor, factor = 1 - rate worked out on the host in float32
extern "C" __global__ void gpu_elementwise_decay(const float* a, float* out, float factor, index_t n) {
    const index_t i = element();
    if (i >= n) return;
    out[i] = a[i] * factor;
}

// result[0] += sum over i of a[i]. The caller zeroes result.
// Blocks of exactly 512 threads: a 512-wide tree in shared memory, then one atomic add a block. The order of the
// atomics is not fixed, so the last bits may differ from run to run.
extern "C" __global__ void gpu_reduce_sum(const float* a, float* result, index_t n) {
    __shared__ float partial[512];
    const unsigned int t = threadIdx.x;
    const index_t i = element();
    partial[t] = i < n ? a[i] : 0.0f;
    __syncthreads();
    for (unsigned int width = 256; width > 0; width >>= 1) {
        if (t < width) partial[t] += partial[t + width];
        __syncthreads();
    }
    if (t == 0) atomicAdd(result, partial[0]);
}
