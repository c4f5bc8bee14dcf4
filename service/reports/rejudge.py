"""Judging a stored run again, by another policy: from its record alone, so that it needs neither GPU nor subjects.

Nothing that is stored changes. A run that did not end may fail by what it recorded, but never pass: nobody knows what
the rest would have shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.parity.checks import judge
from service.parity.policy import Policy
from service.parity.record import RunRecord
from service.parity.verdict import Verdict
from service.ports import RunRow


def judge_again(run: RunRow, record: RunRecord | None, policy: Policy) -> Verdict:
    """The verdict by `policy` on what `run` recorded; `record` is None where it recorded nothing."""
    seen = RunRecord(plan=run.plan, subjects={}, environment={}) if record is None else record
    verdict = judge(seen, policy)
    if run.state == "finished" or verdict.outcome != "PASS":
        return verdict
    passing = sum(check.required for check in verdict.checks)
    summary = (
        f"Not decided whether {run.plan.candidate} may replace {run.plan.reference}: what was recorded satisfies all "
        f"{passing} required checks, but the run is {run.state} and not finished."
    )
    return replace(verdict, outcome="INCONCLUSIVE", summary=summary)


def rejudged(run: RunRow, policy: Policy) -> dict[str, Any]:
    """What the report says of a second judgement: by which policy, and what stands in the store."""
    return {"policy": policy.name, "stored_policy": run.policy.name, "stored_outcome": stored_outcome(run)}


def stored_outcome(run: RunRow) -> str | None:
    """The outcome of the stored verdict; `None` for a run that has none."""
    return run.outcome if run.state == "finished" else None


def told(report: Mapping[str, Any]) -> str | None:
    """The same in a sentence, from a report; `None` for one that was not judged again."""
    again = report.get("rejudged")
    if again is None:
        return None
    if again["stored_outcome"] is None:
        return f"Judged again by {again['policy']}; no verdict is stored, the run is {report['state']}."
    stored = f"{again['stored_outcome']} by {again['stored_policy']}"
    return f"Judged again by {again['policy']}; the stored verdict is {stored}."
