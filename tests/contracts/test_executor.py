"""What every executor owes its caller: when `execute` returns, or raises, the run's row says how it ended."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service.executors.local import LocalExecutor
from service.parity.errors import RunCancelled, RunFailed
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.ports import Executor, Progress, RunRow
from service.store.connection import make_engine
from service.store.migrate import migrate
from service.store.sql import SqlRunStore

Make = Callable[..., Executor]


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def ignore(progress: Progress) -> None:
    pass


@pytest.fixture
def carriers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "executors"))
    return importlib.import_module("carriers")


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    migrate(address)
    return address


@pytest.fixture
def store(url: str) -> Iterator[SqlRunStore]:
    opened = SqlRunStore(make_engine(url))
    yield opened
    opened.close()


@pytest.fixture
def run(store: SqlRunStore) -> RunRow:
    now = datetime.now(UTC)
    store.create_run("0" * 26, Plan(), named_policy("default"), now)
    return store.claim("0" * 26, "test", now)


@pytest.fixture(params=["local"])
def make(request: pytest.FixtureRequest, store: SqlRunStore) -> Make:
    factories: dict[str, Make] = {"local": partial(LocalExecutor, store, WallClock(), stop_grace_s=2.0)}
    return factories[request.param]


def test_run_that_ends_well(make: Make, carriers: Any, url: str, run: RunRow, store: SqlRunStore) -> None:
    execution = make(partial(carriers.finish_in_database, url)).execute(run.id, ignore)
    assert (execution.run_id, execution.exit_code, execution.error) == (run.id, 0, None)
    row = store.run(run.id)
    assert (row.state, row.outcome, row.summary) == ("finished", "PASS", "all is well")


def test_crash_after_the_end_changes_nothing(
    make: Make, carriers: Any, url: str, run: RunRow, store: SqlRunStore
) -> None:
    execution = make(partial(carriers.die_after_finishing, url)).execute(run.id, ignore)
    assert execution.error is None
    assert store.run(run.id).outcome == "PASS"


@pytest.mark.parametrize(
    ("carrier", "code", "words"),
    [
        ("fail_with_a_code", "gpu_lost", "the GPU is gone at step 3"),
        ("fail_with_a_request_error", "device_unavailable", "cuda:7 is not here"),
        ("fail_unforeseen", "internal", "ZeroDivisionError"),
        ("leave_by_sys_exit", "internal", "SystemExit"),
        ("exit_without_a_word", "child_died", "exit code 9"),
        ("report_and_leave", "internal", "without a verdict"),
    ],
)
def test_failure_is_told_with_a_code(
    make: Make,
    carriers: Any,
    tmp_path: Path,
    run: RunRow,
    store: SqlRunStore,
    carrier: str,
    code: str,
    words: str,
) -> None:
    execution = make(partial(getattr(carriers, carrier), tmp_path)).execute(run.id, ignore)
    row = store.run(run.id)
    assert (row.state, row.error_code, row.outcome) == ("failed", code, None)
    assert row.error_message is not None
    assert words in row.error_message
    assert "secret detail" not in row.error_message
    assert isinstance(execution.error, RunFailed)
    assert execution.error.code == code


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (6, "SIGABRT"), (15, "SIGTERM")])
def test_death_by_a_signal(
    make: Make, carriers: Any, tmp_path: Path, run: RunRow, store: SqlRunStore, number: int, name: str
) -> None:
    execution = make(partial(carriers.die_by, number, tmp_path)).execute(run.id, ignore)
    row = store.run(run.id)
    assert (row.state, row.error_code) == ("failed", "child_died")
    assert name in (row.error_message or "")
    assert execution.exit_code == -number


def test_progress_comes_in_order_with_the_last_of_each_phase(
    make: Make, carriers: Any, tmp_path: Path, run: RunRow
) -> None:
    heard: list[tuple[str, int]] = []
    make(partial(carriers.report_and_leave, tmp_path)).execute(run.id, lambda p: heard.append((p.phase, p.done)))
    ours = [progress for progress in heard if progress[0] != "starting"]
    assert ours == sorted(ours, key=lambda progress: (progress[0] != "synchronized", progress[1]))
    assert {("synchronized", 50), ("free_running", 50)} <= set(ours)


def test_listener_that_cancels(make: Make, carriers: Any, tmp_path: Path, run: RunRow, store: SqlRunStore) -> None:
    def cancel(progress: Progress) -> None:
        if progress.phase == "synchronized":
            raise RunCancelled("asked to")

    execution = make(partial(carriers.go_on_until_stopped, tmp_path)).execute(run.id, cancel)
    assert store.run(run.id).state == "cancelled"
    assert isinstance(execution.error, RunCancelled)
    assert (tmp_path / "asked").exists(), "the run was not given the chance to stop by itself"


@pytest.mark.parametrize(
    ("raised", "state"), [(KeyboardInterrupt, "cancelled"), (ValueError, "failed"), (SystemExit, "failed")]
)
def test_what_else_a_listener_raises_comes_back(
    make: Make,
    carriers: Any,
    tmp_path: Path,
    run: RunRow,
    store: SqlRunStore,
    raised: type[BaseException],
    state: str,
) -> None:
    def fail(progress: Progress) -> None:
        if progress.phase == "synchronized":
            raise raised

    with pytest.raises(raised):
        make(partial(carriers.go_on_until_stopped, tmp_path)).execute(run.id, fail)
    assert store.run(run.id).state == state


def test_what_cannot_be_handed_over_fails_the_run(make: Make, run: RunRow, store: SqlRunStore) -> None:
    with pytest.raises(Exception, match=r"pickle|local object"):
        make(lambda run_id, on_progress: None).execute(run.id, ignore)
    assert (store.run(run.id).state, store.run(run.id).error_code) == ("failed", "internal")
