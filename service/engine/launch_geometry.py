"""How large a grid the reference launches for a plan: what a card must be given to be filled."""

from __future__ import annotations

import itertools
import math

from service.parity.plan import Plan

MATRIX_BLOCK, SMALL_MATRIX_BLOCK = (32, 16), (16, 16)
FEW_BLOCKS = 680
"""The launch geometry of the reference's matrix product: blocks of (32, 16) threads over (rows, columns) of the result,
of (16, 16) where those are fewer than this."""


def largest_grid(plan: Plan) -> int:
    """Thread blocks of the plan's product that has the most of them, by the reference's launch geometry.

    The products of a step for a layer of (K, N) and a batch of B: (B, N) forward, (K, N) and (B, K) backward.
    """
    rows, widths = plan.training.batch_size, plan.layer_sizes()
    shapes = [(rows, width) for width in widths] + list(itertools.pairwise(widths))
    return max(map(_grid, shapes))


def _grid(shape: tuple[int, int]) -> int:
    blocks = [math.ceil(shape[0] / block[0]) * math.ceil(shape[1] / block[1]) for block in _GEOMETRIES]
    return blocks[0] if blocks[0] >= FEW_BLOCKS else blocks[1]


_GEOMETRIES = (MATRIX_BLOCK, SMALL_MATRIX_BLOCK)
