"""What the gate's file may say, and that everything else is told."""

from __future__ import annotations

import tomllib

import pytest

from service.gate.config import MAX_CASES, GateCase, cases_from_document
from service.parity.errors import InvalidConfiguration
from service.parity.plan import CPU_PHASES, Plan, TrainingSpec
from service.parity.policy import named_policy


def cases(text: str) -> tuple[GateCase, ...]:
    return cases_from_document(tomllib.loads(text), named_policy)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        cases(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_plan_takes_the_defaults_and_its_own_fields_win() -> None:
    [case] = cases("""
        policy = "strict"
        [defaults]
        seed = 3
        training = { steps = 50, clip = 2 }
        [[plan]]
        name = "one"
        candidate = "harmless-split-k"
        training = { steps = 60 }
    """)
    assert case == GateCase(
        "one",
        Plan(candidate="harmless-split-k", seed=3, training=TrainingSpec(steps=60, clip=2.0)),
        named_policy("strict"),
    )


def test_without_a_policy_the_default_one_holds_and_a_plan_may_have_its_own() -> None:
    found = cases('[[plan]]\nname = "a"\n[[plan]]\nname = "b"\npolicy = "numerics"')
    assert [case.policy.name for case in found] == ["default", "numerics"]


def test_a_whole_number_for_a_float_gives_the_digest_that_the_api_gives() -> None:
    [case] = cases('[[plan]]\nname = "a"\ntraining = { learning_rate = 1, clip = 1 }')
    assert case.plan.digest() == Plan(training=TrainingSpec(learning_rate=1.0, clip=1.0)).digest()


MATRIX = """
[[plan]]
name = "wrapper"
[plan.matrix]
{}
seed = [0, 1]
"""


@pytest.mark.parametrize("line", ['"training.batch_size" = [16, 64]', "training.batch_size = [16, 64]"])
def test_a_matrix_makes_a_case_of_every_combination(line: str) -> None:
    found = cases(MATRIX.format(line))
    assert [case.name for case in found] == [
        "wrapper[training.batch_size=16,seed=0]",
        "wrapper[training.batch_size=16,seed=1]",
        "wrapper[training.batch_size=64,seed=0]",
        "wrapper[training.batch_size=64,seed=1]",
    ]
    assert [(case.plan.training.batch_size, case.plan.seed) for case in found] == [(16, 0), (16, 1), (64, 0), (64, 1)]


def test_a_matrix_wins_over_the_defaults_and_may_hold_lists() -> None:
    found = cases("""
        [defaults]
        seed = 9
        [[plan]]
        name = "a"
        [plan.matrix]
        phases = [["synchronized"], ["synchronized", "free_running"]]
        seed = [1]
    """)
    assert [case.name for case in found] == [
        "a[phases=synchronized,seed=1]",
        "a[phases=synchronized+free_running,seed=1]",
    ]
    assert {case.plan.seed for case in found} == {1}


PLAN = '[[plan]]\nname = "a"\n'
BAD = [
    ("", "plan: there is no [[plan]], so nothing would be gated"),
    ('policy = "numerics"', "plan: there is no [[plan]]"),
    ("plan = []", "plan: there is no [[plan]]"),
    ("plan = 3", "plan: must be tables written as [[plan]]"),
    ("plan = [1]", "plan: must be tables written as [[plan]]"),
    ("plans = 1\n" + PLAN, "plans: is not known here; choose from policy, defaults, plan"),
    ("policy = 3\n" + PLAN, "policy: is 3; it must be a policy's name"),
    ('policy = "lenient"\n' + PLAN, "policy: 'lenient' is unknown; choose from default, strict, numerics"),
    (PLAN + 'policy = "lenient"', "plan 'a'.policy: 'lenient' is unknown"),
    ("defaults = 3\n" + PLAN, "defaults: must be a table"),
    ("[defaults]\nbatch_size = 3\n" + PLAN, "defaults.batch_size: is not a field of a plan; choose from reference"),
    ("[defaults.training]\nstep = 3\n" + PLAN, "defaults.training.step: is not a field of a plan; choose from steps"),
    ("[[plan]]\nseed = 1", "plan 1.name: must be printable text of 1 to 100 characters"),
    ('[[plan]]\nname = ""', "plan 1.name: must be printable text"),
    ("[[plan]]\nname = 7", "plan 1.name: must be printable text"),
    ('[[plan]]\nname = "a\\u001b[31m"', "plan 'a\\x1b[31m'.name: must be printable text"),
    (f'[[plan]]\nname = "{"x" * 101}"', "plan 1.name: must be printable text"),
    (PLAN + "colour = 1", "plan 'a'.colour: is not a field of a plan"),
    (PLAN + "training = 3", "plan 'a'.training: must be a table"),
    (PLAN + "training = { steps = 0 }", "plan 'a'.training.steps: is 0; it must be a whole number from 1"),
    (PLAN + "training = { steps = true }", "plan 'a'.training.steps: is True"),
    (PLAN + 'training = { steps = "9" }', "plan 'a'.training.steps: is '9'"),
    (PLAN + "training = { clip = true }", "plan 'a'.training.clip: is True; it must be a finite number above 0"),
    (PLAN + "training = { learning_rate = nan }", "plan 'a'.training.learning_rate: is nan"),
    (PLAN + "phases = []", "plan 'a'.phases: is empty"),
    (PLAN + 'phases = "synchronized"', "plan 'a'.phases: is 'synchronized'; it must be a list"),
    (PLAN + "phases = [{}]", "plan 'a'.phases: is ({},); it must be a list of names"),
    (PLAN + "seed = 2026-01-01", "plan 'a'.seed: is datetime.date(2026, 1, 1)"),
    (PLAN + f"seed = 0x{'f' * 9000}", "numbers: a whole number is beyond 64 bits"),
    (PLAN + "matrix = 3", "plan 'a'.matrix: must be a table of lists"),
    (PLAN + "matrix = { seed = 3 }", "plan 'a'.matrix.seed: must be a list of at least one value"),
    (PLAN + "matrix = { seed = [] }", "plan 'a'.matrix.seed: must be a list of at least one value"),
    (PLAN + "matrix = { name = ['b'] }", "plan 'a'.matrix.name: is not a field of a plan"),
    (PLAN + "matrix = { training = [3] }", "plan 'a'.matrix.training: is not a field of a plan"),
    (PLAN + 'matrix = { "training.step" = [3] }', "plan 'a'.matrix.training.step: is not a field of a plan"),
    (PLAN + "matrix = { seed = [-1] }", "plan 'a'[seed=-1].seed: is -1"),
    (PLAN + "seed = 1\nmatrix = { seed = [2] }", "plan 'a'.matrix.seed: is set in the plan too; leave one of the two"),
    (PLAN + "matrix = { seed = [2, 2] }", "plan: 2 cases are named 'a[seed=2]'; give each its own name"),
    (PLAN + PLAN, "plan: 2 cases are named 'a'; give each its own name"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[repr(text[-50:]) for text, _ in BAD])
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert message in found[0]


def test_every_problem_is_told_at_once() -> None:
    found = problems("""
        policy = "lenient"
        colour = 1
        [defaults]
        speed = 2
        [[plan]]
        name = "a"
        seed = -1
        [[plan]]
        name = "b"
        training = { steps = 0, batch_size = 0 }
    """)
    assert [line.split(":")[0] for line in found] == [
        "colour",
        "policy",
        "defaults.speed",
        "plan 'a'.seed",
        "plan 'b'.training.steps",
        "plan 'b'.training.batch_size",
    ]


def test_the_limit_of_cases_is_one_more_than_allowed_and_told_before_they_are_made() -> None:
    row = ", ".join(map(str, range(MAX_CASES)))
    assert len(cases(f"{PLAN}matrix = {{ seed = [{row}] }}")) == MAX_CASES
    assert problems(f'{PLAN}matrix = {{ seed = [{row}] }}\n[[plan]]\nname = "b"') == [
        "plan: the file asks for 201 cases; at most 200 are carried out"
    ]
    lists = ",".join(f'"{name}" = [{row}]' for name in ("training.steps", "training.batch_size", "model.bottleneck"))
    assert problems(f"{PLAN}matrix = {{ seed = [{row}], {lists} }}") == [
        "plan: the file asks for 1,600,000,000 cases; at most 200 are carried out"
    ]


def test_phases_left_out_are_those_of_the_plans_device() -> None:
    def default_phases(device: str) -> tuple[str, ...]:
        return ("memory",) if device == "cpu" else ("performance",)

    document = tomllib.loads(
        '[[plan]]\nname = "a"\ndevice = "cpu"\n[[plan]]\nname = "b"\n[[plan]]\nname = "c"\nphases = ["synchronized"]\n'
    )
    found = cases_from_document(document, named_policy, default_phases)
    assert [case.plan.phases for case in found] == [("memory",), ("performance",), ("synchronized",)]
    assert cases_from_document(document, named_policy)[0].plan.phases == CPU_PHASES
