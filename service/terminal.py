"""What the terminal shows: a verdict's checks, the self-test's candidates, and what `lockstep doctor` found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.diagnosis import Finding
from service.parity.verdict import CheckResult, Verdict

if TYPE_CHECKING:  # it brings the subjects along, and with them CuPy: not for `lockstep --help`
    from service.campaigns.selftest import CaseResult

MARKS = {
    "pass": ("✔ pass", "green"),
    "fail": ("✘ FAIL", "bold red"),
    "inconclusive": ("? open", "yellow"),
    "not_measured": ("- none", "dim"),
    "not_applicable": ("- n/a", "dim"),
}


def verdict_table(verdict: Verdict) -> RenderableType:
    """Each check with its value, limit and finding; the ones that were not measured together, by reason."""
    decided = [check for check in verdict.checks if check.outcome not in ("not_measured", "not_applicable")]
    others = [check for check in verdict.checks if check not in decided]
    return Group(*_decided(decided), *_first_divergence(verdict), *_not_measured(others))


def _decided(checks: Sequence[CheckResult]) -> Iterator[RenderableType]:
    for check in checks:
        word, style = MARKS[check.outcome]
        line = Text.assemble((f"{word}  ", style), (check.name, "bold"))
        if check.value is not None and check.limit is not None:
            line.append(f"  {number(check.value)} (limit {number(check.limit)}, {check.unit})", style="cyan")
        if not check.required:
            line.append("  not required", style="dim")
        yield line
        yield Padding(Text(check.message), (0, 0, 0, 8))


def _first_divergence(verdict: Verdict) -> Iterator[RenderableType]:
    where = verdict.first_divergence
    if where is None:
        return
    ratio = "" if where.ratio is None else f", error ratio {number(where.ratio)}"
    yield Text(f"first divergence: {where.phase} step {where.step}, {where.tap}{ratio}", style="bold red")
    if where.source is not None:
        yield Padding(Text(f"look at {where.source}"), (0, 0, 0, 8))


def _not_measured(checks: Sequence[CheckResult]) -> Iterator[RenderableType]:
    reasons: dict[str, list[str]] = {}
    for check in checks:
        reasons.setdefault(check.message, []).append(check.name + (" (required)" if check.required else ""))
    for reason, names in reasons.items():
        yield Text.assemble(("not measured: ", "dim"), (", ".join(names), "dim"))
        yield Padding(Text(reason, style="dim"), (0, 0, 0, 8))


_JUDGEMENTS = {
    "caught": ("✔ caught", "green"),
    "passed": ("✔ passed", "green"),
    "missed": ("✘ MISSED", "bold red"),
    "failed": ("✘ FAILED", "bold red"),
    "broken": ("✘ BROKEN", "bold red"),
    "undecided": ("? open", "yellow"),
    "not_judged": ("- not judged", "dim"),
}


def selftest_table(results: Sequence[CaseResult]) -> RenderableType:
    """One row a candidate; below, in words, what is not as it should be."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("candidate", "what is planted", "must be caught by", "that check", "verdict", ""):
        table.add_column(heading, no_wrap=heading == "candidate")
    for result in results:
        case, (word, style) = result.case, _JUDGEMENTS[result.judgement]
        expected = case.expected or "nothing: must pass"
        table.add_row(
            case.name, case.planted, expected, result.check or "-", result.verdict or "-", Text(word, style=style)
        )
    return Group(table, *_not_as_it_should_be(results))


def _not_as_it_should_be(results: Sequence[CaseResult]) -> Iterator[RenderableType]:
    unjudged: dict[str, list[str]] = {}
    for result in results:
        if result.judgement == "not_judged":
            unjudged.setdefault(result.message, []).append(result.case.name)
        elif result.judgement not in ("caught", "passed"):
            word, style = _JUDGEMENTS[result.judgement]
            yield Text.assemble((f"{word}  ", style), (result.case.name, "bold"))
            yield Padding(Text(result.message), (0, 0, 0, 8))
    for reason, names in unjudged.items():
        yield Text(f"not judged: {', '.join(names)}: {reason}", style="dim")


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row a finding, with what to do."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("what", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    for finding in findings:
        style = "" if finding.usable and not finding.advice else "yellow" if finding.usable else "bold red"
        words = Text(finding.found, style=style)
        if finding.advice:
            words.append(f"\n→ {finding.advice}", style="")
        table.add_row(Text(finding.what), words)
    return table


def number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)
