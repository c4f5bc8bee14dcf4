"""The ladder's rules: which rung is in use, what a step up or down needs, and what a rung is held to. Pure.

A rung is a name; which there are, from all legacy to none of it, is passed in. The history says who moved to which
rung, when, and on what evidence. It only grows: its last line is the rung in use, and without one legacy itself is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from service.parity.errors import LadderRefused, Problem, UnknownName
from service.parity.plan import Plan
from service.parity.policy import LEARNING_CHECKS
from service.parity.record import RunRecord, SubjectInfo
from service.parity.verdict import CheckOutcome, CheckResult, Verdict

PromotionAction = Literal["promote", "rollback"]

REFERENCE = "legacy"
"""What a rung must be held to, and what is in use before the first promotion."""

CURRENT = "basemodel@current"
"""Stands in a request for the rung in use; a plan names the rung itself."""

DEMANDS: Mapping[str, tuple[str, ...]] = {
    "utilization": ("utilization.floor", "utilization.not_reduced"),
    "memory": ("memory.peak", "memory.pattern", "memory.leak"),
    "performance": ("performance.step_time",),
    "training accuracy": ("numerics.free_running", *LEARNING_CHECKS),
}
"""What every rung is held to besides bit-equality, and the checks that say whether it is so."""

_GRAVEST_FIRST: tuple[CheckOutcome, ...] = ("fail", "inconclusive", "not_measured")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the history; `number` counts from 1. A rollback needs no run, so it has no evidence."""

    number: int
    action: PromotionAction
    rung: str
    at: datetime
    by: str
    run_id: str | None = None
    source_digest: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand's outcome, and the finding that decides it."""

    name: str
    outcome: CheckOutcome
    message: str


@dataclass(frozen=True, slots=True)
class Numerics:
    """Whether a run's two sides were bit-equal, and how much further from the witness the candidate was at most.

    `None`: not compared. The ratio is that of `numerics.synchronized`.
    """

    bit_equal: bool | None
    error_ratio: float | None


def subject_of(rung: str) -> str:
    """The subject that a rung is."""
    return f"basemodel@{rung}"


def rung_in_use(history: Sequence[Promotion]) -> str | None:
    """`None` while nothing has been promoted: legacy itself is in use."""
    return history[-1].rung if history else None


def subject_in_use(history: Sequence[Promotion]) -> str:
    """What `basemodel@current` stands for."""
    rung = rung_in_use(history)
    return REFERENCE if rung is None else subject_of(rung)


def resolved(plan: Plan, history: Callable[[], Sequence[Promotion]]) -> Plan:
    """The plan with `basemodel@current` replaced by what is in use; the history is read only where it is named."""
    if CURRENT not in (plan.reference, plan.candidate):
        return plan
    subject = subject_in_use(history())
    reference = subject if plan.reference == CURRENT else plan.reference
    return replace(plan, reference=reference, candidate=subject if plan.candidate == CURRENT else plan.candidate)


def demands_of(checks: Iterable[CheckResult]) -> tuple[Demand, ...]:
    """Each demand by its gravest check: one that fails, else one undecided, else one not measured, else it passes."""
    by_name = {check.name: check for check in checks}
    return tuple(_demand(name, [by_name[c] for c in wanted if c in by_name]) for name, wanted in DEMANDS.items())


def numerics_of(record: RunRecord, verdict: Verdict | None) -> Numerics:
    """Bit-equal: every compared tap of every expected step, and the weights at the end of the free-running training."""
    synchronized, free = record.synchronized, record.free_running
    ratio = next((c.value for c in (verdict.checks if verdict else ()) if c.name == "numerics.synchronized"), None)
    if synchronized is None or not synchronized.diffs:
        return Numerics(None, ratio)
    whole = synchronized.compared_steps == synchronized.expected_steps and not synchronized.troubles
    taps = all(diff.stats.mismatches == 0 for diff in synchronized.diffs)
    trained = free is None or (free.reference_end_digest == free.candidate_end_digest and not free.troubles)
    return Numerics(whole and taps and trained, ratio)


def check_rung(rungs: Sequence[str], rung: str) -> None:
    """Raise `UnknownName`, listing the rungs, for one that is none."""
    if rung not in rungs:
        raise UnknownName(Problem("rung", f"{rung!r} is unknown; choose from {', '.join(rungs)}"))


def check_promotion(
    rungs: Sequence[str], history: Sequence[Promotion], rung: str, digest: str, skip: bool = False
) -> None:
    """Raise `LadderRefused` unless `rung` is the next one up, or any higher one with `skip`.

    The rung in use may be promoted once more when its source has changed since: on new evidence.
    """
    check_rung(rungs, rung)
    current = rung_in_use(history)
    here, wanted = _height(rungs, current), _height(rungs, rung)
    if wanted < here:
        raise LadderRefused(f"rung {rung} is below {current}, which is in use; go down with `lockstep ladder rollback`")
    if wanted == here and history[-1].source_digest == digest:
        raise LadderRefused(f"rung {rung} is in use already, promoted on this very source; nothing is left to do")
    if wanted > here + 1 and not skip:
        between = ", ".join(rungs[here + 1 : wanted])
        raise LadderRefused(
            f"rung {rung} is not the next one up from {current or REFERENCE}: {between} would be skipped; promote "
            f"{rungs[here + 1]} first, or skip on purpose (--skip)"
        )


def check_rollback(rungs: Sequence[str], history: Sequence[Promotion], rung: str) -> None:
    """Raise `LadderRefused` unless `rung` is below the one in use. No run is asked for: a way back must always work."""
    check_rung(rungs, rung)
    current = rung_in_use(history)
    if current is None:
        raise LadderRefused("nothing has been promoted yet, so legacy itself is in use; there is nothing to roll back")
    if _height(rungs, rung) >= _height(rungs, current):
        raise LadderRefused(f"rung {rung} is not below {current}, which is in use; name a lower one")


def why_no_evidence(
    rung: str, digest: str, state: str, record: RunRecord | None, verdict: Verdict | None
) -> str | None:
    """Why a run in that state does not show that `rung` may be promoted on the source `digest`; None when it does."""
    if state != "finished":
        return f"it is {state}, not finished"
    if record is None or verdict is None:
        return "it has no record or no verdict"
    plan = record.plan
    if plan.candidate != subject_of(rung):
        return f"its candidate is {plan.candidate}, not {subject_of(rung)}"
    if plan.reference != REFERENCE:
        return f"its reference is {plan.reference}, not {REFERENCE}"
    if verdict.outcome != "PASS":
        return f"its outcome is {verdict.outcome}, not PASS"
    info: SubjectInfo | None = record.subjects.get("candidate")
    if info is None or info.source_digest != digest:
        return "it was carried out on another source than the present one"
    lacking = [demand for demand in demands_of(verdict.checks) if demand.outcome in ("fail", "inconclusive")]
    accuracy = next(demand for demand in demands_of(verdict.checks) if demand.name == "training accuracy")
    if accuracy.outcome != "pass" and accuracy not in lacking:
        lacking.append(accuracy)
    if lacking:
        words = "; ".join(f"{demand.name} is {demand.outcome}: {demand.message}" for demand in lacking)
        return f"it passes by the policy {verdict.policy}, but the ladder demands more ({words})"
    return None


def unmeasured(verdict: Verdict) -> str:
    """What a promotion notes of the demands that its run did not measure; empty where it measured all."""
    names = [demand.name for demand in demands_of(verdict.checks) if demand.outcome != "pass"]
    return f"not measured: {', '.join(names)}" if names else ""


def _demand(name: str, checks: Sequence[CheckResult]) -> Demand:
    for outcome in _GRAVEST_FIRST:
        for check in checks:
            if check.outcome == outcome:
                return Demand(name, outcome, check.message)
    passed = [check for check in checks if check.outcome == "pass"]
    if passed:
        return Demand(name, "pass", passed[0].message)
    return (
        Demand(name, "not_applicable", checks[0].message) if checks else Demand(name, "not_measured", "no such check")
    )


def _height(rungs: Sequence[str], rung: str | None) -> int:
    """-1 is legacy itself."""
    return -1 if rung is None else rungs.index(rung)
