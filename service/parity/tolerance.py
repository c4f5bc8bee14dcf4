"""The error ratio: is the candidate as close to the exact answer as the reference is? (docs/parity.md, section 1)

For tap T with the witness's array O: e_ref = max|R - O|, e_cand = max|C - O|, floor f = u * max|O|, where u is half a
unit in the last place of the tap's dtype. ratio = max over steps e_cand / max(max over steps e_ref, f).

The same is asked of the reference, with a floor wide enough for plain summation: otherwise a wrong reference would
pass as long as the candidate is right, and the verdict would depend on which side is called which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from service.parity.policy import PRECISION_FLOORS, Policy
from service.parity.record import TapDiff

FLOAT32_HALF_ULP = 2.0**-24
HALF_ULP = {"float16": 2.0**-11, "float32": FLOAT32_HALF_ULP, "float64": 2.0**-53}
"""Unit roundoff of IEEE 754 binary16, binary32 and binary64. Integers and booleans do not round: they must be equal."""

HALF_SMALLEST = {"float16": 2.0**-25, "float32": 2.0**-150, "float64": 2.0**-1074}
"""Half the smallest number above 0 (of binary64, which has no half of it, the whole): no result is rounded more finely,
and in binary16 a gradient soon is as small as that."""


@dataclass(frozen=True, slots=True)
class TapSummary:
    """All comparisons of one tap, pooled. A ratio is `None` where nothing finite could be compared."""

    tap: str
    position: int
    comparisons: int
    error_ratio: float | None
    reference_ratio: float | None
    """The reference's error over the candidate's, with the floor that plain summation needs."""
    worst_step: int | None
    max_abs: float | None
    max_ulp: int | None
    rms: float | None
    cosine: float | None
    reference_error: float | None
    candidate_error: float | None
    reference_spread: float | None
    mismatches: int
    nonfinite_reference: int
    nonfinite_candidate: int


def rounding_floor(diff: TapDiff, policy: Policy) -> float:
    """f = u * max|O|, widened by the tap's accumulation and, in float32, by the policy's precision class.

    0 where the exact array is nothing but zeros: those every dtype has.
    """
    scale = diff.stats.oracle_scale or 0.0
    if diff.dtype not in HALF_ULP or scale == 0:
        return 0.0
    widened = PRECISION_FLOORS[policy.precision_class] if diff.dtype == "float32" else 1.0
    return max(HALF_ULP[diff.dtype] * scale, HALF_SMALLEST[diff.dtype]) * diff.floor_scale * widened


def reference_floor(diff: TapDiff, policy: Policy) -> float:
    """The floor under the reference's own error: wide enough for sums taken one term after another."""
    return rounding_floor(diff, policy) * diff.reference_slack


def ratio_of(error: float | None, other_error: float | None, floor: float) -> float | None:
    """error / max(other_error, floor); 0 for an exact side, infinite when only this side errs.

    NaN when the yardstick is infinite or NaN: nothing can be measured by it.
    """
    if error is None or other_error is None:
        return None
    if not (math.isfinite(other_error) and math.isfinite(floor)):
        return math.nan
    if error == 0:
        return 0.0
    yardstick = max(other_error, floor)
    return error / yardstick if yardstick > 0 else math.inf


def step_ratio(diff: TapDiff, policy: Policy) -> float | None:
    """The candidate's error ratio in one comparison on its own."""
    return _ratio([diff], policy)


def nonfinite(diff: TapDiff) -> tuple[int, int]:
    """Counts of NaN and Inf, reference's and candidate's."""
    stats = diff.stats
    return stats.reference_nan + stats.reference_inf, stats.candidate_nan + stats.candidate_inf


def summarise_taps(diffs: Iterable[TapDiff], policy: Policy) -> list[TapSummary]:
    """One summary a tap, in dataflow order."""
    grouped: dict[str, list[TapDiff]] = {}
    for diff in diffs:
        grouped.setdefault(diff.tap, []).append(diff)
    summaries = [_summarise(tap, rows, policy) for tap, rows in grouped.items()]
    return sorted(summaries, key=lambda summary: summary.position)


def _summarise(tap: str, rows: list[TapDiff], policy: Policy) -> TapSummary:
    stats = [row.stats for row in rows]
    worst = max(rows, key=lambda row: -1.0 if row.stats.candidate_error is None else row.stats.candidate_error)
    counts = [nonfinite(row) for row in rows]
    cosines = [s.cosine for s in stats if s.cosine is not None]
    return TapSummary(
        tap=tap,
        position=rows[0].position,
        comparisons=len(rows),
        error_ratio=_ratio(rows, policy),
        reference_ratio=_reference_ratio(rows, policy),
        worst_step=worst.step,
        max_abs=_largest(s.max_abs for s in stats),
        max_ulp=max((s.max_ulp for s in stats if s.max_ulp is not None), default=None),
        rms=_largest(s.rms for s in stats),
        cosine=min(cosines) if cosines else None,
        reference_error=_largest(s.reference_error for s in stats),
        candidate_error=_largest(s.candidate_error for s in stats),
        reference_spread=_largest(row.reference_spread for row in rows),
        mismatches=sum(s.mismatches for s in stats),
        nonfinite_reference=sum(reference for reference, _ in counts),
        nonfinite_candidate=sum(candidate for _, candidate in counts),
    )


def _ratio(rows: list[TapDiff], policy: Policy) -> float | None:
    """e_cand over e_ref, each the largest over the rows; what the reference differs by from itself joins its error."""
    reference = _largest(value for row in rows for value in (row.stats.reference_error, row.reference_spread))
    candidate = _largest(row.stats.candidate_error for row in rows)
    if any(_unequal_where_exact(row) for row in rows):
        return math.inf
    known = any(row.stats.reference_error is not None for row in rows)
    return ratio_of(candidate, reference if known else None, _widest(rows, policy, rounding_floor))


def _reference_ratio(rows: list[TapDiff], policy: Policy) -> float | None:
    """e_ref over e_cand; the reference's spread is its own affair and does not excuse it."""
    reference = _largest(row.stats.reference_error for row in rows)
    candidate = _largest(row.stats.candidate_error for row in rows)
    return ratio_of(reference, candidate, _widest(rows, policy, reference_floor))


def _unequal_where_exact(row: TapDiff) -> bool:
    """Whether integers or booleans differ and the candidate is not the one that equals the witness.

    Counted, not subtracted: float64, in which errors are taken, cannot tell integers above 2^53 apart.
    """
    if row.dtype in HALF_ULP or not row.stats.mismatches:
        return False
    return row.stats.candidate_error != 0 or row.stats.reference_error == 0


def _widest(rows: list[TapDiff], policy: Policy, floor: Callable[[TapDiff, Policy], float]) -> float:
    return max(floor(row, policy) for row in rows)


def _largest(values: Iterable[float | None]) -> float | None:
    """The largest known value; NaN if any is, wherever it stands (`max` alone depends on the order)."""
    known = [value for value in values if value is not None]
    if any(math.isnan(value) for value in known):
        return math.nan
    return max(known, default=None)
