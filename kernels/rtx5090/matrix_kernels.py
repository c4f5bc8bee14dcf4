"""The legacy kernels and the helpers that launch them with the RTX 5090 geometry.

Each `gpu_*` object is launched as the numba original was, `gpu_copy_array[grid, block](a, out)`. With CuPy arrays the
launch runs the CUDA C of `matrix_kernels.cu`; with NumPy arrays its *twin* here does the same arithmetic on exactly
the elements that `grid` x `block` covers, so a geometry that is too small shows on a machine without a GPU too.

Tuning target: 170 SMs, 512 threads a block, at least 4 blocks an SM, hence 680 blocks. Rows are on x.
Arrays are float32 and C-contiguous, but A and B of `gpu_matrix_multiply` may be any strided view.
Importing this file needs neither CuPy nor a GPU.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

RTX5090_SM_COUNT = 170
RTX5090_THREADS_PER_BLOCK = 512
RTX5090_BLOCKS_PER_SM = 4
RTX5090_TARGET_BLOCKS = RTX5090_SM_COUNT * RTX5090_BLOCKS_PER_SM
LARGE_ARRAY_ELEMENTS = 100_000
MATRIX_BLOCK = (32, 16)
SMALL_MATRIX_BLOCK = (16, 16)
REDUCE_WIDTH = 512
UTILIZATION_WARNING_BELOW = 0.8

SOURCE_PATH = Path(__file__).with_suffix(".cu")
REQUESTED_COMPILE_OPTIONS = ("--std=c++17",)
# What NVRTC really gets: CuPy appends the flush-to-zero flag to every RawModule whatever is asked for.
COMPILE_OPTIONS = (*REQUESTED_COMPILE_OPTIONS, "-ftz=true")

# A twin that needs scratch works through the array in pieces of this many elements (64 KiB of float32): no temporary
# grows with the layer, and a piece stays in the cache.
TWIN_CHUNK_ELEMENTS = 16_384

# The compiled kernels by device and name: CuPy makes a new object at every look-up in a module.
_compiled: dict[tuple[int, str], Any] = {}


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch helper did: grid (blocks), block (threads), and utilization, min(blocks / 170, 1)."""

    grid: tuple[int, ...]
    block: tuple[int, ...]
    utilization: float


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _require(array: Any, kernel: str, *, contiguous: bool = True) -> None:
    """Raises ValueError unless `array` is float32 and, when asked, C-contiguous: a raw pointer hides both mistakes."""
    if array.dtype != np.float32:
        raise ValueError(f"{kernel}: needs float32 arrays, got {array.dtype} of shape {array.shape}")
    if contiguous and not array.flags.c_contiguous:
        raise ValueError(f"{kernel}: needs C-contiguous arrays, got shape {array.shape} with strides {array.strides}")


def _function(device_id: int, name: str) -> Any:
    """A kernel of the .cu for one device. The first call compiles the file for it, once for the process."""
    if (device_id, name) not in _compiled:
        code = SOURCE_PATH.read_text(encoding="utf-8")
        module = importlib.import_module("cupy").RawModule(code=code, options=REQUESTED_COMPILE_OPTIONS)
        for kernel in KERNELS:
            _compiled[device_id, kernel] = module.get_function(kernel)
    return _compiled[device_id, name]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of the .cu with its twin. `kernel[grid, block](*arguments)` launches; it does not synchronise.

    `arrays` says how many leading arguments are arrays; the rest are float scalars. Raises ValueError for arrays
    that are not float32, not contiguous or not of one size, TypeError when NumPy and CuPy arrays are mixed.
    """

    name: str
    arrays: int
    twin: Callable[..., None]

    def __getitem__(self, geometry: tuple[Any, Any]) -> Callable[..., None]:
        grid = geometry[0] if isinstance(geometry[0], tuple) else (int(geometry[0]),)
        block = geometry[1] if isinstance(geometry[1], tuple) else (int(geometry[1]),)

        def launch(*arguments: Any) -> None:
            self._launch(grid, block, arguments)

        return launch

    def _launch(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        arrays = arguments[: self.arrays]
        on_host = isinstance(arrays[0], np.ndarray)
        for array in arrays:
            if isinstance(array, np.ndarray) is not on_host:
                raise TypeError(f"{self.name}: host and device arrays in one launch")
        extents = self._extents(arrays, block)
        if on_host:
            self.twin(grid, block, *arguments)
            return
        scalars = tuple(np.float32(scalar) for scalar in arguments[self.arrays :])
        device = arrays[0].device
        with device:
            _function(device.id, self.name)(grid, block, (*arrays, *scalars, *extents))

    def _extents(self, arrays: tuple[Any, ...], block: tuple[int, ...]) -> tuple[np.int64, ...]:
        """Checks shapes; returns the sizes and strides that the CUDA signature ends with."""
        numbers: tuple[int, ...]
        if self.name == "gpu_matrix_multiply":
            a, b, c = arrays
            _require(a, self.name, contiguous=False)
            _require(b, self.name, contiguous=False)
            _require(c, self.name)
            if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or c.shape != (a.shape[0], b.shape[1]):
                raise ValueError(f"{self.name}: shapes {a.shape} @ {b.shape} -> {c.shape} do not fit")
            strides = tuple(stride // 4 for stride in (*a.strides, *b.strides))
            numbers = (a.shape[0], b.shape[1], a.shape[1], *strides)
        else:
            for array in arrays:
                _require(array, self.name)
            first, last = arrays[0], arrays[-1]
            if self.name == "gpu_add_bias":
                if first.ndim != 2 or arrays[1].shape != first.shape[1:] or last.shape != first.shape:
                    raise ValueError(f"{self.name}: shapes {[a.shape for a in arrays]} do not fit")
                numbers = first.shape
            elif self.name == "gpu_reduce_sum":
                if last.size != 1 or block != (REDUCE_WIDTH,):
                    raise ValueError(f"{self.name}: needs a result of one element and blocks of {REDUCE_WIDTH} threads")
                numbers = (first.size,)
            else:
                if any(array.size != first.size for array in arrays):
                    raise ValueError(f"{self.name}: sizes {[array.size for array in arrays]} differ")
                numbers = (first.size,)
        return tuple(np.int64(number) for number in numbers)


# --- twins: (grid, block, arrays, scalars), only the covered elements -------------------------------------------------


def _covered(grid: tuple[int, ...], block: tuple[int, ...], *arrays: Any) -> tuple[Any, ...]:
    """The leading elements, flat, that a 1-D launch reaches."""
    threads = _product(grid[:1]) * block[0]
    return tuple(array.reshape(-1)[:threads] for array in arrays)


def _twin_matrix_multiply(grid: tuple[int, ...], block: tuple[int, ...], a: Any, b: Any, c: Any) -> None:
    rows, columns = grid[0] * block[0], grid[1] * block[1]
    np.matmul(a[:rows], b[:, :columns], out=c[:rows, :columns])


def _twin_add_bias(grid: tuple[int, ...], block: tuple[int, ...], a: Any, bias: Any, c: Any) -> None:
    rows, columns = grid[0] * block[0], grid[1] * block[1]
    np.add(a[:rows, :columns], bias[:columns], out=c[:rows, :columns])


def _twin_leaky_relu(grid: tuple[int, ...], block: tuple[int, ...], x: Any, out: Any, alpha: float) -> None:
    x, out = _covered(grid, block, x, out)
    scale = np.float32(alpha)
    for start in range(0, x.size, TWIN_CHUNK_ELEMENTS):
        piece = slice(start, start + TWIN_CHUNK_ELEMENTS)
        np.maximum(x[piece] * scale, x[piece], out=out[piece])


def _twin_leaky_relu_backward(
    grid: tuple[int, ...], block: tuple[int, ...], grad: Any, x: Any, out: Any, alpha: float
) -> None:
    grad, x, out = _covered(grid, block, grad, x, out)
    one, scale = np.float32(1.0), np.float32(alpha)
    for start in range(0, x.size, TWIN_CHUNK_ELEMENTS):
        piece = slice(start, start + TWIN_CHUNK_ELEMENTS)
        np.multiply(grad[piece], np.where(x[piece] > 0.0, one, scale), out=out[piece])


def _twin_mse_loss(grid: tuple[int, ...], block: tuple[int, ...], y: Any, t: Any, out: Any) -> None:
    y, t, out = _covered(grid, block, y, t, out)
    np.subtract(y, t, out=out)
    np.multiply(out, out, out=out)


def _twin_mse_gradient(grid: tuple[int, ...], block: tuple[int, ...], y: Any, t: Any, out: Any, batch: float) -> None:
    y, t, out = _covered(grid, block, y, t, out)
    np.subtract(y, t, out=out)
    np.multiply(out, np.float32(2.0), out=out)
    np.divide(out, np.float32(batch), out=out)


def _twin_gradient_clip(grid: tuple[int, ...], block: tuple[int, ...], grad: Any, out: Any, limit: float) -> None:
    grad, out = _covered(grid, block, grad, out)
    bound = np.float32(limit)
    np.clip(grad, -bound, bound, out=out)


def _twin_update_weights(grid: tuple[int, ...], block: tuple[int, ...], w: Any, grad: Any, rate: float) -> None:
    w, grad = _covered(grid, block, w, grad)
    step = np.float32(rate)
    for start in range(0, w.size, TWIN_CHUNK_ELEMENTS):
        piece = slice(start, start + TWIN_CHUNK_ELEMENTS)
        np.subtract(w[piece], grad[piece] * step, out=w[piece])


def _twin_copy(grid: tuple[int, ...], block: tuple[int, ...], a: Any, out: Any) -> None:
    a, out = _covered(grid, block, a, out)
    np.copyto(out, a)


def _twin_add(grid: tuple[int, ...], block: tuple[int, ...], a: Any, b: Any, out: Any) -> None:
    a, b, out = _covered(grid, block, a, b, out)
    np.add(a, b, out=out)


def _twin_multiply(grid: tuple[int, ...], block: tuple[int, ...], a: Any, b: Any, out: Any) -> None:
    a, b, out = _covered(grid, block, a, b, out)
    np.multiply(a, b, out=out)


def _twin_decay(grid: tuple[int, ...], block: tuple[int, ...], a: Any, out: Any, factor: float) -> None:
    a, out = _covered(grid, block, a, out)
    np.multiply(a, np.float32(factor), out=out)


def _twin_reduce_sum(grid: tuple[int, ...], block: tuple[int, ...], a: Any, result: Any) -> None:
    (a,) = _covered(grid, block, a)
    flat = result.reshape(-1)
    # Pairwise inside NumPy: not the tree's order, but its error. The order of the atomics is free on the GPU anyway.
    flat[0] += np.add.reduce(a, dtype=np.float32)


gpu_matrix_multiply = Kernel("gpu_matrix_multiply", 3, _twin_matrix_multiply)
gpu_add_bias = Kernel("gpu_add_bias", 3, _twin_add_bias)
gpu_leaky_relu_forward = Kernel("gpu_leaky_relu_forward", 2, _twin_leaky_relu)
gpu_leaky_relu_backward = Kernel("gpu_leaky_relu_backward", 3, _twin_leaky_relu_backward)
gpu_mse_loss = Kernel("gpu_mse_loss", 3, _twin_mse_loss)
gpu_mse_gradient = Kernel("gpu_mse_gradient", 3, _twin_mse_gradient)
gpu_gradient_clip = Kernel("gpu_gradient_clip", 2, _twin_gradient_clip)
gpu_update_weights = Kernel("gpu_update_weights", 2, _twin_update_weights)
gpu_copy_array = Kernel("gpu_copy_array", 2, _twin_copy)
gpu_elementwise_add = Kernel("gpu_elementwise_add", 3, _twin_add)
gpu_elementwise_multiply = Kernel("gpu_elementwise_multiply", 3, _twin_multiply)
gpu_elementwise_activate = Kernel("gpu_elementwise_activate", 2, _twin_leaky_relu)
gpu_elementwise_decay = Kernel("gpu_elementwise_decay", 2, _twin_decay)
gpu_reduce_sum = Kernel("gpu_reduce_sum", 2, _twin_reduce_sum)

KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        gpu_matrix_multiply, gpu_add_bias, gpu_leaky_relu_forward, gpu_leaky_relu_backward, gpu_mse_loss,
        gpu_mse_gradient, gpu_gradient_clip, gpu_update_weights, gpu_copy_array, gpu_elementwise_add,
        gpu_elementwise_multiply, gpu_elementwise_activate, gpu_elementwise_decay, gpu_reduce_sum,
    )
}  # fmt: skip


# --- geometry and launch helpers ------------------------------------------------------------------------------------


def _utilization(blocks: int) -> float:
    return min(blocks / RTX5090_SM_COUNT, 1.0)


def validate_rtx5090_utilization(blocks: int | tuple[int, ...], threads: int | tuple[int, ...]) -> float:
    """Returns min(total blocks / 170, 1.0), a fraction of the SMs; logs a warning when it is below 0.8.

    `blocks` is a grid, `threads` a block; either may be an int. The threads do not enter the number, as originally.
    """
    total = blocks if isinstance(blocks, int) else _product(blocks)
    utilization = _utilization(total)
    if not utilization >= UTILIZATION_WARNING_BELOW:
        logger.warning(
            "%d blocks of %s threads reach %.0f %% of the 170 SMs; %d blocks would reach all",
            total, threads, 100 * utilization, RTX5090_SM_COUNT,
        )  # fmt: skip
    return utilization


def get_rtx5090_config(size: int) -> Launch:
    """The 1-D geometry for `size` elements: ceil(size / 512) blocks of 512, raised to 680 blocks above 100,000."""
    blocks = -(-size // RTX5090_THREADS_PER_BLOCK)
    if size > LARGE_ARRAY_ELEMENTS:
        blocks = max(blocks, RTX5090_TARGET_BLOCKS)
    return Launch((blocks,), (RTX5090_THREADS_PER_BLOCK,), _utilization(blocks))


def _matrix_geometry(rows: int, columns: int, block: tuple[int, int]) -> Launch:
    grid = (-(-rows // block[0]), -(-columns // block[1]))
    return Launch(grid, block, _utilization(_product(grid)))


def _finish(name: str, launch: Launch, array: Any) -> Launch:
    """Waits for the device, as the original did after every launch, and logs the numbers that it printed."""
    if not isinstance(array, np.ndarray):
        with array.device:
            importlib.import_module("cupy").cuda.runtime.deviceSynchronize()
    logger.debug("%s: grid %s, block %s, utilization %.2f", name, launch.grid, launch.block, launch.utilization)
    return launch


def launch_matrix_multiply_rtx5090(A: Any, B: Any, C: Any) -> Launch:
    """C = A @ B for A (M, K), B (K, N), C (M, N), float32; A and B may be transposed views. Synchronises.

    Blocks of (32, 16) threads, rows on x; if those are fewer than 680, blocks of (16, 16). Raises ValueError for shapes
    that do not fit, other dtypes, or a C that is not contiguous.
    """
    launch = _matrix_geometry(C.shape[0], C.shape[1], MATRIX_BLOCK)
    if _product(launch.grid) < RTX5090_TARGET_BLOCKS:
        launch = _matrix_geometry(C.shape[0], C.shape[1], SMALL_MATRIX_BLOCK)
    gpu_matrix_multiply[launch.grid, launch.block](A, B, C)
    return _finish("gpu_matrix_multiply", launch, C)


# operation: kernel, which of (A, B, C) it takes, and its scalar when none is given (None: it has none, or must be told)
_OPERATIONS: dict[str, tuple[Kernel, str, float | None]] = {
    "add": (gpu_elementwise_add, "ABC", None),
    "multiply": (gpu_elementwise_multiply, "ABC", None),
    "activate": (gpu_elementwise_activate, "AC", 0.01),
    "copy": (gpu_copy_array, "AC", None),
    "decay": (gpu_elementwise_decay, "AC", 0.0001),
    "mse_loss": (gpu_mse_loss, "ABC", None),
    "add_bias": (gpu_add_bias, "ABC", None),
    "activate_backward": (gpu_leaky_relu_backward, "ABC", 0.01),
    "mse_gradient": (gpu_mse_gradient, "ABC", None),
    "clip": (gpu_gradient_clip, "AC", None),
    "update": (gpu_update_weights, "CA", None),
}
_SCALAR_REQUIRED = {"mse_gradient": "the batch size", "clip": "the limit", "update": "the learning rate"}


def launch_elementwise_rtx5090(A: Any, B: Any, C: Any, operation_type: str, *, scalar: float | None = None) -> Launch:
    """Runs one elementwise operation on float32 arrays of one size, result in C; C may be A. Synchronises.

    add, multiply: C = A op B. activate: C = max(scalar * A, A), scalar is alpha, 0.01 unless given. copy: C = A.
    decay: C = (1 - scalar) * A, 0.0001 unless given. mse_loss: C = (A - B)^2. add_bias: C = A + B, A (batch, features),
    B (features,). activate_backward: C = A * (B > 0 ? 1 : scalar). mse_gradient: C = 2 (A - B) / scalar.
    clip: C = A limited to +-scalar. update: C = C - scalar * A. B is ignored (None) where the formula has none.
    Geometry: `get_rtx5090_config`; add_bias has a 2-D grid of (32, 16) blocks. Raises ValueError for an unknown
    operation, a missing or needless scalar, and arrays that do not fit.
    """
    if operation_type not in _OPERATIONS:
        raise ValueError(f"unknown operation {operation_type!r}; there are {', '.join(sorted(_OPERATIONS))}")
    kernel, roles, default = _OPERATIONS[operation_type]
    by_role = {"A": A, "B": B, "C": C}
    arguments = [by_role[role] for role in roles]
    value = default if scalar is None else scalar
    if value is None and operation_type in _SCALAR_REQUIRED:
        raise ValueError(f"operation {operation_type!r} needs scalar={_SCALAR_REQUIRED[operation_type]}")
    if scalar is not None and default is None and operation_type not in _SCALAR_REQUIRED:
        raise ValueError(f"operation {operation_type!r} takes no scalar")
    if value is not None:
        arguments.append(np.float32(1.0) - np.float32(value) if operation_type == "decay" else value)
    if operation_type == "add_bias":
        launch = _matrix_geometry(C.shape[0], C.shape[1], MATRIX_BLOCK)
    else:
        launch = get_rtx5090_config(C.size)
    kernel[launch.grid, launch.block](*arguments)
    return _finish(kernel.name, launch, C)


def launch_reduce_rtx5090(A: Any, result: Any) -> Launch:
    """result[0] += sum of A, float32, geometry of `get_rtx5090_config`. The caller zeroes `result`, shape (1,).

    Synchronises. Not deterministic in the last bits on a GPU. Raises ValueError for other dtypes or layouts.
    """
    launch = get_rtx5090_config(A.size)
    gpu_reduce_sum[launch.grid, launch.block](A, result)
    return _finish("gpu_reduce_sum", launch, A)
