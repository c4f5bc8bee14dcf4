"""The oracle port: right against finite differences, conditioned on a subject's signs, and strict about flips."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.subjects import oracle as module
from service.subjects.oracle import UNIT_ROUNDOFF, Float64Oracle

Floats = NDArray[np.float64]
PLAN = Plan(
    model=ModelSpec(vector_length=12, hidden_layers=2, bottleneck=5, alpha=0.2),
    training=TrainingSpec(batch_size=6, learning_rate=0.1, clip=0.05),
    device="cpu",
)
SIZES = PLAN.layer_sizes()
LAYERS = len(SIZES) - 1
PARAMETERS = [f"{part}_{i}" for i in range(LAYERS) for part in ("weight", "bias")]


def draw_state(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    state: dict[str, NDArray[np.float32]] = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(SIZES)):
        state[f"weight_{i}"] = (0.5 * rng.standard_normal((fan_in, fan_out))).astype(np.float32)
        state[f"bias_{i}"] = (0.1 * rng.standard_normal(fan_out)).astype(np.float32)
    return state


def draw_batch(seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((PLAN.training.batch_size, SIZES[0])).astype(np.float32)


def forward(state: Any, batch: Any) -> list[Floats]:
    """Outputs of each layer in float64."""
    outputs, x = [], np.asarray(batch, dtype=np.float64)
    for i in range(LAYERS):
        z = x @ np.asarray(state[f"weight_{i}"], dtype=np.float64) + np.asarray(state[f"bias_{i}"], dtype=np.float64)
        if i < LAYERS - 1:
            z = np.where(z > 0, z, PLAN.model.alpha * z)
        outputs.append(z)
        x = z
    return outputs


def objective(state: Any, batch: Any) -> float:
    """What the gradient descends: the sum of squares over the batch size (LEGACY: not divided by the features)."""
    difference = forward(state, batch)[-1] - batch.astype(np.float64)
    return float((difference**2).sum() / len(batch))


def own_taps(state: Any, batch: Any) -> dict[str, Floats]:
    return {f"forward.layer{i}.output": output for i, output in enumerate(forward(state, batch))}


def central_differences(state: Any, batch: Any, name: str) -> Floats:
    exact = {key: value.astype(np.float64) for key, value in state.items()}
    gradient, h = np.empty(state[name].shape), 1e-6
    for at in np.ndindex(*gradient.shape):
        sides = []
        for sign in (1, -1):
            moved = {**exact, name: exact[name].copy()}
            moved[name][at] += sign * h
            sides.append(objective(moved, batch))
        gradient[at] = (sides[0] - sides[1]) / (2 * h)
    return gradient


def tap_of(name: str) -> str:
    part, layer = name.split("_")
    return f"backward.layer{layer}.{part}_grad"


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_against_central_differences(name: str) -> None:
    state, batch = draw_state(), draw_batch()
    taps = Float64Oracle(PLAN).step(state, batch).taps(own_taps(state, batch))
    np.testing.assert_allclose(taps[tap_of(name)], central_differences(state, batch, name), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_conditioned_on_other_signs(name: str) -> None:
    """The derivative that belongs to a subject's signs is that of the linear pieces that it was on."""
    state, batch = draw_state(), draw_batch()
    taps = own_taps(state, batch)
    for tap in list(taps)[:-1]:
        taps[tap] = taps[tap].copy()
        taps[tap][2, :3] *= -1
    slopes = [np.where(taps[f"forward.layer{i}.output"] > 0, 1.0, PLAN.model.alpha) for i in range(LAYERS - 1)]
    conditioned = Float64Oracle(PLAN).step(state, batch).taps(taps)

    # Backward by hand: true outputs, the subject's slopes.
    outputs = forward(state, batch)
    inputs = [batch.astype(np.float64), *outputs[:-1]]
    grad = 2 * (outputs[-1] - inputs[0]) / len(batch)
    for i in reversed(range(LAYERS)):
        expected = inputs[i].T @ grad if name.startswith("weight") else grad.sum(axis=0)
        if name.endswith(str(i)):
            np.testing.assert_allclose(conditioned[tap_of(name)], expected, rtol=1e-12)
        if i:
            grad = (grad @ state[f"weight_{i}"].astype(np.float64).T) * slopes[i - 1]
    unconditioned = Float64Oracle(PLAN).step(state, batch).taps(own_taps(state, batch))
    changed = not np.allclose(conditioned[tap_of(name)], unconditioned[tap_of(name)], rtol=1e-9)
    assert changed == (int(name[-1]) < LAYERS - 1)


def test_forward_and_loss_do_not_depend_on_the_signs() -> None:
    state, batch = draw_state(), draw_batch()
    step = Float64Oracle(PLAN).step(state, batch)
    right, flipped = own_taps(state, batch), {k: -v for k, v in own_taps(state, batch).items()}
    one, other = step.taps(right), step.taps(flipped)
    for tap in one:
        if tap.startswith(("forward.", "loss.")):
            np.testing.assert_array_equal(one[tap], other[tap])
    for i, output in enumerate(forward(state, batch)):
        np.testing.assert_allclose(one[f"forward.layer{i}.output"], output, rtol=1e-14, atol=1e-15)
    assert one["loss.value"] == pytest.approx(objective(state, batch) / SIZES[0], rel=1e-14)


def test_each_subject_gets_its_own_backward_and_equal_signs_share_one() -> None:
    state, batch = draw_state(), draw_batch()
    step, right = Float64Oracle(PLAN).step(state, batch), own_taps(state, batch)
    flipped = {**right, "forward.layer0.output": -right["forward.layer0.output"]}
    first, second = step.taps(right), step.taps(flipped)
    assert step.taps({k: v * 2 for k, v in right.items()}) is first
    assert step.taps(flipped) is second
    assert first is not second


def test_update_is_clipped_sgd() -> None:
    state, batch = draw_state(), draw_batch()
    taps = Float64Oracle(PLAN).step(state, batch).taps(own_taps(state, batch))
    clipped = False
    for name in PARAMETERS:
        part, layer = name.split("_")
        gradient = taps[tap_of(name)]
        clipped |= bool((np.abs(gradient) > PLAN.training.clip).any())
        expected = state[name].astype(np.float64) - 0.1 * np.clip(gradient, -0.05, 0.05)
        np.testing.assert_allclose(taps[f"update.layer{layer}.{part}"], expected, rtol=1e-15)
    assert clipped


def test_names_shapes_and_order() -> None:
    oracle = Float64Oracle(PLAN)
    state, batch = draw_state(), draw_batch()
    taps = oracle.step(state, batch).taps(own_taps(state, batch))
    names, shapes = oracle.tap_names(), oracle.tap_shapes(len(batch))
    assert set(names) == set(taps) == set(shapes)
    assert len(set(names)) == len(names)
    assert {name: np.shape(tap) for name, tap in taps.items()} == dict(shapes)
    assert all(np.asarray(tap).dtype == np.float64 for tap in taps.values())
    order = {name: i for i, name in enumerate(names)}
    assert order["forward.layer0.output"] < order["forward.layer1.output"] < order["loss.value"]
    assert order["loss.value"] < order[f"backward.layer{LAYERS - 1}.activation_grad"]
    assert order["backward.layer1.weight_grad"] < order["backward.layer0.weight_grad"] < order["update.layer0.weight"]
    assert oracle.sign_taps() == tuple(f"forward.layer{i}.output" for i in range(LAYERS - 1))


class TestFloors:
    """How wide the rounding floor under a tap is: a floor too wide hides a fault, one too narrow makes one up."""

    def scales(self, plan: Plan = PLAN) -> dict[str, float]:
        oracle = Float64Oracle(plan)
        step = oracle.step(draw_state(), draw_batch())
        return {tap: step.floor_scale(tap) for tap in oracle.tap_names()}

    def test_forward_taps_have_their_own_scale_and_the_loss_that_of_its_sum(self) -> None:
        scales = self.scales()
        assert {scales[f"forward.layer{i}.output"] for i in range(LAYERS)} == {1.0}
        assert scales["loss.value"] == math.sqrt(6 * 12)

    def test_a_gradient_rounds_with_what_cancels_in_it(self) -> None:
        """Outputs that all but equal their targets leave a gradient of little but rounding."""
        state, oracle = draw_state(), Float64Oracle(PLAN)
        batch = draw_batch()
        far = oracle.step(state, batch).floor_scale("backward.layer1.activation_grad")
        last = LAYERS - 1
        state[f"weight_{last}"] = np.zeros_like(state[f"weight_{last}"])
        state[f"bias_{last}"] = np.full_like(state[f"bias_{last}"], 0.5)
        near = oracle.step(state, np.full_like(batch, 0.5 + 1e-6)).floor_scale(f"backward.layer{last}.activation_grad")
        assert far < 10
        assert near > 1e5

    def test_a_tight_clip_makes_the_gradients_rounding_the_update_s(self) -> None:
        """The update is as small as the clip, and where the clip lets a gradient through it rounds as that does."""
        state = {name: np.zeros_like(a) if "bias" in name else a for name, a in draw_state().items()}
        batch = draw_batch()
        taps = Float64Oracle(PLAN).step(state, batch).taps(own_taps(state, batch))
        smallest = float(np.abs(taps["backward.layer0.bias_grad"]).min())

        def scale(clip: float) -> float:
            plan = replace(PLAN, training=replace(PLAN.training, clip=clip))
            return Float64Oracle(plan).step(state, batch).floor_scale("update.layer0.bias")

        assert scale(1.01 * smallest) > scale(1e6)
        assert scale(0.99 * smallest) == 1.0

    def test_scales_and_slacks_do_not_depend_on_who_asked_first(self) -> None:
        state, batch, oracle = draw_state(), draw_batch(), Float64Oracle(PLAN)
        taps = own_taps(state, batch)
        flipped = {**taps, "forward.layer0.output": -taps["forward.layer0.output"]}
        asked, other = oracle.step(state, batch), oracle.step(state, batch)
        asked.taps(flipped)
        for tap in oracle.tap_names():
            assert asked.floor_scale(tap) == other.floor_scale(tap)
            assert asked.reference_slack(tap) == other.reference_slack(tap)

    def test_no_floor_is_narrower_than_half_a_unit_in_the_last_place(self) -> None:
        oracle = Float64Oracle(PLAN)
        step = oracle.step(draw_state(), draw_batch())
        for tap in oracle.tap_names():
            assert 1.0 <= step.floor_scale(tap) < math.inf
            assert 1.0 <= step.reference_slack(tap) <= math.sqrt(max(*SIZES, PLAN.training.batch_size))


def test_neither_state_nor_batch_is_changed() -> None:
    state, batch = draw_state(), draw_batch()
    kept, kept_batch = {k: v.copy() for k, v in state.items()}, batch.copy()
    step = Float64Oracle(PLAN).step(state, batch)
    step.taps(own_taps(state, batch))
    step.sign_flips(own_taps(state, batch))
    np.testing.assert_array_equal(batch, kept_batch)
    for name, array in kept.items():
        np.testing.assert_array_equal(state[name], array)


def test_no_taps_no_answer() -> None:
    state, batch = draw_state(), draw_batch()
    with pytest.raises(KeyError):
        Float64Oracle(PLAN).step(state, batch).taps({})


# --- flips ------------------------------------------------------------------------------------------------------------


def excesses(state: Any, batch: Any, taps: Any) -> dict[str, tuple[int, int, float | None]]:
    found = Float64Oracle(PLAN).step(state, batch).sign_flips(taps)
    return {tap: (elements, flips, excess) for tap, elements, flips, excess in found}


def test_no_flip() -> None:
    state, batch = draw_state(), draw_batch()
    found = excesses(state, batch, own_taps(state, batch))
    assert list(found) == [f"forward.layer{i}.output" for i in range(LAYERS - 1)]
    for i in range(LAYERS - 1):
        assert found[f"forward.layer{i}.output"] == (6 * SIZES[i + 1], 0, None)


def near_zero(state: Any, batch: Any, times: float) -> dict[str, NDArray[np.float32]]:
    """The state in which unit (0, 0) of layer 0 lies about `times` its rounding bound above zero."""
    weight, x = state["weight_0"][:, 0].astype(np.float64), batch[0].astype(np.float64)
    magnitude = np.abs(x) @ np.abs(weight)
    bound = UNIT_ROUNDOFF * math.sqrt(SIZES[0]) * 2 * magnitude
    changed = {**state, "weight_0": state["weight_0"].astype(np.float64), "bias_0": state["bias_0"].astype(np.float64)}
    changed["bias_0"][0] = times * bound - x @ weight
    return changed


def flip_one(state: Any, batch: Any) -> dict[str, Floats]:
    taps = own_taps(state, batch)
    taps["forward.layer0.output"][0, 0] *= -1
    return taps


@pytest.mark.parametrize(("times", "excusable"), [(0.1, True), (1.0, True), (30.0, False), (1e4, False)])
def test_only_a_flip_near_zero_is_excusable(times: float, excusable: bool) -> None:
    state, batch = draw_state(), draw_batch()
    near = near_zero(state, batch, times)
    elements, flips, excess = excesses(near, batch, flip_one(near, batch))["forward.layer0.output"]
    assert (elements, flips) == (6 * SIZES[1], 1)
    assert excess is not None
    assert (excess <= 8.0) == excusable
    weight, x = near["weight_0"][:, 0], batch[0].astype(np.float64)
    magnitude = np.abs(x) @ np.abs(weight) + abs(near["bias_0"][0])
    z = x @ weight + near["bias_0"][0]
    assert excess == pytest.approx(abs(z) / (2.0**-24 * math.sqrt(SIZES[0]) * magnitude), rel=1e-9)


def test_the_worst_flip_counts_not_the_first_or_the_mean() -> None:
    state, batch = draw_state(), draw_batch()
    near = near_zero(state, batch, 0.1)
    taps = flip_one(near, batch)
    taps["forward.layer0.output"][3, 2] *= -1
    _, flips, excess = excesses(near, batch, taps)["forward.layer0.output"]
    x = batch[3].astype(np.float64)
    z = x @ near["weight_0"][:, 2] + near["bias_0"][2]
    magnitude = np.abs(x) @ np.abs(near["weight_0"][:, 2]) + abs(near["bias_0"][2])
    assert flips == 2
    assert excess == pytest.approx(abs(z) / (2.0**-24 * math.sqrt(SIZES[0]) * magnitude), rel=1e-9)
    assert excess > 1e3


@pytest.mark.parametrize("limit", [0, 7, 10_000])
def test_many_flips_take_the_other_path_to_the_same_number(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    state, batch = draw_state(), draw_batch()
    flipped = {k: -v for k, v in own_taps(state, batch).items()}
    expected = excesses(state, batch, flipped)
    monkeypatch.setattr(module, "_GATHER_LIMIT", limit)
    for tap, (elements, flips, excess) in excesses(state, batch, flipped).items():
        assert (elements, flips) == (expected[tap][0], elements)
        assert excess == pytest.approx(expected[tap][2], rel=1e-12)


@pytest.mark.parametrize("limit", [0, 10_000])
@pytest.mark.parametrize("also", [False, True])
def test_a_sum_of_zeros_excuses_no_sign_and_hides_none(monkeypatch: pytest.MonkeyPatch, also: bool, limit: int) -> None:
    """Unit 0 is dead: its pre-activation is exactly zero in any order of summation."""
    monkeypatch.setattr(module, "_GATHER_LIMIT", limit)
    state, batch = draw_state(), draw_batch()
    state["weight_0"][:, 0] = 0
    state["bias_0"][0] = 0
    taps = own_taps(state, batch)
    assert excesses(state, batch, taps)["forward.layer0.output"][1:] == (0, None)
    taps["forward.layer0.output"][0, 0] = 1e-30
    if also:
        taps["forward.layer0.output"][1, 1] *= -1
    assert excesses(state, batch, taps)["forward.layer0.output"][1:] == (1 + also, math.inf)


def test_nan_is_not_a_sign() -> None:
    state, batch = draw_state(), draw_batch()
    taps = {k: np.full_like(v, np.nan) for k, v in own_taps(state, batch).items()}
    step = Float64Oracle(PLAN).step(state, batch)
    for tap, elements, flips, excess in step.sign_flips(taps):
        positive = int((own_taps(state, batch)[tap] > 0).sum())
        assert 0 < flips == positive < elements
        assert excess is not None
        assert excess > 8
    assert all(np.isfinite(tap).all() for tap in step.taps(taps).values())


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_in_the_state_comes_out() -> None:
    state, batch = draw_state(), draw_batch()
    state["weight_1"][0, 0] = np.nan
    taps = Float64Oracle(PLAN).step(state, batch).taps(own_taps(state, batch))
    assert np.isnan(taps["loss.value"])
