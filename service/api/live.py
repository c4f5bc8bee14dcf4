"""What happens to runs while somebody watches: one look at the store for all who watch the same run.

A run that is watched is looked at twice a second, in short transactions on a thread, whether one stream follows it or
two hundred; nobody watches, nobody looks. A stream that joins late or lags reads what it missed page by page.

Everything here belongs to one event loop; only `_look` and `page` run on threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from anyio import to_thread

from service.parity.errors import RunNotFound, StoreError
from service.parity.plan import PHASES
from service.parity.record import StepLosses
from service.ports import RunRow, RunStore

INTERVAL_S = 0.5
PAGE = 1_000
"""Losses of one read, and of one event at most."""
KEPT = 4 * PAGE
"""The newest losses that a feed keeps for all; who is further behind reads the store."""
MAX_STREAMS = 256

log = logging.getLogger(__name__)


class TooManyStreams(StoreError):
    """As many clients follow runs as this process serves."""


@dataclass(frozen=True, slots=True)
class Look:
    """A run at one moment; `run` is `None` once it has been deleted.

    `losses` are the newest rows, the first of them number `first`; `complete` says that there were no more.
    """

    number: int
    run: RunRow | None
    first: int = 0
    losses: Sequence[StepLosses] = ()
    complete: bool = False

    @property
    def end(self) -> int:
        """How many losses the run had."""
        return self.first + len(self.losses)

    @property
    def attempt(self) -> int:
        """Which attempt at the run this is: when it began, in milliseconds. Losses are counted anew in each."""
        started = self.run.started_at if self.run is not None else None
        return 0 if started is None else round(started.timestamp() * 1e3)


@dataclass(slots=True)
class Feed:
    """One watched run."""

    store: RunStore
    run_id: str
    interval_s: float
    look: Look
    streams: int = 0
    stopped: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _counted: dict[str, int] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._follow(), name=f"watch-{self.run_id}")

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def stop(self) -> None:
        """Wake everyone to go: the process ends."""
        self.stopped = True
        self._news.set()

    async def newer_than(self, look: Look) -> Look:
        """The first look after that one; the same when the feed is stopped."""
        while self.look.number == look.number and not self.stopped:
            await self._news.wait()
        return self.look

    async def page(self, offset: int) -> list[StepLosses]:
        """Losses from that one on, out of what is kept or out of the store."""
        look = self.look
        if offset >= look.first:
            return list(look.losses[offset - look.first : offset - look.first + PAGE])
        return await to_thread.run_sync(self.store.losses, self.run_id, None, offset, min(PAGE, look.first - offset))

    async def _follow(self) -> None:
        while True:
            try:
                look = await to_thread.run_sync(self._look)
            except StoreError as error:
                log.warning("run %s cannot be followed at the moment: %s", self.run_id, error)
                look = None
            if look is not None:
                self.look = look
                self._news.set()
                self._news = asyncio.Event()
            if look is None or look.complete:
                await asyncio.sleep(self.interval_s)

    def _look(self) -> Look | None:
        """The run as it is now; `None` when nothing has changed."""
        last = self.look
        try:
            run = self.store.run(self.run_id)
        except RunNotFound:
            return None if last.run is None else Look(last.number + 1, None)
        look = Look(last.number + 1, run, last.first, last.losses)
        if look.attempt != last.attempt:
            look = Look(last.number + 1, run)
            self._counted.clear()
        fresh = self._fresh(run)
        complete = len(fresh) < KEPT
        if not fresh and run == last.run and last.complete:
            return None
        losses = (*look.losses, *fresh)
        dropped = max(0, len(losses) - KEPT)
        return Look(look.number, run, look.first + dropped, losses[dropped:], complete)

    def _fresh(self, run: RunRow) -> list[StepLosses]:
        """Losses that were not there at the last look, fewer than `KEPT` when that is all of them. Phase by phase, each
        with its own count: a read of one phase from an offset walks its index, a read of all would sort them all."""
        fresh: list[StepLosses] = []
        for phase in sorted(run.plan.phases, key=PHASES.index):
            more = True
            while more and len(fresh) < KEPT:
                counted = self._counted.get(phase, 0)
                rows = self.store.losses(run.id, phase, counted, PAGE)
                self._counted[phase] = counted + len(rows)
                fresh += rows
                more = len(rows) == PAGE
        return fresh


class Feeds:
    """The runs that are watched in this process."""

    def __init__(self, store: RunStore, interval_s: float = INTERVAL_S, max_streams: int = MAX_STREAMS) -> None:
        self._store = store
        self._interval_s = interval_s
        self._max_streams = max_streams
        self._feeds: dict[str, Feed] = {}
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def streams(self) -> int:
        """How many follow a run now."""
        return sum(feed.streams for feed in self._feeds.values())

    def check_room(self) -> None:
        """Raise `TooManyStreams` when one more could not be served."""
        if self._stopped or self.streams >= self._max_streams:
            raise TooManyStreams("as many clients follow runs as this server allows; try again in a moment")

    @asynccontextmanager
    async def watching(self, run: RunRow) -> AsyncIterator[Feed]:
        """Follow a run that was read just now."""
        self._loop = asyncio.get_running_loop()
        feed = self._feeds.get(run.id)
        if feed is None:
            # Its first look counts no losses, so that they are found by the next.
            feed = self._feeds[run.id] = Feed(
                self._store, run.id, self._interval_s, Look(0, run), stopped=self._stopped
            )
            feed.begin()
        feed.streams += 1
        try:
            yield feed
        finally:
            feed.streams -= 1
            if feed.streams == 0 and self._feeds.get(run.id) is feed:
                del self._feeds[run.id]
                await feed.end()

    def stop(self) -> None:
        """End every stream, now and from now on; from whatever thread, or a signal's handler."""
        self._stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop_feeds)

    def _stop_feeds(self) -> None:
        for feed in self._feeds.values():
            feed.stop()
