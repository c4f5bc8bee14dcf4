"""What a check and a verdict are, and how the one follows from the other.

FAIL if a required check fails; else INCONCLUSIVE if a required check could not be decided; else PASS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckOutcome = Literal["pass", "fail", "inconclusive", "not_measured", "not_applicable"]
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One named criterion: what was found, against what limit, in a sentence. `value` None: nothing to show."""

    name: str
    outcome: CheckOutcome
    message: str
    required: bool = False
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirstDivergence:
    """The earliest step, and in it the earliest tap in dataflow order, whose own ratio exceeds the limit.

    `ratio` is None when the tap is missing, misshapen or not finite.
    """

    phase: str
    step: int
    tap: str
    ratio: float | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, in one word and one sentence, with the checks that led to it."""

    outcome: Outcome
    summary: str
    checks: tuple[CheckResult, ...]
    policy: str
    first_divergence: FirstDivergence | None = None


def decide(checks: tuple[CheckResult, ...]) -> Outcome:
    """The outcome by the rule above; no required check at all decides nothing and is INCONCLUSIVE."""
    required = [check for check in checks if check.required]
    if any(check.outcome == "fail" for check in required):
        return "FAIL"
    if required and all(check.outcome == "pass" for check in required):
        return "PASS"
    return "INCONCLUSIVE"
