"""Cases as Markdown for a step summary or a comment: the verdict first, then the checks, the first divergence, details.

It never grows beyond `LIMIT_BYTES`: blocks are added whole while they fit, and a line says what was left out. Every
text from a run is written with its special characters as entities, so that it cannot break a table or become markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from service.reports.cases import MARKS, Case, Document, amount, case_of, counted, gravest, one_line, worst_check
from service.reports.check_view import words_of
from service.reports.figures import duration, figure
from service.reports.figures import ratio as ratio_text
from service.reports.json_values import number_of
from service.reports.timeline import SESSION_WORDS

LIMIT_BYTES = 200_000
"""A step summary may hold 1 MiB, a comment 65,536 characters; this leaves room for several gates in one summary."""

TABLE_BYTES = 60_000
DETAIL_BYTES = 12_000
MAX_TEXT = 400

_CLOSING_BYTES = 400
"""Kept free for the line that says what was left out."""

_SMALLEST_BLOCK_BYTES = 500
"""With less room than this no further case is rendered only to be dropped."""

_SPECIAL = re.compile(r"[\\`*\[\]<>#|~!&$]|(?<!\w)_|_(?!\w)|:(?=//)")
_WORDS = {
    "fail": "✘ fail",
    "inconclusive": "? open",
    "not_measured": "– not measured",
    "not_applicable": "– not applicable",
    "pass": "✔ pass",
}
"""Each outcome of a check in words, the gravest first."""


def render_markdown(report: Document) -> str:
    """One report as Markdown."""
    return render_markdown_cases([case_of(report)])


def render_markdown_cases(cases: Sequence[Case], limit_bytes: int = LIMIT_BYTES) -> str:
    """All cases as Markdown of at most `limit_bytes` bytes in UTF-8; the gravest cases have the first places."""
    outcome = gravest(cases)
    parts = [f"## {MARKS[outcome]} Lockstep: {outcome}\n\n{counted(cases)}.\n"]
    parts.append(_overview(cases))
    left = limit_bytes - _CLOSING_BYTES - sum(_size(part) for part in parts)
    order = sorted(range(len(cases)), key=lambda index: (cases[index].outcome == "PASS", index))
    dropped = 0
    for index in order:
        for block in _blocks(cases[index]) if left >= _SMALLEST_BLOCK_BYTES else [None]:
            if block is None or _size(block) > left:
                dropped += 1
                break
            parts.append(block)
            left -= _size(block)
    if dropped:
        parts.append(f"_{dropped} cases are not shown in full here; the JSON output has everything._\n")
    return "\n".join(parts)


def safe(text: object, limit: int = MAX_TEXT) -> str:
    """`text` on one line, as text only: safe in a table's cell, a heading and HTML."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", one_line(text, limit))


def _overview(cases: Sequence[Case]) -> str:
    rows = []
    for case in cases:
        check = worst_check(case.checks)
        worst = "" if check is None else f"{safe(check['name'])} {safe(amount(check))}".strip()
        took = "" if case.seconds is None else duration(case.seconds)
        rows.append((f"{MARKS[case.outcome]} {case.outcome}", safe(case.name), worst, took, safe(case.run_id or "")))
    return _table(("outcome", "case", "worst required check", "took", "run"), rows, len(rows), TABLE_BYTES)


def _blocks(case: Case) -> Iterator[str]:
    report = case.report
    # What passes is folded: a reader of a red gate looks for the red cases.
    fold = case.outcome == "PASS"
    heading = f"{MARKS[case.outcome]} {case.outcome}: {safe(case.name)}"
    body = f"{safe(case.message)}\n"
    if case.checks:
        body += "\n" + _checks(case.checks)
    if report is not None and report["first_divergence"] is not None:
        body += "\n" + _divergence(report["first_divergence"])
    yield _folded(heading, body) if fold else f"### {heading}\n\n{body}"
    if report is not None:
        yield _folded(f"Details of {safe(case.name)}", _details(report))


def _checks(checks: Sequence[Document]) -> str:
    ranked = sorted(checks, key=lambda check: (not check["required"], list(_WORDS).index(check["outcome"])))
    rows = (
        (
            _WORDS[check["outcome"]],
            safe(check["name"]),
            "yes" if check["required"] else "no",
            safe(amount(check)),
            safe(check["message"]),
        )
        for check in ranked
    )
    return _table(("", "check", "required", "value", "finding"), rows, len(ranked), DETAIL_BYTES)


def _divergence(found: Document) -> str:
    ratio = number_of(found["ratio"])
    text = f"**First divergence:** {safe(found['phase'])} step {safe(found['step'])}, {safe(found['tap'])}"
    text += "" if ratio is None else f", error ratio {figure(ratio)}"
    text += "" if found["source"] is None else f"; look at {safe(found['source'])}"
    return f"{text}.\n\n{_code(found['replay'])}"


def _details(report: Document) -> str:
    taps = sorted(report["taps"], key=_by_ratio)
    rows = ((safe(tap["tap"]), safe(words_of(tap["error_ratio"])), safe(words_of(tap["worst_step"]))) for tap in taps)
    sections = [f"Run {safe(report['run_id'])}, policy {safe(report['policy']['name'])}, plan digest "
                f"{safe(report['plan_digest'])}. To repeat it:\n\n{_code(report['replay'])}"]  # fmt: skip
    if taps:
        sections.append(_table(("tap", "error ratio", "worst step"), rows, len(taps), DETAIL_BYTES))
    measured = [(name, safe(text)) for name, text in _measured(report)]
    if measured:
        sections.append(_table(("measured", ""), measured, len(measured), DETAIL_BYTES))
    for heading, values in (("plan", report["plan"]), ("environment", report["environment"])):
        if values:
            pairs = ((safe(key), safe(words_of(value))) for key, value in values.items())
            sections.append(_table((heading, ""), pairs, len(values), DETAIL_BYTES))
    return "\n".join(sections)


def _measured(report: Document) -> Iterator[tuple[str, str]]:
    """Step time, utilization and memory in a line each, where they were measured."""
    for entry in report["performance"].get("sessions", ()):
        ratio, low, high = (number_of(entry.get(key)) for key in ("ratio", "low", "high"))
        if ratio is not None and low is not None and high is not None:
            interval = f"{ratio_text(ratio)}, interval {ratio_text(low)} to {ratio_text(high)}"
            blocks = f"{entry['valid_blocks']} of {entry['blocks']} blocks"
            yield f"ratio of step times, {SESSION_WORDS[entry['session']]}", f"{interval}, {blocks}"
    sides = ("reference", "candidate")
    work, traced = (report[section].get("sides", {}) for section in ("utilization", "memory"))
    resident = [number_of(work[side]["kernel_resident_pct"]) if work.get(side) else None for side in sides]
    if None not in resident:
        yield "kernel-resident time", f"{_both(resident)} %"
    peaks = [number_of(traced[side]["peak_bytes"]) if traced.get(side) else None for side in sides]
    if None not in peaks:
        yield "peak of the pool", f"{_both([(peak or 0.0) / 2**20 for peak in peaks])} MiB"


def _both(values: Sequence[float | None]) -> str:
    reference, candidate = (figure(value or 0.0, 4) for value in values)
    return f"reference {reference}, candidate {candidate}"


def _by_ratio(tap: Document) -> float:
    """The largest ratio first; one that is no number, or NaN, before all."""
    ratio = number_of(tap["error_ratio"])
    return float("-inf") if ratio is None or ratio != ratio else -ratio


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], total: int, budget: int) -> str:
    """A table of at most about `budget` bytes; a line below it says how many rows were left out."""
    lines = [_row(header), _row(["---"] * len(header))]
    used = sum(_size(line) for line in lines)
    shown = 0
    for row in rows:
        line = _row(row)
        used += _size(line)
        if used > budget:
            break
        lines.append(line)
        shown += 1
    text = "\n".join(lines) + "\n"
    return text if shown == total else f"{text}\n_{total - shown} more rows were left out._\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _folded(summary: str, body: str) -> str:
    # The blank lines make what is inside Markdown again.
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"


def _code(command: object) -> str:
    """A command in a fence longer than any run of backticks in it."""
    text = one_line(command, 4000)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}\n"


def _size(text: str) -> int:
    return len(text.encode()) + 1
