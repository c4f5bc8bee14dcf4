"""The sampler's own process: what it says, and what its parent sees when it hangs, dies, or cannot begin."""

from __future__ import annotations

import importlib
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.parity.measurements import TelemetrySample
from service.telemetry.nvml import FAULTS
from service.telemetry.nvml_sampler import NvmlSampler, Patience
from service.telemetry.watched import GPU_EDGE_FIELDS, GPU_FIELDS

ROOT = Path(__file__).resolve().parents[2]
UUID = "GPU-00000000-1111-2222-3333-444444444444"
SHORT = Patience(answer_s=0.3, overdue_s=0.01, exit_s=5.0)

Make = Callable[..., NvmlSampler]


@pytest.fixture
def sampler() -> Iterator[Make]:
    made: list[NvmlSampler] = []

    def make(patience: Patience | None = None, uuid: str = UUID, **options: Any) -> NvmlSampler:
        library = partial(importlib.import_module("fake_nvml").FakeNvml, **options)
        made.append(NvmlSampler("cuda:0", uuid, library=library, fast_s=0.02, slow_s=0.05, patience=patience))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def pid_of(one: NvmlSampler) -> int:
    pid = one._process.pid
    assert isinstance(pid, int)
    return pid


def drained_until(one: NvmlSampler, enough: Callable[[list[TelemetrySample]], bool]) -> list[TelemetrySample]:
    """What it says until it is enough; the test's time limit is the end of patience."""
    samples: list[TelemetrySample] = []
    while not enough(samples):
        samples += one.drain()
    return samples


def statuses(samples: list[TelemetrySample]) -> set[str]:
    return {sample.status for sample in samples}


def test_a_watch_from_beginning_to_end(sampler: Make) -> None:
    one = sampler(pids=(os.getpid(), 1))
    one.start()
    first = one.drain()
    assert "sm_clock_mhz" in {sample.field for sample in first}
    before = one.edge()
    samples = first + drained_until(one, lambda found: len(found) > 200)
    after = one.edge()
    one.own([1])
    assert one.edge().foreign_processes == 0
    report = one.stop()
    assert {sample.field for sample in samples} == set(GPU_FIELDS)
    assert statuses(samples) == {"ok"}
    resident = [sample.at_s for sample in samples if sample.field == "kernel_resident_pct"]
    assert resident == sorted(set(resident))
    assert set(before.values) == set(GPU_EDGE_FIELDS)
    assert before.foreign_processes == 1
    assert before.at_s < after.at_s
    assert after.values["energy_j"] > before.values["energy_j"]
    assert (report.source, report.device, report.device_name, report.device_uuid) == (
        "nvml",
        "cuda:0",
        "NVIDIA Fake",
        UUID,
    )
    assert report.absent_reason is report.lost_reason is None
    assert report.reasons == {}
    assert report.reads > 0
    assert report.wall_s is not None
    assert report.cpu_s is not None
    assert 0 < report.cpu_s <= report.wall_s
    assert report.statuses["ok"] >= len(samples)
    assert one.stop() is report
    assert not psutil.pid_exists(pid_of(one))


def test_more_than_an_answer_holds_comes_in_order(sampler: Make) -> None:
    one = sampler()
    one.start()
    os.kill(pid_of(one), 0)
    seen = drained_until(one, lambda found: len(found) > 1200)
    assert [s.at_s for s in seen if s.field == "power_w"] == sorted({s.at_s for s in seen if s.field == "power_w"})


def test_what_was_not_drained_can_be_after_the_end(sampler: Make) -> None:
    one = sampler()
    one.start()
    one.stop()
    assert "power_w" in {sample.field for sample in one.drain()}
    assert one.drain() == []
    assert set(one.edge().missing.values()) == {"stale"}


def test_no_samples_in_a_pause(sampler: Make) -> None:
    one = sampler()
    one.start()
    one.pause()
    one.drain()
    paused = one.edge()
    again = one.edge()
    assert one.drain() == []
    assert set(paused.values) == set(GPU_EDGE_FIELDS)
    one.resume()
    assert all(sample.at_s >= again.at_s for sample in drained_until(one, lambda found: len(found) > 20))
    assert one.stop().gaps < 50


@pytest.mark.parametrize("code", [3, 4, 9, 10, 12, 15, 16, 18, 999])
def test_an_nvml_that_does_not_begin(sampler: Make, code: int) -> None:
    one = sampler(broken={"nvmlInit": code})
    one.start()
    assert one.drain() == []
    edge = one.edge()
    assert edge.values == {}
    assert set(edge.missing.values()) == {FAULTS[code].status}
    report = one.stop()
    assert (report.source, report.absent_reason) == ("absent", str(FAULTS[code]))
    assert (report.lost_reason is not None) == (code in (15, 16))
    assert not psutil.pid_exists(pid_of(one))


def test_a_device_that_is_not_here(sampler: Make) -> None:
    one = sampler(uuid="GPU-elsewhere")
    one.start()
    report = one.stop()
    assert report.absent_reason is not None
    assert "not found" in report.absent_reason


def test_a_device_that_is_lost_while_it_is_watched(sampler: Make) -> None:
    one = sampler(faults={60: 15})
    one.start()
    samples = drained_until(one, lambda found: "lost" in statuses(found))
    assert {sample.field for sample in samples if sample.status == "lost"} == set(GPU_FIELDS)
    assert set(one.edge().missing.values()) == {"lost"}
    report = one.stop()
    assert report.lost_reason == str(FAULTS[15])
    assert report.statuses["lost"] == len(GPU_FIELDS)


def test_a_process_that_is_killed(sampler: Make) -> None:
    one = sampler()
    one.start()
    os.kill(pid_of(one), signal.SIGKILL)
    edge = one.edge()
    assert edge.values == {}
    assert set(edge.missing) == set(GPU_EDGE_FIELDS)
    assert set(edge.missing.values()) == {"stale"}
    marks = [sample for sample in one.drain() if sample.status == "stale"]
    assert {sample.field for sample in marks} == set(GPU_FIELDS)
    assert all(sample.value is None for sample in marks)
    one.pause()
    one.resume()
    one.own([1])
    report = one.stop()
    assert report.gaps >= 1
    assert report.lost_reason is None
    assert "signal 9" in report.reasons["sampler"]


def test_a_process_that_ends_by_itself(sampler: Make) -> None:
    one = sampler(dies_in="nvmlDeviceGetTemperature")
    one.start()
    report = one.stop()
    assert report.absent_reason is not None
    assert "exit code 41" in report.absent_reason


def test_a_process_that_stands_still_and_goes_on(sampler: Make) -> None:
    one = sampler(SHORT)
    one.start()
    os.kill(pid_of(one), signal.SIGSTOP)
    assert "timeout" in statuses(one.drain())
    assert set(one.edge().missing.values()) == {"timeout"}
    os.kill(pid_of(one), signal.SIGCONT)
    while not (edge := one.edge()).values:
        pass
    assert edge.missing == {}
    drained_until(one, lambda found: sum(sample.status == "ok" for sample in found) > 20)
    report = one.stop()
    assert report.gaps >= 1
    assert report.statuses["timeout"] >= len(GPU_FIELDS)
    assert "did not answer" in report.reasons["sampler"]


@pytest.mark.parametrize("call", ["nvmlDeviceGetClockInfo", "nvmlGpmSampleGet", "nvmlDeviceGetFieldValues"])
def test_a_driver_that_hangs_while_it_is_watched(sampler: Make, call: str) -> None:
    one = sampler(SHORT, hangs_in=call, hangs_after=5)
    one.start()
    samples = drained_until(one, lambda found: "timeout" in statuses(found))
    assert all((sample.value is None) == (sample.status == "timeout") for sample in samples)
    assert set(one.edge().missing.values()) == {"timeout"}
    report = one.stop()
    assert report.gaps >= 1
    assert not psutil.pid_exists(pid_of(one))


def test_a_driver_that_hangs_from_the_first(sampler: Make) -> None:
    one = sampler(Patience(start_s=3.0), hangs_in="nvmlDeviceGetName")
    one.start()
    report = one.stop()
    assert report.absent_reason is not None
    assert "no first value" in report.absent_reason
    assert set(one.edge().missing.values()) == {"timeout"}
    assert not psutil.pid_exists(pid_of(one))


def test_a_process_that_the_system_refuses(sampler: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sampler()

    def refuse(self: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    one.start()
    report = one.stop()
    assert report.absent_reason is not None
    assert "could not be started" in report.absent_reason


def test_one_that_was_never_started(sampler: Make) -> None:
    one = sampler()
    assert one.drain() == []
    assert set(one.edge().missing.values()) == {"stale"}
    assert one.stop().absent_reason == "the sampler was never started"


PARENT = """
    import functools, sys, threading
    sys.path.insert(0, {here!r})
    import fake_nvml
    from service.telemetry.nvml_sampler import NvmlSampler

    def main():
        sampler = NvmlSampler("cuda:0", fake_nvml.UUID, library=functools.partial(fake_nvml.FakeNvml, **{options!r}))
        if {thread}:
            starter = threading.Thread(target=sampler.start)
            starter.start()
            starter.join()
        else:
            sampler.start()
        assert sampler.edge().values
        while {hangs} and sampler.edge().values:
            pass
        print(sampler._process.pid, flush=True)
        sys.stdin.read()

    if __name__ == "__main__":
        main()
"""


@pytest.mark.parametrize("thread", [False, True])
@pytest.mark.parametrize("hangs", [False, True])
def test_no_orphan_when_the_parent_is_killed(tmp_path: Path, thread: bool, hangs: bool) -> None:
    """Also while the driver hangs, and where the thread that started it has ended, which alone must not end it."""
    options = {"hangs_in": "nvmlDeviceGetTemperature", "hangs_after": 2} if hangs else {}
    script = tmp_path / "parent.py"
    here = str(Path(__file__).parent)
    script.write_text(textwrap.dedent(PARENT).format(here=here, options=options, thread=thread, hangs=hangs))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    with parent:
        assert parent.stdout is not None
        watcher = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended = select.poll()
        ended.register(watcher, select.POLLIN)
        gone = ended.poll(60_000)
        if not gone:
            signal.pidfd_send_signal(watcher, signal.SIGKILL)
        os.close(watcher)
        assert gone, "the sampler's process outlives its parent"
