"""The evidence sections of a report: taps, error ratios, signs, losses, band, learning, checkpoints, integrity.

Each is a function of the record (and the policy, where limits or the precision class matter). Long series are reduced
here, so that page and JSON show the same rows; each says its totals.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from service.parity.checkpoints import output_ratio
from service.parity.envelope import BandSeries, loss_band, weights_band
from service.parity.policy import Policy
from service.parity.record import (
    SIDES,
    CheckpointTrip,
    RunRecord,
    Side,
    SignFlips,
    StepLosses,
    Swatch,
    SynchronizedEvidence,
    TapDiff,
)
from service.parity.tolerance import nonfinite, step_ratio, summarise_taps
from service.reports.json_values import not_measured
from service.reports.series import buckets_of, kept_rows, worst_of

MAX_COLUMNS = 120
"""Columns of the heat-map: more compared steps than this share a column, which shows its worst."""


def taps(record: RunRecord | None, policy: Policy) -> list[dict[str, Any]]:
    """One entry a tap in dataflow order, pooled over the compared steps."""
    if record is None or record.synchronized is None:
        return []
    return [dataclasses.asdict(summary) for summary in summarise_taps(record.synchronized.diffs, policy)]


def error_ratios(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """The matrix taps by compared steps: the error ratio and the count of mismatches of each comparison.

    A ratio is NaN where a side held NaN or Inf, and null where nothing was compared.
    """
    found = record.synchronized if record else None
    if found is None:
        return not_measured(_absent(record, "synchronized"))
    steps = sorted({*found.expected_steps, *(diff.step for diff in found.diffs)})
    columns = [(steps[run[0]], steps[run[-1]]) for run in buckets_of(len(steps), MAX_COLUMNS)]
    column_of = {
        steps[position]: column for column, run in enumerate(buckets_of(len(steps), MAX_COLUMNS)) for position in run
    }
    return {
        "measured": True,
        "limit": policy.error_ratio,
        "total_steps": len(steps),
        "reduced": len(columns) < len(steps),
        "columns": [{"first": first, "last": last} for first, last in columns],
        "rows": [_row(tap, diffs, column_of, len(columns), policy) for tap, diffs in _by_tap(found).items()],
    }


def signs(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """Flipped units, a side at a time: in all and by tap."""
    found = record.synchronized if record else None
    if found is None:
        return not_measured(_absent(record, "synchronized"))
    if not found.signs:
        return not_measured("no signs were compared")
    grouped: dict[str, dict[Side, list[SignFlips]]] = {}
    for sign in found.signs:
        grouped.setdefault(sign.tap, {side: [] for side in SIDES})[sign.side].append(sign)
    return {
        "measured": True,
        "limit": policy.sign_bound,
        **{side: _flips([sign for sign in found.signs if sign.side == side]) for side in SIDES},
        "taps": [{"tap": tap, **{side: _flips(rows[side]) for side in SIDES}} for tap, rows in grouped.items()],
    }


def losses(record: RunRecord | None) -> dict[str, Any]:
    """Both sides' losses, a phase at a time; reduced to the rows that shape the curve."""
    phases: dict[str, tuple[StepLosses, ...] | None] = {
        "synchronized": record.synchronized.losses if record and record.synchronized else None,
        "free_running": record.free_running.losses if record and record.free_running else None,
    }
    return {
        phase: not_measured(_absent(record, phase)) if rows is None else _loss_series(rows)
        for phase, rows in phases.items()
    }


def band(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """The candidate's distance from the reference, step by step, over what rounding alone does."""
    found = record.free_running if record else None
    if found is None:
        return not_measured(_absent(record, "free_running"))
    if not found.members:
        return not_measured("no perturbed reference was trained")
    return {
        "measured": True,
        "limit": policy.band,
        "members": len(found.members),
        "moved_fraction": min(member.moved_fraction for member in found.members),
        "loss": _band_series(loss_band(found, policy), policy),
        "weights": _band_series(weights_band(found, policy), policy),
    }


def learning(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """The trained models' outputs: spread, colours, those taken for others. The first swatch is the criterion's."""
    found = record.learning if record else None
    if found is None:
        trained = record is not None and record.free_running is not None
        return not_measured("no trained model was looked at" if trained else _absent(record, "free_running"))
    swatches = [_swatch(swatch) for swatch in found.swatches]
    return {
        "measured": True,
        "criterion": {**swatches[0], "tolerance": policy.color_tolerance} if swatches else None,
        "models": list(found.models),
        "swatches": swatches,
        "confusions": list(found.confusions),
    }


def checkpoints(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """The trips that were made, of the matrix {saved by} x {loaded by} x {format}; coverage says how many should be."""
    if record is None or record.checkpoint is None:
        return not_measured(_absent(record, "checkpoint"))
    return {
        "measured": True,
        "limit": policy.error_ratio,
        "trips": [_trip(trip, record, policy) for trip in record.checkpoint.trips],
    }


def integrity(record: RunRecord | None) -> dict[str, Any]:
    """The data both sides were handed, and whether the reference is the frozen one."""
    if record is None or record.integrity is None:
        return not_measured("the run ended before the batches and the frozen files were looked at")
    return {"measured": True, **dataclasses.asdict(record.integrity)}


def _absent(record: RunRecord | None, phase: str) -> str:
    """Why there is no evidence of that phase."""
    if record is None:
        return "nothing was recorded"
    if phase not in record.plan.phases:
        return f"the plan does not ask for the {phase} phase"
    return f"the {phase} phase did not end"


def _by_tap(found: SynchronizedEvidence) -> dict[str, list[TapDiff]]:
    rows: dict[str, list[TapDiff]] = {tap: [] for tap in found.expected_taps}
    for diff in sorted(found.diffs, key=lambda d: d.position):
        rows.setdefault(diff.tap, []).append(diff)
    return rows


def _row(tap: str, diffs: list[TapDiff], column_of: dict[int, int], width: int, policy: Policy) -> dict[str, Any]:
    ratios: list[list[float]] = [[] for _ in range(width)]
    mismatches: list[int | None] = [None] * width
    for diff in diffs:
        column = column_of[diff.step]
        mismatches[column] = (mismatches[column] or 0) + diff.stats.mismatches
        ratio = math.nan if any(nonfinite(diff)) else step_ratio(diff, policy)
        if ratio is not None:
            ratios[column].append(ratio)
    return {"tap": tap, "ratios": [worst_of(values) for values in ratios], "mismatches": mismatches}


def _flips(rows: list[SignFlips]) -> dict[str, Any]:
    excesses = [row.worst_excess for row in rows if row.worst_excess is not None]
    return {
        "units": sum(row.elements for row in rows),
        "flips": sum(row.flips for row in rows),
        "worst_excess": worst_of(excesses),
    }


def _loss_series(rows: Sequence[StepLosses]) -> dict[str, Any]:
    sides: dict[Side, list[float | None]] = {
        "reference": [row.reference for row in rows],
        "candidate": [row.candidate for row in rows],
    }
    kept = kept_rows(list(sides.values()))
    return {
        "measured": True,
        "total_steps": len(rows),
        "reduced": len(kept) < len(rows),
        "steps": [rows[index].step for index in kept],
        **{side: [values[index] for index in kept] for side, values in sides.items()},
        "final": {side: values[-1] if values else None for side, values in sides.items()},
    }


def _band_series(series: BandSeries, policy: Policy) -> dict[str, Any]:
    kept = kept_rows([series.ratio, series.candidate])
    return {
        "total_steps": len(series.steps),
        "reduced": len(kept) < len(series.steps),
        "steps": [series.steps[index] for index in kept],
        "candidate": [series.candidate[index] for index in kept],
        "band": [series.band[index] for index in kept],
        "ratio": [series.ratio[index] for index in kept],
        "worst": series.worst,
        "left_at": series.left_at(policy.band),
    }


def _trip(trip: CheckpointTrip, record: RunRecord, policy: Policy) -> dict[str, Any]:
    stats = trip.output
    return {
        "saved_by": trip.saver,
        "loaded_by": trip.loader,
        "format": trip.format,
        "arrays": trip.arrays,
        "differing_arrays": trip.differing_arrays,
        "lost_metadata": trip.lost_metadata,
        "outputs": stats.elements if stats else 0,
        "differing_outputs": stats.mismatches if stats else None,
        "max_abs": stats.max_abs if stats else None,
        "error_ratio": output_ratio(trip, record, policy) if stats else None,
        "resumed_steps": trip.resumed_steps,
        "resumed_distance": trip.resumed_distance,
        "resumed_differing": trip.resumed_differing,
        "repeat_distance": trip.repeat_distance,
    }


def _swatch(swatch: Swatch) -> dict[str, Any]:
    return {
        **dataclasses.asdict(swatch),
        "reference_error": _channel_error(swatch.reference, swatch.target),
        "candidate_error": _channel_error(swatch.candidate, swatch.target),
    }


def _channel_error(output: tuple[float, ...] | None, target: tuple[float, ...]) -> float | None:
    """The largest absolute difference of a channel; NaN if any channel is."""
    if output is None:
        return None
    return worst_of([abs(a - b) for a, b in zip(output, target, strict=True)])
