"""Parity over a grid of plans: every configuration a recorded dual run, and nothing done twice.

What has been done is looked up in the store, not kept beside it: a configuration is done when a finished run has its
plan and its policy and came from the sources that both sides have now. So a sweep that was killed goes on where it was,
whoever killed it; and a run that was under way then is no finished run, and is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from service.campaigns.spread import Died, spread
from service.parity.errors import InvalidRequest, Problem
from service.parity.grid import Sweep
from service.parity.plan import Plan
from service.parity.record import SIDES, Side, SubjectInfo
from service.ports import FinishedRun, RunRow, RunStore
from service.reports.cases import CaseOutcome
from service.reports.sweep import End

WORKER = "lockstep sweep"
RATIO_CHECK = "numerics.synchronized"

OUTCOMES: Mapping[str, CaseOutcome] = {"PASS": "PASS", "FAIL": "FAIL", "INCONCLUSIVE": "INCONCLUSIVE"}

KILLED = frozenset({"child_died"})
"""Reasons of a failed run that are not Lockstep's: something ended the run's process, so nothing is decided."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run that was carried out; `error` says why it could not be recorded to its end."""

    run_id: str | None
    error: str | None = None


Record = Callable[[Plan], Recorded]
"""Carries a plan out in a run of its own; picklable where there is more than one job."""

Describe = Callable[[Plan, Side], SubjectInfo | None]
"""What a side says of itself now; picklable."""


def find_done(sweep: Sweep, store: RunStore, describe: Describe) -> dict[str, End]:
    """The ends of the plans that need not be carried out again, by their digests.

    The sides are asked what they are only where there is something to compare with; in processes of their own, because
    a candidate may break whatever it runs in.
    """
    plans = sweep.plans()
    runs = [each for each in store.finished_runs(plans.keys()) if each.run.policy == sweep.policy]
    if not runs:
        return {}
    now = _sources_now([each.run.plan for each in runs], describe)
    done: dict[str, End] = {}
    for each in runs:  # the newest first
        digest = each.run.plan.digest()
        if digest not in done and _same_sources(each, now):
            done[digest] = end_of(each.run, store, earlier=True)
    return done


def carry_out(
    plans: Sequence[Plan], record: Record, store: RunStore, jobs: int
) -> Generator[tuple[str, End], None, None]:
    """Each plan's digest and end, as they are done. Closing it stops the runs under way, which are marked cancelled.

    Raises `InvalidRequest` for a number of jobs below 1.
    """
    if jobs < 1:
        raise InvalidRequest(Problem("--jobs", f"is {jobs}; it must be at least 1"))
    with closing(spread(record, plans, jobs)) as coming:
        for plan, made in coming:
            yield plan.digest(), _ended(made, store)


def end_of(run: RunRow, store: RunStore, earlier: bool = False) -> End:
    """How a run in the store ended. Only a finished one has a verdict."""
    began, ended = run.started_at, run.finished_at
    seconds = (ended - began).total_seconds() if began is not None and ended is not None else None
    if run.state != "finished" or run.outcome is None:
        killed = run.state == "cancelled" or run.error_code in KILLED
        why = "the run was cancelled before it ended" if run.state == "cancelled" else run.error_message
        message = f"No verdict: {why or f'the run is {run.state}'}"
        return End("INCONCLUSIVE" if killed else "ERROR", message, run.id, seconds=seconds, earlier=earlier)
    check = next((check for check in store.checks(run.id) if check.name == RATIO_CHECK), None)
    evidence = {} if check is None else check.evidence
    return End(
        outcome=OUTCOMES[run.outcome],
        message=run.summary or "",
        run_id=run.id,
        error_ratio=None if check is None else check.value,
        bit_equal=evidence.get("taps") is not None and evidence.get("taps") == evidence.get("bit_equal_taps"),
        seconds=seconds,
        earlier=earlier,
    )


def _ended(made: Recorded | Died[Plan], store: RunStore) -> End:
    if isinstance(made, Died):
        return End("ERROR", f"No verdict: {made.message}")
    if made.error is not None or made.run_id is None:
        return End("ERROR", f"No verdict: {made.error}", made.run_id)
    return end_of(store.run(made.run_id), store)


Sources = Mapping[tuple[Side, str, str], SubjectInfo | None]
"""By side, subject and device."""


def _sources_now(plans: Sequence[Plan], describe: Describe) -> Sources:
    smallest: dict[tuple[Side, str, str], Plan] = {}
    for plan in sorted(plans, key=lambda plan: -sum(plan.layer_sizes())):
        for side in SIDES:
            smallest[side, _subject(plan, side), plan.device] = plan
    pieces = list(smallest.items())
    found: dict[tuple[Side, str, str], SubjectInfo | None] = {}
    with closing(spread(partial(_describe, describe), pieces, jobs=2)) as coming:
        for (key, _), info in coming:
            found[key] = None if isinstance(info, Died) else info
    return found


def _describe(describe: Describe, piece: tuple[tuple[Side, str, str], Plan]) -> SubjectInfo | None:
    (side, _, _), plan = piece
    return describe(plan, side)


def _same_sources(each: FinishedRun, now: Sources) -> bool:
    """Whether both sides were then what they are now, on the same kind of device; never where one did not say."""
    for side in SIDES:
        plan = each.run.plan
        then, today = each.subjects.get(side), now[side, _subject(plan, side), plan.device]
        if then is None or today is None:
            return False
        if (then.source_digest, then.device) != (today.source_digest, today.device):
            return False
    return True


def _subject(plan: Plan, side: Side) -> str:
    return plan.reference if side == "reference" else plan.candidate
