"""The checkpoint checks: what is saved comes back bit for bit, and training goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from service.parity.numerics import absent_phase
from service.parity.policy import PRECISION_FLOORS, Policy
from service.parity.record import CHECKPOINT_FORMATS, SIDES, CheckpointTrip, DiffStats, RunRecord
from service.parity.tolerance import FLOAT32_HALF_ULP, ratio_of
from service.parity.verdict import CheckOutcome, CheckResult

Finding = Callable[[CheckpointTrip], str | None]
"""What a trip's evidence lacks, or what is wrong with the trip, in words; `None` when nothing is."""


def check_transfer(record: RunRecord, policy: Policy) -> CheckResult:
    """Do weights, metadata and outputs survive every trip {saver} x {loader} x {format}?"""
    result = _judge(
        "checkpoint.transfer",
        record,
        gap=lambda trip: _transfer_gap(trip, record, policy),
        flaw=lambda trip: _transfer_flaw(trip, record, policy),
        words="bring weights, metadata and outputs back",
    )
    ratios = [ratio for trip in _trips(record) if (ratio := output_ratio(trip, record, policy)) is not None]
    return _with_value(result, ratios, "error ratio of the outputs", policy.error_ratio)


def check_resume(record: RunRecord, policy: Policy) -> CheckResult:
    """Does training that goes on from a file equal training that never stopped?"""
    steps = record.plan.checkpoint.steps_after
    result = _judge(
        "checkpoint.resume",
        record,
        gap=lambda trip: _resume_gap(trip, steps),
        flaw=lambda trip: _resume_flaw(trip, steps, policy),
        words=f"train on for {steps} steps as if they had never stopped",
    )
    distances = [trip.resumed_distance for trip in _trips(record) if trip.resumed_distance is not None]
    return _with_value(result, distances, "relative L2 distance of the weights")


def output_ratio(trip: CheckpointTrip, record: RunRecord, policy: Policy) -> float | None:
    """The candidate's output error over the reference's; 0 for equal outputs, `None` where nothing can measure others.

    Whichever side loads, the reference's error is the yardstick, as in the synchronized test. Without an oracle the
    loader's outputs are measured from the saver's, which are then without error, and both sides' rounding is allowed.
    """
    stats = trip.output
    if stats is None or _nonfinite(stats):
        return math.nan
    if stats.mismatches == 0:
        return 0.0
    if stats.reference_error == 0:
        return ratio_of(stats.candidate_error, 0.0, _wide_floor(stats, record, policy))
    candidate, reference = stats.candidate_error, stats.reference_error
    if trip.saver == "candidate" and trip.loader == "reference":
        candidate, reference = reference, candidate
    return ratio_of(candidate, reference, _floor(stats, policy))


def _floor(stats: DiffStats, policy: Policy) -> float:
    return FLOAT32_HALF_ULP * (stats.oracle_scale or 0.0) * PRECISION_FLOORS[policy.precision_class]


def _wide_floor(stats: DiffStats, record: RunRecord, policy: Policy) -> float:
    """sqrt(K) times the floor, K being the widest layer: summing term by term is no fault."""
    return _floor(stats, policy) * math.sqrt(max(record.plan.layer_sizes()))


def trip_name(trip: CheckpointTrip) -> str:
    """E.g. `the candidate loads the reference's npz`."""
    return f"the {trip.loader} loads the {trip.saver}'s {trip.format}"


def _trips(record: RunRecord) -> tuple[CheckpointTrip, ...]:
    return record.checkpoint.trips if record.checkpoint else ()


def _judge(name: str, record: RunRecord, gap: Finding, flaw: Finding, words: str) -> CheckResult:
    """Coverage first; then a trip of the reference alone that fails leaves nothing to hold the candidate to."""
    evidence = record.checkpoint
    if evidence is None:
        return absent_phase(name, record, "checkpoint")
    for side in SIDES:
        trouble = next((t for t in (*record.troubles, *evidence.troubles) if t.side == side), None)
        if trouble is not None:
            return CheckResult(name, _blame(side == "reference"), trouble.message)
    wanted = {(saver, loader, kind) for saver in SIDES for loader in SIDES for kind in CHECKPOINT_FORMATS}
    seen = [(trip.saver, trip.loader, trip.format) for trip in evidence.trips]
    if set(seen) != wanted or len(seen) != len(wanted):
        return CheckResult(name, "inconclusive", f"{len(set(seen))} of {len(wanted)} trips of a checkpoint were made")
    gaps = [f"{trip_name(trip)}: {missing}" for trip in evidence.trips if (missing := gap(trip))]
    if gaps:
        return CheckResult(name, "inconclusive", gaps[0])
    flaws = [(trip, found) for trip in evidence.trips if (found := flaw(trip))]
    if not flaws:
        return CheckResult(name, "pass", f"{len(wanted)} trips {words}", evidence={"flawed_trips": 0})
    trip, found = min(flaws, key=lambda item: not _reference_alone(item[0]))
    more = f" ({len(flaws)} of {len(wanted)} trips)" if len(flaws) > 1 else ""
    message = f"{trip_name(trip)}: {found}{more}"
    return CheckResult(name, _blame(_reference_alone(trip)), message, evidence={"flawed_trips": len(flaws)})


def _transfer_gap(trip: CheckpointTrip, record: RunRecord, policy: Policy) -> str | None:
    stats = trip.output
    if not trip.arrays or stats is None or not stats.elements:
        return "nothing was compared"
    if _nonfinite(stats):
        return None  # A flaw, and there may be no finite element to measure an error at.
    measured = (stats.reference_error, stats.candidate_error, stats.oracle_scale)
    if not all(value is not None and math.isfinite(value) for value in measured):
        return "the outputs were not measured against a witness"
    if trip.saver == trip.loader or trip.differing_arrays or stats.reference_error == 0:
        return None
    own = stats.reference_error if trip.saver == "reference" else stats.candidate_error
    ratio = ratio_of(own, 0.0, _wide_floor(stats, record, policy))
    if ratio is not None and ratio <= policy.error_ratio:
        return None
    return "the reference's own outputs are farther from the oracle than rounding explains, so they are no yardstick"


def _transfer_flaw(trip: CheckpointTrip, record: RunRecord, policy: Policy) -> str | None:
    if trip.differing_arrays:
        return f"{_some(trip.differing_arrays)} of {trip.arrays} arrays are not the saver's, bit for bit"
    if trip.lost_metadata:
        return f"{_some(trip.lost_metadata)} did not come back as it was saved"
    stats = trip.output
    assert stats is not None
    if nonfinite := _nonfinite(stats):
        return f"{nonfinite} outputs are NaN or Inf"
    if stats.mismatches == 0:
        return None
    if trip.saver == trip.loader and trip.repeat_distance == 0:
        return f"{stats.mismatches} outputs are not the saver's, bit for bit"
    ratio = output_ratio(trip, record, policy)
    if ratio is not None and ratio <= policy.error_ratio:
        return None
    return f"{stats.mismatches} outputs differ by more than rounding explains"


def _resume_gap(trip: CheckpointTrip, steps: int) -> str | None:
    if not trip.arrays:
        return "nothing was compared"
    if trip.resumed_steps != steps or not steps:
        return f"{trip.resumed_steps} of {steps} steps were trained after loading"
    if trip.resumed_distance is None or trip.repeat_distance is None:
        return "how far the resumed training came from the other was not measured"
    return None


def _resume_flaw(trip: CheckpointTrip, steps: int, policy: Policy) -> str | None:
    distance, repeat = trip.resumed_distance, trip.repeat_distance
    assert distance is not None
    assert repeat is not None
    if distance == 0 and repeat >= 0 and not trip.resumed_differing:
        return None
    if 0 < distance <= policy.band * repeat:
        return None  # A side that does not repeat itself: two trainings from one state are as far apart.
    names = _some(trip.resumed_differing)
    return f"{names} differ after {steps} steps from training that never stopped, by {distance:.3g} (relative L2)"


def _nonfinite(stats: DiffStats) -> int:
    """On either side: equal NaN is no agreement."""
    return max(stats.reference_nan + stats.reference_inf, stats.candidate_nan + stats.candidate_inf)


def _reference_alone(trip: CheckpointTrip) -> bool:
    return trip.saver == trip.loader == "reference"


def _blame(reference: bool) -> CheckOutcome:
    return "inconclusive" if reference else "fail"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _with_value(result: CheckResult, values: list[float], unit: str, limit: float | None = None) -> CheckResult:
    if result.outcome == "not_measured":
        return result
    worst = math.nan if any(math.isnan(value) for value in values) else max(values, default=None)
    return dataclasses.replace(result, value=worst, limit=limit, unit=unit)
