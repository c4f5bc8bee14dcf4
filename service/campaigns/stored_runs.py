"""Dual runs of a campaign on the path of `lockstep run`: queued, claimed, carried out in a child, kept in the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from service.parity.errors import StoreError
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.ports import Clock, Executor, ProgressListener, RunRow, RunStore


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """`submit` makes a queued run of a plan and a policy; `worker` is written into its row."""

    store: RunStore
    executor: Executor
    clock: Clock
    submit: Callable[[Plan, Policy], RunRow]
    worker: str

    def carry_out(self, plan: Plan, policy: Policy, listener: ProgressListener) -> RunRow:
        """The run's row once it has ended, however it did; after Ctrl-C it is cancelled, whenever that came."""
        row = self.submit(plan, policy)
        try:
            self.store.claim(row.id, self.worker, self.clock.now())
            self.executor.execute(row.id, listener)
        except KeyboardInterrupt:
            with suppress(StoreError):  # the executor has done it already, unless the signal came before or after it
                self.store.mark_cancelled(row.id, self.clock.now())
            raise
        return self.store.run(row.id)
