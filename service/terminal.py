"""Tables for the terminal: a verdict's checks, and what `lockstep doctor` found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from service.diagnosis import Finding
from service.parity.verdict import Verdict

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
_WORDS = {"not_measured": "not measured", "not_applicable": "not applicable"}


def verdict_table(verdict: Verdict) -> Table:
    """One row a check; what is not required says so."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("check", "outcome"):
        table.add_column(heading, no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("limit", justify="right")
    table.add_column("finding", overflow="fold")
    for check in verdict.checks:
        word = Text(_WORDS.get(check.outcome, check.outcome), style=_STYLES.get(check.outcome, "dim"))
        note = check.message if check.required else f"{check.message} (not required)"
        table.add_row(check.name, word, _number(check.value), _number(check.limit), Text(note))
    if verdict.first_divergence is not None:
        where = verdict.first_divergence
        source = f"; look at {where.source}" if where.source else ""
        finding = Text(f"{where.phase} step {where.step}, {where.tap}{source}", style="bold red")
        table.add_row("first divergence", "", _number(where.ratio), "", finding)
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row a finding, with what to do."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "found"):
        table.add_column(heading, overflow="fold")
    table.add_column("what to do", overflow="fold")
    for finding in findings:
        style = "" if finding.usable and not finding.advice else "yellow" if finding.usable else "bold red"
        table.add_row(Text(finding.what), Text(finding.found, style=style), Text(finding.advice))
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else str(value)
