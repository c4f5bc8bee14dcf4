"""What the routes are given: the store, the catalog and the clock, kept on the application by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.api.catalog import Catalog
from service.parity.errors import RunNotFound
from service.parity.identity import is_run_id
from service.ports import Clock, RunStore


@dataclass(frozen=True, slots=True)
class Context:
    """The application's collaborators."""

    store: RunStore
    catalog: Catalog
    clock: Clock
    version: str


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _run_id(run_id: str) -> str:
    """The id in the path; what cannot be one names no run, and reaches no store."""
    if not is_run_id(run_id):
        raise RunNotFound("no run has that id; an id is 26 characters long, as POST /api/v1/runs gives it")
    return run_id


Here = Annotated[Context, Depends(_context)]
RunId = Annotated[str, Depends(_run_id)]
