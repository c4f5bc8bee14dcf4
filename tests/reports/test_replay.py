"""The replay command carries every value of the plan, quoted."""

from __future__ import annotations

import dataclasses
import shlex

import pytest
import typer

from service.cli import app
from service.parity.plan import (
    CheckpointSpec,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    PerformanceSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
)
from service.parity.policy import named_policy
from service.reports.replay import replay_command, replay_up_to

PLAN = Plan(
    reference="legacy",
    candidate="base model; rm -rf /",
    dataset="colors-g-z",
    model=ModelSpec(96, 3, 24, 0.02),
    training=TrainingSpec(777, 48, 1e-5, 0.25),
    synchronized=SynchronizedSpec(55, 11, "replays"),
    free_running=FreeRunningSpec(9, 33, 7, 4),
    checkpoint=CheckpointSpec(4, 6),
    performance=PerformanceSpec(10, 0.2, 2),
    memory=MemorySpec(33),
    phases=("free_running",),
    seed=12345,
    device="cuda:3",
)


def flags_of(command: str) -> dict[str, str]:
    words = shlex.split(command)
    assert words[:2] == ["lockstep", "run"]
    return dict(zip(words[2::2], words[3::2], strict=True))


def test_every_value_of_the_plan_is_there() -> None:
    assert flags_of(replay_command(PLAN, named_policy("strict"))) == {
        "--reference": "legacy",
        "--candidate": "base model; rm -rf /",
        "--steps": "777",
        "--batch-size": "48",
        "--vector-length": "96",
        "--hidden-layers": "3",
        "--bottleneck": "24",
        "--learning-rate": "1e-05",
        "--clip": "0.25",
        "--alpha": "0.02",
        "--seed": "12345",
        "--dataset": "colors-g-z",
        "--device": "cuda:3",
        "--phases": "free_running",
        "--sync-steps": "55",
        "--sync-every": "11",
        "--band-runs": "9",
        "--band-steps": "33",
        "--weights-every": "7",
        "--taps-every": "4",
        "--blocks": "10",
        "--slice-seconds": "0.2",
        "--process-pairs": "2",
        "--memory-steps": "33",
        "--witness": "replays",
        "--checkpoint-before": "4",
        "--checkpoint-after": "6",
        "--policy": "strict",
    }


@pytest.mark.parametrize("value", [1e-7, 0.1 + 0.2, 1 / 3, 5e-324, 0.9999999999999999])
def test_a_float_comes_back_to_the_last_bit(value: float) -> None:
    plan = Plan(model=ModelSpec(alpha=value), training=TrainingSpec(learning_rate=value, clip=value))
    flags = flags_of(replay_command(plan, named_policy("default")))
    assert [float(flags[name]) for name in ("--learning-rate", "--clip", "--alpha")] == [value] * 3


def test_no_default_is_left_out() -> None:
    """Another version's defaults may be others; the command must not lean on them."""
    options = typer.main.get_command(app).commands["run"].params  # type: ignore[attr-defined]
    names = {option.opts[0] for option in options} - {"--database", "--json", "--quiet"}
    two = Plan(device="cuda:0", performance=PerformanceSpec(second_device="cuda:1"))
    assert set(flags_of(replay_command(two, named_policy("default")))) == names
    assert flags_of(replay_command(two, named_policy("default")))["--second-device"] == "cuda:1"
    # No flag says that there is none; nor would another version take one of its own accord.
    assert set(flags_of(replay_command(Plan(), named_policy("default")))) == names - {"--second-device"}


def test_a_policy_that_is_not_built_in_is_a_file() -> None:
    policy = dataclasses.replace(named_policy("default"), error_ratio=8.0)
    assert flags_of(replay_command(PLAN, policy))["--policy"] == "policy.json"


def test_a_value_like_a_flag_stays_a_value() -> None:
    command = replay_command(dataclasses.replace(PLAN, candidate="--help"), named_policy("default"))
    assert "--candidate=--help" in shlex.split(command)


def test_up_to_a_step_runs_the_synchronized_phase_only() -> None:
    flags = flags_of(replay_up_to(PLAN, named_policy("default"), 44))
    assert (flags["--phases"], flags["--sync-steps"], flags["--sync-every"]) == ("synchronized", "45", "11")
    two = dataclasses.replace(PLAN, performance=PerformanceSpec(second_device="cuda:1"))
    assert "--second-device" not in flags_of(replay_up_to(two, named_policy("default"), 44)), "it needs one card"
