"""The utilization checks: what the GPU did, judged by NVML's figure; what was not seen is never zero."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.parity.checks import judge
from service.parity.measurements import EdgeReading, SamplerReport, Slice, TimingTrouble
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.parity.utilization import FLOOR, NOT_REDUCED, check_floor, check_not_reduced
from service.parity.verdict import CheckResult

NAN, INF = math.nan, math.inf
DEFAULT, STRICT = named_policy("default"), named_policy("strict")
BOTH = (check_floor, check_not_reduced)
Session = Callable[..., tuple[Slice, ...]]
Timed = Callable[..., RunRecord]
Check = Callable[..., CheckResult]


@pytest.fixture
def resident(session: Session, timed: Timed) -> Callable[..., RunRecord]:
    """`resident(reference=70.0, candidate=60.0, noise=5.0, ratio=0.9, **fields)`: percent of kernel-resident time."""

    def made(
        reference: float | None, candidate: float | None, noise: float = 0.0, ratio: float = 1.0, **fields: Any
    ) -> RunRecord:
        draw = np.random.default_rng(0)
        means = {"reference": reference, "candidate": candidate}

        def value(role: str) -> float | None:
            mean = means[role]
            return None if mean is None else mean + noise * float(draw.normal())

        compared = session("comparison", ratio=ratio)
        slices = tuple(replace(piece, kernel_resident_pct=value(piece.role)) for piece in compared)
        own = {"a_a": session("a_a"), "sampler": session("sampler", seed=1)}
        if reference is None and candidate is None:
            own = {k: tuple(replace(p, kernel_resident_pct=None) for p in made) for k, made in own.items()}
        return timed(*own.values(), slices, **fields)

    return made


def outcome_of(check: Check, record: RunRecord) -> str:
    result = check(record, DEFAULT)
    json.dumps(result.evidence, allow_nan=False)
    return result.outcome


@pytest.mark.parametrize(
    ("reference", "candidate", "floor", "not_reduced"),
    [
        (90.0, 90.0, "pass", "pass"),
        (90.0, 80.0, "pass", "fail"),
        (84.0, 79.9, "fail", "pass"),
        (80.0, 79.0, "fail", "pass"),
        (90.0, 50.0, "fail", "fail"),
        (50.0, 90.0, "pass", "pass"),
        (50.0, 50.0, "pass", "pass"),
        (50.0, 49.2, "pass", "pass"),
        (50.0, 47.0, "fail", "pass"),
        (50.0, 44.9, "fail", "fail"),
        (50.0, 0.0, "fail", "fail"),
        (0.0, 0.0, "pass", "pass"),
    ],
)
def test_outcomes(resident: Any, reference: float, candidate: float, floor: str, not_reduced: str) -> None:
    record = resident(reference, candidate)
    assert [outcome_of(check, record) for check in BOTH] == [floor, not_reduced]


def test_equals_at_the_floor_do_not_fail_for_the_noise_between_them(session: Session, timed: Timed) -> None:
    """Both sides are at 80 %; in a third of such runs chance puts the candidate below it and the reference not."""
    draw = np.random.default_rng(0)

    def once() -> str:
        slices = tuple(replace(p, kernel_resident_pct=80 + 2 * float(draw.normal())) for p in session("comparison"))
        return outcome_of(check_floor, timed(session("a_a"), session("sampler", seed=1), slices))

    outcomes = Counter(once() for _ in range(40))
    assert outcomes["fail"] <= 3
    assert outcomes["pass"] > 10
    assert outcomes["inconclusive"] > 0


def test_sentences(resident: Any) -> None:
    assert check_floor(resident(90.0, 85.0), DEFAULT).message == (
        "kernel-resident time 85.0 %, the reference's 90.0 %; at least 80 %"
    )
    below = check_floor(resident(50.0, 50.0), DEFAULT)
    assert "the reference is itself below 80 % on this plan, and the candidate is no lower" in below.message
    assert (below.value, below.limit, below.unit) == (pytest.approx(50.0), 80.0, "% kernel-resident time")
    dropped = check_not_reduced(resident(90.0, 80.0), DEFAULT)
    assert (dropped.value, dropped.limit) == (pytest.approx(-10.0), -5.0)


def test_lower_by_chance_is_not_lower(resident: Any) -> None:
    result = check_floor(resident(50.0, 48.0, noise=12.0), DEFAULT)
    assert (result.outcome, "may be chance" in result.message) == ("inconclusive", True)
    dropped = check_not_reduced(resident(50.0, 43.0, noise=9.0), DEFAULT)
    assert (dropped.outcome, "that it is more than 5 may be chance" in dropped.message) == ("inconclusive", True)


def test_a_faster_candidate_is_not_a_worse_one(resident: Any) -> None:
    faster = check_not_reduced(resident(90.0, 60.0, ratio=0.6), DEFAULT)
    assert faster.outcome == "pass"
    assert "40.0% fewer busy seconds" in faster.message
    assert outcome_of(check_not_reduced, resident(90.0, 60.0, ratio=1.2)) == "fail"


def test_work_stands_beside(resident: Any) -> None:
    shown = check_floor(resident(90.0, 90.0, ratio=0.5), DEFAULT).evidence
    reference, candidate = shown["reference"], shown["candidate"]
    assert shown["label"] == "kernel-resident time"
    assert candidate["busy_s_per_step"] == pytest.approx(0.25e-3, rel=0.01)
    assert candidate["flops_per_s"] == pytest.approx(4e12, rel=0.01)
    assert candidate["matrix_peak_share"] == pytest.approx(0.08, rel=0.01)
    assert reference["joules_per_step"] == pytest.approx(300 * 0.5e-3 * 1.01, rel=0.01)
    assert reference["activity"] == {"power_w": pytest.approx(300.0), "sm_active_pct": pytest.approx(12.0)}
    bare = check_floor(resident(90.0, 90.0, step_flops={}, matrix_peak_flops_per_s=None), DEFAULT).evidence
    assert (bare["candidate"]["flops_per_s"], bare["candidate"]["matrix_peak_share"]) == (None, None)


def test_energy_that_was_not_read_is_none(session: Session, timed: Timed) -> None:
    slices = tuple(replace(p, before=None) if p.role == "candidate" else p for p in session("comparison"))
    shown = check_floor(timed(session("a_a"), session("sampler"), slices), DEFAULT).evidence
    assert shown["candidate"]["joules_per_step"] is None
    assert shown["reference"]["joules_per_step"] > 0


# --- plans that cannot fill the card ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fill", "applies"), [(3.99, False), (0.3, False), (0.0, False), (4.0, True), (None, True)])
@pytest.mark.parametrize("check", BOTH)
def test_launches_that_cannot_fill_the_card(resident: Any, check: Check, fill: float | None, applies: bool) -> None:
    record = resident(86.0, 40.0, fill_blocks_per_sm=fill)
    assert check(record, DEFAULT).outcome == ("fail" if applies else "not_applicable")
    assert check(record, STRICT).outcome == ("fail" if applies else "inconclusive")
    if not applies:
        for policy in (DEFAULT, STRICT):
            result = check(record, policy)
            assert "cannot fill the card" in result.message
            assert result.evidence["candidate"]["kernel_resident_pct"] == pytest.approx(40.0)


def test_what_does_not_apply_keeps_nothing_from_passing_but_under_strict(resident: Any) -> None:
    record = resident(86.0, 86.0, fill_blocks_per_sm=1.0)
    assert judge(record, DEFAULT).outcome == "PASS"
    strict = judge(record, STRICT)
    assert strict.outcome == "INCONCLUSIVE"
    assert {check.name for check in strict.checks if check.outcome != "pass"} == {FLOOR, NOT_REDUCED}


@pytest.mark.parametrize("fill", [NAN, INF, -INF])
@pytest.mark.parametrize("check", BOTH)
def test_a_geometry_that_is_no_number_excuses_nothing(resident: Any, check: Check, fill: float) -> None:
    assert outcome_of(check, resident(90.0, 90.0, fill_blocks_per_sm=fill)) == "inconclusive"


# --- what was not seen ------------------------------------------------------------------------------------------------

REASONS = [
    (None, "no sampler watched the device"),
    (SamplerReport("absent", "cpu", None, None, absent_reason="no NVML"), "the device was not watched: no NVML"),
    (SamplerReport("process", "cpu", None, None), "the run was on a CPU, where there is no kernel-resident time"),
    (
        SamplerReport("nvml", "cuda:0", None, None, statuses={"ok": 3, "not_supported": 9}),
        "no sample of utilization lies within a slice (samples: 9 not_supported, 3 ok)",
    ),
]


@pytest.mark.parametrize(("report", "reason"), REASONS)
@pytest.mark.parametrize("check", BOTH)
def test_no_telemetry_is_not_measured(resident: Any, check: Check, report: SamplerReport | None, reason: str) -> None:
    result = check(resident(None, None, sampler=report), DEFAULT)
    assert (result.outcome, result.message, result.value) == ("not_measured", reason, None)
    assert result.evidence["candidate"]["kernel_resident_pct"] is None


@pytest.mark.parametrize(("reference", "candidate"), [(None, 90.0), (90.0, None)])
@pytest.mark.parametrize("check", BOTH)
def test_one_side_alone_decides_nothing(resident: Any, check: Check, reference: Any, candidate: Any) -> None:
    assert outcome_of(check, resident(reference, candidate)) == "inconclusive"


@pytest.mark.parametrize(
    ("missing", "outcome"), [(11, "pass"), (12, "pass"), (13, "inconclusive"), (23, "inconclusive")]
)
@pytest.mark.parametrize("role", ["reference", "candidate"])
def test_half_of_the_slices_must_have_been_seen(
    session: Session, timed: Timed, missing: int, outcome: str, role: str
) -> None:
    slices = list(session("comparison"))
    for index in [i for i, piece in enumerate(slices) if piece.role == role][:missing]:
        slices[index] = replace(slices[index], kernel_resident_pct=None)
    record = timed(session("a_a"), session("sampler"), tuple(slices))
    assert [outcome_of(check, record) for check in BOTH] == [outcome, outcome]


@pytest.mark.parametrize("value", [NAN, INF, -INF, -1.0, 101.0])
@pytest.mark.parametrize("role", ["reference", "candidate"])
@pytest.mark.parametrize("check", BOTH)
def test_a_figure_that_is_no_percentage(session: Session, timed: Timed, check: Check, value: float, role: str) -> None:
    slices = list(session("comparison"))
    index = next(i for i, piece in enumerate(slices) if piece.role == role)
    slices[index] = replace(slices[index], kernel_resident_pct=value)
    assert outcome_of(check, timed(session("a_a"), session("sampler"), tuple(slices))) == "inconclusive"


@pytest.mark.parametrize("check", BOTH)
def test_trouble_gaps_and_faults(measured: RunRecord, session: Session, timed: Timed, check: Check) -> None:
    for role, outcome in (("reference", "inconclusive"), ("candidate", "fail")):
        trouble = TimingTrouble(role, "comparison block 1", "died", "died")  # type: ignore[arg-type]
        assert outcome_of(check, timed(troubles=(trouble,))) == outcome
        slices = list(session("comparison"))
        index = next(i for i, piece in enumerate(slices) if piece.role == role)
        slices[index] = replace(slices[index], steps_busy_s=NAN)
        assert outcome_of(check, timed(session("a_a"), tuple(slices))) == outcome
    assert outcome_of(check, timed((), slices=(), planned_blocks={})) == "inconclusive"
    assert outcome_of(check, timed(session("comparison")[:-1], planned_blocks={"comparison": 12})) == "inconclusive"
    assert outcome_of(check, replace(measured, performance=None)) == "inconclusive"
    unplanned = replace(measured.plan, phases=("synchronized",))
    assert outcome_of(check, replace(measured, plan=unplanned, performance=None)) == "not_measured"


@pytest.mark.parametrize("check", BOTH)
def test_slices_beside_a_foreign_process_do_not_count(session: Session, timed: Timed, check: Check) -> None:
    foreign = EdgeReading(0.0, {}, foreign_processes=1)
    slices = tuple(
        replace(piece, kernel_resident_pct=100.0 if piece.block < 4 else 60.0 if piece.role == "candidate" else 90.0)
        for piece in session("comparison")
    )
    slices = tuple(replace(piece, before=foreign) if piece.block < 4 else piece for piece in slices)
    result = check(timed(session("a_a"), session("sampler"), slices), DEFAULT)
    assert result.outcome == "fail"
    assert result.evidence["candidate"]["kernel_resident_pct"] == pytest.approx(60.0)
    every = tuple(replace(piece, before=foreign) for piece in session("comparison"))
    assert outcome_of(check, timed(session("a_a"), session("sampler"), every)) == "inconclusive"


@pytest.mark.parametrize("check", BOTH)
def test_a_lost_device_decides_nothing(measured: RunRecord, timed: Timed, check: Check) -> None:
    report = replace(measured.performance.sampler, lost_reason="fell off the bus")  # type: ignore[union-attr, type-var]
    assert outcome_of(check, timed(sampler=report)) == "inconclusive"


def in_turns(session: Session, **made: Any) -> tuple[Slice, ...]:
    """A comparison whose slices were taken in turns: nothing of the GPU is known of either side."""
    slices = session("comparison", **made)
    return tuple(replace(p, turns=8, own_s=p.steps_busy_s, kernel_resident_pct=None, activity={}) for p in slices)


def apart(session: Session, resident: dict[str, float | None], blocks: int = 8) -> tuple[Slice, ...]:
    slices = session("utilization", blocks=blocks, pairs=1, seed=5)
    return tuple(replace(p, kernel_resident_pct=resident[p.role]) for p in slices)


@pytest.mark.parametrize(
    ("reference", "candidate", "ratio", "floor", "not_reduced"),
    [
        (90.0, 90.0, 1.0, "pass", "pass"),
        (90.0, 70.0, 1.0, "fail", "fail"),
        # A comparison that finds the candidate faster excuses it, though nothing of the GPU was seen in it.
        (90.0, 84.0, 0.8, "pass", "pass"),
        (90.0, 84.0, 1.0, "pass", "fail"),
        (90.0, None, 1.0, "inconclusive", "inconclusive"),
    ],
)
def test_what_was_timed_in_turns_is_judged_by_its_own_session(
    session: Session,
    timed: Timed,
    reference: float,
    candidate: float | None,
    ratio: float,
    floor: str,
    not_reduced: str,
) -> None:
    seen = apart(session, {"reference": reference, "candidate": candidate})
    record = timed(session("a_a"), session("sampler", seed=1), in_turns(session, ratio=ratio), seen)
    assert (outcome_of(check_floor, record), outcome_of(check_not_reduced, record)) == (floor, not_reduced)
    assert check_floor(record, DEFAULT).evidence["blocks"] == 8


@pytest.mark.parametrize("blocks", [0, 7])
def test_a_session_of_utilization_that_lacks_blocks_decides_nothing(
    session: Session, timed: Timed, blocks: int
) -> None:
    seen = apart(session, {"reference": 90.0, "candidate": 90.0}, blocks) if blocks else ()
    record = timed(session("a_a"), session("sampler", seed=1), in_turns(session), seen)
    assert {outcome_of(check, record) for check in BOTH} == {"inconclusive"}
    # The time of a step was measured, and does not depend on it.
    assert next(c for c in judge(record, DEFAULT).checks if c.name == "performance.step_time").outcome == "pass"
