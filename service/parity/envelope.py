"""The perturbation band: how far rounding alone drives a training apart, and where a candidate leaves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.parity.policy import Policy
from service.parity.record import FreeRunningEvidence


@dataclass(frozen=True, slots=True)
class BandSeries:
    """One measure of distance, step by step: the candidate's, the band's running maximum, and their ratio."""

    steps: tuple[int, ...]
    candidate: tuple[float, ...]
    band: tuple[float, ...]
    ratio: tuple[float, ...]

    @property
    def worst(self) -> float | None:
        """The largest ratio; NaN if any is NaN, `None` when nothing was compared."""
        if not self.ratio:
            return None
        return math.nan if any(math.isnan(value) for value in self.ratio) else max(self.ratio)

    def left_at(self, limit: float) -> int | None:
        """The first step whose ratio is not within the limit."""
        return next((step for step, ratio in zip(self.steps, self.ratio, strict=True) if not ratio <= limit), None)


def loss_band(evidence: FreeRunningEvidence, policy: Policy) -> BandSeries:
    """Relative loss differences |L - L_ref| / |L_ref| over the band's window."""
    window = min((len(member.losses) for member in evidence.members), default=0)
    rows = [row for row in evidence.losses if row.step < window]
    reference = [_number(row.reference) for row in rows]
    candidate = [_relative(_number(row.candidate), base) for row, base in zip(rows, reference, strict=True)]
    members = [
        [_relative(loss, base) for loss, base in zip(member.losses[: len(rows)], reference, strict=True)]
        for member in evidence.members
    ]
    return _series([row.step for row in rows], candidate, members, policy.loss_band_floor)


def weights_band(evidence: FreeRunningEvidence, policy: Policy) -> BandSeries:
    """Relative L2 distances of the weights, at the steps where they were compared."""
    lengths = [len(member.weight_distances) for member in evidence.members] or [0]
    count = min(*lengths, len(evidence.candidate_weight_distances), len(evidence.weight_steps))
    return _series(
        list(evidence.weight_steps[:count]),
        list(evidence.candidate_weight_distances[:count]),
        [list(member.weight_distances[:count]) for member in evidence.members],
        policy.weights_band_floor,
    )


def _series(steps: list[int], candidate: list[float], members: Sequence[Sequence[float]], floor: float) -> BandSeries:
    band: list[float] = []
    widest = floor
    for position in range(len(steps)):
        for member in members:
            widest = max(widest, member[position]) if member[position] == member[position] else math.nan
        band.append(widest)
    ratio = [0.0 if value == 0 else value / width for value, width in zip(candidate, band, strict=True)]
    return BandSeries(tuple(steps), tuple(candidate), tuple(band), tuple(ratio))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _relative(value: float, base: float) -> float:
    if value == base:
        return 0.0
    return abs(value - base) / abs(base) if base != 0 else math.inf
