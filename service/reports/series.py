"""Long series made short enough for a page without hiding a peak: by real rows, never by averages.

Each bucket keeps the rows with the smallest and the largest finite value of each column, so an excursion of one step
in a million is still drawn. What was left out is said: the total stands beside the rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

MAX_POINTS = 500


def kept_rows(columns: Sequence[Sequence[float | None]], most: int = MAX_POINTS) -> list[int]:
    """The indices of the rows to keep, ascending: all of them where there are at most `most`.

    `columns` are of equal length. The first and last row, and each column's first value that is not finite, stay.
    """
    count = len(columns[0]) if columns else 0
    if count <= most:
        return list(range(count))
    kept = {0, count - 1}
    buckets = max(1, (most - 2 - len(columns)) // (2 * len(columns)))
    edges = [round(bucket * count / buckets) for bucket in range(buckets + 1)]
    for column in columns:
        values = np.array([math.nan if value is None else value for value in column], dtype=np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            kept.add(int(np.argmin(finite)))
        low, high = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
        for begin, end in itertools.pairwise(edges):
            kept.add(begin + int(np.argmin(low[begin:end])))
            kept.add(begin + int(np.argmax(high[begin:end])))
    return sorted(kept)


def buckets_of(count: int, most: int) -> list[range]:
    """`count` positions in at most `most` runs of neighbours, as even as can be."""
    total = min(count, most)
    edges = [round(bucket * count / total) for bucket in range(total + 1)] if total else [0]
    return [range(begin, end) for begin, end in itertools.pairwise(edges)]


def worst_of(values: Sequence[float]) -> float | None:
    """The largest; NaN if any is NaN; `None` of nothing."""
    if not values:
        return None
    return math.nan if any(math.isnan(value) for value in values) else max(values)
