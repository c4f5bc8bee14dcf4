"""Runs through the API: ask, list, look, stop."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from service.api import schemas
from service.api.app import create_app
from service.api.catalog import Catalog, DatasetEntry, DeviceEntry, SubjectEntry
from service.bootstrap import make_catalog
from service.parity.identity import is_run_id
from service.parity.plan import CPU_PHASES, PHASES, Plan
from service.parity.policy import named_policy
from service.parity.verdict import Verdict
from service.ports import Progress, RunFilter
from service.store.memory import MemoryRunStore

RUNS = "/api/v1/runs"
AT = datetime(2030, 1, 1, tzinfo=UTC)


def test_empty_request_is_the_default_plan(client: TestClient, store: MemoryRunStore) -> None:
    response = client.post(RUNS, json={})
    assert response.status_code == 202
    row = response.json()
    assert response.headers["location"] == f"{RUNS}/{row['id']}"
    assert is_run_id(row["id"])
    assert (row["state"], row["outcome"], row["summary"]) == ("queued", None, None)
    assert store.run(row["id"]).plan == Plan()
    assert client.get(response.headers["location"]).json() == row


def test_a_plan_that_its_data_or_subjects_cannot_take_is_refused(store: MemoryRunStore, clock: Any) -> None:
    app = create_app(store, make_catalog(), clock, version="1")
    with TestClient(app, raise_server_exceptions=False) as client:
        refused = client.post(RUNS, json={"plan": {"dataset": "color-patches"}})
        assert refused.status_code == 422
        assert "plan.model.vector_length" in refused.text
        assert "is 512, but color-patches needs patches" in refused.text
        patches = {"plan": {"dataset": "color-patches", "model": {"vector_length": 27}}}
        assert client.post(RUNS, json=patches).status_code == 202
    assert len(store.runs(RunFilter())) == 1


def test_every_value_of_a_plan_arrives(client: TestClient, store: MemoryRunStore) -> None:
    plan = {
        "reference": "basemodel",
        "candidate": "legacy",
        "dataset": "colors",
        "model": {"vector_length": 64, "hidden_layers": 3, "bottleneck": 16, "alpha": 0.02},
        "training": {"steps": 7, "batch_size": 5, "learning_rate": 1, "clip": 0.5},
        "synchronized": {"steps": 9, "every": 2, "witness": "oracle"},
        "free_running": {"band_runs": 3, "band_steps": 4, "weights_every": 2, "taps_every": 3},
        "checkpoint": {"steps_before": 3, "steps_after": 5},
        "performance": {"blocks": 9, "slice_seconds": 0.5, "process_pairs": 2},
        "memory": {"steps": 11},
        "phases": ["synchronized"],
        "seed": 2**32 - 1,
        "device": "cpu",
    }
    response = client.post(RUNS, json={"plan": plan, "policy": "numerics"}, headers={"Origin": "http://testserver"})
    assert response.status_code == 202, response.text
    run = store.run(response.json()["id"])
    assert run.plan.as_document() == plan
    assert run.policy.name == "numerics"
    assert response.json()["plan"] == {**plan, "performance": {**plan["performance"], "second_device": None}}  # type: ignore[dict-item]


def test_a_second_gpu_arrives_and_one_that_is_not_here_is_refused(store: MemoryRunStore, clock: Any) -> None:
    devices = tuple(DeviceEntry(name, name) for name in ("auto", "cuda:0", "cuda:1", "cpu"))
    subjects = tuple(SubjectEntry(name, name, "built-in") for name in ("legacy", "basemodel"))
    catalog = Catalog(subjects, (DatasetEntry(Plan().dataset, 1, ""),), devices)
    with TestClient(create_app(store, catalog, clock, version="1")) as client:

        def asked(device: str, second: Any) -> Any:
            plan = {"device": device, "performance": {"second_device": second}}
            return client.post(RUNS, json={"plan": plan})

        accepted = asked("cuda:0", "cuda:1")
        assert accepted.status_code == 202, accepted.text
        assert store.run(accepted.json()["id"]).plan.performance.second_device == "cuda:1"
        assert asked("auto", None).status_code == 202
        for device, second, words in (
            ("cuda:0", "cuda:2", "which is not usable here; choose from cuda:1"),
            ("auto", "cuda:0", "which is the plan's device too; choose from cuda:1"),
            ("cuda:1", "cuda:1", "which is the plan's device too; name another GPU"),
            ("cuda:0", "cpu", "name a GPU beside the plan's own"),
            ("cpu", "cuda:1", "side by side takes two GPUs"),
        ):
            refused = asked(device, second)
            assert refused.status_code == 422, (device, second)
            (error,) = refused.json()["errors"]
            assert error["field"] == "plan.performance.second_device"
            assert words in error["message"]
    assert len(store.runs(RunFilter())) == 2


@pytest.mark.parametrize("flat", [True, False])
def test_a_policy_of_ones_own(flat: bool, client: TestClient, store: MemoryRunStore) -> None:
    base = named_policy("numerics")
    wanted = dataclasses.replace(base, name="mine", band=5.0, required={**base.required, "memory.leak": "always"})
    document = {"name": "mine", "extends": "numerics", "limits": {"band": 5}, "required": {"memory.leak": "always"}}
    response = client.post(RUNS, json={"policy": wanted.as_document() if flat else document})
    assert response.status_code == 202, response.text
    assert store.run(response.json()["id"]).policy == wanted
    assert response.json()["policy"]["band"] == 5.0


def test_a_built_in_policy_may_come_as_its_document(client: TestClient, store: MemoryRunStore) -> None:
    response = client.post(RUNS, json={"policy": named_policy("strict").as_document()})
    assert store.run(response.json()["id"]).policy == named_policy("strict")


def test_schema_mirrors_the_plan() -> None:
    def compare(value: Any, model: type[BaseModel]) -> None:
        assert [field.name for field in dataclasses.fields(value)] == list(model.model_fields)
        for name, field in model.model_fields.items():
            inner = getattr(value, name)
            if dataclasses.is_dataclass(inner):
                assert isinstance(field.annotation, type)
                compare(inner, field.annotation)

    compare(Plan(), schemas.PlanIn)
    assert schemas.PlanIn().to_plan(lambda device: CPU_PHASES) == Plan()


@pytest.mark.parametrize(
    ("devices", "device", "phases"),
    [
        (("cpu",), "auto", CPU_PHASES),
        (("cuda:0", "cpu"), "auto", PHASES),
        (("cuda:0", "cpu"), "cpu", CPU_PHASES),
        (("cuda:0", "cpu"), "cuda:0", PHASES),
    ],
)
def test_a_gpu_is_asked_for_every_phase(devices: tuple[str, ...], device: str, phases: tuple[str, ...]) -> None:
    catalog = Catalog((), (), tuple(DeviceEntry(name, name) for name in ("auto", *devices)))
    assert catalog.default_phases(device) == phases
    assert schemas.PlanIn(device=device).to_plan(catalog.default_phases).phases == phases


def test_content_type_with_a_charset(client: TestClient) -> None:
    response = client.post(RUNS, content="{}", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert response.status_code == 202


def test_list_is_paged_newest_first(client: TestClient, new_run: Callable[..., str]) -> None:
    ids = [new_run() for _ in range(5)]
    seen: list[str] = []
    address: str | None = f"{RUNS}?limit=2&candidate=basemodel"
    pages = 0
    while address is not None:
        page = client.get(address).json()
        seen += [run["id"] for run in page["items"]]
        address = page["next"]
        pages += 1
        assert address is None or "candidate=basemodel" in address
    assert seen == ids[::-1]
    assert pages == 3


def test_full_last_page_has_no_next(client: TestClient, new_run: Callable[..., str]) -> None:
    new_run()
    new_run()
    assert client.get(f"{RUNS}?limit=2").json()["next"] is None
    assert client.get(f"{RUNS}?limit=1").json()["next"] is not None


def test_filters(client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]) -> None:
    swapped = new_run(reference="basemodel", candidate="legacy")
    passed = new_run()
    store.claim(passed, "worker", AT)
    store.finish(passed, Verdict("PASS", "well", (), "default"), AT)

    def found(query: str) -> list[str]:
        return [run["id"] for run in client.get(f"{RUNS}?{query}").json()["items"]]

    assert found("state=queued") == [swapped]
    assert found("outcome=PASS") == found("state=finished") == [passed]
    assert found("reference=basemodel") == found("candidate=legacy") == [swapped]
    assert found("outcome=FAIL") == []


def test_cancel(client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]) -> None:
    queued, running = new_run(), new_run()
    store.claim(running, "worker", AT)
    assert client.post(f"{RUNS}/{queued}/cancel").json()["state"] == "cancelled"
    asked = client.post(f"{RUNS}/{running}/cancel")
    assert asked.status_code == 202
    assert (asked.json()["state"], asked.json()["cancel_requested"]) == ("running", True)
    assert store.report_progress(running, Progress("synchronized", 1, 2)) is True


def test_cancel_of_an_ended_run(client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]) -> None:
    run_id = new_run()
    client.post(f"{RUNS}/{run_id}/cancel")
    response = client.post(f"{RUNS}/{run_id}/cancel")
    assert response.status_code == 409
    assert response.json()["type"] == "urn:lockstep:problem:run-conflict"


def test_progress_is_shown(client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]) -> None:
    run_id = new_run()
    store.claim(run_id, "worker-1", AT)
    store.report_progress(run_id, Progress("synchronized", 3, 20, "step 3"))
    row = client.get(f"{RUNS}/{run_id}").json()
    assert row["worker"] == "worker-1"
    assert row["progress"] == {"phase": "synchronized", "done": 3, "total": 20, "message": "step 3"}


def test_contract_is_served_and_whole(client: TestClient) -> None:
    contract = client.get("/api/v1/openapi.json").json()
    assert set(contract["paths"]) == {
        "/api/v1/runs",
        "/api/v1/runs/{run_id}",
        "/api/v1/runs/{run_id}/cancel",
        "/api/v1/runs/{run_id}/steps",
        "/api/v1/runs/{run_id}/diffs",
        "/api/v1/runs/{run_id}/slices",
        "/api/v1/runs/{run_id}/telemetry",
        "/api/v1/runs/{run_id}/allocations",
        "/api/v1/runs/{run_id}/checks",
        "/api/v1/runs/{run_id}/events",
        "/api/v1/runs/{run_id}/report",
        "/api/v1/ladder",
        "/api/v1/ladder/rollback",
        "/api/v1/ladder/{rung}/promote",
        "/api/v1/subjects",
        "/api/v1/datasets",
        "/api/v1/policies",
        "/api/v1/devices",
        "/healthz",
        "/readyz",
    }
    assert "Infinity" not in json.dumps(contract)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("subjects", ["legacy", "basemodel"]),
        ("datasets", ["colors-a-f", "colors"]),
        ("devices", ["auto", "cpu"]),
        ("policies", ["default", "strict", "numerics"]),
    ],
)
def test_what_can_be_asked_for(path: str, names: list[str], client: TestClient) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200
    assert [item["name"] for item in response.json()["items"]] == names
