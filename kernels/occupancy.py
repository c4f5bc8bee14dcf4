"""How many blocks of a kernel fit on one multiprocessor at once. Arithmetic only: no GPU, no compiler.

The limits are those of the CUDA programming guide, "Features and technical specifications" of its appendix on compute
capabilities; the granularities, which the guide does not give, and the rule for registers are those of NVIDIA's own
calculator, `cuda_occupancy.h` of the CUDA toolkit. (For 12.0 the Blackwell tuning guide says 32 blocks and 128 KiB:
128 KiB is shared memory together with the L1 cache, and a profile of an RTX 5090 answers 24 and 100 KiB, as the
programming guide and the header do.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

WARP_THREADS = 32
MAX_BLOCK_THREADS = 1024
MAX_REGISTERS_PER_THREAD = 255
REGISTER_UNIT = 256
"""A warp's registers are allocated in units of this many."""
SHARED_MEMORY_UNIT_BYTES = 128
RESERVED_SHARED_MEMORY_BYTES = 1024
"""What the system takes of shared memory for each block, from compute capability 8.0 on."""
PARTITIONS = 4
"""Parts of a multiprocessor, each with a quarter of the registers; a warp's lie in one of them."""


@dataclass(frozen=True, slots=True)
class SmLimits:
    """What one multiprocessor of an architecture can hold at once, and one block at most."""

    threads: int
    blocks: int
    registers: int
    shared_memory_bytes: int
    block_shared_memory_bytes: int

    @property
    def warps(self) -> int:
        return self.threads // WARP_THREADS


SM_LIMITS: Mapping[str, SmLimits] = MappingProxyType(
    {
        "sm_90": SmLimits(2048, 32, 65_536, 228 * 1024, 227 * 1024),  # H100, H200
        "sm_120": SmLimits(1536, 24, 65_536, 100 * 1024, 99 * 1024),  # RTX 5090
    }
)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """`limited_by` names what allows no further block, of threads, blocks, registers and shared memory."""

    resident_blocks: int
    resident_threads: int
    fraction: float
    limited_by: tuple[str, ...]


def occupancy(
    limits: SmLimits, block_threads: int, registers_per_thread: int, shared_memory_bytes: int = 0
) -> Occupancy:
    """Blocks of `block_threads` threads resident on one multiprocessor, and their warps as a fraction of its warps.

    `shared_memory_bytes` is static and dynamic together, a block, with the largest carve-out for shared memory. A
    kernel that cannot be launched, by its registers or shared memory, has 0 resident blocks. Raises ValueError for
    numbers that no kernel has: threads outside 1..1024, registers outside 0..255, negative bytes.
    """
    if not 1 <= block_threads <= MAX_BLOCK_THREADS:
        raise ValueError(f"a block has 1 to {MAX_BLOCK_THREADS} threads, not {block_threads}")
    if not 0 <= registers_per_thread <= MAX_REGISTERS_PER_THREAD:
        raise ValueError(f"a thread has 0 to {MAX_REGISTERS_PER_THREAD} registers, not {registers_per_thread}")
    if shared_memory_bytes < 0:
        raise ValueError(f"shared memory of {shared_memory_bytes} bytes")
    warps = -(-block_threads // WARP_THREADS)
    room = {
        "threads": limits.warps // warps,
        "blocks": limits.blocks,
        "registers": _by_registers(limits, warps, registers_per_thread),
        "shared memory": _by_shared_memory(limits, shared_memory_bytes),
    }
    resident = min(room.values())
    limited_by = tuple(name for name, blocks in room.items() if blocks == resident)
    return Occupancy(resident, resident * block_threads, resident * warps / limits.warps, limited_by)


def _by_registers(limits: SmLimits, warps: int, registers_per_thread: int) -> int:
    of_warp = _rounded_up(registers_per_thread * WARP_THREADS, REGISTER_UNIT)
    if of_warp == 0:
        return limits.blocks
    # The launch check counts as if each partition got as many warps as the fullest one.
    if of_warp * _rounded_up(warps, PARTITIONS) > limits.registers:
        return 0
    return limits.registers // PARTITIONS // of_warp * PARTITIONS // warps


def _by_shared_memory(limits: SmLimits, shared_memory_bytes: int) -> int:
    if shared_memory_bytes > limits.block_shared_memory_bytes:
        return 0
    of_block = _rounded_up(shared_memory_bytes + RESERVED_SHARED_MEMORY_BYTES, SHARED_MEMORY_UNIT_BYTES)
    return limits.shared_memory_bytes // of_block


def _rounded_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
