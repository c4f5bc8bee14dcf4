"""The grid that decides whether a plan can fill a card."""

from __future__ import annotations

import pytest

from service.engine.launch_geometry import largest_grid
from service.parity.plan import ModelSpec, Plan, TrainingSpec


@pytest.mark.parametrize(
    ("model", "rows", "blocks"),
    [
        # (2048, 2048) forward: 64 x 128 blocks of (32, 16).
        (ModelSpec(2048, 1, 1024), 2048, 64 * 128),
        # (64, 64) and less: fewer than 680 blocks either way, so (16, 16).
        (ModelSpec(64, 1, 56), 64, 4 * 4),
        # (512, 320) at most: 16 x 20 = 320 blocks are few, so 32 x 20.
        (ModelSpec(512, 2, 128), 16, 32 * 20),
    ],
)
def test_the_largest_grid_by_the_references_rule(model: ModelSpec, rows: int, blocks: int) -> None:
    assert largest_grid(Plan(model=model, training=TrainingSpec(batch_size=rows))) == blocks
