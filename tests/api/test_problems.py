"""Errors as problem documents, health, and what every answer carries."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api import problems
from service.api.app import create_app
from service.api.catalog import Catalog
from service.parity import errors
from service.parity.errors import LockstepError, Problem
from service.store.memory import MemoryRunStore

RUN = "/api/v1/runs/" + "0" * 26
SECRET = "/home/somebody/lockstep.db near SELECT"


def every_error(root: type[LockstepError] = LockstepError) -> list[type[LockstepError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in every_error(child))]


def make(kind: type[LockstepError]) -> LockstepError:
    if issubclass(kind, errors.InvalidRequest):
        return kind(Problem("field", SECRET))
    if issubclass(kind, errors.RunFailed):
        return kind("internal", SECRET)
    return kind(SECRET)


EXPECTED = {
    "LockstepError": 500,
    "InvalidRequest": 422,
    "InvalidPlan": 422,
    "InvalidPolicy": 422,
    "UnknownName": 422,
    "DeviceUnavailable": 422,
    "InvalidConfiguration": 422,
    "StoreError": 500,
    "StoreUnavailable": 503,
    "SchemaMismatch": 503,
    "RunNotFound": 404,
    "RunConflict": 409,
    "LadderRefused": 409,
    "RunCancelled": 409,
    "RunFailed": 500,
    "ReportNotReady": 409,
    "TooManyStreams": 503,
}
SHOWN = ("TooManyStreams",)
"""Of a server's errors those whose words are meant for the caller."""


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_of_ours(kind: type[LockstepError], client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MemoryRunStore, run_id: str) -> Any:
        raise make(kind)

    monkeypatch.setattr(MemoryRunStore, "run", fail)
    response = client.get(RUN)
    status = EXPECTED[kind.__name__]
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert (SECRET in response.text) == (status < 500 or kind.__name__ in SHOWN)
    assert ("retry-after" in response.headers) == (status == 503)
    assert response.json()["instance"] == RUN


def test_unforeseen_error_is_logged_and_not_shown(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: MemoryRunStore, run_id: str) -> Any:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(MemoryRunStore, "run", fail)
    with caplog.at_level(logging.ERROR):
        response = client.get(RUN)
    assert response.status_code == 500
    assert response.json()["type"] == "urn:lockstep:problem:internal"
    assert SECRET not in response.text
    assert "ZeroDivisionError" not in response.text
    assert SECRET in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_long_and_broken_texts_are_cut_and_cleaned() -> None:
    response = problems.problem_response(422, "x", "t", "\ud800" + "a" * 10_000, problems=[Problem("f", "m")] * 1000)
    assert len(response.body) < 10_000
    assert b"?aaa" in response.body


def test_health_needs_no_store(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MemoryRunStore) -> None:
        raise errors.StoreUnavailable(SECRET)

    monkeypatch.setattr(MemoryRunStore, "check_ready", fail)
    assert client.get("/healthz").json() == {"status": "ok", "version": "1.2.3"}
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["type"] == "urn:lockstep:problem:store-unavailable"
    assert SECRET not in ready.text


def test_ready(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"status": "ok", "version": "1.2.3"}


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/runs", "/api/v1/openapi.json", "/nothing", RUN])
def test_headers_of_every_answer(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "parity.example"])
def test_known_hosts(host: str, store: MemoryRunStore, clock: Any) -> None:
    app = create_app(store, Catalog((), (), ()), clock, version="1", hosts=["parity.example"])
    with TestClient(app) as client:
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
        assert client.get("/healthz", headers={"Host": "other.example"}).status_code == 400


def test_empty_catalog_offers_nothing(store: MemoryRunStore, clock: Any) -> None:
    with TestClient(create_app(store, Catalog((), (), ()), clock, version="1")) as client:
        response = client.post("/api/v1/runs", json={})
    assert response.status_code == 422
    assert "none is registered" in response.json()["errors"][0]["message"]
