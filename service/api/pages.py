"""Cuts answers into pages: the address of the next page stands in the page, so a client only follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import Request

from service.api.schemas import Page

T = TypeVar("T")


def page_of(request: Request, rows: Sequence[T], limit: int, **start_of_next: object) -> Page[T]:
    """The first `limit` of the rows; the caller asked the store for one more, which tells whether a next page exists.

    `start_of_next` is the query parameter that makes the next page, e.g. `offset=50`.
    """
    if len(rows) <= limit:
        return Page(items=list(rows))
    query = {**request.query_params, **start_of_next}
    return Page(items=list(rows[:limit]), next=f"{request.url.path}?{urlencode(query)}")
