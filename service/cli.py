"""The command line: `lockstep run`, `serve`, `worker`, `migrate`, `doctor`.

Exit codes: 0 PASS, 1 FAIL, 2 usage or configuration error, 3 INCONCLUSIVE, 4 Lockstep itself failed; 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from service.parity.errors import (
    InvalidRequest,
    LockstepError,
    Problem,
    RunCancelled,
    SchemaMismatch,
    StoreUnavailable,
)
from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.ports import Progress, ProgressListener, RunRow, RunStore
from service.settings import Settings, read_settings
from service.terminal import findings_table, verdict_table

EXIT_CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
EXIT_USAGE, EXIT_BROKEN, EXIT_INTERRUPTED = 2, 4, 130

DEFAULT = Plan()
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs a reference and a candidate side by side and says, with evidence, whether the candidate may take over.",
    epilog="Exit codes: 0 PASS, 1 FAIL, 2 usage or configuration error, 3 INCONCLUSIVE, 4 Lockstep itself failed.",
)
errors = Console(stderr=True, highlight=False)

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Where runs are recorded, e.g. sqlite:///lockstep.db.", metavar="URL")
]


@app.command()
def run(
    reference: Annotated[str, typer.Option(help="Subject whose behaviour is the yardstick.")] = DEFAULT.reference,
    candidate: Annotated[str, typer.Option(help="Subject that may take over.")] = DEFAULT.candidate,
    dataset: Annotated[str, typer.Option(help="colors-a-f (264 colours) or colors (all).")] = DEFAULT.dataset,
    steps: Annotated[int, typer.Option(help="Free-running training steps.")] = DEFAULT.training.steps,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch, at most 4096.")] = DEFAULT.training.batch_size,
    vector_length: Annotated[int, typer.Option(help="Numbers in a vector.")] = DEFAULT.model.vector_length,
    hidden_layers: Annotated[
        int, typer.Option(help="Reductions down to the bottleneck.")
    ] = DEFAULT.model.hidden_layers,
    bottleneck: Annotated[int, typer.Option(help="Width of the narrowest layer.")] = DEFAULT.model.bottleneck,
    learning_rate: Annotated[float, typer.Option(help="Step size of SGD.")] = DEFAULT.training.learning_rate,
    clip: Annotated[float, typer.Option(help="Each gradient element is clipped to this.")] = DEFAULT.training.clip,
    alpha: Annotated[float, typer.Option(help="LeakyReLU's slope below zero.")] = DEFAULT.model.alpha,
    seed: Annotated[int, typer.Option(help="Decides weights, batches and perturbations.")] = DEFAULT.seed,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = DEFAULT.device,
    phases: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(DEFAULT.phases),
    sync_steps: Annotated[int, typer.Option(help="Steps of the synchronized phase.")] = DEFAULT.synchronized.steps,
    sync_every: Annotated[int, typer.Option(help="Compare one step in this many.")] = DEFAULT.synchronized.every,
    band_runs: Annotated[int, typer.Option(help="Perturbed reference trainings.")] = DEFAULT.free_running.band_runs,
    band_steps: Annotated[int, typer.Option(help="Steps held to the band.")] = DEFAULT.free_running.band_steps,
    weights_every: Annotated[int, typer.Option(help="Weigh the band every so many steps.")] = (
        DEFAULT.free_running.weights_every
    ),
    policy: Annotated[str, typer.Option(help="What is demanded: default, strict or numerics.")] = "default",
    database: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the report, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the verdict.")] = False,
) -> None:
    """Compare CANDIDATE with REFERENCE on the same batches and judge.

    Prints the checks, the run's id and where its report is. The run stays in the database; `lockstep serve` shows it.
    """
    from service import bootstrap

    with _told_errors():
        plan = Plan(
            reference=reference,
            candidate=candidate,
            dataset=dataset,
            model=ModelSpec(vector_length, hidden_layers, bottleneck, alpha),
            training=TrainingSpec(steps, batch_size, learning_rate, clip),
            synchronized=SynchronizedSpec(sync_steps, sync_every),
            free_running=FreeRunningSpec(band_runs, band_steps, weights_every),
            phases=tuple(part.strip() for part in phases.split(",") if part.strip()),
            seed=seed,
            device=device,
        )
        bootstrap.check_plan(plan)
        chosen = named_policy(policy)
        settings = read_settings(database_url=database)
        clock = bootstrap.SystemClock()
        with closing(bootstrap.open_store(settings)) as store:
            row = bootstrap.submit(store, clock, plan, chosen)
            store.claim(row.id, "lockstep run", clock.now())
            executor = bootstrap.make_executor(settings, store, clock)
            _execute(lambda listen: executor.execute(row.id, listen), row.id, silent=as_json or quiet)
            raise typer.Exit(_show(store, settings, row.id, as_json=as_json, quiet=quiet))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; loopback only in this version.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    worker: Annotated[bool, typer.Option(help="Also start one worker.")] = True,
    database: DatabaseOption = None,
) -> None:
    """Serve the API and the pages, and start one worker that carries queued runs out."""
    import uvicorn

    from service import bootstrap

    with _told_errors():
        if host not in ("127.0.0.1", "::1", "localhost"):
            message = f"{host!r} is not a loopback address; this version has no keys, so it serves this machine only"
            raise InvalidRequest(Problem("--host", message))
        settings = read_settings(database_url=database)
        with closing(bootstrap.open_store(settings)) as store:
            errors.print(f"Lockstep serves http://{host}:{port}/ from {settings.database_url}; Ctrl-C stops it.")
            app = bootstrap.make_app(settings, store)
            beside = _worker_process(settings) if worker else nullcontext()
            # uvicorn raises the signal that stopped it once more; what it does then must let the worker be ended.
            with _handling(signal.default_int_handler, signal.SIGTERM), suppress(KeyboardInterrupt), beside:
                uvicorn.run(app, host=host, port=port, log_level="warning", limit_concurrency=200)


@app.command(name="worker")
def work(database: DatabaseOption = None) -> None:
    """Carry out queued runs, one after another, until SIGTERM or Ctrl-C."""
    from service import bootstrap

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    with _told_errors():
        settings = read_settings(database_url=database)
        on_signal = _handling(lambda *_: stop.set(), signal.SIGTERM, signal.SIGINT)
        with on_signal, closing(bootstrap.open_store(settings)) as store:
            bootstrap.make_worker(settings, store).run_forever(stop)


@app.command()
def migrate(database: DatabaseOption = None) -> None:
    """Bring the database to this version's revision; creates an SQLite file where there is none."""
    from service import bootstrap

    with _told_errors():
        settings = read_settings(database_url=database)
        revision = bootstrap.migrate_database(settings)
        typer.echo(f"{settings.database_url} is at revision {revision}")


@app.command()
def doctor(database: DatabaseOption = None) -> None:
    """Say what is here (Python, CuPy, driver, GPU, database) and what to do about what is missing."""
    from service.diagnosis import diagnose

    with _told_errors():
        findings = diagnose(read_settings(database_url=database))
        Console(highlight=False).print(findings_table(findings))
        raise typer.Exit(0 if all(finding.usable for finding in findings) else EXIT_USAGE)


def _execute(execute: Callable[[ProgressListener], object], run_id: str, silent: bool) -> None:
    """Run with live progress on a terminal; Ctrl-C has marked the run cancelled when it arrives here."""
    bar = ProgressBar(
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.completed:>6.0f}/{task.total:<6.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
        console=errors,
        disable=silent or not errors.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def listen(progress: Progress) -> None:
        key = f"{progress.phase}{progress.message}"
        if key not in tasks:
            for task in tasks.values():
                bar.stop_task(task)
            tasks[key] = bar.add_task(progress.phase, total=progress.total, words=progress.message)
        bar.update(tasks[key], completed=progress.done, total=progress.total, words=progress.message)

    try:
        with bar:
            execute(listen)
    except KeyboardInterrupt:
        errors.print(f"Interrupted: run {run_id} is marked cancelled; what it recorded is kept.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _show(store: RunStore, settings: Settings, run_id: str, as_json: bool, quiet: bool) -> int:
    """Write the report's files, print what was asked for, and return the exit code."""
    from service.reports.html import render_html
    from service.reports.report import build_report

    row, record, verdict = store.run(run_id), store.record(run_id), store.verdict(run_id)
    report = build_report(row, record, verdict)
    text = json.dumps(report, allow_nan=False, indent=2)
    path = settings.report_folder / f"{run_id}.html"
    _write(path, render_html(report))
    _write(path.with_suffix(".json"), text)
    if as_json:
        typer.echo(text)
    elif verdict is not None:
        if not quiet:
            Console(highlight=False).print(verdict_table(verdict))
        typer.echo(f"{verdict.outcome}  {verdict.summary}")
        if not quiet:
            typer.echo(f"run     {run_id}\nreport  {path}")
    return _exit_code(row)


def _exit_code(row: RunRow) -> int:
    if row.outcome is not None:
        return EXIT_CODES[row.outcome]
    errors.print(f"run {row.id} is {row.state}: {row.error_message or 'no reason was recorded'}")
    return EXIT_INTERRUPTED if row.state == "cancelled" else EXIT_BROKEN


def _write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}; set LOCKSTEP_REPORT_FOLDER to a folder that can be written"
        raise InvalidRequest(Problem("report_folder", message)) from error


@contextmanager
def _worker_process(settings: Settings) -> Iterator[None]:
    """A worker beside the API, in its own process; ended with it."""
    command = [sys.executable, "-m", "service.cli", "worker", "--database", settings.database_url]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _handling(handler: Callable[[int, Any], Any], *signals: signal.Signals) -> Iterator[None]:
    """The handler for these signals, and the old ones again afterwards."""
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _told_errors() -> Iterator[None]:
    """Errors of Lockstep's own become one message and an exit code; never a traceback for a wrong value."""
    try:
        yield
    except InvalidRequest as error:
        _fail("\n".join(f"error: {problem}" for problem in error.problems), EXIT_USAGE)
    except (StoreUnavailable, SchemaMismatch) as error:
        _fail(f"error: {error}", EXIT_USAGE)
    except RunCancelled as error:
        _fail(str(error), EXIT_INTERRUPTED)
    except LockstepError as error:
        _fail(f"Lockstep failed: {error}", EXIT_BROKEN)


def _fail(message: str, code: int) -> NoReturn:
    errors.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the `lockstep` command."""
    return app(arguments)


if __name__ == "__main__":
    main()
