"""What may happen to a run in which state; both stores follow these rules and give these messages.

    queued ── claim ──> running ── finish ──> finished
       │                   ├────── fail ────> failed
       └── cancel ─────────┴────── cancel ──> cancelled

A finished, failed or cancelled run has ended and never changes again. Text that a database would refuse is made
storable here, so that the row handed back is the row that is kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from service.parity.errors import LadderRefused, RunConflict, RunNotFound, StoreError
from service.parity.ladder import Promotion
from service.parity.plan import PHASES
from service.parity.verdict import Verdict
from service.ports import Progress, RunRow, RunState
from service.store.codec import storable

ENDED: frozenset[RunState] = frozenset({"finished", "failed", "cancelled"})


def not_found(run_id: str) -> RunNotFound:
    return RunNotFound(f"there is no run {_shown(run_id)}; list the runs to find its id")


def exists_already(run_id: str) -> RunConflict:
    return RunConflict(f"a run {_shown(run_id)} exists already; choose another id")


def utc(moment: datetime) -> datetime:
    """The moment in UTC; a time without a zone is refused, because nobody knows when it was."""
    if moment.tzinfo is None:
        raise StoreError(f"the time {moment.isoformat()} has no zone; pass one with the zone UTC")
    return moment.astimezone(UTC)


def phase_rank(phase: str) -> int:
    """Phases sort as they run, so that a reader's offset stays true while rows are appended; unknown ones come last."""
    return PHASES.index(phase) if phase in PHASES else len(PHASES)


def claim(row: RunRow, worker: str, at: datetime) -> RunRow:
    if row.state != "queued":
        raise _conflict(row, "cannot be claimed", "only a queued run can")
    return replace(row, state="running", worker=worker, started_at=utc(at))


def progress(row: RunRow, reported: Progress) -> RunRow:
    """An ended run keeps its last progress: whoever still reports learns from `should_stop` that it is over."""
    if row.state == "queued":
        raise _conflict(row, "has no progress", "claim it first")
    if row.state != "running":
        return row
    return replace(row, progress=replace(reported, message=storable(reported.message)))


def should_stop(row: RunRow) -> bool:
    return row.cancel_requested or row.state in ENDED


def request_cancel(row: RunRow, at: datetime) -> RunRow:
    if row.state == "queued":
        return replace(cancel(row, at), cancel_requested=True)
    if row.state == "running":
        return replace(row, cancel_requested=True)
    raise _conflict(row, "cannot be cancelled", "it has ended")


def finish(row: RunRow, verdict: Verdict, at: datetime) -> RunRow:
    if row.state != "running":
        raise _conflict(row, "cannot finish", "only a running run can")
    summary = storable(verdict.summary)
    return replace(row, state="finished", finished_at=utc(at), outcome=verdict.outcome, summary=summary)


def fail(row: RunRow, code: str, message: str, at: datetime) -> RunRow:
    if row.state != "running":
        raise _conflict(row, "cannot fail", "only a running run can")
    return replace(row, state="failed", finished_at=utc(at), error_code=code, error_message=storable(message))


def cancel(row: RunRow, at: datetime) -> RunRow:
    if row.state in ENDED:
        raise _conflict(row, "cannot be cancelled", "it has ended")
    return replace(row, state="cancelled", finished_at=utc(at))


def promotion(asked: Promotion, last: int) -> Promotion:
    """The line as it is kept after `last` lines."""
    if asked.number != last + 1:
        raise moved_meanwhile()
    return replace(asked, at=utc(asked.at), by=storable(asked.by), note=storable(asked.note))


def moved_meanwhile() -> LadderRefused:
    return LadderRefused(
        "somebody else has moved the ladder meanwhile; look at `lockstep ladder status`, then try again"
    )


def _conflict(row: RunRow, what: str, why: str) -> RunConflict:
    return RunConflict(f"run {_shown(row.id)} is {row.state} and {what}: {why}")


def _shown(run_id: str) -> str:
    """Ids come from requests: quoted, and cut where they would flood a message."""
    return repr(run_id if len(run_id) <= 80 else run_id[:80] + "…")
