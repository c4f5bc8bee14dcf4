"""A sweep's result: how each configuration ended, in one word together, and as the document that `--json` prints."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.parity.grid import Sweep
from service.parity.plan import Plan
from service.parity.plan_tables import words_of
from service.reports.cases import GRAVITY, CaseOutcome
from service.reports.json_values import json_ready

SCHEMA_VERSION = "1"
EXIT_CODES: Mapping[CaseOutcome, int] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3, "NOT RUN": 3, "ERROR": 4}
WORST = 10
"""Configurations that are listed although they pass: those whose error ratio is the largest."""


@dataclass(frozen=True, slots=True)
class End:
    """How one configuration ended, and the run that says so. `earlier`: an earlier sweep, or run, had carried it out.

    `error_ratio` is the largest of the synchronized phase, `None` where there is none.
    """

    outcome: CaseOutcome
    message: str
    run_id: str | None = None
    error_ratio: float | None = None
    bit_equal: bool = False
    seconds: float | None = None
    earlier: bool = False


NOT_RUN = End("NOT RUN", "the sweep was stopped before this configuration")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One plan of a sweep, and the fields that make it what it is (of the first grid that has it)."""

    plan: Plan
    changed: Mapping[str, Any]
    end: End

    def ended(self, end: End) -> Configuration:
        """The same with that end."""
        return replace(self, end=end)

    @property
    def name(self) -> str:
        """The changed fields in words."""
        names = short_names(list(self.changed))
        return ", ".join(f"{names[field]}={words_of(value)}" for field, value in self.changed.items())


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The sweep and the ends of its plans by their digests; a plan without one was not run."""

    sweep: Sweep
    ends: Mapping[str, End]

    def configurations(self) -> list[Configuration]:
        """Each different plan once, in the order of the grids."""
        found: dict[str, Configuration] = {}
        for grid in self.sweep.grids:
            for index, plan in enumerate(grid.plans):
                digest = plan.digest()
                if digest not in found:
                    found[digest] = Configuration(plan, grid.changed(index), self.ends.get(digest, NOT_RUN))
        return list(found.values())

    @property
    def outcome(self) -> CaseOutcome:
        """The gravest outcome, in one word; what was not run decides nothing."""
        found = {configuration.end.outcome for configuration in self.configurations()}
        worst = next((outcome for outcome in GRAVITY if outcome in found), "ERROR")
        return "INCONCLUSIVE" if worst == "NOT RUN" else worst  # type: ignore[return-value]

    @property
    def exit_code(self) -> int:
        """0 only when every configuration passes; 1 when any fails."""
        return EXIT_CODES[self.outcome]

    @property
    def summary(self) -> str:
        """One sentence."""
        configurations = self.configurations()
        count = Counter(configuration.end.outcome for configuration in configurations)
        words = ", ".join(f"{count[outcome]:,} {outcome}" for outcome in GRAVITY if count[outcome])
        worst = self.worst_ratio()
        ratio = "" if worst is None else f"; largest error ratio {worst:.4g} (limit {self.sweep.policy.error_ratio:g})"
        return f"{counted(len(configurations))}: {words}{ratio}"

    def worst_ratio(self) -> float | None:
        """The largest error ratio of all, NaN before any number; `None` where none was measured."""
        return max((end.error_ratio for end in self.ends.values() if end.error_ratio is not None),
                   key=badness, default=None)  # fmt: skip

    def listed(self) -> list[Configuration]:
        """The worst, and every one that did not pass, the gravest first; what was not run is counted, not listed."""
        ran = [each for each in self.configurations() if each.end.outcome != "NOT RUN"]
        ran.sort(key=lambda each: (GRAVITY.index(each.end.outcome), -badness(each.end.error_ratio)))
        failing = sum(each.end.outcome != "PASS" for each in ran)
        return ran[: max(failing, WORST)]

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
        ready: dict[str, Any] = json_ready({
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "policy": self.sweep.policy.as_document(),
            "grids": [
                {"axes": [{"field": axis.field, "values": axis.values} for axis in grid.axes],
                 "plan_digests": [plan.digest() for plan in grid.plans]}
                for grid in self.sweep.grids
            ],
            "configurations": [_document(configuration) for configuration in self.configurations()],
        })  # fmt: skip
        return ready


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """Each field's last word, or its whole name where two fields end alike."""
    last = [field.rpartition(".")[2] for field in fields]
    return {field: word if last.count(word) == 1 else field for field, word in zip(fields, last, strict=True)}


def counted(number: int) -> str:
    """So many configurations, in words."""
    return f"{number:,} {'configuration' if number == 1 else 'configurations'}"


def badness(ratio: float | None) -> float:
    """By which ratios are ordered: NaN is the worst, none the best."""
    return -1.0 if ratio is None else math.inf if math.isnan(ratio) else ratio


def _document(configuration: Configuration) -> dict[str, Any]:
    end = configuration.end
    return {
        "plan_digest": configuration.plan.digest(),
        "changed": configuration.changed,
        "plan": configuration.plan.as_document(),
        "outcome": end.outcome,
        "message": end.message,
        "run_id": end.run_id,
        "error_ratio": end.error_ratio,
        "bit_equal": end.bit_equal,
        "seconds": end.seconds,
        "earlier": end.earlier,
    }
