"""What the phases tell while they run, and how a subject's trouble becomes an observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.parity.digest import state_digest
from service.parity.errors import RunCancelled
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.record import Side, StepLosses, TapDiff, Trouble
from service.ports import State, StepResult, Subject

T = TypeVar("T")


class Observer(Protocol):
    """Gets rows and progress as they come; may raise `RunCancelled`."""

    def losses(self, rows: Sequence[StepLosses]) -> None: ...

    def diffs(self, rows: Sequence[TapDiff]) -> None: ...

    def slices(self, rows: Sequence[Slice]) -> None: ...

    def telemetry(self, rows: Sequence[TelemetrySample]) -> None: ...

    def allocations(self, role: Side, rows: Sequence[AllocationEvent]) -> None: ...

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None: ...


class SubjectTrouble(Exception):
    """Carries a `Trouble` out of a phase's step; never leaves the engine."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(trouble.message)


def attempt(side: Side, phase: str, step: int | None, what: str, call: Callable[[], T]) -> T:
    """Call into a subject. Whatever it raises is data about that side, not an error of Lockstep's.

    Except a wish to stop, which is nobody's fault.
    """
    try:
        return call()
    except RunCancelled:
        raise
    except Exception as error:
        message = f"the {side} raised {type(error).__name__} in {what}: {error}"
        raise SubjectTrouble(Trouble(side, phase, step, "exception", message)) from error


def load(side: Side, phase: str, step: int | None, subject: Subject, state: State) -> None:
    """Give a side copies of the state: one that keeps and trains the arrays must not change what others start from."""
    copies = {name: array.copy() for name, array in state.items()}
    attempt(side, phase, step, "load_state", lambda: subject.load_state(copies))


def start(side: Side, phase: str, subject: Subject, state: State) -> str:
    """Load the state from which a side starts, read it back, and return the digest of what the side really holds."""
    load(side, phase, None, subject, state)
    return attempt(side, phase, None, "state", lambda: state_digest(subject.state()))


def train(
    side: Side, phase: str, step: int, subject: Subject, batch: NDArray[np.float32], taps: bool = False
) -> StepResult:
    """One training step of a side, its answer read while it can still be blamed for it: a loss that is no number, taps
    that are no arrays."""
    return attempt(side, phase, step, "train_step", lambda: _read(subject.train_step(batch, taps=taps)))


def _read(result: StepResult) -> StepResult:
    named = dict(result.taps)
    for name, array in named.items():
        if not (hasattr(array, "shape") and hasattr(array, "dtype")):
            raise TypeError(f"the tap {name} is a {type(array).__name__}, not an array")
    return StepResult(float(result.loss), named)
