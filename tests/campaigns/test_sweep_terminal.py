"""What a person sees of a sweep: lines or a bar as it goes on, letters and ratios at the end."""

from __future__ import annotations

import io
import math
import tomllib

from rich.console import Console

from service.campaigns.sweep_terminal import result_view, told
from service.parity.grid import sweep_from_document
from service.parity.policy import named_policy
from service.reports.sweep import End, SweepResult

GRID = '[grid]\n"model.vector_length" = [64, 128]\nseed = [0, 1, 2]'
ENDS = [
    End("PASS", "fine", "r0", 1.0, seconds=2.0),
    End("FAIL", "too far \x1b[31m", "r1", 17.98, seconds=2.0),
    End("FAIL", "too far \x1b[31m", "r2", math.nan, seconds=2.0),
    End("INCONCLUSIVE", "who knows", "r3", None),
    End("ERROR", "broken", None, None),
]


def result(text: str = GRID) -> SweepResult:
    swept = sweep_from_document(tomllib.loads(text), named_policy)
    return SweepResult(swept, dict(zip(swept.plans(), ENDS, strict=False)))


def shown(made: SweepResult, width: int = 170) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(result_view(made, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_every_cell_has_its_letter_and_ratio() -> None:
    lines = shown(result())
    assert lines[0].split() == ["vector_length", "seed", "0", "1", "2"]
    assert lines[1].split() == ["64", "P", "1", "F", "18", "F", "NaN"]
    assert lines[2].split() == ["128", "?", "E", "-"]


def test_what_did_not_pass_is_listed_and_its_reason_told_once() -> None:
    text = "\n".join(shown(result()))
    assert text.count("too far") == 1
    assert "too far [31m (2 configurations)" in text
    assert "\x1b" not in text
    assert "vector_length=64, seed=1" in text
    assert "? who knows" in text


def test_a_narrow_terminal_gets_more_rows_and_a_tall_map_is_left_to_the_page() -> None:
    assert shown(result(), 44)[0].split() == ["vector_length", "seed"]
    assert shown(result(), 44)[2].split() == ["64", "1", "F", "18"]
    tall = "[grid]\nseed = [" + ",".join(map(str, range(300))) + "]"
    assert "too tall for a terminal; --html FILE draws it" in "\n".join(shown(result(tall)))


def watched(terminal: bool) -> str:
    made = result()
    console = Console(file=io.StringIO(), width=160, force_terminal=terminal)
    with told(console, 6, 1) as tell:
        for each in made.configurations()[1:5]:
            tell(each)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_where_there_is_no_terminal() -> None:
    lines = watched(terminal=False).splitlines()
    assert lines[0] == "[2/6] vector_length=64, seed=1: FAIL, error ratio 18, 2\N{NARROW NO-BREAK SPACE}s, run r1"
    assert [line.partition("]")[0] for line in lines] == ["[2/6", "[3/6", "[4/6", "[5/6"]


def test_a_bar_with_what_is_left_and_the_worst_so_far() -> None:
    text = watched(terminal=True)
    assert "5/6" in text
    assert "left, largest error ratio NaN" in text
