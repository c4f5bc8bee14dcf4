"""The sampler of a CPU run: sums over processes, and no figure where one of them cannot be read."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from service.parity.measurements import TelemetrySample
from service.telemetry import process
from service.telemetry.process import ProcessSampler


@pytest.fixture
def sampler() -> Iterator[ProcessSampler]:
    one = ProcessSampler(period_s=0.01)
    yield one
    one.stop()


def until(one: ProcessSampler, enough: Callable[[list[TelemetrySample]], bool]) -> list[TelemetrySample]:
    samples: list[TelemetrySample] = []
    while not enough(samples):
        samples += one.drain()
    return samples


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def test_this_process_works(sampler: ProcessSampler) -> None:
    sampler.start()
    sampler.own([os.getpid()])
    before = sampler.edge()
    samples = until(sampler, lambda found: sum(s.field == "process_cpu_pct" for s in found) > 30)
    after = sampler.edge()
    shares = [s.value for s in samples if s.field == "process_cpu_pct" and s.value is not None]
    assert max(shares) > 20
    assert min(shares) >= 0
    assert after.values["process_cpu_s"] > before.values["process_cpu_s"]
    assert before.values["process_rss_bytes"] > 2**20
    assert before.foreign_processes is None
    report = sampler.stop()
    assert report.source == "process"
    assert report.reads > 30
    assert report.cpu_s is not None
    assert report.wall_s is not None
    assert 0 < report.cpu_s < report.wall_s


def test_processes_are_added_up(sampler: ProcessSampler, sleeper: subprocess.Popen[bytes]) -> None:
    sampler.own([sleeper.pid])
    alone = sampler.edge().values["process_rss_bytes"]
    sampler.own([os.getpid(), sleeper.pid])
    assert sampler.edge().values["process_rss_bytes"] > alone + 2**20


def test_a_process_that_ends(sampler: ProcessSampler, sleeper: subprocess.Popen[bytes]) -> None:
    sampler.start()
    sampler.own([os.getpid(), sleeper.pid])
    sleeper.kill()
    sleeper.wait()
    samples = until(sampler, lambda found: any(s.status == "stale" for s in found))
    assert all((s.value is None) == (s.status != "ok") for s in samples)
    assert sampler.edge().missing == {"process_cpu_s": "stale", "process_rss_bytes": "stale"}
    assert "gone" in sampler.stop().reasons["process_cpu_pct"]


def test_a_process_that_never_was(sampler: ProcessSampler, sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    sampler.own([sleeper.pid])
    assert set(sampler.edge().missing.values()) == {"stale"}


def test_one_that_may_not_be_read(sampler: ProcessSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def __init__(self, pid: int) -> None:
            self.oneshot = contextlib.nullcontext

        def cpu_times(self) -> None:
            raise psutil.AccessDenied

    monkeypatch.setattr(process.psutil, "Process", Closed)
    sampler.own([os.getpid()])
    assert set(sampler.edge().missing.values()) == {"no_permission"}


def test_without_processes_there_is_no_zero(sampler: ProcessSampler) -> None:
    sampler.start()
    assert set(sampler.edge().missing.values()) == {"stale"}
    assert sampler.drain() == []


def test_no_share_spans_a_pause(sampler: ProcessSampler) -> None:
    sampler.start()
    sampler.own([os.getpid()])
    until(sampler, lambda found: len(found) > 4)
    sampler.pause()
    sampler.drain()
    sampler.edge()
    assert sampler.drain() == []
    sampler.resume()
    again = until(sampler, lambda found: len(found) > 2)
    assert [s.field for s in again[:3]] == ["process_rss_bytes", "process_rss_bytes", "process_cpu_pct"]


def test_late_reads_are_gaps() -> None:
    times = iter([0.0, 0.0])
    late = threading.Event()

    def clock() -> float:
        if (now_s := next(times, None)) is not None:
            return now_s
        late.set()
        return 1.0

    one = ProcessSampler(period_s=0.25, clock=clock)
    one.start()
    late.wait()
    assert one.stop().gaps == 4
