"""The checkpoint phase: every side loads what every side saved, in each format, and trains on from it.

Training that goes on from a file is held to training that never stopped: where a side loads its own file, to the very
model that wrote it and went on; where it loads the other side's, to the same state handed over in memory. A trip that
breaks leaves its trouble, and the others are still made.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.batches import Batches
from service.engine.free_running import distance
from service.engine.observer import Observer, SubjectTrouble, attempt, load, train
from service.parity.plan import Plan
from service.parity.record import (
    CHECKPOINT_FORMATS,
    SIDES,
    CheckpointEvidence,
    CheckpointFormat,
    CheckpointTrip,
    DiffStats,
    Side,
    Trouble,
)
from service.ports import Array, CheckpointMetadata, Clock, Differ, Oracle, State, Subject, TapArrays

PHASE = "checkpoint"
_OTHER_STATE_STREAM = 6
_WRITTEN, _TAKEN = "written", "taken"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class _Saved:
    """What a side held when it saved, its output then, and where it came to when it went on without stopping."""

    state: State
    metadata: CheckpointMetadata
    output: Array
    went_on: State
    files: Mapping[CheckpointFormat, Path]
    """Without the formats that could not be written."""


@dataclass(frozen=True, slots=True)
class _Resumed:
    """Where the training from the file came to, and by how much two that began alike differ; relative L2 distances."""

    distance: float
    differing: tuple[str, ...]
    repeat_distance: float


class CheckpointPhase:
    """Runs the phase once; the files live in a temporary folder, which is gone afterwards."""

    def __init__(
        self,
        plan: Plan,
        subjects: Mapping[Side, Subject],
        oracle: Oracle | None,
        differ: Differ,
        batches: Batches,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self._plan, self._subjects, self._oracle, self._differ = plan, subjects, oracle, differ
        self._observer, self._clock = observer, clock
        spec = plan.checkpoint
        drawn = list(islice(batches, spec.steps_before + spec.steps_after))
        self._before, self._after = drawn[: spec.steps_before], drawn[spec.steps_before :]
        self._troubles: list[Trouble] = []

    def run(self, initial_state: State) -> CheckpointEvidence:
        """Both sides save after training from `initial_state` (host arrays); both load each of the files."""
        began = self._clock.monotonic()
        trips: list[CheckpointTrip] = []
        total, done = len(SIDES) * len(SIDES) * len(CHECKPOINT_FORMATS), 0
        with tempfile.TemporaryDirectory(prefix="lockstep-checkpoint-") as name:
            for part in (_WRITTEN, _TAKEN):
                (Path(name) / part).mkdir()
            for saver in SIDES:
                self._observer.progress(PHASE, done, total, f"the {saver} trains and saves")
                saved = self._save(saver, initial_state, Path(name))
                for loader in SIDES:
                    for kind in CHECKPOINT_FORMATS:
                        if saved is not None and kind in saved.files:
                            trips.extend(self._trip(saver, loader, kind, saved))
                        done += 1
                        self._observer.progress(PHASE, done, total, f"the {loader} loads the {saver}'s {kind}")
            troubles = tuple(_without_folder(trouble, name) for trouble in self._troubles)
        return CheckpointEvidence(tuple(trips), troubles, self._clock.monotonic() - began)

    def _save(self, saver: Side, initial_state: State, folder: Path) -> _Saved | None:
        subject = self._subjects[saver]
        try:
            load(saver, PHASE, None, subject, initial_state)
            losses = [train(saver, PHASE, step, subject, batch).loss for step, batch in enumerate(self._before)]
            state = self._state(saver)
            output = self._forward(saver)
            metadata = CheckpointMetadata(losses[-1], len(losses), _parameters(self._plan))
            paths = {kind: folder / _WRITTEN / f"{saver}.{kind}" for kind in CHECKPOINT_FORMATS}
            files = {kind: path for kind, path in paths.items() if self._save_to(saver, path, metadata)}
            went_on = self._train_on(saver)
            taken = {kind: _take_away(path, folder / _TAKEN) for kind, path in files.items()}
            return _Saved(state, metadata, output, went_on, taken)
        except SubjectTrouble as stop:
            self._troubles.append(stop.trouble)
            return None

    def _save_to(self, saver: Side, path: Path, metadata: CheckpointMetadata) -> bool:
        """Whether the file was written. A full disk is nobody's fault: it ends the run, not the candidate."""
        try:
            attempt(saver, PHASE, None, f"save to {path.name}", lambda: self._subjects[saver].save(path, metadata))
        except SubjectTrouble as stop:
            if isinstance(stop.__cause__, OSError) and stop.__cause__.errno in _DISK_FULL:
                raise stop.__cause__ from None
            self._troubles.append(stop.trouble)
            return False
        return True

    def _trip(self, saver: Side, loader: Side, kind: CheckpointFormat, saved: _Saved) -> Sequence[CheckpointTrip]:
        try:
            return [self._carry_out(saver, loader, kind, saved)]
        except SubjectTrouble as stop:
            self._troubles.append(stop.trouble)
            return []

    def _carry_out(self, saver: Side, loader: Side, kind: CheckpointFormat, saved: _Saved) -> CheckpointTrip:
        path = saved.files[kind]
        # Another state first, so that a load that does nothing is seen.
        load(loader, PHASE, None, self._subjects[loader], self._another(saved.state))
        metadata = self._load(saver, loader, path)
        differing = _differing(self._state(loader), saved.state)
        output = self._compare_outputs(saved, self._forward(loader), loader)
        resumed = self._resume(saver, loader, path, saved)
        return CheckpointTrip(
            saver=saver,
            loader=loader,
            format=kind,
            arrays=len(saved.state),
            differing_arrays=differing,
            lost_metadata=attempt(loader, PHASE, None, "load", lambda: _lost(metadata, saved.metadata)),
            output=output,
            resumed_steps=len(self._after),
            resumed_distance=resumed.distance,
            resumed_differing=resumed.differing,
            repeat_distance=resumed.repeat_distance,
        )

    def _resume(self, saver: Side, loader: Side, path: Path, saved: _Saved) -> _Resumed:
        handed_over = []
        for _ in range(2):
            load(loader, PHASE, None, self._subjects[loader], saved.state)
            handed_over.append(self._train_on(loader))
        first, second = handed_over
        # Straight after training, so that what a load from a file leaves in place of it is seen.
        self._load(saver, loader, path)
        resumed = self._train_on(loader)
        # The spread is of two that both loaded: what every load loses must not pass for a side that is never the same.
        never_stopped = saved.went_on if saver == loader else first

        def measured() -> _Resumed:
            return _Resumed(
                distance(resumed, never_stopped), _differing(resumed, never_stopped), distance(second, first)
            )

        return attempt(loader, PHASE, None, "state", measured)

    def _load(self, saver: Side, loader: Side, path: Path) -> CheckpointMetadata:
        """A candidate's file that is missing or no checkpoint is the candidate's trouble, though the reference says so.

        Where the reference cannot read such files at all, its trouble with its own file, met before, decides.
        """
        try:
            return attempt(loader, PHASE, None, f"load of {path.name}", lambda: self._subjects[loader].load(path))
        except SubjectTrouble as stop:
            if saver == loader or not isinstance(stop.__cause__, ValueError | FileNotFoundError):
                raise
            message = f"the {loader} refuses {path.name}, which the {saver} saved: {stop.__cause__}"
            raise SubjectTrouble(Trouble("candidate", PHASE, None, "checkpoint", message)) from stop.__cause__

    def _train_on(self, side: Side) -> State:
        for step, batch in enumerate(self._after, start=len(self._before)):
            train(side, PHASE, step, self._subjects[side], batch)
        return self._state(side)

    def _state(self, side: Side) -> State:
        return attempt(side, PHASE, None, "state", self._subjects[side].state)

    def _forward(self, side: Side) -> Array:
        """The outputs of the first batch after the checkpoint, as a copy: the side's next call may overwrite them."""
        batch = self._after[0]
        output = attempt(side, PHASE, None, "forward", lambda: self._subjects[side].forward(batch).copy())
        if tuple(output.shape) != batch.shape:
            message = f"the {side}'s forward gave shape {tuple(output.shape)}; expected {batch.shape}"
            raise SubjectTrouble(Trouble(side, PHASE, None, "shape", message))
        return output

    def _compare_outputs(self, saved: _Saved, output: Array, loader: Side) -> DiffStats:
        """Each with its error against the oracle; without one, the saver's outputs are what the loader's err from."""
        exact = saved.output.astype(np.float64)
        if self._oracle is not None:
            exact = self._oracle.step(saved.state, self._after[0]).output()
        pair = TapArrays(saved.output, output, exact, exact)
        return attempt(loader, PHASE, None, "forward", lambda: self._differ.compare([pair])[0])

    def _another(self, state: State) -> State:
        """A state of the same shapes that has nothing to do with the one in the file."""
        rng = np.random.default_rng((self._plan.seed, _OTHER_STATE_STREAM))
        return {
            name: rng.uniform(-1, 1, array.shape).astype(array.dtype) if array.dtype.kind == "f" else array + 1
            for name, array in state.items()
        }


def _take_away(path: Path, folder: Path) -> Path:
    """Where the file is now, alone, as on another machine: what its saver keeps beside it or under its path is no file.

    Moved only when the saver has trained on, which must not write to it any more. One that is missing is missed by who
    loads it.
    """
    taken = folder / path.name
    if os.path.lexists(path):
        path.rename(taken)
    return taken


def _parameters(plan: Plan) -> dict[str, Any]:
    """What a checkpoint's metadata must carry through: numbers to the last bit, nesting, text beyond ASCII."""
    document = plan.as_document()
    return {"model": document["model"], "training": document["training"], "seed": plan.seed, "note": "Größe ≈ 1/3"}


def _without_folder(trouble: Trouble, folder: str) -> Trouble:
    """The folder is gone when somebody reads the message."""
    message = trouble.message
    for part in (f"{folder}/{_WRITTEN}/", f"{folder}/{_TAKEN}/", f"{folder}/"):
        message = message.replace(part, "")
    return replace(trouble, message=message)


def _differing(state: State, expected: State) -> tuple[str, ...]:
    """Names of arrays that are missing, unexpected, misshapen, of another dtype or not equal bit for bit."""
    names = sorted(state.keys() | expected.keys())
    return tuple(name for name in names if not _same_bits(state.get(name), expected.get(name)))


def _same_bits(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return False
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _lost(loaded: CheckpointMetadata, saved: CheckpointMetadata) -> tuple[str, ...]:
    """Names of metadata that did not come back; their JSON tells 1 from 1.0 and has every bit of a float."""
    pairs = {
        "loss": (loaded.loss, saved.loss),
        "epoch": (loaded.epoch, saved.epoch),
        **{
            f"parameters.{name}": (loaded.parameters.get(name), saved.parameters.get(name))
            for name in loaded.parameters.keys() | saved.parameters.keys()
        },
    }
    return tuple(sorted(name for name, (back, given) in pairs.items() if _json(back) != _json(given)))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
