"""How a slice is taken: how many steps, in how many turns, and how the machine's own speed is taken out of them.

Why: docs/measuring.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORT_STEP_MS = 30.0
MIN_STEPS, MIN_SHORT_STEPS = 5, 30
MAX_STEPS = 50_000
"""Of a slice: more events than a driver likes to hold. Only steps of under 20 us would need them."""

TURN_SECONDS = 0.015
TURN_STEPS = 3
"""A turn is at least so long, and at least so many steps."""
SETTLE_STEPS, SETTLE_LONG_STEPS = 2, 1
"""Steps before those of a turn, untimed: the first finds caches that are the other side's. The latter of long steps."""
MORE_SETTLE_STEPS = 1
"""At most so many more, by lot."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How a slice is taken: in `turns` of `steps` timed steps, each after `settle` untimed ones."""

    turns: int
    steps: int
    settle: int


def steps_of_slice(slice_seconds: float, step_ms: float) -> int:
    """Enough steps for the slice's busy time, and at least as many as a median needs."""
    least = MIN_SHORT_STEPS if step_ms < SHORT_STEP_MS else MIN_STEPS
    return min(max(math.ceil(slice_seconds * 1e3 / step_ms), least), MAX_STEPS)


def turns_of_slice(steps: int, step_ms: float) -> Turns:
    """A slice of at least so many steps, in turns."""
    each = min(max(math.ceil(TURN_SECONDS * 1e3 / step_ms), TURN_STEPS), steps)
    settle = SETTLE_STEPS if step_ms < SHORT_STEP_MS else SETTLE_LONG_STEPS
    return Turns(math.ceil(steps / each), each, settle)


def settle_steps(turns: Turns, slices: int, seed: Sequence[int]) -> NDArray[np.int64]:
    """Untimed steps before each of the turns (turns, slices), drawn.

    Were they always as many, work that a side does every fifth step, or every tenth, would fall on the same place of
    every turn of five: a process then has it timed too often, or never.
    """
    more = np.random.default_rng(seed).integers(MORE_SETTLE_STEPS + 1, size=(turns.turns, slices))
    return np.asarray(turns.settle + more)


def levelled_times(step_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Step times (4, turns, steps) as they would be had the machine been equally fast in all turns of the block.

    Its level in a turn is the geometric mean of the medians of all four slices there, two of each role: whose a step is
    plays no part. Without this the median of a slice would jump wherever about half of its turns were slow.
    """
    levels = np.log(np.median(step_ms, axis=2)).mean(axis=0)
    return np.asarray(step_ms * np.exp(levels.mean() - levels)[None, :, None])
