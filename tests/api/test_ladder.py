"""The ladder over REST: what it shows, and that a step up takes a passing run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.catalog import Catalog, DatasetEntry, DeviceEntry, SubjectEntry
from service.parity.identity import new_run_id
from service.parity.plan import Plan
from service.parity.policy import ALL_CHECKS, named_policy
from service.parity.record import RunRecord, SubjectInfo
from service.parity.verdict import CheckResult, Verdict
from service.ports import Clock
from service.store.memory import MemoryRunStore

LADDER = "/api/v1/ladder"
AT = datetime(2030, 1, 1, tzinfo=UTC)
DIGESTS = {"wrapper": "d0", "forward": "d1", "kernels": "d2"}
ANN = {"by": "ann"}


@pytest.fixture
def catalog() -> Catalog:
    subjects = ("legacy", *(f"basemodel@{rung}" for rung in DIGESTS))
    return Catalog(
        subjects=tuple(SubjectEntry(name, "", "built-in") for name in subjects),
        datasets=(DatasetEntry("colors-a-f", 1, ""),),
        devices=(DeviceEntry("auto", ""),),
        rung_digests=lambda: DIGESTS,
    )


@pytest.fixture
def client(store: MemoryRunStore, clock: Clock, catalog: Catalog) -> Iterator[TestClient]:
    with TestClient(create_app(store, catalog, clock, version="1"), raise_server_exceptions=False) as opened:
        yield opened


def keep(store: MemoryRunStore, number: int, rung: str, outcome: Any = "PASS", digest: str | None = None) -> str:
    run_id = new_run_id(AT, bytes([number] * 10))
    plan = Plan(candidate=f"basemodel@{rung}")
    store.create_run(run_id, plan, named_policy("default"), AT)
    store.claim(run_id, "w", AT)
    info = SubjectInfo(plan.candidate, "1", digest or DIGESTS[rung], 1, 1, "cpu")
    store.save_record(run_id, RunRecord(plan, {"candidate": info}, {}))
    checks = tuple(CheckResult(name, "pass", "", required=True) for name in ALL_CHECKS)
    store.finish(run_id, Verdict(outcome, "", checks, "default"), AT)
    return run_id


def problem(response: Any, status: int, kind: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == f"urn:lockstep:problem:{kind}"
    detail: str = document["detail"]
    return detail


def test_the_ladder_before_the_first_step(client: TestClient) -> None:
    shown = client.get(LADDER).json()
    assert (shown["rung_in_use"], shown["subject_in_use"], shown["history"]) == (None, "legacy", [])
    assert [(rung["rung"], rung["source_digest"]) for rung in shown["rungs"]] == list(DIGESTS.items())


def test_up_and_down_and_all_of_it_is_told(client: TestClient, store: MemoryRunStore) -> None:
    runs = [keep(store, 1, "wrapper"), keep(store, 2, "forward")]
    first = client.post(f"{LADDER}/wrapper/promote", json=ANN)
    assert first.status_code == 201, first.text
    assert (first.json()["run_id"], first.json()["source_digest"], first.json()["by"]) == (runs[0], "d0", "ann")
    second = client.post(f"{LADDER}/forward/promote", json={**ANN, "run_id": runs[1], "note": "hm"})
    back = client.post(f"{LADDER}/rollback", json={**ANN, "rung": "wrapper", "note": "slow"})
    assert back.status_code == 201
    shown = client.get(LADDER).json()
    assert shown["history"] == [first.json(), second.json(), back.json()]
    assert [line["number"] for line in shown["history"]] == [1, 2, 3]
    assert (shown["rung_in_use"], shown["subject_in_use"]) == ("wrapper", "basemodel@wrapper")
    assert (back.json()["run_id"], back.json()["source_digest"], back.json()["note"]) == (None, None, "slow")


def test_without_a_passing_run_it_is_409_and_no_step(client: TestClient, store: MemoryRunStore) -> None:
    assert "carry one out" in problem(client.post(f"{LADDER}/wrapper/promote", json=ANN), 409, "ladder-refused")
    failing = keep(store, 1, "wrapper", "FAIL")
    older = keep(store, 2, "wrapper", digest="older")
    for run_id, says in ((failing, "FAIL, not PASS"), (older, "another source"), (None, "of run")):
        body = {**ANN, "run_id": run_id} if run_id else ANN
        assert says in problem(client.post(f"{LADDER}/wrapper/promote", json=body), 409, "ladder-refused")
    assert store.promotions() == []


def test_rungs_are_not_skipped_unless_it_is_said(client: TestClient, store: MemoryRunStore) -> None:
    keep(store, 1, "kernels")
    assert "would be skipped" in problem(client.post(f"{LADDER}/kernels/promote", json=ANN), 409, "ladder-refused")
    assert client.post(f"{LADDER}/kernels/promote", json={**ANN, "skip": True}).status_code == 201


def test_down_is_not_up(client: TestClient) -> None:
    body = {**ANN, "rung": "wrapper"}
    assert "nothing has been promoted" in problem(client.post(f"{LADDER}/rollback", json=body), 409, "ladder-refused")


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("roof/promote", ANN, 422, "unknown-name"),
        ("%00/promote", ANN, 422, "unknown-name"),
        ("rollback", {"by": "ann", "rung": "roof"}, 422, "unknown-name"),
        ("rollback", {"by": "ann"}, 422, "invalid-request"),
        ("wrapper/promote", {}, 422, "invalid-request"),
        ("wrapper/promote", {"by": ""}, 422, "invalid-request"),
        ("wrapper/promote", {"by": "a" * 101}, 422, "invalid-request"),
        ("wrapper/promote", {"by": "ann", "note": "a" * 1001}, 422, "invalid-request"),
        ("wrapper/promote", {"by": "ann", "skip": "yes"}, 422, "invalid-request"),
        ("wrapper/promote", {"by": "ann", "force": True}, 422, "invalid-request"),
        ("wrapper/promote", {"by": "ann", "run_id": "../x"}, 404, "run-not-found"),
        ("wrapper/promote", {"by": "ann", "run_id": "0" * 26}, 404, "run-not-found"),
    ],
)
def test_bad_requests_change_nothing(
    path: str, body: dict[str, Any], status: int, kind: str, client: TestClient, store: MemoryRunStore
) -> None:
    problem(client.post(f"{LADDER}/{path}", json=body), status, kind)
    assert store.promotions() == []


def test_a_page_of_another_site_moves_nothing(client: TestClient, store: MemoryRunStore) -> None:
    keep(store, 1, "wrapper")
    refused = client.post(f"{LADDER}/wrapper/promote", json=ANN, headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403
    assert store.promotions() == []


def test_a_run_of_what_is_in_use_names_the_rung(client: TestClient, store: MemoryRunStore) -> None:
    asked = {"plan": {"reference": "basemodel@current", "candidate": "basemodel@forward"}}
    assert client.post("/api/v1/runs", json=asked).json()["plan"]["reference"] == "legacy"
    keep(store, 1, "wrapper")
    client.post(f"{LADDER}/wrapper/promote", json=ANN)
    row = client.post("/api/v1/runs", json=asked).json()
    assert (row["plan"]["reference"], row["plan"]["candidate"]) == ("basemodel@wrapper", "basemodel@forward")
    assert store.run(row["id"]).plan.reference == "basemodel@wrapper"


def test_the_examples_in_the_contract_are_what_it_takes(client: TestClient, store: MemoryRunStore) -> None:
    schemas = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    for name in ("PromoteIn", "RollbackIn"):
        assert schemas[name]["examples"]
        for example in schemas[name]["examples"]:
            jsonschema.validate(example, schemas[name])


def test_the_source_is_looked_at_each_time(
    client: TestClient, store: MemoryRunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = keep(store, 1, "wrapper")
    changed = replace(client.app.state.context.catalog, rung_digests=lambda: {**DIGESTS, "wrapper": "changed"})  # type: ignore[attr-defined]
    monkeypatch.setattr(client.app.state, "context", replace(client.app.state.context, catalog=changed))  # type: ignore[attr-defined]
    body = {**ANN, "run_id": run_id}
    assert "another source" in problem(client.post(f"{LADDER}/wrapper/promote", json=body), 409, "ladder-refused")
