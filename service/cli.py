"""The command line: `lockstep run`, `report`, `gate`, `selftest`, `sweep`, `ladder`, `train`, `serve`, `worker`,
`migrate`, `doctor`.

Exit codes: 0 PASS, 1 FAIL, 2 usage or configuration error, 3 INCONCLUSIVE, 4 Lockstep itself failed; 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from service.commands.exits import EXIT_BROKEN, EXIT_CODES, EXIT_INTERRUPTED, EXIT_USAGE, TABLE_WIDTH
from service.commands.ladder import Frame, ladder_commands
from service.commands.sweep import EPILOG as SWEEP_EPILOG
from service.commands.sweep import sweep
from service.commands.train import EPILOG, train
from service.parity.errors import (
    InvalidRequest,
    LadderRefused,
    LockstepError,
    Problem,
    RunCancelled,
    RunNotFound,
    SchemaMismatch,
    StoreUnavailable,
)
from service.parity.plan import (
    PHASES,
    CheckpointSpec,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    PerformanceSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
)
from service.policy_files import read_policy
from service.ports import Progress, ProgressListener, RunRow, RunStore
from service.settings import Settings, read_settings
from service.terminal import findings_table, selftest_table, verdict_table

if TYPE_CHECKING:  # it brings the subjects along, and with them CuPy: not for `lockstep --help`
    from service.campaigns.selftest import CaseResult
    from service.gate.config import GateCase
    from service.gate.loop import CaseRunner
    from service.gate.outputs import Outputs
    from service.reports.forms import Form
    from service.stored_report import StoredReport


EXIT_WORDS = (
    "Exit codes: 0 PASS, 1 FAIL, 2 usage or configuration error, 3 INCONCLUSIVE, 4 Lockstep itself failed, "
    "130 stopped by Ctrl-C."
)

DEFAULT = Plan()
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs a reference and a candidate side by side and says, with evidence, whether the candidate may take over.",
    epilog=EXIT_WORDS,
)
errors = Console(stderr=True, highlight=False)

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Where runs are recorded, e.g. sqlite:///lockstep.db.", metavar="URL")
]


@app.command(epilog=f"For example: lockstep run --candidate bad-early-update --policy numerics. {EXIT_WORDS}")
def run(
    reference: Annotated[str, typer.Option(help="Subject whose behaviour is the yardstick.")] = DEFAULT.reference,
    candidate: Annotated[str, typer.Option(help="Subject that may take over.")] = DEFAULT.candidate,
    dataset: Annotated[
        str, typer.Option(help="colors-a-f (264 colours), colors (all) or color-patches.")
    ] = DEFAULT.dataset,
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
    phases: Annotated[
        str | None, typer.Option(help="Comma-separated; unless set, every one on a GPU, on a CPU those of numbers.")
    ] = None,
    sync_steps: Annotated[int, typer.Option(help="Steps of the synchronized phase.")] = DEFAULT.synchronized.steps,
    sync_every: Annotated[int, typer.Option(help="Compare one step in this many.")] = DEFAULT.synchronized.every,
    witness: Annotated[
        str, typer.Option(help="Errors are measured from: oracle, replays of the reference, or auto.")
    ] = DEFAULT.synchronized.witness,
    band_runs: Annotated[int, typer.Option(help="Perturbed reference trainings.")] = DEFAULT.free_running.band_runs,
    band_steps: Annotated[int, typer.Option(help="Steps held to the band.")] = DEFAULT.free_running.band_steps,
    weights_every: Annotated[int, typer.Option(help="Weigh the band every so many steps.")] = (
        DEFAULT.free_running.weights_every
    ),
    taps_every: Annotated[
        int, typer.Option(help="Compare taps of the free-running sides every so many steps; 0: never.")
    ] = DEFAULT.free_running.taps_every,
    checkpoint_before: Annotated[
        int, typer.Option(help="Steps before a checkpoint.")
    ] = DEFAULT.checkpoint.steps_before,
    checkpoint_after: Annotated[
        int, typer.Option(help="Steps trained on from a checkpoint.")
    ] = DEFAULT.checkpoint.steps_after,
    blocks: Annotated[int, typer.Option(help="Blocks of four timed slices.")] = DEFAULT.performance.blocks,
    slice_seconds: Annotated[
        float, typer.Option(help="Busy seconds of a timed slice.")
    ] = DEFAULT.performance.slice_seconds,
    process_pairs: Annotated[
        int, typer.Option(help="Pairs of fresh processes to spread the blocks over.")
    ] = DEFAULT.performance.process_pairs,
    second_device: Annotated[
        str | None,
        typer.Option(
            help="A second GPU, e.g. cuda:1: time both sides at once too, each on a card of its own, cards swapped.",
            metavar="CUDA:N",
        ),
    ] = DEFAULT.performance.second_device,
    memory_steps: Annotated[int, typer.Option(help="Steps whose allocations are traced.")] = DEFAULT.memory.steps,
    policy: Annotated[
        str, typer.Option(help="What is demanded: default, strict, numerics, or a file: my.toml.")
    ] = "default",
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
            synchronized=SynchronizedSpec(sync_steps, sync_every, witness),
            free_running=FreeRunningSpec(band_runs, band_steps, weights_every, taps_every),
            checkpoint=CheckpointSpec(checkpoint_before, checkpoint_after),
            performance=PerformanceSpec(blocks, slice_seconds, process_pairs, second_device),
            memory=MemorySpec(memory_steps),
            phases=bootstrap.default_phases(device) if phases is None else _listed(phases),
            seed=seed,
            device=device,
        )
        settings = read_settings(database_url=database)
        plan = bootstrap.check_plan(bootstrap.resolve_current(settings, plan))
        chosen = read_policy(policy)
        clock = bootstrap.SystemClock()
        with closing(bootstrap.open_store(settings)) as store:
            row = bootstrap.submit(store, clock, plan, chosen)
            store.claim(row.id, "lockstep run", clock.now())
            executor = bootstrap.make_executor(settings, store, clock)
            _execute(lambda listen: executor.execute(row.id, listen), row.id, silent=as_json or quiet)
            raise typer.Exit(_show(store, settings, row.id, as_json=as_json, quiet=quiet))


def _listed(names: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in names.split(",") if part.strip())


@app.command(epilog=f"For example: lockstep report last --rejudge strict. {EXIT_WORDS}")
def report(
    run: Annotated[
        str, typer.Argument(help="A run's id, its beginning, or `last`: the newest that finished.", metavar="RUN")
    ],
    rejudge: Annotated[
        str | None, typer.Option(help="Judge the record anew by this policy: a name or a file.", metavar="POLICY")
    ] = None,
    form: Annotated[
        Literal["table", "json", "html", "markdown", "junit"], typer.Option("--format", help="What to print.")
    ] = "table",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.", metavar="FILE")] = None,
    database: DatabaseOption = None,
) -> None:
    """Show a stored run, or judge it again by another policy. Needs no GPU, and nothing that is stored changes.

    The exit code is that of the verdict shown; a run that did not end may fail by its record, but never passes.
    """
    from service import bootstrap
    from service.stored_report import read_report

    with _told_errors():
        policy = None if rejudge is None else read_policy(rejudge)
        settings = read_settings(database_url=database)
        with closing(bootstrap.read_store(settings)) as store:
            found = read_report(store, run, policy)
        raise typer.Exit(_show_stored(found, form, output))


@app.command(epilog=f"For example: lockstep gate --junit junit.xml --markdown summary.md. {EXIT_WORDS}")
def gate(
    config: Annotated[Path, typer.Option(help="The plans and policies to gate by.", metavar="FILE")] = Path(
        "parity.toml"
    ),
    server: Annotated[
        str | None, typer.Option(help="Let this Lockstep server carry the plans out.", metavar="URL")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.", metavar="FILE")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a summary as Markdown.", metavar="FILE")] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write every case with its report, as JSON.", metavar="FILE")
    ] = None,
    badge: Annotated[Path | None, typer.Option(help="Write a badge as SVG.", metavar="FILE")] = None,
    shield: Annotated[
        Path | None, typer.Option(help="Write a badge as the JSON that shields.io reads.", metavar="FILE")
    ] = None,
    database: DatabaseOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the outcome.")] = False,
) -> None:
    """Carry out every plan of a reviewed file and answer with one exit code, for CI.

    1 if any case fails, else 4 if Lockstep failed at one, else 3 if one is not decided, else 0; 2 where the file or a
    setting is wrong. In GitHub Actions the summary goes to the step too. docs/gate.md describes the file.
    """
    from service.gate.outputs import Outputs

    github = {name: Path(os.environ[name]) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT") if os.environ.get(name)}
    step_summary, step_output = github.get("GITHUB_STEP_SUMMARY"), github.get("GITHUB_OUTPUT")
    outputs = Outputs(junit, markdown, as_json, badge, shield, step_summary, step_output)
    with _told_errors(), _handling(signal.default_int_handler, signal.SIGTERM):
        try:
            code = _gate(outputs, config, server, read_settings(database_url=database), quiet)
        except LockstepError:
            outputs.tell_outcome("ERROR")
            raise
        except KeyboardInterrupt:  # before the first case or after the last
            _fail("Interrupted.", EXIT_INTERRUPTED)
        raise typer.Exit(code)


@app.command(epilog=f"For example: lockstep selftest --only bad-tf32 --only harmless-split-k. {EXIT_WORDS}")
def selftest(
    seed: Annotated[int, typer.Option(help="Decides weights, batches and perturbations.")] = DEFAULT.seed,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this candidate; may be given again.", metavar="NAME")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; one a core, or one on a GPU, unless set.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = DEFAULT.device,
    performance: Annotated[
        bool, typer.Option("--performance", help="Faults of time too: minutes each, on a machine that is idle else.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")] = False,
) -> None:
    """Run the gate on candidates with planted faults: each must be caught by its check, nothing harmless may fail.

    0 when that is so, 1 when not, 3 when something could not be decided, 4 when Lockstep or a candidate is broken.
    Nothing is kept in a database. docs/selftest.md lists the candidates.
    """
    from service import bootstrap
    from service.campaigns import selftest as campaign

    with _told_errors():
        phases = PHASES if performance else campaign.PLAN.phases
        plan = bootstrap.check_plan(replace(campaign.PLAN, seed=seed, device=device, phases=phases))
        cases = campaign.select_cases(only or ())
        jobs = bootstrap.default_jobs(plan) if jobs is None else jobs
        coming = campaign.selftest(plan, cases, bootstrap.toolkit, bootstrap.SystemClock(), jobs)
        with _handling(signal.default_int_handler, signal.SIGTERM):
            results, interrupted = _collect(coming, len(cases), silent=as_json)
        names = [case.name for case in cases]
        results.sort(key=lambda result: names.index(result.case.name))
        done = campaign.SelfTest(plan, len(cases), tuple(results))
        if as_json:
            typer.echo(json.dumps(done.as_document(), allow_nan=False, indent=2))
        else:
            width = None if sys.stdout.isatty() else TABLE_WIDTH
            Console(highlight=False, width=width).print(selftest_table(done.results))
            typer.echo(f"{done.outcome}  {done.summary}")
        raise typer.Exit(EXIT_INTERRUPTED if interrupted else EXIT_CODES[done.outcome])


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; loopback only in this version.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
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


def _gate(outputs: Outputs, config: Path, server: str | None, settings: Settings, quiet: bool) -> int:
    """Carry the file's cases out here or on the server, write the outputs, and return the exit code."""
    from service import bootstrap
    from service.gate.file import read_cases
    from service.gate.loop import run_gate
    from service.gate.terminal import TerminalWatcher, print_result
    from service.reports.cases import counted

    outputs.prepare(config)
    cases = read_cases(config, read_policy, None if server else bootstrap.default_phases)
    bar, follow = _live(silent=quiet)
    watcher = TerminalWatcher(Console(stderr=True, highlight=False, quiet=True) if quiet else errors, follow)
    with _case_runner(cases, server, settings) as runner, bar:
        result = run_gate(cases, runner, watcher)
    with _handling(lambda *_: None, signal.SIGINT, signal.SIGTERM):
        unwritten = outputs.write(result, settings.report_folder if server is None else None)
    if not quiet:
        width = None if sys.stdout.isatty() else TABLE_WIDTH
        print_result(Console(highlight=False, width=width), result.cases)
    typer.echo(f"{result.outcome}  {counted(result.cases)}")
    for words in unwritten:
        errors.print(f"error: {words}", markup=False, soft_wrap=True)
    if result.refused is not None:
        raise result.refused
    return EXIT_USAGE if unwritten and result.exit_code not in (1, EXIT_INTERRUPTED) else result.exit_code


@contextmanager
def _case_runner(cases: Sequence[GateCase], server: str | None, settings: Settings) -> Iterator[CaseRunner]:
    """What carries cases out; every plan is checked first against what this machine has, or later by the server."""
    from service import bootstrap
    from service.gate.file import check_cases
    from service.gate.local import LocalRunner
    from service.gate.remote import RemoteRunner, open_client

    if server is not None:
        with open_client(server) as client:
            yield RemoteRunner(client, time.sleep)
        return
    check_cases(cases, bootstrap.check_plan)
    clock = bootstrap.SystemClock()
    with closing(bootstrap.open_store(settings)) as store:
        executor = bootstrap.make_executor(settings, store, clock)
        yield LocalRunner(store, executor, clock, partial(bootstrap.submit, store, clock))


def _execute(execute: Callable[[ProgressListener], object], run_id: str, silent: bool) -> None:
    """Run with live progress on a terminal; Ctrl-C has marked the run cancelled when it arrives here."""
    bar, follow = _live(silent)
    try:
        with bar:
            execute(follow())
    except KeyboardInterrupt:
        errors.print(f"Interrupted: run {run_id} is marked cancelled; what it recorded is kept.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _live(silent: bool) -> tuple[ProgressBar, Callable[[], ProgressListener]]:
    """A bar on the terminal, and what clears it and makes the listener that fills it for one run."""
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

    def follow() -> ProgressListener:
        tasks: dict[str, TaskID] = {}
        for task in bar.task_ids:
            bar.remove_task(task)

        def listen(progress: Progress) -> None:
            # What follows a semicolon changes as the part of the phase goes on.
            key = f"{progress.phase}{progress.message.partition(';')[0]}"
            if key not in tasks:
                for task in tasks.values():
                    bar.stop_task(task)
                tasks[key] = bar.add_task(progress.phase, total=progress.total, words=progress.message)
            bar.update(tasks[key], completed=progress.done, total=progress.total, words=progress.message)

        return listen

    return bar, follow


def _collect(coming: Generator[CaseResult, None, None], total: int, silent: bool) -> tuple[list[CaseResult], bool]:
    """All results, or those that had come when somebody interrupted; whether somebody did."""
    bar = ProgressBar(
        BarColumn(),
        TextColumn("{task.completed:>3.0f}/{task.total:<3.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=errors,
        disable=silent or not errors.is_terminal,
    )
    results: list[CaseResult] = []
    try:
        with bar, closing(coming):
            task = bar.add_task("starting", total=total)
            for result in coming:
                results.append(result)
                bar.update(task, completed=len(results), description=f"{result.case.name}: {result.judgement}")
    except KeyboardInterrupt:
        return results, True
    return results, False


def _show(store: RunStore, settings: Settings, run_id: str, as_json: bool, quiet: bool) -> int:
    """Write the report's files, print what was asked for, and return the exit code."""
    from service.reports.html import render_html
    from service.reports.report import build_report

    row, record, verdict = store.run(run_id), store.record(run_id), store.verdict(run_id)
    report = build_report(row, record, verdict)
    text = json.dumps(report, allow_nan=False, indent=2)
    path = settings.report_folder / f"{run_id}.html"
    advice = Problem("report_folder", "set LOCKSTEP_REPORT_FOLDER to a folder that can be written")
    _write(path, render_html(report), advice)
    _write(path.with_suffix(".json"), text, advice)
    if as_json:
        typer.echo(text)
    elif verdict is not None:
        if not quiet:
            Console(highlight=False).print(verdict_table(verdict))
        typer.echo(f"{verdict.outcome}  {verdict.summary}")
        if not quiet:
            typer.echo(f"run     {run_id}\nreport  {path}")
    return _exit_code(row)


def _show_stored(found: StoredReport, form: Literal["table"] | Form, output: Path | None) -> int:
    """Print the report or write it to the file, and return the exit code."""
    from service.reports.forms import render
    from service.reports.rejudge import told

    again = told(found.report)
    text = _table(found, again, output) if form == "table" else render(found.report, form).rstrip("\n") + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(output, text, Problem("--output", "name a file in a folder that can be written"))
    if form != "table" and again is not None:
        errors.print(again, markup=False, soft_wrap=True)
    return _exit_code(found.run) if found.report["outcome"] is None else EXIT_CODES[found.report["outcome"]]


def _table(found: StoredReport, again: str | None, output: Path | None) -> str:
    """What `lockstep run` prints at its end, with colours on a terminal, and whether it was judged again."""
    console = Console(highlight=False) if output is None else Console(file=io.StringIO(), width=TABLE_WIDTH)
    with console.capture() as captured:
        if found.verdict is not None:
            console.print(verdict_table(found.verdict))
    table = "\n".join(line.rstrip() for line in captured.get().split("\n"))
    words = f"{found.report['outcome'] or 'NO VERDICT'}  {found.report['summary']}"
    return table + "".join(f"{line}\n" for line in (words, again, f"run     {found.run.id}") if line)


def _exit_code(row: RunRow) -> int:
    if row.outcome is not None:
        return EXIT_CODES[row.outcome]
    errors.print(f"run {row.id} is {row.state}: {row.error_message or 'no reason was recorded'}")
    return EXIT_INTERRUPTED if row.state == "cancelled" else EXIT_BROKEN


def _write(path: Path, text: str, advice: Problem) -> None:
    """Write a whole file or none; `advice` says for which setting it was and what to do where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or (path.exists() and not path.is_file()):  # /dev/stdout is not to be replaced by a file
            path.write_text(text, encoding="utf-8")
            return
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}; {advice.message}"
        raise InvalidRequest(Problem(advice.field, message)) from error


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
    except (StoreUnavailable, SchemaMismatch, LadderRefused, RunNotFound) as error:
        _fail(f"error: {error}", EXIT_USAGE)
    except RunCancelled as error:
        _fail(str(error), EXIT_INTERRUPTED)
    except LockstepError as error:
        _fail(f"Lockstep failed: {error}", EXIT_BROKEN)


def _fail(message: str, code: int) -> NoReturn:
    errors.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(code)


app.command(epilog=EPILOG)(_told_errors()(train))
app.add_typer(ladder_commands(Frame(run, _told_errors, _live, EXIT_WORDS)), name="ladder")
app.command(epilog=SWEEP_EPILOG)(_told_errors()(sweep))


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the `lockstep` command; an error that nobody foresaw exits with 4, where Python's 1 means FAIL."""
    try:
        return app(arguments)
    except Exception:
        traceback.print_exc()
        errors.print("Lockstep failed, and there is no verdict: this is a defect; please report the lines above.")
        sys.exit(EXIT_BROKEN)


if __name__ == "__main__":
    main()
