"""The legacy model on NumPy: facts of its construction, and its fixed training step against a float64 oracle."""

import gc
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from legacy.gpu_text_autoencoder import GPUTextAutoencoder

F32 = np.float32


def model(*sizes: int, **options) -> GPUTextAutoencoder:
    options = {"seed": 1, "device": "cpu", "max_batch_size": 64, **options}
    return GPUTextAutoencoder(*(sizes or (12, 2, 4)), **options)


def batch(rows: int = 5, features: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, features)).astype(F32)


def oracle(weights, biases, x, y, alpha):
    """The output, the gradients of all weights and biases, in float64, for the output gradient 2 (y - t) / B."""
    weights = [w.astype(np.float64) for w in weights]
    inputs, current = [], x.astype(np.float64)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        inputs.append(current)
        current = current @ w + b
        if i < len(weights) - 1:
            current = np.where(current > 0, current, alpha * current)
    g = 2 * (current - y) / len(x)
    weight_grads, bias_grads = [], []
    for i in reversed(range(len(weights))):
        weight_grads.insert(0, inputs[i].T @ g)
        bias_grads.insert(0, g.sum(axis=0))
        g = (g @ weights[i].T) * np.where(inputs[i] > 0, 1.0, alpha)
    return current, weight_grads, bias_grads


@pytest.mark.parametrize(
    ("parameters", "sizes"),
    [
        ((512, 2, 128), [512, 320, 128, 320, 512]),
        ((1024, 3, 256), [1024, 768, 512, 256, 512, 768, 1024]),
        ((512, 2, 1024), [512, 1024, 512]),
        ((2048, 3, 512), [2048, 1536, 1024, 512, 1024, 1536, 2048]),
        ((512, 3, 128), [512, 384, 256, 128, 256, 384, 512]),
        # the reduction is rounded up: 512 - 77 five times
        ((512, 5, 128), [512, 435, 358, 281, 204, 128, 204, 281, 358, 435, 512]),
        ((512, 1, 128), [512, 128, 512]),
        ((512, 2, 512), [512, 512, 512]),
        # ceil(-1 / 2) is 0: the size never falls below the bottleneck, the first one is already it
        ((7, 2, 8), [7, 8, 7]),
    ],
)
def test_layer_sizes(parameters: tuple[int, int, int], sizes: list[int]) -> None:
    made = model(*parameters, max_batch_size=1)
    assert made.layer_sizes == sizes
    assert made._count_parameters() == sum((i + 1) * o for i, o in pairwise(sizes))


def test_xavier_bounds_and_layout() -> None:
    made = model(512, 2, 128, max_batch_size=1)
    layers = zip(made.weights_gpu, made.biases_gpu, pairwise(made.layer_sizes), strict=True)
    for w, b, (fan_in, fan_out) in layers:
        limit = np.sqrt(6 / (fan_in + fan_out))
        assert w.shape == (fan_in, fan_out)
        assert w.dtype == F32
        assert w.flags.c_contiguous
        assert abs(w).max() <= limit * (1 + 1e-6)
        assert abs(w).max() > 0.999 * limit
        assert abs(w.mean()) < 0.01 * limit
        assert b.shape == (fan_out,)
        assert not b.any()


def test_seed_draws_as_the_legacy_generator_and_none_uses_the_global_one() -> None:
    state = np.random.get_state()
    try:
        np.random.seed(9)
        drawn = model(seed=None)
    finally:
        np.random.set_state(state)
    limit = np.sqrt(6 / (12 + 8))
    expected = np.random.RandomState(9).uniform(-limit, limit, (12, 8)).astype(F32)
    for made in (drawn, model(seed=9)):
        np.testing.assert_array_equal(made.weights_gpu[0], expected)


def test_buffers_are_allocated_for_every_layer_size() -> None:
    made = GPUTextAutoencoder(12, 2, 4, seed=0, device="cpu")
    assert made.max_batch_size == 4096
    for buffers, sizes in (
        (made.layer_inputs, made.layer_sizes),
        (made.gradients, made.layer_sizes),
        (made.layer_outputs, made.layer_sizes[1:]),
    ):
        assert [buffer.shape for buffer in buffers] == [(4096, size) for size in sizes]
        assert {buffer.dtype for buffer in buffers} == {np.dtype(F32)}


def test_forward_is_the_formula_and_a_view_that_the_next_call_overwrites() -> None:
    made, x = model(alpha=0.1), batch()
    output = made.forward_gpu(x)
    assert np.shares_memory(output, made.layer_outputs[-1])
    expected, _, _ = oracle(made.weights_gpu, made.biases_gpu, x, x, 0.1)
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    before = output.copy()
    made.forward_gpu(x + 1)
    assert (output != before).all()


def test_alpha_is_honoured_forward_and_backward() -> None:
    x = batch()
    small, large = model(alpha=0.01), model(alpha=0.5)
    for made, alpha in ((small, 0.01), (large, 0.5)):
        output, weight_grads, _ = oracle(made.weights_gpu, made.biases_gpu, x, x, alpha)
        np.testing.assert_allclose(made.forward_gpu(x), output, rtol=1e-4, atol=1e-5)
        made.backward_gpu_safe(x, x, 0.1)
        np.testing.assert_allclose(made.weight_gradients[0], weight_grads[0], rtol=1e-4, atol=1e-5)
    assert abs(small.forward_gpu(x) - large.forward_gpu(x)).max() > 0.01


def test_oracle_agrees_with_central_differences() -> None:
    """The gradients that the model is tested against are those of features * mse, by finite differences in float64."""
    made, x, y = model(), batch(), batch(seed=1)
    weights = [w.astype(np.float64) for w in made.weights_gpu]
    biases = [np.random.default_rng(5).normal(size=b.shape) for b in made.biases_gpu]

    def scaled_loss() -> float:
        output, _, _ = oracle(weights, biases, x, y, 0.01)
        return float(((output - y) ** 2).sum() / len(x))

    _, weight_grads, bias_grads = oracle(weights, biases, x, y, 0.01)
    step = 1e-6
    for arrays, gradients in ((weights, weight_grads), (biases, bias_grads)):
        for array, gradient in zip(arrays, gradients, strict=True):
            for index in [tuple(i // 2 for i in array.shape), tuple(0 for _ in array.shape)]:
                kept = array[index]
                array[index] = kept + step
                above = scaled_loss()
                array[index] = kept - step
                below = scaled_loss()
                array[index] = kept
                assert (above - below) / (2 * step) == pytest.approx(gradient[index], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("method", ["backward_gpu", "backward_gpu_safe"])
@pytest.mark.parametrize("parameters", [(12, 2, 4), (9, 4, 3), (6, 2, 11)])
def test_step_gradients_clip_and_update(method: str, parameters: tuple[int, int, int]) -> None:
    made = model(*parameters, alpha=0.1)
    x, y = batch(7, parameters[0]), batch(7, parameters[0], seed=1)
    made.biases_gpu[0][:] = 0.1
    weights, biases = made.get_weights_cpu()
    _, weight_grads, bias_grads = oracle(weights, biases, x, y, 0.1)
    limit = 0.3
    getattr(made, method)(x, y, 0.05, grad_clip_norm=limit)
    assert any(abs(g).max() > limit for g in weight_grads)
    for i in range(len(weights)):
        # raw: the clip must not show in the gradients that are handed out
        np.testing.assert_allclose(made.weight_gradients[i], weight_grads[i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(made.bias_gradients[i], bias_grads[i], rtol=1e-4, atol=1e-5)
        for new, old, gradient in (
            (made.weights_gpu[i], weights[i], weight_grads[i]),
            (made.biases_gpu[i], biases[i], bias_grads[i]),
        ):
            np.testing.assert_allclose(new, old - 0.05 * np.clip(gradient, -limit, limit), rtol=1e-5, atol=1e-6)


def test_activation_gradients_are_taken_after_the_derivative() -> None:
    made, x, y = model(alpha=0.1), batch(), batch(seed=1)
    weights, _ = made.get_weights_cpu()
    made.backward_gpu_safe(x, y, 0.5)
    last = len(weights)
    g = 2 * (made.layer_outputs[-1][:5].astype(float) - y) / 5
    np.testing.assert_allclose(made.gradients[last][:5], g, rtol=1e-5, atol=1e-6)
    for i in reversed(range(1, last)):
        # the weights before the update: a propagation through the updated ones would be off by lr 0.5
        g = (g @ weights[i].T.astype(float)) * np.where(made.layer_inputs[i][:5] > 0, 1.0, 0.1)
        np.testing.assert_allclose(made.gradients[i][:5], g, rtol=1e-4, atol=1e-5)


def test_clip_is_by_value_and_not_by_norm() -> None:
    made, x, y = model(), batch(), batch(seed=1)
    before, _ = made.get_weights_cpu()
    made.backward_gpu_safe(x, y, 1.0, 1e-3)
    largest = abs(made.weights_gpu[0] - before[0]).max()
    assert largest == pytest.approx(1e-3, rel=1e-3)
    assert np.linalg.norm(made.weights_gpu[0] - before[0]) > 2e-3


def test_loss_and_what_the_train_methods_return() -> None:
    x, y = batch(), batch(seed=1)
    made, twin = model(), model()
    loss = made.train_batch_gpu(x, y, 0.05)
    twin.backward_gpu_safe(x, y, 0.05)
    output = twin.forward_gpu(x)
    assert loss == pytest.approx(float(((output.astype(float) - y) ** 2).mean()), rel=1e-5)
    assert made.train_batch_gpu_efficient(x, 0.05) == twin.train_batch_gpu_only(x, 0.05)
    np.testing.assert_array_equal(made.weights_gpu[0], twin.weights_gpu[0])
    predicted = made.predict_gpu(x)
    np.testing.assert_array_equal(predicted, twin.forward_gpu(x))
    assert not any(np.shares_memory(predicted, buffer) for buffer in made.layer_outputs)


def test_loss_leaves_the_taps_alone() -> None:
    made, x = model(), batch()
    made.backward_gpu_safe(x, x, 0.05)
    arrays = (*made.layer_outputs, *made.gradients[1:], *made.weight_gradients, *made.bias_gradients)
    before = [array.copy() for array in arrays]
    made.mse_loss_gpu(made.layer_outputs[-1][:5], x)
    for array, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_training_learns_and_outputs_vary_and_do_not_collapse_to_zero() -> None:
    made, x = model(), batch(32) * F32(0.3)
    first = made.train_batch_gpu_only(x, 0.05)
    for _ in range(800):
        last = made.train_batch_gpu_only(x, 0.05)
    assert last < 0.65 * first
    assert made.predict_gpu(x).std(axis=0).mean() > 0.5 * x.std(axis=0).mean()


def test_steady_state_step_allocates_no_array() -> None:
    made = model(256, 2, 64, max_batch_size=64)
    x = batch(64, 256)

    def steps(count: int) -> None:
        for _ in range(count):
            made.backward_gpu_safe(x, x, 0.01)
            made.mse_loss_gpu(made.layer_outputs[-1][:64], x)

    tracemalloc.start()
    try:
        steps(3)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        steps(5)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The smallest whole array of a step, 64 x 160 float32, is 40 KiB and the largest weight 160 KiB; the twins' pieces
    # of 64 KiB, two at most at a time, are the only arrays made and are let go at once.
    assert peak - before < 140_000
    assert after - before < 10_000


@pytest.mark.parametrize("call", ["forward_gpu", "train_batch_gpu_only", "train_batch_gpu_efficient", "predict_gpu"])
def test_batch_too_large_names_both_numbers(call: str) -> None:
    made = model(max_batch_size=8)
    arguments = (0.1,) if call.startswith("train") else ()
    with pytest.raises(ValueError, match=r"batch of 9 samples.* 8:"):
        getattr(made, call)(batch(9), *arguments)
    getattr(made, call)(batch(8), *arguments)


def test_smaller_batch_after_a_larger_one_sees_no_old_rows() -> None:
    used, fresh = model(), model()
    state = used.get_weights_cpu()
    used.backward_gpu_safe(batch(64, seed=3), batch(64, seed=4), 0.1)
    used.set_weights_cpu(*state)
    for made in (used, fresh):
        made.backward_gpu_safe(batch(3), batch(3), 0.1)
    for left, right in zip(used.weights_gpu, fresh.weights_gpu, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 11), F32), r"shape \(batch, 12\)"),
        (np.zeros(12, F32), r"shape \(batch, 12\)"),
        (np.zeros((2, 12)), "float64"),
        (np.zeros((0, 12), F32), "empty"),
    ],
)
def test_wrong_batches(x: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model().forward_gpu(x)


def test_input_and_target_must_match() -> None:
    with pytest.raises(ValueError, match="target"):
        model().backward_gpu_safe(batch(3), batch(4), 0.1)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99", "CPU", ""])
def test_wrong_device(device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        model(device=device)


@pytest.mark.parametrize("options", [{"alpha": -0.1}, {"alpha": 1.1}, {"alpha": float("nan")}, {"max_batch_size": 0}])
def test_wrong_construction(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        model(**options)
    with pytest.raises(ValueError, match="bottleneck_size"):
        model(12, 2, 0)


def test_set_weights_refuses_another_shape_and_changes_nothing() -> None:
    made, other = model(), model(12, 2, 5)
    before, _ = made.get_weights_cpu()
    with pytest.raises(ValueError, match="shapes"):
        made.set_weights_cpu(*other.get_weights_cpu())
    np.testing.assert_array_equal(made.weights_gpu[0], before[0])


def test_cleanup_keeps_the_weights_and_ends_the_computing(tmp_path: Path) -> None:
    made = model()
    made.cleanup_gpu_memory()
    with pytest.raises(RuntimeError, match="cleanup_gpu_memory"):
        made.forward_gpu(batch())
    made.save_checkpoint(tmp_path / "m.npz", 0.0, 1)
