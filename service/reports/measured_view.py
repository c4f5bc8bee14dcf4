"""Step time, utilization and memory as the page shows them: a finding, a figure, and the numbers beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.parity.memory import DEVICE_SOURCE
from service.reports.check_view import gravest_check, sentence, spaced
from service.reports.figures import THIN, binary_size, figure, percent, scaled, whole
from service.reports.figures import ratio as ratio_text
from service.reports.forest import Axis, Ratio, axis_of, forest_cell, forest_ticks
from service.reports.json_values import number_of
from service.reports.ledger_chart import ledger_chart
from service.reports.timeline import FIELDS, SESSION_WORDS, Strip, slice_lanes, telemetry_strips, value_text

Document = Mapping[str, Any]
SIDES = ("reference", "candidate")
JUDGED = {"comparison": "Comparison", "confirmation": "Confirmation"}
NOT_MEASURED = "not measured"

LEDGER_WORDS = {
    "pool_used_bytes": "Pool, used",
    "pool_held_bytes": "Pool, held",
    "device_used_bytes": "Device, used",
}
CPU_LEDGER_WORDS = {
    "pool_used_bytes": "Arrays, used",
    "pool_held_bytes": "Arrays, held",
    "device_used_bytes": "Resident size",
}


def performance_view(report: Document) -> dict[str, Any]:
    """The forest of ratios, the slices along the clock, the rejected blocks and what this measurement could see."""
    found = report["performance"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    rows = _forest_rows(found)
    axis = axis_of([ratio for _, _, _, ratio in rows])
    return {
        "measured": True,
        "finding": _finding(report, "performance"),
        "margin": percent(number_of(found["margin"]) or 0.0),
        "rows": [_forest_row(name, note, blocks, ratio, axis) for name, note, blocks, ratio in rows],
        "ticks": forest_ticks(axis) if rows else "",
        "facts": _timing_facts(found),
        "lanes": slice_lanes(found["slices"]),
        "faults": [
            (SESSION_WORDS.get(entry["session"], entry["session"]), entry["fault"])
            for entry in found["sessions"]
            if entry["fault"]
        ],
        "rejected": [
            (
                f"{SESSION_WORDS.get(entry['session'], entry['session'])}, block {entry['block'] + 1}",
                "; ".join(entry["reasons"]),
            )
            for entry in found["rejected_blocks"]
        ],
    }


def utilization_view(report: Document) -> dict[str, Any]:
    """What the device did on each side, and the samples along the clock."""
    found, timed = report["utilization"], report["performance"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    sides = found["sides"]
    slices = timed["slices"] if timed["measured"] else []
    on_cpu = found["sampler"] is not None and found["sampler"]["source"] == "process"
    ends = [end for piece in slices if (end := number_of(piece["end_s"])) is not None]
    strips = [
        Strip(series, *(_mean_of(sides[side], series["field"]) for side in SIDES)) for series in found["telemetry"]
    ]
    return {
        "measured": True,
        "finding": _finding(report, "utilization"),
        "rows": [
            (name, *cells)
            for position, (name, cells) in enumerate(_work_rows(sides))
            if not on_cpu or position == 0 or cells != [NOT_MEASURED, NOT_MEASURED]
        ],
        "strips": telemetry_strips(slices, strips, max(ends, default=0.0)),
        "facts": list(_device_facts(found)),
        "missing": list(found["sampler"]["reasons"].items()) if found["sampler"] else [],
    }


def memory_view(report: Document) -> dict[str, Any]:
    """The ledgers over the steps, peaks and growth of each side, and how their allocation calls differ."""
    found = report["memory"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    on_device = found["source"] == DEVICE_SOURCE
    words = LEDGER_WORDS if on_device else CPU_LEDGER_WORDS
    return {
        "measured": True,
        "finding": _finding(report, "memory"),
        "source": found["source"],
        "steps": whole(found["steps"]),
        "judged_from": whole(found["judged_from_step"]),
        "leak_limit": f"{binary_size(number_of(found['leak_limit_bytes_per_step']) or 0.0)} a step",
        "chart": ledger_chart(found["ledgers"], words, found["judged_from_step"]),
        "rows": list(_memory_rows(found["sides"], words, on_device)),
        "growth": list(_growth_rows(found["sides"], words)),
        "pattern": sentence(found["pattern"]),
        "differences": [
            (
                row["stage"],
                f"{row['operation']} of {binary_size(row['size_bytes'])}",
                whole(row["reference"]),
                whole(row["candidate"]),
            )
            for row in found["differences"]
        ],
        "left_out": found["differences_left_out"],
    }


ForestRow = tuple[str, str, str, Ratio]


def _forest_rows(found: Document) -> list[ForestRow]:
    """What is judged first, its pairs below it, then what the machine was tried by."""
    bands = {"a_a": number_of(found["a_a_margin"]), "sampler": number_of(found["sampler_effect"])}
    rows: list[ForestRow] = []
    for entry in found["sessions"]:
        session, ratio = entry["session"], number_of(entry["ratio"])
        if ratio is None:
            continue
        band = bands.get(session, number_of(found["margin"])) or 0.0
        name = JUDGED.get(session) or SESSION_WORDS[session].capitalize()
        note = _note(session, entry, band)
        blocks = f"{entry['valid_blocks']} of {entry['blocks']}"
        low, high = (number_of(entry[end]) for end in ("low", "high"))
        rows.append((name, note, blocks, Ratio(ratio, low, high, band, judged=session in JUDGED)))
        parts = ("comparison", "extension") if session == "comparison" else (session,)
        rows += [_pair_row(pair, band) for pair in found["pairs"] if pair["session"] in parts]
    return rows


def _note(session: str, entry: Document, band: float) -> str:
    if session == "side_by_side":
        return "both at once, a card each: may contradict"
    if session not in JUDGED:
        return f"band ±{percent(band)}"
    return "judged: t and bootstrap" + (", extended once" if entry["extended"] else "")


def _pair_row(pair: Document, band: float) -> ForestRow:
    low, high = number_of(pair["low"]), number_of(pair["high"])
    name = f"Process pair {pair['pair'] + 1}" + (", extension" if pair["session"] == "extension" else "")
    count = len(pair["blocks"])
    note = f"{count} block{'s' if count > 1 else ''}, t" if low is not None else "one block: no interval"
    return name, note, str(count), Ratio(number_of(pair["ratio"]) or 0.0, low, high, band, judged=False)


def _forest_row(name: str, note: str, blocks: str, ratio: Ratio, axis: Axis) -> dict[str, Any]:
    interval = NOT_MEASURED
    if ratio.low is not None and ratio.high is not None:
        interval = f"{ratio_text(ratio.low)} to {ratio_text(ratio.high)}"
    return {
        "name": name,
        "note": note,
        "blocks": blocks,
        "judged": ratio.judged,
        "ratio": ratio_text(ratio.ratio),
        "interval": interval,
        "plot": forest_cell(ratio, axis),
    }


def _timing_facts(found: Document) -> list[tuple[str, str]]:
    comparison: Document = next((entry for entry in found["sessions"] if entry["session"] == "comparison"), {})
    times, capped = found["step_time_ms"], found["power_capped_share"]
    facts = [(f"Median step, {side}", _work(times[side], "median", "ms")) for side in SIDES]
    facts += [(f"Wall time a step, {side}", _work(times[side], "wall", "ms")) for side in SIDES]
    if comparison:
        facts.append(("Valid blocks", f"{comparison['valid_blocks']} of {comparison['blocks']}"))
    facts += [
        (name, NOT_MEASURED if (value := number_of(comparison.get(key))) is None else percent(value))
        for name, key in (("Spread of blocks", "spread"), ("Smallest visible effect", "smallest_visible_effect"))
    ]
    p = number_of(comparison.get("equivalence_p"))
    facts.append(("Equivalence, p (TOST)", NOT_MEASURED if p is None else figure(p, 2)))
    if found["decision"]:
        facts.append(("Decision", found["decision"]))
    shares = [(side, share) for side in SIDES if (share := number_of(capped[side])) is not None]
    facts += [(f"Power-capped, {side}", percent(share)) for side, share in shares]
    return [*facts, ("Clock", found["clock"])]


def _work_rows(sides: Document) -> Iterable[tuple[str, list[str]]]:
    """Utilization first, what it means beside it, then what a step cost."""
    names = ("sm_active_pct", "sm_occupancy_pct", "tensor_active_pct", "fp32_active_pct", "dram_active_pct")
    yield "Kernel-resident time", [_work(sides[side], "kernel_resident_pct", "%") for side in SIDES]
    for name in (*names, "power_w"):
        yield FIELDS[name][0], [value_text(name, _mean_of(sides[side], name)) for side in SIDES]
    yield "SM clock", [_work(sides[side], "sm_clock_mhz", "MHz") for side in SIDES]
    yield "Busy time a step", [_scaled(sides[side], "busy_s_per_step", 1e3, "ms") for side in SIDES]
    rates = [None if sides[side] is None else number_of(sides[side]["flops_per_s"]) for side in SIDES]
    yield "Model FLOP/s", [NOT_MEASURED if rate is None else scaled(rate, "FLOP/s") for rate in rates]
    shares = [None if sides[side] is None else number_of(sides[side]["matrix_peak_share"]) for side in SIDES]
    yield "Share of the matrix peak", [NOT_MEASURED if share is None else percent(share) for share in shares]
    yield "Energy a step", [_work(sides[side], "joules_per_step", "J") for side in SIDES]


def _device_facts(found: Document) -> Iterable[tuple[str, str]]:
    difference = number_of(found["difference_points"])
    if difference is not None:
        yield "Candidate less reference", f"{figure(difference, 2)} points"
    yield "Floor", f"{figure(number_of(found['floor_pct']) or 0.0)}{THIN}%"
    yield "Allowed drop", f"{figure(number_of(found['drop_points']) or 0.0)} points"
    fill, peak = number_of(found["fill_blocks_per_sm"]), number_of(found["matrix_peak_flops_per_s"])
    if fill is not None:
        yield "Thread blocks an SM", figure(fill)
    if peak is not None:
        yield "Matrix peak, measured", scaled(peak, "FLOP/s")
    sampler = found["sampler"]
    if sampler is None:
        return
    yield "Watched by", sampler["source"]
    wall, cpu = number_of(sampler["wall_s"]), number_of(sampler["cpu_s"])
    if wall and cpu is not None:
        yield "Cost of watching", f"{percent(cpu / wall)} of a core"
    yield "Reads, late or lost", f"{whole(sampler['reads'])}, {whole(sampler['gaps'])}"
    for status, count in sampler["statuses"].items():
        if status != "ok":
            yield f"Samples {spaced(status)}", whole(count)


def _memory_rows(sides: Document, words: Mapping[str, str], on_device: bool) -> Iterable[tuple[str, list[str]]]:
    yield f"Peak of the {'pool' if on_device else 'arrays'}", [_bytes_of(sides[side], "peak_bytes") for side in SIDES]
    if any(sides[side] and sides[side]["device_peak_bytes"] is not None for side in SIDES):
        yield "Peak of the device", [_bytes_of(sides[side], "device_peak_bytes") for side in SIDES]
    for name, said in words.items():
        yield f"{said}, at the end", [_bytes_of(sides[side] and sides[side]["last"], name) for side in SIDES]
    if on_device:
        yield "Outside the pool", [_bytes_of(sides[side], "outside_the_pool_bytes") for side in SIDES]
        yield "Context and libraries", [_bytes_of(sides[side], "context_bytes") for side in SIDES]
    yield "Allocation calls, set-up", [_count_of(sides[side], "setup_events") for side in SIDES]
    yield "Allocation calls, steady step", [_count_of(sides[side], "steady_step_events") for side in SIDES]
    yield "Repeats itself from step", [_count_of(sides[side], "repeats_from_step") for side in SIDES]


def _growth_rows(sides: Document, words: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    for name, said in words.items():
        growth = [_slope(sides[side] and sides[side]["growth"][name]) for side in SIDES]
        if growth != [NOT_MEASURED, NOT_MEASURED]:
            yield said, growth


def _slope(slope: Document | None) -> str:
    if slope is None:
        return NOT_MEASURED
    estimate, low, high = (number_of(slope[key]) or 0.0 for key in ("estimate", "low", "high"))
    return f"{binary_size(estimate)} [{binary_size(low)} to {binary_size(high)}]"


def _finding(report: Document, section: str) -> str | None:
    """What the gravest check of the section found; `None` before the verdict."""
    check = gravest_check(report["checks"], f"{section}.")
    return None if check is None else sentence(check["message"])


def _mean_of(work: Document | None, field: str) -> float | None:
    if work is None:
        return None
    return number_of(work[field] if field in work else work["activity"].get(field))


def _work(work: Document | None, key: str, unit: str) -> str:
    return _scaled(work, key, 1.0, unit)


def _scaled(work: Document | None, key: str, factor: float, unit: str) -> str:
    value = None if work is None else number_of(work[key])
    return NOT_MEASURED if value is None else f"{figure(value * factor, 4)}{THIN}{unit}"


def _bytes_of(values: Document | None, key: str) -> str:
    value = None if values is None else values[key]
    return NOT_MEASURED if value is None else binary_size(value)


def _count_of(values: Document | None, key: str) -> str:
    value = None if values is None else values[key]
    return NOT_MEASURED if value is None else whole(value)
