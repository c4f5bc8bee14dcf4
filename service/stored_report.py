"""What `lockstep report` tells: which stored run is meant, and its report, as it was judged or judged again.

It reads the store and nothing else: no GPU, no subject and no data are needed, and nothing is written to the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.parity.errors import InvalidRequest, Problem, RunNotFound
from service.parity.identity import is_run_id
from service.parity.policy import Policy
from service.parity.verdict import Verdict
from service.ports import RunFilter, RunRow, RunStore
from service.reports.rejudge import judge_again
from service.reports.report import build_report

LAST = "last"
ID_LENGTH = 26
LAST_LETTER = "z"
"""No character of a run id sorts after it."""

SHOWN = 3
"""Ids that the message for an ambiguous prefix names."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A run's report, and the verdict that it shows: the stored one or the new one, `None` where there is none."""

    run: RunRow
    verdict: Verdict | None
    report: dict[str, Any]


def read_report(store: RunStore, words: str, judged_again_by: Policy | None = None) -> StoredReport:
    """The report of the run that `words` name (`find_run`), judged again where a policy is given."""
    run = find_run(store, words)
    record = store.record(run.id)
    if judged_again_by is None:
        verdict = store.verdict(run.id) if run.state == "finished" else None
    else:
        verdict = judge_again(run, record, judged_again_by)
    return StoredReport(run, verdict, build_report(run, record, verdict, judged_again_by))


def find_run(store: RunStore, words: str) -> RunRow:
    """The run with that id, with the one id that begins so, or for `last` the newest finished one.

    Raises `InvalidRequest` where there is no such run, or more than one.
    """
    if words == LAST:
        newest = store.runs(RunFilter(state="finished", limit=1))
        if not newest:
            raise _unknown("no run has finished in this database; look whether --database names the right one")
        return newest[0]
    text = words.lower()
    if not text or len(text) > ID_LENGTH or not is_run_id(text.ljust(ID_LENGTH, "0")):
        raise _unknown(f"{words[:60]!a} is no run's id nor the beginning of one; `lockstep run` prints it")
    if len(text) == ID_LENGTH:
        try:
            return store.run(text)
        except RunNotFound as error:
            raise _unknown(f"no run has the id {text} in this database") from error
    # Ids sort as text: those that begin so are the newest ones below the last that could.
    above = text.ljust(ID_LENGTH + 1, LAST_LETTER)
    found = [row for row in store.runs(RunFilter(before=above, limit=SHOWN + 1)) if row.id.startswith(text)]
    if not found:
        raise _unknown(f"no run's id begins with {text} in this database")
    if len(found) > 1:
        names = ", ".join(row.id for row in found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
        raise _unknown(f"more than one run's id begins with {text}: {names}; give more characters")
    return found[0]


def _unknown(message: str) -> InvalidRequest:
    return InvalidRequest(Problem("RUN", message))
