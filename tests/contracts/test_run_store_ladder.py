"""The contract of `RunStore`: the ladder's history, which only grows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.parity.errors import LadderRefused, RunNotFound, StoreError
from service.parity.ladder import Promotion
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.ports import RunStore

T0 = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FIRST = Promotion(1, "promote", "wrapper", T0, "ann", "r1", "ab" * 32, "not measured: memory")
BACK = Promotion(2, "rollback", "wrapper", T0, "bob")


@pytest.fixture(autouse=True)
def _run(run_store: RunStore) -> None:
    run_store.create_run("r1", Plan(), named_policy("default"), T0)


def test_it_begins_empty(run_store: RunStore) -> None:
    assert run_store.promotions() == []


def test_lines_come_back_equal_and_in_order(run_store: RunStore) -> None:
    lines = [FIRST, BACK, replace(FIRST, number=3, rung="forward")]
    assert [run_store.add_promotion(line) for line in lines] == lines == run_store.promotions()


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_a_line_that_is_not_the_next_one_is_refused(number: int, run_store: RunStore) -> None:
    run_store.add_promotion(FIRST)
    with pytest.raises(LadderRefused, match="somebody else has moved the ladder meanwhile"):
        run_store.add_promotion(replace(BACK, number=number))
    assert run_store.promotions() == [FIRST]


def test_of_many_that_move_at_once_one_does(run_store: RunStore) -> None:
    def attempt(name: str) -> int:
        try:
            run_store.add_promotion(replace(FIRST, by=name))
        except LadderRefused:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, map(str, range(16)))) == 1
    assert len(run_store.promotions()) == 1


def test_a_run_that_there_is_not_is_no_evidence(run_store: RunStore) -> None:
    with pytest.raises(RunNotFound, match="there is no run 'no'"):
        run_store.add_promotion(replace(FIRST, run_id="no"))
    assert run_store.promotions() == []


def test_times_are_kept_in_utc_and_must_have_a_zone(run_store: RunStore) -> None:
    kept = run_store.add_promotion(replace(FIRST, at=T0.astimezone(timezone(timedelta(hours=9)))))
    assert kept == FIRST
    for row in (kept, *run_store.promotions()):
        assert row.at.utcoffset() == timedelta(0)
    with pytest.raises(StoreError, match="has no zone"):
        run_store.add_promotion(replace(BACK, at=T0.replace(tzinfo=None)))


def test_odd_text_is_kept_as_text(run_store: RunStore) -> None:
    kept = run_store.add_promotion(replace(FIRST, by="a\x00b \ud800 ü </script>", note="\x00"))
    assert run_store.promotions() == [kept]
    assert kept.by.endswith("ü </script>")
    kept.by.encode()
