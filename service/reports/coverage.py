"""What should have been compared and what was: a verdict on half of the steps must not look like one on all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from service.parity.plan import Plan
from service.parity.record import CHECKPOINT_FORMATS, SIDES, RunRecord

SLICES = 4
"""Of a block."""


def coverage(plan: Plan, record: RunRecord | None) -> dict[str, Any]:
    """Counts of what was to be seen and what was: comparisons (one tap at one step), steps, taps, band members, trips,
    blocks, batches. `None`: not known or planned."""
    synchronized = record.synchronized if record else None
    steps = len(plan.synchronized_steps()) if "synchronized" in plan.phases else None
    taps = len(synchronized.expected_taps) if synchronized else None
    return {
        "expected": taps * len(synchronized.expected_steps) if synchronized and taps is not None else None,
        "compared": synchronized.comparisons if synchronized else 0,
        "taps_expected": taps,
        "taps_compared": len({diff.tap for diff in synchronized.diffs}) if synchronized else 0,
        "steps_expected": steps,
        "steps_compared": len(synchronized.compared_steps) if synchronized else 0,
        "witness": synchronized.witness if synchronized else None,
        **_free_running(plan, record),
        **_checkpoint(plan, record),
        **_measured(plan, record),
        **_batches(record),
    }


def _free_running(plan: Plan, record: RunRecord | None) -> Mapping[str, Any]:
    planned = "free_running" in plan.phases
    seen = record.free_running if record else None
    return {
        "free_running_steps_expected": plan.training.steps if planned else None,
        "free_running_steps_reference": seen.reference_steps if seen else 0,
        "free_running_steps_candidate": seen.candidate_steps if seen else 0,
        "band_runs_expected": plan.free_running.band_runs if planned else None,
        "band_runs": len(seen.members) if seen else 0,
        "band_steps_expected": plan.band_window() if planned else None,
        "weight_steps_expected": len(plan.weight_steps()) if planned else None,
        "weight_steps_compared": len(seen.candidate_weight_distances) if seen else 0,
    }


def _checkpoint(plan: Plan, record: RunRecord | None) -> Mapping[str, Any]:
    seen = record.checkpoint if record else None
    every_trip = len(SIDES) * len(SIDES) * len(CHECKPOINT_FORMATS)
    return {
        "checkpoint_trips_expected": every_trip if "checkpoint" in plan.phases else None,
        "checkpoint_trips": len(seen.trips) if seen else 0,
    }


def _measured(plan: Plan, record: RunRecord | None) -> Mapping[str, Any]:
    """Whole blocks of four slices in every session that was begun, and the traced steps of both sides."""
    timed, traced = (record.performance, record.memory) if record else (None, None)
    blocks = Counter((piece.session, piece.block) for piece in timed.slices) if timed else Counter()
    expected = sum(timed.planned_blocks.values()) if timed else None
    return {
        "timed_blocks_expected": expected if "performance" in plan.phases else None,
        "timed_blocks": sum(slices == SLICES for slices in blocks.values()),
        "traced_steps_expected": len(SIDES) * plan.memory.steps if "memory" in plan.phases else None,
        "traced_steps": sum(
            sample.step >= 0 for trace in (traced.traces if traced else ()) for sample in trace.samples
        ),
    }


def _batches(record: RunRecord | None) -> Mapping[str, Any]:
    integrity = record.integrity if record else None
    ledgers = integrity.batches if integrity else ()
    return {
        "batches_expected": sum(ledger.expected for ledger in ledgers) if integrity else None,
        "batches_reference": sum(ledger.reference_count for ledger in ledgers),
        "batches_candidate": sum(ledger.candidate_count for ledger in ledgers),
    }
