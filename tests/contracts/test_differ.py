"""The differ port: the same numbers from every implementation, held against plain full-size NumPy expressions."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from service.differs import numpy_differ
from service.differs.fused_tables import TILE_ELEMENTS
from service.differs.numpy_differ import CHUNK, NumpyDiffer
from service.parity.record import DiffStats
from service.ports import Array, Differ, TapArrays

NAN, INF = np.nan, np.inf
HAS_BFLOAT16 = importlib.util.find_spec("ml_dtypes") is not None
NEEDS_BFLOAT16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="needs ml_dtypes")
Floats = NDArray[Any]
SIZES = (
    *(1, 2, 3, 7, 31, 32, 33, 255, 256, 257, 2047, 2048, 2049, 4095, 4096, 4097, 4098, 4099, 8191, 8192, 8193),
    *(TILE_ELEMENTS - 1, TILE_ELEMENTS, TILE_ELEMENTS + 1),
    *(CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5),
)
FLOATS = ["float16", pytest.param("bfloat16", marks=NEEDS_BFLOAT16), "float32", "float64"]


@dataclasses.dataclass(frozen=True)
class Bench:
    """A differ and the way onto its device."""

    differ: Differ
    put: Callable[[Any], Array]
    largest: int = 10_000_000

    def compare(self, r: Any, c: Any, o_r: Any = None, o_c: Any = None) -> DiffStats:
        if np.size(r) > self.largest:
            pytest.skip("too much for an emulated device")
        same = o_r is not None and o_r is o_c
        placed = [None if a is None else self.put(a) for a in (r, c, o_r)]
        oracle_c = placed[2] if same else None if o_c is None else self.put(o_c)
        (stats,) = self.differ.compare([TapArrays(placed[0], placed[1], placed[2], oracle_c)])
        return stats


@pytest.fixture(scope="module", params=["numpy", "emulated", pytest.param("cupy", marks=pytest.mark.gpu)])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The differs; `emulated` runs the CUDA kernels thread for thread on the host, where there is a compiler."""
    if request.param == "numpy":
        return Bench(NumpyDiffer(), np.asarray)
    if request.param == "emulated":
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(Path(__file__).parent))
            emulated = importlib.import_module("emulated_differ")
        if emulated.compiler() is None:
            pytest.skip("needs g++")
        return Bench(emulated.EmulatedDiffer(tmp_path_factory.mktemp("emulated")), np.asarray, largest=90_000)
    cupy = pytest.importorskip("cupy")
    from service.differs.cupy_differ import CupyDiffer

    return Bench(CupyDiffer("cuda:0"), cupy.asarray)


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(importlib.import_module("ml_dtypes").bfloat16 if name == "bfloat16" else name)


def draw(*shape: int, dtype: str = "float32", seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype_of(dtype))


def ordered(value: np.floating[Any]) -> int:
    """The place of a number among all numbers of its dtype, zero at 0; Python integers, so nothing wraps."""
    bits = int(np.asarray(value).view(f"u{value.dtype.itemsize}"))
    sign = 1 << (8 * value.dtype.itemsize - 1)
    return -(bits & (sign - 1)) if bits & sign else bits


def plain(r: Floats, c: Floats, o_r: Floats | None = None, o_c: Floats | None = None) -> DiffStats:
    """What the record's docstring promises, written as directly as possible."""
    with np.errstate(all="ignore"):
        a, b = r.astype(np.float64), c.astype(np.float64)
        both = np.isfinite(a) & np.isfinite(b)
        apart = np.where(both, np.abs(a - b), -1.0)
        x, y = a[both], b[both]
        larger = np.maximum(np.abs(x), np.abs(y))
        norm = math.sqrt(math.fsum(x * x)) * math.sqrt(math.fsum(y * y))
        float_pair = r.dtype == c.dtype and (r.dtype.kind == "f" or r.dtype.name == "bfloat16")
        bits = f"u{r.dtype.itemsize}"
        differ = r != c if not float_pair else r.view(bits) != c.view(bits)
        errors: dict[str, Any] = {}
        scales = [0.0]
        for name, side, oracle in (("reference", a, o_r), ("candidate", b, o_c)):
            errors |= {f"{name}_error": None, f"{name}_error_rms": None}
            if name == "candidate":
                errors["candidate_worst_index"] = None
            if oracle is None:
                continue
            seen = np.isfinite(side) & np.isfinite(oracle)
            scales.append(INF if not np.isfinite(oracle).all() else 0.0)
            if seen.any():
                scales.append(float(np.abs(oracle[seen]).max()))
                error = np.where(seen, np.abs(side - oracle), -1.0)
                errors[f"{name}_error"] = float(error.max())
                errors[f"{name}_error_rms"] = float(np.sqrt((error[seen] ** 2).mean()))
                if name == "candidate":
                    errors["candidate_worst_index"] = tuple(int(i) for i in np.unravel_index(error.argmax(), r.shape))
        return DiffStats(
            elements=r.size,
            reference_nan=int(np.isnan(a).sum()),
            reference_inf=int(np.isinf(a).sum()),
            candidate_nan=int(np.isnan(b).sum()),
            candidate_inf=int(np.isinf(b).sum()),
            mismatches=int(differ.sum()),
            max_abs=float(apart.max()) if both.any() else None,
            rms=float(np.sqrt(((x - y) ** 2).mean())) if both.any() else None,
            cosine=float(math.fsum(x * y) / norm) if 0 < norm < INF else None,
            max_ulp=max(
                [abs(ordered(p) - ordered(q)) for p, q in zip(r[both & differ], c[both & differ], strict=True)],
                default=0,
            )
            if float_pair and both.any()
            else None,
            worst_index=tuple(int(i) for i in np.unravel_index(apart.argmax(), r.shape)) if both.any() else None,
            oracle_scale=max(scales) if len(scales) > 1 else None,
            max_rel=max([0.0, *(apart[both] / larger)[larger > 0].tolist()]) if both.any() else None,
            **errors,
        )


SUMS = ("rms", "cosine", "reference_error_rms", "candidate_error_rms")
"""Fields whose last bits depend on the order of summation."""


def assert_same(found: DiffStats, expected: DiffStats) -> None:
    for field in dataclasses.fields(DiffStats):
        have, want = getattr(found, field.name), getattr(expected, field.name)
        if field.name in SUMS and want is not None and have is not None:
            assert have == pytest.approx(want, rel=1e-9, abs=1e-15), field.name
        else:
            assert have == want, field.name
            assert type(have) is type(want), field.name


def check(bench: Bench, r: Any, c: Any, o_r: Any = None, o_c: Any = None) -> DiffStats:
    found = bench.compare(r, c, o_r, o_c)
    assert_same(found, plain(r, c, o_r, o_c))
    return found


# --- what is right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", SIZES)
def test_equal(bench: Bench, size: int, dtype: str) -> None:
    a = draw(size, dtype=dtype)
    o = a.astype(np.float64) + 1e-9
    found = check(bench, a, a.copy(), o, o)
    assert (found.mismatches, found.max_abs, found.rms, found.max_ulp, found.worst_index) == (0, 0.0, 0.0, 0, (0,))
    assert found.cosine == pytest.approx(1.0)
    assert found.reference_error == found.candidate_error
    assert found.reference_error_rms == found.candidate_error_rms


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_element_off(bench: Bench, size: int, where: str) -> None:
    at = {"first": 0, "middle": size // 2, "last": size - 1}[where]
    a = draw(size)
    b = a.copy()
    b[at] += 1
    o = a.astype(np.float64)
    found = check(bench, a, b, o, o + 0)
    assert (found.mismatches, found.worst_index, found.candidate_worst_index) == (1, (at,), (at,))
    assert (found.reference_error, found.candidate_error) == (0.0, found.max_abs)
    if size > 1:
        bare = check(bench, a, b)
        assert (bare.reference_error, bare.candidate_error, bare.oracle_scale) == (None, None, None)


def test_each_side_against_its_own_oracle(bench: Bench) -> None:
    a, b = draw(40, 50), draw(40, 50, seed=1)
    o_r, o_c = a + np.float64(0.25), b * np.float64(3.0)
    found = check(bench, a, b, o_r, o_c)
    assert found.reference_error == 0.25
    assert found.oracle_scale == max(np.abs(o_r).max(), np.abs(o_c).max())
    one = check(bench, a, b, o_r, None)
    assert (one.candidate_error, one.candidate_worst_index) == (None, None)
    other = check(bench, a, b, None, o_c)
    assert other.reference_error is None


def test_equal_sides_with_unequal_oracles(bench: Bench) -> None:
    """Subjects that agree bit for bit may still be held to oracles that were conditioned differently."""
    a = draw(9000)
    found = check(bench, a, a.copy(), a + np.float64(1.0), a - np.float64(2.0))
    assert (found.reference_error, found.candidate_error) == (1.0, 2.0)


def test_several_pairs_keep_their_order(bench: Bench) -> None:
    pairs = [(draw(n, seed=n), draw(n, seed=n + 1)) for n in (1, 3000, 2, 70_000, 5)]
    found = bench.differ.compare([TapArrays(bench.put(a), bench.put(b)) for a, b in pairs])
    assert len(found) == 5
    for stats, (a, b) in zip(found, pairs, strict=True):
        assert_same(stats, plain(a, b))
    assert bench.differ.compare([]) == []


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (1, 1), (1, 9000), (9000, 1)])
def test_index_has_the_shapes_dimensions(bench: Bench, shape: tuple[int, ...]) -> None:
    a = draw(*shape)
    b = a.copy()
    last = tuple(n - 1 for n in shape)
    b[last] += 2
    assert check(bench, a, b).worst_index == last


def test_nothing_is_kept_from_one_call_to_the_next(bench: Bench) -> None:
    check(bench, np.full(70_000, 9.0, np.float32), np.zeros(70_000, np.float32))
    check(bench, np.full(3, 1.0, np.float32), np.full(3, 1.0, np.float32))
    check(bench, np.full(3, NAN, np.float32), np.full(3, 1.0, np.float32))
    check(bench, np.zeros(2, np.float32), np.zeros(2, np.float32))


# --- NaN and Inf ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("at", [0, 8191, 8192, 8999])
@pytest.mark.parametrize("dtype", FLOATS)
def test_one_that_is_not_finite(bench: Bench, value: float, sides: tuple[bool, bool], at: int, dtype: str) -> None:
    a, b = draw(9000, dtype=dtype), draw(9000, dtype=dtype, seed=1)
    for array, broken in zip((a, b), sides, strict=True):
        if broken:
            array[at] = value
    found = check(bench, a, b, np.zeros(9000), np.ones(9000))
    counts = (found.reference_nan + found.reference_inf, found.candidate_nan + found.candidate_inf)
    assert counts == tuple(int(side) for side in sides)
    assert found.max_abs is not None
    assert math.isfinite(found.max_abs)


@pytest.mark.parametrize("value", [NAN, INF])
def test_both_sides_all_broken(bench: Bench, value: float) -> None:
    a = np.full(8193, value, np.float32)
    found = check(bench, a, a.copy(), np.zeros(8193), np.zeros(8193))
    assert found.max_abs is found.rms is found.cosine is found.max_ulp is found.worst_index is None
    assert found.reference_error is found.candidate_error is None
    assert found.mismatches == 0


def test_infinities_of_opposite_sign_are_not_equal(bench: Bench) -> None:
    found = check(bench, np.array([INF, 1.0], np.float32), np.array([-INF, 1.0], np.float32))
    assert (found.reference_inf, found.candidate_inf, found.mismatches) == (1, 1, 1)


def test_nan_here_and_there_hides_no_difference(bench: Bench) -> None:
    a, b = draw(20_000), draw(20_000)
    a[::3], b[1::3] = NAN, INF
    b[2] += 5
    found = check(bench, a, b, draw(20_000).astype(np.float64), draw(20_000).astype(np.float64))
    assert found.worst_index == (2,)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("where", [0, 8500])
def test_an_oracle_that_is_not_finite_is_seen(bench: Bench, value: float, which: int, where: int) -> None:
    a, oracles = draw(9000), [np.zeros(9000), np.zeros(9000)]
    oracles[which][where] = value
    found = check(bench, a, a.copy(), *oracles)
    assert found.oracle_scale == INF
    assert check(bench, a, a.copy(), oracles[which], oracles[which]).oracle_scale == INF


# --- dtypes and shapes ------------------------------------------------------------------------------------------------


def test_empty(bench: Bench) -> None:
    for shape in ((0,), (0, 8), (3, 0, 2)):
        a = np.zeros(shape, np.float32)
        found = bench.compare(a, a.copy(), np.zeros(shape), np.zeros(shape))
        assert found.elements == found.mismatches == 0
        assert found.max_abs is found.rms is found.cosine is found.max_ulp is found.worst_index is None
        assert found.reference_error is found.candidate_error is None


def test_zero_dimensions(bench: Bench) -> None:
    found = check(bench, np.array(1.5, np.float64), np.array(2.0, np.float64), np.array(1.0), np.array(1.0))
    assert (found.elements, found.max_abs, found.worst_index, found.candidate_error) == (1, 0.5, (), 1.0)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_integers(bench: Bench, dtype: str) -> None:
    a = np.arange(100, dtype=dtype)
    same = check(bench, a, a.copy())
    assert (same.max_ulp, same.mismatches) == (None, 0)
    b = a.copy()
    b[7] = 0
    assert check(bench, a, b).max_abs == 7.0


def test_integers_that_differ_after_an_equal_chunk_have_no_ulps(bench: Bench) -> None:
    a = np.zeros(CHUNK + 1, np.int32)
    b = a.copy()
    b[-1] = 3
    found = check(bench, a, b)
    assert (found.mismatches, found.max_ulp) == (1, None)


def test_integers_wrap_nowhere(bench: Bench) -> None:
    assert check(bench, np.array([0], np.uint8), np.array([255], np.uint8)).max_abs == 255.0
    assert check(bench, np.array([-128], np.int8), np.array([127], np.int8)).max_abs == 255.0
    a, b = np.array([2**63 - 1], np.int64), np.array([2**63 - 2], np.int64)
    assert bench.compare(a, b).mismatches == 1


def test_booleans(bench: Bench) -> None:
    a, b = np.array([True, False, True, False]), np.array([True, True, False, False])
    found = check(bench, a, b)
    assert (found.mismatches, found.max_abs, found.worst_index, found.max_ulp) == (2, 1.0, (1,), None)
    assert check(bench, a, a.copy()).mismatches == 0


@pytest.mark.parametrize(
    ("left", "right"), [("float32", "float64"), ("float16", "float32"), ("int32", "float32"), ("bool", "float32")]
)
def test_mixed_dtypes_compare_by_value(bench: Bench, left: str, right: str) -> None:
    a = np.array([0, 1, 1, 0] * 3000).astype(left)
    b = a.astype(right)
    same = check(bench, a, b, np.zeros(12_000), np.zeros(12_000))
    assert (same.mismatches, same.max_abs, same.max_ulp) == (0, 0.0, None)
    b[5000] = 3
    assert check(bench, a, b).worst_index == (5000,)


def test_rounding_to_fewer_bits_is_a_difference(bench: Bench) -> None:
    a = draw(1000)
    found = check(bench, a, a.astype(np.float16))
    assert found.mismatches > 900
    assert found.max_abs is not None
    assert found.max_abs > 0


VIEWS = {
    "transposed": lambda a: a.T,
    "reversed": lambda a: a[::-1, ::-1],
    "every other": lambda a: a[::2, 1::2],
    "fortran": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a[0], (300, 90)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_that_are_not_contiguous(bench: Bench, view: str) -> None:
    a, b = draw(100, 90), draw(100, 90, seed=1)
    r, c = VIEWS[view](a), VIEWS[view](b)
    o = np.ascontiguousarray(r).astype(np.float64)
    placed = [
        VIEWS[view](bench.put(x)) if view not in ("fortran", "broadcast") else bench.put(VIEWS[view](x)) for x in (a, b)
    ]
    (found,) = bench.differ.compare([TapArrays(*placed, bench.put(o), bench.put(o + 1))])
    assert_same(found, plain(np.ascontiguousarray(r), np.ascontiguousarray(c), o, o + 1))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 3)),
        ((12,), (3, 4)),
        ((3, 4), (1, 4)),
        ((3, 4), (4,)),
        ((3, 1), (3, 4)),
        ((1,), ()),
        ((0,), (1,)),
        ((5,), (6,)),
    ],
)
def test_unequal_shapes_are_refused_never_broadcast(
    bench: Bench, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a, b = np.zeros(left, np.float32), np.zeros(right, np.float32)
    for arrays in ((a, b), (b, a), (a, a, b.astype(float)), (a, a, a.astype(float), b.astype(float)), (a, a, None, b)):
        with pytest.raises(ValueError, match="shapes differ"):
            bench.compare(*arrays)


# --- units in the last place ------------------------------------------------------------------------------------------

TINY = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}
ULPS: list[tuple[Any, Any, int]] = [
    (0.0, -0.0, 0),
    (1.0, 1.0, 0),
    ("tiny", 0.0, 1),
    ("tiny", -0.0, 1),
    ("tiny", "-tiny", 2),
    ("-tiny", 0.0, 1),
    (1.0, "after 1", 1),
    ("max", "before max", 1),
    ("-max", "-before max", 1),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("left", "right", "ulps"), ULPS)
def test_ulps(bench: Bench, dtype: str, left: Any, right: Any, ulps: int) -> None:
    kind = dtype_of(dtype).type
    top = kind(3.3895313892515355e38) if dtype == "bfloat16" else np.finfo(kind).max
    named = {
        "tiny": kind(TINY[dtype]),
        "-tiny": kind(-TINY[dtype]),
        "after 1": np.nextafter(kind(1), kind(2)),
        "max": top,
        "before max": np.nextafter(top, kind(0)),
        "-max": -top,
        "-before max": -np.nextafter(top, kind(0)),
    }
    a, b = (np.array([named.get(v, v) if isinstance(v, str) else v], dtype=kind) for v in (left, right))
    assert check(bench, a, b).max_ulp == ulps
    assert check(bench, b, a).max_ulp == ulps


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        ("float16", 2 * 0x7BFF),
        pytest.param("bfloat16", 2 * 0x7F7F, marks=NEEDS_BFLOAT16),
        ("float32", 2 * 0x7F7FFFFF),
        ("float64", 2 * 0x7FEFFFFFFFFFFFFF),
    ],
)
def test_the_largest_distance_does_not_wrap(bench: Bench, dtype: str, largest: int) -> None:
    bits = f"u{dtype_of(dtype).itemsize}"
    one, top = np.ones(1, dtype_of(dtype)), np.array([largest // 2], bits).view(dtype_of(dtype))
    a, b = np.concatenate([top, one]), np.concatenate([-top, one])
    assert check(bench, a, b).max_ulp == largest


def test_signed_zeros_differ_in_bits_and_in_nothing_else(bench: Bench) -> None:
    found = check(bench, np.zeros(5, np.float32), np.full(5, -0.0, np.float32))
    assert (found.mismatches, found.max_abs, found.max_ulp) == (5, 0.0, 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormals_are_not_flushed(bench: Bench, dtype: str) -> None:
    tiny = TINY[dtype]
    a, b = np.array([tiny, 2 * tiny, 0], dtype_of(dtype)), np.array([0, -2 * tiny, tiny], dtype_of(dtype))
    for found in (check(bench, a, b, np.zeros(3), np.zeros(3)), check(bench, a, b, np.zeros(3))):
        assert (found.max_abs, found.max_ulp, found.worst_index) == (4 * tiny, 4, (1,))
        assert found.reference_error == 2 * tiny
        assert found.candidate_error in (2 * tiny, None)
        assert found.max_rel == 2.0


def test_one_ulp_at_a_large_magnitude_is_seen(bench: Bench) -> None:
    a = np.full(9000, 2.0**100, np.float32)
    b = a.copy()
    b[8500] = np.nextafter(b[8500], np.float32(INF))
    found = check(bench, a, b, a.astype(np.float64), a.astype(np.float64))
    assert (found.max_ulp, found.mismatches, found.worst_index) == (1, 1, (8500,))
    assert (found.reference_error, found.candidate_error) == (0.0, 2.0**77)


# --- maxima, cosines, overflow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(3, 4), (0, 8999), (8191, 8192), (300, 70_000), (65_535, 65_536)])
def test_of_equal_differences_the_first_is_the_worst(bench: Bench, first: int, second: int) -> None:
    a = np.zeros(80_000, np.float32)
    b = a.copy()
    b[first], b[second] = 1.0, -1.0
    found = check(bench, a, b, a.astype(float), a.astype(float))
    assert (found.worst_index, found.candidate_worst_index) == ((first,), (first,))


@pytest.mark.parametrize(("left", "right", "cosine"), [
    ([0.0, 0.0], [0.0, 0.0], None), ([0.0, 0.0], [1.0, 2.0], None), ([1.0, 2.0], [0.0, 0.0], None),
    ([1.0, 2.0], [2.0, 4.0], 1.0), ([1.0, 2.0], [-1.0, -2.0], -1.0), ([1.0, 0.0], [0.0, 1.0], 0.0),
])  # fmt: skip
def test_cosine(bench: Bench, left: list[float], right: list[float], cosine: float | None) -> None:
    found = bench.compare(np.array(left, np.float32), np.array(right, np.float32)).cosine
    assert found == (None if cosine is None else pytest.approx(cosine))


@pytest.mark.parametrize("value", [1e160, 1e308])
def test_squares_that_overflow(bench: Bench, value: float) -> None:
    """The maxima are still right, and a cosine that cannot be computed is not -1."""
    a = np.array([value, -value, 1.0])
    same = bench.compare(a, a.copy(), a, a)
    assert (same.mismatches, same.max_abs, same.max_ulp, same.cosine, same.rms) == (0, 0.0, 0, None, 0.0)
    assert (same.reference_error, same.candidate_error, same.oracle_scale) == (0.0, 0.0, value)
    assert (same.reference_nan, same.reference_inf) == (0, 0)
    b = np.array([value, -value / 2, 2.0])
    other = bench.compare(a, b, a, a)
    assert (other.max_abs, other.worst_index, other.candidate_error) == (value / 2, (1,), value / 2)
    assert (other.cosine, other.candidate_nan, other.candidate_inf, other.mismatches) == (None, 0, 0, 2)
    opposite = bench.compare(a, -a)
    assert opposite.cosine is None
    assert opposite.max_abs == (2 * value if value < 1e300 else INF)


def test_reversed_array_of_equal_mean_and_norm(bench: Bench) -> None:
    a = np.arange(1, 10_001, dtype=np.float32)
    found = check(bench, a, a[::-1].copy())
    assert (found.max_abs, found.worst_index) == (9999.0, (0,))


def test_a_transposed_square_is_not_the_same(bench: Bench) -> None:
    a = draw(90, 90)
    found = check(bench, a, np.ascontiguousarray(a.T))
    assert found.mismatches > 7000


@pytest.mark.parametrize(("left", "right", "relative"), [
    ([0.0, 0.0], [0.0, -0.0], 0.0), ([1.0, 4.0], [2.0, 4.0], 0.5), ([-2.0], [1.0], 1.5), ([1.0], [-1.0], 2.0),
    ([0.0, 1.0], [2.0**-40, 1.0], 1.0), ([100.0, 1.0], [101.0, 1.5], 1 / 3), ([1.0, NAN], [1.25, 7.0], 0.2),
    ([NAN], [1.0], None),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_largest_relative_difference(
    bench: Bench, dtype: str, left: list[float], right: list[float], relative: float | None
) -> None:
    found = check(bench, np.array(left, dtype), np.array(right, dtype))
    assert found.max_rel == relative
    assert check(bench, np.array(right, dtype), np.array(left, dtype)).max_rel == relative


def test_relative_difference_of_the_smallest_and_the_largest_numbers(bench: Bench) -> None:
    """A quotient of subnormal numbers is exact although products of them are not."""
    tiny = TINY["float64"]
    for a, b in (([3 * tiny, 10.0], [2 * tiny, 7.0]), ([10.0, 3 * tiny], [7.0, 2 * tiny]), ([1e308], [0.5e308])):
        check(bench, np.array(a), np.array(b))
    a = np.random.default_rng(3).integers(1, 40, 5000) * tiny
    check(bench, a, np.roll(a, 1))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize(
    "sides", [(True, False, False), (False, True, False), (True, True, False), (False, False, True)]
)
def test_arrays_that_begin_anywhere(bench: Bench, dtype: str, offset: int, sides: tuple[bool, ...]) -> None:
    """The same bits as from arrays at their allocation's beginning: the order of summation knows no addresses."""
    size = 5000
    a, b, o = draw(size, dtype=dtype), draw(size, dtype=dtype, seed=1), draw(size, dtype="float64", seed=2)
    moved = [
        bench.put(np.concatenate([array[:offset], array]))[offset:] if move else bench.put(array)
        for array, move in zip((a, b, o), sides, strict=True)
    ]
    r, c, oracle = moved
    (found,) = bench.differ.compare([TapArrays(r, c, oracle, oracle)])
    assert found == bench.compare(a, b, o, o)
    assert_same(found, plain(a, b, o, o))


def test_taps_of_all_kinds_in_one_call_as_one_by_one(bench: Bench) -> None:
    dtypes = ["float32", "float64", "float16", "int32", "bool", *(["bfloat16"] if HAS_BFLOAT16 else [])]
    sizes = (0, 1, 3, 257, 4099, 0, 20_000)
    taps = []
    for i, (size, dtype) in enumerate((size, dtype) for size in sizes for dtype in dtypes):
        a, b = draw(size, dtype=dtype, seed=i), draw(size, dtype=dtype, seed=i + 1)
        o = [bench.put(draw(size, dtype="float64", seed=i + k)) for k in (2, 3)]
        oracles = ((None, None), (o[0], o[1]), (o[0], o[0]), (o[0], None), (None, o[1]))[i % 5]
        taps.append(TapArrays(bench.put(a), bench.put(b), *oracles))
    taps.append(TapArrays(bench.put(draw(9)), bench.put(draw(9, dtype="float64", seed=1))))
    together = bench.differ.compare(taps)
    assert together == [stats for tap in taps for stats in bench.differ.compare([tap])]
    assert together == bench.differ.compare(taps)
    assert together[::-1] == bench.differ.compare(taps[::-1])


def test_broken_elements_everywhere(bench: Bench) -> None:
    """NaN and Inf among the pairs of one thread, in full and in cut batches, on every side and in the oracles."""
    rng = np.random.default_rng(0)
    for size in (9, 4096, 6000):
        arrays = [
            draw(size, seed=1),
            draw(size, seed=2),
            draw(size, dtype="float64", seed=3),
            draw(size, dtype="float64"),
        ]
        for array in arrays:
            array[rng.random(size) < 0.1] = rng.choice([NAN, INF, -INF])
        found = check(bench, *arrays)
        assert found.oracle_scale == INF
        check(bench, *arrays[:3], arrays[2])
        check(bench, *arrays[:3])
        check(bench, arrays[0], arrays[0].copy(), arrays[2], arrays[2])


def test_only_one_pair_is_finite(bench: Bench) -> None:
    """What stands in for the elements that are left out is never taken for a difference of zero."""
    for size, at in ((5000, 4999), (5000, 17), (3, 2)):
        a = np.full(size, NAN, np.float32)
        a[at] = 1.0
        found = check(bench, a, a.copy(), np.ones(size), np.full(size, NAN))
        assert (found.worst_index, found.max_abs, found.reference_error, found.candidate_error) == (
            (at,),
            0.0,
            0.0,
            None,
        )


@pytest.mark.parametrize("sides", [(True, False), (False, True)])
def test_each_maximum_grows_by_itself(bench: Bench, sides: tuple[bool, bool]) -> None:
    """A larger error late in a tap is found, however large the other side's errors were early to the same threads."""
    a = np.zeros(16_000, np.float32)
    early, late = np.zeros(a.size), np.zeros(a.size)
    early[3], late[5], late[14_343] = 2.0, 0.1, 0.25
    found = check(bench, a, a.copy(), *((early, late) if sides[0] else (late, early)))
    assert sorted([found.reference_error or 0, found.candidate_error or 0]) == [0.25, 2.0]


def test_an_error_of_zero_is_where_it_was_measured(bench: Bench) -> None:
    a, b, o = np.ones(6000, np.float32), np.ones(6000, np.float32), np.ones(6000)
    a[0] = b[0] = b[2] = NAN
    o[1] = INF
    assert check(bench, a, b, o, o).candidate_worst_index == (3,)
    assert check(bench, a, b, None, o).candidate_worst_index == (3,)


# --- laws -------------------------------------------------------------------------------------------------------------

MIRRORED = ("nan", "inf", "error", "error_rms")


def mirrored(stats: DiffStats) -> DiffStats:
    fields = {}
    for end in MIRRORED:
        fields[f"reference_{end}"] = getattr(stats, f"candidate_{end}")
        fields[f"candidate_{end}"] = getattr(stats, f"reference_{end}")
    return dataclasses.replace(stats, **fields, candidate_worst_index=None)


@pytest.mark.parametrize("broken", [False, True])
def test_swapping_the_sides_swaps_their_numbers_and_nothing_else(bench: Bench, broken: bool) -> None:
    a, b = draw(20_001), draw(20_001, seed=1)
    if broken:
        a[5], b[9000], b[77] = NAN, INF, NAN
    o_r, o_c = draw(20_001, seed=2).astype(float), draw(20_001, seed=3).astype(float)
    there, back = bench.compare(a, b, o_r, o_c), bench.compare(b, a, o_c, o_r)
    assert dataclasses.replace(back, candidate_worst_index=None) == mirrored(there)


numbers = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**-149, -(2.0**-149), 3.4028234663852886e38, NAN, INF, -INF]),
)


@given(hnp.arrays(np.float32, (2, 7), elements=numbers), hnp.arrays(np.float64, (2, 7), elements=st.floats(-1e9, 1e9)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_numbers(bench: Bench, sides: Floats, oracles: Floats) -> None:
    check(bench, sides[0], sides[1], oracles[0], oracles[1])


@given(st.integers(1, 5), st.lists(numbers, min_size=6, max_size=6), st.sampled_from(["float16", "float32", "float64"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_chunks_add_up(bench: Bench, chunk: int, values: list[float], dtype: str) -> None:
    with np.errstate(over="ignore"):
        a = np.array(values).astype(dtype)
    b = a[::-1].copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_differ, "CHUNK", chunk)
        check(bench, a, b)


def test_two_runs_give_the_same_bits(bench: Bench) -> None:
    a, b = draw(100_003), draw(100_003, seed=1)
    o = draw(100_003, seed=2).astype(float)
    assert bench.compare(a, b, o, o) == bench.compare(a, b, o, o)


# --- the host's own promise: each tap is read once --------------------------------------------------------------------


class Counting(np.ndarray[Any, Any]):
    """Counts the elements that are read through slices."""

    read: dict[int, int] = {}  # noqa: RUF012 - one counter for all views of an array

    def __array_finalize__(self, source: Any) -> None:
        self.key = getattr(source, "key", None)

    def __getitem__(self, where: Any) -> Any:
        part = super().__getitem__(where)
        if isinstance(where, slice) and self.key is not None:
            Counting.read[self.key] = Counting.read.get(self.key, 0) + part.size
            return np.asarray(part)
        return part


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_each_tap_is_read_once(monkeypatch: pytest.MonkeyPatch, equal: bool, broken: bool) -> None:
    size = 2 * CHUNK + 3
    arrays = []
    for key, seed in enumerate((0, 0 if equal else 1, 2, 3)):
        array = draw(size, dtype="float32" if key < 2 else "float64", seed=seed)
        if broken and key < 2:
            array[5] = NAN
        counting = array.view(Counting)
        counting.key = key
        arrays.append(counting)
    Counting.read.clear()
    # asarray would take the counter off.
    monkeypatch.setattr(numpy_differ.np, "asarray", np.asanyarray)
    NumpyDiffer().compare([TapArrays(*arrays)])
    monkeypatch.undo()
    assert Counting.read == {0: size, 1: size, 2: size, 3: size}


def test_an_unequal_pair_among_many_is_refused() -> None:
    good, bad = TapArrays(np.zeros(3), np.zeros(3)), TapArrays(np.zeros(3), np.zeros(4))
    for pairs in ([good, bad, good], [bad], [good] * 9 + [bad]):
        with pytest.raises(ValueError, match="shapes differ"):
            NumpyDiffer().compare(pairs)
