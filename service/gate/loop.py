"""The gate's loop: every case carried out in turn, and what each one's end is taken for.

A case is PASS only when a finished run says so whose plan and policy are the case's own. A failing or broken case does
not stop the loop; Ctrl-C does, and so does a server that refuses what it is asked or does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.gate.config import GateCase
from service.parity.errors import InvalidRequest, LockstepError
from service.ports import ProgressListener
from service.reports.cases import Case, Document, case_of, gravest, one_line
from service.reports.json_values import json_ready, number_of

EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_INCONCLUSIVE, EXIT_BROKEN, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

KILLED = frozenset({"child_died"})
"""Reasons of a failed run that are not Lockstep's: something ended the run's process, so nothing is decided."""


class ServerUnavailable(LockstepError):
    """The server does not answer, or not as a Lockstep server would; the cases after this one are not tried."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a case's run ended: its state, the error of a failed one, and its report where there is one."""

    run_id: str
    state: str
    error_code: str | None = None
    error_message: str | None = None
    report: Document | None = None


class CaseInterrupted(Exception):
    """Ctrl-C; the case's run has been cancelled. `end` is how it stands, where that is known."""

    def __init__(self, end: RunEnd | None) -> None:
        self.end = end
        super().__init__("the case was interrupted")


class CaseRunner(Protocol):
    """Carries one case out."""

    def run(self, case: GateCase, listener: ProgressListener) -> RunEnd:
        """Return when the run has ended; raises `CaseInterrupted` after Ctrl-C, and `LockstepError`."""


class Watcher(Protocol):
    """Is told what happens, to show it."""

    def starting(self, case: GateCase, number: int, total: int) -> ProgressListener: ...

    def ended(self, case: Case, number: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class GateResult:
    """Every case with its end, in the order of the file. `refused`: the request itself was at fault, and why."""

    cases: tuple[Case, ...]
    interrupted: bool = False
    refused: InvalidRequest | None = None

    @property
    def outcome(self) -> str:
        """The gravest outcome, in one word."""
        return gravest(self.cases)

    @property
    def exit_code(self) -> int:
        """The process's exit code; 0 only when there are cases and every one passes."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.refused is not None or not self.cases:
            return EXIT_USAGE
        codes = {"PASS": EXIT_PASS, "FAIL": EXIT_FAIL, "ERROR": EXIT_BROKEN}
        return codes.get(self.outcome, EXIT_INCONCLUSIVE)


def run_gate(cases: Sequence[GateCase], runner: CaseRunner, watcher: Watcher) -> GateResult:
    """Carry the cases out, one after another."""
    done: list[Case] = []
    interrupted, refused = False, None
    for number, case in enumerate(cases, 1):
        stop = False
        try:
            listener = watcher.starting(case, number, len(cases))
            ended = judged(case, runner.run(case, listener))
        except (CaseInterrupted, KeyboardInterrupt) as error:
            ended, interrupted = _stopped(case, error), True
        except LockstepError as error:
            ended = Case(case.name, "ERROR", one_line(error))
            refused = error if isinstance(error, InvalidRequest) else None
            stop = isinstance(error, InvalidRequest | ServerUnavailable)
        done.append(ended)
        watcher.ended(ended, number, len(cases))
        if interrupted or stop:
            break
    why = "the gate was stopped before this case"
    left = tuple(Case(case.name, "NOT RUN", why) for case in cases[len(done) :])
    return GateResult((*done, *left), interrupted, refused)


def judged(case: GateCase, end: RunEnd) -> Case:
    """What the end of the case's run is taken for. A report of something else is an error, and is not shown."""
    if end.report is not None:
        foreign = _foreign(case, end, end.report)
        if foreign is not None:
            return Case(case.name, "ERROR", foreign, end.run_id)
    if end.state == "finished":
        if end.report is None:
            return Case(case.name, "ERROR", f"run {one_line(end.run_id)} is finished but has no report", end.run_id)
        return case_of(end.report, case.name)
    killed = end.state == "cancelled" or (end.state == "failed" and end.error_code in KILLED)
    why = "the run was cancelled before it ended" if end.state == "cancelled" else end.error_message
    message = f"No verdict: {one_line(why or 'no reason was recorded')}"
    seconds = number_of(end.report["timing"]["duration_s"]) if end.report is not None else None
    return Case(case.name, "INCONCLUSIVE" if killed else "ERROR", message, end.run_id, seconds, end.report)


def _foreign(case: GateCase, end: RunEnd, report: Document) -> str | None:
    """Why the report is not one of this case's run, or contradicts itself; None when all is well."""
    if report["run_id"] != end.run_id or report["state"] != end.state:
        return "the report is of another run, or of another state of it; nothing in it was used"
    if report["plan_digest"] != case.plan.digest() or report["plan"] != json_ready(case.plan.as_document()):
        return "the report is of another plan than was asked for; does the server run another version of Lockstep?"
    if report["policy"] != json_ready(case.policy.as_document()):
        return "the report was judged by another policy than was asked for; is the server's version another?"
    required = [check["outcome"] for check in report["checks"] if check["required"]]
    if report["outcome"] == "PASS" and not (required and all(outcome == "pass" for outcome in required)):
        return "the report says PASS although a required check does not; please report this defect of Lockstep"
    return None


def _stopped(case: GateCase, error: BaseException) -> Case:
    end = error.end if isinstance(error, CaseInterrupted) else None
    if end is not None and end.state in ("finished", "failed", "cancelled"):
        return judged(case, end)
    message = "No verdict: the gate was interrupted while this case ran."
    return Case(case.name, "INCONCLUSIVE", message, end.run_id if end is not None else None)
