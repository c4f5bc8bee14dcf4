"""The start page: the newest runs, what came of each, and the way to its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from service.ports import RunFilter, RunRow, RunStore

NEWEST = 50

_HERE = Path(__file__).parent
_OUTCOMES = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open"}
_STATES = {
    "queued": ("wait", "queued"),
    "running": ("run", "running"),
    "finished": ("error", "finished"),
    "failed": ("error", "no verdict"),
    "cancelled": ("stop", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the table: the run, and what stands beside it."""

    run: RunRow
    glyph: str
    word: str
    shape: str
    finding: str
    created: str


def install(app: FastAPI, store: RunStore) -> None:
    """Serve the pages at `/` and their stylesheet at `/static`."""
    # Autoescape for every template, whatever its name ends with.
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/", response_class=HTMLResponse)
    def show_runs() -> HTMLResponse:
        rows = store.runs(RunFilter(limit=NEWEST + 1))
        text = templates.get_template("runs.html").render(
            headline=_headline(rows),
            explanation=_explanation(rows),
            caption=_caption(rows),
            lines=[_line(run) for run in rows[:NEWEST]],
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    app.include_router(router)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")


def _line(run: RunRow) -> _Line:
    if run.outcome is not None:
        glyph, word = _OUTCOMES[run.outcome], run.outcome
    else:
        glyph, word = _STATES[run.state]
    return _Line(
        run=run,
        glyph=glyph,
        word=word,
        shape="-".join(str(width) for width in run.plan.layer_sizes()),
        finding=_finding(run),
        created=run.created_at.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _finding(run: RunRow) -> str:
    if run.summary:
        return run.summary
    if run.error_message:
        return run.error_message
    if run.state == "running" and run.progress is not None:
        return f"{run.progress.phase}: {run.progress.done:,} of {run.progress.total:,}"
    return "not judged" if run.state == "cancelled" else "not yet"


def _headline(rows: list[RunRow]) -> str:
    if not rows:
        return "No run has been asked for yet."
    for run in rows:
        if run.outcome is not None:
            return f"The newest verdict is {run.outcome}: {run.plan.candidate} against {run.plan.reference}."
    return "No run has a verdict yet."


def _explanation(rows: list[RunRow]) -> str:
    judged = next((run for run in rows if run.outcome is not None), None)
    waiting = sum(run.state == "queued" for run in rows)
    running = sum(run.state == "running" for run in rows)
    active = f"Of these runs, running: {running}, queued: {waiting}."
    return f"{judged.summary} {active}" if judged and judged.summary else active


def _caption(rows: list[RunRow]) -> str:
    if len(rows) > NEWEST:
        return f"The newest {NEWEST} runs; the API lists the older ones."
    return f"{len(rows)} {'run' if len(rows) == 1 else 'runs'}, newest first."
