"""How a request's JSON is read: nothing that two readers could understand differently gets through.

FastAPI reads bodies with `json.loads`, which takes NaN, lets the last of two equal keys win and dies of deep nesting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.api.problems import MalformedJson, UnsupportedMediaType


class StrictJsonRoute(APIRoute):
    """A route whose body is one UTF-8 JSON document, declared as such."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if not takes_body:
                return await handle(request)
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise UnsupportedMediaType()
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse_json(await self.body())


def parse_json(body: bytes) -> Any:
    """The document; raises `MalformedJson` saying what is wrong with it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson("is not UTF-8") from error
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise MalformedJson(f"cannot be read at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise MalformedJson("is nested too deeply") from error
    except ValueError as error:
        raise MalformedJson("has a number with too many digits") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedJson("has an object with the same key twice")
    return document


def _no_constant(name: str) -> None:
    raise MalformedJson(f"has {name}, which is no JSON number")
