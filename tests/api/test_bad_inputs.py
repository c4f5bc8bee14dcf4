"""Inputs that must be refused: each a problem document with a 4xx status, each without a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.ports import RunFilter
from service.store.memory import MemoryRunStore

RUNS = "/api/v1/runs"
JSON = {"Content-Type": "application/json"}
MARKUP = "</script><img src=x onerror=alert(1)>"


def plan(**values: Any) -> str:
    return json.dumps({"plan": values})


def raw_number(text: str) -> str:
    return f'{{"plan": {{"training": {{"learning_rate": {text}}}}}}}'


BODIES: dict[str, tuple[str | bytes, int]] = {
    "nothing": ("", 422),
    "no JSON": ("plan", 400),
    "cut off": ('{"plan": {', 400),
    "not UTF-8": (b'{"policy": "\xff"}', 400),
    "UTF-16": ('{"policy": "default"}'.encode("utf-16"), 400),
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "a list": ("[]", 422),
    "null": ("null", 422),
    "a text": ('"plan"', 422),
    "nested lists": ("[" * 60_000, 400),
    "nested objects": ('{"plan":' * 7_000, 400),
    "nested and closed": ('{"plan":' + "[" * 30_000 + "]" * 30_000 + "}", 400),
    "nested below the reader's limit": ('{"plan":' + "[" * 400 + "]" * 400 + "}", 422),
    "key twice": ('{"policy": "default", "policy": "strict"}', 400),
    "key twice within": ('{"plan": {"seed": 1, "seed": 2}}', 400),
    "integer of 5,000 digits": (raw_number("9" * 5000), 400),
    "integer of 400 digits": (raw_number("9" * 400), 422),
    "1e400": (raw_number("1e400"), 422),
    "-1e400": (raw_number("-1e400"), 422),
    "NaN": (raw_number("NaN"), 400),
    "Infinity": (raw_number("Infinity"), 400),
    "-Infinity": (raw_number("-Infinity"), 400),
    "true for a whole number": (plan(seed=True), 422),
    "true for a number": (raw_number("true"), 422),
    "text for a whole number": (plan(seed="1"), 422),
    "text for a number": (raw_number('"0.1"'), 422),
    "fraction for a whole number": (plan(seed=1.5), 422),
    "whole float for a whole number": (plan(seed=1.0), 422),
    "null for a number": (plan(seed=None), 422),
    "null for a part": (plan(model=None), 422),
    "negative": (plan(training={"steps": -1}), 422),
    "zero": (plan(training={"batch_size": 0}), 422),
    "2^63": (plan(seed=2**63), 422),
    "over the legacy model's rows": (plan(training={"batch_size": 4097}), 422),
    "too many parameters": (plan(model={"vector_length": 16384, "bottleneck": 16384, "hidden_layers": 1}), 422),
    "product overflow": (plan(model={"vector_length": 2**62, "bottleneck": 2**62, "hidden_layers": 2**62}), 422),
    "unknown field": (json.dumps({"plan": {}, "import": "os"}), 422),
    "unknown field of the plan": (plan(gpu=1), 422),
    "unknown field of a part": (plan(model={"width": 3}), 422),
    "field named by a lone surrogate": ('{"plan": {"\\ud800": 1}}', 422),
    "lone surrogate": ('{"plan": {"candidate": "\\ud800"}}', 422),
    "unknown subject": (plan(candidate="nobody"), 422),
    "module for a subject": (plan(reference="os.path"), 422),
    "path for a subject": (plan(candidate="../../etc/passwd"), 422),
    "markup for a subject": (plan(candidate=MARKUP), 422),
    "NUL in a subject": (plan(candidate="basemodel\0"), 422),
    "right-to-left subject": (plan(candidate="\u202emodel"), 422),
    "empty subject": (plan(candidate=""), 422),
    "endless subject": (plan(candidate="a" * 50_000), 422),
    "unknown dataset": (plan(dataset="/etc/passwd"), 422),
    "device that is not here": (plan(device="cuda:7"), 422),
    "device in other digits": (plan(device="cuda:٣"), 422),
    "no device at all": (plan(device="tpu"), 422),
    "second device that is not here": (plan(performance={"second_device": "cuda:1"}), 422),
    "no device for a second": (plan(performance={"second_device": "auto"}), 422),
    "number for a second device": (plan(performance={"second_device": 1}), 422),
    "no phases": (plan(phases=[]), 422),
    "unknown phase": (plan(phases=["warm-up"]), 422),
    "phase twice": (plan(phases=["synchronized", "synchronized"]), 422),
    "too few blocks": (plan(performance={"blocks": 7}), 422),
    "too few traced steps": (plan(memory={"steps": 1}), 422),
    "text for phases": (plan(phases="synchronized"), 422),
    "unknown policy": ('{"policy": "lenient"}', 422),
    "policy that demands nothing": ('{"policy": {"name": "mine"}}', 422),
    "policy posing as a built-in one": ('{"policy": {"name": "default", "extends": "default", "band": 1e9}}', 422),
    "policy as a list": ('{"policy": ["default"]}', 422),
    "policy as a number": ('{"policy": 1}', 422),
    "policy of null": ('{"policy": null}', 422),
    "endless policy name": (json.dumps({"policy": "a" * 50_000}), 422),
    "policy with an infinite limit": ('{"policy": {"name": "mine", "extends": "default", "band": 1e999}}', 422),
    "policy with true for a limit": ('{"policy": {"name": "mine", "extends": "default", "band": true}}', 422),
    "policy with an endless number": (
        '{"policy": {"name": "mine", "extends": "default", "band": 1%s}}' % ("0" * 4000),
        422,
    ),
    "policy with a deep value": ('{"policy": {"name": "mine", "band": ' + "[" * 500 + "1" + "]" * 500 + "}}", 422),
    "policy with many unknown fields": (json.dumps({"policy": {f"field {n}": 1 for n in range(3000)}}), 422),
    "policy with markup": (json.dumps({"policy": {"name": "mine", MARKUP: 1, "extends": MARKUP}}), 422),
    "policy file": ('{"policy": "/etc/passwd.toml"}', 422),
    "body over the limit": (plan(candidate="a" * 70_000), 413),
}


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    document: dict[str, Any] = response.json()
    assert document["type"].startswith("urn:lockstep:problem:")
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    for secret in ("Traceback", "site-packages", "pydantic", ".py"):
        assert secret not in response.text
    return document


@pytest.mark.parametrize("name", BODIES)
def test_body(name: str, client: TestClient, store: MemoryRunStore) -> None:
    body, status = BODIES[name]
    response = client.post(RUNS, content=body, headers=JSON)
    document = assert_problem(response, status)
    if status == 422:
        assert document["errors"]
    if status == 400:
        assert document["type"] == "urn:lockstep:problem:malformed-json"
    assert store.runs(RunFilter()) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "text/json; application/json"},
    ],
)
def test_content_type(headers: dict[str, str], client: TestClient, store: MemoryRunStore) -> None:
    response = client.post(RUNS, content=b"{}", headers=headers)
    document = assert_problem(response, 415)
    assert document["type"] == "urn:lockstep:problem:unsupported-media-type"
    assert store.runs(RunFilter()) == []


def test_chunked_body_over_the_limit(client: TestClient, store: MemoryRunStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"plan": {"candidate": "'
        for _ in range(100):
            yield b"a" * 1000
        yield b'"}}'

    response = client.post(RUNS, content=chunks(), headers=JSON)
    assert_problem(response, 413)
    assert store.runs(RunFilter()) == []


def test_body_at_the_limit_is_read(client: TestClient) -> None:
    body = b"{}" + b" " * (64 * 1024 - 2)
    assert client.post(RUNS, content=body, headers=JSON).status_code == 202


def test_every_problem_is_told_at_once(client: TestClient) -> None:
    body = {"plan": {"seed": -1, "training": {"steps": 0}, "candidate": "nobody"}, "policy": "lenient"}
    document = assert_problem(client.post(RUNS, json=body), 422)
    assert document["type"] == "urn:lockstep:problem:invalid-plan"
    assert [error["field"] for error in document["errors"]] == [
        "plan.training.steps",
        "plan.seed",
        "plan.candidate",
        "policy",
    ]


def test_every_problem_of_a_policy_document_is_told_with_its_field(client: TestClient) -> None:
    policy = {"name": "mine", "limits": {"band": 0, "bnad": 1}, "required": {"memory.leak": "perhaps"}}
    document = assert_problem(client.post(RUNS, json={"policy": policy}), 422)
    assert document["type"] == "urn:lockstep:problem:invalid-policy"
    assert {error["field"] for error in document["errors"]} == {
        "policy.limits.band",
        "policy.limits.bnad",
        "policy.required.memory.leak",
    }
    both = assert_problem(client.post(RUNS, json={"plan": {"seed": -1, "candidate": "nobody"}, "policy": policy}), 422)
    assert both["type"] == "urn:lockstep:problem:invalid-plan"
    assert [error["field"] for error in both["errors"]][:2] == ["plan.seed", "plan.candidate"]
    assert len(both["errors"]) == 5


def test_unknown_name_lists_what_there_is(client: TestClient) -> None:
    document = assert_problem(client.post(RUNS, json={"plan": {"candidate": MARKUP}}), 422)
    assert document["type"] == "urn:lockstep:problem:unknown-name"
    assert document["errors"][0]["field"] == "plan.candidate"
    assert "legacy, basemodel" in document["errors"][0]["message"]


IDS = [
    "1",
    "0" * 25,
    "0" * 27,
    "0" * 26,
    "O" * 26,
    "8" + "0" * 25,
    "a" * 5000,
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "0" * 25 + "%0a",
    "%ff%fe",
    "%ED%A0%80",
    "' OR 1=1 --",
    "%3Cscript%3E",
]


ROWS = ("steps", "diffs", "slices", "telemetry", "allocations", "checks")


@pytest.mark.parametrize("suffix", ["", *(f"/{rows}" for rows in ROWS), "/report"])
@pytest.mark.parametrize("run_id", IDS)
def test_id_of_no_run(run_id: str, suffix: str, client: TestClient) -> None:
    assert_problem(client.get(f"{RUNS}/{run_id}{suffix}"), 404)


@pytest.mark.parametrize("run_id", [run_id for run_id in IDS if run_id != "0" * 26])
def test_what_cannot_be_an_id_reaches_no_store(
    run_id: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: MemoryRunStore, asked_for: str) -> Any:
        raise AssertionError(f"the store was asked for {asked_for!r}")

    monkeypatch.setattr(MemoryRunStore, "run", fail)
    assert_problem(client.get(f"{RUNS}/{run_id}"), 404)


@pytest.mark.parametrize("run_id", IDS)
def test_cancel_of_no_run(run_id: str, client: TestClient) -> None:
    assert_problem(client.post(f"{RUNS}/{run_id}/cancel"), 404)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=NaN",
        "limit=1e2",
        "limit=",
        "limit=" + "9" * 5000,
        "state=paused",
        "outcome=pass",
        "outcom=PASS",
        "cursor=..%2f",
        "cursor=" + "u" * 26,
        "cursor=" + "0" * 5000,
        "reference=",
        "candidate=" + "a" * 5000,
    ],
)
def test_query_of_the_list(query: str, client: TestClient) -> None:
    assert assert_problem(client.get(f"{RUNS}?{query}"), 422)["errors"]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("query", ["offset=-1", "offset=1000000000", "offset=NaN", "limit=0", "limit=201", "page=2"])
def test_query_of_rows(rows: str, query: str, client: TestClient, new_run: Callable[..., str]) -> None:
    assert_problem(client.get(f"{RUNS}/{new_run()}/{rows}?{query}"), 422)


@pytest.mark.parametrize("query", ["telemetry?field=", "allocations?role=both", "slices?role=candidate"])
def test_filter_that_there_is_not(query: str, client: TestClient, new_run: Callable[..., str]) -> None:
    assert_problem(client.get(f"{RUNS}/{new_run()}/{query}"), 422)


@pytest.mark.parametrize("query", ["format=pdf", "format=", "format=HTML", "fromat=html"])
def test_query_of_the_report(query: str, client: TestClient, new_run: Callable[..., str]) -> None:
    assert_problem(client.get(f"{RUNS}/{new_run()}/report?{query}"), 422)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]", "a b"]
)
def test_foreign_host(host: str, client: TestClient) -> None:
    assert_problem(client.get(RUNS, headers={"Host": host}), 400)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:8001"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_writing_from_another_site(
    headers: dict[str, str], client: TestClient, store: MemoryRunStore, new_run: Callable[..., str]
) -> None:
    run_id = new_run()
    assert_problem(client.post(f"{RUNS}/{run_id}/cancel", headers=headers), 403)
    assert_problem(client.post(RUNS, json={}, headers=headers), 403)
    assert [run.state for run in store.runs(RunFilter())] == ["queued"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/runs/", 404),
        ("GET", "/docs", 404),
        ("PUT", "/api/v1/runs", 405),
        ("DELETE", "/healthz", 405),
    ],
)
def test_no_such_call(method: str, path: str, status: int, client: TestClient) -> None:
    response = client.request(method, path)
    assert_problem(response, status)
    if status == 405:
        assert response.headers["allow"]
