"""The CuPy differ on a real GPU: the same bits twice, streams, launches and transfers, and the oracle on both devices.

What it computes is tested with the other differs in `tests/contracts/test_differ.py`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.differs import cupy_differ
from service.differs.fused_tables import MAX_TILES, TILE_ELEMENTS
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


def assert_as_the_twin(found: Any, twin: Any) -> None:
    """Counts, maxima, places exactly; sums up to the order of their terms."""
    for field in dataclasses.fields(twin):
        have, want = getattr(found, field.name), getattr(twin, field.name)
        if field.name in ("rms", "cosine", "reference_error_rms", "candidate_error_rms") and want is not None:
            assert have == pytest.approx(want, rel=1e-12, abs=1e-13 if field.name == "cosine" else 0), field.name
        else:
            assert have == want, field.name


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [1_000_001, TILE_ELEMENTS * MAX_TILES, TILE_ELEMENTS * MAX_TILES + 1])
def test_large_arrays_as_the_twin(differ: Any, size: int, dtype: str) -> None:
    """The last size is the first with tiles twice as long."""
    a, b, o = (draw(size, seed=seed, dtype=kind) for seed, kind in ((0, dtype), (1, dtype), (2, "float32")))
    b[size - 1] += np.asarray(9, dtype)
    a[size // 3], b[size // 2] = np.inf, np.nan
    exact = o.astype(np.float64)
    on_device = [cupy.asarray(array) for array in (a, b, exact)]
    for arrays, host in ((on_device[:2], (a, b)), ((*on_device, on_device[2]), (a, b, exact, exact))):
        (found,), (twin,) = differ.compare([TapArrays(*arrays)]), NumpyDiffer().compare([TapArrays(*host)])
        assert_as_the_twin(found, twin)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_bit_pattern_of_a_kind(differ: Any, dtype: str) -> None:
    """Random bits: every exponent, subnormal numbers, NaN and Inf, on aligned and on moved arrays."""
    bits = np.random.default_rng(0).integers(0, 2**16, (2, 100_001 * (np.dtype(dtype).itemsize // 2)), dtype=np.uint16)
    a, b = bits.view(dtype)
    for start in (0, 1):
        arrays = [cupy.asarray(array)[start:] for array in (a, b)]
        (found,) = differ.compare([TapArrays(*arrays)])
        (twin,) = NumpyDiffer().compare([TapArrays(a[start:], b[start:])])
        assert_as_the_twin(found, twin)


def test_equal_arrays_anywhere(differ: Any) -> None:
    for size in (1, 4095, 4096, 4097, 1_000_001):
        a = cupy.asarray(draw(size + 1))
        for r, c in ((a[:-1], a[:-1].copy()), (a[1:], a[1:].copy()), (a[1:], a[1:])):
            (found,) = differ.compare([TapArrays(r, c)])
            assert (found.mismatches, found.max_abs, found.max_rel, found.max_ulp) == (0, 0.0, 0.0, 0)
            assert found.worst_index == (0,)


def step_of_taps() -> list[TapArrays]:
    """As a training step has them: 40 float32 taps with their oracles, and float64 ones."""
    taps = []
    for i in range(40):
        shape = (1024, 512) if i % 4 == 0 else (512, 128) if i % 4 == 1 else (128,) if i % 4 == 2 else ()
        dtype = "float64" if i % 10 == 9 else "float32"
        arrays = [draw(*shape, seed=10 * i + k, dtype=dtype if k < 2 else "float64") for k in range(4)]
        taps.append(TapArrays(*(cupy.asarray(array) for array in arrays)))
    return taps


def test_a_steps_taps_take_three_launches_and_one_copy_each_way(differ: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taps = step_of_taps()
    alone = [differ.compare([tap])[0] for tap in taps]
    launched, uploaded, downloaded = [], [], []
    functions = type(differ)._functions

    def counting(self: Any, kernel_type: str) -> dict[str, Any]:
        def watched(name: str, kernel: Any) -> Any:
            return lambda *arguments: (launched.append(name), kernel(*arguments))

        return {name: watched(name, kernel) for name, kernel in functions(self, kernel_type).items()}

    asarray, read = cupy.asarray, cupy_differ.read_results
    monkeypatch.setattr(type(differ), "_functions", counting)
    monkeypatch.setattr(
        cupy,
        "asarray",
        lambda a, **more: (uploaded.append(a) if isinstance(a, np.ndarray) else None, asarray(a, **more))[1],
    )
    monkeypatch.setattr(cupy_differ, "read_results", lambda *a: (downloaded.append(a[2]), read(*a))[1])
    assert differ.compare(taps) == alone
    assert launched == ["fused_diff<Float32, true>", "fused_diff<Float64, true>", "reduce_tiles"]
    assert (len(uploaded), len(downloaded)) == (1, 1)
    assert differ.prepare(taps).launch_count == 3


def test_more_elements_than_the_smallest_tiles_cover(differ: Any) -> None:
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
