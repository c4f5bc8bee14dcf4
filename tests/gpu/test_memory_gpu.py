"""The memory phase on a real GPU: the three ledgers agree, and each planted fault is caught by its check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service import bootstrap
from service.campaigns.spread import Unrecorded
from service.parity.checks import judge
from service.parity.measurements import MemoryTrace
from service.parity.plan import MemorySpec, ModelSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.pipeline import DualRun
from service.subjects.known_bad import VARIANTS

cupy = pytest.importorskip("cupy")

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]

PLAN = Plan(
    model=ModelSpec(vector_length=256, hidden_layers=2, bottleneck=64),
    training=TrainingSpec(batch_size=64, learning_rate=0.05),
    memory=MemorySpec(40),
    phases=("memory",),
    device="cuda:0",
)


def measured(candidate: str) -> tuple[dict[str, MemoryTrace], dict[str, Any]]:
    """(traces by role, checks by name)"""
    run = DualRun(replace(PLAN, candidate=candidate), bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    assert run.record.memory is not None
    assert run.record.memory.troubles == ()
    checks = {check.name: check for check in judge(run.record, named_policy("default")).checks}
    return {trace.role: trace for trace in run.record.memory.traces}, checks


@pytest.mark.parametrize("candidate", ["basemodel", "basemodel@memory", "basemodel@kernels"])
def test_a_rung_needs_what_the_reference_needs_and_the_ledgers_agree(candidate: str) -> None:
    traces, checks = measured(candidate)
    for name in ("memory.peak", "memory.pattern", "memory.leak"):
        assert checks[name].outcome == "pass", checks[name].message
    for trace in traces.values():
        assert trace.source == "cupy memory hook"
        assert [sample.step for sample in trace.samples] == list(range(-1, 40))
        last = trace.samples[-1]
        held_by_events = sum(e.size_bytes if e.operation == "malloc" else -e.size_bytes for e in trace.events)
        assert last.pool_used_bytes == held_by_events
        assert trace.peak_bytes is not None
        assert last.pool_used_bytes <= trace.peak_bytes
        assert last.pool_held_bytes is not None
        assert last.pool_used_bytes <= last.pool_held_bytes
        assert trace.baseline_bytes is not None, "NVML gave no memory in use"
        assert last.device_used_bytes is not None
        assert last.device_used_bytes >= last.pool_held_bytes
        assert trace.context_bytes is not None
        assert trace.context_bytes > 2**26


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.needs == "memory"])
def test_a_planted_fault_is_caught_by_its_check(name: str) -> None:
    _, checks = measured(name)
    found = checks[VARIANTS[name].caught_by]
    assert found.outcome == "fail", found.message


def test_a_pool_that_grows_is_seen_in_what_it_holds_and_not_in_what_is_used() -> None:
    traces, _ = measured("bad-pool")
    first, last = traces["candidate"].samples[0], traces["candidate"].samples[-1]
    assert last.pool_used_bytes == first.pool_used_bytes
    assert last.pool_held_bytes > first.pool_held_bytes
