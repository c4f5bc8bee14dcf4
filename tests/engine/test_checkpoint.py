"""The checkpoint phase on subjects that lose, change or refuse one thing each: what is seen, and who is blamed."""

from __future__ import annotations

import errno
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.checkpoints import read_checkpoint, write_checkpoint
from service.parity.errors import RunCancelled
from service.parity.record import CHECKPOINT_FORMATS, SIDES
from service.ports import CheckpointMetadata
from service.subjects.basemodel import BaseModelSubject
from service.subjects.known_bad import VARIANTS
from service.subjects.legacy import LegacySubject

CHECKS = ("checkpoint.transfer", "checkpoint.resume")
MATRIX = [(saver, loader, kind) for saver in SIDES for loader in SIDES for kind in CHECKPOINT_FORMATS]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the phase makes its folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def outcomes(outcome: Any) -> tuple[str, str]:
    transfer, resume = (outcome.check(name).outcome for name in CHECKS)
    return transfer, resume


def test_legacy_and_its_replacement(lab: Any, temporary: Path) -> None:
    outcome = lab.checkpoint(BaseModelSubject(lab.plan), LegacySubject(lab.plan))
    evidence = outcome.checkpoint
    assert outcomes(outcome) == ("pass", "pass")
    assert [(trip.saver, trip.loader, trip.format) for trip in evidence.trips] == MATRIX
    for trip in evidence.trips:
        assert (trip.arrays, trip.differing_arrays, trip.lost_metadata) == (4, (), ())
        assert (trip.output.elements, trip.output.mismatches) == (4 * 16, 0)
        assert (trip.resumed_steps, trip.resumed_distance, trip.resumed_differing) == (4, 0.0, ())
        assert trip.repeat_distance == 0.0
    assert evidence.troubles == ()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.harmless])
@pytest.mark.parametrize("oracle", [True, False])
def test_harmless_variants_pass(lab: Any, name: str, oracle: bool) -> None:
    assert outcomes(lab.checkpoint(lab.Stub(lab.plan, VARIANTS[name]), oracle=oracle)) == ("pass", "pass")


def test_progress_reaches_its_total(lab: Any) -> None:
    watcher = lab.checkpoint().watcher
    assert watcher.reports[-1] == ("checkpoint", 8, 8)
    assert [done for _, done, _ in watcher.reports] == sorted(done for _, done, _ in watcher.reports)


def test_stopping_leaves_no_file(lab: Any, temporary: Path) -> None:
    with pytest.raises(RunCancelled):
        lab.checkpoint(watcher=lab.Watcher(raises=RunCancelled("stop"), at=4))
    assert list(temporary.iterdir()) == []


# --- subjects that do one thing wrong ---------------------------------------------------------------------------------


def saving(change: Any) -> Any:
    """A subject whose files hold what `change(state, metadata)` makes of them."""

    def make(lab: Any) -> Any:
        stub = lab.Stub()

        def save(path: Path, metadata: CheckpointMetadata) -> None:
            state, kept = change(stub.state(), metadata)
            write_checkpoint(path, state, kept.loss, kept.epoch, kept.parameters)

        stub.save = save
        return stub

    return make


def loading(change: Any) -> Any:
    """A subject that makes `change(state)` of what it loads."""

    def make(lab: Any) -> Any:
        stub = lab.Stub()

        def load(path: Path) -> CheckpointMetadata:
            checkpoint = read_checkpoint(path)
            stub.load_state(change(dict(stub.state()), checkpoint.state))
            return CheckpointMetadata(checkpoint.loss, checkpoint.epoch, checkpoint.parameters or {})

        stub.load = load
        return stub

    return make


def one_ulp(state: Any) -> Any:
    weight = state["weight_1"].copy()
    weight.flat[3] = np.nextafter(weight.flat[3], np.float32(9))
    return {**state, "weight_1": weight}


def without_memory(lab: Any) -> Any:
    """Outputs right, arrays right, and yet training goes on otherwise: a rate that load() forgets."""
    stub = lab.Stub()
    step, load, forgotten = stub.train_step, stub.load, []

    def load_and_forget(path: Path) -> CheckpointMetadata:
        forgotten.append(True)
        return load(path)

    def load_state(state: Any) -> None:
        forgotten.clear()
        stub.inner.load_state(state)

    def train_step(batch: Any, taps: bool = False) -> Any:
        before = stub.state()
        result = step(batch, taps=taps)
        if forgotten:
            stub.inner.load_state(
                {name: before[name] + (array - before[name]) / 2 for name, array in stub.state().items()}
            )
        return result

    stub.load, stub.load_state, stub.train_step = load_and_forget, load_state, train_step
    return stub


def failing(method: str, error: Exception, when: Any = lambda *_: True) -> Any:
    def make(lab: Any) -> Any:
        stub = lab.Stub()
        inner = getattr(stub, method)

        def fail(*arguments: Any, **named: Any) -> Any:
            if when(*arguments):
                raise error
            return inner(*arguments, **named)

        setattr(stub, method, fail)
        return stub

    return make


def writing(content: bytes | None) -> Any:
    def make(lab: Any) -> Any:
        stub = lab.Stub()
        stub.save = lambda path, metadata: None if content is None else path.write_bytes(content)
        return stub

    return make


def wide_output(lab: Any) -> Any:
    stub = lab.Stub()
    stub.forward = lambda batch: stub.inner.forward(batch)[:, :3]
    return stub


def nan_output(lab: Any) -> Any:
    stub = lab.Stub()
    stub.forward = lambda batch: stub.inner.forward(batch) * np.float32(math.nan)
    return stub


BROKEN = {
    "a load that does nothing": (loading(lambda held, read: held), ("fail", "fail")),
    "a load that forgets the biases": (
        loading(lambda held, read: {k: (read if k.startswith("weight") else held)[k] for k in read}),
        ("fail", "fail"),
    ),
    "a load off by one unit in the last place": (loading(lambda held, read: one_ulp(read)), ("fail", "fail")),
    "a save off by one unit in the last place": (saving(lambda state, m: (one_ulp(state), m)), ("fail", "fail")),
    "a lost loss": (saving(lambda state, m: (state, replace(m, loss=round(m.loss, 3)))), ("fail", "pass")),
    "a lost epoch": (saving(lambda state, m: (state, replace(m, epoch=0))), ("fail", "pass")),
    "lost parameters": (saving(lambda state, m: (state, replace(m, parameters={}))), ("fail", "pass")),
    "an integer for a float": (
        saving(lambda state, m: (state, replace(m, parameters={**m.parameters, "seed": float(m.parameters["seed"])}))),
        ("fail", "pass"),
    ),
    "a swapped layer": (
        saving(lambda state, m: ({**state, "weight_0": state["weight_0"][::-1].copy()}, m)),
        ("fail", "fail"),
    ),
    "a transposed weight": (saving(lambda state, m: ({**state, "weight_0": state["weight_0"].T}, m)), ("fail", "fail")),
    "an array of another precision": (
        saving(lambda state, m: ({**state, "bias_0": state["bias_0"].astype(np.float64)}, m)),
        ("fail", "fail"),
    ),
    "training that goes on otherwise": (without_memory, ("pass", "fail")),
    "a save that raises": (failing("save", RuntimeError("no")), ("fail", "fail")),
    "a save that writes nothing": (writing(None), ("fail", "fail")),
    "a save that writes rubbish": (writing(b"rubbish"), ("fail", "fail")),
    "a load that raises": (failing("load", RuntimeError("no")), ("fail", "fail")),
    "a load that refuses": (failing("load", ValueError("no")), ("fail", "fail")),
    "a load that returns nothing": (lambda lab: _with(lab, load=lambda path: None), ("fail", "fail")),
    "outputs of another shape": (wide_output, ("fail", "fail")),
    "outputs that are NaN": (nan_output, ("fail", "pass")),
}


def _with(lab: Any, **methods: Any) -> Any:
    stub = lab.Stub()
    for name, method in methods.items():
        setattr(stub, name, method)
    return stub


@pytest.mark.parametrize(("make", "expected"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_candidate_fails_and_a_broken_reference_decides_nothing(lab: Any, make: Any, expected: Any) -> None:
    assert outcomes(lab.checkpoint(candidate=make(lab))) == expected
    turned = tuple("inconclusive" if outcome == "fail" else "pass" for outcome in expected)
    assert outcomes(lab.checkpoint(reference=make(lab))) == turned


@pytest.mark.parametrize("side", SIDES)
def test_before_a_load_the_side_holds_nothing_of_the_file(lab: Any, side: str) -> None:
    """A load that skips an array which both sides happen to hold would not be seen otherwise."""
    stub, seen = lab.Stub(), []

    def load(path: Path) -> CheckpointMetadata:
        held = stub.state()
        metadata = stub.inner.load(path)
        seen.append([bool((array != held[name]).all()) for name, array in stub.state().items()])
        return metadata

    stub.load = load
    lab.checkpoint(**{side: stub})
    # A trip loads once to compare and, what it holds being compared by then, once to train on.
    assert seen[::2] == [[True] * 4] * 4


def test_never_stopped_means_not_even_to_load_in_memory(lab: Any) -> None:
    """What a side keeps beside its state, momentum say, is lost by every load, and kept by the side that goes on."""
    stub, steps = lab.Stub(), []

    def forgetting(inner: Any) -> Any:
        def call(argument: Any) -> Any:
            steps.clear()
            return inner(argument)

        return call

    def train_step(batch: Any, taps: bool = False) -> Any:
        result = stub.inner.train_step(batch, taps=taps)
        steps.append(None)
        grown = {name: array * np.float32(1 + 1e-3 * len(steps)) for name, array in stub.state().items()}
        stub.inner.load_state(grown)
        return result

    stub.load, stub.load_state, stub.train_step = forgetting(stub.load), forgetting(stub.load_state), train_step
    outcome = lab.checkpoint(candidate=stub)
    assert outcomes(outcome) == ("pass", "fail")
    lost = {(trip.saver, trip.loader) for trip in outcome.checkpoint.trips if trip.resumed_differing}
    assert lost == {("candidate", "candidate")}


def remembering(keep: Any, recall: Any) -> Any:
    """A subject whose steps grow with a count that no state holds; saves it by `keep`, loads it by `recall`."""

    def make(lab: Any) -> Any:
        stub, steps = lab.Stub(), [0]

        def save(path: Path, metadata: CheckpointMetadata) -> None:
            stub.inner.save(path, metadata)
            keep(path, steps[0])

        def load(path: Path) -> CheckpointMetadata:
            metadata = stub.inner.load(path)
            steps[0] = recall(path, steps[0])
            return metadata

        def load_state(state: Any) -> None:
            stub.inner.load_state(state)
            steps[0] = 0

        def train_step(batch: Any, taps: bool = False) -> Any:
            result = stub.inner.train_step(batch, taps=taps)
            steps[0] += 1
            grown = {name: array * np.float32(1 + 1e-3 * steps[0]) for name, array in stub.state().items()}
            stub.inner.load_state(grown)
            return result

        stub.save, stub.load, stub.load_state, stub.train_step = save, load, load_state, train_step
        return stub

    return make


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.count")


def test_what_is_kept_beside_a_file_is_not_in_it(lab: Any) -> None:
    make = remembering(
        lambda path, steps: beside(path).write_text(str(steps)),
        lambda path, steps: int(beside(path).read_text()) if beside(path).exists() else 0,
    )
    assert outcomes(lab.checkpoint(candidate=make(lab))) == ("pass", "fail")


def test_what_is_kept_in_memory_under_a_files_path_is_not_in_it(lab: Any) -> None:
    kept: dict[Path, int] = {}
    make = remembering(kept.__setitem__, lambda path, steps: kept.get(path, 0))
    assert outcomes(lab.checkpoint(candidate=make(lab))) == ("pass", "fail")


def test_a_load_from_a_file_leaves_nothing_of_the_training_before(lab: Any) -> None:
    """A momentum that only `load_state` clears, and that counts after a file alone: in memory nothing of it is seen."""
    stub, before, pending = lab.Stub(), [None], [False]

    def load_state(state: Any) -> None:
        stub.inner.load_state(state)
        before[0], pending[0] = None, False

    def load(path: Path) -> CheckpointMetadata:
        pending[0] = True
        return stub.inner.load(path)

    def train_step(batch: Any, taps: bool = False) -> Any:
        held = stub.state()
        result = stub.inner.train_step(batch, taps=taps)
        moved = {name: array - held[name] for name, array in stub.state().items()}
        if pending[0] and before[0] is not None:
            stub.inner.load_state({name: array + before[0][name] for name, array in stub.state().items()})
        before[0], pending[0] = moved, False
        return result

    stub.load, stub.load_state, stub.train_step = load, load_state, train_step
    assert outcomes(lab.checkpoint(candidate=stub)) == ("pass", "fail")


def test_a_file_that_is_written_to_after_its_save_is_wrong(lab: Any) -> None:
    stub, late = lab.Stub(), []

    def save(path: Path, metadata: CheckpointMetadata) -> None:
        stub.inner.save(path, metadata)
        late.append((path, metadata))

    def train_step(batch: Any, taps: bool = False) -> Any:
        result = stub.inner.train_step(batch, taps=taps)
        while late:
            stub.inner.save(*late.pop())
        return result

    stub.save, stub.train_step = save, train_step
    assert outcomes(lab.checkpoint(candidate=stub)) == ("fail", "fail")


def text_beyond_unicode(path: Path) -> None:
    """Parameters of which NumPy makes a SystemError."""
    members = dict(np.load(path, allow_pickle=False)) | {"parameters": np.array(0x7FFFFFFF, "<u4").view("<U1")}
    with path.open("wb") as file:
        np.savez(file, **members)


def test_a_hostile_file_is_its_savers_fault(lab: Any) -> None:
    stub = lab.Stub()

    def save(path: Path, metadata: CheckpointMetadata) -> None:
        stub.inner.save(path, metadata)
        if path.suffix == ".npz":
            text_beyond_unicode(path)

    stub.save = save
    outcome = lab.checkpoint(candidate=stub, reference=LegacySubject(lab.plan))
    assert outcomes(outcome) == ("fail", "fail")
    assert {trouble.side for trouble in outcome.checkpoint.troubles} == {"candidate"}


def test_one_broken_format_leaves_the_other_trips(lab: Any) -> None:
    make = failing("save", RuntimeError("no"), lambda path, metadata: path.suffix == ".npz")
    outcome = lab.checkpoint(candidate=make(lab))
    made = [(trip.saver, trip.loader, trip.format) for trip in outcome.checkpoint.trips]
    assert made == [trip for trip in MATRIX if trip[::2] != ("candidate", "npz")]
    assert [trouble.message for trouble in outcome.checkpoint.troubles] == [
        "the candidate raised RuntimeError in save to candidate.npz: no"
    ]
    assert outcomes(outcome) == ("fail", "fail")


def test_one_broken_trip_leaves_the_others(lab: Any) -> None:
    make = failing("load", RuntimeError("no"), lambda path: path.name == "reference.npz")
    outcome = lab.checkpoint(candidate=make(lab))
    made = [(trip.saver, trip.loader, trip.format) for trip in outcome.checkpoint.trips]
    assert made == [trip for trip in MATRIX if trip != ("reference", "candidate", "npz")]
    assert [(trouble.side, trouble.phase) for trouble in outcome.checkpoint.troubles] == [("candidate", "checkpoint")]


def test_a_file_that_the_reference_refuses_is_its_savers_and_no_path_is_told(lab: Any) -> None:
    outcome = lab.checkpoint(candidate=writing(b"rubbish")(lab), reference=LegacySubject(lab.plan))
    first = outcome.checkpoint.troubles[0]
    assert (first.side, first.kind) == ("candidate", "checkpoint")
    assert first.message == (
        "the reference refuses candidate.npz, which the candidate saved: candidate.npz: not an .npz checkpoint "
        "(it does not end as a zip of NumPy's does)"
    )


def test_a_full_disk_is_nobodys_fault(lab: Any, temporary: Path) -> None:
    full = failing("save", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        lab.checkpoint(candidate=full(lab))
    assert list(temporary.iterdir()) == []


def test_zero_is_not_minus_zero(lab: Any) -> None:
    def zeroed(zero: float) -> Any:
        state = stub.inner.state()
        state["weight_0"][0, 0] = zero
        return state

    stub = lab.Stub()
    stub.state = lambda: zeroed(-0.0)
    stub.save = lambda path, kept: write_checkpoint(path, zeroed(0.0), kept.loss, kept.epoch, kept.parameters)
    trips = lab.checkpoint(candidate=stub).checkpoint.trips
    changed = [trip.differing_arrays for trip in trips if (trip.saver, trip.loader) == ("candidate", "reference")]
    assert changed == [("weight_0",)] * 2


def test_one_is_not_true(lab: Any) -> None:
    """The numbers 1, 1.0 and true are equal in Python, and not the same metadata."""

    def change(state: Any, metadata: CheckpointMetadata) -> Any:
        model = {**metadata.parameters["model"], "hidden_layers": True}
        return state, replace(metadata, parameters={**metadata.parameters, "model": model})

    outcome = lab.checkpoint(candidate=saving(change)(lab))
    assert {trip.lost_metadata for trip in outcome.checkpoint.trips if trip.saver == "candidate"} == {
        ("parameters.model",)
    }


def test_a_candidate_that_does_not_repeat_itself_is_held_to_its_own_spread(lab: Any) -> None:
    """Noise of some units in the last place at every step, files in order: resuming is as far off as not stopping."""
    rng = np.random.default_rng(0)

    def noisy(scale: float) -> Any:
        stub = lab.Stub()

        def train_step(batch: Any, taps: bool = False) -> Any:
            result = stub.inner.train_step(batch, taps=taps)
            noise = {
                k: v * (1 + scale * rng.uniform(-1, 1, v.shape).astype(np.float32)) for k, v in stub.state().items()
            }
            stub.inner.load_state(noise)
            return result

        stub.train_step = train_step
        return stub

    outcome = lab.checkpoint(candidate=noisy(1e-6))
    own = [trip for trip in outcome.checkpoint.trips if trip.loader == "candidate"]
    assert all(trip.resumed_differing and trip.repeat_distance > 0 for trip in own)
    assert outcomes(outcome) == ("pass", "pass")


def test_without_an_oracle_outputs_are_held_to_the_savers(lab: Any) -> None:
    stub = lab.Stub()
    stub.forward = lambda batch: stub.inner.forward(batch) * np.float32(1.001)
    outcome = lab.checkpoint(candidate=stub, oracle=False)
    assert outcomes(outcome) == ("fail", "pass")
    assert "rounding" in outcome.check("checkpoint.transfer").message


def test_two_phases_of_one_plan_see_the_same(lab: Any) -> None:
    assert lab.checkpoint().record == lab.checkpoint().record
