"""The only file that chooses concrete classes: which store, differ, executor and subjects, from the settings."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from basemodel.training import EpochDone, TrainingResult, TrainingSettings
from basemodel.training_folder import TrainingFolder
from service.campaigns.spread import stop_if_unwanted, usable_cores
from service.campaigns.sweep import Recorded
from service.differs.numpy_differ import NumpyDiffer
from service.engine.batches import prepared_batches
from service.engine.observer import SubjectTrouble, attempt
from service.executors.bench import LocalBench
from service.executors.bench_child import BenchParts
from service.executors.local import STARTING, LocalExecutor
from service.parity.errors import InvalidPlan, LockstepError, StoreError
from service.parity.identity import ENTROPY_BYTES, new_run_id
from service.parity.ladder import CURRENT, resolved
from service.parity.plan import CPU_PHASES, PHASES, PerformanceSpec, Plan
from service.parity.policy import Policy
from service.parity.record import Side, SubjectInfo
from service.pipeline import Toolkit, carry_out
from service.ports import Bench, Clock, Differ, Oracle, ProgressListener, RunRow, RunStore, Sampler, Subject
from service.settings import Settings
from service.store.connection import make_engine
from service.store.migrate import current_revision, head_revision, migrate
from service.store.sql import SqlRunStore
from service.subjects.allocation_trace import trace_memory
from service.subjects.datasets import check_dataset, dataset_entries, load_dataset
from service.subjects.device_figures import measure_device
from service.subjects.devices import (
    array_module,
    check_second_device,
    find_devices,
    pci_address,
    release_memory,
    resolve_device,
)
from service.subjects.legacy import changed_frozen_files
from service.subjects.oracle import Float64Oracle
from service.subjects.registry import check_subjects, find_subject, misfits, registered_subjects, rung_digests
from service.subjects.step_timer import open_timer
from service.subjects.trainable import Trainable, image_model, text_model
from service.telemetry.choose import make_sampler
from service.telemetry.environment import describe_environment, package_version
from service.telemetry.nvml_memory import memory_in_use
from service.training_config import TextModel, TrainingConfig
from service.worker import Worker

if TYPE_CHECKING:  # only `lockstep serve` needs them: a quarter of what the process of a run would load at its start
    from fastapi import FastAPI

    from service.api.catalog import Catalog

PAIRS_A_GPU = PerformanceSpec().process_pairs


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def open_store(settings: Settings) -> RunStore:
    """The run store at the settings' address, migrated first where the settings allow it, and known to be usable."""
    if settings.migrates_itself():
        migrate(settings.database_url)
    store = SqlRunStore(make_engine(settings.database_url))
    store.check_ready()
    return store


def read_store(settings: Settings) -> RunStore:
    """The run store as it is, for what only reads: no database is created or migrated."""
    store = SqlRunStore(make_engine(settings.database_url))
    store.check_ready()
    return store


def migrate_database(settings: Settings) -> str:
    """Bring the database to this version's revision and return it."""
    return migrate(settings.database_url)


def database_revisions(settings: Settings) -> tuple[str | None, str]:
    """The database's revision and this version's; raises `StoreUnavailable` where there is no database."""
    return current_revision(settings.database_url), head_revision()


def check_plan(plan: Plan) -> Plan:
    """Raise `InvalidRequest` for values out of range, unknown names and a device that is not here."""
    plan.validate()
    check_subjects(plan)
    check_dataset(plan.dataset)
    if problems := misfits(plan):
        raise InvalidPlan(*problems)
    resolve_device(plan.device)
    check_second_device(plan)
    return plan


def resolve_current(settings: Settings, plan: Plan) -> Plan:
    """The plan with `basemodel@current` replaced by the rung in use: what is recorded names the real one."""
    if CURRENT not in (plan.reference, plan.candidate):
        return plan
    with closing(open_store(settings)) as store:
        return resolved(plan, store.promotions)


def submit(store: RunStore, clock: Clock, plan: Plan, policy: Policy) -> RunRow:
    """A new queued run."""
    now = clock.now()
    return store.create_run(new_run_id(now, secrets.token_bytes(ENTROPY_BYTES)), plan, policy, now)


def make_executor(settings: Settings, store: RunStore, clock: Clock) -> LocalExecutor:
    """Runs in spawned processes on this machine."""
    return LocalExecutor(store, clock, partial(carry_out_in_child, settings))


def record_run(settings: Settings, worker: str, policy: Policy, plan: Plan) -> Recorded:
    """Carry one run of a campaign out as `lockstep run` does, recorded from its start; in a process of the campaign.

    A run that is not wanted any more is marked cancelled.
    """
    clock, run_id = SystemClock(), None
    try:
        stop_if_unwanted(STARTING)
        with closing(read_store(settings)) as store:
            run_id = submit(store, clock, plan, policy).id
            try:
                store.claim(run_id, worker, clock.now())
                make_executor(settings, store, clock).execute(run_id, stop_if_unwanted)
            except KeyboardInterrupt:
                with suppress(StoreError):  # the executor has done it, unless the signal came before or after it
                    store.mark_cancelled(run_id, clock.now())
                raise
    except LockstepError as error:
        return Recorded(run_id, str(error))
    return Recorded(run_id)


def describe_side(plan: Plan, side: Side) -> SubjectInfo | None:
    """What the subject of that side says of itself now; `None` where it cannot be built or asked."""
    name = plan.reference if side == "reference" else plan.candidate
    try:
        subject = attempt(side, "building", None, "build", lambda: _subject(name, plan))
        try:
            return attempt(side, "building", None, "info", subject.info)
        finally:
            attempt(side, "closing", None, "close", subject.close)
    except SubjectTrouble:  # its run will show it
        return None


def make_worker(settings: Settings, store: RunStore) -> Worker:
    """A worker named after this host and process."""
    clock = SystemClock()
    return Worker(store, make_executor(settings, store, clock), clock, f"{socket.gethostname()}:{os.getpid()}")


def make_app(settings: Settings, store: RunStore) -> FastAPI:
    """The API and the pages."""
    from service.api.app import create_app
    from service.dashboard import pages

    version = package_version("lockstep") or "0"
    app = create_app(store, make_catalog(), SystemClock(), version=version, hosts=settings.allowed_hosts)
    pages.install(app, store)
    return app


def make_catalog() -> Catalog:
    """What a request may name."""
    from service.api.catalog import Catalog, DatasetEntry, DeviceEntry, SubjectEntry

    devices = find_devices()
    described = zip(devices.names, devices.descriptions, strict=True)
    return Catalog(
        subjects=tuple(SubjectEntry(s.name, s.description, s.kind) for s in registered_subjects().values()),
        datasets=tuple(DatasetEntry(d.name, d.rows, d.description) for d in dataset_entries()),
        devices=(
            DeviceEntry("auto", f"the first of: {', '.join(devices.names)}"),
            *(DeviceEntry(name, description) for name, description in described),
        ),
        misfits=misfits,
        rung_digests=rung_digests,
    )


def carry_out_in_child(settings: Settings, run_id: str, listener: ProgressListener) -> None:
    """Entry of the spawned process: its own store, its own devices."""
    store = SqlRunStore(make_engine(settings.database_url))
    try:
        with threadpool_limits(limits=settings.cpu_threads):
            carry_out(run_id, store, toolkit(), SystemClock(), listener)
    finally:
        store.close()


def default_phases(device: str) -> tuple[str, ...]:
    """What a run on that device does unless it is told otherwise. Whether the device is here is `check_plan`'s."""
    return CPU_PHASES if (resolve_device(device) if device == "auto" else device) == "cpu" else PHASES


def default_jobs(plan: Plan) -> int:
    """Runs of a campaign at a time: one a core, or one on a GPU, whose memory a second might not fit into."""
    return usable_cores() if resolve_device(plan.device) == "cpu" else 1


def open_training(config: TrainingConfig) -> Trainable:
    """The configuration's model and samples; raises `InvalidRequest` for a name or a device that is not here."""
    model, training = config.model, config.training
    common: dict[str, Any] = {"seed": training.seed, "device": training.device, "batch_size": training.batch_size}
    colors = config.data.colors
    if isinstance(model, TextModel):
        return text_model(colors, model.vector_length, model.hidden_layers, model.bottleneck, model.alpha, **common)
    return image_model(colors, model.patch_side, model.hidden_widths, model.alpha, **common)


def run_training(
    settings: Settings,
    config: TrainingConfig,
    trainable: Trainable,
    resume: bool,
    on_epoch: Callable[[EpochDone], None],
    should_stop: Callable[[], bool],
) -> TrainingResult:
    """Train as configured; raises `InvalidConfiguration` where the folder does not allow it."""
    training, stopping, kept = config.training, config.early_stopping, config.checkpoints
    how = TrainingSettings(
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        grad_clip_norm=training.clip,
        seed=training.seed,
        patience=stopping.patience if stopping else 0,
        min_improvement=stopping.min_improvement if stopping else 0.0,
        checkpoint_every=kept.every or 0,
    )
    with threadpool_limits(limits=settings.cpu_threads):
        return trainable.train(how, TrainingFolder(Path(kept.folder), kept.format), resume, on_epoch, should_stop)


def toolkit() -> Toolkit:
    """The parts that a dual run is made of."""
    return Toolkit(
        dataset=load_dataset,
        subject=_subject,
        oracle=_oracle,
        differ=_differ,
        environment=_environment,
        changed_frozen_files=changed_frozen_files,
        bench=_bench,
        sampler=_sampler,
    )


def _subject(name: str, plan: Plan) -> Subject:
    return find_subject(name).factory(plan)


def _oracle(plan: Plan) -> Oracle | None:
    if plan.synchronized.witness == "replays":
        return None
    return Float64Oracle(plan, array_module(resolve_device(plan.device)))


def _differ(plan: Plan) -> Differ:
    device = resolve_device(plan.device)
    if device == "cpu":
        return NumpyDiffer()
    from service.differs.cupy_differ import CupyDiffer

    return CupyDiffer(device)


def _bench(plan: Plan) -> Bench:
    """Fresh processes beside this one, which lets go of the memory that it no longer needs."""
    device = resolve_device(plan.device)
    release_memory(device)
    return LocalBench(
        BenchParts(
            open_timed=partial(open_timer, prepared_batches),
            trace_memory=partial(trace_memory, prepared_batches, memory_in_use),
            device_figures=measure_device,
        ),
        partial(_processors, processors_of_cards(device, plan.performance.second_device)),
    )


def _processors(cards: Mapping[str, Sequence[int]], plan: Plan) -> Sequence[int]:
    return cards[resolve_device(plan.device)]


def processors_of_cards(device: str, second: str | None) -> dict[str, tuple[int, ...]]:
    """From which processors each card of a run is launched on, never both from one where there are two."""
    cards = {device: launching_processors(device)}
    if second is not None:
        other = launching_processors(second)
        # Both are the same processors, begun elsewhere: where they meet once they would meet in every pair.
        meet = other[:1] == cards[device][:1]
        cards[second] = (*other[1:], *other[:1]) if meet else other
    return cards


def launching_processors(device: str) -> tuple[int, ...]:
    """The processors from which work is launched on a GPU, in the order in which pairs of processes take them.

    Two processors of a machine are seldom equally fast, least of all virtual ones, so both of a pair share one. Those
    of a low number serve interrupts: they come last. Each GPU begins elsewhere, so that runs on several do not meet.
    Empty for a CPU, where subjects compute in threads of their own, and where a system ties no thread to a processor.
    """
    if device == "cpu" or not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    begin = PAIRS_A_GPU * int(device.partition(":")[2]) % len(allowed)
    return (*allowed[begin:], *allowed[:begin])


def _sampler(plan: Plan) -> Sampler:
    device = resolve_device(plan.device)
    return make_sampler(device, None if device == "cpu" else pci_address(device))


def _environment(plan: Plan) -> Mapping[str, Any]:
    return describe_environment(resolve_device(plan.device))
