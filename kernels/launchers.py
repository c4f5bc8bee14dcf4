"""The launch helpers under any launch rules: what the legacy helpers do for 170 multiprocessors, for any number.

Same kernels, operations, checks and formulas as the `launch_*_rtx5090` helpers; only the geometry follows the rules.
They wait for the device after a launch unless told not to, also as those do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from kernels.geometry import Dimensions, Launch, LaunchRules, validate_utilization

KernelLaunch = Callable[[tuple[Any, Any]], Callable[..., None]]
"""`kernel((grid, block))(*arguments)`"""


@dataclass(frozen=True, slots=True)
class Operation:
    """`takes` are the arrays handed to the kernel. `default` is its scalar if none is given, `needs` what it must be
    told; where both are None it takes no scalar."""

    kernel: str
    takes: str
    default: float | None = None
    needs: str | None = None


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "add": Operation("gpu_elementwise_add", "ABC"),
        "multiply": Operation("gpu_elementwise_multiply", "ABC"),
        "activate": Operation("gpu_elementwise_activate", "AC", default=0.01),
        "copy": Operation("gpu_copy_array", "AC"),
        "decay": Operation("gpu_elementwise_decay", "AC", default=0.0001),
        "mse_loss": Operation("gpu_mse_loss", "ABC"),
        "add_bias": Operation("gpu_add_bias", "ABC"),
        "activate_backward": Operation("gpu_leaky_relu_backward", "ABC", default=0.01),
        "mse_gradient": Operation("gpu_mse_gradient", "ABC", needs="the batch size"),
        "clip": Operation("gpu_gradient_clip", "AC", needs="the limit"),
        "update": Operation("gpu_update_weights", "CA", needs="the learning rate"),
    }
)


@dataclass(frozen=True, slots=True)
class Launchers:
    """Helpers that launch `kernels`, by name, under `rules`."""

    kernels: Mapping[str, KernelLaunch]
    rules: LaunchRules

    def functions(self) -> dict[str, Callable[..., Any]]:
        return {
            "launch_matrix_multiply": self.matrix_multiply,
            "launch_elementwise": self.elementwise,
            "launch_reduce": self.reduce,
            "launch_config": self.rules.elementwise,
            "validate_utilization": self.validate,
        }

    def matrix_multiply(self, A: Any, B: Any, C: Any, *, synchronize: bool = True) -> Launch:
        """C = A @ B for A (M, K), B (K, N), C (M, N), float32; A and B may be transposed views.

        Raises ValueError for shapes that do not fit, other dtypes, or a C that is not contiguous.
        """
        launch = self.rules.matrix(C.shape[0], C.shape[1])
        return self._run("gpu_matrix_multiply", launch, (A, B, C), C, synchronize)

    def elementwise(
        self, A: Any, B: Any, C: Any, operation_type: str, *, scalar: float | None = None, synchronize: bool = True
    ) -> Launch:
        """Runs one operation on float32 arrays of one size, result in C; C may be A.

        add, multiply: C = A op B. activate: C = max(scalar * A, A), scalar is alpha, 0.01 unless given. copy: C = A.
        decay: C = (1 - scalar) * A, 0.0001 unless given. mse_loss: C = (A - B)^2. add_bias: C = A + B, A (B, F),
        B (F,). activate_backward: C = A * (B > 0 ? 1 : scalar). mse_gradient: C = 2 (A - B) / scalar. clip: C = A
        limited to +-scalar. update: C = C - scalar * A. Raises ValueError for an unknown operation, a missing or
        needless scalar, and arrays that do not fit.
        """
        if operation_type not in OPERATIONS:
            raise ValueError(f"unknown operation {operation_type!r}; there are {', '.join(sorted(OPERATIONS))}")
        operation = OPERATIONS[operation_type]
        value = operation.default if scalar is None else scalar
        if value is None and operation.needs:
            raise ValueError(f"operation {operation_type!r} needs scalar={operation.needs}")
        if scalar is not None and operation.default is None and operation.needs is None:
            raise ValueError(f"operation {operation_type!r} takes no scalar")
        by_role = {"A": A, "B": B, "C": C}
        arguments = [by_role[role] for role in operation.takes]
        if value is not None:
            arguments.append(np.float32(1.0) - np.float32(value) if operation_type == "decay" else value)
        rules = self.rules
        launch = rules.rows(C.shape[0], C.shape[1]) if operation_type == "add_bias" else rules.elementwise(C.size)
        return self._run(operation.kernel, launch, tuple(arguments), C, synchronize)

    def reduce(self, A: Any, result: Any, *, synchronize: bool = True) -> Launch:
        """result[0] += sum of A, float32. The caller zeroes `result`, shape (1,). On a GPU the last bits may differ."""
        return self._run("gpu_reduce_sum", self.rules.elementwise(A.size), (A, result), A, synchronize)

    def validate(self, blocks: Dimensions, threads: Dimensions) -> float:
        """`validate_utilization` for these rules. Raises ValueError on a CPU, which has no multiprocessors."""
        return validate_utilization(blocks, threads, self.rules.sm_count)

    def _run(self, kernel: str, launch: Launch, arguments: tuple[Any, ...], array: Any, synchronize: bool) -> Launch:
        self.kernels[kernel]((launch.grid, launch.block))(*arguments)
        if synchronize and not isinstance(array, np.ndarray):
            with array.device:
                importlib.import_module("cupy").cuda.runtime.deviceSynchronize()
        return launch
