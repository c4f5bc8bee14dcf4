"""Every check in order, and `judge`: a record and a policy in, a verdict out. Pure, so it can be done again offline."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from service.parity.checkpoints import check_resume, check_transfer
from service.parity.integrity import check_frozen_reference, check_same_batches
from service.parity.learning import check_color_reconstruction, check_loss_falls, check_outputs_vary
from service.parity.memory import check_leak, check_pattern, check_peak
from service.parity.numerics import (
    check_free_running,
    check_sign_disagreements,
    check_synchronized,
    first_divergence,
)
from service.parity.performance import check_step_time
from service.parity.policy import ALL_CHECKS, Policy
from service.parity.record import RunRecord
from service.parity.utilization import check_floor, check_not_reduced
from service.parity.verdict import CheckResult, Outcome, Verdict, decide

Check = Callable[[RunRecord, Policy], CheckResult]

MEASURED: dict[str, Check] = {
    "integrity.same_batches": check_same_batches,
    "integrity.frozen_reference": check_frozen_reference,
    "numerics.synchronized": check_synchronized,
    "numerics.sign_disagreements": check_sign_disagreements,
    "numerics.free_running": check_free_running,
    "learning.loss_falls": check_loss_falls,
    "learning.outputs_vary": check_outputs_vary,
    "learning.color_reconstruction": check_color_reconstruction,
    "checkpoint.transfer": check_transfer,
    "checkpoint.resume": check_resume,
    "performance.step_time": check_step_time,
    "utilization.floor": check_floor,
    "utilization.not_reduced": check_not_reduced,
    "memory.peak": check_peak,
    "memory.pattern": check_pattern,
    "memory.leak": check_leak,
}
"""Every check by its name. One whose phase the plan leaves out answers that it was not measured."""


def judge(record: RunRecord, policy: Policy) -> Verdict:
    """The verdict on `record` by `policy`; the same record and policy always give the same one."""
    unknown = (name for name in policy.required if name not in ALL_CHECKS)
    checks = tuple(_required(_check(name, record, policy), policy) for name in (*ALL_CHECKS, *unknown))
    outcome = decide(checks)
    diverged = any(check.outcome == "fail" and check.name.startswith("numerics.") for check in checks)
    divergence = first_divergence(record, policy) if diverged else None
    verdict = Verdict(outcome, "", checks, policy.name, divergence)
    return dataclasses.replace(verdict, summary=_summary(verdict, record))


def _check(name: str, record: RunRecord, policy: Policy) -> CheckResult:
    if name in MEASURED:
        return MEASURED[name](record, policy)
    return CheckResult(name, "inconclusive", "this version of Lockstep has no such check; look for a misspelt name")


def _required(check: CheckResult, policy: Policy) -> CheckResult:
    requirement = policy.requirement(check.name)
    if check.outcome == "not_applicable":
        return check
    measured = check.outcome != "not_measured"
    required = requirement == "always" or (requirement == "where_measurable" and measured)
    return dataclasses.replace(check, required=required)


def _summary(verdict: Verdict, record: RunRecord) -> str:
    candidate, reference = record.plan.candidate, record.plan.reference
    words: dict[Outcome, str] = {
        "PASS": f"{candidate} may replace {reference}",
        "FAIL": f"{candidate} may not replace {reference}",
        "INCONCLUSIVE": f"Not decided whether {candidate} may replace {reference}",
    }
    opening = words[verdict.outcome]
    required = [check for check in verdict.checks if check.required]
    if verdict.outcome == "PASS":
        return f"{opening}: all {len(required)} required checks pass."
    wanted = [c for c in required if (c.outcome == "fail") == (verdict.outcome == "FAIL") and c.outcome != "pass"]
    names = ", ".join(check.name for check in wanted[:3]) + (", …" if len(wanted) > 3 else "")
    verb = "fails" if verdict.outcome == "FAIL" else "could not be decided"
    if len(wanted) > 1 and verdict.outcome == "FAIL":
        verb = "fail"
    sentence = f"{opening}: {names} {verb}"
    if verdict.first_divergence is not None:
        where = verdict.first_divergence
        sentence += f"; first divergence at step {where.step} in {where.tap}"
    return sentence + "."
