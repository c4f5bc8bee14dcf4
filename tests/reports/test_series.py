"""Reduced series keep real rows, every peak, both ends and the first value that is not finite."""

from __future__ import annotations

import math

import pytest

from service.reports.series import buckets_of, kept_rows, worst_of


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_short_series_are_kept_whole(count: int) -> None:
    assert kept_rows([[1.0] * count, [2.0] * count]) == list(range(count))


@pytest.mark.parametrize("count", [501, 3000, 100_003])
def test_long_series_are_short_and_keep_ends_and_peaks(count: int) -> None:
    reference = [math.exp(-index / count) for index in range(count)]
    candidate = list(reference)
    candidate[count // 3] = 99.0
    candidate[count // 2] = -99.0
    kept = kept_rows([reference, candidate])
    assert len(kept) <= 500
    assert kept == sorted(set(kept))
    assert {0, count // 3, count // 2, count - 1} <= set(kept)


def test_the_first_value_that_is_not_finite_is_kept() -> None:
    values: list[float | None] = [1.0] * 5000
    values[1234:] = [math.nan] * (5000 - 1234)
    missing: list[float | None] = [1.0] * 5000
    missing[3333] = None
    kept = kept_rows([values, missing])
    assert {1234, 3333} <= set(kept)
    assert 1233 in kept or any(1200 < index < 1234 for index in kept)


def test_nothing_but_nan() -> None:
    kept = kept_rows([[math.nan] * 2000])
    assert {0, 1999} <= set(kept)
    assert len(kept) <= 500


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (7, 5), (400, 120)])
def test_buckets_cover_everything_once(count: int, most: int) -> None:
    buckets = buckets_of(count, most)
    assert [position for bucket in buckets for position in bucket] == list(range(count))
    assert len(buckets) == min(count, most)
    assert all(len(bucket) for bucket in buckets)


def test_worst() -> None:
    assert worst_of([]) is None
    assert worst_of([1.0, 3.0, 2.0]) == 3.0
    assert math.isnan(worst_of([math.inf, math.nan]) or 0.0)
