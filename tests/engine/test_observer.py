"""attempt: a subject's exception is data about its side; a wish to stop and the end of the process are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.engine.observer import SubjectTrouble, attempt, load, train
from service.parity.errors import RunCancelled
from service.parity.record import SIDES, Side
from service.ports import StepResult


def raising(error: BaseException) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise error

    return call


def test_value_comes_through() -> None:
    assert attempt("candidate", "synchronized", 1, "state", lambda: 7) == 7


@pytest.mark.parametrize("error", [RuntimeError("no"), MemoryError(), StopIteration(), AssertionError("a"), OSError(5)])
@pytest.mark.parametrize("side", SIDES)
def test_an_exception_becomes_trouble(side: Side, error: Exception) -> None:
    with pytest.raises(SubjectTrouble) as caught:
        attempt(side, "synchronized", 4, "train_step", raising(error))
    trouble = caught.value.trouble
    assert (trouble.side, trouble.phase, trouble.step, trouble.kind) == (side, "synchronized", 4, "exception")
    assert trouble.message.startswith(f"the {side} raised {type(error).__name__} in train_step: ")
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [RunCancelled("stop"), KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_what_is_nobodys_fault_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)):
        attempt("candidate", "synchronized", 0, "train_step", raising(error))


class Answers(SimpleNamespace):
    def train_step(self, batch: Any, taps: bool = False) -> Any:
        return self.answer


BATCH = np.zeros((2, 3), np.float32)
BAD = [
    None,
    0.5,
    (0.5, {}),
    StepResult(None, {}),  # type: ignore[arg-type]
    StepResult("low", {}),  # type: ignore[arg-type]
    StepResult(np.zeros(2), {}),  # type: ignore[arg-type]
    StepResult(1j, {}),  # type: ignore[arg-type]
    StepResult(0.5, None),  # type: ignore[arg-type]
    StepResult(0.5, [1, 2]),  # type: ignore[arg-type]
    StepResult(0.5, {"a": None}),
    StepResult(0.5, {"a": [1.0, 2.0]}),
    StepResult(0.5, {"a": 1.0}),
]


@pytest.mark.parametrize("answer", BAD, ids=lambda v: repr(v)[:50])
def test_an_answer_that_is_none_is_the_sides_fault(answer: Any) -> None:
    with pytest.raises(SubjectTrouble) as caught:
        train("candidate", "synchronized", 2, Answers(answer=answer), BATCH, taps=True)
    assert caught.value.trouble.step == 2


def test_loss_is_read_as_a_float() -> None:
    result = train("candidate", "synchronized", 2, Answers(answer=StepResult(np.float32(0.5), {"a": BATCH})), BATCH)  # type: ignore[arg-type]
    assert (result.loss, type(result.loss)) == (0.5, float)
    assert result.taps["a"] is BATCH


def test_a_side_gets_copies_of_the_state() -> None:
    state = {"w": np.ones(3, np.float32), "b": np.zeros(2, np.float32)}
    kept: dict[str, Any] = {}
    load("candidate", "synchronized", 0, SimpleNamespace(load_state=kept.update), state)
    kept["w"][:] = 9
    kept.pop("b")
    assert state.keys() == {"w", "b"}
    assert (state["w"] == 1).all()
