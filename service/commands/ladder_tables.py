"""What `lockstep ladder` shows on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.parity.ladder import DEMANDS, Numerics, Promotion
from service.terminal import MARKS, number

if TYPE_CHECKING:  # they bring the subjects along, and with them CuPy: not for `lockstep --help`
    from service.campaigns.bisect import Bisection
    from service.campaigns.ladder import RungResult
    from service.campaigns.promotion import LadderStatus

_OUTCOMES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "BROKEN": "bold red"}


def climb_table(results: Sequence[RungResult]) -> RenderableType:
    """One row a rung; below, the reasons of what is not passed, once each."""
    table = _table("rung", "verdict", "numerics", *DEMANDS, "run")
    for result in results:
        marks = [MARKS[demand.outcome] for demand in result.demands] or [("- none", "dim")] * len(DEMANDS)
        table.add_row(
            result.rung,
            Text(result.outcome, style=_OUTCOMES[result.outcome]),
            _numerics(result.numerics),
            *(Text(word, style=style) for word, style in marks),
            result.run.id,
        )
    return Group(table, *_reasons(results))


def status_table(status: LadderStatus) -> RenderableType:
    """The rungs, top first, as one climbs them; then who moved when."""
    table = _table("", "rung", "newest run on this source", "could be promoted on")
    for rung in reversed(status.rungs):
        last = "none" if rung.last_run_id is None else f"{rung.last_outcome}  {rung.last_run_id}"
        table.add_row(
            Text("→ in use" if rung.in_use else "", style="bold green"),
            rung.rung,
            Text(last, style=_OUTCOMES.get(rung.last_outcome or "", "dim")),
            rung.evidence_run_id or Text("nothing", style="dim"),
        )
    if status.rung_in_use is None:
        table.add_row(Text("→ in use", style="bold green"), "legacy itself: nothing has been promoted", "", "")
    return Group(table, *_stale(status), *_history(status.history))


def bisection_table(found: Bisection) -> RenderableType:
    """The runs in their order; then each culprit, and where it first shows."""
    table = _table("", "methods of its own", "verdict", "run", right=("",))
    for place, probe in enumerate(found.finding.probes, 1):
        style = _OUTCOMES[probe.outcome]
        table.add_row(
            str(place),
            _selection(probe.selection, found.methods),
            Text(probe.outcome, style=style),
            probe.run_id or "-",
        )
    return Group(table, *_culprits(found))


def _selection(selection: frozenset[str], methods: Sequence[str]) -> str:
    """In words, a run of neighbours by its ends."""
    if selection == frozenset(methods):
        return f"all {len(methods)}"
    if not selection:
        return "none"
    words: list[str] = []
    places = [place for place, name in enumerate(methods) if name in selection]
    while places:
        last = next(place for place in places if place + 1 not in places)
        names = [methods[place] for place in places if place <= last]
        words.append(", ".join(names) if len(names) < 3 else f"{names[0]} to {names[-1]}")
        places = [place for place in places if place > last]
    return ", ".join(words)


def _culprits(found: Bisection) -> Iterator[RenderableType]:
    for culprit in found.culprits:
        yield Text.assemble(("✘ ", "bold red"), (culprit.method, "bold"), f"  rung {culprit.rung}")
        yield Padding(Text(f"look at {culprit.function}\nin place of {culprit.replaces}"), (0, 0, 0, 8))
    where = found.finding.decisive.first_divergence
    if where is not None and found.culprits:
        ratio = "" if where.ratio is None else f", error ratio {number(where.ratio)}"
        yield Text(f"first divergence: {where.phase} step {where.step}, {where.tap}{ratio}", style="bold red")
    elif found.culprits:
        yield Text(found.finding.decisive.summary)


def _numerics(numerics: Numerics) -> Text:
    if numerics.bit_equal:
        return Text("bit-equal", style="green")
    if numerics.error_ratio is not None:
        return Text(f"error ratio {number(numerics.error_ratio)}")
    return Text("not compared", style="dim")


def _reasons(results: Sequence[RungResult]) -> Iterator[RenderableType]:
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        for demand in result.demands:
            if demand.outcome != "pass":
                reasons.setdefault((demand.name, demand.outcome, demand.message), []).append(result.rung)
        if result.outcome != "PASS":
            reasons.setdefault(("", result.outcome, result.message), []).append(result.rung)
    for (name, outcome, message), rungs in reasons.items():
        where = "every rung" if len(rungs) == len(results) > 1 else ", ".join(rungs)
        yield Text(f"{where}: {f'{name} ' if name else ''}{outcome.replace('_', ' ')}", style="dim")
        yield Padding(Text(message, style="dim"), (0, 0, 0, 8))


def _stale(status: LadderStatus) -> Iterator[RenderableType]:
    if status.in_use_on_present_source is False:
        words = f"rung {status.rung_in_use} was promoted on another source than the present one; promote it again"
        yield Text(words, style="yellow")


def _history(history: Sequence[Promotion]) -> Iterator[RenderableType]:
    if not history:
        return
    table = _table("when", "what", "by", "run", "source", "note")
    for line in history:
        table.add_row(
            line.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            f"{line.action} {line.rung}",
            Text(line.by),
            line.run_id or "-",
            (line.source_digest or "-")[:12],
            Text(line.note),
        )
    yield Text("")
    yield table


def _table(*headings: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(
            heading, no_wrap=heading in ("rung", "run", "when"), justify="right" if heading in right else "left"
        )
    return table
