"""Where the migration stands, one step up on a run's evidence, and back down."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.context import Here
from service.api.json_route import StrictJsonRoute
from service.api.routes.runs import PROBLEMS
from service.api.schemas import PromoteIn, RollbackIn
from service.campaigns.promotion import LadderStatus, ladder_status, promote, roll_back
from service.parity.errors import RunNotFound
from service.parity.identity import is_run_id
from service.parity.ladder import Promotion

router = APIRouter(tags=["ladder"], route_class=StrictJsonRoute, responses=PROBLEMS)


@router.get("/ladder")
def show_ladder(here: Here) -> LadderStatus:
    """The rung in use, what each rung's newest run on the present source says, and who moved when, oldest first."""
    return ladder_status(here.store, here.catalog.rung_digests())


@router.post("/ladder/rollback", status_code=201)
def roll_back_to(body: RollbackIn, here: Here) -> Promotion:
    """Put a lower rung to use again. No run is asked for; 409 where the rung is not a lower one."""
    return roll_back(here.store, here.catalog.rung_digests(), body.rung, body.by, here.clock.now(), body.note)


@router.post("/ladder/{rung}/promote", status_code=201)
def promote_to(rung: str, body: PromoteIn, here: Here) -> Promotion:
    """Put a rung to use, on the evidence of a passing run of it on the present source; 409 without one."""
    if body.run_id is not None and not is_run_id(body.run_id):
        raise RunNotFound("no run has that id; an id is 26 characters long, as POST /api/v1/runs gives it")
    digests, now = here.catalog.rung_digests(), here.clock.now()
    return promote(here.store, digests, rung, body.by, now, body.run_id, body.skip, body.note)
