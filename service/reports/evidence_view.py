"""The evidence below the checks: numerics, training, learning, checkpoints, plan, environment, what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from service.reports.charts import Line, band_chart, chips, loss_chart, ratio_chart
from service.reports.check_view import spaced, words_of
from service.reports.figures import duration, figure, moment, percent, short_digest, whole
from service.reports.heat_map import HeatRow, Ring, heat_key, heat_map, shown_rows
from service.reports.json_values import number_of

Document = Mapping[str, Any]
SIDES = ("reference", "candidate")
LINE_CLASSES = {"reference": "ref", "candidate": "cand"}
OPEN_TAPS = 40
"""A table of taps longer than this is closed at first."""


def numerics_view(report: Document) -> dict[str, Any]:
    """Heat-map, one tap's history, the table of taps and the signs."""
    matrix, limit = report["error_ratios"], number_of(report["policy"]["error_ratio"]) or 0.0
    taps = [_tap_row(tap, limit) for tap in report["taps"]]
    view: dict[str, Any] = {
        "taps": taps,
        "opened": len(taps) <= OPEN_TAPS,
        "finding": _numerics_finding(report, limit),
        "signs": report["signs"],
        "sign_rows": _sign_rows(report["signs"]),
        "reason": matrix.get("reason"),
        "map": Markup(""),
        "history": None,
    }
    if matrix["measured"] and matrix["rows"]:
        rows = _heat_rows(report)
        columns = [(column["first"], column["last"]) for column in matrix["columns"]]
        view["map"] = heat_map(shown_rows(rows), columns, limit, _ring(report))
        view["key"] = heat_key(rows, limit)
        view["shown"], view["total"] = len(shown_rows(rows)), len(rows)
        view["reduced"] = matrix["reduced"]
        view["total_steps"] = whole(matrix["total_steps"])
        view["history"] = _history(report, rows, [first for first, _ in columns], limit)
    return view


def training_view(report: Document) -> dict[str, Any]:
    """Loss curves and the distance in widths of the band."""
    series, band = report["losses"]["free_running"], report["band"]
    phase = "free_running"
    if not series["measured"] and report["losses"]["synchronized"]["measured"]:
        phase, series = "synchronized", report["losses"]["synchronized"]
    view: dict[str, Any] = {"phase": spaced(phase), "loss": Markup(""), "distance": Markup(""), "facts": []}
    view["reason"], view["band_reason"] = series.get("reason"), band.get("reason")
    if series["measured"]:
        lines = [Line(side, LINE_CLASSES[side], series["steps"], _numbers(series[side])) for side in SIDES]
        view["loss"] = loss_chart(lines)
        view["facts"] += [(f"Final loss, {side}", _text(series["final"][side])) for side in SIDES]
        view["steps"], view["reduced"] = whole(series["total_steps"]), series["reduced"]
        view["points"] = whole(len(series["steps"]))
    if band["measured"]:
        lines = [
            Line(name, class_, band[name]["steps"], _numbers(band[name]["ratio"]))
            for name, class_ in (("loss", "cand"), ("weights", "cand dashed"))
        ]
        view["distance"] = band_chart(lines, number_of(band["limit"]) or 0.0)
        view["members"] = band["members"]
        for name in ("loss", "weights"):
            view["facts"].append((f"Largest distance, {name}", f"{_text(band[name]['worst'])} widths"))
            left = band[name]["left_at"]
            view["facts"].append(
                (f"{name.capitalize()} left the band", "never" if left is None else f"step {whole(left)}")
            )
        view["facts"].append(("Units moved in each perturbation", f"at least {percent(band['moved_fraction'])}"))
    return view


def learning_view(report: Document) -> dict[str, Any]:
    """Swatches, worst first after the criterion's, and the figures over all colours."""
    found = report["learning"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    models = {model["side"]: model for model in found["models"]}
    criterion, *others = found["swatches"] or [None]
    others.sort(key=lambda swatch: -_badness(swatch["candidate_error"]))
    swatches = [] if criterion is None else [criterion, *others]
    figures = [("Mean RGB error", "mean_rgb_error"), ("Nearest to their own name", "named_right"),
               ("Spread of the outputs", "output_spread"), ("Spread of the data", "data_spread"),
               ("NaN or Inf", "nonfinite")]  # fmt: skip
    return {
        "measured": True,
        "criterion": found["criterion"],
        "tolerance": _text((found["criterion"] or {}).get("tolerance")),
        "rows": whole(next(iter(models.values()))["rows"]) if models else None,
        "figures": [
            (name, *(_text(models[side][key]) if side in models else "not measured" for side in SIDES))
            for name, key in figures
        ],
        "finding": ", ".join(
            f"{side} {_text(models[side]['mean_rgb_error'])}" for side in ("candidate", "reference") if side in models
        ),
        "swatches": [_swatch_row(swatch, first=index == 0) for index, swatch in enumerate(swatches)],
        "confusions": [
            (found_for["name"], *(_taken_for(found_for["name"], found_for[side]) for side in SIDES))
            for found_for in found["confusions"]
        ],
    }


def _taken_for(name: str, nearest: Document | None) -> list[str | None]:
    """The name that an output is nearest to, its distance to that colour, and to the one that went in."""
    if nearest is None:
        return [None, None, None]
    taken = "itself" if nearest["name"] == name else str(nearest["name"])
    return [taken, _text(nearest["distance"]), _text(nearest["own_distance"])]


def checkpoints_view(report: Document) -> dict[str, Any]:
    """A row a trip of the matrix, those that broke included."""
    found = report["checkpoints"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    made = {(trip["saved_by"], trip["loaded_by"], trip["format"]): trip for trip in found["trips"]}
    matrix = [(saver, loader, kind) for saver in SIDES for loader in SIDES for kind in ("npz", "safetensors")]
    spec, expected = report["plan"]["checkpoint"], report["coverage"]["checkpoint_trips_expected"]
    return {
        "measured": True,
        "limit": _text(found["limit"]),
        "steps": [whole(spec["steps_before"]), whole(spec["steps_after"])],
        "finding": f"{whole(len(found['trips']))} of {_known(expected)} trips were made",
        "rows": [
            {
                "saver": saver,
                "loader": loader,
                "kind": f".{kind}",
                "cells": _trip_cells(made.get((saver, loader, kind))),
            }
            for saver, loader, kind in matrix
        ],
    }


def _trip_cells(trip: Document | None) -> list[str]:
    """Arrays, metadata, outputs, training resumed; each "equal" or what is not."""
    if trip is None:
        return []
    arrays = f"{whole(trip['arrays'])} bit-equal"
    if trip["differing_arrays"]:
        arrays = f"differ: {_names(trip['differing_arrays'])}"
    metadata = f"lost: {_names(trip['lost_metadata'])}" if trip["lost_metadata"] else "kept"
    outputs = "not measured"
    if trip["differing_outputs"] is not None:
        outputs = f"{whole(trip['outputs'])} bit-equal"
    if trip["differing_outputs"]:
        outputs = f"{whole(trip['differing_outputs'])} differ, error ratio {_text(trip['error_ratio'])}"
    resumed = "bit-equal"
    if number_of(trip["resumed_distance"]) != 0 or trip["resumed_differing"]:
        resumed = f"{_text(trip['resumed_distance'])} apart; two from one state {_text(trip['repeat_distance'])}"
    return [arrays, metadata, outputs, resumed]


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {whole(len(names) - 3)} more" if len(names) > 3 else "")


def absent_view(report: Document) -> list[tuple[str, str]]:
    """The sections that this run did not measure, each with its reason."""
    sections = ("performance", "utilization", "memory")
    return [
        (section.capitalize(), report[section]["reason"]) for section in sections if not report[section]["measured"]
    ]


def integrity_view(report: Document) -> dict[str, Any]:
    """Data, batches and frozen files."""
    found = report["integrity"]
    if not found["measured"]:
        return {"measured": False, "reason": found["reason"]}
    return {
        **found,
        "dataset_rows": whole(found["dataset_rows"]),
        "batches": [
            {
                **ledger,
                "same": ledger["reference_digest"] == ledger["candidate_digest"] == ledger["planned_digest"],
                "digests": [short_digest(ledger[f"{who}_digest"]) for who in ("planned", *SIDES)],
            }
            for ledger in found["batches"]
        ],
    }


def plan_view(report: Document) -> dict[str, Any]:
    """Plan, policy, subjects, environment, coverage and timing as rows of words."""
    policy = {key: value for key, value in report["policy"].items() if key not in ("required", "name")}
    times = report["timing"]
    return {
        "plan": list(_flat(report["plan"])),
        "policy": list(_flat(policy)),
        "subjects": [(side, list(_flat(info))) for side, info in report["subjects"].items()],
        "environment": list(_flat(report["environment"])),
        "coverage": [(spaced(key), _known(value)) for key, value in report["coverage"].items()],
        "timing": [
            (spaced(key.removesuffix("_s")), _time(key, value)) for key, value in times.items() if value is not None
        ],
    }  # fmt: skip


def _tap_row(tap: Document, limit: float) -> dict[str, Any]:
    ratio = number_of(tap["error_ratio"])
    return {
        **{key: _text(tap[key]) for key in ("reference_error", "candidate_error", "max_abs", "rms")},
        "tap": tap["tap"],
        "ratio": _text(tap["error_ratio"]),
        "over": ratio is not None and not ratio <= limit,
        "step": "" if tap["worst_step"] is None else whole(tap["worst_step"]),
        "cosine": "not measured" if (cosine := number_of(tap["cosine"])) is None else f"{cosine:.6f}",
        "ulp": "not measured" if tap["max_ulp"] is None else whole(tap["max_ulp"]),
        "mismatches": "bit-equal" if _bit_equal(tap) else whole(tap["mismatches"]),
        "nonfinite": f"{whole(tap['nonfinite_reference'])}, {whole(tap['nonfinite_candidate'])}",
    }


def _bit_equal(tap: Document) -> bool:
    counts = (tap["mismatches"], tap["nonfinite_reference"], tap["nonfinite_candidate"])
    return not any(counts)


def _numerics_finding(report: Document, limit: float) -> str:
    if not report["taps"]:
        return "No taps were compared."
    ratios = [number_of(tap["error_ratio"]) for tap in report["taps"]]
    over = sum(ratio is not None and not ratio <= limit for ratio in ratios)
    equal = sum(_bit_equal(tap) for tap in report["taps"])
    witness = report["coverage"]["witness"]
    within = len(ratios) - over - sum(ratio is None for ratio in ratios)
    return (
        f"Of {len(ratios)} taps, {over} are over the limit of {figure(limit)} and {within} within it, {equal} of them "
        f"bit-equal on both sides. Errors are measured from the {witness}."
    )


def _heat_rows(report: Document) -> list[HeatRow]:
    pooled = {tap["tap"]: tap for tap in report["taps"]}
    rows = []
    for row in report["error_ratios"]["rows"]:
        tap = pooled.get(row["tap"])
        ratio = None if tap is None else number_of(tap["error_ratio"])
        if tap is not None and tap["nonfinite_reference"] + tap["nonfinite_candidate"]:
            ratio = math.nan
        equal = tap is not None and _bit_equal(tap)
        rows.append(HeatRow(row["tap"], _numbers(row["ratios"]), row["mismatches"], ratio, equal))
    return rows


def _ring(report: Document) -> Ring | None:
    found = report["first_divergence"]
    if found is None or found["phase"] != "synchronized":
        return None
    return Ring(found["tap"], found["step"], number_of(found["ratio"]))


def _history(report: Document, rows: list[HeatRow], steps: list[int], limit: float) -> dict[str, Any] | None:
    """The ratio by step of the tap of the first divergence, else of the worst tap."""
    ring = _ring(report)
    known = [row for row in rows if any(ratio is not None for ratio in row.ratios)]
    if not known:
        return None
    row = next((row for row in known if ring and row.tap == ring.tap), None)
    row = row or max(known, key=lambda candidate: _badness(candidate.pooled))
    tap = next((tap for tap in report["taps"] if tap["tap"] == row.tap), None)
    return {
        "tap": row.tap,
        "why": "first divergence" if ring and ring.tap == row.tap else "largest error ratio",
        "chart": ratio_chart(steps, row.ratios, limit),
        "row": None if tap is None else _tap_row(tap, limit),
    }


def _sign_rows(signs: Document) -> list[tuple[str, str, str, str]]:
    if not signs["measured"]:
        return []
    rows = []
    for entry in signs["taps"]:
        worst = number_of(entry["candidate"]["worst_excess"])
        flips = [whole(entry[side]["flips"]) for side in SIDES]
        rows.append((entry["tap"], *flips, "no flip" if worst is None else figure(worst)))
    return rows


def _swatch_row(swatch: Document, first: bool) -> dict[str, Any]:
    colours = [(name, _channels(swatch[key])) for name, key in
               (("input", "target"), ("reference", "reference"), ("candidate", "candidate"))]  # fmt: skip
    return {
        "name": swatch["name"],
        "first": first,
        "chips": chips(colours),
        "rgb": ["none" if rgb is None else " ".join(_channel(c) for c in rgb) for _, rgb in colours],
        "errors": [_text(swatch[f"{side}_error"], 2) for side in SIDES],
    }


def _channels(values: Any) -> list[float] | None:
    return None if values is None else [n if (n := number_of(value)) is not None else math.nan for value in values]


def _channel(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) and abs(value) < 100 else figure(value)


def _flat(document: Document, prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{spaced(key)} · ")
        else:
            yield f"{prefix}{spaced(key)}", _known(value)


def _known(value: Any) -> str | None:
    """The value in words; `None` where it was not measured or is not planned, for the page to say so."""
    return None if value is None else words_of(value)


def _time(key: str, value: Any) -> str:
    return duration(float(value)) if key.endswith("_s") else moment(str(value))


def _numbers(values: list[Any]) -> list[float | None]:
    return [number_of(value) for value in values]


def _text(value: Any, digits: int = 3) -> str:
    number = number_of(value)
    return "not measured" if number is None else figure(number, digits)


def _badness(value: Any) -> float:
    number = number_of(value)
    return math.inf if number is None or math.isnan(number) else number
