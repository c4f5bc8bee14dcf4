"""Follow a run as server-sent events.

    state     the run, as `GET /runs/{id}` gives it: at the start and whenever its state changes
    progress  how far it is
    losses    rows of `GET /runs/{id}/steps`, in their order, each once
    end       the run as it ended, after all its losses; the stream is over

The `id` of an event names the attempt at the run and how many losses were sent. A client that comes back with it, in
`Last-Event-ID` as browsers do or in `after`, is sent what followed. Where a run begins again, its losses do too.
A comment is sent every 15 s where nothing happens.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import TypeAdapter

from service.api.context import Here, RunId
from service.api.live import Feed, Feeds
from service.api.routes.runs import PROBLEMS
from service.parity.errors import InvalidRequest, Problem
from service.parity.record import StepLosses
from service.ports import Progress, RunRow
from service.reports.json_values import json_ready

ENDED = ("finished", "failed", "cancelled")
RETRY_MS = 2_000

router = APIRouter(tags=["records"], responses=PROBLEMS)
_EVENT_ID = re.compile(r"([0-9]{1,15})\.([0-9]{1,12})")
_RUN = TypeAdapter(RunRow)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream stands: the attempt, and how many of its losses were sent."""

    attempt: int = 0
    sent: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.sent}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A stream that can be opened: the run, and where the client left off."""

    run: RunRow
    feeds: Feeds
    place: Place


def _asked(
    request: Request,
    run_id: RunId,
    here: Here,
    after: str | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Asked:
    """Refuses here what has to be refused: once a stream has begun there is no status to say it with."""
    said = _EVENT_ID.fullmatch(last_event_id or after or "0.0")
    if said is None:
        where = "Last-Event-ID" if last_event_id else "after"
        raise InvalidRequest(Problem(where, "is not the id of an event; leave it out to begin at the start"))
    feeds: Feeds = request.app.state.feeds
    feeds.check_room()
    return Asked(here.store.run(run_id), feeds, Place(int(said[1]), int(said[2])))


@router.get("/runs/{run_id}/events", response_class=EventSourceResponse)
async def follow_run(asked: Annotated[Asked, Depends(_asked)]) -> AsyncIterator[ServerSentEvent]:
    """The run's state, progress and losses as they come, until it has ended."""
    async with asked.feeds.watching(asked.run) as feed:
        async for event in _events(feed, asked.place):
            yield event


async def _events(feed: Feed, place: Place) -> AsyncIterator[ServerSentEvent]:
    look, told_state, told_progress = feed.look, None, None
    while True:
        if look.run is None:
            yield ServerSentEvent(event="end", raw_data="null", id=str(place))
            return
        if place.attempt != look.attempt:
            place = Place(look.attempt)
        if look.run.state != told_state:
            retry = RETRY_MS if told_state is None else None
            yield ServerSentEvent(event="state", data=_run(look.run), id=str(place), retry=retry)
            told_state = look.run.state
        if look.run.progress is not None and look.run.progress != told_progress:
            yield ServerSentEvent(event="progress", data=_progress(look.run.progress), id=str(place))
            told_progress = look.run.progress
        while place.sent < look.end and (rows := await feed.page(place.sent)):
            place = Place(place.attempt, place.sent + len(rows))
            yield ServerSentEvent(event="losses", data=[_losses(row) for row in rows], id=str(place))
        if look.run.state in ENDED and look.complete:
            yield ServerSentEvent(event="end", data=_run(look.run), id=str(place))
            return
        if feed.stopped:
            return
        look = await feed.newer_than(look)


def _run(run: RunRow) -> object:
    return _RUN.dump_python(run, mode="json")


def _progress(progress: Progress) -> object:
    return json_ready(progress)


def _losses(row: StepLosses) -> object:
    return json_ready(row)
