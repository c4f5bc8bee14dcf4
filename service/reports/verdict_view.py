"""The top of the page: the answer as a sentence, why, the key figures and the first divergence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from service.reports.check_view import KINDS, finding, sentence
from service.reports.figures import duration, figure, moment, whole
from service.reports.json_values import number_of
from service.reports.rejudge import told

Document = Mapping[str, Any]

_OUTCOMES = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open"}
_STATES = {
    "queued": ("wait", "queued"),
    "running": ("run", "running"),
    "failed": ("error", "no verdict"),
    "cancelled": ("stop", "cancelled"),
    "finished": ("error", "no verdict"),
}


def verdict_view(report: Document) -> dict[str, Any]:
    """Everything that stands above the table of checks."""
    outcome, again = report["outcome"], told(report)
    kind, word = (_OUTCOMES[outcome], outcome) if outcome in _OUTCOMES else _STATES[report["state"]]
    return {
        "kind": kind,
        "word": word,
        "title": _title(report),
        "why": [*([("", again)] if again else []), *_why(report)],
        "meta": _meta(report),
        "facts": _facts(report) if report["checks"] or report["taps"] else [],
        "first": _first(report),
    }


def _title(report: Document) -> str:
    candidate, reference = report["plan"]["candidate"], report["plan"]["reference"]
    titles = {
        "PASS": f"{candidate} may replace {reference}.",
        "FAIL": f"{candidate} may not replace {reference}.",
        "INCONCLUSIVE": f"Not decided whether {candidate} may replace {reference}.",
    }
    states = {
        "queued": f"{candidate} against {reference}: waiting for a worker.",
        "running": f"{candidate} against {reference}: being carried out.",
        "failed": f"No verdict on {candidate}: Lockstep could not carry the run out.",
        "cancelled": f"No verdict on {candidate}: the run was cancelled.",
    }
    return titles.get(report["outcome"]) or states.get(report["state"], f"No verdict on {candidate}.")


def _why(report: Document) -> list[tuple[str, str]]:
    """Sentences as (name of a check or "", text)."""
    required = [check for check in report["checks"] if check["required"]]
    if report["outcome"] == "PASS":
        return [("", f"All {len(required)} required checks pass."), *_left_out(report)]
    if report["outcome"] in ("FAIL", "INCONCLUSIVE"):
        wanted = "fail" if report["outcome"] == "FAIL" else None
        grave = [c for c in required if c["outcome"] == wanted or (wanted is None and c["outcome"] != "pass")]
        verb = "fail" if wanted else "could not be decided"
        if len(grave) == 1 and wanted:
            verb = "fails"
        if required and not grave:  # judged again before its end: all that was recorded passes
            return [("", sentence(report["summary"])), *_left_out(report)]
        count = [("", f"{len(grave)} of {len(required)} required checks {verb}.")] if required else []
        first = [(check["name"], sentence(check["message"])) for check in grave[:1]]
        others = ", ".join(check["name"] for check in grave[1:])
        return [*count, *first, *([("", f"Also: {others}.")] if others else []), *_left_out(report)]
    if report["error"]:
        return [("", sentence(report["error"]["message"] or "No reason was recorded"))]
    seen = [("", "What was observed until then stands below; none of it is a verdict.")] if report["subjects"] else []
    return [("", sentence(report["summary"])), *seen]


def _left_out(report: Document) -> list[tuple[str, str]]:
    names = [c["name"] for c in report["checks"] if c["outcome"] == "not_measured" and not c["required"]]
    if not names:
        return []
    areas = list(dict.fromkeys(name.split(".")[0] for name in names))
    listed = areas[0] if len(areas) == 1 else ", ".join(areas[:-1]) + f" and {areas[-1]}"
    return [("", f"Not measured, and not required by the policy: {len(names)} checks of {listed}.")]


def _meta(report: Document) -> list[tuple[str, str]]:
    """Facts about the run as (emphasised, plain)."""
    timing, policy = report["timing"], report["policy"]
    meta = [(report["plan"]["candidate"], f"against {report['plan']['reference']}")]
    device = next((info["device"] for info in report["subjects"].values()), report["plan"]["device"])
    meta.append(("device", str(device)))
    meta.append((f"policy {policy['name']}", f"precision class {policy['precision_class']}"))
    meta.append(("", moment(timing["finished_at"] or timing["started_at"] or timing["created_at"])))
    if timing["duration_s"] is not None:
        meta.append(("", f"took {duration(timing['duration_s'])}"))
    return meta


def _facts(report: Document) -> list[dict[str, Any]]:
    checks = report["checks"]
    over = len(_over_limit(report))
    ratio = _fact("Error ratio", finding(checks, "numerics.synchronized"))
    ratio["lines"].append(f"{over} of {len(report['taps'])} taps over it")
    flips = _fact("Sign flips", finding(checks, "numerics.sign_disagreements"))
    if report["signs"]["measured"]:
        flips["big"] = whole(report["signs"]["candidate"]["flips"])
        seen, limit = report["signs"]["candidate"], number_of(report["signs"]["limit"]) or 0.0
        worst = number_of(seen["worst_excess"])
        flips["lines"] = [f"of {whole(seen['units'])} units"]
        flips["lines"].append("" if worst is None else f"worst {figure(worst)} of {figure(limit)} bounds")
    return [
        ratio,
        flips,
        _fact("Distance from the reference", finding(checks, "numerics.free_running"), "widths"),
        _final_loss(report, finding(checks, "learning.loss_falls")),
        _criterion(report, finding(checks, "learning.color_reconstruction")),
        _coverage(report),
    ]


def _fact(name: str, check: Document | None, unit: str = "") -> dict[str, Any]:
    fact: dict[str, Any] = {"name": name, "kind": None, "word": "", "big": None, "unit": unit, "lines": []}
    if check is None:
        return fact
    fact["kind"], fact["word"] = KINDS[check["outcome"]]
    value, limit = number_of(check["value"]), number_of(check["limit"])
    fact["big"] = None if value is None else figure(value)
    if limit is not None:
        fact["lines"].append(f"limit {figure(limit)}")
    return fact


def _final_loss(report: Document, check: Document | None) -> dict[str, Any]:
    fact = {**_fact("Final loss", check), "big": None, "lines": []}
    series = report["losses"]["free_running"]
    if series["measured"]:
        reference, candidate = (number_of(series["final"][side]) for side in ("reference", "candidate"))
        fact["big"] = None if candidate is None else figure(candidate)
        fact["lines"] = [f"reference {'none' if reference is None else figure(reference)}"]
        fact["lines"].append(f"after {whole(series['total_steps'])} steps")
    return fact


def _criterion(report: Document, check: Document | None) -> dict[str, Any]:
    criterion = report["learning"].get("criterion")
    fact = {**_fact(criterion["name"] if criterion else "Colour reconstruction", check), "big": None, "lines": []}
    if criterion:
        mine, theirs = number_of(criterion["candidate_error"]), number_of(criterion["reference_error"])
        fact["big"], fact["unit"] = (None, "") if mine is None else (figure(mine, 2), "off")
        fact["lines"] = [f"reference {'none' if theirs is None else figure(theirs, 2)}"]
        fact["lines"].append(f"limit {_limit(criterion['tolerance'])} a channel")
    return fact


def _coverage(report: Document) -> dict[str, Any]:
    found = report["coverage"]
    fact = _fact("Coverage", None)
    if found["expected"] is None:
        return fact
    fact["big"], fact["unit"] = whole(found["compared"]), f"of {whole(found['expected'])}"
    fact["lines"] = [f"{found['taps_compared']} taps × {found['steps_compared']} steps"]
    missing = found["expected"] - found["compared"]
    fact["lines"].append("none missing" if missing == 0 else f"{whole(missing)} missing")
    fact["kind"], fact["word"] = ("pass", "complete") if missing == 0 else ("open", "incomplete")
    return fact


def _first(report: Document) -> dict[str, Any] | None:
    found = report["first_divergence"]
    if found is None:
        return None
    ratio = number_of(found["ratio"])
    tap = next((tap for tap in report["taps"] if tap["tap"] == found["tap"]), None)
    later = [other for other in _over_limit(report) if tap and other["position"] > tap["position"]]
    return {**found, "seen": _seen(found, ratio, report), "later": len(later), "witness": _witness(tap, report)}


def _limit(value: Any) -> str:
    number = number_of(value)
    return "none" if number is None else figure(number)


def _over_limit(report: Document) -> list[Document]:
    limit = number_of(report["policy"]["error_ratio"]) or 0.0
    return [tap for tap in report["taps"] if not (number_of(tap["error_ratio"]) or 0.0) <= limit]


def _seen(found: Document, ratio: float | None, report: Document) -> str:
    if ratio is None:
        trouble = next((t for t in report["troubles"] if t["step"] == found["step"] and t["side"] == "candidate"), None)
        return sentence(trouble["message"]) if trouble else "No ratio: the tap holds NaN or Inf, or is missing."
    if found["phase"] == "free_running":
        limit = _limit(report["policy"]["band"])
        return f"{figure(ratio)} widths of the band from the reference’s own training; {limit} are allowed."
    factor = "infinitely many" if math.isinf(ratio) else figure(ratio)
    return (
        f"The candidate’s error is {factor} times the reference’s own rounding error; "
        f"{_limit(report['policy']['error_ratio'])} is allowed."
    )


def _witness(tap: Document | None, report: Document) -> list[tuple[str, str]]:
    """The tap's largest errors over all compared steps."""
    if tap is None:
        return []
    rows = {
        "Reference’s largest error": tap["reference_error"],
        "Candidate’s largest error": tap["candidate_error"],
        "Largest difference": tap["max_abs"],
    }
    found = [(name, "not measured" if (n := number_of(v)) is None else figure(n)) for name, v in rows.items()]
    found.append(("Largest distance in ULP", "not measured" if tap["max_ulp"] is None else whole(tap["max_ulp"])))
    ratio = number_of(tap["error_ratio"])
    found.append(("Error ratio, all steps", "not measured" if ratio is None else figure(ratio)))
    return found
