"""ImageAutoencoder: the gradients are right, the kernels are the set's, and the contract of BaseModel holds."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from basemodel import image_autoencoder
from basemodel.base import BaseModel, OptimizerState
from basemodel.image_autoencoder import REQUIRED_KERNELS, ImageAutoencoder
from kernels.manager import KernelManager
from kernels.rtx5090 import matrix_kernels

F32 = np.float32


def model(side: int = 2, hidden: tuple[int, ...] = (7, 5), **options: Any) -> ImageAutoencoder:
    return ImageAutoencoder(side, hidden, **{"alpha": 0.1, "seed": 1, "max_batch_size": 16, **options})


def batch(rows: int = 5, seed: int = 0, length: int = 12) -> np.ndarray:
    made = np.random.default_rng(seed).random((rows, length)).astype(F32)
    made.setflags(write=False)
    return made


def loss64(state: dict[str, np.ndarray], x: np.ndarray, alpha: float) -> float:
    """B * sum of squares / B of the output: what the gradient 2 (y - t) / B is the derivative of, times one."""
    current, layers = x.astype(np.float64), len(state) // 2
    for i in range(layers):
        current = current @ state[f"weight_{i}"] + state[f"bias_{i}"]
        if i < layers - 1:
            current = np.where(current > 0, current, alpha * current)
    return float(((current - x) ** 2).sum() / len(x))


def test_it_is_a_base_model_and_knows_no_legacy_code() -> None:
    assert isinstance(model(), BaseModel)
    imported = {
        name
        for node in ast.walk(ast.parse(inspect.getsource(image_autoencoder)))
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)])
        if name and isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not {name for name in imported if name.startswith(("legacy", "basemodel.autoencoder", "service"))}


def test_gradients_are_those_of_the_loss() -> None:
    made, x = model(), batch()
    state = {name: array.astype(np.float64) for name, array in made.state().items()}
    made.train_step(x, x, 0.1)
    taps, eps = made.taps(), 1e-6
    for name, array in state.items():
        kind, layer = name.split("_")
        expected = np.empty_like(array)
        for at in itertools.product(*map(range, array.shape)):
            sides = []
            for sign in (1, -1):
                moved = array.copy()
                moved[at] += sign * eps
                sides.append(loss64({**state, name: moved}, x, 0.1))
            expected[at] = (sides[0] - sides[1]) / (2 * eps)
        np.testing.assert_allclose(taps[f"backward.layer{layer}.{kind}_grad"], expected, rtol=1e-4, atol=1e-5)


def test_update_is_sgd_with_clipping_by_value() -> None:
    made, x = model(), batch()
    before = made.state()
    made.train_step(x, x, 0.5, 0.02)
    taps, after = made.taps(), made.state()
    clipped = 0
    for name, array in before.items():
        kind, layer = name.split("_")
        gradient = taps[f"backward.layer{layer}.{kind}_grad"]
        clipped += int((np.abs(gradient) > 0.02).sum())
        np.testing.assert_array_equal(after[name], array - np.clip(gradient, F32(-0.02), F32(0.02)) * F32(0.5))
        np.testing.assert_array_equal(after[name], taps[f"update.layer{layer}.{kind}"])
    assert clipped


def test_loss_is_of_the_output_before_the_update() -> None:
    made, x = model(), batch()
    output = np.array(made.forward(x))
    loss = made.train_step(x, x, 0.1)
    assert loss == pytest.approx(float(((output.astype(np.float64) - x) ** 2).mean()), rel=1e-6)
    assert made.loss(made.forward(x), x) < loss


def test_forward_is_the_layers_and_changes_nothing() -> None:
    made, x = model(), batch(3)
    state = made.state()
    current = x
    for i in range(3):
        current = current @ state[f"weight_{i}"] + state[f"bias_{i}"]
        if i < 2:
            current = np.maximum(F32(0.1) * current, current)
    np.testing.assert_allclose(made.forward(x), current, rtol=1e-5, atol=1e-6)
    for name, array in made.state().items():
        np.testing.assert_array_equal(array, state[name])


def test_names_order_and_shapes_of_taps() -> None:
    made = model(hidden=(4,))
    made.train_step(batch(3), batch(3), 0.1)
    assert [(name, array.shape) for name, array in made.taps().items()] == [
        ("forward.layer0.output", (3, 4)),
        ("forward.layer1.output", (3, 12)),
        ("backward.layer1.activation_grad", (3, 12)),
        ("backward.layer1.weight_grad", (4, 12)),
        ("backward.layer1.bias_grad", (12,)),
        ("backward.layer0.activation_grad", (3, 4)),
        ("backward.layer0.weight_grad", (12, 4)),
        ("backward.layer0.bias_grad", (4,)),
        ("update.layer0.weight", (12, 4)),
        ("update.layer0.bias", (4,)),
        ("update.layer1.weight", (4, 12)),
        ("update.layer1.bias", (12,)),
    ]


def test_taps_without_a_whole_step_are_refused() -> None:
    made, x = model(), batch()
    for overwrite in (lambda: None, lambda: made.forward(x), lambda: made.load_state(made.state()), made.close):
        overwrite()
        with pytest.raises(RuntimeError, match="train_step"):
            made.taps()
        if overwrite != made.close:
            made.train_step(x, x, 0.1)
            made.taps()


def test_state_is_a_copy_and_round_trips() -> None:
    made, other = model(), model(seed=2)
    state = made.state()
    assert list(state) == [f"{kind}_{i}" for i in range(3) for kind in ("weight", "bias")]
    assert {array.dtype for array in state.values()} == {np.dtype(F32)}
    other.load_state(state)
    np.testing.assert_array_equal(made.forward(batch()), other.forward(batch()))
    for array in state.values():
        array[...] = 7
    assert not any((array == 7).any() for m in (made, other) for array in m.state().values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_1": None}, "the state has"),
        ({"momentum_0": np.zeros(1, F32)}, "momentum_0"),
        ({"bias_2": np.zeros(5, F32)}, r"bias_2 is float32 of shape \(5,\), this model has float32 of shape \(12,\)"),
        ({"weight_2": np.zeros((5, 12))}, r"weight_2 is float64 of shape \(5, 12\)"),
        ({"bias_0": [0.0] * 7}, r"bias_0 is list of shape \(7,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    made = model()
    before = made.state()
    changed = {name: array for name, array in {**model(seed=2).state(), **change}.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        made.load_state(changed)
    for name, array in made.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (batch(17), "a batch of 17, the buffers hold 1 to 16"),
        (batch(0), "a batch of 0"),
        (batch(length=13), r"of shape \(batch, 12\)"),
        (batch().astype(np.float64), "float64"),
        (batch()[0], r"got float32 of \(12,\)"),
    ],
)
def test_batches_that_do_not_fit(x: np.ndarray, message: str) -> None:
    made = model()
    for call in (lambda: made.forward(x), lambda: made.train_step(x, x, 0.1), lambda: made.train_step(batch(), x, 0.1)):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="y"):
        made.train_step(batch(5), batch(4), 0.1)
    with pytest.raises(ValueError, match="y"):
        made.loss(batch(5), batch(4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 0}, "side must be"),
        ({"hidden": (4, 0)}, "a width must be"),
        ({"hidden": ()}, "needs a hidden layer"),
        ({"alpha": 1.5}, "alpha from 0 to 1"),
        ({"max_batch_size": 0}, "max_batch_size must be"),
    ],
)
def test_sizes_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**arguments)


def test_kernels_are_those_of_the_set_that_was_given() -> None:
    whole = KernelManager().get_optimized_kernels("rtx5090")
    calls: list[str] = []

    def noting(name: str) -> Any:
        def launch(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return whole.functions[name](*arguments, **options)

        return launch

    noted = {
        name: noting(name) if name.startswith("launch_") else function for name, function in whole.functions.items()
    }
    made = model(kernels=dataclasses.replace(whole, functions=MappingProxyType(noted)))
    made.train_step(batch(), batch(), 0.1)
    assert set(calls) == {name for name in REQUIRED_KERNELS if name.startswith("launch_")}
    fewer = {name: f for name, f in whole.functions.items() if name not in ("gpu_reduce_sum", "gpu_add_bias")}
    with pytest.raises(ValueError, match="'rtx5090' lacks gpu_add_bias, gpu_reduce_sum"):
        model(kernels=dataclasses.replace(whole, functions=MappingProxyType(fewer)))


def test_required_kernels_are_those_that_a_step_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: set[str] = set()
    original = matrix_kernels.Kernel._launch

    def spy(self: Any, grid: Any, block: Any, arguments: Any) -> None:
        launched.add(self.name)
        original(self, grid, block, arguments)

    monkeypatch.setattr(matrix_kernels.Kernel, "_launch", spy)
    made = model()
    made.train_step(batch(), batch(), 0.1)
    assert launched == {name for name in made.required_kernels() if name.startswith("gpu_")}


def test_a_seed_decides_the_weights() -> None:
    assert model().state()["weight_0"].tobytes() == model().state()["weight_0"].tobytes()
    assert model().state()["weight_0"].tobytes() != model(seed=2).state()["weight_0"].tobytes()
    limit = (6 / 19) ** 0.5
    assert 0.5 * limit < np.abs(model().state()["weight_0"]).max() <= limit


def test_optimizer_state_is_plain_sgd() -> None:
    made = model()
    assert made.get_optimizer_state() == OptimizerState("sgd")
    made.train_step(batch(), batch(), 0.1, 0.5)
    assert made.get_optimizer_state() == OptimizerState("sgd", {"learning_rate": 0.1, "grad_clip_norm": 0.5}, {})


def test_closed_it_computes_no_more_and_still_has_its_state() -> None:
    made = model()
    before = made.state()
    made.close()
    made.close()
    with pytest.raises(RuntimeError, match="close"):
        made.forward(batch())
    np.testing.assert_array_equal(made.state()["weight_0"], before["weight_0"])
