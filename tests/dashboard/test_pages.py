"""The start page: outcomes in words, nothing unescaped, nothing inline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.dashboard import pages
from service.parity.identity import new_run_id
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.verdict import Outcome, Verdict
from service.ports import Progress
from service.store.memory import MemoryRunStore

AT = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
MARKUP = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def store() -> MemoryRunStore:
    return MemoryRunStore()


@pytest.fixture
def client(store: MemoryRunStore) -> Iterator[TestClient]:
    app = FastAPI()
    pages.install(app, store)
    with TestClient(app) as opened:
        yield opened


def queue(store: MemoryRunStore, number: int, plan: Plan | None = None) -> str:
    run_id = new_run_id(AT, number.to_bytes(10, "big"))
    store.create_run(run_id, plan or Plan(), named_policy("default"), AT)
    return run_id


def finish(store: MemoryRunStore, number: int, outcome: Outcome, summary: str) -> str:
    run_id = queue(store, number)
    store.claim(run_id, "worker", AT)
    store.finish(run_id, Verdict(outcome, summary, (), "default"), AT)
    return run_id


def test_no_runs(client: TestClient) -> None:
    text = client.get("/").text
    assert "No run has been asked for yet." in text
    assert "<table" not in text


def test_every_state_and_outcome(client: TestClient, store: MemoryRunStore) -> None:
    finished = [finish(store, n, o, f"finding {n}") for n, o in enumerate(("PASS", "FAIL", "INCONCLUSIVE"))]
    queue(store, 10)
    running = queue(store, 11)
    store.claim(running, "worker", AT)
    store.report_progress(running, Progress("synchronized", 1234, 5000))
    failed = queue(store, 12)
    store.claim(failed, "worker", AT)
    store.fail(failed, "child_died", "it died", AT)
    cancelled = queue(store, 13)
    store.mark_cancelled(cancelled, AT)
    text = client.get("/").text
    words = re.findall(r"</svg>([^<]+)</span>", text)
    assert words == ["cancelled", "no verdict", "running", "queued", "INCONCLUSIVE", "FAIL", "PASS"]
    for run_id in finished:
        assert f'href="/api/v1/runs/{run_id}/report?format=html"' in text
    assert f"/api/v1/runs/{failed}/report" not in text
    assert "synchronized: 1,234 of 5,000" in text
    assert "it died" in text
    assert "The newest verdict is INCONCLUSIVE: basemodel against legacy." in text
    assert "2030-01-02 03:04 UTC" in text
    assert "running: 1, queued: 1" in text


def test_hostile_texts_are_escaped(client: TestClient, store: MemoryRunStore) -> None:
    queue(store, 1, Plan(reference=MARKUP, candidate=MARKUP, dataset=MARKUP))
    finish(store, 2, "FAIL", MARKUP)
    failed = queue(store, 3)
    store.claim(failed, "worker", AT)
    store.fail(failed, "internal", MARKUP, AT)
    text = client.get("/").text
    assert MARKUP not in text
    assert "<img" not in text
    assert "<script" not in text
    assert "&lt;img src=x" in text


def test_nothing_that_the_content_policy_would_stop(client: TestClient, store: MemoryRunStore) -> None:
    finish(store, 1, "PASS", "well")
    text = client.get("/").text
    assert not re.search(r"\sstyle=|<style|<script|\son\w+=|https?://", text)
    sheet = client.get(re.findall(r'rel="stylesheet" href="([^"]+)"', text)[0])
    assert sheet.status_code == 200
    assert sheet.headers["content-type"].startswith("text/css")
    assert not re.search(r"url\((?!#)|@import", sheet.text)


def test_only_the_newest(client: TestClient, store: MemoryRunStore) -> None:
    for number in range(pages.NEWEST + 3):
        queue(store, number)
    text = client.get("/").text
    assert text.count("<tr>") == pages.NEWEST + 1
    assert "The newest 50 runs" in text


@pytest.mark.parametrize("path", ["/static/../pages.py", "/static/%2e%2e/pages.py", "/static/", "/static/nothing.css"])
def test_only_the_static_folder_is_served(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404
