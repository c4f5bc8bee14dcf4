"""What a person sees of a gate: a line as each case starts and ends, and at the end one table of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.gate.config import GateCase
from service.ports import ProgressListener
from service.reports.cases import MARKS, Case, amount, one_line, worst_check
from service.reports.figures import duration

_STYLES = {"PASS": "green", "FAIL": "bold red", "ERROR": "bold red", "INCONCLUSIVE": "yellow", "NOT RUN": "dim"}


class TerminalWatcher:
    """Writes to the console; `follow` makes the listener that shows a running case's steps."""

    def __init__(self, console: Console, follow: Callable[[], ProgressListener]) -> None:
        self._console, self._follow = console, follow

    def starting(self, case: GateCase, number: int, total: int) -> ProgressListener:
        """Name the case, its place and who meets whom."""
        sides = f"{case.plan.candidate} against {case.plan.reference}"
        self._console.print(Text(one_line(f"[{number}/{total}] {case.name}: {sides}")), soft_wrap=True)
        return self._follow()

    def ended(self, case: Case, number: int, total: int) -> None:
        """How it ended, in a word."""
        took = "" if case.seconds is None else f" in {duration(case.seconds)}"
        words = Text(f"[{number}/{total}] {one_line(case.name)}: ").append(case.outcome, _STYLES[case.outcome])
        self._console.print(words.append(took), soft_wrap=True)


def print_result(console: Console, cases: Sequence[Case]) -> None:
    """One row a case; below, each that did not pass with its summary and, unbroken, the command that repeats it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("outcome", "case", "worst required check", "took", "run"):
        table.add_column(heading, no_wrap=heading in ("outcome", "took", "run"), overflow="fold")
    for case in cases:
        check = worst_check(case.checks)
        worst = "-" if check is None else one_line(f"{check['name']} {amount(check)}")
        table.add_row(
            Text(f"{MARKS[case.outcome]} {case.outcome}", style=_STYLES[case.outcome]),
            Text(one_line(case.name)),
            Text(worst),
            "-" if case.seconds is None else duration(case.seconds),
            Text(one_line(case.run_id or "-")),
        )
    console.print(table)
    for case in cases:
        if case.outcome not in ("PASS", "NOT RUN"):
            opening = (f"{MARKS[case.outcome]} {one_line(case.name)}: ", _STYLES[case.outcome])
            console.print(Text.assemble(opening, one_line(case.message)), soft_wrap=True)
            if case.report is not None:
                console.print(Text(f"  {one_line(case.report['replay'], 4000)}"), soft_wrap=True)
