"""The perturbation band: running maximum, floors, zero differences, NaN."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parity.envelope import BandSeries, loss_band, weights_band
from service.parity.policy import Policy
from service.parity.record import BandMember, FreeRunningEvidence, StepLosses

NAN, INF = math.nan, math.inf
POLICY = Policy("mine", loss_band_floor=1e-7, weights_band_floor=1e-6)


def evidence(
    losses: list[tuple[float | None, float | None]] | None = None,
    members: list[list[float]] | None = None,
    weights: list[float] | None = None,
    member_weights: list[list[float]] | None = None,
) -> FreeRunningEvidence:
    losses, members = losses or [], members or []
    weights, member_weights = weights or [], member_weights or [[] for _ in members]
    return FreeRunningEvidence(
        expected_steps=len(losses),
        reference_steps=len(losses),
        candidate_steps=len(losses),
        reference_start_digest="s",
        candidate_start_digest="s",
        weight_steps=tuple(10 * i for i in range(len(weights))),
        candidate_weight_distances=tuple(weights),
        members=tuple(BandMember(tuple(a), tuple(b), 1.0) for a, b in zip(members, member_weights, strict=True)),
        losses=tuple(StepLosses("free_running", step, r, c) for step, (r, c) in enumerate(losses)),
    )


def test_band_is_the_running_maximum_over_members_and_steps() -> None:
    members = [[1.0, 1.2, 1.0, 1.0], [1.0, 0.9, 0.7, 1.0]]
    series = loss_band(evidence([(1.0, 1.0), (1.0, 1.1), (1.0, 0.7), (1.0, 1.6)], members), POLICY)
    assert series.steps == (0, 1, 2, 3)
    assert series.band == pytest.approx((1e-7, 0.2, 0.3, 0.3))
    assert series.ratio == pytest.approx((0.0, 0.5, 1.0, 2.0))
    assert series.worst == pytest.approx(2.0)
    assert (series.left_at(1.5), series.left_at(3.0)) == (3, None)


def test_band_does_not_see_into_the_future() -> None:
    series = loss_band(evidence([(1.0, 1.01), (1.0, 1.0)], [[1.0, 2.0]]), POLICY)
    assert series.ratio[0] == pytest.approx(0.01 / 1e-7)
    assert series.left_at(3.0) == 0


def test_floor_holds_where_nothing_spreads() -> None:
    series = loss_band(evidence([(1.0, 1.0 + 2e-7)], [[1.0], [1.0]]), POLICY)
    assert series.band == (1e-7,)
    assert series.ratio == pytest.approx((2.0,), rel=1e-6)


def test_zero_difference_passes_without_any_width() -> None:
    series = loss_band(evidence([(1.0, 1.0)], [[1.0]]), replace(POLICY, loss_band_floor=0.0))
    assert series.ratio == (0.0,)


@pytest.mark.parametrize(("reference", "candidate"), [(1.0, NAN), (NAN, 1.0), (NAN, NAN), (None, 1.0), (1.0, None)])
def test_nan_and_missing_are_no_agreement(reference: float | None, candidate: float | None) -> None:
    series = loss_band(evidence([(1.0, 1.0), (reference, candidate), (1.0, 1.0)], [[1.0, 1.1, 1.1]]), POLICY)
    assert series.worst is not None
    assert math.isnan(series.worst)
    assert series.left_at(1e300) == 1


@pytest.mark.parametrize("position", [0, 1])
def test_nan_of_a_member_widens_nothing(position: int) -> None:
    members = [[1.0, 1.1, 1.1], [1.0, 1.2, 1.2]]
    members[position][1] = NAN
    series = loss_band(evidence([(1.0, 1.0), (1.0, 1.1), (1.0, 1.1)], members), POLICY)
    assert [math.isnan(width) for width in series.band] == [False, True, True]
    assert series.left_at(1e300) == 1


def test_a_reference_loss_of_zero_makes_the_band_infinite() -> None:
    """Which the check then calls undecided: see test_numerics."""
    series = loss_band(evidence([(0.0, 0.0), (1.0, 5.0)], [[0.1, 1.0]]), POLICY)
    assert series.band == (INF, INF)


def test_only_the_window_is_compared() -> None:
    series = loss_band(evidence([(1.0, 1.0), (1.0, 9.0)], [[1.0], [1.0, 1.0]]), POLICY)
    assert series.steps == (0,)


def test_without_members_nothing_is_compared() -> None:
    empty = loss_band(evidence([(1.0, 1.0)]), POLICY)
    assert (empty.ratio, empty.worst, empty.left_at(0.0)) == ((), None, None)
    assert weights_band(evidence(weights=[1.0]), POLICY).worst is None


def test_weights() -> None:
    made = evidence(
        members=[[], []], weights=[0.0, 3e-6, 1e-6], member_weights=[[5e-7, 2e-6, 1e-6], [1e-7, 1e-7, 4e-6]]
    )
    series = weights_band(made, POLICY)
    assert series.steps == (0, 10, 20)
    assert series.band == (1e-6, 2e-6, 4e-6)
    assert series.ratio == pytest.approx((0.0, 1.5, 0.25))


@pytest.mark.parametrize("field", ["weight_steps", "candidate_weight_distances"])
def test_series_of_unequal_length_are_cut_not_crashed(field: str) -> None:
    """The check refuses them; finding the first divergence must not fall over them."""
    made = evidence(members=[[]], weights=[1.0, 2.0], member_weights=[[1.0, 1.0]])
    assert len(weights_band(replace(made, **{field: getattr(made, field)[:1]}), POLICY).ratio) == 1
    assert weights_band(replace(made, **{field: ()}), POLICY).ratio == ()


def test_nan_anywhere_is_the_worst() -> None:
    for ratio in ((NAN, 1.0), (1.0, NAN), (0.0, NAN, 5.0)):
        worst = BandSeries((0,) * len(ratio), ratio, ratio, ratio).worst
        assert worst is not None
        assert math.isnan(worst)


positive = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(positive, positive, positive, positive), min_size=1, max_size=8))
def test_laws(rows: list[tuple[float, float, float, float]]) -> None:
    losses = [(reference, candidate) for reference, candidate, _, _ in rows]
    members = [[row[2] for row in rows], [row[3] for row in rows]]
    series = loss_band(evidence(losses, members), POLICY)
    assert all(a <= b for a, b in zip(series.band, series.band[1:], strict=False))
    assert min(series.band) >= POLICY.loss_band_floor
    assert loss_band(evidence(losses, members[::-1]), POLICY) == series
    # A candidate that is one of the members never leaves the band.
    assert (loss_band(evidence([(row[0], row[2]) for row in rows], members), POLICY).worst or 0) <= 1
