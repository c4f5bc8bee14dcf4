"""The frozen reference with a burden around its training step: its numbers are the reference's, bit for bit."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects import planted_burdens
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device
from service.subjects.legacy import SOURCES, LegacySubject


class BurdenedSubject:
    """A `LegacySubject` under another name that carries a burden in every step."""

    def __init__(self, plan: Plan, name: str, make: planted_burdens.MakeBurden) -> None:
        self._plan, self._name = plan, name
        self._device = resolve_device(plan.device)
        self._inner = LegacySubject(plan)
        self._burden = make(array_module(self._device), plan, self._inner)

    def info(self) -> SubjectInfo:
        modules = (sys.modules[__name__], planted_burdens)
        return describe(self._name, self._plan, self._device, modules, SOURCES)

    def load_state(self, state: State) -> None:
        self._inner.load_state(state)

    def state(self) -> dict[str, NDArray[Any]]:
        return self._inner.state()

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        self._burden.before(batch)
        began = time.perf_counter()
        result = self._inner.train_step(batch, taps=taps)
        self._burden.after(batch, time.perf_counter() - began)
        return result

    def forward(self, batch: NDArray[np.float32]) -> Array:
        return self._inner.forward(batch)

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        self._inner.save(path, metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        return self._inner.load(path)

    def close(self) -> None:
        self._inner.close()
