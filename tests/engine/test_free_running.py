"""The free-running phase: the band is made of real movement, and a fault in training leaves it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from service.engine.free_running import distance
from service.engine.perturbation import moved_share, perturb
from service.parity.plan import FreeRunningSpec, ModelSpec
from service.parity.record import SIDES
from service.ports import StepResult
from service.subjects.known_bad import VARIANTS
from service.subjects.variant_subject import Variant

CHECK = "numerics.free_running"
BLAME = {"reference": "inconclusive", "candidate": "fail"}

# --- perturb ----------------------------------------------------------------------------------------------------------

numbers = st.one_of(
    st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from([0.0, -0.0, 2.0**-149, -(2.0**-149), 1.0, -2.0])
)


def in_order(values: Any) -> Any:
    """float32 as integers that count representable numbers from zero."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=6), elements=numbers), st.integers(0, 99))
def test_every_element_moves_by_at_most_four_representable_numbers(array: Any, seed: int) -> None:
    state = {"weight": array}
    moved, share = perturb(state, np.random.default_rng(seed))
    assert share == 1.0
    assert moved["weight"].dtype == np.float32
    assert moved["weight"].shape == array.shape
    steps = np.abs(in_order(moved["weight"]) - in_order(array))
    assert ((steps >= 1) & (steps <= 4)).all()


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -1.0, 2.0**-149, -(2.0**-140), 2.0**-126, 1e30, 0.1])
def test_zero_negative_and_subnormal_numbers_move_both_ways(value: float) -> None:
    moved, share = perturb({"w": np.full(4000, value, np.float32)}, np.random.default_rng(0))
    difference = moved["w"].astype(float) - np.float32(value).astype(float)
    assert share == 1.0
    assert (difference > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(difference)) == 8


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept(dtype: str) -> None:
    moved, share = perturb({"w": np.ones(9, dtype)}, np.random.default_rng(0))
    assert (moved["w"].dtype, share) == (np.dtype(dtype), 1.0)


def test_the_state_itself_is_left_alone_and_draws_differ() -> None:
    state = {"a": np.ones(50, np.float32), "b": np.ones(50, np.float32)}
    rng = np.random.default_rng(0)
    first, second = perturb(state, rng)[0], perturb(state, rng)[0]
    assert all((array == 1).all() for array in state.values())
    assert not np.array_equal(first["a"], first["b"])
    assert not np.array_equal(first["a"], second["a"])
    again = perturb(state, np.random.default_rng(0))[0]
    assert np.array_equal(first["a"], again["a"])


def test_what_cannot_be_perturbed() -> None:
    state = {"steps": np.arange(3), "empty": np.zeros(0, np.float32), "flag": np.array([True])}
    moved, share = perturb(state, np.random.default_rng(0))
    assert share == 0.0, "a state without a number that could move has not moved"
    assert all(
        np.array_equal(moved[name], state[name]) and moved[name] is not state[name] for name in ("steps", "flag")
    )


def test_the_share_is_the_smallest_of_the_arrays() -> None:
    _, share = perturb({"a": np.ones(9, np.float32), "b": np.ones(9, np.float32)}, np.random.default_rng(0), ulps=1)
    assert share == 1.0
    before = {"a": np.zeros(4), "b": np.zeros(2), "steps": np.arange(3)}
    assert moved_share(before, {**before, "a": np.array([1.0, 0, 0, 0]), "b": np.ones(2)}) == 0.25


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_a_nan_weight_is_not_what_moves() -> None:
    moved, _ = perturb({"w": np.array([np.nan, 1.0], np.float32)}, np.random.default_rng(0))
    assert np.isnan(moved["w"][0])


# --- distance ---------------------------------------------------------------------------------------------------------


def test_distance() -> None:
    a, b = {"x": np.array([3.0, 0.0]), "y": np.array([[4.0]])}, {"x": np.array([3.0, 0.5]), "y": np.array([[4.0]])}
    assert distance(b, a) == pytest.approx(0.5 / 5)
    assert distance(a, a) == 0.0
    zero = {"x": np.zeros(2)}
    assert distance(zero, zero) == 0.0
    assert distance({"x": np.ones(2)}, zero) == float("inf")
    assert distance(zero, {"x": np.ones(2)}) == 1.0


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_distance_is_taken_in_float64(dtype: str) -> None:
    a, b = {"x": np.full(100_000, 200.0, dtype)}, {"x": np.full(100_000, 200.0, dtype)}
    b["x"][0] = np.nextafter(b["x"][0], np.dtype(dtype).type(999))
    expected = float(b["x"][0] - 200.0) / (200.0 * np.sqrt(100_000))
    assert distance(b, a) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_distance_of_what_is_not_finite_is_not_small(value: float) -> None:
    for pair in (
        ({"x": np.array([value])}, {"x": np.array([1.0])}),
        ({"x": np.array([1.0])}, {"x": np.array([value])}),
    ):
        with np.errstate(invalid="ignore"):
            assert not distance(*pair) <= 1e300


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({}, {"x": np.ones(2)}),
        ({"x": np.ones(2), "y": np.ones(1)}, {"x": np.ones(2)}),
        ({"x": np.ones(1)}, {"x": np.ones(2)}),
        ({"x": np.ones((2, 1))}, {"x": np.ones((1, 2))}),
    ],
)
def test_distance_of_unlike_states_is_refused(left: Any, right: Any) -> None:
    with pytest.raises(ValueError):
        distance(left, right)


# --- the phase --------------------------------------------------------------------------------------------------------


def test_equal_sides_pass(lab: Any) -> None:
    outcome = lab.free_running()
    evidence = outcome.free_running
    assert outcome.check(CHECK).outcome == "pass"
    assert (evidence.reference_steps, evidence.candidate_steps) == (12, 12)
    assert [row.step for row in evidence.losses] == list(range(12))
    assert all(row.reference == row.candidate for row in evidence.losses)
    assert evidence.weight_steps == (3, 7)
    assert evidence.candidate_weight_distances == (0.0, 0.0)
    assert len(evidence.members) == 2
    assert outcome.watcher.loss_rows == list(evidence.losses)
    assert outcome.check("integrity.same_batches").outcome == "pass"
    assert outcome.check("numerics.free_running").value == 0.0


def test_band_members_differ_from_the_reference_and_from_each_other(lab: Any) -> None:
    evidence = lab.free_running().free_running
    base = tuple(row.reference for row in evidence.losses[:8])
    first, second = evidence.members
    assert first.losses[0] == second.losses[0] == base[0]
    assert len({base[1:], first.losses[1:], second.losses[1:]}) == 3
    assert all(distance > 0 for member in evidence.members for distance in member.weight_distances)
    assert {member.moved_fraction for member in evidence.members} == {1.0}
    assert max(abs(a - b) / b for a, b in zip(first.losses, base, strict=True) if b) < 1e-4


def test_the_references_of_the_band_are_perturbed_after_every_step(lab: Any) -> None:
    """Moved at the start only, they would be too close to the reference to excuse a flipped unit (docs/parity.md)."""
    reference = lab.Stub()
    given: list[Any] = []
    held: list[Any] = []

    def load_state(state: Any) -> None:
        given.append({name: array.copy() for name, array in state.items()})
        reference.inner.load_state(state)

    def train_step(batch: Any, taps: bool = False) -> Any:
        result = reference.inner.train_step(batch, taps=taps)
        held.append(reference.inner.state())
        return result

    reference.load_state, reference.train_step = load_state, train_step
    lab.free_running(reference=reference)
    spec, window = lab.plan.free_running, lab.plan.band_window()
    trained = held[-spec.band_runs * window :]
    # A member is given the initial state, and after each of its steps a perturbed one.
    perturbed = [state for i, state in enumerate(given[1:]) if i % (window + 1)]
    assert len(perturbed) == len(trained) == spec.band_runs * window
    for before, after in zip(trained, perturbed, strict=True):
        assert all((after[name] != before[name]).all() for name in before)


def test_the_band_is_reproducible(lab: Any) -> None:
    assert lab.free_running().free_running == lab.free_running().free_running


@pytest.mark.parametrize("bottleneck", [1, 2, 3])
def test_arrays_of_one_element_are_moved_too(lab: Any, bottleneck: int) -> None:
    plan = replace(lab.plan, model=ModelSpec(16, 1, bottleneck), free_running=FreeRunningSpec(3, 12, 4))
    assert lab.free_running(plan=plan).check(CHECK).outcome == "pass"


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.harmless])
def test_another_order_of_summation_stays_within_the_band(lab: Any, name: str) -> None:
    plan = replace(lab.plan, free_running=FreeRunningSpec(6, 12, 4))
    assert lab.free_running(lab.Stub(plan, VARIANTS[name]), plan=plan).check(CHECK).outcome == "pass"


@pytest.mark.parametrize(
    "name",
    ["bad-decay-only", "bad-learning-rate", "bad-no-bias-gradient", "bad-early-update", "bad-last-sample", "bad-nan",
     "bad-exception", "bad-no-clip"],
)  # fmt: skip
def test_a_fault_leaves_the_band(lab: Any, name: str) -> None:
    plan = replace(lab.plan, training=replace(lab.plan.training, clip=0.01))
    assert lab.free_running(lab.Stub(plan, VARIANTS[name]), plan=plan).check(CHECK).outcome == "fail"


@pytest.mark.parametrize("step", [0, 5, 11])
@pytest.mark.parametrize("side", SIDES)
def test_nan_loss_at_one_step(lab: Any, side: str, step: int) -> None:
    stub, seen = lab.Stub(), []
    original = stub.train_step

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = original(batch, taps)
        seen.append(1)
        return StepResult(float("nan")) if len(seen) == step + 1 else result

    stub.train_step = train_step
    result = lab.free_running(**{side: stub}).check(CHECK)
    assert result.outcome == BLAME[side]
    assert f"step {step}" in result.message


@pytest.mark.parametrize("method", ["load_state", "state", "train_step"])
@pytest.mark.parametrize("at", [0, 2, 13])
@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_raises(lab: Any, side: str, method: str, at: int) -> None:
    stub, calls = lab.Stub(), []
    original = getattr(stub, method)

    def fails(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > at:
            raise ZeroDivisionError("planted")
        return original(*args, **kwargs)

    setattr(stub, method, fails)
    outcome = lab.free_running(**{side: stub})
    if len(calls) <= at:
        assert outcome.check(CHECK).outcome == "pass"
        return
    assert outcome.free_running.troubles[0].side == side
    assert outcome.check(CHECK).outcome == BLAME[side]
    assert len(outcome.free_running.losses) == min(outcome.free_running.candidate_steps, 12)


def test_rows_seen_before_the_trouble_reach_the_observer(lab: Any) -> None:
    outcome = lab.free_running(lab.Stub(variant=Variant("raises", "", raise_at_step=5)))
    assert [row.step for row in outcome.watcher.loss_rows] == [0, 1, 2, 3, 4]
    assert (outcome.free_running.reference_steps, outcome.free_running.candidate_steps) == (8, 5)
    assert outcome.check(CHECK).outcome == "fail"
    assert outcome.check("integrity.same_batches").outcome != "pass"


@pytest.mark.parametrize("spoil", ["nan", "shape", "name", "missing"])
def test_weights_that_cannot_be_compared(lab: Any, spoil: str) -> None:
    stub, calls = lab.Stub(), []
    original = stub.state

    def state() -> Any:
        found = original()
        calls.append(1)
        if len(calls) == 1:
            return found
        if spoil == "nan":
            found["bias_0"][0] = np.nan
        elif spoil == "shape":
            found["weight_0"] = found["weight_0"].T
        elif spoil == "name":
            found["other"] = found.pop("bias_0")
        else:
            del found["bias_0"]
        return found

    stub.state = state
    with np.errstate(invalid="ignore"):
        assert lab.free_running(stub).check(CHECK).outcome == "fail"


def test_starting_from_another_state(lab: Any) -> None:
    stub = lab.Stub(replace(lab.plan, seed=99))
    stub.load_state = lambda state: None
    assert "did not start from" in lab.free_running(stub).check(CHECK).message
