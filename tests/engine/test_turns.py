"""Steps and turns of a slice, and the level that is taken out of them."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.turns import Turns, levelled_times, steps_of_slice, turns_of_slice


@pytest.mark.parametrize(
    ("seconds", "step_ms", "steps"),
    [(1.0, 100.0, 10), (1.0, 1000.0, 5), (1.0, 29.9, 34), (0.01, 29.9, 30), (0.01, 30.0, 5), (1.0, 0.3, 3334),
     (60.0, 0.001, 50_000)],
)  # fmt: skip
def test_steps_of_a_slice(seconds: float, step_ms: float, steps: int) -> None:
    assert steps_of_slice(seconds, step_ms) == steps


@pytest.mark.parametrize(
    ("steps", "step_ms", "turns"),
    [
        (200, 5.0, Turns(67, 3, 2)),
        (42, 5.0, Turns(14, 3, 2)),
        (43, 5.0, Turns(15, 3, 2)),
        (3334, 0.3, Turns(67, 50, 2)),
        (30, 25.0, Turns(10, 3, 2)),
        (10, 100.0, Turns(4, 3, 1)),
        (3, 1000.0, Turns(1, 3, 1)),
    ],
)
def test_turns_of_a_slice(steps: int, step_ms: float, turns: Turns) -> None:
    assert turns_of_slice(steps, step_ms) == turns


def test_the_machines_speed_is_taken_out_turn_by_turn_whoever_was_slow() -> None:
    draw = np.random.default_rng(0)
    steady = draw.uniform(4.9, 5.1, (4, 9, 3)) * np.array([1.0, 1.08, 1.08, 1.0])[:, None, None]
    speed = np.where(np.arange(9) % 2, 1.0, 1.6)[None, :, None]
    np.testing.assert_allclose(np.log(levelled_times(steady * speed)).std(), np.log(levelled_times(steady)).std())
    medians = np.median(levelled_times(steady * speed).reshape(4, -1), axis=1)
    ratio = medians[1:3].mean() / medians[[0, 3]].mean()
    assert ratio == pytest.approx(1.08, rel=0.01)
    np.testing.assert_allclose(levelled_times(steady[:, :1]), steady[:, :1])
    # A side that is slow in every other turn is slow by its share, not hidden: its level is half of the four's.
    own = steady.copy()
    own[1:3, ::2] *= 1.2
    assert np.log(levelled_times(own)[1:3] / levelled_times(own)[[0, 3]]).mean() == pytest.approx(
        np.log(own[1:3] / own[[0, 3]]).mean()
    )
