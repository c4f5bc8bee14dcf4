"""Occupancy: values worked out by hand, and NVIDIA's own calculator where a CUDA toolkit has it."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.occupancy import SM_LIMITS, Occupancy, occupancy


@pytest.mark.parametrize(
    ("architecture", "threads", "registers", "shared", "expected"),
    [
        # 64 warps / 16 = 4; 32 * 32 = 1024 registers a warp, 16384 / 1024 = 16 warps a partition, 64 in all, / 16 = 4.
        ("sm_90", 512, 32, 0, Occupancy(4, 2048, 1.0, ("threads", "registers"))),
        # 33 * 32 = 1056 -> 1280; 16384 // 1280 = 12 a partition, 48 in all, / 16 = 3: one register costs a block.
        ("sm_90", 512, 33, 0, Occupancy(3, 1536, 0.75, ("registers",))),
        # 48 warps / 16 = 3; 40 * 32 = 1280, 48 warps in all, / 16 = 3.
        ("sm_120", 512, 40, 0, Occupancy(3, 1536, 1.0, ("threads", "registers"))),
        # 41 * 32 = 1312 -> 1536; 16384 // 1536 = 10 a partition, 40 in all, 40 // 16 = 2.
        ("sm_120", 512, 41, 0, Occupancy(2, 1024, 2 / 3, ("registers",))),
        # 239 * 32 = 7648 -> 7680; 2 a partition, 8 in all: one block of 8 warps.
        ("sm_120", 256, 239, 1504, Occupancy(1, 256, 8 / 48, ("registers",))),
        # Blocks of one warp: the block limit, 32 of 64 warps and 24 of 48.
        ("sm_90", 32, 16, 0, Occupancy(32, 1024, 0.5, ("blocks",))),
        ("sm_120", 32, 16, 0, Occupancy(24, 768, 0.5, ("blocks",))),
        # 31 KiB and 1 KiB reserved: 228 // 32 = 7; 100 // 32 = 3.
        ("sm_90", 128, 16, 31 * 1024, Occupancy(7, 896, 28 / 64, ("shared memory",))),
        ("sm_120", 128, 16, 31 * 1024, Occupancy(3, 384, 12 / 48, ("shared memory",))),
        # One byte more is one unit of 128 more: 228 * 1024 // 32896 = 7, 100 * 1024 // 32896 = 3; at 24 KiB it shows.
        ("sm_120", 128, 16, 24 * 1024, Occupancy(4, 512, 16 / 48, ("shared memory",))),
        ("sm_120", 128, 16, 24 * 1024 + 1, Occupancy(3, 384, 12 / 48, ("shared memory",))),
        # 33 threads take two warps: 64 // 2 = 32, 48 // 2 = 24.
        ("sm_90", 33, 8, 0, Occupancy(32, 1056, 1.0, ("threads", "blocks"))),
        # No registers known, as of an empty kernel.
        ("sm_90", 1024, 0, 0, Occupancy(2, 2048, 1.0, ("threads",))),
        # Cannot be launched: 1024 threads of 65 registers, and more than a block may have of shared memory.
        ("sm_90", 1024, 65, 0, Occupancy(0, 0, 0.0, ("registers",))),
        ("sm_120", 64, 8, 99 * 1024 + 1, Occupancy(0, 0, 0.0, ("shared memory",))),
        # The whole of it can: 99 KiB and the 1 KiB reserved.
        ("sm_120", 64, 8, 99 * 1024, Occupancy(1, 64, 2 / 48, ("shared memory",))),
    ],
)
def test_by_hand(architecture: str, threads: int, registers: int, shared: int, expected: Occupancy) -> None:
    assert occupancy(SM_LIMITS[architecture], threads, registers, shared) == expected


@pytest.mark.parametrize(
    ("threads", "registers", "shared", "message"),
    [
        (0, 8, 0, "1 to 1024 threads, not 0"),
        (1025, 8, 0, "not 1025"),
        (32, -1, 0, "0 to 255"),
        (32, 256, 0, "not 256"),
        (32, 8, -1, "-1 bytes"),
    ],
)
def test_numbers_that_no_kernel_has(threads: int, registers: int, shared: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        occupancy(SM_LIMITS["sm_90"], threads, registers, shared)


@given(
    st.sampled_from(sorted(SM_LIMITS)), st.integers(1, 1024), st.integers(0, 254), st.integers(0, 120_000)
)  # fmt: skip
def test_taking_more_never_fits_more(architecture: str, threads: int, registers: int, shared: int) -> None:
    limits = SM_LIMITS[architecture]
    fits = occupancy(limits, threads, registers, shared)
    assert 0 <= fits.fraction <= 1
    assert fits.resident_threads <= limits.threads
    assert fits.limited_by
    assert occupancy(limits, threads, registers + 1, shared).resident_blocks <= fits.resident_blocks
    assert occupancy(limits, threads, registers, shared + 1).resident_blocks <= fits.resident_blocks


CALCULATOR = """
#include <cstddef>
#include <cuda_occupancy.h>
extern "C" int resident_blocks(int major, int threads, int blocks, int shared_sm, int shared_block,
                               int block, int registers, int shared) {
    cudaOccDeviceProp device;
    device.computeMajor = major; device.computeMinor = 0;
    device.maxThreadsPerBlock = 1024; device.maxThreadsPerMultiprocessor = threads;
    device.regsPerBlock = device.regsPerMultiprocessor = 65536; device.warpSize = 32;
    device.sharedMemPerBlock = 48 * 1024; device.sharedMemPerMultiprocessor = shared_sm; device.numSms = 1;
    device.sharedMemPerBlockOptin = shared_block; device.reservedSharedMemPerBlock = 1024;
    cudaOccFuncAttributes kernel;
    kernel.maxThreadsPerBlock = 1024; kernel.numRegs = registers; kernel.sharedSizeBytes = 0;
    kernel.partitionedGCConfig = PARTITIONED_GC_OFF; kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    kernel.maxDynamicSharedSizeBytes = shared_block;
    cudaOccDeviceState state; state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    cudaOccResult result;
    const cudaOccError error =
        cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, block, shared);
    return error ? -static_cast<int>(error) : result.activeBlocksPerMultiprocessor;
}
"""


def test_agrees_with_the_calculator_of_the_toolkit(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("needs nvcc, whose toolkit has cuda_occupancy.h")
    source, library = tmp_path / "calculator.cpp", tmp_path / "calculator.so"
    source.write_text(CALCULATOR)
    command = [nvcc, "-shared", "-cudart", "none", "-Xcompiler", "-fPIC", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cuda_occupancy.h does not compile here: {done.stderr[-200:]}")
    theirs = ctypes.CDLL(str(library)).resident_blocks
    for architecture, major in (("sm_90", 9), ("sm_120", 12)):
        limits = SM_LIMITS[architecture]
        device = (limits.threads, limits.blocks, limits.shared_memory_bytes, limits.block_shared_memory_bytes)
        threads = (1, 32, 33, 64, 96, 160, 256, 320, 512, 736, 1024)
        shared = (0, 1, 1504, 2048, 24 * 1024, 24 * 1024 + 1, 48 * 1024, 60_000, 99 * 1024)
        for block, registers, bytes_ in itertools.product(threads, range(1, 256), shared):
            ours = occupancy(limits, block, registers, bytes_).resident_blocks
            assert ours == theirs(major, *device, block, registers, bytes_), (architecture, block, registers, bytes_)
