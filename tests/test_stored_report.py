"""Which run is meant, and real runs judged again: whole, and cut wherever a run can be cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service import bootstrap
from service.parity.errors import InvalidRequest, RunCancelled
from service.parity.identity import new_run_id
from service.parity.plan import CheckpointSpec, FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import POLICIES, Policy, named_policy
from service.parity.verdict import Verdict
from service.pipeline import carry_out
from service.ports import Progress
from service.store.memory import MemoryRunStore
from service.stored_report import find_run, read_report

PLAN = Plan(
    device="cpu",
    model=ModelSpec(vector_length=32, hidden_layers=2, bottleneck=8),
    training=TrainingSpec(steps=40, batch_size=16, learning_rate=0.05, clip=1.0),
    synchronized=SynchronizedSpec(steps=6, every=2),
    free_running=FreeRunningSpec(band_runs=2, band_steps=10),
    checkpoint=CheckpointSpec(steps_before=2, steps_after=2),
)
CLOCK = bootstrap.SystemClock()
AT = datetime(2026, 11, 24, tzinfo=UTC)
FORGIVING = Policy("forgiving", {"numerics.synchronized": "always"}, error_ratio=1e12)


class Runs:
    """A memory store and the ids of the runs in it, oldest first."""

    def __init__(self, *entropies: bytes) -> None:
        self.store = MemoryRunStore()
        self.ids = [new_run_id(AT + timedelta(days=day), entropy) for day, entropy in enumerate(entropies)]
        for run_id in self.ids:
            self.store.create_run(run_id, PLAN, named_policy("default"), AT)

    def finish(self, run_id: str) -> None:
        self.store.claim(run_id, "test", AT)
        self.store.finish(run_id, Verdict("PASS", "well", (), "default"), AT)


def refused(store: MemoryRunStore, words: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        find_run(store, words)
    return str(caught.value)


def test_an_id_in_either_case_and_what_begins_one() -> None:
    runs = Runs(b"a" * 10, b"b" * 10)
    first, second = runs.ids
    length = next(n for n in range(27) if first[:n] != second[:n])
    for run_id in (first, second):
        for words in (run_id, run_id.upper(), run_id[:length], run_id[:25], run_id[:length].upper()):
            assert find_run(runs.store, words).id == run_id
    assert refused(runs.store, first[: length - 1]) == (
        f"RUN: more than one run's id begins with {first[: length - 1]}: {second}, {first}; give more characters"
    )


def test_the_first_and_the_last_id_that_there_can_be() -> None:
    store = MemoryRunStore()
    for run_id in ("0" * 26, "7" + "z" * 25):
        store.create_run(run_id, PLAN, named_policy("default"), AT)
        for length in (1, 2, 25, 26):
            assert find_run(store, run_id[:length]).id == run_id


def test_many_runs_that_begin_alike_are_not_all_listed() -> None:
    runs = Runs(*(bytes([n]) * 10 for n in range(6)))
    message = refused(runs.store, "0")
    assert runs.ids[5] in message
    assert runs.ids[2] not in message
    assert ", …; give more" in message


@pytest.mark.parametrize(
    "words", ["", " ", "LAST", "../x", "0" * 27, "u", "i", "8", "0é", "é", "0%", "0_", "\0", "--x"]
)
def test_what_is_no_id(words: str) -> None:
    assert "is no run's id nor the beginning of one" in refused(Runs(b"a" * 10).store, words)


def test_an_id_that_no_run_has() -> None:
    runs = Runs(b"a" * 10)
    assert "no run has the id" in refused(runs.store, "7" + "z" * 25)
    assert "no run's id begins with 7z" in refused(runs.store, "7z")


def test_last_is_the_newest_that_finished() -> None:
    runs = Runs(b"a" * 10, b"b" * 10, b"c" * 10)
    assert "no run has finished" in refused(runs.store, "last")
    runs.finish(runs.ids[0])
    assert find_run(runs.store, "last").id == runs.ids[0]
    runs.finish(runs.ids[1])
    assert find_run(runs.store, "last").id == runs.ids[1]


def real_run(candidate: str, listener: Callable[[Progress], None]) -> tuple[MemoryRunStore, str]:
    store = MemoryRunStore()
    run_id = bootstrap.submit(store, CLOCK, replace(PLAN, candidate=candidate), named_policy("numerics")).id
    store.claim(run_id, "test", CLOCK.now())
    try:
        carry_out(run_id, store, bootstrap.toolkit(), CLOCK, listener)
    except RunCancelled:
        store.mark_cancelled(run_id, CLOCK.now())
    return store, run_id


def test_a_whole_run_judged_again_by_the_same_policy_has_the_same_verdict() -> None:
    store, run_id = real_run("basemodel", lambda progress: None)
    found = read_report(store, "last", named_policy("numerics"))
    assert found.verdict == store.verdict(run_id) == read_report(store, run_id).verdict
    assert (found.report["outcome"], read_report(store, run_id).report["rejudged"]) == ("PASS", None)
    assert read_report(store, run_id, named_policy("strict")).report["outcome"] == "INCONCLUSIVE"


def test_judging_again_changes_nothing_in_the_store() -> None:
    store, run_id = real_run("bad-weight-decay", lambda progress: None)
    before = (store.run(run_id), store.record(run_id), store.verdict(run_id), store.checks(run_id))
    assert read_report(store, run_id).report["outcome"] == "FAIL"
    assert read_report(store, run_id, FORGIVING).report["outcome"] == "PASS"
    assert before == (store.run(run_id), store.record(run_id), store.verdict(run_id), store.checks(run_id))
    assert read_report(store, run_id).report["policy"]["name"] == "numerics"


def beginnings(candidate: str) -> list[tuple[str, int, str]]:
    """Every piece of progress that a run tells, which are the places where it can be stopped."""
    told: list[tuple[str, int, str]] = []
    real_run(candidate, lambda progress: told.append((progress.phase, progress.done, progress.message)))
    return told


@pytest.mark.parametrize("candidate", ["basemodel", "bad-weight-decay"])
def test_a_run_cut_anywhere_judged_by_anything_never_passes(candidate: str) -> None:
    told = beginnings(candidate)
    firsts = {(phase, message): index for index, (phase, _, message) in reversed(list(enumerate(told)))}
    places = sorted({*firsts.values(), *(index - 1 for index in firsts.values() if index), len(told) - 1})
    outcomes: dict[int, set[str]] = {}
    for place in places:
        left = iter(range(place))

        def stop(progress: Progress, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise RunCancelled("the test stops it here")

        store, run_id = real_run(candidate, stop)
        assert store.run(run_id).state == "cancelled"
        policies = (*POLICIES.values(), FORGIVING)
        outcomes[place] = {read_report(store, run_id, policy).report["outcome"] for policy in policies}
    assert len(places) > 10
    seen = set().union(*outcomes.values())
    assert seen == ({"INCONCLUSIVE"} if candidate == "basemodel" else {"INCONCLUSIVE", "FAIL"})
    assert outcomes[places[0]] == {"INCONCLUSIVE"}
