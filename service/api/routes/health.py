"""Whether the process lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.context import Here
from service.api.routes.runs import PROBLEMS
from service.api.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz(here: Here) -> Health:
    """The process answers."""
    return Health(version=here.version)


@router.get("/readyz", responses={503: PROBLEMS["5XX"]})
def readyz(here: Here) -> Health:
    """The process answers and its database is usable."""
    here.store.check_ready()
    return Health(version=here.version)
