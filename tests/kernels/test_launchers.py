"""The launch helpers under other rules give the legacy helpers' bits, and refuse what those refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from kernels.geometry import LaunchRules
from kernels.launchers import OPERATIONS, Launchers
from kernels.rtx5090 import matrix_kernels as legacy

KERNELS: Mapping[str, Any] = {name: kernel.__getitem__ for name, kernel in legacy.KERNELS.items()}
SHAPE = (300, 400)  # above 100,000 elements, so that the target shows


@pytest.fixture(params=[170, 132, 1, 0])
def launchers(request: pytest.FixtureRequest) -> Launchers:
    return Launchers(KERNELS, LaunchRules(request.param))


def arrays(operation: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    b_shape = SHAPE[1:] if operation == "add_bias" else SHAPE
    a, b, c = (generator.standard_normal(shape, dtype=np.float32) for shape in (SHAPE, b_shape, SHAPE))
    return a, b, c


def test_there_are_the_legacy_operations() -> None:
    assert set(OPERATIONS) == set(legacy._OPERATIONS)


@pytest.mark.parametrize("operation", sorted(legacy._OPERATIONS))
@pytest.mark.parametrize("scalar", [None, 0.25])
def test_elementwise(operation: str, scalar: float | None, launchers: Launchers) -> None:
    def answer(helper: Any) -> Any:
        a, b, c = arrays(operation)
        try:
            launch = helper(a, b, c, operation, scalar=scalar)
        except ValueError as error:
            return str(error)
        return c.tobytes(), launch.block

    assert answer(launchers.elementwise) == answer(legacy.launch_elementwise_rtx5090)


def test_unknown_operation(launchers: Launchers) -> None:
    a, b, c = arrays("add")
    for helper in (launchers.elementwise, legacy.launch_elementwise_rtx5090):
        with pytest.raises(ValueError, match="unknown operation 'softmax'; there are activate, "):
            helper(a, b, c, "softmax")


@pytest.mark.parametrize("shape", [(5, 7, 3), (300, 64, 400)])
def test_matrix_multiply(shape: tuple[int, int, int], launchers: Launchers) -> None:
    m, k, n = shape
    generator = np.random.default_rng(3)
    a, b = generator.standard_normal((k, m), dtype=np.float32).T, generator.standard_normal((k, n), dtype=np.float32)
    ours, theirs = np.zeros((m, n), np.float32), np.zeros((m, n), np.float32)
    launchers.matrix_multiply(a, b, ours, synchronize=False)
    legacy.launch_matrix_multiply_rtx5090(a, b, theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_reduce(launchers: Launchers) -> None:
    a, ours, theirs = arrays("add")[0], np.zeros(1, np.float32), np.zeros(1, np.float32)
    launchers.reduce(a, ours)
    legacy.launch_reduce_rtx5090(a, theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_what_a_helper_says_it_launched() -> None:
    a, b, c = arrays("add")
    launch = Launchers(KERNELS, LaunchRules(132)).elementwise(a, b, c, "add")
    assert (launch.grid, launch.block, launch.utilization) == ((528,), (512,), 1.0)
