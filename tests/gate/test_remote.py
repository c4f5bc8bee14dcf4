"""A server that refuses, stutters, lies or vanishes; the wire is played by a transport in this process."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from service.gate.config import GateCase
from service.gate.loop import CaseInterrupted, RunEnd, ServerUnavailable, judged
from service.gate.remote import BACKOFF_S, CANCEL_POLLS, POLL_S, RemoteRunner, open_client, policy_body
from service.parity.errors import InvalidConfiguration, InvalidRequest
from service.parity.plan import Plan
from service.parity.policy import Policy, named_policy
from service.ports import Progress
from service.reports.json_values import json_ready

RUN = "01jd9x2v7qk3m5n8p0r4s6t8vw"
OTHER = "01jd9x2v7qk3m5n8p0r4s6t8vx"
CASE = GateCase("a", Plan(), named_policy("numerics"))
POST = ("POST", "/api/v1/runs")
GET = ("GET", f"/api/v1/runs/{RUN}")
REPORT = ("GET", f"/api/v1/runs/{RUN}/report")
CANCEL = ("POST", f"/api/v1/runs/{RUN}/cancel")

Answer = httpx2.Response | Exception


def row(state: str, run_id: str = RUN, **others: Any) -> httpx2.Response:
    return httpx2.Response(200, json={"id": run_id, "state": state, **others})


def report_document(outcome: str = "PASS", **changes: Any) -> dict[str, Any]:
    check = {"name": "numerics.synchronized", "outcome": "pass", "message": "m", "required": True, "value": 1.0,
             "limit": 4.0}  # fmt: skip
    return {
        "run_id": RUN, "state": "finished", "outcome": outcome, "summary": "s", "checks": [check],
        "first_divergence": None, "taps": [], "plan": json_ready(CASE.plan.as_document()),
        "plan_digest": CASE.plan.digest(), "policy": json_ready(CASE.policy.as_document()), "environment": {},
        "replay": "lockstep run", "timing": {"started_at": None, "duration_s": 1.0}, **changes,
    }  # fmt: skip


def report(outcome: str = "PASS", **changes: Any) -> httpx2.Response:
    return httpx2.Response(200, json=report_document(outcome, **changes))


class Server:
    """Answers the requests that it is told to expect, in order; keeps what was sent and how long was waited."""

    def __init__(self, *script: tuple[tuple[str, str], Answer]) -> None:
        self._script = iter(script)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []
        self.heard: list[Progress] = []
        self.interrupt_at_wait: int | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        expected, answer = next(self._script)
        assert (request.method, request.url.path) == expected
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self.interrupt_at_wait:
            raise KeyboardInterrupt

    def gate(self, case: GateCase = CASE) -> RunEnd:
        with open_client("http://server:8000", httpx2.MockTransport(self)) as client:
            return RemoteRunner(client, self.pause).run(case, self.heard.append)

    def done(self) -> bool:
        return next(self._script, None) is None


def test_a_case_is_posted_followed_and_its_report_fetched() -> None:
    running = {"phase": "synchronized", "done": 3, "total": 10, "message": "m"}
    server = Server(
        (POST, row("queued")), (GET, row("running", progress=running)), (GET, row("finished")), (REPORT, report())
    )
    end = server.gate()
    assert judged(CASE, end).outcome == "PASS"
    assert server.done()
    assert server.heard == [Progress("queued", 0, 1), Progress("synchronized", 3, 10, "m")]
    assert json.loads(server.requests[0].content) == {"plan": CASE.plan.as_document(), "policy": "numerics"}
    assert len(server.requests[0].headers["Idempotency-Key"]) == 32


def test_a_policy_that_is_not_built_in_goes_as_a_document() -> None:
    mine = Policy("mine", {"numerics.synchronized": "always"}, error_ratio=2.0)
    assert policy_body(mine) == mine.as_document()
    # One that has a built-in's name and other limits is not that one.
    assert policy_body(Policy("default")) == Policy("default").as_document()
    assert policy_body(named_policy("default")) == "default"


def test_progress_that_this_version_does_not_know_is_only_not_shown() -> None:
    server = Server((POST, row("running", progress={"speed": 3})), (GET, row("finished")), (REPORT, report()))
    assert judged(CASE, server.gate()).outcome == "PASS"
    assert server.heard == [Progress("running", 0, 1)]


TRANSIENT: list[Answer] = [
    httpx2.ConnectError("refused"),
    httpx2.ReadTimeout("slow"),
    httpx2.RemoteProtocolError("cut"),
    httpx2.Response(500, text="oops"),
    httpx2.Response(503, json={"detail": "the database"}),
    httpx2.Response(429, json={"detail": "too many"}),
]


@pytest.mark.parametrize("trouble", TRANSIENT, ids=repr)
def test_trouble_that_passes_is_waited_out_at_every_request(trouble: Answer) -> None:
    script = [(POST, row("queued")), (GET, row("finished")), (REPORT, report())]
    for place in range(3):
        server = Server(*script[:place], *[(script[place][0], trouble)] * len(BACKOFF_S), *script[place:])
        assert judged(CASE, server.gate()).outcome == "PASS"
        assert sorted(server.waits) == sorted([*BACKOFF_S, POLL_S])
        keys = {request.headers.get("Idempotency-Key") for request in server.requests if request.method == "POST"}
        assert len(keys) == 1


@pytest.mark.parametrize("trouble", TRANSIENT, ids=repr)
def test_trouble_that_stays_ends_the_case_after_a_bounded_number_of_attempts(trouble: Answer) -> None:
    server = Server(*[(POST, trouble)] * (len(BACKOFF_S) + 1))
    with pytest.raises(ServerUnavailable, match="did not answer POST /api/v1/runs in 5 attempts"):
        server.gate()
    assert server.waits == list(BACKOFF_S)
    assert server.done()


def test_what_the_server_refuses_is_told_in_its_words() -> None:
    errors = [{"field": "plan.seed", "message": "is -1"}, {"field": "policy", "message": "'x' is unknown"}]
    server = Server((POST, httpx2.Response(422, json={"detail": "d", "errors": errors})))
    with pytest.raises(InvalidRequest) as caught:
        server.gate()
    assert [str(problem) for problem in caught.value.problems] == ["plan.seed: is -1", "policy: 'x' is unknown"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(403, json={"detail": "no key"}), "server, status 403: no key"),
        (httpx2.Response(404, text="<html>nothing here</html>"), "server, status 404: no reason was given"),
        (httpx2.Response(400, json=[1]), "server, status 400: no reason was given"),
        (httpx2.Response(400, json={"errors": ["x"], "title": "t\x1b[31m"}), "server, status 400: t [31m"),
    ],
)
def test_a_refusal_without_a_list_of_problems_is_told_too(answer: httpx2.Response, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Server((POST, answer)).gate()
    assert str(caught.value) == words


NOT_OURS: list[httpx2.Response] = [
    httpx2.Response(200, text="<html>a router's login page</html>"),
    httpx2.Response(200, json=[1]),
    httpx2.Response(200, text="[" * 100_000),
    httpx2.Response(302, headers={"Location": "http://elsewhere/"}),
    httpx2.Response(200, json={}),
    httpx2.Response(200, json={"id": "../../secret", "state": "queued"}),
    httpx2.Response(200, json={"id": RUN, "state": None}),
    httpx2.Response(200, json={"id": 7, "state": "queued"}),
]


@pytest.mark.parametrize("answer", NOT_OURS, ids=range(len(NOT_OURS)))
def test_an_answer_that_is_no_run_is_not_believed(answer: httpx2.Response) -> None:
    with pytest.raises(ServerUnavailable, match="Lockstep server"):
        Server((POST, answer)).gate()


def test_an_answer_for_another_run_is_not_believed() -> None:
    with pytest.raises(ServerUnavailable, match="another run"):
        Server((POST, row("queued")), (GET, row("finished", OTHER))).gate()


CHECK = report_document()["checks"][0]
BAD_REPORTS: list[dict[str, Any]] = [
    {"checks": None},
    {"checks": [None]},
    {"checks": [{**CHECK, "outcome": "great"}]},
    {"checks": [{**CHECK, "outcome": []}]},
    {"checks": [{**CHECK, "message": 3}]},
    {"checks": [{**CHECK, "required": "yes"}]},
    {"checks": [{"name": "numerics.synchronized"}]},
    {"taps": {}},
    {"taps": [{"tap": "x"}]},
    {"timing": {}},
    {"timing": None},
    {"first_divergence": {"step": 1}},
    {"plan": []},
    {"policy": "default"},
    {"environment": None},
]


@pytest.mark.parametrize("changes", BAD_REPORTS, ids=repr)
def test_a_report_of_another_make_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(ServerUnavailable, match="is not one that this version understands"):
        Server((POST, row("finished")), (REPORT, report(**changes))).gate()


def test_a_report_that_lacks_a_part_is_not_believed() -> None:
    whole = report_document()
    for key in ("checks", "taps", "replay", "timing", "plan_digest"):
        answer = httpx2.Response(200, json={k: v for k, v in whole.items() if k != key})
        with pytest.raises(ServerUnavailable, match="understands"):
            Server((POST, row("finished")), (REPORT, answer)).gate()


@pytest.mark.parametrize(
    "changes",
    [
        {"plan_digest": "0" * 64},
        {"plan": json_ready(Plan(seed=1).as_document())},
        {"policy": json_ready(named_policy("strict").as_document())},
        {"run_id": OTHER},
    ],
    ids=["digest", "plan", "policy", "run"],
)
def test_a_report_of_something_else_is_an_error_and_no_pass(changes: dict[str, Any]) -> None:
    end = Server((POST, row("finished")), (REPORT, report(**changes))).gate()
    assert judged(CASE, end).outcome == "ERROR"


@pytest.mark.parametrize(("code", "outcome"), [("child_died", "INCONCLUSIVE"), ("internal", "ERROR"), (None, "ERROR")])
def test_a_failed_run_without_a_record_has_no_report(code: str | None, outcome: str) -> None:
    ended = row("failed", error_code=code, error_message="why")
    end = Server((POST, ended), (REPORT, httpx2.Response(409, json={"detail": "no record"}))).gate()
    assert (end.report, judged(CASE, end).outcome) == (None, outcome)


def test_a_finished_run_without_a_report_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="409"):
        Server((POST, row("finished")), (REPORT, httpx2.Response(409, json={"detail": "no record"}))).gate()


def interrupted(*script: tuple[tuple[str, str], Answer], at: int = 1) -> tuple[Server, RunEnd | None]:
    server = Server(*script)
    server.interrupt_at_wait = at
    with pytest.raises(CaseInterrupted) as caught:
        server.gate()
    return server, caught.value.end


def test_ctrl_c_cancels_the_run_on_the_server_and_waits_for_its_end() -> None:
    no_record = httpx2.Response(409, json={"detail": "no record"})
    server, end = interrupted(
        (POST, row("queued")), (GET, row("running")), (CANCEL, row("running")), (GET, row("cancelled")),
        (REPORT, no_record),
    )  # fmt: skip
    assert end == RunEnd(RUN, "cancelled")
    assert server.done()


def test_ctrl_c_after_the_end_leaves_the_run_alone() -> None:
    server, end = interrupted((POST, row("queued")), (GET, row("finished")), (REPORT, report()))
    assert end is not None
    assert end.state == "finished"
    assert server.done()


def test_ctrl_c_does_not_wait_for_ever_for_a_run_that_does_not_stop() -> None:
    polls = [(GET, row("running"))] * (CANCEL_POLLS + 1)
    server, end = interrupted((POST, row("running")), (GET, row("running")), (CANCEL, row("running")), *polls[1:])
    assert end == RunEnd(RUN, "running")
    assert len(server.waits) == CANCEL_POLLS + 1


def test_ctrl_c_while_the_server_is_gone_is_still_an_interruption() -> None:
    _, end = interrupted((POST, row("queued")), *[(GET, httpx2.ConnectError("refused"))] * (len(BACKOFF_S) + 1))
    assert end is not None
    assert (end.run_id, end.state) == (RUN, "unknown")


def test_ctrl_c_before_there_is_a_run_has_nothing_to_cancel() -> None:
    _, end = interrupted((POST, httpx2.ConnectError("refused")))
    assert end is None


@pytest.mark.parametrize("url", ["", "server", "ftp://server", "http://", "http://server:port", "file:///etc"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(InvalidConfiguration, match="--server"):
        open_client(url)


def test_a_server_below_a_path_is_reached_and_a_password_is_never_told() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.path)
        return httpx2.Response(500)

    with open_client("https://me:secret@server/lockstep/", httpx2.MockTransport(answer)) as client:
        runner = RemoteRunner(client, _no_wait)
        with pytest.raises(ServerUnavailable) as caught:
            runner.run(CASE, lambda progress: None)
    assert set(seen) == {"/lockstep/api/v1/runs"}
    assert "secret" not in str(caught.value)
    assert "https://server/lockstep" in str(caught.value)


def _no_wait(seconds: float) -> None:
    assert seconds > 0


def test_the_client_follows_no_redirect_and_has_a_time_limit() -> None:
    with open_client("http://server") as client:
        assert client.follow_redirects is False
        assert client.timeout == httpx2.Timeout(30.0)
