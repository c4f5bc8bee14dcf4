"""Errors as RFC 9457 problem documents: one table from our tree to HTTP, and nothing that shows our insides.

The `type` is a stable name to program against. What a caller cannot use (paths, SQL, tracebacks) goes to the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.api.live import TooManyStreams
from service.parity.errors import (
    DeviceUnavailable,
    InvalidConfiguration,
    InvalidPlan,
    InvalidPolicy,
    InvalidRequest,
    LadderRefused,
    LockstepError,
    Problem,
    RunCancelled,
    RunConflict,
    RunNotFound,
    SchemaMismatch,
    StoreUnavailable,
    UnknownName,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lockstep:problem:"
RETRY_AFTER_S = 2
MAX_ERRORS = 50
MAX_TEXT = 500

log = logging.getLogger(__name__)

_OURS: Mapping[type[LockstepError], tuple[int, str, str]] = {
    InvalidPlan: (422, "invalid-plan", "The plan cannot be carried out"),
    InvalidPolicy: (422, "invalid-policy", "The policy is not usable"),
    UnknownName: (422, "unknown-name", "A name is not registered"),
    DeviceUnavailable: (422, "device-unavailable", "The device is not usable"),
    InvalidConfiguration: (422, "invalid-configuration", "A setting is unusable"),
    InvalidRequest: (422, "invalid-request", "The request cannot be carried out"),
    StoreUnavailable: (503, "store-unavailable", "The database does not answer"),
    SchemaMismatch: (503, "schema-mismatch", "The database is at another revision"),
    RunNotFound: (404, "run-not-found", "No such run"),
    RunConflict: (409, "run-conflict", "The run's state does not allow it"),
    LadderRefused: (409, "ladder-refused", "The ladder's rules do not allow it"),
    RunCancelled: (409, "run-cancelled", "The run was stopped"),
    LockstepError: (500, "internal", "Lockstep itself failed"),
}
"""By the nearest ancestor: an error without a line of its own has its parent's."""

_PUBLIC_DETAIL = {
    503: "The database cannot be used at the moment; try again. Its operator finds the reason in the log.",
    500: "Lockstep itself failed; this is not the request's fault. The reason is in the log.",
}

_BY_STATUS = {
    400: "bad-request",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
}


class MalformedJson(HTTPException):
    """The body is not one unambiguous JSON document."""

    def __init__(self, what: str) -> None:
        super().__init__(400, f"The body {what}.")


class UnsupportedMediaType(HTTPException):
    """The body is not declared as JSON."""

    def __init__(self) -> None:
        super().__init__(415, "Send the body as JSON, with Content-Type: application/json.")


class ReportNotReady(LockstepError):
    """The run has no record yet, or ended without one."""


_RAISED_HERE: Mapping[type[Exception], tuple[int, str, str]] = {
    MalformedJson: (400, "malformed-json", "The body is not usable JSON"),
    UnsupportedMediaType: (415, "unsupported-media-type", "The body is not declared as JSON"),
    TooManyStreams: (503, "too-many-streams", "As many clients follow runs as this server allows"),
    ReportNotReady: (409, "report-not-ready", "There is no report yet"),
}


def problem_response(
    status: int,
    slug: str,
    title: str,
    detail: str,
    *,
    instance: str | None = None,
    problems: Iterable[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The document. Texts are cut and cleaned: a lone surrogate out of a request cannot be written as UTF-8."""
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": _clean(detail),
    }
    if instance is not None:
        document["instance"] = _clean(instance)
    errors = [{"field": _clean(problem.field), "message": _clean(problem.message)} for problem in problems]
    if errors:
        document["errors"] = errors[:MAX_ERRORS]
    return JSONResponse(document, status, dict(headers or {}), MEDIA_TYPE)


def plain_problem(status: int, detail: str | None = None, **others: Any) -> JSONResponse:
    """A document for a status that stands for itself."""
    phrase = HTTPStatus(status).phrase
    slug = _BY_STATUS.get(status, phrase.lower().replace(" ", "-").replace("'", ""))
    return problem_response(status, slug, phrase, detail or phrase, **others)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(LockstepError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _ours(request: Request, error: Exception) -> JSONResponse:
    status, slug, title = _line(error)
    detail = str(error)
    headers: dict[str, str] = {}
    if status >= 500 and type(error) not in _RAISED_HERE:
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error if status == 500 else None)
        detail = _PUBLIC_DETAIL[status]
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    problems = error.problems if isinstance(error, InvalidRequest) else ()
    return problem_response(status, slug, title, detail, instance=request.url.path, problems=problems, headers=headers)


def _line(error: Exception) -> tuple[int, str, str]:
    known: dict[type[Any], tuple[int, str, str]] = {**_OURS, **_RAISED_HERE}
    return next(known[kind] for kind in type(error).__mro__ if kind in known)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [Problem(_field(one["loc"]), str(one["msg"])) for one in error.errors()]
    return problem_response(
        422,
        "invalid-request",
        "The request cannot be carried out",
        "; ".join(str(problem) for problem in problems[:3]),
        instance=request.url.path,
        problems=problems,
    )


def _field(location: Iterable[int | str]) -> str:
    """`("body", "plan", "seed")` as `plan.seed`; where it was said (body, query, path) goes without saying."""
    return ".".join(str(part) for part in tuple(location)[1:])


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if type(error) in _RAISED_HERE:
        status, slug, title = _RAISED_HERE[type(error)]
        return problem_response(status, slug, title, error.detail, instance=request.url.path)
    return plain_problem(error.status_code, str(error.detail), instance=request.url.path, headers=error.headers)


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s met an unforeseen error", request.method, request.url.path, exc_info=error)
    return problem_response(500, "internal", _OURS[LockstepError][2], _PUBLIC_DETAIL[500], instance=request.url.path)


def _clean(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
