"""Moving up and down the ladder: which rung is in use, what a promotion rests on, and the way back.

The rules are `parity.ladder`'s; here they meet the store. `digests` has every rung in order with the source digest that
a run of its subject would record now: evidence for another source is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.parity.errors import LadderRefused
from service.parity.ladder import (
    REFERENCE,
    Promotion,
    check_promotion,
    check_rollback,
    check_rung,
    rung_in_use,
    subject_in_use,
    subject_of,
    unmeasured,
    why_no_evidence,
)
from service.ports import RunFilter, RunRow, RunStore

SEARCHED = 50
"""So many of a rung's newest finished runs are looked through for evidence."""


@dataclass(frozen=True, slots=True)
class RungStatus:
    """One rung: its newest finished run on the present source, and the newest one that it could be promoted on.

    `why_not` says what is wrong with the newest run where it is no evidence, or that there is none.
    """

    rung: str
    subject: str
    in_use: bool
    source_digest: str
    last_run_id: str | None
    last_outcome: str | None
    evidence_run_id: str | None
    why_not: str | None


@dataclass(frozen=True, slots=True)
class LadderStatus:
    """`rung_in_use` is `None`, and `subject_in_use` is legacy, while nothing has been promoted.

    `in_use_on_present_source`: whether the newest line of the history rests on a run of the source as it is now; `None`
    after a rollback, which rests on no run.
    """

    rung_in_use: str | None
    subject_in_use: str
    in_use_on_present_source: bool | None
    rungs: tuple[RungStatus, ...]
    history: tuple[Promotion, ...]


def ladder_status(store: RunStore, digests: Mapping[str, str]) -> LadderStatus:
    """How the ladder stands; the history is oldest first."""
    history = store.promotions()
    current = rung_in_use(history)
    present = None
    if current is not None and history[-1].source_digest is not None:
        present = history[-1].source_digest == digests.get(current)
    rungs = tuple(_rung_status(store, rung, digest, rung == current) for rung, digest in digests.items())
    return LadderStatus(current, subject_in_use(history), present, rungs, tuple(history))


def promote(
    store: RunStore,
    digests: Mapping[str, str],
    rung: str,
    by: str,
    at: datetime,
    run_id: str | None = None,
    skip: bool = False,
    note: str = "",
) -> Promotion:
    """Record that `rung` is in use from now on, on the evidence of that run, or of its newest passing one.

    Raises `LadderRefused` saying what would do, `UnknownName` and `RunNotFound`.
    """
    check_rung(tuple(digests), rung)
    history = store.promotions()
    check_promotion(tuple(digests), history, rung, digests[rung], skip)
    if run_id is None:
        status = _rung_status(store, rung, digests[rung], False)
        if status.evidence_run_id is None:
            raise LadderRefused(
                f"no run shows that rung {rung} may be promoted: {status.why_not}; carry one out with "
                f"`lockstep ladder run --rung {rung}`"
            )
        run_id = status.evidence_run_id
    verdict = store.verdict(run_id)
    why_not = why_no_evidence(rung, digests[rung], store.run(run_id).state, store.record(run_id), verdict)
    if why_not is not None or verdict is None:
        raise LadderRefused(
            f"run {run_id} does not show that rung {rung} may be promoted: {why_not}; name another run, or carry one "
            f"out with `lockstep ladder run --rung {rung}`"
        )
    words = "; ".join(filter(None, (note, unmeasured(verdict))))
    return store.add_promotion(Promotion(len(history) + 1, "promote", rung, at, by, run_id, digests[rung], words))


def roll_back(
    store: RunStore, digests: Mapping[str, str], rung: str, by: str, at: datetime, note: str = ""
) -> Promotion:
    """Record that a lower rung is in use again. It asks for no run: a way back must always work.

    Raises `LadderRefused` and `UnknownName`.
    """
    history = store.promotions()
    check_rollback(tuple(digests), history, rung)
    return store.add_promotion(Promotion(len(history) + 1, "rollback", rung, at, by, note=note))


def _rung_status(store: RunStore, rung: str, digest: str, in_use: bool) -> RungStatus:
    last: RunRow | None = None
    evidence, why_not = None, "it has no finished run on the present source"
    which = RunFilter(state="finished", candidate=subject_of(rung), reference=REFERENCE, limit=SEARCHED)
    for row in store.runs(which):
        record = store.record(row.id)
        info = record.subjects.get("candidate") if record is not None else None
        if info is None or info.source_digest != digest:
            continue
        reason = why_no_evidence(rung, digest, row.state, record, store.verdict(row.id))
        if last is None:
            last, why_not = row, f"of run {row.id}, {reason}"
        if reason is None:
            evidence = row.id
            break
    return RungStatus(
        rung=rung,
        subject=subject_of(rung),
        in_use=in_use,
        source_digest=digest,
        last_run_id=None if last is None else last.id,
        last_outcome=None if last is None else last.outcome,
        evidence_run_id=evidence,
        why_not=None if last is not None and evidence == last.id else why_not,
    )
