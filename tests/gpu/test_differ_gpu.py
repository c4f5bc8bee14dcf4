"""The CuPy differ on a real GPU: the same bits twice, strides and streams, and the oracle on both devices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.differs.numpy_differ import NumpyDiffer
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.ports import TapArrays
from service.subjects.oracle import Float64Oracle

cupy = pytest.importorskip("cupy")

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def differ() -> Any:
    from service.differs.cupy_differ import CupyDiffer

    return CupyDiffer("cuda:0")


def draw(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_two_runs_give_the_same_bits(differ: Any, dtype: str) -> None:
    arrays = [cupy.asarray(draw(3_000_001, seed=seed, dtype=dtype)) for seed in (0, 1)]
    oracles = [cupy.asarray(draw(3_000_001, seed=seed, dtype="float64")) for seed in (2, 3)]
    first = differ.compare([TapArrays(*arrays, *oracles)])
    assert all(differ.compare([TapArrays(*arrays, *oracles)]) == first for _ in range(5))


def test_more_elements_than_the_largest_grid_covers_at_once(differ: Any) -> None:
    n = 1024 * 2048 + 12_345
    a, b = draw(n), draw(n)
    b[n - 1] += 1
    b[n // 2] = np.nan
    (found,) = differ.compare([TapArrays(cupy.asarray(a), cupy.asarray(b))])
    (twin,) = NumpyDiffer().compare([TapArrays(a, b)])
    assert (found.elements, found.worst_index, found.mismatches) == (n, (n - 1,), 2)
    assert (found.max_abs, found.max_ulp, found.candidate_nan) == (twin.max_abs, twin.max_ulp, 1)
    assert found.rms == pytest.approx(twin.rms, rel=1e-12)
    assert found.cosine == pytest.approx(twin.cosine, rel=1e-12)


def test_reads_what_earlier_kernels_of_the_stream_wrote(differ: Any) -> None:
    for stream in (cupy.cuda.Stream.null, cupy.cuda.Stream(non_blocking=True)):
        with stream:
            a = cupy.zeros(4_000_000, dtype=cupy.float32)
            for _ in range(50):
                a += 1
            (found,) = differ.compare([TapArrays(a, cupy.full_like(a, 50))])
        assert (found.mismatches, found.max_abs) == (0, 0.0)


def test_leaves_its_inputs_alone(differ: Any) -> None:
    host = [draw(5000, seed=seed) for seed in (0, 1)]
    device = [cupy.asarray(array) for array in host]
    differ.compare([TapArrays(*device)])
    for before, after in zip(host, device, strict=True):
        np.testing.assert_array_equal(before, after.get())


PLAN = Plan(
    model=ModelSpec(vector_length=96, hidden_layers=2, bottleneck=24, alpha=0.1),
    training=TrainingSpec(batch_size=64, learning_rate=0.05, clip=0.02),
)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_oracle_on_both_devices(alpha: float) -> None:
    from service.subjects.legacy import LegacySubject

    plan = replace(PLAN, model=replace(PLAN.model, alpha=alpha), device="cpu")
    legacy, batch = LegacySubject(plan), np.random.default_rng(0).random((64, 96)).astype(np.float32)
    state = legacy.state()
    taps = {name: np.array(array) for name, array in legacy.train_step(batch, taps=True).taps.items()}
    flipped = {name: -array if name.startswith("forward.layer1") else array for name, array in taps.items()}
    host = Float64Oracle(plan).step(state, batch)
    device = Float64Oracle(plan, cupy).step(state, batch)
    for signs in (taps, flipped):
        on_device = device.taps({name: cupy.asarray(array) for name, array in signs.items()})
        on_host = host.taps(signs)
        assert on_host.keys() == on_device.keys()
        for name, exact in on_host.items():
            scale = float(np.abs(exact).max())
            assert float(np.abs(on_device[name].get() - exact).max()) <= 1e-12 * scale, name
        flips = device.sign_flips({name: cupy.asarray(array) for name, array in signs.items()})
        for (tap, elements, count, excess), expected in zip(flips, host.sign_flips(signs), strict=True):
            assert (tap, elements, count) == expected[:3]
            assert excess == (None if expected[3] is None else pytest.approx(expected[3], rel=1e-9))
