"""Which samples belong to a slice, and what they say of it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.parity.measurements import Slice, TelemetrySample

PERIODS_S: Mapping[str, float] = {
    "kernel_resident_pct": 0.2,
    "memory_busy_pct": 0.2,
    "sm_active_pct": 0.25,
    "sm_occupancy_pct": 0.25,
    "tensor_active_pct": 0.25,
    "fp32_active_pct": 0.25,
    "dram_active_pct": 0.25,
    "process_cpu_pct": 0.25,
}
"""Over how long a value of the field is a mean, at least; the others are of a moment."""


def seen_within(piece: Slice, samples: Sequence[TelemetrySample]) -> Slice:
    """The slice with what was sampled in it. `samples` are in order of time and may reach beyond it.

    A mean over a period counts where all of that period, which is the time since the field's last value but at least
    `PERIODS_S`, lies in the slice: else it would tell of the other role too. No such sample: not measured. Of a slice
    that was taken in turns nothing is kept but the clock, which does not follow so fast.
    """
    within: dict[str, list[float]] = defaultdict(list)
    last: dict[str, float] = {}
    for sample in samples:
        before, last[sample.field] = last.get(sample.field), sample.at_s
        if sample.value is None or sample.status != "ok" or sample.at_s > piece.ended_s:
            continue
        period = PERIODS_S.get(sample.field, 0.0)
        if period and before is not None and sample.at_s - before > period:
            # A later reading of the driver's last period is no mean over the whole gap.
            period = min(sample.at_s - before, 2 * period)
        if sample.at_s - period >= piece.started_s:
            within[sample.field].append(sample.value)
    clocks = within.pop("sm_clock_mhz", None)
    if piece.interrupted:
        return replace(piece, sm_clock_mhz=statistics.median(clocks) if clocks else None)
    resident = within.pop("kernel_resident_pct", None)
    return replace(
        piece,
        kernel_resident_pct=statistics.fmean(resident) if resident else None,
        sm_clock_mhz=statistics.median(clocks) if clocks else None,
        activity={field: statistics.fmean(values) for field, values in sorted(within.items())},
    )
