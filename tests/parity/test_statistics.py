"""Changes, ratios and slopes with their intervals: known values, worked out beside, and inputs that have none."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from service.parity.statistics import equivalence_p, log_ratio, mean_interval, relative_change, robust_slope

NAN, INF = math.nan, math.inf
Array = NDArray[np.float64]


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


# --- ratios of times --------------------------------------------------------------------------------------------------


def drawn(ratio: float, blocks: int = 12, spread: float = 0.013, seed: int = 0) -> tuple[Array, Array]:
    noise = np.random.default_rng(seed)
    reference = np.exp(noise.normal(0.0, spread, (blocks, 2)))
    return reference, ratio * np.exp(noise.normal(0.0, spread, (blocks, 2)))


@pytest.mark.parametrize("blocks", [2, 8, 12, 24])
def test_log_ratio_against_scipys_own_tests(blocks: int) -> None:
    reference, candidate = drawn(1.03, blocks)
    values = np.log(candidate).mean(axis=1) - np.log(reference).mean(axis=1)
    found = log_ratio(reference, candidate, 0.03, seed=1)
    assert found is not None
    test = stats.ttest_1samp(values, 0.0)
    interval = test.confidence_interval(0.94)
    assert found.t_interval == pytest.approx((interval.low, interval.high))
    assert found.spread == pytest.approx(np.std(values, ddof=1))
    bound = math.log(1.05)
    below = stats.ttest_1samp(values, bound, alternative="less").pvalue
    above = stats.ttest_1samp(values, -bound, alternative="greater").pvalue
    assert equivalence_p(found, bound) == pytest.approx(max(below, above))


def test_log_ratio_bootstraps_whole_blocks() -> None:
    """Blocks that differ a thousandfold, each with the same ratio: only the choice of blocks moves the median."""
    levels = np.repeat(10.0 ** np.arange(-3, 6), 2).reshape(9, 2)
    found = log_ratio(levels, 1.1 * levels, 0.03, seed=3)
    assert found is not None
    assert found.bootstrap_interval == pytest.approx((math.log(1.1),) * 2)
    assert found.spread == pytest.approx(0.0, abs=1e-12)


def test_log_ratio_is_seeded_and_mirrored() -> None:
    reference, candidate = drawn(1.03)
    one, other = (log_ratio(reference, candidate, 0.03, seed) for seed in (1, 2))
    assert one == log_ratio(reference, candidate, 0.03, 1)
    assert one is not None
    assert other is not None
    assert one.bootstrap_interval != other.bootstrap_interval
    assert one.bootstrap_interval == pytest.approx(other.bootstrap_interval, abs=1e-3)
    back = log_ratio(candidate, reference, 0.03, 1)
    assert back is not None
    assert (back.low, back.high) == pytest.approx((-one.high, -one.low))


@pytest.mark.parametrize("blocks", [0, 1])
def test_too_few_blocks_have_no_spread(blocks: int) -> None:
    times = np.ones((blocks, 2))
    assert log_ratio(times, times, 0.03, 0) is None


def test_times_without_noise() -> None:
    times = np.ones((8, 2))
    for ratio, p in ((1.0, 0.0), (1.2, 1.0)):
        found = log_ratio(times, ratio * times, 0.03, 0)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((math.log(ratio),) * 2)
        assert equivalence_p(found, math.log(1.05)) == p
        assert found.inside(math.log(1.05)) == (ratio == 1.0)
        assert found.detectable(0.9) == 0.0


def test_an_effect_of_the_detectable_size_is_seen_nine_times_in_ten() -> None:
    """With the true spread known: the t interval at a true effect of that size excludes zero about as often as said."""
    blocks, spread, trials = 12, 0.013, 4000
    noise = np.random.default_rng(7).normal(0.0, spread, (trials, blocks))
    first = log_ratio(*drawn(1.0, blocks), 0.03, 0)
    assert first is not None
    effect = dataclasses.replace(first, spread=spread).detectable(0.9)
    values = noise + effect
    half = stats.t.ppf(0.97, blocks - 1) * values.std(axis=1, ddof=1) / math.sqrt(blocks)
    assert float((values.mean(axis=1) - half > 0).mean()) == pytest.approx(0.9, abs=0.03)


# --- slopes and means -------------------------------------------------------------------------------------------------


def test_robust_slope() -> None:
    steps = [float(step) for step in range(40)]
    exact = robust_slope(steps, [3.0 * step + 7 for step in steps], 0.99)
    assert exact is not None
    assert (exact.estimate, exact.low, exact.high) == pytest.approx((3.0,) * 3)
    odd = robust_slope(steps, [3.0 * step + (1e9 if step in (5, 20) else 0) for step in steps], 0.99)
    assert odd is not None
    assert odd.estimate == pytest.approx(3.0)


@pytest.mark.parametrize("y", [[], [1.0], [1.0, 2.0], [1.0, NAN, 2.0], [1.0, INF, 2.0]])
def test_no_slope(y: list[float]) -> None:
    assert robust_slope([float(i) for i in range(len(y))], y, 0.99) is None


def test_mean_interval() -> None:
    values = [1.0, 2.0, 4.0, 3.0]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.94)
    assert mean_interval(values, 0.03) == pytest.approx((2.5, expected.low, expected.high))
    assert mean_interval([1.0], 0.03) is None
    assert mean_interval([], 0.03) is None


def test_how_fast_the_machine_was_in_a_block_does_not_widen_the_interval() -> None:
    draw = np.random.default_rng(0)
    reference, candidate = draw.normal(0, 0.005, (2, 12, 2)) + np.array([0.0, 0.03])[:, None, None]
    level = np.where(draw.random(12) < 0.5, 0.0, 0.2)[:, None]
    steady = log_ratio(np.exp(reference), np.exp(candidate), 0.03, seed=1)
    moved = log_ratio(np.exp(reference + level), np.exp(candidate + level), 0.03, seed=1)
    assert steady is not None
    assert moved is not None
    assert moved.bootstrap_interval == pytest.approx(steady.bootstrap_interval)
    assert moved.t_interval == pytest.approx(steady.t_interval)
