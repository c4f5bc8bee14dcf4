"""What was observed in a run, page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.context import Here, RunId
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

router = APIRouter(tags=["records"], responses=PROBLEMS)


@router.get("/runs/{run_id}/steps", response_model=StepPage)
def list_steps(run_id: RunId, request: Request, query: Annotated[StepQuery, Query()], here: Here) -> Page[StepLosses]:
    """Both sides' losses, step by step."""
    here.store.run(run_id)
    rows = here.store.losses(run_id, query.phase, query.offset, query.limit + 1)
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)


@router.get("/runs/{run_id}/diffs", response_model=DiffPage)
def list_diffs(run_id: RunId, request: Request, query: Annotated[DiffQuery, Query()], here: Here) -> Page[TapDiff]:
    """The statistics of every compared pair of taps."""
    here.store.run(run_id)
    rows = here.store.diffs(run_id, query.phase, query.tap, query.offset, query.limit + 1)
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)


@router.get("/runs/{run_id}/slices", response_model=SlicePage)
def list_slices(run_id: RunId, request: Request, query: Annotated[PageQuery, Query()], here: Here) -> Page[Slice]:
    """The timed stretches of the performance phase, in the order in which they were taken."""
    here.store.run(run_id)
    rows = here.store.slices(run_id, query.offset, query.limit + 1)
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)


@router.get("/runs/{run_id}/telemetry", response_model=TelemetryPage)
def list_telemetry(
    run_id: RunId, request: Request, query: Annotated[TelemetryQuery, Query()], here: Here
) -> Page[TelemetrySample]:
    """What the sampler saw of the device, in order of time."""
    here.store.run(run_id)
    rows = here.store.telemetry(run_id, query.field, query.offset, query.limit + 1)
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)


@router.get("/runs/{run_id}/allocations", response_model=AllocationPage)
def list_allocations(
    run_id: RunId, request: Request, query: Annotated[AllocationQuery, Query()], here: Here
) -> Page[AllocationRow]:
    """What each side allocated and released in the memory phase, in order."""
    here.store.run(run_id)
    found = here.store.allocations(run_id, query.role, query.offset, query.limit + 1)
    rows = [AllocationRow(role, event.step, event.operation, event.size_bytes) for role, event in found]
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)


@router.get("/runs/{run_id}/checks", response_model=CheckPage)
def list_checks(run_id: RunId, request: Request, query: Annotated[PageQuery, Query()], here: Here) -> Page[CheckResult]:
    """The verdict's checks; none before the end."""
    here.store.run(run_id)
    rows = here.store.checks(run_id)[query.offset : query.offset + query.limit + 1]
    # Evidence has no type that would tell the serializer about NaN: it would go out as null, "not measured".
    rows = [replace(check, evidence=json_ready(check.evidence)) for check in rows]
    return page_of(request, rows, query.limit, offset=query.offset + query.limit)
