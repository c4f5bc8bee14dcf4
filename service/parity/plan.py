"""What exactly will run: an immutable, hashed plan, and every rule that a plan must satisfy.

A plan says nothing about limits; those are the policy's. Two runs with the same plan digest, on the same machine and
the same source, see the same batches and start from the same weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.parity.errors import InvalidPlan, Problem

PHASES = ("synchronized", "free_running", "checkpoint", "performance", "memory")
"""The phases in the order in which they run."""

CPU_PHASES = ("synchronized", "free_running", "checkpoint")
"""What a run on a CPU does unless it is told otherwise: step times and memory there say little about a GPU."""

WITNESSES = ("auto", "oracle", "replays")

MAX_BATCH_SIZE = 4096
"""The legacy model pre-allocates this many rows at construction and refuses more."""

MIN_VECTOR_LENGTH = 8
"""A colour takes eight numbers before its name begins."""

MAX_WIDTH = 16_384
MAX_HIDDEN_LAYERS = 64
MAX_STEPS = 10_000_000
MAX_CHECKPOINT_STEPS = 10_000
MAX_PARAMETERS = 2**28
MIN_BLOCKS = 8
"""Fewer blocks of timing decide nothing: an interval from them is too wide to be worth the machine's time."""
MAX_BLOCKS = 200
MAX_SLICE_SECONDS = 60
MIN_MEMORY_STEPS = 8
MAX_SEED = 2**32 - 1

_DEVICE = re.compile(r"auto|cpu|cuda:[0-9]{1,3}")
_GPU = re.compile(r"cuda:[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Shape of the autoencoder; both subjects are built from it."""

    vector_length: int = 512
    hidden_layers: int = 2
    bottleneck: int = 128
    alpha: float = 0.01
    """Slope of the LeakyReLU below zero."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """Plain SGD with clipping by value; `steps` counts free-running training steps."""

    steps: int = 6000
    batch_size: int = 16
    learning_rate: float = 0.02
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class SynchronizedSpec:
    """Steps of the synchronized phase and how often one of them is compared (`every=50`: steps 0, 50, 100, …)."""

    steps: int = 1000
    every: int = 50
    witness: str = "auto"
    """Where errors are measured from: the `oracle`, `replays` of the reference, or `auto`: an oracle where there is."""


@dataclass(frozen=True, slots=True)
class FreeRunningSpec:
    """The perturbation band: `band_runs` perturbed reference trainings over the first `band_steps` steps."""

    band_runs: int = 6
    band_steps: int = 150
    weights_every: int = 10
    taps_every: int = 0
    """Compare the sides' taps at every so many steps, to look at; 0 compares none. No check reads them: two trainings
    on their own drift apart."""


@dataclass(frozen=True, slots=True)
class CheckpointSpec:
    """Steps trained before a checkpoint is saved, and steps trained after it is loaded."""

    steps_before: int = 20
    steps_after: int = 20


@dataclass(frozen=True, slots=True)
class PerformanceSpec:
    """Timing: `blocks` blocks of four slices, spread over `process_pairs` pairs of fresh processes."""

    blocks: int = 12
    slice_seconds: float = 1.0
    """Busy time of a slice, at least; it has at least 5 steps, and 30 where a step takes under 30 ms."""
    process_pairs: int = 3
    second_device: str | None = None
    """Another GPU, on which both are timed at the same time as on the plan's device; `None`: only one after another."""


@dataclass(frozen=True, slots=True)
class MemorySpec:
    """Steady-state steps over which allocations are traced and the use of memory is watched."""

    steps: int = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """One dual run, complete: everything that decides which numbers are computed."""

    reference: str = "legacy"
    candidate: str = "basemodel"
    dataset: str = "colors-a-f"
    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    synchronized: SynchronizedSpec = field(default_factory=SynchronizedSpec)
    free_running: FreeRunningSpec = field(default_factory=FreeRunningSpec)
    checkpoint: CheckpointSpec = field(default_factory=CheckpointSpec)
    performance: PerformanceSpec = field(default_factory=PerformanceSpec)
    memory: MemorySpec = field(default_factory=MemorySpec)
    phases: tuple[str, ...] = CPU_PHASES
    seed: int = 0
    device: str = "auto"

    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON, hex."""
        text = json.dumps(self.as_document(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_document(self) -> dict[str, Any]:
        """The plan as plain JSON-ready values. A second device that there is not is left out: plans from before there
        could be one keep their digest."""
        document = dataclasses.asdict(self)
        if self.performance.second_device is None:
            del document["performance"]["second_device"]
        document["phases"] = list(self.phases)
        return document

    def on_second_device(self) -> Plan:
        """The same plan on its second device alone."""
        second = self.performance.second_device
        assert second is not None
        return dataclasses.replace(
            self, device=second, performance=dataclasses.replace(self.performance, second_device=None)
        )

    def layer_sizes(self) -> tuple[int, ...]:
        """Widths from input to output, by the legacy rule."""
        return layer_sizes(self.model.vector_length, self.model.hidden_layers, self.model.bottleneck)

    def synchronized_steps(self) -> tuple[int, ...]:
        """The steps of the synchronized phase that are compared."""
        return tuple(range(0, self.synchronized.steps, self.synchronized.every))

    def band_window(self) -> int:
        """Steps over which the perturbation band is made and the candidate is held to it."""
        return min(self.free_running.band_steps, self.training.steps)

    def weight_steps(self) -> tuple[int, ...]:
        """Steps of the window after which weights are compared: every so many, and the last."""
        every, window = self.free_running.weights_every, self.band_window()
        return tuple(step for step in range(window) if (step + 1) % every == 0 or step == window - 1)

    def validate(self) -> Plan:
        """Return the plan itself, or raise `InvalidPlan` with every problem found."""
        problems = tuple(_problems(self))
        if problems:
            raise InvalidPlan(*problems)
        return self


def layer_sizes(vector_length: int, hidden_layers: int, bottleneck: int) -> tuple[int, ...]:
    """Widths of the autoencoder by the legacy rule, e.g. (512, 2, 128) gives (512, 320, 128, 320, 512)."""
    reduction = math.ceil((vector_length - bottleneck) / hidden_layers)
    encoder = [vector_length]
    for _ in range(hidden_layers):
        encoder.append(max(encoder[-1] - reduction, bottleneck))
        if encoder[-1] == bottleneck:
            break
    if encoder[-1] != bottleneck:
        encoder.append(bottleneck)
    return (*encoder, *reversed(encoder[:-1]))


def plan_from_document(document: Mapping[str, Any]) -> Plan:
    """Rebuild a plan from `Plan.as_document()`; raises `InvalidPlan` for unknown fields or values out of range."""
    known = {f.name for f in dataclasses.fields(Plan)}
    unknown = [Problem(name, "is not a field of a plan") for name in document if name not in known]
    if unknown:
        raise InvalidPlan(*unknown)
    values = dict(document)
    parts = {
        "model": ModelSpec,
        "training": TrainingSpec,
        "synchronized": SynchronizedSpec,
        "free_running": FreeRunningSpec,
        "checkpoint": CheckpointSpec,
        "performance": PerformanceSpec,
        "memory": MemorySpec,
    }
    for name, part in parts.items():
        if name in values:
            try:
                values[name] = part(**values[name])
            except TypeError as error:
                raise InvalidPlan(Problem(name, f"cannot be read: {error}")) from error
    if "phases" in values:
        if not isinstance(values["phases"], list | tuple):
            raise InvalidPlan(Problem("phases", f"is {values['phases']!r}; it must be a list of names"))
        values["phases"] = tuple(values["phases"])
    return Plan(**values).validate()


def _problems(plan: Plan) -> Iterator[Problem]:
    model, training = plan.model, plan.training
    for name in ("reference", "candidate", "dataset"):
        if not isinstance(getattr(plan, name), str):
            yield Problem(name, f"is {getattr(plan, name)!r}; it must be a name")
    yield from _whole("model.vector_length", model.vector_length, MIN_VECTOR_LENGTH, MAX_WIDTH)
    yield from _whole("model.hidden_layers", model.hidden_layers, 1, MAX_HIDDEN_LAYERS)
    yield from _whole("model.bottleneck", model.bottleneck, 1, MAX_WIDTH)
    if not (_is_number(model.alpha) and 0 <= model.alpha < 1):
        yield Problem("model.alpha", f"is {model.alpha!r}; it must be at least 0 and below 1")
    yield from _whole("training.steps", training.steps, 1, MAX_STEPS)
    if _is_number(training.batch_size) and training.batch_size > MAX_BATCH_SIZE:
        yield Problem(
            "training.batch_size",
            f"is {training.batch_size}, but the legacy model pre-allocates {MAX_BATCH_SIZE} rows and cannot take more; "
            f"use a batch of at most {MAX_BATCH_SIZE}",
        )
    else:
        yield from _whole("training.batch_size", training.batch_size, 1, MAX_BATCH_SIZE)
    yield from _positive("training.learning_rate", training.learning_rate)
    yield from _positive("training.clip", training.clip)
    yield from _whole("synchronized.steps", plan.synchronized.steps, 1, MAX_STEPS)
    yield from _whole("synchronized.every", plan.synchronized.every, 1, MAX_STEPS)
    yield from _whole("free_running.band_runs", plan.free_running.band_runs, 2, 100)
    yield from _whole("free_running.band_steps", plan.free_running.band_steps, 1, MAX_STEPS)
    yield from _whole("free_running.weights_every", plan.free_running.weights_every, 1, MAX_STEPS)
    yield from _whole("free_running.taps_every", plan.free_running.taps_every, 0, MAX_STEPS)
    yield from _whole("checkpoint.steps_before", plan.checkpoint.steps_before, 1, MAX_CHECKPOINT_STEPS)
    yield from _whole("checkpoint.steps_after", plan.checkpoint.steps_after, 1, MAX_CHECKPOINT_STEPS)
    yield from _whole("performance.blocks", plan.performance.blocks, MIN_BLOCKS, MAX_BLOCKS)
    yield from _whole("performance.process_pairs", plan.performance.process_pairs, 1, MAX_BLOCKS)
    yield from _positive("performance.slice_seconds", plan.performance.slice_seconds)
    if _is_number(plan.performance.slice_seconds) and plan.performance.slice_seconds > MAX_SLICE_SECONDS:
        yield Problem(
            "performance.slice_seconds", f"is {plan.performance.slice_seconds!r}; at most {MAX_SLICE_SECONDS}"
        )
    yield from _whole("memory.steps", plan.memory.steps, MIN_MEMORY_STEPS, MAX_CHECKPOINT_STEPS)
    if plan.synchronized.witness not in WITNESSES:
        message = f"is {plan.synchronized.witness!r}; choose from {', '.join(WITNESSES)}"
        yield Problem("synchronized.witness", message)
    yield from _whole("seed", plan.seed, 0, MAX_SEED)
    if not (isinstance(plan.device, str) and _DEVICE.fullmatch(plan.device)):
        yield Problem("device", f"is {plan.device!r}; use auto, cpu or cuda:N, e.g. cuda:0")
    yield from _second_device(plan)
    yield from _phases(plan.phases)
    if _in_range(plan):
        sizes = plan.layer_sizes()
        parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        if parameters > MAX_PARAMETERS:
            yield Problem("model", f"would have {parameters:,} parameters; at most {MAX_PARAMETERS:,} are accepted")


def _second_device(plan: Plan) -> Iterator[Problem]:
    name, second = "performance.second_device", plan.performance.second_device
    if second is None:
        return
    if not (isinstance(second, str) and _GPU.fullmatch(second)):
        yield Problem(name, f"is {second!r}; name a GPU beside the plan's own, e.g. cuda:1, or leave it out")
    elif second == plan.device:
        yield Problem(name, f"is {second!r}, which is the plan's device too; name another GPU, or leave it out")
    elif plan.device == "cpu":
        yield Problem(name, f"is {second!r}, but the plan's device is cpu; side by side takes two GPUs")


def second_device_fault(plan: Plan, devices: Sequence[str]) -> str | None:
    """Why the plan's second device cannot be had where these are; `None` where it can, or where none is asked for."""
    second, gpus = plan.performance.second_device, [name for name in devices if _GPU.fullmatch(name)]
    first = gpus[0] if plan.device == "auto" and gpus else plan.device
    others = [name for name in gpus if name != first]
    if (
        second is None or second in others or any(_second_device(plan))
    ):  # the plan's own rules say what is wrong anywhere
        return None
    if not others:
        there = f"only {gpus[0]}" if gpus else "no GPU"
        return f"{second!r} is not usable here: there is {there}, and side by side takes two; leave it out"
    taken = "which is the plan's device too" if second == first else "which is not usable here"
    return f"is {second!r}, {taken}; choose from {', '.join(others)}, or leave it out"


def _phases(phases: tuple[str, ...]) -> Iterator[Problem]:
    if not phases:
        yield Problem("phases", f"is empty; choose from {', '.join(PHASES)}")
    if not all(isinstance(phase, str) for phase in phases):
        yield Problem("phases", f"is {phases!r}; it must be a list of names")
        return
    for phase in phases:
        if phase not in PHASES:
            yield Problem("phases", f"{phase!r} is unknown; choose from {', '.join(PHASES)}")
    if len(set(phases)) != len(phases):
        yield Problem("phases", "names a phase twice")


def _in_range(plan: Plan) -> bool:
    """Whether the widths may be computed at all."""
    model = plan.model
    return (
        all(map(_is_whole, (model.vector_length, model.hidden_layers, model.bottleneck)))
        and MIN_VECTOR_LENGTH <= model.vector_length <= MAX_WIDTH
        and 1 <= model.hidden_layers <= MAX_HIDDEN_LAYERS
        and 1 <= model.bottleneck <= MAX_WIDTH
    )


def _whole(name: str, value: int, low: int, high: int) -> Iterator[Problem]:
    if not _is_whole(value) or not low <= value <= high:
        shown = f"{value:,}" if _is_number(value) else repr(value)
        yield Problem(name, f"is {shown}; it must be a whole number from {low:,} to {high:,}")


def _positive(name: str, value: float) -> Iterator[Problem]:
    if not (_is_number(value) and math.isfinite(value) and value > 0):
        yield Problem(name, f"is {value!r}; it must be a finite number above 0")


def _is_number(value: object) -> bool:
    """Documents come from outside: text, None and true are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
