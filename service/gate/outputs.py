"""The files that a gate leaves: JUnit, Markdown, JSON, badges, the pages of its runs, and what GitHub Actions reads.

What an earlier gate left under these names is removed before the first case runs: an old badge or an old JUnit file
must not speak for a gate that could not be carried out.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.gate.loop import GateResult
from service.parity.errors import InvalidConfiguration, Problem
from service.reports.badge import badge_svg, shield
from service.reports.cases import Case, counted, gravest
from service.reports.html import render_html
from service.reports.json_values import json_ready
from service.reports.junit import render_junit_cases
from service.reports.markdown import render_markdown_cases

SCHEMA_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where each output goes; None: it was not asked for. The step's files are GitHub's and appended to."""

    junit: Path | None = None
    markdown: Path | None = None
    as_json: Path | None = None
    badge: Path | None = None
    shield: Path | None = None
    step_summary: Path | None = None
    step_output: Path | None = None

    def prepare(self, config: Path) -> None:
        """Make the folders and remove what an earlier gate left; raises `InvalidConfiguration` where that fails."""
        problems = list(self._clashes(config))
        if not problems:
            for flag, path in self._files().items():
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    clear(path)
                except OSError as error:
                    problems.append(Problem(flag, cannot_write(path, error)))
        if problems:
            raise InvalidConfiguration(*problems)

    def write(self, result: GateResult, page_folder: Path | None) -> list[str]:
        """Write everything, whatever fails, and each report's page where a folder is given; returns what could not be
        written, in words."""
        cases = result.cases
        texts: list[tuple[Path | None, Callable[[], str]]] = [
            (self.junit, lambda: render_junit_cases(cases)),
            (self.markdown, lambda: render_markdown_cases(cases)),
            (self.as_json, lambda: json.dumps(document(result), allow_nan=False, indent=2) + "\n"),
            (self.badge, lambda: badge_svg(gravest(cases))),
            (self.shield, lambda: json.dumps(shield(gravest(cases))) + "\n"),
        ]
        texts += [
            (page_folder / f"{case.run_id}.html", lambda report=case.report: render_html(report))  # type: ignore[misc]
            for case in cases
            if page_folder is not None and case.report is not None
        ]
        failed = [write_whole(path, render) for path, render in texts if path is not None]
        failed.append(_append(self.step_summary, lambda: render_markdown_cases(cases) + "\n"))
        failed.append(self.tell_outcome(result.outcome))
        return [words for words in failed if words is not None]

    def tell_outcome(self, outcome: str) -> str | None:
        """The step's output `outcome`, for the steps after it; returns why it could not be written."""
        return _append(self.step_output, lambda: f"outcome={outcome}\n")

    def _files(self) -> Mapping[str, Path]:
        named = {
            "--junit": self.junit,
            "--markdown": self.markdown,
            "--json": self.as_json,
            "--badge": self.badge,
            "--shield": self.shield,
        }
        return {flag: path for flag, path in named.items() if path is not None}

    def _clashes(self, config: Path) -> Iterator[Problem]:
        taken = {config.resolve(): "--config"}
        for flag, path in self._files().items():
            before = taken.setdefault(path.resolve(), flag)
            if before != flag:
                yield Problem(flag, f"{path} is {before}'s file too; give each its own")


def document(result: GateResult) -> dict[str, Any]:
    """The result as JSON-ready values, each case with its whole report."""
    ready: dict[str, Any] = json_ready({
        "schema_version": SCHEMA_VERSION,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "interrupted": result.interrupted,
        "summary": counted(result.cases),
        "cases": [_case(case) for case in result.cases],
    })  # fmt: skip
    return ready


def _case(case: Case) -> dict[str, Any]:
    return {field.name: getattr(case, field.name) for field in dataclasses.fields(case)}


def clear(path: Path) -> None:
    """Take away what an earlier gate left; a link, a device or a pipe stays what it is."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not _written_through(path):
        path.unlink(missing_ok=True)
    elif path.is_file():
        os.truncate(path, 0)


def _written_through(path: Path) -> bool:
    """Whether it is to be written where it is: replacing /dev/null or /dev/stdout by a file would harm the machine."""
    return path.is_symlink() or (path.exists() and not path.is_file())


def write_whole(path: Path, render: Callable[[], str]) -> str | None:
    """Write the file whole or not at all; returns why it could not be."""
    if _written_through(path):
        return _append(path, render)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(render(), encoding="utf-8", errors="replace", newline="\n")
        part.replace(path)
    except OSError as error:
        return cannot_write(path, error)
    return None


def _append(path: Path | None, render: Callable[[], str]) -> str | None:
    if path is None:
        return None
    try:
        with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(render())
    except OSError as error:
        return cannot_write(path, error)
    return None


def cannot_write(path: Path, error: OSError) -> str:
    """Why a file could not be written, and what to do."""
    return f"cannot write {path}: {error.strerror}; name a file in a folder that can be written"
