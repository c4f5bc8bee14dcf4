"""What the phases tell while they run, and how a subject's trouble becomes an observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from service.parity.record import Side, StepLosses, TapDiff, Trouble

T = TypeVar("T")


class Observer(Protocol):
    """Gets rows and progress as they come; may raise `RunCancelled`."""

    def losses(self, rows: Sequence[StepLosses]) -> None: ...

    def diffs(self, rows: Sequence[TapDiff]) -> None: ...

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None: ...


class SubjectTrouble(Exception):
    """Carries a `Trouble` out of a phase's step; never leaves the engine."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(trouble.message)


def attempt(side: Side, phase: str, step: int | None, what: str, call: Callable[[], T]) -> T:
    """Call into a subject. Whatever it raises is data about that side, not an error of Lockstep's."""
    try:
        return call()
    except Exception as error:
        message = f"the {side} raised {type(error).__name__} in {what}: {error}"
        raise SubjectTrouble(Trouble(side, phase, step, "exception", message)) from error
