"""The learning checks: a model that collapses to zeros has a low loss, and must not pass.

The candidate decides; where the reference itself did not learn, there is nothing to hold the candidate to, and the
check is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from service.parity.numerics import absent_phase
from service.parity.policy import Policy
from service.parity.record import SIDES, LearningEvidence, RunRecord, Side
from service.parity.statistics import relative_change
from service.parity.verdict import CheckResult

TENTH = 10


def check_loss_falls(record: RunRecord, policy: Policy) -> CheckResult:
    """Is the last tenth of the losses below the first tenth, with the policy's confidence?"""
    name = "learning.loss_falls"
    evidence = record.free_running
    if evidence is None:
        return absent_phase(name, record, "free_running")
    if evidence.candidate_steps < evidence.expected_steps and evidence.troubles:
        return _stopped(name, evidence.troubles[0].side, evidence.troubles[0].message)
    count = len(evidence.losses) // TENTH
    if count < 2:
        message = f"{len(evidence.losses)} steps are too few to compare the first tenth with the last; use at least 20"
        return CheckResult(name, "inconclusive", message)
    highs: dict[Side, float] = {}
    words: dict[Side, str] = {}
    for side in SIDES:
        losses = [_value(row.reference if side == "reference" else row.candidate) for row in evidence.losses]
        change = relative_change(losses[:count], losses[-count:], policy.confidence)
        highs[side] = math.nan if change is None else change.high
        words[side] = (
            "could not be compared"
            if change is None
            else f"{change.estimate:+.1%} ({change.low:+.1%} to {change.high:+.1%})"
        )
    message = f"loss, last tenth against first: candidate {words['candidate']}, reference {words['reference']}"
    return _judge(name, message, highs, lambda high: high < 0, limit=0.0, unit="relative change, upper end")


def check_outputs_vary(record: RunRecord, policy: Policy) -> CheckResult:
    """Do outputs differ from input to input at least half as much as the data does?"""
    name = "learning.outputs_vary"
    evidence = record.learning
    missing = _missing(name, record, evidence)
    if missing or evidence is None:
        return missing or absent_phase(name, record, "free_running")
    # NaN or Inf in a feature that is constant in the data is not in the spread, and is none the better for it.
    shares: dict[Side, float] = {
        model.side: model.output_spread / model.data_spread
        if model.data_spread > 0 and not model.nonfinite
        else math.nan
        for model in evidence.models
    }
    broken = {model.side: model.nonfinite for model in evidence.models if model.nonfinite}
    message = "outputs' spread over inputs as a share of the data's: " + ", ".join(
        f"{side} {shares[side]:.1%}" for side in ("candidate", "reference")
    )
    message += "".join(f"; {count} outputs of the {side} are NaN or Inf" for side, count in broken.items())
    limit = policy.outputs_vary
    return _judge(name, message, shares, lambda share: share >= limit, limit=limit, unit="of the data's spread")


def check_color_reconstruction(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the first colour, Absolute Zero, come back within the tolerance, and do all on average as the reference's?

    By the first colour alone a forward() would pass that is right in one row and confuses all the others.
    """
    name = "learning.color_reconstruction"
    evidence = record.learning
    missing = _missing(name, record, evidence)
    if missing or evidence is None:
        return missing or absent_phase(name, record, "free_running")
    if not evidence.swatches:
        return CheckResult(name, "inconclusive", "no colour was reconstructed")
    swatch = evidence.swatches[0]
    errors: dict[Side, float] = {}
    for side, output in (("reference", swatch.reference), ("candidate", swatch.candidate)):
        whole = output is not None and len(output) == len(swatch.target) == 3
        deviations = [abs(a - b) for a, b in zip(output or (), swatch.target, strict=True)] if whole else []
        ok = whole and all(math.isfinite(d) for d in deviations)
        errors[side] = max(deviations) if ok else math.nan  # type: ignore[index]
    mean = {model.side: model.mean_rgb_error for model in evidence.models}
    message = (
        f"{swatch.name} {_rgb(swatch.target)} comes back as {_rgb(swatch.candidate)} from the candidate and "
        f"{_rgb(swatch.reference)} from the reference; mean RGB error over all colours "
        f"{_value(mean.get('candidate')):.4f} and {_value(mean.get('reference')):.4f}"
    )
    tolerance = policy.color_tolerance
    first = _judge(name, message, errors, lambda e: e <= tolerance, limit=tolerance, unit="largest channel error")
    return _over_all_colours(first, mean, tolerance) if first.outcome == "pass" else first


def _over_all_colours(first: CheckResult, mean: Mapping[Side, float | None], tolerance: float) -> CheckResult:
    """Where the first colour comes back, the mean error over all may exceed the reference's by the tolerance."""
    reference, candidate = _value(mean.get("reference")), _value(mean.get("candidate"))
    if not math.isfinite(reference):
        return replace(first, outcome="inconclusive", message=f"{first.message}; the reference's mean was not measured")
    limit = reference + tolerance
    if candidate <= limit:
        return first
    message = f"{first.message}: the first colour comes back, the others do not"
    return replace(first, outcome="fail", message=message, value=candidate, limit=limit, unit="mean RGB error")


def _judge(
    name: str, message: str, values: dict[Side, float], holds: Callable[[float], bool], *, limit: float, unit: str
) -> CheckResult:
    result = {"value": values["candidate"], "limit": limit, "unit": unit}
    evidence = {"reference": values["reference"], "candidate": values["candidate"]}
    if not holds(values["reference"]):
        more = "; the reference itself does not reach it: train longer, or look at the reference first"
        return CheckResult(name, "inconclusive", message + more, evidence=evidence, **result)  # type: ignore[arg-type]
    outcome = "pass" if holds(values["candidate"]) else "fail"
    return CheckResult(name, outcome, message, evidence=evidence, **result)  # type: ignore[arg-type]


def _missing(name: str, record: RunRecord, evidence: LearningEvidence | None) -> CheckResult | None:
    """A check that cannot be looked at because a side did not train to the end or gave no outputs."""
    running = record.free_running
    if running is None or evidence is None:
        if running is not None and running.troubles:
            return _stopped(name, running.troubles[0].side, running.troubles[0].message)
        return absent_phase(name, record, "free_running")
    if evidence.troubles:
        return _stopped(name, evidence.troubles[0].side, evidence.troubles[0].message)
    if sorted(model.side for model in evidence.models) != sorted(SIDES):
        return CheckResult(name, "inconclusive", "not both trained models were looked at")
    if not all(model.rows and model.varying_features for model in evidence.models):
        return CheckResult(name, "inconclusive", "the trained models were looked at on no data")
    return None


def _stopped(name: str, side: Side, message: str) -> CheckResult:
    return CheckResult(name, "fail" if side == "candidate" else "inconclusive", message)


def _rgb(channels: tuple[float, float, float] | None) -> str:
    return "nothing" if channels is None else "[" + ", ".join(f"{channel:.3f}" for channel in channels) + "]"


def _value(value: float | None) -> float:
    return math.nan if value is None else value
