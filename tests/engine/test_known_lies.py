"""Verdicts that public comparison tools were seen to give, each tried here on real phases: none may pass.

Each lie is told by a subject, not by a made-up record, so that every place that could swallow it is on the way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.differs.numpy_differ import NumpyDiffer
from service.engine.perturbation import perturb
from service.parity.checks import judge
from service.parity.plan import SynchronizedSpec
from service.parity.policy import named_policy
from service.parity.record import SIDES
from service.ports import StepResult, TapArrays
from service.subjects.known_bad import VARIANTS

CHECK = "numerics.synchronized"
EVERY = SynchronizedSpec(6, 1)
OUTPUT, GRAD = "forward.layer1.output", "backward.layer0.weight_grad"
WITNESSES = pytest.mark.parametrize("oracle", [True, False], ids=["oracle", "replays"])


def telling(lab: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A correct subject that hands out other taps than it computed."""
    stub = lab.Stub()

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        return StepResult(result.loss, change(dict(result.taps)) if taps else {})

    stub.train_step = train_step
    return stub


def with_tap(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda taps: {**taps, name: change(taps[name])}


def filled(value: float) -> Callable[[Any], Any]:
    return lambda array: np.full_like(array, value)


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda taps: {tap: array for tap, array in taps.items() if tap != name}


# --- what was compared ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finished", [0, 1, 11])
def test_unequal_numbers_of_batches(lab: Any, finished: int) -> None:
    """The candidate stops earlier than the reference; the steps that both took agree to the last bit."""
    stub, made = lab.Stub(), [0]

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        made[0] += 1
        if made[0] > finished:
            raise StopIteration
        return stub.inner.train_step(batch, taps=taps)

    stub.train_step = train_step
    outcome = lab.free_running(stub)
    assert outcome.check("numerics.free_running").outcome == "fail"
    assert outcome.check("integrity.same_batches").outcome != "pass"
    assert judge(outcome.record, named_policy("numerics")).outcome == "FAIL"


@WITNESSES
def test_a_missing_tap(lab: Any, oracle: bool) -> None:
    assert lab.synchronized(telling(lab, without(GRAD)), oracle=oracle).check(CHECK).outcome == "fail"


def test_a_tap_missing_on_both_sides(lab: Any) -> None:
    sides = [telling(lab, without(GRAD)) for _ in SIDES]
    assert lab.synchronized(*sides).check(CHECK).outcome == "inconclusive"


@WITNESSES
def test_an_extra_tap(lab: Any, oracle: bool) -> None:
    extra = telling(lab, lambda taps: {**taps, "forward.layer7.output": taps[OUTPUT]})
    assert lab.synchronized(extra, oracle=oracle).check(CHECK).outcome == "fail"


@WITNESSES
def test_an_empty_comparison(lab: Any, oracle: bool) -> None:
    """A policy that asks for nothing else, so that no other check's doubt can hide it."""
    only = replace(named_policy("numerics"), name="only this", required={CHECK: "always"})
    record = lab.synchronized(oracle=oracle).record
    assert judge(record, only).outcome == "PASS"
    empty = replace(record.synchronized, diffs=(), expected_taps=(), comparisons=0)
    assert judge(replace(record, synchronized=empty), only).outcome == "INCONCLUSIVE"


def test_sides_that_both_show_nothing(lab: Any) -> None:
    nothing = [telling(lab, lambda taps: {}) for _ in SIDES]
    assert lab.synchronized(*nothing).check(CHECK).outcome == "inconclusive"


# --- what is no number ------------------------------------------------------------------------------------------------


@WITNESSES
@pytest.mark.parametrize("tap", [OUTPUT, GRAD])
@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [
        (np.nan, np.nan, "inconclusive"),
        (np.inf, np.nan, "inconclusive"),
        (np.inf, np.inf, "inconclusive"),
        (None, np.nan, "fail"),
        (None, np.inf, "fail"),
        (None, -np.inf, "fail"),
    ],
)
def test_nan_and_inf_are_no_agreement(
    lab: Any, tap: str, reference: float | None, candidate: float, outcome: str, oracle: bool
) -> None:
    sides = {"candidate": telling(lab, with_tap(tap, filled(candidate)))}
    if reference is not None:
        sides["reference"] = telling(lab, with_tap(tap, filled(reference)))
    assert lab.synchronized(**sides, oracle=oracle).check(CHECK).outcome == outcome


# --- what looks alike -------------------------------------------------------------------------------------------------


@WITNESSES
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[::-1],
        lambda array: array[:, ::-1],
        lambda array: np.roll(array, 1),
        lambda array: np.full_like(array, array.mean()),
        lambda array: -array[::-1],
    ],
    ids=["rows reversed", "columns reversed", "rolled", "mean everywhere", "reversed and negative"],
)
def test_equal_means_are_no_agreement(lab: Any, change: Any, oracle: bool) -> None:
    assert lab.synchronized(telling(lab, with_tap(GRAD, change)), oracle=oracle).check(CHECK).outcome == "fail"


@WITNESSES
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array.T,
        lambda array: array[:1],
        lambda array: array[..., None],
        lambda array: array.reshape(-1),
        lambda array: np.float32(array.mean()),
    ],
    ids=["transposed", "one row to broadcast", "one more axis", "flat", "a scalar to broadcast"],
)
def test_another_shape_is_no_agreement(lab: Any, change: Any, oracle: bool) -> None:
    assert lab.synchronized(telling(lab, with_tap(GRAD, change)), oracle=oracle).check(CHECK).outcome == "fail"


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-8])
def test_a_tolerance_larger_than_the_signal(lab: Any, scale: float) -> None:
    """Where everything is tiny, zeros are within any absolute tolerance; here they are not within a relative one."""
    state = {name: (array * np.float32(scale)).astype(np.float32) for name, array in lab.Stub().state().items()}
    zeros = telling(lab, with_tap("forward.layer0.output", np.zeros_like))
    assert lab.synchronized(initial=state).check(CHECK).outcome == "pass"
    assert lab.synchronized(zeros, initial=state).check(CHECK).outcome == "fail"


def test_no_rounding_before_an_exact_comparison(lab: Any) -> None:
    """One element moved to the next number is not bit-equal, whatever it looks like when printed."""

    def nudge(array: Any) -> Any:
        nudged = array.copy()
        nudged.flat[3] = np.nextafter(nudged.flat[3], np.float32(np.inf))
        return nudged

    evidence = lab.synchronized(telling(lab, with_tap(GRAD, nudge))).synchronized
    for diff in evidence.diffs:
        assert (diff.stats.mismatches, diff.stats.max_ulp) == ((1, 1) if diff.tap == GRAD else (0, 0))


# --- who is who -------------------------------------------------------------------------------------------------------


MIRRORED = {
    "reference_nan": "candidate_nan",
    "reference_inf": "candidate_inf",
    "reference_error": "candidate_error",
    "reference_error_rms": "candidate_error_rms",
}
MIRRORED |= {theirs: ours for ours, theirs in MIRRORED.items()}
COMPARABLE = [name for name, variant in VARIANTS.items() if variant.harmless or variant.learning_rate_factor != 1.0]


@pytest.mark.parametrize("name", COMPARABLE)
def test_swapping_the_sides_swaps_the_statistics_and_nothing_else(lab: Any, name: str) -> None:
    """At the first step, since afterwards each order trains on from its own reference's state."""
    plan = replace(lab.plan, synchronized=SynchronizedSpec(1, 1))
    variant, plain = lab.Stub(plan, VARIANTS[name]), lab.Stub(plan)
    there = lab.synchronized(plan=plan, reference=plain, candidate=variant).synchronized
    back = lab.synchronized(plan=plan, reference=variant, candidate=plain).synchronized
    for one, other in zip(there.diffs, back.diffs, strict=True):
        assert (one.tap, one.floor_scale, one.reference_slack) == (other.tap, other.floor_scale, other.reference_slack)
        for field in dataclasses.fields(one.stats):
            if field.name != "candidate_worst_index":
                mirrored = getattr(other.stats, MIRRORED.get(field.name, field.name))
                assert getattr(one.stats, field.name) == mirrored, (one.tap, field.name)
    for one, other in zip(there.losses, back.losses, strict=True):
        assert (one.reference, one.candidate) == (other.candidate, other.reference)


@WITNESSES
@pytest.mark.parametrize("name", list(VARIANTS))
def test_no_order_of_the_sides_lets_a_fault_pass(lab: Any, name: str, oracle: bool) -> None:
    plan = replace(lab.plan, synchronized=EVERY)
    variant = VARIANTS[name]
    there = lab.synchronized(plan=plan, oracle=oracle, candidate=lab.Stub(plan, variant)).check(CHECK).outcome
    back = lab.synchronized(plan=plan, oracle=oracle, reference=lab.Stub(plan, variant)).check(CHECK).outcome
    if variant.harmless:
        assert (there, back) == ("pass", "pass")
    elif variant.caught_by == CHECK and not variant.ignored_array:
        # An array that load_state ignores is the right one where every step is compared: both sides trained it alike.
        assert there == "fail"
        assert back in ("fail", "inconclusive")


# --- how much was wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-3, 1e-5])
@pytest.mark.parametrize("bad", [0, 57, 99])
def test_one_bad_step_in_a_hundred(lab: Any, bad: int, size: float) -> None:
    """The smaller fault is beyond the limit in its own step, and far within it in the mean over the steps."""
    plan = replace(lab.plan, synchronized=SynchronizedSpec(100, 1))
    stub, made = lab.Stub(), [0]

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        made[0] += 1
        if made[0] != bad + 1:
            return result
        return StepResult(result.loss, {**result.taps, GRAD: result.taps[GRAD] * np.float32(1 + size)})

    stub.train_step = train_step
    outcome = lab.synchronized(stub, plan=plan)
    assert outcome.check(CHECK).outcome == "fail"
    assert outcome.check(CHECK).evidence["taps_over_limit"] == 1
    assert lab.synchronized(plan=plan).check(CHECK).outcome == "pass"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_perturbation_moves_every_array_in_its_own_dtype(dtype: Any) -> None:
    """An absolute 1e-9 moves no float32 near 1; whole units in the last place move any float."""
    rng = np.random.default_rng(3)
    ones = rng.uniform(1, 2, 50).astype(dtype)
    state = {"ones": ones, "zero": np.zeros(50, dtype), "small": np.full(50, 1e-7, dtype)}
    moved, share = perturb(state, rng)
    assert share == 1.0
    for name, array in state.items():
        assert moved[name].dtype == array.dtype
        assert np.count_nonzero(moved[name] != array) == array.size
    (stats,) = NumpyDiffer().compare([TapArrays(ones, moved["ones"])])
    assert stats.max_ulp is not None
    assert 1 <= stats.max_ulp <= 4


def test_a_perturbation_that_moved_nothing(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The band is then as narrow as can be, and says nothing about rounding."""
    monkeypatch.setattr("service.engine.free_running.perturb", lambda state, rng: (dict(state), 0.0))
    check = lab.free_running().check("numerics.free_running")
    assert check.outcome == "inconclusive"
    assert "moved nothing" in check.message


def test_a_perturbation_that_is_lost_as_it_is_loaded(lab: Any) -> None:
    """A reference that keeps 16 bits of what it is given: its state() moves in float32, and it trains on unmoved."""
    stub = lab.Stub()

    def shortened(array: Any) -> Any:
        return ((np.ascontiguousarray(array).view(np.int32) + (1 << 15)) & (-1 << 16)).view(np.float32)

    def load_state(state: Any) -> None:
        stub.inner.load_state({name: shortened(array) for name, array in state.items()})

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        load_state(stub.inner.state())
        return result

    stub.load_state, stub.train_step = load_state, train_step
    evidence = lab.free_running(reference=stub).free_running
    assert {member.moved_fraction for member in evidence.members} == {0.0}
