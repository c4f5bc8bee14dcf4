"""judge: the policies, determinism, and that no deletion of evidence leaves a PASS behind."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.parity.checks import MEASURED, judge
from service.parity.policy import (
    ALL_CHECKS,
    HARDWARE_CHECKS,
    LEARNING_CHECKS,
    NUMERIC_CHECKS,
    POLICIES,
    Policy,
    named_policy,
)
from service.parity.record import BatchLedger, RunRecord, SubjectInfo, Trouble

NAN = math.nan
DEFAULT = named_policy("default")
Change = Callable[..., RunRecord]


@pytest.mark.parametrize(("policy", "outcome"), [("default", "PASS"), ("numerics", "PASS"), ("strict", "INCONCLUSIVE")])
def test_a_record_without_fault(passing: RunRecord, policy: str, outcome: str) -> None:
    verdict = judge(passing, named_policy(policy))
    assert verdict.outcome == outcome
    assert [check.name for check in verdict.checks] == list(ALL_CHECKS)
    assert verdict.policy == policy
    assert verdict.first_divergence is None


def test_summary(passing: RunRecord, change_diff: Change) -> None:
    assert judge(passing, DEFAULT).summary == "basemodel may replace legacy: all 10 required checks pass."
    bad = judge(change_diff(0, candidate_error=1.0), DEFAULT)
    assert bad.summary == (
        "basemodel may not replace legacy: numerics.synchronized fails; "
        "first divergence at step 0 in forward.layer0.output."
    )
    strict = judge(passing, named_policy("strict"))
    assert strict.summary.startswith("Not decided whether basemodel may replace legacy: performance.step_time, ")


def test_unmeasured_hardware_checks_say_why(passing: RunRecord) -> None:
    checks = {check.name: check for check in judge(passing, DEFAULT).checks}
    assert set(MEASURED) == set(ALL_CHECKS)
    for name in HARDWARE_CHECKS:
        assert checks[name].outcome == "not_measured"
        assert checks[name].message in (f"the plan does not ask for the {p} phase" for p in ("performance", "memory"))
        assert not checks[name].required
        assert checks[name].value is None


def test_each_policy_on_a_model_that_collapsed(passing: RunRecord, change: Change) -> None:
    models = passing.learning.models  # type: ignore[union-attr]
    record = change("learning", models=(models[0], replace(models[1], output_spread=0.0)))
    outcomes = {name: judge(record, policy).outcome for name, policy in POLICIES.items()}
    assert outcomes == {"default": "FAIL", "strict": "FAIL", "numerics": "PASS"}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
@pytest.mark.parametrize("phases", [("synchronized",), ("free_running",)])
def test_a_plan_that_leaves_a_required_phase_out_does_not_pass(
    passing: RunRecord, policy: Policy, phases: tuple[str, ...]
) -> None:
    plan = replace(passing.plan, phases=phases)
    kept = {"synchronized": None} if phases == ("free_running",) else {"free_running": None, "learning": None}
    assert judge(replace(passing, plan=plan, **kept), policy).outcome == "INCONCLUSIVE"


def test_empty_record(passing: RunRecord) -> None:
    empty = RunRecord(plan=passing.plan, subjects={}, environment={})
    for policy in POLICIES.values():
        assert judge(empty, policy).outcome == "INCONCLUSIVE"


def test_a_candidate_that_could_not_be_built_fails(passing: RunRecord) -> None:
    trouble = Trouble("candidate", "building", None, "exception", "the candidate raised RuntimeError in build: no")
    record = RunRecord(passing.plan, {}, {}, integrity=passing.integrity, troubles=(trouble,))
    assert judge(record, DEFAULT).outcome == "FAIL"
    reference = replace(trouble, side="reference")
    assert judge(replace(record, troubles=(reference,)), DEFAULT).outcome == "INCONCLUSIVE"


def test_same_record_same_verdict(passing: RunRecord, change_diff: Change) -> None:
    for record in (passing, change_diff(3, candidate_error=1.0), change_diff(3, candidate_nan=2)):
        for policy in POLICIES.values():
            assert judge(record, policy) == judge(copy.deepcopy(record), copy.deepcopy(policy))


def test_judging_changes_nothing(passing: RunRecord) -> None:
    before = copy.deepcopy(passing)
    judge(passing, DEFAULT)
    assert passing == before


def test_a_misspelt_check_is_not_a_check_less(passing: RunRecord) -> None:
    policy = Policy("mine", {"integrity.same_batches": "always", "numerics.synchronised": "always"})
    verdict = judge(passing, policy)
    assert verdict.outcome == "INCONCLUSIVE"
    assert verdict.checks[-1].name == "numerics.synchronised"


def test_no_requirement_no_verdict(passing: RunRecord) -> None:
    assert judge(passing, Policy("mine")).outcome == "INCONCLUSIVE"


# Which side errs decides. Swapping the sides of the evidence swaps the blame and nothing else.


def swapped(value: Any) -> Any:
    """The evidence with `reference` and `candidate` exchanged wherever they occur."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | SubjectInfo):
        fields = {f.name: swapped(getattr(value, f.name)) for f in dataclasses.fields(value)}
        for name in [n for n in fields if n.startswith("reference_") or n == "reference"]:
            other = "candidate" + name.removeprefix("reference")
            if other in fields:
                fields[name], fields[other] = fields[other], fields[name]
        if fields.get("side") in ("reference", "candidate"):
            fields["side"] = "candidate" if fields["side"] == "reference" else "reference"
        return replace(value, **fields)
    return tuple(swapped(item) for item in value) if isinstance(value, tuple) else value


def swap(record: RunRecord) -> RunRecord:
    parts = {name: swapped(getattr(record, name)) for name in ("integrity", "synchronized", "learning")}
    return replace(record, **parts)


@pytest.mark.parametrize(
    ("fields", "there", "back"),
    [
        ({"candidate_error": 1.0}, "FAIL", "INCONCLUSIVE"),
        ({"reference_error": 1.0}, "INCONCLUSIVE", "FAIL"),
        ({"candidate_error": 1e-7, "reference_error": 2e-7}, "PASS", "PASS"),
        ({"candidate_nan": 1}, "FAIL", "INCONCLUSIVE"),
        ({"reference_inf": 1}, "INCONCLUSIVE", "FAIL"),
    ],
    ids=str,
)
def test_swapping_the_sides(change_diff: Change, fields: dict[str, Any], there: str, back: str) -> None:
    record = change_diff(2, **fields)
    assert judge(record, DEFAULT).outcome == there
    assert judge(swap(record), DEFAULT).outcome == back
    assert judge(swap(swap(record)), DEFAULT) == judge(record, DEFAULT)


# No single deletion of evidence passes.

DISPLAY_ONLY = {
    # Shown beside the verdict; no check is made of them, and `None` is their documented "not measured".
    "seconds", "max_abs", "rms", "cosine", "max_ulp", "worst_index", "candidate_worst_index", "mismatches",
    "reference_error_rms", "candidate_error_rms", "mean_rgb_error", "environment", "troubles", "changed_files",
    "reference_nan", "reference_inf", "candidate_nan", "candidate_inf", "nonfinite", "floor_scale", "position",
    "dtype", "name", "version", "source_digest", "parameter_count", "step_flops", "device", "sources", "plan",
    "flips", "worst_excess", "reference_end_digest", "candidate_end_digest", "differing_taps",
}  # fmt: skip


def deletions(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every record that lacks one thing: (what was deleted, the value without it)."""
    if isinstance(value, tuple) and value:
        yield f"{path}=()", ()
        yield f"{path} halved", value[: len(value) // 2]
        yield f"{path} less its last", value[:-1]
        yield f"{path} less its first", value[1:]
        for index in {0, len(value) - 1}:
            for what, changed in deletions(value[index], f"{path}[{index}]"):
                yield what, (*value[:index], changed, *value[index + 1 :])
    elif isinstance(value, dict):
        for key in value:
            yield f"{path} less {key}", {k: v for k, v in value.items() if k != key}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name in DISPLAY_ONLY or (field.name == "phase" and not isinstance(value, BatchLedger)):
                continue
            old = getattr(value, field.name)
            if "| None" in str(field.type):
                yield f"{path}.{field.name}=None", replace(value, **{field.name: None})
            for what, changed in deletions(old, f"{path}.{field.name}"):
                yield what, replace(value, **{field.name: changed})
    elif isinstance(value, str):
        yield f"{path}=''", ""
    elif isinstance(value, float):
        yield f"{path}=NaN", NAN
    elif isinstance(value, int):
        yield f"{path}=0", 0


# The criterion is the first swatch; the others are pictures.
STILL_DECIDED = (".swatches halved", ".swatches less its last", ".swatches[1]")


def test_no_single_deletion_of_evidence_passes(passing: RunRecord) -> None:
    made = [(what, record) for what, record in deletions(passing) if record != passing]
    left = [what for what, record in made if judge(record, DEFAULT).outcome == "PASS"]
    passed = [what for what in left if not what.startswith(tuple(f".learning{s}" for s in STILL_DECIDED))]
    assert not passed, "\n".join(passed)


BESIDE = {
    # Evidence that is shown beside what is judged, or whose absence is told and rejects nothing.
    "clock", "order_seed", "step_flops", "matrix_peak_flops_per_s", "fill_blocks_per_sm", "sampler", "telemetry",
    "before", "after", "sm_clock_mhz", "kernel_resident_pct", "activity", "thread_cpu_s", "started_s", "pair",
    "baseline_bytes", "context_bytes", "events_cut",
    # One odd step does not move a robust slope; a ledger without a value after a step is tried in test_memory.
    "pool_used_bytes", "pool_held_bytes", "device_used_bytes",
}  # fmt: skip


def test_no_single_deletion_of_what_hardware_did_passes(measured: RunRecord) -> None:
    """Under `strict`, every hardware check of the phase that lost something is looked at."""
    passed = []
    for part, checks in (("performance", HARDWARE_CHECKS[:1]), ("memory", HARDWARE_CHECKS[3:])):
        for what, changed in deletions(getattr(measured, part), part):
            if changed == getattr(measured, part) or BESIDE & set(re.split(r"[^a-z_]+", what)):
                continue
            record = replace(measured, **{part: changed})
            if all(MEASURED[name](record, named_policy("strict")).outcome == "pass" for name in checks):
                passed.append(what)
    assert not passed, "\n".join(passed)


def test_no_single_deletion_of_what_two_cards_did_passes(on_two: Callable[..., RunRecord]) -> None:
    record, passed = on_two(), []
    assert MEASURED[HARDWARE_CHECKS[0]](record, named_policy("strict")).outcome == "pass"
    assert record.performance is not None
    for what, changed in deletions(record.performance, "performance"):
        if changed == record.performance or BESIDE & set(re.split(r"[^a-z_]+", what)):
            continue
        made = replace(record, performance=changed)
        if MEASURED[HARDWARE_CHECKS[0]](made, named_policy("strict")).outcome == "pass":
            passed.append(what)
    assert not passed, "\n".join(passed)


def test_a_record_of_a_gpu_passes_every_policy(measured: RunRecord) -> None:
    assert {judge(measured, policy).outcome for policy in POLICIES.values()} == {"PASS"}


@pytest.mark.parametrize("name", HARDWARE_CHECKS)
def test_each_hardware_check_decides_alone(measured: RunRecord, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = MEASURED[name](measured, DEFAULT)
    for outcome, default, strict in (
        ("fail", "FAIL", "FAIL"),
        ("inconclusive", "INCONCLUSIVE", "INCONCLUSIVE"),
        ("not_measured", "PASS", "INCONCLUSIVE"),
    ):
        monkeypatch.setitem(MEASURED, name, lambda r, p, o=outcome: replace(original, outcome=o))
        assert judge(measured, DEFAULT).outcome == default
        assert judge(measured, named_policy("strict")).outcome == strict


@pytest.mark.parametrize("name", [*NUMERIC_CHECKS, *LEARNING_CHECKS])
def test_each_required_check_decides_alone(passing: RunRecord, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = MEASURED[name]
    for outcome, expected in (("fail", "FAIL"), ("inconclusive", "INCONCLUSIVE"), ("not_measured", "INCONCLUSIVE")):
        monkeypatch.setitem(MEASURED, name, lambda r, p, o=outcome: replace(original(r, p), outcome=o))
        assert judge(passing, DEFAULT).outcome == expected
