"""The API over a store in memory, a small catalog and a clock that the tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.catalog import Catalog, DatasetEntry, DeviceEntry, SubjectEntry
from service.store.memory import MemoryRunStore

CATALOG = Catalog(
    subjects=(
        SubjectEntry("legacy", "the frozen model", "built-in"),
        SubjectEntry("basemodel", "its replacement", "built-in"),
    ),
    datasets=(DatasetEntry("colors-a-f", 10, "colours from A to F"), DatasetEntry("colors", 20, "all colours")),
    devices=(DeviceEntry("auto", "the first of: cpu"), DeviceEntry("cpu", "this machine's processor")),
)


@dataclass
class StepClock:
    """Each look at the time is a second later."""

    at: datetime = field(default=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def store() -> MemoryRunStore:
    return MemoryRunStore()


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def client(store: MemoryRunStore, clock: StepClock) -> Iterator[TestClient]:
    with TestClient(create_app(store, CATALOG, clock, version="1.2.3"), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def new_run(client: TestClient) -> Callable[..., str]:
    def post(**plan: Any) -> str:
        response = client.post("/api/v1/runs", json={"plan": plan})
        assert response.status_code == 202, response.text
        run_id: str = response.json()["id"]
        return run_id

    return post
