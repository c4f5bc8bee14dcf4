"""What was observed, through the API: pages of rows, the checks, the report; NaN on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from service.api.routes.reports import preferred_form
from service.parity.plan import Plan
from service.parity.record import DiffStats, RunRecord, StepLosses, TapDiff
from service.parity.verdict import CheckResult, FirstDivergence, Verdict
from service.store.memory import MemoryRunStore

RUNS = "/api/v1/runs"
AT = datetime(2030, 1, 1, tzinfo=UTC)

STATS = DiffStats(
    elements=6,
    reference_nan=0,
    reference_inf=0,
    candidate_nan=1,
    candidate_inf=0,
    mismatches=2,
    max_abs=math.inf,
    rms=math.nan,
    cosine=None,
    max_ulp=None,
    worst_index=(1, 2),
)
CHECKS = (
    CheckResult("numerics.synchronized", "fail", "off", True, math.nan, 4.0, "ratio", {"worst": -math.inf}),
    CheckResult("learning.loss_falls", "pass", "falls", True, 0.5, 1.0, None, {}),
    CheckResult("memory.leak", "not_measured", "no device", False),
)


@pytest.fixture
def judged_run(store: MemoryRunStore, new_run: Callable[..., str]) -> str:
    run_id = new_run()
    store.claim(run_id, "worker", AT)
    store.add_losses(
        run_id,
        [StepLosses("synchronized", step, 0.5, math.nan if step == 3 else 0.5) for step in range(5)]
        + [StepLosses("free_running", 0, None, math.inf)],
    )
    store.add_diffs(
        run_id,
        [
            TapDiff("synchronized", step, position, tap, (2, 3), "float32", STATS)
            for step in (0, 5)
            for position, tap in enumerate(("forward.layer0.output", "loss"))
        ],
    )
    store.save_record(run_id, RunRecord(Plan(), {}, {"versions": {}}))
    divergence = FirstDivergence("synchronized", 0, "forward.layer0.output", None, None)
    store.finish(run_id, Verdict("FAIL", "it is off", CHECKS, "default", divergence), AT)
    return run_id


def test_steps(client: TestClient, judged_run: str) -> None:
    page = client.get(f"{RUNS}/{judged_run}/steps").json()
    assert len(page["items"]) == 6
    assert page["next"] is None
    assert page["items"][3] == {"phase": "synchronized", "step": 3, "reference": 0.5, "candidate": "NaN"}
    assert page["items"][5] == {"phase": "free_running", "step": 0, "reference": None, "candidate": "Infinity"}
    only = client.get(f"{RUNS}/{judged_run}/steps?phase=free_running").json()
    assert [row["phase"] for row in only["items"]] == ["free_running"]


def test_pages_follow_each_other(client: TestClient, judged_run: str) -> None:
    seen = []
    address = f"{RUNS}/{judged_run}/steps?limit=2&phase=synchronized"
    while address:
        page = client.get(address).json()
        seen += [row["step"] for row in page["items"]]
        address = page["next"]
    assert seen == [0, 1, 2, 3, 4]


def test_diffs(client: TestClient, judged_run: str) -> None:
    page = client.get(f"{RUNS}/{judged_run}/diffs?tap=loss").json()
    assert [(row["step"], row["tap"]) for row in page["items"]] == [(0, "loss"), (5, "loss")]
    stats = page["items"][0]["stats"]
    assert (stats["max_abs"], stats["rms"], stats["cosine"], stats["worst_index"]) == ("Infinity", "NaN", None, [1, 2])
    assert client.get(f"{RUNS}/{judged_run}/diffs?phase=free_running").json()["items"] == []


def test_checks(client: TestClient, judged_run: str) -> None:
    page = client.get(f"{RUNS}/{judged_run}/checks").json()
    assert [check["name"] for check in page["items"]] == [check.name for check in CHECKS]
    assert page["items"][0]["value"] == "NaN"
    assert page["items"][0]["evidence"] == {"worst": "-Infinity"}
    assert page["items"][2]["value"] is None
    second = client.get(f"{RUNS}/{judged_run}/checks?limit=1&offset=1").json()
    assert [check["name"] for check in second["items"]] == ["learning.loss_falls"]
    assert "offset=2" in second["next"]


def test_rows_of_a_queued_run_are_none(client: TestClient, new_run: Callable[..., str]) -> None:
    run_id = new_run()
    for rows in ("steps", "diffs", "slices", "telemetry", "allocations", "checks"):
        assert client.get(f"{RUNS}/{run_id}/{rows}").json() == {"items": [], "next": None}


def test_report_as_json(client: TestClient, judged_run: str) -> None:
    response = client.get(f"{RUNS}/{judged_run}/report", headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/json"

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    report = json.loads(response.text, parse_constant=refuse)
    assert (report["run_id"], report["outcome"]) == (judged_run, "FAIL")
    assert report["checks"][0]["value"] == "NaN"


def test_report_as_html(client: TestClient, judged_run: str) -> None:
    by_header = client.get(f"{RUNS}/{judged_run}/report", headers={"Accept": "text/html,*/*;q=0.8"})
    assert by_header.headers["content-type"] == "text/html; charset=utf-8"
    assert by_header.headers["vary"] == "Accept"
    assert "FAIL" in by_header.text
    policy = by_header.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
    assert "style-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert client.get(f"{RUNS}/{judged_run}/report?format=html").text == by_header.text


@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        ("markdown", "text/markdown; charset=utf-8", "## ✘ Lockstep: FAIL"),
        ("junit", "application/xml; charset=utf-8", "<?xml version"),
    ],
)
def test_report_for_a_ci(form: str, media_type: str, beginning: str, client: TestClient, judged_run: str) -> None:
    response = client.get(f"{RUNS}/{judged_run}/report?format={form}")
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["vary"] == "Accept"
    assert response.text.startswith(beginning)
    by_header = client.get(f"{RUNS}/{judged_run}/report", headers={"Accept": media_type})
    assert by_header.text == response.text


def test_a_form_that_there_is_not(client: TestClient, judged_run: str) -> None:
    assert client.get(f"{RUNS}/{judged_run}/report?format=pdf").status_code == 422


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("text/html", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/html;q=0.5, application/json", "json"),
        ("application/json;q=0.5, text/html;q=0.9", "html"),
        ("text/html;q=0", "json"),
        ("text/html;q=nan", "json"),
        ("text/html;q=many", "json"),
        ("image/png", "json"),
        ("text/markdown", "markdown"),
        ("text/html;q=0.5, text/markdown", "markdown"),
        ("application/xml", "junit"),
        ("text/xml;q=0.9, application/json;q=0.1", "junit"),
        ("image/png, text/xml;q=0", "json"),
        (";;;,,,", "json"),
    ],
)
def test_form_by_accept(accept: str, form: str) -> None:
    assert preferred_form(accept) == form


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_report_before_there_is_a_record(
    state: str, client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]
) -> None:
    run_id = new_run()
    if state != "queued":
        store.claim(run_id, "worker", AT)
    if state == "failed":
        store.fail(run_id, "child_died", "it died; use a smaller batch", AT)
    if state == "cancelled":
        store.mark_cancelled(run_id, AT)
    response = client.get(f"{RUNS}/{run_id}/report?format=html")
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:lockstep:problem:report-not-ready"
    assert state in response.json()["detail"]
