"""Subjects in processes of their own: what they answer, how each end of theirs is told, that none is left."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import select
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service.executors.bench as bench_module
from service.executors.bench import LocalBench, LocalBenchProcess
from service.executors.bench_child import BenchParts
from service.parity.errors import BenchTrouble, RunCancelled
from service.parity.measurements import Role
from service.parity.plan import Plan

PATIENCE_S = 30
PLAN = Plan()


@pytest.fixture
def carriers() -> Any:
    return importlib.import_module("bench_carriers")


@pytest.fixture
def parts(carriers: Any) -> BenchParts:
    return BenchParts(carriers.open_timed, carriers.trace_memory, carriers.device_figures)


@pytest.fixture
def bench(parts: BenchParts) -> LocalBench:
    return LocalBench(parts)


def ended(pid: int) -> bool:
    """Whether the process ends within the tests' patience."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_S)[0])
    finally:
        os.close(handle)


def test_a_process_is_built_warmed_up_timed_and_gone(bench: LocalBench) -> None:
    process = bench.open("candidate", "fine", PLAN, 0)
    process.built()
    assert (process.clock, process.step_flops) == ("perf_counter", 7)
    assert os.getsid(process.pid) == process.pid != os.getpid()
    assert process.warm_up(0.1) == 2.0
    times = process.time_steps(4)
    np.testing.assert_array_equal(times.step_ms, [2.0] * 4)
    assert times.ended_s - times.started_s == pytest.approx(0.1)
    assert times.thread_cpu_s == 0.05
    process.close()
    assert ended(process.pid)
    process.close()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system ties no thread to a processor")
def test_both_of_a_pair_step_on_one_processor_where_some_are_given(parts: BenchParts) -> None:
    allowed = os.sched_getaffinity(0)
    given = sorted(allowed)[:2]
    with contextlib.ExitStack() as closing:

        def where(bench: LocalBench, pair: int, plan: Plan = PLAN) -> set[int]:
            process = bench.open("candidate", "fine", plan, pair)
            closing.callback(process.close)
            process.built()
            process.warm_up(0.1)
            return os.sched_getaffinity(process.pid)

        tied = LocalBench(parts, lambda plan: given if plan.device == "auto" else ())
        assert [where(tied, pair) for pair in (0, 0, 1, 2)] == [{given[pair % len(given)]} for pair in (0, 0, 1, 2)]
        assert where(LocalBench(parts), 0) == allowed
        assert where(tied, 0, replace(PLAN, device="cpu")) == allowed


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system ties no thread to a processor")
def test_a_thread_that_a_subject_starts_in_its_first_step_keeps_every_processor(parts: BenchParts) -> None:
    allowed = os.sched_getaffinity(0)
    bench = LocalBench(parts, lambda plan: sorted(allowed)[:1])
    with contextlib.closing(bench.open("candidate", "starts a thread in its first step", PLAN, 0)) as process:
        process.built()
        process.warm_up(0.1)
        assert os.sched_getaffinity(process.pid) == {min(allowed)}
        assert process.time_steps(1).step_ms[0] == len(allowed)


@pytest.mark.parametrize(
    ("subject", "reason", "words"),
    [
        ("raises", "exception", "ZeroDivisionError: planted"),
        ("device memory", "oom_device", "no more of it"),
        ("host memory", "oom_host", "MemoryError"),
        ("exits", "exception", "SystemExit: 3"),
        ("vanishes", "died", "exit code 9"),
        ("is killed", "died", "SIGKILL"),
        ("nan", "exception", "5 steps were to be timed"),
        ("too few", "exception", "5 steps were to be timed"),
    ],
)
def test_each_trouble_has_its_reason_and_ends_the_process(
    bench: LocalBench, subject: str, reason: str, words: str
) -> None:
    process = bench.open("candidate", subject, PLAN, 0)
    process.built()
    process.warm_up(0.1)
    with pytest.raises(BenchTrouble, match=words) as caught:
        process.time_steps(5)
    assert caught.value.reason == reason
    process.close()
    assert ended(process.pid)


def test_a_subject_that_cannot_be_built(bench: LocalBench) -> None:
    with pytest.raises(BenchTrouble, match="the reference's process, building, raised ValueError: planted"):
        bench.open("reference", "cannot be built", PLAN, 0).built()


def test_a_hanging_process_is_ended_at_its_deadline(parts: BenchParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "WATCH_EVERY_S", 0.01)
    process = LocalBench(parts, stall_s=0.05).open("candidate", "hangs", PLAN, 0)
    process.built()
    process.warm_up(1.0)
    with pytest.raises(BenchTrouble, match="no sign of life") as caught:
        process.time_steps(3)
    assert caught.value.reason == "stalled"
    assert ended(process.pid)


@pytest.mark.parametrize("subject", ["hangs", "hangs at once"])
def test_a_wish_to_stop_is_heard_while_a_process_works(bench: LocalBench, subject: str) -> None:
    """Whatever it does: the process is gone and the wish is raised."""
    pids: list[int] = []

    def stop() -> None:
        pids.extend(child.pid for child in multiprocessing.active_children() if child.pid is not None)
        raise RunCancelled("stop")

    def work() -> None:
        if subject == "hangs at once":
            bench.watch(stop)
            bench.open("candidate", subject, PLAN, 0).built()
        else:
            process = bench.open("candidate", subject, PLAN, 0)
            process.built()
            process.warm_up(0.1)
            bench.watch(stop)
            process.time_steps(3)

    with pytest.raises(RunCancelled):
        work()
    assert len(pids) == 1
    assert ended(pids[0])


def two_begun(bench: LocalBench, closing: contextlib.ExitStack, *subjects: str) -> list[LocalBenchProcess]:
    """Both built and warmed up, and 4 steps begun on each."""
    roles: tuple[Role, Role] = ("reference", "candidate")
    processes = [bench.open(role, subject, PLAN, 0) for role, subject in zip(roles, subjects, strict=True)]
    for process in processes:
        closing.callback(process.close)
        process.built()
        process.warm_up(0.1)
    for process in processes:
        process.begin_steps(4)
    return processes


def test_steps_that_were_begun_run_at_the_same_time(parts: BenchParts, tmp_path: Path) -> None:
    """Neither is done before the other has begun: one after the other would stall."""
    os.mkfifo(tmp_path / "pipe")
    with contextlib.ExitStack() as closing:
        bench = LocalBench(parts, stall_s=PATIENCE_S)
        pair = two_begun(bench, closing, f"meets r {tmp_path}/pipe", f"meets w {tmp_path}/pipe")
        for process in pair:
            np.testing.assert_array_equal(process.end_steps().step_ms, [2.0] * 4)
    assert all(ended(process.pid) for process in pair)


def test_trouble_of_one_leaves_the_other_to_be_heard_or_closed(bench: LocalBench) -> None:
    with contextlib.ExitStack() as closing:
        broken, other = two_begun(bench, closing, "raises", "fine")
        with pytest.raises(BenchTrouble, match="the reference's process, timing 4 steps, raised ZeroDivisionError"):
            broken.end_steps()
        assert ended(broken.pid)
        assert other.end_steps().step_ms.shape == (4,)
    with contextlib.ExitStack() as closing:
        broken, other = two_begun(bench, closing, "raises", "hangs")
        with pytest.raises(BenchTrouble):
            broken.end_steps()
    assert ended(other.pid), "one that is at work is ended, not asked"


def test_a_wish_to_stop_is_heard_while_two_work(bench: LocalBench) -> None:
    def stop() -> None:
        raise RunCancelled("stop")

    with contextlib.ExitStack() as closing:
        pair = two_begun(bench, closing, "hangs", "hangs")
        bench.watch(stop)
        began = time.monotonic()
        with pytest.raises(RunCancelled):
            pair[0].end_steps()
        assert time.monotonic() - began < 10
    assert all(ended(process.pid) for process in pair)


def test_a_subject_that_will_not_close_is_ended(bench: LocalBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "CLOSE_LIMIT_S", 0.1)
    process = bench.open("candidate", "will not close", PLAN, 0)
    process.built()
    process.close()
    assert ended(process.pid)


def test_what_a_subject_has_started_ends_with_it(bench: LocalBench) -> None:
    process = bench.open("candidate", "has a child", PLAN, 0)
    process.built()
    process.close()
    assert ended(process.step_flops)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_parent_that_is_killed(
    carriers: Any, parts: BenchParts, tmp_path: Path, number: signal.Signals
) -> None:
    pid_file = tmp_path / "pids"
    os.mkfifo(pid_file)
    context = multiprocessing.get_context("spawn")
    parent = context.Process(target=carriers.open_two_and_say_their_pids, args=(parts, str(pid_file)))
    parent.start()
    pids = [int(word) for word in pid_file.read_text().split()]
    assert len(pids) == 2
    assert parent.pid is not None
    os.kill(parent.pid, number)
    assert all(ended(pid) for pid in pids)
    parent.join()


def test_a_trace_comes_back_whole(bench: LocalBench, carriers: Any) -> None:
    found = bench.trace_memory("candidate", "fine", PLAN)
    assert found == carriers.trace_memory("candidate", "fine", PLAN, lambda: None)
    with pytest.raises(BenchTrouble, match="ZeroDivisionError"):
        bench.trace_memory("candidate", "raises", PLAN)


def test_the_device_is_measured_in_a_process_that_is_gone(bench: LocalBench) -> None:
    figures = bench.device_figures(PLAN)
    assert (figures.matrix_peak_flops_per_s, figures.multiprocessors) == (1e12, None)
    assert multiprocessing.active_children() == []
