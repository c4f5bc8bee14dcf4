"""The numeric checks: synchronized error ratios, signs, the perturbation band; and the first divergence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from service.parity.envelope import BandSeries, loss_band, weights_band
from service.parity.policy import Policy
from service.parity.record import (
    PROBED_STEPS,
    REPLAY_WITNESS,
    SIDES,
    FreeRunningEvidence,
    RunRecord,
    Side,
    StepLosses,
    SubjectInfo,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.parity.tolerance import TapSummary, nonfinite, ratio_of, reference_floor, step_ratio, summarise_taps
from service.parity.verdict import CheckOutcome, CheckResult, FirstDivergence


def check_synchronized(record: RunRecord, policy: Policy) -> CheckResult:
    """Is every tap of the candidate as close to the exact answer as the reference's, at every compared step?"""
    name = "numerics.synchronized"
    evidence = record.synchronized
    if evidence is None:
        return absent_phase(name, record, "synchronized")
    troubles = (*record.troubles, *evidence.troubles)
    stopped = _stopped(name, troubles, evidence)
    if stopped:
        return stopped
    incomplete = _incomplete(evidence, record.plan.synchronized_steps())
    if incomplete:
        return CheckResult(name, "inconclusive", incomplete)
    broken = _first_nonfinite(evidence.diffs)
    if broken:
        side, diff = broken
        count = nonfinite(diff)[0 if side == "reference" else 1]
        message = f"{diff.tap} holds {count} NaN or Inf in the {side} at step {diff.step}"
        return CheckResult(name, _blame(side), message)
    lost = _broken_loss(name, evidence.losses)
    if lost:
        return lost
    return _judge_ratios(name, evidence, policy)


def _judge_ratios(name: str, evidence: SynchronizedEvidence, policy: Policy) -> CheckResult:
    """The candidate's error ratios decide; then the reference's own must be sound, or they decided nothing."""
    summaries = summarise_taps(evidence.diffs, policy)
    limit, witness = policy.error_ratio, evidence.witness
    worst = max(summaries, key=lambda summary: math.inf if math.isnan(_ratio(summary)) else _ratio(summary))
    above = sum(not _ratio(summary) <= limit for summary in summaries)
    identical = sum(summary.mismatches == 0 for summary in summaries)
    detail = (
        f"{evidence.comparisons} comparisons of {len(summaries)} taps at {len(evidence.compared_steps)} steps, "
        f"{identical} taps bit-equal throughout; {_steadiness(evidence)}"
    )
    unsound = None if above else _unsound_reference(summaries, evidence, policy)
    if above:
        message = (
            f"{above} of {len(summaries)} taps are farther from the {witness} than rounding explains: "
            f"worst {worst.tap} at step {worst.worst_step}; {detail}"
        )
    elif unsound:
        message = f"{unsound}; {detail}"
    else:
        message = f"every tap is as close to the {witness} as the reference's: worst {worst.tap}; {detail}"
    return CheckResult(
        name,
        "fail" if above else "inconclusive" if unsound else "pass",
        message,
        value=_ratio(worst),
        limit=limit,
        unit="error ratio",
        evidence={
            "worst_tap": worst.tap,
            "taps_over_limit": above,
            "bit_equal_taps": identical,
            "taps": len(summaries),
            "witness": witness,
            "reference_is_repeatable": _repeatable(evidence),
        },
    )


def _unsound_reference(summaries: list[TapSummary], evidence: SynchronizedEvidence, policy: Policy) -> str | None:
    """Why the reference cannot serve as a yardstick: it errs by more than rounding, or differs from itself by more."""
    for diff in evidence.diffs:
        spread = ratio_of(diff.reference_spread, 0.0, reference_floor(diff, policy))
        if spread is not None and not spread <= policy.error_ratio:
            return (
                f"two steps of the reference from one state differ in {diff.tap} at step {diff.step} by {spread:.3g} "
                "times what rounding explains, so nothing can be held to it"
            )
    if evidence.witness == REPLAY_WITNESS:
        return None
    for summary in summaries:
        ratio = summary.reference_ratio
        if ratio is not None and not ratio <= policy.error_ratio:
            return (
                f"the reference itself is farther from the {evidence.witness} than rounding explains in {summary.tap} "
                f"({ratio:.3g} times), and the candidate is not: look at the reference, or state its precision class"
            )
    return None


def _repeatable(evidence: SynchronizedEvidence) -> bool | None:
    """Whether two steps of the reference from one state were bit-equal; `None` where that was not tried."""
    return None if evidence.determinism is None else not evidence.determinism.differing_taps


def _steadiness(evidence: SynchronizedEvidence) -> str:
    differing = evidence.determinism.differing_taps if evidence.determinism else ()
    if differing:
        return f"the reference does not repeat itself bit for bit in {len(differing)} taps"
    return "the reference repeats itself bit for bit"


def check_sign_disagreements(record: RunRecord, policy: Policy) -> CheckResult:
    """Does rounding excuse each unit whose LeakyReLU sign is not the oracle's?"""
    name = "numerics.sign_disagreements"
    evidence = record.synchronized
    if evidence is None:
        return absent_phase(name, record, "synchronized")
    if evidence.witness == REPLAY_WITNESS:
        return CheckResult(name, "not_applicable", "reference replays do not know where a model's derivative jumps")
    wanted = {(step, tap, side) for step in evidence.expected_steps for tap in evidence.sign_taps for side in SIDES}
    seen = [(sign.step, sign.tap, sign.side) for sign in evidence.signs]
    if not wanted or len(seen) != len(wanted) or set(seen) != wanted:
        return CheckResult(name, "inconclusive", f"signs were compared {len(seen)} of {len(wanted)} times")
    uncounted = next((s for s in evidence.signs if not s.elements or (s.flips and s.worst_excess is None)), None)
    if uncounted:
        message = f"the signs of {uncounted.tap} at step {uncounted.step} were not measured in the {uncounted.side}"
        return CheckResult(name, "inconclusive", message)
    flips = {side: sum(s.flips for s in evidence.signs if s.side == side) for side in ("reference", "candidate")}
    units = sum(s.elements for s in evidence.signs if s.side == "candidate")
    worst: dict[str, float] = {}
    for sign in evidence.signs:
        if sign.worst_excess is not None:
            worst[sign.side] = _worse(worst.get(sign.side, 0.0), sign.worst_excess)
    counts = f"{flips['candidate']} of {units} units flipped in the candidate, {flips['reference']} in the reference"
    result = CheckResult(
        name,
        "pass",
        f"{counts}; rounding excuses each" if any(flips.values()) else f"{counts}",
        value=worst.get("candidate", 0.0),
        limit=policy.sign_bound,
        unit="times the rounding bound",
        evidence={"candidate_flips": flips["candidate"], "reference_flips": flips["reference"], "units": units},
    )
    if not worst.get("reference", 0.0) <= policy.sign_bound:
        return replace(
            result, outcome="inconclusive", message=f"{counts}; the reference's own flips are beyond rounding"
        )
    if not worst.get("candidate", 0.0) <= policy.sign_bound:
        where = next(s for s in evidence.signs if s.side == "candidate" and _beyond(s.worst_excess, policy.sign_bound))
        return replace(
            result, outcome="fail", message=f"{counts}; beyond rounding first in {where.tap} at step {where.step}"
        )
    return result


def check_free_running(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the candidate's own training stay within what rounding does to the reference's?"""
    name = "numerics.free_running"
    evidence = record.free_running
    if evidence is None:
        return absent_phase(name, record, "free_running")
    troubles = (*record.troubles, *evidence.troubles)
    stopped = _stopped(name, troubles, evidence)
    if stopped:
        return stopped
    lost = _broken_loss(name, evidence.losses)
    if lost:
        return lost
    problem = _unusable_band(record, evidence)
    if problem:
        return CheckResult(name, "inconclusive", problem)
    loss, weights = loss_band(evidence, policy), weights_band(evidence, policy)
    if not all(math.isfinite(width) for width in (*loss.band, *weights.band)):
        return CheckResult(
            name, "inconclusive", "the perturbation band is not finite: a reference's loss or weights are 0"
        )
    worst = _worse(loss.worst or 0.0, weights.worst or 0.0)
    ok = worst <= policy.band
    left = _left(loss, weights, policy)
    last = evidence.losses[-1]
    finals = f"final losses {last.reference:.6g} and {last.candidate:.6g}"
    window = f"{len(loss.steps)} steps, {len(evidence.members)} perturbed references"
    if ok:
        message = f"loss and weights stay within the perturbation band ({window}); {finals}"
    else:
        what = "the weights leave" if left and left[1] == "weights" else "the loss leaves"
        message = f"{what} the perturbation band at step {left[0] if left else '?'} ({window}); {finals}"
    return CheckResult(
        name,
        "pass" if ok else "fail",
        message,
        value=worst,
        limit=policy.band,
        unit="widths of the band",
        evidence={"loss": loss.worst, "weights": weights.worst, "left_at": left[0] if left else None},
    )


def first_divergence(record: RunRecord, policy: Policy) -> FirstDivergence | None:
    """The earliest step, and in it the earliest tap in dataflow order, that rounding does not explain."""
    candidate = record.subjects.get("candidate")
    evidence = record.synchronized
    if evidence is not None:
        found = min(_divergences(evidence, policy), default=None)
        if found:
            step, _, tap, ratio = found
            value = None if math.isnan(ratio) else ratio
            return FirstDivergence("synchronized", step, tap, value, source_of(tap, candidate))
    if record.free_running is not None:
        loss = loss_band(record.free_running, policy)
        weights = weights_band(record.free_running, policy)
        left = _left(loss, weights, policy)
        if left:
            step, what = left
            series = loss if what == "loss" else weights
            ratio = series.ratio[series.steps.index(step)]
            tap = "loss.value" if what == "loss" else "update"
            return FirstDivergence("free_running", step, tap, ratio, source_of(tap, candidate))
    return None


def source_of(tap: str, subject: SubjectInfo | None) -> str | None:
    """The function and rung that computes `tap`: the longest prefix that the subject names."""
    if subject is None:
        return None
    matching = [prefix for prefix in subject.sources if tap.startswith(prefix)]
    return subject.sources[max(matching, key=len)] if matching else None


def absent_phase(name: str, record: RunRecord, phase: str) -> CheckResult:
    """The outcome of a check whose phase left no evidence."""
    if phase not in record.plan.phases:
        return CheckResult(name, "not_measured", f"the plan does not ask for the {phase} phase")
    trouble = next(iter(record.troubles), None)
    if trouble is not None:
        return CheckResult(name, _blame(trouble.side), trouble.message)
    return CheckResult(name, "inconclusive", f"the {phase} phase did not end")


def _stopped(
    name: str, troubles: tuple[Trouble, ...], evidence: SynchronizedEvidence | FreeRunningEvidence
) -> CheckResult | None:
    """Trouble decides before any number does; the reference's first, since without it nothing can be judged."""
    for side in SIDES:
        first = next((trouble for trouble in troubles if trouble.side == side), None)
        if first is not None:
            count = sum(trouble.side == side for trouble in troubles)
            where = "" if first.step is None else f" at step {first.step}"
            more = f" ({count} such observations)" if count > 1 else ""
            return CheckResult(name, _blame(side), f"{first.message}{where}{more}")
    planned = evidence.planned_start_digest
    if not planned:
        return CheckResult(name, "inconclusive", "the state from which both sides start was not recorded")
    for side, start in zip(SIDES, (evidence.reference_start_digest, evidence.candidate_start_digest), strict=True):
        if start != planned:
            message = f"the {side} did not start from the state that it was given: the digests differ"
            return CheckResult(name, _blame(side), message)
    return None


def _incomplete(evidence: SynchronizedEvidence, planned: tuple[int, ...]) -> str | None:
    """Coverage: every planned step with every expected tap, exactly once, each element measured against a witness."""
    if not evidence.diffs or not evidence.comparisons:
        return "nothing was compared"
    if not evidence.witness:
        return "no witness is named from which errors were measured"
    if evidence.expected_steps != planned or evidence.compared_steps != planned:
        return f"{len(evidence.compared_steps)} of the plan's {len(planned)} steps were compared"
    if tuple(row.step for row in evidence.losses) != planned:
        return f"{len(evidence.losses)} of {len(planned)} steps have losses"
    seen = [(diff.step, diff.tap) for diff in evidence.diffs]
    wanted = {(step, tap) for step in evidence.expected_steps for tap in evidence.expected_taps}
    missing = wanted - set(seen)
    if missing:
        step, tap = min(missing)
        return f"{len(missing)} of {len(wanted)} comparisons are missing, e.g. {tap} at step {step}"
    if len(seen) != len(wanted):
        return f"{len(seen)} comparisons are recorded where {len(wanted)} were expected"
    if evidence.comparisons != len(seen):
        return f"{evidence.comparisons} comparisons were made and {len(seen)} are recorded"
    unprobed = _unprobed(evidence, planned)
    if unprobed:
        return unprobed
    return next((problem for diff in evidence.diffs if (problem := _unmeasured(diff))), None)


def _unprobed(evidence: SynchronizedEvidence, planned: tuple[int, ...]) -> str | None:
    """What is missing of the A/A probe: the first compared steps, or all where the reference did not repeat itself."""
    probe = evidence.determinism
    wanted = planned[:PROBED_STEPS] if probe is None or not probe.differing_taps else planned
    if probe is None or probe.steps != wanted:
        tried = 0 if probe is None else len(probe.steps)
        return f"the reference was stepped twice from one state at {tried} of {len(wanted)} steps"
    steps = set(wanted)
    for diff in evidence.diffs:
        if diff.step in steps and diff.reference_spread is None and not any(nonfinite(diff)):
            return f"the reference's second step gave nothing to compare {diff.tap} with at step {diff.step}"
    return None


def _unmeasured(diff: TapDiff) -> str | None:
    """What kept a comparison from covering its whole tap. NaN and Inf of a side are not meant here: they decide."""
    stats, where = diff.stats, f"{diff.tap} at step {diff.step}"
    if stats.elements == 0:
        return f"{where} has no elements"
    if stats.elements != math.prod(diff.shape):
        return f"{where} was compared in {stats.elements} of {math.prod(diff.shape)} elements"
    if any(nonfinite(diff)):
        return None
    if stats.reference_error is None or stats.candidate_error is None or stats.oracle_scale is None:
        return f"no error could be measured for {where}"
    if not math.isfinite(stats.oracle_scale):
        return f"the oracle itself is NaN or Inf in {where}"
    if not math.isfinite(stats.reference_error):
        return f"the reference's error is not finite in {where}"
    return None


def _first_nonfinite(diffs: tuple[TapDiff, ...]) -> tuple[Side, TapDiff] | None:
    for diff in sorted(diffs, key=lambda d: (d.step, d.position)):
        reference, candidate = nonfinite(diff)
        if reference:
            return "reference", diff
        if candidate:
            return "candidate", diff
    return None


def _divergences(evidence: SynchronizedEvidence, policy: Policy) -> Iterator[tuple[int, int, str, float]]:
    taps = evidence.expected_taps
    for trouble in evidence.troubles:
        if trouble.side == "candidate" and trouble.step is not None:
            tap = trouble.tap or "train_step"
            yield trouble.step, taps.index(tap) if tap in taps else len(taps), tap, math.nan
    for diff in evidence.diffs:
        ratio = step_ratio(diff, policy)
        if nonfinite(diff)[1] or ratio is None:
            yield diff.step, diff.position, diff.tap, math.nan
        elif not ratio <= policy.error_ratio:
            yield diff.step, diff.position, diff.tap, ratio


def _broken_loss(name: str, losses: tuple[StepLosses, ...]) -> CheckResult | None:
    for row in losses:
        for side, loss in (("reference", row.reference), ("candidate", row.candidate)):
            if loss is None or not math.isfinite(loss):
                message = f"the {side}'s loss at step {row.step} is NaN, Inf or missing"
                return CheckResult(name, "fail" if side == "candidate" else "inconclusive", message)
    return None


def _unusable_band(record: RunRecord, evidence: FreeRunningEvidence) -> str | None:
    spec = record.plan.free_running
    window = record.plan.band_window()
    finished = (evidence.expected_steps, evidence.reference_steps, evidence.candidate_steps)
    if set(finished) != {record.plan.training.steps}:
        of = f"of {record.plan.training.steps} steps"
        return f"the reference finished {evidence.reference_steps} and the candidate {evidence.candidate_steps} {of}"
    steps = [row.step for row in evidence.losses]
    if steps != list(range(evidence.expected_steps)):
        return f"{len(steps)} of {evidence.expected_steps} steps have both losses"
    if len(evidence.members) != spec.band_runs or any(len(m.losses) != window for m in evidence.members):
        return "the perturbation band is incomplete"
    wanted = record.plan.weight_steps()
    lengths = {len(evidence.candidate_weight_distances), *(len(m.weight_distances) for m in evidence.members)}
    if evidence.weight_steps != wanted or lengths != {len(wanted)}:
        return "the weights were not compared at every step where they should have been"
    if any(not member.moved_fraction > 0 for member in evidence.members):
        return "a perturbation moved nothing, so the band says nothing"
    values = [v for member in evidence.members for v in (*member.losses, *member.weight_distances)]
    if not all(math.isfinite(value) for value in values):
        return "a perturbed reference gave NaN or Inf"
    return None


def _left(loss: BandSeries, weights: BandSeries, policy: Policy) -> tuple[int, str] | None:
    found = [(step, what) for series, what in ((loss, "loss"), (weights, "weights"))
             if (step := series.left_at(policy.band)) is not None]  # fmt: skip
    return min(found, default=None)


def _ratio(summary: TapSummary) -> float:
    return math.nan if summary.error_ratio is None else summary.error_ratio


def _worse(a: float, b: float) -> float:
    """The larger; NaN if either is."""
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _beyond(excess: float | None, bound: float) -> bool:
    return excess is not None and not excess <= bound


def _blame(side: Side) -> CheckOutcome:
    """The candidate's trouble is a failure; the reference's leaves nothing to judge by."""
    return "fail" if side == "candidate" else "inconclusive"
