"""A run's report, as JSON, as one HTML file, as Markdown or as JUnit; never measured again, only told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from service.api.accept import preferred
from service.api.context import Here, RunId
from service.api.edge import CONTENT_POLICY
from service.api.problems import ReportNotReady
from service.api.routes.runs import PROBLEMS
from service.api.schemas import ReportQuery
from service.ports import RunRow
from service.reports.forms import MEDIA_TYPES, Form, render
from service.reports.html import style_source
from service.reports.report import build_report

router = APIRouter(tags=["reports"], responses=PROBLEMS)

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The report", "content": {media.partition(";")[0]: {} for media in MEDIA_TYPES.values()}}
}
_ACCEPTED: Mapping[str, Form] = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/*": "html",
    "text/markdown": "markdown",
    "application/xml": "junit",
    "text/xml": "junit",
}


@router.get("/runs/{run_id}/report", responses={**PROBLEMS, **_FORMS}, response_class=Response)
def show_report(run_id: RunId, request: Request, query: Annotated[ReportQuery, Query()], here: Here) -> Response:
    """The report in the form that `format` or, without it, `Accept` asks for; 409 while there is none."""
    run = here.store.run(run_id)
    record = here.store.record(run_id)
    if record is None:
        raise ReportNotReady(_why_not(run))
    report = build_report(run, record, here.store.verdict(run_id))
    form = query.format or preferred_form(request.headers.get("accept", ""))
    headers = {"Vary": "Accept"}
    if form == "json":
        return JSONResponse(report, headers=headers)
    if form == "html":
        # The page is one file, to be kept: its stylesheet stands in it, and nothing else may style it.
        headers["Content-Security-Policy"] = f"{CONTENT_POLICY}; style-src {style_source()}"
    return Response(render(report, form), media_type=MEDIA_TYPES[form], headers=headers)


def preferred_form(accept: str) -> Form:
    """The form that the header prefers, by quality and then by order; JSON where it names none of ours."""
    return preferred(accept, _ACCEPTED, "json")


def _why_not(run: RunRow) -> str:
    if run.state in ("queued", "running"):
        return f"run {run.id} is {run.state}; ask again when it is finished"
    return f"run {run.id} is {run.state} and left no record; {run.error_message or 'start it again'}"
