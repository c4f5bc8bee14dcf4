"""The kernels' NumPy twins, the launch geometry, and what the launchers refuse."""

import logging

import numpy as np
import pytest

from legacy import matrix_kernels as mk

F32 = np.float32


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(F32)


@pytest.mark.parametrize(
    ("shape", "block", "grid"),
    [
        ((4096, 2048), (32, 16), (128, 128)),
        ((1024, 512), (32, 16), (32, 32)),
        # 32 * 20 = 640 blocks of 512 are fewer than 680: the smaller blocks are taken.
        ((1024, 320), (16, 16), (64, 20)),
        ((1, 512), (16, 16), (1, 32)),
        ((33, 17), (16, 16), (3, 2)),
        # exactly 680 blocks stay at 512 threads
        ((32 * 34, 16 * 20), (32, 16), (34, 20)),
    ],
)
def test_matrix_geometry(shape: tuple[int, int], block: tuple[int, int], grid: tuple[int, int]) -> None:
    rows, columns = shape
    a, b, c = np.ones((rows, 1), F32), np.ones((1, columns), F32), np.zeros(shape, F32)
    launch = mk.launch_matrix_multiply_rtx5090(a, b, c)
    assert (launch.block, launch.grid) == (block, grid)
    assert launch.utilization == min(grid[0] * grid[1] / 170, 1.0)
    assert (c == 1).all()


@pytest.mark.parametrize(
    ("size", "blocks"), [(1, 1), (512, 1), (513, 2), (100_000, 196), (100_001, 680), (680 * 512 + 1, 681)]
)
def test_elementwise_geometry(size: int, blocks: int) -> None:
    launch = mk.get_rtx5090_config(size)
    assert launch == mk.Launch((blocks,), (512,), min(blocks / 170, 1.0))
    a, c = np.ones(size, F32), np.zeros(size, F32)
    assert mk.launch_elementwise_rtx5090(a, None, c, "copy") == launch
    assert (c == 1).all()


def test_bias_geometry_is_two_dimensional_with_rows_on_x() -> None:
    a, bias, c = draw(65, 33), draw(33, seed=1), np.zeros((65, 33), F32)
    launch = mk.launch_elementwise_rtx5090(a, bias, c, "add_bias")
    assert (launch.grid, launch.block) == ((3, 3), (32, 16))
    np.testing.assert_array_equal(c, a + bias)


@pytest.mark.parametrize(
    ("blocks", "warns"), [(135, True), (136, False), (170, False), ((10, 13), True), (5000, False)]
)
def test_utilization_warns_below_80_percent(blocks: int, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        value = mk.validate_rtx5090_utilization(blocks, 512)
    total = blocks if isinstance(blocks, int) else blocks[0] * blocks[1]
    assert value == min(total / 170, 1.0)
    assert bool(caplog.records) is warns


def test_launch_numbers_are_logged_at_debug_level_and_not_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        mk.launch_elementwise_rtx5090(draw(4), None, draw(4), "copy")
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert capsys.readouterr() == ("", "")


# name, arguments after (grid, block) built from a (5, 7) pair, index of the written array, expected value
ELEMENTWISE = [
    ("gpu_leaky_relu_forward", lambda a, b, c: (a, c, 0.3), lambda a, b, c: np.maximum(F32(0.3) * a, a)),
    ("gpu_elementwise_activate", lambda a, b, c: (a, c, 0.3), lambda a, b, c: np.maximum(F32(0.3) * a, a)),
    ("gpu_leaky_relu_backward", lambda a, b, c: (a, b, c, 0.3), lambda a, b, c: a * np.where(b > 0, F32(1), F32(0.3))),
    ("gpu_mse_loss", lambda a, b, c: (a, b, c), lambda a, b, c: (a - b) ** 2),
    ("gpu_mse_gradient", lambda a, b, c: (a, b, c, 3.0), lambda a, b, c: F32(2) * (a - b) / F32(3)),
    ("gpu_gradient_clip", lambda a, b, c: (a, c, 0.5), lambda a, b, c: np.clip(a, F32(-0.5), F32(0.5))),
    ("gpu_update_weights", lambda a, b, c: (c, a, 0.1), lambda a, b, c: c - F32(0.1) * a),
    ("gpu_copy_array", lambda a, b, c: (a, c), lambda a, b, c: a),
    ("gpu_elementwise_add", lambda a, b, c: (a, b, c), lambda a, b, c: a + b),
    ("gpu_elementwise_multiply", lambda a, b, c: (a, b, c), lambda a, b, c: a * b),
    ("gpu_elementwise_decay", lambda a, b, c: (a, c, 0.75), lambda a, b, c: a * F32(0.75)),
]


@pytest.mark.parametrize(("name", "arguments", "formula"), ELEMENTWISE, ids=[row[0] for row in ELEMENTWISE])
@pytest.mark.parametrize("threads", [35, 64, 13, 1])
def test_twin_computes_the_covered_elements_and_leaves_the_others(name, arguments, formula, threads) -> None:
    a, b, c = draw(5, 7), draw(5, 7, seed=1), draw(5, 7, seed=2)
    before = c.copy()
    expected = formula(a, b, before).reshape(-1)
    mk.KERNELS[name][1, threads](*arguments(a, b, c))
    covered = min(threads, 35)
    np.testing.assert_array_equal(c.reshape(-1)[:covered], expected[:covered])
    np.testing.assert_array_equal(c.reshape(-1)[covered:], before.reshape(-1)[covered:])


def test_twin_of_a_long_array_is_right_past_its_first_piece() -> None:
    size = 2 * mk.TWIN_CHUNK_ELEMENTS + 3
    grad, x, out = draw(size), draw(size, seed=1), np.zeros(size, F32)
    mk.launch_elementwise_rtx5090(grad, x, out, "activate_backward", scalar=0.2)
    np.testing.assert_array_equal(out, grad * np.where(x > 0, F32(1), F32(0.2)))
    mk.launch_elementwise_rtx5090(grad, None, out, "activate", scalar=0.2)
    np.testing.assert_array_equal(out, np.maximum(grad * F32(0.2), grad))
    weights = x.copy()
    mk.launch_elementwise_rtx5090(grad, None, weights, "update", scalar=0.5)
    np.testing.assert_array_equal(weights, x - F32(0.5) * grad)


@pytest.mark.parametrize("name", ["gpu_matrix_multiply", "gpu_add_bias"])
def test_two_dimensional_twin_respects_the_grid(name: str) -> None:
    a, out = draw(40, 40), np.full((40, 40), 7, F32)
    b = draw(40, 40, seed=1) if name == "gpu_matrix_multiply" else draw(40, seed=1)
    mk.KERNELS[name][(2, 1), (16, 16)](a, b, out)
    expected = a @ b if name == "gpu_matrix_multiply" else a + b
    np.testing.assert_allclose(out[:32, :16], expected[:32, :16], rtol=1e-4, atol=1e-5)
    assert (out[32:] == 7).all()
    assert (out[:, 16:] == 7).all()


def test_matrix_multiply_takes_transposed_views() -> None:
    a, b, c = draw(9, 5), draw(9, 7, seed=1), np.zeros((5, 7), F32)
    mk.launch_matrix_multiply_rtx5090(a.T, b, c)
    np.testing.assert_allclose(c, a.T.astype(float) @ b, rtol=1e-5, atol=1e-6)
    d = np.zeros((9, 9), F32)
    mk.launch_matrix_multiply_rtx5090(b, b.T, d)
    np.testing.assert_allclose(d, b.astype(float) @ b.T, rtol=1e-5, atol=1e-6)


def test_reduce_adds_to_what_is_there_and_sees_only_the_grid() -> None:
    a = np.ones(1500, F32)
    result = np.full(1, 10, F32)
    mk.launch_reduce_rtx5090(a, result)
    assert result[0] == 1510
    short = np.zeros(1, F32)
    mk.gpu_reduce_sum[2, 512](a, short)
    assert short[0] == 1024
    with pytest.raises(ValueError, match="512"):
        mk.gpu_reduce_sum[2, 256](a, short)


@pytest.mark.parametrize("operation", ["clip", "activate", "update", "mse_loss", "mse_gradient", "activate_backward"])
def test_nan_comes_through(operation: str) -> None:
    a, c = np.array([np.nan], F32), np.ones(1, F32)
    mk.launch_elementwise_rtx5090(a, c.copy(), c, operation, scalar=None if operation == "mse_loss" else 0.5)
    assert np.isnan(c[0])


def test_activate_honours_alpha() -> None:
    c = np.zeros(1, F32)
    mk.launch_elementwise_rtx5090(np.array([-1], F32), None, c, "activate", scalar=0.1)
    assert c[0] == F32(-0.1)
    mk.launch_elementwise_rtx5090(np.array([-1], F32), None, c, "activate")
    assert c[0] == F32(-0.01)


def test_decay_default() -> None:
    c = np.ones(3, F32)
    mk.launch_elementwise_rtx5090(c, None, c, "decay")
    assert (c == F32(1) - F32(0.0001)).all()


@pytest.mark.parametrize(
    ("launch", "message"),
    [
        (lambda a: mk.launch_elementwise_rtx5090(a, None, a, "sqrt"), "unknown operation 'sqrt'; there are activate"),
        (lambda a: mk.launch_elementwise_rtx5090(a, None, a, "clip"), "needs scalar=the limit"),
        (lambda a: mk.launch_elementwise_rtx5090(a, a, a, "add", scalar=1.0), "takes no scalar"),
        (lambda a: mk.launch_elementwise_rtx5090(a.astype(float), None, a, "copy"), "float32"),
        (lambda a: mk.launch_elementwise_rtx5090(a.T, None, a, "copy"), "C-contiguous"),
        (lambda a: mk.launch_elementwise_rtx5090(a[:2], None, a, "copy"), "sizes"),
        (lambda a: mk.launch_elementwise_rtx5090(a, a[0, :2], a, "add_bias"), "do not fit"),
        (lambda a: mk.launch_matrix_multiply_rtx5090(a, a, a), "do not fit"),
        (lambda a: mk.launch_matrix_multiply_rtx5090(a, a.T, np.zeros((8, 8), F32)[::2, ::2]), "C-contiguous"),
    ],
)
def test_refuses(launch, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        launch(draw(4, 6))


def test_compile_options_are_on_record() -> None:
    assert mk.COMPILE_OPTIONS == ("--std=c++17", "-ftz=true")
    assert mk.SOURCE_PATH.is_file()


def test_every_kernel_of_the_source_has_a_launcher_and_the_other_way_round() -> None:
    source = mk.SOURCE_PATH.read_text(encoding="utf-8")
    declared = {
        part.split("(")[0].split()[-1] for part in source.split('extern "C" __global__ void')[1:] if "(" in part
    }
    assert declared == set(mk.KERNELS)
