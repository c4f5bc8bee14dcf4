"""What a person reads at the end of a gate."""

from __future__ import annotations

import io

from rich.console import Console

from service.gate.config import GateCase
from service.gate.terminal import TerminalWatcher, print_result
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.reports.cases import Case

CHECK = {"name": "numerics.synchronized", "outcome": "fail", "message": "m", "required": True, "value": 17.8,
         "limit": 4.0}  # fmt: skip
REPLAY = "lockstep run " + " ".join(f"--flag-{i} {i}" for i in range(40))
FAILED = Case("bad [red]x", "FAIL", "no\x1b[2J good", "r1", 1.31, {"checks": [CHECK], "replay": REPLAY})


def text_of(*cases: Case) -> list[str]:
    out = io.StringIO()
    print_result(Console(file=out, width=120, highlight=False), cases)
    return out.getvalue().splitlines()


def test_the_table_has_a_row_a_case_with_its_worst_check() -> None:
    lines = text_of(Case("good", "PASS", "fine", "r0", 2.0), FAILED)
    assert lines[0].split() == ["outcome", "case", "worst", "required", "check", "took", "run"]
    assert lines[1].split()[:4] == ["✔", "PASS", "good", "-"]
    assert "numerics.synchronized 17.8 (limit 4)" in lines[2]
    assert lines[2].rstrip().endswith("r1")


def test_a_case_that_fails_is_followed_by_its_summary_and_an_unbroken_command() -> None:
    lines = text_of(Case("good", "PASS", "fine"), FAILED, Case("later", "NOT RUN", "stopped"))
    assert lines[-2:] == ["✘ bad [red]x: no [2J good", f"  {REPLAY}"]


def test_the_watcher_says_where_the_gate_is() -> None:
    out = io.StringIO()
    watcher = TerminalWatcher(Console(file=out, width=120, highlight=False), lambda: lambda progress: None)
    watcher.starting(GateCase("a[x=1]", Plan(), named_policy("numerics")), 1, 3)
    watcher.ended(Case("a[x=1]", "INCONCLUSIVE", "m", "r", 61.0), 1, 3)
    assert [" ".join(line.split()) for line in out.getvalue().splitlines()] == [
        "[1/3] a[x=1]: basemodel against legacy",
        "[1/3] a[x=1]: INCONCLUSIVE in 1 min 1 s",
    ]
