"""A stored run as a report: one plain value that the command line, the API, the gate and the page share.

Pure: it reads what was recorded and judged and never measures again. The keys are those of `docs/report.schema.json`.
A run that has not ended, failed or was cancelled gives a report of what there is, without an outcome, unless it is
judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.parity.policy import Policy
from service.parity.record import RunRecord, Trouble
from service.parity.timing import blamed
from service.parity.verdict import FirstDivergence, Verdict
from service.ports import RunRow
from service.reports import evidence
from service.reports.coverage import coverage
from service.reports.json_values import json_ready
from service.reports.memory import memory
from service.reports.performance import performance, utilization
from service.reports.rejudge import rejudged, stored_outcome
from service.reports.replay import replay_command, replay_up_to

SCHEMA_VERSION = "1"


def build_report(
    run: RunRow, record: RunRecord | None, verdict: Verdict | None, judged_again_by: Policy | None = None
) -> dict[str, Any]:
    """The report of `run` as JSON-ready values; `record` and `verdict` are `None` where there is none (yet).

    `judged_again_by` is the policy of a verdict that is not the stored one but `rejudge.judge_again`'s.
    """
    judged = verdict if run.state == "finished" or judged_again_by is not None else None
    plan, policy = run.plan, judged_again_by or run.policy
    report = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.id,
        "state": run.state,
        "outcome": _outcome(run, judged),
        "summary": judged.summary if judged else summary_of(run),
        "rejudged": rejudged(run, judged_again_by) if judged_again_by is not None else None,
        "error": _error(run),
        "progress": run.progress,
        "checks": judged.checks if judged else (),
        "first_divergence": _divergence(run, judged, policy),
        "subjects": record.subjects if record else {},
        "taps": evidence.taps(record, policy),
        "error_ratios": evidence.error_ratios(record, policy),
        "signs": evidence.signs(record, policy),
        "losses": evidence.losses(record),
        "band": evidence.band(record, policy),
        "learning": evidence.learning(record, policy),
        "performance": performance(record, policy, judged),
        "utilization": utilization(record, policy, judged),
        "memory": memory(record, policy, judged),
        "checkpoints": evidence.checkpoints(record, policy),
        "coverage": coverage(plan, record),
        "integrity": evidence.integrity(record),
        "troubles": _troubles(record),
        "plan": plan.as_document(),
        "plan_digest": plan.digest(),
        "policy": policy.as_document(),
        "environment": record.environment if record else {},
        "replay": replay_command(plan, policy),
        "timing": _timing(run, record),
    }
    ready: dict[str, Any] = json_ready(report)
    return ready


def summary_of(run: RunRow) -> str:
    """One sentence: the stored verdict's, or how the run stands without one."""
    if run.state == "failed":
        return f"No verdict: Lockstep could not carry the run out. {run.error_message or 'No reason was recorded.'}"
    if run.state == "cancelled":
        return "No verdict: the run was cancelled before it ended."
    if run.state == "queued":
        return "No verdict yet: the run waits for a worker."
    if run.state == "running":
        progress = run.progress
        where = f", {progress.phase} phase, {progress.done:,} of {progress.total:,}" if progress else ""
        return f"No verdict yet: the run is being carried out{where}."
    return run.summary or "No verdict was recorded."


def _outcome(run: RunRow, verdict: Verdict | None) -> str | None:
    return verdict.outcome if verdict else stored_outcome(run)


def _error(run: RunRow) -> dict[str, Any] | None:
    if run.state != "failed" and run.error_code is None:
        return None
    return {"code": run.error_code, "message": run.error_message}


def _divergence(run: RunRow, verdict: Verdict | None, policy: Policy) -> dict[str, Any] | None:
    found: FirstDivergence | None = verdict.first_divergence if verdict else None
    if found is None:
        return None
    again = replay_command(run.plan, policy)
    if found.phase == "synchronized":
        again = replay_up_to(run.plan, policy, found.step)
    return {
        "phase": found.phase,
        "step": found.step,
        "tap": found.tap,
        "ratio": found.ratio,
        "source": found.source,
        "replay": again,
    }


def _troubles(record: RunRecord | None) -> list[Trouble]:
    """Every trouble of a side, in the order of the phases."""
    if record is None:
        return []
    phases = (record.synchronized, record.free_running, record.learning, record.checkpoint)
    measuring = {"performance": record.performance, "memory": record.memory}
    return [
        *record.troubles,
        *(trouble for phase in phases if phase is not None for trouble in phase.troubles),
        *(
            Trouble(blamed(trouble), name, None, trouble.reason, f"{trouble.message} ({trouble.where})")
            for name, phase in measuring.items()
            if phase is not None
            for trouble in phase.troubles
        ),
    ]


def _timing(run: RunRow, record: RunRecord | None) -> Mapping[str, Any]:
    began, ended = run.started_at, run.finished_at
    phases = {
        "synchronized": record.synchronized if record else None,
        "free_running": record.free_running if record else None,
        "performance": record.performance if record else None,
        "memory": record.memory if record else None,
        "checkpoint": record.checkpoint if record else None,
    }
    return {
        "created_at": run.created_at,
        "started_at": began,
        "finished_at": ended,
        "duration_s": (ended - began).total_seconds() if began and ended else None,
        **{f"{name}_s": phase.seconds if phase else None for name, phase in phases.items()},
    }
