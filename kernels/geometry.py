"""Launch rules for any number of multiprocessors: which grid and block an array is given. Arithmetic only.

With 170 multiprocessors every grid is the legacy helpers'. The rules choose shapes, never arithmetic: each element is
computed by one thread in the same order whatever the block, so results are bit-equal under all rules. Only the
block sums of `gpu_reduce_sum` meet in an order that no rule fixes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from kernels.occupancy import SmLimits

logger = logging.getLogger(__name__)

THREADS_PER_BLOCK = 512
BLOCKS_PER_SM = 4
RTX5090_SM_COUNT = 170
H100_SM_COUNT = 132
LARGE_ARRAY_ELEMENTS = 100_000
MATRIX_BLOCK = (32, 16)
SMALL_MATRIX_BLOCK = (16, 16)
UTILIZATION_WARNING_BELOW = 0.8

Dimensions = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Launch:
    """Grid (blocks), block (threads), and utilization, min(blocks / multiprocessors, 1); None where there are none."""

    grid: tuple[int, ...]
    block: tuple[int, ...]
    utilization: float | None


@dataclass(frozen=True, slots=True)
class LaunchRules:
    """The geometry that a family is tuned for.

    `target_blocks` is the smallest *grid* that large arrays are given: `blocks_per_sm` for each multiprocessor, whether
    or not it can hold so many at once. How many it must hold is `claimed_blocks`. A CPU has 0 multiprocessors: its
    grids are what the elements need, and it has no utilization.
    """

    sm_count: int
    threads_per_block: int = THREADS_PER_BLOCK
    blocks_per_sm: int = BLOCKS_PER_SM

    @property
    def target_blocks(self) -> int:
        return self.sm_count * self.blocks_per_sm

    def claimed_blocks(self, limits: SmLimits, block_threads: int) -> int:
        """Blocks that must be resident on one multiprocessor: `blocks_per_sm`, or what its thread slots allow if fewer.

        So a claim says that neither registers nor shared memory may cost one of these blocks. With 512 threads it is 4
        on sm_90 (2048 slots) and 3 on sm_120 (1536 slots), both times every slot.
        """
        return min(self.blocks_per_sm, limits.threads // block_threads)

    def elementwise(self, size: int) -> Launch:
        """1-D: ceil(size / threads) blocks, raised to the target above 100,000 elements (the blocks added are idle)."""
        blocks = -(-size // self.threads_per_block)
        if size > LARGE_ARRAY_ELEMENTS:
            blocks = max(blocks, self.target_blocks)
        return self._launch((blocks,), (self.threads_per_block,))

    def rows(self, rows: int, columns: int) -> Launch:
        """2-D blocks of (32, 16), rows on x."""
        return self._matrix(rows, columns, MATRIX_BLOCK)

    def matrix(self, rows: int, columns: int) -> Launch:
        """As `rows`; blocks of (16, 16) where those are fewer than the target."""
        launch = self._matrix(rows, columns, MATRIX_BLOCK)
        if _product(launch.grid) < self.target_blocks:
            launch = self._matrix(rows, columns, SMALL_MATRIX_BLOCK)
        return launch

    def _matrix(self, rows: int, columns: int, block: tuple[int, int]) -> Launch:
        return self._launch((-(-rows // block[0]), -(-columns // block[1])), block)

    def _launch(self, grid: tuple[int, ...], block: tuple[int, ...]) -> Launch:
        return Launch(grid, block, min(_product(grid) / self.sm_count, 1.0) if self.sm_count else None)


def validate_utilization(blocks: Dimensions, threads: Dimensions, sm_count: int) -> float:
    """min(total blocks / sm_count, 1.0), the fraction of multiprocessors that get a block; warns in the log below 0.8.

    `blocks` is a grid, `threads` a block; either may be an int. The threads do not enter the number, as in the legacy
    helper, which is this one with 170. Raises ValueError for fewer than one multiprocessor.
    """
    if sm_count < 1:
        raise ValueError(f"utilization of {sm_count} multiprocessors")
    total = blocks if isinstance(blocks, int) else _product(blocks)
    utilization = min(total / sm_count, 1.0)
    if not utilization >= UTILIZATION_WARNING_BELOW:
        logger.warning(
            "%d blocks of %s threads reach %.0f %% of the %d SMs; %d blocks would reach all",
            total, threads, 100 * utilization, sm_count, sm_count,
        )  # fmt: skip
    return utilization


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
