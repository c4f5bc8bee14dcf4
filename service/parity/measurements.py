"""What was measured of time, memory and the GPU in one dual run; nothing here is decided (see `performance`,
`utilization` and `memory`).

Times are seconds of the machine's monotonic clock (CLOCK_MONOTONIC, which all processes of a machine share), durations
of steps are milliseconds. `None` is not measured, never zero. Sources: docs/measuring.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["reference", "candidate"]
"""Whose place a process takes in a block; in an A/A session the candidate's place is taken by the reference again."""

SessionKind = Literal["a_a", "sampler", "comparison", "extension", "confirmation", "utilization", "side_by_side"]
"""`a_a`: reference against itself, watched. `sampler`: reference against itself, the candidate's place watched by the
sampler and the reference's not. `comparison`, `extension`: reference against candidate, the latter where the former did
not decide. `confirmation`: once more in fresh processes, where the comparison failed. `utilization`: reference against
candidate in uninterrupted slices, where those of the comparison were taken in turns. `side_by_side`: reference against
candidate at the same time, each on a card of its own, where the plan names a second one."""

SampleStatus = Literal["ok", "not_supported", "no_permission", "lost", "stale", "timeout"]

POLLED_FIELDS = (
    "kernel_resident_pct", "memory_busy_pct", "memory_used_bytes", "temperature_c",
    "sm_active_pct", "sm_occupancy_pct", "tensor_active_pct", "fp32_active_pct", "dram_active_pct",
    "sm_clock_mhz", "memory_clock_mhz", "power_w",
    "process_cpu_pct", "process_rss_bytes",
)  # fmt: skip
"""Every field that a sampler may report. Of a GPU all but the last two; of a process on a CPU only those."""

EDGE_FIELDS = (
    "energy_j",
    "thermal_throttle_s", "power_brake_s", "power_cap_s", "sync_boost_s", "board_limit_s",
    "reliability_limit_s", "below_base_clock_s",
    "pcie_sent_bytes", "pcie_received_bytes",
    "memory_used_bytes", "sm_clock_mhz", "power_w",
    "process_cpu_s", "process_rss_bytes",
)  # fmt: skip
"""Counters and levels read at the edges of slices. The counters only grow; a slice's share is end minus start."""


@dataclass(frozen=True, slots=True)
class TelemetrySample:
    """One value of one field at one moment; `value` is `None` unless `status` is ok."""

    at_s: float
    field: str
    value: float | None
    status: SampleStatus = "ok"


@dataclass(frozen=True, slots=True)
class EdgeReading:
    """The counters at one edge of a slice. A field that could not be read is absent from `values` and in `missing`."""

    at_s: float
    values: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, SampleStatus] = field(default_factory=dict)
    foreign_processes: int | None = None
    """Compute processes on the device that are not of this run."""


@dataclass(frozen=True, slots=True)
class SamplerReport:
    """What a sampler was and what it cost: its process's CPU time, reads done, late or lost, and why it was absent."""

    source: str
    """`nvml`, `process`, `replay` or `absent`."""
    device: str
    device_name: str | None
    device_uuid: str | None
    absent_reason: str | None = None
    wall_s: float | None = None
    cpu_s: float | None = None
    reads: int = 0
    gaps: int = 0
    """Reads that came later than twice their period, or not at all."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How many samples had which status."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a field was not there, or came from elsewhere than usual, by field; `sampler`: what became of its process."""
    lost_reason: str | None = None
    """Set where the device was lost while it was watched: the run ends as failed."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One subject's steps of a block's position, timed one by one, of which the median stays.

    They are taken in one stretch, or in `turns` short ones between which the block's other slices have theirs; from
    `started_s` to `ended_s` is then the time of all four. `steps_busy_s` is the sum of the step times. `block` counts
    within its session; `position` is 0 to 3 in the block. Side by side, positions 0 and 1 are timed at the same time,
    and so are 2 and 3: 0 and 2 on the plan's device, 1 and 3 on its second one, which no sampler watches.
    """

    session: SessionKind
    pair: int
    """Which pair of fresh processes, within the session."""
    block: int
    position: int
    role: Role
    steps: int
    median_step_ms: float
    """Of a slice in turns: with the machine's own speed in each turn, as all four slices show it, taken out."""
    mean_step_ms: float
    steps_busy_s: float
    started_s: float
    ended_s: float
    before: EdgeReading | None = None
    after: EdgeReading | None = None
    sm_clock_mhz: float | None = None
    """Median of the samples within the slice."""
    kernel_resident_pct: float | None = None
    """Mean of the samples whose whole period lies within the slice."""
    activity: Mapping[str, float] = field(default_factory=dict)
    """Means within the slice of the other polled fields, by field; one that was not sampled is absent."""
    thread_cpu_s: float | None = None
    turns: int = 1
    own_s: float | None = None
    """Seconds of the host in its own turns; `None` where it is all of the time from start to end."""

    @property
    def wall_s(self) -> float:
        """Seconds of the host in which it alone was timed."""
        return self.ended_s - self.started_s if self.own_s is None else self.own_s

    @property
    def interrupted(self) -> bool:
        """Whether what was seen of the device between its ends is of both roles."""
        return self.turns > 1


@dataclass(frozen=True, slots=True)
class TimingTrouble:
    """A role that broke while it was timed or traced: its process died, raised, or gave no times."""

    role: Role
    where: str
    message: str
    reason: str = "exception"
    """`exception`, `died`, `oom_device`, `oom_host`, `stalled`."""


@dataclass(frozen=True, slots=True)
class PerformanceEvidence:
    """What the performance phase saw. Slices are in the order in which they were taken."""

    clock: str
    """`cuda events` or `perf_counter`."""
    order_seed: int
    slices: tuple[Slice, ...] = ()
    planned_blocks: Mapping[str, int] = field(default_factory=dict)
    """Blocks that each session that was begun should have."""
    step_flops: Mapping[str, int] = field(default_factory=dict)
    """Floating-point operations of a step, by role."""
    matrix_peak_flops_per_s: float | None = None
    """Measured float32 matrix product rate of this device."""
    fill_blocks_per_sm: float | None = None
    """Thread blocks an SM in the largest product of the plan, by launch geometry; `None` on a CPU."""
    sampler: SamplerReport | None = None
    telemetry: tuple[TelemetrySample, ...] = ()
    troubles: tuple[TimingTrouble, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AllocationEvent:
    """One call that the memory hook saw, in order: `malloc` or `free`, of how many bytes; `step` is -1 for set-up."""

    step: int
    operation: Literal["malloc", "free"]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The three ledgers after a step (-1: after set-up). Device use is above the idle baseline."""

    step: int
    pool_used_bytes: int | None
    pool_held_bytes: int | None
    device_used_bytes: int | None


@dataclass(frozen=True, slots=True)
class MemoryTrace:
    """One side in a fresh process: set-up, then `steps` steady-state steps, untimed.

    `source`: `cupy memory hook` or, on a CPU, `numpy allocator` (then pool figures are bytes of NumPy arrays, device
    use is resident size).
    """

    role: Role
    source: str
    steps: int
    baseline_bytes: int | None
    """Device memory in use before the process had a context; resident size before the subject was built on a CPU."""
    peak_bytes: int | None
    """Largest pool use since before set-up."""
    samples: tuple[MemorySample, ...] = ()
    events: tuple[AllocationEvent, ...] = ()
    events_cut: bool = False
    """Whether there were more events than are kept."""
    context_bytes: int | None = None
    """Device use that is in no pool after set-up: context, libraries, modules."""


@dataclass(frozen=True, slots=True)
class MemoryEvidence:
    """What the memory phase saw: one trace a side; a side that broke has its trouble instead."""

    traces: tuple[MemoryTrace, ...]
    troubles: tuple[TimingTrouble, ...] = ()
    seconds: float | None = None
