"""What requests may say and how answers are shaped.

Requests are strict: unknown fields, numbers in quotes, booleans for numbers, NaN and infinities are refused. Their
defaults are the plan's own. Answers are the core's values as they are; a NaN in a result is data and goes out as the
string "NaN", since JSON has no number for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from service.parity.measurements import Slice, TelemetrySample
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
from service.parity.policy import Policy
from service.parity.record import StepLosses, TapDiff
from service.parity.verdict import CheckResult
from service.ports import RunRow, RunState
from service.reports.forms import Form

MAX_OFFSET = 100_000_000

Name = Annotated[str, Field(min_length=1, max_length=100)]
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""Any 64-bit whole number: which values make sense is the plan's rule, told with all its other problems."""
Number = Annotated[float, Field(ge=-1e300, le=1e300)]

_PLAN = Plan()
_MODEL, _TRAINING, _SYNCHRONIZED, _FREE_RUNNING = ModelSpec(), TrainingSpec(), SynchronizedSpec(), FreeRunningSpec()
_CHECKPOINT, _PERFORMANCE, _MEMORY = CheckpointSpec(), PerformanceSpec(), MemorySpec()


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class ModelIn(_Strict):
    """Shape of the autoencoder."""

    vector_length: Whole = _MODEL.vector_length
    hidden_layers: Whole = _MODEL.hidden_layers
    bottleneck: Whole = _MODEL.bottleneck
    alpha: Number = _MODEL.alpha


class TrainingIn(_Strict):
    """The free-running training."""

    steps: Whole = _TRAINING.steps
    batch_size: Whole = _TRAINING.batch_size
    learning_rate: Number = _TRAINING.learning_rate
    clip: Number = _TRAINING.clip


class SynchronizedIn(_Strict):
    """The synchronized phase: how many steps, and every how many of them one is compared."""

    steps: Whole = _SYNCHRONIZED.steps
    every: Whole = _SYNCHRONIZED.every
    witness: Name = _SYNCHRONIZED.witness


class FreeRunningIn(_Strict):
    """The perturbation band of the free-running phase."""

    band_runs: Whole = _FREE_RUNNING.band_runs
    band_steps: Whole = _FREE_RUNNING.band_steps
    weights_every: Whole = _FREE_RUNNING.weights_every
    taps_every: Whole = _FREE_RUNNING.taps_every


class CheckpointIn(_Strict):
    """Steps trained before a checkpoint is saved, and steps trained on from it."""

    steps_before: Whole = _CHECKPOINT.steps_before
    steps_after: Whole = _CHECKPOINT.steps_after


class PerformanceIn(_Strict):
    """The performance phase: blocks of four slices, the busy seconds of a slice, pairs of fresh processes."""

    blocks: Whole = _PERFORMANCE.blocks
    slice_seconds: Number = _PERFORMANCE.slice_seconds
    process_pairs: Whole = _PERFORMANCE.process_pairs
    second_device: Annotated[
        Name | None, Field(description="Another GPU, to time both sides at once, each on a card of its own.")
    ] = _PERFORMANCE.second_device


class MemoryIn(_Strict):
    """The memory phase: steps over which allocations are traced."""

    steps: Whole = _MEMORY.steps


class PlanIn(_Strict):
    """A plan; what is left out has its default."""

    reference: Name = _PLAN.reference
    candidate: Name = _PLAN.candidate
    dataset: Name = _PLAN.dataset
    model: ModelIn = ModelIn()
    training: TrainingIn = TrainingIn()
    synchronized: SynchronizedIn = SynchronizedIn()
    free_running: FreeRunningIn = FreeRunningIn()
    checkpoint: CheckpointIn = CheckpointIn()
    performance: PerformanceIn = PerformanceIn()
    memory: MemoryIn = MemoryIn()
    phases: Annotated[
        list[Name] | None, Field(max_length=20, description="Left out: every phase that says something on the device.")
    ] = None
    seed: Whole = _PLAN.seed
    device: Name = _PLAN.device

    def to_plan(self, default_phases: Callable[[str], tuple[str, ...]]) -> Plan:
        """The core's plan, not validated yet; `default_phases` are those of a device."""
        return Plan(
            reference=self.reference,
            candidate=self.candidate,
            dataset=self.dataset,
            model=ModelSpec(**self.model.model_dump()),
            training=TrainingSpec(**self.training.model_dump()),
            synchronized=SynchronizedSpec(**self.synchronized.model_dump()),
            free_running=FreeRunningSpec(**self.free_running.model_dump()),
            checkpoint=CheckpointSpec(**self.checkpoint.model_dump()),
            performance=PerformanceSpec(**self.performance.model_dump()),
            memory=MemorySpec(**self.memory.model_dump()),
            phases=default_phases(self.device) if self.phases is None else tuple(self.phases),
            seed=self.seed,
            device=self.device,
        )


def _policy_form(value: object) -> str:
    return "document" if isinstance(value, Mapping) else "name"


PolicyIn = Annotated[
    Annotated[Name, Tag("name")] | Annotated[dict[str, Any], Tag("document")],
    Discriminator(_policy_form),
    Field(description="The name of a built-in policy, or a policy document (docs/policies.md)."),
]
"""What a document must say is `policy_from_document`'s rule, told with all its problems."""


class RunIn(_Strict):
    """A request for a run."""

    plan: PlanIn = PlanIn()
    policy: PolicyIn = "default"


Note = Annotated[str, Field(max_length=1000)]


class PromoteIn(_Strict):
    """A step up the ladder. `run_id`: the run that shows it; left out, the newest that does."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "ann", "run_id": "01m884knf2vjwrehk8pjcxpmrw"}]})

    by: Name
    run_id: Name | None = None
    skip: Annotated[bool, Field(description="Whether rungs may be skipped that were never in use.")] = False
    note: Note = ""


class RollbackIn(_Strict):
    """A step down."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rung": "forward", "by": "ann", "note": "slow on the new cards"}]}
    )

    rung: Name
    by: Name
    note: Note = ""


class _Query(BaseModel):
    """A misspelt parameter is refused: a filter that is silently ignored would answer another question."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 50


class RunQuery(_Query):
    """Which runs to list; `cursor` is the id after which an older page begins."""

    state: RunState | None = None
    outcome: Literal["PASS", "FAIL", "INCONCLUSIVE"] | None = None
    reference: Name | None = None
    candidate: Name | None = None
    cursor: Annotated[str, Field(max_length=26)] | None = None


class PageQuery(_Query):
    """A page of a run's rows."""

    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0


class StepQuery(PageQuery):
    """Which steps to list."""

    phase: Name | None = None


class DiffQuery(StepQuery):
    """Which diffs to list."""

    tap: Name | None = None


class TelemetryQuery(PageQuery):
    """Which samples to list."""

    field: Name | None = None


class AllocationQuery(PageQuery):
    """Whose allocation events to list."""

    role: Literal["reference", "candidate"] | None = None


class ReportQuery(BaseModel):
    """In which form to send the report; without it, as `Accept` says."""

    model_config = ConfigDict(extra="forbid")

    format: Form | None = None


class _Out(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")


T = TypeVar("T")


class Page(_Out, Generic[T]):
    """Rows, and the address of the next page if there is one."""

    items: list[T]
    next: str | None = None


RunPage = Page[RunRow]
StepPage = Page[StepLosses]
DiffPage = Page[TapDiff]
CheckPage = Page[CheckResult]
SlicePage = Page[Slice]
TelemetryPage = Page[TelemetrySample]


@dataclass(frozen=True, slots=True)
class AllocationRow:
    """One allocation or release of a side."""

    role: Literal["reference", "candidate"]
    step: int
    operation: Literal["malloc", "free"]
    size_bytes: int


AllocationPage = Page[AllocationRow]


class Items(_Out, Generic[T]):
    """A short list, whole."""

    items: list[T]


PolicyItems = Items[Policy]


class Health(_Out):
    """That the process answers, or that its store does too."""

    status: Literal["ok"] = "ok"
    version: str


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457. `type` is stable; `errors` lists every field that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldError] | None = None
