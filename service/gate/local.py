"""Cases on this machine: each a run in the store, claimed at once and carried out by the executor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from service.gate.config import GateCase
from service.gate.loop import CaseInterrupted, RunEnd
from service.parity.errors import StoreError
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.ports import Clock, Executor, ProgressListener, RunRow, RunStore
from service.reports.report import build_report

WORKER = "lockstep gate"


class LocalRunner:
    """`submit` makes a queued run of a plan and a policy."""

    def __init__(
        self, store: RunStore, executor: Executor, clock: Clock, submit: Callable[[Plan, Policy], RunRow]
    ) -> None:
        self._store, self._executor, self._clock, self._submit = store, executor, clock, submit

    def run(self, case: GateCase, listener: ProgressListener) -> RunEnd:
        """The case's run to its end; after Ctrl-C it is cancelled, whenever that came."""
        row = self._submit(case.plan, case.policy)
        try:
            self._store.claim(row.id, WORKER, self._clock.now())
            self._executor.execute(row.id, listener)
        except KeyboardInterrupt:
            with suppress(StoreError):  # the executor has done it already, unless the signal came before or after it
                self._store.mark_cancelled(row.id, self._clock.now())
            raise CaseInterrupted(self._end(row.id)) from None
        return self._end(row.id)

    def _end(self, run_id: str) -> RunEnd:
        row = self._store.run(run_id)
        report = build_report(row, self._store.record(run_id), self._store.verdict(run_id))
        return RunEnd(run_id, row.state, row.error_code, row.error_message, report)
