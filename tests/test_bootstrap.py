"""What the wiring chooses: from which processors each card of a run is launched on, and which plans it takes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from service import bootstrap
from service.bootstrap import launching_processors, processors_of_cards
from service.parity.errors import DeviceUnavailable
from service.parity.plan import PerformanceSpec, Plan


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let this process have so many processors."""
    return lambda count: monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(count)), raising=False)


def test_processors_of_a_low_number_come_last_and_each_gpu_begins_elsewhere(allowed: Callable[[int], None]) -> None:
    allowed(8)
    assert launching_processors("cuda:0") == (7, 6, 5, 4, 3, 2, 1, 0)
    assert launching_processors("cuda:1")[:2] == (4, 3)
    assert launching_processors("cpu") == ()


@pytest.mark.parametrize("processors", [2, 3, 4, 5, 6, 8, 9, 32])
@pytest.mark.parametrize(("first", "second"), [("cuda:0", "cuda:1"), ("cuda:1", "cuda:0"), ("cuda:0", "cuda:2"),
                                              ("cuda:3", "cuda:7")])  # fmt: skip
def test_two_cards_of_a_run_are_launched_on_from_two_processors_in_every_pair(
    allowed: Callable[[int], None], processors: int, first: str, second: str
) -> None:
    allowed(processors)
    cards = processors_of_cards(first, second)
    assert list(cards) == [first, second]
    assert cards[first] == launching_processors(first)
    assert all(one != other for one, other in zip(cards[first], cards[second], strict=True))
    assert sorted(cards[second]) == list(range(processors))


def test_one_card_alone_and_one_processor_alone(allowed: Callable[[int], None]) -> None:
    allowed(1)
    assert processors_of_cards("cuda:0", None) == {"cuda:0": (0,)}
    assert processors_of_cards("cuda:0", "cuda:1") == {"cuda:0": (0,), "cuda:1": (0,)}
    assert processors_of_cards("cpu", None) == {"cpu": ()}


def test_a_plan_with_a_second_card_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "resolve_device", lambda asked: "cuda:0")
    plan = Plan(device="cuda:0", performance=PerformanceSpec(second_device="cuda:999"))
    with pytest.raises(DeviceUnavailable, match="'cuda:999'"):
        bootstrap.check_plan(plan)
