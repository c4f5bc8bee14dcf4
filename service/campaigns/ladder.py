"""The climb: a dual run for every rung of the ladder, and what each shows of what a rung is held to.

Every run is kept, so that a rung can be promoted on it (`promotion`) and a stopped climb keeps what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from service.campaigns.stored_runs import StoredRuns
from service.parity.ladder import Demand, Numerics, demands_of, numerics_of, subject_of
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.ports import ProgressListener, RunRow, RunStore

SCHEMA_VERSION = 1
CHILD_DIED = "child_died"
"""The reason of a failed run that is not Lockstep's: something ended the run's process, so nothing is decided."""

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "BROKEN"]


@dataclass(frozen=True, slots=True)
class RungResult:
    """What a rung's run came to. Without a verdict there are no demands."""

    rung: str
    run: RunRow
    numerics: Numerics
    demands: tuple[Demand, ...]

    @property
    def outcome(self) -> Outcome:
        """A run without a verdict decides nothing; one that Lockstep itself failed at is BROKEN."""
        if self.run.outcome is not None:
            return self.run.outcome  # type: ignore[return-value]
        return "BROKEN" if self.run.state == "failed" and self.run.error_code != CHILD_DIED else "INCONCLUSIVE"

    @property
    def message(self) -> str:
        """One sentence."""
        return self.run.summary or self.run.error_message or f"the run is {self.run.state}"

    def as_document(self) -> dict[str, Any]:
        return {
            "rung": self.rung,
            "run_id": self.run.id,
            "outcome": self.outcome,
            "message": self.message,
            "bit_equal": self.numerics.bit_equal,
            "error_ratio": self.numerics.error_ratio,
            "demands": [
                {"name": demand.name, "outcome": demand.outcome, "message": demand.message} for demand in self.demands
            ],
        }


@dataclass(frozen=True, slots=True)
class Climb:
    """The results in the order of the rungs; fewer than `rungs` where somebody interrupted."""

    plan: Plan
    policy: Policy
    rungs: tuple[str, ...]
    results: tuple[RungResult, ...]

    @property
    def outcome(self) -> Outcome:
        """PASS only when every rung that was asked for passes."""
        outcomes = [result.outcome for result in self.results]
        if "FAIL" in outcomes:
            return "FAIL"
        if "BROKEN" in outcomes:
            return "BROKEN"
        whole = bool(outcomes) and len(outcomes) == len(self.rungs)
        return "PASS" if whole and set(outcomes) == {"PASS"} else "INCONCLUSIVE"

    @property
    def summary(self) -> str:
        """One sentence."""
        passed = sum(result.outcome == "PASS" for result in self.results)
        equal = sum(result.numerics.bit_equal is True for result in self.results)
        words = [f"{passed} of {len(self.rungs)} rungs pass", f"{equal} bit-equal to legacy"]
        if len(self.results) < len(self.rungs):
            words.append(f"stopped after {len(self.results)} of {len(self.rungs)}")
        return "; ".join(words)

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "summary": self.summary,
            "plan": self.plan.as_document(),
            "policy": self.policy.name,
            "rungs": [result.as_document() for result in self.results],
        }


def climb(
    runs: StoredRuns, plan: Plan, policy: Policy, rungs: Sequence[str], follow: Callable[[str], ProgressListener]
) -> Iterator[RungResult]:
    """A dual run a rung, the safest first; `follow` makes the listener for one. KeyboardInterrupt passes through."""
    for rung in rungs:
        row = runs.carry_out(replace(plan, candidate=subject_of(rung)), policy, follow(rung))
        yield rung_result(runs.store, rung, row)


def rung_result(store: RunStore, rung: str, row: RunRow) -> RungResult:
    """What an ended run shows of its rung."""
    record, verdict = store.record(row.id), store.verdict(row.id)
    numerics = Numerics(None, None) if record is None else numerics_of(record, verdict)
    return RungResult(rung, row, numerics, () if verdict is None else demands_of(verdict.checks))
