"""One GPU, read through NVML: what is polled often, what seldom, and what at the edges of slices.

Every value comes with a status. A call that fails leaves a gap with its reason, never a zero; a lost device stays lost.
Polled: 250 ms GPM, clocks, power; 1 s utilization, memory, temperature. Faster polling disturbs the driver.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from service.parity.measurements import EDGE_FIELDS, POLLED_FIELDS, EdgeReading, SampleStatus, TelemetrySample
from service.telemetry.nvml import Fault, Nvml, NVMLError, fault_of, fault_of_code, gpm_request
from service.telemetry.resident import SampleBuffer

T = TypeVar("T")

GPU_FIELDS = tuple(field for field in POLLED_FIELDS if not field.startswith("process_"))
GPU_EDGE_FIELDS = tuple(field for field in EDGE_FIELDS if not field.startswith("process_"))

GPM_METRICS = {
    "sm_active_pct": 2,  # NVML_GPM_METRIC_SM_UTIL: SMs with at least one warp, mean over SMs and time
    "sm_occupancy_pct": 3,  # SM_OCCUPANCY: resident warps of those possible
    "tensor_active_pct": 5,  # ANY_TENSOR_UTIL
    "dram_active_pct": 10,  # DRAM_BW_UTIL: of the peak bandwidth
    "fp32_active_pct": 12,  # FP32_UTIL
}
"""Metrics of nvmlGpmMetricId_t, in per cent of the time between two samples."""

CLOCKS = {"sm_clock_mhz": 1, "memory_clock_mhz": 2}
"""NVML_CLOCK_SM, NVML_CLOCK_MEM."""

POWER_INSTANT = 186
"""NVML_FI_DEV_POWER_INSTANT, mW; the older call gives a mean over a second."""

COUNTERS: dict[str, tuple[tuple[int, ...], float]] = {
    "energy_j": ((83,), 1e-3),  # TOTAL_ENERGY_CONSUMPTION, mJ
    "thermal_throttle_s": ((269, 270), 1e-9),  # CLOCKS_EVENT_REASON_{SW,HW}_THERM_SLOWDOWN, ns
    "power_brake_s": ((271,), 1e-9),  # CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN, ns
    "power_cap_s": ((74,), 1e-9),  # PERF_POLICY_POWER, ns
    "sync_boost_s": ((76,), 1e-9),  # PERF_POLICY_SYNC_BOOST, ns
    "board_limit_s": ((77,), 1e-9),  # PERF_POLICY_BOARD_LIMIT, ns
    "reliability_limit_s": ((79,), 1e-9),  # PERF_POLICY_RELIABILITY, ns
    "below_base_clock_s": ((81,), 1e-9),  # PERF_POLICY_TOTAL_BASE_CLOCKS, ns
    "pcie_sent_bytes": ((197,), 1.0),  # PCIE_COUNT_TX_BYTES: sent by the GPU
    "pcie_received_bytes": ((198,), 1.0),  # PCIE_COUNT_RX_BYTES: received by the GPU
}
"""Field ids of nvmlDeviceGetFieldValues that are added up, and what their sum is multiplied by."""

EDGE_IDS = tuple(dict.fromkeys([*(i for ids, _ in COUNTERS.values() for i in ids), POWER_INSTANT]))

_MEMBER = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}
"""Member of nvmlValue_t by nvmlValueType_t."""

MEMORY_V2 = 0x02000028
"""Version tag of nvmlMemory_v2_t, which keeps what the driver reserves apart from what is used."""


class DeviceAbsentError(Exception):
    """The device cannot be watched at all; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


class _LostError(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Clocks:
    """The machine's two clocks, in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class WatchedDevice:
    """One device by its UUID. Raises `DeviceAbsentError` when it cannot be found; after that nothing raises."""

    def __init__(self, nvml: Nvml, uuid: str, fast_s: float, clocks: Clocks | None = None) -> None:
        self._nvml = nvml
        self._clocks = clocks or Clocks()
        self._fast_s = fast_s
        self.reasons: dict[str, str] = {}
        self.lost_reason: str | None = None
        self._last_counter: dict[str, float] = {}
        self._gpm: tuple[Any, Any] | None = None
        self._gpm_at_s: float | None = None
        try:
            nvml.nvmlInit()
            self._handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            self.name = str(nvml.nvmlDeviceGetName(self._handle))
            self._mig = self._is_mig()
            self._gpm_fault = self._open_gpm()
        except NVMLError as error:
            raise DeviceAbsentError(fault_of(error)) from error
        except _LostError as lost:
            raise DeviceAbsentError(lost.fault) from lost
        self._buffer = SampleBuffer(self._clocks.monotonic, self._clocks.wall)

    def poll_fast(self) -> list[TelemetrySample]:
        """What the card did since the last call, its clocks and its power now."""
        return self._poll(self._activity, self._clock_rates, self._power)

    def poll_slow(self) -> list[TelemetrySample]:
        """Utilization (the driver's own samples since the last call where it keeps them), memory, temperature."""
        return self._poll(self._utilization, self._memory, self._temperature)

    def resumed(self) -> None:
        """Forget what was begun before a pause: no value spans it."""
        self._gpm_at_s = None
        self._buffer.restart()

    def warm_up(self) -> None:
        """Read the counters once for nothing: the first read of energy takes 14 ms, not to be taken from a slice."""
        try:
            self._ask(lambda: self._nvml.nvmlDeviceGetFieldValues(self._handle, list(EDGE_IDS)))
        except _LostError as lost:
            self._lose(lost.fault)

    def edge(self, own: Sequence[int]) -> EdgeReading:
        """The counters now, in one batch of field reads; levels; processes on the device that are not in `own`."""
        if self.lost_reason is not None:
            return self._lost_edge()
        try:
            return self._read_edge(frozenset(own))
        except _LostError as lost:
            self._lose(lost.fault)
            return self._lost_edge()

    def close(self) -> None:
        """Give back what NVML holds for this process; a device that no longer answers is left as it is."""
        if self.lost_reason is not None:
            return
        try:
            for sample in self._gpm or ():
                self._nvml.nvmlGpmSampleFree(sample)
            self._nvml.nvmlShutdown()
        except NVMLError as error:
            self.reasons.setdefault("sampler", f"while closing, {fault_of(error)}")

    # --- asking -------------------------------------------------------------------------------------------------------

    def _ask(self, call: Callable[[], T]) -> T | Fault:
        try:
            return call()
        except NVMLError as error:
            fault = fault_of(error)
            if fault.lost:
                raise _LostError(fault) from error
            return fault

    def _poll(self, *readers: Callable[[float], Iterable[TelemetrySample]]) -> list[TelemetrySample]:
        if self.lost_reason is not None:
            return []
        samples: list[TelemetrySample] = []
        for reader in readers:
            try:
                samples.extend(reader(self._clocks.monotonic()))
            except _LostError as lost:
                self._lose(lost.fault)
                at_s = self._clocks.monotonic()
                samples.extend(TelemetrySample(at_s, field, None, "lost") for field in GPU_FIELDS)
                break
        return samples

    def _lose(self, fault: Fault) -> None:
        self.lost_reason = str(fault)

    def _gap(self, at_s: float, field: str, status: SampleStatus, reason: str) -> TelemetrySample:
        self.reasons.setdefault(field, reason)
        return TelemetrySample(at_s, field, None, status)

    def _sample(self, at_s: float, field: str, answer: float | Fault) -> TelemetrySample:
        if isinstance(answer, Fault):
            return self._gap(at_s, field, answer.status, str(answer))
        if not math.isfinite(answer):
            return self._gap(at_s, field, "stale", f"NVML gave {answer}, which is no figure")
        return TelemetrySample(at_s, field, float(answer))

    # --- every 250 ms -------------------------------------------------------------------------------------------------

    def _open_gpm(self) -> Fault | None:
        """Set up GPM; a fault says why there is none on this card."""
        support = self._ask(lambda: self._nvml.nvmlGpmQueryDeviceSupport(self._handle))
        if isinstance(support, Fault):
            return support
        if not support.isSupportedDevice:
            return Fault(0, "not_supported", "no GPM on this card", "it came with Hopper: nothing to do")
        buffers = self._ask(lambda: (self._nvml.nvmlGpmSampleAlloc(), self._nvml.nvmlGpmSampleAlloc()))
        if isinstance(buffers, Fault):
            return buffers
        self._gpm = buffers
        return None

    def _activity(self, at_s: float) -> Iterator[TelemetrySample]:
        if self._gpm is None:
            assert self._gpm_fault is not None
            for field in GPM_METRICS:
                yield self._sample(at_s, field, self._gpm_fault)
            return
        before, after = self._gpm
        taken = self._ask(lambda: self._nvml.nvmlGpmSampleGet(self._handle, after))
        at_s = self._clocks.monotonic()
        began_s, self._gpm_at_s = self._gpm_at_s, None
        if isinstance(taken, Fault):
            for field in GPM_METRICS:
                yield self._sample(at_s, field, taken)
            return
        self._gpm, self._gpm_at_s = (after, before), at_s
        if began_s is None:
            return  # the first of a pair: a value needs two
        if at_s - began_s > 2 * self._fast_s:
            for field in GPM_METRICS:
                yield self._gap(at_s, field, "stale", "the sampler came late: the value would cover too long a time")
            return
        request = gpm_request(before, after, tuple(GPM_METRICS.values()))
        answer = self._ask(lambda: self._nvml.nvmlGpmMetricsGet(request))
        for place, field in enumerate(GPM_METRICS):
            yield self._sample(at_s, field, answer if isinstance(answer, Fault) else self._metric(answer, place))

    def _metric(self, answer: Any, place: int) -> float | Fault:
        metric = answer.metrics[place]
        return self._or_fault(int(metric.nvmlReturn), lambda: float(metric.value))

    def _clock_rates(self, at_s: float) -> Iterator[TelemetrySample]:
        for field, domain in CLOCKS.items():
            yield self._sample(at_s, field, self._clock(domain))

    def _clock(self, domain: int) -> float | Fault:
        return self._ask(lambda: float(self._nvml.nvmlDeviceGetClockInfo(self._handle, domain)))

    def _power(self, at_s: float) -> Iterator[TelemetrySample]:
        answer = self._ask(lambda: self._nvml.nvmlDeviceGetFieldValues(self._handle, [POWER_INSTANT]))
        yield self._sample(at_s, "power_w", answer if isinstance(answer, Fault) else self._watts(answer[0]))

    def _watts(self, value: Any) -> float | Fault:
        answer = self._field(value)
        return answer if isinstance(answer, Fault) else answer / 1e3

    def _field(self, value: Any) -> float | Fault:
        return self._or_fault(int(value.nvmlReturn), lambda: number(int(value.valueType), value.value))

    def _or_fault(self, code: int, read: Callable[[], float]) -> float | Fault:
        if code == 0:
            return read()
        fault = fault_of_code(code)
        if fault.lost:
            raise _LostError(fault)
        return fault

    # --- every second -------------------------------------------------------------------------------------------------

    def _is_mig(self) -> bool:
        mode = self._ask(lambda: self._nvml.nvmlDeviceGetMigMode(self._handle))
        return not isinstance(mode, Fault) and mode[0] == 1

    def _utilization(self, at_s: float) -> Iterator[TelemetrySample]:
        if self._mig:
            reason = "the device is in MIG mode, in which NVML counts no utilization; a run on a whole GPU has it"
            for field in ("kernel_resident_pct", "memory_busy_pct"):
                yield self._gap(at_s, field, "not_supported", reason)
            return
        rates = self._ask(lambda: self._nvml.nvmlDeviceGetUtilizationRates(self._handle))
        yield self._sample(at_s, "memory_busy_pct", rates if isinstance(rates, Fault) else float(rates.memory))
        if self._buffer.usable:
            kept = self._ask(lambda: self._nvml.nvmlDeviceGetSamples(self._handle, 1, self._buffer.seen_us))
            for sample in self._buffer.take(kept):
                if sample.value is None:
                    yield self._gap(sample.at_s, sample.field, sample.status, self._buffer.reason)
                else:
                    yield sample
        if not self._buffer.usable:
            self.reasons.setdefault("kernel_resident_pct", self._buffer.reason)
            answer = rates if isinstance(rates, Fault) else float(rates.gpu)
            yield self._sample(at_s, "kernel_resident_pct", answer)

    def _memory(self, at_s: float) -> Iterator[TelemetrySample]:
        yield self._sample(at_s, "memory_used_bytes", self._memory_used())

    def _memory_used(self) -> float | Fault:
        return self._ask(lambda: float(self._nvml.nvmlDeviceGetMemoryInfo(self._handle, MEMORY_V2).used))

    def _temperature(self, at_s: float) -> Iterator[TelemetrySample]:
        answer = self._ask(lambda: float(self._nvml.nvmlDeviceGetTemperature(self._handle, 0)))
        yield self._sample(at_s, "temperature_c", answer)

    # --- at the edges of slices ---------------------------------------------------------------------------------------

    def _read_edge(self, own: frozenset[int]) -> EdgeReading:
        began_s = self._clocks.monotonic()
        batch = self._ask(lambda: self._nvml.nvmlDeviceGetFieldValues(self._handle, list(EDGE_IDS)))
        at_s = (began_s + self._clocks.monotonic()) / 2
        answers: dict[str, float | Fault] = {}
        if isinstance(batch, Fault):
            answers.update(dict.fromkeys([*COUNTERS, "power_w"], batch))
        else:
            raw = dict(zip(EDGE_IDS, batch, strict=True))
            for field, (ids, scale) in COUNTERS.items():
                answers[field] = self._counter(field, [raw[i] for i in ids], scale)
            answers["power_w"] = self._watts(raw[POWER_INSTANT])
        answers["memory_used_bytes"] = self._memory_used()
        answers["sm_clock_mhz"] = self._clock(CLOCKS["sm_clock_mhz"])
        samples = [self._sample(at_s, field, answer) for field, answer in answers.items()]
        return EdgeReading(
            at_s,
            {sample.field: sample.value for sample in samples if sample.value is not None},
            {sample.field: sample.status for sample in samples if sample.value is None},
            self._foreign(own),
        )

    def _counter(self, field: str, parts: Sequence[Any], scale: float) -> float | Fault:
        total = 0.0
        for part in parts:
            answer = self._field(part)
            if isinstance(answer, Fault):
                return answer
            if int(part.valueType) == 1:
                return Fault(0, "not_supported", "a 32-bit counter", "it may wrap unseen, so that it is not used")
            total += answer * scale
        before = self._last_counter.get(field)
        self._last_counter[field] = total
        if before is not None and total < before:
            return Fault(0, "stale", "the counter fell", "it wrapped or was reset: this slice's share is not known")
        return total

    def _foreign(self, own: frozenset[int]) -> int | None:
        """How many of the processes that the driver lists are not of this run.

        In a container the driver may count process ids otherwise: where none of `own` is listed, nothing is known.
        """
        listed = self._ask(lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle))
        if isinstance(listed, Fault):
            self.reasons.setdefault("foreign_processes", str(listed))
            return None
        pids = {int(process.pid) for process in listed}
        if (pids or own) and not pids & own:
            reason = "none of the run's own processes is in the driver's list, so that foreign ones cannot be told"
            self.reasons.setdefault("foreign_processes", reason)
            return None
        return len(pids - own)

    def _lost_edge(self) -> EdgeReading:
        return EdgeReading(self._clocks.monotonic(), {}, dict.fromkeys(GPU_EDGE_FIELDS, "lost"))


def number(kind: int, value: Any) -> float:
    """The member of an nvmlValue_t that its type names; NaN for a type that is not known."""
    member = _MEMBER.get(kind)
    return math.nan if member is None else float(getattr(value, member))
