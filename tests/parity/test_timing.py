"""Blocks and sessions: what counts, what is rejected, and which session the engine runs next."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest

from service.parity.measurements import (
    EdgeReading,
    PerformanceEvidence,
    SamplerReport,
    SessionKind,
    Slice,
    TimingTrouble,
)
from service.parity.plan import Plan
from service.parity.record import RunRecord
from service.parity.timing import (
    DEFAULT_LIMITS,
    ORDERS,
    Reading,
    TimingLimits,
    blamed,
    blocks_of_session,
    decide_ratio,
    edge_share,
    next_session,
    on_second_device,
    read,
    read_comparison,
    steady,
)

NAN, INF = math.nan, math.inf
Session = Callable[..., tuple[Slice, ...]]
Perform = Callable[..., PerformanceEvidence]


@pytest.fixture
def plan(measured: RunRecord) -> Plan:
    return measured.plan


def changed(slices: Sequence[Slice], index: int, **fields: Any) -> tuple[Slice, ...]:
    made = list(slices)
    made[index] = replace(made[index], **fields)
    return tuple(made)


def reading_of(evidence: PerformanceEvidence, plan: Plan, kind: SessionKind = "comparison") -> Reading:
    return read(evidence, plan, (kind,), DEFAULT_LIMITS)


# --- the ratio --------------------------------------------------------------------------------------------------------


def test_a_block_is_a_difference_of_mean_logarithms(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison", ratio=1.1, spread=0.02)
    values = []
    for block in range(12):
        logs = {"reference": 0.0, "candidate": 0.0}
        for piece in slices[4 * block : 4 * block + 4]:
            logs[piece.role] += math.log(piece.median_step_ms) / 2
        values.append(logs["candidate"] - logs["reference"])
    ratio = reading_of(perform(slices), plan).ratio
    assert ratio is not None
    assert ratio.estimate == pytest.approx(sum(values) / 12)
    assert ratio.blocks == 12
    assert ratio.low <= ratio.t_interval[0]
    assert ratio.low <= ratio.bootstrap_interval[0]
    assert ratio.high >= max(ratio.t_interval[1], ratio.bootstrap_interval[1])


def test_swapped_roles_give_the_mirrored_ratio(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison", ratio=1.07, spread=0.01)
    other = {"reference": "candidate", "candidate": "reference"}
    mirrored = tuple(replace(piece, role=other[piece.role]) for piece in slices)
    there, back = (reading_of(perform(made), plan).ratio for made in (slices, mirrored))
    assert there is not None
    assert back is not None
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))


def test_the_bootstrap_is_that_of_the_plan_and_the_order(session: Session, perform: Perform, plan: Plan) -> None:
    evidence = perform(session("comparison", spread=0.02))
    again = reading_of(perform(session("comparison", spread=0.02)), plan)
    assert reading_of(evidence, plan) == again
    for other in (
        reading_of(replace(evidence, order_seed=1), plan),
        reading_of(evidence, replace(plan, seed=1)),
    ):
        assert other.ratio is not None
        assert again.ratio is not None
        assert other.ratio.bootstrap_interval != again.ratio.bootstrap_interval
        assert other.ratio.t_interval == again.ratio.t_interval


def test_a_drift_within_a_block_cancels(session: Session, perform: Perform, plan: Plan) -> None:
    """The logarithms drift linearly: each block's value is then exact, whatever the order."""
    slices = tuple(
        replace(piece, median_step_ms=math.exp(0.01 * index)) for index, piece in enumerate(session("comparison"))
    )
    ratio = reading_of(perform(slices), plan).ratio
    assert ratio is not None
    assert abs(ratio.estimate) < 1e-12
    assert ratio.spread < 1e-12


DECISIONS = [
    ((0.0, -0.01, 0.01), "equivalent"),
    ((-0.02, -0.03, -0.01), "faster"),
    ((-0.5, -0.6, -0.4), "faster"),
    ((0.0, -0.06, 0.04), "not slower"),
    ((0.05, 0.03, 0.07), "undecided"),
    ((0.05, 0.04, math.log1p(0.05)), "undecided"),
    ((0.06, math.log1p(0.05), 0.07), "undecided"),
    ((0.06, 0.05, 0.07), "slower"),
    ((NAN, NAN, NAN), "undecided"),
    ((0.0, -INF, INF), "undecided"),
]


@pytest.mark.parametrize(("ends", "decision"), DECISIONS)
def test_what_an_interval_says_of_the_margin(
    session: Session, perform: Perform, plan: Plan, ends: tuple[float, float, float], decision: str
) -> None:
    reading = reading_of(perform(session("comparison")), plan)
    assert reading.ratio is not None
    estimate, low, high = ends
    made = replace(reading, ratio=replace(reading.ratio, estimate=estimate, low=low, high=high))
    assert decide_ratio(made, DEFAULT_LIMITS) == decision
    few = replace(made, blocks=made.blocks[:7])
    assert decide_ratio(few, DEFAULT_LIMITS) == "undecided"
    assert decide_ratio(replace(made, ratio=None), DEFAULT_LIMITS) == "undecided"


# --- rejection --------------------------------------------------------------------------------------------------------


def throttled(piece: Slice, counter: str, share: float) -> dict[str, Any]:
    assert piece.before is not None
    assert piece.after is not None
    grown = share * (piece.ended_s - piece.started_s)
    return {"after": replace(piece.after, values={**piece.after.values, counter: grown})}


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("counter", ["thermal_throttle_s", "power_brake_s"])
@pytest.mark.parametrize(("share", "rejected"), [(0.009, False), (0.011, True), (1.0, True), (NAN, True), (-0.1, True)])
def test_throttling_rejects_a_block_whose_ever_it_is(
    session: Session, perform: Perform, plan: Plan, index: int, counter: str, share: float, rejected: bool
) -> None:
    slices = session("comparison")
    reading = reading_of(perform(changed(slices, index, **throttled(slices[index], counter, share))), plan)
    assert [block.number for block in reading.rejected] == ([index // 4] if rejected else [])
    assert len(reading.valid) == 12 - rejected


def test_power_capping_is_no_reason(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison")
    capped = changed(slices, 1, **throttled(slices[1], "power_cap_s", 1.0))
    assert not reading_of(perform(capped), plan).rejected
    assert edge_share(capped[1], "power_cap_s") is not None


@pytest.mark.parametrize(("clock", "rejected"), [(1980 * 1.019, 0), (1980 * 0.979, 1), (1980 * 1.021, 1), (NAN, 1)])
@pytest.mark.parametrize("index", [0, 1])
def test_a_clock_off_its_own_sides_median(
    session: Session, perform: Perform, plan: Plan, clock: float, rejected: int, index: int
) -> None:
    reading = reading_of(perform(changed(session("comparison"), index, sm_clock_mhz=clock)), plan)
    assert len(reading.rejected) == rejected


def test_sides_that_run_at_different_clocks_are_each_their_own_median(
    session: Session, perform: Perform, plan: Plan
) -> None:
    """A candidate that draws more power runs at a lower clock: that is slower, and no reason to look away."""
    slices = tuple(
        replace(piece, sm_clock_mhz=1980.0 if piece.role == "reference" else 1500.0) for piece in session("comparison")
    )
    assert not reading_of(perform(slices), plan).rejected


@pytest.mark.parametrize("edge", ["before", "after"])
def test_a_foreign_process_rejects_the_block(session: Session, perform: Perform, plan: Plan, edge: str) -> None:
    slices = session("comparison")
    seen = replace(getattr(slices[5], edge), foreign_processes=2)
    (rejected,) = reading_of(perform(changed(slices, 5, **{edge: seen})), plan).rejected
    assert rejected.reasons == ("2 foreign compute processes on the device",)


@pytest.mark.parametrize("fields", [{"before": None}, {"after": None}, {"before": None, "after": None}])
def test_a_slice_without_counters_is_counted_and_not_rejected(
    session: Session, perform: Perform, plan: Plan, fields: dict[str, Any]
) -> None:
    reading = reading_of(perform(changed(session("comparison"), 3, sm_clock_mhz=None, **fields)), plan)
    assert (len(reading.valid), reading.unwatched) == (12, 1)


@pytest.mark.parametrize("counter", ["thermal_throttle_s", "power_brake_s"])
@pytest.mark.parametrize("edge", ["before", "after"])
def test_a_slice_whose_throttling_was_not_read_is_counted_too(
    session: Session, perform: Perform, plan: Plan, counter: str, edge: str
) -> None:
    slices = session("comparison")
    seen = getattr(slices[3], edge)
    values = {name: value for name, value in seen.values.items() if name != counter}
    reading = reading_of(perform(changed(slices, 3, **{edge: replace(seen, values=values)})), plan)
    assert (len(reading.valid), reading.unwatched, reading.uncounted) == (12, 1, 0)


@pytest.mark.parametrize("edge", ["before", "after"])
def test_foreign_processes_that_are_not_known_are_not_none(
    session: Session, perform: Perform, plan: Plan, edge: str
) -> None:
    slices = session("comparison")
    unknown = replace(getattr(slices[5], edge), foreign_processes=None)
    reading = reading_of(perform(changed(slices, 5, **{edge: unknown})), plan)
    assert (len(reading.valid), reading.unwatched, reading.uncounted) == (12, 0, 1)


def test_a_counter_that_could_not_be_read_is_none() -> None:
    edges = {"before": EdgeReading(0.0, {"energy_j": 1.0}), "after": EdgeReading(1.0, {})}
    piece = Slice("comparison", 0, 0, 0, "reference", 5, 1.0, 1.0, 0.1, 0.0, 1.0, **edges)  # type: ignore[arg-type]
    assert edge_share(piece, "energy_j") is None
    assert edge_share(piece, "power_cap_s") is None


# --- faults of a session ----------------------------------------------------------------------------------------------


def fault_of(evidence: PerformanceEvidence, plan: Plan, kind: SessionKind = "comparison") -> tuple[Any, str]:
    reading = reading_of(evidence, plan, kind)
    assert reading.fault is not None
    assert reading.ratio is None
    return reading.fault.role, reading.fault.message


@pytest.mark.parametrize("field", ["median_step_ms", "mean_step_ms", "steps_busy_s", "ended_s"])
@pytest.mark.parametrize("value", [NAN, INF, 0.0, -1.0])
@pytest.mark.parametrize("index", [0, 1])
def test_a_time_that_is_none_is_its_sides(
    session: Session, perform: Perform, plan: Plan, field: str, value: float, index: int
) -> None:
    slices = session("comparison")
    role, message = fault_of(perform(changed(slices, index, **{field: value})), plan)
    assert role == slices[index].role
    assert "gave no step time in block 0" in message
    own = session("a_a")
    assert fault_of(perform(changed(own, index, **{field: value})), plan, "a_a")[0] == "reference"


CUT = [
    lambda slices: (),
    lambda slices: slices[:-1],
    lambda slices: slices[1:],
    lambda slices: slices[: len(slices) // 2],
    lambda slices: (*slices, slices[-1]),
    lambda slices: tuple(piece for piece in slices if piece.role == "reference"),
]


@pytest.mark.parametrize("cut", CUT)
def test_a_session_that_was_cut_short(session: Session, perform: Perform, plan: Plan, cut: Any) -> None:
    evidence = perform(cut(session("comparison")), planned_blocks={"comparison": 12})
    role, message = fault_of(evidence, plan)
    assert role is None
    assert "blocks of the comparison were timed" in message


def test_a_block_is_of_one_pair_of_processes(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison")
    moved = tuple(replace(p, pair=(p.pair + 1) % 3) if p.role == "candidate" else p for p in slices)
    role, message = fault_of(perform(moved), plan)
    assert (role, message) == (None, "the slices of block 0 of the comparison are of several pairs of processes")


def test_a_slice_has_no_more_time_of_its_own_than_there_was(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison")
    longer = changed(slices, 1, turns=8, own_s=1.01 * (slices[1].ended_s - slices[1].started_s))
    assert fault_of(perform(longer), plan)[0] == "candidate"


@pytest.mark.parametrize("planned", [{}, {"comparison": 0}, {"comparison": 11}, {"comparison": 13}])
def test_blocks_that_were_not_planned(
    session: Session, perform: Perform, plan: Plan, planned: dict[SessionKind, int]
) -> None:
    assert fault_of(perform(session("comparison"), planned_blocks=planned), plan)[0] is None


def test_fewer_blocks_than_the_plan_asks_for(session: Session, perform: Perform, plan: Plan) -> None:
    assert fault_of(perform(session("comparison", blocks=8)), plan)[1].startswith("8 of 12 blocks")


@pytest.mark.parametrize("roles", ["rccc", "rrcc", "rcrc", "rrrr"])
def test_slices_in_no_balanced_order(session: Session, perform: Perform, plan: Plan, roles: str) -> None:
    names = {"r": "reference", "c": "candidate"}
    slices = session("comparison")
    for position, letter in enumerate(roles):
        slices = changed(slices, position, role=names[letter])
    assert "ABBA or BAAB" in fault_of(perform(slices), plan)[1]


def test_positions_given_twice(session: Session, perform: Perform, plan: Plan) -> None:
    assert "ABBA or BAAB" in fault_of(perform(changed(session("comparison"), 1, position=0)), plan)[1]


def test_too_few_fresh_processes(session: Session, perform: Perform, plan: Plan) -> None:
    assert "1 of 3 pairs of fresh processes" in fault_of(perform(session("comparison", pairs=1)), plan)[1]


@pytest.mark.parametrize(
    ("role", "where", "owner"),
    [
        ("candidate", "comparison pair 1, building", "candidate"),
        ("candidate", "a_a", "reference"),
        ("candidate", "a_a pair 0, building", "reference"),
        ("candidate", "sampler block 3, position 1", "reference"),
        ("candidate", "sampler_of_mine", "candidate"),
        ("reference", "comparison block 0, position 0", "reference"),
        ("candidate", "memory, tracing", "candidate"),
    ],
)
def test_in_the_candidates_place_the_reference_is_to_blame_for_itself(role: Any, where: str, owner: str) -> None:
    assert blamed(TimingTrouble(role, where, "gone", "died")) == owner


# --- which session comes next -----------------------------------------------------------------------------------------


def absent() -> SamplerReport:
    return SamplerReport("absent", "cpu", None, None, absent_reason="no NVML here")


def sequence(session: Session, perform: Perform, plan: Plan, ratios: dict[str, float], **fields: Any) -> list[str]:
    """The sessions that the engine runs where each comes out at its ratio."""
    done: list[tuple[Slice, ...]] = []
    kinds: list[str] = []
    while True:
        slices = [piece for made in done for piece in made]
        planned = {made[0].session: len(made) // 4 for made in done}
        evidence = perform((), **{"slices": tuple(slices), "planned_blocks": planned, "sampler": None, **fields})
        kind = next_session(evidence, plan)
        if kind is None:
            return kinds
        assert kind not in kinds
        kinds.append(kind)
        blocks = blocks_of_session(kind, plan)
        done.append(session(kind, ratio=ratios.get(kind, 1.0), blocks=blocks, seed=len(done), spread=0.01))


START = ["a_a", "sampler", "comparison"]


@pytest.mark.parametrize(
    ("ratios", "kinds"),
    [
        ({}, START),
        ({"comparison": 0.8}, START),
        ({"comparison": 1.05, "extension": 1.05}, [*START, "extension"]),
        ({"comparison": 1.05, "extension": 1.2}, [*START, "extension", "confirmation"]),
        ({"comparison": 1.05, "extension": 1.0}, [*START, "extension"]),
        ({"comparison": 1.2, "confirmation": 1.2}, [*START, "confirmation"]),
        ({"comparison": 1.2, "confirmation": 1.0}, [*START, "confirmation"]),
        ({"a_a": 1.05, "comparison": 1.2}, START),
        ({"a_a": 0.95, "comparison": 1.05}, START),
        ({"sampler": 1.03, "comparison": 1.2}, START),
    ],
    ids=str,
)
def test_sessions(session: Session, perform: Perform, plan: Plan, ratios: dict[str, float], kinds: list[str]) -> None:
    assert sequence(session, perform, plan, ratios) == kinds


def test_no_session_of_a_sampler_that_there_is_not(session: Session, perform: Perform, plan: Plan) -> None:
    assert sequence(session, perform, plan, {"comparison": 1.2}, sampler=absent()) == [
        *("a_a", "comparison", "confirmation")
    ]


def test_nothing_follows_trouble(session: Session, perform: Perform, plan: Plan) -> None:
    trouble = TimingTrouble("candidate", "comparison block 1", "gone", "died")
    assert sequence(session, perform, plan, {}, troubles=(trouble,)) == []


@pytest.mark.parametrize("kind", START)
def test_nothing_follows_a_session_that_was_cut_short(
    session: Session, perform: Perform, plan: Plan, kind: SessionKind
) -> None:
    made = {name: session(name) for name in START[: START.index(kind) + 1]}
    made[kind] = made[kind][:-1]
    planned = dict.fromkeys(made, 12)
    evidence = perform(*made.values(), planned_blocks=planned)
    assert next_session(evidence, plan) is None


def test_rejected_blocks_are_made_up_for_by_the_extension(session: Session, perform: Perform, plan: Plan) -> None:
    slices = session("comparison", ratio=0.9)
    for block in range(5):
        slices = changed(slices, 4 * block, before=EdgeReading(0.0, {}, foreign_processes=1))
    evidence = perform(session("a_a"), session("sampler"), slices)
    assert next_session(evidence, plan) == "extension"
    extended = perform(session("a_a"), session("sampler"), slices, session("extension", ratio=0.9, seed=9))
    assert next_session(extended, plan) is None
    assert len(read_comparison(extended, plan, DEFAULT_LIMITS).valid) == 19


def test_limits_are_asked_for(session: Session, perform: Perform, plan: Plan) -> None:
    evidence = perform(session("a_a"), session("sampler"), session("comparison", ratio=1.08))
    assert next_session(evidence, plan) == "confirmation"
    assert next_session(evidence, plan, TimingLimits(margin=0.2)) is None
    assert next_session(evidence, plan, TimingLimits(a_a_margin=1e-6)) is None
    assert steady(evidence, plan, DEFAULT_LIMITS)
    assert not steady(perform(session("comparison")), plan, DEFAULT_LIMITS)


# --- side by side -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_cards(plan: Plan) -> Plan:
    return replace(plan, performance=replace(plan.performance, second_device="cuda:1"))


def test_side_by_side_follows_the_comparison_and_comes_before_a_second_look(
    session: Session, perform: Perform, plan: Plan, two_cards: Plan
) -> None:
    assert "side_by_side" not in sequence(session, perform, plan, {})
    assert sequence(session, perform, two_cards, {}) == [*START, "side_by_side"]
    assert sequence(session, perform, two_cards, {"comparison": 1.2, "confirmation": 1.2}) == [
        *START, "side_by_side", "confirmation"
    ]  # fmt: skip
    assert sequence(session, perform, two_cards, {}, sampler=absent()) == ["a_a", "comparison", "side_by_side"]
    # By itself it is no reason to look again.
    assert sequence(session, perform, two_cards, {"side_by_side": 1.2}) == [*START, "side_by_side"]


def test_side_by_side_follows_what_is_seen_of_utilization(session: Session, perform: Perform, two_cards: Plan) -> None:
    in_turns = tuple(replace(piece, turns=8, own_s=piece.wall_s) for piece in session("comparison"))
    made = [session("a_a"), session("sampler"), in_turns]
    assert next_session(perform(*made), two_cards) == "utilization"
    assert next_session(perform(*made, session("utilization", blocks=8, pairs=1)), two_cards) == "side_by_side"


def test_what_the_cards_differ_by_cancels(session: Session, perform: Perform, two_cards: Plan) -> None:
    """The second card of the made session is 30 % slower."""
    reading = reading_of(perform(session("side_by_side", ratio=1.1, spread=1e-4)), two_cards, "side_by_side")
    assert reading.ratio is not None
    assert reading.ratio.estimate == pytest.approx(math.log(1.1), abs=1e-3)
    assert reading.ratio.spread < 1e-3
    assert (len(reading.valid), reading.unwatched) == (12, 24)


def test_only_odd_positions_side_by_side_are_on_the_second_card() -> None:
    kinds: tuple[SessionKind, ...] = get_args(SessionKind)
    there = {(kind, position) for kind in kinds for position in range(4) if on_second_device(kind, position)}
    assert there == {("side_by_side", 1), ("side_by_side", 3)}


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_has_each_role_once_on_each_card(order: tuple[str, ...]) -> None:
    seats = {(role, on_second_device("side_by_side", position)) for position, role in enumerate(order)}
    assert len(seats) == 4


@pytest.mark.parametrize(("late", "rejected"), [(0.0, 0), (0.45, 0), (0.55, 1), (5.0, 1), (-0.45, 0), (-0.55, 1)])
@pytest.mark.parametrize("position", range(4))
def test_slices_that_were_not_timed_at_the_same_time_reject_their_block(
    session: Session, perform: Perform, two_cards: Plan, late: float, rejected: int, position: int
) -> None:
    slices = tuple(replace(piece, ended_s=piece.started_s + 1.0) for piece in session("side_by_side", spread=0.0))
    began = slices[4 + position].started_s + late
    moved = changed(slices, 4 + position, started_s=began, ended_s=began + 1.0)
    reading = reading_of(perform(moved), two_cards, "side_by_side")
    assert [block.number for block in reading.rejected] == ([1] if rejected else [])
    assert all("side by side shared" in reason for block in reading.rejected for reason in block.reasons)


def test_the_other_sessions_are_never_at_the_same_time(session: Session, perform: Perform, plan: Plan) -> None:
    assert not reading_of(perform(session("comparison")), plan).rejected


def test_limits_cannot_change_under_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT_LIMITS.margin = 0.5  # type: ignore[misc]
