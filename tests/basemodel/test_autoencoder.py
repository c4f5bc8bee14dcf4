"""The first rung: the wrapper is the legacy model, bit for bit, and speaks BaseModel."""

import dataclasses
from types import MappingProxyType

import numpy as np
import pytest

from basemodel.autoencoder import REQUIRED_KERNELS, GpuTextAutoencoder
from basemodel.base import BaseModel, OptimizerState
from kernels.manager import KernelManager
from legacy.gpu_text_autoencoder import GPUTextAutoencoder

F32 = np.float32
OPTIONS = {"seed": 1, "device": "cpu", "max_batch_size": 16}


def model(*sizes: int, **options) -> GpuTextAutoencoder:
    return GpuTextAutoencoder(*(sizes or (12, 2, 4)), **{**OPTIONS, **options})


def batch(rows: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 12)).astype(F32)


def test_bit_equal_to_legacy_over_20_steps() -> None:
    made, reference = model(alpha=0.1), GPUTextAutoencoder(12, 2, 4, 0.1, **OPTIONS)
    for step in range(20):
        x, y = batch(16 - step % 3, seed=step), batch(16 - step % 3, seed=100 + step)
        loss = made.train_step(x, y, 0.05, 0.5)
        reference.backward_gpu_safe(x, y, 0.05, 0.5)
        assert loss == reference.mse_loss_gpu(reference.layer_outputs[-1][: len(x)], y)
        taps = made.taps()
        for i in range(4):
            np.testing.assert_array_equal(taps[f"forward.layer{i}.output"], reference.layer_outputs[i][: len(x)])
            np.testing.assert_array_equal(
                taps[f"backward.layer{i}.activation_grad"], reference.gradients[i + 1][: len(x)]
            )
            np.testing.assert_array_equal(taps[f"backward.layer{i}.weight_grad"], reference.weight_gradients[i])
            np.testing.assert_array_equal(taps[f"backward.layer{i}.bias_grad"], reference.bias_gradients[i])
            np.testing.assert_array_equal(taps[f"update.layer{i}.weight"], reference.weights_gpu[i])
            np.testing.assert_array_equal(taps[f"update.layer{i}.bias"], reference.biases_gpu[i])
    np.testing.assert_array_equal(made.forward(batch()), reference.forward_gpu(batch()))


def test_taps_are_in_dataflow_order_and_have_their_shapes() -> None:
    made = model(12, 1, 4)
    made.train_step(batch(3), batch(3), 0.1)
    assert {name: array.shape for name, array in made.taps().items()} == {
        "forward.layer0.output": (3, 4),
        "forward.layer1.output": (3, 12),
        "backward.layer1.activation_grad": (3, 12),
        "backward.layer1.weight_grad": (4, 12),
        "backward.layer1.bias_grad": (12,),
        "backward.layer0.activation_grad": (3, 4),
        "backward.layer0.weight_grad": (12, 4),
        "backward.layer0.bias_grad": (4,),
        "update.layer0.weight": (12, 4),
        "update.layer0.bias": (4,),
        "update.layer1.weight": (4, 12),
        "update.layer1.bias": (12,),
    }
    assert list(made.taps()) == [
        *(f"forward.layer{i}.output" for i in (0, 1)),
        *(f"backward.layer{i}.{kind}" for i in (1, 0) for kind in ("activation_grad", "weight_grad", "bias_grad")),
        *(f"update.layer{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")),
    ]


def test_taps_without_a_whole_step_are_refused() -> None:
    made, x = model(), batch()
    with pytest.raises(RuntimeError, match="train_step"):
        made.taps()
    for overwrite in (lambda: made.forward(x), lambda: made.load_state(made.state()), made.close):
        if overwrite != made.close:
            made.train_step(x, x, 0.1)
            made.taps()
        overwrite()
        with pytest.raises(RuntimeError, match="train_step"):
            made.taps()


def test_loss_is_that_before_the_update() -> None:
    made, x = model(), batch()
    before = made.loss(made.forward(x), x)
    assert made.train_step(x, x, 0.1) == before
    assert made.loss(made.forward(x), x) < before


def test_state_is_a_copy_and_round_trips() -> None:
    made, other = model(), model(seed=2)
    state = made.state()
    assert list(state) == [f"{kind}_{i}" for i in range(4) for kind in ("weight", "bias")]
    assert {array.dtype for array in state.values()} == {np.dtype(F32)}
    other.load_state(state)
    np.testing.assert_array_equal(made.forward(batch()), other.forward(batch()))
    state["weight_0"][:] = 7
    assert not (made.state()["weight_0"] == 7).any()
    assert not (other.state()["weight_0"] == 7).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_1": None}, r"missing \['weight_1'\], not known \[\]"),
        ({"momentum_0": np.zeros(1, F32)}, r"missing \[\], not known \['momentum_0'\]"),
        ({"bias_3": np.zeros(5, F32)}, r"bias_3 is float32 of shape \(5,\), this model has float32 of shape \(12,\)"),
        ({"weight_2": np.zeros((4, 8))}, r"weight_2 is float64 of shape \(4, 8\)"),
        ({"bias_0": [0.0] * 8}, r"bias_0 is list of shape \(8,\)"),
    ],
)
def test_load_state_refuses_and_changes_nothing(change: dict[str, object], message: str) -> None:
    made = model()
    before = made.state()
    changed = {name: value for name, value in {**model(seed=2).state(), **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        made.load_state(changed)
    for name, array in made.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_missing_kernels_are_refused() -> None:
    whole = KernelManager().get_optimized_kernels("rtx5090")
    assert model(kernels=whole).kernels is whole
    fewer = {name: f for name, f in whole.functions.items() if name not in ("gpu_reduce_sum", "gpu_add_bias")}
    with pytest.raises(ValueError, match="'rtx5090' lacks gpu_add_bias, gpu_reduce_sum"):
        model(kernels=dataclasses.replace(whole, functions=MappingProxyType(fewer)))


def test_required_kernels_are_those_that_a_step_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    import legacy.matrix_kernels as mk

    launched: set[str] = set()
    original = mk.Kernel._launch

    def spy(self, grid, block, arguments) -> None:
        launched.add(self.name)
        original(self, grid, block, arguments)

    monkeypatch.setattr(mk.Kernel, "_launch", spy)
    made = model()
    made.train_step(batch(), batch(), 0.1)
    assert launched == {name for name in REQUIRED_KERNELS if name.startswith("gpu_")} == launched
    assert made.required_kernels() == REQUIRED_KERNELS


def test_optimizer_state_is_plain_sgd() -> None:
    made = model()
    assert made.get_optimizer_state() == OptimizerState("sgd")
    made.train_step(batch(), batch(), 0.1, 0.5)
    assert made.get_optimizer_state() == OptimizerState("sgd", {"learning_rate": 0.1, "grad_clip_norm": 0.5}, {})


def test_batch_too_large_names_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"17 samples.* 16:"):
        model().train_step(batch(17), batch(17), 0.1)


def test_base_model_is_abstract() -> None:
    assert BaseModel.__abstractmethods__ == {
        "backward", "forward", "get_optimizer_state", "load_state", "loss", "required_kernels", "state", "taps"
    }  # fmt: skip
    with pytest.raises(TypeError, match="abstract"):
        BaseModel()  # type: ignore[abstract]
