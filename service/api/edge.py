"""The outermost layer: what every answer carries, whoever gave it, and what no request may do.

It wraps even the middlewares of the framework, because the body limit and the host check answer in plain text.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import plain_problem

CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_READING = ("GET", "HEAD", "OPTIONS")


class Edge:
    """Security headers on every answer, problem documents for every error, no writing request from another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in _READING and _from_another_site(Headers(scope=scope)):
            response = plain_problem(403, "A page of another site may not do this.")
            await response(scope, receive, _Answer(scope, receive, send))
        else:
            await self._app(scope, receive, _Answer(scope, receive, send))


class _Answer:
    """Sends one answer on, or a problem document in place of a plain-text error."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            if not self._replaced:
                await self._send(message)
            return
        headers = MutableHeaders(scope=message)
        if message["status"] >= 400 and headers.get("content-type", "").startswith("text/plain"):
            response = plain_problem(message["status"], instance=self._scope["path"])
            await response(self._scope, self._receive, _Answer(self._scope, self._receive, self._send))
            self._replaced = True
            return
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        await self._send(message)


def _from_another_site(headers: Headers) -> bool:
    """Whether a browser says so: a form on any page can post to this machine, and sends no content type of ours."""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] != headers.get("host")
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")
