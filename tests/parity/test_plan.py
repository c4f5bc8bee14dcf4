"""Plans: every rule has a value that breaks it; the digest knows every field."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parity.errors import InvalidPlan
from service.parity.plan import (
    CPU_PHASES,
    MAX_BATCH_SIZE,
    MAX_BLOCKS,
    MAX_CHECKPOINT_STEPS,
    MAX_HIDDEN_LAYERS,
    MAX_SEED,
    MAX_SLICE_SECONDS,
    MAX_STEPS,
    MAX_WIDTH,
    MIN_BLOCKS,
    MIN_MEMORY_STEPS,
    MIN_VECTOR_LENGTH,
    PHASES,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    PerformanceSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
    layer_sizes,
    plan_from_document,
    second_device_fault,
)

NAN, INF = float("nan"), float("inf")

NOT_WHOLE = (0, -1, NAN, INF, -INF, 2.0, 1.5, True, None, "7", [7])
NOT_POSITIVE = (0.0, -1.0, -0.0, NAN, INF, -INF, True, None, "0.1")
WHOLE = {
    "model.vector_length": MAX_WIDTH,
    "model.hidden_layers": MAX_HIDDEN_LAYERS,
    "model.bottleneck": MAX_WIDTH,
    "training.steps": MAX_STEPS,
    "training.batch_size": MAX_BATCH_SIZE,
    "synchronized.steps": MAX_STEPS,
    "synchronized.every": MAX_STEPS,
    "free_running.band_runs": 100,
    "free_running.band_steps": MAX_STEPS,
    "free_running.weights_every": MAX_STEPS,
    "performance.blocks": MAX_BLOCKS,
    "performance.process_pairs": MAX_BLOCKS,
    "memory.steps": MAX_CHECKPOINT_STEPS,
}
LEAST = {
    "model.vector_length": MIN_VECTOR_LENGTH,
    "free_running.band_runs": 2,
    "performance.blocks": MIN_BLOCKS,
    "memory.steps": MIN_MEMORY_STEPS,
}
"""Of the whole numbers that must be more than 1."""
BAD: list[tuple[str, Any]] = [
    *((name, value) for name in WHOLE for value in NOT_WHOLE),
    *((name, most + 1) for name, most in WHOLE.items()),
    *(
        (name, value)
        for name in ("training.learning_rate", "training.clip", "performance.slice_seconds")
        for value in NOT_POSITIVE
    ),
    *(("performance.slice_seconds", value) for value in (MAX_SLICE_SECONDS + 0.5, MAX_SLICE_SECONDS + 1)),
    *(("free_running.taps_every", value) for value in (-1, MAX_STEPS + 1, NAN, 0.5, None, "0", True)),
    *(("model.alpha", value) for value in (-0.01, 1.0, 1.5, NAN, INF, None, "0.1")),
    *((name, least - 1) for name, least in LEAST.items()),
    *(("seed", value) for value in (-1, MAX_SEED + 1, NAN, 0.5, None, "0", True)),
    *(("device", value) for value in ("", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:1000", "cuda:٣")),
    *(("device", value) for value in ("CPU", "cpu ", "cpu\n", None, 0)),
    *(("phases", (phase,)) for phase in ("Synchronized", "Memory", "", "learning", None, 1)),
    *(("performance.second_device", value) for value in ("", "auto", "cpu", "cuda", "cuda:-1", "cuda:1000")),
    *(("performance.second_device", value) for value in ("cuda:1\n", 1, True, ["cuda:1"])),
    ("phases", ()),
    ("phases", ("synchronized", "synchronized")),
    ("phases", ("free_running", ["synchronized"])),
    *((name, value) for name in ("reference", "candidate", "dataset") for value in (None, 1, ["legacy"])),
]  # fmt: skip


def planned(name: str, value: Any) -> Plan:
    part, _, leaf = name.rpartition(".")
    plan = Plan()
    return replace(plan, **{part: replace(getattr(plan, part), **{leaf: value})} if part else {leaf: value})


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda v: repr(v)[:30])
def test_bad_value_is_refused_by_its_field(name: str, value: Any) -> None:
    with pytest.raises(InvalidPlan) as refused:
        planned(name, value).validate()
    assert {problem.field for problem in refused.value.problems} == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *WHOLE.items(),
        *((name, LEAST.get(name, 1)) for name in WHOLE),
        ("free_running.taps_every", 0),
        ("free_running.taps_every", MAX_STEPS),
        ("performance.slice_seconds", MAX_SLICE_SECONDS),
        ("performance.slice_seconds", 5e-324),
        ("model.alpha", 0),
        ("model.alpha", 0.999),
        ("training.learning_rate", 1),
        ("training.clip", 5e-324),
        ("seed", MAX_SEED),
        *(("device", device) for device in ("auto", "cpu", "cuda:0", "cuda:999")),
        *(("performance.second_device", device) for device in (None, "cuda:0", "cuda:999")),
        ("phases", ("free_running",)),
        ("phases", ("free_running", "synchronized")),
        *(("phases", (phase,)) for phase in PHASES),
        ("phases", PHASES),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_edge_of_the_range_is_accepted(name: str, value: Any) -> None:
    plan = planned(name, value)
    if name in ("model.vector_length", "model.bottleneck") and value == MAX_WIDTH:
        plan = replace(plan, model=replace(plan.model, vector_length=value, bottleneck=1, hidden_layers=1))
    assert plan.validate() is plan


def test_too_large_batch_names_both_numbers() -> None:
    with pytest.raises(InvalidPlan, match=r"training.batch_size: is 4097, but .* 4096 rows .* at most 4096"):
        planned("training.batch_size", 4097).validate()


def test_an_unknown_phase_lists_what_there_is() -> None:
    with pytest.raises(InvalidPlan, match=r"'memroy' is unknown; choose from synchronized, .*, performance, memory"):
        planned("phases", ("memroy",)).validate()


def test_a_plan_that_says_nothing_of_phases_is_one_that_a_cpu_can_judge() -> None:
    assert Plan().phases == CPU_PHASES
    assert [phase for phase in PHASES if phase not in CPU_PHASES] == ["performance", "memory"]


def test_too_many_parameters() -> None:
    model = ModelSpec(vector_length=MAX_WIDTH, hidden_layers=2, bottleneck=MAX_WIDTH)
    with pytest.raises(InvalidPlan, match=r"model: would have .* parameters; at most 268,435,456"):
        Plan(model=model).validate()


def test_every_problem_is_told_at_once() -> None:
    plan = replace(Plan(), seed=-1, device="gpu", training=TrainingSpec(steps=0, learning_rate=NAN, clip=0))
    with pytest.raises(InvalidPlan) as refused:
        plan.validate()
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["training.steps", "training.learning_rate", "training.clip", "seed", "device"]


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ((512, 2, 128), (512, 320, 128, 320, 512)),
        ((1024, 3, 256), (1024, 768, 512, 256, 512, 768, 1024)),
        ((512, 2, 1024), (512, 1024, 512)),
        ((8, 1, 4), (8, 4, 8)),
        ((8, 1, 8), (8, 8, 8)),
        ((10, 64, 1), (*range(10, 0, -1), *range(2, 11))),
        ((9, 2, 4), (9, 6, 4, 6, 9)),
    ],
)
def test_layer_sizes(model: tuple[int, int, int], sizes: tuple[int, ...]) -> None:
    assert layer_sizes(*model) == sizes
    assert Plan(model=ModelSpec(*model)).layer_sizes() == sizes


@given(st.integers(8, 600), st.integers(1, 64), st.integers(1, 600))
def test_layer_sizes_are_those_of_the_legacy_rule(vector_length: int, hidden_layers: int, bottleneck: int) -> None:
    from legacy.gpu_text_autoencoder import GPUTextAutoencoder

    model = object.__new__(GPUTextAutoencoder)
    model.vector_length, model.hidden_layer_count, model.bottleneck_size = vector_length, hidden_layers, bottleneck
    sizes = layer_sizes(vector_length, hidden_layers, bottleneck)
    assert list(sizes) == model._calculate_layer_sizes()
    assert sizes == sizes[::-1]
    assert sizes[len(sizes) // 2] == bottleneck


def leaves(document: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(document, dict):
        return list(itertools.chain.from_iterable(leaves(value, (*path, key)) for key, value in document.items()))
    return [path]


@pytest.mark.parametrize("path", leaves(Plan().as_document()), ids=".".join)
def test_digest_knows_every_field(path: tuple[str, ...]) -> None:
    document = Plan().as_document()
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    old = inner[path[-1]]
    changed: Any = f"{old}x" if isinstance(old, str) else old / 2 if isinstance(old, float) else None
    inner[path[-1]] = ["free_running"] if path == ("phases",) else old + 1 if changed is None else changed
    if path == ("device",):
        inner["device"] = "cpu"
    if path == ("synchronized", "witness"):
        inner["witness"] = "replays"
    assert plan_from_document(document).digest() != Plan().digest()


def test_digest_is_stable() -> None:
    plan = Plan(
        model=ModelSpec(16, 1, 4, 0.5),
        training=TrainingSpec(10, 2, 0.125, 1.0),
        synchronized=SynchronizedSpec(4, 2),
        free_running=FreeRunningSpec(2, 5, 5),
        performance=PerformanceSpec(8, 0.5, 2),
        memory=MemorySpec(10),
        seed=3,
        device="cpu",
    )
    assert plan.digest() == Plan(**{f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}).digest()
    assert plan.digest() == "adccd2a8a50ede01501e95bedca15644e08e437187a72920cf98e41147205df0"


def test_a_second_device_is_in_the_digest_only_where_there_is_one() -> None:
    one, two = Plan(device="cuda:0"), planned("performance.second_device", "cuda:1")
    assert "second_device" not in one.as_document()["performance"]
    assert two.as_document()["performance"]["second_device"] == "cuda:1"
    assert two.digest() not in (Plan().digest(), planned("performance.second_device", "cuda:2").digest())
    assert plan_from_document(json.loads(json.dumps(two.as_document()))) == two
    # As another Lockstep may write it.
    document = one.as_document()
    document["performance"]["second_device"] = None
    assert plan_from_document(document) == one


@pytest.mark.parametrize(
    ("device", "second", "words"),
    [
        ("cuda:0", "auto", "name a GPU beside the plan's own, e.g. cuda:1"),
        ("cuda:1", "cuda:1", "is 'cuda:1', which is the plan's device too"),
        ("cpu", "cuda:1", "but the plan's device is cpu; side by side takes two GPUs"),
    ],
)
def test_a_second_device_that_no_machine_has_is_refused_with_a_sentence(device: str, second: str, words: str) -> None:
    plan = replace(planned("performance.second_device", second), device=device)
    with pytest.raises(InvalidPlan, match=r"performance\.second_device: ") as refused:
        plan.validate()
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("device", "second", "devices", "words"),
    [
        ("cuda:0", "cuda:1", "cuda:0 cuda:1 cpu", None),
        ("cuda:1", "cuda:0", "cuda:0 cuda:1 cpu", None),
        ("auto", "cuda:1", "auto cuda:0 cuda:1 cpu", None),
        ("auto", None, "cpu", None),
        ("cuda:0", "cpu", "cuda:0 cpu", None),  # the plan's own rule says it
        (
            "cuda:0",
            "cuda:1",
            "cuda:0 cpu",
            "'cuda:1' is not usable here: there is only cuda:0, and side by side takes two",
        ),
        ("auto", "cuda:1", "auto cpu", "'cuda:1' is not usable here: there is no GPU"),
        ("auto", "cuda:0", "auto cuda:0 cuda:1 cpu", "is 'cuda:0', which is the plan's device too; choose from cuda:1"),
        ("cuda:0", "cuda:9", "cuda:0 cuda:1 cpu", "is 'cuda:9', which is not usable here; choose from cuda:1"),
    ],
)
def test_a_second_device_where_these_devices_are(device: str, second: Any, devices: str, words: str | None) -> None:
    plan = replace(planned("performance.second_device", second), device=device)
    fault = second_device_fault(plan, devices.split())
    assert (fault is None) == (words is None)
    assert words is None or words in str(fault)


def test_the_plan_of_the_second_device_alone() -> None:
    plan = replace(planned("performance.second_device", "cuda:1"), device="cuda:0", seed=4)
    there = plan.on_second_device().validate()
    assert there == replace(plan, device="cuda:1", performance=replace(plan.performance, second_device=None))


def test_order_of_phases_is_part_of_the_plan() -> None:
    assert Plan(phases=("free_running", "synchronized")).digest() != Plan().digest()


plans = st.builds(
    Plan,
    reference=st.text(),
    dataset=st.text(),
    model=st.builds(
        ModelSpec,
        vector_length=st.integers(8, 64),
        hidden_layers=st.integers(1, 64),
        bottleneck=st.integers(1, 64),
        alpha=st.floats(0, 1, exclude_max=True),
    ),
    training=st.builds(
        TrainingSpec,
        steps=st.integers(1, MAX_STEPS),
        batch_size=st.integers(1, MAX_BATCH_SIZE),
        learning_rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        clip=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    ),
    seed=st.integers(0, MAX_SEED),
    performance=st.builds(
        PerformanceSpec,
        blocks=st.integers(MIN_BLOCKS, MAX_BLOCKS),
        slice_seconds=st.floats(0, MAX_SLICE_SECONDS, exclude_min=True),
        process_pairs=st.integers(1, MAX_BLOCKS),
    ),
    memory=st.builds(MemorySpec, steps=st.integers(MIN_MEMORY_STEPS, MAX_CHECKPOINT_STEPS)),
    phases=st.permutations(PHASES).map(tuple),
)


@given(plans)
def test_document_round_trip(plan: Plan) -> None:
    document = json.loads(json.dumps(plan.as_document(), allow_nan=False))
    again = plan_from_document(document)
    assert again == plan
    assert again.digest() == plan.digest()


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"step": 3}, "step"),
        ({"model": {"width": 3}}, "model"),
        ({"model": None}, "model"),
        ({"training": [1]}, "training"),
        ({"phases": "synchronized"}, "phases"),
        ({"phases": None}, "phases"),
        ({"seed": "0"}, "seed"),
        ({"training": {"steps": None}}, "training.steps"),
        ({"model": {"alpha": "0.1"}}, "model.alpha"),
        ({"device": None}, "device"),
        ({"performance": {"blocks": 7}}, "performance.blocks"),
        ({"performance": {"slices": 4}}, "performance"),
        ({"performance": 12}, "performance"),
        ({"memory": {"steps": "60"}}, "memory.steps"),
        ({"memory": None}, "memory"),
    ],
)
def test_unreadable_document(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPlan) as refused:
        plan_from_document(document)
    assert [problem.field for problem in refused.value.problems] == [field]


@pytest.mark.parametrize(
    ("steps", "every", "compared"),
    [(1, 1, (0,)), (1, 100, (0,)), (5, 5, (0,)), (6, 5, (0, 5)), (100, 33, (0, 33, 66, 99)), (3, 1, (0, 1, 2))],
)
def test_synchronized_steps(steps: int, every: int, compared: tuple[int, ...]) -> None:
    assert Plan(synchronized=SynchronizedSpec(steps, every)).synchronized_steps() == compared


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_weights_are_weighed_at_the_end_of_the_window_too(steps: int, band_steps: int, every: int) -> None:
    plan = Plan(training=TrainingSpec(steps=steps), free_running=FreeRunningSpec(2, band_steps, every))
    weighed, window = plan.weight_steps(), plan.band_window()
    assert window == min(steps, band_steps)
    assert weighed[-1] == window - 1
    assert all(0 <= step < window for step in weighed)
    assert list(weighed) == sorted(set(weighed))
    assert len(weighed) >= window // every
