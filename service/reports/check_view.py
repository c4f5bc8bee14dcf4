"""Checks as a reader meets them: failures first, a sentence each, what was asked, the evidence in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.reports.figures import MINUS, binary_size, figure, percent
from service.reports.json_values import number_of

Document = Mapping[str, Any]

KINDS = {
    "fail": ("fail", "FAIL"),
    "inconclusive": ("open", "INCONCLUSIVE"),
    "pass": ("pass", "PASS"),
    "not_measured": ("none", "not measured"),
    "not_applicable": ("none", "not applicable"),
}
"""Glyph and word of each outcome of a check, the gravest first."""

QUESTIONS = {
    "integrity.same_batches": "Were both sides handed every planned batch, and did neither change one?",
    "integrity.frozen_reference": "Do the frozen files have the digests of their manifest?",
    "numerics.synchronized": (
        "From one state and one batch, is every tap of the candidate as close to the exact answer as the reference’s? "
        "Error ratio = max e_cand ÷ max(max e_ref, f), with f half a unit in the last place of float32."
    ),
    "numerics.sign_disagreements": (
        "Does rounding excuse each unit whose LeakyReLU sign is not the oracle’s? |pre-activation| ÷ rounding bound."
    ),
    "numerics.free_running": (
        "Does the candidate’s own training stay within what rounding alone does to the reference’s? "
        "Distance from the reference ÷ running maximum of the perturbed references."
    ),
    "learning.loss_falls": "Is the last tenth of the losses below the first tenth, with the policy’s confidence?",
    "learning.outputs_vary": "Do outputs differ from input to input at least half as much as the data does?",
    "learning.color_reconstruction": "Do the criterion’s colour and, on average, all colours come back?",
    "performance.step_time": (
        "Is a step of the candidate no slower? The whole interval of the ratio of step times, from blocks of slices in "
        "the order ABBA or BAAB, must lie below the limit."
    ),
    "utilization.floor": (
        "Is the GPU busy enough under the candidate, or no less busy than under a reference that does not keep it busy?"
    ),
    "utilization.not_reduced": "Is the GPU as busy as under the reference, or is a step done in fewer busy seconds?",
    "memory.peak": "At its highest, does the candidate need no more memory than the reference and the allowance?",
    "memory.pattern": (
        "Does it make the same allocation calls in set-up, in whatever order, and in each steady step, in the same one?"
    ),
    "memory.leak": (
        "Does its memory in use not grow from step to step? The Theil–Sen slope’s interval includes 0 or lies below "
        "the limit."
    ),
    "checkpoint.transfer": "Do checkpoints pass between both sides unchanged?",
    "checkpoint.resume": "Does training resumed from a checkpoint equal training that never stopped?",
}

_BOUNDS = {
    "learning.loss_falls": "<",
    "learning.outputs_vary": "≥",
    "utilization.floor": "≥",
    "utilization.not_reduced": "≥",
}
_BYTES = "bytes"
_SECTIONS = ("performance", "utilization", "memory")
"""Areas of checks whose evidence, figures by side and session, has a section of the page to itself."""
_NEGATIVE = re.compile(r"(?<![\w.-])-(?=\d)")
_SHARES = frozenset({"learning.loss_falls", "learning.outputs_vary"})


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of the table of checks."""

    name: str
    kind: str
    word: str
    required: bool
    value: str | None
    limit: str | None
    unit: str | None
    message: str
    question: str | None
    evidence: list[tuple[str, str]]
    opened: bool


def check_rows(checks: Sequence[Document]) -> list[CheckRow]:
    """Rows in order of gravity, within it in the order of the report; the first failure is open."""
    order = list(KINDS)
    ranked = sorted(checks, key=lambda check: order.index(check["outcome"]))
    return [_row(check, opened=index == 0 and check["outcome"] == "fail") for index, check in enumerate(ranked)]


def gravest(checks: Sequence[Document], *prefixes: str) -> tuple[str, str] | None:
    """Glyph and word of the gravest outcome among the checks of a section; `None` without any."""
    found = gravest_check(checks, *prefixes)
    return None if found is None else KINDS[found["outcome"]]


def gravest_check(checks: Sequence[Document], *prefixes: str) -> Document | None:
    """The first of the checks of a section that have its gravest outcome; `None` without any."""
    order = list(KINDS)
    found = [check for check in checks if check["name"].startswith(prefixes)]
    return min(found, key=lambda check: order.index(check["outcome"]), default=None)


def finding(checks: Sequence[Document], name: str) -> Document | None:
    """The check of that name."""
    return next((check for check in checks if check["name"] == name), None)


def sentence(text: str) -> str:
    """`text` as a sentence; a name at its start keeps its case."""
    text = text.strip()
    if not text:
        return text
    text = _NEGATIVE.sub(MINUS, text)
    first = text.split(maxsplit=1)[0].strip(",:;'")
    opened = text[0].upper() + text[1:] if first.isalpha() else text
    return opened if opened.endswith((".", "!", "?", "…")) else f"{opened}."


def words_of(value: Any) -> str:
    """A value of any kind in words: the only place where one of unknown type is written."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = number_of(value)
    if number is not None:
        return f"{value:,}" if isinstance(value, int) else figure(number)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words_of(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(words_of(item) for item in value) or "none"
    return str(value)


def spaced(key: str) -> str:
    """A key of the report as words."""
    return key.replace("_", " ")


def _row(check: Document, opened: bool) -> CheckRow:
    kind, word = KINDS[check["outcome"]]
    name, limit = check["name"], number_of(check["limit"])
    return CheckRow(
        name=name,
        kind=kind,
        word=word,
        required=bool(check["required"]),
        value=_amount(name, number_of(check["value"]), check["unit"]),
        limit=None if limit is None else f"{_BOUNDS.get(name, '≤')} {_amount(name, limit, check['unit'])}",
        unit=None if check["unit"] == _BYTES else check["unit"],
        message=sentence(check["message"]),
        question=QUESTIONS.get(name),
        evidence=_evidence(name.split(".")[0], check["evidence"]),
        opened=opened,
    )


def _evidence(area: str, evidence: Document) -> list[tuple[str, str]]:
    if area not in _SECTIONS:
        return [(spaced(key), words_of(value)) for key, value in evidence.items()]
    plain = {key: value for key, value in evidence.items() if not isinstance(value, Mapping)}
    more = [("figures by side", f"in the section {area.capitalize()}")] if len(plain) < len(evidence) else []
    return [*((spaced(key), words_of(value)) for key, value in plain.items()), *more]


def _amount(name: str, value: float | None, unit: str | None) -> str | None:
    if value is None:
        return None
    if unit == _BYTES:
        return binary_size(value)
    return percent(value) if name in _SHARES else figure(value)
