"""What was observed in a run, page by page, as JSON or as CSV.

A page of CSV has its successor's address in the header `Link`, since there is no room for it among the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response

from service.api.accept import preferred
from service.api.context import Here, RunId
from service.api.csv_rows import MEDIA_TYPE as CSV
from service.api.csv_rows import csv_text
from service.api.pages import page_of
from service.api.routes.runs import PROBLEMS
from service.api.schemas import (
    AllocationPage,
    AllocationQuery,
    AllocationRow,
    CheckPage,
    DiffPage,
    DiffQuery,
    Page,
    PageQuery,
    SlicePage,
    StepPage,
    StepQuery,
    TelemetryPage,
    TelemetryQuery,
)
from service.parity.measurements import Slice, TelemetrySample
from service.parity.record import StepLosses, TapDiff
from service.parity.verdict import CheckResult
from service.reports.json_values import json_ready

T = TypeVar("T")

_JSON = "application/json"
_ACCEPTED: Mapping[str, str] = {_JSON: _JSON, "application/*": _JSON, "*/*": _JSON, CSV: CSV, "text/*": CSV}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {CSV: {"schema": {"type": "string"}}},
        "headers": {"Link": {"description": "Of CSV: the next page", "schema": {"type": "string"}}},
    }
}


def _by_accept(response: Response) -> None:
    """Tells caches of the JSON form that there is another."""
    response.headers["Vary"] = "Accept"


router = APIRouter(tags=["records"], responses={**PROBLEMS, **_FORMS}, dependencies=[Depends(_by_accept)])


@router.get("/runs/{run_id}/steps", response_model=StepPage)
def list_steps(
    run_id: RunId, request: Request, query: Annotated[StepQuery, Query()], here: Here
) -> Page[StepLosses] | Response:
    """Both sides' losses, step by step."""
    here.store.run(run_id)
    rows = here.store.losses(run_id, query.phase, query.offset, query.limit + 1)
    return _page(request, query, StepLosses, rows)


@router.get("/runs/{run_id}/diffs", response_model=DiffPage)
def list_diffs(
    run_id: RunId, request: Request, query: Annotated[DiffQuery, Query()], here: Here
) -> Page[TapDiff] | Response:
    """The statistics of every compared pair of taps."""
    here.store.run(run_id)
    rows = here.store.diffs(run_id, query.phase, query.tap, query.offset, query.limit + 1)
    return _page(request, query, TapDiff, rows)


@router.get("/runs/{run_id}/slices", response_model=SlicePage)
def list_slices(
    run_id: RunId, request: Request, query: Annotated[PageQuery, Query()], here: Here
) -> Page[Slice] | Response:
    """The timed stretches of the performance phase, in the order in which they were taken."""
    here.store.run(run_id)
    rows = here.store.slices(run_id, query.offset, query.limit + 1)
    return _page(request, query, Slice, rows)


@router.get("/runs/{run_id}/telemetry", response_model=TelemetryPage)
def list_telemetry(
    run_id: RunId, request: Request, query: Annotated[TelemetryQuery, Query()], here: Here
) -> Page[TelemetrySample] | Response:
    """What the sampler saw of the device, in order of time."""
    here.store.run(run_id)
    rows = here.store.telemetry(run_id, query.field, query.offset, query.limit + 1)
    return _page(request, query, TelemetrySample, rows)


@router.get("/runs/{run_id}/allocations", response_model=AllocationPage)
def list_allocations(
    run_id: RunId, request: Request, query: Annotated[AllocationQuery, Query()], here: Here
) -> Page[AllocationRow] | Response:
    """What each side allocated and released in the memory phase, in order."""
    here.store.run(run_id)
    found = here.store.allocations(run_id, query.role, query.offset, query.limit + 1)
    rows = [AllocationRow(role, event.step, event.operation, event.size_bytes) for role, event in found]
    return _page(request, query, AllocationRow, rows)


@router.get("/runs/{run_id}/checks", response_model=CheckPage)
def list_checks(
    run_id: RunId, request: Request, query: Annotated[PageQuery, Query()], here: Here
) -> Page[CheckResult] | Response:
    """The verdict's checks; none before the end."""
    here.store.run(run_id)
    rows = here.store.checks(run_id)[query.offset : query.offset + query.limit + 1]
    # Evidence has no type that would tell the serializer about NaN: it would go out as null, "not measured".
    rows = [replace(check, evidence=json_ready(check.evidence)) for check in rows]
    return _page(request, query, CheckResult, rows)


def _page(request: Request, query: PageQuery, kind: type[T], rows: Sequence[T]) -> Page[T] | Response:
    """The page in the form that `Accept` prefers; `rows` has one more than the page where another follows."""
    page = page_of(request, rows, query.limit, offset=query.offset + query.limit)
    if preferred(request.headers.get("accept", ""), _ACCEPTED, _JSON) == _JSON:
        return page
    headers = {"Vary": "Accept"} | ({} if page.next is None else {"Link": f'<{page.next}>; rel="next"'})
    return Response(csv_text(kind, page.items), media_type=CSV, headers=headers)
