"""The table of parts: whatever is mixed, the selected functions run and no others, and every bit is legacy's."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.own_parts import OWN
from basemodel.parts import Parts, assemble
from basemodel.rungs import EVERY_METHOD, METHODS, RUNGS, Selection, methods_of, with_required, without
from kernels.manager import KernelManager
from legacy.gpu_text_autoencoder import GPUTextAutoencoder

F32 = np.float32
SIZES = (12, 2, 4)
OPTIONS: dict[str, Any] = {"alpha": 0.1, "seed": 1, "device": "cpu", "max_batch_size": 16}

SELECTIONS: dict[str, Selection] = {
    **{f"rung {rung}": methods_of(rung) for rung in RUNGS},
    **{f"only {name}": with_required([name]) for name in METHODS},
    **{f"all but {name}": without(EVERY_METHOD, [name]) for name in METHODS},
}
every_selection = pytest.mark.parametrize("methods", SELECTIONS.values(), ids=list(SELECTIONS))


def model(methods: Selection, own: Parts = OWN, **options: Any) -> GpuTextAutoencoder:
    return GpuTextAutoencoder(*SIZES, **{**OPTIONS, **options}, methods=methods, own=own)


def batch(rows: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 12)).astype(F32)


def assert_same_arrays(ours: dict[str, Any], legacy: GPUTextAutoencoder, rows: int) -> None:
    for i in range(len(legacy.weights_gpu)):
        for tap, theirs in (
            (f"forward.layer{i}.output", legacy.layer_outputs[i][:rows]),
            (f"backward.layer{i}.activation_grad", legacy.gradients[i + 1][:rows]),
            (f"backward.layer{i}.weight_grad", legacy.weight_gradients[i]),
            (f"backward.layer{i}.bias_grad", legacy.bias_gradients[i]),
            (f"update.layer{i}.weight", legacy.weights_gpu[i]),
            (f"update.layer{i}.bias", legacy.biases_gpu[i]),
        ):
            assert ours[tap].tobytes() == theirs.tobytes(), tap


@every_selection
def test_bit_equal_to_legacy_over_20_steps(methods: Selection) -> None:
    made, legacy = model(methods), GPUTextAutoencoder(*SIZES, **OPTIONS)
    assert (made.layer_sizes, made.device) == (tuple(legacy.layer_sizes), legacy.device)
    assert made.parameter_count() == legacy._count_parameters()
    for step in range(20):
        x, y = batch(16 - step % 3, seed=step), batch(16 - step % 3, seed=100 + step)
        loss = made.train_step(x, y, 0.05, 0.5)
        legacy.backward_gpu_safe(x, y, 0.05, 0.5)
        assert loss == legacy.mse_loss_gpu(legacy.layer_outputs[-1][: len(x)], y)
        assert_same_arrays(made.taps(), legacy, len(x))
    assert made.forward(batch()).tobytes() == legacy.forward_gpu(batch()).tobytes()
    assert made.predict(batch(3)).tobytes() == legacy.predict_gpu(batch(3)).tobytes()
    weights, biases = legacy.get_weights_cpu()
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        assert made.state()[f"weight_{i}"].tobytes() == weight.tobytes()
        assert made.state()[f"bias_{i}"].tobytes() == bias.tobytes()


@every_selection
def test_checkpoints_cross_load_with_legacy(methods: Selection, tmp_path: Path) -> None:
    made, legacy = model(methods), GPUTextAutoencoder(*SIZES, **{**OPTIONS, "seed": 2})
    made.train_step(batch(), batch(), 0.1)
    for suffix in (".npz", ".safetensors"):
        made.save_checkpoint(tmp_path / f"ours{suffix}", 0.1, 3, {"rate": 0.1})
    found = legacy.load_checkpoint(tmp_path / "ours.npz")
    assert (found.loss, found.epoch, found.parameters) == (0.1, 3, {"rate": 0.1})
    assert legacy.predict_gpu(batch()).tobytes() == made.predict(batch()).tobytes()

    legacy.backward_gpu_safe(batch(), batch(), 0.1)
    legacy.save_checkpoint(tmp_path / "theirs.npz", 0.2, 4, {"note": "ä"})
    theirs = made.load_checkpoint(tmp_path / "theirs.npz")
    assert (theirs.loss, theirs.epoch, theirs.parameters, theirs.unread) == (0.2, 4, {"note": "ä"}, "")
    assert made.predict(batch()).tobytes() == legacy.predict_gpu(batch()).tobytes()
    with pytest.raises(RuntimeError, match="train_step"):
        made.taps()

    legacy.load_checkpoint(tmp_path / "ours.npz")
    assert made.load_checkpoint(tmp_path / "ours.safetensors").parameters == {"rate": 0.1}
    assert made.predict(batch()).tobytes() == legacy.predict_gpu(batch()).tobytes()


@every_selection
def test_what_does_not_fit_is_refused(methods: Selection, tmp_path: Path) -> None:
    made = model(methods)
    before = made.state()
    GpuTextAutoencoder(12, 1, 4, **OPTIONS).save_checkpoint(tmp_path / "other.npz", 0.1, 1, {})
    with pytest.raises(ValueError, match=r"other\.npz: this model has weights and biases of shapes"):
        made.load_checkpoint(tmp_path / "other.npz")
    for refused, message in (
        (lambda: made.train_step(batch(17), batch(17), 0.1), r"17 samples.* 16:"),
        (lambda: made.predict(batch()[:0]), "input is empty"),
        (lambda: made.forward(batch().astype(np.float64)), "must be float32 of shape"),
        (lambda: made.train_step(batch(5), batch(4), 0.1), r"input has shape \(5, 12\), target \(4, 12\)"),
        (lambda: made.loss(batch(5), batch(4)), r"output has shape \(5, 12\), target \(4, 12\)"),
        (lambda: model(methods, alpha=1.5), "alpha must be from 0 to 1, got 1.5"),
        (lambda: model(methods, max_batch_size=0), "max_batch_size must be at least 1, got 0"),
        (lambda: model(methods, device="gpu"), "unknown device 'gpu'"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    assert all(array.tobytes() == before[name].tobytes() for name, array in made.state().items())


@every_selection
def test_a_closed_model_keeps_its_weights_and_nothing_else(methods: Selection) -> None:
    made = model(methods)
    made.train_step(batch(), batch(), 0.1)
    buffers = [weakref.ref(array.base) for name, array in made.taps().items() if "output" in name]
    assert all(buffer() is not None for buffer in buffers)
    made.close()
    made.close()
    assert all(buffer() is None for buffer in buffers)
    assert made.state().keys() == model(methods).state().keys()
    with pytest.raises(RuntimeError, match=r"was called: this model has no buffers"):
        made.forward(batch())


@every_selection
def test_a_model_is_gone_when_nobody_holds_it(methods: Selection) -> None:
    made = model(methods)
    made.train_step(batch(), batch(), 0.1)
    buffer = weakref.ref(made.taps()["forward.layer0.output"].base)
    gc.disable()
    try:
        del made
        assert buffer() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("rung", RUNGS)
def test_without_a_seed_weights_come_from_the_global_generator(rung: str) -> None:
    np.random.seed(7)
    made = model(methods_of(rung), seed=None)
    np.random.seed(7)
    legacy = GPUTextAutoencoder(*SIZES, **{**OPTIONS, "seed": None})
    assert made.state()["weight_3"].tobytes() == legacy.get_weights_cpu()[0][3].tobytes()


@pytest.mark.parametrize("sizes", [(512, 2, 128), (1024, 3, 256), (10, 4, 3), (6, 2, 9), (5, 1, 5), (7, 9, 1)])
def test_layer_sizes_are_legacys(sizes: tuple[int, int, int]) -> None:
    options = {**OPTIONS, "max_batch_size": 1}
    made = GpuTextAutoencoder(*sizes, **options, methods=with_required(["layer_sizes"]))
    assert made.layer_sizes == tuple(GPUTextAutoencoder(*sizes, **options).layer_sizes)


def everything(methods: Selection, own: Parts, folder: Path) -> None:
    """Uses every method of the ladder."""
    made = model(methods, own)
    made.train_step(batch(), batch(), 0.1)
    made.predict(batch())
    made.parameter_count()
    made.save_checkpoint(folder / "m.npz", 0.1, 1, {})
    made.load_checkpoint(folder / "m.npz")
    made.close()


def noting(name: str, function: Callable[..., Any], called: list[str]) -> Callable[..., Any]:
    def noted(*arguments: Any, **keywords: Any) -> Any:
        called.append(name)
        return function(*arguments, **keywords)

    return noted


@every_selection
def test_the_selected_functions_run_and_no_others(methods: Selection, tmp_path: Path) -> None:
    called: list[str] = []
    own = replace(OWN, **{name: noting(name, getattr(OWN, name), called) for name in METHODS})
    everything(methods, own, tmp_path)
    assert set(called) == methods


def test_a_legacy_method_calls_the_selected_one() -> None:
    """The forward pass inside legacy's backward is BaseModel's own where that is selected, and is not run twice."""
    for methods, calls in ((with_required(["forward"]), 1), (methods_of("backward"), 1), (methods_of("wrapper"), 0)):
        called: list[str] = []
        made = model(methods, replace(OWN, forward=noting("forward", OWN.forward, called)))
        made.train_step(batch(), batch(), 0.1)
        assert called == ["forward"] * calls


def test_only_the_top_rung_launches_from_the_given_set() -> None:
    whole = KernelManager().get_optimized_kernels("rtx5090")
    for rung in RUNGS:
        called: list[str] = []
        noted = {name: noting(name, function, called) for name, function in whole.functions.items()}
        made = model(methods_of(rung), kernels=replace(whole, functions=MappingProxyType(noted)))
        made.train_step(batch(), batch(), 0.1)
        launches = ("launch_matrix_multiply_rtx5090", "launch_elementwise_rtx5090", "launch_reduce_rtx5090")
        counts = [called.count(name) for name in launches]
        assert counts == ([4 + 4 * 2 + 3, 4 * 2 + 3 + 1 + 3 + 8 * 2 + 1, 1] if rung == "kernels" else [0, 0, 0])


@settings(max_examples=25, deadline=None)
@given(st.frozensets(st.sampled_from(sorted(EVERY_METHOD - {"kernels"}))))
def test_any_selection_is_bit_equal(methods: Selection) -> None:
    made, legacy = model(methods), GPUTextAutoencoder(*SIZES, **OPTIONS)
    for step in range(3):
        made.train_step(batch(seed=step), batch(seed=9), 0.05, 0.5)
        legacy.backward_gpu_safe(batch(seed=step), batch(seed=9), 0.05, 0.5)
        assert_same_arrays(made.taps(), legacy, 5)


def test_a_selection_that_cannot_run_makes_no_model() -> None:
    with pytest.raises(ValueError, match="own kernels needs"):
        model(frozenset({"kernels"}))
    with pytest.raises(ValueError, match="no rung 'roof'"):
        GpuTextAutoencoder(*SIZES, **OPTIONS, rung="roof")
    with pytest.raises(ValueError, match="no method 'roof'"):
        assemble(frozenset({"roof"}), OWN)


def test_a_source_names_the_function_that_runs() -> None:
    legacy = "legacy.gpu_text_autoencoder.GPUTextAutoencoder"
    for rung, forward, update in (
        ("wrapper", f"{legacy}.forward_gpu (rung wrapper)", f"{legacy}._clip_and_update (rung wrapper)"),
        ("forward", "basemodel.own_parts.forward (rung forward)", f"{legacy}._clip_and_update (rung wrapper)"),
        ("kernels", "basemodel.own_parts.forward (rung forward)", "basemodel.own_parts.update (rung backward)"),
    ):
        made = model(methods_of(rung))
        assert (made.source("forward"), made.source("update")) == (forward, update)
