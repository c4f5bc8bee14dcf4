"""The error ratio: floors, pooling, and that no NaN hides behind a smaller number."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parity.policy import Policy
from service.parity.record import DiffStats, RunRecord, TapDiff
from service.parity.tolerance import FLOAT32_HALF_ULP, ratio_of, rounding_floor, step_ratio, summarise_taps

NAN, INF = math.nan, math.inf
FP32 = Policy("mine")


@pytest.fixture
def diff(passing: RunRecord) -> TapDiff:
    assert passing.synchronized is not None
    return passing.synchronized.diffs[0]


def with_stats(diff: TapDiff, step: int = 0, **fields: Any) -> TapDiff:
    return replace(diff, step=step, stats=replace(diff.stats, **fields))


@pytest.mark.parametrize(
    ("candidate", "reference", "floor", "ratio"),
    [
        (2e-7, 1e-7, 0.0, 2.0),
        (2e-7, 1e-7, 1e-6, 0.2),
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 5.0, 0.0, 0.0),
        (1e-300, 0.0, 0.0, INF),
        (INF, 1.0, 0.0, INF),
        (None, 1.0, 1.0, None),
        (1.0, None, 1.0, None),
    ],
)
def test_ratio(candidate: float | None, reference: float | None, floor: float, ratio: float | None) -> None:
    assert ratio_of(candidate, reference, floor) == ratio


@pytest.mark.parametrize(
    ("candidate", "reference", "floor"),
    [
        (NAN, 1.0, 0.0),
        (1.0, NAN, 0.0),
        (1.0, NAN, 1.0),
        (1.0, 1.0, NAN),
        (1.0, INF, 0.0),
        (0.0, 1.0, INF),
        (INF, INF, 0.0),
    ],
)
def test_what_cannot_be_measured_is_within_no_limit(candidate: float, reference: float, floor: float) -> None:
    ratio = ratio_of(candidate, reference, floor)
    assert ratio is not None
    assert not ratio <= 1e300


@pytest.mark.parametrize(
    ("precision", "floor_scale", "scale", "floor"),
    [
        ("fp32", 1.0, 1.0, FLOAT32_HALF_ULP),
        ("tf32", 1.0, 1.0, FLOAT32_HALF_ULP * 2**13),
        ("bf16", 1.0, 1.0, FLOAT32_HALF_ULP * 2**16),
        ("fp32", 128.0, 0.5, FLOAT32_HALF_ULP * 64),
        ("fp32", 1.0, 0.0, 0.0),
        ("fp32", 1.0, None, 0.0),
    ],
)
def test_floor(diff: TapDiff, precision: str, floor_scale: float, scale: float | None, floor: float) -> None:
    changed = replace(with_stats(diff, oracle_scale=scale), floor_scale=floor_scale)
    assert rounding_floor(changed, Policy("mine", precision_class=precision)) == floor


def test_precision_class_decides(diff: TapDiff) -> None:
    changed = with_stats(diff, reference_error=1e-8, candidate_error=1e-4, oracle_scale=1.0)
    ratios = [step_ratio(changed, Policy("mine", precision_class=name)) for name in ("fp32", "tf32", "bf16")]
    assert [ratio is not None and ratio <= 4.0 for ratio in ratios] == [False, True, True]


def test_maxima_are_pooled_before_they_are_divided(diff: TapDiff) -> None:
    rows = [
        with_stats(diff, 0, reference_error=1.0, candidate_error=2.0),
        with_stats(diff, 5, reference_error=2.0, candidate_error=1.0, max_ulp=None, cosine=0.5, rms=None),
        with_stats(diff, 10, reference_error=0.5, candidate_error=6.0, max_ulp=9, cosine=None),
    ]
    (summary,) = summarise_taps(rows, FP32)
    assert (summary.error_ratio, summary.worst_step, summary.comparisons) == (3.0, 10, 3)
    assert (summary.max_ulp, summary.cosine, summary.mismatches) == (9, 0.5, 9)


@pytest.mark.parametrize("order", list(itertools.permutations((NAN, 1e-9, 2e-9))))
@pytest.mark.parametrize("field", ["candidate_error", "reference_error"])
def test_nan_in_one_step_stays_wherever_it_stands(diff: TapDiff, order: tuple[float, ...], field: str) -> None:
    rows = [with_stats(diff, step, **{field: value}) for step, value in enumerate(order)]
    (summary,) = summarise_taps(rows, FP32)
    assert summary.error_ratio is not None
    assert math.isnan(summary.error_ratio)


def test_summaries_are_in_dataflow_order(passing: RunRecord) -> None:
    assert passing.synchronized is not None
    shuffled = passing.synchronized.diffs[::-1]
    assert [s.tap for s in summarise_taps(shuffled, FP32)] == list(passing.synchronized.expected_taps)


def test_nonfinite_are_counted(diff: TapDiff) -> None:
    rows = [
        with_stats(diff, 0, reference_nan=1, reference_inf=2),
        with_stats(diff, 1, candidate_nan=4, candidate_inf=8),
    ]
    (summary,) = summarise_taps(rows, FP32)
    assert (summary.nonfinite_reference, summary.nonfinite_candidate) == (3, 12)


errors = st.floats(0, 1e30)


@given(errors, errors, st.floats(0, 1e30), st.floats(1.0, 1e6))
def test_a_larger_error_never_has_a_smaller_ratio(candidate: float, reference: float, floor: float, by: float) -> None:
    small, large = ratio_of(candidate, reference, floor), ratio_of(candidate * by, reference, floor)
    assert small is not None
    assert large is not None
    assert large >= small


def test_nothing_to_summarise() -> None:
    assert summarise_taps([], FP32) == []


def test_stats_without_errors_have_no_ratio(diff: TapDiff) -> None:
    assert isinstance(diff.stats, DiffStats)
    assert step_ratio(with_stats(diff, candidate_error=None), FP32) is None


class TestDtypes:
    """Each real dtype rounds in its own way, and integers do not round at all."""

    @pytest.mark.parametrize(
        ("dtype", "floor"),
        [("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-53), ("int32", 0.0), ("bool", 0.0)],
    )
    def test_floor(self, diff: TapDiff, dtype: str, floor: float) -> None:
        assert rounding_floor(replace(with_stats(diff, oracle_scale=1.0), dtype=dtype), FP32) == floor

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_below_the_smallest_normal_number_units_shrink_no_further(self, diff: TapDiff, dtype: str) -> None:
        """The next number is within rounding, and ten of them are not, however exact the reference happens to be."""
        smallest = float(np.finfo(dtype).smallest_subnormal)
        row = replace(with_stats(diff, oracle_scale=smallest, reference_error=0.0), dtype=dtype)
        assert step_ratio(with_stats(row, candidate_error=smallest), FP32) <= FP32.error_ratio
        assert not step_ratio(with_stats(row, candidate_error=10 * smallest), FP32) <= FP32.error_ratio
        zeros = with_stats(row, oracle_scale=0.0, candidate_error=smallest)
        assert step_ratio(zeros, FP32) == INF

    @pytest.mark.parametrize(("dtype", "widened"), [("float32", 2.0**13), ("float16", 1.0), ("float64", 1.0)])
    def test_a_precision_class_is_about_float32(self, diff: TapDiff, dtype: str, widened: float) -> None:
        row = replace(with_stats(diff, oracle_scale=1.0), dtype=dtype)
        assert rounding_floor(row, Policy("mine", precision_class="tf32")) == widened * rounding_floor(row, FP32)

    @pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "bool"])
    def test_one_integer_off_is_off(self, diff: TapDiff, dtype: str) -> None:
        """By one in 2^60, which float64 cannot tell: the errors read 0 on both sides, the mismatch is counted."""
        row = replace(
            with_stats(diff, reference_error=0.0, candidate_error=0.0, mismatches=1, max_ulp=None), dtype=dtype
        )
        assert step_ratio(row, FP32) == INF
        assert step_ratio(replace(row, stats=replace(row.stats, mismatches=0)), FP32) == 0.0

    def test_the_integer_that_is_off_may_be_the_reference_s(self, diff: TapDiff) -> None:
        row = replace(with_stats(diff, reference_error=1.0, candidate_error=0.0, mismatches=1), dtype="int32")
        (summary,) = summarise_taps([row], FP32)
        assert (summary.error_ratio, summary.reference_ratio) == (0.0, INF)


class TestReferenceRatio:
    def test_it_is_the_same_question_asked_of_the_other_side(self, diff: TapDiff) -> None:
        row = with_stats(diff, reference_error=3e-6, candidate_error=1e-6)
        back = with_stats(diff, reference_error=1e-6, candidate_error=3e-6)
        (there,), (here,) = summarise_taps([row], FP32), summarise_taps([back], FP32)
        assert there.reference_ratio == here.error_ratio == 3.0
        assert there.error_ratio == here.reference_ratio == pytest.approx(1 / 3)

    def test_its_floor_is_wider_by_the_slack(self, diff: TapDiff) -> None:
        row = with_stats(diff, reference_error=10 * FLOAT32_HALF_ULP, candidate_error=0.0, oracle_scale=1.0)
        (tight,), (wide,) = summarise_taps([row], FP32), summarise_taps([replace(row, reference_slack=5.0)], FP32)
        assert (tight.reference_ratio, wide.reference_ratio) == (10.0, 2.0)
        assert tight.error_ratio == wide.error_ratio

    def test_the_spread_joins_the_candidates_yardstick_and_excuses_no_reference(self, diff: TapDiff) -> None:
        row = with_stats(diff, reference_error=1e-6, candidate_error=8e-6)
        (summary,) = summarise_taps([replace(row, reference_spread=4e-6)], FP32)
        assert summary.error_ratio == 2.0
        assert summary.reference_ratio == 0.125
        (other,) = summarise_taps([replace(with_stats(diff, reference_error=8e-6, candidate_error=1e-6),
                                           reference_spread=1.0)], FP32)  # fmt: skip
        assert other.reference_ratio == 8.0
