"""Work of the harness's own beside a training: drawing batches and hashing them takes as long as a fast GPU's steps.

One thread takes everything in turn, so that what depends on what went before needs no lock. It costs a side nothing
while that waits for its device, and NumPy and hashlib let go of the interpreter for large arrays. For small ones a hand
over costs more than the work: then everything is done at once, in the caller's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 2**20
"""Of a batch: half a millisecond of SHA-256, against some ten microseconds for handing it over."""


class Background:
    """A context: at its end all that was handed over is done. What the work raised is raised by the next call."""

    def __init__(self, beside: bool) -> None:
        self._thread = ThreadPoolExecutor(1, "beside-the-training") if beside else None
        self._handed: deque[Future[None]] = deque()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        if error is None:
            self._look()

    def do(self, work: Callable[..., None], *arguments: object) -> None:
        """Hand over `work(*arguments)`; the arguments must stay as they are until it is done."""
        if self._thread is None:
            work(*arguments)
        else:
            self._look()
            self._handed.append(self._thread.submit(work, *arguments))

    def ahead(self, items: Iterator[T]) -> Iterator[T]:
        """The items, each made while the one before it is used.

        Since work is taken in turn, whatever was handed over before the last item was asked for is done by then: no
        more than two items' work ever waits.
        """
        if self._thread is None:
            yield from items
            return
        coming = self._thread.submit(_next, items)
        while found := coming.result():
            coming = self._thread.submit(_next, items)
            yield found[0]

    def _look(self) -> None:
        while self._handed and self._handed[0].done():
            self._handed.popleft().result()


def _next(items: Iterator[T]) -> tuple[T] | None:
    for item in items:
        return (item,)
    return None
