"""What a variant may do beside the reference's own training step: more work, memory that stays, pauses.

A burden is made once with the array module and the plan, and asked around every step. The step itself is the
reference's, bit for bit, so a run tells only what time, memory and the GPU show.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import MAX_BATCH_SIZE, Plan
from service.ports import Array, Subject

EXTRA_ROWS = 0.3
"""Of a forward pass, which is a third of a step's work: a tenth of the step."""

SCRATCH_SHARE, SCRATCH_BYTES = 0.25, 2**25
SMALL_BYTES = 2**16
LEAKED_BYTES = 2**14
POOL_STEP_BYTES = 2**16
PAUSE_SHARE, PAUSE_S = 0.5, 0.0005


class Burden(Protocol):
    """Asked before and after each step; `spent_s` is what the step took."""

    def before(self, batch: NDArray[np.float32]) -> None: ...

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None: ...


MakeBurden = Callable[[Any, Plan, Subject], Burden]
"""(array module, plan, the reference that carries it) -> burden."""


class Nothing:
    """No burden; the others change one half of it."""

    def __init__(self, xp: Any, plan: Plan, subject: Subject) -> None:
        self._xp, self._plan, self._subject = xp, plan, subject

    def before(self, batch: NDArray[np.float32]) -> None:
        """Before the step."""

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        """After the step."""


class MoreWork(Nothing):
    """One more forward pass of a part of the batch; before the step, whose activations it would overwrite."""

    def before(self, batch: NDArray[np.float32]) -> None:
        self._subject.forward(batch[: max(1, round(EXTRA_ROWS * len(batch)))])


class Leak(Nothing):
    """Keeps 16 KiB of every step on the device."""

    def __init__(self, xp: Any, plan: Plan, subject: Subject) -> None:
        super().__init__(xp, plan, subject)
        self._kept: list[Array] = []

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        self._kept.append(self._xp.zeros(LEAKED_BYTES, dtype=np.uint8))


class Scratch(Nothing):
    """A quarter of what the reference holds, and 32 MiB, for a moment in every step."""

    def __init__(self, xp: Any, plan: Plan, subject: Subject) -> None:
        super().__init__(xp, plan, subject)
        widths = plan.layer_sizes()
        weights = sum((a + 1) * b for a, b in itertools.pairwise(widths))
        held = 4 * (3 * weights + 3 * MAX_BATCH_SIZE * sum(widths))
        self._bytes = SCRATCH_BYTES + round(SCRATCH_SHARE * held)

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        self._xp.empty(self._bytes, dtype=np.uint8)


class SmallAllocation(Nothing):
    """64 KiB for a moment in every step."""

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        self._xp.empty(SMALL_BYTES, dtype=np.uint8)


class GrowingPool(Nothing):
    """Frees a block in every step that is larger than all before, so that none of those is of use again.

    CuPy's pool holds them all. NumPy has no pool, so there the burden keeps them as one would.
    """

    def __init__(self, xp: Any, plan: Plan, subject: Subject) -> None:
        super().__init__(xp, plan, subject)
        self._steps = 0
        self._held: list[Array] = []

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        self._steps += 1
        block = self._xp.empty(self._steps * POOL_STEP_BYTES, dtype=np.uint8)
        if self._xp is np:
            self._held.append(block)


class Pause(Nothing):
    """Sleeps after a step for half of its time, while nothing runs on the device."""

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        time.sleep(max(PAUSE_SHARE * spent_s, PAUSE_S))


class Stretched(Nothing):
    """Waits, busy, until the step has taken longer by a share of its own time: a ratio that is exact on any device.

    The reference's step waits for its result, so the host's time of it is the device's.
    """

    def __init__(self, share: float, xp: Any, plan: Plan, subject: Subject) -> None:
        super().__init__(xp, plan, subject)
        self._share = share

    def after(self, batch: NDArray[np.float32], spent_s: float) -> None:
        until = time.perf_counter() + self._share * spent_s
        while time.perf_counter() < until:
            pass


def stretched(share: float) -> MakeBurden:
    """A step that takes `1 + share` times as long."""
    return lambda xp, plan, subject: Stretched(share, xp, plan, subject)
