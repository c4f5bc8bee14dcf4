"""What the sampler saw, a series a field: seconds of the phase's own clock, and the gaps in which nothing was seen.

A gap is a value that was not to be had, or a pause of several usual distances between two samples. It is never bridged.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from service.parity.measurements import POLLED_FIELDS, PerformanceEvidence, TelemetrySample
from service.reports.series import kept_rows

MAX_POINTS = 240
"""Of one field: a strip of the page is not wider than so many can be told apart."""
MAX_GAPS = 200
GAP_FACTOR = 3.0
"""Usual distances between samples that make a pause a gap."""

Span = tuple[float, float]


def phase_span(found: PerformanceEvidence) -> Span | None:
    """First and last moment of the machine's clock of which anything is known; `None` where nothing was timed."""
    moments = [*(s.started_s for s in found.slices), *(s.ended_s for s in found.slices)]
    known = [moment for moment in moments if math.isfinite(moment)]
    return (min(known), max(known)) if known else None


def telemetry_series(samples: Sequence[TelemetrySample], span: Span) -> list[dict[str, Any]]:
    """One entry a field, of the samples within `span`; times are seconds since its begin."""
    begin, end = span
    by_field: dict[str, list[TelemetrySample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.at_s):
        if begin <= sample.at_s <= end:
            by_field.setdefault(sample.field, []).append(sample)
    order = [*(name for name in POLLED_FIELDS if name in by_field), *sorted(set(by_field) - set(POLLED_FIELDS))]
    return [_series(name, by_field[name], span) for name in order]


def _series(name: str, rows: Sequence[TelemetrySample], span: Span) -> dict[str, Any]:
    seen = [row for row in rows if row.value is not None and row.status == "ok"]
    kept = kept_rows([[row.value for row in seen]], MAX_POINTS)
    return {
        "field": name,
        "samples": len(rows),
        "missing": dict(sorted(Counter(row.status for row in rows if row.status != "ok").items())),
        "reduced": len(kept) < len(seen),
        "at_s": [round(seen[index].at_s - span[0], 3) for index in kept],
        "values": [seen[index].value for index in kept],
        "gaps": _longest(_gaps(rows, [row.at_s for row in seen], span), span[0]),
    }


def _gaps(rows: Sequence[TelemetrySample], seen_s: Sequence[float], span: Span) -> Iterable[tuple[float, float, str]]:
    distances = [later - earlier for earlier, later in itertools.pairwise(seen_s)]
    usual = statistics.median(distances) if distances else math.inf
    bounds = [span[0], *seen_s, span[1]] if seen_s else list(span)
    for earlier, later in itertools.pairwise(bounds):
        between = [row.status for row in rows if earlier <= row.at_s <= later and row.status != "ok"]
        if between or not seen_s or later - earlier > GAP_FACTOR * usual:
            status = Counter(between).most_common(1)[0][0] if between else "no sample"
            yield earlier, later, status


def _longest(gaps: Iterable[tuple[float, float, str]], begin: float) -> list[dict[str, Any]]:
    """In order of time; of very many those that can be seen."""
    kept = sorted(gaps, key=lambda gap: gap[0] - gap[1])[:MAX_GAPS]
    return [
        {"from_s": round(earlier - begin, 3), "to_s": round(later - begin, 3), "status": status}
        for earlier, later, status in sorted(kept)
        if later > earlier
    ]
