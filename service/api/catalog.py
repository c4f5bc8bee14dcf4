"""What this installation offers to a request: names only. What they stand for is known where the run is executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.parity.errors import Problem
from service.parity.plan import CPU_PHASES, PHASES, Plan, second_device_fault


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """A registered subject; `kind` says what it is, e.g. built-in, plug-in or known-bad."""

    name: str
    description: str
    kind: str


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset that plans may name."""

    name: str
    rows: int
    description: str


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device that plans may name, `auto` included."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be asked for besides the policies."""

    subjects: tuple[SubjectEntry, ...]
    datasets: tuple[DatasetEntry, ...]
    devices: tuple[DeviceEntry, ...]
    misfits: Callable[[Plan], Iterable[Problem]] = lambda plan: ()
    """What of a valid plan its dataset or its subjects cannot take."""
    rung_digests: Callable[[], Mapping[str, str]] = dict
    """Every rung of the ladder, the safest first, with the digest of its source as it is now."""

    def default_phases(self, device: str) -> tuple[str, ...]:
        """What a plan for the device does that does not name its phases: on a CPU, step times and memory say little."""
        on_gpu = any(entry.name.startswith("cuda") for entry in self.devices) if device == "auto" else device != "cpu"
        return PHASES if on_gpu else CPU_PHASES

    def unknown_names(self, plan: Plan) -> Iterator[Problem]:
        """One problem for each name of the plan that is not offered here."""
        subjects = [entry.name for entry in self.subjects]
        yield from _unknown("plan.reference", plan.reference, subjects)
        yield from _unknown("plan.candidate", plan.candidate, subjects)
        yield from _unknown("plan.dataset", plan.dataset, (entry.name for entry in self.datasets))
        devices = [entry.name for entry in self.devices]
        yield from _unknown("plan.device", plan.device, devices)
        fault = second_device_fault(plan, devices)
        if fault is not None:
            yield Problem("plan.performance.second_device", fault)


def _unknown(field: str, name: str, offered: Iterable[str]) -> Iterator[Problem]:
    names = tuple(offered)
    if name not in names:
        yield Problem(field, f"{name!r} is unknown; choose from {', '.join(names) or 'nothing: none is registered'}")
