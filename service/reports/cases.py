"""A gated case as every output sees it: its name, its outcome, and the report it rests on where there is one.

The outcomes are the verdict's three and two more: `ERROR`, Lockstep itself failed; `NOT RUN`, the gate was stopped
before. Neither is ever a pass.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from service.reports.figures import figure
from service.reports.json_values import number_of
from service.reports.rejudge import told

Document = Mapping[str, Any]
CaseOutcome = Literal["PASS", "FAIL", "ERROR", "INCONCLUSIVE", "NOT RUN"]

GRAVITY: tuple[CaseOutcome, ...] = ("FAIL", "ERROR", "INCONCLUSIVE", "NOT RUN", "PASS")
"""The gravest first: it decides the outcome of all cases together."""

MARKS: Mapping[str, str] = {"PASS": "✔", "FAIL": "✘", "ERROR": "⚠", "INCONCLUSIVE": "?", "NOT RUN": "–"}

_AT_LEAST = frozenset({"learning.outputs_vary", "utilization.floor"})
"""Checks whose limit is a lower one: the closer to it from above, the worse."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True, slots=True)
class Case:
    """One case and how it ended. `report` is None where there is none that belongs to it; `seconds` None: not run."""

    name: str
    outcome: CaseOutcome
    message: str
    run_id: str | None = None
    seconds: float | None = None
    report: Document | None = None

    @property
    def checks(self) -> Sequence[Document]:
        """The report's checks; none without a verdict."""
        return self.report["checks"] if self.report is not None else ()


def case_of(report: Document, name: str | None = None) -> Case:
    """A single report as a case, named after its candidate and reference unless told otherwise."""
    plan = report["plan"]
    return Case(
        name=name or f"{plan['candidate']} against {plan['reference']}",
        outcome=_outcome(report),
        message=" ".join(filter(None, (told(report), str(report["summary"])))),
        run_id=str(report["run_id"]),
        seconds=number_of(report["timing"]["duration_s"]),
        report=report,
    )


def gravest(cases: Sequence[Case]) -> CaseOutcome:
    """The outcome of all cases together; without any nothing was gated, which is an error."""
    found = {case.outcome for case in cases}
    worst: CaseOutcome = next((outcome for outcome in GRAVITY if outcome in found), "ERROR")
    return "INCONCLUSIVE" if worst == "NOT RUN" else worst


def counted(cases: Sequence[Case]) -> str:
    """How many cases ended how, in words, the gravest first."""
    count = Counter(case.outcome for case in cases)
    words = [f"{count[outcome]} {outcome}" for outcome in GRAVITY if count[outcome]]
    return f"{len(cases)} {'case' if len(cases) == 1 else 'cases'}: {', '.join(words) or 'nothing was gated'}"


def worst_check(checks: Sequence[Document]) -> Document | None:
    """The required check to look at first: one that fails, else is open, else is closest to its limit."""
    required = [check for check in checks if check["required"]]
    for wanted in ("fail", "inconclusive", "not_measured", "not_applicable"):
        found = next((check for check in required if check["outcome"] == wanted), None)
        if found is not None:
            return found
    return max(required, key=_closeness, default=None)


def amount(check: Document) -> str:
    """A check's value and limit in a few words; "" where it has neither."""
    value, limit = number_of(check["value"]), number_of(check["limit"])
    if value is None:
        return ""
    return figure(value) if limit is None else f"{figure(value)} (limit {figure(limit)})"


def one_line(text: object, limit: int = 500) -> str:
    """`text` without what a terminal, a table or an XML parser would take for more than text; at most `limit` long."""
    whole = str(text)
    # Only so much of a text of megabytes is looked at: the rest would be cut off anyway.
    seen = whole[: 4 * limit]
    words = " ".join(_UNPRINTABLE.sub(" ", seen).split())
    return words if len(words) <= limit and seen == whole else words[: limit - 1] + "…"


def unique(names: Sequence[str]) -> list[str]:
    """The names in order, a second `x` as `x (2)`."""
    taken: set[str] = set()
    result = []
    for name in names:
        chosen, number = name, 1
        while chosen in taken:
            number += 1
            chosen = f"{name} ({number})"
        taken.add(chosen)
        result.append(chosen)
    return result


def _outcome(report: Document) -> CaseOutcome:
    finished, again = report["state"] == "finished", report.get("rejudged") is not None
    if finished and report["outcome"] == "PASS":
        return "PASS"
    if (finished or again) and report["outcome"] == "FAIL":
        return "FAIL"
    return "ERROR" if report["state"] == "failed" and not again else "INCONCLUSIVE"


def _closeness(check: Document) -> float:
    value, limit = number_of(check["value"]), number_of(check["limit"])
    if value is None or limit is None or value <= 0 or limit <= 0:
        return -1.0
    return limit / value if check["name"] in _AT_LEAST else value / limit
