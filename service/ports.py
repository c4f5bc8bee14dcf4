"""The ports: what the engine and the pipeline need from the outside world.

Each has one contract suite in `tests/contracts/`, run on every implementation. Arrays are NumPy or CuPy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from service.parity.errors import LockstepError
from service.parity.ladder import Promotion
from service.parity.measurements import (
    AllocationEvent,
    EdgeReading,
    MemoryTrace,
    SamplerReport,
    Slice,
    TelemetrySample,
)
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.parity.record import (
    DiffStats,
    RunRecord,
    Side,
    StepLosses,
    SubjectInfo,
    TapDiff,
)
from service.parity.verdict import CheckResult, Verdict

Array = Any
"""A NumPy array, or one on a device that offers `__cuda_array_interface__`."""

State = Mapping[str, NDArray[Any]]
"""Named host arrays: weights, biases, optimiser."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One training step: the loss of its forward pass (before the update), and taps where they were asked for.

    Taps are in dataflow order and valid until the subject's next call.
    """

    loss: float
    taps: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckpointMetadata:
    """What a checkpoint keeps beside the state: the loss and epoch it was saved at, and JSON-ready parameters."""

    loss: float
    epoch: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Subject(Protocol):
    """One implementation under validation. Batches are read-only float32 host arrays (rows, vector_length)."""

    def info(self) -> SubjectInfo: ...

    def load_state(self, state: State) -> None:
        """Copy every array in; raises ValueError naming what is missing, unexpected or misshapen."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies on the host, independent of later steps."""

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        """One step with the batch as input and target."""

    def forward(self, batch: NDArray[np.float32]) -> Array:
        """Outputs of the batch; valid until the next call."""

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        """Write the state and metadata to a file in one piece, in the format of its suffix: .npz or .safetensors."""

    def load(self, path: Path) -> CheckpointMetadata:
        """Load such a file, from whichever side, and return its metadata.

        The file is not trusted: raises ValueError naming the file and what is wrong with it; then nothing is changed
        and nothing of it was executed.
        """

    def close(self) -> None:
        """Give back the device's memory; a second call does nothing."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Vectors (rows, vector_length) float32 and the rows' names. `rows` counts the real ones, before padding."""

    name: str
    vectors: NDArray[np.float32]
    names: tuple[str, ...]
    rows: int
    digest: str


class OracleStep(Protocol):
    """One step of the oracle from one state and batch, its backward pass conditioned on a subject's signs."""

    def taps(self, subject_taps: Mapping[str, Array]) -> Mapping[str, Array]:
        """Every expected tap in float64, backward and update computed with the sign pattern of `subject_taps`."""

    def output(self) -> Array:
        """The forward pass's result (rows, vector_length) in float64, before the update."""

    def floor_scale(self, tap: str) -> float:
        """By how much this tap's rounding floor is widened: 1 for an array whose errors are of its own scale."""

    def reference_slack(self, tap: str) -> float:
        """By how much the floor is widened once more under the reference's own error: plain sums, term after term."""

    def sign_flips(self, subject_taps: Mapping[str, Array]) -> Sequence[tuple[str, int, int, float | None]]:
        """For each sign tap: (tap, elements, flips, worst excess over the rounding bound)."""


class Oracle(Protocol):
    """The float64 witness."""

    def tap_names(self) -> tuple[str, ...]:
        """Every tap of a step, in dataflow order: the set that both sides are held to."""

    def tap_shapes(self, batch_size: int) -> Mapping[str, tuple[int, ...]]:
        """The shape that each tap must have."""

    def sign_taps(self) -> tuple[str, ...]:
        """The taps whose signs decide the backward pass (LeakyReLU's derivative jumps there)."""

    def step(self, state: State, batch: NDArray[np.float32]) -> OracleStep: ...


@dataclass(frozen=True, slots=True)
class TapArrays:
    """What a differ reduces: two arrays of one shape, and the oracle's for each side where there is one."""

    reference: Array
    candidate: Array
    oracle_for_reference: Array | None = None
    oracle_for_candidate: Array | None = None


class Differ(Protocol):
    """Reduces pairs of equal shape to a few numbers, where the arrays live, reading each array once."""

    def compare(self, taps: Sequence[TapArrays]) -> list[DiffStats]:
        """One `DiffStats` a pair, in order. Raises ValueError for unequal shapes: the caller compares those first."""


class Sampler(Protocol):
    """Watches one device from a process of its own, by its UUID. A device that cannot be watched is an answer (an
    absent sampler, whose report says why), not an error."""

    def start(self) -> None:
        """Begin to sample; returns when the first values are there, or the reason why none come."""

    def own(self, pids: Sequence[int]) -> None:
        """Processes of this run: any other compute process on the device is foreign."""

    def edge(self) -> EdgeReading:
        """Read the counters now: at an edge of a slice, while nothing is timed."""

    def pause(self) -> None:
        """Take no samples until `resume`; both return once it is so."""

    def resume(self) -> None: ...

    def drain(self) -> list[TelemetrySample]:
        """The samples since the last call, in order of time, the driver's own buffer among them. Where the device was
        lost it says so in the samples and in `report`."""

    def stop(self) -> SamplerReport:
        """End the process and say what it was and what it cost; a second call gives the same report."""


@dataclass(frozen=True, slots=True)
class TimedSteps:
    """Step times of one slice in milliseconds, one a step; when it began and ended on the machine's monotonic clock."""

    step_ms: NDArray[np.float64]
    started_s: float
    ended_s: float
    thread_cpu_s: float | None


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """What the plan's device can do: its measured float32 matrix product rate, and its multiprocessors (`None` on a
    CPU)."""

    matrix_peak_flops_per_s: float
    multiprocessors: int | None


class BenchProcess(Protocol):
    """One subject in a fresh process, with batches of its plan: idle unless it is asked for something.

    Every method raises `BenchTrouble` when the subject raises, or the process dies, hangs or runs out of memory.
    """

    pid: int
    clock: str
    """`cuda events` or `perf_counter`. It and the next are known once the subject is built."""
    step_flops: int

    def built(self) -> None:
        """Wait until the subject is built."""

    def warm_up(self, seconds: float) -> float:
        """Step for so long, at least 3 steps, and return the median step time in milliseconds."""

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        """Time so many steps, after `settle` steps that are not timed: the next two in one."""

    def begin_steps(self, steps: int, settle: int = 0) -> None:
        """Have them timed and return at once, so that another process can be at work at the same time."""

    def end_steps(self) -> TimedSteps:
        """Wait for what was begun; nothing else may be asked for in between."""

    def close(self) -> None:
        """End the process; never raises, and a second call does nothing."""


class Bench(Protocol):
    """Opens subjects in fresh processes."""

    def watch(self, waiting: Callable[[], None]) -> None:
        """Call this a few times a second while a process is at work; what it raises ends the wait and is raised."""

    def device_figures(self, plan: Plan) -> DeviceFigures:
        """Measured in a fresh process that is gone when this returns; raises `BenchTrouble`."""

    def open(self, role: Side, subject: str, plan: Plan, pair: int) -> BenchProcess:
        """A process that has begun to build the subject on the plan's device. Those of one `pair` on one device share a
        processor, those on two devices do not, where that is theirs to choose. Raises `BenchTrouble`."""

    def trace_memory(self, role: Side, subject: str, plan: Plan) -> MemoryTrace:
        """Build the subject in a fresh process and step it, untimed, with every allocation seen; raises
        `BenchTrouble`."""


class Clock(Protocol):
    """Time, passed in so that tests can set it."""

    def now(self) -> datetime:
        """Wall-clock time with the UTC zone."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""


RunState = Literal["queued", "running", "finished", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: steps done of the total in one phase, and a few words."""

    phase: str
    done: int
    total: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store lists it. `outcome` and `summary` are set once it is finished."""

    id: str
    state: RunState
    plan: Plan
    policy: Policy
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: str | None = None
    summary: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    progress: Progress | None = None
    cancel_requested: bool = False
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run and what its sides said of themselves, by their roles; one that could not say so is not there."""

    run: RunRow
    subjects: Mapping[str, SubjectInfo]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What to list; `before` is the id after which an older page begins (ids sort by creation)."""

    state: RunState | None = None
    outcome: str | None = None
    reference: str | None = None
    candidate: str | None = None
    before: str | None = None
    limit: int = 50


class RunStore(Protocol):
    """Where runs and their records live. One call is one transaction; raises `StoreError` and its children only."""

    def create_run(self, run_id: str, plan: Plan, policy: Policy, created_at: datetime) -> RunRow:
        """A new queued run; raises `RunConflict` when the id exists."""

    def run(self, run_id: str) -> RunRow:
        """The run, or `RunNotFound`."""

    def runs(self, which: RunFilter) -> list[RunRow]:
        """Newest first."""

    def finished_runs(self, plan_digests: Collection[str]) -> list[FinishedRun]:
        """Every finished run of a plan with one of these digests, newest first; of thousands without their evidence."""

    def claim_next(self, worker: str, started_at: datetime) -> RunRow | None:
        """Take the oldest queued run, now running; `None` when there is none. Two workers never get the same."""

    def claim(self, run_id: str, worker: str, started_at: datetime) -> RunRow:
        """Take this queued run, now running; raises `RunConflict` when it is not queued."""

    def report_progress(self, run_id: str, progress: Progress) -> bool:
        """Note how far it is; returns whether somebody asked the run to stop."""

    def request_cancel(self, run_id: str, at: datetime) -> RunRow:
        """A queued run is cancelled at once, a running one is asked to stop; `RunConflict` when it has ended."""

    def add_losses(self, run_id: str, rows: Sequence[StepLosses]) -> None:
        """Append rows, in bulk. A row that is there already (same phase and step) is left as it is."""

    def add_diffs(self, run_id: str, rows: Sequence[TapDiff]) -> None:
        """Append rows, in bulk. A row that is there already (same phase, step and position) is left as it is."""

    def add_slices(self, run_id: str, rows: Sequence[Slice]) -> None:
        """Append rows, in bulk. A row that is there already (session, block, position) is left as it is."""

    def add_telemetry(self, run_id: str, rows: Sequence[TelemetrySample]) -> None:
        """Append rows, in bulk. A row that is there already (same field and time) is left as it is."""

    def add_allocations(self, run_id: str, role: Side, rows: Sequence[AllocationEvent]) -> None:
        """Append a side's allocation events in order, in bulk; a side that has some already is left as it is."""

    def save_record(self, run_id: str, record: RunRecord) -> None:
        """Keep what was observed; the losses, diffs, slices, telemetry and allocation events of its
        phases are kept by the `add_` calls."""

    def record(self, run_id: str) -> RunRecord | None:
        """The whole record, with the rows of the `add_` calls; `None` before the first `save_record`."""

    def finish(self, run_id: str, verdict: Verdict, at: datetime) -> RunRow:
        """A running run has ended with this verdict, which is stored; `RunConflict` when it is not running."""

    def fail(self, run_id: str, code: str, message: str, at: datetime) -> RunRow:
        """A running run has ended without a verdict; `RunConflict` when it has ended already."""

    def mark_cancelled(self, run_id: str, at: datetime) -> RunRow:
        """A queued or running run was stopped; what it wrote stays. `RunConflict` when it has ended already."""

    def verdict(self, run_id: str) -> Verdict | None:
        """The stored verdict, or `None` before the end."""

    def losses(self, run_id: str, phase: str | None, offset: int, limit: int) -> list[StepLosses]:
        """A page in order of phase and step."""

    def diffs(self, run_id: str, phase: str | None, tap: str | None, offset: int, limit: int) -> list[TapDiff]:
        """A page in order of phase, step and position."""

    def slices(self, run_id: str, offset: int, limit: int) -> list[Slice]:
        """A page in the order in which they were taken."""

    def telemetry(self, run_id: str, field: str | None, offset: int, limit: int) -> list[TelemetrySample]:
        """A page in order of time, then field."""

    def allocations(
        self, run_id: str, role: Side | None, offset: int, limit: int
    ) -> list[tuple[Side, AllocationEvent]]:
        """A page in order: the reference's, then the candidate's, each as they happened."""

    def checks(self, run_id: str) -> list[CheckResult]:
        """The stored verdict's checks in order; empty before the end."""

    def add_promotion(self, promotion: Promotion) -> Promotion:
        """Append a line to the ladder's history. Raises `LadderRefused` when its number is not the next one, because
        somebody else has moved the ladder meanwhile, and `RunNotFound`. A line is never changed or removed."""

    def promotions(self) -> list[Promotion]:
        """The ladder's history, oldest first."""

    def check_ready(self) -> None:
        """Raise `StoreUnavailable` or `SchemaMismatch` when the store cannot be used."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution ended, seen from the parent: the run's last row in the store tells the rest."""

    run_id: str
    exit_code: int | None
    error: LockstepError | None = None


class ProgressListener(Protocol):
    """Called in the parent for each piece of progress; may raise `RunCancelled` or KeyboardInterrupt to stop."""

    def __call__(self, progress: Progress) -> None: ...


class Executor(Protocol):
    """Carries a claimed run out, isolated from the caller."""

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        """Return when the run has ended in the store; a crash of the child becomes `fail`, a stop `cancelled`."""
