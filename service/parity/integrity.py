"""The integrity checks: both sides saw the same batches, and the reference is the frozen one."""

from __future__ import annotations

from service.parity.policy import Policy
from service.parity.record import SIDES, RunRecord
from service.parity.verdict import CheckResult


def check_same_batches(record: RunRecord, policy: Policy) -> CheckResult:
    """Were both sides handed every planned batch, and did neither change one?"""
    name = "integrity.same_batches"
    evidence = record.integrity
    if evidence is None or not evidence.batches:
        return CheckResult(name, "inconclusive", "no batches were recorded")
    planned = {"synchronized": len(record.plan.synchronized_steps()), "free_running": record.plan.training.steps}
    missing = planned.keys() & set(record.plan.phases) - {ledger.phase for ledger in evidence.batches}
    if missing:
        return CheckResult(name, "inconclusive", f"no batches were recorded for {', '.join(sorted(missing))}")
    if not evidence.dataset_digest or not evidence.dataset_rows:
        return CheckResult(name, "inconclusive", "the dataset was not recorded")
    for ledger in evidence.batches:
        if ledger.expected != planned.get(ledger.phase):
            message = (
                f"{ledger.expected} batches were expected in the {ledger.phase} phase; the plan has another number"
            )
            return CheckResult(name, "inconclusive", message)
        for side, count, digest in (
            ("reference", ledger.reference_count, ledger.reference_digest),
            ("candidate", ledger.candidate_count, ledger.candidate_digest),
        ):
            if count != ledger.expected:
                message = f"the {side} finished {count} of {ledger.expected} batches of the {ledger.phase} phase"
                return CheckResult(name, "inconclusive" if side == "reference" else "fail", message)
            if digest != ledger.planned_digest:
                message = f"the {side} changed a batch of the {ledger.phase} phase: its digest is not the planned one"
                return CheckResult(name, "inconclusive" if side == "reference" else "fail", message)
    total = sum(ledger.expected for ledger in evidence.batches)
    return CheckResult(name, "pass", f"both sides were handed the same {total} batches, and neither changed one")


def check_frozen_reference(record: RunRecord, policy: Policy) -> CheckResult:
    """Do the legacy files have the digests of their manifest?"""
    name = "integrity.frozen_reference"
    evidence = record.integrity
    if evidence is None:
        return CheckResult(name, "inconclusive", "the frozen files were not looked at")
    silent = [side for side in SIDES if side not in record.subjects]
    if silent:
        return CheckResult(name, "inconclusive", f"the {silent[0]} did not say what it is")
    if evidence.changed_files:
        files = ", ".join(evidence.changed_files[:5])
        return CheckResult(name, "fail", f"{len(evidence.changed_files)} frozen files changed: {files}")
    return CheckResult(name, "pass", "every frozen file has the digest of its manifest")
