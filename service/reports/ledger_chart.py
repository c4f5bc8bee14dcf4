"""The three ledgers of memory over the steps: as they stood, and how they moved once training had settled.

The level starts at zero, as bytes do; on that scale a leak of a few KiB a step cannot be seen, so the change since the
first judged step stands beside it on a scale of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from service.reports.figures import binary_size, whole
from service.reports.svg import Scale, drawing, element, label, polylines, rule

Document = Mapping[str, Any]

WIDTH = 852
_ROW, _APART = 64, 18
_LEFT, _PLOT = 152, 270
_GAP = 70
_TOP = 18
SIDES = (("reference", "ref"), ("candidate", "cand"))


def ledger_chart(ledgers: Mapping[str, Document | None], words: Mapping[str, str], judged_from: int) -> Markup:
    """A row a ledger that was read on some side; both sides in each. Empty Markup without one."""
    names = [name for name in words if any(_known(ledgers[side], name) for side, _ in SIDES)]
    steps = [step for side, _ in SIDES for step in ((ledgers[side] or {}).get("steps") or ())]
    if not names or not steps:
        return Markup("")
    height = _TOP + len(names) * (_ROW + _APART) + 4
    first, last = min(steps), max(steps)
    whole_run = Scale(first, last, _LEFT, _LEFT + _PLOT)
    settled = Scale(judged_from, max(last, judged_from + 1), _LEFT + _PLOT + _GAP, _LEFT + 2 * _PLOT + _GAP)
    parts = [
        label(whole_run.begin, 10, "In use after each step", "strong"),
        label(settled.begin, 10, f"Change since step {whole(judged_from)}", "strong"),
    ]
    for row, name in enumerate(names):
        top = _TOP + row * (_ROW + _APART)
        lines = {side: _values(ledgers[side], name) for side, _ in SIDES}
        parts += [label(0, top + 16, words[name], "strong"), *_ends(lines, top)]
        parts += _plot(lines, whole_run, top, since=None)
        parts += _plot(lines, settled, top, since=judged_from)
    base = height - 6
    parts += [label(whole_run.begin, base, "set-up" if first < 0 else f"step {first}")]
    parts += [label(scale.end, base, f"step {whole(last)}", None, "end") for scale in (whole_run, settled)]
    return drawing(WIDTH, height, _described(ledgers, names, words), parts)


def _plot(
    lines: Mapping[str, list[tuple[int, int | None]]], x: Scale, top: float, since: int | None
) -> Iterator[Markup]:
    shown = {side: _changes(values, since) for side, values in lines.items()}
    known = [value for values in shown.values() for _, value in values if value is not None]
    low, high = min([0, *known]), max([0, *known])
    y = Scale(low, high if high > low else low + 1, top + _ROW, top + 6)
    yield rule(x.begin, top + _ROW, x.end, top + _ROW, "axis")
    zero = y.position(0.0)
    if low < 0 and zero is not None:
        yield rule(x.begin, zero, x.end, zero, "grid")
    for value, at in ((high, top + 12), (low, top + _ROW)):
        if value or at > top + 12:
            yield label(x.begin - 6, at, binary_size(value) if value else "0", None, "end")
    for side, class_ in SIDES:
        yield from polylines(_points(shown[side], x, y), class_)


def _points(values: Sequence[tuple[int, int | None]], x: Scale, y: Scale) -> Iterator[tuple[float, float] | None]:
    for step, value in values:
        across, up = x.position(step), None if value is None else y.position(float(value))
        yield None if across is None or up is None else (across, up)


def _changes(values: Sequence[tuple[int, int | None]], since: int | None) -> list[tuple[int, int | None]]:
    if since is None:
        return list(values)
    later = [(step, value) for step, value in values if step >= since]
    base = next((value for _, value in later if value is not None), None)
    return [(step, None if value is None or base is None else value - base) for step, value in later]


def _values(ledger: Document | None, name: str) -> list[tuple[int, int | None]]:
    return [] if ledger is None else list(zip(ledger["steps"], ledger[name], strict=True))


def _known(ledger: Document | None, name: str) -> bool:
    return ledger is not None and any(value is not None for value in ledger[name])


def _ends(lines: Mapping[str, list[tuple[int, int | None]]], top: float) -> Iterator[Markup]:
    for line, (side, class_) in enumerate(SIDES):
        value = lines[side][-1][1] if lines[side] else None
        text = f"{class_}. {'not measured' if value is None else binary_size(value)}"
        yield element("text", text, x=0.0, y=top + 33 + 15 * line, class_=f"{class_}-fill")


def _described(ledgers: Mapping[str, Document | None], names: Sequence[str], words: Mapping[str, str]) -> str:
    told = []
    for name in names:
        ends = [(side, values[-1][1]) for side, _ in SIDES if (values := _values(ledgers[side], name))]
        parts = [f"{side} {'not measured' if value is None else binary_size(value)}" for side, value in ends]
        told.append(f"{words[name]}: {', '.join(parts)}")
    return f"Memory after the last step. {'; '.join(told)}."
