"""Statistics of the checks, from SciPy, which is imported when first needed (it takes a second)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
"""Of a bootstrap: its ends then move by a hundredth of their distance from one seed to the next."""


@dataclass(frozen=True, slots=True)
class Change:
    """A relative change with its confidence interval, e.g. -0.9 for a fall by 90 %."""

    estimate: float
    low: float
    high: float
    confidence: float


def relative_change(first: Sequence[float], last: Sequence[float], confidence: float) -> Change | None:
    """Change of the geometric mean from `first` to `last`, by Welch's interval on the logarithms.

    `None` where it cannot be computed: fewer than two values on a side, or values that are not finite and above 0.
    """
    from scipy import stats

    if min(len(first), len(last)) < 2 or not all(math.isfinite(v) and v > 0 for v in (*first, *last)):
        return None
    before, after = [math.log(v) for v in first], [math.log(v) for v in last]
    if len(set(before)) == 1 and len(set(after)) == 1:
        exact = math.expm1(after[0] - before[0])
        return Change(exact, exact, exact, confidence)
    with warnings.catch_warnings():
        # SciPy warns where values are a rounding apart; that makes the interval narrow, not wrong in its sign.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(after, before, equal_var=False)
    interval = test.confidence_interval(confidence_level=confidence)
    estimate = sum(after) / len(after) - sum(before) / len(before)
    return Change(math.expm1(estimate), math.expm1(interval.low), math.expm1(interval.high), confidence)


@dataclass(frozen=True, slots=True)
class LogRatio:
    """The natural logarithm of a ratio of times, estimated from blocks, with its interval.

    `low` and `high` are the envelope of two intervals that err in different ways: the paired t interval trusts that the
    blocks' values are near normal, the bootstrap of the ratio of medians trusts nothing but that blocks are alike.
    """

    estimate: float
    low: float
    high: float
    blocks: int
    spread: float
    """Standard deviation of the blocks' values."""
    t_interval: tuple[float, float]
    bootstrap_interval: tuple[float, float]
    alpha: float
    """Probability of an error on one side; the interval holds with 1 - 2 alpha."""

    def inside(self, bound: float) -> bool:
        """Whether the whole interval lies within ±bound."""
        return -bound < self.low and self.high < bound

    def detectable(self, power: float) -> float:
        """The smallest difference from zero that so many blocks of this spread show with that probability.

        (t at 1 - alpha plus t at `power`, n - 1 degrees of freedom) times the standard error: the usual approximation
        of the noncentral t distribution.
        """
        freedom = self.blocks - 1
        quantiles = _t_quantile(1 - self.alpha, freedom) + _t_quantile(power, freedom)
        return quantiles * self.spread / math.sqrt(self.blocks)


def log_ratio(
    reference: NDArray[np.float64], candidate: NDArray[np.float64], alpha: float, seed: int, resamples: int = RESAMPLES
) -> LogRatio | None:
    """ln(candidate / reference) from two arrays (blocks, slices of a block) of finite times above 0.

    A block's value is the difference of its mean logarithms. The interval is the envelope of the t interval of those
    values and a bootstrap over blocks of the ratio of the medians, with each block's own level, the geometric mean of
    all its slices, taken out: how fast the machine was in a block is not what is asked. `None` for fewer than two
    blocks: they have no spread.
    """
    from scipy import stats

    blocks = len(reference)
    if blocks < 2:
        return None
    values = np.log(candidate).mean(axis=1) - np.log(reference).mean(axis=1)
    estimate, spread = float(values.mean()), float(values.std(ddof=1))
    half = _t_quantile(1 - alpha, blocks - 1) * spread / math.sqrt(blocks)
    t_interval = (estimate - half, estimate + half)
    levels = (np.log(candidate).mean(axis=1) + np.log(reference).mean(axis=1))[:, None] / 2
    upper_logs, lower_logs = np.log(candidate) - levels, np.log(reference) - levels

    def of_medians(chosen: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        """Of resampled block numbers (…, blocks): every slice of a block comes along with it."""
        assert axis in (-1, chosen.ndim - 1)
        shape = (*chosen.shape[:-1], -1)
        upper = np.median(upper_logs[chosen].reshape(shape), axis=-1)
        lower = np.median(lower_logs[chosen].reshape(shape), axis=-1)
        return np.asarray(upper - lower)

    found = stats.bootstrap(  # type: ignore[attr-defined]
        (np.arange(blocks),),
        of_medians,
        n_resamples=resamples,
        confidence_level=1 - 2 * alpha,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    resampled = (float(found.low), float(found.high))
    low, high = min(t_interval[0], resampled[0]), max(t_interval[1], resampled[1])
    return LogRatio(estimate, low, high, blocks, spread, t_interval, resampled, alpha)


def equivalence_p(ratio: LogRatio, bound: float) -> float:
    """TOST: the larger of the two one-sided p values against -bound and +bound, by the t distribution."""
    from scipy import special

    error = ratio.spread / math.sqrt(ratio.blocks)
    nearest = bound - abs(ratio.estimate)
    if error == 0:
        return 0.0 if nearest > 0 else 1.0
    return float(special.stdtr(ratio.blocks - 1, -nearest / error))


@dataclass(frozen=True, slots=True)
class Slope:
    """A Theil-Sen slope with its interval: the median of the slopes between all pairs of points."""

    estimate: float
    low: float
    high: float


def robust_slope(x: Sequence[float], y: Sequence[float], confidence: float) -> Slope | None:
    """Slope of y over x; `None` for fewer than three points or a value that is not finite."""
    from scipy import stats

    if len(x) < 3 or not all(math.isfinite(value) for value in (*x, *y)):
        return None
    found = stats.theilslopes(y, x, alpha=confidence)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope))


def mean_interval(values: Sequence[float], alpha: float) -> tuple[float, float, float] | None:
    """Mean of independent values and its t interval, `alpha` on each side; `None` for fewer than two."""
    count = len(values)
    if count < 2:
        return None
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = _t_quantile(1 - alpha, count - 1) * spread / math.sqrt(count)
    return mean, mean - half, mean + half


def _t_quantile(probability: float, freedom: int) -> float:
    """Of Student's t distribution."""
    from scipy import special

    return float(special.stdtrit(freedom, probability))
