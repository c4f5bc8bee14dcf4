"""On a real GPU: what is detected, other launch rules give the same bits, the driver counts the same blocks."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.devices import read_gpu
from kernels.geometry import LaunchRules
from kernels.launchers import OPERATIONS, Launchers
from kernels.manager import KernelManager
from kernels.occupancy import SM_LIMITS, occupancy
from kernels.rtx5090 import matrix_kernels

cupy = pytest.importorskip("cupy")

pytestmark = pytest.mark.gpu

KERNELS = {name: kernel.__getitem__ for name, kernel in matrix_kernels.KERNELS.items()}


def test_the_device_is_detected() -> None:
    gpu = read_gpu(0)
    made = KernelManager().get_optimized_kernels(device="cuda:0")
    assert gpu.sm_count == made.launch_rules.sm_count == cupy.cuda.Device(0).attributes["MultiProcessorCount"]
    assert made.name == ("h100" if gpu.compute_capability == (9, 0) else "rtx5090")


@pytest.mark.parametrize("sm_count", [1, 132, 400])
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_elementwise_is_bit_equal_under_all_rules(operation: str, sm_count: int) -> None:
    generator = np.random.default_rng(1)
    shape = (300, 400)
    b_shape = shape[1:] if operation == "add_bias" else shape
    a, b, c = (cupy.asarray(generator.standard_normal(s, dtype=np.float32)) for s in (shape, b_shape, shape))
    ours, theirs = c.copy(), c.copy()
    scalar = 0.25 if OPERATIONS[operation].needs else None
    Launchers(KERNELS, LaunchRules(sm_count)).elementwise(a, b, ours, operation, scalar=scalar)
    matrix_kernels.launch_elementwise_rtx5090(a, b, theirs, operation, scalar=scalar)
    np.testing.assert_array_equal(ours.get(), theirs.get())


@pytest.mark.parametrize(("m", "k", "n"), [(64, 512, 320), (1024, 320, 272), (2048, 128, 512)])
def test_matrix_multiply_is_bit_equal_in_both_blocks(m: int, k: int, n: int) -> None:
    generator = np.random.default_rng(2)
    a, b = (cupy.asarray(generator.standard_normal(s, dtype=np.float32)) for s in ((m, k), (k, n)))
    outcomes = []
    for sm_count in (1, 132, 170, 10_000):
        c = cupy.empty((m, n), dtype=cupy.float32)
        launch = Launchers(KERNELS, LaunchRules(sm_count)).matrix_multiply(a, b, c)
        outcomes.append((launch.block, c.get().tobytes()))
    assert {block for block, _ in outcomes} == {(32, 16), (16, 16)}
    assert len({bits for _, bits in outcomes}) == 1


def test_the_driver_counts_the_same_resident_blocks() -> None:
    major, minor = read_gpu(0).compute_capability
    limits = SM_LIMITS.get(f"sm_{major}{minor}")
    if limits is None:
        pytest.skip(f"the limits of compute capability {major}.{minor} are not in the table")
    for name in matrix_kernels.KERNELS:
        function = matrix_kernels._function(0, name)
        for threads in (32, 256, 512, 1024):
            fits = occupancy(limits, threads, function.num_regs, function.shared_size_bytes)
            asked = cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(function.kernel.ptr, threads, 0)
            assert fits.resident_blocks == asked, (name, threads)
