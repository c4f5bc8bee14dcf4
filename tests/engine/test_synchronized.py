"""The synchronized phase among subjects that misbehave: every fault is an observation, and none passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.engine.synchronized import with_loss
from service.parity.errors import RunCancelled
from service.parity.plan import ModelSpec, SynchronizedSpec
from service.parity.record import SIDES
from service.ports import StepResult
from service.subjects.variant_subject import Variant

CHECK = "numerics.synchronized"
BLAME = {"reference": "inconclusive", "candidate": "fail"}


def test_equal_sides_pass(lab: Any) -> None:
    outcome = lab.synchronized()
    evidence = outcome.synchronized
    assert outcome.check(CHECK).outcome == "pass"
    assert evidence.troubles == ()
    assert evidence.expected_steps == evidence.compared_steps == (0, 2, 4)
    assert evidence.comparisons == len(evidence.diffs) == 3 * len(evidence.expected_taps)
    assert all(diff.stats.mismatches == 0 for diff in evidence.diffs)
    assert all(diff.stats.candidate_error is not None for diff in evidence.diffs)
    assert [row.step for row in evidence.losses] == [0, 2, 4]
    assert {(s.step, s.side) for s in evidence.signs} == {(step, side) for step in (0, 2, 4) for side in SIDES}
    assert outcome.watcher.diff_rows == list(evidence.diffs)
    assert outcome.watcher.loss_rows == list(evidence.losses)
    assert [done for _, done, _ in outcome.watcher.reports] == [1, 2, 3, 4, 5]
    assert outcome.check("integrity.same_batches").outcome == "pass"
    assert outcome.check("numerics.sign_disagreements").outcome == "pass"


def test_the_reference_trains_on_between_compared_steps(lab: Any) -> None:
    every = lab.synchronized(plan=replace(lab.plan, synchronized=SynchronizedSpec(6, 1)))
    some = lab.synchronized()
    losses = {row.step: row.reference for row in every.synchronized.losses}
    assert [row.reference for row in some.synchronized.losses] == [losses[step] for step in (0, 2, 4)]


def overriding(lab: Any, **methods: Any) -> Any:
    """A correct subject with methods replaced; each gets the subject first."""
    stub = lab.Stub()
    for name, method in methods.items():
        setattr(stub, name, lambda *a, _m=method, **k: _m(stub, *a, **k))
    return stub


# --- exceptions -------------------------------------------------------------------------------------------------------


class Failing:
    """A method that raises at its n-th call."""

    def __init__(self, stub: Any, name: str, at: int) -> None:
        self.calls, self.at, self.original = 0, at, getattr(stub, name)
        setattr(stub, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls > self.at:
            raise ZeroDivisionError("planted")
        return self.original(*args, **kwargs)


RAISING = [
    (side, method, at)
    for side in SIDES
    for method in ("load_state", "state", "train_step")
    for at in (0, 2)
    # These two are called only once.
    if (side, method, at) not in (("candidate", "state", 2), ("reference", "load_state", 2))
]


@pytest.mark.parametrize(("side", "method", "at"), RAISING)
def test_a_side_that_raises(lab: Any, side: str, method: str, at: int) -> None:
    stub = lab.Stub()
    Failing(stub, method, at)
    outcome = lab.synchronized(**{side: stub})
    (trouble,) = outcome.synchronized.troubles
    assert (trouble.side, trouble.kind) == (side, "exception")
    assert "ZeroDivisionError" in trouble.message
    assert outcome.check(CHECK).outcome == BLAME[side]


def test_what_was_seen_before_the_exception_is_kept(lab: Any) -> None:
    stub = lab.Stub(variant=Variant("raises", "", raise_at_step=2))
    outcome = lab.synchronized(stub)
    assert outcome.synchronized.compared_steps == (0, 2)
    assert outcome.synchronized.troubles[0].step == 4
    assert outcome.ledger.candidate_count == 2
    assert outcome.check("integrity.same_batches").outcome == "fail"


@pytest.mark.parametrize("at", [0, 3])
def test_a_wish_to_stop_is_not_swallowed(phases: Any, lab: Any, at: int) -> None:
    for run, _ in phases.values():
        with pytest.raises(RunCancelled):
            run(watcher=lab.Watcher(raises=RunCancelled("stop"), at=at))


# --- taps -------------------------------------------------------------------------------------------------------------

FORWARD, GRAD = "forward.layer0.output", "backward.layer1.weight_grad"


def with_taps(change: Any) -> Any:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        return StepResult(result.loss, change(dict(result.taps)) if taps else {})

    return train_step


def dropping(name: str) -> Any:
    return lambda taps: {k: v for k, v in taps.items() if k != name}


def replacing(name: str, change: Any) -> Any:
    return lambda taps: {**taps, name: change(taps[name])}


TAP_FAULTS = {
    "missing": (dropping(GRAD), "missing_tap"),
    "missing sign tap": (dropping(FORWARD), "missing_tap"),
    "all missing": (lambda taps: {}, "missing_tap"),
    "extra": (lambda taps: {**taps, "forward.layer9.output": taps[FORWARD]}, "extra_tap"),
    "renamed": (lambda taps: {("x" if k == GRAD else k): v for k, v in taps.items()}, "missing_tap"),
    "transposed": (replacing(GRAD, lambda a: a.T), "shape"),
    "flattened": (replacing(GRAD, lambda a: a.reshape(-1)), "shape"),
    "one row": (replacing(GRAD, lambda a: a[:1]), "shape"),
    "misshapen sign tap": (replacing(FORWARD, lambda a: a[:2]), "shape"),
    "empty": (replacing(GRAD, lambda a: a[:0]), "shape"),
    "float64": (replacing(GRAD, lambda a: a.astype(np.float64)), "dtype"),
    "float16": (replacing(FORWARD, lambda a: a.astype(np.float16)), "dtype"),
    "boolean": (replacing(GRAD, lambda a: a > 0), "dtype"),
    "complex": (replacing(GRAD, lambda a: a.astype(np.complex64)), "dtype"),
    "complex sign tap": (replacing(FORWARD, lambda a: a.astype(np.complex64)), "dtype"),
    "objects": (replacing(GRAD, lambda a: a.astype(object)), "dtype"),
    "text": (replacing(FORWARD, lambda a: a.astype(str)), "dtype"),
    "a list": (replacing(GRAD, lambda a: a.tolist()), "exception"),
    "nothing": (replacing(FORWARD, lambda a: None), "exception"),
}


@pytest.mark.parametrize("fault", TAP_FAULTS)
def test_a_tap_that_is_not_what_was_planned_fails(lab: Any, fault: str) -> None:
    change, kind = TAP_FAULTS[fault]
    outcome = lab.synchronized(overriding(lab, train_step=with_taps(change)))
    assert outcome.check(CHECK).outcome == "fail"
    assert kind in {trouble.kind for trouble in outcome.synchronized.troubles}
    assert {trouble.side for trouble in outcome.synchronized.troubles} == {"candidate"}


@pytest.mark.parametrize("fault", TAP_FAULTS)
def test_the_same_of_the_reference_decides_nothing(lab: Any, fault: str) -> None:
    stub = overriding(lab, train_step=with_taps(TAP_FAULTS[fault][0]))
    if TAP_FAULTS[fault][1] == "dtype" and fault in ("float64", "float16", "boolean"):
        # The reference sets the dtype; the candidate has the other one.
        assert lab.synchronized(reference=stub).check(CHECK).outcome == "fail"
    else:
        assert lab.synchronized(reference=stub).check(CHECK).outcome == "inconclusive"


@pytest.mark.parametrize("fault", ["missing", "missing sign tap", "objects", "one row"])
def test_the_same_fault_on_both_sides_is_no_agreement(lab: Any, fault: str) -> None:
    stubs = [overriding(lab, train_step=with_taps(TAP_FAULTS[fault][0])) for _ in SIDES]
    assert lab.synchronized(*stubs).check(CHECK).outcome == "inconclusive"


def test_stale_taps(lab: Any) -> None:
    kept: list[dict[str, Any]] = []

    def stale(taps: dict[str, Any]) -> dict[str, Any]:
        kept.append({name: array.copy() for name, array in taps.items()})
        return kept[max(0, len(kept) - 2)]

    outcome = lab.synchronized(overriding(lab, train_step=with_taps(stale)))
    assert outcome.check(CHECK).outcome == "fail"


def test_taps_of_zeros(lab: Any) -> None:
    zeros = with_taps(lambda taps: {name: np.zeros_like(array) for name, array in taps.items()})
    assert lab.synchronized(overriding(lab, train_step=zeros)).check(CHECK).outcome == "fail"


def test_two_taps_swapped(lab: Any) -> None:
    plan = replace(lab.plan, model=ModelSpec(16, 1, 16))
    pair = ("backward.layer0.weight_grad", "backward.layer1.weight_grad")

    def swapped(taps: dict[str, Any]) -> dict[str, Any]:
        return {**taps, pair[0]: taps[pair[1]], pair[1]: taps[pair[0]]}

    stub = lab.Stub(plan)
    original = stub.train_step
    stub.train_step = lambda batch, taps=False: StepResult(
        (result := original(batch, taps)).loss, swapped(dict(result.taps)) if taps else {}
    )
    assert lab.synchronized(stub, plan=plan).check(CHECK).outcome == "fail"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("tap", [FORWARD, "forward.layer1.output", GRAD, "update.layer0.bias"])
@pytest.mark.parametrize("side", SIDES)
def test_one_nonfinite_element(lab: Any, side: str, tap: str, value: float) -> None:
    def spoil(array: Any) -> Any:
        broken = array.copy()
        broken.flat[-1] = value
        return broken

    stub = overriding(lab, train_step=with_taps(replacing(tap, spoil)))
    assert lab.synchronized(**{side: stub}).check(CHECK).outcome == BLAME[side]


def test_nan_on_both_sides_is_no_agreement(lab: Any) -> None:
    nan = with_taps(lambda taps: {name: np.full_like(array, np.nan) for name, array in taps.items()})
    stubs = [overriding(lab, train_step=nan) for _ in SIDES]
    outcome = lab.synchronized(*stubs)
    assert outcome.check(CHECK).outcome == "inconclusive"


# --- losses -----------------------------------------------------------------------------------------------------------


def with_loss_of(change: Any) -> Any:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        return StepResult(change(result.loss), result.taps)

    return train_step


LOSS_FAULTS = {
    "nan": lambda _: np.nan,
    "inf": lambda _: np.inf,
    "off by 1e-3": lambda loss: loss * 1.001,
    "zero": lambda _: 0.0,
    "negative": lambda loss: -loss,
    "none": lambda _: None,
    "an array": lambda loss: np.full(2, loss),
}


@pytest.mark.parametrize("fault", LOSS_FAULTS)
def test_a_wrong_loss_fails_although_every_tap_is_right(lab: Any, fault: str) -> None:
    outcome = lab.synchronized(overriding(lab, train_step=with_loss_of(LOSS_FAULTS[fault])))
    assert outcome.check(CHECK).outcome == "fail"


def test_a_tap_cannot_stand_in_for_the_loss(lab: Any) -> None:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        return StepResult(result.loss * 2, {**result.taps, "loss.value": np.float64(result.loss).reshape(())})

    assert lab.synchronized(overriding(lab, train_step=train_step)).check(CHECK).outcome == "fail"


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["forward.a", "backward.b"], ["forward.a", "loss.value", "backward.b"]),
        (["forward.a"], ["forward.a", "loss.value"]),
        ([], ["loss.value"]),
        (["backward.b"], ["loss.value", "backward.b"]),
    ],
)
def test_place_of_the_loss(names: list[str], order: list[str]) -> None:
    placed = with_loss(StepResult(0.5, {name: np.zeros(1) for name in names}))
    assert list(placed) == order
    assert (placed["loss.value"].shape, placed["loss.value"].dtype, placed["loss.value"]) == ((), np.float32, 0.5)


# --- state and batch --------------------------------------------------------------------------------------------------


def test_ignoring_the_state_to_start_from(lab: Any) -> None:
    other = lab.Stub(replace(lab.plan, seed=99))
    other.load_state = lambda state: None
    outcome = lab.synchronized(other)
    assert outcome.synchronized.candidate_start_digest != outcome.synchronized.reference_start_digest
    assert outcome.check(CHECK).outcome == "fail"
    assert "the candidate did not start from the state that it was given" in outcome.check(CHECK).message


def test_ignoring_every_later_state(lab: Any) -> None:
    stub = lab.Stub()
    original, calls = stub.load_state, []

    def load_once(state: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            original(state)

    stub.load_state = load_once
    assert lab.synchronized(stub).check(CHECK).outcome == "fail"


@pytest.mark.parametrize("answer", [None, {}, {"weight_0": None}, [], {"weight_0": np.zeros(3, np.float32)}], ids=str)
def test_a_state_that_is_none(lab: Any, answer: Any) -> None:
    stub = lab.Stub()
    stub.state = lambda: answer
    assert lab.synchronized(stub).check(CHECK).outcome == "fail"


class Sharing:
    """Keeps the arrays that it is given and trains them in place. `factor` spoils its learning rate."""

    def __init__(self, lab: Any, factor: float) -> None:
        self.inner, self.kept = lab.Stub(variant=Variant("sharing", "", learning_rate_factor=factor)), {}

    def load_state(self, state: Any) -> None:
        self.kept = state
        self.inner.load_state(state)

    def train_step(self, batch: Any, taps: bool = False) -> StepResult:
        result = self.inner.train_step(batch, taps=taps)
        for name, array in self.inner.state().items():
            self.kept[name][...] = array
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "pass"), (1.01, "fail"), (0.0, "fail")])
def test_a_candidate_that_trains_the_state_it_was_given(phases: Any, lab: Any, factor: float, outcome: str) -> None:
    """Neither the oracle nor the band may start from what the candidate made of the state."""
    for run, check in phases.values():
        assert run(Sharing(lab, factor)).check(check).outcome == outcome


def test_writing_into_the_batch_is_refused(phases: Any, lab: Any) -> None:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        batch *= 2
        return stub.inner.train_step(batch, taps=taps)

    for run, check in phases.values():
        result = run(overriding(lab, train_step=train_step)).check(check)
        assert result.outcome == "fail"
        assert "read-only" in result.message


def test_writing_into_the_batch_by_force_is_seen(phases: Any, lab: Any) -> None:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        batch.setflags(write=True)
        batch[0, 0] += 1
        return result

    for run, _ in phases.values():
        outcome = run(overriding(lab, train_step=train_step))
        assert outcome.check("integrity.same_batches").outcome == "fail"


def test_another_batch_than_the_one_given(lab: Any) -> None:
    def train_step(stub: Any, batch: Any, taps: bool = False) -> StepResult:
        return stub.inner.train_step(batch[::-1].copy() * np.float32(1.0001), taps=taps)

    assert lab.synchronized(overriding(lab, train_step=train_step)).check(CHECK).outcome == "fail"


def test_each_side_is_held_to_the_oracle_of_its_own_signs(lab: Any) -> None:
    """The candidate tells one sign otherwise than it computed: its backward is no longer the one of its signs."""

    def flip(array: Any) -> Any:
        flipped = array.copy()
        flipped[0] *= -1
        return flipped

    for side, other in (SIDES, SIDES[::-1]):
        stub = overriding(lab, train_step=with_taps(replacing(FORWARD, flip)))
        evidence = lab.synchronized(**{side: stub}).synchronized
        for diff in (diff for diff in evidence.diffs if diff.tap == "backward.layer0.weight_grad"):
            assert getattr(diff.stats, f"{side}_error") > 1e-4
            assert getattr(diff.stats, f"{other}_error") < 1e-6
        flips = {made: sum(sign.flips for sign in evidence.signs if sign.side == made) for made in SIDES}
        assert flips[side] > 0
        assert flips[other] == 0
