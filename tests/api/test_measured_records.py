"""Slices, telemetry and allocations through the API: pages, filters, and what was not measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from service.parity.measurements import AllocationEvent, EdgeReading, Slice, TelemetrySample
from service.store.memory import MemoryRunStore

RUNS = "/api/v1/runs"
AT = datetime(2030, 1, 1, tzinfo=UTC)
EDGE = EdgeReading(10.0, {"energy_j": math.inf, "power_w": math.nan}, {"sm_clock_mhz": "not_supported"}, 0)
SLICE = Slice("comparison", 0, 0, 0, "reference", 30, 1.5, math.nan, 0.045, 10.0, 10.1, EDGE, None, None, 93.5,
              {"power_w": math.inf})  # fmt: skip


@pytest.fixture
def measured_run(store: MemoryRunStore, new_run: Callable[..., str]) -> str:
    run_id = new_run()
    store.claim(run_id, "worker", AT)
    store.add_slices(run_id, [replace(SLICE, position=n, started_s=10.0 + n) for n in range(4)])
    store.add_telemetry(
        run_id,
        [
            TelemetrySample(at_s, field, None if at_s == 2.0 else at_s, "lost" if at_s == 2.0 else "ok")
            for at_s in (1.0, 2.0, 3.0)
            for field in ("power_w", "kernel_resident_pct")
        ],
    )
    for role in ("candidate", "reference"):
        store.add_allocations(run_id, role, [AllocationEvent(-1, "malloc", 512), AllocationEvent(0, "free", 512)])
    return run_id


def test_slices(client: TestClient, measured_run: str) -> None:
    page = client.get(f"{RUNS}/{measured_run}/slices?limit=3").json()
    assert [row["position"] for row in page["items"]] == [0, 1, 2]
    first = page["items"][0]
    assert (first["session"], first["role"], first["mean_step_ms"], first["sm_clock_mhz"]) == (
        "comparison", "reference", "NaN", None,
    )  # fmt: skip
    assert first["before"] == {
        "at_s": 10.0,
        "values": {"energy_j": "Infinity", "power_w": "NaN"},
        "missing": {"sm_clock_mhz": "not_supported"},
        "foreign_processes": 0,
    }
    assert first["after"] is None
    assert first["activity"] == {"power_w": "Infinity"}
    assert [row["position"] for row in client.get(page["next"]).json()["items"]] == [3]


def test_telemetry_whole_and_by_field(client: TestClient, measured_run: str) -> None:
    rows = client.get(f"{RUNS}/{measured_run}/telemetry").json()["items"]
    assert [(row["at_s"], row["field"]) for row in rows[:3]] == [
        (1.0, "kernel_resident_pct"), (1.0, "power_w"), (2.0, "kernel_resident_pct"),
    ]  # fmt: skip
    page = client.get(f"{RUNS}/{measured_run}/telemetry?field=power_w&limit=2").json()
    assert page["items"][1] == {"at_s": 2.0, "field": "power_w", "value": None, "status": "lost"}
    assert "field=power_w" in page["next"]
    assert [row["at_s"] for row in client.get(page["next"]).json()["items"]] == [3.0]
    assert client.get(f"{RUNS}/{measured_run}/telemetry?field=fan_speed").json()["items"] == []


def test_allocations_whole_and_by_role(client: TestClient, measured_run: str) -> None:
    rows = client.get(f"{RUNS}/{measured_run}/allocations").json()["items"]
    assert [row["role"] for row in rows] == ["reference", "reference", "candidate", "candidate"]
    assert rows[1] == {"role": "reference", "step": 0, "operation": "free", "size_bytes": 512}
    own = client.get(f"{RUNS}/{measured_run}/allocations?role=candidate").json()["items"]
    assert own == rows[2:]
