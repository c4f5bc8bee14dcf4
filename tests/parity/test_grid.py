"""What a sweep's file may say, the plans that it makes, and that everything else is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import service.campaigns
from service.parity.errors import DeviceUnavailable, InvalidConfiguration, Problem
from service.parity.grid import MAX_CONFIGURATIONS, Axis, Sweep, sweep_from_document
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.parity.policy import named_policy


def read(text: str, **flags: Any) -> Sweep:
    return sweep_from_document(tomllib.loads(text), named_policy, flags=flags)


def problems(text: str, **flags: Any) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read(text, **flags)
    return [str(problem) for problem in caught.value.problems]


TWO_BY_TWO = """
policy = "numerics"
[plan]
candidate = "harmless-split-k"
training = { steps = 50, clip = 2 }
[grid]
model.vector_length = [64, 128]
"training.learning_rate" = [1, 0.5]
"""


def test_every_combination_is_a_plan_and_the_last_axis_changes_fastest() -> None:
    swept = read(TWO_BY_TWO)
    assert swept.policy == named_policy("numerics")
    [grid] = swept.grids
    assert grid.axes == (Axis("model.vector_length", (64, 128)), Axis("training.learning_rate", (1.0, 0.5)))
    assert grid.plans == tuple(
        Plan(
            candidate="harmless-split-k",
            model=ModelSpec(vector_length=length),
            training=TrainingSpec(steps=50, clip=2.0, learning_rate=rate),
        )
        for length in (64, 128)
        for rate in (1.0, 0.5)
    )


def test_what_changed_is_what_the_plan_says() -> None:
    [grid] = read(TWO_BY_TWO + "seed = [1, 2, 3]").grids
    for index, plan in enumerate(grid.plans):
        assert grid.changed(index) == {
            "model.vector_length": plan.model.vector_length,
            "training.learning_rate": plan.training.learning_rate,
            "seed": plan.seed,
        }
    assert list(grid.changed(0)) == ["model.vector_length", "training.learning_rate", "seed"]


def test_what_is_the_same_runs_once() -> None:
    swept = read("""
        [plan]
        training = { clip = 1 }
        [[grid]]
        seed = [0, 1, 0]
        "training.learning_rate" = [1, 1.0]
        [[grid]]
        seed = [1, 2]
        "training.learning_rate" = [1]
    """)
    assert [len(grid.plans) for grid in swept.grids] == [2, 2]
    assert [plan.seed for plan in swept.plans().values()] == [0, 1, 2]


def test_a_grid_wins_over_the_plan_where_another_leaves_the_field_out() -> None:
    swept = read('[plan]\nseed = 7\n[[grid]]\nseed = [1]\n[[grid]]\n"training.clip" = [0.5]')
    assert [grid.plans[0].seed for grid in swept.grids] == [1, 7]


def test_a_list_may_hold_lists() -> None:
    swept = read('[grid]\nphases = [["synchronized"], ["synchronized", "memory"], ["synchronized"]]')
    assert [plan.phases for plan in swept.plans().values()] == [("synchronized",), ("synchronized", "memory")]


def test_flags_win_over_the_file() -> None:
    swept = read(
        '[plan]\ncandidate = "basemodel"\ndataset = "colors"\n[grid]\nseed = [4]', candidate="bad-tf32", device="cpu"
    )
    [plan] = swept.plans().values()
    assert (plan.candidate, plan.device, plan.dataset) == ("bad-tf32", "cpu", "colors")


def test_without_phases_a_plan_has_those_of_its_device() -> None:
    document = tomllib.loads('[plan]\ndevice = "cpu"\n[grid]\nseed = [1]')
    swept = sweep_from_document(document, named_policy, lambda device: ("memory",) if device == "cpu" else ())
    assert [plan.phases for plan in swept.plans().values()] == [("memory",)]


def test_a_device_that_is_not_here_is_told_with_its_place() -> None:
    def absent(device: str) -> tuple[str, ...]:
        raise DeviceUnavailable(Problem("device", f"{device} is not here"))

    with pytest.raises(InvalidConfiguration, match=r"grid\[seed=1\]\.device: cuda:7 is not here"):
        sweep_from_document(tomllib.loads('[plan]\ndevice = "cuda:7"\n[grid]\nseed = [1]'), named_policy, absent)


GRID = "[grid]\nseed = [1]\n"
BAD = [
    ("", "grid: there is no [grid], so there is nothing to sweep over"),
    ("grid = []", "grid: there is no [grid]"),
    ("grid = 3", "grid: must be a table of lists"),
    ("grid = [3, {seed = [1]}]", "grid 1: must be a table of lists"),
    ("[grid]", 'grid: is empty; give at least one list, as "model.vector_length" = [64, 128]'),
    ("[grid]\nseed = []", "grid.seed: must be a list of at least one value"),
    ("[grid]\nseed = 1", "grid.seed: must be a list of at least one value"),
    ("[grid]\nsed = [1]", "grid.sed: is not a field of a plan; choose from reference"),
    ("[grid]\nmodel.vector = [1]", "grid.model.vector: is not a field of a plan"),
    ("[grid]\nseed = [true]", "grid[seed=True].seed: is True; it must be a whole number"),
    ("[grid]\nseed = [true, 1]", "grid[seed=True].seed: is True; it must be a whole number"),
    ('[grid]\n"training.clip" = ["1"]', "grid[training.clip=1].training.clip: is '1'; it must be a finite number"),
    (GRID + "[grids]\nseed = [1]", "grids: is not known here; choose from policy, plan, grid"),
    ("plan = 3\n" + GRID, "plan: must be a table"),
    ("[plan]\nstep = 3\n" + GRID, "plan.step: is not a field of a plan"),
    ("[plan.training]\nstep = 3\n" + GRID, "plan.training.step: is not a field of a plan; choose from steps"),
    ("[plan]\nseed = 3\n" + GRID, "plan.seed: is listed in every grid too, so it would never be used"),
    ("policy = 3\n" + GRID, "policy: is 3; it must be a policy's name"),
    ('policy = "lenient"\n' + GRID, "policy: 'lenient' is unknown; choose from default, strict, numerics"),
    ("[grid]\nseed = [9999999999999999999999]", "numbers: a whole number is beyond 64 bits"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[repr(text[-40:]) for text, _ in BAD])
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert found[0].startswith(message)


def test_a_combination_that_no_plan_allows_is_told_and_once_for_all_that_share_it() -> None:
    found = problems("""
        [plan]
        training = { steps = 0 }
        [grid]
        "model.vector_length" = [64, 128]
        "model.bottleneck" = [8, 16385]
    """)
    assert found == [
        "grid[model.vector_length=64,model.bottleneck=8].training.steps: is 0; it must be a whole number from 1 to "
        "10,000,000 (and in 3 more)",
        "grid[model.vector_length=64,model.bottleneck=16385].model.bottleneck: is 16,385; it must be a whole number "
        "from 1 to 16,384 (and in 1 more)",
    ]


def test_a_grid_of_too_many_is_refused_before_it_is_made() -> None:
    seeds = list(range(1000))
    text = f'[grid]\nseed = {seeds}\n"training.clip" = [1, 2]\n"model.alpha" = [0.1, 0.2]'
    [found] = problems(text)
    assert found == f"grid: the file asks for 4,000 configurations; at most {MAX_CONFIGURATIONS:,} are carried out"
    assert len(read(text.replace(", 0.2", "")).plans()) == MAX_CONFIGURATIONS


def test_a_flag_may_not_contradict_a_list() -> None:
    assert problems('[plan]\ncandidate = "a"\n[grid]\ncandidate = ["basemodel"]', candidate="bad-tf32") == [
        "grid.candidate: has a list, so --candidate cannot set it; leave one out"
    ]


def test_the_grid_that_lockstep_brings_along() -> None:
    path = Path(str(service.campaigns.__file__)).with_name("default_sweep.toml")
    swept = read(path.read_text(encoding="utf-8"))
    assert len(swept.plans()) == 48
    assert {axis.field for grid in swept.grids for axis in grid.axes} == {
        "model.vector_length", "model.hidden_layers", "model.bottleneck", "model.alpha", "training.learning_rate",
        "training.batch_size", "training.clip",
    }  # fmt: skip
