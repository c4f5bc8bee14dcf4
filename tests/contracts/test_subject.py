"""The subject port: state goes round, steps are deterministic, taps are the oracle's, on each registered subject."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from basemodel.checkpoints import write_checkpoint
from basemodel.rungs import RUNGS
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.ports import CheckpointMetadata, State, Subject
from service.subjects.known_bad import VARIANTS
from service.subjects.oracle import Float64Oracle
from service.subjects.planted_methods import METHOD_FAULTS
from service.subjects.registry import registered_subjects

PLAN = Plan(
    model=ModelSpec(vector_length=20, hidden_layers=2, bottleneck=6, alpha=0.1),
    training=TrainingSpec(steps=10, batch_size=5, learning_rate=0.1, clip=0.05),
    seed=3,
    device="cpu",
)
LAYERS = len(PLAN.layer_sizes()) - 1


def draw(seed: int, rows: int = 5) -> NDArray[np.float32]:
    batch = np.random.default_rng(seed).random((rows, 20)).astype(np.float32)
    batch.setflags(write=False)
    return batch


def build(name: str) -> Subject:
    return registered_subjects()[name].factory(PLAN)


BREACHES = frozenset(
    {
        "bad-shuffled-batch", "bad-written-batch", "bad-ignored-array", "bad-false-taps", "bad-loss", "bad-extra-tap",
        "bad-transposed-tap", "bad-tap-dtype", "bad-zero-outputs", "bad-channel-order", "bad-method-layer-sizes",
        "bad-method-get-weights", "bad-method-predict", "bad-method-loss",
    }
)  # fmt: skip
"""Candidates whose planted fault is a breach of this very contract; `lockstep selftest` holds the gate to them."""


@pytest.fixture(params=[name for name in registered_subjects() if name not in BREACHES])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = build(request.param)
    yield made
    made.close()


@pytest.fixture
def initial() -> State:
    legacy = build("legacy")
    return legacy.state()


def assert_equal(left: State, right: State) -> None:
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == right[name].dtype == np.float32
        assert array.tobytes() == right[name].tobytes(), name


def test_registry() -> None:
    entries = registered_subjects()
    kinds = {name: entry.kind for name, entry in entries.items()}
    for name in ("legacy", "basemodel", *(f"basemodel@{rung}" for rung in RUNGS)):
        assert kinds[name] == "implementation"
    for name, variant in VARIANTS.items():
        assert kinds[name] == ("harmless" if variant.harmless else "known_bad")
        assert name.startswith(("timing-", "harmless-" if variant.harmless else "bad-"))
    for name in METHOD_FAULTS:
        assert kinds[name] == "known_bad"
        assert name.startswith("bad-method-")
    assert {*VARIANTS, *METHOD_FAULTS} > BREACHES


def test_state_goes_round_bit_for_bit(subject: Subject, initial: State) -> None:
    odd = {name: array.copy() for name, array in initial.items()}
    odd["weight_0"].flat[:5] = [-0.0, 1e-45, 3.4e38, 1e-30, -1.5]
    subject.load_state(odd)
    assert_equal(subject.state(), odd)


def test_state_is_a_copy_both_ways(subject: Subject, initial: State) -> None:
    given = {name: array.copy() for name, array in initial.items()}
    subject.load_state(given)
    for array in given.values():
        array[...] = 7
    assert_equal(subject.state(), initial)
    given = {name: array.copy() for name, array in initial.items()}
    subject.load_state(given)
    kept = subject.state()
    for _ in range(2):
        subject.train_step(draw(0))
    assert_equal(given, initial)
    assert_equal(kept, initial)
    trained = subject.state()
    for array in (*given.values(), *kept.values(), *trained.values()):
        array[...] = 7
    assert not any((array == 7).any() for array in subject.state().values())


def broken(initial: State, how: str) -> dict[str, NDArray[Any]]:
    state = dict(initial)
    if how == "missing":
        del state["bias_1"]
    elif how == "extra":
        state["weight_9"] = state["weight_0"]
    elif how == "renamed":
        state["bias_x"] = state.pop("bias_1")
    elif how == "transposed":
        state["weight_0"] = np.ascontiguousarray(state["weight_0"].T)
    elif how == "row bias":
        state["bias_0"] = state["bias_0"].reshape(1, -1)
    elif how == "scalar":
        state["bias_0"] = np.float32(0).reshape(())
    elif how == "empty":
        state = {}
    return state


@pytest.mark.parametrize("how", ["missing", "extra", "renamed", "transposed", "row bias", "scalar", "empty"])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(subject: Subject, initial: State, how: str) -> None:
    subject.load_state(initial)
    with pytest.raises(ValueError):
        subject.load_state(broken(initial, how))
    assert_equal(subject.state(), initial)


def copied(taps: Any) -> dict[str, NDArray[Any]]:
    return {name: np.array(array) for name, array in taps.items()}


def test_steps_are_deterministic(subject: Subject, initial: State) -> None:
    runs = []
    for made in (subject, build(subject.info().name)):
        made.load_state(initial)
        results = [made.train_step(draw(step), taps=True) for step in range(2)]
        runs.append((results[-1].loss, copied(results[-1].taps), made.state()))
    (loss, taps, state), (loss_again, taps_again, state_again) = runs
    assert loss == loss_again
    for name in taps:
        assert taps[name].tobytes() == taps_again[name].tobytes()
    assert_equal(state, state_again)


def test_names_and_shapes_of_taps_are_the_oracles(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    taps = dict(subject.train_step(draw(0), taps=True).taps)
    oracle = Float64Oracle(PLAN)
    expected = dict(oracle.tap_shapes(5))
    del expected["loss.value"]
    if subject.info().name == "bad-missing-tap":
        del expected["backward.layer1.weight_grad"]
    assert {name: array.shape for name, array in taps.items()} == expected
    assert {str(array.dtype) for array in taps.values()} == {"float32"}
    if subject.info().name != "bad-missing-tap":
        assert list(taps) == [name for name in oracle.tap_names() if name != "loss.value"]


def test_no_taps_unless_asked(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    assert dict(subject.train_step(draw(0)).taps) == {}


def test_asking_for_taps_changes_nothing(subject: Subject, initial: State) -> None:
    states = []
    for taps in (False, True):
        made = build(subject.info().name)
        made.load_state(initial)
        made.train_step(draw(0), taps=taps)
        states.append(made.state())
    assert_equal(*states)


def test_updated_weights_are_the_state(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    taps = copied(subject.train_step(draw(0), taps=True).taps)
    assert_equal(
        subject.state(), {f"{p}_{i}": taps[f"update.layer{i}.{p}"] for i in range(LAYERS) for p in ("weight", "bias")}
    )


def test_forward_changes_no_state(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    first = np.array(subject.forward(draw(1, rows=9)))
    assert first.shape == (9, 20)
    assert_equal(subject.state(), initial)
    subject.forward(draw(2))
    assert np.array(subject.forward(draw(1, rows=9))).tobytes() == first.tobytes()


def test_loss_is_of_the_forward_pass_before_the_update(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    output = np.array(subject.forward(draw(0)), dtype=np.float64)
    loss = subject.train_step(draw(0)).loss
    assert isinstance(loss, float)
    assert loss == pytest.approx(float(((output - draw(0)) ** 2).mean()), rel=1e-6)


def test_info(subject: Subject) -> None:
    info = subject.info()
    assert info == subject.info()
    assert info == build(info.name).info()
    weights = sum(a * b for a, b in zip(PLAN.layer_sizes(), PLAN.layer_sizes()[1:], strict=False))
    assert info.parameter_count == weights + sum(PLAN.layer_sizes()[1:])
    assert (len(info.source_digest), info.device) == (64, "cpu")
    assert info.step_flops == 2 * 5 * (3 * weights - PLAN.layer_sizes()[0] * PLAN.layer_sizes()[1])
    assert {prefix.rstrip(".") for prefix in info.sources} == {"forward", "loss", "backward", "update"}


def test_digests_tell_the_implementations_apart() -> None:
    names = ("legacy", "basemodel", "bad-decay-only", "basemodel@memory", "basemodel@kernels", "bad-method-forward")
    digests = {name: build(name).info().source_digest for name in names}
    # Rungs that run the same files have one digest; their names tell them apart.
    assert digests.pop("basemodel@memory") == digests["basemodel"]
    assert len(set(digests.values())) == len(names) - 1


def test_close_twice(subject: Subject) -> None:
    subject.close()
    subject.close()


def test_batch_is_only_read(subject: Subject, initial: State) -> None:
    subject.load_state(initial)
    batch = draw(4)
    before = batch.tobytes()
    subject.train_step(batch, taps=True)
    subject.forward(batch)
    assert batch.tobytes() == before


@pytest.mark.parametrize("rung", ["basemodel", *(f"basemodel@{rung}" for rung in RUNGS)])
def test_every_rung_is_bit_equal_to_legacy_in_every_tap(initial: State, rung: str) -> None:
    legacy, wrapper = build("legacy"), build(rung)
    assert_equal(wrapper.state(), legacy.state())
    for step in range(10):
        results = [made.train_step(draw(step), taps=True) for made in (legacy, wrapper)]
        assert results[0].loss == results[1].loss
        one, other = (copied(result.taps) for result in results)
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].tobytes() == other[name].tobytes(), (step, name)
    assert_equal(wrapper.state(), legacy.state())
    assert not all(np.array_equal(array, initial[name]) for name, array in legacy.state().items())


# Checkpoint files. A candidate with a planted fault in save or load is the checkpoint phase's to catch, not ours.

KEPT = CheckpointMetadata(1 / 3, 7, {"rate": 0.1, "names": ["ä", None, True], "nested": {"n": 2**60, "empty": {}}})
FORMATS = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])


@pytest.fixture(params=[name for name, entry in registered_subjects().items() if entry.kind != "known_bad"])
def sound(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = build(request.param)
    yield made
    made.close()


@FORMATS
def test_a_file_brings_state_and_metadata_to_every_sound_subject(
    sound: Subject, initial: State, tmp_path: Path, suffix: str
) -> None:
    odd = {name: array.copy() for name, array in initial.items()}
    odd["weight_0"].flat[:5] = [-0.0, 1e-45, 3.4e38, np.nan, np.inf]
    sound.load_state(odd)
    path = tmp_path / f"model{suffix}"
    sound.save(path, KEPT)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert_equal(sound.state(), odd)
    for name in (sound.info().name, "legacy", "basemodel"):
        other = build(name)
        other.load_state({name: array + 1 for name, array in initial.items()})
        assert other.load(path) == KEPT
        assert_equal(other.state(), odd)


@FORMATS
def test_saving_replaces_a_file_whole(sound: Subject, initial: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"something else, and longer than nothing" * 1000)
    sound.load_state(initial)
    sound.save(path, KEPT)
    sound.train_step(draw(0))
    assert sound.load(path) == KEPT
    assert_equal(sound.state(), initial)


@FORMATS
def test_a_loaded_model_trains_on_as_if_it_had_never_stopped(
    sound: Subject, initial: State, tmp_path: Path, suffix: str
) -> None:
    sound.load_state(initial)
    sound.train_step(draw(0))
    sound.save(tmp_path / f"m{suffix}", KEPT)
    sound.train_step(draw(1))
    never_stopped = sound.state()
    other = build(sound.info().name)
    other.load(tmp_path / f"m{suffix}")
    other.train_step(draw(1))
    assert_equal(other.state(), never_stopped)


@FORMATS
@pytest.mark.parametrize("how", ["missing", "extra", "renamed", "transposed", "row bias", "cut", "empty file"])
def test_a_file_that_does_not_fit_is_refused_and_changes_nothing(
    sound: Subject, initial: State, tmp_path: Path, suffix: str, how: str
) -> None:
    path = tmp_path / f"strange{suffix}"
    write_checkpoint(path, broken(initial, how), 0.5, 1, {})
    if how in ("cut", "empty file"):
        path.write_bytes(path.read_bytes()[:1000] if how == "cut" else b"")
    sound.load_state(initial)
    with pytest.raises(ValueError, match="strange"):
        sound.load(path)
    assert_equal(sound.state(), initial)


@pytest.mark.parametrize("name", ["none.npz", "none.safetensors"])
def test_no_file(sound: Subject, initial: State, tmp_path: Path, name: str) -> None:
    sound.load_state(initial)
    with pytest.raises(FileNotFoundError):
        sound.load(tmp_path / name)
    assert_equal(sound.state(), initial)


def test_a_file_of_another_format_is_refused(sound: Subject, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.npz or \.safetensors"):
        sound.save(tmp_path / "model.pt", KEPT)
    with pytest.raises(ValueError, match=r"ends in \.npz or \.safetensors"):
        sound.load(tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []
