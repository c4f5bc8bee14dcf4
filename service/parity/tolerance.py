"""The error ratio: is the candidate as close to the exact answer as the reference is? (docs/parity.md, section 1)

For tap T with the oracle's array O: e_ref = max|R - O|, e_cand = max|C - O|, floor f = 2^-24 * max|O|, half a unit in
the last place of float32 at the array's scale. ratio = max over steps e_cand / max(max over steps e_ref, f).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from service.parity.policy import PRECISION_FLOORS, Policy
from service.parity.record import TapDiff

FLOAT32_HALF_ULP = 2.0**-24


@dataclass(frozen=True, slots=True)
class TapSummary:
    """All comparisons of one tap, pooled. `error_ratio` is `None` where nothing finite could be compared."""

    tap: str
    position: int
    comparisons: int
    error_ratio: float | None
    worst_step: int | None
    max_abs: float | None
    max_ulp: int | None
    rms: float | None
    cosine: float | None
    reference_error: float | None
    candidate_error: float | None
    mismatches: int
    nonfinite_reference: int
    nonfinite_candidate: int


def rounding_floor(diff: TapDiff, policy: Policy) -> float:
    """f = 2^-24 * max|O|, widened by the tap's accumulation and the policy's precision class."""
    scale = diff.stats.oracle_scale or 0.0
    return FLOAT32_HALF_ULP * scale * diff.floor_scale * PRECISION_FLOORS[policy.precision_class]


def ratio_of(candidate_error: float | None, reference_error: float | None, floor: float) -> float | None:
    """e_cand / max(e_ref, floor); 0 when the candidate is exact, infinite when only the candidate errs.

    NaN when the yardstick is infinite or NaN: nothing can be measured by it.
    """
    if candidate_error is None or reference_error is None:
        return None
    if not (math.isfinite(reference_error) and math.isfinite(floor)):
        return math.nan
    if candidate_error == 0:
        return 0.0
    yardstick = max(reference_error, floor)
    return candidate_error / yardstick if yardstick > 0 else math.inf


def step_ratio(diff: TapDiff, policy: Policy) -> float | None:
    """The error ratio of one comparison on its own."""
    return ratio_of(diff.stats.candidate_error, diff.stats.reference_error, rounding_floor(diff, policy))


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
    reference_error = _largest(s.reference_error for s in stats)
    candidate_error = _largest(s.candidate_error for s in stats)
    floor = max(rounding_floor(row, policy) for row in rows)
    worst = max(rows, key=lambda row: -1.0 if row.stats.candidate_error is None else row.stats.candidate_error)
    counts = [nonfinite(row) for row in rows]
    cosines = [s.cosine for s in stats if s.cosine is not None]
    return TapSummary(
        tap=tap,
        position=rows[0].position,
        comparisons=len(rows),
        error_ratio=ratio_of(candidate_error, reference_error, floor),
        worst_step=worst.step,
        max_abs=_largest(s.max_abs for s in stats),
        max_ulp=max((s.max_ulp for s in stats if s.max_ulp is not None), default=None),
        rms=_largest(s.rms for s in stats),
        cosine=min(cosines) if cosines else None,
        reference_error=reference_error,
        candidate_error=candidate_error,
        mismatches=sum(s.mismatches for s in stats),
        nonfinite_reference=sum(reference for reference, _ in counts),
        nonfinite_candidate=sum(candidate for _, candidate in counts),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    """The largest known value; NaN if any is, wherever it stands (`max` alone depends on the order)."""
    known = [value for value in values if value is not None]
    if any(math.isnan(value) for value in known):
        return math.nan
    return max(known, default=None)
