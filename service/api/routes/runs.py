"""Ask for a run, list runs, look at one, stop one."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.context import Here, RunId
from service.api.json_route import StrictJsonRoute
from service.api.pages import page_of
from service.api.schemas import Page, ProblemDocument, RunIn, RunPage, RunQuery
from service.parity.errors import InvalidPlan, InvalidPolicy, InvalidRequest, Problem, UnknownName
from service.parity.identity import ENTROPY_BYTES, is_run_id, new_run_id
from service.parity.ladder import resolved
from service.parity.policy import Policy, named_policy, policy_from_document
from service.ports import RunFilter, RunRow

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDocument, "description": "The request is at fault; the document says where."},
    "5XX": {"model": ProblemDocument, "description": "Lockstep or its database is at fault."},
}

router = APIRouter(tags=["runs"], route_class=StrictJsonRoute, responses=PROBLEMS)


@router.post("/runs", status_code=202)
def create_run(body: RunIn, request: Request, response: Response, here: Here) -> RunRow:
    """Queue a run of this plan, to be judged by this policy."""
    plan = resolved(body.plan.to_plan(here.catalog.default_phases), here.store.promotions)
    policy, policy_error = _policy(body.policy)
    problems = [*here.catalog.unknown_names(plan), *(policy_error.problems if policy_error else ())]
    try:
        if misfits := tuple(here.catalog.misfits(plan.validate())):
            raise InvalidPlan(*misfits)
    except InvalidPlan as error:
        wrong = [Problem(f"plan.{problem.field}", problem.message) for problem in error.problems]
        raise InvalidPlan(*wrong, *problems) from error
    if problems or policy is None:
        raise InvalidPolicy(*problems) if isinstance(policy_error, InvalidPolicy) else UnknownName(*problems)
    now = here.clock.now()
    run = here.store.create_run(new_run_id(now, secrets.token_bytes(ENTROPY_BYTES)), plan, policy, now)
    response.headers["Location"] = f"{request.url.path}/{run.id}"
    return run


@router.get("/runs", response_model=RunPage)
def list_runs(request: Request, query: Annotated[RunQuery, Query()], here: Here) -> Page[RunRow]:
    """Runs, newest first."""
    if query.cursor is not None and not is_run_id(query.cursor):
        raise InvalidRequest(Problem("cursor", "is not one that a page gave; follow `next` of the page before"))
    rows = here.store.runs(
        RunFilter(
            state=query.state,
            outcome=query.outcome,
            reference=query.reference,
            candidate=query.candidate,
            before=query.cursor,
            limit=query.limit + 1,
        )
    )
    last = rows[min(query.limit, len(rows)) - 1].id if rows else ""
    return page_of(request, rows, query.limit, cursor=last)


@router.get("/runs/{run_id}")
def show_run(run_id: RunId, here: Here) -> RunRow:
    """One run: its state, and its outcome once it is finished."""
    return here.store.run(run_id)


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(run_id: RunId, here: Here) -> RunRow:
    """Stop a run: a queued one at once, a running one at its next step."""
    return here.store.request_cancel(run_id, here.clock.now())


def _policy(asked: str | dict[str, Any]) -> tuple[Policy | None, InvalidRequest | None]:
    """The policy of that name or document, or what is wrong with it, to be told with the plan's problems."""
    try:
        return (named_policy(asked) if isinstance(asked, str) else policy_from_document(asked)), None
    except InvalidPolicy as error:
        fields = (".".join(filter(None, ("policy", problem.field))) for problem in error.problems)
        return None, InvalidPolicy(*(Problem(f, p.message) for f, p in zip(fields, error.problems, strict=True)))
    except UnknownName as error:
        return None, error
