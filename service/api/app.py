"""Puts the API together."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from service.api import problems
from service.api.catalog import Catalog
from service.api.context import Context
from service.api.edge import Edge
from service.api.live import Feeds
from service.api.routes import catalog as catalog_routes
from service.api.routes import events, health, ladder, records, reports, runs
from service.ports import Clock, RunStore

MAX_BODY_BYTES = 64 * 1024
PREFIX = "/api/v1"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]", "testserver")
"""The last one is what test clients call themselves."""


class _Application(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        return Edge(super().build_middleware_stack())


def create_app(store: RunStore, catalog: Catalog, clock: Clock, *, version: str, hosts: Sequence[str] = ()) -> FastAPI:
    """The API over these collaborators. It answers to loopback names and to `hosts`, e.g. `parity.example.org`.

    There is no documentation page, since those load scripts from elsewhere; the contract is /api/v1/openapi.json.
    """
    app = _Application(
        title="Lockstep",
        version=version,
        summary="Runs a reference and a candidate side by side and says whether the one may replace the other.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
        redirect_slashes=False,
    )
    app.state.context = Context(store, catalog, clock, version)
    app.state.feeds = Feeds(store)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK_HOSTS, *hosts], www_redirect=False)
    problems.install(app)
    for routes in (runs, records, events, reports, ladder, catalog_routes):
        app.include_router(routes.router, prefix=PREFIX)
    app.include_router(health.router)
    return app
