"""Statistics of the checks, from SciPy, which is imported when first needed (it takes a second)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass


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
