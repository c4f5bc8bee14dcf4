"""On a real GPU: each CUDA kernel against its NumPy twin, the model on both devices, and the memory pool at rest."""

from functools import partial

import numpy as np
import pytest

from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.rungs import RUNGS
from legacy import matrix_kernels as mk
from legacy.gpu_text_autoencoder import GPUTextAutoencoder

cupy = pytest.importorskip("cupy")

pytestmark = pytest.mark.gpu

F32 = np.float32


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(F32)


def on_both(launch, *arrays: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays after `launch(*arrays)` with NumPy and with CuPy: pairs (twin, kernel)."""
    host = [array.copy() for array in arrays]
    device = [cupy.asarray(array) for array in arrays]
    assert launch(*host) == launch(*device)
    return [(h, d.get()) for h, d in zip(host, device, strict=True)]


# operation and scalar of the kernels in which nothing can be fused: they must agree with the twin bit for bit
OPERATIONS = [
    ("add", None),
    ("multiply", None),
    ("activate", 0.3),
    ("copy", None),
    ("decay", 0.25),
    ("mse_loss", None),
    ("activate_backward", 0.3),
    ("mse_gradient", 7.0),
    ("clip", 0.5),
]


@pytest.mark.parametrize(("operation", "scalar"), OPERATIONS)
@pytest.mark.parametrize("shape", [(1,), (511,), (513,), (37, 29), (317, 331), (1, 100_001)])
def test_elementwise_kernel_against_twin(operation: str, scalar: float | None, shape: tuple[int, ...]) -> None:
    a, b, c = draw(*shape), draw(*shape, seed=1), draw(*shape, seed=2)
    pairs = on_both(lambda a, b, c: mk.launch_elementwise_rtx5090(a, b, c, operation, scalar=scalar), a, b, c)
    for twin, kernel in pairs:
        np.testing.assert_array_equal(twin, kernel)


@pytest.mark.parametrize("shape", [(1,), (513,), (317, 331)])
def test_update_kernel_against_twin(shape: tuple[int, ...]) -> None:
    gradient, weights = draw(*shape), draw(*shape, seed=1)
    _, (twin, kernel) = on_both(
        lambda g, w: mk.launch_elementwise_rtx5090(g, None, w, "update", scalar=0.1), gradient, weights
    )
    # The kernel fuses: the rounding of the product is missing, half a unit in the last place of 0.1 * gradient.
    assert (abs(twin - kernel) <= np.spacing(abs(weights) + abs(F32(0.1) * gradient))).all()


@pytest.mark.parametrize("name", ["gpu_leaky_relu_forward", "gpu_elementwise_activate"])
def test_both_names_of_the_activation(name: str) -> None:
    def launch(x, out):
        mk.KERNELS[name][3, 512](x, out, 0.1)

    for twin, kernel in on_both(launch, draw(1500), draw(1500, seed=1)):
        np.testing.assert_array_equal(twin, kernel)


@pytest.mark.parametrize("shape", [(1, 1), (33, 17), (65, 130), (1000, 3)])
def test_add_bias_against_twin(shape: tuple[int, int]) -> None:
    arrays = draw(*shape), draw(shape[1], seed=1), np.zeros(shape, F32)
    for twin, kernel in on_both(lambda a, b, c: mk.launch_elementwise_rtx5090(a, b, c, "add_bias"), *arrays):
        np.testing.assert_array_equal(twin, kernel)


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (33, 17, 65), (64, 320, 512), (1025, 1023, 7), (3, 5, 2049)])
@pytest.mark.parametrize("transposed", ["", "A", "B", "AB"])
def test_matrix_multiply_against_twin(m: int, n: int, k: int, transposed: str) -> None:
    a = draw(k, m) if "A" in transposed else draw(m, k)
    b = draw(n, k, seed=1) if "B" in transposed else draw(k, n, seed=1)

    def launch(a, b, c):
        return mk.launch_matrix_multiply_rtx5090(a.T if "A" in transposed else a, b.T if "B" in transposed else b, c)

    *_, (twin, kernel) = on_both(launch, a, b, np.zeros((m, n), F32))
    left, right = (a.T if "A" in transposed else a), (b.T if "B" in transposed else b)
    # The usual forward bound of a dot product, K * 2^-24 * |A| @ |B|, for each side.
    bound = 2 * (k + 1) * 2.0**-24 * (abs(left).astype(float) @ abs(right))
    assert (abs(twin.astype(float) - kernel) <= bound).all()


@pytest.mark.parametrize("size", [1, 511, 512, 513, 99_999, 100_001, 400_000])
def test_reduce_against_twin(size: int) -> None:
    a = abs(draw(size))
    *_, (twin, kernel) = on_both(mk.launch_reduce_rtx5090, a, np.zeros(1, F32))
    assert kernel[0] == pytest.approx(float(a.astype(float).sum()), rel=1e-5)
    assert twin[0] == pytest.approx(kernel[0], rel=1e-5)


def test_kernel_and_twin_leave_the_same_elements_untouched() -> None:
    def elementwise(a, out):
        mk.gpu_copy_array[2, 100](a, out)

    def matrix(a, out):
        mk.gpu_matrix_multiply[(2, 1), (16, 16)](a, a, out)

    for launch, shape in ((elementwise, (17, 20)), (matrix, (40, 40))):
        _, (twin, kernel) = on_both(launch, draw(*shape), np.full(shape, 7, F32))
        np.testing.assert_array_equal(twin == 7, kernel == 7)
        assert (kernel == 7).any()


@pytest.mark.parametrize("operation", ["clip", "activate", "update", "mse_gradient", "activate_backward"])
def test_nan_comes_through(operation: str) -> None:
    a, c = cupy.full(3, np.nan, F32), cupy.ones(3, F32)
    mk.launch_elementwise_rtx5090(a, c.copy(), c, operation, scalar=0.5)
    assert bool(cupy.isnan(c).all())


def test_mixed_devices_are_refused() -> None:
    with pytest.raises(TypeError, match="host and device"):
        mk.launch_elementwise_rtx5090(cupy.ones(3, F32), None, np.ones(3, F32), "copy")


def test_denormals_are_flushed_on_the_device_and_kept_by_the_twin(record_property) -> None:
    """CuPy compiles with -ftz=true. Recorded, and asserted, so that a change of CuPy's habit is seen."""
    tiny = np.full(3, 1e-40, F32)
    *_, (twin, kernel) = on_both(
        lambda a, b, c: mk.launch_elementwise_rtx5090(a, b, c, "multiply"), tiny, np.ones(3, F32), np.ones(3, F32)
    )
    record_property("denormal_times_one_on_device", float(kernel[0]))
    assert twin[0] == tiny[0]
    assert kernel[0] == 0.0
    assert "-ftz=true" in mk.COMPILE_OPTIONS


def models(kind, **options):
    return [kind(96, 2, 24, 0.1, seed=3, device=device, max_batch_size=64, **options) for device in ("cuda:0", "cpu")]


def test_one_training_step_is_close_to_the_cpu() -> None:
    x, y = draw(50, 96), draw(50, 96, seed=1)
    gpu, cpu = models(GpuTextAutoencoder)
    gpu_loss = gpu.train_step(cupy.asarray(x), cupy.asarray(y), 0.05, 0.5)
    assert gpu_loss == pytest.approx(cpu.train_step(x, y, 0.05, 0.5), rel=1e-5)
    expected = cpu.taps()
    for name, array in gpu.taps().items():
        scale = abs(expected[name]).max()
        assert abs(array.get() - expected[name]).max() <= 1e-4 * scale, name


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_is_bit_equal_to_legacy(rung: str) -> None:
    made, reference = models(partial(GpuTextAutoencoder, rung=rung))[0], models(GPUTextAutoencoder)[0]
    for step in range(20):
        x = cupy.asarray(draw(64 - step % 5, 96, seed=step))
        made.train_step(x, x, 0.05, 0.5)
        reference.backward_gpu_safe(x, x, 0.05, 0.5)
    for i, (weight, bias) in enumerate(zip(reference.weights_gpu, reference.biases_gpu, strict=True)):
        np.testing.assert_array_equal(made.state()[f"weight_{i}"], weight.get())
        np.testing.assert_array_equal(made.state()[f"bias_{i}"], bias.get())
    np.testing.assert_array_equal(made.predict(draw(9, 96)), reference.predict_gpu(draw(9, 96)))


def test_steady_state_takes_nothing_from_the_pool() -> None:
    made = models(GPUTextAutoencoder)[0]
    x = cupy.asarray(draw(64, 96))
    allocated: list[int] = []

    class Hook(cupy.cuda.MemoryHook):
        name = "count"

        def malloc_preprocess(self, **details) -> None:
            allocated.append(details["mem_size"])

    for _ in range(3):
        made.train_batch_gpu_only(x, 0.05)
    pool = cupy.get_default_memory_pool()
    used, total = pool.used_bytes(), pool.total_bytes()
    with Hook():
        for _ in range(10):
            made.train_batch_gpu_only(x, 0.05)
            made.train_batch_gpu_efficient(np.ones((64, 96), F32), 0.05)
    assert allocated == []
    assert (pool.used_bytes(), pool.total_bytes()) == (used, total)


def test_host_batches_and_checkpoint_round_trip(tmp_path) -> None:
    x = draw(50, 96)
    gpu, cpu = models(GPUTextAutoencoder)
    assert gpu.train_batch_gpu(x, x, 0.05) == pytest.approx(cpu.train_batch_gpu(x, x, 0.05), rel=1e-4)
    gpu.save_checkpoint(tmp_path / "c.npz", 0.5, 1)
    cpu.load_checkpoint(tmp_path / "c.npz")
    np.testing.assert_array_equal(gpu.get_weights_cpu()[0][0], cpu.weights_gpu[0])
    np.testing.assert_allclose(gpu.predict_gpu(x), cpu.predict_gpu(x), rtol=1e-3, atol=1e-5)
