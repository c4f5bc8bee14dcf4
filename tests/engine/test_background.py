"""Work beside a training: in turn, all of it done at the end, and what it raised is raised."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import service.engine.free_running
from service.engine.background import Background
from service.parity.record import SIDES
from service.ports import StepResult

EITHER = pytest.mark.parametrize("beside", [True, False], ids=["thread", "at once"])


@EITHER
def test_work_is_taken_in_turn_and_done_at_the_end(beside: bool) -> None:
    done: list[int] = []
    with Background(beside) as background:
        for i in range(50):
            background.do(done.append, i)
    assert done == list(range(50))


@EITHER
def test_work_is_done_too_where_the_caller_raised(beside: bool) -> None:
    done: list[int] = []
    with pytest.raises(ZeroDivisionError), Background(beside) as background:  # noqa: PT012
        background.do(done.append, 1)
        raise ZeroDivisionError
    assert done == [1]


@EITHER
def test_what_the_work_raised_is_raised(beside: bool) -> None:
    def fails() -> None:
        raise KeyError("planted")

    with pytest.raises(KeyError, match="planted"), Background(beside) as background:
        background.do(fails)
    with pytest.raises(KeyError, match="planted"), Background(beside) as background:
        list(background.ahead({}[key] for key in ("planted",)))


@EITHER
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_items_come_in_order_each_once(beside: bool, count: int) -> None:
    with Background(beside) as background:
        assert list(background.ahead(iter(range(count)))) == list(range(count))


def test_items_are_made_one_ahead_and_no_more() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Any:
        for i in range(5):
            made.append(i)
            if i == 1:
                second.set()
            yield i

    with Background(True) as background:
        coming = background.ahead(items())
        assert next(coming) == 0
        assert second.wait(10)
        background.do(lambda: None)
        assert made == [0, 1]


def test_what_was_handed_over_during_an_item_is_done_before_the_next_but_one() -> None:
    done: list[int] = []
    with Background(True) as background:
        for i in background.ahead(iter(range(20))):
            assert done[: i - 1] == list(range(i - 1))
            background.do(done.append, i)


def test_a_training_with_large_batches_leaves_the_same_evidence(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = lab.free_running()
    monkeypatch.setattr(service.engine.free_running, "LARGE_BYTES", 0)
    large = lab.free_running()
    assert large.free_running == small.free_running
    assert large.ledger == small.ledger
    assert large.watcher.loss_rows == small.watcher.loss_rows


@EITHER
@pytest.mark.parametrize("side", SIDES)
def test_who_writes_into_a_batch_is_seen_and_nobody_else(
    lab: Any, side: str, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.engine.free_running, "LARGE_BYTES", 0 if beside else 2**60)
    stub = lab.Stub()
    original = stub.train_step

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = original(batch, taps)
        batch.setflags(write=True)
        batch[-1, -1] = np.nextafter(batch[-1, -1], np.float32(9))
        return result

    stub.train_step = train_step
    outcome = lab.free_running(**{side: stub})
    ledger = outcome.ledger
    other = "candidate" if side == "reference" else "reference"
    assert getattr(ledger, f"{side}_digest") != ledger.planned_digest
    assert getattr(ledger, f"{other}_digest") == ledger.planned_digest
    assert f"the {side} changed a batch" in outcome.check("integrity.same_batches").message
