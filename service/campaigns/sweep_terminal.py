"""What a person sees of a sweep: how far it is, and at the end a heat-map a grid and what to look at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from service.parity.grid import Axis, Grid
from service.parity.plan_tables import words_of
from service.reports.cases import MARKS, CaseOutcome, one_line
from service.reports.figures import duration, figure
from service.reports.heat_map import heat_class
from service.reports.sweep import Configuration, End, SweepResult, badness, counted, short_names
from service.reports.sweep_map import ends_of, layout_of

LETTERS: Mapping[CaseOutcome, str] = {"PASS": "P", "FAIL": "F", "INCONCLUSIVE": "?", "ERROR": "E", "NOT RUN": "-"}
STYLES: Mapping[CaseOutcome, str] = {
    "PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "ERROR": "bold red", "NOT RUN": "dim",
}  # fmt: skip

_HOT = {
    "h4": "#ffdcc8", "h5": "#ffc3a1", "h6": "#fba679", "h7": "#f08550", "h8": "#dc622a", "h9": "#f0622a",
    "h10": "#ff5020", "broken": "#ffffff",
}  # fmt: skip
"""Backgrounds above the limit, a class a decade, dark letters on each."""

TALLEST = 80
"""Rows of a heat-map that a terminal is asked to show; a page shows them all."""

_CELL = 9

Tell = Callable[[Configuration], None]


@contextmanager
def told(console: Console, total: int, earlier: int) -> Iterator[Tell]:
    """Shows each configuration as it is done: a bar on a terminal, else a line each."""
    worst: list[float] = []
    done = earlier

    def note(each: Configuration) -> None:
        nonlocal done
        done += 1
        if each.end.error_ratio is not None:
            worst[:] = [max((*worst, each.end.error_ratio), key=badness)]

    if not console.is_terminal:

        def print_line(each: Configuration) -> None:
            note(each)
            words = Text(f"[{done}/{total}] {one_line(each.name)}: ")
            words.append(each.end.outcome, STYLES[each.end.outcome]).append(_amount(each.end))
            console.print(words, soft_wrap=True)

        yield print_line
        return
    bar = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
                   console=console)  # fmt: skip
    with bar:
        task = bar.add_task("", total=total, completed=earlier)

        def show(each: Configuration) -> None:
            note(each)
            # Of its own: the bar's estimate goes by the last few, which end together where several run at a time.
            left_s = (bar.tasks[0].elapsed or 0.0) / (done - earlier) * (total - done)
            words = [f"about {duration(left_s)} left"] if done < total else []
            words += [f"largest error ratio {figure(worst[0])}"] if worst else []
            bar.update(task, completed=done, description=", ".join(words))
            if each.end.outcome != "PASS":
                line = Text(f"{one_line(each.name)}: ").append(each.end.outcome, STYLES[each.end.outcome])
                bar.console.print(line.append(_amount(each.end)), soft_wrap=True)

        yield show


def result_view(result: SweepResult, width: int) -> RenderableType:
    """The heat-maps, what they mean, and the table."""
    maps = [_heat_map(grid, result, width) for grid in result.sweep.grids]
    words = ", ".join(f"{letter} {outcome}" for outcome, letter in LETTERS.items())
    limit = figure(result.sweep.policy.error_ratio)
    key = Text(f"{words}; the number is the largest error ratio, coloured above the limit of {limit}\n", style="dim")
    return Group(*maps, key, *_table(result))


def _heat_map(grid: Grid, result: SweepResult, width: int) -> RenderableType:
    labels = sum(max(len(axis.field), 6) + 2 for axis in grid.axes[:-1])
    layout = layout_of(grid.axes, max((width - labels) // _CELL, 1))
    names = short_names(grid.fields)
    if layout.height > TALLEST:
        return Text(f"A heat-map of {layout.height} rows is too tall for a terminal; --html FILE draws it.\n")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for axis in layout.rows:
        table.add_column(Text(names[axis.field]), no_wrap=True)
    for column in range(layout.width):
        values = [names[axis.field] if not column else "" for axis in layout.columns]
        heading = [_at(layout.columns, column, level) for level in range(len(layout.columns))]
        lines = [f"{name} {value}".strip() for name, value in zip(values, heading, strict=True)]
        table.add_column(Text("\n".join(lines) or " "), justify="right", no_wrap=True)
    ends = ends_of(grid, result)
    for row in range(layout.height):
        begin = row * layout.width
        labels_here = [Text(_at(layout.rows, row, level)) for level in range(len(layout.rows))]
        cells = [_cell(end, result.sweep.policy.error_ratio) for end in ends[begin : begin + layout.width]]
        table.add_row(*labels_here, *cells)
    return Group(table, Text(""))


def _at(axes: tuple[Axis, ...], index: int, level: int) -> str:
    """The value of the axis of that level in the row or column of that index."""
    for axis in reversed(axes[level + 1 :]):
        index //= len(axis.values)
    values = axes[level].values
    return one_line(words_of(values[index % len(values)]))


def _cell(end: End, limit: float) -> Text:
    ratio = "" if end.error_ratio is None else f" {figure(end.error_ratio)}"
    hot = _HOT.get(heat_class(end.error_ratio, 0 if end.bit_equal else 1, limit))
    return Text(f"{LETTERS[end.outcome]}{ratio}", style=STYLES[end.outcome] if hot is None else f"bold black on {hot}")


def _table(result: SweepResult) -> Iterator[RenderableType]:
    listed = result.listed()
    if not listed:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("outcome", "configuration", "error ratio", "took", "run"):
        table.add_column(heading, no_wrap=heading != "configuration", overflow="fold")
    for each in listed:
        end = each.end
        table.add_row(
            Text(f"{MARKS[end.outcome]} {end.outcome}", style=STYLES[end.outcome]),
            Text(one_line(each.name)),
            "-" if end.error_ratio is None else figure(end.error_ratio),
            "-" if end.seconds is None else duration(end.seconds),
            Text(end.run_id or "-"),
        )
    yield table
    said: dict[tuple[CaseOutcome, str], list[Configuration]] = {}
    for each in listed:
        if each.end.outcome != "PASS":
            said.setdefault((each.end.outcome, one_line(each.end.message)), []).append(each)
    for (outcome, message), configurations in said.items():
        more = "" if len(configurations) == 1 else f" ({counted(len(configurations))})"
        yield Text.assemble((f"{MARKS[outcome]} ", STYLES[outcome]), f"{message}{more}")


def _amount(end: End) -> str:
    ratio = "" if end.error_ratio is None else f", error ratio {figure(end.error_ratio)}"
    took = "" if end.seconds is None else f", {duration(end.seconds)}"
    return f"{ratio}{took}, run {end.run_id or '-'}"
