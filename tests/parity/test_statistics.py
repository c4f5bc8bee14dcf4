"""Relative change with Welch's interval: known values, worked out beside, and inputs that have none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from service.parity.statistics import relative_change

NAN, INF = math.nan, math.inf


def by_hand(first: list[float], last: list[float], confidence: float) -> tuple[float, float, float]:
    """Welch's interval for the difference of means of the logarithms, by its textbook formula."""
    a, b = [math.log(v) for v in first], [math.log(v) for v in last]
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    share_a = sum((v - mean_a) ** 2 for v in a) / (len(a) - 1) / len(a)
    share_b = sum((v - mean_b) ** 2 for v in b) / (len(b) - 1) / len(b)
    freedom = (share_a + share_b) ** 2 / (share_a**2 / (len(a) - 1) + share_b**2 / (len(b) - 1))
    half = stats.t.ppf(0.5 + confidence / 2, freedom) * math.sqrt(share_a + share_b)
    middle = mean_b - mean_a
    return math.expm1(middle), math.expm1(middle - half), math.expm1(middle + half)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ([1.0, 1.1, 0.9], [0.1, 0.12, 0.11]),
        ([1.0, 2.0], [2.0, 1.0]),
        ([0.5, 0.4, 0.45, 0.6], [0.5, 0.51]),
        ([1.0, 1.0, 1.0], [0.5, 0.6, 0.7]),
        ([1e-30, 2e-30], [1e30, 2e30]),
    ],
)
@pytest.mark.parametrize("confidence", [0.5, 0.99])
def test_known_values(first: list[float], last: list[float], confidence: float) -> None:
    change = relative_change(first, last, confidence)
    assert change is not None
    assert (change.estimate, change.low, change.high) == pytest.approx(by_hand(first, last, confidence), rel=1e-9)
    assert change.confidence == confidence


@pytest.mark.parametrize(("first", "last", "exact"), [((1.0, 1.0), (1.0, 1.0), 0.0), ((2.0, 2.0), (1.0, 1.0), -0.5)])
def test_constant_values_have_an_exact_change(first: tuple[float, ...], last: tuple[float, ...], exact: float) -> None:
    change = relative_change(first, last, 0.99)
    assert change is not None
    assert (change.estimate, change.low, change.high) == pytest.approx((exact,) * 3)


def test_values_a_rounding_apart() -> None:
    """SciPy warns of cancellation here; a run must not be littered with it, nor the answer be wrong in its sign."""
    above = math.nextafter(1.0, 2.0)
    change = relative_change([1.0, above, 1.0], [0.5, 0.5, math.nextafter(0.5, 1.0)], 0.99)
    assert change is not None
    assert change.high < 0


@pytest.mark.parametrize("bad", [NAN, INF, -INF, 0.0, -1.0])
@pytest.mark.parametrize("side", [0, 1])
def test_no_change_from_what_is_not_finite_and_positive(bad: float, side: int) -> None:
    samples = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    samples[side][1] = bad
    assert relative_change(*samples, 0.99) is None


@pytest.mark.parametrize(("first", "last"), [([], []), ([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0])])
def test_too_few(first: list[float], last: list[float]) -> None:
    assert relative_change(first, last, 0.99) is None


values = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=6, unique=True)


@given(values, values)
def test_swapping_first_and_last_turns_the_change_round(first: list[float], last: list[float]) -> None:
    there, back = relative_change(first, last, 0.9), relative_change(last, first, 0.9)
    assert there is not None
    assert back is not None
    assert math.log1p(there.estimate) == pytest.approx(-math.log1p(back.estimate), abs=1e-9)
    assert there.low <= there.estimate <= there.high
