"""Cases on a Lockstep server: each posted, followed to its end and its report fetched.

What comes from the network is not trusted to be whole or right: a request is repeated a few times, an answer is held to
its shape, and whether the report belongs to the case is judged by `loop.judged`, as for a run on this machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from service.gate.config import GateCase
from service.gate.loop import CaseInterrupted, RunEnd, ServerUnavailable
from service.parity.errors import InvalidConfiguration, InvalidRequest, LockstepError, Problem
from service.parity.identity import is_run_id
from service.parity.policy import POLICIES, Policy
from service.ports import Progress, ProgressListener
from service.reports.cases import one_line

TIMEOUT_S = 30.0
BACKOFF_S = (0.5, 1.0, 2.0, 4.0)
"""Waits between the attempts of one request; after the last the server counts as gone."""

POLL_S = 1.0
CANCEL_POLLS = 15
"""How often a cancelled run is asked whether it has ended, before the gate gives up on its report."""

_ENDED = ("finished", "failed", "cancelled")
_TRANSIENT = frozenset({408, 425, 429})
_REPORT_KEYS = frozenset({
    "run_id", "state", "outcome", "summary", "checks", "first_divergence", "taps", "plan", "plan_digest", "policy",
    "environment", "replay", "timing",
})  # fmt: skip
_CHECK_KEYS = frozenset({"name", "outcome", "message", "required", "value", "limit"})
_TAP_KEYS = frozenset({"tap", "error_ratio", "worst_step"})
_TIMING_KEYS = frozenset({"started_at", "duration_s"})
_DIVERGENCE_KEYS = frozenset({"phase", "step", "tap", "ratio", "source", "replay"})
_OUTCOMES = ("pass", "fail", "inconclusive", "not_measured", "not_applicable")


def open_client(url: str, transport: httpx2.BaseTransport | None = None) -> httpx2.Client:
    """A client for the server at `url`; raises `InvalidConfiguration` for what is no address of one."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InvalidConfiguration(Problem("--server", f"{url!r} is not an address: {error}")) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidConfiguration(Problem("--server", f"{url!r} is not an address; use e.g. http://127.0.0.1:8000"))
    return httpx2.Client(base_url=parsed, timeout=TIMEOUT_S, follow_redirects=False, transport=transport)


class RemoteRunner:
    """`pause` waits so many seconds between requests."""

    def __init__(self, client: httpx2.Client, pause: Callable[[float], None]) -> None:
        self._client, self._pause = client, pause
        self._server = client.base_url.copy_with(username=None, password=None)

    def run(self, case: GateCase, listener: ProgressListener) -> RunEnd:
        """The case's run on the server to its end; after Ctrl-C it is cancelled there."""
        body = {"plan": case.plan.as_document(), "policy": policy_body(case.policy)}
        # Repeated after an answer got lost, the key lets the server find the first request again.
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        run_id = ""
        try:
            row = self._ask("POST", "/api/v1/runs", json=body, headers=headers)
            run_id = _run_id(row)
            while row["state"] not in _ENDED:
                listener(_progress(row))
                self._pause(POLL_S)
                row = self._row(run_id)
            return self._end(row)
        except KeyboardInterrupt:
            raise CaseInterrupted(self._cancel(run_id)) from None

    def _cancel(self, run_id: str) -> RunEnd | None:
        if not run_id:
            return None
        try:
            row = self._row(run_id)
            if row["state"] not in _ENDED:
                row = self._ask("POST", f"/api/v1/runs/{run_id}/cancel")
            for _ in range(CANCEL_POLLS):
                if row["state"] in _ENDED:
                    return self._end(row)
                self._pause(POLL_S)
                row = self._row(run_id)
        except LockstepError as error:
            return RunEnd(run_id, "unknown", error_message=str(error))
        return RunEnd(run_id, str(row["state"]))

    def _row(self, run_id: str) -> Mapping[str, Any]:
        row = self._ask("GET", f"/api/v1/runs/{run_id}")
        if _run_id(row) != run_id:
            raise ServerUnavailable(f"the server answered for another run than {run_id}")
        return row

    def _end(self, row: Mapping[str, Any]) -> RunEnd:
        run_id, state = str(row["id"]), str(row["state"])
        code, message = row.get("error_code"), row.get("error_message")
        report = self._ask("GET", f"/api/v1/runs/{run_id}/report", missing=409 if state != "finished" else None)
        if report and not _is_report(report):
            raise ServerUnavailable(f"the server's report of run {run_id} is not one that this version understands")
        return RunEnd(run_id, state, code and str(code), message and str(message), report or None)

    def _ask(self, method: str, path: str, missing: int | None = None, **others: Any) -> Mapping[str, Any]:
        """The answer's JSON object, or an empty one for status `missing`."""
        answer = self._send(method, path, others)
        if answer.status_code == missing:
            return {}
        if 400 <= answer.status_code < 500:
            raise InvalidRequest(*_problems(answer))
        try:
            document = answer.json() if answer.is_success else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            what = f"{method} {path} was answered with status {answer.status_code} and no JSON object"
            raise ServerUnavailable(f"{what}; is {self._server} a Lockstep server?")
        return document

    def _send(self, method: str, path: str, others: Mapping[str, Any]) -> httpx2.Response:
        """One request, repeated while the server does not answer or says that it is its own fault."""
        reason = ""
        for wait_s in (*BACKOFF_S, None):
            try:
                answer = self._client.request(method, path, **others)
            except httpx2.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code < 500 and answer.status_code not in _TRANSIENT:
                    return answer
                reason = f"status {answer.status_code}"
            if wait_s is not None:
                self._pause(wait_s)
        attempts = len(BACKOFF_S) + 1
        raise ServerUnavailable(
            f"{self._server} did not answer {method} {path} in {attempts} attempts ({one_line(reason)}); "
            "see that the server runs and can be reached, then start the gate again"
        )


def policy_body(policy: Policy) -> str | dict[str, Any]:
    """A built-in policy by its name, any other as its document."""
    return policy.name if POLICIES.get(policy.name) == policy else policy.as_document()


def _run_id(row: Mapping[str, Any]) -> str:
    found = row.get("id")
    if not (isinstance(found, str) and is_run_id(found) and isinstance(row.get("state"), str)):
        raise ServerUnavailable("the server's answer is not a run; is it a Lockstep server of this version?")
    return found


def _progress(row: Mapping[str, Any]) -> Progress:
    found = row.get("progress")
    try:
        return Progress(**found) if isinstance(found, dict) else Progress(str(row["state"]), 0, 1)
    except TypeError:  # fields that this version does not know: only a progress bar hangs on them
        return Progress(str(row["state"]), 0, 1)


def _is_report(report: Mapping[str, Any]) -> bool:
    """Whether it holds what the outputs read, in the kinds that they read."""
    if not report.keys() >= _REPORT_KEYS:
        return False
    lists = isinstance(report["checks"], list) and isinstance(report["taps"], list)
    parts = lists and (
        all(map(_is_check, report["checks"]))
        and all(_holds(tap, _TAP_KEYS) for tap in report["taps"])
        and _holds(report["timing"], _TIMING_KEYS)
        and (report["first_divergence"] is None or _holds(report["first_divergence"], _DIVERGENCE_KEYS))
    )
    return parts and all(isinstance(report[key], dict) for key in ("plan", "policy", "environment"))


def _is_check(check: object) -> bool:
    return (
        isinstance(check, dict)
        and check.keys() >= _CHECK_KEYS
        and isinstance(check["name"], str)
        and isinstance(check["message"], str)
        and check["outcome"] in _OUTCOMES
        and isinstance(check["required"], bool)
    )


def _holds(part: object, keys: frozenset[str]) -> bool:
    return isinstance(part, dict) and part.keys() >= keys


def _problems(answer: httpx2.Response) -> tuple[Problem, ...]:
    """What the problem document says is wrong, or the status alone."""
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        document = {}
    if not isinstance(document, dict):
        document = {}
    listed = document.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    if errors:
        return tuple(Problem(one_line(e.get("field", "")), one_line(e.get("message", ""))) for e in errors)
    detail = one_line(document.get("detail") or document.get("title") or "no reason was given")
    return (Problem(f"server, status {answer.status_code}", detail),)
