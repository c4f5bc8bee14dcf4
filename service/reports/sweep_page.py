"""A sweep's result as one self-contained page: the answer, a heat-map a grid, every configuration in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from service.parity.grid import Grid
from service.parity.plan import Plan
from service.parity.plan_tables import field_of, words_of
from service.reports.cases import CaseOutcome
from service.reports.figures import duration, figure
from service.reports.html import stylesheet, templates
from service.reports.sweep import Configuration, SweepResult, short_names
from service.reports.sweep_map import colour_key, mark_key, sweep_map

KINDS: Mapping[CaseOutcome, str] = {
    "PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open", "ERROR": "error", "NOT RUN": "wait",
}  # fmt: skip


def render_sweep(result: SweepResult) -> str:
    """The page; like a report's it has no script, no request and no `style` attribute."""
    configurations = result.configurations()
    return templates().get_template("sweep.html").render(
        css=Markup(stylesheet()),
        kind=KINDS[result.outcome],
        outcome=result.outcome,
        title=_title(result, configurations),
        summary=result.summary,
        meta=_meta(result, configurations),
        colour_key=colour_key(result),
        mark_key=mark_key(),
        grids=[_grid(grid, result) for grid in result.sweep.grids],
        listed=[_row(each) for each in result.listed()],
        every=[_row(each) for each in configurations],
        limit=figure(result.sweep.policy.error_ratio),
    )  # fmt: skip


def _title(result: SweepResult, configurations: list[Configuration]) -> str:
    sides = sorted({(each.plan.candidate, each.plan.reference) for each in configurations})
    who = f"{sides[0][0]} against {sides[0][1]}" if len(sides) == 1 else f"{len(sides)} pairs of subjects"
    count = sum(each.end.outcome == "PASS" for each in configurations)
    if count == len(configurations):
        return f"{who}: every one of {count:,} configurations passes."
    return f"{who}: {count:,} of {len(configurations):,} configurations pass."


def _meta(result: SweepResult, configurations: list[Configuration]) -> list[tuple[str, str]]:
    seconds = sum(each.end.seconds or 0.0 for each in configurations)
    reused = sum(each.end.earlier for each in configurations)
    return [
        ("policy", result.sweep.policy.name),
        ("limit of the error ratio", figure(result.sweep.policy.error_ratio)),
        (duration(seconds), "in runs"),
        (f"{reused:,}", "of earlier runs"),
    ]


def _grid(grid: Grid, result: SweepResult) -> dict[str, Any]:
    names = short_names(grid.fields)
    return {
        "title": " × ".join(names[axis.field].replace("_", " ") for axis in grid.axes),
        "fixed": _fixed(grid.plans[0], set(grid.fields)),
        "map": sweep_map(grid, result),
    }


_TOLD = (
    "reference", "candidate", "dataset", "model.vector_length", "model.hidden_layers", "model.bottleneck",
    "model.alpha", "training.steps", "training.batch_size", "training.learning_rate", "training.clip",
    "synchronized.steps", "synchronized.every", "phases", "seed", "device",
)  # fmt: skip


def _fixed(plan: Plan, varied: set[str]) -> list[tuple[str, str]]:
    """What every configuration of a grid has, of the fields that one asks for first."""
    return [(field, words_of(field_of(plan, field))) for field in _TOLD if field not in varied]


def _row(each: Configuration) -> dict[str, Any]:
    end = each.end
    return {
        "kind": KINDS[end.outcome],
        "outcome": end.outcome,
        "name": each.name,
        "ratio": None if end.error_ratio is None else figure(end.error_ratio),
        "message": end.message,
        "run_id": end.run_id,
        "took": None if end.seconds is None else duration(end.seconds),
        "earlier": end.earlier,
    }
