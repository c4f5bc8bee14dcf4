"""Following a run: every loss once and in order, from where the client left off, and nobody left behind who is gone."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.api import live
from service.api.app import create_app
from service.api.live import Feeds
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.record import StepLosses
from service.parity.verdict import Verdict
from service.ports import Progress
from service.store.memory import MemoryRunStore
from tests.api.conftest import CATALOG, StepClock

RUNS = "/api/v1/runs"
AT = datetime(2030, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


def losses(count: int, first: int = 0, phase: str = "free_running") -> list[StepLosses]:
    return [StepLosses(phase, step, 0.5, float("nan") if step == 3 else 0.25) for step in range(first, first + count)]


def events(text: str) -> list[Event]:
    """What a browser would make of a stream; comments are nothing."""
    found = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            fields = {name: value for name, _, value in lines}
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


def rows_of(found: list[Event]) -> list[tuple[str, int]]:
    return [(row["phase"], row["step"]) for event in found if event["event"] == "losses" for row in event["data"]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Feeds.__init__, "__defaults__", (0.02, live.MAX_STREAMS))


@pytest.fixture
def running(store: MemoryRunStore, new_run: Callable[..., str]) -> str:
    run_id = new_run()
    store.claim(run_id, "worker", AT)
    return run_id


def finish(store: MemoryRunStore, run_id: str) -> None:
    store.finish(run_id, Verdict("PASS", "All is well.", (), "default"), AT + timedelta(minutes=1))


def test_an_ended_run_is_told_whole(client: TestClient, store: MemoryRunStore, running: str) -> None:
    store.add_losses(running, [*losses(3, phase="synchronized"), *losses(5)])
    store.report_progress(running, Progress("free_running", 5, 5, "done"))
    finish(store, running)
    response = client.get(f"{RUNS}/{running}/events")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response.text)
    assert [event["event"] for event in found] == ["state", "progress", "losses", "end"]
    assert rows_of(found) == [("synchronized", s) for s in range(3)] + [("free_running", s) for s in range(5)]
    assert found[2]["data"][6]["candidate"] == "NaN"
    assert found[-1]["data"]["outcome"] == "PASS"
    assert found[-1]["data"] == client.get(f"{RUNS}/{running}").json()


def test_a_run_without_a_loss_ends_too(client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]) -> None:
    run_id = new_run()
    client.post(f"{RUNS}/{run_id}/cancel")
    assert [event["event"] for event in events(client.get(f"{RUNS}/{run_id}/events").text)] == ["state", "end"]


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_client_that_comes_back_is_sent_what_followed(
    client: TestClient, store: MemoryRunStore, running: str, how: str
) -> None:
    store.add_losses(running, losses(2500))
    finish(store, running)
    whole = events(client.get(f"{RUNS}/{running}/events").text)
    sent = [event for event in whole if event["event"] == "losses"]
    assert [len(event["data"]) for event in sent] == [1000, 1000, 500]
    last = sent[0]["id"]
    asked = {"headers": {"Last-Event-ID": last}} if how == "header" else {"params": {"after": last}}
    rest = events(client.get(f"{RUNS}/{running}/events", **asked).text)  # type: ignore[arg-type]
    assert rows_of(rest) == rows_of(whole)[1000:]


def test_what_a_feed_no_longer_keeps_comes_from_the_store(
    client: TestClient, store: MemoryRunStore, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEPT", 20)
    monkeypatch.setattr(live, "PAGE", 10)
    store.add_losses(running, losses(95))
    finish(store, running)
    assert rows_of(events(client.get(f"{RUNS}/{running}/events").text)) == [("free_running", s) for s in range(95)]


def test_another_attempt_begins_anew(client: TestClient, store: MemoryRunStore, running: str) -> None:
    store.add_losses(running, losses(4))
    finish(store, running)
    found = events(client.get(f"{RUNS}/{running}/events", headers={"Last-Event-ID": "17.3"}).text)
    assert rows_of(found) == [("free_running", s) for s in range(4)]


@pytest.mark.parametrize("last", ["nonsense", "1", "1.2.3", "-1.2", "9" * 40 + ".1", "1.1\u0661"])
def test_an_id_that_is_none_is_refused(client: TestClient, running: str, last: str) -> None:
    refused = client.get(f"{RUNS}/{running}/events", params={"after": last})
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:lockstep:problem:invalid-request"


def test_an_unknown_run_is_a_problem_and_not_a_stream(client: TestClient) -> None:
    assert client.get(f"{RUNS}/{'0' * 26}/events").status_code == 404


# --- a real server, real connections ----------------------------------------------------------------------------------


class Connection:
    """One client of the stream, that reads and goes."""

    def __init__(self, port: int, run_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.sendall(f"GET {RUNS}/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.text = ""

    def read_until(self, what: str) -> str:
        while what not in self.text:
            piece = self._socket.recv(65536).decode()
            assert piece, self.text
            self.text += piece
        return self.text

    def close(self) -> None:
        self._socket.close()


@contextmanager
def serving(app: FastAPI) -> Iterator[tuple[int, uvicorn.Server]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()[1], server
    finally:
        app.state.feeds.stop()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def until(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return what()


class CountingStore(MemoryRunStore):
    """Counts how often a run is looked at."""

    looks = 0

    def run(self, run_id: str) -> Any:
        self.looks += 1
        return super().run(run_id)


@pytest.fixture
def served() -> Iterator[tuple[int, FastAPI, CountingStore, str, uvicorn.Server]]:
    store = CountingStore()
    run = store.create_run("0" * 25 + "1", Plan(), named_policy("default"), AT)
    store.claim(run.id, "worker", AT)
    store.add_losses(run.id, losses(10))
    app = create_app(store, CATALOG, StepClock(), version="1")
    with serving(app) as (port, server):
        yield port, app, store, run.id, server


def test_what_happens_arrives_as_it_happens(served: tuple[int, FastAPI, CountingStore, str, uvicorn.Server]) -> None:
    port, _, store, run_id, _ = served
    follower = Connection(port, run_id)
    follower.read_until('"step": 9')
    store.report_progress(run_id, Progress("free_running", 10, 20, "half"))
    follower.read_until('"half"')
    store.add_losses(run_id, losses(3, first=10))
    follower.read_until('"step": 12')
    store.request_cancel(run_id, AT)
    store.mark_cancelled(run_id, AT)
    assert "event: end" in follower.read_until("event: end")
    follower.close()


def test_two_hundred_who_leave_are_gone_and_cost_one_look(
    served: tuple[int, FastAPI, CountingStore, str, uvicorn.Server],
) -> None:
    port, app, store, run_id, _ = served
    feeds: Feeds = app.state.feeds
    followers = [Connection(port, run_id) for _ in range(200)]
    for follower in followers:
        follower.read_until('"step": 9')
    assert feeds.streams == 200
    looks, began = store.looks, time.monotonic()
    time.sleep(0.5)
    ticks = (time.monotonic() - began) / 0.02
    assert 0 < store.looks - looks <= ticks + 1
    for follower in followers:
        follower.close()
    assert until(lambda: feeds.streams == 0, 1.0)
    assert until(lambda: not [t for t in threading.enumerate() if t.name.startswith("watch-")], 1.0)
    looks = store.looks
    time.sleep(0.2)
    assert store.looks <= looks + 1


def test_more_streams_than_are_served_are_refused(
    served: tuple[int, FastAPI, CountingStore, str, uvicorn.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, app, _, run_id, _ = served
    monkeypatch.setattr(app.state.feeds, "_max_streams", 2)
    followers = [Connection(port, run_id) for _ in range(2)]
    for follower in followers:
        follower.read_until('"step": 9')
    refused = Connection(port, run_id)
    answer = refused.read_until("too-many-streams")
    assert "503" in answer
    assert "retry-after" in answer.lower()
    for one in (*followers, refused):
        one.close()


def test_a_server_that_stops_ends_its_streams(
    served: tuple[int, FastAPI, CountingStore, str, uvicorn.Server],
) -> None:
    port, app, _, run_id, _ = served
    follower = Connection(port, run_id)
    follower.read_until('"step": 9')
    app.state.feeds.stop()
    follower.read_until("0\r\n\r\n")
    follower.close()
