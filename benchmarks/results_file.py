"""A result that grows row by row: what a stopped benchmark has measured is kept, and taken up again by the next start.

Rows lie in a `.partial.jsonl` beside the result until all are there. They are taken up only where nothing has changed
that could change a figure: the question's own numbers, and every source file of `service`, `basemodel` and `legacy`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from service.subjects.devices import find_devices, resolve_device
from service.telemetry.environment import describe_environment

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
TOLD_EVERY = 20
"""Where there is no terminal, a line is printed this many times in all."""

Row = dict[str, Any]


class ResultsFile:
    """The rows of one benchmark on one device, by their key."""

    def __init__(self, benchmark: str, device: str, numbers: Any) -> None:
        self.device = resolve_device(device)
        devices = find_devices()
        name = devices.descriptions[devices.names.index(self.device)] if self.device != "cpu" else "cpu"
        self.path = RESULTS / f"{benchmark}.{name.lower().replace(' ', '-')}.json"
        self.label = name
        self._partial = self.path.with_suffix(".partial.jsonl")
        self._header = json.dumps({"numbers": numbers, "source": _source_digest()}, sort_keys=True)
        self.rows: dict[str, Row] = {}
        RESULTS.mkdir(exist_ok=True)
        if not self._take_up():
            self._partial.write_text(self._header + "\n")

    def _take_up(self) -> bool:
        if not self._partial.exists():
            return False
        header, *lines = self._partial.read_text().splitlines()
        if header != self._header:
            return False
        for line in lines:
            if line.endswith("}"):  # the last one may have been cut when the benchmark was stopped
                row = json.loads(line)
                self.rows[row["key"]] = row
        # Whole lines only, so that the next one begins on its own.
        self._partial.write_text("\n".join([header, *map(json.dumps, self.rows.values())]) + "\n")
        return True

    def collect(self, coming: Generator[Row, None, None], total: int) -> None:
        """Keep the rows as they come, and say how far it is."""
        with self._partial.open("a") as file, closing(coming):
            for row in _told(coming, len(self.rows), total):
                self.rows[row["key"]] = row
                file.write(json.dumps(row) + "\n")
                file.flush()

    def write(self, result: dict[str, Any]) -> None:
        """Write the result as far as it is, with when and on what it was measured; the rows can still grow."""
        about = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": dict(describe_environment(self.device)),
        }
        self.path.write_text(json.dumps({**result, **about}, indent=2) + "\n")

    def finish(self, result: dict[str, Any]) -> None:
        """Write the whole result: nothing is left to take up."""
        self.write(result)
        self._partial.unlink()


def _told(coming: Iterable[Row], done: int, total: int) -> Iterator[Row]:
    errors = Console(stderr=True, highlight=False)
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not sys.stderr.isatty(),
    )
    every = max(1, total // TOLD_EVERY)
    with bar:
        task = bar.add_task("", total=total, completed=done)
        for row in coming:
            yield row
            done += 1
            bar.update(task, completed=done)
            if bar.disable and done % every == 0:
                errors.print(f"{done} of {total}")


def _source_digest() -> str:
    sha = hashlib.sha256()
    for folder in ("service", "basemodel", "legacy"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            sha.update(path.read_bytes())
    return sha.hexdigest()
