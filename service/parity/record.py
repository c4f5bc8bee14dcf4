"""The record of a dual run: everything that was observed, and nothing that was decided.

A verdict is a pure function of a record and a policy (`verdict.judge`). `None` means not measured, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from service.parity.measurements import MemoryEvidence, PerformanceEvidence
from service.parity.plan import Plan

Side = Literal["reference", "candidate"]
SIDES: tuple[Side, Side] = ("reference", "candidate")

ORACLE_WITNESS = "float64 oracle"
REPLAY_WITNESS = "reference replays"


@dataclass(frozen=True, slots=True)
class SubjectInfo:
    """What a subject says of itself. `sources` maps a tap's prefix (`forward`, `backward`, …) to function and rung."""

    name: str
    version: str
    source_digest: str
    parameter_count: int
    step_flops: int
    device: str
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a side did wrong, as an observation: exception, missing or misshapen tap, broken loss."""

    side: Side
    phase: str
    step: int | None
    kind: str
    message: str
    tap: str | None = None


@dataclass(frozen=True, slots=True)
class DiffStats:
    """The statistics of one pair of taps, reduced where the arrays live.

    Maxima, sums and the worst index run over the elements that are finite on every side involved; the counts of the
    others stand beside them, so nothing disappears. `None`: no such element, or no oracle. `max_ulp` is `None` where
    the dtype has no units in the last place or the two dtypes differ. RMS values and cosine are over all finite pairs.
    """

    elements: int
    reference_nan: int
    reference_inf: int
    candidate_nan: int
    candidate_inf: int
    mismatches: int
    max_abs: float | None
    rms: float | None
    cosine: float | None
    max_ulp: int | None
    worst_index: tuple[int, ...] | None
    reference_error: float | None = None
    candidate_error: float | None = None
    reference_error_rms: float | None = None
    candidate_error_rms: float | None = None
    candidate_worst_index: tuple[int, ...] | None = None
    oracle_scale: float | None = None
    """max |oracle|, the larger of the two oracles where they were conditioned differently; infinite where an oracle
    itself is NaN or Inf."""
    max_rel: float | None = None
    """max |r - c| / max(|r|, |c|), at most 2, and 0 for two zeros: how far apart the worst pair is for its size."""


@dataclass(frozen=True, slots=True)
class TapDiff:
    """One tap compared at one step. `floor_scale` widens the rounding floor for taps that accumulate (the loss).

    `reference_spread` is the largest difference between two steps of the reference from the same state, `None` where it
    stepped once. `reference_slack` widens the floor under the reference's own error: summing term by term is no fault.
    """

    phase: str
    step: int
    position: int
    tap: str
    shape: tuple[int, ...]
    dtype: str
    stats: DiffStats
    floor_scale: float = 1.0
    reference_spread: float | None = None
    reference_slack: float = 1.0


@dataclass(frozen=True, slots=True)
class SignFlips:
    """Where a side's LeakyReLU signs left the oracle's at one tap and step.

    `worst_excess` is the largest |oracle pre-activation| of a flipped unit over its rounding bound, `None` without
    flips; a flip is excusable while it is at most the policy's `sign_bound`.
    """

    step: int
    tap: str
    side: Side
    elements: int
    flips: int
    worst_excess: float | None


@dataclass(frozen=True, slots=True)
class StepLosses:
    """The losses of one step; `None` where a side gave none."""

    phase: str
    step: int
    reference: float | None
    candidate: float | None


PROBED_STEPS = 3
"""Compared steps at which the reference steps twice; every one where two such steps were not bit-equal."""


@dataclass(frozen=True, slots=True)
class Determinism:
    """The A/A probe: the reference stepped twice from the same state and batch at these steps.

    `differing_taps` are those that were not bit-equal at some step; empty for a deterministic reference.
    """

    steps: tuple[int, ...]
    differing_taps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SynchronizedEvidence:
    """What the synchronized phase saw."""

    expected_steps: tuple[int, ...]
    expected_taps: tuple[str, ...]
    compared_steps: tuple[int, ...]
    comparisons: int
    reference_start_digest: str
    candidate_start_digest: str
    witness: str
    """Where the errors are measured from: `ORACLE_WITNESS` or `REPLAY_WITNESS`."""
    diffs: tuple[TapDiff, ...] = ()
    signs: tuple[SignFlips, ...] = ()
    sign_taps: tuple[str, ...] = ()
    """The taps whose signs must have been compared, on both sides, at every expected step."""
    losses: tuple[StepLosses, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    seconds: float | None = None
    determinism: Determinism | None = None
    planned_start_digest: str = ""
    """Digest of the state that both sides were given; the sides' own are read back from them."""


@dataclass(frozen=True, slots=True)
class BandMember:
    """One perturbed reference training: its losses and its weights' relative L2 distance from the reference's."""

    losses: tuple[float, ...]
    weight_distances: tuple[float, ...]
    moved_fraction: float
    """Smallest share of the weights' elements that a perturbation moved in their own dtype."""


@dataclass(frozen=True, slots=True)
class FreeRunningEvidence:
    """What the free-running phase saw. `weight_steps` are the steps after which weights were compared."""

    expected_steps: int
    reference_steps: int
    candidate_steps: int
    reference_start_digest: str
    candidate_start_digest: str
    weight_steps: tuple[int, ...]
    candidate_weight_distances: tuple[float, ...]
    members: tuple[BandMember, ...]
    losses: tuple[StepLosses, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    seconds: float | None = None
    reference_end_digest: str = ""
    candidate_end_digest: str = ""
    planned_start_digest: str = ""
    """Digests of the trained weights: a replay that is true bit for bit has the same."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """One colour through both models; each RGB is three numbers of which 0 to 1 is the visible range."""

    name: str
    target: tuple[float, float, float]
    reference: tuple[float, float, float] | None
    candidate: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """What one trained model does with the whole dataset."""

    side: Side
    rows: int
    varying_features: int
    """Features of the data that are not constant; the outputs' spread is measured on these."""
    data_spread: float
    output_spread: float
    """Root mean square, over the varying features, of the standard deviation over inputs."""
    mean_rgb_error: float | None
    """Mean absolute error over all colours and channels."""
    nonfinite: int
    named_right: int | None = None
    """Rows whose reconstructed RGB is nearer to their own colour than to any other of the dataset, ties included."""


@dataclass(frozen=True, slots=True)
class NearestName:
    """The dataset's colour that a reconstructed RGB is nearest to; Euclidean distances, channels being 0 to 1."""

    name: str
    distance: float
    own_distance: float
    """To the colour that went in."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """A colour that at least one model gives back nearer to another. `None`: that model gave no finite colour."""

    name: str
    reference: NearestName | None
    candidate: NearestName | None


@dataclass(frozen=True, slots=True)
class LearningEvidence:
    """The trained models' outputs: spread, colour reconstruction, swatches, and the colours taken for others.

    The first swatch is the criterion's. `confusions` begins with those on which the models disagree, then the farthest
    off; it is cut, `LearnedModel.named_right` counts them all.
    """

    models: tuple[LearnedModel, ...]
    swatches: tuple[Swatch, ...]
    troubles: tuple[Trouble, ...] = ()
    confusions: tuple[Confusion, ...] = ()


CheckpointFormat = Literal["npz", "safetensors"]
CHECKPOINT_FORMATS: tuple[CheckpointFormat, CheckpointFormat] = ("npz", "safetensors")


@dataclass(frozen=True, slots=True)
class CheckpointTrip:
    """One checkpoint file from one side to one side, and the training that goes on from it.

    `output` compares the loader's forward pass (as its candidate) with the saver's, each with its error against the
    oracle; where there is none, against the saver's outputs. Resuming: the loader trains on from the file, and again
    from the same state handed over in memory, twice.
    """

    saver: Side
    loader: Side
    format: CheckpointFormat
    arrays: int
    """Arrays of the saver's state that were compared after the trip."""
    differing_arrays: tuple[str, ...]
    """Names of arrays that are missing, misshapen, of another dtype or not bit-equal after the trip."""
    lost_metadata: tuple[str, ...]
    """Names of metadata (loss, epoch, parameters) that did not come back as they were saved."""
    output: DiffStats | None
    resumed_steps: int
    """Steps trained after loading; equal to the plan's `steps_after` when all went well."""
    resumed_distance: float | None
    """Relative L2 distance of the weights resumed from the file to those that never stopped; 0 when bit-equal."""
    resumed_differing: tuple[str, ...]
    """Names of the arrays that are not bit-equal to those of the training that never stopped."""
    repeat_distance: float | None
    """The same distance between two trainings from that state in memory: 0 for a deterministic subject."""


@dataclass(frozen=True, slots=True)
class CheckpointEvidence:
    """What the checkpoint phase saw: the matrix {saver} x {loader} x {format}. A trip that broke has its trouble."""

    trips: tuple[CheckpointTrip, ...]
    troubles: tuple[Trouble, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class BatchLedger:
    """Batches of one phase: how many, and a SHA-256 over the bytes that each side was handed, before and after use."""

    phase: str
    expected: int
    planned_digest: str
    reference_count: int
    reference_digest: str
    candidate_count: int
    candidate_digest: str


@dataclass(frozen=True, slots=True)
class IntegrityEvidence:
    """Whether both sides saw the same data and the reference is the frozen one (`changed_files` is empty)."""

    dataset_digest: str
    dataset_rows: int
    batches: tuple[BatchLedger, ...]
    changed_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything that was observed in one dual run. A phase that did not run, or did not end, is `None`."""

    plan: Plan
    subjects: Mapping[str, SubjectInfo]
    environment: Mapping[str, Any]
    integrity: IntegrityEvidence | None = None
    synchronized: SynchronizedEvidence | None = None
    free_running: FreeRunningEvidence | None = None
    learning: LearningEvidence | None = None
    checkpoint: CheckpointEvidence | None = None
    performance: PerformanceEvidence | None = None
    memory: MemoryEvidence | None = None
    troubles: tuple[Trouble, ...] = ()
    """Trouble outside the phases: a side that could not be built, say."""
